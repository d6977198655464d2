"""Who is registered: identities that are nobody's, and the shares that the parameters say."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from pipelines.identity import is_valid_ruc
from pipelines.settings import SAMPLE_DIR
from pipelines.simulator.people import PeopleParameters, make_people
from pipelines.simulator.plan import load
from pipelines.sources.reinfo import mining_right_id

P = load().people
MONTHS = (dt.date(2025, 1, 1), dt.date(2025, 2, 1), dt.date(2025, 3, 1))
c = pl.col


@pytest.fixture(scope="module")
def people(world):
    return world.people


def share(column: pl.Series, value) -> float:
    return (column == value).sum() / (len(column) - column.null_count())


# --- identities ---------------------------------------------------------------------------------------


def test_identities_are_valid_unique_and_nobody_s(people):
    rucs = pl.concat([people.operators["ruc"], people.holders["ruc"]])
    assert rucs.n_unique() == len(rucs)
    assert all(map(is_valid_ruc, rucs))
    assert rucs.str.contains(r"^1099[1-9]|^20990|^2099[1-3]").all()
    natural = people.operators["kind"] == "NATURAL"
    assert (people.operators["dni"].is_not_null() == natural).all()
    assert people.operators["ruc"].str.starts_with("10").equals(natural)
    persons = people.operators.filter(c("dni").is_not_null())
    assert (persons["ruc"].str.slice(2, 8) == persons["dni"]).all()


def test_a_person_has_a_sex_and_a_company_a_representative(people):
    natural = people.operators["kind"] == "NATURAL"
    assert (people.operators["sex_code"].is_not_null() == natural).all()
    assert (people.operators["representative_name"].is_null() == natural).all()
    assert people.operators["name"].str.contains(r"^[A-ZÑ][A-ZÑ0-9. ]+$").all()
    assert people.registrations["reinfo_id"].n_unique() == people.registrations.height


def test_ids_are_rows(people):
    for frame, column in ((people.operators, "operator_id"), (people.registrations, "registration_id")):
        assert frame[column].dtype == pl.Int64
        assert frame[column].to_list() == list(range(frame.height))


# --- shares -------------------------------------------------------------------------------------------


def test_registrations_are_not_people(people):
    held = people.registrations["operator_id"].value_counts()["count"]
    assert len(held) == people.operators.height
    assert held.mean() == pytest.approx(P.registrations_per_ruc.mean, abs=0.01)
    assert (held > 10).mean() == pytest.approx(P.registrations_per_ruc.above_ten, abs=0.001)
    assert 30 < held.max() <= P.registrations_per_ruc.maximum


@settings(max_examples=30, deadline=None)
@given(registrations=st.integers(1, 400), seed=st.integers(0, 2**32))
def test_any_number_of_registrations_is_reached(registrations, seed):
    people = make_people(P, seed, registrations, MONTHS)
    assert people.registrations.height == registrations
    assert set(people.registrations["operator_id"]) == set(people.operators["operator_id"])


def test_shares_are_those_of_the_parameters(people):
    operators, registrations = people.operators, people.registrations
    for department, expected in P.department_shares.items():
        assert share(registrations["department_code"], department) == pytest.approx(expected, abs=0.015)
    for codes, column in (
        (P.relations, operators["concession_relation_code"]),
        (P.kinds, operators["kind"]),
        (P.minerals, registrations["true_mineral_code"]),
        (P.activities, registrations["activity_code"]),
    ):
        for code, expected in codes.items():
            assert share(column, code) == pytest.approx(expected, abs=0.025)
    assert share(operators["sex_code"], "F") == pytest.approx(P.women, abs=0.02)
    assert share(operators["language_code"], "QU") == pytest.approx(0.70, abs=0.02)
    highlands = operators.filter(c("district_code").str.head(2).is_in(["03", "05", "09"]))
    assert share(highlands["language_code"], "QU") == pytest.approx(0.80, abs=0.03)


def test_workers_are_about_thirteen_a_registration(people):
    assert people.operators["workers_count"].sum() / people.registrations.height == pytest.approx(13, abs=0.7)
    single = people.registrations.filter(pl.len().over("operator_id") == 1)["operator_id"]
    assert people.operators["workers_count"].gather(single).median() == pytest.approx(7, abs=1)


def test_ore_follows_the_stratum_and_stays_below_its_capacity(people):
    sells = c("true_mineral_code").is_in(["COBRE", "COBRE_ORO"]) & (c("activity_code") == "EXPLOTACION")
    assert people.registrations.select(((c("productivity") > 0) == sells).all()).item()
    ore = (
        people.registrations.filter(c("productivity") > 0)
        .group_by("operator_id")
        .agg(c("productivity").sum())
        .join(people.operators.select("operator_id", "stratum_code"), on="operator_id")
    )
    for stratum, band in P.ore_wmt_per_month.items():
        mined = ore.filter(c("stratum_code") == stratum)["productivity"]
        assert mined.median() == pytest.approx(band.median, rel=0.15)
        assert mined.max() <= band.maximum * (1 + 1e-9)


def test_inscriptions_go_back_to_2012_and_go_on_during_the_run(people, plan):
    dates = people.registrations["inscription_date"]
    assert dates.is_sorted()
    assert dates.min() < dt.date(2013, 1, 1)
    assert dates.max() <= plan.end
    years = len(plan.months) / 12
    assert (dates >= plan.months[0]).mean() == pytest.approx(P.new_per_year * years, abs=0.01)
    assert (dates.dt.year() == people.registrations["inscription_year"]).all()


# --- rights, holders, places --------------------------------------------------------------------------


def test_the_holder_is_who_the_relation_says(people):
    frame = people.registrations.join(
        people.operators.select("operator_id", "concession_relation_code"), on="operator_id"
    )
    count = people.operators.height
    own, contract, none = (
        frame.filter(c("concession_relation_code") == relation) for relation in ("PROPIA", "CONTRATO", "NINGUNA")
    )
    assert (own["holder_id"] == own["operator_id"]).all()
    assert contract["holder_id"].is_between(count, count + people.holders.height - 1).all()
    assert none["holder_id"].null_count() == none.height
    assert contract["contract_id"].n_unique() == contract.height
    assert contract["mining_right_id"].null_count() == own["mining_right_id"].null_count() == 0
    assert own["contract_id"].null_count() + none["contract_id"].null_count() == own.height + none.height
    free = none["mining_right_id"].is_null()
    assert free.mean() == pytest.approx(P.free_area, abs=0.04)
    assert (none["mining_right_name"].is_null() == free).all()


def test_fees_are_in_round_steps_within_their_bounds(people):
    fees = people.registrations.filter(c("contract_id").is_not_null())["concession_fee_frac"]
    assert fees.null_count() == 0
    assert fees.is_between(P.concession_fee_frac.low, P.concession_fee_frac.high).all()
    assert fees.mean() == pytest.approx(P.concession_fee_frac.mean, abs=0.005)
    assert np.allclose(fees / P.concession_fee_step, (fees / P.concession_fee_step).round())


def test_one_right_has_one_holder_one_place_and_many_registrations(people):
    on_right = people.registrations.filter(c("mining_right_id").is_not_null())
    rights = on_right.group_by("mining_right_id").agg(
        c("holder_id").drop_nulls().n_unique().alias("holders"), c("district_code").n_unique().alias("places"), pl.len()
    )
    assert rights["holders"].max() == 1
    assert rights["places"].max() == 1
    assert rights["len"].max() > 10
    assert on_right.select("operator_id", "mining_right_id", "activity_code").is_unique().all()


def test_codes_of_rights_are_spelled_as_the_registry_does(people):
    codes = people.registrations["mining_right_id"].drop_nulls()
    assert {mining_right_id(code) for code in codes} == {(code, False) for code in codes}
    assert codes.str.len_chars().unique().sort().to_list() == [9, 10, 11]


def test_places_are_real(people):
    table = pl.read_csv(SAMPLE_DIR / "ubigeo" / "ubigeo_distrito.csv", infer_schema=False)
    place = ["inei", "departamento", "provincia", "distrito"]
    here = people.registrations.select("district_code", "department_name", "province_name", "district_name")
    assert set(here.rows()) <= set(table.select(place).rows())
    assert set(people.operators["district_code"]) <= set(table["inei"])
    assert (people.registrations["department_code"] == people.registrations["district_code"].str.head(2)).all()
    assert people.registrations["latitude_deg"].is_between(-18.4, 0.1).all()
    assert people.registrations["longitude_deg"].is_between(-81.4, -68.6).all()


# --- seed and parameters ------------------------------------------------------------------------------


def test_the_seed_alone_decides():
    one, same, other = (make_people(P, seed, 300, MONTHS) for seed in (1, 1, 2))
    for name in ("operators", "registrations", "holders"):
        assert_frame_equal(getattr(one, name), getattr(same, name))
    assert not one.registrations.equals(other.registrations)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kinds": {"NATURAL": 0.9, "LEGAL": 0.2, "COMMUNITY": 0.0}}, "kinds sums to 1.1"),
        ({"relations": {"PROPIA": 0.5, "AJENA": 0.5}}, "relations has AJENA, PROPIA, expected CONTRATO"),
        ({"provinces": {"03": ("0307",)}}, "provinces has 03, expected"),
        ({"inscription_year_weights": {2020: 1.0}}, "begins in 2015 or later"),
        ({"women": 1.5}, "less than or equal to 1"),
        ({"men": 0.5}, "Extra inputs"),
    ],
)
def test_senseless_parameters_are_refused(change, told):
    with pytest.raises(ValidationError, match=told):
        PeopleParameters.model_validate(P.model_dump() | change)
