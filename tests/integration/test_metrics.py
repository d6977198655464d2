"""The SQL that the metrics page shows gives the figures that the release publishes."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipelines import contracts
from pipelines.publish import metrics, products

#: Table, its rows, a figure of theirs, and the sum that it is.
SUMS = [
    ("pub_value_chain_margin", "link_code = 'OPERATOR'", "received_usd", "sums.operator_received_usd"),
    ("pub_price_fairness", "denominator_code = 'NETBACK' AND kind_code = 'ORE_AT_PLANT'", "denominator_usd", "sums.netback_usd"),
    ("pub_registry_transitions", "flow_code = 'SUSPENDED'", "registration_count", "sums.suspended_count"),
    ("pub_chain_of_custody", "class_code = 'NOT_KNOWN'", "copper_t", "round(sums.not_known_g / 1e6, 3)"),
    ("pub_formalization_progress", "milestone_code = 'AUTORIZACION' AND sex_code = 'T'", "reached_registration_count", "sums.autorizacion_count"),
    ("pub_invisible_copper", "basis_code = 'DOCUMENTS'", "copper_t", "sums.copper_t"),
]  # fmt: skip
#: Tables of which the sample's house shows no figure.
HIDDEN = {"pub_registry_transitions", "pub_chain_of_custody"}
PERIODS = {"pub_formalization_progress": "strftime(month, '%Y-%m')", "pub_invisible_copper": "production_year::VARCHAR"}


def test_every_table_of_sums_is_compared() -> None:
    assert {table for table, *_ in SUMS} == {disclosed.table for disclosed in products.DISCLOSED}


@pytest.mark.parametrize(("table", "which", "figure", "summed"), SUMS, ids=[case[0] for case in SUMS])
def test_the_sums_are_the_published_ones(house: Path, table: str, which: str, figure: str, summed: str) -> None:
    kinds = "AND released.kind_code = sums.kind_code" if table == "pub_price_fairness" else ""
    with duckdb.connect(str(house / "warehouse" / "antawasi.duckdb"), read_only=True) as connection:
        ((shown, cells, wrong),) = connection.sql(
            f"""
            WITH sums AS ({metrics.sums_sql(contracts.contract(table))}),
            released AS (
                SELECT *, {PERIODS.get(table, "period_code")} AS told_period
                FROM '{house / "releases" / "latest" / table}.parquet' WHERE obs_status_code = 'A' AND {which}
            )
            SELECT (SELECT count(*) FROM released), count(*), count(*) FILTER (WHERE abs(released.{figure} - {summed}) > 0.0005)
            FROM released JOIN sums
                ON released.place_code = sums.place_code AND told_period = sums.period_code
                AND released.is_synthetic = sums.is_synthetic {kinds}
            """
        ).fetchall()
    assert cells == shown and wrong == 0
    assert cells > 0 or table in HIDDEN


@pytest.mark.parametrize("table", products.names())
def test_formulas_give_the_released_figures_in_duckdb_too(house: Path, table: str) -> None:
    released = f"'{house / 'releases' / 'latest' / table}.parquet'"
    for column in contracts.contract(table).columns:
        if column.formula:
            ((rows, wrong),) = duckdb.sql(
                f"SELECT count(told), count(*) FILTER (WHERE abs(told - known) > {5.1 * 10 ** -(column.dtype.scale + 1)} "
                "OR (told IS NULL) <> (known IS NULL)) "
                f"FROM (SELECT {column.name} AS told, {column.formula} AS known FROM {released})"
            ).fetchall()
            assert (rows > 0 or table in HIDDEN) and wrong == 0, column.name
