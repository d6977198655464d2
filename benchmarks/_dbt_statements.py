"""The very statements that dbt sends for some models, kept so that they can be run again without dbt's own start."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from pipelines.memory import limits


def sent(build_db: Path, folder: Path, models: Sequence[str]) -> list[tuple[str, str]]:
    """Run dbt on the build file; every statement that it sent, in order, with the connection that it used.

    Look-ups, transactions and hooks are among them. `folder` takes what dbt writes of its own.

    Raises:
        RuntimeError: a model failed.
    """
    os.environ["ANTAWASI_BUILD_DB"] = str(build_db)
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    from pipelines.settings import DBT_DIR

    statements: list[tuple[str, str]] = []

    def hear(event) -> None:
        if event.info.name == "SQLQuery":
            statements.append((event.data.conn_name, event.data.sql))
        elif event.info.name == "Rollback":
            statements.append((event.data.conn_name, "ROLLBACK"))

    done = dbtRunner(callbacks=[hear]).invoke(
        [
            "--quiet", "run", "--threads", "1", "--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR),
            "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"), "--select", *models,
        ]
    )  # fmt: skip
    DuckDBConnectionManager.close_all_connections()
    if not done.success:
        raise RuntimeError(f"dbt failed: {done.exception or [r.message for r in done.result if r.status == 'error']}")
    return statements


def replay(statements: Path, before: Path, build_db: Path, memory_limit: str | None = None) -> None:
    """Run kept statements (JSON) on a copy of the build file `before` from which dbt started.

    The copy has to be named as dbt's was: the name is the database's in the statements.
    """
    import duckdb

    build_db.parent.mkdir(exist_ok=True)
    shutil.copyfile(before, build_db)
    with duckdb.connect(
        str(build_db), config={"preserve_insertion_order": "false"} | limits(memory_limit)
    ) as connection:
        cursors: dict[str, duckdb.DuckDBPyConnection] = {}
        for name, statement in json.loads(statements.read_text()):
            if name not in cursors:
                cursors[name] = connection.cursor()
            cursors[name].execute(statement).fetchall()
