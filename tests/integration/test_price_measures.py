"""Measures of prices against regressions and dispersions that numpy computes on the same sales."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

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
def test_the_gap_of_the_sexes_and_its_interval_are_those_of_a_clustered_regression(connection, sales, kind):
    chosen = _in_cells(
        sales.filter(c("kind_code") == kind, c("year") == 2025, c("operator_sex_code").is_in(["F", "M"]))
    )
    x, y = _design(chosen, [*TERMS, "is_womans"]), chosen["log_paid"].to_numpy()
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    bread = np.linalg.pinv(x.T @ x)
    scores = pl.DataFrame(x * (y - x @ beta)[:, None]).with_columns(chosen["operator_key"])
    by_operator = scores.group_by("operator_key").sum().drop("operator_key").to_numpy()
    error = np.sqrt((bread @ (by_operator.T @ by_operator) @ bread)[-1, -1])
    told = _frame(
        connection,
        f"SELECT * FROM intermediate.int_price_measure__sex_gap WHERE kind_code = '{kind}' AND year = 2025",
    ).row(0, named=True)
    assert float(told["value"]) == pytest.approx(beta[-1], abs=2e-8)
    assert float(told["high_value"] - told["low_value"]) == pytest.approx(2 * 1.959964 * error, abs=1e-7)
    women = chosen.filter(c("operator_sex_code") == "F")
    assert told["sale_count"] == min(women.height, chosen.height - women.height)


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
    few = rows.filter((c("sale_count") < 30) | (c("operator_count") < 10))
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
