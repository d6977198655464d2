"""Statistical series of Peru's central bank (BCRP): JSON and CSV answers of its public query service.

Quirks: JSON is served as text/html, and a blocked request answers 200 with a web page; values are text with
more decimals than announced; missing is `n.d.`; months have Spanish names (`25.Set.26`, `Sep.2018`); series
come in another order than asked, so they are matched by name, never by position.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipelines.errors import FileRefused
from pipelines.sources import Batch, Context, Identified, Source
from pipelines.sources.common import (
    check_header,
    decode,
    fold_header,
    guard_lines,
    json_value,
    read_csv_rows,
    read_small,
    spanish_month,
)

TABLE = "bcrp_series__observations"
SOURCE = Source(
    slug="bcrp_series",
    group="pricing",
    period=None,
    tables=(TABLE,),
    producer="Banco Central de Reserva del Perú (BCRP)",
    licence="Reproducción con mención de la fuente",
    attribution="BCRP, BCRPData (estadisticas.bcrp.gob.pe)",
    title_es="Series estadísticas del BCRP",
    url="https://estadisticas.bcrp.gob.pe/estadisticas/series/",
)

#: Series code -> what its folded name must contain. The name is what JSON answers carry; CSV carries both.
SERIES = {
    "PD04701XD": r"COTIZACIONES_INTERNACIONALES_COBRE_LONDRES",
    "PD04639PD": r"TC_SISTEMA_BANCARIO_SBS_S_POR_US_COMPRA",
    "PD04640PD": r"TC_SISTEMA_BANCARIO_SBS_S_POR_US_VENTA",
    "PN01207PM": r"TIPO_DE_CAMBIO_PROMEDIO_DEL_PERIODO_.*INTERBANCARIO_PROMEDIO",
}
CSV_COLUMNS = ("codigo_serie", "nombre_serie", "fecha_bcrp", "valor")
_DAY = re.compile(r"(\d{1,2})\.([A-Za-z]{3,4})\.(\d{2})")
_MONTH = re.compile(r"([A-Za-z]{3,4})\.(\d{2}|\d{4})")
NOT_AVAILABLE = ("n.d.", "n.d")

#: (row, series code, period name, value as text); None where a row has not the fields to say.
Observation = tuple[int, str | None, str, str | None]


def period_of(name: str) -> tuple[str, dt.date] | None:
    """(frequency, first day) of a BCRP period name: ("D", date) for `25.Set.26`, ("M", date) for `Sep.2018`.

    Two-digit years from 50 on are of the 1900s: the daily series begin in the 1990s.
    """
    text = name.strip()
    try:
        if match := _DAY.fullmatch(text):
            month = spanish_month(match[2])
            return ("D", dt.date(_year(match[3]), month, int(match[1]))) if month else None
        if match := _MONTH.fullmatch(text):
            month = spanish_month(match[1])
            return ("M", dt.date(_year(match[2]), month, 1)) if month else None
    except ValueError:
        return None  # the 31st of a month that has 30 days
    return None


def _year(digits: str) -> int:
    return int(digits) if len(digits) == 4 else int(digits) + (1900 if int(digits) >= 50 else 2000)


def identify(path: Path) -> Identified:
    """As-of date: the last day of the newest period that has a value (of the newest period when none has)."""
    periods = [
        (value not in NOT_AVAILABLE, frequency, day)
        for _, _, name, value in _observations(path)
        if (period := period_of(name))
        for frequency, day in [period]
    ]
    if not periods:
        return Identified()
    _, frequency, day = max(periods, key=lambda p: (p[0], p[2]))
    if frequency == "M":
        day = day.replace(day=calendar.monthrange(day.year, day.month)[1])
    return Identified(source_as_of=day.isoformat())


def parse(path: Path, context: Context) -> Iterator[Batch]:
    """One batch: a row per series and period; `n.d.` is kept as a null value."""
    rows = []
    for number, series, name, value in _observations(path):
        period = period_of(name)
        problem = (
            None if period else f"period|period_date|found '{name}', expected a period such as 25.Set.26 or Sep.2018"
        )
        if value is None:
            problem = "width|-|the period has another number of values than there are series"
        frequency, day = period or (None, None)
        given = None if value is None or value.strip() in NOT_AVAILABLE else value.strip()
        rows.append((number, series, frequency, day and day.isoformat(), given, problem, f"{series} {name} {value}"))
    schema = {
        "_row_number": pl.Int64,
        "series_code": pl.String,
        "frequency_code": pl.String,
        "period_date": pl.String,
        "value": pl.String,
        "_problem": pl.String,
        "_verbatim": pl.String,
    }
    yield Batch({TABLE: pl.DataFrame(rows, schema=schema, orient="row")})


def _observations(path: Path) -> list[Observation]:
    """(row, series code, period name, value) of either format; row is the CSV line or the period's ordinal."""
    data = read_small(path)
    text = decode(data, ("utf-8-sig", "latin-1"), path)
    if text.lstrip().startswith(("{", "[")):
        return _from_json(text, path)
    guard_lines(data, path)
    return _from_csv(text, path)


def _from_json(text: str, path: Path) -> list[Observation]:
    try:
        answer = json_value(text)
        names = [str(s["name"]) for s in answer["config"]["series"]]
        periods = [(str(p["name"]), [str(v) for v in p["values"]]) for p in answer["periods"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileRefused(
            f"not an answer of the series service ({type(error).__name__}: {str(error)[:80]})",
            expected='JSON with "config": {"series": [...]} and "periods": [...]',
            remedy="fetch the series again; a file with rows but without the series' names cannot be used",
            file=path,
        ) from None
    codes = [_code(name, path) for name in names]
    found = []
    for ordinal, (name, values) in enumerate(periods, start=1):
        fits = len(values) == len(codes)
        found += [(ordinal, code, name, values[i] if fits else None) for i, code in enumerate(codes)]
    return found


def _code(name: str, path: Path) -> str:
    folded = fold_header(name)
    for code, pattern in SERIES.items():
        if re.search(pattern, folded):
            return code
    raise FileRefused(
        f"series {name!r} is not known",
        expected=f"one of {', '.join(SERIES)}",
        remedy="add the series to pipelines/sources/bcrp_series.py and to the contract, or ask for another one",
        file=path,
    )


def _from_csv(text: str, path: Path) -> list[Observation]:
    rows = read_csv_rows(text, path)
    header = [h.strip().lower() for h in rows[0][1]] if rows else []
    check_header(header, CSV_COLUMNS, CSV_COLUMNS, path, "line 1")
    at = [header.index(c) for c in CSV_COLUMNS]
    found: list[Observation] = []
    for number, fields in rows[1:]:
        if len(fields) != len(header):
            found.append((number, None, "", None))
            continue
        code, _, period, value = (fields[i].strip() for i in at)
        if code not in SERIES:
            raise FileRefused(
                f"series code {code!r} is not known",
                expected=f"one of {', '.join(SERIES)}",
                remedy="add the series to pipelines/sources/bcrp_series.py and to the contract",
                file=path,
                place=f"line {number}, column codigo_serie",
            )
        found.append((number, code, period, value))
    return found
