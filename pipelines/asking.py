"""Asking the analysts' copy: one query, a shell, and the walk from a number back to its landing file and row."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import duckdb
import polars as pl
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines import contracts, lake, landing
from pipelines.errors import AntawasiError
from pipelines.memory import limits
from pipelines.settings import Settings
from pipelines.warehouse import OFFLINE

FORMATS = ("table", "csv", "json", "parquet")
MAX_SHOWN_ROWS = 50


def connect(settings: Settings) -> duckdb.DuckDBPyConnection:
    """The analysts' copy, read-only and without access to other files.

    Raises:
        AntawasiError: no green build yet.
    """
    if not settings.analysts_db.exists():
        raise AntawasiError(
            f"There is no warehouse at {settings.analysts_db}. What to do: run `antawasi run --sample` (or `make run`) first."
        )
    # The link's target, not the link: a process that opened the old file would get the old data under the same name.
    return duckdb.connect(
        str(settings.analysts_db.resolve()),
        read_only=True,
        config=OFFLINE | limits() | {"enable_external_access": "false"},
    )


def _fetch(connection: duckdb.DuckDBPyConnection, sql: str, values: list[Any] | None = None) -> pl.DataFrame:
    try:
        answer = connection.execute(sql, values or [])
        frame = pl.from_arrow(answer.to_arrow_table())
    except duckdb.Error as error:
        raise AntawasiError(
            f'{error}\nWhat to do: mend the SQL; `antawasi query "SHOW ALL TABLES"` lists what there is.'
        ) from None
    assert isinstance(frame, pl.DataFrame)
    return frame


def query(settings: Settings, sql: str, form: str, out: Console) -> None:
    """Run one statement and print it in one of `FORMATS`."""
    if form not in FORMATS:
        raise AntawasiError(f"Format {form!r} is not known. What to do: use one of {', '.join(FORMATS)}.")
    if form == "parquet" and sys.stdout.isatty():
        raise AntawasiError(
            "Parquet is binary. What to do: send it to a file, as in `antawasi query ... --format parquet > x.parquet`."
        )
    connection = connect(settings)
    try:
        frame = _fetch(connection, sql)
    finally:
        connection.close()
    if form == "csv":
        sys.stdout.write(frame.write_csv())
    elif form == "json":
        sys.stdout.write(json.dumps(frame.to_dicts(), ensure_ascii=False, default=str) + "\n")
    elif form == "parquet":
        frame.write_parquet(sys.stdout.buffer)
    else:
        print_frame(frame, out)


@dataclass(frozen=True)
class Column:
    """A column of what is printed; one that wraps may be broken between words to make a table fit, no other is."""

    name: str
    justify: Literal["left", "right"] = "left"
    wraps: bool = False

    def width(self, cells: Iterable[str]) -> int:
        """How much room the column needs."""
        lines = [part for text in (self.name, *cells) for part in (text.split() if self.wraps else text.splitlines())]
        return max(map(cell_len, lines), default=0)


def print_records(out: Console, title: str | None, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Rows of plain text as a table where they fit the width, else one block per row; no value is shortened."""
    widths = [column.width(row[i] for row in rows) for i, column in enumerate(columns)]
    if table_width(widths) <= out.width:
        table = Table(title=title, title_justify="left")
        for column, width in zip(columns, widths, strict=True):
            table.add_column(escape(column.name), justify=column.justify, no_wrap=not column.wraps, min_width=width)
        for row in rows:
            table.add_row(*map(escape, row))
        out.print(table, highlight=False)
        return
    if title:
        out.print(f"[italic]{title}[/italic]", highlight=False)
    for row in rows:
        block = Table.grid(padding=(0, 2), pad_edge=False)
        block.add_column(no_wrap=True)
        block.add_column(overflow="fold")
        for column, value in zip(columns, row, strict=True):
            block.add_row(f"  {escape(column.name)}", escape(value))
        out.print(block, "", highlight=False)


def table_width(widths: Sequence[int]) -> int:
    """Of a table with borders whose columns have these widths."""
    return sum(widths) + 3 * len(widths) + 1


def print_frame(frame: pl.DataFrame, out: Console, title: str | None = None) -> None:
    """The first `MAX_SHOWN_ROWS` rows."""
    shown = frame.head(MAX_SHOWN_ROWS).select(pl.all().map_batches(_texts, return_dtype=pl.String))
    columns = [Column(name, "right" if dtype.is_numeric() else "left") for name, dtype in frame.schema.items()]
    print_records(out, title, columns, list(shown.iter_rows()))
    if frame.height > MAX_SHOWN_ROWS:
        out.print(f"{MAX_SHOWN_ROWS} of {frame.height:,} rows shown; use --format csv for all of them.")


def _texts(values: pl.Series) -> pl.Series:
    told = [("" if v is None else f"{v:f}" if isinstance(v, Decimal) else str(v)) for v in values.to_list()]
    return pl.Series(values.name, told, dtype=pl.String)


def shell(settings: Settings, out: Console) -> int:
    """Hand over to an installed DuckDB shell on the analysts' copy; its exit code."""
    connect(settings).close()
    program = shutil.which("duckdb")
    if program is None:
        raise AntawasiError(
            'No DuckDB shell is installed. What to do: install the `duckdb` command, or use `antawasi query "..."`; '
            f"any program that reads DuckDB 1.2 or later can open {settings.analysts_db} read-only."
        )
    out.print(f"{settings.analysts_db.resolve()} (read-only)", highlight=False)
    return subprocess.call([program, "-readonly", str(settings.analysts_db.resolve())])


def parse_key(text: str) -> dict[str, str]:
    """Column to value from `column=value,column=value`."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(equals and column.strip() for column, equals, _ in pairs):
        raise AntawasiError(f"{text!r} is not a key. What to do: write it as column=value,column=value.")
    return {column.strip(): value.strip() for column, _, value in pairs}


def trace(settings: Settings, table: str, key: str, out: Console) -> None:
    """Print the row, the rows that it was made from, and each one's landing file, row and lake row."""
    connection = connect(settings)
    try:
        schema, name = _resolve(connection, table)
        rows = _matching(connection, schema, name, parse_key(key))
        _print_rows(rows, out, f"{schema}.{name}")
        step = _step(connection, schema, name)
        while step["parent"]:
            schema, name, rows = _upstream(connection, step, rows)
            _print_rows(rows, out, f"made from {schema}.{name}")
            step = _step(connection, schema, name)
        if "landing_sha256" not in rows.columns:
            raise AntawasiError(
                f"{name} does not say what it was made from. What to do: give its model a `trace` in its meta."
            )
        sources = _fetch(
            connection, "SELECT landing_sha256, source, filename, source_as_of, is_synthetic FROM meta.landing_files"
        )
    finally:
        connection.close()
    places = rows.select("landing_sha256", "row_number").unique().sort("landing_sha256", "row_number")
    for (sha256,), group in places.join(sources, on="landing_sha256", how="left").group_by(
        "landing_sha256", maintain_order=True
    ):
        _print_origin(settings, str(sha256), group, step["where"], out)


def _print_rows(rows: pl.DataFrame, out: Console, title: str) -> None:
    print_frame(rows.drop("landing_sha256", strict=False), out, title)


def _step(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> dict[str, Any]:
    """How the table says it was made: parent table, columns to join on, and columns that pick its part of a source row."""
    found = _fetch(
        connection, "SELECT trace FROM meta.trace WHERE schema_name = ? AND table_name = ?", [schema, name]
    ).rows()
    return {"parent": None, "on": [], "where": {}} | (json.loads(found[0][0]) if found else {})


def _resolve(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[str, str]:
    schema, _, name = table.rpartition(".")
    found = _fetch(
        connection, "SELECT table_schema, table_name FROM information_schema.tables WHERE table_name = ? AND (? = '' OR table_schema = ?)",
        [name, schema, schema],
    ).rows()  # fmt: skip
    if not found:
        raise AntawasiError(f'There is no table {table!r}. What to do: `antawasi query "SHOW ALL TABLES"` lists them.')
    return found[0]


def _matching(connection: duckdb.DuckDBPyConnection, schema: str, name: str, key: dict[str, str]) -> pl.DataFrame:
    columns = _fetch(connection, f'SELECT * FROM "{schema}"."{name}" LIMIT 0').columns
    if unknown := [c for c in key if c not in columns]:
        raise AntawasiError(f"{name} has no column {', '.join(unknown)}. What to do: choose from {', '.join(columns)}.")
    where = " AND ".join(f'CAST("{c}" AS VARCHAR) = ?' for c in key)
    rows = _fetch(connection, f'SELECT * FROM "{schema}"."{name}" WHERE {where}', list(key.values()))
    if not rows.height:
        raise AntawasiError(
            f"No row of {name} has {', '.join(f'{c}={v}' for c, v in key.items())}. What to do: check the key with `antawasi query`."
        )
    return rows


def _upstream(
    connection: duckdb.DuckDBPyConnection, step: dict[str, Any], rows: pl.DataFrame
) -> tuple[str, str, pl.DataFrame]:
    schema, name = _resolve(connection, step["parent"])
    connection.register("_traced", rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
    on = " AND ".join(f'parent."{c}" IS NOT DISTINCT FROM t."{c}"' for c in step["on"])
    found = _fetch(connection, f'SELECT DISTINCT parent.* FROM "{schema}"."{name}" AS parent JOIN _traced AS t ON {on}')
    connection.unregister("_traced")
    return schema, name, found


def _print_origin(settings: Settings, sha256: str, group: pl.DataFrame, where: dict[str, str], out: Console) -> None:
    first = group.row(0, named=True)
    kind = "simulated" if first["is_synthetic"] else "measured"
    numbers = group["row_number"].to_list()
    out.print(
        f"\n[bold]{first['source']}[/bold]: {first['filename']} ({kind}, source date {first['source_as_of']})",
        highlight=False,
    )
    out.print(f"  rows {', '.join(map(str, numbers[:20]))}{' ...' if len(numbers) > 20 else ''}", highlight=False)
    card_path = settings.landing / str(first["source"]) / sha256 / "origin.json"
    if os.access(card_path, os.R_OK):  # analysts may not enter landing and lake: they see file and row, not the content
        card = landing.read_card(card_path)
        out.print(f"  file {card.path(settings.landing)}", highlight=False, soft_wrap=True)
        out.print(
            f"  from {card.origin}; licence {card.licence}; landed {card.landed_at[:19]} UTC",
            highlight=False,
            soft_wrap=True,
        )
    for table in contracts.tables_of(str(first["source"])):
        path = lake.raw_path(settings.lake, table.name, sha256)
        if os.access(path, os.R_OK):
            held = pl.read_parquet(path).filter(
                pl.col("_row_number").is_in(numbers[:20]), *(pl.col(c) == v for c, v in where.items() if c in table.column_names)
            ).drop("_landing_sha256", "_ingested_at", "_source_as_of", "_is_synthetic")  # fmt: skip
            if held.height:
                print_frame(held, out, f"as read into the lake: {table.name}")
