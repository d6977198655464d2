"""The ledger in polars: the rules of ledger.sql in lazy frames, collected by the streaming engine; Parquet in, Parquet out.

Lots are whole numbers, codes enums or categoricals, amounts whole numbers; what is read more than once is collected.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from benchmarks._ledger_polars_paid import lots_told, paid_on
from benchmarks._ledger_polars_ratios import reference_of
from benchmarks._ledger_polars_values import imputed_values, measures_of, transfers


def polars_ledger(folder: Path) -> None:
    """Writes polars/<table>.parquet from inputs/<table>.parquet."""
    out = folder / "polars"
    out.mkdir(exist_ok=True)

    def scan(table: str) -> pl.LazyFrame:
        return pl.scan_parquet(folder / "inputs" / f"{table}.parquet")

    reference = reference_of(
        *(scan(f"reference.{table}") for table in ("ref_imputation_prior", "imputation_levels", "imputation_rules"))
    )
    lots = lots_told(scan)
    paid, lots = paid_on(scan, lots)
    measures = measures_of(scan, lots, reference)
    imputed = imputed_values(scan, paid, measures, reference)
    transfers(paid, imputed).sink_parquet(out / "fct_transfer.parquet", engine="streaming")
