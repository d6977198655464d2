"""Milestones, conditions and the purge, told from files of the simulated sector, against what was true in it."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import duckdb
import polars as pl
import pytest

from pipelines import contracts
from pipelines.settings import DBT_DIR
from pipelines.simulator import community
from pipelines.simulator.plan import load, make_plan
from pipelines.simulator.world import World, make_world
from tests.integration.test_registry_history import KEYER, listed

#: Model and schema, in the order in which they are built.
MODELS = {
    "stg_reinfo__registrations": "staging",
    "stg_partner_step_events__events": "staging",
    "stg_partner_surveys__answers": "staging",
    "stg_partner_trainings__attendances": "staging",
    "stg_partner_contracts__contracts": "staging",
    "stg_sunat_ruc__taxpayers": "staging",
    "int_registry__file_contents": "intermediate",
    "int_registry__files": "intermediate",
    "int_registry__codes": "intermediate",
    "int_registry__listings_keyed": "intermediate",
    "int_registry__runs": "intermediate",
    "int_registry__files_judged": "intermediate",
    "dim_registration": "marts",
    "int_registry__month_ends": "intermediate",
    "int_registry__suspensions": "intermediate",
    "int_formalization__reached": "intermediate",
    "int_formalization__dimensions": "intermediate",
    "int_formalization__conditions": "intermediate",
    "int_formalization__milestone_intervals": "intermediate",
    "mart_formalization_progress": "marts",
    "mart_formalization_funnel": "marts",
    "mart_purge_simulation": "marts",
    "mart_purge_summary": "marts",
}
SEEDS = (
    "registry_snapshot_rules",
    "ref_legal_deadline",
    "registry_conditions",
    "purge_rule_sets",
    "formalization_milestones",
)
#: How each milestone shows in the events: steps, outcome.
MILESTONES = {
    "IGAFOM_PRESENTADO": (("IGAFOM_CORRECTIVO", "IGAFOM_PREVENTIVO"), "PRESENTADO"),
    "IGAFOM_APROBADO": (("IGAFOM_CORRECTIVO", "IGAFOM_PREVENTIVO"), "APROBADO"),
    "TERRENO_SUPERFICIAL": (("ACREDITACION_TERRENO_SUPERFICIAL",), "APROBADO"),
    "DERECHO_MINERO": (("ACREDITACION_DERECHO_MINERO",), "APROBADO"),
    "RESTOS_ARQUEOLOGICOS": (("INEXISTENCIA_RESTOS_ARQUEOLOGICOS",), "APROBADO"),
    "EXPEDIENTE_TECNICO": (("EXPEDIENTE_TECNICO",), "APROBADO"),
    "AUTORIZACION": (("AUTORIZACION_INICIO_REINICIO",), "APROBADO"),
}
CONDITIONS = {
    "has_filed_instrument": "IGAFOM_PRESENTADO",
    "is_active_taxpayer": "RUC_TERCERA_ACTIVO",
    "has_declared": "DECLARACION_SEMESTRAL",
}
c = pl.col


@pytest.fixture(scope="module")
def world() -> World:
    """1,600 registrations over 54 months."""
    return make_world(make_plan(load(), "12000", seed=7), load())


@pytest.fixture(scope="module")
def history(compiled, world, tmp_path_factory) -> duckdb.DuckDBPyConnection:
    """The models over the world's registry files, the events that offices report and the taxpayer roll, with the truth
    beside them: `registrations` (registration_id, registration_key), `events`, `conditions`, `intervals`.
    """
    connection = duckdb.connect(":memory:")
    for schema in ("raw", "staging", "intermediate", "marts", "reference"):
        connection.execute(f"CREATE SCHEMA {schema}")
    connection.register("listed", listed(world, tmp_path_factory.mktemp("registry")).to_arrow())
    connection.execute("CREATE TABLE raw.reinfo__registrations AS SELECT * FROM listed")
    connection.execute(
        "CREATE TABLE raw.lake_files AS SELECT DISTINCT 'reinfo__registrations' AS table_name, _landing_sha256 AS landing_sha256, "
        "'' AS fingerprint FROM listed"
    )
    reported = community.step_event_rows(world.people, world.registry.events, world.plan.months)
    events = reported.select(
        c("evento").alias("event_id"),
        KEYER.keys("RUC", reported["titular"]).alias("party_key"),
        KEYER.keys("REINFO", reported["codigo_reinfo"]).alias("reinfo_key"),
        c("ubigeo").alias("ubigeo_code"),
        c("paso").alias("step_code"),
        c("fecha").alias("event_date"),
        c("precision_fecha").alias("date_precision_code"),
        c("resultado").alias("outcome_code"),
        c("autoridad").alias("authority_code"),
        c("semestre").alias("semester"),
    )
    roll = community.roll_frame(world.people, world.firms.frame, world.registry, world.plan.end)
    taxpayers = roll.select(KEYER.keys("RUC", roll["ruc"]).alias("party_key"), "taxpayer_status")
    nothing = pl.DataFrame()
    for table, frame in (
        ("partner_step_events__events", events),
        ("sunat_ruc__taxpayers", taxpayers),
        ("partner_surveys__answers", nothing),
        ("partner_trainings__attendances", nothing),
        ("partner_contracts__contracts", nothing),
    ):
        put(connection, table, frame, world.plan.end)
    connection.execute(
        "CREATE TABLE intermediate.int_places__names_matched AS SELECT DISTINCT department_name, province_name, district_name, "
        "CAST(NULL AS VARCHAR) AS ubigeo_code, CAST(NULL AS VARCHAR) AS department_code FROM raw.reinfo__registrations"
    )
    connection.execute("CREATE TABLE marts.dim_place (ubigeo_code VARCHAR, province_code VARCHAR)")
    connection.execute(
        "CREATE TABLE marts.attr_registration_mineral (registration_key VARCHAR, mineral_code VARCHAR, is_synthetic BOOLEAN)"
    )
    for seed in SEEDS:
        connection.execute(
            f"CREATE TABLE reference.{seed} AS SELECT * FROM read_csv('{DBT_DIR / 'seeds' / f'{seed}.csv'}')"
        )
    for name, sql in compiled(MODELS).items():
        connection.execute(f"CREATE TABLE {MODELS[name]}.{name} AS {sql}")
    people = world.people.registrations.select("registration_id", "reinfo_id")
    registrations = people.with_columns(KEYER.keys("REINFO", people["reinfo_id"]).alias("registration_key"))
    for name, frame in (
        ("registrations", registrations),
        ("events", world.registry.events),
        ("conditions", world.registry.conditions),
        ("intervals", world.registry.intervals),
    ):
        connection.register("told", frame.to_arrow())
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM told")
        connection.unregister("told")
    return connection


def put(connection: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame, as_of: dt.date) -> None:
    """A raw table as the lake has it: the contract's columns, null where the frame has none, from one landing file."""
    contract = contracts.contract(table)
    connection.register("told", frame.with_row_index("_row_number", offset=1).to_arrow())
    values = [
        f"CAST({column.name if column.name in frame.columns else 'NULL'} AS {column.physical_type}) AS {column.name}"
        for column in contract.columns
    ]
    connection.execute(
        f"CREATE TABLE raw.{table} AS SELECT {', '.join(values)}, '{table}' AS _landing_sha256, "
        "CAST(_row_number AS BIGINT) AS _row_number, TIMESTAMP '2026-07-01' AS _ingested_at, "
        f"DATE '{as_of}' AS _source_as_of, true AS _is_synthetic FROM told"
    )
    connection.unregister("told")


def frame(connection: duckdb.DuckDBPyConnection, sql: str) -> pl.DataFrame:
    found = pl.from_arrow(connection.execute(sql).to_arrow_table())
    assert isinstance(found, pl.DataFrame)
    return found


def true_dates(events: pl.DataFrame, *, reported: bool) -> pl.DataFrame:
    """registration_id, milestone_code, first day on which the registration has reached it.

    Args:
        reported: as the offices report it: without what they left out, and certain only at the end of a month or year
            where they state no more.
    """
    day = c("event_date")
    if reported:
        events = events.filter("is_reported")
        day = (
            pl.when(c("date_precision_code") == "ANIO")
            .then(day.dt.truncate("1y").dt.offset_by("1y").dt.offset_by("-1d"))
            .when(c("date_precision_code") == "MES")
            .then(day.dt.month_end())
            .otherwise(day)
        )
    parts = [
        events.filter(c("step_code").is_in(steps), c("outcome_code") == outcome)
        .group_by("registration_id")
        .agg(day.min().alias("date"))
        .with_columns(pl.lit(code).alias("milestone_code"))
        for code, (steps, outcome) in MILESTONES.items()
    ]
    return pl.concat(parts)


@pytest.fixture(scope="module")
def progress(history) -> pl.DataFrame:
    """mart_formalization_progress of registrations that exist, with their registration_id and the month's last day."""
    return frame(
        history,
        "SELECT registrations.registration_id, last_day(progress.month) AS day, progress.* "
        "FROM marts.mart_formalization_progress AS progress JOIN registrations USING (registration_key)",
    )


def test_milestones_reached_are_those_of_the_reported_events(world, progress):
    told = true_dates(world.registry.events, reported=True)
    for code in MILESTONES:
        dates = told.filter(c("milestone_code") == code).select("registration_id", "date")
        joined = progress.join(dates, on="registration_id", how="left")
        expected = joined["date"].fill_null(dt.date(9999, 1, 1)) <= joined["day"]
        assert expected.sum() > 100
        assert (joined[f"has_{code.lower()}"] == expected).all(), code


def test_no_milestone_is_told_before_it_is_true_and_few_are_missed(world, progress):
    """Offices report 92 % of the events; what they report is true."""
    truth = true_dates(world.registry.events, reported=False)
    found = there = 0
    for code in MILESTONES:
        dates = truth.filter(c("milestone_code") == code).select("registration_id", "date")
        joined = progress.join(dates, on="registration_id", how="left")
        is_true = joined["date"].fill_null(dt.date(9999, 1, 1)) <= joined["day"]
        is_told = joined[f"has_{code.lower()}"]
        assert not (is_told & ~is_true).any(), code
        assert (is_told & is_true).sum() / is_true.sum() > 0.8, code
        found, there = found + (is_told & is_true).sum(), there + is_true.sum()
    assert found / there > 0.92


def test_the_blocking_milestone_is_the_first_that_is_missing(progress):
    """Land, mining right or contract, environmental instrument, then the rest; nothing once authorised."""
    order = (
        "TERRENO_SUPERFICIAL", "DERECHO_MINERO", "IGAFOM_PRESENTADO", "IGAFOM_APROBADO", "RESTOS_ARQUEOLOGICOS",
        "EXPEDIENTE_TECNICO", "AUTORIZACION",
    )  # fmt: skip
    expected = pl.when("has_autorizacion").then(None)
    for code in order:
        expected = expected.when(~c(f"has_{code.lower()}")).then(pl.lit(code))
    wrong = progress.filter(~c("blocking_milestone_code").eq_missing(expected.otherwise(None)))
    assert wrong.height == 0
    assert progress["blocking_milestone_code"].n_unique() == 8
    counted = progress.select(pl.sum_horizontal(c(f"has_{code.lower()}").cast(pl.Int16) for code in order))
    assert (counted.to_series() == progress["reached_count"]).all()
    missing = progress.select(c("missing_milestone_codes").str.split(";").list.len().fill_null(0)).to_series()
    assert (missing == 7 - progress["reached_count"]).all()


def test_what_papers_say_of_the_conditions_is_true(world, history, progress):
    """Where the registry says nothing of its own (suspended), papers alone tell; a filed instrument is a plain fact."""
    truth = frame(
        history,
        "SELECT registration_id, condition_code, day, is_met FROM conditions JOIN (SELECT DISTINCT last_day(month) AS day "
        "FROM marts.mart_formalization_progress) ON day >= valid_from AND day < coalesce(valid_to, DATE '9999-12-31')",
    )
    stock = progress.filter("is_in_stock")
    for column, code in CONDITIONS.items():
        told = stock.filter(c("registry_state") == "SUSPENDIDO", c(column).is_not_null()).join(
            truth.filter(c("condition_code") == code), on=["registration_id", "day"]
        )
        assert told.height > 150
        assert (told[column] == told["is_met"]).mean() > 0.98, column
        left = stock.filter(c("registry_state") == "SUSPENDIDO")[column].null_count()
        assert left > 0, f"{column}: a registration of which nothing is told is not known, not false"
    filed = true_dates(world.registry.events, reported=False).filter(c("milestone_code") == "IGAFOM_PRESENTADO")
    joined = stock.filter(c("has_filed_instrument").is_not_null()).join(filed, on="registration_id", how="left")
    is_filed = joined["date"].fill_null(dt.date(9999, 1, 1)) <= joined["day"]
    assert (joined["has_filed_instrument"] == is_filed).mean() > 0.99


def test_days_to_the_end_of_the_regime_follow_the_law_of_the_day(progress):
    days = dict(progress.select("month", "days_to_regime_end").unique().iter_rows())
    assert days[dt.date(2024, 11, 1)] == 31  # Ley 31388: 31 December 2024
    assert days[dt.date(2024, 12, 1)] == 181  # Ley 32213: 30 June 2025
    assert days[dt.date(2025, 6, 1)] == 0
    assert days[dt.date(2025, 7, 1)] == 153  # DS 012-2025-EM: 31 December 2025
    assert days[dt.date(2025, 12, 1)] == 365  # Ley 32537: 31 December 2026


def test_the_funnel_counts_what_an_independent_count_finds(world, history, progress):
    funnel = frame(
        history,
        "SELECT month, milestone_code, cohort_code, sum(registered_registration_count)::BIGINT AS registered, "
        "sum(eligible_registration_count)::BIGINT AS eligible, sum(reached_registration_count)::BIGINT AS reached "
        "FROM marts.mart_formalization_funnel WHERE cohort_code <> 'SIN_DATO' GROUP BY ALL",
    )
    # no map file lists them and no office reported when they were inscribed
    without_year = frame(
        history,
        "SELECT registration_id FROM intermediate.int_formalization__dimensions JOIN registrations USING (registration_key) "
        "WHERE cohort_code = 'SIN_DATO'",
    )
    assert without_year.height < 5
    people = world.people.registrations.select(
        "registration_id", c("inscription_year").cast(pl.String).alias("cohort_code")
    )
    told = true_dates(world.registry.events, reported=True)
    authorised = told.filter(c("milestone_code") == "AUTORIZACION").select("registration_id", c("date").alias("left"))
    known = (
        progress.select("registration_id", "month", "day", "registry_state")
        .join(people, on="registration_id")
        .join(without_year, on="registration_id", how="anti")
        .join(authorised, on="registration_id", how="left")
        .with_columns(
            is_eligible=c("registry_state").is_in(["VIGENTE", "SUSPENDIDO", "SIN_ESTADO"])
            | ((c("left") <= c("day")).fill_null(False) & (c("registry_state") != "EXCLUIDO"))
        )
    )
    for code in MILESTONES:
        dates = told.filter(c("milestone_code") == code).select("registration_id", "date")
        counted = (
            known.join(dates, on="registration_id", how="left")
            .group_by("month", "cohort_code")
            .agg(
                pl.len().cast(pl.Int64).alias("registered"),
                c("is_eligible").sum().cast(pl.Int64).alias("eligible"),
                ((c("date") <= c("day")).fill_null(False) & c("is_eligible")).sum().cast(pl.Int64).alias("reached"),
            )
        )
        key = ["month", "cohort_code"]
        ours = funnel.filter(c("milestone_code") == code).select(counted.columns)
        assert ours.sort(key).equals(counted.sort(key)), code


def test_the_purge_of_2025_is_predicted(history):
    """What the registry's files and the offices' papers of before the day tell, against who was truly excluded by it."""
    rows = history.execute(
        "SELECT predicted_code, coalesce(intervals.cause = 'PURGA_2025', false) AS is_purged, count(*) "
        "FROM marts.mart_purge_simulation AS simulated LEFT JOIN registrations USING (registration_key) "
        "LEFT JOIN intervals ON registrations.registration_id = intervals.registration_id "
        "AND intervals.valid_from = DATE '2025-07-03' WHERE rule_set_code = 'PURGA_JULIO_2025' GROUP BY ALL"
    ).fetchall()
    counts = {(predicted, is_purged): n for predicted, is_purged, n in rows}
    right, wrong = counts["EXCLUDED", True], counts.get(("EXCLUDED", False), 0)
    purged = sum(n for (_, is_purged), n in counts.items() if is_purged)
    assert purged > 900
    assert right / (right + wrong) > 0.99
    assert right / purged > 0.99
    maybe = sum(n for (predicted, _), n in counts.items() if predicted == "MAYBE_EXCLUDED")
    assert right <= purged <= right + wrong + maybe
    ((least, most, agreed, compared),) = history.execute(
        "SELECT sum(excluded_at_least_count), sum(excluded_at_most_count), sum(agreed_count), sum(compared_count) "
        "FROM marts.mart_purge_summary WHERE rule_set_code = 'PURGA_JULIO_2025'"
    ).fetchall()
    assert (least, most) == (right + wrong, right + wrong + maybe)
    assert agreed / compared > 0.99


def test_the_days_of_suspension_lie_between_the_bounds(history):
    ((among, outside, least_width),) = history.execute(
        "SELECT count(*), count(*) FILTER (WHERE true_days NOT BETWEEN suspended_days_at_least AND suspended_days_at_most), "
        "min(suspended_days_at_most - suspended_days_at_least) FROM (SELECT simulated.*, "
        "datediff('day', intervals.valid_from, evaluation_date) + 1 AS true_days "
        "FROM marts.mart_purge_simulation AS simulated JOIN registrations USING (registration_key) "
        "JOIN intervals ON registrations.registration_id = intervals.registration_id AND intervals.status_code = 'SUSPENDIDO' "
        "AND evaluation_date >= valid_from AND evaluation_date < coalesce(valid_to, DATE '9999-12-31') "
        "WHERE NOT is_projected AND registry_state = 'SUSPENDIDO')"
    ).fetchall()
    assert among > 1000
    assert outside == 0
    assert least_width >= 0


def test_why_somebody_is_suspended_is_among_what_nothing_proves(history):
    ((suspended, told),) = history.execute(
        "SELECT count(*), count(*) FILTER (WHERE is_among) FROM (SELECT registration_key, "
        "bool_or(list_contains(string_split(unproven_codes, ';'), condition_code)) AS is_among "
        "FROM marts.mart_purge_simulation AS simulated JOIN registrations USING (registration_key) "
        "JOIN conditions ON registrations.registration_id = conditions.registration_id AND NOT is_met "
        "AND evaluation_date >= valid_from AND evaluation_date < coalesce(valid_to, DATE '9999-12-31') "
        "WHERE rule_set_code = 'PURGA_JULIO_2025' AND registry_state = 'SUSPENDIDO' GROUP BY registration_key)"
    ).fetchall()
    assert suspended > 900
    assert told / suspended > 0.99


# --- the whole house: the committed sample and the simulated `tiny` -------------------------------------


@pytest.fixture(scope="module")
def analysts(house):
    """The analysts' copy and, as tables, the truth of the simulated sector: `events` and `intervals`."""
    connection = duckdb.connect(str((house / "warehouse" / "antawasi.duckdb").resolve()), read_only=True)
    (truth,) = house.glob("simulated/tiny-*/truth")
    for name, table in (("events", "registry_events"), ("intervals", "registry_intervals")):
        connection.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM read_parquet('{truth / table}/*.parquet')")
    # offices hand over the simulator's own codes of events, so they tell which registration a key is
    connection.execute(
        "CREATE TEMP TABLE registrations AS SELECT DISTINCT registration_id, reinfo_key AS registration_key "
        "FROM staging.stg_partner_step_events__events JOIN events USING (event_id)"
    )
    return connection


def test_tiny_funnel_equals_a_count_of_the_true_events_that_were_reported(analysts):
    told = true_dates(frame(analysts, "SELECT * FROM events"), reported=True)
    progress = frame(
        analysts,
        "SELECT registration_id, month, last_day(month) AS day, is_eligible, is_in_stock FROM marts.mart_formalization_progress "
        "LEFT JOIN registrations USING (registration_key) WHERE is_synthetic",
    )
    funnel = frame(
        analysts,
        "SELECT month, milestone_code, sum(eligible_registration_count)::BIGINT AS eligible, "
        "sum(reached_registration_count)::BIGINT AS reached FROM marts.mart_formalization_funnel WHERE is_synthetic GROUP BY ALL",
    )
    assert funnel["month"].n_unique() == 18
    for code in MILESTONES:
        dates = told.filter(c("milestone_code") == code).select("registration_id", "date")
        counted = (
            progress.join(dates, on="registration_id", how="left")
            .group_by("month")
            .agg(
                c("is_eligible").sum().cast(pl.Int64).alias("eligible"),
                ((c("date") <= c("day")).fill_null(False) & c("is_eligible")).sum().cast(pl.Int64).alias("reached"),
            )
            .sort("month")
        )
        ours = funnel.filter(c("milestone_code") == code).select(counted.columns).sort("month")
        assert ours.equals(counted), code
        assert ours["reached"].max() > 0
    # those that left with the authorisation before the first file are counted too
    assert (progress["is_eligible"] & ~progress["is_in_stock"]).sum() >= 18 * 5


def test_sex_is_that_of_those_who_were_asked(analysts):
    ((wrong, asked),) = analysts.execute(
        "SELECT count(*) FILTER (WHERE (sex_code <> 'SIN_DATO') <> (party_key IN (SELECT party_key "
        "FROM staging.stg_partner_surveys__answers WHERE sex_code IS NOT NULL UNION SELECT participant_key "
        "FROM staging.stg_partner_trainings__attendances WHERE sex_code IS NOT NULL))), count(*) FILTER (WHERE sex_code <> 'SIN_DATO') "
        "FROM intermediate.int_formalization__dimensions"
    ).fetchall()
    assert wrong == 0
    assert asked > 50


def test_a_short_history_widens_the_bounds_and_they_hold(analysts):
    """`tiny` begins half a year before the purge: that somebody was suspended for a year is not known of anybody."""
    ((least, most),) = analysts.execute(
        "SELECT sum(excluded_at_least_count), sum(excluded_at_most_count) FROM marts.mart_purge_summary "
        "WHERE is_synthetic AND rule_set_code = 'PURGA_JULIO_2025'"
    ).fetchall()
    ((purged,),) = analysts.execute("SELECT count(*) FROM intervals WHERE cause = 'PURGA_2025'").fetchall()
    assert least == 0 < purged <= most
    ((stock,),) = analysts.execute(
        "SELECT count(*) FROM marts.mart_purge_simulation WHERE is_synthetic AND rule_set_code = 'PURGA_JULIO_2025'"
    ).fetchall()
    assert most < stock


def test_any_date_can_be_asked_of_the_macro_and_the_rules_are_the_same(analysts):
    columns = "* EXCLUDE (is_hypothetical, agrees)"
    ((differing, asked),) = analysts.execute(
        f"WITH asked AS (SELECT {columns} FROM marts.purge_simulated_on(DATE '2025-07-03', 'PURGA_JULIO_2025')), "
        f"stored AS (SELECT {columns} FROM marts.mart_purge_simulation WHERE rule_set_code = 'PURGA_JULIO_2025') "
        "SELECT (SELECT count(*) FROM (FROM asked EXCEPT FROM stored)) + (SELECT count(*) FROM (FROM stored EXCEPT FROM asked)), "
        "(SELECT count(*) FROM asked)"
    ).fetchall()
    assert differing == 0
    assert asked > 250
    ((later,),) = analysts.execute(
        "SELECT count(*) FROM marts.purge_simulated_on('2026-03-31', 'FIN_LEY_32537') WHERE would_be_excluded AND is_synthetic"
    ).fetchall()
    assert 0 < later < asked


def test_the_funnels_asset_shows_its_last_month(house, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(house / "dagster"))
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["marts", "mart_formalization_funnel"]))
    assert event is not None
    assert event.asset_materialization is not None
    shown = str(event.asset_materialization.metadata["last_month"].value)
    assert "data:image/svg+xml;base64," in shown
    assert "Datos medidos | 2021-06" in shown
    assert "Datos simulados, no medidos | 2026-06" in shown
