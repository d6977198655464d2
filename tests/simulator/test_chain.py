"""The chain from pit to port: mass and money balance exactly, and the sector has the shape that its parameters say."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from pipelines.simulator import partner_rows
from pipelines.simulator.documents import make_documents
from pipelines.simulator.flow import make_flow
from pipelines.simulator.money import GOOD_STANDING, make_money
from pipelines.simulator.payments import ABROAD
from pipelines.simulator.plan import load, make_plan
from pipelines.simulator.world import make_world

CHUNK = 9  # of twelve, in 2025: before and after the purge
c = pl.col


@pytest.fixture(scope="module")
def flow(world):
    return make_flow(world, CHUNK)


@pytest.fixture(scope="module")
def money(world, flow):
    return make_money(world, flow, CHUNK)


@pytest.fixture(scope="module")
def papers(world, flow, money):
    return make_documents(world, flow, money, CHUNK)


def total(frame: pl.DataFrame, by: str, lots: pl.DataFrame, lot: str) -> pl.DataFrame:
    """Copper of edges summed by one end, beside the copper of the lots at that end."""
    summed = frame.group_by(by).agg(c("copper_g").sum().alias("edges"))
    return lots.select(c(lot).alias(by), c("copper_g").alias("lot")).join(summed, on=by, how="full", coalesce=True)


# --- copper to the gram -------------------------------------------------------------------------------


def test_every_gram_of_copper_is_somewhere(flow):
    from_pit = flow.edges.filter(c("from_lot_id").str.starts_with("M"))
    from_load = flow.edges.filter(c("from_lot_id").str.starts_with("L"))
    tailings = flow.campaigns.select(
        pl.format("R{}", c("campaign").cast(pl.String).str.zfill(8)).alias("lot_id"), c("tailings_copper_g").alias("copper_g")
    )  # fmt: skip
    for edges, end, lots, lot in (
        (from_pit, "from_lot_id", flow.pits, "lot_id"),
        (from_pit, "to_lot_id", flow.loads, "load_id"),
        (from_load, "from_lot_id", flow.loads, "load_id"),
        (from_load, "to_lot_id", pl.concat([flow.products.select("lot_id", "copper_g"), tailings]), "lot_id"),
    ):
        both = total(edges, end, lots, lot)
        assert both["lot"].null_count() == both["edges"].null_count() == 0, (end, both)
        assert (both["lot"] == both["edges"]).all()
    assert (flow.edges["copper_g"] >= 0).all()


def test_campaigns_balance(flow):
    k = flow.campaigns
    assert (k["fed_dry_g"] == k["product_dry_g"] + k["tailings_dry_g"]).all()
    assert (k["fed_copper_g"] == k["product_copper_g"] + k["tailings_copper_g"]).all()
    fed = flow.loads.group_by("campaign").agg(c("dry_g").sum(), c("copper_g").sum())
    both = k.join(fed, on="campaign", how="full", coalesce=True)
    assert (both["fed_dry_g"] == both["dry_g"]).all()
    assert (both["fed_copper_g"] == both["copper_g"]).all()
    recovery = k["product_copper_g"] / k["fed_copper_g"]
    assert recovery.min() > 0.5
    assert recovery.max() < 0.95


# --- money to the cent --------------------------------------------------------------------------------


def test_what_abroad_pays_is_what_all_links_keep(money):
    """FOB = Σ gross margins: every purchase is another link's revenue."""
    paid = money.transfers
    got = paid.group_by(c("payee_id").alias("agent")).agg(c("usd_cents").sum().alias("got"))
    gave = paid.group_by(c("payer_id").alias("agent")).agg(c("usd_cents").sum().alias("gave"))
    margins = got.join(gave, on="agent", how="full", coalesce=True).fill_null(0).filter(c("agent") != ABROAD)
    fob = paid.filter(c("kind") == "EXPORT")["usd_cents"].sum()
    assert fob == money.exports["fob_cents"].sum() > 0
    assert (margins["got"] - margins["gave"]).sum() == fob
    assert (paid["usd_cents"] > 0).all()
    assert (paid["payee_id"] != paid["payer_id"]).all()


def test_documents_add_up_to_the_transfers(money, papers):
    """Vouchers of a kind sum to its payments; a credit note counts against its invoice."""
    sign = pl.when(c("type_code") == "07").then(-1).otherwise(1)
    papers_by = papers.frame.filter(c("usd_cents").is_not_null()).with_columns(c("kind").str.strip_suffix("_FINAL"))
    said = papers_by.group_by("kind").agg((c("usd_cents") * sign).sum().alias("said"))
    silent = money.pit_sales.filter(c("voucher") == "")["value_cents"].sum()
    paid = money.transfers.group_by("kind").agg(c("usd_cents").sum().alias("paid"))
    both = said.join(paid, on="kind", how="full", coalesce=True)
    for kind, documents, transfers in both.select("kind", "said", "paid").iter_rows():
        assert documents == transfers - (silent if kind == "ORE_AT_PIT" else 0), kind


def test_vouchers_in_soles_give_the_dollars_back(world, papers):
    soles = papers.frame.filter(c("currency_code") == "PEN")
    rate = world.price("pen_per_usd", soles["day"].to_numpy())
    assert soles.height > 100
    assert (np.floor(soles["net_cents"].to_numpy() / rate + 0.5) == soles["usd_cents"].to_numpy()).all()


def test_document_numbers_are_used_once(papers):
    keys = papers.frame.select("issuer", "type_code", "series", "number")
    assert keys.n_unique() == keys.height
    assert papers.frame["document_id"].n_unique() == papers.frame.height
    lacking = papers.frame.filter(c("kind").is_in(["ORE_AT_PLANT", "WAYBILL_CARRIER"]) & c("related_waybill").is_null())
    assert lacking.height == 0


# --- settlements follow from their own sheet ----------------------------------------------------------


def test_a_sheet_gives_its_value_back(world, flow, money, papers):
    """Recomputed by hand from what the sheet shows: payable copper, price, deductions, penalties, rounding."""
    sheet = partner_rows.partner_rows(world, flow, money, papers, CHUNK)[partner_rows.SETTLEMENTS]
    number = [n for n, kind in sheet.schema.items() if kind.is_numeric()]
    s = sheet.with_columns(c(number).cast(pl.Float64)).with_columns(
        c("proteccion_usd_lb").fill_null(0), c("creditos_usd_tms").fill_null(0), c("maquila_usd_tms").fill_null(0)
    )
    truncated = c("redondeo") == "TRUNCADO"

    def cut(x: pl.Expr) -> pl.Expr:
        return pl.when(truncated).then((x * 100 + 1e-6).floor() / 100).otherwise(x)

    payable = pl.when(c("convencion_pagable") == "SECUENCIAL").then(
        c("cu_pct") * c("pagable_pct") / 100 - c("deduccion_pct")
    ).otherwise(pl.min_horizontal(c("cu_pct") * c("pagable_pct") / 100, c("cu_pct") - c("deduccion_pct"))).clip(lower_bound=0) / 100  # fmt: skip
    price = cut(c("cobre_usd_t") - c("proteccion_usd_lb") * 2204.62262)
    other = sum((c(n).fill_null(0) for n in ("analisis_usd", "estiba_usd", "flete_usd")), pl.lit(0.0)) / c("tmns")
    unit = cut(
        payable * price + c("creditos_usd_tms") - payable * 2204.62262 * c("refinacion_usd_lb")
        - c("penalidad_usd_tms") - c("maquila_usd_tms") - other
    )  # fmt: skip
    again = s.select(unit.alias("unit"), "valor_usd_tms", "valor_usd", "tmns", "redondeo")
    assert (again["unit"] - again["valor_usd_tms"]).abs().max() < 0.0101
    kept = again.filter(c("valor_usd") > 1)  # nothing is bought for less than a dollar
    assert kept.height > 0.97 * again.height
    assert (kept["valor_usd_tms"] * kept["tmns"] - kept["valor_usd"]).abs().max() < 0.0051


# --- the sector's shape -------------------------------------------------------------------------------


def test_grades_and_moisture_are_those_of_their_form(flow):
    p = load().trade
    for name, form in p.forms.items():
        lots = flow.pits.filter((c("form") == name) & ~c("department_code").is_in(list(p.routes_km)))
        extra = p.richer_pct_per_100_km * p.routes_km["default"].mean / 100
        assert lots["cu"].mean() == pytest.approx(form.copper.mean + extra, rel=0.08), name
        assert lots["moisture_pct"].is_between(form.moisture.low, form.moisture.high).all()
        assert lots["recovery_frac"].is_between(form.recovery.low, form.recovery.high).all()


@pytest.mark.parametrize(
    ("low", "high", "least", "most"), [(3.5, 4.5, 0.15, 0.30), (7.5, 8.5, 0.28, 0.45), (13.5, 16.5, 0.40, 0.60)]
)
def test_what_plants_pay_is_the_documented_share_of_lme(money, low, high, least, most):
    sold = money.ore.filter(~c("toll") & c("cu").is_between(low, high))
    share = sold["value_cents"].sum() / 100 / (sold["copper_g"] / 1e6 * sold["price"]).sum()
    assert sold.height > 20
    assert least < share < most


def test_ways_of_trade_have_their_shares(world, flow, money):
    p = load().trade
    assert flow.pits["through_collector"].mean() == pytest.approx(p.through_collector, abs=0.03)
    sold = money.ore.filter(~c("toll"))
    good = c("status").is_in(GOOD_STANDING)
    billed = c("biller_id") >= 0
    for who, share in ((good, p.biller["VIGENTE"]), (~good, p.biller["other"])):
        assert sold.filter(who).select(billed.mean()).item() == pytest.approx(share, abs=0.04)
    fee = sold.filter(billed).select((c("biller_fee_cents") / c("value_cents")).mean()).item()
    assert fee == pytest.approx(p.biller_fee_frac.mean, abs=0.01)


def test_no_truck_is_in_two_places(flow):
    trips = flow.trips.sort("truck", "departs").with_columns(c("arrives").shift(1).over("truck").alias("before"))
    assert trips.filter(c("before") > c("departs")).height == 0
    hours = (flow.trips["arrives"] - flow.trips["departs"]) / 60
    assert (flow.trips["distance_km"] / hours).max() < 80


@pytest.mark.parametrize("chunk", [4, 24])
def test_the_documented_trucks_a_day_hold_for_the_whole_country(chunk):
    """120 to 300 trucks on each of 300 days a year, at 1.1 lots a truck, at size `medium`: early and late."""
    world = make_world(make_plan(load(), "medium", seed=7), load())
    flow = make_flow(world, chunk)
    trips = flow.trips.filter(c("truck") < 2 * world.trucks)
    days = (flow.pits["leaves"].max() - flow.pits["leaves"].min()) / 1440
    assert flow.loads.height / trips.height == pytest.approx(1.1, abs=0.04)
    assert 120 * 300 / 365 < trips.height / days < 300


def test_chunks_do_not_depend_on_one_another(world, flow):
    again = make_flow(world, CHUNK)
    assert again.pits.equals(flow.pits)
    assert again.edges.equals(flow.edges)
    other = make_flow(world, CHUNK + 1)
    assert not set(other.pits["lot_id"]) & set(flow.pits["lot_id"])
    assert not set(other.trips["trip"]) & set(flow.trips["trip"])
