"""The registry's history against the simulated truth: files judged, no false exclusion, the same history in any order."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import contracts
from pipelines.identity import Keyer
from pipelines.settings import DBT_DIR
from pipelines.simulator import office_files
from pipelines.simulator.plan import load, make_plan
from pipelines.simulator.world import World, make_world
from pipelines.sources import Context, reinfo

MODELS = {
    "stg_reinfo__registrations": "staging",
    "int_registry__file_contents": "intermediate",
    "int_registry__files": "intermediate",
    "int_registry__codes": "intermediate",
    "int_registry__listings_keyed": "intermediate",
    "int_registry__runs": "intermediate",
    "int_registry__files_judged": "intermediate",
    "dim_registration": "marts",
    "int_registry__month_ends": "intermediate",
    "int_registry__moves": "intermediate",
    "mart_registry_transitions": "marts",
    "mart_registry_stock_flow": "marts",
    "int_registry__suspensions": "intermediate",
    "mart_registry_suspension": "marts",
}
KEYER = Keyer(b"k" * 32)
START = dt.datetime(2026, 7, 1)
c = pl.col


@pytest.fixture(scope="module")
def models(compiled) -> dict[str, str]:
    return compiled(MODELS)


def listed(world: World, folder: Path) -> pl.DataFrame:
    """Rows of the lake, as ingest would make them of the world's registry files, which arrive in their order."""
    office_files.write_registry(world, folder)
    home = folder / "files" / "reinfo"
    stated = yaml.safe_load((home / "origin.yaml").read_text(encoding="utf-8")).get("files", {})
    frames = []
    for path in sorted(p for p in home.iterdir() if p.suffix != ".yaml"):
        (batch,) = reinfo.parse(path, Context(keyer=KEYER, filename=path.name))
        rows, rejected = contracts.check_rows(contracts.contract(reinfo.TABLE), batch.tables[reinfo.TABLE], path.name)
        assert rejected.height == 0
        as_of = stated.get(path.name, {}).get("source_as_of") or reinfo.identify(path).source_as_of
        frames.append(
            rows.with_columns(
                pl.lit(path.name).alias("_landing_sha256"), pl.lit(dt.date.fromisoformat(as_of)).alias("_source_as_of")
            )
        )
    return arrived(pl.concat(frames), list(range(len(frames)))).with_columns(pl.lit(True).alias("_is_synthetic"))


def arrived(rows: pl.DataFrame, order: list[int]) -> pl.DataFrame:
    """The same files, received in another order."""
    files = rows["_landing_sha256"].unique().sort().to_list()
    moments = {name: START + dt.timedelta(minutes=at) for name, at in zip(files, order, strict=True)}
    return rows.with_columns(
        c("_landing_sha256").replace_strict(moments, return_dtype=pl.Datetime("us")).alias("_ingested_at")
    )


def built(models: dict[str, str], rows: pl.DataFrame) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    for schema in ("raw", "staging", "intermediate", "marts", "reference"):
        connection.execute(f"CREATE SCHEMA {schema}")
    connection.register("rows_in", rows.to_arrow())
    connection.execute("CREATE TABLE raw.reinfo__registrations AS SELECT * FROM rows_in")
    connection.execute(
        "CREATE TABLE raw.lake_files AS SELECT DISTINCT 'reinfo__registrations' AS table_name, _landing_sha256 AS landing_sha256, "
        "'' AS fingerprint FROM rows_in"
    )
    connection.execute(
        "CREATE TABLE intermediate.int_places__names_matched AS SELECT DISTINCT department_name, province_name, district_name, "
        "CAST(NULL AS VARCHAR) AS ubigeo_code, CAST(NULL AS VARCHAR) AS department_code FROM raw.reinfo__registrations"
    )
    for seed in ("registry_snapshot_rules", "registry_allowed_transitions", "registry_suspension_ages"):
        path = DBT_DIR / "seeds" / f"{seed}.csv"
        connection.execute(f"CREATE TABLE reference.{seed} AS SELECT * FROM read_csv('{path}')")
    for name, sql in models.items():
        connection.execute(f"CREATE TABLE {MODELS[name]}.{name} AS {sql}")
    return connection


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(make_plan(load(), "12000", seed=7), load())


@pytest.fixture(scope="module")
def history(models, world, tmp_path_factory) -> duckdb.DuckDBPyConnection:
    connection = built(models, listed(world, tmp_path_factory.mktemp("registry")))
    people = world.people.registrations.select("registration_id", "reinfo_id")
    keys = people.with_columns(
        pl.Series("registration_key", [KEYER.key("REINFO", code) for code in people["reinfo_id"]])
    )
    for name, frame in (("keys", keys), ("intervals", world.registry.intervals), ("planned", world.registry.snapshots)):
        connection.register(f"{name}_in", frame.to_arrow())
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM {name}_in")
    return connection


def test_every_cut_or_stale_file_is_recognised_and_no_whole_one_is_refused(history):
    rows = history.execute(
        "SELECT planned.kind, files.is_complete, served.file_count > 1 FROM intermediate.int_registry__files_judged AS files "
        "JOIN planned ON files.landing_sha256 LIKE 'reinfo_' || strftime(planned.month, '%Y-%m') || '_%' "
        "JOIN (SELECT source_as_of, layout_code, count(*) AS file_count FROM intermediate.int_registry__files GROUP BY ALL) AS served "
        "USING (source_as_of, layout_code)"
    ).fetchall()
    assert len(rows) > 45
    assert {kind for kind, is_complete, _ in rows if not is_complete} == {"PARTIAL"}
    assert all(not is_complete for kind, is_complete, _ in rows if kind == "PARTIAL")
    assert sum(kind == "PARTIAL" for kind, _, _ in rows) == 2
    assert [kind for kind, _, again in rows if again] == ["STALE"]


def test_on_the_day_of_every_whole_map_file_the_history_says_what_was_true(history):
    rows = history.execute(
        """
        WITH days AS (
            SELECT source_as_of AS day FROM intermediate.int_registry__files_judged
            WHERE is_complete AND absence_counts
        ),
        true_states AS (
            SELECT registration_id, day, CASE status_code WHEN 'REINCORPORADO' THEN 'VIGENTE' ELSE status_code END AS state
            FROM intervals JOIN days ON valid_from <= day AND (valid_to IS NULL OR day < valid_to)
        ),
        ours AS (
            SELECT keys.registration_id, day, registry_state AS state
            FROM marts.dim_registration JOIN keys USING (registration_key)
            JOIN days ON valid_from <= day AND (valid_to IS NULL OR day < valid_to)
        )
        SELECT true_states.state, ours.state, count(*) FROM true_states FULL JOIN ours USING (registration_id, day) GROUP BY ALL
        """
    ).fetchall()
    counts = {(true, ours): n for true, ours, n in rows}
    standing = {pair: n for pair, n in counts.items() if pair[0] in ("VIGENTE", "SUSPENDIDO")}
    right = sum(n for (true, ours), n in standing.items() if true == ours)
    assert right / sum(standing.values()) > 0.999
    # no false exclusion: nobody who is registered is told excluded or absent
    assert not [pair for pair in standing if pair[1] in ("EXCLUIDO", "AUSENTE")]
    gone = {pair: n for pair, n in counts.items() if pair[0] == "EXCLUIDO" and pair[1] is not None}
    assert set(gone) == {("EXCLUIDO", "EXCLUIDO"), ("EXCLUIDO", "AUSENTE")}


def test_a_change_of_layout_alone_changes_nothing(history):
    """The first listing after a run of map files: no registration is new or gone but those that truly are."""
    rows = history.execute(
        """
        WITH switches AS (
            SELECT source_as_of, layout_code <> lag(layout_code) OVER (ORDER BY file_number) AS has_switched
            FROM intermediate.int_registry__files_judged
        )
        SELECT registrations.change_type, count(*) FROM marts.dim_registration AS registrations
        JOIN switches ON registrations.valid_from = switches.source_as_of AND switches.has_switched
        LEFT JOIN keys USING (registration_key)
        LEFT JOIN intervals ON keys.registration_id = intervals.registration_id
            AND intervals.valid_from BETWEEN coalesce(registrations.changed_after, DATE '1900-01-01') AND registrations.valid_from
        WHERE intervals.registration_id IS NULL AND registrations.change_type IN ('new', 'reappeared', 'vanished')
            AND registrations.registration_key NOT IN (
                SELECT registration_key FROM intermediate.int_registry__listings_keyed WHERE key_method IN ('natural', 'ambiguous')
            )
        GROUP BY ALL
        """
    ).fetchall()
    assert rows == []


def test_stock_and_flow_close_and_the_purge_is_seen(history):
    open_rows = history.execute(
        "SELECT month, sum(stock_start + new_count + returned_count - excluded_count - absent_count - stock_end) AS gap "
        "FROM marts.mart_registry_stock_flow GROUP BY month HAVING gap <> 0"
    ).fetchall()
    assert open_rows == []
    ((start, gone),) = history.execute(
        "SELECT sum(stock_start), sum(excluded_count + absent_count) FROM marts.mart_registry_stock_flow WHERE month = DATE '2025-07-01'"
    ).fetchall()
    assert float(gone) / float(start) == pytest.approx(0.616, abs=0.02)
    forbidden = history.execute(
        "SELECT from_state, to_state FROM marts.mart_registry_transitions WHERE NOT is_allowed"
    ).fetchall()
    assert forbidden == []


def test_every_suspension_began_and_ended_where_the_files_say(history):
    """Between the two files that bracket it, a suspension truly began, or had begun before the first one; and it ended."""
    rows = history.execute(
        """
        WITH ours AS (
            SELECT suspensions.*, registration_id FROM intermediate.int_registry__suspensions AS suspensions JOIN keys USING (registration_key)
        )
        SELECT is_at_least, ended_on IS NULL AS is_open, count(*) AS suspensions, count(*) FILTER (EXISTS (
            SELECT 1 FROM intervals WHERE intervals.registration_id = ours.registration_id AND status_code = 'SUSPENDIDO'
                AND valid_from <= suspended_from
                AND (is_at_least AND coalesce(valid_to > suspended_from, true) OR valid_from > suspended_after)
        )) AS begun, count(*) FILTER (ended_on IS NULL OR EXISTS (
            SELECT 1 FROM intervals WHERE intervals.registration_id = ours.registration_id AND status_code = 'SUSPENDIDO'
                AND valid_to > ended_after AND valid_to <= ended_on
        )) AS ended
        FROM ours GROUP BY ALL
        """
    ).fetchall()
    assert {(True, False), (False, False), (False, True)} <= {row[:2] for row in rows}
    for is_at_least, is_open, suspensions, begun, ended in rows:
        # a state that a listing gives to one of several registrations of the same right is a convention
        assert begun >= 0.99 * suspensions, (is_at_least, is_open, suspensions, begun)
        assert ended >= 0.99 * suspensions, (is_at_least, is_open, suspensions, ended)


def test_the_purge_takes_who_was_suspended_for_over_a_year_and_nobody_else(history):
    """Ages are known up to the files around the first day: who counts as younger and is gone was near the year."""
    rows = history.execute(
        "SELECT age_code, is_at_least, sum(at_risk_count), sum(gone_count), sum(cured_count) FROM marts.mart_registry_suspension "
        "WHERE month = DATE '2025-07-01' GROUP BY ALL"
    ).fetchall()
    moves = {(age, at_least): (float(gone), float(risk - cured)) for age, at_least, risk, gone, cured in rows}
    for at_least in (True, False):
        gone, stayed = moves["DE_1_A_4", at_least]
        assert gone >= 0.95 * stayed
    young, left = history.execute(
        "SELECT count(*) FILTER (suspended_after > DATE '2024-07-03'), count(*) FROM intermediate.int_registry__suspensions "
        "WHERE end_state IN ('AUSENTE', 'EXCLUIDO') AND ended_on BETWEEN DATE '2025-07-03' AND DATE '2025-07-31'"
    ).fetchall()[0]
    assert left > 800
    assert young <= 0.002 * left
    assert moves["HASTA_1", False][0] < 0.2 * moves["HASTA_1", False][1]


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> pl.DataFrame:
    return listed(make_world(make_plan(load(), "tiny", seed=3), load()), tmp_path_factory.mktemp("few"))


def in_valid_time(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The history without what belongs to arrival: when, and in which copy of the same extract."""
    frame = pl.from_arrow(
        connection.execute(
            "SELECT * FROM marts.dim_registration ORDER BY registration_key, valid_from"
        ).to_arrow_table()
    )
    assert isinstance(frame, pl.DataFrame)
    return frame.drop("ingested_at", "landing_sha256", "row_number")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_order_of_arrival_changes_nothing_in_valid_time(models, few, data):
    files = few["_landing_sha256"].n_unique()
    order = data.draw(st.permutations(range(files)))
    assert in_valid_time(built(models, arrived(few, order))).equals(in_valid_time(built(models, few)))


def test_a_missing_file_delays_but_never_excludes(models, few, history):
    """Without one whole file, what it showed is known later; nobody is excluded who was not."""
    files = few["_landing_sha256"].unique().sort().to_list()
    whole = in_valid_time(built(models, few))
    gone = set(whole.filter(c("registry_state").is_in(["AUSENTE", "EXCLUIDO"]))["registration_key"])
    for name in files[3:8]:
        left = in_valid_time(built(models, few.filter(c("_landing_sha256") != name)))
        assert set(left.filter(c("registry_state").is_in(["AUSENTE", "EXCLUIDO"]))["registration_key"]) <= gone, name
