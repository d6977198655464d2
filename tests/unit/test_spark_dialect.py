"""The house's SQL in Spark's words: where the two languages mean otherwise by the same words."""

from __future__ import annotations

import builtins
import re

import pytest

from pipelines.errors import AntawasiError
from pipelines.spark import build, dialect

COLUMNS = {
    "m.sales": {"sale_id": "string", "usd": "decimal(18,2)", "share": "double", "lots": "bigint", "month": "date"},
}


def spark(select: str, rest: str = "") -> str:
    """What becomes of an expression over m.sales, on one line."""
    sql = dialect.to_spark(f"select {select} as x from m.sales {rest}", COLUMNS)[-1][1]
    return re.sub(r"\s+", " ", sql)


def test_a_quotient_is_binary_whatever_it_divides():
    assert "CAST(sales.usd AS DOUBLE) / CAST(sales.lots AS DOUBLE)" in spark("usd / lots")


def test_a_mean_of_decimals_is_binary():
    assert "AVG(CAST(sales.usd AS DOUBLE))" in spark("avg(usd)")


def test_a_whole_number_is_rounded_and_not_cut():
    assert "CAST(ROUND(sales.usd, 0) AS BIGINT)" in spark("cast(usd as bigint)")
    assert "CAST(RINT(sales.share) AS BIGINT)" in spark("cast(share as bigint)")
    assert "RINT(sales.share * sales.usd)" in spark("cast(share * usd as bigint)")
    assert "ROUND" not in spark("cast(lots as bigint)")


def test_a_decimal_of_a_binary_number_is_rounded_as_it_is_in_binary():
    told = spark("cast(share as decimal(18, 2))")
    assert "* 1e2, 0) AS BIGINT) * CAST(0.01 AS DECIMAL(2, 2)) AS DECIMAL(18, 2))" in told
    assert "* 1e6, 0) AS DECIMAL(38, 0))" in spark("cast(share as decimal(28, 6))")
    # exact as it is: no way through binary
    assert "1e" not in spark("cast(usd as decimal(18, 1))")


def test_rounding_to_places_goes_through_binary_for_binary_numbers_alone():
    assert "* 1e3, 0) / 1e3" in spark("round(share, 3)")
    assert "ROUND(sales.usd, 1)" in spark("round(usd, 1)")


def test_nulls_are_left_out_where_duckdb_leaves_them_out():
    assert "ANY_VALUE(sales.usd) IGNORE NULLS" in spark("any_value(usd)")
    assert "CASE WHEN NOT sales.usd IS NULL THEN sales.month END" in spark("arg_max(usd, month)")
    assert "CONCAT_WS('', " in spark("concat(sale_id, '-', usd)")


def test_nulls_come_last_in_every_order():
    assert "ORDER BY sales.usd NULLS LAST" in spark("row_number() over (order by usd)")
    # Spark's own rule where the order is downwards
    assert "ORDER BY sales.usd DESC)" in spark("row_number() over (order by usd desc)")


def test_a_median_of_decimals_is_cut_after_the_last_digit():
    told = spark("median(usd)")
    assert "FLOOR(" in told and "* 1e2" in told and "AS DECIMAL(18, 2))" in told
    assert "FLOOR(" not in spark("median(share)")
    assert "FILTER(WHERE" in spark("median(usd) filter (where lots > 1)")


def test_another_quantile_is_taken_of_binary_numbers_alone():
    assert "PERCENTILE(CAST(sales.share AS DOUBLE), CAST(0.9 AS " in spark("quantile_cont(share, 0.9)")
    assert "PERCENTILE(" in spark("quantile_cont(cast(usd as double), 0.1)")
    assert "PERCENTILE(" in spark("quantile_cont(usd / lots, 0.1)")
    with pytest.raises(AntawasiError, match=r"usd.*of decimals.*as double"):
        spark("quantile_cont(usd, 0.9)")


def test_a_window_that_extends_a_named_one_is_written_out():
    told = spark("row_number() over (w order by usd)", "window w as (partition by month)")
    assert "OVER (PARTITION BY sales.month ORDER BY sales.usd NULLS LAST)" in told


def test_the_tables_of_a_query_are_named_and_working_tables_stand_in_their_schema():
    sql = "with a as (select * from m.sales) select * from a inner join lot_parts on true"
    assert sorted(dialect.tables_of(sql)) == ["m.sales", "working.lot_parts"]


def chained(levels: int) -> str:
    """A query in which every level reads the one before it three times."""
    parts = ["a0 as (select sale_id, usd from m.sales)"]
    for n in range(1, levels + 1):
        joins = (
            f"a{n - 1} as one inner join a{n - 1} as two using (sale_id) inner join a{n - 1} as three using (sale_id)"
        )
        parts.append(f"a{n} as (select one.sale_id, two.usd from {joins})")
    return f"with {', '.join(parts)} select sale_id, usd from a{levels}"


def test_a_query_that_would_be_read_too_often_is_made_in_steps():
    assert len(dialect.to_spark(chained(2), COLUMNS, "model")) == 1
    *steps, (last, query) = dialect.to_spark(chained(5), COLUMNS, "model")
    assert [name for name, _ in steps] == [f"model__a{n}" for n in range(5)]
    assert last is None and "working.model__a4" in query and "m.sales" not in query
    # each reads the working table of the one before and nothing else
    assert all(f"working.model__a{n - 1}" in sql for n, (_, sql) in enumerate(steps) if n)


def test_a_query_without_a_name_for_its_steps_stays_one():
    assert len(dialect.to_spark(chained(5), COLUMNS)) == 1


def test_a_house_without_spark_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    imported = builtins.__import__

    def without(name: str, *rest):
        if name.startswith(("pyspark", "dbt.adapters.spark")):
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(AntawasiError, match="SPARK=1 make setup"):
        build.require_spark()
