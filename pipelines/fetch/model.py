"""What every publisher module works with: the desk it fetches at, and what it hands over."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines import landing
from pipelines.errors import FileRefused

if TYPE_CHECKING:
    from pipelines.fetch.http import Client, Validators
    from pipelines.landing import OriginCard

LIMA = dt.timezone(dt.timedelta(hours=-5), "Lima")  # no summer time

#: Called with (what is being fetched, done, total or None, unit: "bytes" or "features").
Progress = Callable[[str, int, int | None, str], None]
#: Looks into a file; says why it is not what was asked for, None when it is.
Check = Callable[[Path], str | None]


@dataclasses.dataclass(frozen=True)
class Retrieved:
    """One complete file, checked by its content, ready to land.

    `source_as_of` (YYYY-MM-DD) is set only where the transport tells it and the file does not.
    """

    path: Path
    url: str
    retrieved_at: str
    validators: Validators | None = None
    source_as_of: str | None = None


@dataclasses.dataclass(frozen=True)
class NotModified:
    """The publisher says that the file named so is still the one in landing."""

    filename: str
    url: str


@dataclasses.dataclass(frozen=True)
class Fetched:
    """What became of one address. `card` is the landing file's, old or new."""

    url: str
    status: Literal["landed", "already landed", "not modified"]
    card: OriginCard


@dataclasses.dataclass(frozen=True)
class Desk:
    """Where one publisher's files are fetched.

    Attributes:
        folder: files under way; they leave it for landing.
        known: by file name, the address and version that landing holds already.
        today: the day in Lima, for addresses that carry a period.
    """

    client: Client
    folder: Path
    known: dict[str, tuple[str, Validators]]
    progress: Progress
    today: dt.date

    def download(
        self, url: str, filename: str, *, check: Check, expected: str, max_bytes: int
    ) -> Retrieved | NotModified:
        """Download one file and look into it.

        Raises:
            FetchFailed: the publisher could not be read.
            FileRefused: it answered with something else than `expected`.
        """
        target = self.folder / filename
        known_url, version = self.known.get(filename, (None, None))
        answer = self.client.download(
            url,
            target,
            known=version if known_url == url else None,
            max_bytes=max_bytes,
            on_bytes=lambda done, total: self.progress(filename, done, total, "bytes"),
        )
        if answer is None:
            return NotModified(filename, url)
        if reason := check(target):
            target.unlink()
            received = ", ".join(part for part in (f"status {answer.status}", answer.content_type) if part)
            raise FileRefused(
                f"the answer ({received}) {reason}",
                expected=expected,
                remedy="try again later; if it stays so, open the address in a browser, save the right file "
                "and put it in the inbox below the source's name",
                file=filename,
                place=url,
            )
        return Retrieved(target, url, landing.now_utc(), answer.validators)


@dataclasses.dataclass(frozen=True)
class Publisher:
    """A publisher with a stable public address.

    `collect(desk, address)` yields each file as soon as it is complete, so that what came first is landed
    even if a later request fails.
    """

    slug: str
    address: str
    collect: Callable[[Desk, str], Iterator[Retrieved | NotModified]]
