"""Why figures changed: the files behind a release against those behind the last one, by source.

A release keeps in the ledger which files it was made of; the next one tells from them which sources moved and how.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipelines.contracts import TableContract
from pipelines.warehouse import connect

#: The accepted files behind a release.
FILES = pl.Schema(
    {
        "source": pl.String,
        "is_synthetic": pl.Boolean,
        "landing_sha256": pl.String,
        "period": pl.String,
        "source_as_of": pl.Date,
    }
)
#: How a source moved: a file of a period that had one, of one before the newest, of a new one; files that no longer count.
KINDS = ("revised", "late", "new", "withdrawn")
MOVES = pl.Schema(
    {
        "source": pl.String,
        "is_synthetic": pl.Boolean,
        "as_of_before": pl.Date,
        "as_of_after": pl.Date,
        **{f"{kind}_files": pl.Int64 for kind in KINDS},
    }
)
#: Reasons that are no source's.
OWN, NOT_RECORDED = "rules, program or as-of date", "not recorded"

c = pl.col


def held(analysts_db: Path) -> pl.DataFrame:
    """The files (`FILES`) that an analysts' copy is made of."""
    with connect(analysts_db, read_only=True) as connection:
        found = pl.from_arrow(
            connection.execute(
                f"SELECT {', '.join(FILES)} FROM meta.landing_files WHERE status = 'accepted' ORDER BY ALL"
            ).to_arrow_table()
        )
    assert isinstance(found, pl.DataFrame)
    return found.cast(dict(FILES))


def moves(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Sources (`MOVES`) whose files are not the same in both (`FILES`), measured and simulated ones apart."""
    rows = []
    known = pl.concat([before, after]).select("source", "is_synthetic").unique().sort("source", "is_synthetic")
    for source, mark in known.iter_rows():
        old, new = (f.filter(c("source") == source, c("is_synthetic") == mark) for f in (before, after))
        come = new.join(old, on="landing_sha256", how="anti")
        gone = old.join(new, on="landing_sha256", how="anti").height
        if not come.height and not gone:
            continue
        newest = old["source_as_of"].max()
        kinds = come.select(_kind(old).alias("kind"))["kind"].to_list()
        counts = [*(kinds.count(kind) for kind in KINDS[:-1]), gone]
        rows.append((source, mark, newest, new["source_as_of"].max(), *counts))
    return pl.DataFrame(rows, schema=MOVES, orient="row")


def _kind(old: pl.DataFrame) -> pl.Expr:
    """Of a file that came: which of `KINDS` it is beside the old ones. A file without a period stands for its date."""
    period = pl.coalesce(c("period"), c("source_as_of").cast(pl.String))
    told, newest = old.select(period)[:, 0].to_list(), pl.lit(old["source_as_of"].max(), dtype=pl.Date)
    return (
        pl.when(period.is_in(told)).then(pl.lit("revised"))
        .when(c("source_as_of") < newest).then(pl.lit("late"))
        .otherwise(pl.lit("new"))
    )  # fmt: skip


def reason(contract: TableContract, is_synthetic: bool, moved: pl.DataFrame | None) -> str:
    """Why rows of a product changed, for programs: its sources that moved, each with its dates and kinds of files.

    Args:
        moved: None where the last release did not record its files.
    """
    if moved is None:
        return NOT_RECORDED
    own = moved.filter(c("source").is_in(contract.published_from), c("is_synthetic") == is_synthetic)
    told = [
        f"{row['source']} {row['as_of_before'] or '-'} > {row['as_of_after'] or '-'}: "
        + ", ".join(f"{row[f'{kind}_files']} {kind}" for kind in KINDS if row[f"{kind}_files"])
        for row in own.iter_rows(named=True)
    ]
    return "; ".join(told) or OWN


def reasoned(contract: TableContract, changed: pl.DataFrame, moved: pl.DataFrame | None) -> pl.DataFrame:
    """A product's changes (`changes.CHANGE_SCHEMA`), each with the reason of its kind of rows."""
    simulated, measured = (reason(contract, mark, moved) for mark in (True, False))
    return changed.with_columns(
        pl.when(c("key").str.contains("is_synthetic=true", literal=True)).then(pl.lit(simulated)).otherwise(pl.lit(measured))
        .alias("reason")
    )  # fmt: skip
