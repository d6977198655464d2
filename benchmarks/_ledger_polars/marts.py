"""The bridge from the London price to FOB, what each link of the chain took in and paid, and both by month and place."""

from __future__ import annotations

import polars as pl

from benchmarks._ledger_polars.amounts import (
    c,
    decimal,
    double,
    narrow,
    part,
    quotient,
    rounded,
    tonnes,
    total,
    usd,
    wide,
)  # fmt: skip
from benchmarks._ledger_polars.paid import Scan
from benchmarks._ledger_polars.shares import Shares

_EXPORTED = {
    "port_copper_g": "port_g", "payable_copper_g": "payable_g", "metal_cents": "metal", "tc_rc_cents": "tc_rc",
    "penalties_cents": "penalties", "credits_cents": "credits",
}  # fmt: skip
#: Grams by millionths of a dollar a tonne make so many for a cent.
_WORTH_PER_CENT = 10**10


def bridge_of(
    scan: Scan, origins: pl.DataFrame, exported: pl.DataFrame, flows: pl.DataFrame, missing: pl.DataFrame
) -> pl.DataFrame:
    """Origin lots with every step from the worth of their copper to what was paid abroad, in cents."""
    is_observed = c("basis") == "observed"
    fob = (
        flows.lazy()
        .filter(c("kind") == "EXPORT")
        .group_by(c("origin").alias("lot"))
        .agg(
            c("cents").filter(is_observed).sum().alias("fob"), c("cents").filter(~is_observed).sum().alias("guessed"),
            c("low_cents").sum().alias("fob_low"), c("high_cents").sum().alias("fob_high"),
        )
    )  # fmt: skip
    codes = scan("reference.lot_missing_codes").select("missing_code", "rank", "breaks_bridge")
    lacking = (
        missing.lazy()
        .with_columns(c("missing_code").cast(pl.String))
        .join(codes, on="missing_code")
        .group_by("lot")
        .agg(c("rank").min(), c("breaks_bridge").any().alias("is_broken"))
        .join(codes.select("rank", "missing_code"), on="rank", how="left")
    )
    won = c("exported_g") + c("at_pit_g") + c("at_plant_g") + c("in_store_g")
    worth = {"copper": "copper_g", "won": "won_g", "exported": "exported_g", "port": "port_g", "payable": "payable_g"}
    return (
        origins.lazy()
        .join(exported.lazy(), on="lot", how="left")
        .join(fob, on="lot", how="left")
        .join(lacking, on="lot", how="left")
        .with_columns(
            won.alias("won_g"), c(*_EXPORTED.values(), "fob", "guessed", "fob_low", "fob_high").fill_null(0),
            (~c("is_broken").fill_null(False)).alias("is_complete"),
        )
        .with_columns(
            narrow(rounded(wide(c(g)) * c("copper_uusd_per_t"), _WORTH_PER_CENT)).alias(name) for name,
            g in worth.items()
        )
        .with_columns(
            pl.when(c("has_terms").fill_null(True)).then(c(name)).alias(name)
            for name in ("payable", *(name for name in _EXPORTED.values() if name != "port_g"))
        )
        .collect(engine="streaming")
    )  # fmt: skip


def exported_of(scan: Scan, lots: pl.DataFrame, shares: Shares) -> pl.DataFrame:
    """By origin lot, what of the terms of exported lots falls to it, and whether all of them tell their terms."""
    valued = (
        scan("intermediate.int_export__lots_valued")
        .select("lot_key", "is_synthetic", "is_final", "has_terms", c(*_EXPORTED).fill_null(0))
        .join(lots.lazy().select("lot", "lot_key", "is_synthetic"), on=("lot_key", "is_synthetic"))
        .join(shares.wholes.lazy().filter(~c("is_feed")), on="lot", how="left")
        # a lot without shares is its own origin
        .with_columns(c("lot_g").fill_null(1), pl.coalesce("largest", "lot").alias("largest"))
    )
    parts = (
        valued.join(shares.parts.lazy().filter(~c("is_feed")), on="lot", how="left")
        .with_columns(c("copper_g").fill_null(1), pl.coalesce("origin", "lot").alias("origin"))
        .select(
            "lot",
            "origin",
            "is_final",
            "has_terms",
            *(part(c(whole), c("copper_g"), c("lot_g")).alias(name) for whole, name in _EXPORTED.items()),
        )
    )
    taken = parts.group_by("lot").agg(c(*_EXPORTED.values()).sum())
    rests = valued.join(taken, on="lot").select(
        c("largest").alias("origin"),
        "is_final",
        "has_terms",
        *(c(whole) - c(name) for whole, name in _EXPORTED.items()),
    )
    return (
        pl.concat([parts.drop("lot"), rests.rename(_EXPORTED)])
        .group_by(c("origin").alias("lot"))
        .agg(c("is_final", "has_terms").all(), c(*_EXPORTED.values()).sum())
        .collect(engine="streaming")
    )


def bridges(bridge: pl.DataFrame) -> pl.LazyFrame:
    """fct_lot_value_bridge."""
    return bridge.lazy().select(
        "lot_key", c("lot_kind").alias("lot_kind_code"), c("form").alias("product_form_code"), "department_code",
        "operator_key", "reinfo_key", "registry_state", c("first_date").alias("reference_date"),
        decimal(c("copper_uusd_per_t"), 6).alias("reference_copper_usd_per_t"),
        c("copper_basis_code").alias("reference_price_basis_code"),
        tonnes(c("wet_g")).alias("mass_wmt"),
        tonnes(c("dry_g")).alias("mass_dmt"),
        tonnes(c("copper_g")).alias("copper_t"),
        tonnes(c("payable_g")).alias("payable_copper_t"),
        usd(c("copper")).alias("lme_contained_usd"),
        usd(c("copper") - c("won")).alias("metallurgical_loss_usd"),
        usd(c("exported") - c("port")).alias("assay_difference_usd"),
        usd(c("port") - c("payable")).alias("payability_loss_usd"),
        usd(c("payable")).alias("payable_lme_usd"),
        usd(c("tc_rc")).alias("tc_rc_usd"),
        usd(c("penalties")).alias("penalties_usd"),
        usd(c("credits")).alias("credits_usd"),
        usd(c("metal") - c("payable")).alias("qp_effect_usd"),
        usd(
            c("fob") - pl.coalesce(c("metal") - c("tc_rc") - c("penalties") + c("credits"), "port", 0)
        ).alias("unexplained_usd"),
        usd(c("fob")).alias("fob_usd"),
        usd(c("won") - c("exported")).alias("not_followed_usd"),
        usd(c("guessed")).alias("fob_imputed_usd"),
        usd(c("fob_low")).alias("fob_low_usd"),
        usd(c("fob_high")).alias("fob_high_usd"),
        "is_complete", c("is_final").fill_null(False).alias("is_fob_final"), "missing_code", "is_synthetic",
    )  # fmt: skip


def links_of(flows: pl.DataFrame) -> pl.DataFrame:
    """What each link took in and paid on an origin lot, in cents."""
    is_own, none = c("payee") == c("payer"), pl.lit(0, dtype=pl.Int64)
    low, high = (pl.when(is_own).then(c("cents")).otherwise(c(bound)) for bound in ("low_cents", "high_cents"))
    sides = pl.concat([
        flows.lazy().select(
            "origin", c("payee").alias("link"), "basis", c("cents").alias("revenue"), none.alias("purchases"),
            low.alias("low_cents"), high.alias("high_cents"), "transfer_count",
        ),
        flows.lazy().filter(c("payer") != "ABROAD").select(
            "origin", c("payer").alias("link"), "basis", none.alias("revenue"), c("cents").alias("purchases"),
            -high.alias("low_cents"), -low.alias("high_cents"), "transfer_count",
        ),
    ])  # fmt: skip
    turnover = c("revenue") + c("purchases")
    is_imputed, is_modelled = c("basis") == "imputed", c("basis") == "modelled"
    return (
        sides.group_by("origin", "link")
        .agg(
            c("revenue", "purchases", "low_cents", "high_cents", "transfer_count").sum(),
            turnover.sum().alias("turnover"),
            turnover.filter(is_modelled).sum().alias("modelled"),
            turnover.filter(is_imputed).sum().alias("imputed"),
            c("basis").max().alias("basis"),
        )
        .collect(engine="streaming")
    )


def margins_of(links: pl.DataFrame, lots: pl.DataFrame, bridge: pl.DataFrame) -> pl.LazyFrame:
    """fct_lot_link_margin."""
    margin, observed = c("revenue") - c("purchases"), c("turnover") - c("modelled") - c("imputed")
    of_bridge = bridge.lazy().select("lot", "copper_g", "dry_g", "is_complete")
    none = pl.lit(None, dtype=pl.Decimal(18, 2))
    return (
        links.lazy()
        .join(lots.lazy().select("lot", "lot_key", "is_synthetic"), left_on="origin", right_on="lot")
        .join(of_bridge, left_on="origin", right_on="lot", how="left")
        .select(
            "lot_key", c("link").alias("link_code"), usd(c("revenue")).alias("revenue_usd"),
            usd(c("purchases")).alias("purchases_usd"), usd(margin).alias("gross_margin_usd"),
            usd(c("low_cents")).alias("gross_margin_low_usd"), usd(c("high_cents")).alias("gross_margin_high_usd"),
            none.alias("direct_cost_usd"), none.alias("net_margin_low_usd"),
            usd(c("high_cents")).alias("net_margin_high_usd"),
            decimal(quotient(double(margin, 2), double(c("copper_g"), 6), 4), 4).alias("gross_margin_usd_per_t"),
            decimal(quotient(double(margin, 2), double(c("dry_g"), 6), 4), 4).alias("gross_margin_usd_per_dmt"),
            usd(observed).alias("observed_usd"), usd(c("modelled")).alias("modelled_usd"),
            usd(c("imputed")).alias("imputed_usd"),
            decimal(quotient(double(observed, 0), double(c("turnover"), 0), 6), 6).alias("observed_share_frac"),
            c("basis").alias("value_basis_code"), "transfer_count", c("is_complete").fill_null(False), "is_synthetic",
        )
    )  # fmt: skip


def chain_of(links: pl.DataFrame, bridge: pl.DataFrame) -> pl.LazyFrame:
    """mart_value_chain_margin."""
    place = ("month", "department_code", "product_form_code", "registry_state", "is_synthetic")
    lots = (
        bridge.lazy()
        .select(
            "lot",
            c("first_date").dt.truncate("1mo").alias("month"),
            c("department_code").fill_null("--"),
            c("form").fill_null("--").alias("product_form_code"),
            "registry_state", "is_synthetic", "operator_key", "copper_g", "dry_g", "copper", "payable", "fob",
            "is_complete", (c("is_complete") & ~c("is_final").fill_null(False)).alias("is_provisional"),
        )
        .collect(engine="streaming")
        .lazy()
    )  # fmt: skip
    cells = lots.group_by(place).agg(
        pl.len().cast(pl.Int64).alias("cell_lot_count"),
        c("is_complete").sum().cast(pl.Int64).alias("complete_lot_count"),
        c("is_provisional").sum().cast(pl.Int64).alias("provisional_lot_count"),
        total(c("copper_g")).alias("copper_g"),
        total(c("dry_g")).alias("dry_g"),
        *(total(c(name).filter("is_complete")).alias(name) for name in ("copper", "payable", "fob")),
    )
    margin, observed = c("revenue") - c("purchases"), c("turnover") - c("modelled") - c("imputed")
    by_link = (
        links.lazy()
        .join(lots, left_on="origin", right_on="lot")
        .group_by(*place, c("link").alias("link_code"))
        .agg(
            pl.len().cast(pl.Int64).alias("lot_count"),
            c("operator_key").drop_nulls().n_unique().cast(pl.Int64).alias("operator_count"),
            c("revenue", "purchases", "low_cents", "high_cents", "modelled", "imputed", "turnover").sum(),
            margin.sum().alias("margin"),
            margin.filter(c("copper_g") > 0).sum().alias("of_copper"),
            margin.filter(c("dry_g") > 0).sum().alias("of_mass"),
            total(margin.filter("is_complete")).alias("complete"),
            observed.sum().alias("observed"),
        )
    )
    return by_link.join(cells, on=place).select(
        "month", "department_code", "product_form_code", "link_code", "registry_state", "lot_count", "operator_count",
        "cell_lot_count", "complete_lot_count", "provisional_lot_count", usd(c("revenue")).alias("revenue_usd"),
        usd(c("purchases")).alias("purchases_usd"), usd(c("margin")).alias("gross_margin_usd"),
        usd(c("low_cents")).alias("gross_margin_low_usd"), usd(c("high_cents")).alias("gross_margin_high_usd"),
        tonnes(c("copper_g")).alias("copper_t"), tonnes(c("dry_g")).alias("mass_dmt"),
        usd(c("of_copper")).alias("copper_known_gross_margin_usd"),
        usd(c("of_mass")).alias("mass_known_gross_margin_usd"),
        decimal(quotient(double(c("of_copper"), 2), double(c("copper_g"), 6), 4), 4).alias("gross_margin_usd_per_t"),
        decimal(quotient(double(c("of_mass"), 2), double(c("dry_g"), 6), 4), 4).alias("gross_margin_usd_per_dmt"),
        usd(c("complete").fill_null(0)).alias("complete_gross_margin_usd"),
        usd(c("copper").fill_null(0)).alias("lme_contained_usd"),
        usd(c("payable").fill_null(0)).alias("payable_lme_usd"),
        usd(c("fob").fill_null(0)).alias("fob_usd"),
        _share("complete", "copper").alias("share_of_lme_contained_frac"),
        _share("complete", "payable").alias("share_of_payable_frac"),
        _share("complete", "fob").alias("share_of_fob_frac"),
        _share("observed", "turnover").alias("observed_share_frac"),
        _share("imputed", "turnover").alias("imputed_share_frac"),
        _share("modelled", "turnover").alias("modelled_share_frac"),
        "is_synthetic",
    )  # fmt: skip


def _share(cents: str, of_cents: str) -> pl.Expr:
    return decimal(quotient(double(c(cents), 2), double(c(of_cents), 2), 6), 6)
