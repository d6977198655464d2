"""HTTP as publishers really serve it: retries, politeness, conditional requests, downloads that resume.

httpx's own retries cover failed connections only, so answers such as 503 and connections that are cut
in the middle of a body are retried here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import email.utils
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx

from pipelines import files, identity
from pipelines.errors import AntawasiError

USER_AGENT = "Antawasi/0.1 (open data pipeline of Peru's artisanal copper chain)"
MAX_WAIT_S = 300.0  # a publisher that asks for more is left alone until the next run
MAX_BACKOFF_S = 60.0
PROGRESS_BYTES = 1 << 16  # an attempt that advanced this much does not count as a failure

T = TypeVar("T")
#: Called with (bytes so far, total bytes or None).
OnBytes = Callable[[int, int | None], None]


class FetchFailed(AntawasiError):
    """A publisher could not be read; nothing was landed. The message names the address, the answer, the remedy."""

    def __init__(self, url: str, received: str, remedy: str):
        self.url, self.received = url, received
        super().__init__(f"{url}: {received}. What to do: {remedy}.")


class TryAgain(Exception):
    """One attempt failed in a way that another may not. `wait_s` is what the publisher asked for, if it did."""

    def __init__(self, received: str, wait_s: float | None = None):
        self.received, self.wait_s = received, wait_s
        super().__init__(received)


@dataclasses.dataclass(frozen=True)
class Validators:
    """What a server says about the version of a file, kept to ask later whether it changed."""

    etag: str | None = None
    last_modified: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Validators:
        return cls(headers.get("etag"), headers.get("last-modified"))

    @property
    def for_range(self) -> str | None:
        """Value of If-Range: a strong ETag, else the date; None when a part cannot safely be continued."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified

    def conditional(self) -> dict[str, str]:
        """Headers that let the server answer 304 when the file is still this version."""
        given = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in given.items() if value}

    def contradicts(self, other: Validators) -> bool:
        """True when both speak of the same thing and disagree."""
        pairs = ((self.etag, other.etag), (self.last_modified, other.last_modified))
        return any(mine != theirs for mine, theirs in pairs if mine and theirs)


@dataclasses.dataclass(frozen=True)
class Answer:
    """A complete download: its size in bytes, what came with it, and its version."""

    status: int
    content_type: str
    size: int
    validators: Validators


class Client:
    """Asks one publisher, one request at a time.

    Args:
        politeness_s: seconds between the end of one request and the start of the next.
        attempts: failures in a row, without progress, after which a request is given up.
        sleep, jitter: replaced in tests; `jitter` gives numbers in [0, 1).
    """

    def __init__(
        self,
        politeness_s: float = 1.0,
        *,
        attempts: int = 5,
        timeout_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ):
        self._politeness_s, self._attempts = politeness_s, attempts
        self._sleep, self._jitter = sleep, jitter
        self._ended: float | None = None
        self._http = httpx.Client(
            follow_redirects=True,
            max_redirects=5,
            timeout=httpx.Timeout(timeout_s, connect=20.0),
            headers={"User-Agent": USER_AGENT},
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(
        self,
        url: str,
        read: Callable[[bytes, httpx.Response], T],
        *,
        params: dict[str, str] | None = None,
        max_bytes: int = 64 << 20,
    ) -> T:
        """`read(body, response)` of a small answer; `read` raises `TryAgain` for one that should be asked again.

        Raises:
            FetchFailed: no good answer after all attempts, or more than `max_bytes`.
        """

        def attempt() -> T:
            with self._open(url, params=params) as response:
                _expect_status(response, url, {200})
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > max_bytes:
                        raise _too_large(url, max_bytes)
                return read(bytes(body), response)

        return self._persist(url, attempt)

    def download(
        self,
        url: str,
        target: Path,
        *,
        known: Validators | None = None,
        max_bytes: int,
        on_bytes: OnBytes | None = None,
    ) -> Answer | None:
        """Download `url` into `target`; None when the publisher says that the version `known` still stands.

        What arrives is kept beside `target` as `.part` with its version, so that a cut connection, or a
        killed run, continues where it stopped if the publisher supports ranges and the file did not change.

        Raises:
            FetchFailed: given up, or the file is larger than `max_bytes`.
        """
        part = _Part(target)
        best = part.size()

        def attempt() -> Answer | None:
            nonlocal best
            try:
                return self._download_once(url, part, known, max_bytes, on_bytes or (lambda *_: None))
            except TryAgain as again:
                if part.size() >= best + PROGRESS_BYTES:
                    best = part.size()
                    raise _Progressed(again.received, again.wait_s) from again
                raise

        answer = self._persist(url, attempt)
        if answer is not None:
            part.finish()
        return answer

    def _download_once(
        self, url: str, part: _Part, known: Validators | None, max_bytes: int, on_bytes: OnBytes
    ) -> Answer | None:
        done, version, begun_total = part.resume_point(url)
        headers = {"Accept-Encoding": "identity"}  # a range counts the bytes that travel
        if done:
            headers |= {"Range": f"bytes={done}-", "If-Range": version.for_range or ""}
        elif known:
            headers |= known.conditional()
        with self._open(url, headers=headers) as response:
            status, now = response.status_code, Validators.of(response.headers)
            if status == 304 and known and not done:
                part.discard()
                return None
            start, total = _content_range(response)
            if status == 416 and done:
                if total == done and not now.contradicts(version):
                    return Answer(200, "", done, version)  # it was complete before the last run was stopped
                part.discard()
                raise TryAgain("the file on the server is no longer the one begun (status 416)", 0.0)
            _expect_status(response, url, {200, 206} if done else {200})
            if status == 206 and (start != done or now.contradicts(version) or total != (begun_total or total)):
                part.discard()
                raise TryAgain("the file on the server changed during the download", 0.0)
            encoded = response.headers.get("content-encoding", "identity").lower() not in ("", "identity")
            if status == 200:  # a first request, or a server that ignores ranges, or a changed file: from the start
                total = None if encoded else _content_length(response)
                part.begin(url, Validators() if encoded else now, total)
                done, version = 0, now
            if (total or 0) > max_bytes:
                part.discard()
                raise _too_large(url, max_bytes)
            with files.disk_errors(str(part.path)), open(part.path, "ab") as out:
                on_bytes(done, total)
                for chunk in response.iter_bytes() if encoded else response.iter_raw():
                    done += len(chunk)
                    if done > max_bytes:
                        part.discard()
                        raise _too_large(url, max_bytes)
                    out.write(chunk)
                    on_bytes(done, total)
            if total is not None and done != total:
                if done > total:
                    part.discard()
                raise TryAgain(f"{done:,} bytes arrived of {total:,}")
            return Answer(status, response.headers.get("content-type", ""), done, version)

    def _persist(self, url: str, attempt: Callable[[], T]) -> T:
        """Repeat `attempt` until it ends well, waiting longer each time; give up after failures in a row."""
        failures = 0
        while True:
            self._be_polite()
            try:
                return attempt()
            except TryAgain as again:
                failures = 1 if isinstance(again, _Progressed) else failures + 1
                if failures >= self._attempts:
                    raise FetchFailed(
                        url,
                        f"{again.received}; given up after {failures} attempts",
                        "try again later; if it stays so, open the address in a browser, save the file "
                        "and put it in the inbox below the source's name",
                    ) from again
                wait_s = self._backoff(failures) if again.wait_s is None else again.wait_s
                if wait_s > MAX_WAIT_S:
                    raise FetchFailed(
                        url,
                        f"{again.received}, and the publisher asks to wait {wait_s:,.0f} seconds",
                        "run the same command again after that time",
                    ) from again
                self._sleep(wait_s)

    def _backoff(self, failures: int) -> float:
        """Seconds: 1, 2, 4, ... at most `MAX_BACKOFF_S`, each shortened by up to a half at random."""
        return min(2.0 ** (failures - 1), MAX_BACKOFF_S) * (0.5 + self._jitter() / 2)

    def _be_polite(self) -> None:
        if self._ended is not None and (rest := self._politeness_s - (time.monotonic() - self._ended)) > 0:
            self._sleep(rest)

    @contextlib.contextmanager
    def _open(
        self, url: str, *, params: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """A streamed answer whose status is worth looking at; passing troubles become `TryAgain`."""
        try:
            with self._http.stream("GET", url, params=params, headers=headers) as response:
                if response.status_code in (408, 425, 429) or response.status_code >= 500:
                    raise TryAgain(_received(response), _retry_after(response.headers.get("retry-after")))
                yield response
        except httpx.TransportError as error:
            if isinstance(error, httpx.UnsupportedProtocol):
                raise _bad_address(url, error) from error
            raise TryAgain(f"no complete answer ({type(error).__name__}: {error})") from error
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise _bad_address(url, error) from error
        finally:
            self._ended = time.monotonic()


class _Progressed(TryAgain):
    """A failure that brought the download forward."""


class _Part:
    """A download under way: `<target>.part`, and beside it the address and version it is of."""

    def __init__(self, target: Path):
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._card = target.with_name(target.name + ".part.json")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def resume_point(self, url: str) -> tuple[int, Validators, int | None]:
        """(bytes that can be kept, their version, total bytes); zero bytes when the part is of something else."""
        try:
            card: dict[str, Any] = files.read_json(self._card) if self._card.exists() else {}
        except AntawasiError:
            card = {}  # a damaged note about a part costs a download, never a failure
        version = Validators(card.get("etag"), card.get("last_modified"))
        if card.get("url") == url and version.for_range and (size := self.size()):
            return size, version, card.get("total")
        return 0, Validators(), None

    def begin(self, url: str, version: Validators, total: int | None) -> None:
        """Empty the part first, so that old bytes never stand under a new version."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"")
        files.write_json(self._card, {"url": url, "total": total, **dataclasses.asdict(version)})

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self._card.unlink(missing_ok=True)

    def finish(self) -> None:
        files.replace(self.path, self.target)
        self._card.unlink(missing_ok=True)


def first_words(data: bytes, limit: int = 120) -> str:
    """The beginning of an answer as a person reads it: no markup, one line, identities masked."""
    text = data[:4096].decode("utf-8", "replace")
    text = re.sub(r"(?is)<(script|style)\b.*?(</\1>|$)|<[^>]*>", " ", text)
    words = re.sub(r"[\s\x00-\x1f\ufffd]+", " ", text).strip()
    return (identity.mask(words) or "")[:limit]


def _received(response: httpx.Response) -> str:
    """Status and first words of an answer that is not what was asked for."""
    body = b""
    with contextlib.suppress(httpx.RequestError):  # the status is known; the words are a courtesy
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) >= 4096:
                break
    words = first_words(body)
    return f"answered with status {response.status_code}" + (f" ({words!r})" if words else "")


def _expect_status(response: httpx.Response, url: str, expected: set[int]) -> None:
    if response.status_code in expected:
        return
    remedy = {
        401: "the address asks for a password now; look for the publisher's new open address",
        403: "the publisher blocks this machine or this program; open the address in a browser, save the file "
        "and put it in the inbox below the source's name",
        404: "the publisher moved the file; find its new address and correct the module in pipelines/fetch",
        410: "the publisher took the file away; find its new address and correct the module in pipelines/fetch",
    }.get(response.status_code, "open the address in a browser and look at what it answers")
    raise FetchFailed(url, _received(response), remedy)


def _too_large(url: str, max_bytes: int) -> FetchFailed:
    return FetchFailed(
        url,
        f"the answer has more than {max_bytes:,} bytes, the most that is expected here",
        "look at the address in a browser; if the file really grew, raise the limit in its module of pipelines/fetch",
    )


def _content_length(response: httpx.Response) -> int | None:
    text = response.headers.get("content-length", "")
    return int(text) if text.isdigit() else None


def _content_range(response: httpx.Response) -> tuple[int | None, int | None]:
    """(first byte, total bytes) of a Content-Range header, None for what it does not say."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("content-range", "").strip())
    if not match:
        return None, None
    return int(match[1]) if match[1] else None, int(match[2]) if match[2] != "*" else None


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date; None when it says neither."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    when = http_date(value)
    return max((when - dt.datetime.now(dt.UTC)).total_seconds(), 0.0) if when else None


def http_date(value: str | None) -> dt.datetime | None:
    """A header's date (UTC); None when it is none."""
    try:
        when = email.utils.parsedate_to_datetime(value or "")
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=dt.UTC)


def _bad_address(url: str, error: Exception) -> FetchFailed:
    return FetchFailed(
        url,
        f"the address leads nowhere usable ({type(error).__name__}: {error})",
        "open it in a browser, and correct it in its module of pipelines/fetch if the publisher moved",
    )
