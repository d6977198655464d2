"""Where the papers lose sight of copper, what is missing for an origin lot, and what lots are compared by."""

from __future__ import annotations

import polars as pl

from benchmarks._ledger_polars.amounts import CODE, PPM, c, code, from_double, part, wide, worth_uusd
from benchmarks._ledger_polars.paid import LOT, Scan
from benchmarks._ledger_polars.ratios import Reference
from benchmarks._ledger_polars.shares import Shares

_FOLLOWED = {"EXPORTED": "exported_g", "PIT": "at_pit_g", "LOAD": "at_plant_g", "PRODUCT": "in_store_g"}


def ends_of(
    scan: Scan, measures: pl.DataFrame, edges: pl.DataFrame, shares: Shares, reference: Reference
) -> pl.DataFrame:
    """Lots that are exported, or of which copper is left that went into no other lot."""
    onward = edges.lazy().group_by(c("from_lot").alias("lot")).agg(c("copper_g").sum().alias("onward_g"))
    exported = scan("intermediate.int_export__lots_valued").select(
        *LOT, c("port_copper_g").alias("port_g"), pl.lit(True).alias("is_exported")
    )
    wholes = shares.wholes.lazy().filter(~c("is_feed")).select("lot", "lot_g")
    gone, went_on = c("is_exported").is_not_null(), c("onward_g").is_not_null()
    of_whole = PPM - reference.rules_ppm["LEFT_OVER_FRAC"]
    left = pl.max_horizontal(c("lot_g").fill_null(0) - c("onward_g").fill_null(0), 0)
    is_less = wide(c("port_g")) * PPM < wide(c("held_g")) * of_whole
    frac = pl.when(c("lot_g") != 0).then(c("left_g").cast(pl.Float64) / c("lot_g").cast(pl.Float64)).fill_null(1.0)
    held = (
        measures.lazy()
        .select("lot", *LOT, "lot_kind")
        .filter(~c("lot_kind").is_in(["TAILINGS", "UNACCOUNTED"]))
        .join(exported, on=LOT, how="left")
        .join(onward, on="lot", how="left")
        .join(wholes, on="lot", how="left")
        .filter(gone | ~went_on | (wide(c("onward_g")) * PPM < wide(c("lot_g")) * of_whole))
        .with_columns(left.alias("held_g"))
        .with_columns(pl.when(~gone).then(0).when(is_less).then(c("port_g")).otherwise(c("held_g")).alias("exported_g"))
        .collect(engine="streaming")
        .lazy()
    )
    kind = pl.when(gone).then(code("PRODUCT")).otherwise(c("lot_kind").cast(CODE))
    return (
        pl.concat([
            held.filter(gone).select("lot", code("EXPORTED").alias("end_code"), "lot_g", c("exported_g").alias("left_g")),
            held.filter(~gone | (c("exported_g") < c("held_g"))).select(
                "lot", kind.alias("end_code"), "lot_g", (c("held_g") - c("exported_g")).alias("left_g")
            ),
        ])
        .with_columns(from_double(frac, 6).alias("left_ppm"))
        .collect(engine="streaming")
    )  # fmt: skip


def origins_of(measures: pl.DataFrame, ends: pl.DataFrame, shares: Shares, booked: pl.DataFrame) -> pl.DataFrame:
    """Origin lots with what begins at them and what became of it, and lots with amounts that are divided over none."""
    left = part(c("left_g"), c("copper_g"), c("lot_g"))
    followed = (
        shares.parts.lazy()
        .filter(~c("is_feed"))
        .join(ends.lazy(), on="lot")
        .select("origin", "end_code", pl.when(c("left_g") == c("lot_g")).then(c("copper_g")).otherwise(left).alias("g"))
        .group_by(c("origin").alias("lot"))
        .agg(c("g").filter(c("end_code") == end).sum().alias(name) for end, name in _FOLLOWED.items())
    )
    own = (
        shares.parts.lazy()
        .filter(~c("is_feed"), c("origin") == c("lot"))
        .join(shares.wholes.lazy().filter(~c("is_feed")), on="lot")
        .select("lot", c("copper_g").alias("own_g"), c("lot_g").alias("whole_g"))
    )
    divided = shares.wholes.lazy().select("lot", pl.lit(True).alias("is_divided")).unique()
    paid = booked.lazy().select("lot", pl.lit(True).alias("is_paid")).unique()
    is_undivided = c("is_divided").is_null() & (c("is_origin") | c("is_paid").fill_null(False))
    is_part = c("own_g") < c("whole_g")
    return (
        measures.lazy()
        .join(own, on="lot", how="left")
        .join(divided, on="lot", how="left")
        .join(paid, on="lot", how="left")
        .filter(c("own_g").is_not_null() | is_undivided)
        .with_columns(
            pl.coalesce("own_g", "copper_g").alias("copper_g"),
            *(
                pl.when(is_part).then(part(c(mass), c("own_g"), c("whole_g"))).otherwise(c(mass)).alias(mass)
                for mass in ("wet_g", "dry_g")
            ),
        )
        .drop("own_g", "whole_g", "is_divided", "is_paid")
        .join(followed, on="lot", how="left")
        .with_columns(c(*_FOLLOWED.values()).fill_null(0))
        .collect(engine="streaming")
    )


def missing_of(
    scan: Scan,
    lots: pl.DataFrame,
    origins: pl.DataFrame,
    booked: pl.DataFrame,
    flows: pl.DataFrame,
    exported: pl.DataFrame,
) -> pl.DataFrame:
    """By origin lot, the codes of what the papers do not tell."""
    is_collectors = (c("payee") == "COLLECTOR") | (c("payer") == "COLLECTOR")
    collected = booked.lazy().filter(is_collectors).select("lot").unique()
    rows = origins.lazy()
    gaps = {
        "NO_COPPER": rows.filter(c("copper_g").is_null() | (c("copper_g") <= 0)),
        "NO_PRICE": rows.filter(c("copper_uusd_per_t").is_null()),
        "NO_FEED": rows.filter(~c("lot_kind").is_in(["PIT", "LOAD"])),
        "NO_MIX": rows.filter(c("lot_kind") == "LOAD").join(collected, on="lot", how="semi"),
        "NO_LOAD": rows.filter(c("at_pit_g") > 0),
        "NO_CAMPAIGN": rows.filter(c("at_plant_g") > 0),
        "NO_EXPORT": rows.filter(c("in_store_g") > 0),
        "NO_TERMS": exported.lazy().filter(~c("has_terms")),
        "NO_BALANCE": scan("intermediate.int_lot__unbalanced").join(lots.lazy(), on=["lot_key", "is_synthetic"]),
    }
    unseen = (
        flows.lazy().filter(c("basis") != "observed").select(c("origin").alias("lot"), c("kind").cast(CODE)).unique()
    )
    told = [found.select("lot", code(name).alias("missing_code")) for name, found in gaps.items()]
    return pl.concat([*told, unseen.rename({"kind": "missing_code"})]).collect(engine="streaming")


def deal_of(kind: pl.Expr, payee: pl.Expr) -> pl.Expr:
    """Which deal a payment is of, null where it is of either."""
    is_bought = (kind == "ORE_AT_PLANT") | ((kind == "CONCENTRATE") & (payee == "PLANT"))
    bought, toll = (pl.lit(deal, dtype=pl.String) for deal in ("BOUGHT", "TOLL"))
    return pl.when(is_bought).then(bought).when(kind.is_in(["CONCENTRATE", "MILLING"])).then(toll)


def situations_of(scan: Scan, measures: pl.DataFrame, shares: Shares, booked: pl.DataFrame) -> pl.DataFrame:
    """Every lot by stage, deal, seller, form and grade, and the worth of its copper within bounds."""
    deal = c("contract_kind_code").replace_strict(
        {"COMPRA": "BOUGHT", "MAQUILA": "TOLL"}, default=None, return_dtype=pl.String
    )
    told = (*LOT, "contract_kind_code", "is_heap")
    rests = scan("intermediate.int_lot__balances").with_columns(c("rest_lot_key").alias("lot_key"))
    batches = (
        pl.concat([scan("intermediate.int_lot__batch_lines").select(told), rests.select(told)])
        .group_by(LOT)
        .agg(deal.max().cast(CODE).alias("deal"), c("is_heap").any().alias("is_mixed"))
    )
    kind = c("kind")
    paid = (
        booked.lazy()
        .group_by("lot")
        .agg(
            deal_of(kind, c("payee")).max().cast(CODE).alias("paid_deal"),
            ((c("payee") == "COLLECTOR") | (c("payer") == "COLLECTOR")).any().alias("has_collector"),
            ((kind == "ORE_AT_PLANT") & (c("payee") == "OPERATOR") & c("is_documented")).any().alias("is_operators"),
        )
    )
    feeds = shares.wholes.lazy().filter("is_feed").select("lot", c("lot_g").alias("fed_g"))
    is_pit = c("lot_kind") == "PIT"
    return (
        measures.lazy()
        .join(batches, on=LOT, how="left")
        .join(paid, on="lot", how="left")
        .join(feeds, on="lot", how="left")
        .select(
            "lot", "is_synthetic",
            pl.when(c("lot_kind") == "TAILINGS").then(code("CAMPAIGN")).otherwise(c("lot_kind").cast(CODE))
            .alias("stage_code"),
            pl.when(is_pit).then(code("--")).otherwise(pl.coalesce("deal", "paid_deal", code("?"))).alias("deal_code"),
            pl.when(c("lot_kind").is_in(["PRODUCT", "TAILINGS"])).then(code("--"))
            .when(is_pit | c("is_mixed") | c("has_collector")).then(code("COLLECTOR"))
            .when("is_operators").then(code("OPERATOR"))
            .otherwise(code("?")).alias("seller_code"),
            "form_code", "band",
            *(
                worth_uusd(pl.coalesce("fed_g", f"copper_{bound}_g"), c("copper_uusd_per_t")).alias(f"{bound}_uusd")
                for bound in ("central", "low", "high")
            ),
        )
        .collect(engine="streaming")
    )  # fmt: skip
