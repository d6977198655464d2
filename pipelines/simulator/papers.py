"""A chunk's documents as the frames that `ubl.write_zip` takes: identities in clear, amounts as decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl

from pipelines import contracts
from pipelines.identity import company_name_expr
from pipelines.simulator.dice import stream
from pipelines.simulator.directory import Directory, drivers
from pipelines.simulator.payments import ABROAD
from pipelines.simulator.ubl import DOCUMENT_SCHEMA, LINE_SCHEMA
from pipelines.simulator.world import World

GOODS = {
    "ROM_OXIDO": "MINERAL DE COBRE OXIDADO", "ROM_SULFURO": "MINERAL DE COBRE SULFURADO",
    "ROM_MIXTO": "MINERAL DE COBRE MIXTO", "SELECCIONADO": "MINERAL DE COBRE SELECCIONADO",
    "CEMENTO": "CEMENTO DE COBRE", "CONCENTRADO": "CONCENTRADO DE COBRE",
}  # fmt: skip
_SERVICES = {
    "BILLER_FEE": "SERVICIO DE GESTIÓN COMERCIAL Y FACTURACIÓN", "HAULAGE": "SERVICIO DE TRANSPORTE DE CARGA",
    "MILLING": "SERVICIO DE PROCESAMIENTO DE MINERALES (MAQUILA)", "LABORATORY": "SERVICIO DE ANÁLISIS QUÍMICO",
    "CONCESSION_FEE": "RETRIBUCIÓN POR CONTRATO DE EXPLOTACIÓN MINERA",
}  # fmt: skip
_UNSPSC_ORE = "11101700"
_ABROAD_ID = "EXT0000001"
_CENT, _GRAM = Decimal("0.01"), Decimal("0.001")

c = pl.col


def document_frames(world: World, papers: pl.DataFrame, chunk: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(documents, lines) of `Documents.frame` under the schemas of `ubl`, plus `month` (first day) on both."""
    book = Directory(world)
    agents = world.agents
    papers = _complete(papers)
    frame = papers.with_columns(
        pl.Series("date", world.date_of(papers["day"].to_numpy())),
        *(
            pl.Series(f"{role}_id", book.agents(papers[role]))
            for role in ("issuer", "counterparty", "sender", "carrier")
        ),
        *(
            pl.Series(f"{role}_name", book.names(papers[role]))
            for role in ("issuer", "counterparty", "sender", "carrier")
        ),
        pl.Series("issuer_ubigeo", agents["ubigeo_code"].gather(papers["issuer"])),
        pl.Series("counterparty_ubigeo", _at(agents["ubigeo_code"], papers["counterparty"])),
        pl.Series("dni", _at(agents["dni"], papers["counterparty"])),
        pl.Series("plate", book.plates(papers["truck"])),
        pl.Series("extraction_ubigeo", _at(world.people.registrations["district_code"], papers["registration_id"])),
    )
    frame = frame.join(drivers(world), on="truck", how="left", maintain_order="left")
    seconds = stream(world.seed, "seconds", chunk).integers(0, 60, frame.height)
    is_04, is_waybill, is_abroad = (
        c("type_code") == "04",
        c("type_code").is_in(["09", "31"]),
        c("counterparty") == ABROAD,
    )
    by_dni = is_04 & c("dni").is_not_null()
    documents = frame.with_columns(
        (c("date").cast(pl.Datetime("us")) + pl.duration(minutes="minute") + pl.duration(seconds=pl.lit(pl.Series(seconds)))).alias("issued_at"),
        pl.when(is_abroad).then(pl.lit("0")).when(by_dni).then(pl.lit("1")).otherwise(pl.lit("6")).alias("counterparty_kind"),
        pl.when(is_abroad).then(pl.lit(_ABROAD_ID)).when(by_dni).then("dni").otherwise("counterparty_id").alias("counterparty_id"),
        pl.when(is_abroad).then(pl.lit("COMPRADOR DEL EXTERIOR SIMULADO")).otherwise("counterparty_name").alias("counterparty_name"),
        _amount("net_cents").alias("line_amount"),
        _amount("igv_cents").alias("igv_amount"),
        _amount("payable_cents").alias("payable_amount"),
        _amount("detraction_pen_cents").alias("detraction_pen"),
        c("detraction_pct").cast(pl.Decimal(5, 2)),
        pl.when(c("detraction_code").is_not_null()).then(pl.format("00-099-{}", c("issuer").cast(pl.String).str.zfill(6))).alias("detraction_account"),
        pl.when(c("payment_form") == "Credito").then(pl.Series(_days(world, papers, "due_day"))).alias("payment_due_date"),
        pl.when(is_04).then(pl.lit("0501")).when(is_abroad).then(pl.lit("0200"))
        .when(c("detraction_code").is_not_null()).then(pl.lit("1001")).when(~is_waybill).then(pl.lit("0101")).alias("operation_type_code"),
        pl.when(c("type_code") == "07").then(pl.lit("01")).alias("affected_type_code"),
        pl.when(c("type_code") == "07").then("affected_document").alias("affected_document"),
        pl.when(c("type_code") == "07").then(pl.lit("09")).alias("credit_reason_code"),
        pl.when(is_04).then("extraction_ubigeo").alias("extraction_ubigeo"),
        pl.when(is_04).then(pl.lit("BOCAMINA")).alias("extraction_place"),
        pl.when(c("type_code") == "09").then(pl.lit("01")).alias("transport_mode_code"),
        pl.when(is_waybill).then("date").alias("transfer_start_date"),
        (c("gross_weight_g").cast(pl.Decimal(18, 3)) * _GRAM).cast(pl.Decimal(18, 3)).alias("gross_weight_kg"),
        pl.when(is_waybill).then(pl.lit("PARAJE SIMULADO S/N")).alias("origin_address"),
        pl.when(is_waybill).then(pl.lit("PLANTA O DEPÓSITO SIMULADO")).alias("destination_address"),
        pl.lit(None, dtype=pl.String).alias("second_plate"),
        pl.lit(None, dtype=pl.String).alias("note"),
        c("date").dt.truncate("1mo").alias("month"),
    )  # fmt: skip
    is_goods = c("quantity_g").is_not_null()
    grams = c("quantity_g").fill_null(1_000_000).clip(lower_bound=1_000)
    lines = frame.select(
        "document_id",
        pl.lit(1, dtype=pl.Int64).alias("line_number"),
        pl.when(is_goods).then(pl.lit("CU01")).otherwise(pl.lit("SV01")).alias("item_code"),
        _description(world, frame, chunk).alias("description"),
        (((grams + 500) // 1_000).cast(pl.Decimal(18, 3)) * _GRAM).cast(pl.Decimal(18, 3)).alias("quantity"),
        pl.when(is_goods).then(pl.lit("TNE")).otherwise(pl.lit("ZZ")).alias("unit_code"),
        (c("net_cents") / 100 / ((grams + 500) // 1_000 / 1_000)).round(6).cast(pl.Decimal(18, 6)).alias("unit_price"),
        _amount("net_cents").alias("line_amount"),
        _amount("igv_cents").alias("igv_amount"),
        pl.when(is_goods).then(pl.lit(_UNSPSC_ORE)).alias("product_code_sunat"),
        pl.Series("mining_right_id", _at(world.people.registrations["mining_right_id"], papers["registration_id"])),
        pl.Series("mining_right_name", _at(world.people.registrations["mining_right_name"], papers["registration_id"])),
        c("date").dt.truncate("1mo").alias("month"),
    )  # fmt: skip
    return (
        documents.select(*DOCUMENT_SCHEMA, "month").cast(DOCUMENT_SCHEMA),
        lines.select(*LINE_SCHEMA, "month").cast(LINE_SCHEMA),
    )


def document_tables(world: World, papers: pl.DataFrame, chunk: int, book: Directory) -> dict[str, pl.DataFrame]:
    """The documents as the lake's raw tables would hold them (`sunat_documents__documents`, `__lines`), with `book`'s keys.

    Drivers, licences, bank accounts and notes are left out.

    Args:
        papers: `Documents.frame` with `document`, the documents' keys; those after the last simulated day are left out.
    """
    papers = papers.filter(c("day") <= (world.plan.end - world.epoch).days)
    documents, lines = document_frames(world, papers, chunk)
    by_dni = c("counterparty_kind") == "1"
    keyed = documents.with_columns(
        papers["document"].alias("document_key"),
        *(
            book.agents(_complete(papers)[role]).alias(f"{role}_key")
            for role in ("issuer", "counterparty", "sender", "carrier")
        ),
        book.plates(_complete(papers)["truck"]).alias("plate_key"),
    )
    is_31, is_waybill = c("type_code") == "31", c("type_code").is_in(["09", "31"])
    is_taxed, has_deposit = c("igv_amount") > 0, c("detraction_code").is_not_null()
    is_abroad = c("counterparty_kind") == "0"
    foreign = book.keyer.digest("FOREIGN_TAX", _ABROAD_ID) if book.keyer else _ABROAD_ID
    shown = keyed.with_columns(
        c("type_code").alias("document_type_code"),
        pl.format("{}-{}", "series", "number").alias("document_id_sunat"),
        c("issued_at").dt.date().alias("issue_date"),
        c("issued_at").dt.time().alias("issue_time"),
        pl.lit("2.1").alias("ubl_version"),
        pl.format("{}-{}.xml", "series", "number").alias("member_name"),
        pl.lit(True).alias("file_name_agrees"),
        _kind("issuer_id").alias("issuer_kind"),
        pl.when(by_dni).then(pl.lit("DNI")).when(is_abroad).then(pl.lit("FOREIGN_TAX"))
        .otherwise(_kind("counterparty_id")).alias("counterparty_kind"),
        *(company_name_expr(c(f"{role}_id"), c(f"{role}_name")).alias(f"{role}_name") for role in ("issuer", "counterparty")),
        pl.when(is_abroad).then(pl.lit(foreign)).otherwise("counterparty_key").alias("counterparty_key"),
        pl.when(is_31).then(company_name_expr(c("issuer_id"), c("issuer_name")))
        .otherwise(company_name_expr(c("carrier_id"), c("carrier_name"))).alias("carrier_name"),
        pl.when(~is_31).then("transfer_reason_code").alias("transfer_reason_code"),
        pl.when(c("type_code") != "07").then("operation_type_code").alias("operation_type_code"),
        pl.when(c("type_code") == "04").then(pl.lit("03")).alias("extraction_location_type_code"),
        pl.when(is_31).then("sender_key").when(is_waybill).then("issuer_key").alias("sender_key"),
        pl.when(is_31).then("issuer_key").otherwise("carrier_key").alias("carrier_key"),
        c("line_amount").alias("line_extension_amount"), pl.when(is_taxed).then("line_amount").alias("taxable_amount"),
        pl.when(is_taxed).then("igv_amount").alias("igv_amount"),
        c("igv_amount").alias("tax_amount"), (c("line_amount") + c("igv_amount")).alias("tax_inclusive_amount"),
        pl.when(has_deposit).then("detraction_pct").alias("detraction_pct"),
        pl.when(has_deposit).then("detraction_pen").alias("detraction_amount"),
        pl.when(has_deposit).then(pl.lit("PEN")).alias("detraction_currency_code"),
        c("affected_document").alias("affected_document_id_sunat"), c("affected_type_code").alias("affected_document_type_code"),
        pl.when(c("related_waybill").is_not_null())
        .then(pl.concat_str(pl.lit('[{"type":"'), "related_waybill_type", pl.lit('","id":"'), "related_waybill", pl.lit('"}]')))
        .alias("related_documents"),
        c("extraction_ubigeo").alias("extraction_ubigeo_code"), c("origin_ubigeo").alias("origin_ubigeo_code"),
        c("destination_ubigeo").alias("destination_ubigeo_code"),
    )  # fmt: skip
    goods = lines.with_columns(
        papers["document"].alias("document_key"), c("line_number").cast(pl.String), pl.lit(1, dtype=pl.Int32).alias("line_ordinal"),
        c("description").alias("item_description"), c("unit_code").alias("quantity_unit_code"), c("unit_price").alias("unit_price_amount"),
        c("line_amount").alias("line_extension_amount"),
        pl.when(c("igv_amount") > 0).then("igv_amount").alias("igv_amount"),
        pl.when(c("line_amount").is_not_null()).then("product_code_sunat").alias("product_code_sunat"),
        pl.when(c("mining_right_id").is_not_null())
        .then(pl.concat_str(pl.lit('{"6000":"'), "mining_right_id", pl.lit('"}'))).alias("item_properties"),
    )  # fmt: skip
    made = {"sunat_documents__documents": shown, "sunat_documents__lines": goods}
    return {table: _with_all(frame, table) for table, frame in made.items()}


def _kind(ruc: str) -> pl.Expr:
    """Kind of identity behind a RUC: a natural person's is the DNI."""
    return pl.when(c(ruc).str.starts_with("10")).then(pl.lit("DNI")).otherwise(pl.lit("RUC"))


def _with_all(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """The contract's columns; null where the simulation has none."""
    names = contracts.contract(table).column_names
    return frame.select(c(n) if n in frame.columns else pl.lit(None).alias(n) for n in names)


def _description(world: World, frame: pl.DataFrame, chunk: int) -> pl.Expr:
    """What is sold, often with the lot's code, and of a final voucher the first one that it settles."""
    drawn = stream(world.seed, "descriptions", chunk).random(frame.height) < world.parameters.trade.lot_named
    goods, services = c("form").replace_strict(GOODS, default=None), c("kind").replace_strict(_SERVICES, default=None)
    what = pl.coalesce(goods, services, pl.lit("MINERAL DE COBRE"))
    named = pl.when(pl.lit(pl.Series(drawn)) & c("lot_id").is_not_null()).then(pl.format(", LOTE {}", "lot_id"))
    final = pl.when(c("kind").str.ends_with("_FINAL")).then(pl.format(", LIQUIDACIÓN FINAL DE {}", "affected_document"))
    return pl.concat_str(what, named.otherwise(pl.lit("")), final.otherwise(pl.lit("")))


#: Columns of `Documents.frame` that a chunk without such documents lacks.
_OPTIONAL: dict[str, Any] = {
    "sender": pl.Int64, "carrier": pl.Int64, "truck": pl.Int64, "due_day": pl.Int64, "registration_id": pl.Int64,
    "detraction_code": pl.String, "detraction_pct": pl.Float64, "detraction_pen_cents": pl.Int64,
    "affected_document": pl.String, "related_waybill": pl.String, "related_waybill_type": pl.String, "form": pl.String,
}  # fmt: skip


def _complete(papers: pl.DataFrame) -> pl.DataFrame:
    missing = {k: v for k, v in _OPTIONAL.items() if k not in papers.columns}
    return papers.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in missing.items())


def _amount(column: str) -> pl.Expr:
    return (c(column).cast(pl.Decimal(18, 2)) * _CENT).cast(pl.Decimal(18, 2))


def _at(table: pl.Series, rows: pl.Series) -> pl.Series:
    wanted = rows.cast(pl.Int64)
    return table.gather(wanted.set(wanted < 0, None))


def _days(world: World, papers: pl.DataFrame, column: str) -> pl.Series:
    known = papers[column]
    return world.date_of(known.fill_null(0).to_numpy())
