"""Export declarations that are written otherwise, or say less, than the sample's: the chain built anew from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from benchmarks.withheld_papers import WANTED, Chain

_LINES = "staging.stg_partner_exports__lines"
_TOLD = {
    "declared": "SELECT sum(value_usd) FROM marts.fct_transfer WHERE kind_code = 'EXPORT' AND sheet_id IS NOT NULL",
    "copper": "SELECT sum(copper_t) FROM intermediate.int_copper__exports",
    "bridge": """
        SELECT count(*) FILTER (is_complete), sum(fob_usd), sum(not_followed_usd), sum(fob_imputed_usd)
        FROM marts.fct_lot_value_bridge
    """,
}


def _in_halves(connection: duckdb.DuckDBPyConnection) -> None:
    """Every line as two, of half its mass and FOB, on other numbers when regularised; of every second lot the other half
    in a declaration of its own."""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE halves AS
        SELECT lines.* REPLACE (
            CASE WHEN half = 1 AND right(lot_id, 1)::INT % 2 = 0 THEN declaration_id || '-B' ELSE declaration_id END AS declaration_id,
            2 * line_number + half + CASE version_code WHEN 'REGULARIZADA' THEN 40 ELSE 0 END AS line_number,
            CASE half WHEN 0 THEN net_wmt - net_wmt // 2 ELSE net_wmt // 2 END AS net_wmt,
            CASE half WHEN 0 THEN net_dmt - net_dmt // 2 ELSE net_dmt // 2 END AS net_dmt,
            CASE half WHEN 0 THEN fob_usd - fob_usd // 2 ELSE fob_usd // 2 END AS fob_usd
        )
        FROM {_LINES} AS lines, range(2) AS halves(half)
        """
    )
    connection.execute(f"DELETE FROM {_LINES}")
    connection.execute(f"INSERT INTO {_LINES} SELECT * FROM halves")


#: lot → what its declaration does not say.
_LACKING = {
    "K000000002": "payable_pct = NULL, deduction_pct = NULL, payability_rule_code = NULL",
    "K000000003": "copper_usd_per_t = NULL",
    "K000000004": "net_wmt = net_wmt / 2, net_dmt = net_dmt / 2",
    "K000000005": "lot_id = NULL",
    "K000000007": "lot_id = NULL",
}


def _lacking(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        f"UPDATE {_LINES} SET declaration_id = '118-2025-40-000999999' WHERE lot_id IN ('K000000005', 'K000000007')"
    )
    for lot, change in _LACKING.items():
        assert connection.execute(f"UPDATE {_LINES} SET {change} WHERE lot_id = '{lot}'").fetchall()[0][0] > 0
    # what was never weighed has no copper on its plant's line
    connection.execute("UPDATE staging.stg_partner_campaigns__lines SET copper_kg = 0 WHERE lot_id = 'K000000008'")


@pytest.fixture(scope="module")
def chain(tmp_path_factory, house: Path) -> Chain:
    wanted = (*WANTED, "mart_chain_of_custody", "mart_invisible_copper")
    return Chain(tmp_path_factory.mktemp("exports"), house / "warehouse" / "antawasi.duckdb", wanted)


@pytest.fixture(scope="module")
def whole(house: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(house / "warehouse" / "antawasi.duckdb"), read_only=True) as opened:
        yield opened


def test_a_lot_on_two_lines_or_two_declarations_is_worth_what_it_is_on_one(chain, whole):
    with chain.changed(_in_halves) as halves:
        for name, sql in _TOLD.items():
            (before,), (after,) = whole.execute(sql).fetchall(), halves.execute(sql).fetchall()
            assert [float(value) for value in after] == pytest.approx([float(value) for value in before], rel=1e-6), (
                name
            )
        (worst,) = halves.execute(
            "SELECT max(abs(unexplained_usd)) FROM marts.fct_lot_value_bridge WHERE is_complete"
        ).fetchone()  # fmt: skip
        assert worst < 0.5


def test_what_a_declaration_does_not_say_is_no_loss(chain, whole):
    def steps(connection: duckdb.DuckDBPyConnection, lot: str) -> list[tuple]:
        return connection.execute(
            """
            SELECT DISTINCT payable_copper_t, payability_loss_usd, tc_rc_usd, qp_effect_usd, is_complete
            FROM marts.fct_lot_value_bridge
            JOIN intermediate.int_lot__shares ON fct_lot_value_bridge.lot_key = int_lot__shares.origin_lot_key
            WHERE int_lot__shares.lot_key = $1 AND basis_code = 'LOT'
            """,
            [lot],
        ).fetchall()

    def missing(connection: duckdb.DuckDBPyConnection, lot: str) -> set[str]:
        return {
            code
            for (code,) in connection.execute(
                """
                SELECT DISTINCT missing_code FROM intermediate.int_lot__missing AS missing
                JOIN intermediate.int_lot__shares AS shares ON missing.lot_key = shares.origin_lot_key
                WHERE shares.lot_key = $1 AND basis_code = 'LOT'
                """,
                [lot],
            ).fetchall()
        }

    with chain.changed(_lacking) as lacking:
        for lot in ("K000000002", "K000000003"):
            assert all(told[-1] for told in steps(whole, lot))
            assert steps(lacking, lot) == [(None, None, None, None, False)]
            assert "NO_TERMS" in missing(lacking, lot)
        assert "NO_EXPORT" not in missing(whole, "K000000004")
        assert "NO_EXPORT" in missing(lacking, "K000000004")
        # Both lines that name no lot are copper that went out, each for itself, and of no known origin.
        unnamed = lacking.execute(
            """
            SELECT batch_key, count(DISTINCT lot_key), bool_and(class_code = 'NOT_TRACED')
            FROM intermediate.int_custody__pieces WHERE batch_key = '118-2025-40-000999999' GROUP BY ALL
            """
        ).fetchall()
        assert unnamed == [("118-2025-40-000999999", 2, True)]
        exported, allocated = (
            lacking.execute(f"SELECT sum(port_copper_g), sum(metal_cents) FROM intermediate.{table}").fetchall()
            for table in ("int_export__lots_valued", "int_lot__exports_allocated")
        )
        assert exported == allocated
