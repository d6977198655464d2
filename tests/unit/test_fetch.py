"""Fetching, against a server on loopback that misbehaves as the publishers' servers do."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import random
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipelines import files, landing
from pipelines.errors import AntawasiError, Busy, FileRefused
from pipelines.fetch import SLUGS, fetch, get_publisher
from pipelines.fetch.content import begins_with
from pipelines.fetch.http import Client, FetchFailed, Validators, first_words
from pipelines.fetch.worldbank_pinksheet import find_link
from pipelines.settings import Settings
from pipelines.sources import Identified, Source

FIXTURES = Path(__file__).parents[1] / "fixtures" / "fetch"
LIMIT = 64 << 20
TODAY = dt.date(2026, 11, 20)
MODIFIED = "Thu, 05 Nov 2026 03:15:00 GMT"  # still 4 November in Lima

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site(ThreadingHTTPServer):
    """A server whose n-th request to a path gets the n-th answer set for it; the last answer repeats."""

    daemon_threads = True

    def __init__(self):
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def on(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def headers_of(self, number: int) -> dict[str, str]:
        return self.asked[number][1]

    def handle_error(self, request, client_address):
        """A client that hangs up is part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.server.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        answers = self.server.answers.get(path, [say(b"no such page", status=404)])
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, *_: object) -> None:
        pass


def say(data: bytes, status: int = 200, content_type: str = "text/html", **headers: str) -> Answer:
    """One plain answer; header names with underscores for hyphens."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        if status != 304:
            handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.flush()
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def serve(
    data: bytes,
    *,
    etag: str | None = '"v1"',
    modified: str | None = MODIFIED,
    cut_after: int | None = None,
    ranges: bool = True,
    if_range: bool = True,
    content_type: str = "application/octet-stream",
) -> Answer:
    """A file as a web server offers it: conditional requests and ranges; optionally cut after some bytes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers
        if etag and asked["If-None-Match"] == etag:
            say(b"", status=304)(handler)
            return
        start = 0
        if ranges and asked["Range"] and (not if_range or asked["If-Range"] in (etag, modified)):
            start = int(asked["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(data):
                version = {"ETag": etag} if etag else {}
                say(b"", status=416, Content_Range=f"bytes */{len(data)}", **version)(handler)
                return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        for name, value in (("ETag", etag), ("Last-Modified", modified), ("Content-Type", content_type)):
            if value:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        handler.wfile.write(data[start:] if cut_after is None else data[start : start + cut_after])
        if cut_after is not None:
            hang_up(handler)

    return answer


def chunked(data: bytes, *, complete: bool) -> Answer:
    """An answer without a length; when it is not complete the last chunk never comes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n" + (b"0\r\n\r\n" if complete else b""))
        if not complete:
            hang_up(handler)

    return answer


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()


class Waits(list):
    """Stands in for `time.sleep`: remembers the seconds and returns at once."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def client(waits: Waits) -> Iterator[Client]:
    with Client(0, sleep=waits, jitter=lambda: 1.0) as made:
        yield made


def body(data: bytes, _response: object) -> bytes:
    return data


class TestRetries:
    def test_server_errors_are_retried_with_growing_waits(self, site: Site, client: Client, waits: Waits):
        url = site.on("/x", *[say(b"oops", status=500)] * 3, say(b"fine"))
        assert client.get(url, body) == b"fine"
        assert waits == [1.0, 2.0, 4.0]

    def test_jitter_shortens_a_wait_by_up_to_a_half(self, site: Site, waits: Waits):
        url = site.on("/x", say(b"", status=503), say(b"fine"))
        with Client(0, sleep=waits, jitter=lambda: 0.0) as client:
            client.get(url, body)
        assert waits == [0.5]

    def test_gives_up_saying_what_came_and_what_to_do(self, site: Site, client: Client):
        url = site.on("/x", say(b"<html><body><h1>Mantenimiento</h1> hasta las 6</body></html>", status=503))
        with pytest.raises(FetchFailed) as failed:
            client.get(url, body)
        assert len(site.asked) == 5
        for part in (url, "status 503", "Mantenimiento hasta las 6", "5 attempts", "What to do", "inbox"):
            assert part in str(failed.value)

    def test_a_missing_page_is_not_asked_for_twice(self, site: Site, client: Client, waits: Waits):
        with pytest.raises(FetchFailed, match=r"status 404.*no such page.*moved"):
            client.get(site.url("/gone"), body)
        assert len(site.asked) == 1 and not waits

    def test_retry_after_is_obeyed(self, site: Site, client: Client, waits: Waits):
        long_ago = "Wed, 01 Jan 2020 00:00:00 GMT"
        url = site.on("/x", say(b"", 429, Retry_After="7"), say(b"", 503, Retry_After=long_ago), say(b"fine"))
        assert client.get(url, body) == b"fine"
        assert waits == [7.0, 0.0]

    def test_a_publisher_that_asks_for_an_hour_is_left_alone(self, site: Site, client: Client, waits: Waits):
        url = site.on("/x", say(b"", status=429, Retry_After="3600"))
        with pytest.raises(FetchFailed, match="wait 3,600 seconds"):
            client.get(url, body)
        assert len(site.asked) == 1 and not waits

    def test_nobody_listening(self, client: Client, waits: Waits):
        with socket.socket() as taken:  # bound, but not listening: connections are refused
            taken.bind(("127.0.0.1", 0))
            with pytest.raises(FetchFailed, match="ConnectError"):
                client.get(f"http://127.0.0.1:{taken.getsockname()[1]}/", body)
        assert len(waits) == 4

    def test_a_cut_answer_is_asked_for_again(self, site: Site, client: Client):
        url = site.on("/x", serve(b"a" * 100, cut_after=10), chunked(b"half", complete=False), say(b"whole"))
        assert client.get(url, body) == b"whole"

    def test_pauses_between_requests_and_names_itself(self, site: Site, waits: Waits):
        url = site.on("/x", say(b"fine"))
        with Client(1000, sleep=waits) as client:
            client.get(url, body)
            assert not waits
            client.get(url, body)
        assert len(waits) == 1 and 0 < waits[0] <= 1000
        assert site.headers_of(0)["user-agent"].startswith("Antawasi/")

    @pytest.mark.parametrize("answer", [say(b"x" * 2000), chunked(b"x" * 2000, complete=True)])
    def test_an_answer_that_is_too_large_is_refused(self, site: Site, client: Client, answer: Answer):
        with pytest.raises(FetchFailed, match="more than 1,000 bytes"):
            client.get(site.on("/x", answer), body, max_bytes=1000)

    def test_a_redirect_to_another_kind_of_address_is_no_place_to_go(self, site: Site, client: Client, waits: Waits):
        url = site.on("/x", say(b"", status=302, Location="ftp://127.0.0.1/x"))
        with pytest.raises(FetchFailed, match="leads nowhere"):
            client.get(url, body)
        assert not waits


class TestDownload:
    DATA = bytes(range(256)) * 40

    def take(self, client: Client, url: str, target: Path, **options) -> bytes:
        assert client.download(url, target, **{"max_bytes": LIMIT} | options)
        assert [p.name for p in target.parent.iterdir()] == [target.name], "parts are left behind"
        return target.read_bytes()

    def test_a_cut_connection_is_continued(self, site: Site, client: Client, tmp_path: Path):
        url = site.on("/f", serve(self.DATA, cut_after=4000), serve(self.DATA, cut_after=100), serve(self.DATA))
        seen: list[tuple[int, int | None]] = []
        assert self.take(client, url, tmp_path / "f", on_bytes=lambda *at: seen.append(at)) == self.DATA
        assert [site.headers_of(i).get("range") for i in range(3)] == [None, "bytes=4000-", "bytes=4100-"]
        assert site.headers_of(1)["if-range"] == '"v1"'
        assert seen[-1] == (len(self.DATA), len(self.DATA))

    @pytest.mark.parametrize("etag", [None, 'W/"weak"'])
    def test_without_a_strong_etag_the_date_guards_the_continuation(
        self, site: Site, client: Client, tmp_path: Path, etag: str | None
    ):
        url = site.on("/f", serve(self.DATA, etag=etag, cut_after=4000), serve(self.DATA, etag=etag))
        assert self.take(client, url, tmp_path / "f") == self.DATA
        assert site.headers_of(1)["range"] == "bytes=4000-" and site.headers_of(1)["if-range"] == MODIFIED

    def test_without_any_version_it_begins_again(self, site: Site, client: Client, tmp_path: Path):
        nameless = {"etag": None, "modified": None}
        url = site.on("/f", serve(self.DATA, cut_after=4000, **nameless), serve(self.DATA, **nameless))
        assert self.take(client, url, tmp_path / "f") == self.DATA
        assert "range" not in site.headers_of(1)

    def test_a_server_that_ignores_ranges(self, site: Site, client: Client, tmp_path: Path):
        url = site.on("/f", serve(self.DATA, cut_after=4000), serve(self.DATA, ranges=False))
        assert self.take(client, url, tmp_path / "f") == self.DATA

    @pytest.mark.parametrize("if_range", [True, False])
    @pytest.mark.parametrize("etag", ['"v2"', None])
    def test_a_file_that_changes_meanwhile(
        self, site: Site, client: Client, tmp_path: Path, if_range: bool, etag: str | None
    ):
        """Also from a server that neither heeds If-Range nor names versions: the length gives it away."""
        new = b"n" * 9000
        changed = serve(new, etag=etag, modified=None, if_range=if_range)
        url = site.on("/f", serve(self.DATA, cut_after=4000), changed, changed)
        assert self.take(client, url, tmp_path / "f") == new

    @pytest.mark.parametrize("begun", [4000, len(DATA)])
    def test_a_change_that_keeps_the_length(self, site: Site, client: Client, tmp_path: Path, begun: int):
        """The server does not heed If-Range; the version that it names gives the change away."""
        new = self.DATA[::-1]
        url = site.on("/f", serve(new, etag='"v2"', if_range=False))
        (tmp_path / "f.part").write_bytes(self.DATA[:begun])
        files.write_json(tmp_path / "f.part.json", {"url": url, "total": len(self.DATA), "etag": '"v1"'})
        assert self.take(client, url, tmp_path / "f") == new

    def test_a_server_that_continues_at_another_place(self, site: Site, client: Client, tmp_path: Path):
        last_part = f"bytes 5000-{len(self.DATA) - 1}/{len(self.DATA)}"
        other_place = say(self.DATA[5000:], status=206, Content_Range=last_part, ETag='"v1"')
        url = site.on("/f", serve(self.DATA, cut_after=4000), other_place, serve(self.DATA))
        assert self.take(client, url, tmp_path / "f") == self.DATA
        assert "range" not in site.headers_of(2)

    def test_a_later_run_continues_a_killed_one(self, site: Site, client: Client, waits: Waits, tmp_path: Path):
        url = site.on("/f", serve(self.DATA, cut_after=100))
        with Client(0, attempts=1, sleep=waits) as killed, pytest.raises(FetchFailed):
            killed.download(url, tmp_path / "f", max_bytes=LIMIT)
        site.on("/f", serve(self.DATA))
        assert self.take(client, url, tmp_path / "f") == self.DATA
        assert site.headers_of(1)["range"] == "bytes=100-"

    def test_a_part_of_another_address_is_not_continued(self, site: Site, client: Client, tmp_path: Path):
        with Client(0, attempts=1, sleep=Waits()) as killed, pytest.raises(FetchFailed):
            killed.download(site.on("/old", serve(self.DATA, cut_after=100)), tmp_path / "f", max_bytes=LIMIT)
        other = self.DATA[::-1]
        assert self.take(client, site.on("/new", serve(other)), tmp_path / "f") == other

    def test_killed_after_the_last_byte(self, site: Site, client: Client, tmp_path: Path):
        url = site.on("/f", serve(self.DATA))
        (tmp_path / "f.part").write_bytes(self.DATA)
        files.write_json(tmp_path / "f.part.json", {"url": url, "total": len(self.DATA), "etag": '"v1"'})
        assert self.take(client, url, tmp_path / "f") == self.DATA
        assert len(site.asked) == 1, "nothing was sent again"

    def test_a_part_longer_than_the_file_is_dropped(self, site: Site, client: Client, tmp_path: Path):
        url = site.on("/f", serve(self.DATA))
        (tmp_path / "f.part").write_bytes(self.DATA + b"!")
        files.write_json(tmp_path / "f.part.json", {"url": url, "etag": '"v1"'})
        assert self.take(client, url, tmp_path / "f") == self.DATA

    def test_a_damaged_note_about_a_part_costs_a_download_only(self, site: Site, client: Client, tmp_path: Path):
        (tmp_path / "f.part").write_bytes(b"junk")
        (tmp_path / "f.part.json").write_text("{")
        assert self.take(client, site.on("/f", serve(self.DATA)), tmp_path / "f") == self.DATA

    def test_progress_is_not_counted_as_failure(self, site: Site, waits: Waits, tmp_path: Path):
        data = b"0123456789abcdef" * (1 << 15)
        cut = serve(data, cut_after=len(data) // 7)
        url = site.on("/f", *[cut] * 7, serve(data))
        with Client(0, attempts=2, sleep=waits) as client:
            assert self.take(client, url, tmp_path / "f") == data

    def test_always_cut_at_the_same_place_without_ranges_ends(self, site: Site, client: Client, tmp_path: Path):
        data = b"x" * (1 << 20)
        url = site.on("/f", serve(data, ranges=False, cut_after=1 << 19))
        with pytest.raises(FetchFailed, match="no complete answer"):
            client.download(url, tmp_path / "f", max_bytes=LIMIT)

    @pytest.mark.parametrize("answer", [serve(b"x" * 2000), chunked(b"x" * 2000, complete=True)])
    def test_too_large_leaves_nothing_behind(self, site: Site, client: Client, tmp_path: Path, answer: Answer):
        with pytest.raises(FetchFailed, match="more than 1,000 bytes"):
            client.download(site.on("/f", answer), tmp_path / "f", max_bytes=1000)
        assert not list(tmp_path.iterdir())

    def test_not_modified(self, site: Site, client: Client, tmp_path: Path):
        url = site.on("/f", serve(self.DATA))
        assert client.download(url, tmp_path / "f", known=Validators('"v1"', MODIFIED), max_bytes=LIMIT) is None
        assert site.headers_of(0)["if-modified-since"] == MODIFIED
        assert not list(tmp_path.iterdir())

    def test_an_answer_packed_against_our_wish_is_unpacked(self, site: Site, client: Client, tmp_path: Path):
        url = site.on("/f", say(gzip.compress(self.DATA), Content_Encoding="gzip", ETag='"v1"'))
        assert self.take(client, url, tmp_path / "f") == self.DATA
        assert site.headers_of(0)["accept-encoding"] == "identity"

    def test_a_packed_answer_is_never_continued(self, site: Site, client: Client, tmp_path: Path):
        """A range would count packed bytes, the part on disk holds unpacked ones."""
        data = random.Random(1).randbytes(20_000)
        packed = gzip.compress(data)

        def cut(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            for name, value in (("Content-Encoding", "gzip"), ("ETag", '"v1"'), ("Content-Length", str(len(packed)))):
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(packed[:15_000])
            hang_up(handler)

        assert self.take(client, site.on("/f", cut, serve(data)), tmp_path / "f") == data
        assert "range" not in site.headers_of(1)

    @hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        data=st.binary(min_size=1, max_size=3000),
        troubles=st.lists(
            st.one_of(st.sampled_from(["500", "429", "no ranges", "change"]), st.integers(min_value=0, max_value=3000)),
            max_size=8,
        ),
    )
    def test_whatever_happens_the_file_is_one_version_whole(
        self, site: Site, tmp_path: Path, data: bytes, troubles: list[str | int]
    ):
        versions, answers = [data], []
        for trouble in troubles:
            version = {"etag": f'"v{len(versions)}"', "modified": None}
            if trouble == "change":
                versions.append(versions[-1][::-1] + b"+")
            elif isinstance(trouble, int):
                answers.append(serve(versions[-1], cut_after=min(trouble, len(versions[-1]) - 1), **version))
            elif trouble == "no ranges":
                half = len(versions[-1]) // 2
                answers.append(serve(versions[-1], ranges=False, cut_after=half, **version))
            else:
                answers.append(say(b"later", status=int(trouble)))
        answers.append(serve(versions[-1], etag=f'"v{len(versions)}"', modified=None))
        target = tmp_path / "f"
        with Client(0, attempts=20, sleep=Waits()) as client:
            got = self.take(client, site.on("/f", *answers), target)
        assert got in versions  # an older one, if it was complete before the change


class FakeSource(Source):
    """A source that can be landed without its module."""

    def identify(self, path: Path) -> Identified:
        return Identified()


def source(slug: str) -> Source:
    return FakeSource(slug, "reference", None, (), "producer", "licence", "attribution", "título")


class House:
    """Fetches one source from the site into a home below `tmp_path`."""

    def __init__(self, tmp_path: Path, slug: str, path: str, site: Site):
        self.settings = Settings(home=tmp_path, http_politeness_s=0)
        self.slug, self.address, self.waits = slug, site.url(path), Waits()

    def fetch(self, **options):
        options = {"address": self.address, "source": source(self.slug), "today": TODAY, "sleep": self.waits} | options
        return fetch(self.slug, self.settings, **options)

    def landed(self) -> list[landing.OriginCard]:
        return landing.cards(self.settings.landing)

    def content(self, card: landing.OriginCard) -> bytes:
        return card.path(self.settings.landing).read_bytes()

    def leftovers(self) -> list[str]:
        return [p.name for p in (self.settings.home / "fetch" / self.slug).iterdir() if p.name != ".lock"]


class TestBcrp:
    DAILY = "/api/PD04639PD-PD04640PD-PD04701XD/json/1997-1-1/2026-11-20/esp"
    MONTHLY = "/api/PN01207PM/json/1992-1/2026-11/esp"
    ANSWER = json.dumps(
        {
            "config": {"title": "", "series": [{"name": name, "dec": "3"} for name in ("Venta", "Cobre", "Compra")]},
            "periods": [{"name": "19.Nov.26", "values": ["3.387", "n.d.", "3.375"]}],
        }
    ).encode()
    MONTHS = (FIXTURES / "bcrp_monthly.json").read_bytes()
    BLOCKED = (FIXTURES / "request_rejected.html").read_bytes()

    @pytest.fixture
    def house(self, tmp_path: Path, site: Site) -> House:
        return House(tmp_path, "bcrp_series", "/api", site)

    def test_json_served_as_a_web_page_is_landed(self, house: House, site: Site):
        site.on(self.DAILY, say(self.ANSWER, content_type="text/html"))
        site.on(self.MONTHLY, say(self.MONTHS, content_type="text/html"))
        got = house.fetch()
        assert [g.status for g in got] == ["landed", "landed"]
        assert [house.content(g.card) for g in got] == [self.ANSWER, self.MONTHS]
        card = got[0].card
        assert (card.filename, card.origin, card.is_synthetic) == ("bcrp_daily.json", site.url(self.DAILY), False)
        assert card.source_as_of is None, "the parser finds it; the day of the download is not it"
        assert not house.leftovers()

    def test_the_same_answer_again_is_one_file(self, house: House, site: Site):
        site.on(self.DAILY, say(self.ANSWER))
        site.on(self.MONTHLY, say(self.MONTHS))
        first, again = house.fetch(), house.fetch()
        assert [g.status for g in again] == ["already landed"] * 2
        assert [g.card for g in again] == [g.card for g in first]

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (BLOCKED, "is a web page that begins with 'Request Rejected"),
            (ANSWER[:-20], "breaks off"),
            (MONTHS, "names 1 series where 3"),
            (b'{"message": "codigo"}', "keys message"),
            (b'{"config": [], "periods": []}', "not an answer of the series service"),
            (b'{"config": {"series": [1, 2, 3]}, "periods": []}', "no periods"),
            (b"[]", "begins with '\\[\\]'"),
            (b"", "is empty"),
        ],
    )
    def test_something_else_with_status_200_is_refused(self, house: House, site: Site, answer: bytes, said: str):
        site.on(self.DAILY, say(answer))
        with pytest.raises(FileRefused, match=said) as refused:
            house.fetch()
        for part in ("bcrp_daily.json", site.url(self.DAILY), "status 200, text/html", "Expected", "inbox"):
            assert part in str(refused.value)
        assert not house.landed() and not house.leftovers()

    def test_what_came_first_is_landed_when_the_second_fails(self, house: House, site: Site):
        site.on(self.DAILY, say(self.ANSWER))
        with pytest.raises(FetchFailed, match="status 404"):
            house.fetch()
        assert [c.filename for c in house.landed()] == ["bcrp_daily.json"]

    def test_a_new_day_is_a_new_question(self, house: House, site: Site):
        """The version of yesterday's address says nothing about today's."""
        site.on(self.DAILY, serve(self.ANSWER))
        site.on(self.MONTHLY, serve(self.MONTHS))
        house.fetch()
        tomorrow = site.on(self.DAILY.replace("11-20", "11-21"), serve(self.ANSWER + b" "))
        got = house.fetch(today=TODAY + dt.timedelta(days=1))
        assert [(g.url, g.status) for g in got] == [
            (tomorrow, "landed"),
            (site.url(self.MONTHLY), "not modified"),
        ]


def workbook(text: str = "<workbook/>") -> bytes:
    return zipped({"[Content_Types].xml": "<Types/>", "xl/workbook.xml": text})


def zipped(members: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # without the clock in it
    return packed.getvalue()


class TestPinkSheet:
    PAGE = (FIXTURES / "commodity_markets.html").read_bytes()
    FILE = "/doc/abc-0050012026/related/CMO-Historical-Data-Monthly.xlsx"

    @pytest.fixture
    def house(self, tmp_path: Path, site: Site) -> House:
        site.on("/markets", say(f'<html><a href="{self.FILE}">Monthly</a></html>'.encode()))
        return House(tmp_path, "worldbank_pinksheet", "/markets", site)

    def test_the_newest_link_of_the_publishers_own_store(self):
        found = find_link(self.PAGE.decode(), "https://www.worldbank.org/en/research/commodity-markets")
        assert found == (
            "https://thedocs.worldbank.org/en/doc/74e8be41ceb20fa0da750cda2f6b9e4e-0050012026"
            "/related/CMO-Historical-Data-Monthly.xlsx"
        )

    @pytest.mark.parametrize(
        "written",
        [
            '<a href="https://thedocs.worldbank.org/d-0050012026/CMO-Historical-Data-Monthly.xlsx">',
            "{'url':'https:\\/\\/thedocs.worldbank.org\\/d-0050012026\\/CMO-Historical-Data-Monthly.xlsx'}",
            "<a href=https://thedocs.worldbank.org/d-0050012026/CMO-Historical-Data-Monthly.xlsx>",
            "<a href='//thedocs.worldbank.org/d-0050012026/CMO-Historical-Data-Monthly.xlsx'>",
            "url(&quot;https://thedocs.worldbank.org/d-0050012026/CMO-Historical-Data-Monthly.xlsx&quot;)",
        ],
    )
    def test_ways_to_write_a_link(self, written: str):
        found = find_link(written, "https://www.worldbank.org/markets")
        assert found == "https://thedocs.worldbank.org/d-0050012026/CMO-Historical-Data-Monthly.xlsx"

    def test_the_year_in_the_address_decides_then_the_place_on_the_page(self):
        names = ("zz-0050012025", "bb-0050012026", "cc-0050012026")
        page = "".join(f'<a href="/{name}/CMO-Historical-Data-Monthly.xlsx">' for name in names)
        assert (
            find_link(page, "https://x.example/") == "https://x.example/bb-0050012026/CMO-Historical-Data-Monthly.xlsx"
        )

    def test_a_link_to_a_stranger_is_not_followed(self):
        page = '<a href="https://evil.example/CMO-Historical-Data-Monthly.xlsx">'
        assert find_link(page, "https://www.worldbank.org/markets") is None

    def test_the_linked_workbook_is_landed_and_asked_about_next_time(self, house: House, site: Site):
        wrong_type = serve(workbook(), content_type="text/plain")
        url = site.on(self.FILE, wrong_type)
        (first,) = house.fetch()
        assert (first.status, first.url, house.content(first.card)) == ("landed", url, workbook())
        (again,) = house.fetch()
        assert (again.status, again.card) == ("not modified", first.card)
        assert site.headers_of(-1)["if-none-match"] == '"v1"'

    def test_a_new_version_is_a_new_landing_file(self, house: House, site: Site):
        site.on(self.FILE, serve(workbook()))
        house.fetch()
        site.on(self.FILE, serve(workbook("<workbook>revised</workbook>"), etag='"v2"'))
        assert [g.status for g in house.fetch()] == ["landed"]
        assert len(house.landed()) == 2

    def test_a_file_that_left_landing_is_downloaded_whatever_was_noted(self, house: House, site: Site):
        site.on(self.FILE, serve(workbook()))
        (first,) = house.fetch()
        first.card.path(house.settings.landing).with_name("origin.json").unlink()
        first.card.path(house.settings.landing).unlink()
        first.card.path(house.settings.landing).parent.rmdir()
        assert [g.status for g in house.fetch()] == ["landed"]

    def test_a_damaged_state_file_costs_a_download_only(self, house: House, site: Site):
        site.on(self.FILE, serve(workbook()))
        house.fetch()
        (house.settings.home / "fetch" / "state" / "worldbank_pinksheet.json").write_text("{")
        assert [g.status for g in house.fetch()] == ["already landed"]

    def test_a_page_without_the_link(self, house: House, site: Site):
        site.on("/markets", say(b"<html><title>Just a moment...</title></html>"))
        with pytest.raises(FileRefused, match=r"status 200.*no link to CMO") as refused:
            house.fetch()
        assert site.url("/markets") in str(refused.value) and "Just a moment" in str(refused.value)

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (workbook()[:-30], "cut or damaged"),
            (zipped({"word/document.xml": "x"}), "word/document.xml"),
            (b"<!DOCTYPE html><p>Access denied", "web page.*Access denied"),
        ],
    )
    def test_no_workbook(self, house: House, site: Site, data: bytes, said: str):
        site.on(self.FILE, serve(data))
        with pytest.raises(FileRefused, match=said):
            house.fetch()
        assert not house.landed() and not house.leftovers()


class TestTaxpayerRoll:
    ROLL = zipped({"padron_reducido_ruc.txt": "RUC|NOMBRE O RAZ\u00d3N SOCIAL|\n20100000009|ANTA S.A.|\n"})

    @pytest.fixture
    def house(self, tmp_path: Path, site: Site) -> House:
        return House(tmp_path, "sunat_ruc", "/padron_reducido_ruc.zip", site)

    def test_continues_and_takes_the_servers_date_as_a_day_in_lima(self, house: House, site: Site):
        site.on("/padron_reducido_ruc.zip", serve(self.ROLL, cut_after=90), serve(self.ROLL))
        seen: list[tuple] = []
        (got,) = house.fetch(progress=lambda *at: seen.append(at))
        assert house.content(got.card) == self.ROLL
        assert got.card.source_as_of == "2026-11-04"
        assert site.headers_of(1)["range"] == "bytes=90-"
        assert seen[-1] == ("padron_reducido_ruc.zip", len(self.ROLL), len(self.ROLL), "bytes")

    def test_the_date_survives_a_run_that_was_killed_at_the_last_byte(self, house: House, site: Site):
        url = site.on("/padron_reducido_ruc.zip", serve(self.ROLL))
        folder = house.settings.home / "fetch" / "sunat_ruc"
        folder.mkdir(parents=True)
        (folder / "padron_reducido_ruc.zip.part").write_bytes(self.ROLL)
        note = {"url": url, "total": len(self.ROLL), "etag": '"v1"', "last_modified": MODIFIED}
        files.write_json(folder / "padron_reducido_ruc.zip.part.json", note)
        (got,) = house.fetch()
        assert got.card.source_as_of == "2026-11-04"

    def test_without_a_date_none_is_invented(self, house: House, site: Site):
        site.on("/padron_reducido_ruc.zip", serve(self.ROLL, modified=None))
        assert house.fetch()[0].card.source_as_of is None

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (ROLL[:-10], "cut or damaged"),
            (zipped({"padron_reducido_local_anexo.txt": "RUC|"}), "local_anexo"),
            (zipped({"padron_reducido_ruc.txt": "20100000009|ANTA S.A.|"}), "without the heading"),
            (zipped({}), "with nothing in it"),
        ],
    )
    def test_not_the_roll(self, house: House, site: Site, data: bytes, said: str):
        site.on("/padron_reducido_ruc.zip", serve(data))
        with pytest.raises(FileRefused, match=said):
            house.fetch()
        assert not house.landed() and not house.leftovers()

    def test_a_damaged_member(self, house: House, site: Site):
        data = bytearray(self.ROLL)
        at = data.index(b"padron_reducido_ruc.txt") + len("padron_reducido_ruc.txt")
        data[at : at + 8] = b"\xff" * 8
        site.on("/padron_reducido_ruc.zip", serve(bytes(data)))
        with pytest.raises(FileRefused, match="cannot be unpacked"):
            house.fetch()

    def test_numbers_of_persons_in_a_wrong_answer_are_masked(self):
        assert "45678912" not in begins_with(b"10456789123|PEREZ|") and "456789" not in first_words(b"DNI 45678912")


class Layer:
    """An ArcGIS layer with points numbered `ids`, as its server answers, faults included."""

    FIELDS = ({"name": "OBJECTID", "type": "esriFieldTypeOID"}, {"name": "M_RUC", "type": "esriFieldTypeString"})

    def __init__(self, ids, *, transfer_limit: int = 1000, lost=(), ids_later=None):
        self.ids, self.limit, self.lost, self.ids_later = list(ids), transfer_limit, set(lost), ids_later
        self.listings = 0
        self.queries: list[dict[str, str]] = []

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        asked = {k: v[0] for k, v in parse_qs(urlsplit(handler.path).query).items()}
        self.queries.append(asked)
        say(json.dumps(self.answer(asked)).encode(), content_type="text/plain;charset=utf-8")(handler)

    def answer(self, asked: dict[str, str]) -> dict:
        if "resultOffset" in asked:
            return {"error": {"code": 400, "message": "Pagination is not supported.", "details": []}}
        if asked.get("returnIdsOnly") == "true":
            self.listings += 1
            ids = self.ids_later if self.ids_later is not None and self.listings > 1 else self.ids
            return {"objectIdFieldName": "OBJECTID", "objectIds": ids or None}
        wanted = [i for i in map(int, asked["objectIds"].split(",")) if i not in self.lost][: self.limit]
        return {
            "displayFieldName": "NOMBRE_MIN",
            "geometryType": "esriGeometryPoint",
            "spatialReference": {"wkid": 4326, "latestWkid": 4326},
            "fields": self.FIELDS,
            "features": [
                {"attributes": {"OBJECTID": i, "M_RUC": f"2{i:010d}"}, "geometry": {"x": -70.5 - i / 7, "y": -15.25}}
                for i in reversed(wanted)
            ],
        }


class TestReinfo:
    IDS = (*range(1300, 700, -1), *range(1, 701), 5000)
    ERROR = json.dumps({"error": {"code": 400, "message": "Unable to complete operation.", "details": []}}).encode()

    @pytest.fixture
    def house(self, tmp_path: Path, site: Site) -> House:
        return House(tmp_path, "reinfo", "/layer/0", site)

    def test_one_feature_set_in_the_order_of_the_ids(self, house: House, site: Site):
        layer = Layer(self.IDS)
        site.on("/layer/0/query", layer)
        seen: list[tuple] = []
        (got,) = house.fetch(progress=lambda *at: seen.append(at))
        made = json.loads(house.content(got.card))
        assert [f["attributes"]["OBJECTID"] for f in made["features"]] == sorted(self.IDS)
        assert made["fields"] == list(Layer.FIELDS) and made["spatialReference"]["wkid"] == 4326
        assert made["features"][0] == {
            "attributes": {"OBJECTID": 1, "M_RUC": "20000000001"},
            "geometry": {"x": -70.5 - 1 / 7, "y": -15.25},
        }
        batches = [q for q in layer.queries if "objectIds" in q]
        assert len(batches) == 3
        assert all(q["outSR"] == "4326" and q["outFields"] == "*" and q["f"] == "json" for q in batches)
        assert seen[-1] == ("reinfo_geocatmin.json", 1301, 1301, "features")
        assert got.card.origin == house.address and not house.leftovers()

    def test_the_same_layer_makes_the_same_bytes(self, house: House, site: Site):
        site.on("/layer/0/query", Layer(self.IDS))
        house.fetch()
        site.on("/layer/0/query", Layer(reversed(self.IDS), transfer_limit=90))
        assert [g.status for g in house.fetch()] == ["already landed"]

    def test_short_batches_are_completed(self, house: House, site: Site):
        site.on("/layer/0/query", Layer(self.IDS, transfer_limit=130))
        (got,) = house.fetch()
        assert len(json.loads(house.content(got.card))["features"]) == len(self.IDS)

    def test_missing_features_are_counted_and_nothing_is_landed(self, house: House, site: Site):
        site.on("/layer/0/query", Layer(self.IDS, lost={3, 4, 1200}))
        with pytest.raises(FileRefused, match=r"3 of 1,301 features are missing.*OBJECTID 3, 4, 1200\)"):
            house.fetch()
        assert not house.landed() and not house.leftovers()

    def test_a_layer_that_changes_while_it_is_read(self, house: House, site: Site):
        site.on("/layer/0/query", Layer(self.IDS, ids_later=[*self.IDS[1:], 6000, 6001]))
        with pytest.raises(FileRefused, match="1,301 object ids before, 1,302 after, 3 of them different"):
            house.fetch()
        assert not house.landed() and not house.leftovers()

    def test_an_error_inside_a_good_status(self, house: House, site: Site):
        url = site.on("/layer/0/query", say(self.ERROR))
        with pytest.raises(FetchFailed, match=r"error 400.*Unable to complete") as failed:
            house.fetch()
        assert url in str(failed.value) and len(house.waits) == 4 and not house.landed()

    @pytest.mark.parametrize(
        "passing",
        [say(ERROR), say(b"<html>Bad gateway"), say(b'{"objectIds": [1,'), say(b"{}"), say(b"", status=502)],
    )
    def test_passing_troubles_pass(self, house: House, site: Site, passing: Answer):
        layer = Layer(range(1, 700))
        site.on("/layer/0/query", layer, passing, layer, passing, layer)
        assert [g.status for g in house.fetch()] == ["landed"]

    def test_a_layer_without_ids(self, house: House, site: Site):
        site.on("/layer/0/query", Layer([]))
        with pytest.raises(FileRefused, match="lists no object ids"):
            house.fetch()

    def test_what_a_killed_run_left_is_swept(self, house: House, site: Site):
        folder = house.settings.home / "fetch" / "reinfo"
        folder.mkdir(parents=True)
        (folder / ".tmp-half.json").write_text("{")
        site.on("/layer/0/query", Layer([1]))
        house.fetch()
        assert not house.leftovers()


def test_every_publisher_has_its_own_slug_and_address():
    assert [get_publisher(slug).slug for slug in SLUGS] == list(SLUGS)
    assert all(urlsplit(get_publisher(slug).address).netloc for slug in SLUGS)


def test_a_source_without_a_public_address(tmp_path: Path):
    with pytest.raises(AntawasiError, match=r"'minem_production' cannot be fetched.*bcrp_series.*inbox"):
        fetch("minem_production", Settings(home=tmp_path))


def test_two_downloads_of_one_source_do_not_mix(tmp_path: Path, site: Site):
    house = House(tmp_path, "sunat_ruc", "/x", site)
    with files.lock(tmp_path / "fetch" / "sunat_ruc" / ".lock", "test"), pytest.raises(Busy, match="sunat_ruc"):
        house.fetch()


def test_files_under_way_are_for_the_pipeline_only(tmp_path: Path, site: Site):
    house = House(tmp_path, "sunat_ruc", "/x", site)
    with pytest.raises(FetchFailed):
        house.fetch()
    assert (tmp_path / "fetch" / "sunat_ruc").stat().st_mode & 0o077 == 0
