"""dbt over the project, as tests run it: in a database and a target folder of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pipelines.settings import DBT_DIR


def dbt(*arguments: str, target: Path, database: Path | str = ":memory:") -> str:
    """What a command of dbt prints; it has to end well."""
    remember(target)
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("dbt")), *arguments, "--project-dir", str(DBT_DIR), "--profiles-dir",
            str(DBT_DIR), "--target-path", str(target), "--log-path", str(target),
        ],
        env=os.environ | {"ANTAWASI_BUILD_DB": str(database)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def remember(target: Path) -> None:
    """Let dbt find the project parsed there, if a house of this checkout has parsed it: anew it takes six seconds."""
    target.mkdir(parents=True, exist_ok=True)
    if (parsed := DBT_DIR / "target" / "partial_parse.msgpack").exists():
        shutil.copy(parsed, target)
