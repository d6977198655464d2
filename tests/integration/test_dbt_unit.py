"""The unit tests of the dbt project: models on a few rows worked out by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pipelines.settings import DBT_DIR


def test_every_unit_test_of_the_dbt_project_passes(house: Path, tmp_path: Path) -> None:
    # dbt takes the types of a unit test's columns from relations that are there
    shutil.copy(house / "warehouse" / "build.duckdb", tmp_path / "build.duckdb")
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("dbt")), "test", "--select", "test_type:unit", "--project-dir", str(DBT_DIR),
            "--profiles-dir", str(DBT_DIR), "--target-path", str(tmp_path / "target"), "--log-path", str(tmp_path / "logs"),
        ],
        env=os.environ | {"ANTAWASI_BUILD_DB": str(tmp_path / "build.duckdb")}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    written = sum(
        path.read_text(encoding="utf-8").count("    model: ") for path in DBT_DIR.rglob("models/**/*unit_tests.yml")
    )
    assert f"PASS={written} " in done.stdout, done.stdout
