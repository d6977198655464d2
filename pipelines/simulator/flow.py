"""From pit to port, mass and copper only: ore lots, blends, truck loads, campaigns, products, shipments.

Everything is drawn for one chunk of lots at a time. Masses and copper are whole grams, so what goes in comes out
to the gram; a lot's copper is followed through blends and campaigns as edges (from lot, to lot, copper). Lots are
told by text codes: M… ore lot at the pit, L… truck load, K… product of a plant, R… tailings.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from pipelines.simulator.dice import Floats, Ints, beta_between, lognormal, pick, stream, uniform
from pipelines.simulator.firms import sized
from pipelines.simulator.parameters import Bell, Skewed
from pipelines.simulator.registry import status_on
from pipelines.simulator.settlement import dry_g
from pipelines.simulator.world import World

DAY = 1440  # minutes
ELEMENTS = ("as", "sb", "bi", "pb_zn", "ag", "au")
#: Ore and product of a plant are told apart by how the metal is won.
LEACHED = "ROM_OXIDO"
_KG = 1_000


@dataclasses.dataclass(frozen=True)
class Flow:
    """One chunk's physical truth.

    Attributes:
        pits: one row per ore lot as sold at the pit. lot_id, registration_id, operator_id, form, pit_day,
            wet_g, dry_g, copper_g, grades (`cu` and ELEMENTS), moisture_pct, recovery_frac, collector_id (null),
            leaves_pit, leaves (with its blend; minutes), blend (the first lot of its blend, or null).
        loads: one row per truck load that goes to a plant: load_id, seller_id (agent who sends it), reseller_id
            (a second collector, or null), toll (owner keeps the product), plant_id, registration_id and operator_id (those
            of the load's largest ore lot), plant_lot_id (the plant's code for it), trip, masses, grades, departs, arrives (minutes), received_wet_g,
            campaign.
        trips: trip, truck, haulier_id, straight_km, distance_km, departs, arrives; of loads and of products.
        campaigns: campaign, plant_id, owner_id, kind (COMPRA, MAQUILA), started_day, ended_day, fed_dry_g,
            fed_copper_g, product_dry_g, product_copper_g, tailings_dry_g, tailings_copper_g, form.
        products: lot_id, campaign, owner_id, plant_id, trader_id, form, masses, grades, trip, departs, arrives,
            shipment.
        shipments: shipment, trader_id, shipped_day, destination.
        edges: from_lot_id, to_lot_id, copper_g: what of the first lot's copper is in the second.
    """

    pits: pl.DataFrame
    loads: pl.DataFrame
    trips: pl.DataFrame
    campaigns: pl.DataFrame
    products: pl.DataFrame
    shipments: pl.DataFrame
    edges: pl.DataFrame


def make_flow(world: World, chunk: int) -> Flow:
    """The physical truth of one chunk; depends on the world and the chunk's number alone."""
    pits = _pits(world, chunk)
    pits = _blends(world, pits)
    loads = _loads(world, chunk, pits)
    loads, trips = _ore_trips(world, chunk, loads)
    loads, campaigns = _campaigns(world, chunk, _coded_by_plants(world, chunk, loads))
    products = _products(world, chunk, campaigns)
    edges = pl.concat([_blend_edges(pits, loads), _campaign_edges(loads, campaigns, products)])
    products, more_trips = _product_trips(world, chunk, products, trips.height)
    products, shipments = _shipments(world, chunk, products)
    return Flow(pits, loads, pl.concat([trips, more_trips]), campaigns, products, shipments, edges)


# --- the pit ------------------------------------------------------------------------------------------


def _pits(world: World, chunk: int) -> pl.DataFrame:
    p, rng = world.parameters.trade, stream(world.seed, "pits", chunk)
    first = chunk * world.plan.chunk_lots
    lots = np.arange(first, min(first + world.plan.chunk_lots, world.plan.lots))
    n = len(lots)
    days = np.searchsorted(world.lots_until, lots, side="right")
    leaves = np.sort(days * DAY + rng.integers(5 * 60, 20 * 60, n))
    people = world.people.registrations
    registrations = _sellers(world, rng, days)
    departments = people["department_code"].to_numpy()[registrations]
    forms = _by_group(
        departments,
        p.forms_by_department,
        lambda shares, size: np.array(list(shares))[pick(rng, list(shares.values()), size)],
        object,
    )
    small = rng.random(n) < p.shared_truck
    mass = p.lot_wet_t
    wet_t = np.clip(lognormal(rng, mass.median, mass.p95, n), mass.minimum, mass.maximum)
    wet_t = np.where(small, rng.uniform(mass.minimum, mass.maximum / 2, n), wet_t)
    wet_g = np.round(wet_t * 100).astype(np.int64) * 10 * _KG  # pit scales read steps of 10 kg
    frame = {"cu": np.empty(n), "moisture_pct": np.empty(n), "recovery_frac": np.empty(n), "soluble_share": np.empty(n)}
    for name, form in p.forms.items():
        at = forms == name
        size = int(at.sum())
        frame["cu"][at] = _bell(rng, form.copper, size)
        for column, band in (
            ("moisture_pct", form.moisture),
            ("recovery_frac", form.recovery),
            ("soluble_share", form.soluble_share),
        ):
            frame[column][at] = uniform(rng, band, size)
    far = world.roads.expected_km(registrations)
    frame["cu"] = np.minimum(
        frame["cu"] + p.richer_pct_per_100_km * far / 100, max(form.copper.high for form in p.forms.values())
    )
    dry = dry_g(wet_g, frame["moisture_pct"])
    copper = np.floor(dry * frame["cu"] / 100 + 0.5).astype(np.int64)
    enrichment = frame["cu"] / p.concentrate_grade_pct.mean
    elements = {
        "as": p.arsenic_pct,
        "sb": p.antimony_pct,
        "bi": p.bismuth_pct,
        "pb_zn": p.lead_zinc_pct,
        "ag": p.silver_g_per_dmt,
        "au": p.gold_g_per_dmt,
    }
    through = rng.random(n) < p.through_collector
    collectors = _collectors(world, rng, departments)
    pit_day = leaves // DAY - np.floor(uniform(rng, p.days_at_pit, n) + 0.5).astype(np.int64)
    return pl.DataFrame(
        {
            "lot": lots,
            "registration_id": registrations,
            "operator_id": people["operator_id"].to_numpy()[registrations],
            "department_code": departments,
            "form": forms.astype(str),
            "pit_day": np.maximum(pit_day, 0),
            "leaves_pit": leaves,
            "wet_g": wet_g,
            "dry_g": dry,
            "copper_g": copper,
            **frame,
            **{name: _skewed(rng, band, n) * enrichment for name, band in elements.items()},
            "collector_id": collectors,
            "through_collector": through,
            "wants_blend": rng.random(n) < p.blended,
        }
    ).with_columns(
        pl.format("M{}", pl.col("lot").cast(pl.String).str.zfill(9)).alias("lot_id"),
        pl.when("through_collector").then("collector_id").alias("collector_id"),
    )


def _sellers(world: World, rng: np.random.Generator, days: Ints) -> Ints:
    """Registrations that sell, by productivity and by what their status lets them do in that month."""
    p = world.parameters.trade
    everyone = world.people.registrations
    weight = everyone["productivity"].to_numpy()
    ids = everyone["registration_id"].to_numpy()
    inscribed = (
        (everyone["inscription_date"].to_numpy() - np.datetime64(world.epoch)).astype("timedelta64[D]").astype(np.int64)
    )
    months = world.date_of(days).dt.truncate("1mo")
    # a lot may wait until the month after: who is excluded by then sells as an excluded one
    later = np.timedelta64(31 + p.wait_days["blend"], "D")
    chosen = np.empty(len(days), dtype=np.int64)
    rate = min(world.plan.defects, 1.0)
    activity = p.activity_by_status | {"EXCLUIDO": p.activity_by_status["EXCLUIDO"] * rate}
    for month in months.unique().sort():
        at = (months == month).to_numpy()
        start = np.full(len(ids), np.datetime64(month, "D"))
        status = status_on(world.registry, ids, start)
        status[status_on(world.registry, ids, start + later) == "EXCLUIDO"] = "EXCLUIDO"
        active = np.zeros(len(ids))
        for name, share in activity.items():
            active[status == name] = share
        first = (month - world.epoch).days
        active = active * weight * (inscribed <= first)
        chosen[at] = ids[pick(rng, active if active.sum() > 0 else weight, int(at.sum()))]
    return chosen


def _collectors(world: World, rng: np.random.Generator, departments: np.ndarray) -> Ints:
    """A collector for each lot, of the lot's department where there is one."""
    firms = world.firms
    start, count = firms.first["collector"], firms.count["collector"]
    seats = np.array([u[:2] for u in firms.frame["ubigeo_code"][start : start + count].to_list()])
    weights = firms.weights("collector")
    chosen = np.empty(len(departments), dtype=np.int64)
    for department in np.unique(departments):
        at = departments == department
        here = np.flatnonzero(seats == department)
        here = here if len(here) else np.arange(count)
        chosen[at] = here[pick(rng, weights[here], int(at.sum()))]
    return world.first_firm + start + chosen


# --- blends and loads ---------------------------------------------------------------------------------


def _blends(world: World, pits: pl.DataFrame) -> pl.DataFrame:
    """Collectors mix lots of one way of winning that come within a few days; a blend leaves when its last lot is there."""
    p = world.parameters.trade
    low, high = p.blend_lots
    size = low + pl.col("collector_id") % (high - low + 1)
    mixed = (
        pits.filter(pl.col("through_collector") & pl.col("wants_blend"))
        .select(
            "lot",
            "leaves_pit",
            "collector_id",
            (pl.col("form") == LEACHED).alias("is_leached"),
            (pl.col("leaves_pit") // (p.wait_days["blend"] * DAY)).alias("days"),
        )
        .sort("collector_id", "is_leached", "lot")
        .with_columns((pl.int_range(pl.len()).over("collector_id", "is_leached", "days") // size).alias("part"))
    )
    heap = ["collector_id", "is_leached", "days", "part"]
    mixed = mixed.filter(pl.len().over(heap) > 1).select(
        "lot", pl.col("leaves_pit").max().over(heap).alias("leaves"), pl.col("lot").first().over(heap).alias("blend")
    )
    return (
        pits.join(mixed, on="lot", how="left", maintain_order="left")
        .with_columns(pl.coalesce("leaves", "leaves_pit").alias("leaves"))
        .drop("wants_blend")
    )


def _loads(world: World, chunk: int, pits: pl.DataFrame) -> pl.DataFrame:
    """As many loads as ore lots: an unblended lot is a load of its own, a blend is cut into loads of its mean mix."""
    p, rng = world.parameters.trade, stream(world.seed, "loads", chunk)
    n = pits.height
    frame = pits.with_columns(pl.coalesce("blend", "lot").alias("mix")).sort("mix", "lot")
    mix = frame["mix"].to_numpy()
    starts = np.flatnonzero(np.append(True, mix[1:] != mix[:-1]))
    group = np.cumsum(np.append(False, mix[1:] != mix[:-1]))
    sizes = np.diff(np.append(starts, n))
    columns: dict[str, np.ndarray] = {}
    shares = np.where(sizes[group] > 1, rng.uniform(0.8, 1.2, n), 1.0)
    for mass in ("wet_g", "dry_g", "copper_g"):
        columns[mass] = _split(np.add.reduceat(frame[mass].to_numpy(), starts), shares, starts, group)
    dry = frame["dry_g"].to_numpy().astype(float)
    total = np.add.reduceat(dry, starts)
    for name in (*ELEMENTS, "soluble_share"):
        columns[name] = (np.add.reduceat(frame[name].to_numpy() * dry, starts) / total)[group]
    recoverable = frame["recovery_frac"].to_numpy() * frame["copper_g"].to_numpy()
    columns["recovery_frac"] = (
        np.add.reduceat(recoverable, starts) / np.add.reduceat(frame["copper_g"].to_numpy(), starts)
    )[group]
    columns["cu"] = columns["copper_g"] / columns["dry_g"] * 100
    columns["moisture_pct"] = (1 - columns["dry_g"] / columns["wet_g"]) * 100
    biggest = _biggest(frame["wet_g"].to_numpy(), starts, group)
    seller = np.where(
        frame["collector_id"].is_null().to_numpy(),
        frame["operator_id"].to_numpy(),
        frame["collector_id"].fill_null(0).to_numpy(),
    )
    collected = frame["through_collector"].to_numpy()
    # a blend is one owner's: resold, or milled on his account, as a whole
    resold = collected & (rng.random(n)[starts][group] < p.resold_between_collectors)
    toll = collected & (rng.random(n)[starts][group] < p.toll_share)
    first, count = world.firms.first["collector"], world.firms.count["collector"]
    reseller = (
        world.first_firm
        + first
        + (seller - world.first_firm - first + 1 + rng.integers(0, max(count - 1, 1), n)[starts][group]) % count
    )
    owner = np.where(resold, reseller, seller)
    plants = world.firms.count["plant"]
    near = (owner * 7 + rng.integers(0, 3, n)[starts][group]) % plants
    plant = world.first_firm + np.where(
        collected, world.firms.first["plant"] + near, sized(rng, world.firms, "plant", n)[starts][group]
    )
    forms = frame["form"].to_numpy()[biggest]
    return frame.select(
        "lot",
        pl.format("L{}", pl.col("lot").cast(pl.String).str.zfill(9)).alias("load_id"),
        pl.col("mix"),
        pl.Series("registration_id", frame["registration_id"].to_numpy()[biggest]),
        pl.Series("operator_id", frame["operator_id"].to_numpy()[biggest]),
        pl.Series("department_code", frame["department_code"].to_numpy()[biggest]),
        pl.Series("form", forms),
        pl.Series("is_blended", sizes[group] > 1),
        pl.Series("seller_id", seller),
        pl.Series("reseller_id", np.where(resold, reseller, -1)),
        pl.Series("owner_id", owner),
        pl.Series("toll", toll),
        pl.Series("plant_id", plant),
        "leaves",
        pl.Series("last_pit_day", np.maximum.reduceat(frame["pit_day"].to_numpy(), starts)[group]),
        *(pl.Series(name, values) for name, values in columns.items()),
        pl.Series("is_sacked", rng.random(n) < p.sacked),
    ).sort("lot")


def _split(totals: Ints, shares: Floats, starts: Ints, group: Ints) -> Ints:
    """Whole numbers per member that sum to their group's total: differences of rounded cumulative shares."""
    cumulated = np.cumsum(shares)
    before = np.append(0.0, cumulated)[starts]
    whole = np.add.reduceat(shares, starts)
    upto = np.clip((cumulated - before[group]) / whole[group], 0.0, 1.0)
    edge = np.floor(upto * totals[group] + 0.5).astype(np.int64)
    ends = np.append(starts[1:], len(shares)) - 1
    edge[ends] = totals
    previous = np.append(0, edge[:-1])
    previous[starts] = 0
    return edge - previous


def _biggest(mass: Ints, starts: Ints, group: Ints) -> Ints:
    """Row of each group's largest member (the first among equals), for every member."""
    order = np.lexsort((np.arange(len(mass)), -mass, group))
    return order[starts][group]


# --- roads --------------------------------------------------------------------------------------------


def _ore_trips(world: World, chunk: int, loads: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Each load on its truck; small loads of one department for one plant share one, within three days."""
    p, rng = world.parameters.trade, stream(world.seed, "roads", chunk)
    key = ["plant_id", "department_code"]
    small = (
        loads.filter(pl.col("wet_g") <= p.lot_wet_t.maximum / 2 * 1e6)
        .sort(*key, "leaves", "lot")
        .with_columns((pl.int_range(pl.len()).over(key) // 2).alias("couple"))
        .with_columns(
            pl.len().over(*key, "couple").alias("members"),
            (pl.col("leaves").max() - pl.col("leaves").min()).over(*key, "couple").alias("wait"),
            pl.col("leaves").max().over(*key, "couple").alias("together"),
            pl.col("lot").first().over(*key, "couple").alias("truck_of"),
        )
        .filter((pl.col("members") == 2) & (pl.col("wait") <= 3 * DAY))
    )
    loads = (
        loads.join(small.select("lot", "together", "truck_of"), on="lot", how="left", maintain_order="left")
        .with_columns(
            pl.coalesce("together", "leaves").alias("departs"), pl.coalesce("truck_of", "lot").alias("truck_of")
        )
        .drop("together", "leaves")
    )
    trips = (
        loads.group_by("truck_of", maintain_order=True)
        .agg(pl.col("departs").first(), pl.col("registration_id").first(), pl.col("plant_id").first())
        .sort("departs", "truck_of")
    )
    ends = trips["registration_id"].to_numpy(), trips["plant_id"].to_numpy() - world.first_firm
    trips = trips.with_columns(pl.Series("straight_km", np.round(world.roads.straight_km(*ends), 1)))
    trips = _on_trucks(world, chunk, rng, trips, world.roads.road_km(rng, *ends), 0)
    loads = loads.join(trips.select("truck_of", "trip", "arrives"), on="truck_of", how="left", maintain_order="left")
    lost = uniform(rng, p.transit_water_loss_frac, loads.height)
    water = loads["wet_g"].to_numpy() - loads["dry_g"].to_numpy()
    dried = np.minimum(np.round(loads["wet_g"].to_numpy() * lost / (10 * _KG)).astype(np.int64) * 10 * _KG, water // 2)
    loads = loads.with_columns(pl.Series("received_wet_g", loads["wet_g"].to_numpy() - dried))
    return loads.drop("truck_of"), trips.drop("truck_of", "registration_id", "plant_id")


def _on_trucks(
    world: World, chunk: int, rng: np.random.Generator, trips: pl.DataFrame, distance: Floats, first: int
) -> pl.DataFrame:
    """Trucks take turns in order of departure; two pools by turns of chunks, so none is in two places at once."""
    p, n = world.parameters.trade, trips.height
    truck = (np.arange(n) + chunk * 7919) % world.trucks + (chunk % 2) * world.trucks
    minutes = np.ceil(distance / uniform(rng, p.speed_km_per_h, n) * 60).astype(np.int64)
    return trips.with_columns(
        pl.Series("trip", chunk * world.plan.chunk_lots * 2 + first + np.arange(n)),
        pl.Series("truck", truck),
        pl.Series("haulier_id", world.first_firm + world.firms.first["haulier"] + truck % world.firms.count["haulier"]),
        pl.Series("distance_km", np.round(distance, 1)),
        pl.Series("arrives", trips["departs"].to_numpy() + minutes),
    )


def _coded_by_plants(world: World, chunk: int, loads: pl.DataFrame) -> pl.DataFrame:
    """`plant_lot_id`: the code by which the plant's papers call the load; some plants number anew, by arrival."""
    first = world.first_firm + world.firms.first["plant"]
    plant = loads["plant_id"].to_numpy() - first
    start = chunk * world.plan.chunk_lots
    nth = loads.select(start + pl.struct("arrives", "lot").rank("ordinal").over("plant_id").cast(pl.Int64)).to_series()
    own = pl.format(
        "P{}-{}", pl.lit(pl.Series(plant)).cast(pl.String).str.zfill(2), pl.lit(nth).cast(pl.String).str.zfill(9)
    )
    anew = pl.lit(pl.Series(world.firms.plants["has_own_codes"][plant]))
    return loads.with_columns(pl.when(anew).then(own).otherwise("load_id").alias("plant_lot_id"))


# --- the plant ----------------------------------------------------------------------------------------


def _campaigns(world: World, chunk: int, loads: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Loads of one plant, one way of winning and (on toll) one owner, fed together in order of arrival."""
    p, rng = world.parameters.trade, stream(world.seed, "campaigns", chunk)
    kind = pl.when("toll").then(pl.lit("MAQUILA")).otherwise(pl.lit("COMPRA"))
    size = pl.when("toll").then(p.campaign_lots["MAQUILA"]).otherwise(p.campaign_lots["COMPRA"])
    wait = pl.when("toll").then(p.wait_days["MAQUILA"]).otherwise(p.wait_days["COMPRA"])
    key = ["plant_id", "leached", "kind", "account"]
    fed = (
        loads.with_columns(
            kind.alias("kind"),
            (pl.col("form") == LEACHED).alias("leached"),
            pl.when("toll").then("owner_id").otherwise("plant_id").alias("account"),
        )
        .with_columns((pl.col("arrives") // (wait * DAY)).alias("days"))
        .sort(*key, "arrives", "lot")
        .with_columns((pl.int_range(pl.len()).over(*key, "days") // size).alias("part"))
    )
    ids = fed.select(pl.struct(*key, "days", "part").rle_id()).to_series().to_numpy().astype(np.int64)
    starts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
    n = len(starts)
    copper, dry = fed["copper_g"].to_numpy(), fed["dry_g"].to_numpy()
    recoverable = copper * fed["recovery_frac"].to_numpy()
    product_copper = np.floor(np.add.reduceat(recoverable, starts)).astype(np.int64)
    leached = fed["leached"].to_numpy()[starts]
    grade = np.where(leached, _bell(rng, p.cement_grade_pct, n), _bell(rng, p.concentrate_grade_pct, n))
    fed_dry, fed_copper = np.add.reduceat(dry, starts), np.add.reduceat(copper, starts)
    product_dry = np.minimum(np.floor(product_copper / grade * 100).astype(np.int64), fed_dry * 9 // 10)
    started = (
        np.maximum.reduceat(fed["arrives"].to_numpy(), starts) // DAY
        + 1
        + np.floor(uniform(rng, p.days_to_campaign, n)).astype(np.int64)
    )
    weights = fed["dry_g"].to_numpy().astype(float)
    elements = {}
    for name in ELEMENTS:  # penalties and precious metals follow the concentrate; a leach leaves most of them behind
        mean = np.add.reduceat(fed[name].to_numpy() * weights, starts) / fed_dry
        elements[name] = mean * (fed_dry / product_dry) * np.where(leached, 0.05, 0.75)
    campaigns = pl.DataFrame(
        {
            "campaign": chunk * world.plan.chunk_lots + np.arange(n),
            "plant_id": fed["plant_id"].to_numpy()[starts],
            "owner_id": fed["account"].to_numpy()[starts],
            "kind": fed["kind"].to_numpy()[starts],
            "form": np.where(leached, "CEMENTO", "CONCENTRADO"),
            "started_day": started,
            "ended_day": started + 1 + np.diff(np.append(starts, len(ids))) // 4,
            "fed_dry_g": fed_dry,
            "fed_copper_g": fed_copper,
            "product_dry_g": product_dry,
            "product_copper_g": product_copper,
            "tailings_dry_g": fed_dry - product_dry,
            "tailings_copper_g": fed_copper - product_copper,
            **elements,
        }
    )
    numbered = fed.with_columns(pl.Series("campaign", chunk * world.plan.chunk_lots + ids)).select("lot", "campaign")
    return loads.join(numbered, on="lot", how="left", maintain_order="left"), campaigns


def _products(world: World, chunk: int, campaigns: pl.DataFrame) -> pl.DataFrame:
    """A campaign's concentrate or cement in lots of a truck."""
    p, rng = world.parameters.trade, stream(world.seed, "products", chunk)
    moisture = uniform(rng, p.concentrate_moisture_pct, campaigns.height)
    wet = np.floor(campaigns["product_dry_g"].to_numpy() / (1 - moisture / 100) + 0.5).astype(np.int64)
    pieces = np.maximum(1, np.ceil(wet / (p.concentrate_lot_wet_t * 1e6)).astype(np.int64))
    row = np.repeat(np.arange(campaigns.height), pieces)
    starts = np.append(0, np.cumsum(pieces)[:-1])
    shares = rng.uniform(0.9, 1.1, len(row))
    masses = {
        name: _split(totals, shares, starts, row)
        for name, totals in (
            ("wet_g", wet),
            ("dry_g", campaigns["product_dry_g"].to_numpy()),
            ("copper_g", campaigns["product_copper_g"].to_numpy()),
        )
    }
    n = len(row)
    number = chunk * world.plan.chunk_lots + np.arange(n)
    ready = campaigns["ended_day"].to_numpy()[row] * DAY + rng.integers(1 * DAY, 6 * DAY, n)
    return campaigns[row].select(
        pl.Series("number", number),
        pl.format("K{}", pl.Series("number", number).cast(pl.String).str.zfill(9)).alias("lot_id"),
        "campaign", "plant_id", "owner_id", "form",
        *(pl.Series(name, values) for name, values in masses.items()),
        pl.Series("cu", masses["copper_g"] / np.maximum(masses["dry_g"], 1) * 100),
        pl.Series("moisture_pct", (1 - masses["dry_g"] / masses["wet_g"]) * 100),
        *ELEMENTS,
        pl.Series("trader_id", world.first_firm + sized(rng, world.firms, "trader", campaigns.height)[row]),
        pl.Series("departs", ready),
    )  # fmt: skip


def _product_trips(world: World, chunk: int, products: pl.DataFrame, first: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Products go to the traders' stores in the port, a lot a truck."""
    rng = stream(world.seed, "port roads", chunk)
    trips = products.select("number", "departs", "plant_id", "trader_id").sort("departs", "number")
    ends = (trips[end].to_numpy() - world.first_firm for end in ("plant_id", "trader_id"))
    straight, road = world.roads.port_km(rng, *ends)
    trips = trips.drop("plant_id", "trader_id").with_columns(pl.Series("straight_km", np.round(straight, 1)))
    trips = _on_trucks(world, chunk, rng, trips, road, first)
    # the port's trucks are others than the ore's
    trips = trips.with_columns(pl.col("truck") + 2 * world.trucks)
    products = products.join(trips.select("number", "trip", "arrives"), on="number", how="left", maintain_order="left")
    return products, trips.drop("number").select(
        "departs", "straight_km", "trip", "truck", "haulier_id", "distance_km", "arrives"
    )


def _shipments(world: World, chunk: int, products: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A trader ships one form together, in order of arrival."""
    p, rng = world.parameters.trade, stream(world.seed, "shipments", chunk)
    shipped = products.select("number", "trader_id", "form", "arrives").sort("trader_id", "form", "arrives", "number")
    days = (pl.col("arrives") // (p.wait_days["shipment"] * DAY)).alias("days")
    shipped = shipped.with_columns(days).with_columns(
        (pl.int_range(pl.len()).over("trader_id", "form", "days") // p.shipment_lots).alias("part")
    )
    ids = (
        shipped.select(pl.struct("trader_id", "form", "days", "part").rle_id()).to_series().to_numpy().astype(np.int64)
    )
    starts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
    n = len(starts)
    ready = np.maximum.reduceat(shipped["arrives"].to_numpy(), starts) // DAY
    shipments = pl.DataFrame(
        {
            "shipment": chunk * world.plan.chunk_lots + np.arange(n),
            "trader_id": shipped["trader_id"].to_numpy()[starts],
            "shipped_day": ready + np.floor(uniform(rng, p.days_to_ship, n)).astype(np.int64),
            "regularised_after": np.floor(uniform(rng, p.days_to_regularise, n)).astype(np.int64),
            "destination": np.array(list(p.destinations))[pick(rng, list(p.destinations.values()), n)],
        }
    )
    numbered = shipped.with_columns(pl.Series("shipment", chunk * world.plan.chunk_lots + ids)).select(
        "number", "shipment"
    )
    return products.join(numbered, on="number", how="left", maintain_order="left"), shipments


# --- where the copper goes ----------------------------------------------------------------------------

_EDGES = ("from_lot_id", "to_lot_id", "copper_g")


def _blend_edges(pits: pl.DataFrame, loads: pl.DataFrame) -> pl.DataFrame:
    """Ore lot to load: all of it where nothing was blended, else each lot's share of every load of the blend."""
    given = pits.select(
        pl.coalesce("blend", "lot").alias("mix"), pl.col("lot_id").alias("from_lot_id"), pl.col("copper_g").alias("out")
    )
    taken = loads.select("mix", pl.col("load_id").alias("to_lot_id"), pl.col("copper_g").alias("into"))
    return _share(given, taken, "mix")


def _campaign_edges(loads: pl.DataFrame, campaigns: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Load to product and tailings: a load's part of the product follows its recoverable copper."""
    fed = loads.select("campaign", "lot", "load_id", "copper_g", "recovery_frac").sort("campaign", "lot")
    group = fed["campaign"].rle_id().to_numpy().astype(np.int64)
    starts = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    recoverable = fed["copper_g"].to_numpy() * fed["recovery_frac"].to_numpy()
    won = _split(campaigns["product_copper_g"].to_numpy(), recoverable, starts, group)
    given = fed.select("campaign", pl.col("load_id").alias("from_lot_id"), pl.Series("out", won))
    taken = products.select("campaign", pl.col("lot_id").alias("to_lot_id"), pl.col("copper_g").alias("into"))
    left = fed.select(
        pl.col("load_id").alias("from_lot_id"),
        pl.format("R{}", pl.col("campaign").cast(pl.String).str.zfill(9)).alias("to_lot_id"),
        pl.Series("copper_g", fed["copper_g"].to_numpy() - won),
    )
    return pl.concat([_share(given, taken, "campaign"), left])


def _share(given: pl.DataFrame, taken: pl.DataFrame, key: str) -> pl.DataFrame:
    """Givers × takers of each group in whole grams; rows sum to what was given, columns to what was taken.

    The product of the cumulated sums, rounded, and differenced in both directions: exact on both margins.
    """
    given = given.sort(key, maintain_order=True).with_columns(
        pl.col("out").cum_sum().over(key).alias("upto_out"), pl.col("out").sum().over(key).alias("total")
    )
    taken = taken.sort(key, maintain_order=True).with_columns(pl.col("into").cum_sum().over(key).alias("upto_into"))
    pairs = given.join(taken, on=key, how="inner", maintain_order="left_right")
    total = np.maximum(pairs["total"].to_numpy(), 1)
    out, into = pairs["upto_out"].to_numpy(), pairs["upto_into"].to_numpy()
    before_out, before_into = out - pairs["out"].to_numpy(), into - pairs["into"].to_numpy()

    def corner(a: Ints, b: Ints) -> Ints:
        return a * b // total

    grams = corner(out, into) - corner(before_out, into) - corner(out, before_into) + corner(before_out, before_into)
    return pairs.select("from_lot_id", "to_lot_id", pl.Series("copper_g", grams)).select(_EDGES)


# --- draws --------------------------------------------------------------------------------------------


def _bell(rng: np.random.Generator, band: Bell, size: int) -> Floats:
    return beta_between(rng, band.low, band.high, band.mean, band.sd, size)


def _skewed(rng: np.random.Generator, band: Skewed, size: int) -> Floats:
    return np.clip(lognormal(rng, band.median, band.p95, size), band.minimum, band.maximum)


def _by_group(groups: np.ndarray, table: dict, draw, dtype) -> np.ndarray:
    """Draws by group, each with its own entry of `table` or with its `default`."""
    drawn = np.empty(len(groups), dtype=dtype)
    for name in np.unique(groups):
        at = groups == name
        drawn[at] = draw(table.get(name, table["default"]), int(at.sum()))
    return drawn
