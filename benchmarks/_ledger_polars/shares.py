"""Whose copper a lot holds, and amounts on lots shared over it."""

from __future__ import annotations

import dataclasses

import polars as pl

from benchmarks._ledger_polars.amounts import BASIS, PPM, c, part, units
from benchmarks._ledger_polars.paid import Scan

#: Numbers of lots have 32 bits, so a lot's copper has 31.
_NUMBERS = 2**32
_HOLDER = ("lot", "is_feed")


@dataclasses.dataclass(frozen=True)
class Shares:
    """Parts by lot and origin lot, and each lot's sum, number of origins and largest one.

    Under `is_feed` a tailings' lot stands for all that its campaign was fed, over which milling is shared.
    """

    parts: pl.DataFrame
    wholes: pl.DataFrame


def edges_of(scan: Scan, lots: pl.DataFrame) -> pl.DataFrame:
    """Copper that went from one lot into another."""
    rows = scan("intermediate.int_lot__edges").select("from_lot_key", "to_lot_key", "is_synthetic", "copper_g")
    given = _numbered(rows, lots, "from_lot")
    taken = _numbered(given.lazy().drop("lot_kind"), lots, "to_lot")
    return taken.select("from_lot", "to_lot", c("lot_kind").alias("to_kind"), "copper_g")


def _numbered(rows: pl.LazyFrame, lots: pl.DataFrame, end: str) -> pl.DataFrame:
    """Rows with the number and the kind of the lot at one end.

    One end at a time: planned at once, both ends share is_synthetic, and the optimiser crosses all lots with all lots.
    """
    numbers = lots.lazy().select(c("lot").alias(end), c("lot_key").alias(f"{end}_key"), "is_synthetic", "lot_kind")
    found = rows.join(numbers, on=(f"{end}_key", "is_synthetic")).drop(f"{end}_key")
    return found.collect(engine="streaming")


def shares_of(scan: Scan, lots: pl.DataFrame) -> Shares:
    held = _held(scan, lots).lazy()
    unsure = _unsure(scan, lots, held)
    own = held.join(unsure, on=("lot", "origin"), how="left").select(
        "lot",
        pl.lit(False).alias("is_feed"),
        "origin",
        "copper_g",
        (c("copper_g") - c("low_g")).fill_null(0).alias("less_g"),
        (c("high_g") - c("copper_g")).fill_null(0).alias("more_g"),
    )
    none = pl.lit(0, dtype=pl.Int64)
    fed = (
        _by_origin(scan("intermediate.int_campaign__origins_fed"), lots)
        .lazy()
        .select("lot", pl.lit(True).alias("is_feed"), "origin", "copper_g", none.alias("less_g"), none.alias("more_g"))
    )
    parts = pl.concat([own, fed]).collect(engine="streaming")
    largest = (c("copper_g") * _NUMBERS + (_NUMBERS - 1 - c("origin").cast(pl.Int64))).max()
    wholes = (
        parts.lazy()
        .group_by(_HOLDER)
        .agg(
            c("copper_g").sum().alias("lot_g"), pl.len().cast(pl.Int64).alias("origin_count"), largest.alias("largest")
        )
        .with_columns((_NUMBERS - 1 - c("largest") % _NUMBERS).cast(pl.UInt32).alias("largest"))
    )
    return Shares(parts, wholes.collect(engine="streaming"))


def _held(scan: Scan, lots: pl.DataFrame) -> pl.DataFrame:
    return _by_origin(scan("intermediate.int_lot__genealogy").filter(c("copper_g") > 0), lots)


def _by_origin(rows: pl.LazyFrame, lots: pl.DataFrame) -> pl.DataFrame:
    held = _numbered(rows.select("lot_key", "origin_lot_key", "is_synthetic", "copper_g"), lots, "lot")
    from_origins = _numbered(held.rename({"lot_kind": "holder_kind"}).lazy(), lots, "origin_lot")
    return from_origins.select("lot", c("holder_kind").alias("lot_kind"), c("origin_lot").alias("origin"), "copper_g")


def _unsure(scan: Scan, lots: pl.DataFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    """Parts of products that are not sure: what one origin has less the others of the product have more."""
    ranges = _numbered(scan("intermediate.int_lot__origin_ranges"), lots, "origin_lot").lazy()
    ranges = ranges.select(
        c("origin_lot").alias("origin"), units("low_factor").alias("low_ppm"), units("high_factor").alias("high_ppm")
    )
    products = held.filter(c("lot_kind") == "PRODUCT").join(ranges, on="origin", how="semi").select("lot")
    least, most = c("copper_g") - c("low_g"), c("high_g") - c("copper_g")
    return (
        held.join(products, on="lot", how="semi")
        .join(ranges, on="origin", how="left")
        .with_columns(
            (c("copper_g") * c("low_ppm").fill_null(PPM) // PPM).alias("low_g"),
            ((c("copper_g") * c("high_ppm").fill_null(PPM) + PPM - 1) // PPM).alias("high_g"),
        )
        .select(
            "lot",
            "origin",
            pl.max_horizontal("low_g", c("copper_g") - most.sum().over("lot") + most).alias("low_g"),
            pl.min_horizontal("high_g", c("copper_g") + least.sum().over("lot") - least).alias("high_g"),
        )
    )


def booked_on(paid: pl.DataFrame, imputed: pl.DataFrame, shares: Shares) -> pl.DataFrame:
    """Transfers as amounts on lots, in cents, and how far below and above them their bounds are."""
    is_imputed = (c("basis") != "observed") | c("value_cents").is_null()
    feeds = shares.wholes.lazy().filter("is_feed").select("lot", pl.lit(True).alias("is_fed"))
    amounts = (
        paid.lazy()
        .join(imputed.lazy(), on="transfer", how="left")
        .filter(c("value_cents").is_not_null() | c("cents").is_not_null())
        .join(feeds, on="lot", how="left")
        .with_columns(pl.when(is_imputed).then(c("cents")).otherwise(c("value_cents")).alias("cents"))
    )
    return amounts.select(
        "transfer",
        "lot",
        c("kind_code").alias("kind"),
        c("payee_role_code").alias("payee"),
        c("payer_role_code").alias("payer"),
        ((c("kind_code") == "MILLING") & c("is_fed").fill_null(False)).alias("is_feed"),
        "cents",
        (c("cents") - pl.coalesce("low_cents", "value_cents")).alias("below"),
        (pl.coalesce("high_cents", "value_cents") - c("cents")).alias("above"),
        c("basis").fill_null(pl.lit("observed", dtype=BASIS)),
        (c("ticket_id").is_not_null() | c("sheet_id").is_not_null()).alias("is_documented"),
    ).collect(engine="streaming")


def shared(amounts: pl.LazyFrame, shares: Shares) -> pl.DataFrame:
    """Amounts by origin, link and basis; a lot without shares is its own origin, what division leaves goes to the largest."""
    whole = (
        amounts.select("transfer", *_HOLDER, "kind", "payee", "payer", "basis", "cents", "below", "above")
        .join(shares.wholes.lazy(), on=_HOLDER, how="left")
        .with_columns(c("lot_g", "origin_count").fill_null(1), pl.coalesce("largest", "lot").alias("largest"))
        .collect(engine="streaming")
        .lazy()
    )
    several = whole.filter(c("origin_count") > 1)
    parts = several.join(shares.parts.lazy(), on=_HOLDER).with_columns(
        part(c("cents"), c("copper_g"), c("lot_g")).alias("part"), (c("origin") == c("largest")).alias("is_largest")
    )
    parts = parts.collect(engine="streaming").lazy()
    taken = parts.group_by("transfer").agg(c("part").sum().alias("taken"))
    rest = pl.when("is_largest").then(c("cents") - c("taken")).otherwise(0)
    parts = parts.join(taken, on="transfer").with_columns((c("part") + rest).alias("part"))
    spread = pl.when("is_largest").then(c("origin_count")).otherwise(1)
    below, above = (
        pl.when(c(side) == 0).then(0).otherwise(part(c(side), c("copper_g"), c("lot_g")) + spread)
        for side in ("below", "above")
    )
    low, high = c("cents") - c("below"), c("cents") + c("above")
    under = _further(low, c("less_g"), c("more_g"))
    over = _further(high, c("more_g"), c("less_g"))
    # what cannot be below zero has no part below it
    lowest, highest = pl.min_horizontal(low, 0), pl.max_horizontal(high, 0)
    by = ("origin", "kind", "payee", "payer", "basis")
    one = pl.lit(1, dtype=pl.Int64)
    rows = [
        whole.filter(c("origin_count") == 1).select(
            c("largest").alias("origin"), *by[1:], "cents",
            # of one origin the part is the whole, and one cent more on a side that has a bound
            pl.max_horizontal(low - (c("below") != 0), lowest).alias("low_cents"),
            pl.min_horizontal(high + (c("above") != 0), highest).alias("high_cents"),
            one.alias("transfer_count"),
        ),
        parts.select(
            *by, c("part").alias("cents"), pl.max_horizontal(c("part") - below - under, lowest).alias("low_cents"),
            pl.min_horizontal(c("part") + above + over, highest).alias("high_cents"), one.alias("transfer_count"),
        ),
    ]  # fmt: skip
    return pl.concat(rows).group_by(by).agg(pl.all().sum()).collect(engine="streaming")


def _further(bound: pl.Expr, nearer: pl.Expr, further: pl.Expr) -> pl.Expr:
    """How much further a bound lies where the part is not sure."""
    share = part(bound.abs(), pl.when(bound < 0).then(further).otherwise(nearer), c("lot_g")) + c("origin_count")
    return pl.when((nearer == 0) & (further == 0)).then(0).otherwise(share)
