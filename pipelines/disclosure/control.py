"""Disclosure control of one product from contributions to what may be published; the release step calls this alone."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Collection, Sequence

import polars as pl

from pipelines.disclosure import attack, cells, ledger, sensitivity, suppress
from pipelines.disclosure.cells import COORDINATES, Cells, Product
from pipelines.disclosure.linear import Coordinates, Relation
from pipelines.errors import PublishRefused

c = pl.col


@dataclasses.dataclass(frozen=True)
class Protected:
    """What a release of a product consists of.

    published: table, coordinates, is_hidden, measures (DECIMAL, null where hidden): one row per table and cell; a cell that has
    no row is a true zero. Why a cell is hidden is not told.
    cells: the same with status, reasons and all figures; stays in the house.
    contributions: those that the figures are made of, to be handed to the next release as `released`.
    held_back: coordinates within which late contributions wait for a later release.
    ledger: with this release.
    """

    published: pl.DataFrame
    cells: Cells
    contributions: pl.DataFrame
    held_back: tuple[Coordinates, ...]
    ledger: pl.DataFrame


def protect(
    product: Product,
    contributions: pl.DataFrame,
    last_month: dt.date,
    release: str,
    past: pl.DataFrame,
    released: pl.DataFrame | None = None,
    waived: Collection[str] = (),
    identities: Callable[[Cells], Sequence[Relation]] = lambda _: (),
) -> Protected:
    """Aggregate, hide, attack; late contributions that cannot be published safely are held back.

    Args:
        contributions, last_month, waived: see `cells.aggregate`.
        past: the ledger (`ledger.read`); `released`: the contributions that the product's last release was made of.
        identities: what attackers know of the cells beside their sums; asked again when contributions are held back.

    Raises:
        CellsRefused: malformed contributions.
        NoPattern: sensitive cells cannot be protected even without late contributions.
        PublishRefused: an attack succeeded all the same.
    """
    held_back: list[Coordinates] = []
    rows = contributions
    while True:
        aggregated = cells.aggregate(product, rows, last_month, waived)
        relations = identities(aggregated)
        try:
            hidden = _hidden(aggregated, past, relations)
            break
        except suppress.NoPattern as failure:
            areas = _to_hold_back(failure, product, rows, past, released)
            held_back += areas
            assert released is not None
            rows = _without_late(rows, released, areas, ledger.last_month(past, product.name))
    findings = attack.audit(hidden, relations)
    if findings:
        told = "; ".join(
            f"{f.geo_code or 'nation'}/{f.time_code}/{f.sex_code or 'all'} {f.measure} {f.attack}" for f in findings[:5]
        )
        raise PublishRefused(
            f"{product.name}: {len(findings)} figures can be worked out from what would be published: {told}. Expected: none. "
            "What to do: publish coarser tables."
        )
    return Protected(published(hidden), hidden, rows, tuple(held_back), ledger.append(past, hidden, release))


def _hidden(aggregated: Cells, past: pl.DataFrame, relations: Sequence[Relation]) -> Cells:
    """Suppressed cells. Totals of the nation stay, unless nothing else protects a sensitive cell: a sector of few parties."""
    try:
        return suppress.suppress(ledger.carry(sensitivity.assess(aggregated), past), relations)
    except suppress.NoPattern:
        return suppress.suppress(ledger.carry(sensitivity.assess(aggregated, national_stays=False), past), relations)


def published(hidden: Cells) -> pl.DataFrame:
    """What may be shown of suppressed cells, see `Protected`."""
    measures = hidden.product.measures
    shown = c("status") == sensitivity.FREE
    tables = [
        cells.at_levels(hidden.frame.filter(c("release").is_null()), table.levels).select(
            pl.lit(table.name).alias("table"),
            *COORDINATES,
            (~shown).alias("is_hidden"),
            *(pl.when(shown).then(c(m)).alias(m) for m in measures),
        )
        for table in hidden.product.tables
    ]
    return cells.to_units(pl.concat(tables), measures, hidden.scales)


def _to_hold_back(
    failure: suppress.NoPattern,
    product: Product,
    rows: pl.DataFrame,
    past: pl.DataFrame,
    released: pl.DataFrame | None,
) -> list[Coordinates]:
    """Where late contributions are to wait: in each cell that cannot be hidden, or else in the least area around it with any."""
    until = ledger.last_month(past, product.name)
    areas: dict[Coordinates, None] = {}
    if released is not None and until is not None:
        for geo, time, _ in failure.cells:
            places, times = (geo, geo[:4], geo[:2], ""), (time, time[:4], "")
            around = dict.fromkeys((place, period, "") for period in times for place in places)
            touched = next((area for area in around if _is_late(rows, released, area, until)), None)
            if touched:
                areas[touched] = None
    if not areas:
        raise failure
    return list(areas)


def _is_late(rows: pl.DataFrame, released: pl.DataFrame, area: Coordinates, until: dt.date) -> bool:
    columns = released.columns
    ours, theirs = (
        frame.filter(_is_in(area), c("month") <= until).select(columns).sort(columns) for frame in (rows, released)
    )
    return not ours.equals(theirs)


def _without_late(
    rows: pl.DataFrame, released: pl.DataFrame, areas: Sequence[Coordinates], until: dt.date | None
) -> pl.DataFrame:
    is_held = pl.any_horizontal(_is_in(area) for area in areas) & (c("month") <= until)
    return pl.concat([rows.filter(~is_held), released.filter(is_held).select(rows.columns)])


def _is_in(area: Coordinates) -> pl.Expr:
    geo, time, _ = area
    within = c("ubigeo_code").str.starts_with(geo)
    if not time:
        return within
    within &= c("month").dt.year() == int(time[:4])
    if "Q" in time:
        return within & (c("month").dt.quarter() == int(time[-1]))
    return within & (c("month").dt.month() == int(time[5:])) if len(time) > 4 else within
