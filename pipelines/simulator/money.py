"""Who pays whom for what: pit sales, plant and trader settlements, freight, fees, exports, in whole US cents.

Each buyer settles under its own terms on its own assays; every payment becomes one row of `transfers`, so what one
side pays the other receives. Prices, masses and grades that a settlement sheet shows are rounded as the sheet shows
them, before they are multiplied.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from pipelines.simulator.dice import Floats, Ints, beta_between, pick, stream, uniform
from pipelines.simulator.firms import sized
from pipelines.simulator.flow import DAY, ELEMENTS, Flow
from pipelines.simulator.parameters import ExportTerms, Range, TraderTerms
from pipelines.simulator.payments import Sales, make_transfers
from pipelines.simulator.registry import status_on
from pipelines.simulator.settlement import Terms, Valuation, cents, value_per_dmt
from pipelines.simulator.world import World

c = pl.col

#: Statuses of a registration that may sell.
GOOD_STANDING = ("VIGENTE", "REINCORPORADO", "FORMALIZADO")
GRADES = ("cu", *ELEMENTS)
_NOBODY = -1
_LEAST_AFTER_FREIGHT_CENTS = 50_000
#: Decimals that certificates show.
_DECIMALS = {"cu": 2, "as": 3, "sb": 3, "bi": 3, "pb_zn": 2, "ag": 1, "au": 2}


@dataclasses.dataclass(frozen=True)
class Money:
    """One chunk's money.

    Attributes:
        ore: a row per load, joined to its settlement: used registration, biller, settled grades and masses, terms,
            value, advance, freight. Toll loads are not settled (null value).
        pit_sales: a row per ore lot that a collector bought.
        resales: a row per load that one collector sold to another.
        concentrate: a row per product lot with its provisional and final settlement.
        exports: a row per product lot with provisional and regularised FOB.
        assays: lot_id, laboratory_id, requested_by, requester_id, day, moisture and grades.
        transfers: kind, lot_id, payee_id, payer_id, invoicing_id, day, usd_cents, dry_g, copper_g.
    """

    ore: pl.DataFrame
    pit_sales: pl.DataFrame
    resales: pl.DataFrame
    concentrate: pl.DataFrame
    exports: pl.DataFrame
    assays: pl.DataFrame
    transfers: pl.DataFrame


def make_money(world: World, flow: Flow, chunk: int) -> Money:
    """The money of one chunk's flow."""
    biased = biased_plants(world)
    ore, ore_assays = _ore(world, flow, chunk, biased)
    pit_sales, resales = _pit_sales(world, flow, ore, chunk)
    concentrate, more_assays = _concentrate(world, flow, chunk)
    exports = _exports(world, flow)
    assays = pl.concat([ore_assays, more_assays])
    transfers = make_transfers(world, flow, chunk, Sales(ore, pit_sales, resales, concentrate, exports))
    return Money(ore, pit_sales, resales, concentrate, exports, assays, transfers)


def biased_plants(world: World) -> np.ndarray:
    """Whether each plant's laboratory reads low (a labelled defect); where any may, one at least does."""
    p = world.parameters.defects.times(world.plan.defects)
    drawn = stream(world.seed, "biased plants").random(world.firms.count["plant"])
    return (drawn < p.assay_bias) | ((drawn == drawn.min()) & (p.assay_bias > 0))


# --- ore ----------------------------------------------------------------------------------------------


def _ore(world: World, flow: Flow, chunk: int, biased: np.ndarray) -> tuple[pl.DataFrame, pl.DataFrame]:
    p, rng = world.parameters.trade, stream(world.seed, "ore settlements", chunk)
    loads = flow.loads.join(
        flow.trips.select("trip", "truck", "haulier_id", "straight_km", "distance_km"),
        on="trip",
        how="left",
        maintain_order="left",
    )
    n = loads.height
    plant = loads["plant_id"].to_numpy() - world.first_firm - world.firms.first["plant"]
    terms = {name: values[plant] for name, values in world.firms.plants.items()}
    arrived = loads["arrives"].to_numpy() // DAY
    settled = arrived + 2 + np.floor(uniform(rng, p.assay_days, n)).astype(np.int64)

    wet_t = _half_up(loads["received_wet_g"].to_numpy() / 1e6, 3)
    true_moisture = (1 - loads["dry_g"].to_numpy() / loads["received_wet_g"].to_numpy()) * 100
    moisture = np.round(np.maximum(true_moisture + rng.normal(0, p.moisture_sd_pct, n), 0.1), 2)
    true = {name: loads[name].to_numpy() for name in GRADES}
    bias = np.where(biased[plant], world.parameters.defects.assay_bias_frac, 0.0)
    buyer = {name: _assay(world, rng, true[name] * (1 - bias), name) for name in GRADES}
    seller = {name: _assay(world, rng, true[name], name) for name in GRADES}
    umpire = {name: _assay(world, rng, true[name], name) for name in GRADES}
    has_seller = rng.random(n) < p.seller_assays
    limit = p.splitting_limit_pct["ore"]
    agreed, has_umpire = _agree(buyer, seller, umpire, has_seller, limit, terms["median_umpire"])

    dry_t = _half_up(wet_t * (1 - moisture / 100), 3)
    payable_t = _half_up(dry_t * (1 - terms["handling_loss_pct"] / 100), 3)
    price = _half_up(world.price("copper_usd_per_t", settled), 2)
    pen = world.price("pen_per_usd", settled)
    km_rate = uniform(rng, p.haul_usd_per_t_km, n)
    freight = cents(loads["wet_g"].to_numpy() / 1e6 * loads["distance_km"].to_numpy() * km_rate)
    loading = cents(terms["loading_pen_per_wmt"] * wet_t / pen)
    fees = cents(terms["assay_fee_usd"]) + loading

    def settle(freight_cents: Ints, treatment: Floats) -> tuple[Valuation, Ints]:
        conditions = Terms(
            payable_pct=terms["payable_pct"], deduction_pct=terms["deduction_pct"], is_sequential=terms["is_sequential"],
            price_protection_usd_per_lb=terms["protection_usd_per_lb"], treatment_usd_per_dmt=treatment,
            refining_usd_per_lb=terms["refining_usd_per_lb"], is_truncated=terms["is_truncated"],
            penalties=_penalties(p.plant_terms.penalties),
        )  # fmt: skip
        other = (freight_cents + fees) / 100 / payable_t
        valued = value_per_dmt(agreed, price, np.zeros(n), np.zeros(n), conditions, other)
        return valued, cents(_shown(valued.unit_value, terms["is_truncated"]) * payable_t)

    _, value = settle(np.where(terms["deducts_freight"], freight, 0), terms["maquila_usd_per_dmt"])
    # a plant does not deduct a freight, nor charges a treatment, that would leave nothing of the lot
    deducted = np.where(terms["deducts_freight"] & (value > _LEAST_AFTER_FREIGHT_CENTS), freight, 0)
    _, value = settle(deducted, terms["maquila_usd_per_dmt"])
    treatment = np.where(value > 0, terms["maquila_usd_per_dmt"], 0.0)
    sheet, value = settle(deducted, treatment)
    toll = loads["toll"].to_numpy()

    status = status_on(
        world.registry,
        loads["registration_id"].to_numpy(),
        world.date_of(loads["departs"].to_numpy() // DAY).to_numpy(),
    )
    good = np.isin(status, GOOD_STANDING)
    has_biller = ~toll & (rng.random(n) < np.where(good, p.biller["VIGENTE"], p.biller["other"]))
    biller = world.first_firm + sized(rng, world.firms, "biller", n)
    fee_band = p.biller_fee_frac
    fee = cents(value / 100 * beta_between(rng, fee_band.low, fee_band.high, fee_band.mean, fee_band.sd, n))
    used = _used_registrations(world, rng, loads, status, good)
    has_advance = ~toll & (rng.random(n) < p.advance_share)
    advance = np.where(has_advance, cents(_half_up(value / 100 * uniform(rng, p.advance_frac, n) / 100, 0) * 100), 0)
    ore = loads.with_columns(
        pl.Series("status", status),
        pl.Series("used_registration_id", used),
        pl.Series("biller_id", np.where(has_biller, biller, _NOBODY)),
        pl.Series("invoicing_id", np.where(has_biller, biller, loads["owner_id"].to_numpy())),
        pl.Series("biller_fee_cents", np.where(has_biller, fee, 0)),
        pl.Series("settled_day", settled),
        pl.Series("plant_row", plant),
        pl.Series("wet_t", wet_t),
        pl.Series("settled_moisture_pct", moisture),
        pl.Series("dry_t", dry_t),
        pl.Series("payable_t", payable_t),
        *(pl.Series(f"settled_{name}", agreed[name]) for name in GRADES),
        pl.Series("price", price),
        pl.Series("pen_per_usd", pen),
        pl.Series("penalties", np.round(sheet.penalties, 4)),
        pl.Series("unit_value", _shown(sheet.unit_value, terms["is_truncated"])),
        pl.Series("treatment", treatment),
        *(pl.Series(f"final_{name}_value", getattr(sheet, name)) for name in ("copper", "refining")),
        pl.Series("value_cents", np.where(toll, 0, value)),
        pl.Series("freight_cents", freight),
        pl.Series("freight_deducted_cents", np.where(toll, 0, deducted)),
        pl.Series("loading_cents", loading),
        pl.Series("advance_cents", advance),
        pl.Series("has_seller_assay", has_seller & ~toll),
        pl.Series("has_umpire", has_umpire & ~toll),
    )
    assays = _assay_rows(
        world, rng, ore["plant_lot_id"], arrived + 1, moisture,
        [("COMPRADOR", buyer, np.full(n, True)), ("VENDEDOR", seller, ore["has_seller_assay"].to_numpy()),
         ("DIRIMENTE", umpire, ore["has_umpire"].to_numpy())],
        pl.Series("soluble", np.round(agreed["cu"] * loads["soluble_share"].to_numpy(), 2)), loads["plant_id"],
        loads["owner_id"],
    )  # fmt: skip
    return ore, assays


def _used_registrations(
    world: World, rng: np.random.Generator, loads: pl.DataFrame, status: np.ndarray, good: np.ndarray
) -> Ints:
    """Whose registration stands on the papers: the producer's own, or one in good standing that was lent."""
    p, n = world.parameters.trade, loads.height
    own = loads["registration_id"].to_numpy()
    defects = world.parameters.defects.times(world.plan.defects)
    excluded = status == "EXCLUIDO"
    openly = defects.sale_after_exclusion * n / max(int(excluded.sum()), 1)
    lends = (
        np.where(excluded, rng.random(n) >= openly, rng.random(n) < p.lent_registration * min(world.plan.defects, 1.0))
        & ~good
    )
    lenders = np.full(n, -1)
    ids = world.people.registrations["registration_id"].to_numpy()
    where = world.people.registrations["department_code"].to_numpy()
    month = world.date_of(loads["departs"].to_numpy() // DAY).dt.truncate("1mo")
    for first in month.unique().sort():
        standing = status_on(world.registry, ids, np.full(len(ids), np.datetime64(first, "D"))) == "VIGENTE"
        for department in np.unique(loads["department_code"].to_numpy()):
            at = lends & (month == first).to_numpy() & (loads["department_code"].to_numpy() == department)
            here = ids[standing & (where == department)]
            if at.any() and len(here):
                lenders[at] = here[pick(rng, np.ones(len(here)), int(at.sum()))]
    return np.where(lenders >= 0, lenders, own)


def _pit_sales(world: World, flow: Flow, ore: pl.DataFrame, chunk: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What collectors pay at the pit, and to one another: a share of what the plants pay at the gate, less the road."""
    p, rng = world.parameters.trade, stream(world.seed, "pit sales", chunk)
    pits = flow.pits.filter(pl.col("collector_id").is_not_null())
    n = pits.height
    day = pits["pit_day"].to_numpy()
    price = world.price("copper_usd_per_t", day)
    km = world.roads.expected_km(pits["registration_id"].to_numpy())
    dry_t = pits["dry_g"].to_numpy() / 1e6
    gate = _gate_value(world, pits["cu"].to_numpy(), price, km)
    status = status_on(world.registry, pits["registration_id"].to_numpy(), world.date_of(day).to_numpy())
    good = np.isin(status, GOOD_STANDING)
    women = (world.people.operators["sex_code"].to_numpy() == "F")[pits["operator_id"].to_numpy()]
    collector = pits["collector_id"].to_numpy() - world.first_firm - world.firms.first["collector"]
    effect = stream(world.seed, "buyer effects").normal(0, p.buyer_effect_sd, world.firms.count["collector"])
    share = 1 - uniform(rng, p.collector_margin_frac, n) + effect[collector] - p.women_discount * women
    share = share + np.where(good, uniform(rng, p.good_standing_premium, n), 0.0)
    least = p.least_pit_price_frac * price * pits["cu"].to_numpy() / 100
    value = cents(np.maximum(gate * share, least) * dry_t)
    natural = (world.people.operators["kind"] == "NATURAL").to_numpy()[pits["operator_id"].to_numpy()]
    silent = ~good & (rng.random(n) < p.undocumented_pit_sale)
    sales = pits.select(
        "lot",
        "lot_id",
        "registration_id",
        "operator_id",
        "collector_id",
        "form",
        "pit_day",
        "leaves_pit",
        "wet_g",
        "dry_g",
        "copper_g",
    ).with_columns(
        pl.Series("status", status),
        pl.Series("value_cents", value),
        pl.Series("voucher", np.where(silent, "", np.where(good | ~natural, "01", "04"))),
    )
    resold = ore.filter(pl.col("reseller_id") >= 0)
    km = resold["distance_km"].to_numpy()
    # the day before the road, but not before the last of its lots was bought
    leaves = np.maximum(resold["departs"].to_numpy() // DAY - 1, resold["last_pit_day"].to_numpy())
    between = _gate_value(world, resold["cu"].to_numpy(), world.price("copper_usd_per_t", leaves), km)
    half = 1 - (p.collector_margin_frac.low + p.collector_margin_frac.high) / 4
    least = p.least_pit_price_frac * resold["price"].to_numpy() * resold["cu"].to_numpy() / 100
    resales = resold.select(
        "lot", "load_id", "seller_id", "reseller_id", "form", "wet_g", "dry_g", "copper_g"
    ).with_columns(
        pl.Series("day", leaves),
        pl.Series("value_cents", cents(np.maximum(between * half, least) * resold["dry_g"].to_numpy() / 1e6)),
    )
    return sales, resales


def _gate_value(world: World, cu_pct: Floats, price: Floats, km: Floats) -> Floats:
    """What a dry tonne is expected to fetch at an average plant, less the road to it (US$/dmt)."""
    t = world.parameters.trade.plant_terms

    def middle(band: Range) -> float:
        return (band.low + band.high) / 2

    paid = np.maximum(cu_pct * middle(t.payable_pct) - middle(t.deduction_pct) * 100, 0) / 1e4
    return paid * price - middle(t.maquila_usd_per_dmt) - km * middle(world.parameters.trade.haul_usd_per_t_km)


# --- concentrate and cement ---------------------------------------------------------------------------


def _concentrate(world: World, flow: Flow, chunk: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    p, rng = world.parameters.trade, stream(world.seed, "concentrate settlements", chunk)
    t: TraderTerms = p.trader_terms
    lots = flow.products.join(
        flow.trips.select("trip", "truck", "haulier_id", "straight_km", "distance_km"),
        on="trip",
        how="left",
        maintain_order="left",
    )
    n = lots.height
    trader = lots["trader_id"].to_numpy() - world.first_firm - world.firms.first["trader"]
    terms = {name: values[trader] for name, values in world.firms.traders.items()}
    arrived = lots["arrives"].to_numpy() // DAY
    first_day = arrived + 2 + np.floor(uniform(rng, p.assay_days, n)).astype(np.int64)
    periods = list(p.quotational_periods)
    ahead = np.array([int(name[1:] or 0) for name in periods])[terms["period"]]
    month_end = _month_end_day(world, arrived, ahead)
    final_day = np.maximum(first_day + np.floor(uniform(rng, t.final_after_days, n)).astype(np.int64), month_end + 3)

    wet_t = _half_up(lots["wet_g"].to_numpy() / 1e6, 3)
    true_moisture = (1 - lots["dry_g"].to_numpy() / lots["wet_g"].to_numpy()) * 100
    moisture = np.round(np.maximum(true_moisture + rng.normal(0, p.moisture_sd_pct / 2, n), 0.1), 2)
    true = {name: lots[name].to_numpy() for name in GRADES}
    buyer, seller, umpire = ({name: _assay(world, rng, true[name], name) for name in GRADES} for _ in range(3))
    limit = p.splitting_limit_pct["concentrate"]
    agreed, has_umpire = _agree(buyer, seller, umpire, np.full(n, True), limit, terms["median_umpire"])
    payable_t = _half_up(wet_t * (1 - moisture / 100), 3)
    treatment, refining = _benchmark(world, first_day)
    sheet = Terms(
        payable_pct=terms["payable_pct"], deduction_pct=terms["deduction_pct"], is_sequential=terms["is_sequential"],
        price_protection_usd_per_lb=np.zeros(n), treatment_usd_per_dmt=treatment + terms["margin_usd_per_dmt"],
        refining_usd_per_lb=np.round(refining + terms["refining_usd_per_lb"], 5), is_truncated=np.full(n, False),
        penalties=_penalties(t.penalties), silver_payable_pct=t.silver.payable_pct,
        silver_deduction_g_per_dmt=t.silver.deduction_g_per_dmt, silver_refining_usd_per_oz=t.silver.refining_usd_per_oz,
        gold_payable_pct=t.gold.payable_pct, gold_minimum_g_per_dmt=t.gold.minimum_g_per_dmt,
        gold_refining_usd_per_oz=t.gold.refining_usd_per_oz,
    )  # fmt: skip
    prices = {
        "provisional": tuple(_half_up(world.price(m, first_day), 2) for m in _METALS),
        "final": tuple(_half_up(world.month_mean(m, arrived, ahead), 2) for m in _METALS),
    }
    columns: list[pl.Series] = []
    for stage, grades in (("provisional", seller), ("final", agreed)):
        valued = value_per_dmt(grades, *prices[stage], sheet)
        columns += _valued_columns(stage, prices[stage], valued, payable_t)
        columns += [pl.Series(f"{stage}_{name}", grades[name]) for name in GRADES]
    frac = terms["provisional_frac"]
    rate = uniform(rng, p.haul_usd_per_t_km, n)
    priced = lots.with_columns(*columns)
    concentrate = priced.with_columns(
        pl.Series("trader_row", trader),
        pl.Series("provisional_day", first_day),
        pl.Series("final_day", final_day),
        pl.Series("period", np.array(periods)[terms["period"]]),
        pl.Series("period_month", month_end),
        pl.Series("settled_moisture_pct", moisture),
        pl.Series("payable_t", payable_t),
        pl.Series("wet_t", wet_t),
        pl.Series("treatment", sheet.treatment_usd_per_dmt),
        pl.Series("refining", sheet.refining_usd_per_lb),
        pl.Series("provisional_frac", frac),
        pl.Series("paid_first_cents", cents(priced["provisional_value_cents"].to_numpy() / 100 * frac)),
        pl.Series("freight_cents", cents(wet_t * lots["distance_km"].to_numpy() * rate)),
        pl.Series("has_umpire", has_umpire),
    )
    assays = _assay_rows(
        world, rng, lots["lot_id"], arrived + 1, moisture,
        [("COMPRADOR", buyer, np.full(n, True)), ("VENDEDOR", seller, np.full(n, True)), ("DIRIMENTE", umpire, has_umpire)],
        None, lots["trader_id"], lots["owner_id"],
    )  # fmt: skip
    return concentrate, assays


_METALS = ("copper_usd_per_t", "silver_usd_per_oz", "gold_usd_per_oz")


def _month_end_day(world: World, days: Ints, ahead: Ints) -> Ints:
    """Last day, since the epoch, of the month that lies `ahead` months after each day's month."""
    month = world.date_of(days).to_numpy().astype("datetime64[M]") + ahead + 1
    return (month.astype("datetime64[D]") - np.datetime64(world.epoch)).astype(np.int64) - 1


def _benchmark(world: World, days: Ints) -> tuple[Floats, Floats]:
    """Treatment (US$/dmt) and refining (US$/lb) benchmark in force on each day, from the seed table."""
    table = world.treatment.sort("valid_from")
    starts = (table["valid_from"].to_numpy() - np.datetime64(world.epoch)).astype("timedelta64[D]").astype(np.int64)
    at = np.clip(np.searchsorted(starts, days, side="right") - 1, 0, table.height - 1)
    return (
        table["treatment_charge_usd_per_dmt"].to_numpy()[at],
        table["refining_charge_usd_cents_per_lb"].to_numpy()[at] / 100,
    )


def _exports(world: World, flow: Flow) -> pl.DataFrame:
    """FOB of every product lot: at the price of the day of shipping, then at the month's after the shipment."""
    t: ExportTerms = world.parameters.trade.export_terms
    lots = flow.products.join(flow.shipments, on=["shipment", "trader_id"], how="left", maintain_order="left")
    n, shipped = lots.height, lots["shipped_day"].to_numpy()
    treatment, refining = _benchmark(world, shipped)
    sheet = Terms(
        payable_pct=np.full(n, t.payable_pct), deduction_pct=np.full(n, t.deduction_pct), is_sequential=np.full(n, False),
        price_protection_usd_per_lb=np.zeros(n), treatment_usd_per_dmt=treatment, refining_usd_per_lb=refining,
        is_truncated=np.full(n, False), penalties=_penalties(t.penalties), silver_payable_pct=t.silver.payable_pct,
        silver_deduction_g_per_dmt=t.silver.deduction_g_per_dmt, silver_refining_usd_per_oz=t.silver.refining_usd_per_oz,
        gold_payable_pct=t.gold.payable_pct, gold_minimum_g_per_dmt=t.gold.minimum_g_per_dmt,
        gold_refining_usd_per_oz=t.gold.refining_usd_per_oz,
    )  # fmt: skip
    # the port's certificate as printed: what is declared is what is paid
    true = {name: np.round(lots[name].to_numpy(), _DECIMALS[name]) for name in GRADES}
    dry_t = lots["dry_g"].to_numpy() / 1e6
    quoted = {
        "provisional": tuple(_half_up(world.price(m, shipped), 2) for m in _METALS),
        "final": tuple(_half_up(world.month_mean(m, shipped, 1), 2) for m in _METALS),
    }
    columns = [pl.Series(f"declared_{name}", true[name]) for name in GRADES]
    for stage, prices in quoted.items():
        columns += _valued_columns(stage, prices, value_per_dmt(true, *prices, sheet), dry_t)
    known = _month_end_day(world, shipped, np.ones(n, dtype=np.int64)) + 3  # when the month's mean is known
    return lots.with_columns(
        *columns,
        pl.Series("treatment", treatment),
        pl.Series("refining", refining),
        pl.Series("regularised_day", np.maximum(shipped + lots["regularised_after"].to_numpy(), known)),
    )


def _valued_columns(stage: str, prices: tuple[Floats, ...], valued: Valuation, dry_t: Floats) -> list[pl.Series]:
    """Prices, terms of the value and value of one settlement, as columns named after its stage."""
    copper, silver, gold = prices
    unit = np.round(valued.unit_value, 4)
    parts = {
        "copper_value": valued.copper,
        "refining_value": valued.refining,
        "credits": valued.credits,
        "penalties": valued.penalties,
    }
    return [
        *(
            pl.Series(f"{stage}_{n}", v)
            for n, v in (("price", copper), ("silver", silver), ("gold", gold), ("unit_value", unit))
        ),
        *(pl.Series(f"{stage}_{name}", np.round(values, 4)) for name, values in parts.items()),
        pl.Series(f"{stage}_value_cents", np.maximum(cents(unit * dry_t), 100)),
    ]


# --- assays -------------------------------------------------------------------------------------------


def _assay(world: World, rng: np.random.Generator, true: Floats, name: str) -> Floats:
    """One laboratory's reading, as printed on its certificate."""
    p = world.parameters.trade
    spread = p.assay_sd_pct if name == "cu" else 0.0
    read = (
        true * (1 + rng.normal(0, p.assay_sd_frac / (3 if name == "cu" else 1), len(true)))
        + rng.normal(0, 1, len(true)) * spread
    )
    return np.round(np.maximum(read, 0.0), _DECIMALS[name])


def _agree(
    buyer: dict[str, Floats], seller: dict[str, Floats], umpire: dict[str, Floats], has_seller: np.ndarray, limit: float,
    is_median: np.ndarray,
) -> tuple[dict[str, Floats], np.ndarray]:  # fmt: skip
    """Settled grades and whether an umpire was called: within the splitting limit the mean, else by the contract's rule.

    Without a seller's assay the buyer's holds. The copper grade decides whether there is an umpire; the other grades
    are the means.
    """
    apart = has_seller & (np.abs(buyer["cu"] - seller["cu"]) > limit + 1e-9)
    agreed = {name: np.where(has_seller, np.round((buyer[name] + seller[name]) / 2, 4), buyer[name]) for name in GRADES}
    nearer = np.where(
        np.abs(buyer["cu"] - umpire["cu"]) <= np.abs(seller["cu"] - umpire["cu"]), buyer["cu"], seller["cu"]
    )
    middle = np.median(np.stack([buyer["cu"], seller["cu"], umpire["cu"]]), axis=0)
    ruled = np.where(is_median, middle, np.round((umpire["cu"] + nearer) / 2, 4))
    agreed["cu"] = np.where(apart, ruled, agreed["cu"])
    return agreed, apart


def _assay_rows(
    world: World, rng: np.random.Generator, lot_ids: pl.Series, day: Ints, moisture: Floats,
    parties: list[tuple[str, dict[str, Floats], np.ndarray]], soluble: pl.Series | None, buyer_ids: pl.Series,
    seller_ids: pl.Series,
) -> pl.DataFrame:  # fmt: skip
    """Certificates: the buyer's from its own laboratory, the others' from independent ones."""
    made = []
    for who, grades, asked in parties:
        n = int(asked.sum())
        independent = world.first_firm + sized(rng, world.firms, "laboratory", n)
        made.append(
            pl.DataFrame(
                {
                    "lot_id": lot_ids.filter(pl.Series(asked)),
                    "laboratory_id": buyer_ids.to_numpy()[asked] if who == "COMPRADOR" else independent,
                    "requested_by": [who] * n,
                    "requester_id": (seller_ids if who == "VENDEDOR" else buyer_ids).to_numpy()[asked],
                    "day": day[asked] + {"COMPRADOR": 0, "VENDEDOR": 0, "DIRIMENTE": 2}[who],
                    "moisture_pct": moisture[asked],
                    "soluble": soluble.to_numpy()[asked] if soluble is not None else np.full(n, np.nan),
                    **{name: grades[name][asked] for name in GRADES},
                }
            )
        )
    return pl.concat(made)


# --- small things -------------------------------------------------------------------------------------


def _penalties(listed: dict[str, tuple[float, float, float]]) -> tuple[tuple[str, float, float, float], ...]:
    return tuple((name, *values) for name, values in listed.items())


def _half_up(values: Floats, digits: int) -> Floats:
    scale = 10.0**digits
    return np.floor(values * scale + 0.5 + 1e-9) / scale


def _shown(unit_value: Floats, is_truncated: np.ndarray) -> Floats:
    """The value per dry tonne as the sheet shows it: cut at the cent, or with four decimals."""
    return np.where(is_truncated, unit_value, np.round(unit_value, 4))
