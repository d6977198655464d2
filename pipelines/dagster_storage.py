"""Dagster's record of a run in its own SQLite files, each opened once for the process.

Dagster opens the file anew for every event, up to four times, and composes each statement anew with it; a build tells over a
thousand events, and that took it ten seconds. Files, tables and locks are Dagster's: its daemon and its pages read them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import Connection, Engine, create_engine

#: How long one writer waits for another, as Dagster's own.
_BUSY_TIMEOUT_S = 60


class OpenEventLog(SqliteEventLogStorage):
    """Dagster's event log with one connection for each of its files."""

    def __init__(self, base_dir: str, inst_data: Any = None):
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if shard not in self._engines:
                engine = create_engine(
                    self.conn_string_for_shard(shard), pool_size=1, connect_args={"timeout": _BUSY_TIMEOUT_S}
                )
                self._initdb(engine)
                self._engines[shard] = engine
            with self._engines[shard].connect() as connection, connection.begin():
                yield connection

    def dispose(self) -> None:
        super().dispose()
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()


class HouseStorage(DagsterSqliteStorage):
    """Dagster's storage in one folder, for the process that runs a house."""

    def __init__(self, base_dir: str, inst_data: Any = None):
        super().__init__(base_dir, inst_data)
        self._event_log_storage = OpenEventLog(str(Path(base_dir, "history", "runs")))

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> HouseStorage:
        return cls.from_local(inst_data=inst_data, **config_value)
