"""Files that arrive one after another give the history that a rebuild gives, and what was known on a day stays known."""

from __future__ import annotations

import copy
import datetime as dt
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import contracts, warehouse
from pipelines.settings import DBT_DIR, Settings
from pipelines.sources import reinfo
from tests.dbt_runs import remember

#: Runs dbt and dies at the first statement that begins so, for the model of this name.
DYING = """
import os, signal, sys
from dbt.cli.main import dbtRunner
model, statement = sys.argv[1:3]

def watch(event):
    if event.info.name == "SQLQuery" and event.data.conn_name.endswith("." + model):
        if " ".join(event.data.sql.split("*/", 1)[-1].split()).startswith(statement):
            os.kill(os.getpid(), signal.SIGKILL)

dbtRunner(callbacks=[watch]).invoke(sys.argv[3:])
"""

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
        remember(folder / "target")
        self.manifest: Manifest = dbtRunner().invoke(["parse", *self._arguments]).result

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)

    def receive(self, rows: pl.DataFrame, fingerprint: str = "1", department: str | None = None) -> None:
        """The lake as it stands now: `rows` are all that it holds, made by code of this fingerprint."""
        with duckdb.connect(str(self.path)) as connection:
            lay_out(connection, rows, fingerprint, department)

    def build(self, manifest: Manifest | None = None) -> set[str]:
        """The tables that append which dbt made anew."""
        anew = set()

        def watch(event) -> None:
            model = event.data.conn_name.rpartition(".")[2] if event.info.name == "SQLQuery" else None
            if model and bare(event.data.sql).startswith('create table "build"'):
                anew.add(model)

        done = dbtRunner(manifest=manifest or self.manifest, callbacks=[watch]).invoke(
            ["run", *self._arguments, "--select", *SCHEMAS]
        )
        DuckDBConnectionManager.close_all_connections()
        assert done.success, done.exception or [(r.node.name, r.message) for r in done.result if r.status == "error"]
        return anew & {*APPENDING}

    def killed(self, model: str, statement: str) -> None:
        """A build of a process of its own that dies by SIGKILL when dbt is about to send this statement for this model."""
        told = ["run", *self._arguments, "--threads", "1", "--select", *SCHEMAS]
        done = subprocess.run([sys.executable, "-c", DYING, model, statement, *told], capture_output=True, text=True)
        assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr

    def tables(self) -> dict[str, pl.DataFrame]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return {name: frame(connection, f"SELECT * FROM {SCHEMAS[name]}.{name} ORDER BY ALL") for name in APPENDING}

    def believed(self, known_on: dt.datetime | dt.date, valid_on: dt.date) -> pl.DataFrame:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return frame(connection, "SELECT * FROM marts.registry_known_on($1, $2) ORDER BY ALL", [known_on, valid_on])


def bare(sql: str) -> str:
    """A statement on one line, without dbt's comment before it."""
    return " ".join(sql.split("*/", 1)[-1].split())


def frame(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list | None = None) -> pl.DataFrame:
    found = pl.from_arrow(connection.execute(sql, parameters).to_arrow_table())
    assert isinstance(found, pl.DataFrame)
    return found


def lay_out(
    connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame, fingerprint: str, department: str | None
) -> None:
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
def registry(tmp_path_factory) -> Iterator[Warehouse]:
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
REGISTRATIONS = (
    ("ana", "R1"),
    ("ana", "R1"),
    ("ana", "R1"),
    ("ben", "R1"),
    ("ben", None),
    ("ben", None),
    ("ciro", "R2"),
)
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
        assert ours[name].equals(theirs[name]), (name, ours[name], theirs[name])


@pytest.mark.long
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn=st.lists(extracts, min_size=2, max_size=9), at_once=st.integers(1, 3))
def test_every_arrival_gives_what_a_rebuild_gives_and_leaves_known_what_was(registry, whole, drawn, at_once):
    registry.clear()
    believed = []
    for rows in arrivals(drawn, at_once):
        registry.receive(rows)
        registry.build()
        same(registry.tables(), rebuilt(whole, rows))
        believed.append((rows["_ingested_at"].max(), registry.tables()["dim_registration"]))
    for moment, history in believed:
        for day in (dt.date(2025, 1, 5), dt.date(2025, 1, 12), dt.date(2030, 1, 1)):
            valid = (c("valid_from") <= day) & (c("valid_to").is_null() | (c("valid_to") > day))
            told = registry.believed(moment, day)
            assert told.sort(told.columns).equals(history.filter(valid).sort(history.columns)), (moment, day)


#: Five files a month apart: the map twice, the listing, a map with one code more for ana's right, the listing.
MONTHS = [
    ("MAP", 5, True, [(0, "VIGENTE", "ESTE", True), (3, "VIGENTE", "ESTE", True), (4, "SUSPENDIDO", "OESTE", True)], 0),
    ("MAP", 5, True, [(0, "VIGENTE", "ESTE", True), (3, "SUSPENDIDO", "ESTE", True)], 0),
    ("WEB", 5, True, [(0, "VIGENTE", "ESTE", True), (1, "VIGENTE", "ESTE", True), (3, "SUSPENDIDO", "ESTE", True)], 0),
    (
        "MAP",
        5,
        True,
        [(0, "VIGENTE", "ESTE", True), (1, "SUSPENDIDO", "ESTE", True), (3, "SUSPENDIDO", "ESTE", True)],
        0,
    ),
    ("WEB", 5, True, [(0, "EXCLUIDO", "ESTE", True), (4, "VIGENTE", "OESTE", True)], 0),
]


@pytest.fixture
def months(registry) -> list[pl.DataFrame]:
    """What is there after each month, with the first four taken in."""
    months = arrivals(MONTHS, 1)
    registry.clear()
    registry.receive(months[3])
    assert registry.build() == {*APPENDING}
    return months


def test_a_new_file_is_appended_and_no_file_changes_nothing(registry, whole, months):
    assert registry.build() == set()
    same(registry.tables(), rebuilt(whole, months[3]))
    registry.receive(months[4])
    assert registry.build() == set()
    same(registry.tables(), rebuilt(whole, months[4]))


def test_a_late_file_makes_every_table_anew(registry, whole, months):
    registry.clear()
    registry.receive(months[4].filter(c("_landing_sha256") != "file 02"))
    registry.build()
    registry.receive(months[4])
    assert registry.build() == {*APPENDING}
    same(registry.tables(), rebuilt(whole, months[4]))


def test_a_corrected_file_makes_every_table_anew_and_what_was_known_stays_known(registry, whole, months):
    day = months[3]["_source_as_of"].max()
    known = registry.believed(START + dt.timedelta(hours=9), day)
    corrected = (
        months[3]
        .filter(c("_landing_sha256") == "file 03")
        .with_columns(
            pl.lit("VIGENTE").alias("status_code"),
            pl.lit("file 03, corrected").alias("_landing_sha256"),
            pl.lit(START + dt.timedelta(hours=10)).alias("_ingested_at"),
        )
    )
    rows = months[3].vstack(corrected)
    registry.receive(rows)
    assert registry.build() == {*APPENDING}
    same(registry.tables(), rebuilt(whole, rows))
    assert registry.believed(START + dt.timedelta(hours=9), day).equals(known)
    states = {at: registry.believed(START + dt.timedelta(hours=at), day)["registry_state"].to_list() for at in (9, 10)}
    assert "SUSPENDIDO" in states[9] and set(states[10]) == {"VIGENTE", "AUSENTE"}


def test_other_code_of_the_lake_makes_every_table_anew(registry, whole, months):
    registry.receive(months[3], fingerprint="2")
    assert registry.build() == {*APPENDING}
    same(registry.tables(), rebuilt(whole, months[3]))


def test_other_codes_of_places_make_every_table_anew(registry, whole, months):
    registry.receive(months[3], department="21")
    assert registry.build() == {*APPENDING}
    same(registry.tables(), rebuilt(whole, months[3], department="21"))
    assert set(registry.tables()["dim_registration"]["department_code"]) == {"21"}


def test_another_threshold_makes_every_table_anew(registry, months):
    """More than all have to be found: but for the first, which has nothing before it, no file is whole."""
    with duckdb.connect(str(registry.path)) as connection:
        connection.execute(f"UPDATE reference.{RULES.stem} SET threshold = 1.5 WHERE rule_code = 'CONTINUITY_MIN_FRAC'")
    assert registry.tables()["int_registry__files_judged"]["is_complete"].to_list() == [True] * 4
    assert registry.build() == {*APPENDING}
    assert registry.tables()["int_registry__files_judged"]["is_complete"].to_list() == [True, False, False, False]


@pytest.mark.parametrize("name", ["registry_listed", "registry_judged", "registry_affected"])
def test_another_sql_makes_every_table_anew(registry, months, name):
    changed = copy.deepcopy(registry.manifest)
    macro = changed.macros[f"macro.antawasi.{name}"]
    macro.macro_sql = macro.macro_sql.replace("select", "/* otherwise */ select", 1)
    assert registry.build(changed) == {*APPENDING}
    assert registry.build(changed) == set()


@pytest.mark.long
@pytest.mark.parametrize(
    ("model", "statement"),
    [
        ("int_registry__codes", "create table if not exists"),
        ("int_registry__runs", "delete from"),
        ("int_registry__files_judged", "create temporary table"),
        ("dim_registration", "COMMIT"),
    ],
)
def test_a_build_that_was_killed_is_finished_by_the_next(registry, whole, months, model, statement):
    registry.receive(months[4])
    registry.killed(model, statement)
    registry.build()
    same(registry.tables(), rebuilt(whole, months[4]))


@pytest.mark.long
def test_a_rebuild_that_was_killed_is_finished_by_the_next(registry, whole, months):
    registry.receive(months[4], department="21")
    registry.killed("int_registry__runs", "COMMIT")
    registry.build()
    same(registry.tables(), rebuilt(whole, months[4], department="21"))


# --- in a house ---------------------------------------------------------------------------------------


def test_a_house_keeps_its_tables_from_build_to_build_and_analysts_get_the_macro(house, tmp_path):
    settings = Settings(home=tmp_path / "home")
    settings.warehouse.mkdir(parents=True)
    shutil.copyfile(house / "warehouse" / "build.duckdb", settings.build_db)
    warehouse.mount(settings, warehouse.pin(house / "lake"))
    with duckdb.connect(str(settings.build_db), read_only=True) as connection:
        kept = connection.execute("SELECT DISTINCT table_name FROM intermediate.registry_built_from").fetchall()
        missing = connection.execute(
            "SELECT count(*) FROM intermediate.int_registry__inputs ANTI JOIN intermediate.registry_built_from "
            "USING (input_kind, input_key, input_digest)"
        ).fetchall()
    assert {name for (name,) in kept} == set(APPENDING)
    assert missing == [(0,)]
    with duckdb.connect(str(house / "warehouse" / "antawasi.duckdb"), read_only=True) as connection:
        columns = "* EXCLUDE (ingested_at)"
        for day in ("2025-02-28", "2025-08-31"):
            differing = connection.execute(
                f"SELECT {columns} FROM marts.registry_known_on(now()::TIMESTAMP, DATE '{day}') EXCEPT ALL SELECT {columns} "
                f"FROM marts.dim_registration WHERE valid_from <= '{day}' AND coalesce(valid_to > '{day}', true)"
            ).fetchall()
            assert differing == []
