"""Files that partners fill (see `partner_files.py`): one parser for all of them, driven by the contract alone.

CSV (comma, semicolon or tab) or XLSX (sheet `datos`, else the first). Columns are matched by title; a file that was
made before the contract had one is read without it. What a spreadsheet does to a value is undone where there is one
reading of it: dates, times, yes and no, codes in lower case, whole numbers with a decimal point. Numbers with a decimal
comma have two readings (1.234): they are left for the row checks to reject. Identities become keys; a row whose identity
cannot be one is rejected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from pipelines import contracts
from pipelines.contracts import Column, TableContract
from pipelines.errors import FileRefused
from pipelines.identity import Keyer, is_valid_ruc
from pipelines.sources import Batch, Context, Identified
from pipelines.sources.common import (
    WRONG_RUC,
    check_header,
    decode,
    fold_header,
    guard_lines,
    mining_right_id,
    read_csv_rows,
    read_sheet,
    read_small,
    whole_number,
)

Reader = tuple[Callable[[Path], Identified], Callable[[Path, Context], Iterator[Batch]]]

#: The sheet of a workbook that is read.
DATA_SHEET = "datos"
_SEPARATORS = ",;\t"
_FIELDS = {"_row_number": pl.Int64, "fields": pl.List(pl.String)}
_CLOCK = r"[ T]+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:\.[0-9]+)?$"
_DOCUMENT = r"^([0-9]{11})-([0-9]{2})-([A-Z0-9]{4})-0*([0-9]{1,10})$"
_TRUE, _FALSE = ("SI", "SÍ", "VERDADERO", "TRUE", "1"), ("NO", "FALSO", "FALSE", "0")
_EXCEL_EPOCH = pl.lit("1899-12-30").str.to_date("%Y-%m-%d")


def reader(table_name: str) -> Reader:
    """`identify` and `parse` of one partner table."""

    def identify(path: Path) -> Identified:
        """Period and as-of date: the newest month and day of the contract's `date_column`."""
        table = contracts.contract(table_name)
        newest = _newest(table, _rows(table, path))
        return Identified(period=newest[:7], source_as_of=newest) if newest else Identified()

    def parse(path: Path, context: Context) -> Iterator[Batch]:
        """One batch: a row per row of the file that is not blank; `_row_number` is its line or sheet row."""
        table = contracts.contract(table_name)
        rows = _rows(table, path)
        if newest := _newest(table, rows):
            context.check_period(newest[:7], f"newest date of column {_date_column(table).file_column}")
        yield Batch({table.name: _keyed(table, rows, context.keyer)})

    return identify, parse


# --- the file as text by contract column ----------------------------------------------------------


def _rows(table: TableContract, path: Path) -> pl.DataFrame:
    """The file's rows under the contract's column names, each value as text or null; `_row_number` and `_problem`.

    Raises:
        FileRefused: not a table, without rows, or with other columns than the contract's.
    """
    data = read_small(path)
    titles, frame, place = _sheet_table(path) if data.startswith(b"PK") else _text_table(data, path)
    named = {fold_header(c.file_column or ""): c for c in table.columns}
    shown = [c.file_column or "" if (c := named.get(fold_header(t))) else t for t in titles]
    wanted = [c.file_column or "" for c in table.columns if not c.added_in]
    known = [c.file_column or "" for c in table.columns]
    check_header(shown, wanted, known, path, place, f"take the titles of `antawasi templates {table.source}`")
    if not frame.height:
        raise FileRefused(
            "the file has titles and no rows",
            expected="at least one row below the titles",
            remedy="ask the partner for the complete file",
            file=path,
            place=place,
        )
    positions = {title: str(i) for i, title in enumerate(shown)}
    return frame.select(
        *(_given(positions.get(c.file_column or "")).alias(c.name) for c in table.columns),
        "_row_number",
        "_problem",
    )


def _given(position: str | None) -> pl.Expr:
    """What a file has in a column, blank cells as null; null where it has no such column."""
    return _blank_to_null(pl.col(position)) if position is not None else pl.lit(None, pl.String)


def _blank_to_null(text: pl.Expr) -> pl.Expr:
    stripped = text.str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def _text_table(data: bytes, path: Path) -> tuple[list[str], pl.DataFrame, str]:
    """Titles, rows (columns named by position) and the titles' place of a delimited text."""
    guard_lines(data, path)
    text = decode(data, ("utf-8-sig", "latin-1"), path).replace("\r\n", "\n")
    first = next((line for line in text.split("\n") if line.strip(_SEPARATORS + " ")), "")
    separator = max(_SEPARATORS, key=first.count)
    if '"' in text or "\r" in text:
        numbered = read_csv_rows(text, path, separator)
        numbers, fields = ([row[i] for row in numbered] for i in (0, 1))
        rows = pl.DataFrame({"_row_number": numbers, "fields": fields}, schema=_FIELDS)
    else:  # nothing is quoted, so that a line is a row: many times faster
        lines = pl.Series("fields", text.split("\n"), dtype=pl.String)
        rows = pl.DataFrame(
            {"_row_number": pl.int_range(1, lines.len() + 1, eager=True), "fields": lines.str.split(separator)}
        )
    rows = rows.filter(_has_text(pl.col("fields")))
    if not rows.height:
        return [], pl.DataFrame(), "line 1"
    titles: list[str] = rows["fields"][0].to_list()
    place, rows = f"line {rows['_row_number'][0]}", rows.slice(1)
    width = max((i for i, title in enumerate(titles, start=1) if title.strip()), default=0)  # a lone control character
    beyond = rows.select(_has_text(pl.col("fields").list.slice(width))).to_series()
    if not beyond.any():
        titles = titles[:width]  # a spreadsheet's empty columns at the right
    count = pl.col("fields").list.len()
    wrong = (count < len(titles)) | _has_text(pl.col("fields").list.slice(len(titles)))
    problem = pl.format("width|-|found {} fields, expected {}", count, len(titles))
    frame = rows.select(
        *(
            pl.when(~wrong).then(pl.col("fields").list.get(j, null_on_oob=True)).alias(str(j))
            for j in range(len(titles))
        ),
        "_row_number",
        pl.when(wrong).then(problem).alias("_problem"),
    )
    return titles, frame, place


def _has_text(fields: pl.Expr) -> pl.Expr:
    return fields.list.join("").str.strip_chars() != ""


def _sheet_table(path: Path) -> tuple[list[str], pl.DataFrame, str]:
    """The same of a workbook's sheet."""
    cells = read_sheet(path, DATA_SHEET, or_first=True)
    cells = cells.rename({name: str(j) for j, name in enumerate(cells.columns)})
    filled = [j for j in cells.columns if cells[j].fill_null("").str.strip_chars().ne("").any()]
    if not filled:
        return [], pl.DataFrame(), "row 1"
    given = pl.any_horizontal(pl.col(filled).fill_null("").str.strip_chars() != "")
    rows = (
        cells.select(filled)
        .with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("_row_number"))
        .filter(given)
    )
    titles = [title or "" for title in rows.row(0)[:-1]]
    frame = rows.slice(1).rename({name: str(j) for j, name in enumerate(filled)})
    return titles, frame.with_columns(pl.lit(None, pl.String).alias("_problem")), f"sheet row {rows['_row_number'][0]}"


# --- values as the row checks read them -----------------------------------------------------------


def _date_column(table: TableContract) -> Column:
    return next(c for c in table.columns if c.name == table.properties["date_column"])


def _newest(table: TableContract, rows: pl.DataFrame) -> str | None:
    """Newest day of the date column as YYYY-MM-DD; None where no value of it is a date."""
    column = _date_column(table)
    return rows.select(
        _normal(column).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).dt.to_string().max()
    ).item()


def _normal(column: Column) -> pl.Expr:
    """A column's text in the one spelling that the contract's checks read; what has no reading stays as it is."""
    text, dtype = pl.col(column.name), column.dtype
    if dtype == pl.Date:
        read = _iso_date(text.str.replace(_CLOCK, ""))
    elif isinstance(dtype, pl.Datetime):
        read = _iso_time(text)
    elif dtype == pl.Boolean:
        yes = text.str.to_uppercase()
        read = pl.when(yes.is_in(_TRUE)).then(pl.lit("true")).when(yes.is_in(_FALSE)).then(pl.lit("false"))
    elif dtype.is_integer():
        read = text.str.replace(r"^([+-]?[0-9]+)\.0+$", "${1}")
    elif column.codes is not None or column.pattern:
        read = _code(column, text)
    else:
        return text
    return pl.coalesce(read, text).alias(column.name)


def _iso_date(text: pl.Expr) -> pl.Expr:
    """YYYY-MM-DD of that, of D/M/YYYY or of a spreadsheet's count of days; null for anything else."""
    days = text.str.extract(r"^([2-6][0-9]{4})(?:\.[0-9]+)?$").cast(pl.Int64)
    day, month, year = (text.str.extract(r"^([0-9]{1,2})[/-]([0-9]{1,2})[/-]([0-9]{4})$", i) for i in (1, 2, 3))
    return pl.coalesce(
        text.str.extract(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})$"),
        pl.concat_str(year, month.str.zfill(2), day.str.zfill(2), separator="-"),
        (_EXCEL_EPOCH + pl.duration(days=days)).dt.to_string("%Y-%m-%d"),
    )


def _iso_time(text: pl.Expr) -> pl.Expr:
    """YYYY-MM-DDTHH:MM:SS of a date and a time, or of a spreadsheet's count of days with a fraction."""
    parts = r"^(\S+?)[ T]+([0-9]{1,2}:[0-9]{2})(:[0-9]{2})?(?:\.[0-9]+)?$"
    clock = text.str.extract(parts, 2).str.zfill(5) + text.str.extract(parts, 3).fill_null(":00")
    days = text.str.extract(r"^([2-6][0-9]{4}\.[0-9]+)$").cast(pl.Float64)
    counted = _EXCEL_EPOCH.cast(pl.Datetime("us")) + pl.duration(seconds=(days * 86_400).round())
    return pl.coalesce(
        pl.concat_str(_iso_date(text.str.extract(parts, 1)), clock, separator="T"),
        counted.dt.to_string("%Y-%m-%dT%H:%M:%S"),
    )


def _code(column: Column, text: pl.Expr) -> pl.Expr:
    """A code without spaces in upper case; one of all digits gets back the one zero that a spreadsheet ate."""
    code = text.str.replace_all(r"\s", "").str.to_uppercase()
    if column.pattern and (digits := column.pattern.removeprefix("^[0-9]{").removesuffix("}$")).isdigit():
        code = code.str.replace(r"\.0+$", "")
        return pl.when(code.str.contains(f"^[0-9]{{{int(digits) - 1}}}$")).then("0" + code).otherwise(code)
    return code


# --- identities -----------------------------------------------------------------------------------


def _keyed(table: TableContract, rows: pl.DataFrame, keyer: Keyer) -> pl.DataFrame:
    """Rows in the checks' spelling with keys in place of identities; what is wrong with one is its row's `_problem`."""
    problems = [pl.col("_problem")]
    columns: list[pl.Series | pl.Expr] = []
    for c in table.columns:
        if c.identity_kind:
            keys, problem = _keys(c, rows[c.name], keyer)
            columns += [keys, problem.alias(f"\x1e{c.name}")]
            problems.append(pl.col(f"\x1e{c.name}"))
        elif c.name == "mining_right_id_ingemmet":
            known = {text: mining_right_id(text)[0] for text in rows[c.name].drop_nulls().unique()}
            columns.append(rows[c.name].replace_strict(known, default=None, return_dtype=pl.String))
        elif c.dtype == pl.String and not c.codes and not c.pattern:
            found = _persons(rows[c.name])
            reason = f"identity|{c.name}|the text holds a person's RUC, expected a code or text without identities"
            columns.append(pl.when(~found).then(pl.col(c.name)).alias(c.name))
            columns.append(pl.when(found).then(pl.lit(reason)).alias(f"\x1e{c.name}"))
            problems.append(pl.col(f"\x1e{c.name}"))
        else:
            columns.append(_normal(c))
    frame = rows.with_columns(columns)
    problems += _without_consent(table)
    return frame.with_columns(pl.coalesce(problems).alias("_problem")).select(
        *table.column_names, "_row_number", "_problem"
    )


def _keys(column: Column, written: pl.Series, keyer: Keyer) -> tuple[pl.Series, pl.Series]:
    """(keys, problems) of identities; each of them is looked at once, however often it stands in the file."""
    if column.identity_kind == "DOCUMENT":
        return _document_keys(column, written, keyer)
    told = {
        "RUC": WRONG_RUC.replace("|party_key|", f"|{column.name}|"),
        "ID": f"identity|{column.name}|neither a valid RUC of 11 digits nor a DNI of 8 (a lost leading zero?), expected one of them",
    }
    keys: dict[str, str | None] = {}
    problems: dict[str, str] = {}
    for text in written.drop_nulls().unique(maintain_order=True):
        value = whole_number(text) or ""
        kind = column.identity_kind or ""
        if kind in told:
            is_dni = kind == "ID" and len(value) == 8 and value.isascii() and value.isdigit()
            if not is_dni and not is_valid_ruc(value):
                problems[text] = told[kind]
                continue
            kind = "DNI" if is_dni else "RUC"
        keys[text] = keyer.key(kind, value)
    return tuple(written.replace_strict(made, default=None, return_dtype=pl.String) for made in (keys, problems))


def _document_keys(column: Column, written: pl.Series, keyer: Keyer) -> tuple[pl.Series, pl.Series]:
    """Keys of documents, made as `sources/sunat_documents.py` makes its `document_key`, and not remembered either."""
    text = pl.col(column.name).str.replace_all(r"\s", "").str.to_uppercase()
    parts = [text.str.extract(_DOCUMENT, i) for i in (1, 2, 3, 4)]
    ruc, kind, series, number = parts
    named = written.to_frame().select(
        pl.col(column.name).is_not_null().alias("given"),
        ruc.alias("ruc"),
        pl.concat_str(pl.lit("DOCUMENT:"), ruc, pl.lit("-"), kind, pl.lit("-"), series, pl.lit("-"), number).alias(
            column.name
        ),
    )
    valid = [ruc for ruc in named["ruc"].drop_nulls().unique() if is_valid_ruc(ruc)]
    problem = f"document|{column.name}|no document's name, expected RUC-TYPE-SERIES-NUMBER with a valid RUC"
    named = named.with_columns(pl.when(pl.col("ruc").is_in(valid)).then(pl.col(column.name)).alias(column.name))
    problems = named.select(pl.when(pl.col("given") & pl.col(column.name).is_null()).then(pl.lit(problem))).to_series()
    return keyer.digest_all(named[column.name]), problems


def _persons(texts: pl.Series) -> pl.Series:
    """Which texts hold the valid RUC of a natural person, in whom the DNI stands."""
    suspects = texts.filter(texts.str.contains("10[0-9]{9}")).unique()
    found = [t for t in suspects if any(r[:2] == "10" and is_valid_ruc(r) for r in re.findall("[0-9]+", t))]
    return texts.is_in(found)


def _without_consent(table: TableContract) -> list[pl.Expr]:
    """Problems of rows that state what the contract allows with consent only (`consent_for`), and have none."""
    consent = table.properties.get("consent_column")
    return [
        pl.when(pl.col(name).is_not_null() & (pl.col(consent) != "true").fill_null(True)).then(
            pl.lit(f"consent|{name}|given without consent, expected an empty cell")
        )
        for name in table.properties.get("consent_for", ())
    ]
