"""The macros of the analysts' copy give what the models have that they save from joining."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest


@pytest.fixture(scope="module")
def analysts(house: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(house / "warehouse" / "antawasi.duckdb"), read_only=True) as connection:
        yield connection


def differing(analysts: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, int]:
    """Rows of a query, and those of them whose columns `told` and `known` differ."""
    counted = analysts.sql(f"SELECT count(*), count(*) FILTER (WHERE told IS DISTINCT FROM known) FROM ({sql})")
    ((rows, wrong),) = counted.fetchall()
    return rows, wrong


def test_every_macro_says_in_both_languages_what_it_gives(analysts) -> None:
    told = dict(
        analysts.sql(
            "SELECT function_name, comment FROM duckdb_functions() WHERE schema_name = 'marts' AND NOT internal"
        ).fetchall()
    )
    assert {
        "registry_on",
        "registry_known_on",
        "purge_simulated_on",
        "price_on",
        "usd_per_t",
        "contained_copper_t",
        "lot_payments",
        "lot_list_payments",
    } == set(told)
    assert all(" / " in comment for comment in told.values())


def test_a_registration_on_a_day_is_what_files_say_of_the_day(analysts) -> None:
    days = analysts.sql("SELECT DISTINCT valid_from FROM marts.dim_registration WHERE valid_to IS NOT NULL").fetchall()
    assert len(days) > 2
    first, last = min(days)[0], max(days)[0]
    for day in (first, first + (last - first) / 2, last):
        columns = "registration_key, registry_state, party_key, place_code, valid_from, valid_to, is_synthetic"
        on, known = (
            analysts.sql(f"SELECT {columns} FROM {macro} ORDER BY ALL").fetchall()
            for macro in (f"marts.registry_on('{day}')", f"marts.registry_known_on(now()::TIMESTAMP, DATE '{day}')")
        )
        assert on and on == known


def test_a_state_ends_on_the_day_on_which_the_next_begins(analysts) -> None:
    rows, wrong = differing(
        analysts,
        """
        SELECT spells.valid_from AS known, stood.valid_from AS told
        FROM marts.dim_registration AS spells
        LEFT JOIN LATERAL (FROM marts.registry_on(spells.valid_from)) AS stood
            ON stood.registration_key = spells.registration_key AND stood.is_synthetic = spells.is_synthetic
        """,
    )
    assert rows > 300 and wrong == 0


def test_the_price_on_a_day_is_what_sales_are_compared_with(analysts) -> None:
    rows, wrong = differing(
        analysts,
        """
        SELECT sales.lme_usd_per_dmt AS known,
            CAST(CAST(sales.cu_pct AS DOUBLE) * prices.copper_usd_per_t / 100 AS DECIMAL(18, 8))::DECIMAL(18, 4) AS told
        FROM (SELECT * REPLACE (CAST(lme_usd_per_dmt AS DECIMAL(18, 4)) AS lme_usd_per_dmt) FROM intermediate.int_sale__priced) AS sales
        LEFT JOIN LATERAL (FROM marts.price_on(sales.sale_date)) AS prices ON prices.is_synthetic = sales.is_synthetic
        WHERE sales.lme_usd_per_dmt IS NOT NULL
        """,
    )
    assert rows > 100 and wrong == 0


@pytest.mark.parametrize("basis", ["DAILY", "CARRIED", "MONTHLY"])
def test_the_row_that_a_price_is_from_can_be_found(analysts, basis) -> None:
    rows, wrong = differing(
        analysts,
        f"""
        WITH observed AS (
            SELECT series_code, period_date, CAST(value / 100 * 2204.622621849 AS DECIMAL(18, 6)) AS usd_per_t, is_synthetic
            FROM staging.stg_bcrp_series__observations WHERE is_current
            UNION ALL
            SELECT 'worldbank_pinksheet', month, CAST(price AS DECIMAL(18, 6)), is_synthetic
            FROM staging.stg_worldbank_pinksheet__prices
            WHERE is_current AND commodity_name = 'Copper' AND unit_of_measure = '$/mt'
        )
        SELECT prices.copper_usd_per_t AS told, observed.usd_per_t AS known
        FROM intermediate.int_price__daily AS prices
        LEFT JOIN observed
            ON observed.series_code = prices.copper_series_code AND observed.period_date = prices.copper_period_date
            AND observed.is_synthetic = prices.is_synthetic
        WHERE prices.copper_basis_code = '{basis}'
        """,
    )
    assert rows > 40 and wrong == 0


def test_per_tonne_and_contained_copper_are_those_of_the_models(analysts) -> None:
    per_tonne = (
        "SELECT gross_margin_usd_per_t AS known, marts.usd_per_t(copper_known_gross_margin_usd, copper_t) AS told "
        "FROM marts.mart_value_chain_margin"
    )
    contained = "SELECT contained_cu_t AS known, marts.contained_copper_t(payable_dmt, cu_pct) AS told FROM intermediate.int_settlement__lots_valued"
    for sql in (per_tonne, contained):
        rows, wrong = differing(analysts, sql)
        assert rows > 100 and wrong == 0
    assert analysts.sql("SELECT marts.usd_per_t(5, 0), marts.usd_per_t(NULL, 1)").fetchall() == [(None, None)]


def test_payments_of_a_lot_are_shared_whole_and_sum_to_what_its_origins_are_given(analysts) -> None:
    (lots,) = zip(
        *analysts.sql(
            """
            SELECT lot_key FROM (
                SELECT lot_key, lot_kind_code, row_number() OVER (PARTITION BY lot_kind_code ORDER BY lot_key) AS nth
                FROM marts.dim_lot WHERE is_synthetic AND lot_kind_code IN ('PIT', 'LOAD', 'PRODUCT', 'TAILINGS')
            ) WHERE nth <= 6
            """
        ).fetchall(),
        strict=True,
    )
    cell = "kind_code, payee_role_code, payer_role_code, value_basis_code"
    sums = "(sum(value_cents), sum(low_cents), sum(high_cents), sum(transfer_count))"
    shared = 0
    for lot in lots:
        rows, wrong = differing(
            analysts,
            f"""
            SELECT (paid.value_usd * 100)::BIGINT AS known, sum(parts.value_cents) AS told
            FROM marts.fct_transfer AS paid LEFT JOIN marts.lot_payments('{lot}') AS parts USING (transfer_key, is_synthetic)
            WHERE paid.lot_key = '{lot}' AND paid.is_synthetic GROUP BY transfer_key, paid.value_usd
            """,
        )
        assert wrong == 0, lot
        shared += rows
        rows, wrong = differing(
            analysts,
            f"""
            SELECT known, told FROM (
                SELECT {cell}, {sums} AS known FROM (
                    FROM intermediate.int_transfer__lots_allocated UNION ALL FROM intermediate.int_lot__flows_allocated
                ) WHERE origin_lot_key = '{lot}' AND is_synthetic GROUP BY {cell}
            ) FULL JOIN (
                SELECT {cell}, {sums} AS told FROM marts.lot_payments('{lot}')
                WHERE origin_lot_key = '{lot}' AND is_synthetic GROUP BY {cell}
            ) USING ({cell})
            """,
        )
        assert wrong == 0, lot
        shared += rows
    assert shared > 100
    origins = [lot for lot in lots if not lot.startswith(("K", "R"))]
    apart = " UNION ".join(f"FROM marts.lot_payments('{lot}')" for lot in origins)
    together = f"FROM marts.lot_list_payments({origins})"
    assert analysts.sql(f"({together}) EXCEPT ({apart})").fetchall() == []
    assert analysts.sql(f"({apart}) EXCEPT ({together})").fetchall() == []
