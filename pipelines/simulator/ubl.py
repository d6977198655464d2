"""Electronic documents as SUNAT's portal hands them over: a zip of UBL 2.1 documents in the spellings of many programs.

An issuer's program decides the encoding, whether the root has a prefix and whether the document is indented. The
signature has the size of a real one and compresses as badly, but signs nothing.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import operator
import re
import zipfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from pipelines.simulator.ubl_elements import FRAGMENTS, KINDS
from pipelines.sources.common import MAX_MEMBERS

_TEXT = pl.String
_AMOUNT = pl.Decimal(18, 2)

#: Columns of `documents`; amounts in `currency_code`, but `detraction_pen` in soles; times are Peru's.
DOCUMENT_SCHEMA: dict[str, Any] = {
    "document_id": pl.Int64, "type_code": _TEXT, "series": _TEXT, "number": pl.Int64, "issued_at": pl.Datetime("us"),
    "issuer_id": _TEXT, "issuer_name": _TEXT, "issuer_ubigeo": _TEXT,
    "counterparty_kind": _TEXT, "counterparty_id": _TEXT, "counterparty_name": _TEXT, "counterparty_ubigeo": _TEXT,
    "currency_code": _TEXT, "line_amount": _AMOUNT, "igv_amount": _AMOUNT, "payable_amount": _AMOUNT,
    "payment_form": _TEXT, "payment_due_date": pl.Date, "operation_type_code": _TEXT,
    "detraction_code": _TEXT, "detraction_pct": pl.Decimal(5, 2), "detraction_pen": _AMOUNT, "detraction_account": _TEXT,
    "affected_document": _TEXT, "affected_type_code": _TEXT, "credit_reason_code": _TEXT,
    "related_waybill": _TEXT, "related_waybill_type": _TEXT, "extraction_ubigeo": _TEXT, "extraction_place": _TEXT,
    "sender_id": _TEXT, "sender_name": _TEXT, "carrier_id": _TEXT, "carrier_name": _TEXT,
    "driver_document": _TEXT, "driver_given_names": _TEXT, "driver_family_names": _TEXT, "licence": _TEXT,
    "plate": _TEXT, "second_plate": _TEXT, "transfer_reason_code": _TEXT, "transport_mode_code": _TEXT,
    "transfer_start_date": pl.Date, "gross_weight_kg": pl.Decimal(18, 3),
    "origin_ubigeo": _TEXT, "origin_address": _TEXT, "destination_ubigeo": _TEXT, "destination_address": _TEXT,
    "note": _TEXT,
}  # fmt: skip

#: Columns of `lines`; the mining right's code and name are properties 6000 and 6006 of catalogue 55, null = left out.
LINE_SCHEMA: dict[str, Any] = {
    "document_id": pl.Int64, "line_number": pl.Int64, "item_code": _TEXT, "description": _TEXT,
    "quantity": pl.Decimal(18, 3), "unit_code": _TEXT, "unit_price": pl.Decimal(18, 6),
    "line_amount": _AMOUNT, "igv_amount": _AMOUNT, "product_code_sunat": _TEXT,
    "mining_right_id": _TEXT, "mining_right_name": _TEXT,
}  # fmt: skip

#: Fast, and nearly as small as any: the signature is a third of a document and does not compress.
_DEFLATE_LEVEL = 1
_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_NAMESPACES = (
    f'xmlns:cbc="{_UBL}CommonBasicComponents-2" xmlns:cac="{_UBL}CommonAggregateComponents-2" '
    f'xmlns:ext="{_UBL}CommonExtensionComponents-2" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"'
)
_HOLE = re.compile(r"\$([a-z_]+)")

#: Catalogues 09 and 20, and the names of waybills in catalogue 61, as programs print them beside the code.
_CREDIT_REASONS = {
    "01": "Anulación de la operación", "02": "Anulación por error en el RUC", "03": "Corrección por error en la descripción",
    "04": "Descuento global", "05": "Descuento por ítem", "06": "Devolución total", "07": "Devolución por ítem",
    "08": "Bonificación", "09": "Disminución en el valor", "10": "Otros conceptos", "13": "Ajustes de montos o fechas de pago",
}  # fmt: skip
_TRANSFER_REASONS = {
    "01": "Venta", "02": "Compra", "04": "Traslado entre establecimientos de la misma empresa", "08": "Importación",
    "09": "Exportación", "14": "Venta sujeta a confirmación del comprador", "18": "Traslado emisor itinerante CP",
    "19": "Traslado a zona primaria",
}  # fmt: skip
_WAYBILLS = {"09": "Guía de remisión remitente", "31": "Guía de remisión transportista"}


class _Style(NamedTuple):
    """How one issuer's program spells its documents."""

    encoding: str
    is_prefixed: bool
    is_indented: bool


class _Issuer(NamedTuple):
    style: _Style
    certificate: str


class _Filler(NamedTuple):
    """A template for `%`, and what takes the values for its places out of a row."""

    template: str
    columns: list[str]
    values: Callable[[tuple[Any, ...]], tuple[Any, ...]]

    def fill(self, row: tuple[Any, ...], number: str) -> str:
        values = self.values(row)
        if None in values:
            missing = self.columns[values.index(None)]
            raise ValueError(
                f"document {number}: column {missing!r} is null, expected a value for this type of document. "
                "What to do: fill it in the frame that is written."
            )
        return self.template % values


def write_zip(path: Path, documents: pl.DataFrame, lines: pl.DataFrame, seed: int) -> int:
    """Write `documents` (DOCUMENT_SCHEMA) with their `lines` (LINE_SCHEMA) as one bulk download; the number of members.

    Members are RUC-TYPE-SERIES-NUMBER.xml in name order. A document's bytes depend on the seed, its row and its lines
    alone. Optional elements follow the null columns; `detraction_code`, `driver_document`, `plate` and `payment_form`
    decide for the whole element. IGV above zero makes a line taxed (1000), zero makes it exempt (9997).

    Raises:
        ValueError: a column is missing, a document's number is doubled, a line has no document, a document has no line,
            there are more documents than one archive may hold, or a type needs a value that is null.
    """
    documents = _checked(documents, DOCUMENT_SCHEMA, "documents").with_columns(_member_name().alias("member_name"))
    lines = _checked(lines, LINE_SCHEMA, "lines")
    _check_pairs(documents, lines)
    documents = documents.sort("member_name").with_row_index("position")
    lines = lines.join(
        documents.select("document_id", "position", "type_code", "currency_code"), on="document_id", how="inner"
    ).sort("position", "line_number")
    counts = lines.group_by("document_id").len("line_count")
    documents = documents.join(counts, on="document_id", how="left", maintain_order="left")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, moment, data in _members(_document_texts(documents), _line_texts(lines), seed):
            member = zipfile.ZipInfo(name, moment)
            member.create_system = 3  # the same on every system
            archive.writestr(member, data, zipfile.ZIP_DEFLATED, _DEFLATE_LEVEL)
    return documents.height


def _checked(frame: pl.DataFrame, schema: dict[str, Any], what: str) -> pl.DataFrame:
    missing = [c for c in schema if c not in frame.columns]
    if missing:
        raise ValueError(f"{what}: missing columns {', '.join(missing)}. What to do: give every column of its schema.")
    return frame.select(list(schema)).cast(schema)


def _member_name() -> pl.Expr:
    return pl.format("{}-{}-{}-{}.xml", "issuer_id", "type_code", "series", "number")


def _check_pairs(documents: pl.DataFrame, lines: pl.DataFrame) -> None:
    unknown = documents.filter(~pl.col("type_code").is_in(list(KINDS)) | pl.col("member_name").is_null())
    doubled = documents.filter(pl.col("member_name").is_duplicated() | pl.col("document_id").is_duplicated())
    lineless = documents.join(lines, on="document_id", how="anti")
    orphans = lines.join(documents, on="document_id", how="anti")
    for found, problem, remedy in (
        (unknown, "has no known type, issuer, series or number", f"use a type of {', '.join(KINDS)} and fill the rest"),
        (doubled, "has the id or number of another one", "number each issuer's series once"),
        (lineless, "has no line", "give it one or leave it out"),
        (orphans, "has lines but is not among the documents", "give the lines of these documents alone"),
    ):
        if found.height:
            raise ValueError(f"document_id {found['document_id'][0]}: the document {problem}. What to do: {remedy}.")
    if documents.height > MAX_MEMBERS:
        raise ValueError(f"{documents.height:,} documents, expected at most {MAX_MEMBERS:,}. What to do: split them.")


def _members(
    documents: pl.DataFrame, lines: pl.DataFrame, seed: int
) -> Iterator[tuple[str, tuple[int, int, int, int, int, int], bytes]]:
    """(name, local time, XML) of each document; `lines` stand in the order of their documents."""
    issuers = {ruc: _issuer(seed, ruc) for ruc in documents["issuer_id"].unique(maintain_order=True)}
    document_columns = (*documents.columns, "digest", "signature_value", "certificate", "lines")
    at = {name: i for i, name in enumerate(documents.columns)}
    head = operator.itemgetter(*(at[c] for c in ("member_name", "type_code", "issuer_id", "_present", "line_count")))
    identity = operator.itemgetter(*(at[c] for c in ("document_id", "issued_at")))
    line_columns, line_present = tuple(lines.columns), lines.columns.index("_present")
    line_rows = lines.iter_rows()
    for row in documents.iter_rows():
        name, kind, ruc, present, count = head(row)
        document_id, issued_at = identity(row)
        style, certificate = issuers[ruc]
        number = name.removesuffix(".xml")
        body = "".join(
            _line_filler(kind, style.is_indented, line[line_present], line_columns).fill(line, number)
            for line in islice(line_rows, count)
        )
        fresh = hashlib.shake_256(f"{seed}:{document_id}".encode()).digest(32 + 256)
        filler = _document_filler(kind, style, present, document_columns)
        text = filler.fill((*row, _base64(fresh[:32]), _base64(fresh[32:]), certificate, body), number)
        # What latin-1 lacks is written as a reference, as serializers do.
        yield name, issued_at.timetuple()[:6], text.encode(style.encoding, "xmlcharrefreplace")


def _issuer(seed: int, ruc: str) -> _Issuer:
    """The style of an issuer's program and its certificate (1.5 to 2.5 kB), from the seed and the RUC alone."""
    choice = hashlib.shake_256(f"{seed}:{ruc}:style".encode()).digest(2)
    encoding = "utf-8" if choice[0] & 1 else "iso-8859-1"
    certificate = hashlib.shake_256(f"{seed}:{ruc}:certificate".encode()).digest(1500 + 4 * choice[1])
    return _Issuer(_Style(encoding, choice[0] & 6 == 6, bool(choice[0] & 8)), _base64(certificate))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# --- templates: which elements a document has is decided once for each pattern of null columns -----------------------


def _conditions(columns: list[str] | tuple[str, ...]) -> list[str]:
    """Columns whose nulls decide on elements."""
    deciding = {column for column, _ in FRAGMENTS.values()}
    return [c for c in columns if c in deciding]


def _present_mask(frame: pl.DataFrame) -> pl.Expr:
    """Bit i is set where the i-th of `_conditions` is not null."""
    bits = [pl.col(c).is_not_null().cast(pl.Int64) * (1 << i) for i, c in enumerate(_conditions(frame.columns))]
    return pl.sum_horizontal(bits).alias("_present")


@functools.lru_cache(maxsize=4096)
def _document_filler(kind: str, style: _Style, present: int, columns: tuple[str, ...]) -> _Filler:
    root, body = KINDS[kind].root, KINDS[kind].body
    prefix, declared = ("doc:", ":doc") if style.is_prefixed else ("", "")
    end = "\n" if style.is_indented else ""
    text = (
        f'<?xml version="1.0" encoding="{style.encoding}"?>\n'
        f'<{prefix}{root} xmlns{declared}="{_UBL}{root}-2" {_NAMESPACES}>'
        f"{_laid_out(body, style.is_indented)}{end}</{prefix}{root}>"
    )
    return _filler(text, style.is_indented, present, columns)


@functools.lru_cache(maxsize=4096)
def _line_filler(kind: str, is_indented: bool, present: int, columns: tuple[str, ...]) -> _Filler:
    return _filler(_laid_out(KINDS[kind].line, is_indented), is_indented, present, columns)


def _laid_out(text: str, is_indented: bool) -> str:
    return text if is_indented else re.sub(r"\n *", "", text)


def _filler(text: str, is_indented: bool, present: int, columns: tuple[str, ...]) -> _Filler:
    held = {c for i, c in enumerate(_conditions(columns)) if present >> i & 1}

    def expand(match: re.Match[str]) -> str:
        if match[1] not in FRAGMENTS:
            return match[0]
        column, fragment = FRAGMENTS[match[1]]
        return _HOLE.sub(expand, _laid_out(fragment, is_indented)) if column in held else ""

    text = _HOLE.sub(expand, text)
    names = _HOLE.findall(text)
    places = operator.itemgetter(*map(columns.index, names))
    return _Filler(_HOLE.sub("%s", text.replace("%", "%%")), names, places)


# --- values ----------------------------------------------------------------------------------------------------------


def _document_texts(documents: pl.DataFrame) -> pl.DataFrame:
    """Every value as it is written, with those that a document derives from others."""
    is_credit = pl.col("payment_form") == "Credito"
    ubigeo, waybill = pl.col("issuer_ubigeo"), pl.col("related_waybill_type")
    derived = documents.with_columns(
        pl.col("issued_at").dt.strftime("%Y-%m-%d").alias("issue_date"),
        pl.col("issued_at").dt.strftime("%H:%M:%S").alias("issue_time"),
        ubigeo.str.head(2).alias("issuer_department_code"),
        ubigeo.str.head(4).alias("issuer_province_code"),
        pl.when(is_credit).then("payable_amount").alias("credit_amount"),
        pl.when(is_credit).then("payment_due_date").alias("instalment_due_date"),
        (pl.col("line_amount") + pl.col("igv_amount")).alias("tax_inclusive_amount"),
        pl.col("credit_reason_code").replace_strict(_CREDIT_REASONS, default="Otros").alias("credit_reason"),
        pl.col("transfer_reason_code").replace_strict(_TRANSFER_REASONS, default="Otros").alias("transfer_reason"),
        waybill.replace_strict(_WAYBILLS, default="Otros").alias("related_waybill_type_name"),
        pl.coalesce(
            pl.when(waybill == "31").then("carrier_id").otherwise("sender_id"), pl.col("issuer_id")
        ).alias("related_waybill_issuer"),
        pl.format("15{}CNG", pl.col("issuer_id").str.slice(2, 8)).alias("transport_registration"),
        *_tax(),
    )  # fmt: skip
    kept = ("document_id", "issued_at", "line_count")
    return derived.with_columns(_written(derived, kept)).with_columns(_present_mask(derived))


def _line_texts(lines: pl.DataFrame) -> pl.DataFrame:
    is_taxed = pl.col("igv_amount") > 0
    derived = lines.with_columns(
        *_tax(),
        pl.when(is_taxed).then(pl.lit("18.00")).otherwise(pl.lit("0.00")).alias("tax_percent"),
        pl.when(is_taxed).then(pl.lit("10")).otherwise(pl.lit("20")).alias("tax_reason"),
        # In whole millionths, as the product of decimals may be cut.
        pl.when(is_taxed)
        .then(((pl.col("unit_price") * 1_000_000).cast(pl.Int64) * 118 + 50) // 100)
        .otherwise((pl.col("unit_price") * 1_000_000).cast(pl.Int64))
        .alias("micros"),
    )
    micros = pl.col("micros")
    derived = derived.with_columns(
        pl.format("{}.{}", micros // 1_000_000, (micros % 1_000_000).cast(pl.String).str.zfill(6)).alias(
            "price_with_tax"
        )
    ).drop("micros")
    return derived.with_columns(_written(derived, ())).with_columns(_present_mask(derived))


def _tax() -> list[pl.Expr]:
    """Tax scheme of catalogue 05: IGV where there is any, else exempt."""
    is_taxed = pl.col("igv_amount") > 0
    return [
        pl.when(is_taxed).then(pl.lit("1000")).otherwise(pl.lit("9997")).alias("tax_id"),
        pl.when(is_taxed).then(pl.lit("IGV")).otherwise(pl.lit("EXO")).alias("tax_name"),
        pl.lit("VAT").alias("tax_type"),
    ]


def _written(frame: pl.DataFrame, kept: tuple[str, ...]) -> list[pl.Expr]:
    """All columns but `kept` as XML text; only columns that hold markup are escaped."""
    others = [c for c, kind in frame.schema.items() if kind != pl.String and c not in kept]
    marked = [c for c, kind in frame.schema.items() if kind == pl.String and frame[c].str.contains("[&<>]").any()]
    return [*map(_escaped, marked), *(pl.col(c).cast(pl.String) for c in others)]


def _escaped(column: str) -> pl.Expr:
    text = pl.col(column)
    for letter, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.str.replace_all(letter, entity, literal=True)
    return text
