"""World prices and the exchange rate of the simulated sector, a value for every day.

Months that the committed Pink Sheet has keep their real mean; later months follow a geometric Brownian motion
with jumps, and every daily value is simulated around its month's mean and labelled so.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from pipelines.identity import Keyer
from pipelines.settings import SAMPLE_DIR
from pipelines.simulator.dice import Floats, stream
from pipelines.sources import Context, get_source

METALS = {"copper": "Copper", "gold": "Gold", "silver": "Silver"}
_LAST_SHEET = SAMPLE_DIR / "worldbank_pinksheet" / "CMO-Historical-Data-Monthly_2025-12-02.xlsx"


class PriceParameters(BaseModel):
    """See parameters.yaml, section `prices`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    monthly_volatility: dict[str, float]
    monthly_drift: dict[str, float]
    jump_probability: float
    jump_size: float
    daily_noise: float
    pen_per_usd_by_year: dict[int, float]
    pen_daily_noise: float


def world_bank_months(path: Path = _LAST_SHEET) -> pl.DataFrame:
    """Real monthly means as (month, copper US$/t, gold US$/oz, silver US$/oz), newest vintage of the sample."""
    context = Context(keyer=Keyer(b"prices"), filename=path.name)
    frames = [
        frame for batch in get_source("worldbank_pinksheet").parse(path, context) for frame in batch.tables.values()
    ]
    names = {v: k for k, v in METALS.items()}
    return (
        pl.concat(frames)
        .filter(pl.col("commodity_name").is_in(list(names)))
        .with_columns(
            pl.col("commodity_name").replace_strict(names).alias("metal"),
            pl.col("month").str.to_date(),
            pl.col("price").cast(pl.Float64),
        )
        .pivot(on="metal", index="month", values="price")
        .select("month", *METALS)
        .drop_nulls()
        .sort("month")
    )


def daily_prices(p: PriceParameters, seed: int, first: dt.date, last: dt.date) -> pl.DataFrame:
    """One row per calendar day from `first` to `last`.

    Columns: date, copper_usd_per_t, gold_usd_per_oz, silver_usd_per_oz, pen_per_usd, and `month_is_real`: whether
    the month's means are the World Bank's. The days of a month have the month's mean exactly (to rounding).
    """
    days = pl.date_range(first.replace(day=1), last, eager=True).alias("date")
    months = days.dt.truncate("1mo")
    wanted = months.unique().sort()
    real = world_bank_months()
    frame = pl.DataFrame({"date": days, "month": months})
    for metal in METALS:
        means = _monthly(p, seed, metal, real, wanted)
        frame = frame.with_columns(
            _around(means, wanted, months, days, p.daily_noise, seed, f"daily {metal}").round(4).alias(metal)
        )
    fx = np.array([_by_year(p.pen_per_usd_by_year, month.year) for month in wanted])
    return frame.select(
        "date",
        pl.col("copper").alias("copper_usd_per_t"),
        pl.col("gold").alias("gold_usd_per_oz"),
        pl.col("silver").alias("silver_usd_per_oz"),
        _around(fx, wanted, months, days, p.pen_daily_noise, seed, "daily pen").round(4).alias("pen_per_usd"),
        pl.col("month").is_in(real["month"].implode()).alias("month_is_real"),
    )


def _by_year(values: dict[int, float], year: int) -> float:
    """The year's mean; between listed years on the straight line, beyond them the nearest one's."""
    years = sorted(values)
    return float(np.interp(year, years, [values[y] for y in years]))


def _monthly(p: PriceParameters, seed: int, metal: str, real: pl.DataFrame, wanted: pl.Series) -> Floats:
    """Monthly means of `wanted`: real where the sheet has them, then a random walk from the last real one."""
    known = dict(zip(real["month"].to_list(), real[metal].to_list(), strict=True))
    rng, last, means = stream(seed, f"monthly {metal}"), real[metal][-1], []
    for month in wanted.to_list():
        jump = rng.normal(0, p.jump_size) * (rng.random() < p.jump_probability)
        step = np.exp(p.monthly_drift[metal] + rng.normal(0, p.monthly_volatility[metal]) + jump)
        value = known.get(month) or last * step
        if month > real["month"][-1]:
            last = value
        means.append(value)
    return np.array(means)


def _around(
    means: Floats, wanted: pl.Series, months: pl.Series, days: pl.Series, noise: float, seed: int, name: str
) -> pl.Series:
    """A daily path through monthly means: linear between the months' middles, with noise, scaled to each mean."""
    at = months.search_sorted(wanted, side="left").to_numpy()
    ends = np.append(at[1:], len(days))
    position = np.arange(len(days), dtype=float)
    path = np.interp(position, (at + ends - 1) / 2, means)
    path = path * np.exp(np.cumsum(stream(seed, name).normal(0, noise, len(days))) * 0.3)
    for start, end, mean in zip(at, ends, means, strict=True):
        path[start:end] *= mean / path[start:end].mean()
    return pl.Series(path)
