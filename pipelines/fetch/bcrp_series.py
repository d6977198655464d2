"""Peru's central bank: its query service for statistical series, `<codes>/json/<from>/<to>/esp`.

Daily and monthly series cannot share a request. Every fetch asks for the whole history: it is small, and
the bank revises the past. Known quirks: JSON is served as text/html, and a blocked request is answered with
status 200 and a web page.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from pipelines.fetch.content import read_json_object
from pipelines.fetch.model import Desk, NotModified, Publisher, Retrieved

ADDRESS = "https://estadisticas.bcrp.gob.pe/estadisticas/series/api"
#: Copper (LME, US cents per lb); dollar in soles, buying and selling, banking system (SBS).
DAILY, DAILY_FROM = ("PD04639PD", "PD04640PD", "PD04701XD"), "1997-1-1"
#: Dollar in soles, interbank, average of the month.
MONTHLY, MONTHLY_FROM = ("PN01207PM",), "1992-1"
MAX_BYTES = 64 << 20


def collect(desk: Desk, address: str) -> Iterator[Retrieved | NotModified]:
    """`bcrp_daily.json` and `bcrp_monthly.json`."""
    today = desk.today
    asked = (
        ("bcrp_daily.json", DAILY, DAILY_FROM, f"{today.year}-{today.month}-{today.day}"),
        ("bcrp_monthly.json", MONTHLY, MONTHLY_FROM, f"{today.year}-{today.month}"),
    )
    for filename, codes, first, last in asked:
        yield desk.download(
            f"{address}/{'-'.join(codes)}/json/{first}/{last}/esp",
            filename,
            check=functools.partial(problem, series=len(codes)),
            expected=f'JSON with "config" naming {len(codes)} series and with "periods"',
            max_bytes=MAX_BYTES,
        )


def problem(path: Path, series: int) -> str | None:
    """Why the file is not the service's answer with `series` series."""
    answer = read_json_object(path.read_bytes())
    if isinstance(answer, str):
        return answer
    config = answer.get("config")
    named = config.get("series") if isinstance(config, dict) else None
    if not isinstance(named, list) or not isinstance(answer.get("periods"), list):
        return f"is JSON with the keys {', '.join(sorted(answer)) or '(none)'}, not an answer of the series service"
    if len(named) != series:
        return f"names {len(named)} series where {series} were asked for"
    return None if answer["periods"] else "holds no periods"


PUBLISHER = Publisher("bcrp_series", ADDRESS, collect)
