"""What partners fill: empty templates, and files as a partner would write them. Everything comes from the contracts.

A partner table is one whose contract gives its columns a title in the file (`file_column`). Templates leave the
house but are no release, and the simulator writes its partners' files with the same code; so this stands beside
`contracts.py`. What is written here `sources/partner.py` reads. All output is byte-reproducible.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import xlsxwriter

from pipelines import contracts
from pipelines.contracts import Column, TableContract
from pipelines.errors import AntawasiError
from pipelines.sources.partner import DATA_SHEET

_CREATED = dt.datetime(2025, 1, 1)
_LAST_ROW = 1_048_575
#: Excel's own limit for the codes of a drop-down that stand in the cell itself.
_MAX_INLINE_LIST = 255
_EXCEL_EPOCH = dt.datetime(1899, 12, 30)
_YES_NO = ("SI", "NO")
_WIDEST_NUMBER = 10**12
#: What to write where the file holds an identity and the lake its key.
_IDENTITIES = {
    "RUC": "Escriba el RUC (11 dígitos)",
    "ID": "Escriba el RUC (11 dígitos) o el DNI (8 dígitos)",
    "REINFO": "Escriba el código de inscripción",
    "PLATE": "Escriba la placa",
    "DOCUMENT": "Escriba RUC-TIPO-SERIE-NÚMERO, como 20995000017-01-F001-123",
}


def partner_tables() -> tuple[TableContract, ...]:
    """Raw tables that partners fill, in the contracts' order."""
    return tuple(t for t in contracts.all_contracts().values() if t.layer == "raw" and t.columns[0].file_column)


def template_name(table: TableContract) -> str:
    return f"plantilla_{table.source}.xlsx"


# --- files as a partner would write them ----------------------------------------------------------


def write_partner_csv(table: TableContract, frame: pl.DataFrame, path: Path) -> None:
    """One file of a partner: UTF-8 with BOM, comma, decimal point, ISO dates, SI and NO.

    Args:
        frame: the table's `file_column`s in any order, identities in clear, values of any type (a number is
            written with the decimals of its column, text as it is).

    Raises:
        AntawasiError: a column is missing or unknown.
    """
    as_written(table, frame).write_csv(path, include_bom=True, line_terminator="\n")


def write_partner_xlsx(table: TableContract, frame: pl.DataFrame, path: Path) -> None:
    """The same file as a workbook, in the template's sheet `datos`: numbers and dates in cells of their kind."""
    with _workbook(path, table) as book:
        _data_sheet(book, DATA_SHEET, table, as_written(table, frame))


def as_written(table: TableContract, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame as text in the contract's order, with null for an empty cell.

    Raises:
        AntawasiError: a column is missing or unknown.
    """
    titles = [_title(c) for c in table.columns]
    if set(frame.columns) != set(titles):
        missing, unknown = set(titles) - set(frame.columns), set(frame.columns) - set(titles)
        raise AntawasiError(
            f"{table.name}: missing columns {sorted(missing)}, unknown columns {sorted(unknown)}. "
            f"What to do: give a frame with the titles of {table.path.name}."
        )
    return frame.select(_text(c, frame.schema[_title(c)]) for c in table.columns)


def _title(column: Column) -> str:
    assert column.file_column, column.name
    return column.file_column


def _text(column: Column, dtype: pl.DataType) -> pl.Expr:
    value = pl.col(_title(column))
    if dtype == pl.Boolean:
        return pl.when(value).then(pl.lit("SI")).when(~value).then(pl.lit("NO")).alias(_title(column))
    if dtype == pl.Date:
        return value.dt.to_string("%Y-%m-%d")
    if isinstance(dtype, pl.Datetime):
        return value.dt.to_string("%Y-%m-%dT%H:%M:%S")
    if dtype.is_float() or isinstance(dtype, pl.Decimal):
        exact = value.cast(column.dtype).cast(pl.String)
        return exact.str.replace(r"(\.\d*?)0+$", "${1}").str.strip_suffix(".")
    return value.cast(pl.String)


# --- templates ------------------------------------------------------------------------------------


def write_template(table: TableContract, path: Path) -> None:
    """An empty template with sheets LEEME, datos, ejemplo and diccionario, in Spanish."""
    empty = pl.DataFrame(schema={_title(c): pl.String for c in table.columns})
    with _workbook(path, table) as book:
        wrap = book.add_format({"text_wrap": True, "valign": "top"})
        bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        _readme_sheet(book.add_worksheet("LEEME"), table, wrap, bold)
        _data_sheet(book, DATA_SHEET, table, empty)
        _data_sheet(book, "ejemplo", table, example_rows(table))
        _dictionary_sheet(book.add_worksheet("diccionario"), table, wrap, bold)


def example_rows(table: TableContract) -> pl.DataFrame:
    """The contract's two example rows as a partner would write them."""
    return pl.DataFrame(
        {_title(c): [value or None for value in c.example] for c in table.columns},
        schema={_title(c): pl.String for c in table.columns},
    )


def _workbook(path: Path, table: TableContract) -> xlsxwriter.Workbook:
    book = xlsxwriter.Workbook(path)
    book.set_properties({"title": table.description_es, "author": "Antawasi", "created": _CREATED})
    return book


def _data_sheet(book: xlsxwriter.Workbook, name: str, table: TableContract, rows: pl.DataFrame) -> None:
    """A sheet with the titles, their notes, formats and drop-downs, and the rows of `as_written`."""
    sheet = book.add_worksheet(name)
    heads = {
        True: book.add_format({"bold": True, "bg_color": "#F4B183", "border": 1}),
        False: book.add_format({"bold": True, "bg_color": "#E7E6E6", "border": 1}),
    }
    formats = {
        kind: book.add_format({"num_format": kind})
        for kind in ("@", "General", "0", "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss")
    }
    for j, column in enumerate(table.columns):
        title, cell_format = _title(column), formats[_number_format(column)]
        sheet.set_column(j, j, max(14, len(title) + 3), cell_format)
        sheet.write_string(0, j, title, heads[column.required])
        sheet.write_comment(0, j, _note(column), {"x_scale": 2, "y_scale": 1.5, "author": "Antawasi"})
        if rule := _validation(book, column, j):
            sheet.data_validation(1, j, _LAST_ROW, j, rule)
        _write_cells(sheet, j, column, rows[title], cell_format)
    sheet.freeze_panes(1, 0)


def _number_format(column: Column) -> str:
    """Excel's format of a column: text for whatever is no number, so that leading zeros survive."""
    dtype = column.dtype
    if dtype == pl.Date:
        return "yyyy-mm-dd"
    if isinstance(dtype, pl.Datetime):
        return "yyyy-mm-dd hh:mm:ss"
    if dtype.is_integer():
        return "0"
    return "General" if dtype.is_numeric() else "@"


def _write_cells(sheet: Any, j: int, column: Column, texts: pl.Series, cell_format: Any) -> None:
    """Numbers and dates in cells of their kind; what is none, and all else, as text."""
    dtype = column.dtype
    numbers = pl.Series(dtype=pl.Float64)
    if dtype.is_numeric():
        numbers = texts.cast(pl.Float64, strict=False)
    elif dtype == pl.Date or isinstance(dtype, pl.Datetime):
        times = texts.str.to_datetime("%Y-%m-%d" if dtype == pl.Date else "%Y-%m-%dT%H:%M:%S", strict=False)
        numbers = (times - _EXCEL_EPOCH).dt.total_seconds() / 86_400
    for i, text in enumerate(texts, start=1):
        number = numbers[i - 1] if len(numbers) else None
        if number is not None:
            sheet.write_number(i, j, number, cell_format)
        elif text is not None:
            sheet.write_string(i, j, text, cell_format)


def _note(column: Column) -> str:
    title = column.title_es + (f" ({column.unit})" if column.unit else "")
    return f"{title}. {_meaning(column)}. {'Obligatorio' if column.required else 'Puede quedar vacío'}."


def _meaning(column: Column) -> str:
    """The column's description for who fills it: of an identity, what to write and what is kept."""
    text = column.description_es
    if column.identity_kind:
        return f"{_IDENTITIES[column.identity_kind]}. Se guarda solo como {text[0].lower()}{text[1:]}"
    return text


def _codes(column: Column) -> tuple[str, ...]:
    return _YES_NO if column.dtype == pl.Boolean else column.codes or ()


def _validation(book: xlsxwriter.Workbook, column: Column, j: int) -> dict[str, Any] | None:
    """What Excel lets into a column, with the reason in Spanish; None where any text may stand."""
    if codes := _codes(column):
        inline = len(",".join(codes)) <= _MAX_INLINE_LIST
        source = list(codes) if inline else _list_range(book, column, codes)
        return _rule({"validate": "list", "source": source}, "Elija un valor de la lista.")
    dtype = column.dtype
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        told = (
            "Escriba una fecha como 2025-06-30." if dtype == pl.Date else "Escriba fecha y hora como 2025-06-30 14:05."
        )
        return _rule({"validate": "date", "minimum": dt.date(1990, 1, 1), "maximum": dt.date(2100, 12, 31)}, told)
    if dtype.is_numeric():
        low = column.minimum if column.minimum is not None else -_WIDEST_NUMBER
        high = column.maximum if column.maximum is not None else _WIDEST_NUMBER
        kind, told = ("integer", "un número entero") if dtype.is_integer() else ("decimal", "un número")
        told += f" desde {column.minimum:g}" if column.minimum is not None else ""
        told += f" hasta {column.maximum:g}" if column.maximum is not None else ""
        return _rule({"validate": kind, "minimum": low, "maximum": high}, f"Escriba {told}, sin separador de miles.")
    if column.identity_kind == "RUC":
        return _rule({"validate": "length", "criteria": "==", "value": 11}, "El RUC tiene 11 dígitos.")
    if column.identity_kind == "ID":
        cell = xlsxwriter.utility.xl_rowcol_to_cell(1, j)
        formula = f"=OR(LEN({cell})=8,LEN({cell})=11)"
        return _rule({"validate": "custom", "value": formula}, "Escriba un RUC de 11 dígitos o un DNI de 8.")
    return None


def _rule(rule: dict[str, Any], told: str) -> dict[str, Any]:
    return {"criteria": "between"} | rule | {"error_title": "Valor no válido", "error_message": told}


def _list_range(book: xlsxwriter.Workbook, column: Column, codes: Sequence[str]) -> str:
    """Codes too long for a cell's own drop-down go to a hidden sheet; the range where they stand."""
    name = f"lista_{_title(column)}"
    sheet = book.get_worksheet_by_name(name)
    if sheet is None:
        sheet = book.add_worksheet(name)
        sheet.write_column(0, 0, codes)
        sheet.hide()
    return f"={name}!$A$1:$A${len(codes)}"


def _readme_sheet(sheet: Any, table: TableContract, wrap: Any, bold: Any) -> None:
    sheet.set_column(0, 0, 110)
    for i, (is_head, line) in enumerate(_readme(table)):
        sheet.write_string(i, 0, line, bold if is_head else wrap)


def _readme(table: TableContract) -> list[tuple[bool, str]]:
    """(is a heading, line) of LEEME."""
    date = next(c for c in table.columns if c.name == table.properties["date_column"])
    lines = [
        (True, f"Antawasi: plantilla de {table.source}"),
        (False, f"Para qué sirve: {table.description_es}."),
        (False, f"Quién la llena: {table.properties['filled_by_es']}."),
        (False, f"Una fila por cada {_key_titles(table)}. {table.limitations_es}"),
        (True, "Cómo llenarla"),
        (False, "Llene la hoja «datos» desde la fila 2; la hoja «ejemplo» muestra dos filas y «diccionario» explica cada columna."),
        (False, "No cambie los títulos ni agregue o quite columnas; el orden no importa. Los títulos naranjas son obligatorios."),
        (False, "Si no tiene un dato opcional, deje la celda vacía; no escriba ceros ni guiones en su lugar."),
        (False, "Números sin separador de miles. En un CSV, siempre con punto decimal: 1234.56."),
        (False, "Fechas como 2025-06-30 y horas como 2025-06-30 14:05, hora del Perú."),
        (False, "RUC, DNI, ubigeo y demás códigos son texto: los ceros iniciales se conservan."),
        (False, "Los códigos que usted asigna (lotes, casos, contratos, sesiones) no deben contener RUC, DNI ni nombres de personas."),
        (True, "Cómo enviarla"),
        (False, f"Envíe un archivo por mes; el mes lo da la columna «{_title(date)}». Lo más seguro es Excel (.xlsx); también vale CSV UTF-8."),
        (False, f"Quien opera Antawasi lo deja en inbox/{table.source}/. Para corregir, envíe un archivo con las filas corregidas: "
                f"reemplazan a las anteriores con igual {_key_titles(table)}."),
        (True, "Privacidad"),
        (False, "RUC, DNI, placas, códigos REINFO y números de comprobante se convierten en claves al recibir el archivo; "
                "las identidades quedan solo en una bóveda a la que no llegan ni los analistas ni las publicaciones."),
    ]  # fmt: skip
    if any(c.name in ("sex_code", "language_code") for c in table.columns):
        lines.append(
            (
                False,
                "Sexo y lengua solo se llenan si se preguntó a la persona y dio su consentimiento; si no, deje la celda vacía.",
            )
        )
    return lines


def _key_titles(table: TableContract) -> str:
    titles = [_title(c) for name in table.key for c in table.columns if c.name == name]
    return " y ".join([", ".join(titles[:-1]), titles[-1]] if len(titles) > 1 else titles)


def _dictionary_sheet(sheet: Any, table: TableContract, wrap: Any, bold: Any) -> None:
    heads = ("columna", "título", "descripción", "unidad", "obligatorio", "códigos", "ejemplo")
    for j, (head, width) in enumerate(zip(heads, (24, 30, 70, 12, 12, 50, 30), strict=True)):
        sheet.set_column(j, j, width)
        sheet.write_string(0, j, head, bold)
    for i, c in enumerate(table.columns, start=1):
        example = next((value for value in c.example if value), "")
        required = "sí" if c.required else "no"
        row = (_title(c), c.title_es, _meaning(c), c.unit or "", required, ", ".join(_codes(c)), example)
        for j, value in enumerate(row):
            sheet.write_string(i, j, value, wrap)
    sheet.freeze_panes(1, 0)
