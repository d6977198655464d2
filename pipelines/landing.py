"""The landing zone: files exactly as received, content-addressed, each with its origin card.

`landing/<source>/<sha256>/<file name>` and `origin.json` beside it. Nothing here is changed or deleted.
A drop folder (the inbox, the committed sample, or any folder given to `--landing`) holds one folder per
source, optionally one folder per period below it, and `origin.yaml` files that say where the files come from.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pipelines import files
from pipelines.errors import AntawasiError, FileRefused
from pipelines.sources import Source, get_source

_PERIOD = re.compile(r"\d{4}(-\d{2})?")
ORIGIN_FILE = "origin.yaml"


@dataclasses.dataclass(frozen=True)
class OriginCard:
    """Where one landing file comes from. Times are UTC; dates are ISO text.

    `period` is the source's own period (YYYY or YYYY-MM) or None for whole-history sources;
    `period_declared` says that the drop folder stated it, so that the content must agree.
    """

    source: str
    filename: str
    sha256: str
    bytes: int
    producer: str
    origin: str
    licence: str
    attribution: str
    period: str | None
    period_declared: bool
    source_as_of: str | None
    retrieved_at: str
    landed_at: str
    is_synthetic: bool

    def path(self, landing: Path) -> Path:
        """The file itself."""
        return landing / self.source / self.sha256 / self.filename

    @property
    def partition(self) -> str | None:
        return get_source(self.source).partition(self.period, self.source_as_of, self.landed_at)


def now_utc() -> str:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def land(
    landing: Path,
    source: Source,
    path: Path,
    *,
    period: str | None = None,
    origin: dict[str, Any] | None = None,
    landed_at: str | None = None,
) -> tuple[OriginCard, bool]:
    """Take one file into landing.

    Args:
        landing: the zone's root.
        source: which source the file is of.
        path: the file as received; it is copied, never moved.
        period: the period that the drop folder states, checked against the content at ingest.
        origin: fields of the origin card that a person knows (producer, origin, licence, attribution,
            source_as_of, retrieved_at, is_synthetic).
        landed_at: UTC time of landing; now by default.

    Returns:
        (card, is_new). The same bytes landed twice are one file with the first card; a card that had no
        `source_as_of` takes it from a second landing that states it.

    Raises:
        FileRefused: not a readable regular file.
    """
    if not path.is_file():
        raise FileRefused(
            "this is a directory" if path.is_dir() else "there is no such file",
            expected="one regular file",
            remedy="give the file itself; a folder of files belongs in the inbox, below its source's name",
            file=path,
        )
    given = dict(origin or {})
    unknown = set(given) - {
        "producer",
        "origin",
        "licence",
        "attribution",
        "source_as_of",
        "retrieved_at",
        "is_synthetic",
    }
    if unknown:
        raise AntawasiError(
            f"{path.name}: the origin card has unknown fields {', '.join(sorted(unknown))}. What to do: see docs, 'origin card'."
        )
    as_of = _iso_date(given.get("source_as_of"), path)
    sha256 = files.sha256_file(path)
    home = landing / source.slug / sha256
    if (home / "origin.json").exists():
        card = read_card(home / "origin.json")
        if card.source_as_of is None and as_of:
            card = dataclasses.replace(card, source_as_of=as_of)
            files.write_json(home / "origin.json", dataclasses.asdict(card))
        return card, False
    sniffed = source.identify_safely(path)
    arrived = landed_at or _arrival(landing, source.slug)
    card = OriginCard(
        source=source.slug,
        filename=path.name,
        sha256=sha256,
        bytes=path.stat().st_size,
        producer=str(given.get("producer") or source.producer),
        origin=str(given.get("origin") or source.url or "handed over by a person"),
        licence=str(given.get("licence") or source.licence),
        attribution=str(given.get("attribution") or source.attribution),
        period=period or sniffed.period,
        period_declared=period is not None,
        source_as_of=as_of or sniffed.source_as_of,
        retrieved_at=str(given.get("retrieved_at") or arrived),
        landed_at=arrived,
        is_synthetic=bool(given.get("is_synthetic", False)),
    )
    with files.atomic_dir(home) as tmp:
        shutil.copyfile(path, tmp / path.name)
        os.chmod(tmp / path.name, 0o444)
        files.write_json(tmp / "origin.json", dataclasses.asdict(card))
    return card, True


#: Landing time of the newest file by zone and source, as far as this process knows.
_NEWEST: dict[tuple[Path, str], str] = {}


def _arrival(landing: Path, slug: str) -> str:
    """Now, or just after the source's newest file where a clock was set back: of two files the later one is to win."""
    if (landing, slug) not in _NEWEST:
        _NEWEST[landing, slug] = max((c.landed_at for c in cards(landing, slug)), default="")
    newest, now = _NEWEST[landing, slug], now_utc()
    if now <= newest:
        now = (dt.datetime.fromisoformat(newest) + dt.timedelta(microseconds=1)).isoformat(timespec="microseconds")
    _NEWEST[landing, slug] = now
    return now


def _iso_date(value: Any, path: Path) -> str | None:
    if value is None:
        return None
    try:
        return dt.date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise AntawasiError(
            f"{path.name}: source_as_of {value!r} is not a date. What to do: write it as YYYY-MM-DD."
        ) from None


def read_card(path: Path) -> OriginCard:
    return OriginCard(**files.read_json(path))


def cards(landing: Path, source: str | None = None) -> list[OriginCard]:
    """Every origin card, by source, then by landing time."""
    found = [read_card(p) for p in landing.glob(f"{source or '*'}/*/origin.json") if not p.parent.name.startswith(".")]
    return sorted(found, key=lambda c: (c.source, c.landed_at, c.sha256))


@dataclasses.dataclass(frozen=True)
class Dropped:
    """One file waiting in a drop folder."""

    source: Source
    path: Path
    period: str | None
    origin: dict[str, Any]


def dropped(folder: Path) -> Iterator[Dropped]:
    """Files of a drop folder: `<source>/[<period>/...]<file>`, in a stable order.

    Raises:
        AntawasiError: the folder is missing, or a folder in it is no source's name.
    """
    if not folder.is_dir():
        raise AntawasiError(f"{folder} is not a folder. What to do: give a folder with one folder per source in it.")
    for source_dir in sorted(folder.iterdir()):
        if source_dir.name.startswith(".") or source_dir.name.lower().startswith("readme"):
            continue
        source = get_source(source_dir.name)  # an unknown name is an error that lists the known ones
        if not source_dir.is_dir():
            raise AntawasiError(
                f"{source_dir} is a file where a source's folder is expected. What to do: make it a folder with the files in it."
            )
        for path in sorted(p for p in source_dir.rglob("*") if p.is_file()):
            if path.name == ORIGIN_FILE or path.name.startswith("."):
                continue
            parts = path.relative_to(source_dir).parts[:-1]
            period = next((part for part in parts if _PERIOD.fullmatch(part)), None)
            yield Dropped(source, path, period, _origin_of(path, source_dir))


def _origin_of(path: Path, source_dir: Path) -> dict[str, Any]:
    """Origin fields of one file: the nearest `origin.yaml`, with its `files:` entry for this name on top."""
    for folder in path.parents:
        card = folder / ORIGIN_FILE
        if card.is_file():
            content = _origin_yaml(card, card.stat().st_mtime_ns)
            shared = {k: v for k, v in content.items() if k != "files"}
            return shared | (content.get("files") or {}).get(path.name, {})
        if folder == source_dir:
            return {}
    return {}


@functools.lru_cache(maxsize=256)
def _origin_yaml(path: Path, _mtime_ns: int) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AntawasiError(
            f"{path}: not valid YAML ({error}). What to do: mend it; see docs, 'origin card'."
        ) from error
    if not isinstance(content, dict):
        raise AntawasiError(
            f"{path}: expected fields such as `source_as_of: 2025-12-02`. What to do: see docs, 'origin card'."
        )
    return content
