"""Chain of custody and copper that statistics do not show, against the simulated truth, which no model reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines.simulator.money import GOOD_STANDING

c = pl.col
MINUTES_A_DAY = 24 * 60
Read = Callable[[str], pl.DataFrame]


@pytest.fixture(scope="module")
def read(house: Path) -> Read:
    """A query's answer from the analysts' copy."""

    def answer(sql: str) -> pl.DataFrame:
        with duckdb.connect(str(house / "warehouse" / "antawasi.duckdb"), read_only=True) as connection:
            frame = pl.from_arrow(connection.execute(sql).to_arrow_table())
        assert isinstance(frame, pl.DataFrame)
        return frame

    return answer


@pytest.fixture(scope="module")
def tell(house: Path) -> Callable[[str], pl.DataFrame]:
    """A table of the truth."""
    (truth,) = (house / "simulated").glob("tiny-*/truth")
    return lambda table: pl.concat([pl.read_parquet(path) for path in sorted((truth / table).glob("*.parquet"))])


@pytest.fixture(scope="module")
def loads(tell) -> pl.DataFrame:
    """Loads that left within the months of the files: whose they are, which registration their papers show, the day."""
    used = pl.concat([tell(table).select("load_id", "used_registration_id") for table in ("ore_sales", "toll_loads")])
    days = (c("departs") // MINUTES_A_DAY).cast(pl.Int64)
    return (
        tell("loads")
        .join(used, on="load_id")
        .with_columns((dt.date(2025, 1, 1) + pl.duration(days=days)).alias("day"))
        .filter(c("day") <= dt.date(2026, 6, 30))
    )


@pytest.fixture(scope="module")
def origins(tell, loads) -> pl.DataFrame:
    """Ore by load and pit lot: registration under which it was truly mined, its copper, and whether that was in good
    standing on the day that the load left."""
    pits = tell("pit_lots").select(c("lot_id").alias("from_lot_id"), "registration_id", "collector_id", "operator_id")
    ore = (
        tell("copper")
        .join(pits, on="from_lot_id")
        .join(loads.select(c("load_id").alias("to_lot_id"), "day"), on="to_lot_id")
        .rename({"to_lot_id": "load_key"})
    )
    states = tell("registry_intervals").select("registration_id", "status_code", "valid_from", "valid_to")
    standing = (
        ore.join(states, on="registration_id")
        .filter((c("valid_from") <= c("day")) & (c("valid_to").is_null() | (c("day") < c("valid_to"))))
        .with_columns(c("status_code").is_in(GOOD_STANDING).alias("is_good"))
    )
    assert standing.height == ore.height
    # ore that went to the plant without a collector has no code of its own on papers: the load is its origin
    return standing.with_columns(
        pl.when(c("collector_id").is_null()).then("load_key").otherwise("from_lot_id").alias("origin_lot_key")
    )


def test_registrations_of_others_on_the_papers_are_found(read, loads):
    """Lent registrations: nearly all are found, and hardly anything else is taken for one. A blend under the registration
    of one of its producers is none."""
    told = read(
        "SELECT load_key, bool_or(relation_code = 'OTHER_PARTY') AS is_others, bool_or(relation_code = 'CO_PRODUCER') AS is_blend "
        "FROM intermediate.int_custody__standings WHERE is_synthetic GROUP BY load_key"
    )
    seen = loads.join(told, left_on="load_id", right_on="load_key")
    lent = seen["used_registration_id"] != seen["registration_id"]
    assert seen.height >= 0.98 * loads.height and lent.sum() > 20 and (~lent & seen["is_blend"]).sum() > 0
    assert (lent & seen["is_others"]).sum() / lent.sum() >= 0.95, "recall"
    assert (lent & seen["is_others"]).sum() / seen["is_others"].sum() >= 0.95, "precision"


def test_declarations_of_more_than_a_stratum_may_mine_are_found(read, tell):
    """Every one that was written so, but those that a later declaration replaced; what only an artisanal producer may not is no
    more than a small one may, by the truth nine tenths of it."""
    told = read(
        "SELECT event_id, capacity_code, declared_of_ppm_capacity_frac::DOUBLE AS frac FROM marts.mart_declared_production"
    )
    written = tell("office_defects").filter(c("defect_code") == "OVER_CAPACITY").select(c("row_key").alias("event_id"))
    seen = told.join(written, on="event_id")
    assert seen.height >= 0.9 * written.height > 30
    assert (seen["capacity_code"] != "WITHIN_CAPACITY").all()
    others = told.join(written, on="event_id", how="anti")
    assert (others["capacity_code"] == "WITHIN_CAPACITY").sum() > 1000
    assert (others["frac"] < 0.92).all()


def test_sales_under_lent_registrations_are_findings(read, loads):
    """Of sales to plants whose ore has one producer: the registration is another's where it was truly lent."""
    told = read(
        "SELECT DISTINCT lot_key, operator_key = holder_key AS is_own FROM ("
        "  SELECT t.lot_key, t.operator_key, r.party_key AS holder_key FROM marts.fct_transfer AS t"
        "  JOIN marts.dim_registration AS r ON r.registration_key = t.reinfo_key AND r.is_synthetic = t.is_synthetic"
        "    AND t.first_date >= r.valid_from AND t.first_date < coalesce(r.valid_to, DATE '9999-12-31')"
        "  WHERE t.kind_code = 'ORE_AT_PLANT' AND t.value_basis_code = 'observed' AND t.operator_key IS NOT NULL)"
    )
    found = read(
        "SELECT lot_key, true AS is_found FROM marts.mart_transfer_finding "
        "WHERE finding_code = 'REGISTRATION_OF_ANOTHER' AND kind_code = 'ORE_AT_PLANT'"
    )
    blended = read(
        "SELECT load_key AS lot_key FROM intermediate.int_custody__standings GROUP BY load_key "
        "HAVING count(DISTINCT producer_key) > 1"
    )
    seen = loads.join(told, left_on="load_id", right_on="lot_key").join(
        blended, left_on="load_id", right_on="lot_key", how="anti"
    )
    seen = seen.join(found, left_on="load_id", right_on="lot_key", how="left").with_columns(
        c("is_found").fill_null(value=False)
    )
    lent = seen["used_registration_id"] != seen["registration_id"]
    assert lent.sum() > 10 and (~lent).sum() > 100
    assert (lent & seen["is_found"]).sum() / lent.sum() >= 0.95, "recall"
    assert (lent & seen["is_found"]).sum() / seen["is_found"].sum() >= 0.95, "precision"
    assert (seen["is_found"] != seen["is_own"]).all()


def test_standing_of_the_day_is_the_truth_wherever_a_file_confirms_it(read, origins):
    """Whoever mined the ore stood, on the day of the waybill, as the truth says. Nobody is told worse than he was; better at
    most where the papers show another's registration and he holds several of his own."""
    told = read(
        "SELECT DISTINCT p.load_key, p.origin_lot_key, p.relation_code, p.own_standing_code, p.own_state, p.may_differ "
        "FROM intermediate.int_custody__pieces AS p WHERE p.is_synthetic AND p.scope_code = 'PLANT_MONTH'"
    )
    seen = told.join(origins, on=["load_key", "origin_lot_key"])
    sure = seen.filter(~c("may_differ") & (c("own_standing_code") != "UNKNOWN"))
    assert sure.height >= 0.85 * seen.height and sure["is_good"].not_().sum() > 50
    assert sure.filter(c("is_good") & (c("own_standing_code") == "NOT_GOOD")).is_empty()
    better = sure.filter(~c("is_good") & (c("own_standing_code") == "GOOD"))
    assert better.filter(c("relation_code") != "OTHER_PARTY").is_empty() and better.height <= 0.02 * sure.height


def test_sales_on_excluded_registrations_are_without_good_standing(read, tell, loads):
    """Every load sold openly on an excluded registration stands among those without, as excluded or absent."""
    labels = tell("defects").filter((c("defect_code") == "SALE_AFTER_EXCLUSION") & c("row_key").str.starts_with("BL"))
    sold = loads.filter(c("plant_lot_id").is_in(labels["lot_id"].implode()))
    told = read(
        "SELECT DISTINCT load_key, class_code, own_state FROM intermediate.int_custody__pieces WHERE is_synthetic"
    )
    seen = sold.join(told, left_on="load_id", right_on="load_key")
    assert sold.height > 0 and set(seen["load_id"]) == set(sold["load_id"])
    assert seen.filter(c("own_state").is_in(["EXCLUIDO", "AUSENTE"]))["load_id"].n_unique() == sold.height


def test_copper_of_producers_in_good_standing_is_the_truths_within_what_no_file_confirms(read, tell, origins):
    """For every export: the share of copper whose producer was in good standing differs from the truth by no more than the
    copper whose state no file confirms, and three hundredths: laboratories misread grades, and what a plant recovers of each
    lot no paper tells."""
    good = origins.group_by("load_key").agg(
        ((c("copper_g") * c("is_good")).sum() / c("copper_g").sum()).alias("good_frac")
    )
    truth = (
        tell("copper")
        .filter(c("to_lot_id").str.starts_with("K"))
        .join(good, left_on="from_lot_id", right_on="load_key", how="left")
        .group_by("to_lot_id")
        .agg((c("copper_g") * c("good_frac")).sum().alias("good_g"), c("copper_g").sum().alias("lot_g"))
    )
    lots = read(
        "SELECT batch_key, lot_key, copper_g FROM intermediate.int_custody__batches WHERE scope_code = 'EXPORT'"
    )
    by_batch = (
        lots.join(truth, left_on="lot_key", right_on="to_lot_id")
        .group_by("batch_key")
        .agg((c("good_g").sum() / c("lot_g").sum()).alias("true_frac"))
    )
    told = read("SELECT * FROM marts.mart_chain_of_custody WHERE scope_code = 'EXPORT' AND is_synthetic")
    seen = told.join(by_batch, on="batch_key").with_columns(
        (c("own_good_g").cast(pl.Float64) / c("copper_g").cast(pl.Float64)).alias("own_frac"),
        (
            (c("may_differ_g") + c("not_told_g") + c("not_traced_g")).cast(pl.Float64) / c("copper_g").cast(pl.Float64)
        ).alias("unsure_frac"),
        c("others_registration_of_copper_frac").alias("others_frac"),
    )
    assert seen.height == told.height > 20
    far = seen.filter((c("own_frac") - c("true_frac")).abs() > c("unsure_frac") + 0.03)
    # a producer of several registrations, of whom the papers show another's, is told by the best that he holds
    assert far.filter(c("others_frac") == 0).is_empty() and far.height <= 0.05 * seen.height


def test_bounds_of_copper_on_waybills_hold_the_truth(read, loads):
    """Per department and year: the tonnes are those that left, and the true copper lies within the bounds, but for what a
    laboratory misreads by."""
    true = loads.group_by(c("day").dt.year().alias("production_year"), "department_code").agg(
        (c("copper_g").sum() / 1e6).alias("true_t"), (c("wet_g").sum() / 1e6).alias("true_wmt"), pl.len().alias("n")
    )
    told = read(
        "SELECT * FROM marts.mart_invisible_copper "
        "WHERE is_synthetic AND measure_code = 'WAYBILL_ORE_CONTAINED' AND place_level = 'department'"
    ).with_columns(pl.selectors.decimal().cast(pl.Float64))
    seen = true.join(told, on=["production_year", "department_code"], how="full")
    assert seen["evidence_count"].null_count() == 0 and (seen["n"] == seen["evidence_count"]).all()
    assert (seen["true_wmt"] - seen["mass_low_wmt"]).abs().max() < 0.01
    assert seen.filter(~c("true_t").is_between(0.995 * c("copper_low_t"), 1.005 * c("copper_high_t"))).is_empty()
    assert told["copper_high_t"].sum() - told["copper_low_t"].sum() < 0.1 * true["true_t"].sum()


def test_official_figures_are_measured_and_nothing_else(read):
    """Official strata and claims stand on measured rows, documents of the simulated sector on simulated ones, and no
    simulated figure has a gap to a measured one."""
    rows = read(
        "SELECT DISTINCT measure_code, is_synthetic, gap_low_t IS NOT NULL AS has_gap FROM marts.mart_invisible_copper"
    )
    measured = rows.filter(~c("is_synthetic"))
    assert set(measured["measure_code"]) == {
        "OFFICIAL_RG",
        "OFFICIAL_PPM",
        "OFFICIAL_PMA",
        "CLAIM_TRUCKS",
        "CLAIM_COPPER",
    }
    assert not rows.filter(c("is_synthetic"))["measure_code"].str.starts_with("OFFICIAL").any()
    assert not rows.filter("is_synthetic")["has_gap"].any() and measured["has_gap"].any()


def test_artisanal_copper_is_reported_absent_and_not_zero(read):
    rows = read(
        "SELECT production_year, basis_code, copper_t FROM marts.mart_invisible_copper "
        "WHERE measure_code = 'OFFICIAL_PMA' AND place_level = 'country' AND NOT is_synthetic"
    )
    assert (
        rows.height >= 3
        and set(rows["basis_code"]) == {"NOT_REPORTED"}
        and rows["copper_t"].null_count() == rows.height
    )
