"""Freshness is of what a source says of itself, not of the download: a stale source fetched today is stale."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from pipelines import contracts
from pipelines.lake import Receipt
from pipelines.sources import Source, all_sources


def freshness(
    source: Source, receipts: Sequence[Receipt], today: dt.date
) -> tuple[dt.date | None, int | None, bool | None]:
    """(newest source date, its age in days, whether that is within twice the expected cadence); None where unknown."""
    dates = [r.source_as_of for r in receipts if r.source == source.slug and r.status == "accepted" and r.source_as_of]
    if not dates:
        return None, None, None
    newest = dt.date.fromisoformat(max(dates))
    cadence = contracts.contract(source.tables[0]).cadence_days
    age = (today - newest).days
    return newest, age, None if cadence is None else age <= 2 * cadence


def stale_sources(receipts: Sequence[Receipt], today: dt.date) -> dict[str, tuple[dt.date, int]]:
    """Sources that are late by their own date: slug → (newest source date, its age in days)."""
    stale = {}
    for slug, source in all_sources().items():
        newest, age, is_fresh = freshness(source, receipts, today)
        if is_fresh is False and newest is not None and age is not None:
            stale[slug] = (newest, age)
    return stale
