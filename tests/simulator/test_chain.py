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
    return make_documents(world, money, CHUNK)


def total(frame: pl.DataFrame, by: str, lots: pl.DataFrame, lot: str) -> pl.DataFrame:
    """Copper of edges summed by one end, beside the copper of the lots at that end."""
    summed = frame.group_by(by).agg(c("copper_g").sum().alias("edges"))
    return lots.select(c(lot).alias(by), c("copper_g").alias("lot")).join(summed, on=by, how="full", coalesce=True)


# --- copper to the gram -------------------------------------------------------------------------------


def test_every_gram_of_copper_is_somewhere(flow):
    from_pit = flow.edges.filter(c("from_lot_id").str.starts_with("M"))
    from_load = flow.edges.filter(c("from_lot_id").str.starts_with("L"))
    tailings = flow.campaigns.select(
        pl.format("R{}", c("campaign").cast(pl.String).str.zfill(9)).alias("lot_id"), c("tailings_copper_g").alias("copper_g")
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


def test_every_lot_has_one_buyer_after_another(flow, money):
    """Who sells a lot bought it or made it, for what the settlement says; so FOB is the sum of all links' margins."""
    paid = money.transfers

    def bought(kind: str) -> pl.DataFrame:
        frame = paid.filter(c("kind") == kind)
        assert frame["lot_id"].n_unique() == frame.height, kind
        return frame

    collected = flow.pits.filter(c("collector_id").is_not_null())
    at_pit = collected.join(bought("ORE_AT_PIT"), on="lot_id", how="left")
    assert at_pit["usd_cents"].null_count() == 0
    assert (at_pit["payer_id"] == at_pit["collector_id"]).all()
    assert (at_pit["payee_id"] == at_pit["operator_id"]).all()
    resold = flow.loads.filter(c("reseller_id") >= 0).join(
        bought("ORE_BETWEEN_COLLECTORS"), left_on="load_id", right_on="lot_id", how="left"
    )
    assert (resold["payee_id"] == resold["seller_id"]).all()
    assert (resold["payer_id"] == resold["owner_id"]).all()
    assert resold.height > 50
    sold = flow.loads.filter(~c("toll")).join(bought("ORE_AT_PLANT"), left_on="load_id", right_on="lot_id", how="left")
    assert (sold["payee_id"] == sold["owner_id"]).all()
    assert (sold["payer_id"] == sold["plant_id"]).all()
    assert not set(flow.loads.filter("toll")["load_id"]) & set(bought("ORE_AT_PLANT")["lot_id"])
    made = flow.products.join(
        flow.campaigns.select("campaign", "kind", pl.col("owner_id").alias("fed_by")), on="campaign"
    )
    assert (made["owner_id"] == made["fed_by"]).all()
    to_trader = made.join(bought("CONCENTRATE"), on="lot_id", how="left")
    assert (to_trader["payee_id"] == to_trader["owner_id"]).all()
    shipped = to_trader.select("lot_id", c("payer_id").alias("trader")).join(bought("EXPORT"), on="lot_id", how="left")
    assert (shipped["payee_id"] == shipped["trader"]).all()
    assert (shipped["payer_id"] == ABROAD).all()
    for frame, lot, kind, value in (
        (money.ore.filter(~c("toll")), "load_id", "ORE_AT_PLANT", "value_cents"),
        (money.concentrate, "lot_id", "CONCENTRATE", "final_value_cents"),
        (money.exports, "lot_id", "EXPORT", "final_value_cents"),
    ):
        both = frame.join(bought(kind), left_on=lot, right_on="lot_id")
        assert both.height == frame.height
        assert (both[value] == both["usd_cents"]).all()
    carried = paid.filter(c("kind") == "HAULAGE")
    assert set(carried["lot_id"]) == set(flow.loads["load_id"]) | set(flow.products["lot_id"])
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
    assert (again["valor_usd_tms"] * again["tmns"] - again["valor_usd"]).abs().max() < 0.0051
    assert (again["valor_usd"] > 0).all()


# --- the sector's shape -------------------------------------------------------------------------------


def test_grades_and_moisture_are_those_of_their_form(world, flow):
    p = load().trade
    for name, form in p.forms.items():
        lots = flow.pits.filter(c("form") == name)
        extra = p.richer_pct_per_100_km * world.roads.expected_km(lots["registration_id"].to_numpy()).mean() / 100
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


def test_trucks_obey_road_physics(world, flow):
    """No road is shorter than the straight line, no trip faster than 80 km/h, no truck carries more than it can."""
    trips = flow.trips
    hours = (trips["arrives"] - trips["departs"]) / 60
    assert (trips["distance_km"] / hours).max() < 80
    assert (trips["distance_km"] >= trips["straight_km"]).all()
    carried = flow.loads.group_by("trip").agg(c("wet_g").sum(), pl.len())
    assert carried["wet_g"].max() / 1e6 <= load().trade.lot_wet_t.maximum * 1.2  # a heap's largest load
    assert carried.filter(c("len") == 2)["wet_g"].max() / 1e6 <= load().trade.lot_wet_t.maximum
    assert carried["len"].max() == 2
    far = flow.loads.join(trips, on="trip").filter(c("department_code") == "03")
    assert 550 < far["distance_km"].mean() < 720


def test_nothing_waits_for_years(flow):
    p = load().trade
    waits = flow.pits.select((c("leaves") - c("leaves_pit")) / 1440).to_series()
    assert waits.max() <= p.wait_days["blend"]
    fed = flow.loads.join(flow.campaigns, on="campaign").select(
        (c("started_day") - c("arrives") // 1440).alias("days"), "kind"
    )
    for kind in ("COMPRA", "MAQUILA"):
        longest = fed.filter(c("kind") == kind)["days"].max()
        assert longest <= p.wait_days[kind] + p.days_to_campaign.high + 2, kind
    leached = (
        flow.pits.filter(c("blend").is_not_null())
        .group_by("blend")
        .agg((c("form") == "ROM_OXIDO").n_unique().alias("ways"))
    )
    assert (leached["ways"] == 1).all()


def test_days_follow_one_another(world, flow, money, papers):
    ore = papers.ore.join(flow.pits.group_by(c("collector_id").alias("seller_id")).len(), on="seller_id", how="left")
    day = {name: ore[name].to_numpy() for name in ("settled_day", "paid_day", "deposit_day")}
    departs, arrives = ore["departs"].to_numpy() // 1440, ore["arrives"].to_numpy() // 1440
    assert (ore["last_pit_day"].to_numpy() <= departs).all()
    assert (departs <= arrives).all()
    assert (arrives < day["settled_day"]).all()
    assert (day["settled_day"] < day["paid_day"]).all()
    resales = money.resales.join(flow.loads.select("load_id", "last_pit_day", "departs"), on="load_id")
    assert (resales["day"] >= resales["last_pit_day"]).all()
    assert (resales["day"] <= resales["departs"] // 1440).all()
    # since April 2025 the deposit comes before the transport, but for the labelled late ones
    since = (np.datetime64("2025-04-01") - np.datetime64(world.epoch)).astype(np.int64)
    must = (departs >= since) & ~ore["toll"].to_numpy()
    late = ore["is_late_deposit"].to_numpy()
    assert must.sum() > 500
    assert (day["deposit_day"][must & ~late] <= departs[must & ~late]).all()
    assert (day["deposit_day"][late] > departs[late]).all()
    lots = money.concentrate
    campaigns = flow.campaigns.select("campaign", "ended_day")
    made = lots.join(campaigns, on="campaign")
    assert (made["ended_day"] <= made["departs"] // 1440).all()
    assert (made["provisional_day"] < made["final_day"]).all()
    shipped = money.exports
    assert (shipped["shipped_day"] >= shipped["arrives"] // 1440).all()
    # a mean is used only when its month is over
    months = world.date_of(shipped["shipped_day"].to_numpy()).dt.month_end().dt.offset_by("1d").dt.month_end()
    assert (world.date_of(shipped["regularised_day"].to_numpy()) > months).all()


def test_batches_are_dated_as_they_were(world, flow, money, papers):
    lines = partner_rows.partner_rows(world, flow, money, papers, CHUNK)[partner_rows.CAMPAIGNS]
    dates = ("fecha_inicio", "fecha_fin", "month")
    each = lines.group_by("ruc_planta", "campana").agg(c(dates).n_unique())
    assert each.select(c(dates).max()).row(0) == (1, 1, 1)
    true = flow.campaigns.with_columns(
        pl.format("CP{}", c("campaign").cast(pl.String).str.zfill(9)).alias("campana"),
        pl.Series("ended", world.date_of(flow.campaigns["ended_day"].to_numpy())),
    )
    both = lines.join(true.select("campana", "ended"), on="campana")
    assert both.height > 1000
    assert (both["fecha_fin"] == both["ended"]).all()


def test_vouchers_of_sellers_without_a_ruc_are_for_natural_persons(world, money):
    kinds = world.people.operators["kind"].gather(money.pit_sales["operator_id"])
    issued = money.pit_sales.with_columns(kinds)
    assert set(issued.filter(c("voucher") == "04")["kind"]) == {"NATURAL"}
    assert not set(issued.filter(c("voucher") == "04")["status"]) & set(GOOD_STANDING)


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
