"""The registry's public faces as files: the web listing (CSV, or a workbook that ate zeros) and the map layer (JSON)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import orjson
import polars as pl
import xlsxwriter

#: Columns of the frame that all writers take; texts but the last three. A null mining right is free area.
COLUMNS = (
    "reinfo_id", "ruc", "name", "representative_name", "mining_right_id", "mining_right_name", "department_code",
    "department_name", "province_name", "district_name", "activity_code", "status_code", "inscription_year",
    "latitude_deg", "longitude_deg",
)  # fmt: skip

_WEB = {
    "N°": "row_id",
    "RUC": "ruc",
    "MINERO EN VÍAS DE FORMALIZACIÓN": "name",
    "CÓDIGO ÚNICO": "mining_right_id",
    "NOMBRE DEL DERECHO MINERO": "mining_right_name",
    "DEPARTAMENTO": "department_name",
    "PROVINCIA": "province_name",
    "DISTRITO": "district_name",
    "ESTADO": "status_code",
}
#: Titles of earlier exports, for the same columns.
_RENAMED = {
    "N°": "ID",
    "MINERO EN VÍAS DE FORMALIZACIÓN": "MINERO_INFORMAL",
    "CÓDIGO ÚNICO": "CODIGO_UNICO",
    "NOMBRE DEL DERECHO MINERO": "NOMBRE",
}
_SHUFFLED = (4, 1, 8, 3, 0, 7, 6, 2, 5)
_MAP = {
    "OBJECTID": "row_id",
    "COD_REINFO": "reinfo_id",
    "M_RUC": "ruc",
    "NOMBRE_MIN": "name",
    "NOMBRE_REP": "representative_name",
    "ID_UNIDAD": "mining_right_id",
    "NOMBRE_DM": "mining_right_name",
    "ID_DEPA": "department_code",
    "DEPARTAMENTO": "department_name",
    "PROVINCIA": "province_name",
    "DISTRITO": "district_name",
    "TIPO_ACT": "activity_code",
    "ESTADO": "status_code",
    "A_INSCRIPCION": "inscription_year",
    "LATITUD_G84": "latitude_deg",
    "LONGITUD_G84": "longitude_deg",
    "FECHA_ACTUALIZACION": "updated",
}
_CREATED = dt.datetime(2000, 1, 1)


def write_web_csv(frame: pl.DataFrame, path: Path, *, shuffled: bool = False, renamed: bool = False) -> None:
    """Write `frame` (`COLUMNS`) as an export of the web listing, UTF-8 with a byte order mark.

    Args:
        shuffled: the columns in another order.
        renamed: the titles of earlier exports.

    Raises:
        ValueError: a column is missing.
    """
    listing = _listing(frame)
    if shuffled:
        listing = listing.select(listing.columns[i] for i in _SHUFFLED)
    if renamed:
        listing = listing.rename(_RENAMED)
    listing.write_csv(path, include_bom=True)


def write_web_xlsx(frame: pl.DataFrame, path: Path) -> None:
    """Write `frame` (`COLUMNS`) as the web listing pasted into a spreadsheet: codes of digits became numbers.

    Their leading zeros are lost; codes with a letter stay as they are.

    Raises:
        ValueError: a column is missing.
    """
    listing = _listing(frame).with_columns(pl.col("RUC").cast(pl.Int64))
    with xlsxwriter.Workbook(path, {"in_memory": True}) as book:
        book.set_properties({"created": _CREATED})
        sheet = book.add_worksheet("REINFO")
        for at, title in enumerate(listing.columns):
            cells = listing[title].to_list()
            if title == "CÓDIGO ÚNICO":
                cells = [int(v) if v.isdigit() else v for v in cells]
            sheet.write_string(0, at, title)
            sheet.write_column(1, at, cells)


def write_map_json(frame: pl.DataFrame, path: Path, as_of: dt.date) -> None:
    """Write `frame` (`COLUMNS`) as the map layer's answer to a query, in Esri's JSON of features (WGS 84).

    Args:
        as_of: the layer's FECHA_ACTUALIZACION, at midnight UTC.

    Raises:
        ValueError: a column is missing, or a registration is EXCLUIDO, which the layer never shows.
    """
    excluded = frame.filter(pl.col("status_code") == "EXCLUIDO")
    if excluded.height:
        raise ValueError(
            f"registration {excluded['reinfo_id'][0]}, column 'status_code': EXCLUIDO, expected VIGENTE or SUSPENDIDO. "
            "What to do: leave excluded registrations out of the map layer."
        )
    moment = int(dt.datetime(as_of.year, as_of.month, as_of.day, tzinfo=dt.UTC).timestamp()) * 1000
    rows = _complete(frame).with_columns(pl.lit(moment).alias("updated"))
    features = rows.select(
        pl.struct(pl.col(column).alias(title) for title, column in _MAP.items()).alias("attributes"),
        pl.when(pl.col("longitude_deg").is_not_null() & pl.col("latitude_deg").is_not_null())
        .then(pl.struct(pl.col("longitude_deg").alias("x"), pl.col("latitude_deg").alias("y")))
        .alias("geometry"),
    ).write_json()
    layer = {
        "displayFieldName": "NOMBRE_MIN",
        "fieldAliases": {title: title for title in _MAP},
        "geometryType": "esriGeometryPoint",
        "spatialReference": {"wkid": 4326, "latestWkid": 4326},
        "fields": [{"name": t, "type": _esri_type(t), "alias": t} for t in _MAP],
    }
    path.write_bytes(orjson.dumps(layer)[:-1] + b',"features":' + features.encode() + b"}")


def _esri_type(title: str) -> str:
    if title == "OBJECTID":
        return "esriFieldTypeOID"
    if title == "FECHA_ACTUALIZACION":
        return "esriFieldTypeDate"
    if title == "A_INSCRIPCION":
        return "esriFieldTypeInteger"
    return "esriFieldTypeDouble" if title.endswith("_G84") else "esriFieldTypeString"


def _listing(frame: pl.DataFrame) -> pl.DataFrame:
    return _complete(frame).select(pl.col(column).alias(title) for title, column in _WEB.items())


def _complete(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with `row_id` from 1 and free area spelled as the registry does."""
    missing = [c for c in COLUMNS if c not in frame.columns]
    if missing:
        raise ValueError(f"registrations: missing columns {', '.join(missing)}. What to do: give {', '.join(COLUMNS)}.")
    is_free = pl.col("mining_right_id").is_null()
    return frame.select(COLUMNS).with_row_index("row_id", offset=1).with_columns(
        pl.col("mining_right_id").fill_null("-"),
        pl.when(is_free).then(pl.lit("AREA LIBRE")).otherwise("mining_right_name").alias("mining_right_name"),
    )  # fmt: skip
