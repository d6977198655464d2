"""Ratios of what was observed, by cells of up to four features, and the ratios of the finest cell that a row falls in."""

from __future__ import annotations

import dataclasses

import polars as pl

from benchmarks._ledger_polars.amounts import PPM, c, code, double, narrow, quotient, rounded, units, wide

FEATURES = ("feature_1", "feature_2", "feature_3", "feature_4")
_RATIOS = ("low_ppm", "central_ppm", "high_ppm")
#: The decimals of the ratios that cells are counted by.
_RATIO_SCALE = 4
#: Decimals of a threshold times such a ratio.
_BOUND = 10 ** (_RATIO_SCALE + 6)


@dataclasses.dataclass(frozen=True)
class Reference:
    """The rules of imputation: thresholds in millionths, ratios to begin with, and what a cell has to hold."""

    rules_ppm: dict[str, int]
    priors: pl.DataFrame
    levels: pl.DataFrame


def cells(seen: pl.DataFrame, reference: Reference, amount_scale: int) -> pl.DataFrame:
    """Ratios `amount` / `base` of every cell that holds enough of them.

    `base` has six decimals, `amount` has `amount_scale`.
    """
    tail = narrow(wide(c("ratio_count").sum() + 1) * reference.rules_ppm["TAIL_FRAC"] // PPM)
    upto = c("ratio_count").cum_sum()
    cell = ("kind_code", "base_code", "is_synthetic", "cell_level", *FEATURES)
    summed = (
        _counted(seen, amount_scale)
        .lazy()
        .sort("ratio")
        .group_by(cell)
        .agg(
            c("ratio_count").sum().alias("seen_count"),
            tail.alias("tail_count"),
            c("ratio").min().alias("least"),
            c("ratio").max().alias("most"),
            c("ratio").filter(upto >= tail).min().alias("tail_low"),
            c("ratio").filter(upto >= c("ratio_count").sum() - tail + 1).min().alias("tail_high"),
            c("amount").sum(),
            c("base").sum(),
        )
        .with_columns(quotient(double(c("amount"), amount_scale), double(c("base"), 6), 6).alias("central_ppm"))
        .join(reference.priors.lazy(), on=("kind_code", "base_code"), how="left", suffix="_prior")
        .join(reference.levels.lazy(), on=("kind_code", "base_code", "cell_level"), how="left")
        .join(
            reference.levels.lazy().filter(c("kind_code") == "ANY").drop("kind_code"),
            on=("base_code", "cell_level"), how="left", suffix="_of_any",
        )
    )  # fmt: skip
    low_ppm, high_ppm = _bounds_ppm(reference.rules_ppm)
    is_enough = c("seen_count") >= pl.coalesce("least_count", "least_count_of_any")
    return (
        summed.filter((c("cell_level") == 0) | is_enough)
        .select(
            *cell,
            "seen_count",
            "central_ppm",
            low_ppm.alias("low_ppm"),
            high_ppm.alias("high_ppm"),
        )
        .collect(engine="streaming")
    )


def _counted(seen: pl.DataFrame, amount_scale: int) -> pl.DataFrame:
    ratio = quotient(double(c("amount"), amount_scale), double(c("base"), 6), _RATIO_SCALE)
    by = ("kind_code", "base_code", "is_synthetic", "ratio")
    sums = (c("ratio_count").sum(), c("amount").sum(), c("base").sum())
    level = (
        seen.lazy()
        .filter(c("base") > 0, c("amount").is_not_null())
        .with_columns(ratio.alias("ratio"), c("row_weight").cast(pl.Int64).alias("ratio_count"))
        .with_columns(c(FEATURES).fill_null(code("")))
        .group_by(*by, *FEATURES)
        .agg(*sums)
        .collect(engine="streaming")
    )
    levels = [level.with_columns(pl.lit(4).alias("cell_level"))]
    for depth in (3, 2, 1, 0):
        # the coarser ones from the finer ones
        level = level.lazy().group_by(*by, *FEATURES[:depth]).agg(*sums).collect(engine="streaming")
        rest = [code("").alias(feature) for feature in FEATURES[depth:]]
        levels.append(level.with_columns(*rest, pl.lit(depth).alias("cell_level")).select(levels[0].columns))
    return pl.concat(levels)


def _bounds_ppm(rules_ppm: dict[str, int]) -> tuple[pl.Expr, pl.Expr]:
    """At ten decimals until they are rounded: a ratio's four and a threshold's six."""
    scale, zero = 10**_RATIO_SCALE, pl.when(c("least") >= 0).then(pl.lit(0, dtype=pl.Int64))
    least, most = c("least") * PPM, c("most") * PPM
    wider = rules_ppm["WIDENING_FRAC"] * (c("most") - c("least"))
    is_one = (c("least") == c("most")) & (c("cell_level") > 0)

    def bound(tail: str, only: pl.Expr, widened: pl.Expr) -> pl.Expr:
        return pl.when(c("tail_count") >= 1).then(c(tail) * PPM).when(is_one).then(only).otherwise(widened)

    low = bound("tail_low", least, pl.min_horizontal(least - wider, pl.coalesce(c("low_ppm") * scale, least)))
    high = bound("tail_high", most, pl.max_horizontal(most + wider, pl.coalesce(c("high_ppm") * scale, most)))
    outwards = rules_ppm["RATIO_ROUNDING"] * scale
    low = pl.max_horizontal(low - outwards, zero)
    return rounded(low, _BOUND // PPM), rounded(high + outwards, _BOUND // PPM)


def ranged(wanted: pl.LazyFrame, found: pl.DataFrame, reference: Reference) -> pl.LazyFrame:
    """Every row of `wanted` with the ratios of the finest cell that holds it, or those to begin with, and their number."""
    rows = wanted
    for depth in (4, 3, 2, 1, 0):
        keys = ("kind_code", "base_code", "is_synthetic", *FEATURES[:depth])
        level = (
            found.lazy()
            .filter(c("cell_level") == depth)
            .select(*keys, c(*_RATIOS, "seen_count").name.suffix(f"_{depth}"))
        )
        rows = rows.join(level, on=keys, how="left")
    priors = reference.priors.lazy().select("kind_code", "base_code", c(_RATIOS).name.suffix("_prior"))
    rows = rows.join(priors, on=("kind_code", "base_code"), how="left")
    found_in = [f"_{depth}" for depth in (4, 3, 2, 1, 0)]
    return rows.select(
        *wanted.collect_schema().names(),
        *(pl.coalesce(f"{ratio}{at}" for at in [*found_in, "_prior"]).alias(ratio) for ratio in _RATIOS),
        pl.coalesce(*(c(f"seen_count{at}") for at in found_in), 0).alias("ratio_count"),
    )


def reference_of(priors: pl.LazyFrame, levels: pl.LazyFrame, rules: pl.LazyFrame) -> Reference:
    """From the tables of those names."""
    codes = c("kind_code", "base_code").cast(pl.Categorical())
    thresholds = rules.select("rule_code", units("threshold")).collect()
    return Reference(
        dict(thresholds.iter_rows()),
        priors.select(codes, *(units(f"{of}_ratio").alias(f"{of}_ppm") for of in ("low", "central", "high"))).collect(),
        levels.select(codes, c("cell_level").cast(pl.Int32), "least_count").collect(),
    )
