"""Mass and copper of lots where they are not told, and the value of transfers that no paper gives."""

from __future__ import annotations

import polars as pl

from benchmarks._ledger_polars.amounts import (
    BASIS,
    CODE,
    KIND,
    PPM,
    c,
    code,
    high,
    high_cents,
    low,
    low_cents,
    narrow,
    rounded,
    to_cents,
    tonnes,
    total,
    units,
    usd,
    wide,
    worth_uusd,
)  # fmt: skip
from benchmarks._ledger_polars.paid import LOT, Scan
from benchmarks._ledger_polars.ratios import FEATURES, Reference, cells, ranged

_BOUNDS = ("low", "central", "high")
_ORE = ("ORE_AT_PIT", "ORE_AT_PLANT")


def measures_of(scan: Scan, lots: pl.DataFrame, reference: Reference) -> pl.DataFrame:
    """Lots with what they are compared by, their price, and mass and copper within bounds."""
    featured = _featured(scan, lots)
    measured = _measured(featured)
    untold = measured.lazy().filter(c("amount").is_null())
    told = ranged(untold, cells(measured, reference, amount_scale=6), reference).collect(engine="streaming").lazy()

    def ratios_of(kind: str, measure: str) -> pl.LazyFrame:
        return told.filter(c("kind_code") == kind).select(
            "lot", *(c(f"{b}_ppm").alias(f"{measure}_{b}_ppm") for b in _BOUNDS)
        )

    def mass(bound: str) -> pl.Expr:
        return pl.coalesce("wet_g", f"mass_{bound}_ppm")

    # kilograms by tonne of mass, in grams
    copper = {b: narrow(rounded(wide(c(f"copper_{b}_ppm")) * mass(b), 1000 * PPM)) for b in _BOUNDS}
    return (
        featured.lazy()
        .join(ratios_of("LOT_MASS", "mass"), on="lot", how="left")
        .join(ratios_of("LOT_COPPER", "copper"), on="lot", how="left")
        .select(
            *featured.columns,
            *(mass(b).alias(f"mass_{b}_g") for b in _BOUNDS),
            *(pl.coalesce("copper_g", copper[b]).alias(f"copper_{b}_g") for b in _BOUNDS),
        )
        .collect(engine="streaming")
    )


def _featured(scan: Scan, lots: pl.DataFrame) -> pl.DataFrame:
    bands = scan("reference.copper_grade_bands").select("grade_band_code", "cu_from_pct", "cu_below_pct").collect()
    of_band = [
        pl.when(c("cu_pct") >= from_pct, c("cu_pct") < below_pct).then(code(band))
        for band, from_pct, below_pct in bands.iter_rows()
    ]
    states = (
        scan("intermediate.int_registration__standing")
        .select(
            c("registration_key").alias("reinfo_key"), "is_synthetic", c("valid_from").alias("first_date"), "valid_to",
            c("registry_state").cast(CODE),
        )
        .sort("first_date")
    )  # fmt: skip
    prices = scan("intermediate.int_price__daily").select(
        c("price_date").alias("first_date"),
        "is_synthetic",
        units("copper_usd_per_t").alias("copper_uusd_per_t"),
        "copper_basis_code",
    )
    is_valid = c("first_date") < c("valid_to")
    state = pl.when(is_valid | c("valid_to").is_null()).then(c("registry_state"))
    return (
        lots.lazy()
        .sort("first_date")
        .join_asof(states, on="first_date", by=("reinfo_key", "is_synthetic"), check_sortedness=False)
        .join(prices, on=("first_date", "is_synthetic"), how="left")
        .with_columns(
            c("form").fill_null(code("--")).alias("form_code"),
            pl.coalesce(*of_band, code("--")).alias("band"),
            pl.when(c("reinfo_key").is_null())
            .then(code("SIN_INSCRIPCION"))
            .otherwise(pl.coalesce(state, code("NO_FIGURA")))
            .alias("registry_state"),
        )
        .drop("valid_to")
        .collect(engine="streaming")
    )


def _measured(featured: pl.DataFrame) -> pl.DataFrame:
    lots = featured.lazy().filter(c("lot_kind") != "TAILINGS")
    features = (
        c("lot_kind").cast(CODE).alias("feature_1"),
        c("form_code").alias("feature_2"),
        c("department_code").fill_null(code("--")).alias("feature_3"),
        code("--").alias("feature_4"),
        pl.lit(1).alias("row_weight"),
        "is_synthetic",
        "lot",
    )
    one = pl.lit(PPM, dtype=pl.Int64)
    mass = lots.select(
        code("LOT_MASS").alias("kind_code"), code("LOT").alias("base_code"),
        c("wet_g").alias("amount"), one.alias("base"), *features,
    )  # fmt: skip
    copper = lots.select(
        code("LOT_COPPER").alias("kind_code"), code("WMT").alias("base_code"),
        (c("copper_g") * 1000).alias("amount"), c("wet_g").alias("base"), *features,
    )  # fmt: skip
    return pl.concat([mass, copper]).collect(engine="streaming")


def imputed_values(scan: Scan, paid: pl.DataFrame, measures: pl.DataFrame, reference: Reference) -> pl.DataFrame:
    """By transfer: value and bounds where none is final, and on what they rest."""
    compared = _compared(scan, _on_lots(scan, paid, measures))
    found = cells(compared, reference, amount_scale=2)
    nearest = (
        compared.lazy()
        .filter(c("amount").is_null(), c("base").is_not_null() | (c("base_code") == "SALE"))
        .sort("preference")
        .unique("transfer", keep="first", maintain_order=True)
    )
    rated = (
        ranged(nearest, found, reference)
        .join(_agreed(scan, paid), on="transfer", how="left")
        .with_columns(
            c("fee_ppm").is_not_null().alias("is_fixed"),
            *(pl.coalesce("fee_ppm", f"{b}_ppm").alias(f"{b}_ppm") for b in _BOUNDS),
        )
        .collect(engine="streaming")
    )
    least, most = low(c("low_ppm"), c("base_low"), c("base_high")), high(c("high_ppm"), c("base_low"), c("base_high"))
    central = wide(c("central_ppm")) * c("base")
    bases = ("base", "base_low", "base_high")
    sales = (
        rated.lazy()
        .filter(c("kind_code").cast(pl.String).is_in(_ORE))
        .group_by("lot")
        .agg(
            narrow(rounded(pl.max_horizontal(value, pl.lit(0, dtype=pl.Int128)).max(), PPM)).alias(f"{name}_of_sale")
            for name, value in zip(bases, (central, least, most), strict=True)
        )
    )
    is_provisional = c("base_code") == "PROVISIONAL"
    product = pl.when(is_provisional).then(wide(c("base")) * PPM).otherwise(central)
    basis = (
        pl.when(is_provisional)
        .then(pl.lit("observed", dtype=BASIS))
        .when("is_modelled")
        .then(pl.lit("modelled", dtype=BASIS))
        .otherwise(pl.lit("imputed", dtype=BASIS))
    )
    return (
        rated.lazy()
        .join(sales, on="lot", how="left")
        .with_columns(((c("is_fixed") & c("base").is_not_null()) | (c("ratio_count") == 0)).alias("is_modelled"))
        .with_columns(
            pl.when(c("base").is_null()).then(pl.coalesce(name, f"{name}_of_sale")).otherwise(c(name)).alias(name)
            for name in bases
        )
        .filter(c("base").is_not_null())
        .select(
            "transfer",
            to_cents(product).alias("cents"),
            low_cents(product, least).alias("low_cents"),
            high_cents(product, most).alias("high_cents"),
            basis.alias("basis"),
        )
        .collect(engine="streaming")
    )


def _on_lots(scan: Scan, paid: pl.DataFrame, measures: pl.DataFrame) -> pl.LazyFrame:
    """Transfers with the price of their day and what they may be compared by."""
    prices = scan("intermediate.int_price__daily").select(
        c("price_date").alias("priced_date"), "is_synthetic", units("copper_usd_per_t").alias("price_uusd_per_t")
    )
    of_lots = measures.lazy().select(
        "lot", "lot_key", "first_date", "lot_kind", "form_code", "band", "registry_state", "department_code",
        "plant_key",
        "origin_ubigeo_code", *(f"mass_{b}_g" for b in _BOUNDS), *(f"copper_{b}_g" for b in _BOUNDS),
    )  # fmt: skip
    transfers = paid.lazy().select(
        "transfer",
        "lot",
        "kind_code",
        c("payee_key", "payer_key").fill_null("--").cast(CODE).name.replace("_key", ""),
        pl.when(~c("is_provisional")).then(c("value_cents")).alias("value_cents"),
        "transfer_date",
        "is_synthetic",
    )
    unknown = c("department_code", "plant_key", "origin_ubigeo_code").fill_null(code("--"))
    on_lots = (
        transfers.join(of_lots, on="lot")
        .with_columns(pl.coalesce("transfer_date", "first_date").alias("priced_date"), unknown)
        .join(prices, on=("priced_date", "is_synthetic"), how="left")
        .with_columns(c("priced_date").dt.year().cast(pl.String).cast(CODE).alias("year"), c("lot_kind").cast(CODE))
    )
    return on_lots.collect(engine="streaming").lazy()


def _expression(value: pl.Expr | str) -> pl.Expr:
    return c(value) if isinstance(value, str) else value


def _compared(scan: Scan, on_lots: pl.LazyFrame) -> pl.DataFrame:
    """Every transfer with each amount that its value may be a ratio of, from the best (preference 1) to the last."""

    def branch(
        rows: pl.LazyFrame, base_code: str | pl.Expr, preference: int | pl.Expr, base_uusd: pl.Expr | str,
        *features: str | pl.Expr,
        bounds: tuple[pl.Expr, pl.Expr] | None = None,
    ) -> pl.LazyFrame:  # fmt: skip
        base = _expression(base_uusd)
        least, most = bounds or (base, base)
        filled = (*features, *[code("--")] * (4 - len(features)))
        return rows.select(
            "transfer", "lot", c("kind_code").cast(CODE),
            (code(base_code) if isinstance(base_code, str) else base_code).alias("base_code"),
            (pl.lit(preference) if isinstance(preference, int) else preference).cast(pl.Int32).alias("preference"),
            c("value_cents").alias("amount"), base.alias("base"), least.alias("base_low"), most.alias("base_high"),
            *(_expression(value).alias(name) for name, value in zip(FEATURES, filled, strict=True)),
            "is_synthetic", pl.lit(1).alias("row_weight"),
        )  # fmt: skip

    def of_kind(*kinds: str) -> pl.LazyFrame:
        return on_lots.filter(c("kind_code").is_in(kinds))

    sales = _sales(on_lots)
    is_product, is_unseen = c("lot_kind") == "PRODUCT", c("value_cents").is_null()
    lme = {b: worth_uusd(c(f"copper_{b}_g"), c("price_uusd_per_t")) for b in _BOUNDS}
    is_export, is_biller = c("kind_code") == "EXPORT", c("kind_code") == "BILLER_FEE"
    one = pl.lit(PPM, dtype=pl.Int64)
    fed = scan("intermediate.int_campaign__milled").select(*LOT, units("fed_dmt").alias("fed_g"))
    return pl.concat([
        branch(
            of_kind("ORE_AT_PIT", "ORE_BETWEEN_COLLECTORS", "ORE_AT_PLANT", "CONCENTRATE", "EXPORT")
            .filter(c("price_uusd_per_t").is_not_null()),
            "LME", 4, lme["central"],
            "form_code",
            pl.when(is_product).then(c("year")).otherwise(c("band")),
            pl.when(is_product).then(c("payer")).otherwise(c("registry_state")),
            pl.when(is_product).then(code("--")).otherwise(c("department_code")),
            bounds=(pl.when(is_unseen).then(lme["low"]), pl.when(is_unseen).then(lme["high"])),
        ),
        branch(
            of_kind("CONCENTRATE", "EXPORT").join(sales, on="lot"),
            pl.when(is_export).then(code("CONCENTRATE")).otherwise(code("EXPORT")), 3,
            pl.when(is_export).then(c("concentrate_uusd")).otherwise(c("export_uusd")),
            "form_code", "year", "payer",
        ),
        branch(
            on_lots.join(_provisional(scan), on=("lot_key", "is_synthetic", "kind_code")),
            c("base_code"), c("preference"), "provisional_uusd", "form_code", "year", "payer",
        ),
        branch(
            of_kind("HAULAGE"), "WMT", 1, "mass_central_g", "lot_kind", "department_code", "plant_key",
            "origin_ubigeo_code",
            bounds=(c("mass_low_g"), c("mass_high_g")),
        ),
        branch(of_kind("MILLING").join(fed, on=LOT), "FED_DMT", 1, "fed_g", "plant_key"),
        branch(of_kind("LABORATORY"), "LOT", 1, one, "lot_kind", "payee"),
        branch(
            of_kind("BILLER_FEE", "CONCESSION_FEE").join(sales, on="lot", how="left"), "SALE", 1, "ore_uusd",
            pl.when(is_biller).then(c("registry_state")).otherwise(c("payee")),
            pl.when(is_biller).then(c("payee")).otherwise(c("payer")),
        ),
    ]).collect(engine="streaming")  # fmt: skip


def _sales(on_lots: pl.LazyFrame) -> pl.LazyFrame:
    uusd = c("value_cents") * 10_000
    by_name = (("concentrate_uusd", ["CONCENTRATE"]), ("export_uusd", ["EXPORT"]), ("ore_uusd", _ORE))
    return (
        on_lots.filter(c("value_cents") > 0, c("kind_code").is_in(["CONCENTRATE", "EXPORT", *_ORE]))
        .group_by("lot")
        .agg(uusd.filter(c("kind_code").is_in(kinds)).max().alias(name) for name, kinds in by_name)
    )


def _provisional(scan: Scan) -> pl.LazyFrame:
    """What provisional sheets and declarations say, and first vouchers, by lot."""
    codes = scan("intermediate.int_lot__codes").select("party_key", "lot_id", *LOT)

    def named(rows: pl.LazyFrame, kind: pl.Expr, base: str, preference: int) -> pl.LazyFrame:
        return rows.select(
            kind.cast(pl.String).alias("kind_code"), *LOT, code(base).alias("base_code"),
            pl.lit(preference).alias("preference"), (c("cents") * 10_000).alias("provisional_uusd"),
        )  # fmt: skip

    sheets = (
        scan("staging.stg_partner_settlements__settlements")
        .filter("is_current", c("stage_code") == "PROVISIONAL")
        .select(c("buyer_key").alias("party_key"), "lot_id", "is_synthetic", units("value_usd").alias("cents"))
        .join(codes, on=("party_key", "lot_id", "is_synthetic"))
    )
    declarations = (
        scan("intermediate.int_export__lots")
        .filter(c("provisional_fob_usd").is_not_null())
        .select(*LOT, units("provisional_fob_usd").alias("cents"))
    )
    vouchers = (
        scan("intermediate.int_transfer__vouchers")
        .filter(c("kind_code").is_in(["CONCENTRATE", "EXPORT"]), c("part_code") == "SALE")
        .group_by("kind_code", *LOT)
        .agg(total(units("value_usd")).alias("cents"))
    )
    return pl.concat([
        named(sheets.group_by(LOT).agg(c("cents").max()), pl.lit("CONCENTRATE"), "PROVISIONAL", 1),
        named(declarations, pl.lit("EXPORT"), "PROVISIONAL", 1),
        named(vouchers, c("kind_code"), "FIRST_VOUCHER", 2),
    ]).with_columns(c("kind_code").cast(KIND))  # fmt: skip


def _agreed(scan: Scan, paid: pl.DataFrame) -> pl.LazyFrame:
    """The fee of the contract under which a fee is expected: that on the same registration, or the least."""
    fees = scan("intermediate.int_contract__fees").filter(c("why_code") == "CONTRACT")
    is_same = c("reinfo_key").eq_missing(c("fee_reinfo_key")) & c("reinfo_key").is_not_null()
    return (
        paid.lazy()
        .filter(c("kind_code") == "CONCESSION_FEE", c("value_cents").is_null())
        .select("transfer", "payee_key", "payer_key", "is_synthetic", "reinfo_key")
        .join(
            fees.select(
                c("holder_key").alias("payee_key"), c("operator_key").alias("payer_key"), "is_synthetic",
                c("reinfo_key").alias("fee_reinfo_key"), units("fee_frac").alias("fee_ppm"),
            ),
            on=("payee_key", "payer_key", "is_synthetic"),
        )
        .sort(~is_same, "fee_ppm")
        .unique("transfer", keep="first", maintain_order=True)
        .select("transfer", "fee_ppm")
    )  # fmt: skip


def transfers(paid: pl.DataFrame, imputed: pl.DataFrame) -> pl.LazyFrame:
    """fct_transfer; a provisional value stands, with bounds."""
    is_imputed = (c("basis") != "observed") | c("value_cents").is_null()
    in_pen = narrow(rounded(wide(c("cents")) * units("pen_per_usd"), PPM))
    return (
        paid.lazy()
        .join(imputed.lazy(), on="transfer", how="left")
        .filter(c("value_cents").is_not_null() | c("cents").is_not_null())
        .select(
            "transfer_key", "kind_code", "lot_key", "payee_key", "payee_role_code", "payer_key", "payer_role_code",
            "invoicing_party_key", "operator_key", "reinfo_key", "transfer_date", "first_date", "product_form_code",
            tonnes(c("wet_g")).alias("mass_wmt"),
            tonnes(c("dry_g")).alias("mass_dmt"),
            "cu_pct", "copper_g",
            usd(pl.when(is_imputed).then(c("cents")).otherwise(c("value_cents"))).alias("value_usd"),
            usd(pl.coalesce("low_cents", "value_cents")).alias("value_low_usd"),
            usd(pl.coalesce("high_cents", "value_cents")).alias("value_high_usd"),
            usd(pl.when(is_imputed).then(in_pen).otherwise(c("value_pen_cents"))).alias("value_pen"),
            "pen_per_usd", "fx_series_code",
            c("basis").fill_null(pl.lit("observed", dtype=BASIS)).alias("value_basis_code"),
            "value_evidence_code", "is_provisional",
            usd(c("voucher_cents")).alias("voucher_value_usd"),
            usd(c("sheet_cents")).alias("sheet_value_usd"),
            usd(c("difference_cents")).alias("difference_usd"),
            "voucher_count", "invoice_key", "sheet_code", "sheet_id", "sender_waybill_key", "carrier_waybill_key",
            "ticket_id", "deposit_id", "match_method_code", "match_score", "is_synthetic",
        )
    )  # fmt: skip
