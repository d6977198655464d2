"""Rows against their contract: everything that goes in comes out, in exactly one of two places."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import contracts
from pipelines.errors import FileRefused

TABLE = contracts.contract("bcrp_series__observations")
cell = st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["3.387", "n.d.", "3,387", "-1", "1e3", " 2 ", ""]))
day = st.one_of(st.none(), st.dates().map(str), st.text(max_size=10))


def frame(rows):
    return pl.DataFrame(
        [("PD04701XD", "D", period, value, i) for i, (period, value) in enumerate(rows, start=1)],
        schema={
            "series_code": pl.String,
            "frequency_code": pl.String,
            "period_date": pl.String,
            "value": pl.String,
            "_row_number": pl.Int64,
        },
        orient="row",
    )


@given(st.lists(st.tuples(day, cell), max_size=30))
@settings(deadline=None)
def test_rows_in_are_accepted_or_rejected_never_both(rows):
    accepted, rejected = contracts.check_rows(TABLE, frame(rows))
    both = accepted["_row_number"].to_list() + rejected["_row_number"].to_list()
    assert sorted(both) == list(range(1, len(rows) + 1))
    assert dict(accepted.drop("_row_number").schema) == dict(TABLE.schema(lineage=False))


def one(period, value):
    return contracts.check_rows(TABLE, frame([(period, value)]))


@pytest.mark.parametrize(
    ("period", "value", "rule", "column"),
    [
        ("2026-06-31", "3.387", "type", "period_date"),
        (None, "3.387", "required", "period_date"),
        ("2026-06-15", "3,387", "type", "value"),
        ("2026-06-15", "1.234.567,89", "type", "value"),
        ("2026-06-15", "-0.5", "range", "value"),
    ],
)
def test_a_bad_row_is_rejected_with_rule_column_and_what_was_expected(period, value, rule, column):
    accepted, rejected = one(period, value)
    row = rejected.row(0, named=True)
    assert accepted.height == 0
    assert (row["rule"], row["column"], row["_row_number"]) == (rule, column, 1)
    assert "expected" in row["reason"]


def test_spanish_decimals_are_told_to_use_a_point():
    _, rejected = one("2026-06-15", "3,387")
    assert "decimal point" in rejected["reason"][0] and "3,387" in rejected["reason"][0]


def test_the_second_row_of_a_key_is_rejected_and_names_the_first():
    accepted, rejected = contracts.check_rows(
        TABLE, frame([("2026-06-15", "3.1"), ("2026-06-16", "3.2"), ("2026-06-15", "3.3")])
    )
    assert accepted["_row_number"].to_list() == [1, 2]
    assert rejected["rule"].to_list() == ["duplicate"] and "same key as row 1" in rejected["reason"][0]


def test_a_rejected_row_does_not_take_a_sound_rows_key():
    accepted, rejected = contracts.check_rows(TABLE, frame([("2026-06-15", "bad"), ("2026-06-15", "3.3")]))
    assert accepted["_row_number"].to_list() == [2] and rejected["rule"].to_list() == ["type"]


def test_an_unknown_code_stops_the_file_and_names_place_and_remedy():
    rows = frame([("2026-06-15", "3.1")]).with_columns(pl.lit("XX99").alias("series_code"))
    with pytest.raises(FileRefused) as refusal:
        contracts.check_rows(TABLE, rows, "answer.json")
    text = str(refusal.value)
    assert (
        "answer.json" in text and "XX99" in text and "row 1" in text and "series_code" in text and "What to do" in text
    )


def test_a_parsers_own_complaint_is_kept():
    rows = frame([("2026-06-15", "3.1")]).with_columns(pl.lit("width|-|found 3 fields, expected 5").alias("_problem"))
    _, rejected = contracts.check_rows(TABLE, rows)
    assert rejected.row(0, named=True)["rule"] == "width" and "3 fields" in rejected["reason"][0]
