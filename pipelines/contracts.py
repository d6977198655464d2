"""Data contracts (ODCS v3.1): the one truth about every table. The only reader of `data_contracts/`.

From a contract come the polars schema, the row checks at ingest, the Great Expectations suite, the dbt
source and model properties, and the bilingual dictionary.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import polars as pl
import yaml

from pipelines.errors import AntawasiError, FileRefused

CONTRACTS_DIR = Path(__file__).resolve().parents[1] / "data_contracts"
Layer = Literal["raw", "marts", "published"]
LAYERS: tuple[Layer, ...] = ("raw", "marts", "published")

_TYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "VARCHAR": pl.String,
    "DATE": pl.Date,
    "TIME": pl.Time,
    "TIMESTAMP": pl.Datetime("us"),
    "SMALLINT": pl.Int16,
    "INTEGER": pl.Int32,
    "BIGINT": pl.Int64,
    "DOUBLE": pl.Float64,
    "BOOLEAN": pl.Boolean,
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")

#: Columns that the lake adds to every raw table (see DESIGN: lineage).
LINEAGE: dict[str, tuple[str, str, str]] = {
    "_landing_sha256": ("VARCHAR", "SHA-256 of the landing file that holds the row", "SHA-256 del archivo de origen"),
    "_row_number": ("BIGINT", "Line, sheet row or record of the landing file, from 1", "Línea o fila del archivo, desde 1"),
    "_ingested_at": ("TIMESTAMP", "When the file was landed (UTC)", "Cuándo se recibió el archivo (UTC)"),
    "_source_as_of": ("DATE", "Date that the source itself carries", "Fecha que la propia fuente declara"),
    "_is_synthetic": ("BOOLEAN", "True for simulated data, never measured", "Verdadero si el dato es simulado"),
}  # fmt: skip


@functools.lru_cache
def polars_type(physical: str) -> pl.DataType:
    """Polars type of a contract's physical (DuckDB) type."""
    if match := _DECIMAL.fullmatch(physical):
        return pl.Decimal(int(match[1]), int(match[2]))
    try:
        return _TYPES[physical]  # type: ignore[return-value]
    except KeyError:
        raise AntawasiError(
            f"Contract type {physical!r} is not known. What to do: use one of {', '.join(_TYPES)} or DECIMAL(p,s)."
        ) from None


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a contract. `classification` is public, restricted or personal.

    Columns of files that partners fill have `file_column`, their title in the file; `example`, values as a
    partner writes them, one for each example row; and, where the file holds an identity and the lake its key,
    `identity_kind`: RUC, ID (RUC or DNI), REINFO, PLATE or DOCUMENT. A column with `added_in` came with that version of the
    contract: files of before lack it. Figures of published tables that are computed from
    other columns have their `formula`, in SQL over those columns.
    """

    name: str
    physical_type: str
    required: bool
    key_position: int | None
    classification: str
    title_es: str
    description: str
    description_es: str
    unit: str | None
    pattern: str | None
    minimum: float | None
    maximum: float | None
    codes: tuple[str, ...] | None
    file_column: str | None = None
    identity_kind: str | None = None
    example: tuple[str, ...] = ()
    added_in: str | None = None
    formula: str | None = None

    @property
    def dtype(self) -> pl.DataType:
        return polars_type(self.physical_type)


@dataclasses.dataclass(frozen=True)
class TableContract:
    """One table's contract; `columns` excludes the lineage columns."""

    name: str
    layer: Layer
    version: str
    description: str
    description_es: str
    limitations: str
    limitations_es: str
    grain: str
    columns: tuple[Column, ...]
    properties: dict[str, Any]
    sla: dict[str, Any]
    path: Path

    @property
    def source(self) -> str:
        return self.name.split("__", 1)[0]

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(
            c.name for c in sorted((c for c in self.columns if c.key_position), key=lambda c: c.key_position or 0)
        )

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns)

    @property
    def published_from(self) -> tuple[str, ...]:
        """Slugs of the sources whose attribution a published table must carry."""
        return tuple(self.properties.get("sources", ()))

    @property
    def disclosed_from(self) -> str | None:
        """Of a published table whose figures are sums over parties: the model that they are summed from under disclosure
        control (`pipelines.disclosure`). None: the dbt model of the table's own name gives it as it is."""
        return self.properties.get("disclosed_from")

    @property
    def reject_tolerance_frac(self) -> float:
        """Share of rejected rows above which the whole file is refused."""
        return float(self.properties.get("reject_tolerance_frac", 0.0))

    @property
    def cadence_days(self) -> float | None:
        """How often the source is expected to move, in days; None when it never does."""
        frequency = self.sla.get("frequency")
        if not frequency:
            return None
        return float(frequency["value"]) * {"d": 1, "w": 7, "m": 31, "y": 366}[frequency.get("unit") or "d"]

    def schema(self, lineage: bool = True) -> pl.Schema:
        """Polars schema of the table as it stands in the lake."""
        fields = {c.name: c.dtype for c in self.columns}
        if lineage:
            fields |= {name: polars_type(spec[0]) for name, spec in LINEAGE.items()}
        return pl.Schema(fields)


def _custom(items: list[dict[str, Any]] | None) -> dict[str, Any]:
    return {item["property"]: item.get("value") for item in items or []}


def _column(item: dict[str, Any]) -> Column:
    custom, options = _custom(item.get("customProperties")), item.get("logicalTypeOptions") or {}
    codes = next(
        (q["arguments"]["validValues"] for q in item.get("quality") or [] if q.get("metric") == "invalidValues"), None
    )
    return Column(
        name=item["name"],
        physical_type=item["physicalType"],
        required=bool(item.get("required")),
        key_position=item.get("primaryKeyPosition") if item.get("primaryKey") else None,
        classification=item.get("classification", ""),
        title_es=item.get("businessName", ""),
        description=item.get("description", ""),
        description_es=custom.get("description_es", ""),
        unit=custom.get("unit"),
        pattern=options.get("pattern"),
        minimum=options.get("minimum"),
        maximum=options.get("maximum"),
        codes=tuple(codes) if codes is not None else None,
        file_column=custom.get("file_column"),
        identity_kind=custom.get("identity_kind"),
        example=tuple(custom.get("example") or ()),
        added_in=custom.get("added_in"),
        formula=custom.get("formula"),
    )


@functools.lru_cache
def load(path: Path) -> TableContract:
    """Read one contract file. Raises AntawasiError naming the file when it cannot be understood."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        (table,) = document["schema"]
        custom = _custom(document.get("customProperties"))
        return TableContract(
            name=table["name"],
            layer=path.parent.name,  # type: ignore[arg-type]
            version=document["version"],
            description=(document.get("description") or {}).get("purpose", ""),
            description_es=custom.get("description_es", ""),
            limitations=(document.get("description") or {}).get("limitations", ""),
            limitations_es=custom.get("limitations_es", ""),
            grain=table.get("dataGranularityDescription", ""),
            columns=tuple(_column(item) for item in table["properties"]),
            properties=custom,
            sla={item["property"]: item for item in document.get("slaProperties") or []},
            path=path,
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise AntawasiError(
            f"{path.name}: the contract cannot be read ({type(error).__name__}: {error}). "
            "What to do: compare it with another file of data_contracts/ and run `antawasi contracts lint`."
        ) from error


@functools.lru_cache(maxsize=1)
def all_contracts() -> dict[str, TableContract]:
    """Every contract by table name, in a stable order."""
    paths = [p for layer in LAYERS for p in sorted((CONTRACTS_DIR / layer).glob("*.yaml"))]
    return {contract.name: contract for contract in map(load, paths)}


def contract(table: str) -> TableContract:
    try:
        return all_contracts()[table]
    except KeyError:
        raise AntawasiError(
            f"No contract for table {table!r}. What to do: choose one of {', '.join(all_contracts())}."
        ) from None


def tables_of(source: str) -> tuple[TableContract, ...]:
    """Raw tables of one source. The other contracts stay unread: a process that ingests one file needs no more."""
    return tuple(map(load, sorted((CONTRACTS_DIR / "raw").glob(f"{source}__*.yaml"))))


# --- rows against their contract ------------------------------------------------------------------

#: Shape of rejected rows as they stand in lake/rejected (with the lineage columns added there).
REJECTED_SCHEMA = pl.Schema(
    {
        "table": pl.String,
        "_row_number": pl.Int64,
        "rule": pl.String,
        "column": pl.String,
        "reason": pl.String,
        "verbatim": pl.String,
    }
)


def _shown(column: Column) -> pl.Expr:
    """The offending value for a message; a personal one is not shown."""
    if column.classification == "personal":
        return pl.lit("[identidad]")
    return pl.col(column.name).cast(pl.String).fill_null("").str.slice(0, 60)


def _fault(column: Column, rule: str, expected: str) -> pl.Expr:
    head = pl.lit(f"{rule}\x1f{column.name}\x1ffound '")
    return pl.concat_str(head, _shown(column), pl.lit(f"', expected {expected}"))


def _typed(column: Column) -> pl.Expr:
    """Text to the contract's type; what cannot be typed becomes null. A stray space is not a fault."""
    text = pl.col(column.name).str.strip_chars()
    dtype = column.dtype
    if dtype == pl.String:
        return pl.col(column.name)
    if dtype == pl.Date:
        return text.str.to_date("%Y-%m-%d", strict=False)
    if dtype == pl.Time:
        return text.str.slice(0, 8).str.to_time("%H:%M:%S", strict=False)
    if dtype == pl.Datetime("us"):
        return text.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us")
    if dtype == pl.Boolean:
        return text.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    return text.cast(dtype, strict=False)


_EXPECTED = {
    pl.Date: "a date as YYYY-MM-DD",
    pl.Time: "a time as HH:MM:SS",
    pl.Datetime("us"): "a time as YYYY-MM-DDTHH:MM:SS",
    pl.Boolean: "true or false",
}


def _expected(column: Column) -> str:
    dtype = column.dtype
    if isinstance(dtype, pl.Decimal) or dtype == pl.Float64:
        return "a number with a decimal point and no thousands separator"
    if dtype in (pl.Int16, pl.Int32, pl.Int64):
        return "a whole number"
    return next((text for kind, text in _EXPECTED.items() if dtype == kind), f"type {column.physical_type}")


def check_rows(table: TableContract, frame: pl.DataFrame, file: str = "") -> tuple[pl.DataFrame, pl.DataFrame]:
    """Type a parsed frame and split it by its contract.

    Args:
        table: the contract.
        frame: the contract's columns, each as text or already in its type, `_row_number`, and optionally
            `_verbatim` (the row for lake/rejected, identities masked) and `_problem` ("rule|column|reason"
            for a row that the parser itself could not read).
        file: the file's name, for messages.

    Returns:
        (accepted, rejected): accepted has the contract's columns plus `_row_number`; rejected has
        `REJECTED_SCHEMA`. Every row of `frame` is in exactly one of the two.

    Raises:
        FileRefused: a code that the contract does not list: the code list must be looked at, not the row.
    """
    schema = frame.schema  # once: polars makes it anew for every look
    text = {c.name for c in table.columns if schema[c.name] == pl.String and c.dtype != pl.String}
    typed = frame.with_columns([_typed(c).alias(f"\x1e{c.name}") for c in table.columns if c.name in text])
    # (which rows, how to make what is told of them): only a frame with a fault pays for the telling
    faults: list[tuple[pl.Expr, Callable[[], pl.Expr]]] = []
    if "_problem" in frame.columns:
        problem = pl.col("_problem")
        faults.append((problem.is_not_null(), lambda: problem.str.replace_all("|", "\x1f", literal=True)))
    for c in table.columns:
        raw, value = pl.col(c.name), pl.col(f"\x1e{c.name}" if c.name in text else c.name)
        given = raw.is_not_null()
        if c.name in text:
            given = given & (raw.str.strip_chars() != "")
            faults.append((given & value.is_null(), functools.partial(_fault, c, "type", _expected(c))))
        if c.required:
            faults.append((~given, functools.partial(_fault, c, "required", "a value")))
        if c.codes is not None:
            _refuse_unknown_codes(table, c, frame, file)
        if c.pattern:
            faults.append((~value.str.contains(c.pattern), functools.partial(_fault, c, "pattern", c.pattern)))
        if c.minimum is not None:
            faults.append((value < c.minimum, functools.partial(_fault, c, "range", f"at least {c.minimum:g}")))
        if c.maximum is not None:
            faults.append((value > c.maximum, functools.partial(_fault, c, "range", f"at most {c.maximum:g}")))
    wrong = pl.col("\x1ewrong")
    judged = typed.with_columns(
        pl.any_horizontal([pl.lit(False), *(rows for rows, _ in faults)]).fill_null(False).alias("\x1ewrong")
    )
    keys = [f"\x1e{k}" if k in text else k for k in table.key]
    # As many hashes as rows: no key repeats, and the costlier search for the rows that do is not needed.
    if keys and judged.select(pl.struct(keys).hash().n_unique()).item() < judged.height:
        repeated = ~wrong & (pl.int_range(pl.len()).over([wrong, *(pl.col(k) for k in keys)]) > 0)
        first = pl.col("_row_number").min().over(keys)
        judged = judged.with_columns((wrong | repeated).alias("\x1ewrong"), first.alias("\x1efirst"))
        reason = pl.concat_str(
            pl.lit(f"duplicate\x1f{', '.join(table.key)}\x1fsame key as row "), pl.col("\x1efirst").cast(pl.String),
            pl.lit(", expected one row per key"),
        )  # fmt: skip
        faults.append((wrong, lambda: reason))  # the last: of a row without another fault
    accepted = judged.filter(~wrong).select(
        [
            (pl.col(f"\x1e{c.name}") if c.name in text else pl.col(c.name)).cast(c.dtype).alias(c.name)
            for c in table.columns
        ]
        + [pl.col("_row_number").cast(pl.Int64)]
    )
    bad = judged.filter(wrong)
    if not bad.height:
        return accepted, pl.DataFrame(schema=REJECTED_SCHEMA)
    told = pl.coalesce([*(pl.when(rows).then(reason()) for rows, reason in faults), pl.lit(None, dtype=pl.String)])
    return accepted, _rejected(table, bad, told)


def _refuse_unknown_codes(table: TableContract, column: Column, frame: pl.DataFrame, file: str) -> None:
    strange = frame.filter(pl.col(column.name).is_not_null() & ~pl.col(column.name).is_in(list(column.codes or ())))
    if strange.height:
        row = strange.select("_row_number", column.name).row(0)
        raise FileRefused(
            f"unknown code {row[1]!r} in {strange.height} row(s)",
            expected=f"one of {', '.join(column.codes or ())}",
            remedy=f"if the source really added a code, add it to {table.path.name} and raise its version",
            file=file,
            place=f"row {row[0]}, column {column.file_column or column.name}",
        )


def _rejected(table: TableContract, bad: pl.DataFrame, told: pl.Expr) -> pl.DataFrame:
    """`REJECTED_SCHEMA` of the rows with a fault; `told` gives "rule, column, reason" with 0x1F between them.

    A reason begins with the column's title in the file, where a partner's file has another one than the contract.
    """
    verbatim = (
        pl.col("_verbatim")
        if "_verbatim" in bad.columns
        else pl.struct(
            [pl.col(c.name).cast(pl.String) for c in table.columns if c.classification != "personal"]
        ).struct.json_encode()
    )
    parts = told.str.splitn("\x1f", 3).struct
    titles = {c.name: c.file_column for c in table.columns if c.file_column and c.file_column != c.name}
    keys = {", ".join(table.key): ", ".join(titles.get(name, name) for name in table.key)} if titles else {}
    column = parts.field("field_1")
    title = column.replace_strict(keys | titles, default=None, return_dtype=pl.String)
    return bad.select(
        pl.lit(table.name).alias("table"),
        pl.col("_row_number").cast(pl.Int64),
        parts.field("field_0").alias("rule"),
        column.alias("column"),
        pl.concat_str(pl.coalesce("column " + title + " of the file: ", pl.lit("")), parts.field("field_2")).alias(
            "reason"
        ),
        verbatim.alias("verbatim"),
    )
