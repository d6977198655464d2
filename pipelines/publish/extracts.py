"""One published table as CSV, XLSX and Parquet, and all of them as one public DuckDB file. Byte-reproducible."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import xlsxwriter

from pipelines import contracts
from pipelines.contracts import TableContract
from pipelines.errors import PublishRefused
from pipelines.warehouse import STORAGE_VERSION, connect, connect_in_memory, spill_of

XLSX_MAX_ROWS = 1_048_575
SYNTHETIC_NOTE = "DATOS SIMULADOS, NO MEDIDOS / SIMULATED DATA, NOT MEASURED"


#: Column that says whether a row's figures are shown (SDMX: A), and what stands in text files where they are not.
STATUS, SHOWN, HIDDEN = "obs_status_code", "A", ":c"


def figures(contract: TableContract) -> list[str]:
    """Columns that must be empty where a row is hidden: the numbers that the contract does not require."""
    if STATUS not in contract.column_names:
        return []
    return [column.name for column in contract.columns if column.dtype.is_numeric() and not column.required]


#: What a spreadsheet takes for a formula when it opens a CSV, and what begins alike and is none: a number, dashes (the
#: code of what is not known).
_FORMULA, _PLAIN = r"^[=+\-@\t\r\n]", r"^(?:-+|[+-]?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)?)$"


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """Text that a spreadsheet would run as a formula stands behind an apostrophe; so does text that begins with one, so
    that taking the first apostrophe away gives every text back."""

    def of(name: str) -> pl.Expr:
        text = pl.col(name)
        runs = text.str.contains(_FORMULA) & ~text.str.contains(_PLAIN)
        marked = pl.concat_str(pl.lit("'"), text)
        return pl.when(runs | text.str.starts_with("'")).then(marked).otherwise(text).alias(name)

    return frame.with_columns(of(name) for name, dtype in frame.schema.items() if dtype == pl.String)


def write_csv(frame: pl.DataFrame, contract: TableContract, target: Path) -> None:
    """UTF-8 with BOM, comma, decimal point: what a spreadsheet opens with its accents intact. Hidden figures are marked."""
    marked = harmless(frame).with_columns(
        pl.when(pl.col(STATUS) == SHOWN).then(pl.col(name).cast(pl.String)).otherwise(pl.lit(HIDDEN)).alias(name)
        for name in figures(contract)
    )
    marked.write_csv(target, include_bom=True, line_terminator="\n")


def write_parquet(frame: pl.DataFrame, target: Path) -> None:
    frame.write_parquet(target, compression="zstd", compression_level=3, statistics=True)


def write_xlsx(
    frame: pl.DataFrame, contract: TableContract, target: Path, *, readme: list[str], notes: list[str], as_of: dt.date
) -> None:
    """Workbook with sheets LEEME, datos, diccionario and notas; text columns stay text, so that 02 stays 02.

    Raises:
        PublishRefused: more rows than a sheet holds.
    """
    if frame.height > XLSX_MAX_ROWS:
        raise PublishRefused(
            f"{contract.name} has {frame.height:,} rows, a sheet holds {XLSX_MAX_ROWS:,}. What to do: publish it split by year."
        )
    book = xlsxwriter.Workbook(target, {"strings_to_numbers": False})
    book.set_properties(
        {"title": contract.name, "author": "Antawasi", "created": dt.datetime.combine(as_of, dt.time())}
    )
    bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    date = book.add_format({"num_format": "yyyy-mm-dd"})
    text, wrap = book.add_format({"num_format": "@"}), book.add_format({"text_wrap": True, "valign": "top"})
    _lines(book.add_worksheet("LEEME"), readme, wrap)
    sheet = book.add_worksheet("datos")
    hidden = set(figures(contract))
    for j, column in enumerate(contract.columns):
        sheet.write_string(0, j, column.name, bold)
        values = frame[column.name]
        if column.name in hidden:
            for i, status in enumerate(frame[STATUS], start=1):
                if status != SHOWN:
                    sheet.write_string(i, j, HIDDEN, text)
        if column.dtype == pl.String:
            for i, value in enumerate(values, start=1):
                if value is not None:
                    sheet.write_string(i, j, value, text)
        elif column.dtype == pl.Date:
            for i, value in enumerate(values, start=1):
                if value is not None:
                    sheet.write_datetime(i, j, dt.datetime.combine(value, dt.time()), date)
        elif column.dtype == pl.Boolean:
            for i, value in enumerate(values, start=1):
                if value is not None:
                    sheet.write_boolean(i, j, value)
        else:
            for i, value in enumerate(values.cast(pl.Float64), start=1):
                if value is not None:
                    sheet.write_number(i, j, value)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, frame.height, len(contract.columns) - 1)
    sheet.set_column(0, len(contract.columns) - 1, 18)
    dictionary = book.add_worksheet("diccionario")
    heads = ("columna", "título", "tipo", "unidad", "descripción", "description (English)", "códigos")
    for j, head in enumerate(heads):
        dictionary.write_string(0, j, head, bold)
    for i, c in enumerate(contract.columns, start=1):
        row = (
            c.name,
            c.title_es,
            c.physical_type,
            c.unit or "",
            c.description_es,
            c.description,
            ", ".join(c.codes or ()),
        )
        for j, value in enumerate(row):
            dictionary.write_string(i, j, value, wrap)
    dictionary.set_column(0, 3, 22)
    dictionary.set_column(4, 6, 48)
    _lines(book.add_worksheet("notas"), notes, wrap)
    book.close()


def _lines(sheet, lines: list[str], wrap) -> None:
    sheet.set_column(0, 0, 110)
    for i, line in enumerate(lines):
        sheet.write_string(i, 0, line, wrap)


def write_public_db(tables: dict[str, pl.DataFrame], target: Path) -> None:
    """One DuckDB file, created empty and filled with the published tables only, readable by DuckDB 1.2 to 2.0."""
    with connect_in_memory(spill_of(target)) as connection:
        connection.execute("SET threads = 1")
        # DuckDB packs whatever memory holds in the place of a missing value: never the same file, and who knows what in it.
        connection.execute("SET force_compression = 'uncompressed'")
        connection.execute(
            f"ATTACH '{str(target).replace(chr(39), chr(39) * 2)}' AS public_db (STORAGE_VERSION '{STORAGE_VERSION}')"
        )
        for name, frame in tables.items():
            connection.register("outgoing", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
            connection.execute(f'CREATE TABLE public_db."{name}" AS FROM outgoing')
            connection.unregister("outgoing")
        connection.execute("CHECKPOINT public_db")
        connection.execute("DETACH public_db")


def verify(tables: dict[str, pl.DataFrame], folder: Path) -> None:
    """Read what was written again: every file tells the tables as they passed the attacks, and nothing of hidden rows.

    Raises:
        PublishRefused: a file differs.
    """
    with connect(folder / "antawasi_public.duckdb", read_only=True) as connection:
        for name, frame in tables.items():
            hidden = figures(contracts.contract(name))
            csv = pl.read_csv(folder / f"{name}.csv", infer_schema=False, null_values=["", HIDDEN])
            read = {
                "parquet": pl.read_parquet(folder / f"{name}.parquet"),
                "duckdb": pl.from_arrow(connection.execute(f'SELECT * FROM "{name}"').to_arrow_table()),
                "csv": csv.select(c.cast(dtype) for c, dtype in _typed(frame)).with_columns(
                    pl.col(pl.String).str.strip_prefix("'")
                ),
                "xlsx": pl.read_excel(folder / f"{name}.xlsx", sheet_name="datos", infer_schema_length=0),
            }
            for kind, told in read.items():
                assert isinstance(told, pl.DataFrame)
                if kind == "xlsx":
                    is_same = told.height == frame.height and all(
                        set(told.filter(frame[STATUS] != SHOWN)[column]) <= {HIDDEN} for column in hidden
                    )
                else:
                    is_same = told.equals(frame) and all(
                        told.filter(pl.col(STATUS) != SHOWN)[column].drop_nulls().is_empty() for column in hidden
                    )
                if not is_same:
                    raise PublishRefused(
                        f"{name}.{kind} does not tell what was checked. Expected: the same rows, hidden ones without figures. "
                        "What to do: look for what changed the file while it was written; nothing was published."
                    )


def _typed(frame: pl.DataFrame) -> list[tuple[pl.Expr, pl.DataType]]:
    """How the texts of a CSV become the frame's types again."""

    def of(name: str, dtype: pl.DataType) -> pl.Expr:
        if dtype == pl.Boolean:
            return pl.col(name) == "true"
        return pl.col(name).str.to_date() if dtype == pl.Date else pl.col(name)

    return [(of(name, dtype), dtype) for name, dtype in frame.schema.items()]
