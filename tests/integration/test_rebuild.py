"""The same rows give the same tables: every model built again over what staging read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pipelines.settings import DBT_DIR
from tests.faults.houses import tables


def test_every_table_comes_out_the_same_when_built_again(house: Path, tmp_path: Path) -> None:
    first = (house / "warehouse" / "antawasi.duckdb").resolve()
    again = tmp_path / "build.duckdb"
    shutil.copyfile(first, again)
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("dbt")), "--quiet", "run", "--exclude", "source:*+1",
            "--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR), "--target-path", str(tmp_path / "target"),
            "--log-path", str(tmp_path / "logs"),
        ],
        env=os.environ | {"ANTAWASI_BUILD_DB": str(again)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    before, after = tables(first), tables(again)
    assert len(before) > 200
    assert [name for name in before if before[name] != after.get(name)] == []
