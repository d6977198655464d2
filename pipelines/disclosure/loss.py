"""What disclosure control costs, beside the rule of thumb that people apply by hand."""

from __future__ import annotations

import dataclasses

import polars as pl

from pipelines.disclosure.attack import recovered
from pipelines.disclosure.cells import Cells, at_levels
from pipelines.disclosure.sensitivity import COMPLEMENT, FREE

c = pl.col


def by_table(cells: Cells) -> pl.DataFrame:
    """One row per table and rule: table, rule (`LINEAR_PROGRAM`, `PLAIN`), cell_count, hidden_cells_frac, hidden_value_frac
    (of the first measure), recoverable_count (sensitive cells of the whole product that elimination gives away).

    Args:
        cells: as `suppress` gives them.
    """
    parts = []
    for rule, ruled in (("LINEAR_PROGRAM", cells), ("PLAIN", plain(cells))):
        given_away = recovered(ruled).height
        for table in cells.product.tables:
            chosen = at_levels(ruled.frame.filter(c("release").is_null()), table.levels)
            is_hidden = c("status") != FREE
            value = c(cells.product.measures[0])
            parts.append(
                chosen.select(
                    pl.lit(table.name).alias("table"),
                    pl.lit(rule).alias("rule"),
                    pl.len().cast(pl.Int64).alias("cell_count"),
                    is_hidden.mean().alias("hidden_cells_frac"),
                    (value.filter(is_hidden).sum() / value.sum()).alias("hidden_value_frac"),
                    pl.lit(given_away, pl.Int64).alias("recoverable_count"),
                )
            )
    return pl.concat(parts)


def plain(cells: Cells) -> Cells:
    """The same cells under "primary plus one complement per row": where a row has one hidden cell, the next smallest is hidden.

    Every parent's children along one axis are such a row; each is looked at once.
    """
    current = cells.frame.filter(c("release").is_null())
    value = cells.product.measures[0]
    started = current.with_columns(
        pl.when((c("status") == COMPLEMENT) & c("is_published")).then(pl.lit(FREE)).otherwise("status").alias("status")
    )
    past = cells.equations.join(current.select("cell"), on="cell", how="anti")["equation"].implode()
    equations = cells.equations.filter(~c("equation").is_in(past))
    shown = started.filter("is_published").select("cell", "status", value)
    rows = equations.filter(c("coefficient") < 0).join(shown, on="cell")
    alone = rows.filter(((c("status") != FREE).sum().over("equation") == 1) & (c("status") == FREE))
    smallest = alone.sort(value, "cell").unique("equation", keep="first")["cell"].implode()
    status = pl.when((c("status") == FREE) & c("cell").is_in(smallest)).then(pl.lit(COMPLEMENT)).otherwise("status")
    return dataclasses.replace(
        cells,
        frame=started.with_columns(status.alias("status")),
        equations=equations,
        shares=cells.shares.filter(c("cell") < current.height),
    )
