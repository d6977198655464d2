"""The tables of a Spark build beside DuckDB's: exact on whole numbers, decimals, dates and texts, 1e-9 of floats."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import duckdb

from pipelines import warehouse
from pipelines.errors import AntawasiError
from pipelines.settings import Settings
from pipelines.spark import build

FLOATS = ("DOUBLE", "FLOAT")
#: Greatest relative difference of floats: sums of them are added in another order.
FLOAT_TOLERANCE = 1e-9
#: Digests of the SQL itself, which differs by engine.
OF_SQL = {
    "int_registry__inputs": ("input_digest",),
    "int_registry__file_contents": ("rule_digest",),
    "int_registry__files": ("rule_digest",),
}


@dataclasses.dataclass(frozen=True)
class Compared:
    """One table in both engines. `differing` counts the rows of DuckDB's that Spark has not, by their exact columns;
    `float_difference` is the greatest relative one, 0 without floats."""

    schema: str
    table: str
    duckdb_rows: int
    spark_rows: int
    missing_columns: tuple[str, ...]
    differing: int
    float_difference: float

    @property
    def is_equal(self) -> bool:
        return (
            self.duckdb_rows == self.spark_rows
            and not self.missing_columns
            and self.differing == 0
            and self.float_difference <= FLOAT_TOLERANCE
        )


def compare(settings: Settings) -> list[Compared]:
    """Every table of the analysts' schemas, in order of schema and name.

    Raises:
        AntawasiError: there is no build of each engine of the same lake and models.
    """
    digests = {warehouse.analysts_digest(settings), build.digest(settings)}
    if len(digests) > 1 or None in digests:
        raise AntawasiError(
            "The warehouses of DuckDB and Spark are not of the same files and models. "
            "What to do: run `antawasi build`, then `antawasi build --engine spark --compare`."
        )
    with warehouse.connect(settings.analysts_db, read_only=True) as connection:
        tables = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE list_contains(?, schema_name) ORDER BY ALL",
            [list(warehouse.ANALYST_SCHEMAS)],
        ).fetchall()
        return [_compared(connection, build.folder(settings), *table) for table in tables]


def _compared(connection: duckdb.DuckDBPyConnection, folder: Path, schema: str, table: str) -> Compared:
    ours = f'"{schema}"."{table}"'
    held = folder / f"{schema}.db" / table
    if not list(held.glob("*.parquet")):
        return Compared(schema, table, _count(connection, ours), 0, ("(the table)",), 0, 0.0)
    theirs = f"read_parquet('{held}/*.parquet')"
    types, spark_types = _types(connection, ours), _types(connection, theirs)
    skipped = OF_SQL.get(table, ())
    columns = [name for name in types if name in spark_types and name not in skipped]
    missing = tuple(sorted(set(types) ^ set(spark_types)))
    exact = [name for name in columns if types[name] not in FLOATS]
    floats = [name for name in columns if types[name] in FLOATS]
    # a whole number of 128 bits is a decimal to Spark, and Parquet has none
    left = ", ".join(f'CAST("{n}" AS DECIMAL(38, 0)) AS "{n}"' if types[n] == "HUGEINT" else f'"{n}"' for n in exact)
    right = ", ".join(f'"{name}"' for name in exact)
    differing = 0
    if exact:
        differing = _count(connection, f"(SELECT {left} FROM {ours} EXCEPT ALL SELECT {right} FROM {theirs})")
    order = ", ".join(f'"{name}" NULLS LAST' for name in exact + floats)
    differences = [_float_difference(connection, ours, theirs, name, order) for name in floats]
    return Compared(
        schema, table, _count(connection, ours), _count(connection, theirs), missing, differing, max(differences, default=0.0)
    )  # fmt: skip


def _types(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return connection.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0]


def _float_difference(connection: duckdb.DuckDBPyConnection, ours: str, theirs: str, name: str, order: str) -> float:
    """The greatest relative difference of a column, rows taken in the same order; infinite where one alone is null."""
    numbered = f'SELECT "{name}" AS value, row_number() OVER (ORDER BY {order}) AS place FROM '
    found = connection.execute(
        f"""
        SELECT max(CASE
            WHEN (a.value IS NULL) <> (b.value IS NULL) THEN 'inf'::DOUBLE
            WHEN a.value = b.value THEN 0
            ELSE abs(a.value - b.value) / greatest(abs(a.value), abs(b.value))
        END)
        FROM ({numbered} {ours}) AS a INNER JOIN ({numbered} {theirs}) AS b ON a.place = b.place
        """
    ).fetchall()[0][0]
    return found or 0.0
