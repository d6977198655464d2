"""Margins by lot and link against the simulated truth: with all papers to the cent, without some of them within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from benchmarks.withheld_papers import (
    BRIDGE,
    DOCUMENTS,
    PAPERS,
    Chain,
    all_links,
    comparable,
    judged_fobs,
    judged_margins,
    true_fobs,
    withhold,
)

c = pl.col


@pytest.fixture(scope="module")
def analysts_db(house: Path) -> Path:
    return house / "warehouse" / "antawasi.duckdb"


@pytest.fixture(scope="module")
def chain(tmp_path_factory, analysts_db: Path) -> Chain:
    return Chain(tmp_path_factory.mktemp("chain"), analysts_db)


@pytest.fixture(scope="module")
def connection(analysts_db: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(analysts_db), read_only=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def true(connection: duckdb.DuckDBPyConnection, house: Path) -> pl.DataFrame:
    (truth,) = (house / "simulated").glob("tiny-*/truth")
    return comparable(connection, truth)


def _frame(connection: duckdb.DuckDBPyConnection, sql: str) -> pl.DataFrame:
    frame = pl.from_arrow(connection.execute(sql).to_arrow_table())
    assert isinstance(frame, pl.DataFrame)
    return frame


def test_with_all_papers_margins_are_the_truths_to_the_cent(connection, true):
    judged = judged_margins(connection, true)
    assert judged["lot_key"].n_unique() > 150
    assert judged["link_code"].n_unique() == 8
    observed = judged.filter(c("value_basis_code") == "observed")
    assert observed.height > 0.95 * judged.height
    assert (observed["cents"] == observed["true_cents"]).all()
    assert (observed["width_cents"] == 0).all()
    # Sales without a voucher leave no paper: operator and collector alone have bounds, and the truth lies within.
    rest = judged.filter(c("value_basis_code") != "observed")
    assert set(rest["link_code"]) == {"OPERATOR", "COLLECTOR"}
    assert rest["is_inside"].mean() > 0.9
    fobs = judged_fobs(connection, true)
    assert (fobs["cents"] == fobs["true_cents"]).all()


def test_whose_the_copper_of_a_blend_is_follows_a_rule_and_moves_sums_little(connection, house):
    """Against the parts that the ores truly gave, which no paper tells: lots that were not blended are right."""
    (truth,) = (house / "simulated").glob("tiny-*/truth")
    lots = _frame(
        connection, f"SELECT lot_key, department_code, is_complete AND is_fob_final AS is_whole FROM marts.{BRIDGE}"
    )
    whole = lots.filter("is_whole").select("lot_key", "department_code")
    true = true_fobs(truth, lots["lot_key"]).join(whole, on="lot_key", how="semi")
    both = judged_fobs(connection, true).with_columns((c("cents") - c("true_cents")).abs().alias("off_cents"))
    assert both.height > 150
    assert (both["off_cents"] <= 2).mean() > 0.45
    assert (both["off_cents"] / both["true_cents"]).quantile(0.9) < 0.15
    assert abs(both["cents"].sum() - both["true_cents"].sum()) <= both.height  # each is rounded
    sums = both.join(whole, on="lot_key").group_by("department_code").agg(c("cents", "true_cents").sum(), pl.len())
    many = sums.filter(c("len") >= 20)
    assert many.height >= 3
    assert ((many["cents"] - many["true_cents"]).abs() / many["true_cents"]).max() < 0.03


def test_complete_lots_with_a_provisional_fob_are_counted(connection):
    """In a cell of the mart, as many as in the bridge, beside each of its links."""
    (lots,) = _frame(
        connection, f"SELECT count(*) AS n FROM marts.{BRIDGE} WHERE is_complete AND NOT is_fob_final"
    ).row(0)
    cells = _frame(
        connection,
        "SELECT DISTINCT month, department_code, product_form_code, registry_state, provisional_lot_count "
        "FROM marts.mart_value_chain_margin WHERE complete_lot_count > 0",
    )
    assert cells["provisional_lot_count"].sum() == lots > 0


def test_a_campaign_that_does_not_add_up_makes_none_of_its_lots_complete(connection):
    rows = _frame(
        connection,
        f"""
        SELECT finding.lot_key, parts.origin_lot_key, bridge.is_complete, bridge.missing_code
        FROM marts.mart_lot_finding AS finding
        JOIN intermediate.int_lot__genealogy AS parts USING (lot_key, is_synthetic)
        JOIN marts.{BRIDGE} AS bridge ON parts.origin_lot_key = bridge.lot_key AND parts.is_synthetic = bridge.is_synthetic
        WHERE finding.finding_code = 'MASS_BALANCE_BREAK'
        """,
    )
    assert rows.height >= 2
    assert not rows["is_complete"].any()
    assert set(rows["missing_code"]) <= {"NO_BALANCE", "NO_PRICE", "NO_COPPER"}
    assert "NO_BALANCE" in set(rows["missing_code"])


@pytest.mark.long
def test_without_three_tenths_of_the_documents_the_truth_lies_within_the_bounds_of_lots(chain, true):
    with chain.without(DOCUMENTS, 0.3, 1) as connection:
        margins, fobs = judged_margins(connection, true), judged_fobs(connection, true)
    assert margins["lot_key"].n_unique() > 0.95 * true["lot_key"].n_unique()
    assert margins["is_inside"].mean() >= 0.97
    # Of so few lots a chance of the draw; `benchmarks.withheld_papers` tells it of size `small`.
    assert all_links(margins)["is_inside"].mean() >= 0.9
    assert fobs["is_inside"].mean() >= 0.95
    imputed = margins.filter(c("value_basis_code") != "observed")
    assert imputed.height > 0.3 * margins.height
    assert imputed["is_inside"].mean() >= 0.95
    # Bounds are worth something: what is observed whole still has none.
    assert (margins.filter(c("value_basis_code") == "observed")["width_cents"] == 0).mean() > 0.9


@pytest.mark.long
def test_without_three_tenths_of_all_papers_the_truth_lies_within_the_bounds_of_lots(chain, true):
    """Assays that are gone move a product's allocation over its lots: bounds hold that too."""
    with chain.without(PAPERS, 0.3, 2) as connection:
        margins, fobs = judged_margins(connection, true), judged_fobs(connection, true)
        unsure = _frame(connection, "SELECT * FROM intermediate.int_lot__shares WHERE copper_low_g < copper_high_g")
    assert margins["lot_key"].n_unique() > 0.95 * true["lot_key"].n_unique()
    assert margins["is_inside"].mean() >= 0.95
    assert margins.filter(c("value_basis_code") != "observed")["is_inside"].mean() >= 0.95
    # Of so few lots a chance of the draw; of size `small` 96 %.
    assert fobs["is_inside"].mean() >= 0.9
    # Bounds are worth something: no part of a product may be anything at all.
    assert unsure.height > 20
    assert unsure.select((c("copper_high_g") - c("copper_low_g")) / c("copper_g")).to_series().median() < 0.5
    assert unsure.select(c("copper_g").is_between("copper_low_g", "copper_high_g").all()).item()


def test_what_is_withheld_follows_from_the_seed(analysts_db):
    def left(seed: int) -> list[str]:
        with duckdb.connect(":memory:") as connection:
            connection.execute(f"ATTACH '{analysts_db.resolve()}' AS house (READ_ONLY)")
            connection.execute("CREATE SCHEMA staging")
            for table in DOCUMENTS:
                connection.execute(f"CREATE TABLE staging.{table} AS FROM house.staging.{table}")
            whole = _frame(connection, "SELECT count(*) AS n FROM staging.stg_sunat_documents__documents")["n"][0]
            withhold(connection, DOCUMENTS, 0.3, seed)
            keys = _frame(
                connection, "SELECT document_key FROM staging.stg_sunat_documents__documents ORDER BY document_key"
            )["document_key"].to_list()
            orphans = _frame(
                connection,
                "SELECT count(*) AS n FROM staging.stg_sunat_documents__lines ANTI JOIN "
                "staging.stg_sunat_documents__documents USING (document_key)",
            )["n"][0]
        assert orphans == 0
        assert 0.65 * whole < len(keys) < 0.75 * whole
        return keys

    assert left(1) == left(1)
    assert left(1) != left(2)


def test_a_lots_registration_has_the_state_of_the_lots_day(connection):
    """The state that held on the day, not today's."""
    lots = _frame(
        connection,
        "SELECT lot_key, reinfo_key AS registration_key, reference_date, registry_state FROM marts.fct_lot_value_bridge "
        "WHERE is_synthetic AND reinfo_key IS NOT NULL",
    )
    states = _frame(
        connection,
        "SELECT registration_key, valid_from, valid_to, registry_state AS state FROM intermediate.int_registration__standing "
        "WHERE is_synthetic",
    )
    held = lots.join(states, on="registration_key").filter(
        c("valid_from") <= c("reference_date"), c("valid_to").is_null() | (c("valid_to") > c("reference_date"))
    )
    assert held.height > 100
    assert "FORMALIZADO" in held["state"]
    assert (held["registry_state"] == held["state"]).all()
    now = lots.join(states.filter(c("valid_to").is_null()), on="registration_key")
    assert (now["registry_state"] != now["state"]).any()
