"""dbt's own documentation as one file for analysts: every model with its SQL, columns, tests and graph.

It tells of the warehouse's inside (parties' keys, lots), so it stands beside the analysts' copy and in no release.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pipelines import files, warehouse
from pipelines.errors import AntawasiError
from pipelines.settings import DBT_DIR, Settings

NAME = "dbt_docs.html"


def write(settings: Settings) -> Path:
    """Write the documentation of the last whole build beside the analysts' copy. Asks nothing of any network.

    Raises:
        AntawasiError: no build is whole, or dbt failed.
    """
    if not warehouse.built(settings):
        raise AntawasiError("There is no whole build to document. What to do: run `antawasi build` first.")
    target = settings.warehouse / NAME
    with (
        tempfile.TemporaryDirectory() as folder,
        files.lock(settings.home / "locks" / "build.lock", "The build file", wait_s=600),
    ):
        done = subprocess.run(
            [
                str(executable()), "docs", "generate", "--static", "--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR),
                "--target-path", folder, "--log-path", folder,
            ],
            env=os.environ | {"ANTAWASI_BUILD_DB": str(settings.build_db), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
            capture_output=True,
            text=True,
        )  # fmt: skip
        made = Path(folder) / "static_index.html"
        if done.returncode or not made.exists():
            raise AntawasiError(
                f"dbt could not write its documentation: {done.stdout[-800:].strip()}. What to do: `antawasi build`."
            )
        with files.atomic_path(target) as tmp:
            shutil.copyfile(made, tmp)
    return target


def executable() -> Path:
    """The house's dbt (`dbt_child`) beside this Python, also when nothing is on PATH; else the one on PATH."""
    beside = Path(sys.executable).with_name("antawasi-dbt")
    return beside if beside.exists() else Path(shutil.which("antawasi-dbt") or "antawasi-dbt")
