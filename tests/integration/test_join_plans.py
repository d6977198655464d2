"""How DuckDB plans the joins of models and of their tests.

An outer join with a condition that is no comparison of its two sides is carried out as every row with every row, which a
sample does not feel and a sector of a million lots does for hours. So are two tables that a third one brings together, where
both have is_synthetic in common with it and the planner begins with that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb

#: A side of at most so many rows is a seed's or a parameter's: going through it for each row is no harm.
_FEW_ROWS = 60
_EQUAL_COLUMNS = re.compile(r"\(\w+ = \w+\)")
_FLAG = "is_synthetic = is_synthetic"
#: Names of districts as papers spell them: some thousands, however many lots there are.
_BOUNDED = {"int_places__names_matched"}
#: Reads tables that it makes itself while it runs.
_NOT_ALONE = {"int_lot__genealogy"}


def test_nothing_compares_every_row_with_every_row(house: Path) -> None:
    sent = {path.stem: path for path in (house / "warehouse" / "dbt" / "compiled").rglob("*.sql")}
    assert {"fct_transfer", "value_bridge_closes"} < set(sent)
    crossing = {}
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"ATTACH '{house / 'warehouse' / 'build.duckdb'}' AS build (READ_ONLY)")
        for name, path in sent.items():
            if name not in _NOT_ALONE | _BOUNDED and (found := _crosses(connection, path.read_text(encoding="utf-8"))):
                crossing[name] = found
    assert not crossing, (
        f"{crossing}: compare all pairs of rows. Write a condition on one side of an outer join as its key (case when … end = …), "
        "and one on both sides as a plain comparison; of three tables that share is_synthetic join two beforehand (select distinct)"
    )


def test_a_condition_on_one_side_of_an_outer_join_is_found() -> None:
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE lots AS SELECT range AS lot, NULL::INT AS base FROM range(1000)")
        asked = "SELECT * FROM lots LEFT JOIN lots AS sales ON {} = sales.lot {}"
        assert _crosses(connection, asked.format("lots.lot", "AND lots.base IS NULL"))
        assert not _crosses(connection, asked.format("CASE WHEN lots.base IS NULL THEN lots.lot END", ""))


def test_two_tables_that_meet_by_a_flag_alone_are_found() -> None:
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE lots AS SELECT range AS lot, true AS is_synthetic FROM range(1000)")
        by_flag = "SELECT * FROM lots JOIN {} AS others ON lots.is_synthetic = others.is_synthetic"
        assert _crosses(connection, by_flag.format("lots"))
        assert not _crosses(connection, by_flag.format("lots") + " AND lots.lot = others.lot")
        assert not _crosses(connection, by_flag.format("(SELECT is_synthetic, count(*) FROM lots GROUP BY ALL)"))


def test_unsure_lots_do_not_meet_every_product(compiled) -> None:
    """Where assays are missing most lots are not sure: ranges and lots are small then beside the genealogy between them."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("""
            CREATE SCHEMA intermediate;
            CREATE SCHEMA marts;
            CREATE TABLE intermediate.int_lot__origin_ranges AS
            SELECT 'M' || range AS origin_lot_key, 0.9 AS low_factor, 1.1 AS high_factor, true AS is_synthetic FROM range(3_000);
            CREATE TABLE intermediate.int_lot__genealogy AS
            SELECT 'K' || range // 10 AS lot_key, 'M' || range % 3_000 AS origin_lot_key, 5 AS copper_g, true AS is_synthetic
            FROM range(25_000);
            CREATE TABLE intermediate.int_campaign__origins_fed AS
            SELECT lot_key, origin_lot_key, copper_g, is_synthetic FROM intermediate.int_lot__genealogy;
            CREATE TABLE marts.dim_lot AS
            SELECT DISTINCT lot_key, if(lot_key[-1] < '5', 'PRODUCT', 'TAILINGS') AS lot_kind_code, is_synthetic
            FROM intermediate.int_lot__genealogy
            UNION ALL SELECT 'M' || range, 'PIT', true FROM range(9_000);
        """)
        (shares,) = compiled(["int_lot__shares"]).values()
        assert not _crosses(connection, shares)


def _crosses(connection: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    """Conditions of joins that compare all pairs of rows, though they ask for two columns to be equal."""
    plan = connection.execute(f"EXPLAIN (FORMAT json) {query}").fetchall()[0][1]
    return [condition for step in json.loads(plan) for condition in _all_pairs(step)]


def _all_pairs(step: dict) -> Iterator[str]:
    condition = str(step["extra_info"].get("Condition", ""))
    compares_all = step["name"] == "BLOCKWISE_NL_JOIN" and min(map(_rows, step["children"])) > _FEW_ROWS
    if compares_all and _EQUAL_COLUMNS.search(condition):
        yield condition
    equal = step["extra_info"].get("Conditions")
    by_flag = step["name"] == "HASH_JOIN" and equal in (_FLAG, [_FLAG])
    if by_flag and not any(map(_is_by_flag, step["children"])) and min(map(_rows, step["children"])) > _FEW_ROWS:
        yield f"{_FLAG} of {' and '.join(f'{_rows(side):,} rows' for side in step['children'])}"
    for side in step["children"]:
        yield from _all_pairs(side)


def _is_by_flag(step: dict) -> bool:
    """Whether a step gives one row for each value of one column, whatever the planner thinks."""
    if step["name"] in ("PROJECTION", "FILTER"):
        return _is_by_flag(step["children"][0])
    if step["name"] == "HASH_JOIN" and step["extra_info"].get("Conditions") in (_FLAG, [_FLAG]):
        return all(map(_is_by_flag, step["children"]))
    return "GROUP_BY" in step["name"] and step["extra_info"].get("Groups") in ("#0", ["#0"])


def _rows(step: dict) -> int:
    """How many rows a step is thought to give; one of which nothing is said, as many as what it is made from."""
    if told := step["extra_info"].get("Estimated Cardinality"):
        return int(told)
    return max(map(_rows, step["children"]), default=0)
