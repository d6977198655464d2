"""dbt-spark for the house: models are turned into Spark's SQL on their way, and a local session needs no metastore.

`install` puts this in the place of dbt-spark's own plugin, in this process; profiles keep `type: spark`, so that Thrift,
ODBC and clusters work as dbt-spark documents them.
"""

from __future__ import annotations

from typing import Any

import agate
import dbt.adapters.spark as dbt_spark
from dbt.adapters.base import AdapterPlugin, available
from dbt.adapters.contracts.connection import Connection, ConnectionState
from dbt.adapters.spark.connections import SparkConnectionManager, SparkConnectionMethod
from dbt.adapters.spark.impl import SparkAdapter
from dbt.adapters.spark.session import Cursor, SessionConnectionWrapper
from dbt_common.exceptions import DbtRuntimeError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from pipelines.spark import dialect


class LocalCursor(Cursor):
    """On the session that the house has opened; dbt-spark's own asks for Hive."""

    def execute(self, sql: str, *parameters: Any) -> None:
        session = SparkSession.builder.getOrCreate()
        try:
            self._df = session.sql(sql % parameters if parameters else sql)
        except PySparkException as error:
            raise DbtRuntimeError(str(error)) from error


class LocalHandle:
    """What dbt-spark takes for a connection."""

    def cursor(self) -> LocalCursor:
        return LocalCursor()


class ConnectionManager(SparkConnectionManager):
    """dbt-spark's, but for the local session."""

    @classmethod
    def open(cls, connection: Connection) -> Connection:
        if connection.credentials.method != SparkConnectionMethod.SESSION:
            return super().open(connection)
        connection.handle = SessionConnectionWrapper(LocalHandle())
        connection.state = ConnectionState.OPEN
        return connection


class SparkAdapterOfHouse(SparkAdapter):
    # What stands before `Adapter` in the name of the class is where dbt looks for the adapter's version.
    ConnectionManager = ConnectionManager

    @available
    def in_spark_sql(self, sql: str) -> str:
        """A query, written for DuckDB, as Spark reads it."""
        return dialect.to_spark(sql, self._columns(sql))[-1][1]

    @available
    def in_spark_steps(self, sql: str, name: str) -> list[tuple[str | None, str]]:
        """A model's query as Spark reads it, after the working tables that it is better made from."""
        return dialect.to_spark(sql, self._columns(sql), name)

    @available
    def spark_type(self, name: str) -> str:
        return dialect.spark_type(name)

    @available
    def seed_as_query(self, table: agate.Table, types: dict[str, str]) -> str:
        """The rows of a seed as a query, in the types that are given for it or that dbt has found."""
        kinds = [types.get(name) or self.convert_type(table, i) for i, name in enumerate(table.column_names)]
        columns = ", ".join(
            f"cast({name} as {dialect.spark_type(kind)}) as {name}"
            for name, kind in zip(table.column_names, kinds, strict=True)
        )
        rows = [f"({', '.join(_literal(value) for value in row)})" for row in table.rows]
        names = ", ".join(table.column_names)
        if not rows:
            rows = [f"({', '.join('null' for _ in table.column_names)})"]
        return f"select {columns} from values {', '.join(rows)} as seed({names}){'' if table.rows else ' where false'}"

    def _columns(self, sql: str) -> dict[str, dict[str, str]]:
        """Names and types of the columns of every table that the query reads."""
        found = {}
        for name in dialect.tables_of(sql):
            _, told = self.execute(f"describe {name}", fetch=True)
            found[name] = {row["col_name"]: row["data_type"] for row in told.rows}
        return found


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def install() -> None:
    """Make this the plugin that dbt loads for `type: spark` in this process."""
    own = dbt_spark.Plugin
    dbt_spark.Plugin = AdapterPlugin(
        adapter=SparkAdapterOfHouse, credentials=own.credentials, include_path=own.include_path
    )
