"""What parsers share: guards against hostile files, text tables with line numbers, workbook sheets."""

from __future__ import annotations

import csv
import io
import json
import lzma
import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from pipelines.errors import FileRefused

#: `_problem` of a row whose party's RUC is none.
WRONG_RUC = "ruc_check_digit|party_key|the RUC's check digit, length or prefix is wrong, expected a valid RUC"
MAX_LINE_BYTES = 1 << 20
MAX_UNZIPPED_BYTES = 2 << 30
MAX_UNZIP_RATIO = 200
MAX_MEMBERS = 200_000
#: What opening a damaged archive or reading a member of it may raise.
DAMAGED_MEMBER = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError, NotImplementedError,
)  # fmt: skip

SPANISH_MONTHS = {
    "ene": 1, "feb": 2, "mar": 3, "abr": 4, "may": 5, "jun": 6,
    "jul": 7, "ago": 8, "set": 9, "sep": 9, "oct": 10, "nov": 11, "dic": 12,
}  # fmt: skip


def spanish_month(name: str) -> int | None:
    """Month number of a Spanish month's name or abbreviation; None when it is neither."""
    return SPANISH_MONTHS.get(name.strip().lower()[:3])


def squeeze(text: str) -> str:
    """No spaces at the ends, single ones within (no-break spaces count as spaces)."""
    return " ".join(text.split())


def fold_header(name: str) -> str:
    """Column titles as compared between layouts: upper case, no accents, one underscore between words."""
    plain = unicodedata.normalize("NFKD", squeeze(name).upper()).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Z0-9]+", "_", plain).strip("_")


def whole_number(text: str | None) -> str | None:
    """A number that a spreadsheet may have spelled 20505310072.0 or 2.0505310072E10, as its digits."""
    if text is None:
        return None
    compact = re.sub(r"\s", "", text)
    if re.fullmatch(r"\d+\.0+|\d(\.\d+)?[eE]\+?\d+", compact):
        return f"{float(compact):.0f}"
    return compact


def mining_right_id(text: str | None) -> tuple[str | None, bool]:
    """(code, whether a lost leading zero was put back) of a mining right's unique code.

    Codes have nine digits (`050009409`), nine digits and a letter (`010000605L`), or eight digits, a letter and
    two digits (`01000002Y01`). One digit short of such a pattern, a spreadsheet has eaten the zero. Other
    spellings are kept as they are; `-` is no code.
    """
    code = re.sub(r"\s", "", text or "").upper().removesuffix(".0")
    if code in ("", "-", "--"):
        return None, False
    if re.fullmatch(r"\d{8}|\d{8}[A-Z]|\d{7}[A-Z]\d{2}", code):
        return "0" + code, True
    return code, False


def read_small(path: Path, limit_bytes: int = 512 << 20) -> bytes:
    """The whole file, refusing empty ones, web pages and anything beyond `limit_bytes`.

    Raises:
        FileRefused: see above; also when one line is longer than `MAX_LINE_BYTES` and the file is not binary.
    """
    size = path.stat().st_size
    if size == 0:
        raise FileRefused(
            "the file is empty", expected="data", remedy="ask the producer for the complete file", file=path
        )
    if size > limit_bytes:
        raise FileRefused(
            f"the file has {size:,} bytes",
            expected=f"at most {limit_bytes:,}",
            remedy="check that it is the right file; split it if it is",
            file=path,
        )
    data = path.read_bytes()
    if is_html(data):
        raise FileRefused(
            "the file is a web page, not data (a blocked or failed download answers like this with status 200)",
            expected="the data file itself",
            remedy="download it again later, or with a browser, and look at it before you drop it in the inbox",
            file=path,
        )
    return data


def is_html(data: bytes) -> bool:
    head = data[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith((b"<!doctype html", b"<html")) or (head.startswith(b"<") and b"<html" in head)


def decode(data: bytes, encodings: Sequence[str], path: Path) -> str:
    """Text of `data` in the first encoding that fits.

    Raises:
        FileRefused: none fits; the message names the line of the first bad byte.
    """
    error: UnicodeDecodeError | None = None
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as failed:
            error = error or failed
    assert error is not None
    line = data.count(b"\n", 0, error.start) + 1
    raise FileRefused(
        f"byte 0x{data[error.start]:02x} is not {encodings[0]} text",
        expected=f"text in {' or '.join(encodings)}",
        remedy="save the file again in that encoding, or ask for the original",
        file=path,
        place=f"line {line}",
    )


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def json_value(text: str) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: it is none, or an escape in it is half a letter (a lone surrogate), which no text can hold.
    """
    value = json.loads(text)
    if _SURROGATE.search(text):
        orjson.loads(text)
    return value


def guard_lines(data: bytes, path: Path) -> None:
    """Refuse text with a line beyond `MAX_LINE_BYTES` before a parser chokes on it."""
    start, number = 0, 1
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        if end - start > MAX_LINE_BYTES:
            raise FileRefused(
                f"the line has {end - start:,} bytes",
                expected=f"lines of at most {MAX_LINE_BYTES:,} bytes",
                remedy="the file lost its line ends or is no table; ask for the original",
                file=path,
                place=f"line {number}",
            )
        start, number = end + 1, number + 1


def read_csv_rows(text: str, path: Path, delimiter: str = ",") -> list[tuple[int, list[str]]]:
    """Rows of a delimited text as (line number of the row's first line, fields). Blank lines are skipped.

    Raises:
        FileRefused: quoting that cannot be read, or a header that was split by another delimiter.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    line = 1
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise FileRefused(
                f"the row cannot be read ({error})",
                expected=f"fields separated by {delimiter!r}, quoted with double quotes",
                remedy="open the file at this line and mend the quoting, or ask for the original",
                file=path,
                place=f"line {line}",
            ) from None
        if fields:
            rows.append((line, fields))
        line = reader.line_num + 1
    if rows and len(rows[0][1]) == 1:
        header = rows[0][1][0]
        other = next((d for d in (";", "\t", "|", ",") if d != delimiter and d in header), None)
        if other:
            raise FileRefused(
                f"the header is separated by {other!r}",
                expected=f"{delimiter!r} between columns",
                remedy=f"save the file with {delimiter!r} as separator",
                file=path,
                place="line 1",
            )
    return rows


def check_header(
    found: Sequence[str],
    required: Iterable[str],
    known: Iterable[str],
    path: Path,
    place: str,
    remedy: str = "if the producer changed the layout, teach the parser and the contract; else ask for the usual file",
) -> None:
    """Refuse a table with missing, unknown or doubled columns, naming them all."""
    required, known = list(required), set(known)
    missing = [c for c in required if c not in found]
    unknown = [c for c in found if c not in known]
    doubled = sorted({c for c in found if list(found).count(c) > 1})
    problems = [
        f"{what} column{'s' if len(names) > 1 else ''} {', '.join(repr(n) for n in names)}"
        for what, names in (("missing", missing), ("unknown", unknown), ("doubled", doubled))
        if names
    ]
    if problems:
        raise FileRefused(
            "; ".join(problems),
            expected=", ".join(required),
            remedy=remedy,
            file=path,
            place=place,
        )


def rows_to_frame(header: Sequence[str], rows: Sequence[tuple[int, list[str]]], columns: Sequence[str]) -> pl.DataFrame:
    """Text frame of `columns` (names in `header`) with `_row_number`; rows of another width get a `_problem`."""
    at = {name: header.index(name) for name in columns}
    width = len(header)
    data: dict[str, list[str | None]] = {name: [] for name in columns}
    numbers: list[int] = []
    problems: list[str | None] = []
    for number, fields in rows:
        fits = len(fields) == width
        for name in columns:
            data[name].append(fields[at[name]] if fits else None)
        numbers.append(number)
        problems.append(None if fits else f"width|-|found {len(fields)} fields, expected {width}")
    schema = dict.fromkeys(columns, pl.String) | {"_row_number": pl.Int64, "_problem": pl.String}
    return pl.DataFrame({**data, "_row_number": numbers, "_problem": problems}, schema=schema)


#: A member's name that begins at a root or on a drive, or has a step up in it.
_CLIMBS_OUT = re.compile(r"[\\/]|[A-Za-z]:|(?:.*[\\/])?\.\.(?:[\\/]|\Z)", re.DOTALL)


def check_zip(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    """Members of an archive that are safe to read, in name order.

    Raises:
        FileRefused: a bomb (size or ratio), too many members, an encrypted one, or a name that climbs out.
    """
    members = [m for m in archive.infolist() if not m.is_dir()]
    if len(members) > MAX_MEMBERS:
        _refuse_zip(path, "", f"{len(members):,} members", f"at most {MAX_MEMBERS:,}")
    total = 0
    for member in members:
        if _CLIMBS_OUT.match(member.filename):
            _refuse_zip(path, member.filename, "the member's name climbs out of the archive", "plain relative names")
        if member.flag_bits & 0x1:
            _refuse_zip(path, member.filename, "the member is encrypted", "members without a password")
        total += member.file_size
        ratio = member.file_size / max(member.compress_size, 1)
        if total > MAX_UNZIPPED_BYTES or (ratio > MAX_UNZIP_RATIO and member.file_size > 10 << 20):
            _refuse_zip(
                path,
                member.filename,
                f"it unpacks to {member.file_size:,} bytes ({ratio:,.0f} times its packed size)",
                f"at most {MAX_UNZIPPED_BYTES:,} bytes in all and {MAX_UNZIP_RATIO} times a large member's packed size",
            )
    return sorted(members, key=lambda m: m.filename)


def _refuse_zip(path: Path, member: str, problem: str, expected: str) -> None:
    raise FileRefused(
        problem,
        expected=expected,
        remedy="do not open this archive by hand; ask the producer for a clean one",
        file=path,
        place=f"member {member!r}" if member else "",
    )


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open an archive; a truncated or foreign file is refused with its name."""
    try:
        return zipfile.ZipFile(path)
    except DAMAGED_MEMBER as error:
        raise FileRefused(
            f"the archive cannot be opened ({error})",
            expected="a complete zip file",
            remedy="download or copy it again; compare its size with the producer's",
            file=path,
        ) from None


def read_sheet(path: Path, sheet: str | None = None, *, or_first: bool = False) -> pl.DataFrame:
    """One sheet of a workbook as text cells without a header; row i of the frame is sheet row i + 1.

    Args:
        sheet: the sheet's name; None for the first one.
        or_first: take the first sheet where there is none of that name.

    Raises:
        FileRefused: not a workbook, truncated, a zip bomb, or without that sheet.
    """
    import fastexcel

    with open_zip(path) as archive:
        check_zip(archive, path)
    try:
        book = fastexcel.read_excel(str(path))
        if not book.sheet_names:
            raise FileRefused(
                "the workbook has no sheet",
                expected="a sheet with the table",
                remedy="save it again from a spreadsheet program",
                file=path,
            )
        if sheet not in book.sheet_names and (sheet is None or or_first):
            sheet = book.sheet_names[0]
        if sheet not in book.sheet_names:
            raise FileRefused(
                f"no sheet {sheet!r} (there are {', '.join(book.sheet_names)})",
                expected=f"a sheet named {sheet!r}",
                remedy="check that it is the right workbook",
                file=path,
            )
        # skip_rows: without it the blank rows at the top of a sheet are left out, and the others renumbered
        cells = book.load_sheet(
            sheet, header_row=None, skip_rows=0, dtypes="string", skip_whitespace_tail_rows=False
        ).to_polars()
    except fastexcel.FastExcelError as error:
        raise FileRefused(
            f"the workbook cannot be read ({str(error).splitlines()[0]})",
            expected="a complete .xlsx file",
            remedy="download or copy it again, or save it again from a spreadsheet program",
            file=path,
        ) from None
    if not cells.width:
        raise FileRefused(
            f"the sheet {sheet!r} is empty",
            expected="a sheet with the table",
            remedy="ask the producer for the complete file",
            file=path,
        )
    return cells
