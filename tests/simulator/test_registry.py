"""The registry's life: what follows what and why, the purge, the steps taken, and what the public files show of it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from pipelines.settings import SAMPLE_DIR
from pipelines.simulator import reinfo_files
from pipelines.simulator.dice import stream
from pipelines.simulator.people import make_people
from pipelines.simulator.plan import load, make_plan
from pipelines.simulator.registry import (
    CAUSE_BY_CONDITION,
    TRANSITIONS,
    RegistryParameters,
    simulate_registry,
    snapshot_frame,
    status_on,
)
from pipelines.simulator.snapshots import plan_snapshots
from pipelines.sources import reinfo

P = load().registry
PURGE = P.purge_date
DAY = dt.timedelta(days=1)
c = pl.col


@pytest.fixture(scope="module")
def people(world):
    return world.people


@pytest.fixture(scope="module")
def registry(world):
    return world.registry


def months(first: str, last: str) -> tuple[dt.date, ...]:
    return make_plan(load(), "tiny", 1, f"{first}..{last}").months


def standing(registry, people, day: dt.date) -> pl.Series:
    """Status of every registration on a day."""
    ids = people.registrations["registration_id"].to_numpy()
    return pl.Series(status_on(registry, ids, np.full(len(ids), np.datetime64(day))))


def counts(registry, people, day: dt.date) -> dict[str, int]:
    return dict(standing(registry, people, day).value_counts().rows())


def covering(frame: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    return frame.filter((c("valid_from") <= day) & (c("valid_to").is_null() | (c("valid_to") > day)))


# --- intervals ----------------------------------------------------------------------------------------


def test_intervals_follow_one_another_from_the_inscription_on(registry, people, plan):
    frame = registry.intervals.with_columns(
        c("valid_from").shift(-1).over("registration_id").alias("next"),
        c("valid_from").rank("ordinal").over("registration_id").alias("nth"),
    )
    assert frame["valid_to"].equals(frame["next"])
    first = frame.filter(c("nth") == 1).sort("registration_id")
    assert first["valid_from"].equals(people.registrations["inscription_date"])
    assert (first["status_code"] == "VIGENTE").all()
    assert frame["valid_from"].max() <= plan.end
    assert frame.filter(c("valid_to") <= c("valid_from")).is_empty()


def test_only_allowed_transitions_occur_and_all_of_them(registry):
    pairs = registry.intervals.with_columns(c("status_code").shift(-1).over("registration_id").alias("then"))
    found = set(pairs.drop_nulls("then").select("status_code", "then").rows())
    assert found == TRANSITIONS


def test_the_causes_are_those_of_the_transitions(registry):
    causes = registry.intervals.group_by("status_code").agg(c("cause").unique().sort())
    assert dict(causes.rows()) == {
        "VIGENTE": ["APELACION", "INSCRIPCION", "SUBSANACION"],
        "SUSPENDIDO": sorted(CAUSE_BY_CONDITION.values()),
        "EXCLUIDO": ["DATOS_FALSOS", "PURGA_2025"],
        "REINCORPORADO": ["APELACION"],
        "FORMALIZADO": ["AUTORIZACION"],
        "RENUNCIA": ["VOLUNTARIA"],
    }


def brute_force(registry, registration: int, day: dt.date) -> str:
    mine = covering(registry.intervals.filter(c("registration_id") == registration), day)["status_code"]
    assert len(mine) <= 1
    return mine[0] if len(mine) else ""


def test_status_on_is_what_the_intervals_say(registry, people):
    rng = np.random.default_rng(5)
    n = people.registrations.height
    ids = rng.integers(0, n, 400)
    # any day, and days on which something changes
    days = np.datetime64("2011-06-01") + rng.integers(0, 5_900, 400)
    edges = registry.intervals.sample(200, seed=1)
    ids[:200], days[:200] = (
        edges["registration_id"].to_numpy(),
        edges["valid_from"].to_numpy() - rng.integers(0, 2, 200),
    )
    found = status_on(registry, ids, days)
    assert set(found) >= {"", "VIGENTE", "SUSPENDIDO", "EXCLUIDO"}
    for registration, day, status in zip(ids.tolist(), days.astype(object), found, strict=True):
        assert status == brute_force(registry, registration, day)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_status_on_holds_at_any_day_there_is(registry, people, data):
    registration = data.draw(st.integers(0, people.registrations.height - 1))
    day = data.draw(st.dates(dt.date(1900, 1, 1), dt.date(2300, 1, 1)))
    (found,) = status_on(registry, np.array([registration]), np.array([np.datetime64(day)]))
    assert found == brute_force(registry, registration, day)


def test_status_on_takes_nothing_and_every_shape(registry):
    assert status_on(registry, np.array([], dtype=np.int64), np.array([], dtype="datetime64[D]")).shape == (0,)
    grid = status_on(registry, np.array([[0, 1], [2, 3]]), np.full((2, 2), np.datetime64("2024-05-05")))
    assert grid.shape == (2, 2)


# --- conditions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "day", ["2020-06-30", "2022-02-01", "2024-12-31", "2025-06-30", "2025-07-03", "2026-04-26", "2026-06-30"]
)
def test_a_registration_is_suspended_exactly_while_a_condition_is_not_met(registry, people, day):
    day = dt.date.fromisoformat(day)
    unmet = set(covering(registry.conditions, day).filter(~c("is_met"))["registration_id"])
    status = standing(registry, people, day)
    for registration in np.flatnonzero(status.is_in(["VIGENTE", "SUSPENDIDO"]).to_numpy()):
        assert (status[int(registration)] == "SUSPENDIDO") == (registration in unmet)


def test_conditions_are_told_once_and_change_by_turns(registry, people):
    keys = ["registration_id", "condition_code"]
    frame = registry.conditions.with_columns(
        c("valid_from").shift(-1).over(keys).alias("next"), c("is_met").shift(-1).over(keys).alias("then")
    )
    assert frame.filter(c("next").is_not_null() & (c("valid_to") != c("next"))).is_empty()
    assert frame.filter(c("then") == c("is_met")).is_empty()
    left = registry.intervals.filter(c("status_code").is_in(["FORMALIZADO", "RENUNCIA"])).select(
        "registration_id", "valid_from"
    )
    after = registry.conditions.join(left, on="registration_id", suffix="_left").filter(
        c("valid_to").is_null() | (c("valid_to") > c("valid_from_left"))
    )
    assert after.is_empty()


def test_the_ruc_is_the_operator_s_and_so_are_its_lapses(registry, people):
    """Registrations of one operator that stand in the registry agree on its RUC."""
    day = dt.date(2025, 6, 1)
    ruc = covering(registry.conditions, day).filter(c("condition_code") == "RUC_TERCERA_ACTIVO")
    each = ruc.join(people.registrations.select("registration_id", "operator_id"), on="registration_id")
    assert each.group_by("operator_id").agg(c("is_met").n_unique())["is_met"].max() == 1


# --- the purge and what came before and after ---------------------------------------------------------


def test_a_quarter_stands_well_before_the_purge(registry, people):
    before = counts(registry, people, dt.date(2025, 6, 15))
    assert before["VIGENTE"] / (before["VIGENTE"] + before["SUSPENDIDO"]) == pytest.approx(0.25, abs=0.02)


def test_the_purge_takes_three_in_five_and_keeps_a_tenth_of_the_suspended(registry, people):
    status = standing(registry, people, PURGE - DAY)
    registered = status.is_in(["VIGENTE", "SUSPENDIDO"])
    after = standing(registry, people, PURGE)
    out = registered & (after == "EXCLUIDO")
    assert out.sum() / registered.sum() == pytest.approx(0.6157, abs=0.02)
    assert (status.filter(out) == "SUSPENDIDO").all()
    kept = ((status == "SUSPENDIDO") & (after == "SUSPENDIDO")).sum()
    assert kept / (status == "SUSPENDIDO").sum() == pytest.approx(0.09, abs=0.015)


def test_the_purge_excludes_whom_it_finds_suspended_for_more_than_a_year(registry, people):
    was = covering(registry.intervals, PURGE - DAY).filter(c("status_code") == "SUSPENDIDO")
    days = (PURGE - was["valid_from"]).dt.total_days()
    now = standing(registry, people, PURGE).gather(was["registration_id"])
    assert ((now == "EXCLUIDO") == (days >= P.purge_after_days)).all()
    assert (days.filter(now == "EXCLUIDO") > 4 * 365.25).mean() == pytest.approx(0.87, abs=0.02)


def test_four_in_a_hundred_appeal_and_a_quarter_of_them_come_back(registry):
    excluded = registry.intervals.filter(c("cause") == "PURGA_2025").height
    appeals = registry.events.filter(c("step_code") == "APELACION")
    filed = appeals.filter(c("outcome_code") == "PRESENTADO").height
    upheld = appeals.filter(c("outcome_code") == "APROBADO")["registration_id"]
    assert filed / excluded == pytest.approx(0.04, abs=0.003)
    assert len(upheld) / filed == pytest.approx(0.25, abs=0.05)
    assert set(upheld) == set(registry.intervals.filter(c("status_code") == "REINCORPORADO")["registration_id"])


def test_without_july_2025_there_is_no_purge():
    run = months("2024-01", "2025-06")
    people = make_people(load().people, 3, 600, run)
    registry = simulate_registry(P, people, 3, run)
    assert registry.intervals.filter(c("cause") == "PURGA_2025").is_empty()
    assert registry.events.filter(c("step_code").is_in(["APELACION", "SINCERAMIENTO_UBICACION"])).is_empty()
    assert registry.intervals["valid_from"].max() <= dt.date(2025, 6, 30)


def test_a_run_of_early_years_has_its_registry(people):
    run = months("2015-01", "2016-12")
    early = make_people(load().people, 3, 300, run)
    registry = simulate_registry(P, early, 3, run)
    assert set(registry.intervals["status_code"]) == {"VIGENTE"}
    assert set(registry.events["step_code"]) == {"INSCRIPCION_REINFO", "RUC_TERCERA_ACTIVO"}


def test_the_formalised_are_few_and_mostly_of_arequipa(registry, people):
    left = registry.intervals.filter(c("status_code") == "FORMALIZADO")["registration_id"]
    assert len(left) / people.registrations.height == pytest.approx(P.formalised, abs=0.002)
    departments = people.registrations["department_code"].gather(left)
    assert (departments == "04").mean() == pytest.approx(0.70, abs=0.05)


def test_sixty_in_a_hundred_tell_their_location_in_time(registry, people):
    deadline = P.truthing.deadline
    was = standing(registry, people, deadline)
    asked = registry.conditions.filter(c("condition_code") == "SINCERAMIENTO_UBICACION")["registration_id"].unique()
    told = registry.events.filter((c("step_code") == "SINCERAMIENTO_UBICACION") & (c("event_date") <= deadline))
    assert told.height / len(asked) == pytest.approx(0.60, abs=0.03)
    now = standing(registry, people, deadline + DAY)
    silent = asked.filter(~asked.is_in(told["registration_id"].implode()))
    assert (now.gather(silent) == "SUSPENDIDO").all()
    registered = was.is_in(["VIGENTE", "SUSPENDIDO"]).sum()
    later = standing(registry, people, dt.date(2026, 6, 30))
    more = ((later == "SUSPENDIDO").sum() - (was == "SUSPENDIDO").sum()) / registered
    assert more == pytest.approx(0.15, abs=0.04)


# --- steps --------------------------------------------------------------------------------------------

PROGRESS = (
    "IGAFOM_OPINION", "ACREDITACION_TERRENO_SUPERFICIAL", "ACREDITACION_DERECHO_MINERO", "INEXISTENCIA_RESTOS_ARQUEOLOGICOS",
    "EXPEDIENTE_TECNICO", "INSPECCION_VERIFICACION",
)  # fmt: skip


def first_days(registry, step: str, outcome: str) -> pl.DataFrame:
    return (
        registry.events.filter((c("step_code") == step) & (c("outcome_code") == outcome))
        .group_by("registration_id")
        .agg(c("event_date").min().alias(step))
    )


def test_events_are_told_once_in_order_of_time(registry, plan):
    assert registry.events["event_id"].n_unique() == registry.events["evidence_id"].n_unique() == registry.events.height
    assert registry.events["event_date"].is_sorted()
    assert registry.events["event_date"].max() <= plan.end
    assert registry.events["is_reported"].mean() == pytest.approx(P.steps.reported, abs=0.01)


@pytest.mark.parametrize(
    ("step", "status"),
    [
        ("AUTORIZACION_INICIO_REINICIO", "FORMALIZADO"),
        ("EXCLUSION", "EXCLUIDO"),
        ("RENUNCIA", "RENUNCIA"),
        ("REINCORPORACION", "REINCORPORADO"),
    ],
)
def test_a_step_that_changes_the_status_has_its_day(registry, step, status):
    events = registry.events.filter(c("step_code") == step).select("registration_id", "event_date")
    changes = registry.intervals.filter(c("status_code") == status).select("registration_id", "valid_from")
    assert set(events.rows()) == set(changes.rows())


def test_who_gets_the_authorisation_has_taken_every_step_before(registry):
    done = first_days(registry, "AUTORIZACION_INICIO_REINICIO", "APROBADO")
    assert done.height > 100
    for step in (*PROGRESS[1:], "IGAFOM_CORRECTIVO"):
        done = done.join(first_days(registry, step, "APROBADO"), on="registration_id", how="left")
    assert done.null_count().sum_horizontal().item() == 0
    filed = first_days(registry, "IGAFOM_CORRECTIVO", "PRESENTADO").rename({"IGAFOM_CORRECTIVO": "filed"})
    done = done.join(filed, on="registration_id", how="left")
    parallel = PROGRESS[1:4]
    for step in (*parallel, "IGAFOM_CORRECTIVO"):
        assert (done["filed"] < done[step]).all()
        assert (done[step] < done["EXPEDIENTE_TECNICO"]).all()
    assert (done["EXPEDIENTE_TECNICO"] < done["INSPECCION_VERIFICACION"]).all()
    assert (done["INSPECCION_VERIFICACION"] < done["AUTORIZACION_INICIO_REINICIO"]).all()
    # side by side: no order among the three holds for all
    assert not (done[parallel[0]] < done[parallel[1]]).all()
    assert not (done[parallel[0]] > done[parallel[1]]).all()


def test_nobody_gets_on_while_suspended_or_excluded(registry):
    steps = registry.events.filter(c("step_code").is_in(PROGRESS))
    assert steps.height > 5_000
    status = status_on(registry, steps["registration_id"].to_numpy(), steps["event_date"].to_numpy())
    assert set(status) <= {"VIGENTE", "REINCORPORADO"}


def test_nothing_happens_before_the_inscription_or_after_leaving(registry):
    events = registry.events
    day = events["event_date"].to_numpy().astype("datetime64[D]")
    ids = events["registration_id"].to_numpy()
    assert "" not in set(status_on(registry, ids, day))
    left = np.isin(status_on(registry, ids, day - 1), ["FORMALIZADO", "RENUNCIA"])
    assert not left.any()


def test_who_lacks_the_environmental_instrument_has_not_filed_it(registry):
    day = dt.date(2025, 6, 1)
    lacking = covering(registry.conditions, day).filter((c("condition_code") == "IGAFOM_PRESENTADO") & ~c("is_met"))
    filed = registry.events.filter((c("step_code") == "IGAFOM_CORRECTIVO") & (c("event_date") <= day))[
        "registration_id"
    ]
    assert lacking.height > 1_000
    assert not set(lacking["registration_id"]) & set(filed)


def test_declarations_are_missing_where_the_condition_says_so(registry, people):
    """On the first day that is late, the half-year's declaration stands in the books or the condition is not met."""
    late = dt.date(2024, 8, 1)
    declared = registry.events.filter((c("semester") == "2024-1") & (c("event_date") < late))["registration_id"]
    silent = covering(registry.conditions, late).filter((c("condition_code") == "DECLARACION_SEMESTRAL") & ~c("is_met"))
    there = people.registrations.filter(c("inscription_date") < dt.date(2024, 1, 1))["registration_id"]
    status = standing(registry, people, late).gather(there)
    here = set(there.filter(status.is_in(["VIGENTE", "SUSPENDIDO"])))
    assert here & set(declared) == here - set(silent["registration_id"])
    once = registry.events.drop_nulls("semester").select("registration_id", "semester")
    assert once.is_unique().all()


def test_declared_ore_stays_below_the_capacity_of_the_stratum(registry, people):
    of = people.registrations["operator_id"].gather(registry.events["registration_id"])
    most = people.operators["stratum_code"].gather(of).replace_strict(P.steps.most_declared_wmt)
    declared = registry.events["declared_t"]
    assert (declared.drop_nulls() > 0).all()
    assert (declared <= most).drop_nulls().all()
    assert (declared.is_not_null() == (registry.events["step_code"] == "DECLARACION_SEMESTRAL")).all()


# --- public files -------------------------------------------------------------------------------------


def planned(count: int, seed: int = 7) -> pl.DataFrame:
    first = dt.date(2022, 1, 1) if count > 18 else dt.date(2025, 1, 1)
    run = tuple(dt.date(first.year + m // 12, m % 12 + 1, 1) for m in range(count))
    frame = plan_snapshots(P.snapshots, stream(seed, "snapshots"), run, PURGE)
    assert frame["month"].to_list() == list(run)
    return frame


@pytest.mark.parametrize(
    ("count", "missing", "stale", "partial", "renamed"),
    [(54, 3, 1, 2, 1), (18, 1, 1, 1, 1), (12, 1, 1, 1, 1), (11, 0, 0, 0, 0), (1, 0, 0, 0, 0)],
)
@pytest.mark.parametrize("seed", range(8))
def test_files_are_missing_stale_partial_or_renamed_as_often_as_planned(count, missing, stale, partial, renamed, seed):
    frame = planned(count, seed)
    kinds = dict(frame["kind"].value_counts().rows())
    assert (kinds.get("MISSING", 0), kinds.get("STALE", 0), kinds.get("PARTIAL", 0)) == (missing, stale, partial)
    assert frame["is_renamed"].sum() == renamed
    assert (frame["as_of"].is_null() == (frame["kind"] == "MISSING")).all()
    assert (frame["cut_by"].is_not_null() == (frame["kind"] == "PARTIAL")).all()
    assert ((frame["format"] == "json") == (frame["layout"] == "MAP")).all()
    assert frame.filter((c("is_renamed") | c("is_shuffled")) & (c("format") != "csv")).is_empty()


@pytest.mark.parametrize("seed", range(8))
def test_a_stale_file_is_the_map_of_the_month_before(seed):
    frame = planned(54, seed).with_columns(pl.all().shift(1).name.prefix("last_"))
    stale = frame.filter(c("kind") == "STALE")
    assert stale.select("layout", "last_layout", "last_kind").row(0) == ("MAP", "MAP", "COMPLETE")
    assert stale["as_of"][0] == stale["last_as_of"][0]
    others = frame.filter(~c("kind").is_in(["STALE", "MISSING"]))
    assert (others["as_of"].dt.truncate("1mo") == others["month"]).all()


def test_the_layout_changes_more_than_once_and_the_purge_can_be_seen():
    frame = planned(54)
    assert (frame["layout"] != frame["layout"].shift(1)).sum() >= 2
    assert (frame["layout"] == "MAP").mean() > 0.6
    around = frame.filter(c("month").is_between(dt.date(2025, 6, 1), dt.date(2025, 8, 1)))
    assert (around["kind"] == "COMPLETE").all()


@pytest.fixture(scope="module")
def shown(registry, people, world):
    """Snapshots that are not missing, with their frames."""
    found = registry.snapshots.filter(c("kind") != "MISSING")
    return [(row, snapshot_frame(registry, people, row, world.seed)) for row in found.iter_rows(named=True)]


def test_a_whole_file_shows_everybody_who_stood_in_the_registry(shown, registry, people):
    for snapshot, frame in shown:
        if snapshot["kind"] != "COMPLETE":
            continue
        status = standing(registry, people, snapshot["as_of"]).replace("REINCORPORADO", "VIGENTE")
        listed = ["VIGENTE", "SUSPENDIDO"] + (["EXCLUIDO"] if snapshot["layout"] == "WEB" else [])
        there = people.registrations["reinfo_id"].filter(status.is_in(listed))
        assert frame["reinfo_id"].equals(there)
        assert frame["status_code"].equals(status.filter(status.is_in(listed)))


def test_the_map_never_shows_the_excluded_and_the_listing_does(shown):
    assert all(set(f["status_code"]) == {"VIGENTE", "SUSPENDIDO"} for s, f in shown if s["layout"] == "MAP")
    after = [f for s, f in shown if s["layout"] == "WEB" and s["as_of"] > PURGE]
    assert after
    assert all((f["status_code"] == "EXCLUIDO").mean() > 0.5 for f in after)


def test_a_stale_file_shows_what_the_one_before_did(shown):
    (at,) = [i for i, (snapshot, _) in enumerate(shown) if snapshot["kind"] == "STALE"]
    assert_frame_equal(shown[at][1], shown[at - 1][1])


@pytest.mark.parametrize("cut_by", ["DEPARTMENT", "RANDOM"])
def test_a_partial_file_lacks_a_share_of_its_rows(registry, people, world, cut_by):
    row = {"as_of": dt.date(2024, 3, 5), "layout": "MAP", "kind": "COMPLETE", "cut_by": None}
    whole = snapshot_frame(registry, people, row, world.seed)
    part = snapshot_frame(registry, people, row | {"kind": "PARTIAL", "cut_by": cut_by}, world.seed)
    assert part.height / whole.height == pytest.approx(1 - P.snapshots.partial_loss, abs=0.001)
    assert part.join(whole, on=whole.columns, nulls_equal=True, how="anti").is_empty()
    lost = whole.join(part, on="reinfo_id", how="anti")["department_code"].value_counts()
    of = whole["department_code"].value_counts()
    halved = of.join(lost, on="department_code", suffix="_lost").filter(c("count_lost") < c("count")).height
    assert halved == of.height if cut_by == "RANDOM" else halved <= 1


def test_a_misspelt_name_is_mended_one_day(registry, people, world):
    names = people.registrations.join(people.operators, on="operator_id", how="left", maintain_order="left")["name"]
    true = dict(zip(people.registrations["reinfo_id"], names, strict=True))
    wrong, there = [], set(true)
    for year in (2022, 2024, 2026):
        row = {"as_of": dt.date(year, 1, 15), "layout": "MAP", "kind": "COMPLETE", "cut_by": None}
        frame = snapshot_frame(registry, people, row, world.seed)
        there &= set(frame["reinfo_id"])
        wrong.append({i for i, name in zip(frame["reinfo_id"], frame["name"], strict=True) if name != true[i]})
    assert 0.002 < len(wrong[2]) / frame.height < P.snapshots.misspelt * 1.5
    assert there & wrong[2] < there & wrong[1] < there & wrong[0]


def test_every_file_reads_back_without_a_problem(shown, tmp_path, context):
    places = pl.read_csv(SAMPLE_DIR / "ubigeo" / "ubigeo_distrito.csv", infer_schema=False)
    known = set(places.select("departamento", "provincia", "distrito").rows())
    seen = set()
    for snapshot, frame in shown:
        form = (snapshot["format"], snapshot["is_renamed"], snapshot["is_shuffled"], snapshot["kind"])
        if form in seen:
            continue
        seen.add(form)
        path = tmp_path / f"file.{snapshot['format']}"
        if snapshot["format"] == "json":
            reinfo_files.write_map_json(frame, path, snapshot["as_of"])
        elif snapshot["format"] == "xlsx":
            reinfo_files.write_web_xlsx(frame, path)
        else:
            reinfo_files.write_web_csv(frame, path, shuffled=snapshot["is_shuffled"], renamed=snapshot["is_renamed"])
        (batch,) = reinfo.parse(path, context)
        found = batch.tables[reinfo.TABLE].sort("_row_number")
        assert found.height == frame.height
        assert found["_problem"].null_count() == found.height
        assert found["status_code"].to_list() == frame["status_code"].to_list()
        assert found["mining_right_id_ingemmet"].to_list() == frame["mining_right_id"].to_list()
        assert set(found.select("department_name", "province_name", "district_name").rows()) <= known
        assert found["has_plausible_coordinates"].drop_nulls().all()
    assert {form[0] for form in seen} == {"json", "csv", "xlsx"}


# --- seed and parameters ------------------------------------------------------------------------------


def test_the_seed_alone_decides():
    run = months("2025-01", "2026-06")
    people = make_people(load().people, 1, 300, run)
    one, same, other = (simulate_registry(P, people, seed, run) for seed in (1, 1, 2))
    for name in ("intervals", "conditions", "events", "snapshots"):
        assert_frame_equal(getattr(one, name), getattr(same, name))
    assert not one.intervals.equals(other.intervals)
    row = one.snapshots.row(0, named=True)
    assert_frame_equal(snapshot_frame(one, people, row, 1), snapshot_frame(same, people, row, 1))


@pytest.mark.parametrize("registrations", [1, 2, 17])
def test_a_handful_of_registrations_is_enough(registrations):
    run = months("2025-07", "2025-07")
    people = make_people(load().people, 1, registrations, run)
    registry = simulate_registry(P, people, 1, run)
    assert registry.intervals["registration_id"].n_unique() == registrations
    assert snapshot_frame(registry, people, registry.snapshots.row(0, named=True), 1).height <= registrations


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"causes": {"IGAFOM_PRESENTADO": 1.0}}, "causes has IGAFOM_PRESENTADO, expected"),
        ({"purge_date": dt.date(2019, 1, 1)}, "expected permanence_from < rescue_from"),
        (
            {"careers": {"abandoned_early": 0.9, "abandoned_late": 0.1, "recently_suspended": 0.1, "rescued": 0.0}},
            "careers sum",
        ),
        ({"lapse_days": {"median": 75, "p95": 240, "maximum": 400}}, "would be purged"),
        ({"formalised_by_department": {"04": 1.0}}, "no entry 'default'"),
        ({"formalised": -0.1}, "greater than or equal to 0"),
    ],
)
def test_senseless_parameters_are_refused(change, told):
    with pytest.raises(ValidationError, match=told):
        RegistryParameters.model_validate(P.model_dump() | change)
