"""A chunk's truth as partners write it down: weigh tickets, assays, settlements, campaigns, export declarations.

Frames have the file columns of the partner tables' contracts (data_contracts/raw/partner_*); parties, registrations,
trucks and documents stand as numbers until `spelled` writes them out. `month` (first day) says whose file a row is in.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import numpy as np
import polars as pl

from pipelines.contracts import TableContract
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
_TONNE, _GRAM, _CENT = Decimal("0.000001"), Decimal("0.001"), Decimal("0.01")
_HS = {"CONCENTRADO": "2603000000", "CEMENTO": "7401000000"}
_ELEMENTS = ("as", "sb", "bi", "pb_zn")

c = pl.col


def partner_rows(world: World, flow: Flow, money: Money, papers: Documents, chunk: int) -> dict[str, pl.DataFrame]:
    """Table → rows as numbers, with `month`."""
    return {
        TICKETS: _tickets(world, money, papers, chunk),
        ASSAYS: _assays(world, money, chunk),
        SETTLEMENTS: pl.concat([_ore_settlements(world, papers), _product_settlements(world, papers)], how="diagonal"),
        CAMPAIGNS: _campaigns(world, flow, papers),
        EXPORTS: _exports(world, papers),
    }


def spelled(
    frame: pl.DataFrame, table: TableContract, book: Directory, documents: Mapping[str, pl.Series]
) -> pl.DataFrame:
    """`frame` with its numbers written out: file columns in clear, or the contract's columns where `book` makes keys.

    Args:
        documents: `document_id` of the chunk's documents and their spelling or key, `document`.
    """
    names = pl.DataFrame(documents)
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
            given = asked.join(names, on="document_id", how="left", maintain_order="left")["document"]
        columns.append(given.alias(column.name if book.keyer else column.file_column))
    return pl.DataFrame(columns).with_columns(frame["month"])


# --- scales -------------------------------------------------------------------------------------------


def _tickets(world: World, money: Money, papers: Documents, chunk: int) -> pl.DataFrame:
    p, rng = world.parameters.trade, stream(world.seed, "tickets", chunk)
    people = world.people.registrations
    at_plant = papers.ore.select(
        c("plant_id").alias("ruc_balanza"), c("arrives").alias("in"), c("load_id").alias("lote"), c("form").alias("producto"),
        c("owner_id").alias("ruc_proveedor"), pl.when(c("biller_id") >= 0).then("biller_id").alias("facturador"),
        c("operator_id").alias("ruc_operador"), c("used_registration_id").alias("registration_id"), c("truck").alias("placa"),
        c("haulier_id").alias("ruc_transportista"), c("sender_waybill_id").alias("guia_remitente"),
        c("carrier_waybill_id").alias("guia_transportista"), c("received_wet_g").alias("net_g"), c("is_sacked"),
        c("departs"), c("distance_km"),
    )  # fmt: skip
    at_port = papers.concentrate.select(
        c("trader_id").alias("ruc_balanza"), c("arrives").alias("in"), c("lot_id").alias("lote"), c("form").alias("producto"),
        c("owner_id").alias("ruc_proveedor"), c("truck").alias("placa"), c("haulier_id").alias("ruc_transportista"),
        c("sender_waybill_id").alias("guia_remitente"), c("carrier_waybill_id").alias("guia_transportista"),
        c("wet_g").alias("net_g"), c("departs"), c("distance_km"),
    )  # fmt: skip
    at_pit = money.pit_sales.select(
        c("collector_id").alias("ruc_balanza"), (c("pit_day") * DAY + 600).alias("in"), c("lot_id").alias("lote"),
        c("form").alias("producto"), c("operator_id").alias("ruc_proveedor"), c("operator_id").alias("ruc_operador"),
        c("registration_id"), c("wet_g").alias("net_g"),
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
        _decimal(c("net_g") + pl.lit(pl.Series(tare)), 1, _GRAM).alias("bruto_kg"),
        pl.Series("tare_g", tare),
        _decimal(c("net_g"), 1, _GRAM).alias("neto_kg"),
        pl.when(c("is_sacked").fill_null(False)).then(pl.lit("SACOS")).otherwise(pl.lit("GRANEL")).alias("forma_carga"),
        pl.when(c("is_sacked").fill_null(False)).then(c("net_g") // 50_000).cast(pl.Int32).alias("sacos"),
        world.date_of(entered // DAY).dt.truncate("1mo").alias("month"),
    ).with_columns(_decimal(c("tare_g"), 1, _GRAM).alias("tara_kg"))  # fmt: skip


# --- laboratories -------------------------------------------------------------------------------------


def _assays(world: World, money: Money, chunk: int) -> pl.DataFrame:
    day = world.date_of(money.assays["day"].to_numpy())
    return money.assays.with_row_index("n").select(
        c("laboratory_id").alias("ruc_laboratorio"),
        pl.format("CE{}-{}", pl.lit(f"{chunk:05d}"), c("n").cast(pl.String).str.zfill(6)).alias("certificado"),
        day.alias("fecha"),
        c("lot_id").alias("lote"),
        c("requested_by").alias("solicitado_por"),
        pl.lit(None, dtype=pl.Int64).alias("solicitante"),
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
    deposit_usd = (c("detraction_pen_cents") / c("pen_per_usd")).round().cast(pl.Int64)
    return ore.select(
        c("plant_id").alias("ruc_comprador"), pl.format("LQ{}", "load_id").alias("liquidacion"), pl.lit("UNICA").alias("etapa"),
        pl.lit(None, dtype=pl.String).alias("liquidacion_previa"), day.alias("fecha"), c("load_id").alias("lote"),
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
        terms["maquila_usd_per_dmt"].alias("maquila_usd_tms"), terms["refining_usd_per_lb"].alias("refinacion_usd_lb"),
        pl.lit(penalty_terms(p.plant_terms.penalties)).alias("penalidades"), c("penalties").alias("penalidad_usd_tms"),
        pl.lit(0.0).alias("creditos_usd_tms"), _money(pl.lit((terms["assay_fee_usd"] * 100).round().cast(pl.Int64))).alias("analisis_usd"),
        _money(c("loading_cents")).alias("estiba_usd"), _money(c("freight_deducted_cents")).alias("flete_usd"),
        pl.when(pl.lit(terms["is_truncated"])).then(pl.lit("TRUNCADO")).otherwise(pl.lit("EXACTO")).alias("redondeo"),
        c("unit_value").alias("valor_usd_tms"), _money(c("value_cents")).alias("valor_usd"),
        _money(c("advance_cents")).alias("adelanto_usd"), _money(c("igv_cents")).alias("igv_usd"),
        c("detraction_base_code").alias("base_detraccion"), c("detraction_pct").alias("detraccion_pct"),
        _money(c("detraction_pen_cents")).alias("detraccion_pen"), pl.format("DT{}", "load_id").alias("constancia_detraccion"),
        world.date_of(ore["deposit_day"].to_numpy()).alias("fecha_deposito"), c("pen_per_usd").alias("tipo_cambio"),
        _money(c("value_cents") + c("igv_cents") - c("advance_cents") - deposit_usd).alias("a_pagar_usd"),
        world.date_of(ore["paid_day"].to_numpy()).alias("fecha_pago"), c("umpire_limit").alias("limite_dirimencia_pct"),
        pl.when(pl.lit(terms["median_umpire"])).then(pl.lit("MEDIANA")).otherwise(pl.lit("MEDIA_CERCANA")).alias("regla_dirimencia"),
        day.dt.truncate("1mo").alias("month"),
        *(pl.lit(None, dtype=pl.Float64).alias(n) for n in (*_PRECIOUS, "provisional_pct")),
    )  # fmt: skip


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
    quoted = world.date_of(lots["period_month"].to_numpy()).dt.truncate("1mo")
    made = []
    for stage, code, number in (("provisional", "PROVISIONAL", "LP"), ("final", "FINAL", "LF")):
        is_final = stage == "final"
        day = world.date_of(lots[f"{stage}_day"].to_numpy())
        to_pay = c("final_value_cents") - c("paid_first_cents") if is_final else c("paid_first_cents")
        made.append(
            lots.select(
                c("trader_id").alias("ruc_comprador"), pl.format(number + "{}", "lot_id").alias("liquidacion"), pl.lit(code).alias("etapa"),
                (pl.format("LP{}", "lot_id") if is_final else pl.lit(None, dtype=pl.String)).alias("liquidacion_previa"),
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
                c(f"{stage}_unit_value").alias("valor_usd_tms"), _money(c(f"{stage}_value_cents")).alias("valor_usd"),
                (pl.lit(None, dtype=pl.Float64) if is_final else (c("provisional_frac") * 100).round(4)).alias("provisional_pct"),
                pl.lit("NO_AFECTO").alias("base_detraccion"), _money(to_pay).alias("a_pagar_usd"), day.alias("fecha_pago"),
                pl.lit(p.splitting_limit_pct["concentrate"]).alias("limite_dirimencia_pct"),
                pl.when(pl.lit(terms["median_umpire"])).then(pl.lit("MEDIANA")).otherwise(pl.lit("MEDIA_CERCANA")).alias("regla_dirimencia"),
                pl.lit(pl.Series(world.price("pen_per_usd", lots[f"{stage}_day"].to_numpy()))).alias("tipo_cambio"),
                day.dt.truncate("1mo").alias("month"),
            )
        )  # fmt: skip
    return pl.concat(made)


# --- batches ------------------------------------------------------------------------------------------


def _campaigns(world: World, flow: Flow, papers: Documents) -> pl.DataFrame:
    """What each plant's campaigns took and gave, and what each collector's heaps were mixed of."""
    head = flow.campaigns.select(
        "campaign", c("plant_id").alias("ruc_planta"), pl.format("CP{}", c("campaign").cast(pl.String).str.zfill(8)).alias("campana"),
        c("kind").alias("modalidad"), c("owner_id").alias("ruc_titular_producto"), "started_day", "ended_day",
        pl.format("R{}", c("campaign").cast(pl.String).str.zfill(8)).alias("tailings"), "tailings_dry_g", "tailings_copper_g",
    )  # fmt: skip
    milled = papers.milling.rename({"lot_id": "tailings", "invoice_id": "comprobante"})
    head = head.join(milled, on="tailings", how="left", maintain_order="left")
    plants = world.firms.plants["toll_usd_per_dmt"]
    tariff = plants[head["ruc_planta"].to_numpy() - world.first_firm - world.firms.first["plant"]]
    head = head.with_columns(
        pl.when(c("modalidad") == "MAQUILA").then(pl.lit(pl.Series(tariff))).alias("tarifa_maquila_usd_tms")
    )
    fed = flow.loads.select(
        "campaign",
        pl.lit("ALIMENTACION").alias("tipo_linea"),
        c("load_id").alias("lote"),
        c("form").alias("producto"),
        "dry_g",
        "copper_g",
    )
    won = flow.products.select(
        "campaign",
        pl.lit("PRODUCTO").alias("tipo_linea"),
        c("lot_id").alias("lote"),
        c("form").alias("producto"),
        "dry_g",
        "copper_g",
    )
    left = head.select(
        "campaign", pl.lit("RELAVE").alias("tipo_linea"), c("tailings").alias("lote"), pl.lit(None, dtype=pl.String).alias("producto"),
        c("tailings_dry_g").alias("dry_g"), c("tailings_copper_g").alias("copper_g"),
    )  # fmt: skip
    plant_lines = pl.concat([fed, won, left]).join(head, on="campaign", how="left", maintain_order="left")
    lines = pl.concat(
        [plant_lines.drop("campaign", "tailings", "tailings_dry_g", "tailings_copper_g"), _heaps(flow)], how="diagonal"
    )
    ended = world.date_of(lines["ended_day"].to_numpy())
    return lines.sort("ruc_planta", "campana", maintain_order=True).select(
        "ruc_planta", "campana", (pl.int_range(pl.len()).over("ruc_planta", "campana") + 1).cast(pl.Int32).alias("linea"),
        "modalidad", "ruc_titular_producto",
        pl.lit(world.date_of(lines["started_day"].to_numpy())).alias("fecha_inicio"), pl.lit(ended).alias("fecha_fin"),
        "tipo_linea", "lote", "producto", _decimal(c("dry_g"), 6, _TONNE).alias("masa_tms"),
        (c("copper_g") / c("dry_g") * 100).round(4).alias("cu_pct"), _decimal(c("copper_g"), 3, _GRAM).alias("fino_kg"),
        "tarifa_maquila_usd_tms", "comprobante", "dry_g", "copper_g", pl.lit(ended).dt.truncate("1mo").alias("month"),
    ) if lines.height else lines  # fmt: skip


def _heaps(flow: Flow) -> pl.DataFrame:
    """Collected ore: which pit lots went into which loads. An unmixed lot is a heap of one."""
    bought = flow.pits.filter(c("collector_id").is_not_null()).with_columns(pl.coalesce("blend", "lot").alias("mix"))
    heads = bought.group_by("mix", maintain_order=True).agg(
        c("collector_id").first().alias("ruc_planta"), c("pit_day").min().alias("started_day"), (c("leaves").max() // DAY).alias("ended_day")
    )  # fmt: skip
    into = bought.select(
        "mix",
        pl.lit("ALIMENTACION").alias("tipo_linea"),
        c("lot_id").alias("lote"),
        c("form").alias("producto"),
        "dry_g",
        "copper_g",
    )
    out = flow.loads.join(heads.select("mix"), on="mix", how="semi").select(
        "mix", pl.lit("PRODUCTO").alias("tipo_linea"), c("load_id").alias("lote"), c("form").alias("producto"), "dry_g", "copper_g"
    )  # fmt: skip
    return (
        pl.concat([into, out])
        .join(heads, on="mix", how="left", maintain_order="left")
        .select(
            pl.exclude("mix"), pl.format("MZ{}", c("mix").cast(pl.String).str.zfill(8)).alias("campana"),
            pl.lit("MEZCLA").alias("modalidad"), c("ruc_planta").alias("ruc_titular_producto"),
        )
    )  # fmt: skip


# --- the port -----------------------------------------------------------------------------------------


def _exports(world: World, papers: Documents) -> pl.DataFrame:
    lots = papers.exports
    shipped = world.date_of(lots["shipped_day"].to_numpy())
    made = []
    for version, day, fob in (
        ("PROVISIONAL", "shipped_day", "provisional_fob_cents"),
        ("REGULARIZADA", "regularised_day", "fob_cents"),
    ):
        declared = world.date_of(lots[day].to_numpy())
        made.append(
            lots.select(
                pl.format("118-{}-40-{}", shipped.dt.year(), c("shipment").cast(pl.String).str.zfill(8)).alias("dam"),
                pl.lit(version).alias("version"), (pl.int_range(pl.len()).over("shipment") + 1).cast(pl.Int32).alias("serie"),
                declared.alias("fecha_numeracion"), shipped.alias("fecha_embarque"), c("trader_id").alias("ruc_exportador"),
                c("form").replace_strict(_HS).alias("partida"), c("form").alias("producto"), c("lot_id").alias("lote"),
                _decimal(c("wet_g"), 6, _TONNE).alias("tmh"), c("moisture_pct").round(4).alias("humedad_pct"),
                _decimal(c("dry_g"), 6, _TONNE).alias("tms"), c("cu").round(4).alias("cu_pct"), _money(c(fob)).alias("fob_usd"),
                c("destination").alias("pais_destino"), pl.lit("118").alias("aduana"), declared.dt.truncate("1mo").alias("month"),
            )
        )  # fmt: skip
    return pl.concat(made)


# --- small things -------------------------------------------------------------------------------------


def _decimal(whole: pl.Expr, digits: int, unit: Decimal) -> pl.Expr:
    """Whole grams as decimal kilograms or tonnes with `digits` decimals."""
    return (whole.cast(pl.Decimal(20, max(digits, 3))) * unit).cast(pl.Decimal(20, digits))


def _money(cents: pl.Expr) -> pl.Expr:
    return (cents.cast(pl.Decimal(18, 2)) * _CENT).cast(pl.Decimal(18, 2))


def at_row(table: pl.Series, rows: pl.Series) -> pl.Series:
    return table.gather(rows.cast(pl.Int64)).alias(rows.name)
