"""Sources: one module each, pure functions from a file to polars frames.

No dagster, no database and no network below this package. A source module offers:

- `SOURCE`: a `Source` that describes it;
- `identify(path)`: its period and as-of date at a glance (`Identified`), raising `FileRefused` when unreadable;
- `parse(path, context)`: an iterator of `Batch`, raising `FileRefused` when the whole file cannot be taken.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.errors import AntawasiError, FileRefused

if TYPE_CHECKING:
    import polars as pl

    from pipelines.identity import Keyer

Period = Literal["year", "month"]

#: Order matters: the taxpayer roll is filtered by the parties that the sources before it mention.
SLUGS = (
    "ubigeo",
    "minem_production",
    "worldbank_pinksheet",
    "bcrp_series",
    "reinfo",
    "sunat_documents",
    "partner_weigh_tickets",
    "partner_assays",
    "partner_settlements",
    "partner_campaigns",
    "partner_exports",
    "partner_contracts",
    "partner_step_events",
    "partner_grievances",
    "partner_trainings",
    "partner_surveys",
    "sunat_ruc",
)


@dataclasses.dataclass(frozen=True)
class Identified:
    """What a glance at a file tells: its period (YYYY or YYYY-MM) and the date that the source carries."""

    period: str | None = None
    source_as_of: str | None = None


@dataclasses.dataclass(frozen=True)
class Context:
    """What a parser may know besides the file.

    `period` is set only when the drop folder declared it; `scope` (the taxpayer roll) is the set of
    identities (`RUC:...`, `DNI:...`) that other sources mention, None for no filter.
    """

    keyer: Keyer
    filename: str
    period: str | None = None
    scope: frozenset[str] | None = None

    def check_period(self, found: str, place: str) -> None:
        """Refuse content of another period than the folder states."""
        if self.period and not found.startswith(self.period):
            raise FileRefused(
                f"the content is of {found}, the folder says {self.period}",
                expected=f"only rows of {self.period}",
                remedy="move the file to the folder of its own period and ingest again",
                file=self.filename,
                place=place,
            )


@dataclasses.dataclass
class Batch:
    """A part of one file, parsed.

    Attributes:
        tables: per raw table a frame with the contract's columns (text, or already typed), `_row_number`,
            and optionally `_verbatim` and `_problem` (see `contracts.check_rows`). Every record read from
            the file is a row of the source's first table, or counted in `out_of_scope`; further tables hold
            parts of those records (the lines of a document) and name their parent in the contract.
        out_of_scope: records left out on purpose (data minimisation), never errors.
    """

    tables: dict[str, pl.DataFrame]
    out_of_scope: int = 0


@dataclasses.dataclass(frozen=True)
class Source:
    """A source's unchanging facts. `group` is its Dagster asset group."""

    slug: str
    group: Literal["registry", "production", "pricing", "intermediary", "reference"]
    period: Period | None
    tables: tuple[str, ...]
    producer: str
    licence: str
    attribution: str
    title_es: str
    url: str | None = None
    scoped: bool = False

    def identify(self, path: Path) -> Identified:
        return self._module().identify(path)

    def identify_safely(self, path: Path) -> Identified:
        """`identify`, but an unreadable file is simply unknown: it is landed all the same and refused at ingest."""
        try:
            return self.identify(path)
        except FileRefused:
            return Identified()

    def partition(self, period: str | None, source_as_of: str | None, landed_at: str) -> str | None:
        """Partition of a file: its period, else the year or month of its date or of its landing; None without periods."""
        if self.period is None:
            return None
        return (period or source_as_of or landed_at)[: 4 if self.period == "year" else 7]

    def parse(self, path: Path, context: Context) -> Iterator[Batch]:
        return self._module().parse(path, context)

    def _module(self):
        return importlib.import_module(f"pipelines.sources.{self.slug}")


@functools.lru_cache(maxsize=1)
def all_sources() -> dict[str, Source]:
    """Every source by slug, in ingest order."""
    return {slug: importlib.import_module(f"pipelines.sources.{slug}").SOURCE for slug in SLUGS}


def get_source(slug: str) -> Source:
    try:
        return all_sources()[slug]
    except KeyError:
        raise AntawasiError(f"{slug!r} is not a source. What to do: use one of {', '.join(SLUGS)}.") from None
