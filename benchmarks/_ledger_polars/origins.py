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
    """Origin lots with what became of their copper, and lots with amounts that are divided over none."""
    left = part(c("left_g"), c("copper_g"), c("lot_g"))
    followed = (
        shares.parts.lazy()
        .filter(~c("is_feed"))
        .join(ends.lazy(), on="lot")
        .select("origin", "end_code", pl.when(c("left_g") == c("lot_g")).then(c("copper_g")).otherwise(left).alias("g"))
        .group_by(c("origin").alias("lot"))
        .agg(c("g").filter(c("end_code") == end).sum().alias(name) for end, name in _FOLLOWED.items())
    )
    undivided = (
        booked.lazy()
        .select("lot")
        .unique()
        .join(shares.wholes.lazy(), on="lot", how="anti")
        .select("lot", pl.lit(True).alias("is_undivided"))
    )
    return (
        measures.lazy()
        .join(undivided, on="lot", how="left")
        .filter(c("is_origin") | c("is_undivided"))
        .drop("is_undivided")
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


def situations_of(scan: Scan, measures: pl.DataFrame, shares: Shares, booked: pl.DataFrame) -> pl.DataFrame:
    """Every lot by stage, deal, seller, form and grade, and the worth of its copper within bounds."""
    deal = c("contract_kind_code").replace_strict(
        {"COMPRA": "BOUGHT", "MAQUILA": "TOLL"}, default=None, return_dtype=pl.String
    )
    batches = (
        scan("intermediate.int_lot__batch_lines")
        # lines without a code are lots of their own: no contract is told of those
        .filter(c("lot_key") != pl.concat_str("campaign_key", c("line_number").cast(pl.String), separator="-"))
        .group_by(LOT)
        .agg(deal.max().cast(CODE).alias("deal"), c("is_heap").any().alias("is_mixed"))
    )
    kind, is_plants = c("kind"), c("payee") == "PLANT"
    paid_deal = (
        pl.when((kind == "ORE_AT_PLANT") | ((kind == "CONCENTRATE") & is_plants))
        .then(1)
        .when(kind.is_in(["CONCENTRATE", "MILLING"]))
        .then(2)
    )
    paid = (
        booked.lazy()
        .group_by("lot")
        .agg(
            paid_deal.max().alias("paid_deal"),
            ((c("payee") == "COLLECTOR") | (c("payer") == "COLLECTOR")).any().alias("has_collector"),
            ((kind == "ORE_AT_PLANT") & (c("payee") == "OPERATOR") & c("is_documented")).any().alias("is_operators"),
        )
    )
    feeds = shares.wholes.lazy().filter("is_feed").select("lot", c("lot_g").alias("fed_g"))
    of_paid = pl.when(c("paid_deal") == 2).then(code("TOLL")).when(c("paid_deal") == 1).then(code("BOUGHT"))
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
            pl.when(is_pit).then(code("--")).otherwise(pl.coalesce("deal", of_paid, code("?"))).alias("deal_code"),
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
