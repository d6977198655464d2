"""Whole grams and cents as the decimals that files show."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

TONNE, GRAM, _CENT = Decimal("0.000001"), Decimal("0.001"), Decimal("0.01")


def decimal_of(whole: pl.Expr, digits: int, unit: Decimal) -> pl.Expr:
    """Whole grams as decimal kilograms or tonnes with `digits` decimals."""
    return (whole.cast(pl.Decimal(20, max(digits, 3))) * unit).cast(pl.Decimal(20, digits))


def money_of(cents: pl.Expr) -> pl.Expr:
    return (cents.cast(pl.Decimal(18, 2)) * _CENT).cast(pl.Decimal(18, 2))
