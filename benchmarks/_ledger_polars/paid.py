"""Lots, and what vouchers and sheets show was paid on them or lead us to expect."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import polars_hash  # noqa: F401 (registers md5)

from benchmarks._ledger_polars.amounts import CODE, KIND, LINK, LOT_KIND, c, narrow, rounded, total, units, wide

Scan = Callable[[str], pl.LazyFrame]
#: What a lot is known by in every input.
LOT = ("lot_key", "is_synthetic")


def lots_told(scan: Scan) -> pl.DataFrame:
    """Numbered in the order of their codes, so that ties go to the first code by number too."""
    return (
        scan("marts.dim_lot")
        .sort("is_synthetic", "lot_key")
        .select(
            *LOT,
            c("lot_kind_code").cast(LOT_KIND).alias("lot_kind"),
            c("product_form_code").cast(CODE).alias("form"),
            "first_date",
            units("mass_wmt").alias("wet_g"),
            units("mass_dmt").alias("dry_g"),
            "cu_pct",
            "copper_g",
            "operator_key",
            "reinfo_key",
            c("origin_ubigeo_code", "department_code", "plant_key").cast(CODE),
            "is_origin",
        )
        .with_row_index("lot")
        .collect(engine="streaming")
    )


def paid_on(scan: Scan, lots: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Transfers, the expected ones without a value, and the lots with those that vouchers alone tell of."""
    observed = _observed(scan).collect(engine="streaming")
    both = pl.concat([observed.lazy(), _unseen(scan, observed)], how="diagonal").drop("implied")
    numbers = lots.lazy().select("lot", *LOT)
    paid = both.join(numbers, on=LOT, how="left").collect(engine="streaming")
    untold = _untold(scan, paid, lots.height)
    if untold.height:
        of_untold = paid.lazy().filter(c("lot").is_null()).drop("lot").join(untold.lazy().select("lot", *LOT), on=LOT)
        known = paid.lazy().filter(c("lot").is_not_null())
        paid = pl.concat([known, of_untold.select(paid.columns)]).collect(engine="streaming")
    return paid.with_row_index("transfer"), pl.concat([lots, untold], how="diagonal")


def _observed(scan: Scan) -> pl.LazyFrame:
    vouched = _vouched(scan)
    implied = (
        scan("intermediate.int_transfer__implied")
        .with_row_index("implied")
        .with_columns(
            c("kind_code").cast(KIND),
            c("sheet_code").cast(CODE),
            _buyer().alias("sold_to"),
            *(units(mass).alias(g) for mass, g in (("mass_wmt", "wet_g"), ("mass_dmt", "dry_g"))),
            units("sheet_value_usd").alias("sheet_cents"),
            narrow(c("copper_g")),
            c("product_form_code").cast(CODE),
        )
        .drop("mass_wmt", "mass_dmt", "sheet_value_usd", "match_date", "match_value_usd", "match_mass_t", "why_code")
    )
    is_vouched, at_pit = c("transfer_key").is_not_null(), c("kind_code") == "ORE_AT_PIT"
    both = (*LOT, "kind_code", "payee_key", "haul_key")
    joined = (
        vouched.with_columns(_buyer().alias("sold_to"))
        .join(implied, on=("kind_code", *LOT, "sold_to"), how="full", suffix="_implied")
        .join(_tolerances(scan), on="kind_code", how="left")
        .filter(is_vouched | (c("sheet_cents").is_not_null() & c("payee_key_implied").is_not_null()))
        .with_columns(
            pl.coalesce("invoicing_party_key", "invoicing_party_key_implied", "payee_key_implied"),
            pl.coalesce("operator_key", pl.when(at_pit).then(c("payee_key"))),
            pl.when(is_vouched).then(c("payer_key")).otherwise(c("payer_key_implied")),
            pl.coalesce("wet_g", pl.when(at_pit).then(c("quantity_g"))).alias("wet_g"),
            *(pl.coalesce(name, f"{name}_implied") for name in both),
            c("voucher_count").fill_null(0),
            c("has_final").fill_null(False),
            _is_whole(is_vouched).alias("is_whole"),
        )
        .with_columns(
            pl.when("is_whole").then(c("voucher_cents")).otherwise(c("sheet_cents")).alias("value_cents"),
            pl.when("is_whole").then(c("last_date")).otherwise(c("expected_date")).alias("transfer_date"),
            pl.when(c("kind_code").is_in(["ORE_AT_PLANT", "CONCENTRATE"]))
            .then(c("payer_key"))
            .alias("sheet_buyer_key"),
        )
        .filter(c("value_cents").is_not_null())
    )
    key = pl.coalesce("transfer_key", _key())
    is_provisional = (~c("is_whole") & (c("sheet_code") == "PROVISIONAL")) | (
        c("kind_code").is_in(["CONCENTRATE", "EXPORT"]) & c("sheet_code").is_null() & ~c("has_final")
    )
    in_pen = narrow(rounded(wide(c("value_cents")) * units("pen_per_usd"), 10**6))
    is_compared = c("is_whole") & (c("sheet_code") != "PROVISIONAL")
    return (
        _with_roles(scan, joined)
        .join(_carriers(scan), on=("haul_key", "is_synthetic"), how="left")
        .join(
            scan("intermediate.int_settlement__sales").select(
                c("buyer_key").alias("sheet_buyer_key"), *LOT, c("detraction_deposit_id").alias("deposit_id")
            ),
            on=("sheet_buyer_key", *LOT), how="left",
        )
        .join(_rates(scan), on=("transfer_date", "is_synthetic"), how="left")
        .select(
            "implied",
            key.alias("transfer_key"),
            "kind_code", "lot_key", "payee_key", "payee_role_code", "payer_key", "payer_role_code",
            "invoicing_party_key", "operator_key", "reinfo_key", "transfer_date",
            pl.coalesce("first_date", "expected_date").alias("first_date"),
            "product_form_code", "wet_g", "dry_g", "cu_pct", "copper_g", "value_cents",
            pl.coalesce(pl.when("is_whole").then(c("value_pen_cents")), in_pen).alias("value_pen_cents"),
            "pen_per_usd", "fx_series_code",
            pl.when("is_whole").then(pl.lit("VOUCHER")).otherwise(pl.lit("SHEET")).alias("value_evidence_code"),
            is_provisional.alias("is_provisional"),
            "voucher_cents", "sheet_cents",
            pl.when(is_compared).then(c("voucher_cents") - c("sheet_cents")).alias("difference_cents"),
            "voucher_count", "invoice_key", "sheet_code", "sheet_id", "sender_waybill_key", "carrier_waybill_key",
            "ticket_id", "deposit_id",
            c("method_rank").replace_strict({3: "SCORED", 2: "NAMED", 1: "KEY"}, return_dtype=pl.String)
            .fill_null("SHEET").alias("match_method_code"),
            "match_score", "is_synthetic",
        )
    )  # fmt: skip


def _vouched(scan: Scan) -> pl.LazyFrame:
    """Vouchers by transfer, whose key says all five columns that make it; a sale's first voucher is its invoice."""
    is_sale = c("part_code") == "SALE"
    order = pl.concat_str(
        (~is_sale).cast(pl.String), c("issue_date").cast(pl.String), "document_key", ignore_nulls=True
    )
    in_pen = (c("currency_code").min() == "PEN") & (c("currency_code").max() == "PEN")
    method = pl.when(c("method_code") == "SCORED").then(3).when(c("method_code") == "NAMED").then(2).otherwise(1)
    return (
        scan("intermediate.int_transfer__vouchers")
        .with_columns(order.alias("nth"))
        .group_by("transfer_key")
        .agg(
            c("kind_code").first().cast(KIND),
            c("lot_key", "payee_key", "payer_key", "is_synthetic").first(),
            total(units("value_usd")).alias("voucher_cents"),
            (c("part_code") == "ADJUSTMENT").any().alias("has_adjustment"),
            c("is_final").any().alias("has_final"),
            c("issue_date").min().alias("first_date"),
            c("issue_date").max().alias("last_date"),
            pl.len().cast(pl.Int64).alias("voucher_count"),
            c("document_key").min_by("nth").alias("invoice_key"),
            c("issuer_key").min_by("nth").alias("invoicing_party_key"),
            pl.when(in_pen).then(total(units("net_amount"))).alias("value_pen_cents"),
            c("haul_key").max(),
            total(pl.when(is_sale).then(units("quantity_t"))).alias("quantity_g"),
            c("match_score").min(),
            method.max().alias("method_rank"),
        )
    )


def _buyer() -> pl.Expr:
    """One lot is sold to several collectors, and once to others."""
    return pl.when(c("kind_code") == "ORE_BETWEEN_COLLECTORS").then(c("payer_key")).otherwise(pl.lit("-"))


def _tolerances(scan: Scan) -> pl.LazyFrame:
    return (
        scan("reference.match_rules")
        .select(c("match_code").cast(KIND, strict=False).alias("kind_code"), c("value_tolerance_frac").cast(pl.Float64))
        .filter(c("kind_code").is_not_null())
    )


def _is_whole(is_vouched: pl.Expr) -> pl.Expr:
    difference = (c("voucher_cents") - c("sheet_cents")).abs()
    is_near = difference <= c("value_tolerance_frac") * c("sheet_cents").abs()
    return (
        pl.when(~is_vouched).then(False)
        .when("has_final").then(True)
        .when(c("sheet_code").is_in(["FINAL", "REGULARIZADA"])).then(c("has_adjustment") & is_near)
        .when(c("sheet_code") == "PROVISIONAL").then(False)
        .otherwise((c("voucher_cents") != 0) | c("sheet_cents").is_null())
    )  # fmt: skip


def _carriers(scan: Scan) -> pl.LazyFrame:
    kinds = (("WAYBILL_SENDER", "sender_waybill_key"), ("WAYBILL_CARRIER", "carrier_waybill_key"))
    return (
        scan("intermediate.int_haul__documents")
        .filter(c("kind_code").is_in([kind for kind, _ in kinds]), c("haul_key").is_not_null())
        .group_by("haul_key", "is_synthetic")
        .agg(c("document_key").filter(c("kind_code") == kind).min().alias(name) for kind, name in kinds)
    )


def _rates(scan: Scan) -> pl.LazyFrame:
    return scan("intermediate.int_price__daily").select(
        c("price_date").alias("transfer_date"), "is_synthetic", "pen_per_usd", "fx_series_code"
    )


def _unseen(scan: Scan, observed: pl.DataFrame) -> pl.LazyFrame:
    """What is implied and not observed; without a buyer no observed one is told to be the same."""
    implied = scan("intermediate.int_transfer__implied").with_row_index("implied").filter(c("why_code") != "POSSIBLE")
    seen = observed.lazy().select("implied", pl.lit(True).alias("is_seen")).unique("implied")
    is_open = (c("kind_code") == "ORE_BETWEEN_COLLECTORS") & c("payer_key").is_null()
    unseen = implied.join(seen, on="implied", how="left").filter(c("is_seen").is_null() | is_open)
    is_haulage = c("kind_code") == "HAULAGE"
    deducting = _deducting(scan, unseen.filter(is_haulage), implied.filter(c("kind_code") == "ORE_AT_PLANT"))
    valued = unseen.join(deducting, on=LOT, how="left").with_columns(
        pl.when(is_haulage)
        .then(pl.coalesce("deducting_plant_key", "payer_key"))
        .otherwise(c("payer_key"))
        .alias("payer_key"),
        c("kind_code").cast(KIND),
        c("expected_date").alias("transfer_date"),
    )
    return (
        _with_roles(scan, valued)
        .join(_rates(scan), on=("transfer_date", "is_synthetic"), how="left")
        .select(
            _key().alias("transfer_key"),
            "kind_code", "lot_key", "payee_key", "payee_role_code", "payer_key", "payer_role_code",
            "invoicing_party_key", "operator_key", "reinfo_key", "transfer_date",
            c("expected_date").alias("first_date"),
            c("product_form_code").cast(CODE),
            units("mass_wmt").alias("wet_g"),
            units("mass_dmt").alias("dry_g"),
            "cu_pct",
            narrow(c("copper_g")),
            "pen_per_usd", "fx_series_code",
            pl.lit(False).alias("is_provisional"),
            pl.lit(0, dtype=pl.Int64).alias("voucher_count"),
            "is_synthetic",
        )
    )  # fmt: skip


def _deducting(scan: Scan, unpaid: pl.LazyFrame, sales: pl.LazyFrame) -> pl.LazyFrame:
    """Plants that mostly deduct freight, by lot that came to them and of which no sheet of theirs tells."""
    sheets = scan("intermediate.int_settlement__sales").rename({"buyer_key": "receiver_key"})
    practice = (
        sheets.filter(c("lot_kind_code") == "LOAD")
        .group_by("receiver_key", "is_synthetic")
        .agg(((c("freight_usd") > 0).sum() * 2 > pl.len()).alias("is_usual"))
        .filter("is_usual")
    )
    return (
        scan("intermediate.int_lot__arrivals")
        .join(unpaid, on=LOT, how="semi")
        .join(practice, on=("receiver_key", "is_synthetic"), how="semi")
        .join(sheets, on=("receiver_key", *LOT), how="anti")
        .join(sales, on=LOT, how="semi")
        .group_by(LOT)
        .agg(c("receiver_key").min().alias("deducting_plant_key"))
    )


def _key() -> pl.Expr:
    words = ("kind_code", "lot_key", "payee_key", "payer_key", "is_synthetic")
    said = [c(word).cast(pl.String).fill_null("-" if word == "payer_key" else "") for word in words]
    return pl.concat_str(said, separator=" ").nchash.md5()


def _with_roles(scan: Scan, transfers: pl.LazyFrame) -> pl.LazyFrame:
    """What payee and payer are in the chain."""
    roles = (
        scan("intermediate.int_party__roles")
        .group_by("party_key", "is_synthetic")
        .agg(
            (c("role_code") == "PLANT").any().alias("is_plant"),
            (c("role_code") == "COLLECTOR").any().alias("is_collector"),
            (c("role_code") == "TRADER").any().alias("is_trader"),
        )
    )
    heaps = (
        scan("intermediate.int_lot__batch_lines")
        .filter("is_heap", c("stream_code") == "PRODUCT")
        .select(*LOT, pl.lit(True).alias("is_heap"))
        .unique()
    )
    rows = transfers.join(heaps, on=LOT, how="left")
    for end in ("payee", "payer"):
        told = ("is_plant", "is_collector", "is_trader")
        of_end = roles.rename({"party_key": f"{end}_key", **{name: f"{end}_{name}" for name in told}})
        rows = rows.join(of_end, on=(f"{end}_key", "is_synthetic"), how="left")
    return rows.with_columns(
        _role("payee", {
            "HAULAGE": "HAULIER", "LABORATORY": "LABORATORY", "BILLER_FEE": "BILLER",
            "CONCESSION_FEE": "CONCESSION_HOLDER", "EXPORT": "TRADER", "MILLING": "PLANT", "ORE_AT_PIT": "OPERATOR",
            "ORE_BETWEEN_COLLECTORS": "COLLECTOR",
        }),
        _role("payer", {
            "EXPORT": "ABROAD", "CONCENTRATE": "TRADER", "ORE_AT_PLANT": "PLANT", "ORE_AT_PIT": "COLLECTOR",
            "ORE_BETWEEN_COLLECTORS": "COLLECTOR", "CONCESSION_FEE": "OPERATOR",
        }),
    )  # fmt: skip


def _role(end: str, by_kind: dict[str, str]) -> pl.Expr:
    """Of some kinds of transfer the role is given; otherwise it is what the party is as an owner of ore."""
    given = c("kind_code").replace_strict(by_kind, default=None, return_dtype=LINK)
    owner = (
        pl.when(c(f"{end}_key") == c("operator_key")).then(pl.lit("OPERATOR", dtype=LINK))
        .when(f"{end}_is_plant").then(pl.lit("PLANT", dtype=LINK))
        .when(c(f"{end}_is_collector") | c("is_heap")).then(pl.lit("COLLECTOR", dtype=LINK))
        .when(f"{end}_is_trader").then(pl.lit("TRADER", dtype=LINK))
        .otherwise(pl.lit("OPERATOR", dtype=LINK))
    )  # fmt: skip
    return pl.coalesce(given, owner).alias(f"{end}_role_code")


def _untold(scan: Scan, paid: pl.DataFrame, known: int) -> pl.DataFrame:
    """Lots that vouchers alone tell of, numbered after the others."""
    of_kind = {
        "MILLING": "TAILINGS", "ORE_AT_PIT": "PIT", "CONCENTRATE": "PRODUCT", "EXPORT": "PRODUCT",
    }  # fmt: skip
    patterns = scan("reference.lot_code_patterns").select("pattern", "lot_kind_code").collect()
    of_code = [pl.when(c("lot_key").str.contains(pattern)).then(pl.lit(kind)) for pattern, kind in patterns.iter_rows()]
    return (
        paid.lazy()
        .filter(c("lot").is_null())
        .group_by(LOT)
        .agg(
            c("first_date").min(),
            c("kind_code").replace_strict(of_kind, default=None, return_dtype=pl.String).max().alias("paid_kind"),
            c("product_form_code").cast(pl.String).min().cast(CODE).alias("form"),
            c("wet_g", "dry_g", "cu_pct", "copper_g").max(),
            c("operator_key", "reinfo_key").min(),
        )
        .select(
            *LOT,
            pl.coalesce(*of_code, "paid_kind", pl.lit("LOAD")).cast(LOT_KIND).alias("lot_kind"),
            "form", "first_date", "wet_g", "dry_g", "cu_pct", "copper_g", "operator_key", "reinfo_key",
            pl.lit(True).alias("is_origin"),
        )
        .with_row_index("lot", offset=known)
        .collect(engine="streaming")
    )  # fmt: skip
