"""The lake: one typed Parquet file per landing file and table, rejected rows, and a receipt per file.

Each file is replaced whole or not at all. The receipt is written last: a landing file without a valid
receipt is not in the lake, whatever a killed run left behind.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import contracts, files
from pipelines.contracts import REJECTED_SCHEMA, TableContract
from pipelines.identity import mask
from pipelines.landing import OriginCard

#: Fewer rows at a time are smaller without dictionaries: each row group would carry its own.
DICTIONARY_FROM_ROWS = 10_000
REJECTED_LINEAGE = ("_landing_sha256", "_ingested_at", "_source_as_of", "_is_synthetic")


@dataclasses.dataclass(frozen=True)
class Rejection:
    """Rejected rows of one file that share a rule and a column; `example` is one reason, identities masked."""

    table: str
    rule: str
    column: str
    rows: int
    first_row: int
    example: str


@dataclasses.dataclass(frozen=True)
class Receipt:
    """What became of one landing file. `rows_in = accepted + rejected + out_of_scope` for every table.

    `fingerprint` names everything the result depends on besides the file: contracts, parser, key, scope.
    `filename` is that of the landing file with any RUC in it hidden; the true name stays on the origin card.
    `lake_files` holds the SHA-256 of every lake file made from it, by its path below the lake.
    """

    source: str
    sha256: str
    filename: str
    status: Literal["accepted", "refused"]
    fingerprint: str
    period: str | None
    source_as_of: str | None
    landed_at: str
    is_synthetic: bool
    rows_in: dict[str, int] = dataclasses.field(default_factory=dict)
    accepted: dict[str, int] = dataclasses.field(default_factory=dict)
    rejected: dict[str, int] = dataclasses.field(default_factory=dict)
    out_of_scope: int = 0
    rejections: tuple[Rejection, ...] = ()
    message: str = ""
    lake_files: dict[str, str] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Receipt:
        return cls(**{**value, "rejections": tuple(Rejection(**r) for r in value["rejections"])})


def raw_path(lake: Path, table: str, sha256: str) -> Path:
    return lake / "raw" / table / f"{sha256}.parquet"


def rejected_path(lake: Path, table: str, sha256: str) -> Path:
    return lake / "rejected" / table / f"{sha256}.parquet"


def receipt_path(lake: Path, source: str, sha256: str) -> Path:
    return lake / "receipts" / source / f"{sha256}.json"


def empty_path(lake: Path, table: str) -> Path:
    """The typed file with no rows, so that a source without files is an empty table."""
    return lake / "raw" / table / "_empty.parquet"


def read_receipt(lake: Path, source: str, sha256: str) -> Receipt | None:
    path = receipt_path(lake, source, sha256)
    return Receipt.from_json(files.read_json(path)) if path.exists() else None


def write_receipt(lake: Path, receipt: Receipt) -> None:
    files.write_json(receipt_path(lake, receipt.source, receipt.sha256), receipt.to_json())


def receipts(lake: Path) -> list[Receipt]:
    """Every receipt, by source, then by landing time."""
    found = [
        Receipt.from_json(files.read_json(p))
        for p in (lake / "receipts").glob("*/*.json")
        if not p.name.startswith(".")
    ]
    return sorted(found, key=lambda r: (r.source, r.landed_at, r.sha256))


def digests(lake: Path, paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 by path below the lake."""
    return {path.relative_to(lake).as_posix(): files.sha256_file(path) for path in paths}


def damaged(lake: Path, receipts: Iterable[Receipt]) -> list[Receipt]:
    """Receipts of landing files of which a lake file is missing or is not as it was written."""
    return [r for r in receipts if any(not _is_whole(lake / name, digest) for name, digest in r.lake_files.items())]


def _is_whole(path: Path, digest: str) -> bool:
    return path.is_file() and files.sha256_file(path) == digest


def forget(lake: Path, receipt: Receipt) -> None:
    """Take a landing file out of the lake, so that it is read again."""
    receipt_path(lake, receipt.source, receipt.sha256).unlink(missing_ok=True)


def ensure_empty_tables(lake: Path) -> None:
    """Write each raw table's empty file where it is missing, damaged, or its contract's columns have changed."""
    for table in contracts.all_contracts().values():
        if table.layer == "raw":
            target = empty_path(lake, table.name)
            if not _has_schema(target, table.schema()):
                with files.atomic_path(target) as tmp:
                    pl.DataFrame(schema=table.schema()).write_parquet(tmp)


def _has_schema(path: Path, schema: pl.Schema) -> bool:
    try:
        return path.exists() and pl.read_parquet_schema(path) == dict(schema)
    except (pl.exceptions.PolarsError, OSError):
        return False


class TableWriter:
    """Writes one table of one landing file, batch by batch, with bounded memory; visible only after `commit`."""

    def __init__(self, target: Path, schema: pl.Schema, constants: dict[str, Any]):
        self.target, self._schema, self._constants = target, schema, constants
        self._context = files.atomic_path(target)
        self._tmp = self._context.__enter__()
        self._writer: pq.ParquetWriter | None = None
        self.rows = 0

    def write(self, frame: pl.DataFrame) -> None:
        columns = [
            pl.lit(self._constants[name], dtype=dtype).alias(name) if name in self._constants else pl.col(name)
            for name, dtype in self._schema.items()
        ]
        table = frame.select(columns).to_arrow(compat_level=pl.CompatLevel.newest())
        with files.disk_errors(str(self.target)):
            if self._writer is None:
                # Keys and row numbers hardly repeat: a dictionary of them costs time and space for nothing, as do
                # dictionaries of a few rows. Row numbers are kept as their steps. No query skips row groups by the
                # least and the greatest text.
                names, text = table.column_names, [f.name for f in table.schema if f.type == pa.string_view()]
                self._writer = pq.ParquetWriter(
                    self._tmp,
                    table.schema,
                    compression="zstd",
                    compression_level=1,
                    use_dictionary=[c for c in names if not c.endswith(("_key", "_row_number"))]
                    if table.num_rows >= DICTIONARY_FROM_ROWS
                    else False,
                    column_encoding={c: "DELTA_BINARY_PACKED" for c in names if c == "_row_number"},
                    write_statistics=[c for c in names if c not in text],
                    store_schema=False,
                )
            if table.num_rows:
                self._writer.write_table(table, row_group_size=122_880)
        self.rows += frame.height

    def commit(self) -> None:
        if self._writer is None:
            self.write(pl.DataFrame(schema={k: v for k, v in self._schema.items() if k not in self._constants}))
        with files.disk_errors(str(self.target)):
            self._writer.close()  # type: ignore[union-attr]
        self._context.__exit__(None, None, None)

    def discard(self) -> None:
        try:
            if self._writer is not None:
                self._writer.close()
        except OSError:
            pass  # the disk is full: the temporary file goes anyway
        self._tmp.unlink(missing_ok=True)


def lineage_of(card: OriginCard) -> dict[str, Any]:
    """Constant lineage values of one landing file (`_row_number` differs by row)."""
    return {
        "_landing_sha256": card.sha256,
        "_ingested_at": dt.datetime.fromisoformat(card.landed_at),
        "_source_as_of": dt.date.fromisoformat(card.source_as_of) if card.source_as_of else None,
        "_is_synthetic": card.is_synthetic,
    }


def raw_writer(lake: Path, table: TableContract, card: OriginCard) -> TableWriter:
    return TableWriter(raw_path(lake, table.name, card.sha256), table.schema(), lineage_of(card))


def rejected_writer(lake: Path, table: TableContract, card: OriginCard) -> TableWriter:
    schema = dict(REJECTED_SCHEMA) | {
        name: contracts.polars_type(contracts.LINEAGE[name][0]) for name in REJECTED_LINEAGE
    }
    return TableWriter(rejected_path(lake, table.name, card.sha256), pl.Schema(schema), lineage_of(card))


def mask_rejected(rejected: pl.DataFrame) -> pl.DataFrame:
    """Identities out of the verbatim text and the reason, before they are written."""
    return rejected.with_columns(
        pl.col("verbatim", "reason").map_elements(mask, return_dtype=pl.String, skip_nulls=True)
    )


def summarise_rejections(rejected: pl.DataFrame) -> tuple[Rejection, ...]:
    """Rejected rows grouped by table, rule and column."""
    grouped = rejected.group_by("table", "rule", "column", maintain_order=True).agg(
        pl.len().alias("rows"),
        pl.col("_row_number").min().alias("first_row"),
        pl.col("reason").first().alias("example"),
    )
    return tuple(Rejection(**row) for row in grouped.sort("table", "rule", "column").to_dicts())
