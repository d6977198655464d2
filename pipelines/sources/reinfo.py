"""The registry of formalization (REINFO), from the files that people can have: exports of its two public faces.

- layout WEB: the listing of the consult page (CSV, XLSX or a JSON list of rows). It has no registration code
  and in old exports no ESTADO; it can carry EXCLUIDO. It has no date of its own.
- layout MAP: the public map layer (Esri or GeoJSON features, or a CSV of their attributes), with COD_REINFO,
  coordinates and FECHA_ACTUALIZACION; it never carries EXCLUIDO.

Columns are matched by title, never by position. Spreadsheets lose the leading zero of mining-right codes;
where the code's pattern says so it is put back and marked. One RUC has many registrations and one mining
right many RUCs, so a row's key is its own number in the file.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.errors import FileRefused
from pipelines.identity import canonical_ruc, company_name, is_valid_ruc
from pipelines.sources import Batch, Context, Identified, Source
from pipelines.sources.common import (
    WRONG_RUC,
    check_header,
    decode,
    fold_header,
    guard_lines,
    json_value,
    mining_right_id,
    read_csv_rows,
    read_sheet,
    read_small,
    squeeze,
    whole_number,
)

TABLE = "reinfo__registrations"
SOURCE = Source(
    slug="reinfo",
    group="registry",
    period="month",
    tables=(TABLE,),
    producer="MINEM, Registro Integral de Formalización Minera (REINFO)",
    licence="Consulta pública; referencial",
    attribution="MINEM / INGEMMET, REINFO",
    title_es="Registro Integral de Formalización Minera",
)

#: Folded column title -> what it means here. A title that is not listed stops the file.
TITLES = {
    "N": "row_id", "NRO": "row_id", "NO": "row_id", "ID": "row_id", "OBJECTID": "row_id", "FID": "row_id",
    "RUC": "ruc", "M_RUC": "ruc",
    "MINERO_EN_VIAS_DE_FORMALIZACION": "name", "MINERO_INFORMAL": "name", "NOMBRE_MIN": "name", "DECLARANTE": "name",
    "NOMBRE_REP": "representative",
    "CODIGO_UNICO": "mining_right", "ID_UNIDAD": "mining_right",
    "NOMBRE_DEL_DERECHO_MINERO": "mining_right_name", "NOMBRE": "mining_right_name", "NOMBRE_DM": "mining_right_name",
    "NOMBRE_DER": "mining_right_name", "DERECHO_MINERO": "mining_right_name",
    "DEPARTAMENTO": "department", "PROVINCIA": "province", "DISTRITO": "district",
    "ID_DEPA": "department_code", "ID_PROV": "ignored", "ID_DIST": "ignored",
    "ESTADO": "status", "TIPO_ACT": "activity", "TIPO_DE_ACTIVIDAD": "activity",
    "COD_REINFO": "reinfo", "A_INSCRIPCION": "inscription_year", "FLG_COOROK": "ignored",
    "LATITUD_G84": "latitude", "LONGITUD_G84": "longitude", "FECHA_ACTUALIZACION": "updated", "SHAPE": "ignored",
}  # fmt: skip
REQUIRED = ("ruc", "name", "mining_right", "mining_right_name", "department", "province", "district")
MAP_ONLY = ("reinfo", "latitude", "longitude", "updated")

Record = tuple[int, dict[str, str | None]]


def identify(path: Path) -> Identified:
    """As-of date: the newest FECHA_ACTUALIZACION (layout MAP); None for layout WEB, which has no date."""
    days = [day for _, record in _records(path) if (day := _date(record.get("updated")))]
    return Identified(period=max(days)[:7], source_as_of=max(days)) if days else Identified()


def parse(path: Path, context: Context) -> Iterator[Batch]:
    """One batch: a row per registration listed. Persons, RUC and registration codes become keys."""
    rows = []
    for number, record in _records(path):
        day = _date(record.get("updated"))
        if day:
            context.check_period(day[:7], f"row {number}")
        rows.append(_row(number, record, day, context))
    yield Batch({TABLE: pl.DataFrame(rows, schema=_SCHEMA, orient="row")})


_SCHEMA = {
    "_row_number": pl.Int64,
    "layout_code": pl.String,
    "source_row_id": pl.String,
    "party_key": pl.String,
    "party_kind": pl.String,
    "party_name": pl.String,
    "representative_name_key": pl.String,
    "reinfo_key": pl.String,
    "mining_right_id_ingemmet": pl.String,
    "mining_right_id_was_repaired": pl.Boolean,
    "mining_right_name": pl.String,
    "is_free_area": pl.Boolean,
    "department_name": pl.String,
    "province_name": pl.String,
    "district_name": pl.String,
    "department_code": pl.String,
    "activity_code": pl.String,
    "status_code": pl.String,
    "inscription_year": pl.String,
    "latitude_deg": pl.String,
    "longitude_deg": pl.String,
    "has_plausible_coordinates": pl.Boolean,
    "layer_updated_date": pl.String,
    "_problem": pl.String,
    "_verbatim": pl.String,
}


def _row(number: int, record: dict[str, str | None], day: str | None, context: Context) -> tuple[Any, ...]:
    ruc = whole_number(record["ruc"])
    valid = bool(ruc) and is_valid_ruc(ruc)
    kind, value = canonical_ruc(ruc) if valid else ("RUC", "")
    name = record["name"]
    problem = None if valid else WRONG_RUC
    updated = record.get("updated")
    if updated and day is None:
        problem = (
            problem
            or "date|layer_updated_date|FECHA_ACTUALIZACION is no date, expected milliseconds, YYYY-MM-DD or DD/MM/YYYY"
        )
    mining_right, repaired = mining_right_id(record["mining_right"])
    right_name = record["mining_right_name"]
    latitude, longitude = record.get("latitude"), record.get("longitude")
    shown = ("mining_right", "mining_right_name", "department", "province", "district", "status", "activity")
    return (
        number,
        "MAP" if "reinfo" in record else "WEB",
        record.get("row_id"),
        context.keyer.key("RUC", ruc, name) if valid else None,
        kind if valid else None,
        company_name(kind, value, name),
        context.keyer.key("NAME", record.get("representative"), record.get("representative")),
        context.keyer.key("REINFO", record.get("reinfo")),
        mining_right,
        repaired,
        right_name,
        mining_right is None and (right_name or "").upper().replace("Á", "A") == "AREA LIBRE",
        record["department"],
        record["province"],
        record["district"],
        (record.get("department_code") or "").zfill(2)[-2:] if record.get("department_code") else None,
        fold_header(record["activity"]) if record.get("activity") else None,
        record["status"].upper() if record.get("status") else None,
        whole_number(record.get("inscription_year")),
        latitude,
        longitude,
        _plausible(latitude, longitude),
        day,
        problem,
        "; ".join(f"{k}={record[k]}" for k in shown if record.get(k)),
    )


def _plausible(latitude: str | None, longitude: str | None) -> bool | None:
    """Whether the point lies in Peru's bounding box; None without coordinates."""
    try:
        return -18.4 <= float(latitude or "") <= 0.1 and -81.4 <= float(longitude or "") <= -68.6
    except ValueError:
        return None


def _date(text: str | None) -> str | None:
    """ISO date of milliseconds since 1970, YYYY-MM-DD..., or DD/MM/YYYY; None for anything else."""
    if not text:
        return None
    try:
        if re.fullmatch(r"-?\d{11,14}(\.0)?", text):
            return dt.datetime.fromtimestamp(float(text) / 1000, dt.UTC).date().isoformat()
        if match := re.match(r"(\d{1,2})/(\d{1,2})/(\d{4})", text):
            return dt.date(int(match[3]), int(match[2]), int(match[1])).isoformat()
        return dt.date.fromisoformat(text[:10]).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _records(path: Path) -> list[Record]:
    """Every listed registration as (row number, value by meaning); the number is the file's line, sheet row or ordinal."""
    data = read_small(path)
    if data.startswith(b"PK"):
        cells = read_sheet(path)
        table = [(i, [c or "" for c in row]) for i, row in enumerate(cells.iter_rows(), start=1)]
        return _from_table([(i, row) for i, row in table if any(row)], path, "sheet row")
    text = decode(data, ("utf-8-sig", "latin-1"), path)
    if text.lstrip().startswith(("{", "[")):
        return _from_json(text, path)
    guard_lines(data, path)
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    return _from_table(read_csv_rows(text, path, delimiter), path, "line")


def _from_table(rows: list[tuple[int, list[str]]], path: Path, what: str) -> list[Record]:
    """Rows below the header, which is the first row that has a RUC column (titles may stand above it)."""
    at = next(
        (
            i
            for i, (_, cells) in enumerate(rows[:30])
            if "RUC" in map(fold_header, cells) or "M_RUC" in map(fold_header, cells)
        ),
        None,
    )
    if at is None:
        raise FileRefused(
            "no row of column titles with RUC",
            expected="the titles of the public listing or of the map layer",
            remedy="export the listing again, with its titles",
            file=path,
            place=f"{what} {rows[0][0]}" if rows else "",
        )
    number, titles = rows[at]
    meanings = _meanings(titles, path, f"{what} {number}")
    found = []
    for line, cells in rows[at + 1 :]:
        if len(cells) != len(titles):
            cells = [*cells, *[""] * len(titles)][: len(titles)] if not any(cells[len(titles) :]) else cells
        if len(cells) != len(titles):
            raise FileRefused(
                f"found {len(cells)} fields",
                expected=f"{len(titles)}, as in the titles",
                remedy="open the file at this row and mend it, or export it again",
                file=path,
                place=f"{what} {line}",
            )
        found.append((line, {m: _clean(v) for m, v in zip(meanings, cells, strict=True)}))
    return found


def _from_json(text: str, path: Path) -> list[Record]:
    try:
        content = json_value(text)
        features = content["features"] if isinstance(content, dict) else content
        listed = [dict(f.get("attributes") or f.get("properties") or f) for f in features]
        if not all(listed):
            raise ValueError("a feature without attributes")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileRefused(
            f"not a list of registrations ({type(error).__name__}: {str(error)[:80]})",
            expected='a JSON list of rows, or an object with "features"',
            remedy="fetch or export it again",
            file=path,
        ) from None
    if not listed:
        return []
    titles = list(dict.fromkeys(title for row in listed for title in row))
    meanings = dict(zip(titles, _meanings(titles, path, "record 1"), strict=True))
    return [
        (i, {m: _clean(None if row.get(t) is None else str(row[t])) for t, m in meanings.items()})
        for i, row in enumerate(listed, start=1)
    ]


def _meanings(titles: list[str], path: Path, place: str) -> list[str]:
    folded = [fold_header(t) for t in titles]
    meanings = [TITLES.get(t, t) for t in folded]
    wanted = [*REQUIRED, *(m for m in MAP_ONLY if "reinfo" in meanings)]
    check_header([m for m in meanings if m != "ignored"], wanted, {*TITLES.values()}, path, place)
    return meanings


def _clean(value: str | None) -> str | None:
    text = squeeze(value or "")
    return text if text not in ("", "None", "null", "<Null>") else None
