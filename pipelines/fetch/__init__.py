"""Fetching from publishers with a stable public address, into landing: the only place that uses the network.

A file is downloaded into `<home>/fetch/<source>/`, judged by its content, and landed with its address on the
origin card. What the publisher said about its version is kept in `<home>/fetch/state/<source>.json`, so that
the next fetch can ask whether anything changed.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import files, landing
from pipelines.errors import AntawasiError

if TYPE_CHECKING:
    from pipelines.fetch.model import Fetched, Progress, Publisher
    from pipelines.landing import OriginCard
    from pipelines.settings import Settings
    from pipelines.sources import Source

#: Sources that can be fetched; the others are dropped into the inbox by a person.
SLUGS = ("bcrp_series", "reinfo", "sunat_ruc", "worldbank_pinksheet")


@functools.lru_cache(maxsize=1)
def publishers() -> dict[str, Publisher]:
    """Every publisher by slug. A function, because httpx is loaded only when something is fetched."""
    return {slug: importlib.import_module(f"pipelines.fetch.{slug}").PUBLISHER for slug in SLUGS}


def get_publisher(slug: str) -> Publisher:
    """The publisher of a source.

    Raises:
        AntawasiError: the source has no stable public address.
    """
    if slug not in SLUGS:
        raise AntawasiError(
            f"{slug!r} cannot be fetched. What to do: fetch one of {', '.join(SLUGS)}; "
            "put files of other sources in the inbox below the source's name."
        )
    return publishers()[slug]


def fetch(
    slug: str,
    settings: Settings,
    *,
    progress: Progress | None = None,
    address: str | None = None,
    source: Source | None = None,
    today: dt.date | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Fetched]:
    """Fetch a source's current files into landing.

    Args:
        progress: called with (file, done, total or None, "bytes" or "features").
        address: instead of the publisher's own (a mirror; tests).
        source: instead of the source of that name (tests).
        today: the day until which series are asked for; today in Lima by default.
        sleep: waits between requests and before retries, in seconds.

    Returns:
        One entry an address: landed, already landed (the same bytes), or not modified (says the publisher).

    Raises:
        AntawasiError: not a source that can be fetched, or the publisher could not be read (`FetchFailed`).
        FileRefused: the publisher answered with something else than its data.
        Busy: another process fetches the same source.
    """
    publisher = get_publisher(slug)
    from pipelines.fetch.http import Client
    from pipelines.fetch.model import LIMA, Desk, Fetched, NotModified
    from pipelines.sources import get_source

    source = source or get_source(slug)
    folder = settings.home / "fetch" / slug
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # files under way may name persons
    done: list[Fetched] = []
    with (
        files.lock(folder / ".lock", f"the download of {slug}"),
        Client(settings.http_politeness_s, sleep=sleep) as client,
    ):
        files.sweep_temporaries(folder)
        state = _State(settings.home / "fetch" / "state" / f"{slug}.json", settings.landing / slug)
        desk = Desk(
            client=client,
            folder=folder,
            known=state.known(),
            progress=progress or (lambda *_: None),
            today=today or dt.datetime.now(LIMA).date(),
        )
        for got in publisher.collect(desk, (address or publisher.address).rstrip("/")):
            if isinstance(got, NotModified):
                done.append(Fetched(got.url, "not modified", state.card(got.filename)))
                continue
            origin = {"origin": got.url, "retrieved_at": got.retrieved_at, "source_as_of": got.source_as_of}
            card, is_new = landing.land(settings.landing, source, got.path, origin=origin)
            # Only what is safe in landing may be answered "not modified" next time.
            state.remember(got.path.name, got.url, got.validators, card)
            got.path.unlink()
            done.append(Fetched(got.url, "landed" if is_new else "already landed", card))
    return done


class _State:
    """What is known of a publisher's files: per file name, address, version and the landing file's hash."""

    def __init__(self, path: Path, landed: Path):
        self._path, self._landed = path, landed
        try:
            self._entries: dict[str, dict[str, Any]] = files.read_json(path) if path.exists() else {}
        except AntawasiError:
            self._entries = {}  # a damaged note costs a download, never a failure

    def known(self) -> dict[str, tuple[str, Any]]:
        """By file name (address, validators), of files that are still in landing."""
        from pipelines.fetch.http import Validators

        return {
            name: (entry["url"], Validators(entry.get("etag"), entry.get("last_modified")))
            for name, entry in self._entries.items()
            if (self._landed / entry["sha256"] / "origin.json").exists()
        }

    def card(self, filename: str) -> OriginCard:
        return landing.read_card(self._landed / self._entries[filename]["sha256"] / "origin.json")

    def remember(self, filename: str, url: str, validators: Any, card: OriginCard) -> None:
        version = dataclasses.asdict(validators) if validators else {}
        self._entries[filename] = {"url": url, **version, "sha256": card.sha256}
        files.write_json(self._path, self._entries)
