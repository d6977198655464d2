"""What is usually paid on lots like these, and what is therefore taken to have been paid where papers lose sight of a lot."""

from __future__ import annotations

import polars as pl

from benchmarks._ledger_polars.amounts import (
    BASIS,
    CODE,
    KIND,
    LINK,
    PPM,
    c,
    code,
    double,
    from_double,
    high,
    high_cents,
    low,
    low_cents,
    rounded,
    to_cents,
    units,
    wide,
)  # fmt: skip
from benchmarks._ledger_polars.origins import deal_of
from benchmarks._ledger_polars.paid import Scan
from benchmarks._ledger_polars.ratios import FEATURES, Reference, cells, ranged

#: In the order of preference where one lot is lost in two ways.
_LOSS = pl.Enum(["NO_CAMPAIGN", "NO_EXPORT", "NO_FEED", "NO_LOAD", "NO_MIX", "UNTOLD"])
_SITUATION = ("deal_code", "seller_code", "form_code", "band")
_WORTH = ("central_uusd", "low_uusd", "high_uusd")


def usual_cells(
    scan: Scan, situations: pl.DataFrame, booked: pl.DataFrame, edges: pl.DataFrame, reference: Reference
) -> pl.DataFrame:
    """Amounts by worth of copper of those lots that are known to have or not to have them, and recoveries of copper."""
    known = situations.lazy().filter(c("central_uusd") > 0, c("deal_code") != "?", c("seller_code") != "?")
    paid = (
        booked.lazy()
        .filter(c("basis") == "observed")
        .join(known, on="lot")
        .join(_chain(scan), on=("kind", "stage_code"))
        .group_by("lot", "kind", "payee", "payer", "is_always", "stage_code")
        .agg(c("cents").sum(), *(c(name).first() for name in (*_SITUATION, "central_uusd", "is_synthetic")))
        .with_columns(
            pl.concat_str(c("stage_code", "kind", "payee", "payer").cast(pl.String), separator="/", ignore_nulls=True)
            .cast(CODE).alias("kind_code")
        )
        .collect(engine="streaming")
        .lazy()
    )  # fmt: skip
    with_flow = paid.select(
        "kind_code", code("CONTAINED").alias("base_code"),
        *(c(name).alias(feature) for name, feature in zip(_SITUATION, FEATURES, strict=True)),
        (c("cents") * 10_000).alias("amount"), c("central_uusd").alias("base"),
        pl.lit(1, dtype=pl.Int64).alias("row_weight"),
        "is_synthetic",
    )  # fmt: skip
    usual = pl.concat([with_flow, _without_flow(situations, paid), _recovered(known, edges)]).collect(
        engine="streaming"
    )
    return cells(usual, reference, amount_scale=6)


def _chain(scan: Scan) -> pl.LazyFrame:
    flows = scan("reference.chain_flows")
    return flows.select(c("kind_code").cast(KIND).alias("kind"), c("stage_code").cast(CODE), "is_always")


def _without_flow(situations: pl.DataFrame, paid: pl.LazyFrame) -> pl.LazyFrame:
    """Lots of which papers tell and that have no such flow, as amounts of zero."""
    any_kind = code("ANY").alias("counted_code")
    bought = situations.lazy().filter(
        c("stage_code") == "CAMPAIGN", c("deal_code") == "BOUGHT", c("central_uusd") > 0, c("seller_code") != "?"
    )
    counted_code = c("kind").cast(CODE).alias("counted_code")
    counted = pl.concat([
        paid.select("lot", "stage_code", any_kind).unique(),
        paid.filter("is_always").select("lot", "stage_code", counted_code).unique(),
        bought.select("lot", "stage_code", any_kind),
    ])  # fmt: skip
    of_lots = situations.lazy().select("lot", *_SITUATION, "is_synthetic", "central_uusd")
    counted_lots = (
        counted.join(of_lots, on="lot")
        .group_by("stage_code", "counted_code", *_SITUATION, "is_synthetic")
        .agg(pl.len().cast(pl.Int64).alias("lot_count"), c("central_uusd").sum().alias("base"))
    )
    kinds = paid.select(
        "kind_code",
        "is_synthetic",
        "stage_code",
        pl.when("is_always").then(counted_code).otherwise(any_kind).alias("counted_code"),
    ).unique()
    lots_with = paid.group_by("kind_code", *_SITUATION, "is_synthetic").agg(
        pl.len().cast(pl.Int64).alias("with_count"), c("central_uusd").sum().alias("with_base")
    )
    without_count = c("lot_count") - c("with_count").fill_null(0)
    return (
        counted_lots.join(kinds, on=("stage_code", "counted_code", "is_synthetic"))
        .join(lots_with, on=("kind_code", *_SITUATION, "is_synthetic"), how="left")
        .filter(without_count > 0)
        .select(
            "kind_code", code("CONTAINED").alias("base_code"),
            *(c(name).alias(feature) for name, feature in zip(_SITUATION, FEATURES, strict=True)),
            pl.lit(0, dtype=pl.Int64).alias("amount"),
            (c("base") - c("with_base").fill_null(0)).alias("base"), without_count.alias("row_weight"), "is_synthetic",
        )
    )  # fmt: skip


def _recovered(known: pl.LazyFrame, edges: pl.DataFrame) -> pl.LazyFrame:
    return (
        edges.lazy()
        .filter(c("to_kind").is_in(["PRODUCT", "TAILINGS"]))
        .group_by(c("from_lot").alias("lot"))
        .agg(c("copper_g").filter(c("to_kind") == "PRODUCT").sum().alias("amount"), c("copper_g").sum().alias("base"))
        .join(known, on="lot")
        .select(
            code("RECOVERY").alias("kind_code"), code("FED").alias("base_code"),
            c("form_code").alias("feature_1"), c("band").alias("feature_2"), code("--").alias("feature_3"),
            code("--").alias("feature_4"), "amount", "base", pl.lit(1, dtype=pl.Int64).alias("row_weight"),
            "is_synthetic",
        )
    )  # fmt: skip


def untold_amounts(
    scan: Scan, situations: pl.DataFrame, booked: pl.DataFrame, ends: pl.DataFrame, missing: pl.DataFrame,
    usual: pl.DataFrame, reference: Reference,
) -> pl.DataFrame:  # fmt: skip
    """Amounts on lots of which no paper tells, in cents with bounds."""
    lost = _lost(scan, situations, ends, missing, reference)
    recoveries = ranged(_recoveries(lost), usual, reference).select(
        "lot", *(c(f"{bound}_ppm").alias(f"recovery_{bound}_ppm") for bound in ("low", "central", "high"))
    )
    # what is needed for the most that was lost is the most at the least recovery
    through = {
        "base": ("central_uusd", "central", "central"),
        "base_low": ("low_uusd", "low", "high"),
        "base_high": ("high_uusd", "high", "low"),
    }
    based = (
        ranged(_beyond(scan, lost, booked, usual), usual, reference)
        .filter(c("central_ppm") != 0)
        .join(recoveries, on="lot", how="left")
        .with_columns(
            _through(c(worth), c(f"recovery_{won}_ppm"), c(f"recovery_{needed}_ppm")).alias(name)
            for name, (worth, won, needed) in through.items()
        )
    )
    is_none = (c("loss_code") == "UNTOLD") & (c("low_ppm") <= 0)
    product = pl.when(is_none).then(pl.lit(0, dtype=pl.Int128)).otherwise(wide(c("central_ppm")) * c("base"))
    least, most = low(c("low_ppm"), c("base_low"), c("base_high")), high(c("high_ppm"), c("base_low"), c("base_high"))
    cents = to_cents(product)
    return (
        based.select(
            "lot", pl.lit(False).alias("is_feed"), "kind", "payee", "payer",
            pl.lit("imputed", dtype=BASIS).alias("basis"), cents.alias("cents"),
            (cents - low_cents(product, least)).alias("below"), (high_cents(product, most) - cents).alias("above"),
        )
        .with_row_index("transfer")
        .collect(engine="streaming")
    )  # fmt: skip


def _through(worth: pl.Expr, won_ppm: pl.Expr, needed_ppm: pl.Expr) -> pl.Expr:
    """Worth at the stage that pays; at twelve decimals before, at six after. Doubles, since one of the ways divides."""
    ten_decimals = rounded(worth, 100)
    needed = pl.when(needed_ppm != 0).then(double(ten_decimals, 10) / double(needed_ppm, 6))
    return from_double(
        pl.when(c("through_code") == "RECOVERED")
        .then(double(ten_decimals * won_ppm, 16))
        .when(c("through_code") == "NEEDED")
        .then(needed)
        .otherwise(double(worth * 10_000, 16)),
        6,
    )


def _lost(
    scan: Scan, situations: pl.DataFrame, ends: pl.DataFrame, missing: pl.DataFrame, reference: Reference
) -> pl.LazyFrame:
    """Lots of which papers lose sight, with the worth of what they lose at twelve decimals."""
    of_end = {"PIT": "NO_LOAD", "LOAD": "NO_CAMPAIGN", "PRODUCT": "NO_EXPORT"}
    whole = pl.lit(PPM, dtype=pl.Int64).alias("left_ppm")
    named = scan("intermediate.int_document__named").filter(
        units("missing_frac") > reference.rules_ppm["PAPERS_MISSING_FRAC"]
    )
    losses = pl.concat([
        ends.lazy()
        .filter(c("end_code").cast(pl.String).is_in(list(of_end)))
        .select(
            "lot",
            c("end_code").cast(pl.String).replace_strict(of_end, return_dtype=_LOSS).alias("loss_code"),
            "left_ppm",
        ),
        missing.lazy()
        .filter(c("missing_code").cast(pl.String).is_in(["NO_MIX", "NO_FEED"]))
        .select("lot", c("missing_code").cast(pl.String).cast(_LOSS).alias("loss_code"), whole),
        situations.lazy()
        .join(named, on="is_synthetic")
        .select("lot", pl.lit("UNTOLD", dtype=_LOSS).alias("loss_code"), whole),
    ])  # fmt: skip
    return (
        losses.join(situations.lazy().filter(c("central_uusd") > 0), on="lot")
        .with_columns(wide(c(worth)) * c("left_ppm") for worth in _WORTH)
        .drop("left_ppm")
        .collect(engine="streaming")
        .lazy()
    )


def _recoveries(lost: pl.LazyFrame) -> pl.LazyFrame:
    is_product = c("stage_code") == "PRODUCT"
    return (
        lost.filter(c("loss_code").is_in(["NO_LOAD", "NO_CAMPAIGN", "NO_FEED"]))
        .select(
            code("RECOVERY").alias("kind_code"), code("FED").alias("base_code"), "lot", "is_synthetic",
            pl.when(is_product).then(code("--")).otherwise(c("form_code")).alias("feature_1"),
            pl.when(is_product).then(code("--")).otherwise(c("band")).alias("feature_2"),
            code("--").alias("feature_3"), code("--").alias("feature_4"),
        )
        .unique()
    )  # fmt: skip


def _beyond(scan: Scan, lost: pl.LazyFrame, booked: pl.DataFrame, usual: pl.DataFrame) -> pl.LazyFrame:
    """What is usually paid at the stages that a lost lot goes through, less what papers tell of it."""
    path = c("kind_code").cast(pl.String).str.split("/")
    usually = (
        usual.lazy()
        .filter(c("base_code") == "CONTAINED", c("cell_level") == 0)
        .select(
            "kind_code", "is_synthetic", path.list.get(0).cast(CODE).alias("paid_stage_code"),
            path.list.get(1).cast(KIND).alias("kind"), path.list.get(2).cast(LINK).alias("payee"),
            path.list.get(3).cast(LINK).alias("payer"),
        )
    )  # fmt: skip
    stages = scan("reference.lot_loss_stages").select(
        c("loss_code").cast(_LOSS), c("stage_code").cast(CODE).alias("paid_stage_code"), "through_code"
    )
    told = (
        booked.lazy()
        .join(lost, on="lot", how="semi")
        .group_by("lot", "kind")
        .agg(c("is_documented").any(), pl.lit(True).alias("is_told"))
    )
    sold = told.filter(c("kind") == "ORE_AT_PLANT").select("lot", c("is_documented").alias("is_sold"))
    is_untold, is_here = c("loss_code") == "UNTOLD", c("stage_code") == c("paid_stage_code")
    is_sold_by_paper = (
        is_untold & c("kind").is_in(["BILLER_FEE", "ORE_BETWEEN_COLLECTORS"]) & c("is_sold").fill_null(False)
    )
    deal = deal_of(c("kind"), c("payee"))
    is_deal_told = c("deal_code").cast(pl.String).is_in(["BOUGHT", "TOLL"])
    is_of_other_deal = (is_deal_told & (deal != c("deal_code").cast(pl.String))).fill_null(False)
    is_pit, at_pit = c("stage_code") == "PIT", c("paid_stage_code") == "PIT"
    seller = (
        pl.when(c("paid_stage_code").cast(pl.String).is_in(["CAMPAIGN", "PRODUCT"])).then(code("--"))
        .when(c("stage_code") == "PRODUCT").then(code("?"))
        .when(at_pit).then(code("COLLECTOR"))
        .otherwise(c("seller_code"))
    )  # fmt: skip
    return (
        lost.join(stages, on="loss_code")
        .join(usually, on=("paid_stage_code", "is_synthetic"))
        .join(told.drop("is_documented"), on=("lot", "kind"), how="left")
        .join(sold, on="lot", how="left")
        .filter(~is_untold | is_here, c("is_told").is_null() | ~is_here, ~is_sold_by_paper, ~is_of_other_deal)
        .sort("loss_code")
        .unique(("lot", "kind_code"), keep="first", maintain_order=True)
        .select(
            "lot", "is_synthetic", "loss_code", "kind_code", code("CONTAINED").alias("base_code"), "kind", "payee",
            "payer",
            pl.when(is_pit & ~at_pit).then(code("?")).otherwise(c("deal_code")).alias("feature_1"),
            seller.alias("feature_2"), c("form_code").alias("feature_3"), c("band").alias("feature_4"), "through_code",
            *_WORTH,
        )
    )  # fmt: skip
