"""The ledger of every cell ever released: what past releases bind the next one to.

One row per product, release, cell and measure, written when a cell is new or anything about it changed; a row stands until
the cell's next one. It holds the figures of hidden cells too, so it never leaves the house. What it binds to: hidden stays
hidden, what is published cannot be hidden for others' sake, and what two releases tell together is attacked like one.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from pathlib import Path

import polars as pl

from pipelines.disclosure.cells import COORDINATES, Cells, equations_of
from pipelines.disclosure.sensitivity import COMPLEMENT, FREE, SENSITIVE
from pipelines.errors import AntawasiError
from pipelines.files import atomic_path

_FIGURE = pl.Decimal(38, 6)
SCHEMA = pl.Schema(
    {
        "product": pl.String,
        "release": pl.String,
        **dict.fromkeys(COORDINATES, pl.String),
        "is_published": pl.Boolean,
        "status": pl.String,
        "measure": pl.String,
        "value": _FIGURE,
        "public_value": _FIGURE,
        "need_low": _FIGURE,
        "need_up": _FIGURE,
    }
)
#: Reasons beside those of `sensitivity`: sensitive in an earlier release; sensitive now, but told already.
HELD, TOLD_BEFORE = "HELD", "TOLD_BEFORE"
_PARTS = {"value": "", "public_value": "_public", "need_low": "_need_low", "need_up": "_need_up"}

c = pl.col


def read(path: Path) -> pl.DataFrame:
    """The ledger at `path`, empty if there is none yet.

    Raises:
        AntawasiError: the file has other columns.
    """
    if not path.exists():
        return pl.DataFrame(schema=SCHEMA)
    frame = pl.read_parquet(path)
    if frame.schema != SCHEMA:
        raise AntawasiError(
            f"{path.name} is no ledger of released cells: columns {frame.columns}. Expected: {list(SCHEMA)}. "
            "What to do: restore it from the last release; without it nothing may be published."
        )
    return frame


def write(ledger: pl.DataFrame, path: Path) -> None:
    """Replace the ledger at `path`, whole or not at all."""
    with atomic_path(path, mode=0o600) as temporary:
        ledger.write_parquet(temporary, compression="zstd", statistics=False)


def append(ledger: pl.DataFrame, cells: Cells, release: str) -> pl.DataFrame:
    """The ledger with one more release of a product: its cells as `suppress` left them, where anything changed.

    Raises:
        AntawasiError: the release is in the ledger already, or a measure has more than six decimals.
    """
    product, measures = cells.product.name, cells.product.measures
    if ledger.filter(c("product") == product, c("release") == release).height:
        raise AntawasiError(
            f"{product}: release {release} is in the ledger already. Expected: a new one. What to do: publish under the next number."
        )
    if too_fine := [m for m in measures if cells.scales[m] > _FIGURE.scale]:
        raise AntawasiError(
            f"{product}: {', '.join(too_fine)} have more than {_FIGURE.scale} decimals. What to do: round them in SQL."
        )
    now = cells.frame.filter(c("release").is_null())
    states = _states(ledger, cells)
    before = states[-1] if states else _wide(ledger.clear(), cells)
    columns = [*COORDINATES, "is_published", "status", *(m + part for m in measures for part in _PARTS.values())]
    gone = before.join(now, on=COORDINATES, how="anti").with_columns(
        pl.lit(0, pl.Int64).alias(m + part) for m in measures for part in _PARTS.values()
    )
    rows = pl.concat([now.select(columns), gone.select(columns)])
    new = rows.join(before.select(columns), on=columns, how="anti").sort(COORDINATES)
    return pl.concat([ledger, _long(new, cells, release)])


def last_month(ledger: pl.DataFrame, product: str) -> dt.date | None:
    """First day of the last month of the periods that a product has in the ledger; None if it has none."""
    codes = ledger.filter(c("product") == product)["time_code"].unique().to_list()
    ends = [(int(t[:4]), 12 if len(t) == 4 else 3 * int(t[-1]) if "Q" in t else int(t[5:])) for t in codes]
    return dt.date(*max(ends), 1) if ends else None


def carry(cells: Cells, ledger: pl.DataFrame) -> Cells:
    """Assessed cells bound by the past: statuses kept, and past figures that are no longer current as cells of their own.

    A cell that was hidden stays so, with the larger of its protections if it ever was sensitive, also where nothing of it is
    left. A published cell is fixed; it may be hidden only if it is sensitive now and its figure has changed. Past figures
    (`release` says of which) are unknown or known to attackers as they were then; a cell that no late row touched is the
    same unknown in all releases, as an attacker may know that nothing was late there.

    Raises:
        AntawasiError: the ledger has the product with other measures.
    """
    released = set(ledger.filter(c("product") == cells.product.name)["measure"])
    if released and released != set(cells.product.measures):
        raise AntawasiError(
            f"{cells.product.name}: measures {sorted(cells.product.measures)}; the ledger has {sorted(released)}. Expected: the same, "
            "as past releases bind by all of them. What to do: publish the others as a product of their own."
        )
    states = _states(ledger, cells)
    if not states:
        return cells
    cells = _with_emptied(cells, states[-1])
    measures = list(cells.product.measures)
    versions = _versions(states, measures)
    bound = _bound(cells, states[-1], versions)
    past = (
        versions.join(bound, on=[*COORDINATES, *measures], how="anti")
        .sort(*COORDINATES, *measures)
        .with_row_index("number")
        .with_columns((c("number") + bound.height).cast(pl.Int64).alias("cell"))
    )
    frame = pl.concat([bound, _past_rows(past, bound, measures)])
    equations = _all_equations(cells.equations, frame, states, measures)
    return dataclasses.replace(cells, frame=frame, equations=equations, shares=_past_shares(cells, frame, measures))


def _states(ledger: pl.DataFrame, cells: Cells) -> list[pl.DataFrame]:
    """What stood after each past release of the product, oldest first."""
    own = ledger.filter(c("product") == cells.product.name)
    wide, states = _wide(own, cells), []
    for release in own["release"].unique(maintain_order=True):
        rows = wide.filter(c("release") == release)
        if states:
            rows = pl.concat([states[-1].join(rows, on=COORDINATES, how="anti"), rows])
        states.append(rows)
    return states


def _wide(own: pl.DataFrame, cells: Cells) -> pl.DataFrame:
    """One row per release and cell, measures in smallest units; a measure that the ledger does not have is 0."""
    keys = ["release", *COORDINATES, "is_published", "status"]
    wide = own.select(keys).unique(maintain_order=True)
    for m in cells.product.measures:
        figures = own.filter(c("measure") == m).select(
            *keys[:4],
            *((c(part) * 10 ** cells.scales[m]).cast(pl.Int64).alias(m + end) for part, end in _PARTS.items()),
        )
        wide = wide.join(figures, on=keys[:4], how="left", maintain_order="left").with_columns(
            c(m + end).fill_null(0) for end in _PARTS.values()
        )
    return wide


def _long(rows: pl.DataFrame, cells: Cells, release: str) -> pl.DataFrame:
    parts = []
    for m in cells.product.measures:
        scale = cells.scales[m]
        figures = [
            pl.Series(part, [Decimal(v).scaleb(-scale) for v in rows[m + end].to_list()], dtype=_FIGURE)
            for part, end in _PARTS.items()
        ]
        named = rows.select(
            pl.lit(cells.product.name).alias("product"), pl.lit(release).alias("release"), *COORDINATES, "is_published",
            "status", pl.lit(m).alias("measure"),
        )  # fmt: skip
        parts.append(named.with_columns(figures))
    return pl.concat(parts).select(SCHEMA.names()).cast(dict(SCHEMA))


def _with_emptied(cells: Cells, last: pl.DataFrame) -> Cells:
    """Hidden cells of which nothing is left, as rows of zeros: shown as zero they would tell what was taken out."""
    emptied = last.filter(c("status") != FREE).join(cells.frame, on=COORDINATES, how="anti")
    if not emptied.height:
        return cells
    zeros = emptied.select(
        *COORDINATES,
        *(
            {
                "is_published": c("is_published"),
                "status": c("status"),
                "reasons": pl.lit([], pl.List(pl.String)),
                "is_fixed": pl.lit(False),
                "is_told": pl.lit(False),
                "release": pl.lit(None, pl.String),
            }.get(name, pl.lit(0))
            .cast(dtype)
            .alias(name)
            for name, dtype in cells.frame.schema.items()
            if name not in COORDINATES
        ),
    ).select(cells.frame.columns)
    frame = pl.concat([cells.frame, zeros]).sort(COORDINATES)
    frame = frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("cell"))
    before = cells.frame.select("cell", *COORDINATES).join(
        frame.select(c("cell").alias("new"), *COORDINATES), on=COORDINATES
    )
    shares = (
        cells.shares.join(before.select("cell", "new"), on="cell", maintain_order="left")
        .with_columns(c("new").alias("cell"))
        .drop("new")
    )
    return dataclasses.replace(cells, frame=frame, equations=equations_of(frame), shares=shares)


def _versions(states: list[pl.DataFrame], measures: list[str]) -> pl.DataFrame:
    """Every figure that ever stood for a cell: when first, whether it was shown, and its protection."""
    return (
        pl.concat(states)
        .group_by(*COORDINATES, *measures, maintain_order=True)
        .agg(
            c("release").first(),
            pl.when((c("status") == FREE).any()).then(pl.lit(FREE)).when((c("status") == SENSITIVE).any())
            .then(pl.lit(SENSITIVE)).otherwise(pl.lit(COMPLEMENT)).alias("status"),
            *(c(f"{m}_public").max() for m in measures),
            *(c(f"{m}_need_{side}").max() for m in measures for side in ("low", "up")),
        )
    )  # fmt: skip


def _bound(cells: Cells, last: pl.DataFrame, versions: pl.DataFrame) -> pl.DataFrame:
    """The current cells with the status that the past leaves them."""
    measures = cells.product.measures
    stood = last.select(
        *COORDINATES,
        c("status").alias("stood"),
        *(c(f"{m}_need_{s}").alias(f"{m}_was_{s}") for m in measures for s in ("low", "up")),
    )
    told = versions.filter(c("status") == FREE).select(*COORDINATES, *measures, pl.lit(True).alias("was_told"))
    rows = cells.frame.join(stood, on=COORDINATES, how="left", maintain_order="left").join(
        told, on=[*COORDINATES, *measures], how="left", maintain_order="left"
    )
    is_told = c("was_told").fill_null(False)
    is_held = (
        ~is_told & (c("stood") == SENSITIVE).fill_null(False) & ~((c("status") == FREE) & (c("holding_count") == 0))
    )
    is_kept = ~is_told & (c("stood") == COMPLEMENT).fill_null(False) & (c("status") == FREE) & (c("holding_count") > 0)
    added = (
        pl.when(is_told & (c("status") == SENSITIVE)).then(pl.lit([TOLD_BEFORE]))
        .when(is_held & (c("status") != SENSITIVE)).then(pl.lit([HELD]))
        .otherwise(pl.lit([], pl.List(pl.String)))
    )  # fmt: skip
    protections = []
    for m in measures:
        private = c(m) - c(f"{m}_public")
        for side in ("low", "up"):
            largest = pl.max_horizontal(f"{m}_need_{side}", f"{m}_was_{side}")
            held = pl.min_horizontal(largest, private) if side == "low" else largest
            name = f"{m}_need_{side}"
            protections.append(pl.when(is_told).then(0).when(is_held).then(held).otherwise(c(name)).alias(name))
    return rows.with_columns(
        pl.when(is_told).then(pl.lit(FREE)).when(is_held).then(pl.lit(SENSITIVE)).when(is_kept)
        .then(pl.lit(COMPLEMENT)).otherwise("status").alias("status"),
        c("reasons").list.concat(added).alias("reasons"),
        is_told.alias("is_told"),
        (~is_held & ~is_kept & (is_told | (c("is_fixed") | (c("stood") == FREE).fill_null(False)) & (c("status") != SENSITIVE)))
        .alias("is_fixed"),
        *protections,
    ).select(cells.frame.columns)  # fmt: skip


def _past_rows(past: pl.DataFrame, bound: pl.DataFrame, measures: list[str]) -> pl.DataFrame:
    """Past figures in the shape of the current frame."""
    given = {"cell", *COORDINATES, *measures, "release", "status"}
    given |= {m + part for m in measures for part in _PARTS.values()}
    fill = {"is_published": False, "is_fixed": False, "is_told": False, "reasons": []}
    return past.select(
        c(name) if name in given else pl.lit(fill.get(name, 0), dtype).alias(name)
        for name, dtype in bound.schema.items()
    )


def _all_equations(
    current: pl.DataFrame, frame: pl.DataFrame, states: list[pl.DataFrame], measures: list[str]
) -> pl.DataFrame:
    """The current equations and those of past releases that say something else and have an unknown."""
    numbers = frame.select(*COORDINATES, *measures, "cell", (c("status") != FREE).alias("is_open"))
    parts = [current.with_columns(pl.lit(-1).alias("state"))]
    for state, rows in enumerate(states):
        numbered = rows.select(*COORDINATES, *measures).join(numbers, on=[*COORDINATES, *measures])
        equations = equations_of(numbered).join(numbered.select("cell", "is_open"), on="cell")
        parts.append(
            equations.filter(c("is_open").any().over("equation"))
            .drop("is_open")
            .with_columns(pl.lit(state).alias("state"))
        )
    every = pl.concat(parts).sort("state", "equation", "cell")
    told = every.group_by("state", "equation", maintain_order=True).agg(
        (c("cell").cast(pl.String) + ":" + c("coefficient").cast(pl.String)).str.join(" ").alias("says")
    )
    kept = told.unique("says", keep="first", maintain_order=True).with_row_index("number")
    return (
        every.join(kept.select("state", "equation", "number"), on=["state", "equation"])
        .select(c("number").cast(pl.Int64).alias("equation"), "cell", "coefficient")
        .sort("equation", "cell")
    )


def _past_shares(cells: Cells, frame: pl.DataFrame, measures: list[str]) -> pl.DataFrame:
    """Shares of past figures: who is in the cell now was in it then, with at most what it has now."""
    now = frame.filter(c("release").is_null()).select(*COORDINATES, c("cell").alias("current"))
    past = frame.filter(c("release").is_not_null(), c("status") != FREE).select(
        *COORDINATES, c("cell").alias("past"), *((c(m) - c(f"{m}_public")).alias(f"{m}_private") for m in measures)
    )
    pairs = past.join(now, on=COORDINATES).drop(COORDINATES)
    theirs = cells.shares.join(pairs, left_on="cell", right_on="current")
    is_sole = pl.len().over("past") == 1
    copied = theirs.select(
        c("past").alias("cell"),
        "holding",
        *(
            pl.when(is_sole).then(c(f"{m}_private")).otherwise(pl.min_horizontal(m, f"{m}_private")).alias(m)
            for m in measures
        ),
    )
    return pl.concat([cells.shares, copied]).sort(
        "cell", *measures, "holding", descending=[False, *[True] * len(measures), False]
    )
