"""From a drop folder to landing: which files are new, and taking them in. Looks are cheap, hashing is remembered."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from pipelines import files, landing
from pipelines.landing import Dropped, OriginCard

_SEEN = ".seen.json"


@dataclasses.dataclass(frozen=True)
class Intake:
    """One dropped file and its card; `is_new` is False when the same bytes were landed before."""

    dropped: Dropped
    card: OriginCard
    is_new: bool


class _Seen:
    """Files of drop folders that were landed already, by path, size and time of change."""

    def __init__(self, root: Path):
        self._path = root / _SEEN
        self._stamps: dict[str, str] = files.read_json(self._path) if self._path.exists() else {}
        self._changed = False

    @staticmethod
    def _stamp(item: Dropped) -> str:
        stat = item.path.stat()
        return f"{stat.st_size} {stat.st_mtime_ns} {item.period} {sorted(item.origin.items())}"

    def knows(self, item: Dropped) -> bool:
        return self._stamps.get(f"{item.source.slug} {item.path.resolve()}") == self._stamp(item)

    def add(self, item: Dropped) -> None:
        self._stamps[f"{item.source.slug} {item.path.resolve()}"] = self._stamp(item)
        self._changed = True

    def save(self) -> None:
        if self._changed:
            files.write_json(self._path, self._stamps)


def waiting(landing_root: Path, folder: Path, source: str | None = None) -> list[Dropped]:
    """Files of a drop folder that were not landed as they stand now."""
    if not folder.exists():
        return []
    seen = _Seen(landing_root)
    return [d for d in landing.dropped(folder) if (source is None or d.source.slug == source) and not seen.knows(d)]


def take_in(landing_root: Path, items: list[Dropped]) -> Iterator[Intake]:
    """Land each waiting file; what was landed is remembered even when a later one fails."""
    seen = _Seen(landing_root)
    try:
        for item in items:
            card, is_new = landing.land(landing_root, item.source, item.path, period=item.period, origin=item.origin)
            seen.add(item)
            yield Intake(item, card, is_new)
    finally:
        seen.save()
