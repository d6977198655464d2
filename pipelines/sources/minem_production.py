"""Monthly metallic production by unit, as published by MINEM: one CSV a year.

Quirks: UTF-8 with BOM; MES is the month's name and MES.1 its number; the unit of measure follows the
mineral (TMF fine tonnes, Kg Fino, g Fino); stages of the same metal stand side by side and must never be
summed; names carry stray and doubled spaces; ORO-PLATA_gF is derived by the publisher and is dropped.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipelines.identity import PERSONS_FORM
from pipelines.sources import Batch, Context, Identified, Source
from pipelines.sources.common import (
    check_header,
    decode,
    guard_lines,
    read_csv_rows,
    read_small,
    rows_to_frame,
    squeeze,
)

TABLE = "minem_production__quantities"
SOURCE = Source(
    slug="minem_production",
    group="production",
    period="year",
    tables=(TABLE,),
    producer="Ministerio de Energía y Minas del Perú (MINEM)",
    licence="CC BY 4.0",
    attribution="MINEM, producción metálica mensual; recopilado por github.com/elqvixote/metalurgica-data (CC BY 4.0)",
    title_es="Producción metálica mensual (MINEM)",
)

#: Header of the file -> our column. ORO-PLATA_gF is known but not kept (grams derived from Valor).
COLUMNS = {
    "PAIS": "country_name",
    "DEPARTAMENTO": "department_name",
    "PROVINCIA": "province_name",
    "DISTRITO": "district_name",
    "ESTRATO": "stratum_name",
    "PROCESO": "process_name",
    "ETAPA": "stage_name",
    "YEAR": "year_text",
    "MES": "month_name",
    "MES.1": "month_text",
    "MINERAL": "mineral_name",
    "TITULAR": "titular_name",
    "UNIDAD": "unit_name",
    "UNIDAD DE MEDIDA": "unit_of_measure",
    "Valor": "quantity",
}
DERIVED = "ORO-PLATA_gF"
_MONTHS = ("ENERO", "FEBRERO", "MARZO", "ABRIL", "MAYO", "JUNIO", "JULIO", "AGOSTO", "SETIEMBRE", "OCTUBRE", "NOVIEMBRE", "DICIEMBRE")  # fmt: skip


def identify(path: Path) -> Identified:
    """Year of the first row; the file carries no as-of date, so the end of its year stands for it."""
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as handle:
        head = [handle.readline(100_000) for _ in range(2)]
    rows = list(csv.reader(head))
    if len(rows) == 2 and "YEAR" in rows[0] and len(rows[1]) > rows[0].index("YEAR"):
        year = rows[1][rows[0].index("YEAR")].strip()
        if re.fullmatch(r"(19|20)\d\d", year):
            return Identified(period=year, source_as_of=f"{year}-12-31")
    return Identified()


def parse(path: Path, context: Context) -> Iterator[Batch]:
    """One batch: a row per line of the file. `titular_name` becomes a name key; companies keep their name."""
    data = read_small(path)
    guard_lines(data, path)
    rows = read_csv_rows(decode(data, ("utf-8-sig",), path), path)
    header = [h.strip() for h in rows[0][1]] if rows else []
    check_header(header, COLUMNS, [*COLUMNS, DERIVED], path, "line 1")
    frame = rows_to_frame(header, rows[1:], list(COLUMNS)).rename(COLUMNS)
    texts = [c for c in frame.columns if frame.schema[c] == pl.String and c not in ("quantity", "_problem")]
    frame = frame.with_columns(
        pl.col(texts).map_elements(squeeze, return_dtype=pl.String, skip_nulls=True).replace("", None)
    )
    for year, line in frame.group_by("year_text").agg(pl.col("_row_number").min()).sort("_row_number").iter_rows():
        if year:
            context.check_period(year, f"line {line}")
    frame = frame.with_columns(
        pl.concat_str(pl.col("year_text"), pl.col("month_text").str.zfill(2), pl.lit("01"), separator="-").alias(
            "month"
        ),
        _month_problem().alias("_problem"),
        _titular(frame, context),
    )
    yield Batch({TABLE: frame.with_columns(_company().alias("titular_company_name")).drop("titular_name")})


def _month_problem() -> pl.Expr:
    """The month's name must agree with its number: where they differ nobody knows which one is right."""
    named = pl.col("month_name").replace_strict({m: str(i + 1) for i, m in enumerate(_MONTHS)}, default=None)
    differs = named.is_null() | (named != pl.col("month_text").str.strip_chars_start("0"))
    message = pl.concat_str(
        pl.lit("month|MES.1|found MES '"), pl.col("month_name").fill_null(""), pl.lit("' with MES.1 '"),
        pl.col("month_text").fill_null(""), pl.lit("', expected the same month in both"),
    )  # fmt: skip
    return pl.coalesce(pl.col("_problem"), pl.when(differs).then(message))


def _titular(frame: pl.DataFrame, context: Context) -> pl.Series:
    names = frame["titular_name"].fill_null("")
    return context.keyer.keys("NAME", names, names).alias("titular_name_key")


def _company() -> pl.Expr:
    """The name stays only when its legal form says that it is a company; a person's goes to the vault."""
    name = pl.col("titular_name")
    is_company = name.str.contains(
        r"(?i)\b(S\.?\s?A\.?\s?A?\.?\s?C?\.?|S\.?\s?R\.?\s?L\.?|SOCIEDAD|COMPA[NÑ][IÍ]A|CIA\.?|CORPORACI[OÓ]N|COOPERATIVA|INC\.?|LTDA?\.?|SUCURSAL)(\s|$|-)"
    )
    return pl.when(is_company & ~name.str.contains(PERSONS_FORM)).then(name)
