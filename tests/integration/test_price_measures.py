"""Measures of prices against regressions and dispersions that numpy computes on the same sales."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from scipy.stats import t as student

c = pl.col
TERMS = ["grade", "log_mass", "is_good_standing"]


@pytest.fixture(scope="module")
def connection(house: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(house / "warehouse" / "antawasi.duckdb"), read_only=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def sales(connection) -> pl.DataFrame:
    """Sales with at least one other one in their cell, as the regressions take them."""
    return _frame(connection, "SELECT * FROM intermediate.int_sale__comparable").with_columns(
        pl.concat_str("product_form_code", c("month").cast(pl.String), separator="|").alias("cell")
    )


def _frame(connection: duckdb.DuckDBPyConnection, sql: str) -> pl.DataFrame:
    frame = pl.from_arrow(connection.execute(sql).to_arrow_table())
    assert isinstance(frame, pl.DataFrame)
    return frame


def _design(frame: pl.DataFrame, terms: list[str]) -> np.ndarray:
    """A dummy for every cell, then the terms."""
    dummies = frame.select("cell").to_dummies().to_numpy().astype(float)
    return np.hstack([dummies, frame.select(terms).to_numpy().astype(float)])


def _in_cells(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.len().over("cell") > 1)


@pytest.mark.parametrize("kind", ["ORE_AT_PIT", "ORE_AT_PLANT"])
def test_hedonic_residuals_are_those_of_least_squares_with_dummies(connection, sales, kind):
    chosen = _in_cells(sales.filter(c("kind_code") == kind)).sort("transfer_key")
    x, y = _design(chosen, TERMS), chosen["log_paid"].to_numpy()
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    told = _frame(
        connection,
        f"SELECT transfer_key, log_paid_rest FROM intermediate.int_sale__adjusted WHERE kind_code = '{kind}' ORDER BY transfer_key",
    )
    assert told["transfer_key"].to_list() == chosen["transfer_key"].to_list()
    assert told.height > 50
    assert np.abs(told["log_paid_rest"].to_numpy() - rest).max() < 1e-8
    assert np.abs(rest).max() > 0.01


@pytest.mark.parametrize("kind", ["ORE_AT_PIT", "ORE_AT_PLANT"])
def test_the_gap_of_the_sexes_and_its_interval_are_those_of_a_clustered_regression_on_own_sales(
    connection, sales, kind
):
    chosen = _in_cells(
        sales.filter(
            c("kind_code") == kind, c("year") == 2025, c("operator_sex_code").is_in(["F", "M"]),
            c("seller_role_code") == "OPERATOR",
        )
    )  # fmt: skip
    x, y = _design(chosen, [*TERMS, "is_womans"]), chosen["log_paid"].to_numpy()
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    bread = np.linalg.pinv(x.T @ x)
    scores = pl.DataFrame(x * (y - x @ beta)[:, None]).with_columns(chosen["seller_key"])
    by_seller = scores.group_by("seller_key").sum().drop("seller_key").to_numpy()
    meat = (by_seller.T @ by_seller) * _few(len(by_seller), *x.shape)
    error = np.sqrt((bread @ meat @ bread)[-1, -1])
    told = _frame(
        connection,
        f"SELECT * FROM intermediate.int_price_measure__sex_gap WHERE kind_code = '{kind}' AND year = 2025",
    ).row(0, named=True)
    assert float(told["value"]) == pytest.approx(beta[-1], abs=2e-8)
    half = student.ppf(0.975, len(by_seller) - 1) * error
    assert float(told["high_value"] - told["low_value"]) == pytest.approx(2 * half, rel=1e-3)
    women = chosen.filter(c("operator_sex_code") == "F")
    assert told["sale_count"] == min(women.height, chosen.height - women.height)
    assert told["seller_count"] <= women["seller_key"].n_unique()


def _few(clusters: int, rows: int, parameters: int) -> float:
    """CR1: what a variance by clusters is multiplied by where they are few."""
    return clusters / (clusters - 1) * (rows - 1) / (rows - parameters)


def test_a_residuals_interval_is_that_of_a_mean_whose_sellers_are_few(connection):
    rests = _frame(connection, "SELECT * FROM intermediate.int_sale__adjusted WHERE department_code <> '--'")
    told = _frame(
        connection, "SELECT * FROM intermediate.int_price_measure__residual WHERE subject_level = 'department'"
    ).with_columns(pl.selectors.decimal().cast(pl.Float64))
    keys = ["is_synthetic", "kind_code", "year", "department_code"]
    checked = 0
    for key, group in rests.group_by(keys):
        found = told.row(
            by_predicate=pl.all_horizontal(
                c(name) == value for name, value in zip([*keys[:3], "subject_code"], key, strict=True)
            ),
            named=True,
        )
        away = group.with_columns(c("log_paid_rest") - c("log_paid_rest").mean())
        by_seller = away.group_by("seller_key").agg(c("log_paid_rest").sum())["log_paid_rest"].to_numpy()
        sellers, rows = len(by_seller), group.height
        assert found["seller_count"] == sellers
        assert found["value"] == pytest.approx(group["log_paid_rest"].mean(), abs=1e-8)
        if sellers < 5:
            assert found["low_value"] is None
            continue
        error = np.sqrt((by_seller**2).sum() * _few(sellers, rows, 1)) / rows
        half = student.ppf(0.975, sellers - 1) * error
        assert found["high_value"] - found["value"] == pytest.approx(half, rel=1e-3, abs=2e-8)
        assert found["value"] - found["low_value"] == pytest.approx(half, rel=1e-3, abs=2e-8)
        checked += 1
    assert checked >= 3


def test_students_quantile_is_right_to_a_thousandth(rendered):
    sql = rendered({"quantile": "student_t('degrees')"})["quantile"]
    with duckdb.connect() as connection:
        told = dict(connection.execute(f"SELECT degrees, {sql} FROM range(1, 500) AS d(degrees)").fetchall())
    assert [told[n] for n in (1, 2, 3)] == [None] * 3
    for degrees in range(4, 500):
        assert told[degrees] == pytest.approx(student.ppf(0.975, degrees), abs=1e-3)


def test_the_price_of_ore_at_a_plant_has_the_freight_that_its_sheet_deducts(connection):
    rows = _frame(
        connection,
        """
        SELECT sales.*, paid.value_usd, coalesce(sheets.freight_usd, 0) AS freight_usd
        FROM intermediate.int_sale__priced AS sales
        JOIN marts.fct_transfer AS paid USING (transfer_key, is_synthetic)
        LEFT JOIN intermediate.int_settlement__sales AS sheets
            ON sales.buyer_key = sheets.buyer_key AND sales.lot_key = sheets.lot_key AND sales.is_synthetic = sheets.is_synthetic
        """,
    )
    assert rows.filter(c("paid_usd") != c("value_usd") + c("freight_deducted_usd")).height == 0
    at_plant = c("kind_code") == "ORE_AT_PLANT"
    assert rows.filter(at_plant, c("freight_deducted_usd") != c("freight_usd")).height == 0
    assert rows.filter(~at_plant, c("freight_deducted_usd") != 0).height == 0
    assert rows.filter(at_plant, c("freight_deducted_usd") > 0).height > 100


def test_ore_that_is_hauled_after_its_sale_is_compared_with_what_it_is_worth_before(connection):
    rows = _frame(connection, "SELECT kind_code, haul_usd_per_dmt FROM intermediate.int_sale__priced")
    hauled = rows.filter(c("kind_code").is_in(["ORE_AT_PIT", "ORE_BETWEEN_COLLECTORS"]))
    for _, sales in hauled.group_by("kind_code"):
        assert sales.filter(c("haul_usd_per_dmt") > 0).height > 5
        assert sales.filter(c("haul_usd_per_dmt") == 0).height == 0


def test_a_tariff_with_support_is_one_figure_in_both_marts(connection):
    compared, bought = (
        _frame(connection, sql)["usd"][0]
        for sql in (
            "SELECT sum(denominator_usd) AS usd FROM marts.mart_price_fairness WHERE denominator_code = 'TARIFF_SUPPORTED'",
            "SELECT sum(supported_tariff_usd) AS usd FROM marts.mart_buyer_counterfactual WHERE supported_tariff_usd > 0",
        )
    )
    assert abs(float(compared - bought)) < 1 < float(bought)


def test_dispersion_is_that_of_the_sales(connection, sales):
    told = _frame(
        connection,
        "SELECT measure_code, value FROM intermediate.int_price_measure__dispersion "
        "WHERE kind_code = 'ORE_AT_PLANT' AND year = 2025 AND subject_level = 'country'",
    )
    values = {code: float(value) for code, value in told.iter_rows()}
    x = np.sort(
        sales.filter(c("kind_code") == "ORE_AT_PLANT", c("year") == 2025)["paid_frac"].cast(pl.Float64).to_numpy()
    )
    differences = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert values["GINI"] == pytest.approx(differences, abs=1e-8)
    assert values["THEIL"] == pytest.approx((x / x.mean() * np.log(x / x.mean())).mean(), abs=1e-8)
    assert values["VARIATION"] == pytest.approx(x.std(ddof=1) / x.mean(), abs=1e-8)
    assert values["P90_P10"] == pytest.approx(np.quantile(x, 0.9) / np.quantile(x, 0.1), abs=1e-8)


def test_measures_of_too_few_sellers_are_empty_and_counted(connection):
    rows = _frame(connection, "SELECT * FROM marts.mart_price_measure")
    few = rows.filter((c("sale_count") < 30) | (c("seller_count") < 10))
    assert few.height > 0
    assert few["value"].null_count() == few.height
    assert not few["is_given"].any()
    given = rows.filter("is_given")
    assert {"GINI", "THEIL", "HHI", "RESIDUAL"} <= set(given["measure_code"])
    assert given["value"].null_count() == 0


def test_provisional_sales_are_counted(connection):
    cells = _frame(connection, "SELECT * FROM marts.mart_price_fairness WHERE denominator_code = 'LME_CONTAINED'")
    sales = _frame(
        connection,
        "SELECT count(*) FILTER (is_provisional) AS n FROM intermediate.int_sale__priced WHERE product_form_code IS NOT NULL",
    )
    assert cells["provisional_sale_count"].sum() == sales["n"][0] > 0


def test_what_a_sale_would_fetch_follows_from_the_tariff(connection):
    """The seeds' terms, recomputed for every sale from its grade, mass and the price of the month before."""
    rows = _frame(
        connection,
        """
        SELECT bought.*, terms.* EXCLUDE (tariff_code, product_form_code), sales.haul_usd_per_dmt
        FROM marts.mart_buyer_counterfactual AS bought
        JOIN intermediate.int_sale__priced AS sales USING (transfer_key, is_synthetic)
        JOIN reference.ref_buyer_tariff AS terms
            ON bought.product_form_code = terms.product_form_code AND bought.tariff_code = terms.tariff_code
        """,
    ).with_columns(pl.selectors.decimal().cast(pl.Float64))
    assert rows.height > 300
    schedule = c("base_price_usd_per_dmt") + c("scale_usd_per_dmt_pct") * (c("cu_pct") - c("base_cu_pct"))
    moved = (c("tariff_usd_cents_per_lb") - c("schedule_usd_cents_per_lb")) * 22.04622621849
    tariff = pl.max_horizontal(schedule + moved * c("cu_pct") / 100 * c("recovery_frac"), pl.lit(0.0))
    off = rows.select(((tariff - c("haul_usd_per_dmt")) * c("dmt") - c("tariff_usd")).abs().max()).item()
    assert off < 0.011
    assert (rows["gain_usd"] - (rows["tariff_usd"] - rows["paid_usd"])).abs().max() < 0.005
