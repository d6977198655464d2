"""World Bank commodity prices: the monthly workbook, whose address changes with the year.

The page on commodity markets is stable and links the current workbook, so the link is read from the page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import httpx

from pipelines.errors import FileRefused
from pipelines.fetch.content import begins_with, zip_problem
from pipelines.fetch.model import Desk, NotModified, Publisher, Retrieved

ADDRESS = "https://www.worldbank.org/en/research/commodity-markets"
FILENAME = "CMO-Historical-Data-Monthly.xlsx"
LINK = re.compile(r"""["'(=\s]([^"'()=\s<>]*/CMO-Historical-Data-Monthly\.xlsx)""", re.IGNORECASE)
#: The publisher's own store of documents; a link to another host is not followed.
DOCUMENTS_HOST = "thedocs.worldbank.org"
#: `.../doc/<digest>-00500120YY/related/...`: the last four digits are the year of the document.
_YEAR = re.compile(r"-\d+(\d{4})/")
MAX_BYTES = 64 << 20


def collect(desk: Desk, address: str) -> Iterator[Retrieved | NotModified]:
    """The current workbook; its own line "Updated on" tells the vintage."""
    yield desk.download(
        desk.client.get(address, _read_link),
        FILENAME,
        check=lambda path: zip_problem(path, r"xl/workbook\.(xml|bin)"),
        expected="an .xlsx workbook",
        max_bytes=MAX_BYTES,
    )


def _read_link(body: bytes, response: httpx.Response) -> str:
    page = str(response.url)
    found = find_link(body.decode("utf-8", "replace"), page)
    if found is None:
        raise FileRefused(
            f"the page (status {response.status_code}) has no link to {FILENAME}; it {begins_with(body)}",
            expected=f"a link to {FILENAME} on {DOCUMENTS_HOST}",
            remedy="open the page in a browser, save the workbook of monthly prices and put it in the inbox below "
            "worldbank_pinksheet; if the page really changed, correct pipelines/fetch/worldbank_pinksheet.py",
            place=page,
        )
    return found


def find_link(page: str, page_url: str) -> str | None:
    """Address of the newest monthly workbook that a page links; None when it links none.

    An old year's workbook may stay on the page: the highest year in the address wins, then the first link.
    """
    text = html.unescape(page).replace("\\/", "/")
    links = [urljoin(page_url, link) for link in LINK.findall(text)]
    hosts = {DOCUMENTS_HOST, urlsplit(page_url).netloc}
    return max((link for link in links if urlsplit(link).netloc in hosts), key=_year, default=None)


def _year(link: str) -> int:
    match = _YEAR.search(link)
    return int(match[1]) if match else 0


PUBLISHER = Publisher("worldbank_pinksheet", ADDRESS, collect)
