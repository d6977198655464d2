"""What one release tells, as the pages read it: rows of its products, measured and simulated apart, and the default period."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import polars as pl

from pipelines import contracts
from pipelines.publish import extracts

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Edition:
    """A release's version, as-of date, tables, attribution lines, changes against the last release and, where known, the
    sources whose files changed since then (`vintages.MOVES`)."""

    version: str
    as_of: dt.date
    published: dict[str, pl.DataFrame]
    attributions: list[str]
    changes: pl.DataFrame
    moved: pl.DataFrame | None

    @property
    def year(self) -> int:
        """The last full year: what figures show unless they say another period."""
        return self.as_of.year if (self.as_of.month, self.as_of.day) == (12, 31) else self.as_of.year - 1

    def frame(self, product: str) -> pl.DataFrame:
        """A product's rows; none where the release does not hold it."""
        empty = pl.DataFrame(schema=contracts.contract(product).schema(lineage=False))
        return self.published.get(product, empty)

    def rows(self, product: str, is_synthetic: bool, **equal: Any) -> list[Row]:
        """Rows of one kind, in key order, where every named column has its value."""
        frame = self.frame(product).filter(pl.col("is_synthetic") == is_synthetic)
        for column, value in equal.items():
            frame = frame.filter(pl.col(column) == value)
        return frame.to_dicts()

    def has_mark(self, product: str, is_synthetic: bool) -> bool:
        """Whether a product has rows of this kind."""
        return self.is_synthetic(product) if is_synthetic else self.is_measured(product)

    def is_synthetic(self, *products: str) -> bool:
        """Whether any row of these products is simulated."""
        return any(bool(self.frame(product)["is_synthetic"].any()) for product in products)

    def is_measured(self, *products: str) -> bool:
        """Whether any row of these products is measured."""
        return any(not self.frame(product)["is_synthetic"].all() for product in products if self.frame(product).height)


def is_shown(row: Row) -> bool:
    """Whether a row's figures may be read: not hidden by disclosure control."""
    return row.get(extracts.STATUS, extracts.SHOWN) == extracts.SHOWN


def period_to_show(rows: list[Row], default: str, column: str = "period_code") -> str | None:
    """The default period if it has figures to show; else the newest that has, whole years first; else one with hidden rows."""
    shown = {str(row[column]) for row in rows if is_shown(row)}
    held = {str(row[column]) for row in rows}

    def newest(periods: set[str]) -> str:
        return max(periods, key=lambda period: (len(period) == 4, period))

    if default in shown:
        return default
    if shown:
        return newest(shown)
    if default in held:
        return default
    return newest(held) if held else None
