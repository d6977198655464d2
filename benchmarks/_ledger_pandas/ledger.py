"""The ledger in pandas and numpy: the rules of ledger.sql; Parquet in, Parquet out.

Lots are numbered, and what is of a lot is looked up by its number; codes are whole numbers; nothing goes row by row.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks._ledger_pandas import marts
from benchmarks._ledger_pandas import usual as usually
from benchmarks._ledger_pandas.paid import Lots, paid_on
from benchmarks._ledger_pandas.ratios import reference_of
from benchmarks._ledger_pandas.shares import booked_on, edges_of, ends_of, missing_of, origins_of, shared, shares_of
from benchmarks._ledger_pandas.values import imputed_values, measures_of, write_transfers


def pandas_ledger(folder: Path) -> None:
    """Writes pandas/<table>.parquet from inputs/<table>.parquet."""
    reference = reference_of(folder)
    lots = Lots(folder)
    paid = paid_on(folder, lots)
    measures = measures_of(folder, lots, reference)
    imputed = imputed_values(folder, lots, paid, measures, reference)
    write_transfers(folder, paid, imputed)

    edges = edges_of(folder, lots)
    shares = shares_of(folder, lots)
    booked = booked_on(paid, imputed, shares)
    flows = shared(booked, shares)

    ends = ends_of(folder, lots, edges, shares, reference)
    origins = origins_of(measures, ends, shares, booked)
    exported = marts.exported_of(folder, lots, shares)
    missing = missing_of(folder, lots, origins, booked, flows, exported)
    situations = usually.situations_of(folder, lots, measures, shares, booked)

    usual = usually.usual_cells(folder, situations, booked, edges, reference)
    untold = usually.untold_amounts(folder, situations, booked, ends, missing, usual, reference)
    flows = pd.concat([flows, shared(untold, shares)], ignore_index=True)

    bridge = marts.bridge_of(folder, origins, exported, flows, missing)
    links = marts.links_of(flows)
    marts.write_bridge(folder, bridge)
    marts.write_margins(folder, lots, links, bridge)
    marts.write_chain(folder, links, bridge)
