"""What changed between two releases of a product: rows added, removed and revised, by the product's key."""

from __future__ import annotations

import polars as pl

from pipelines.contracts import TableContract

CHANGE_SCHEMA = pl.Schema(
    {
        "product": pl.String,
        "change": pl.String,
        "key": pl.String,
        "column": pl.String,
        "before": pl.String,
        "after": pl.String,
        "reason": pl.String,
    }
)


def compare(contract: TableContract, before: pl.DataFrame | None, after: pl.DataFrame) -> pl.DataFrame:
    """Changes as one row per added or removed key and per revised value (`CHANGE_SCHEMA`), in key order; `reason` is still empty.

    Args:
        before: the product in the previous release; None or other columns mean that everything is new.
    """
    keys = list(contract.key)
    if before is None or not set(keys) <= set(before.columns):
        before = after.clear()
    shared = [c for c in after.columns if c in before.columns and c not in keys]
    left, right = _texts(before, keys, shared), _texts(after, keys, shared)
    joined = left.join(right, on=["key", *keys], how="full", coalesce=True, suffix="_after", nulls_equal=True)
    was, is_now = pl.col("_present").is_not_null(), pl.col("_present_after").is_not_null()
    parts = [
        joined.filter(~was).select(_row(contract, "added")),
        joined.filter(~is_now).select(_row(contract, "removed")),
    ]
    for column in shared:
        differs = was & is_now & pl.col(column).ne_missing(pl.col(f"{column}_after"))
        parts.append(joined.filter(differs).select(_row(contract, "revised", column)))
    return pl.concat(parts).sort("change", "key", "column")


def _texts(frame: pl.DataFrame, keys: list[str], shared: list[str]) -> pl.DataFrame:
    named = pl.concat_str(
        [pl.concat_str(pl.lit(f"{k}="), pl.col(k).cast(pl.String).fill_null("")) for k in keys], separator=","
    )
    return frame.select(
        named.alias("key"), *keys, *(pl.col(c).cast(pl.String) for c in shared), pl.lit(True).alias("_present")
    )


def _row(contract: TableContract, change: str, column: str | None = None) -> list[pl.Expr]:
    return [
        pl.lit(contract.name).alias("product"),
        pl.lit(change).alias("change"),
        pl.col("key"),
        pl.lit(column, dtype=pl.String).alias("column"),
        (pl.col(column) if column else pl.lit(None, dtype=pl.String)).alias("before"),
        (pl.col(f"{column}_after") if column else pl.lit(None, dtype=pl.String)).alias("after"),
        pl.lit(None, dtype=pl.String).alias("reason"),
    ]
