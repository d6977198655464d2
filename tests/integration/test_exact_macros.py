"""Exact arithmetic of the ledger: any size that a lot, a batch or a plant's year can have, against Python's decimals."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

_EXACT = Context(prec=80)


def rounded(value: Decimal, places: int = 0) -> Decimal:
    """Half away from zero."""
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, context=_EXACT)


@pytest.fixture(scope="module")
def solve(rendered):
    """A function from a macro's name and its arguments, (value, type) each, to its result."""
    sql = rendered(
        {
            "copper_cents": "copper_cents('a', 'b')",
            "exact_product": "exact_product('a', 'b')",
            "whole_part": "whole_part('a', 'b', 'c')",
            "whole_cents": "whole_cents('a')",
            "usd_of": "usd_of('a')",
            "tonnes_of": "tonnes_of('a')",
        }
    )
    connection = duckdb.connect(":memory:")

    def result(macro: str, *arguments: tuple[object, str]):
        values = ", ".join(f"CAST(? AS {kind}) AS {name}" for name, (_, kind) in zip("abc", arguments, strict=False))
        row = connection.execute(
            f"SELECT {sql[macro]} FROM (SELECT {values})", [str(v) for v, _ in arguments]
        ).fetchone()
        return row[0]

    yield result
    connection.close()


def decimals(most: int, places: int) -> st.SearchStrategy[Decimal]:
    return st.integers(-(most * 10**places), most * 10**places).map(
        lambda n: Decimal(n).scaleb(-places, context=_EXACT)
    )


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**13), decimals(40_000, 6).map(abs))
def test_copper_of_any_mass_has_its_worth(solve, copper_g, usd_per_t):
    worth = rounded(_EXACT.multiply(_EXACT.multiply(Decimal(copper_g), usd_per_t), Decimal("0.0001")))
    assert solve("copper_cents", (copper_g, "BIGINT"), (usd_per_t, "DECIMAL(18, 6)")) == int(worth)


@settings(max_examples=200, deadline=None)
@given(decimals(10**6, 6), decimals(40_000, 6))
def test_products_are_exact_on_both_sides_of_64_bits(solve, a, b):
    expected = rounded(_EXACT.multiply(a, b), 6)
    assert solve("exact_product", (a, "DECIMAL(18, 6)"), (b, "DECIMAL(18, 6)")) == expected


@settings(max_examples=200, deadline=None)
@given(st.integers(-(10**15), 10**15), st.integers(0, 10**15), st.integers(1, 10**15))
def test_parts_are_exact_on_both_sides_of_64_bits(solve, whole, share, total):
    if share > total:
        share, total = total, share
    if total == 0:
        return
    quotient = abs(whole * share) // total * (1 if whole >= 0 else -1)  # cut towards zero
    assert solve("whole_part", (whole, "BIGINT"), (share, "BIGINT"), (total, "BIGINT")) == quotient


@settings(max_examples=100, deadline=None)
@given(decimals(10**12, 2))
def test_amounts_in_cents_are_whole(solve, usd):
    assert solve("whole_cents", (usd, "DECIMAL(18, 2)")) == int(usd * 100)


@settings(max_examples=200, deadline=None)
@given(st.integers(-(10**18) + 1, 10**18 - 1) | st.integers(-(10**12), 10**12), st.sampled_from(["BIGINT", "HUGEINT"]))
def test_cents_and_grams_are_exact_however_many(solve, whole, kind):
    assert solve("usd_of", (whole, kind)) == Decimal(whole).scaleb(-2, context=_EXACT)
    assert solve("tonnes_of", (whole, kind)) == Decimal(whole).scaleb(-6, context=_EXACT)


@pytest.mark.parametrize("whole", [0, 1, -1, 10**12, 10**12 - 1, 10**16, 10**16 - 1, -(10**16)])
def test_cents_and_grams_are_exact_where_the_way_changes(solve, whole):
    assert solve("usd_of", (whole, "BIGINT")) == Decimal(whole).scaleb(-2, context=_EXACT)
    assert solve("tonnes_of", (whole, "BIGINT")) == Decimal(whole).scaleb(-6, context=_EXACT)
