"""A chunk's truth as partners write it down: weigh tickets, assays, settlements, campaigns, export declarations.

Frames have the file columns of the partner tables' contracts (data_contracts/raw/partner_*); parties, registrations,
trucks and documents stand as numbers until `spelled` writes them out. `month` (first day) says whose file a row is in.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from pipelines.contracts import TableContract
from pipelines.simulator.amounts import GRAM, decimal_of, money_of
from pipelines.simulator.batch_rows import batch_lines, export_lines
from pipelines.simulator.dice import stream
from pipelines.simulator.directory import Directory
from pipelines.simulator.documents import Documents
from pipelines.simulator.flow import DAY, Flow
from pipelines.simulator.money import Money
from pipelines.simulator.world import World

TICKETS, ASSAYS = "partner_weigh_tickets__tickets", "partner_assays__certificates"
SETTLEMENTS, CAMPAIGNS = "partner_settlements__settlements", "partner_campaigns__lines"
EXPORTS = "partner_exports__lines"
TABLES = (TICKETS, ASSAYS, SETTLEMENTS, CAMPAIGNS, EXPORTS)
_ELEMENTS = ("as", "sb", "bi", "pb_zn")

c = pl.col


def partner_rows(world: World, flow: Flow, money: Money, papers: Documents, chunk: int) -> dict[str, pl.DataFrame]:
    """Table → rows as numbers, with `month`."""
    return {
        TICKETS: _tickets(world, money, papers, chunk),
        ASSAYS: _assays(world, money, chunk),
        SETTLEMENTS: pl.concat([_ore_settlements(world, papers), _product_settlements(world, papers)], how="diagonal"),
        CAMPAIGNS: batch_lines(world, flow, papers.milling),
        EXPORTS: export_lines(world, papers.exports),
    }


def spelled(frame: pl.DataFrame, table: TableContract, book: Directory, documents: pl.DataFrame) -> pl.DataFrame:
    """`frame` with its numbers written out: file columns in clear, or the contract's columns where `book` makes keys.

    Args:
        documents: `document_id` of the chunk's documents and their spelling or key, `document`; others are not named.
    """
    columns: list[pl.Series] = []
    for column in table.columns:
        kind, given = column.identity_kind, frame[column.file_column]
        if kind in ("RUC", "ID"):
            given = book.agents(given)
        elif kind == "REINFO":
            given = book.registrations(given)
        elif kind == "PLATE":
            given = book.plates(given)
        elif kind == "DOCUMENT":
            asked = pl.DataFrame({"document_id": given.cast(pl.Int64)})
            given = asked.join(documents, on="document_id", how="left", maintain_order="left")["document"]
        columns.append(given.alias(column.name if book.keyer else column.file_column))
    return pl.DataFrame(columns).with_columns(frame["month"])


# --- scales -------------------------------------------------------------------------------------------


def _tickets(world: World, money: Money, papers: Documents, chunk: int) -> pl.DataFrame:
    p, rng = world.parameters.trade, stream(world.seed, "tickets", chunk)
    people = world.people.registrations
    at_plant = papers.ore.select(
        c("plant_id").alias("ruc_balanza"), c("arrives").alias("in"), c("plant_lot_id").alias("lote"), c("form").alias("producto"),
        c("owner_id").alias("ruc_proveedor"), pl.when(c("biller_id") >= 0).then("biller_id").alias("facturador"),
        c("operator_id").alias("ruc_operador"), c("used_registration_id").alias("registration_id"),
        c("registration_id").alias("own_registration_id"), c("status"), c("truck").alias("placa"),
        c("haulier_id").alias("ruc_transportista"), c("sender_waybill_id").alias("guia_remitente"),
        c("carrier_waybill_id").alias("guia_transportista"), c("received_wet_g").alias("net_g"), c("is_sacked"),
        c("departs"), c("straight_km"),
    )  # fmt: skip
    at_port = papers.concentrate.select(
        c("trader_id").alias("ruc_balanza"), c("arrives").alias("in"), c("lot_id").alias("lote"), c("form").alias("producto"),
        c("owner_id").alias("ruc_proveedor"), c("truck").alias("placa"), c("haulier_id").alias("ruc_transportista"),
        c("sender_waybill_id").alias("guia_remitente"), c("carrier_waybill_id").alias("guia_transportista"),
        c("wet_g").alias("net_g"), c("departs"), c("straight_km"),
    )  # fmt: skip
    at_pit = money.pit_sales.select(
        c("collector_id").alias("ruc_balanza"), pl.min_horizontal(c("pit_day") * DAY + 540, c("leaves_pit") - 180).alias("in"), c("lot_id").alias("lote"),
        c("form").alias("producto"), c("operator_id").alias("ruc_proveedor"), c("operator_id").alias("ruc_operador"),
        c("registration_id"), c("registration_id").alias("own_registration_id"), c("status"), c("wet_g").alias("net_g"),
    )  # fmt: skip
    frame = pl.concat([at_plant, at_port, at_pit], how="diagonal")
    n = frame.height
    wait, stay = rng.integers(10, 90, n), rng.integers(20, 90, n)
    tare = np.round(rng.uniform(p.tare_t.low, p.tare_t.high, n) * 100).astype(np.int64) * 10_000
    entered = frame["in"].to_numpy() + wait
    registration = frame["registration_id"]
    return frame.with_columns(
        pl.format("B{}", c("lote")).alias("ticket"),
        pl.Series("fecha_hora_entrada", world.time_of(entered)),
        pl.Series("fecha_hora_salida", world.time_of(entered + stay)),
        pl.Series("departed_at", world.time_of(frame["departs"].fill_null(0).to_numpy())),
        registration.alias("codigo_reinfo"),
        at_row(people["mining_right_id"], registration).alias("derecho_minero"),
        at_row(people["district_code"], registration).alias("ubigeo_origen"),
        decimal_of(c("net_g") + pl.lit(pl.Series(tare)), 1, GRAM).alias("bruto_kg"),
        pl.Series("tare_g", tare),
        decimal_of(c("net_g"), 1, GRAM).alias("neto_kg"),
        pl.when(c("is_sacked").fill_null(False)).then(pl.lit("SACOS")).otherwise(pl.lit("GRANEL")).alias("forma_carga"),
        pl.when(c("is_sacked").fill_null(False)).then(c("net_g") // 50_000).cast(pl.Int32).alias("sacos"),
        world.date_of(entered // DAY).dt.truncate("1mo").alias("month"),
    ).with_columns(decimal_of(c("tare_g"), 1, GRAM).alias("tara_kg"))  # fmt: skip


# --- laboratories -------------------------------------------------------------------------------------


def _assays(world: World, money: Money, chunk: int) -> pl.DataFrame:
    day = world.date_of(money.assays["day"].to_numpy())
    return money.assays.with_row_index("n").select(
        c("laboratory_id").alias("ruc_laboratorio"),
        pl.format("CE{}-{}", pl.lit(f"{chunk:05d}"), c("n").cast(pl.String).str.zfill(6)).alias("certificado"),
        day.alias("fecha"),
        c("lot_id").alias("lote"),
        c("requested_by").alias("solicitado_por"),
        c("requester_id").alias("solicitante"),
        c("moisture_pct").alias("humedad_pct"),
        c("cu").alias("cu_pct"),
        c("soluble").fill_nan(None).alias("cu_soluble_pct"),
        *(c(e).alias(f"{e}_pct") for e in _ELEMENTS),
        c("ag").alias("ag_g_t"),
        c("au").alias("au_g_t"),
        pl.lit("FRX+AA").alias("metodo"),
        day.dt.truncate("1mo").alias("month"),
    )


# --- settlement sheets --------------------------------------------------------------------------------


def penalty_terms(listed: Mapping[str, tuple[float, float, float]]) -> str:
    """Penalties as the sheets' column has them: element:free limit:step:US$ per dmt and step."""
    return ";".join(f"{name.upper()}:{free:.2f}:{step:.2f}:{rate:.2f}" for name, (free, step, rate) in listed.items())


def _ore_settlements(world: World, papers: Documents) -> pl.DataFrame:
    p = world.parameters.trade
    ore = papers.ore.filter(~c("toll"))
    plant = ore["plant_row"].to_numpy()
    terms = {name: pl.Series(values[plant]) for name, values in world.firms.plants.items()}
    day = world.date_of(ore["settled_day"].to_numpy())
    advanced = world.date_of(ore["advance_day"].to_numpy())
    is_known = c("deposit_day") <= (world.plan.end - world.epoch).days
    receipt = pl.when(is_known).then(pl.format("DT-{}", "plant_lot_id"))
    deposit_usd = (c("detraction_pen_cents") / c("pen_per_usd")).round().cast(pl.Int64)
    return ore.select(
        c("plant_id").alias("ruc_comprador"), pl.format("LQ-{}", "plant_lot_id").alias("liquidacion"), pl.lit("UNICA").alias("etapa"),
        pl.lit(None, dtype=pl.String).alias("liquidacion_previa"), day.alias("fecha"), c("plant_lot_id").alias("lote"),
        c("form").alias("producto"), c("owner_id").alias("vendedor"),
        pl.when(c("biller_id") >= 0).then("biller_id").alias("facturador"), c("operator_id").alias("ruc_operador"),
        c("used_registration_id").alias("codigo_reinfo"), c("invoice_id").alias("comprobante"),
        c("wet_t").alias("tmh"), c("settled_moisture_pct").alias("humedad_pct"), c("dry_t").alias("tms"),
        terms["handling_loss_pct"].alias("merma_pct"), c("payable_t").alias("tmns"),
        c("settled_cu").alias("cu_pct"), *(c(f"settled_{e}").alias(f"{e}_pct") for e in _ELEMENTS),
        c("settled_ag").alias("ag_g_t"), c("settled_au").alias("au_g_t"),
        pl.when(pl.lit(terms["is_sequential"])).then(pl.lit("SECUENCIAL")).otherwise(pl.lit("ESTANDAR")).alias("convencion_pagable"),
        terms["payable_pct"].alias("pagable_pct"), terms["deduction_pct"].alias("deduccion_pct"),
        pl.lit("DIA").alias("periodo_cuotacional"), pl.lit(None, dtype=pl.Date).alias("mes_cuotacion"),
        c("price").alias("cobre_usd_t"), terms["protection_usd_per_lb"].alias("proteccion_usd_lb"),
        c("treatment").alias("maquila_usd_tms"), terms["refining_usd_per_lb"].alias("refinacion_usd_lb"),
        pl.lit(penalty_terms(p.plant_terms.penalties)).alias("penalidades"), c("penalties").alias("penalidad_usd_tms"),
        pl.lit(0.0).alias("creditos_usd_tms"), money_of(pl.lit((terms["assay_fee_usd"] * 100).round().cast(pl.Int64))).alias("analisis_usd"),
        money_of(c("loading_cents")).alias("estiba_usd"), money_of(c("freight_deducted_cents")).alias("flete_usd"),
        pl.when(pl.lit(terms["is_truncated"])).then(pl.lit("TRUNCADO")).otherwise(pl.lit("EXACTO")).alias("redondeo"),
        c("unit_value").alias("valor_usd_tms"), money_of(c("value_cents")).alias("valor_usd"),
        money_of(c("advance_cents")).alias("adelanto_usd"),
        pl.when(c("advance_cents") > 0).then(pl.lit(advanced)).alias("fecha_adelanto"), money_of(c("igv_cents")).alias("igv_usd"),
        c("detraction_base_code").alias("base_detraccion"), c("detraction_pct").alias("detraccion_pct"),
        money_of(c("detraction_pen_cents")).alias("detraccion_pen"), receipt.alias("constancia_detraccion"),
        _until(world, ore["deposit_day"]).alias("fecha_deposito"), c("pen_per_usd").alias("tipo_cambio"),
        money_of(c("value_cents") + c("igv_cents") - c("advance_cents") - deposit_usd).alias("a_pagar_usd"),
        _until(world, ore["paid_day"]).alias("fecha_pago"),
        pl.lit(p.splitting_limit_pct["ore"]).alias("limite_dirimencia_pct"),
        pl.when(pl.lit(terms["median_umpire"])).then(pl.lit("MEDIANA")).otherwise(pl.lit("MEDIA_CERCANA")).alias("regla_dirimencia"),
        day.dt.truncate("1mo").alias("month"), c("registration_id").alias("own_registration_id"), c("status"), c("is_late_deposit"),
        c("departs"), c("deposit_day"),
        *(pl.lit(None, dtype=pl.Float64).alias(n) for n in (*_PRECIOUS, *_PARTICIPATION, "provisional_pct")),
    )  # fmt: skip


#: Nobody in the simulated sector shares in the price, as in contracts of today.
_PARTICIPATION = ("participacion_base_cts_lb", "participacion_pct")
_PRECIOUS = (
    "plata_usd_oz", "oro_usd_oz", "plata_pagable_pct", "plata_deduccion_g_t", "plata_refinacion_usd_oz", "oro_pagable_pct",
    "oro_minimo_g_t", "oro_refinacion_usd_oz",
)  # fmt: skip


def _product_settlements(world: World, papers: Documents) -> pl.DataFrame:
    """Each product lot has a provisional sheet on the seller's assay and a final one on the agreed assay."""
    p = world.parameters.trade
    t, lots = p.trader_terms, papers.concentrate
    trader = lots["trader_row"].to_numpy()
    terms = {name: pl.Series(values[trader]) for name, values in world.firms.traders.items()}
    has_deposit = c("detraction_code").is_not_null()
    deposits = pl.when(has_deposit).then("detraction_pen_cents").alias("detraction_pen_cents")
    taxes = papers.frame.select("document_id", "igv_cents", "detraction_pct", deposits)
    quoted = world.date_of(lots["period_month"].to_numpy()).dt.truncate("1mo")
    made = []
    for stage, code, number in (("provisional", "PROVISIONAL", "LP"), ("final", "FINAL", "LF")):
        is_final = stage == "final"
        day = world.date_of(lots[f"{stage}_day"].to_numpy())
        invoice, due = (
            ("invoice_id", c("final_value_cents") - c("paid_first_cents"))
            if is_final
            else ("first_invoice_id", c("paid_first_cents"))
        )
        taxed = lots.join(taxes, left_on=invoice, right_on="document_id", how="left", maintain_order="left")
        igv = (due.sign() * c("igv_cents")).fill_null(0)
        deposit = c("detraction_pen_cents").fill_null(0)
        rate = pl.lit(pl.Series(world.price("pen_per_usd", lots[f"{stage}_day"].to_numpy())))
        made.append(
            taxed.select(
                c("trader_id").alias("ruc_comprador"), pl.format(number + "-{}", "lot_id").alias("liquidacion"), pl.lit(code).alias("etapa"),
                (pl.format("LP-{}", "lot_id") if is_final else pl.lit(None, dtype=pl.String)).alias("liquidacion_previa"),
                day.alias("fecha"), c("lot_id").alias("lote"), c("form").alias("producto"), c("owner_id").alias("vendedor"),
                c("invoice_id" if is_final else "first_invoice_id").alias("comprobante"), c("wet_t").alias("tmh"),
                c("settled_moisture_pct").alias("humedad_pct"), c("payable_t").alias("tms"), pl.lit(0.0).alias("merma_pct"),
                c("payable_t").alias("tmns"), c(f"{stage}_cu").alias("cu_pct"), *(c(f"{stage}_{e}").alias(f"{e}_pct") for e in _ELEMENTS),
                c(f"{stage}_ag").alias("ag_g_t"), c(f"{stage}_au").alias("au_g_t"),
                pl.when(pl.lit(terms["is_sequential"])).then(pl.lit("SECUENCIAL")).otherwise(pl.lit("ESTANDAR")).alias("convencion_pagable"),
                terms["payable_pct"].alias("pagable_pct"), terms["deduction_pct"].alias("deduccion_pct"),
                (c("period") if is_final else pl.lit("DIA")).alias("periodo_cuotacional"),
                (pl.lit(quoted) if is_final else pl.lit(None, dtype=pl.Date)).alias("mes_cuotacion"),
                c(f"{stage}_price").alias("cobre_usd_t"), c(f"{stage}_silver").alias("plata_usd_oz"), c(f"{stage}_gold").alias("oro_usd_oz"),
                pl.lit(0.0).alias("proteccion_usd_lb"), c("treatment").alias("maquila_usd_tms"), c("refining").alias("refinacion_usd_lb"),
                pl.lit(t.silver.payable_pct).alias("plata_pagable_pct"), pl.lit(t.silver.deduction_g_per_dmt).alias("plata_deduccion_g_t"),
                pl.lit(t.silver.refining_usd_per_oz).alias("plata_refinacion_usd_oz"), pl.lit(t.gold.payable_pct).alias("oro_pagable_pct"),
                pl.lit(t.gold.minimum_g_per_dmt).alias("oro_minimo_g_t"), pl.lit(t.gold.refining_usd_per_oz).alias("oro_refinacion_usd_oz"),
                pl.lit(penalty_terms(t.penalties)).alias("penalidades"), c(f"{stage}_penalties").alias("penalidad_usd_tms"),
                c(f"{stage}_credits").alias("creditos_usd_tms"), pl.lit("EXACTO").alias("redondeo"),
                c(f"{stage}_unit_value").alias("valor_usd_tms"), money_of(c(f"{stage}_value_cents")).alias("valor_usd"),
                (pl.lit(None, dtype=pl.Float64) if is_final else (c("provisional_frac") * 100).round(4)).alias("provisional_pct"),
                money_of(igv).alias("igv_usd"), pl.when(deposit > 0).then(pl.lit("TOTAL")).otherwise(pl.lit("NO_AFECTO")).alias("base_detraccion"),
                pl.when(deposit > 0).then("detraction_pct").alias("detraccion_pct"), money_of(deposit).alias("detraccion_pen"),
                money_of(due + igv - (deposit / rate).round().cast(pl.Int64)).alias("a_pagar_usd"), day.alias("fecha_pago"),
                pl.lit(p.splitting_limit_pct["concentrate"]).alias("limite_dirimencia_pct"),
                pl.when(pl.lit(terms["median_umpire"])).then(pl.lit("MEDIANA")).otherwise(pl.lit("MEDIA_CERCANA")).alias("regla_dirimencia"),
                rate.alias("tipo_cambio"), *(pl.lit(None, dtype=pl.Float64).alias(n) for n in _PARTICIPATION),
                day.dt.truncate("1mo").alias("month"),
            )
        )  # fmt: skip
    return pl.concat(made)


# --- small things -------------------------------------------------------------------------------------


def at_row(table: pl.Series, rows: pl.Series) -> pl.Series:
    return table.gather(rows.cast(pl.Int64)).alias(rows.name)


def _until(world: World, days: pl.Series) -> pl.Series:
    """Dates of days, null where they lie beyond the last simulated day: nobody knows them yet."""
    known = world.date_of(days.to_numpy())
    return known.set(known > world.plan.end, None)
