"""Survival curves as they are published: steps of too few registrations are merged into the next ones."""

from __future__ import annotations

import polars as pl

from pipelines.disclosure.parameters import parameters

GRID_DAYS = 30
_KEY = ("milestone_code", "curve_code", "is_synthetic")
_SHOWN = {
    "at_risk_count": "at_risk_count", "km_survival_frac": "waiting_frac", "km_lower_frac": "waiting_low_frac",
    "km_upper_frac": "waiting_high_frac", "reached_incidence_frac": "reached_incidence_frac",
    "excluded_incidence_frac": "excluded_incidence_frac",
}  # fmt: skip

c = pl.col


def merged(curves: pl.DataFrame) -> pl.DataFrame:
    """Curves of one stratum on a grid of 30 days: a day is told once as many registrations as a cell needs left since the last
    day told, and while as many are still at risk.

    Args:
        curves: rows of mart_formalization_survival of one stratum.
    """
    least = parameters().least_holdings.value
    rows = []
    for key, curve in sorted(curves.partition_by(*_KEY, as_dict=True).items()):
        ordered = curve.sort("duration_days").with_columns(
            (c("reached_count") + c("excluded_count") + c("withdrawn_count")).cum_sum().alias("left")
        )
        days = (ordered["duration_days"] + GRID_DAYS - 1) // GRID_DAYS * GRID_DAYS
        told = 0
        for row in (
            ordered.with_columns(days.alias("day"))
            .unique("day", keep="last", maintain_order=True)
            .iter_rows(named=True)
        ):
            if row["at_risk_count"] >= least and row["left"] - told >= least:
                told = row["left"]
                shown = {
                    name: round(row[column], 6) if row[column] is not None else None for column, name in _SHOWN.items()
                }
                rows.append(dict(zip(_KEY, key, strict=True)) | {"duration_days": row["day"]} | shown)
    return pl.DataFrame(rows, infer_schema_length=None)
