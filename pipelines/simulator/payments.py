"""Every payment of a chunk, one row each, in whole US cents without IGV: what one side pays the other receives."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from pipelines.simulator.dice import Ints, stream
from pipelines.simulator.firms import sized
from pipelines.simulator.flow import DAY, Flow
from pipelines.simulator.settlement import cents
from pipelines.simulator.world import World

#: The buyer beyond the port: no agent of the simulated country.
ABROAD = -1
_COLUMNS = ("kind", "lot_id", "payee_id", "payer_id", "invoicing_id", "day", "usd_cents", "dry_g", "copper_g")
#: Numbers of transfers are unique in a run: this many places for each ore lot of a chunk.
_PLACES = 16

c = pl.col


@dataclasses.dataclass(frozen=True)
class Sales:
    """What was sold in a chunk; frames as in `Money`."""

    ore: pl.DataFrame
    pit_sales: pl.DataFrame
    resales: pl.DataFrame
    concentrate: pl.DataFrame
    exports: pl.DataFrame


def make_transfers(world: World, flow: Flow, chunk: int, sales: Sales) -> pl.DataFrame:
    """kind, lot_id, payee, payer, who invoices, day, usd_cents, dry and copper mass (goods only), pen_per_usd, transfer."""
    rng = stream(world.seed, "fees", chunk)
    transfers = pl.concat(
        [
            *_goods(sales),
            *_carriage(sales),
            _biller_fees(sales),
            _milling(world, flow),
            _concession_fees(world, sales),
            _laboratory_fees(world, rng, sales),
        ]
    )
    assert transfers.height < world.plan.chunk_lots * _PLACES, "more transfers than places for their numbers"
    return transfers.with_row_index("transfer").with_columns(
        c("transfer").cast(pl.Int64) + chunk * world.plan.chunk_lots * _PLACES,
        pl.Series("pen_per_usd", world.price("pen_per_usd", transfers["day"].to_numpy())),
    )


def _rows(
    frame: pl.DataFrame, kind: str, lot: str, payee: str, payer: pl.Expr | str, day: pl.Expr, paid: str,
    *, invoicing: str | None = None, goods: bool = False,
) -> pl.DataFrame:  # fmt: skip
    masses = ("dry_g", "copper_g")
    return frame.select(
        pl.lit(kind).alias("kind"),
        c(lot).alias("lot_id"),
        c(payee).alias("payee_id"),
        (c(payer) if isinstance(payer, str) else payer).alias("payer_id"),
        c(invoicing or payee).alias("invoicing_id"),
        day.alias("day"),
        c(paid).alias("usd_cents"),
        *((c(m) if goods else pl.lit(0)).alias(m) for m in masses),
    ).cast({name: pl.Int64 for name in _COLUMNS[2:]})


def _goods(sales: Sales) -> list[pl.DataFrame]:
    bought = sales.ore.filter(~c("toll"))
    return [
        _rows(sales.pit_sales, "ORE_AT_PIT", "lot_id", "operator_id", "collector_id", c("pit_day"), "value_cents", goods=True),
        _rows(sales.resales, "ORE_BETWEEN_COLLECTORS", "load_id", "seller_id", "reseller_id", c("day"), "value_cents", goods=True),
        _rows(
            bought, "ORE_AT_PLANT", "load_id", "owner_id", "plant_id", c("settled_day") + 1, "value_cents",
            invoicing="invoicing_id", goods=True,
        ),
        _rows(sales.concentrate, "CONCENTRATE", "lot_id", "owner_id", "trader_id", c("final_day"), "final_value_cents", goods=True),
        _rows(sales.exports, "EXPORT", "lot_id", "trader_id", pl.lit(ABROAD), c("regularised_day"), "final_value_cents", goods=True),
    ]  # fmt: skip


def _carriage(sales: Sales) -> list[pl.DataFrame]:
    """The plant pays the road that it deducts; else whoever owns the load."""
    by_plant = pl.when(c("freight_deducted_cents") > 0).then("plant_id").otherwise("owner_id")
    arrives = c("arrives") // DAY
    return [
        _rows(sales.ore, "HAULAGE", "load_id", "haulier_id", by_plant, arrives, "freight_cents"),
        _rows(sales.concentrate, "HAULAGE", "lot_id", "haulier_id", "owner_id", arrives, "freight_cents"),
    ]


def _biller_fees(sales: Sales) -> pl.DataFrame:
    billed = sales.ore.filter(c("biller_id") >= 0)
    return _rows(billed, "BILLER_FEE", "load_id", "biller_id", "owner_id", c("settled_day") + 1, "biller_fee_cents")


def _milling(world: World, flow: Flow) -> pl.DataFrame:
    """Toll milling by the dry tonne fed; booked on the campaign's tailings, which stay with the plant."""
    milled = flow.campaigns.filter(c("kind") == "MAQUILA")
    plant = milled["plant_id"].to_numpy() - world.first_firm - world.firms.first["plant"]
    tariff = world.firms.plants["toll_usd_per_dmt"][plant]
    milled = milled.with_columns(
        pl.Series("fee", cents(milled["fed_dry_g"].to_numpy() / 1e6 * tariff)),
        pl.format("R{}", c("campaign").cast(pl.String).str.zfill(9)).alias("lot_id"),
    )
    return _rows(milled, "MILLING", "lot_id", "plant_id", "owner_id", c("ended_day"), "fee")


def _concession_fees(world: World, sales: Sales) -> pl.DataFrame:
    """The contract's share of the ore's price, from the operator to the concession's holder."""
    direct = sales.ore.filter(~c("toll") & (c("owner_id") == c("operator_id"))).select(
        "lot", c("load_id").alias("lot_id"), "registration_id", "operator_id",
        c("value_cents").alias("got"), c("settled_day").alias("day"),
    )  # fmt: skip
    at_pit = sales.pit_sales.select(
        "lot", "lot_id", "registration_id", "operator_id", c("value_cents").alias("got"), c("pit_day").alias("day")
    )
    sold = pl.concat([direct, at_pit]).sort("lot", "lot_id")
    registrations = world.people.registrations[sold["registration_id"].to_numpy()]
    frac = registrations["concession_fee_frac"].fill_null(0.0).to_numpy()
    due = sold.with_columns(
        pl.Series("holder_id", _numbered(registrations["holder_id"])),
        pl.Series("fee", cents(np.maximum(sold["got"].to_numpy(), 0) / 100 * frac)),
    ).filter((c("fee") > 0) & (c("holder_id") >= 0) & (c("holder_id") != c("operator_id")))
    return _rows(due, "CONCESSION_FEE", "lot_id", "holder_id", "operator_id", c("day") + 2, "fee")


def _numbered(ids: pl.Series) -> Ints:
    """Agent ids with -1 for none."""
    return ids.cast(pl.Int64).fill_null(-1).to_numpy()


def _laboratory_fees(world: World, rng: np.random.Generator, sales: Sales) -> pl.DataFrame:
    """Sellers pay for their own assays; an umpire's is shared by both sides, booked on the seller."""
    fee = round(world.parameters.trade.umpire_fee_usd * 100)
    due = pl.when("has_umpire").then(2 * fee).otherwise(fee).alias("fee")
    asked = pl.concat(
        [
            sales.ore.filter("has_seller_assay").select(
                c("load_id").alias("lot_id"), "owner_id", c("settled_day").alias("day"), due
            ),
            sales.concentrate.select("lot_id", "owner_id", c("provisional_day").alias("day"), due),
        ]
    )
    laboratory = world.first_firm + sized(rng, world.firms, "laboratory", asked.height)
    asked = asked.with_columns(pl.Series("laboratory_id", laboratory))
    return _rows(asked, "LABORATORY", "lot_id", "laboratory_id", "owner_id", c("day"), "fee")
