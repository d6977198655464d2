"""Ratios of what was observed, by cells of up to four features, and the ratios of the finest cell that a row falls in."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks._ledger_pandas.amounts import PPM, code, double, known, pairs, quotient, read, rounded

FEATURES = ["feature_1", "feature_2", "feature_3", "feature_4"]
RATIOS = ["low_ppm", "central_ppm", "high_ppm"]
#: The decimals of the ratios that cells are counted by.
_RATIO_SCALE = 4


@dataclasses.dataclass(frozen=True)
class Reference:
    """The rules of imputation: thresholds in millionths, ratios to begin with, and what a cell has to hold."""

    rules_ppm: dict[str, int]
    priors: pd.DataFrame
    levels: pd.DataFrame


def reference_of(folder: Path) -> Reference:
    rules = pq.read_table(folder / "inputs" / "reference.imputation_rules.parquet").to_pylist()
    names = dict(zip(("low_ratio", "central_ratio", "high_ratio"), RATIOS, strict=True))
    coded = ("kind_code", "base_code")
    return Reference(
        {row["rule_code"]: int(row["threshold"] * PPM) for row in rules},
        read(folder, "reference.ref_imputation_prior", coded, tuple(names)).rename(columns=names),
        read(folder, "reference.imputation_levels", coded, ("cell_level", "least_count")).astype(
            {"cell_level": np.int64}
        ),
    )


def cells(seen: pd.DataFrame, reference: Reference, amount_scale: int) -> pd.DataFrame:
    """Ratios `amount` / `base` of every cell that holds enough of them.

    `base` has six decimals, `amount` has `amount_scale`.
    """
    counted = _counted(seen, amount_scale)
    by = ["kind_code", "base_code", "is_synthetic", "cell_level", *FEATURES]
    cell = counted.groupby(by, sort=False).ngroup().to_numpy()
    order = np.lexsort((counted["ratio"], cell))
    counted, cell = counted.iloc[order], cell[order]
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    ratio, count = counted["ratio"].to_numpy(), counted["ratio_count"].to_numpy()
    seen_count = np.add.reduceat(count, starts)
    upto = np.cumsum(count) - np.repeat(np.cumsum(seen_count) - seen_count, np.diff(starts, append=len(cell)))
    tail = (seen_count + 1) * reference.rules_ppm["TAIL_FRAC"] // PPM
    never = np.iinfo(np.int64).max

    def least(is_in: np.ndarray) -> np.ndarray:
        return np.minimum.reduceat(np.where(is_in, ratio, never), starts)

    found = counted.iloc[starts][by].reset_index(drop=True)
    amount, base = (np.add.reduceat(counted[name].to_numpy(), starts) for name in ("amount", "base"))
    central = quotient(double(amount, amount_scale), double(base, 6), 6)
    found = found.assign(
        seen_count=seen_count, tail=tail, least=np.minimum.reduceat(ratio, starts),
        most=np.maximum.reduceat(ratio, starts),
        tail_low=least(upto >= tail[cell]), tail_high=least(upto >= (seen_count - tail + 1)[cell]),
        central_ppm=central,
    )  # fmt: skip
    found["low_ppm"], found["high_ppm"] = _bounds(found, reference)
    return found[_is_enough(found, reference)].reset_index(drop=True)


def _counted(seen: pd.DataFrame, amount_scale: int) -> pd.DataFrame:
    told = seen[(seen["base"] > 0) & known(seen["amount"])]
    by, sums = ["kind_code", "base_code", "is_synthetic", "ratio"], ["ratio_count", "amount", "base"]
    level = told[["kind_code", "base_code", "is_synthetic"]].assign(
        ratio=quotient(double(told["amount"], amount_scale), double(told["base"], 6), _RATIO_SCALE).astype(np.int64),
        ratio_count=told["row_weight"].astype(np.int64), amount=told["amount"].astype(np.int64),
        base=told["base"].astype(np.int64),
        **{name: np.where(told[name] < 0, code(""), told[name]).astype(np.int32) for name in FEATURES},
    )  # fmt: skip
    levels = []
    for depth in (4, 3, 2, 1, 0):
        # the coarser ones from the finer ones
        level = level.groupby([*by, *FEATURES[:depth]], sort=False)[sums].sum().reset_index()
        rest = dict.fromkeys(FEATURES[depth:], np.int32(code("")))
        levels.append(level.assign(cell_level=depth, **rest))
    return pd.concat(levels, ignore_index=True)


def _bounds(found: pd.DataFrame, reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """At ten decimals until they are rounded: a ratio's four and a threshold's six."""
    _, at = pairs(found, reference.priors, ["kind_code", "base_code"])
    has_prior, at = at >= 0, np.maximum(at, 0)
    least, most = found["least"].to_numpy() * PPM, found["most"].to_numpy() * PPM
    wider = reference.rules_ppm["WIDENING_FRAC"] * (found["most"] - found["least"]).to_numpy()
    outwards = reference.rules_ppm["RATIO_ROUNDING"] * 10**_RATIO_SCALE
    prior_low, prior_high = (
        np.where(has_prior, reference.priors[name].to_numpy()[at] * 10**_RATIO_SCALE, bound)
        for name, bound in (("low_ppm", least), ("high_ppm", most))
    )
    has_tail, is_one = found["tail"] >= 1, (found["least"] == found["most"]) & (found["cell_level"] > 0)
    # where there is no tail its ratios are not wanted, and may be none
    tail_low, tail_high = (np.where(has_tail, found[name], 0) * PPM for name in ("tail_low", "tail_high"))
    low = np.select([has_tail, is_one], [tail_low, least], np.minimum(least - wider, prior_low)) - outwards
    high = np.select([has_tail, is_one], [tail_high, most], np.maximum(most + wider, prior_high)) + outwards
    low = np.where(least >= 0, np.maximum(low, 0), low)
    return rounded(low, 1, 10**_RATIO_SCALE), rounded(high, 1, 10**_RATIO_SCALE)


def _is_enough(found: pd.DataFrame, reference: Reference) -> np.ndarray:
    levels = reference.levels
    _, own = pairs(found, levels, ["kind_code", "base_code", "cell_level"])
    of_any = levels[levels["kind_code"] == code("ANY")]
    _, shared = pairs(found, of_any, ["base_code", "cell_level"])
    least = np.where(
        own >= 0, levels["least_count"].to_numpy()[own],
        np.where(shared >= 0, of_any["least_count"].to_numpy()[shared], np.inf),
    )  # fmt: skip
    return ((found["cell_level"] == 0) | (found["seen_count"] >= least)).to_numpy()


def ranged(wanted: pd.DataFrame, found: pd.DataFrame, reference: Reference) -> pd.DataFrame:
    """Every row of `wanted` with the ratios of the finest cell that holds it, or those to begin with, and their number."""
    _, prior = pairs(wanted, reference.priors, ["kind_code", "base_code"])
    ratios = {name: np.where(prior < 0, np.nan, reference.priors[name].to_numpy()[prior]) for name in RATIOS}
    counts = np.zeros(len(wanted), dtype=np.int64)
    for depth in range(5):
        level = found[found["cell_level"] == depth]
        if level.empty:
            continue
        _, at = pairs(wanted, level, ["kind_code", "base_code", "is_synthetic", *FEATURES[:depth]])
        ratios = {name: np.where(at < 0, values, level[name].to_numpy()[at]) for name, values in ratios.items()}
        counts = np.where(at < 0, counts, level["seen_count"].to_numpy()[at])
    return wanted.reset_index(drop=True).assign(**ratios, ratio_count=counts)
