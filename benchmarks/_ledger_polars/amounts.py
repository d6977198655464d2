"""What the polars ledger is written in: its codes, and amounts as whole numbers, exact as DuckDB's decimals are.

Money is in cents or in millionths of a dollar (`_uusd`), mass in grams (a tonne's sixth decimal), ratios and fractions in
millionths (`_ppm`); products of two of them have 128 bits.
"""

from __future__ import annotations

from decimal import Decimal

import polars as pl

c = pl.col

KINDS = (
    "ORE_AT_PIT", "ORE_BETWEEN_COLLECTORS", "ORE_AT_PLANT", "CONCENTRATE", "EXPORT", "HAULAGE", "MILLING", "LABORATORY",
    "BILLER_FEE", "CONCESSION_FEE",
)  # fmt: skip
LINKS = (
    "OPERATOR", "COLLECTOR", "PLANT", "TRADER", "HAULIER", "LABORATORY", "BILLER", "CONCESSION_HOLDER", "ABROAD",
)  # fmt: skip
KIND, LINK = pl.Enum(KINDS), pl.Enum(LINKS)
BASIS = pl.Enum(["observed", "modelled", "imputed"])
LOT_KIND = pl.Enum(["PIT", "LOAD", "PRODUCT", "TAILINGS", "UNACCOUNTED"])
#: Codes whose values the data tell, and the features of cells, which mix them.
CODE = pl.Categorical()

PPM = 10**6


def code(value: str) -> pl.Expr:
    return pl.lit(value, dtype=CODE)


def units(column: str) -> pl.Expr:
    """A decimal column as the whole number of its last places."""
    return c(column).to_physical().cast(pl.Int64)


def wide(amount: pl.Expr) -> pl.Expr:
    return amount.cast(pl.Int128)


def narrow(amount: pl.Expr) -> pl.Expr:
    return amount.cast(pl.Int64)


def rounded(amount: pl.Expr, by: int) -> pl.Expr:
    """`amount / by` as a whole number, halves away from zero."""
    nearest = (amount.abs() + by // 2) // by
    return pl.when(amount < 0).then(0 - nearest).otherwise(nearest)


def part(whole: pl.Expr, share: pl.Expr, total: pl.Expr) -> pl.Expr:
    """`whole * share / total` towards zero; share and total are not negative."""
    size = narrow(wide(whole.abs()) * share // total)
    return pl.when(whole < 0).then(-size).otherwise(size)


def worth_uusd(copper_g: pl.Expr, uusd_per_t: pl.Expr) -> pl.Expr:
    return narrow(rounded(wide(copper_g) * uusd_per_t, PPM))


def double(amount: pl.Expr, scale: int) -> pl.Expr:
    """A decimal's DOUBLE: by way of the decimal, since polars divides a column by one number with its reciprocal."""
    return (amount.cast(pl.Decimal(38, 0)) * pl.lit(Decimal(1).scaleb(-scale))).cast(pl.Float64)


def quotient(over: pl.Expr, under: pl.Expr, scale: int) -> pl.Expr:
    """A quotient of doubles at `scale` decimals; none by zero."""
    return pl.when(under != 0).then(from_double(over / under, scale))


def from_double(value: pl.Expr, scale: int) -> pl.Expr:
    return (value * 10.0**scale).round(mode="half_away_from_zero").cast(pl.Int64)


def decimal(amount: pl.Expr, scale: int) -> pl.Expr:
    """The decimal that so many units of its last place make."""
    return (amount.cast(pl.Decimal(18, 0)) * pl.lit(Decimal(1).scaleb(-scale))).cast(pl.Decimal(18, scale))


def usd(cents: pl.Expr) -> pl.Expr:
    return decimal(cents, 2)


def tonnes(g: pl.Expr) -> pl.Expr:
    return decimal(g, 6)


def total(amount: pl.Expr) -> pl.Expr:
    """A sum as SQL's: none of nothing."""
    return pl.when(amount.count() > 0).then(amount.sum())


def low(ratio_ppm: pl.Expr, base_low: pl.Expr, base_high: pl.Expr) -> pl.Expr:
    return wide(ratio_ppm) * pl.when(ratio_ppm < 0).then(base_high).otherwise(base_low)


def high(ratio_ppm: pl.Expr, base_low: pl.Expr, base_high: pl.Expr) -> pl.Expr:
    return wide(ratio_ppm) * pl.when(ratio_ppm < 0).then(base_low).otherwise(base_high)


#: Products of a ratio and of millionths of a dollar have twelve decimals.
_PRODUCT_PER_CENT = 10**10
#: Bounds are rounded to ten decimals before they are taken outwards to the cent.
_PRODUCT_PER_BOUND, _BOUND_PER_CENT = 10**2, 10**8


def to_cents(product: pl.Expr) -> pl.Expr:
    return narrow(rounded(product, _PRODUCT_PER_CENT))


def low_cents(product: pl.Expr, bound: pl.Expr) -> pl.Expr:
    below = narrow(rounded(bound, _PRODUCT_PER_BOUND) // _BOUND_PER_CENT)
    return pl.min_horizontal(to_cents(product), below)


def high_cents(product: pl.Expr, bound: pl.Expr) -> pl.Expr:
    above = narrow((rounded(bound, _PRODUCT_PER_BOUND) + _BOUND_PER_CENT - 1) // _BOUND_PER_CENT)
    return pl.max_horizontal(to_cents(product), above)
