"""How DuckDB plans the joins of models and of their tests.

An outer join with a condition that is no comparison of its two sides is carried out as every row with every row, which a
sample does not feel and a sector of a million lots does for hours.
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
        "and one on both sides as a plain comparison"
    )


def test_a_condition_on_one_side_of_an_outer_join_is_found() -> None:
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE lots AS SELECT range AS lot, NULL::INT AS base FROM range(1000)")
        asked = "SELECT * FROM lots LEFT JOIN lots AS sales ON {} = sales.lot {}"
        assert _crosses(connection, asked.format("lots.lot", "AND lots.base IS NULL"))
        assert not _crosses(connection, asked.format("CASE WHEN lots.base IS NULL THEN lots.lot END", ""))


def _crosses(connection: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    """Conditions of joins that compare all pairs of rows, though they ask for two columns to be equal."""
    plan = connection.execute(f"EXPLAIN (FORMAT json) {query}").fetchall()[0][1]
    return [condition for step in json.loads(plan) for condition in _all_pairs(step)]


def _all_pairs(step: dict) -> Iterator[str]:
    condition = str(step["extra_info"].get("Condition", ""))
    compares_all = step["name"] == "BLOCKWISE_NL_JOIN" and min(map(_rows, step["children"])) > _FEW_ROWS
    if compares_all and _EQUAL_COLUMNS.search(condition):
        yield condition
    for side in step["children"]:
        yield from _all_pairs(side)


def _rows(step: dict) -> int:
    """How many rows a step is thought to give; one of which nothing is said, as many as what it is made from."""
    if told := step["extra_info"].get("Estimated Cardinality"):
        return int(told)
    return max(map(_rows, step["children"]), default=0)
