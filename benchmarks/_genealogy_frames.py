"""The decomposition of lots in polars, pandas and scipy, as genealogy.py compares them: Parquet in, Parquet out.

Nodes are whole numbers in the order of the keys. Lots whose feed is told only in part do not occur here, so the rows that
the model adds for them are left out. Halves are rounded away from zero, as DuckDB does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

c = pl.col


def polars_genealogy(folder: Path) -> None:
    """Level by level with polars' streaming engine; writes polars.parquet."""
    ledger = pl.scan_parquet(folder / "ledger.parquet").select("lot_key", "copper_g").sort("lot_key")
    nodes = ledger.with_row_index("node").collect(engine="streaming")
    keys = nodes.lazy().select("node", "lot_key")
    arcs = (
        pl.scan_parquet(folder / "edges.parquet")
        .join(keys.rename({"node": "from"}), left_on="from_lot_key", right_on="lot_key")
        .join(keys.rename({"node": "to"}), left_on="to_lot_key", right_on="lot_key")
        .select("from", "to", "copper_g")
        .collect(engine="streaming")
    )
    origins = nodes.join(arcs.select("to").unique(), left_on="node", right_on="to", how="anti")
    parts = [origins.select("node", c("node").alias("origin"), "copper_g", pl.lit(1.0).alias("share_frac"))]
    while arcs.height:
        fed = arcs.select("to").unique()
        waiting = arcs.join(fed, left_on="from", right_on="to", how="semi").select("to").unique()
        ready = fed.join(waiting, on="to", how="anti")
        parts.append(_polars_level(arcs.join(ready, on="to", how="semi"), pl.concat(parts), nodes))
        arcs = arcs.join(ready, on="to", how="anti")
    named = (
        pl.concat(parts)
        .lazy()
        .join(keys, on="node")
        .join(keys.rename({"lot_key": "origin_lot_key"}), left_on="origin", right_on="node")
    )
    named.select("lot_key", "origin_lot_key", "copper_g", "share_frac").sink_parquet(folder / "polars.parquet")


def _polars_level(arcs: pl.DataFrame, parts: pl.DataFrame, nodes: pl.DataFrame) -> pl.DataFrame:
    ug = (c("copper_g") * 1e6 * c("share_frac")).round(mode="half_away_from_zero").cast(pl.Int64)
    taken = (
        arcs.lazy()
        .join(parts.lazy().select("node", "origin", "share_frac"), left_on="from", right_on="node")
        .group_by(c("to").alias("node"), "origin")
        .agg(ug.sum().alias("ug"))
    )
    lots = taken.group_by("node").agg(c("ug").sum().alias("total_ug"))
    lots = lots.join(nodes.lazy().select("node", c("copper_g").alias("lot_g")), on="node")
    cut = (
        taken.join(lots, on="node")
        .with_columns((c("ug") / c("total_ug")).alias("share_frac"))
        .with_columns((c("lot_g") * c("share_frac")).floor().cast(pl.Int64).alias("cut_g"))
        .sort("node", "ug", "origin", descending=[False, True, False])
    )
    is_first = c("node").shift(1).ne_missing(c("node"))
    rest = c("lot_g") - c("cut_g").sum().over("node")
    copper = (c("cut_g") + pl.when(is_first).then(rest).otherwise(0)).alias("copper_g")
    return cut.select("node", "origin", copper, "share_frac").collect(engine="streaming")


def pandas_genealogy(folder: Path) -> None:
    """Level by level with merges and grouped sums, nothing row by row; writes pandas.parquet."""
    nodes = pd.read_parquet(folder / "ledger.parquet", columns=["lot_key", "copper_g"])
    nodes = nodes.sort_values("lot_key").reset_index(drop=True)
    at = pd.Series(nodes.index, index=nodes["lot_key"])
    arcs = pd.read_parquet(folder / "edges.parquet", columns=["from_lot_key", "to_lot_key", "copper_g"])
    arcs["from"], arcs["to"] = arcs.pop("from_lot_key").map(at), arcs.pop("to_lot_key").map(at)
    lot_g = nodes["copper_g"].to_numpy()
    origins = np.setdiff1d(nodes.index.to_numpy(), arcs["to"].to_numpy())
    parts = [pd.DataFrame({"node": origins, "origin": origins, "copper_g": lot_g[origins], "share_frac": 1.0})]
    while len(arcs):
        waiting = arcs.loc[arcs["from"].isin(arcs["to"]), "to"]
        is_ready = ~arcs["to"].isin(waiting)
        parts.append(_pandas_level(arcs[is_ready], pd.concat(parts, ignore_index=True), lot_g))
        arcs = arcs[~is_ready]
    named, keys = pd.concat(parts, ignore_index=True), nodes["lot_key"].to_numpy()
    named["lot_key"], named["origin_lot_key"] = keys[named.pop("node")], keys[named.pop("origin")]
    named.to_parquet(folder / "pandas.parquet")


def _pandas_level(arcs: pd.DataFrame, parts: pd.DataFrame, lot_g: np.ndarray) -> pd.DataFrame:
    shared = arcs.merge(parts[["node", "origin", "share_frac"]], left_on="from", right_on="node")
    shared["ug"] = np.floor(shared["copper_g"] * 1e6 * shared["share_frac"] + 0.5).astype(np.int64)
    cut = shared.groupby(["to", "origin"], sort=False)["ug"].sum().reset_index().rename(columns={"to": "node"})
    cut["share_frac"] = cut["ug"] / cut.groupby("node")["ug"].transform("sum")
    cut["copper_g"] = np.floor(lot_g[cut["node"]] * cut["share_frac"]).astype(np.int64)
    cut = cut.sort_values(["node", "ug", "origin"], ascending=[True, False, True])
    is_first = ~cut["node"].duplicated()
    rest = lot_g[cut["node"]] - cut.groupby("node")["copper_g"].transform("sum")
    cut.loc[is_first, "copper_g"] += rest[is_first]
    return cut.drop(columns="ug")


def scipy_shares(folder: Path) -> None:
    """Shares alone: forward substitution of (I - A) S = origins, A lower triangular in levels; writes scipy.parquet."""
    from scipy import sparse

    keys = pd.read_parquet(folder / "ledger.parquet", columns=["lot_key"])["lot_key"].sort_values().to_numpy()
    edges = pd.read_parquet(folder / "edges.parquet", columns=["from_lot_key", "to_lot_key", "copper_g"])
    start, end = np.searchsorted(keys, edges["from_lot_key"]), np.searchsorted(keys, edges["to_lot_key"])
    taken = np.bincount(end, weights=edges["copper_g"], minlength=len(keys))
    size = (len(keys), len(keys))
    feeds = sparse.csr_matrix((edges["copper_g"] / taken[end], (end, start)), shape=size)
    begins = (taken == 0).astype(float)
    step = shares = sparse.diags(begins, format="csr")
    while step.nnz:
        step = feeds @ step
        shares = shares + step
    found = shares.tocoo()
    pl.DataFrame(
        {"lot_key": keys[found.row], "origin_lot_key": keys[found.col], "share_frac": found.data}
    ).write_parquet(folder / "scipy.parquet")
