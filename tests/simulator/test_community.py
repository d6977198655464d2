"""What partners around the chain keep: files that read back, and answers that follow from what is true."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from pipelines import contracts, partner_files
from pipelines.identity import is_valid_ruc
from pipelines.simulator import roll
from pipelines.simulator.community import CommunityParameters, partner_frames, roll_frame
from pipelines.simulator.plan import load, make_plan
from pipelines.simulator.world import make_world
from pipelines.sources import Context, get_source, sunat_ruc

P = load().community
STEPS, CONTRACTS, SURVEYS, TRAININGS, GRIEVANCES = (
    "partner_step_events__events", "partner_contracts__contracts", "partner_surveys__answers",
    "partner_trainings__attendances", "partner_grievances__cases",
)  # fmt: skip
#: The date that gives a file its month.
DATES = {STEPS: "fecha", CONTRACTS: "fecha_firma", SURVEYS: "fecha", TRAININGS: "fecha", GRIEVANCES: "fecha_ingreso"}
each_table = pytest.mark.parametrize("table", list(DATES))
c = pl.col


@pytest.fixture(scope="module")
def frames(world):
    return partner_frames(world, world.registry.events)


@pytest.fixture(scope="module")
def persons(world):
    """Operators by each identity that they give."""
    operators = world.people.operators
    return pl.concat([operators.with_columns(c(i).alias("identity")) for i in ("ruc", "dni")]).drop_nulls("identity")


def share(frame: pl.DataFrame, condition: pl.Expr) -> float:
    return frame.select(condition.fill_null(False).mean()).item()


# --- files --------------------------------------------------------------------------------------------


@each_table
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_month_s_file_reads_back_without_a_problem(frames, table, form, tmp_path, context: Context):
    contract = contracts.contract(table)
    month = frames[table]["month"].mode().sort()[0] if table != STEPS else dt.date(2025, 7, 1)
    rows = frames[table].filter(c("month") == month).drop("month")
    path = tmp_path / f"partner.{form}"
    write = partner_files.write_partner_csv if form == "csv" else partner_files.write_partner_xlsx
    write(contract, rows, path)
    (batch,) = get_source(contract.source).parse(path, context)
    accepted, rejected = contracts.check_rows(contract, batch.tables[table], path.name)
    assert rejected.is_empty()
    assert accepted.height == rows.height > 10


@each_table
def test_a_row_stands_in_the_file_of_its_month_or_in_the_first(frames, table, plan):
    first = plan.months[0]
    month = pl.max_horizontal(c(DATES[table]).dt.truncate("1mo"), pl.lit(first))
    assert frames[table].select((c("month") == month).all()).item()
    assert set(frames[table]["month"]) <= set(plan.months)
    assert frames[table][DATES[table]].max() <= plan.end


@each_table
def test_keys_are_unique(frames, table):
    keys = [k.file_column for k in contracts.contract(table).columns if k.key_position]
    assert frames[table].select(keys).is_unique().all()


# --- step events --------------------------------------------------------------------------------------


def test_the_offices_show_what_is_reported(frames, world):
    true = world.registry.events.filter("is_reported")
    shown = frames[STEPS]
    assert shown["evento"].to_list() == true["event_id"].to_list()
    days = {
        "DIA": true["event_date"],
        "MES": true["event_date"].dt.truncate("1mo"),
        "ANIO": true["event_date"].dt.truncate("1y"),
    }
    for precision, day in days.items():
        at = true["date_precision_code"] == precision
        assert at.sum() > 100
        assert shown["fecha"].filter(at).equals(day.filter(at))
    people = world.people
    of = people.registrations["operator_id"].gather(true["registration_id"])
    assert shown["titular"].to_list() == people.operators["ruc"].gather(of).to_list()


def test_a_changed_declaration_is_shown_as_changed(world):
    events = world.registry.events.with_columns((c("declared_t") * 10).alias("declared_t"))
    shown = partner_frames(world, events)[STEPS]
    assert shown["toneladas_declaradas"].sum() == pytest.approx(
        10 * world.registry.events.filter("is_reported")["declared_t"].sum()
    )


# --- contracts ----------------------------------------------------------------------------------------


def test_a_contract_says_the_fee_that_is_paid(frames, world):
    people, count = world.people, world.people.operators.height
    found = frames[CONTRACTS].join(people.registrations, left_on="contrato", right_on="contract_id", how="left")
    assert (found["retribucion_pct"] - found["concession_fee_frac"] * 100).abs().max() < 1e-9
    assert found["titular"].to_list() == people.holders["ruc"].gather(found["holder_id"] - count).to_list()
    assert found["operador"].to_list() == people.operators["ruc"].gather(found["operator_id"]).to_list()
    assert (found["fecha_firma"] <= found["inscription_date"]).all()
    collected = people.registrations["contract_id"].drop_nulls()
    assert found.height / len(collected) == pytest.approx(P.contracts.collected, abs=0.02)


def test_clauses_have_their_incidence_and_the_short_term_is_short(frames):
    rows = frames[CONTRACTS]
    for clause, expected in P.contracts.clauses.items():
        assert share(rows, c("clausulas").str.contains(clause)) == pytest.approx(expected, abs=0.03)
    term = (c("fecha_fin") - c("fecha_inicio")).dt.total_days()
    is_short = c("clausulas").str.contains("PLAZO_MENOR_UN_ANIO").fill_null(False)
    assert rows.filter(is_short).select((term < 365).all()).item()
    assert rows.filter(~is_short, c("fecha_fin").is_not_null()).select((term > 365).all()).item()
    assert rows["base_retribucion"].unique().sort().to_list() == ["MINERAL", "VENTA"]


# --- surveys and trainings ----------------------------------------------------------------------------


def test_sex_and_language_are_told_with_consent_and_truly(frames, persons):
    rows = frames[SURVEYS].join(persons, left_on="encuestado", right_on="identity", how="left")
    assert share(rows, c("consentimiento")) == pytest.approx(P.surveys.consent, abs=0.01)
    refused = rows.filter(~c("consentimiento"))
    assert refused["sexo"].null_count() == refused["lengua"].null_count() == refused.height
    assert rows.filter(c("sexo") != c("sex_code")).is_empty()
    assert rows.filter(c("lengua") != c("language_code")).is_empty()
    asked = rows.filter(c("consentimiento"), c("kind") == "NATURAL")
    assert share(asked, c("sexo").is_null()) == pytest.approx(P.surveys.unknown_sex, abs=0.02)
    assert (rows["relacion_concesion"] == rows["concession_relation_code"]).all()
    assert (rows["trabajadoras"] <= rows["trabajadores"]).all()
    assert (rows["trabajadores"] > 0).all()


def test_the_mineral_of_most_answers_is_true(frames, world):
    rows = frames[SURVEYS].join(world.people.registrations, left_on="codigo_reinfo", right_on="reinfo_id", how="left")
    wrong = share(rows, c("mineral_principal") != c("true_mineral_code"))
    assert 0.4 * P.surveys.other_mineral < wrong < P.surveys.other_mineral


def test_a_session_has_one_day_topic_and_language(frames, persons):
    rows = frames[TRAININGS]
    one = rows.group_by("sesion").agg(
        c("fecha", "tema", "entidad", "horas", "lengua_sesion", "ubigeo").n_unique(), pl.len()
    )
    assert one.drop("sesion", "len").max_horizontal().max() == 1
    assert one["len"].max() <= P.trainings.attendants.high
    seen = rows.join(persons, left_on="participante", right_on="identity", how="left")
    assert seen["operator_id"].null_count() == 0
    assert set(seen["kind"]) == {"NATURAL"}
    assert (seen["ubigeo"].str.head(2) == seen["district_code"].str.head(2)).mean() > 0.99


def test_people_learn_and_more_so_in_their_language(frames):
    tested = (
        frames[TRAININGS]
        .drop_nulls("puntaje_previo")
        .with_columns(
            (c("puntaje_posterior") - c("puntaje_previo")).alias("gain"),
            (c("lengua") == c("lengua_sesion")).alias("own"),
        )
    )
    assert tested["puntaje_posterior"].is_between(0, 20).all()
    gains = dict(tested.group_by("own").agg(c("gain").mean()).rows())
    assert gains[True] > gains[False] + 0.8 > 1.5


# --- grievances ---------------------------------------------------------------------------------------


def test_a_case_has_the_dates_of_its_state(frames, plan):
    rows = frames[GRIEVANCES]
    assert rows["caso"].is_sorted()
    states = {
        "CERRADO": c("fecha_acuse").is_not_null() & c("fecha_cierre").is_not_null() & c("resultado").is_not_null(),
        "EN_TRAMITE": c("fecha_acuse").is_not_null() & c("fecha_cierre").is_null() & c("resultado").is_null(),
        "ABIERTO": c("fecha_acuse").is_null() & c("fecha_cierre").is_null() & c("satisfaccion").is_null(),
    }
    assert set(rows["estado"]) == set(states)
    for state, expected in states.items():
        assert rows.filter(c("estado") == state).select(expected.all()).item()
    assert rows["fecha_cierre"].max() <= plan.end
    assert rows.filter(c("fecha_acuse") < c("fecha_ingreso")).is_empty()
    assert rows.filter(c("fecha_cierre") < c("fecha_acuse")).is_empty()


def test_who_complains_in_the_box_stays_unknown(frames):
    rows = frames[GRIEVANCES]
    nameless = rows.filter(c("reclamante").is_null())
    assert share(rows, c("reclamante").is_null()) == pytest.approx(P.grievances.anonymous, abs=0.05)
    assert set(nameless["canal"]) == {"BUZON"}
    assert nameless["sexo"].null_count() == nameless["lengua"].null_count() == nameless.height


def test_cases_are_against_whom_they_concern(frames, world):
    rows = frames[GRIEVANCES]
    buyers = set(world.firms.frame.filter(c("role").is_in(["plant", "collector"]))["ruc"])
    assert set(rows.filter(c("tipo").is_in(["PRECIO", "PAGO"]))["reclamado"]) <= buyers
    holders = set(rows.filter(c("tipo") == "CONTRATO")["reclamado"].drop_nulls())
    assert holders
    assert holders <= set(world.people.holders["ruc"])
    assert rows.filter(c("tipo") == "TRAMITE")["reclamado"].null_count() == rows.filter(c("tipo") == "TRAMITE").height
    violence = rows.filter(c("tipo") == "VIOLENCIA_GENERO", c("sexo").is_not_null())
    assert set(violence["sexo"]) == {"F"}


# --- the taxpayer roll --------------------------------------------------------------------------------


def test_the_roll_knows_everybody_once_and_reads_back(world, plan, tmp_path, context):
    frame = roll_frame(world.people, world.firms.frame, world.registry, plan.end)
    assert frame.columns == list(roll.COLUMNS)
    assert frame["ruc"].n_unique() == frame.height
    assert all(map(is_valid_ruc, frame["ruc"]))
    assert set(world.agents["identity"]) <= set(frame["ruc"])
    others = frame.height - world.agents.height
    assert others == round(world.agents.height * world.parameters.registry.unrelated_taxpayers)
    roll.write_roll(frame, tmp_path / "roll.txt")
    (batch,) = sunat_ruc.parse(tmp_path / "roll.txt", context)
    found = batch.tables[sunat_ruc.TABLE]
    assert found.height == found["_problem"].null_count() == frame.height


@pytest.mark.parametrize("day", [dt.date(2023, 5, 1), dt.date(2026, 6, 30)])
def test_who_lost_the_ruc_is_no_active_taxpayer(world, day):
    frame = roll_frame(world.people, world.firms.frame, world.registry, day)
    lost = world.registry.conditions.filter(
        (c("condition_code") == "RUC_TERCERA_ACTIVO") & ~c("is_met") & (c("valid_from") <= day)
        & (c("valid_to").is_null() | (c("valid_to") > day))
    )["registration_id"]  # fmt: skip
    operators = world.people.registrations["operator_id"].gather(lost).unique()
    struck = set(world.people.operators["ruc"].gather(operators))
    status = dict(frame.select("ruc", "taxpayer_status").rows())
    assert len(struck) > 100
    for ruc in world.people.operators["ruc"]:
        assert (status[ruc] != "ACTIVO") == (ruc in struck)
    assert all(status[ruc] == "ACTIVO" for ruc in world.firms.frame["ruc"])


# --- seed, parameters, small runs ---------------------------------------------------------------------


def test_the_seed_alone_decides():
    plans = [make_plan(load(), "tiny", seed) for seed in (1, 1, 2)]
    one, same, other = (partner_frames(w, w.registry.events) for w in (make_world(p, load()) for p in plans))
    for table in DATES:
        assert_frame_equal(one[table], same[table])
    assert not one[CONTRACTS].equals(other[CONTRACTS])


def test_a_run_of_one_month_has_every_table_with_its_columns():
    world = make_world(make_plan(load(), "1", 1, "2025-02..2025-02"), load())
    for table, frame in partner_frames(world, world.registry.events).items():
        partner_files.as_written(contracts.contract(table), frame.drop("month"))
        assert set(frame["month"]) <= {dt.date(2025, 2, 1)}


@pytest.mark.parametrize(
    ("section", "change", "told"),
    [
        ("contracts", {"fee_bases": {"VENTA": 0.5, "MONTO_FIJO": 0.5}}, "contracts.fee_bases has MONTO_FIJO, VENTA"),
        ("grievances", {"outcomes": {"FUNDADA": 0.9}}, "outcomes sums to 0.9"),
        ("trainings", {"topics": {"SEGURIDAD": 1.0}}, "trainings.topics has SEGURIDAD, expected"),
    ],
)
def test_senseless_parameters_are_refused(section, change, told):
    given = P.model_dump()
    with pytest.raises(ValidationError, match=told):
        CommunityParameters.model_validate(given | {section: given[section] | change})
