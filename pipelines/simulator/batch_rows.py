"""Batches as plants, collectors and exporters record them: campaigns, heaps, export declarations."""

from __future__ import annotations

import numpy as np
import polars as pl

from pipelines.simulator.amounts import GRAM, TONNE, decimal_of, money_of
from pipelines.simulator.flow import DAY, Flow
from pipelines.simulator.world import World

_HS = {"CONCENTRADO": "2603000000", "CEMENTO": "7401000000"}

c = pl.col


def batch_lines(world: World, flow: Flow, milling: pl.DataFrame) -> pl.DataFrame:
    """What each plant's campaigns took and gave, and what each collector's heaps were mixed of (MEZCLA).

    Args:
        milling: lot_id (a campaign's tailings) and invoice_id of its toll.
    """
    lines = pl.concat([_campaigns(world, flow, milling), _heaps(flow)], how="diagonal")
    lines = lines.sort("ruc_planta", "campana", maintain_order=True)
    started, ended = (world.date_of(lines[name].to_numpy()) for name in ("started_day", "ended_day"))
    return lines.select(
        "ruc_planta", "campana", (pl.int_range(pl.len()).over("ruc_planta", "campana") + 1).cast(pl.Int32).alias("linea"),
        "modalidad", "ruc_titular_producto", started.alias("fecha_inicio"), ended.alias("fecha_fin"), "tipo_linea", "lote",
        "producto", decimal_of(c("dry_g"), 6, TONNE).alias("masa_tms"), (c("copper_g") / c("dry_g") * 100).round(4).alias("cu_pct"),
        decimal_of(c("copper_g"), 3, GRAM).alias("fino_kg"), "tarifa_maquila_usd_tms", "comprobante", "dry_g", "copper_g",
        ended.dt.truncate("1mo").alias("month"),
    )  # fmt: skip


def _line(frame: pl.DataFrame, batch: str, kind: str, lot: str) -> pl.DataFrame:
    form = c("form") if kind != "RELAVE" else pl.lit(None, dtype=pl.String)
    return frame.select(
        batch, pl.lit(kind).alias("tipo_linea"), c(lot).alias("lote"), form.alias("producto"), "dry_g", "copper_g"
    )


def _coded(letters: str, column: str) -> pl.Expr:
    return pl.format(letters + "{}", c(column).cast(pl.String).str.zfill(9))


def _campaigns(world: World, flow: Flow, milling: pl.DataFrame) -> pl.DataFrame:
    is_toll = flow.campaigns["kind"] == "MAQUILA"
    plant = flow.campaigns["plant_id"].to_numpy() - world.first_firm - world.firms.first["plant"]
    tariff = pl.Series(np.where(is_toll.to_numpy(), world.firms.plants["toll_usd_per_dmt"][plant], np.nan)).fill_nan(
        None
    )
    head = flow.campaigns.select(
        "campaign", c("plant_id").alias("ruc_planta"), _coded("CP", "campaign").alias("campana"), c("kind").alias("modalidad"),
        c("owner_id").alias("ruc_titular_producto"), "started_day", "ended_day", _coded("R", "campaign").alias("lot_id"),
        tariff.alias("tarifa_maquila_usd_tms"),
    ).join(milling.rename({"invoice_id": "comprobante"}), on="lot_id", how="left", maintain_order="left")  # fmt: skip
    left = flow.campaigns.select(
        "campaign", _coded("R", "campaign").alias("lot_id"), c("tailings_dry_g").alias("dry_g"), c("tailings_copper_g").alias("copper_g")
    )  # fmt: skip
    lines = [
        _line(flow.loads, "campaign", "ALIMENTACION", "plant_lot_id"),
        _line(flow.products, "campaign", "PRODUCTO", "lot_id"),
        _line(left, "campaign", "RELAVE", "lot_id"),
    ]
    return pl.concat(lines).join(head.drop("lot_id"), on="campaign", how="left", maintain_order="left").drop("campaign")


def _heaps(flow: Flow) -> pl.DataFrame:
    """Collected ore: which pit lots went into which loads. An unmixed lot is a heap of one."""
    bought = flow.pits.filter(c("collector_id").is_not_null()).with_columns(pl.coalesce("blend", "lot").alias("mix"))
    heads = bought.group_by("mix", maintain_order=True).agg(
        c("collector_id").first().alias("ruc_planta"),
        c("pit_day").min().alias("started_day"),
        (c("leaves").max() // DAY).alias("ended_day"),
    )
    out = flow.loads.join(heads.select("mix"), on="mix", how="semi")
    lines = [_line(bought, "mix", "ALIMENTACION", "lot_id"), _line(out, "mix", "PRODUCTO", "load_id")]
    return (
        pl.concat(lines)
        .join(heads, on="mix", how="left", maintain_order="left")
        .with_columns(
            _coded("MZ", "mix").alias("campana"),
            pl.lit("MEZCLA").alias("modalidad"),
            c("ruc_planta").alias("ruc_titular_producto"),
        )
        .drop("mix")
    )


def export_lines(world: World, lots: pl.DataFrame) -> pl.DataFrame:
    """Each declaration twice: provisional on shipping, regularised when the price of the month after is known."""
    t = world.parameters.trade.export_terms
    shipped = world.date_of(lots["shipped_day"].to_numpy())
    made = []
    for version, stage, day in (
        ("PROVISIONAL", "provisional", "shipped_day"),
        ("REGULARIZADA", "final", "regularised_day"),
    ):
        declared, is_final = world.date_of(lots[day].to_numpy()), stage == "final"
        made.append(
            lots.select(
                pl.format("118-{}-40-{}", shipped.dt.year(), c("shipment").cast(pl.String).str.zfill(9)).alias("dam"),
                pl.lit(version).alias("version"), (pl.int_range(pl.len()).over("shipment") + 1).cast(pl.Int32).alias("serie"),
                declared.alias("fecha_numeracion"), shipped.alias("fecha_embarque"), c("trader_id").alias("ruc_exportador"),
                c("form").replace_strict(_HS).alias("partida"), c("form").alias("producto"), c("lot_id").alias("lote"),
                decimal_of(c("wet_g"), 6, TONNE).alias("tmh"), c("moisture_pct").round(4).alias("humedad_pct"),
                decimal_of(c("dry_g"), 6, TONNE).alias("tms"), c("declared_cu").alias("cu_pct"),
                pl.lit("ESTANDAR").alias("convencion_pagable"), pl.lit(t.payable_pct).alias("pagable_pct"),
                pl.lit(t.deduction_pct).alias("deduccion_pct"), pl.lit("M+1" if is_final else "DIA").alias("periodo_cuotacional"),
                (shipped.dt.truncate("1mo").dt.offset_by("1mo") if is_final else pl.lit(None, dtype=pl.Date)).alias("mes_cuotacion"),
                c(f"{stage}_price").alias("cobre_usd_t"), c("treatment").alias("maquila_usd_tms"),
                c("refining").alias("refinacion_usd_lb"), c(f"{stage}_penalties").alias("penalidad_usd_tms"),
                c(f"{stage}_credits").alias("creditos_usd_tms"), c(f"{stage}_unit_value").alias("valor_usd_tms"),
                money_of(c(f"{stage}_value_cents")).alias("fob_usd"), c("destination").alias("pais_destino"),
                pl.lit("118").alias("aduana"), declared.dt.truncate("1mo").alias("month"),
            )
        )  # fmt: skip
    return pl.concat(made)
