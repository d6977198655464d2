"""World Bank commodity prices ("Pink Sheet"), monthly history: one workbook a vintage.

The layout drifts between vintages, so nothing stands at a fixed row or column: the data begin at the first
`1960M01`-like cell, the units row is the one in parentheses above it, the names stand above the units, and a
row of series codes stands below them in some vintages only. Missing is `..`, `...` or the character U+2026.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipelines.errors import FileRefused
from pipelines.sources import Batch, Context, Identified, Source
from pipelines.sources.common import check_zip, open_zip, read_sheet, read_small, squeeze

TABLE = "worldbank_pinksheet__prices"
SOURCE = Source(
    slug="worldbank_pinksheet",
    group="pricing",
    period=None,
    tables=(TABLE,),
    producer="World Bank, Prospects Group",
    licence="CC BY 4.0",
    attribution="World Bank Commodity Price Data (The Pink Sheet), CC BY 4.0",
    title_es="Precios mensuales de materias primas (Banco Mundial)",
    url="https://www.worldbank.org/en/research/commodity-markets",
)

MISSING = ("..", "...", "\u2026", "")
_PERIOD = r"^(\d{4})M(\d{2})$"
_UPDATED = re.compile(r"Updated on ([A-Z][a-z]+ \d{1,2}, \d{4})")
_HEADER_ROWS = 40


def identify(path: Path) -> Identified:
    """The vintage: the date of the line "Updated on ..."."""
    return Identified(source_as_of=_vintage(_sheet(path)))


def parse(path: Path, context: Context) -> Iterator[Batch]:
    """One batch: a row per month and commodity, missing prices kept as null. `_row_number` is the sheet's row."""
    cells = _sheet(path)
    first_column = cells.to_series(0)
    is_data = first_column.str.contains(_PERIOD).fill_null(False)
    if not is_data.any():
        raise FileRefused(
            "no row begins with a month such as 1960M01",
            expected="months in the first column",
            remedy="check that it is the monthly file (CMO-Historical-Data-Monthly.xlsx)",
            file=path,
        )
    start = int(is_data.arg_max() or 0)
    names, units, codes = _header(cells.head(start), path)
    numbered = cells.with_columns(pl.int_range(1, pl.len() + 1).alias("_row_number"), is_data.alias("is_data"))
    body = numbered.filter(pl.col("_row_number") > start)
    long = (
        body.unpivot(index=["_row_number", "is_data", cells.columns[0]], on=list(names))
        .with_columns(
            pl.col("variable").replace_strict(names).alias("commodity_name"),
            pl.col("variable").replace_strict(units, default=None, return_dtype=pl.String).alias("unit_of_measure"),
            pl.col("variable").replace_strict(codes, default=None, return_dtype=pl.String).alias("commodity_code"),
            pl.col(cells.columns[0]).str.replace(_PERIOD, "$1-$2-01").alias("month"),
            pl.when(~pl.col("value").str.strip_chars().is_in(MISSING))
            .then(pl.col("value").str.strip_chars())
            .alias("price"),
        )
        # A note below the table has no numbers; a row with numbers and no month is a fault to show.
        .filter(pl.col("is_data") | (~pl.col("is_data") & pl.col("price").is_not_null()))
        .with_columns(
            pl.when(~pl.col("is_data"))
            .then(pl.lit("period|month|the row has prices but no month such as 1960M01"))
            .alias("_problem")
        )
        .sort("_row_number", "variable", maintain_order=True)
    )
    yield Batch({TABLE: long.drop("variable", "value", "is_data", cells.columns[0])})


def _sheet(path: Path) -> pl.DataFrame:
    import fastexcel

    read_small(path)
    with open_zip(path) as archive:
        check_zip(archive, path)
    try:
        names = fastexcel.read_excel(str(path)).sheet_names
    except fastexcel.FastExcelError:
        names = []
    chosen = next((n for n in names if re.search("monthly.*price", n, re.IGNORECASE)), "Monthly Prices")
    return read_sheet(path, chosen)


def _vintage(cells: pl.DataFrame) -> str | None:
    for row in cells.head(_HEADER_ROWS).iter_rows():
        for cell in row:
            if cell and (match := _UPDATED.search(cell)):
                try:
                    return dt.datetime.strptime(match[1], "%B %d, %Y").date().isoformat()
                except ValueError:
                    continue
    return None


def _header(top: pl.DataFrame, path: Path) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Names, units and series codes by frame column, found by what the cells look like."""
    rows = top.rows()
    in_brackets = [sum(bool(c and re.fullmatch(r"\(.+\)", squeeze(c))) for c in row) for row in rows]
    units_at = max(range(len(rows)), key=in_brackets.__getitem__, default=-1)
    names_at = next((i for i in range(units_at - 1, -1, -1) if sum(c is not None for c in rows[i][1:]) >= 5), None)
    if units_at < 0 or in_brackets[units_at] < 5 or names_at is None:
        raise FileRefused(
            "no row of units such as ($/mt) below a row of commodity names",
            expected="names, then units in parentheses, above the first month",
            remedy="the layout changed beyond what the parser knows: teach it, with this file as a fixture",
            file=path,
            place="sheet Monthly Prices",
        )
    names, units, codes = {}, {}, {}
    for at, column in enumerate(top.columns[1:], start=1):
        name = rows[names_at][at]
        if name is None:
            continue
        names[column] = re.sub(r"\s*\*+$", "", squeeze(name))
        units[column] = squeeze(rows[units_at][at] or "").strip("()")
        below = [row[at] for row in rows[units_at + 1 :] if row[at]]
        if below:
            codes[column] = squeeze(below[0])
    if not any(n == "Copper" and units[c] == "$/mt" for c, n in names.items()):
        raise FileRefused(
            "no column 'Copper' in $/mt",
            expected="the copper price in US$ per metric tonne",
            remedy="check that it is the sheet of nominal US dollars; if the publisher renamed it, teach the parser",
            file=path,
            place=f"row {names_at + 1}",
        )
    return names, units, codes
