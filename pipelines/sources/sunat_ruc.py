"""The taxpayer roll ("padrón reducido del RUC"): 18 million lines, read as a stream.

Quirks: latin-1 with bytes 0x80-0x9F that stop some decoders, or an already damaged copy in UTF-8 with U+FFFD for
every accent; `|` between 15 columns and one more at the end; no quoting; `-` and `----` are missing; values are
cut at fixed widths. Data minimisation: only parties that other sources mention are kept, the rest is counted
as out of scope; addresses are not kept at all.
"""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl

from pipelines.errors import FileRefused
from pipelines.identity import canonical_ruc_expr, company_name_expr, valid_rucs
from pipelines.sources import Batch, Context, Identified, Source
from pipelines.sources.common import (
    DAMAGED_MEMBER,
    MAX_LINE_BYTES,
    WRONG_RUC,
    check_header,
    check_zip,
    fold_header,
    is_html,
    open_zip,
)

TABLE = "sunat_ruc__taxpayers"
SOURCE = Source(
    slug="sunat_ruc",
    group="reference",
    period=None,
    tables=(TABLE,),
    producer="SUNAT, padrón reducido del RUC",
    licence="Información pública de SUNAT",
    attribution="SUNAT, padrón reducido del RUC",
    title_es="Padrón reducido del RUC (SUNAT)",
    url="http://www2.sunat.gob.pe/padron_reducido_ruc.zip",
    scoped=True,
)

#: Titles as folded, with `?` for the letters that a damaged copy has lost.
TITLES = (
    "RUC", "NOMBRE_O_RAZON_SOCIAL", "ESTADO_DEL_CONTRIBUYENTE", "CONDICION_DE_DOMICILIO", "UBIGEO", "TIPO_DE_VIA",
    "NOMBRE_DE_VIA", "CODIGO_DE_ZONA", "TIPO_DE_ZONA", "NUMERO", "INTERIOR", "LOTE", "DEPARTAMENTO", "MANZANA", "KILOMETRO",
)  # fmt: skip
_KEPT = ("ruc", "name", "taxpayer_status", "domicile_condition", "ubigeo_code")
CHUNK_BYTES = 8 << 20
#: Names are cut at this width in the full roll.
NAME_WIDTH = 100
_PIPE, _NEWLINE, _RETURN = ord("|"), ord("\n"), ord("\r")


def identify(path: Path) -> Identified:
    """The date of the zip's member; a plain file carries no date."""
    if not zipfile.is_zipfile(path):
        return Identified()
    with open_zip(path) as archive:
        member = _member(archive, path)
        try:
            return Identified(source_as_of=dt.date(*member.date_time[:3]).isoformat())
        except ValueError:
            return Identified()  # a packer's month 0


def parse(path: Path, context: Context) -> Iterator[Batch]:
    """Batches of about `CHUNK_BYTES`; memory does not grow with the file. `_row_number` is the file's line.

    The next chunk is parsed in a thread (nearly all of it runs outside the interpreter's lock) while one is written.
    Without a scope every taxpayer is kept and keyed, but no identity is remembered for the vault: a house
    always gives a scope.
    """
    with _open(path) as stream, ThreadPoolExecutor(1) as thread:
        header = _read_header(stream, path)
        encoding = _encoding(header)
        ahead: Future[tuple[pl.DataFrame, int]] | None = None
        for line, chunk in _chunks(stream, path):
            read, ahead = ahead, thread.submit(_taxpayers, chunk, encoding, line, context)
            del chunk
            if read:
                yield _batch(*read.result(), context)
        if ahead:
            yield _batch(*ahead.result(), context)


def _encoding(header: bytes) -> str:
    """UTF-8 where the titles' letters are of it, or were lost in it; Latin-1 as SUNAT publishes it elsewhere."""
    try:
        return "latin-1" if header.decode("utf-8").isascii() else "utf-8"
    except UnicodeDecodeError:
        return "utf-8" if b"\xef\xbf\xbd" in header else "latin-1"


@contextmanager
def _open(path: Path) -> Iterator[IO[bytes]]:
    if path.stat().st_size == 0:
        raise FileRefused("the file is empty", expected="the taxpayer roll", remedy="download it again", file=path)
    with open(path, "rb") as plain:
        if plain.read(2) != b"PK":
            plain.seek(0)
            yield plain
            return
    with open_zip(path) as archive:
        member = _member(archive, path)
        try:
            with archive.open(member) as stream:
                yield stream  # type: ignore[misc]
        except DAMAGED_MEMBER as error:
            raise FileRefused(
                f"the archive is damaged ({error})", expected="a complete zip", remedy="download it again", file=path
            ) from None


def _member(archive: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    members = [m for m in check_zip(archive, path) if m.filename.lower().endswith(".txt")]
    if len(members) != 1:
        raise FileRefused(
            f"the archive holds {len(members)} .txt files",
            expected="exactly one, padron_reducido_ruc.txt",
            remedy="check that it is the taxpayer roll",
            file=path,
        )
    return members[0]


def _read_header(stream: IO[bytes], path: Path) -> bytes:
    header = stream.readline(MAX_LINE_BYTES + 1)
    if len(header) > MAX_LINE_BYTES:
        raise _too_long(path, 1)
    if is_html(header):
        raise FileRefused("the file is a web page", expected="the taxpayer roll", remedy="download it again", file=path)
    text = header.decode(_encoding(header), errors="replace").strip("\r\n\ufeff ")
    cells = text.split("|")
    if len(cells) == 1:
        other = next((d for d in (";", "\t", ",") if d in text), None)
        raise FileRefused(
            f"the titles are separated by {other!r}" if other else "the first line has no column titles",
            expected="15 titles separated by '|'",
            remedy="use the file as SUNAT publishes it",
            file=path,
            place="line 1",
        )
    if cells[-1] == "":
        cells.pop()
    check_header([_title(c) for c in cells], TITLES, TITLES, path, "line 1")
    if tuple(map(_title, cells)) != TITLES:
        raise FileRefused(
            "the columns stand in another order",
            expected=", ".join(TITLES),
            remedy="use the file as SUNAT publishes it, or teach the parser the new order",
            file=path,
            place="line 1",
        )
    return header


def _title(cell: str) -> str:
    """The known title that a possibly damaged one stands for, else the folded cell itself."""
    if "\ufffd" not in cell:
        return fold_header(cell)
    damaged = cell.upper().replace(" ", "_")
    return next(
        (
            t
            for t in TITLES
            if len(t) == len(damaged) and all(d in (c, "\ufffd") for c, d in zip(t, damaged, strict=True))
        ),
        damaged,
    )


def _chunks(stream: IO[bytes], path: Path) -> Iterator[tuple[int, bytes]]:
    """(number of the first line, whole lines of about `CHUNK_BYTES`); a last line without its end is a line."""
    line = 2
    while chunk := stream.read(CHUNK_BYTES):
        if not chunk.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES + 1)
            if len(rest) > MAX_LINE_BYTES:
                raise _too_long(path, line + chunk.count(b"\n"))
            chunk += rest
            if not rest.endswith(b"\n"):  # the file's end
                chunk = chunk.rstrip() + b"\n"
        yield line, chunk
        line += int(np.count_nonzero(np.frombuffer(chunk, dtype=np.uint8) == _NEWLINE))


def _too_long(path: Path, line: int) -> FileRefused:
    return FileRefused(
        f"the line is longer than {MAX_LINE_BYTES:,} bytes",
        expected="one taxpayer a line",
        remedy="the file lost its line ends; download it again",
        file=path,
        place=f"line {line}",
    )


def _frame(chunk: bytes, encoding: str, first_line: int) -> pl.DataFrame:
    """Rows with `_KEPT` as text, `valid` for the RUC, `_row_number` and `_problem`.

    Lines with another number of `|` than 15 are told apart by counting bytes, before anything is parsed.
    """
    raw, width = np.frombuffer(chunk, dtype=np.uint8), len(TITLES)
    ends = np.flatnonzero(raw == _NEWLINE)
    starts = np.concatenate(([0], ends[:-1] + 1))
    pipes = _pipes(raw, starts)
    sound = pipes == width
    numbers = np.arange(first_line, first_line + len(ends))
    valid = valid_rucs(raw, starts[sound])
    is_blank = (ends == starts) | ((ends == starts + 1) & (raw[starts] == _RETURN))
    broken = np.flatnonzero(~sound & ~is_blank)
    if not sound.all():  # what stands between the others
        pieces = zip([0, *(ends[~sound] + 1)], [*starts[~sound], len(chunk)], strict=True)
        chunk = b"".join(chunk[begin:end] for begin, end in pieces)
    frame = _read(chunk, encoding).with_columns(
        pl.Series("valid", valid),
        pl.Series("_row_number", numbers[sound], dtype=pl.Int64),
        pl.lit(None, dtype=pl.String).alias("_problem"),
    )
    if len(broken):
        told = [f"width|-|found {pipes[i]} separators, expected {width}" for i in broken]
        bad = pl.DataFrame({"_row_number": numbers[broken], "_problem": told, "valid": [False] * len(broken)})
        frame = pl.concat([frame, bad], how="diagonal")
    return frame


def _pipes(raw: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """How many `|` each line holds."""
    is_pipe = (raw == _PIPE).view(np.uint8)
    pipes = np.add.reduceat(is_pipe, starts, dtype=np.uint8)
    if pipes.sum(dtype=np.int64) == np.count_nonzero(is_pipe):
        return pipes
    return np.add.reduceat(is_pipe, starts, dtype=np.int64)  # ten times slower: some line holds more than 255


def _read(chunk: bytes, encoding: str) -> pl.DataFrame:
    """The kept columns of sound lines, as text."""
    if not chunk:
        return pl.DataFrame(schema=dict.fromkeys(_KEPT, pl.String))
    text = chunk if encoding == "utf-8" and _is_valid_utf8(chunk) else chunk.decode(encoding, errors="replace").encode()
    columns = list(range(len(_KEPT)))
    frame = pl.read_csv(text, separator="|", quote_char=None, has_header=False, columns=columns, infer_schema=False)
    frame.columns = list(_KEPT)
    return frame


def _is_valid_utf8(chunk: bytes) -> bool:
    try:
        chunk.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _taxpayers(chunk: bytes, encoding: str, first_line: int, context: Context) -> tuple[pl.DataFrame, int]:
    """(the chunk's rows that are in scope or have a problem, how many are out of scope)."""
    frame = _frame(chunk, encoding, first_line)
    checked = frame.with_columns(
        pl.coalesce("_problem", pl.when(~pl.col("valid")).then(pl.lit(WRONG_RUC))).alias("_problem"),
        pl.when(pl.col("valid")).then(canonical_ruc_expr(pl.col("ruc"))).alias("identity"),
    )
    out_of_scope = 0
    if context.scope is not None:
        kept = checked.filter(pl.col("_problem").is_not_null() | pl.col("identity").is_in(list(context.scope)))
        out_of_scope, checked = checked.height - kept.height, kept
    else:
        checked = checked.with_columns(context.keyer.digest_all(checked["identity"]).alias("party_key"))
    return checked, out_of_scope


def _batch(checked: pl.DataFrame, out_of_scope: int, context: Context) -> Batch:
    """The contract's columns; made while the thread parses the next chunk, so that the two have alike to do."""
    frame = _columns(checked.with_columns(_present(c) for c in _KEPT[1:]))
    if context.scope is not None:  # here and not in the thread: the keyer remembers whom it has seen
        rucs = [ruc if valid else None for ruc, valid in zip(frame["ruc"], frame["valid"], strict=True)]
        keys = context.keyer.keys("RUC", pl.Series("party_key", rucs, dtype=pl.String), frame["name"])
        frame = frame.with_columns(keys)
    return Batch({TABLE: frame.drop("ruc", "name", "valid", "identity")}, out_of_scope)


def _present(column: str) -> pl.Expr:
    """Without spaces around, and null for the marks of a missing value."""
    return pl.col(column).str.strip_chars(" ").replace(["-", "--", "---", "----", ""], None).alias(column)


def _columns(frame: pl.DataFrame) -> pl.DataFrame:
    """The contract's columns; those that the identity is made of still stand beside them."""
    name = pl.col("name")
    return frame.with_columns(
        pl.col("identity").str.head(3).alias("party_kind"),
        pl.when(pl.col("valid")).then(company_name_expr(pl.col("ruc"), name)).alias("party_name"),
        (name.str.len_chars() >= NAME_WIDTH).fill_null(False).alias("name_is_truncated"),
        name.str.contains("\ufffd", literal=True).fill_null(False).alias("has_mojibake"),
        pl.when(pl.col("ubigeo_code").str.contains(r"^[0-9]{6}$")).then(pl.col("ubigeo_code")).alias("ubigeo_code"),
        _verbatim().alias("_verbatim"),
    )


def _verbatim() -> pl.Expr:
    """What a rejected line may show, null for the others: no name and no number, only what says nothing about who it is."""
    wrong = pl.col("_problem").is_not_null()  # asked of each cell: text is put together for these few rows alone
    cells = [
        pl.when(wrong).then(pl.col(c).fill_null("")) for c in ("taxpayer_status", "domicile_condition", "ubigeo_code")
    ]
    return pl.format("taxpayer_status={}; domicile_condition={}; ubigeo_code={}", *cells)
