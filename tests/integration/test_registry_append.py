"""Files that arrive one after another give the history that a rebuild gives, and what was known on a day stays known."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines import contracts
from pipelines.settings import DBT_DIR
from pipelines.sources import reinfo

SCHEMAS = {
    "stg_reinfo__registrations": "staging",
    "int_registry__file_contents": "intermediate",
    "int_registry__files": "intermediate",
    "int_registry__inputs": "intermediate",
    "int_registry__codes": "intermediate",
    "int_registry__listings_keyed": "intermediate",
    "int_registry__runs": "intermediate",
    "int_registry__files_judged": "intermediate",
    "dim_registration": "marts",
}
#: Tables that append; file_contents carries a digest of its own SQL, which names the database.
APPENDING = ("int_registry__codes", "int_registry__runs", "int_registry__files_judged", "dim_registration")
START = dt.datetime(2026, 7, 1)
RULES = DBT_DIR / "seeds" / "registry_snapshot_rules.csv"
c = pl.col


class Warehouse:
    """A build file with the registry's models, built by dbt itself in this process."""

    def __init__(self, folder: Path):
        self.path = folder / "build.duckdb"
        self._arguments = [
            "--quiet", "--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR),
            "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"),
        ]  # fmt: skip
        self._manifest = dbtRunner().invoke(["parse", *self._arguments]).result

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)

    def receive(self, rows: pl.DataFrame, fingerprint: str = "1", department: str | None = None) -> None:
        """The lake as it stands now: `rows` are all that it holds, made by code of this fingerprint."""
        with duckdb.connect(str(self.path)) as connection:
            lay_out(connection, rows, fingerprint, department)

    def build(self, *models: str, variables: str = "{}") -> list[str]:
        """dbt's messages of models that failed; none of a build that went well."""
        done = dbtRunner(manifest=self._manifest).invoke(
            ["run", *self._arguments, "--vars", variables, "--select", *(models or SCHEMAS)]
        )
        DuckDBConnectionManager.close_all_connections()
        assert done.exception is None, done.exception
        return [f"{r.node.name}: {r.message}" for r in done.result if r.status == "error"]

    def tables(self) -> dict[str, pl.DataFrame]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return {name: frame(connection, f"SELECT * FROM {SCHEMAS[name]}.{name} ORDER BY ALL") for name in APPENDING}

    def numbers(self) -> dict[str, int]:
        """The database's number of every table that appends: a table made anew has another one."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            found = dict(connection.execute("SELECT table_name, table_oid FROM duckdb_tables()").fetchall())
        return {name: found[name] for name in APPENDING}

    def believed(self, known_on: dt.datetime | dt.date, valid_on: dt.date) -> pl.DataFrame:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return frame(
                connection, "SELECT * FROM marts.registry_known_on($1, $2) ORDER BY ALL", [known_on, valid_on]
            )


def frame(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list | None = None) -> pl.DataFrame:
    found = pl.from_arrow(connection.execute(sql, parameters).to_arrow_table())
    assert isinstance(found, pl.DataFrame)
    return found


def lay_out(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame, fingerprint: str, department: str | None) -> None:
    """What stands before the registry's models: the lake's rows and files, codes of places, thresholds."""
    for schema in ("raw", "staging", "intermediate", "marts", "reference"):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    connection.register("rows_in", rows.to_arrow())
    connection.execute("CREATE OR REPLACE TABLE raw.reinfo__registrations AS FROM rows_in")
    connection.execute(
        "CREATE OR REPLACE TABLE raw.lake_files AS SELECT DISTINCT 'reinfo__registrations' AS table_name, "
        "_landing_sha256 AS landing_sha256, $1 AS fingerprint FROM rows_in",
        [fingerprint],
    )
    connection.execute(
        "CREATE OR REPLACE TABLE intermediate.int_places__names_matched AS SELECT DISTINCT department_name, province_name, "
        "district_name, CAST(NULL AS VARCHAR) AS ubigeo_code, CAST($1 AS VARCHAR) AS department_code FROM rows_in",
        [department],
    )
    connection.execute(f"CREATE TABLE IF NOT EXISTS reference.{RULES.stem} AS FROM read_csv('{RULES}')")


@pytest.fixture(scope="module")
def whole(compiled) -> dict[str, str]:
    return compiled(SCHEMAS)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory) -> Iterator[Warehouse]:
    folder = tmp_path_factory.mktemp("append")
    before = os.environ.get("ANTAWASI_BUILD_DB")
    os.environ["ANTAWASI_BUILD_DB"] = str(folder / "build.duckdb")
    yield Warehouse(folder)
    if before is None:
        del os.environ["ANTAWASI_BUILD_DB"]
    else:
        os.environ["ANTAWASI_BUILD_DB"] = before


def rebuilt(whole: dict[str, str], rows: pl.DataFrame, department: str | None = None) -> dict[str, pl.DataFrame]:
    """The same tables by one build over all rows, without dbt's way of appending."""
    with duckdb.connect(":memory:") as connection:
        lay_out(connection, rows, "1", department)
        for name, sql in whole.items():
            kind = "VIEW" if name.startswith("stg_") or name.endswith("_keyed") else "TABLE"
            connection.execute(f"CREATE {kind} {SCHEMAS[name]}.{name} AS {sql}")
        return {name: frame(connection, f"SELECT * FROM {SCHEMAS[name]}.{name} ORDER BY ALL") for name in APPENDING}


# --- a registry of a few registrations ----------------------------------------------------------------

#: Party and mining right of every registration: three share both, two stand in free area, told apart by place alone.
REGISTRATIONS = (("ana", "R1"), ("ana", "R1"), ("ana", "R1"), ("ben", "R1"), ("ben", None), ("ben", None), ("ciro", "R2"))
STATES = ("VIGENTE", "SUSPENDIDO", "EXCLUIDO", None)

listings = st.tuples(
    st.integers(0, len(REGISTRATIONS) - 1),
    st.sampled_from(STATES),
    st.sampled_from(("ESTE", "OESTE")),  # district
    st.integers(0, 9).map(bool),  # whether the row of a map file has its code
)
extracts = st.tuples(
    st.sampled_from(("MAP", "MAP", "WEB")),
    st.integers(0, 5),  # days after the extract before, most of them a month; 0: the same day
    st.sampled_from((True, True, True, False)),  # simulated
    st.lists(listings, min_size=1, max_size=9),
    st.sampled_from((0, 0, 0, 0, 0, 1, 2)),  # by how many arrivals it is late
)


def lake_rows(drawn: list) -> list[pl.DataFrame]:
    """The rows of every drawn file, in the order of their dates. Two of one date and layout: the later one corrects."""
    table = contracts.contract(reinfo.TABLE)
    frames, day = [], dt.date(2025, 1, 1)
    for number, (layout, days, is_synthetic, rows, _) in enumerate(drawn):
        day += dt.timedelta(days=days)
        is_map = layout == "MAP"
        values = [
            {
                "layout_code": layout,
                "party_key": REGISTRATIONS[at][0],
                "party_kind": "DNI",
                "reinfo_key": f"code {at}" if is_map and has_code else None,
                "mining_right_id_ingemmet": REGISTRATIONS[at][1],
                "mining_right_id_was_repaired": False,
                "is_free_area": REGISTRATIONS[at][1] is None,
                "department_name": "PUNO",
                "district_name": district,
                "activity_code": "EXPLOTACION" if is_map else None,
                "status_code": status,
                "_row_number": row,
            }
            for row, (at, status, district, has_code) in enumerate(rows, start=1)
        ]
        types = {column.name: column.dtype for column in table.columns} | {"_row_number": pl.Int64}
        frames.append(
            pl.DataFrame(values, schema=types, orient="row").with_columns(
                pl.lit(f"file {number:02}").alias("_landing_sha256"),
                pl.lit(day).alias("_source_as_of"),
                pl.lit(is_synthetic).alias("_is_synthetic"),
            )
        )
    return frames


def arrivals(drawn: list, at_once: int) -> list[pl.DataFrame]:
    """All rows that are there after each arrival of `at_once` files; late ones come with a later arrival."""
    frames = lake_rows(drawn)
    came = [number // at_once + late for number, (*_, late) in enumerate(drawn)]
    dated = [
        rows.with_columns(pl.lit(START + dt.timedelta(hours=when, minutes=number)).alias("_ingested_at"))
        for number, (rows, when) in enumerate(zip(frames, came, strict=True))
    ]
    moments = sorted(set(came))
    return [pl.concat(rows for rows, when in zip(dated, came, strict=True) if when <= moment) for moment in moments]


def same(ours: dict[str, pl.DataFrame], theirs: dict[str, pl.DataFrame]) -> None:
    for name in APPENDING:
        assert ours[name].equals(theirs[name]), f"{name}: {ours[name].vstack(theirs[name]).filter(~ours[name].vstack(theirs[name]).is_duplicated())}"


@settings(max_examples=int(os.environ.get("FUZZ", "12")), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(extracts, min_size=2, max_size=9), at_once=st.integers(1, 3))
def test_every_arrival_gives_what_a_rebuild_gives_and_leaves_known_what_was(warehouse, whole, drawn, at_once):
    warehouse.clear()
    believed = []
    for rows in arrivals(drawn, at_once):
        warehouse.receive(rows)
        assert warehouse.build() == []
        same(warehouse.tables(), rebuilt(whole, rows))
        believed.append((rows["_ingested_at"].max(), warehouse.tables()["dim_registration"]))
    for moment, history in believed:
        for day in (dt.date(2025, 1, 5), dt.date(2025, 1, 12), dt.date(2030, 1, 1)):
            valid = (c("valid_from") <= day) & (c("valid_to").is_null() | (c("valid_to") > day))
            told = warehouse.believed(moment, day)
            assert told.sort(told.columns).equals(history.filter(valid).sort(history.columns)), (moment, day)
