"""The ledger in polars: the rules of ledger.sql in lazy frames, collected by the streaming engine; Parquet in, Parquet out.

Lots are whole numbers, codes enums or categoricals, amounts whole numbers; what is read more than once is collected.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from benchmarks._ledger_polars import marts
from benchmarks._ledger_polars import origins as where
from benchmarks._ledger_polars import usual as usually
from benchmarks._ledger_polars.paid import lots_told, paid_on
from benchmarks._ledger_polars.ratios import reference_of
from benchmarks._ledger_polars.shares import booked_on, edges_of, shared, shares_of
from benchmarks._ledger_polars.values import imputed_values, measures_of, transfers


def polars_ledger(folder: Path) -> None:
    """Writes polars/<table>.parquet from inputs/<table>.parquet."""

    def scan(table: str) -> pl.LazyFrame:
        return pl.scan_parquet(folder / "inputs" / f"{table}.parquet")

    def write(table: str, rows: pl.LazyFrame) -> None:
        rows.sink_parquet(folder / "polars" / f"{table}.parquet", mkdir=True, engine="streaming")

    reference = reference_of(
        *(scan(f"reference.{table}") for table in ("ref_imputation_prior", "imputation_levels", "imputation_rules"))
    )
    lots = lots_told(scan)
    paid, lots = paid_on(scan, lots)
    measures = measures_of(scan, lots, reference)
    imputed = imputed_values(scan, paid, measures, reference)
    write("fct_transfer", transfers(paid, imputed))

    edges = edges_of(scan, lots)
    shares = shares_of(scan, lots)
    booked = booked_on(paid, imputed, shares)
    flows = shared(booked.lazy(), shares)

    ends = where.ends_of(scan, measures, edges, shares, reference)
    origins = where.origins_of(measures, ends, shares, booked)
    exported = marts.exported_of(scan, lots, shares)
    missing = where.missing_of(scan, lots, origins, booked, flows, exported)
    situations = where.situations_of(scan, measures, shares, booked)

    usual = usually.usual_cells(scan, situations, booked, edges, reference)
    untold = usually.untold_amounts(scan, situations, booked, ends, missing, usual, reference)
    flows = pl.concat([flows, shared(untold.lazy(), shares)])

    bridge = marts.bridge_of(scan, origins, exported, flows, missing)
    links = marts.links_of(flows)
    write("fct_lot_value_bridge", marts.bridges(bridge))
    write("fct_lot_link_margin", marts.margins_of(links, lots, bridge))
    write("mart_value_chain_margin", marts.chain_of(links, bridge))
