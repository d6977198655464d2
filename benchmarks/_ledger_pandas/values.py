"""Mass and copper of lots where they are not told, and the value of transfers that no paper gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks._ledger_pandas.amounts import (
    CODES,
    PPM,
    as_decimal,
    bounds_cents,
    coalesce,
    code,
    codes,
    known,
    pairs,
    read,
    rounded,
    take,
    took,
    worth_uusd,
    write,
)
from benchmarks._ledger_pandas.paid import Lots
from benchmarks._ledger_pandas.ratios import FEATURES, Reference, cells, ranged

BOUNDS = ("low", "central", "high")


def measures_of(folder: Path, lots: Lots, reference: Reference) -> pd.DataFrame:
    """Lots, by number, with what they are compared by, their price, and mass and copper within bounds."""
    lot = _featured(folder, lots.frame)
    measured = _measured(lot)
    untold = measured[~known(measured["amount"])]
    told = ranged(untold, cells(measured, reference, amount_scale=6), reference)
    columns = {}
    for bound in BOUNDS:
        mass, copper = lot["wet_g"].to_numpy(np.float64, copy=True), lot["copper_g"].to_numpy(np.float64, copy=True)
        of_mass, of_copper = (told[told["kind_code"] == code(kind)] for kind in ("LOT_MASS", "LOT_COPPER"))
        mass[of_mass["lot"]] = of_mass[f"{bound}_ppm"]
        # kilograms by tonne of mass, in grams
        copper[of_copper["lot"]] = rounded(of_copper[f"{bound}_ppm"], mass[of_copper["lot"]], 1000 * PPM)
        columns |= {f"mass_{bound}_g": mass, f"copper_{bound}_g": copper}
    return lot.assign(**columns)


def _or_none(values) -> np.ndarray:
    return coalesce(values, np.full(len(values), code("--"), dtype=np.int32))


def _featured(folder: Path, lots: pd.DataFrame) -> pd.DataFrame:
    bands = read(folder, "reference.copper_grade_bands", ("grade_band_code",), ("cu_from_pct", "cu_below_pct"))
    in_band = [(lots["cu_pct"] >= row.cu_from_pct) & (lots["cu_pct"] < row.cu_below_pct) for row in bands.itertuples()]
    prices = read(
        folder, "intermediate.int_price__daily", ("copper_basis_code",),
        ("price_date", "is_synthetic", "copper_usd_per_t")
    ).rename(columns={"price_date": "first_date", "copper_usd_per_t": "copper_uusd_per_t"})  # fmt: skip
    _, day = pairs(lots, prices, ["first_date", "is_synthetic"])
    state = np.where(
        lots["reinfo_key"] < 0, code("SIN_INSCRIPCION"), coalesce(_states(folder, lots), code("NO_FIGURA"))
    )
    return lots.assign(
        form_code=_or_none(lots["form"]),
        band=np.select(in_band, bands["grade_band_code"].tolist(), code("--")).astype(np.int32),
        registry_state=state.astype(np.int32),
        **took(prices, day, "copper_uusd_per_t", "copper_basis_code"),
    )


def _states(folder: Path, lots: pd.DataFrame) -> np.ndarray:
    """The registration's state on the lot's day; -1 where none is told."""
    states = read(
        folder, "intermediate.int_registration__standing", ("registration_key", "registry_state"),
        ("valid_from", "valid_to", "is_synthetic")
    ).rename(columns={"registration_key": "reinfo_key", "valid_from": "first_date"})  # fmt: skip
    wanted = lots[(lots["reinfo_key"] >= 0) & known(lots["first_date"])][["reinfo_key", "is_synthetic", "first_date"]]
    wanted = wanted.rename_axis("lot").reset_index().sort_values("first_date")
    found = pd.merge_asof(wanted, states.sort_values("first_date"), on="first_date", by=["reinfo_key", "is_synthetic"])
    is_valid = known(found["registry_state"]) & ~(found["first_date"] >= found["valid_to"])
    state = np.full(len(lots), -1, dtype=np.int32)
    state[found.loc[is_valid, "lot"]] = found.loc[is_valid, "registry_state"]
    return state


def _measured(lots: pd.DataFrame) -> pd.DataFrame:
    found = lots[lots["lot_kind"] != code("TAILINGS")]
    none = np.full(len(found), code("--"), dtype=np.int32)
    rows = pd.DataFrame({
        "lot": found.index, "feature_1": found["lot_kind"], "feature_2": found["form_code"],
        "feature_3": _or_none(found["department_code"]), "feature_4": none, "is_synthetic": found["is_synthetic"],
        "row_weight": 1,
    })  # fmt: skip
    mass = rows.assign(amount=found["wet_g"], base=float(PPM), kind_code=code("LOT_MASS"), base_code=code("LOT"))
    copper = rows.assign(
        amount=found["copper_g"] * 1000, base=found["wet_g"], kind_code=code("LOT_COPPER"), base_code=code("WMT")
    )
    both = pd.concat([mass, copper], ignore_index=True)
    return both.astype({"kind_code": np.int32, "base_code": np.int32})


def imputed_values(
    folder: Path, lots: Lots, paid: pd.DataFrame, measures: pd.DataFrame, reference: Reference
) -> pd.DataFrame:
    """By transfer (the place in `paid`): value and bounds where none is final, and on what they rest."""
    compared = _compared(folder, lots, _on_lots(folder, paid, measures))
    found = cells(compared, reference, amount_scale=2)
    is_wanted = ~known(compared["amount"]) & (known(compared["base"]) | (compared["base_code"] == code("SALE")))
    nearest = compared[is_wanted].sort_values("preference", kind="stable").drop_duplicates("transfer")
    rated = ranged(nearest, found, reference)
    fee = _agreed(folder, paid).reindex(rated["transfer"]).to_numpy()
    rated = rated.assign(**{f"{b}_ppm": coalesce(fee, rated[f"{b}_ppm"]) for b in BOUNDS})
    is_own = known(rated["base"])
    sales = _sales_imputed(rated)
    rated = rated.assign(
        **{name: np.where(is_own, rated[name], sales[name]) for name in ("base", "base_low", "base_high")}
    )
    is_based = known(rated["base"])
    rated, fee, is_own = rated[is_based], fee[is_based], is_own[is_based]
    is_provisional = (rated["base_code"] == code("PROVISIONAL")).to_numpy()
    is_modelled = (known(fee) & is_own) | (rated["ratio_count"] == 0).to_numpy()
    ratio = np.where(is_provisional, PPM, rated["central_ppm"])
    cents = rounded(ratio, rated["base"], 10**10)
    low, high = bounds_cents(cents, rated["low_ppm"], rated["high_ppm"], rated["base_low"], rated["base_high"])
    basis = np.select([is_provisional, is_modelled], codes("observed", "modelled"), code("imputed")).astype(np.int32)
    frame = pd.DataFrame({"cents": cents, "low_cents": low, "high_cents": high, "basis": basis})
    return frame.set_index(rated["transfer"].to_numpy())


def _sales_imputed(rated: pd.DataFrame) -> pd.DataFrame:
    """The imputed sale of the ore of each row's lot, within bounds."""
    is_negative = {bound: rated[f"{bound}_ppm"] < 0 for bound in ("low", "high")}
    low = np.where(is_negative["low"], rated["base_high"], rated["base_low"])
    high = np.where(is_negative["high"], rated["base_low"], rated["base_high"])
    by_base = {"base": ("central_ppm", rated["base"]), "base_low": ("low_ppm", low), "base_high": ("high_ppm", high)}
    values = {name: np.fmax(rounded(rated[ratio], base, PPM), 0) for name, (ratio, base) in by_base.items()}
    is_ore = rated["kind_code"].isin(codes("ORE_AT_PIT", "ORE_AT_PLANT"))
    sales = rated[["lot"]].assign(**values)[is_ore].groupby("lot").max()
    return sales.reindex(rated["lot"]).reset_index(drop=True)


def _on_lots(folder: Path, paid: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """Transfers with the price of their day and what they may be compared by."""
    of_lot = measures.iloc[paid["lot"]].reset_index(drop=True)
    prices = read(folder, "intermediate.int_price__daily", (), ("price_date", "is_synthetic", "copper_usd_per_t"))
    prices = prices.rename(columns={"price_date": "priced_date"})
    is_final = (~paid["is_provisional"]).fillna(False).to_numpy(bool)
    priced = coalesce(paid["transfer_date"], of_lot["first_date"])
    frame = of_lot[[
        "lot_kind", "form_code", "band", "registry_state", *(f"mass_{b}_g" for b in BOUNDS),
        *(f"copper_{b}_g" for b in BOUNDS),
    ]].assign(
        transfer=np.arange(len(paid)), lot=paid["lot"], at=paid["at"], kind_code=paid["kind_code"],
        payee=_or_none(paid["payee_key"]), payer=_or_none(paid["payer_key"]),
        value=np.where(is_final, paid["value"], np.nan), priced_date=priced, is_synthetic=paid["is_synthetic"],
        **{name: _or_none(of_lot[name]) for name in ("department_code", "plant_key", "origin_ubigeo_code")},
    )  # fmt: skip
    _, day = pairs(frame, prices, ["priced_date", "is_synthetic"])
    years = pd.Series(priced).dt.year.astype("Int64").astype("string")
    year = CODES.of(pa.array(years, pa.string()).dictionary_encode())
    return frame.assign(price=take(prices["copper_usd_per_t"], day).astype(np.float64), year=year)


def _branch(
    rows: pd.DataFrame, base_code, preference, base, *features: np.ndarray | pd.Series, low=None, high=None
) -> pd.DataFrame:
    none = np.full(len(rows), code("--"), dtype=np.int32)
    columns = [*features, *[none] * (4 - len(features))]
    return pd.DataFrame({
        "transfer": rows["transfer"].to_numpy(), "lot": rows["lot"].to_numpy(),
        "kind_code": rows["kind_code"].to_numpy(),
        "base_code": np.asarray(base_code, dtype=np.int32), "preference": preference,
        "amount": rows["value"].to_numpy(),
        "base": np.asarray(base, dtype=np.float64),
        "base_low": np.asarray(base if low is None else low, dtype=np.float64),
        "base_high": np.asarray(base if high is None else high, dtype=np.float64),
        **{name: np.asarray(values, dtype=np.int32) for name, values in zip(FEATURES, columns, strict=True)},
        "is_synthetic": rows["is_synthetic"].to_numpy(), "row_weight": 1,
    }, index=pd.RangeIndex(len(rows)))  # fmt: skip


def _compared(folder: Path, lots: Lots, rows: pd.DataFrame) -> pd.DataFrame:
    """Every transfer with each amount that its value may be a ratio of, from the best (preference 1) to the last."""

    def of_kind(*kinds: str) -> pd.DataFrame:
        return rows[rows["kind_code"].isin(codes(*kinds))]

    ore = of_kind("ORE_AT_PIT", "ORE_BETWEEN_COLLECTORS", "ORE_AT_PLANT", "CONCENTRATE", "EXPORT")
    ore = ore[known(ore["price"])]
    is_product, is_unseen = ore["lot_kind"] == code("PRODUCT"), ~known(ore["value"])
    lme = {b: worth_uusd(ore[f"copper_{b}_g"], ore["price"]) for b in BOUNDS}
    found = [_branch(
        ore, code("LME"), 4, lme["central"], ore["form_code"], np.where(is_product, ore["year"], ore["band"]),
        np.where(is_product, ore["payer"], ore["registry_state"]),
        np.where(is_product, code("--"), ore["department_code"]),
        low=np.where(is_unseen, lme["low"], np.nan), high=np.where(is_unseen, lme["high"], np.nan),
    )]  # fmt: skip

    sales = _sales(rows)
    product = of_kind("CONCENTRATE", "EXPORT")
    sold = product[product["lot"].isin(sales.index)]
    is_export, of_lot = sold["kind_code"] == code("EXPORT"), sales.reindex(sold["lot"])
    base = np.where(is_export, of_lot["CONCENTRATE"], of_lot["EXPORT"])
    other = np.where(is_export, code("CONCENTRATE"), code("EXPORT"))
    found.append(_branch(sold, other, 3, base, sold["form_code"], sold["year"], sold["payer"]))

    provisional = _provisional(folder, lots)
    here, there = pairs(product, provisional, ["at", "kind_code"], how="inner")
    begun, told = product.iloc[here], provisional.iloc[there]
    found.append(_branch(
        begun, told["base_code"], told["preference"].to_numpy(), told["cents"] * 10_000, begun["form_code"],
        begun["year"],
        begun["payer"],
    ))  # fmt: skip

    haul = of_kind("HAULAGE")
    found.append(_branch(
        haul, code("WMT"), 1, haul["mass_central_g"], haul["lot_kind"], haul["department_code"], haul["plant_key"],
        haul["origin_ubigeo_code"], low=haul["mass_low_g"], high=haul["mass_high_g"],
    ))  # fmt: skip

    milled = read(folder, "intermediate.int_campaign__milled", (), ("lot_key", "fed_dmt", "is_synthetic"))
    milled = milled.assign(at=lots.places(milled)).query("at >= 0")
    mill = of_kind("MILLING")
    here, there = pairs(mill, milled, ["at"], how="inner")
    found.append(
        _branch(mill.iloc[here], code("FED_DMT"), 1, milled["fed_dmt"].to_numpy()[there], mill["plant_key"].iloc[here])
    )

    tested = of_kind("LABORATORY")
    found.append(_branch(tested, code("LOT"), 1, np.full(len(tested), PPM), tested["lot_kind"], tested["payee"]))

    fees = of_kind("BILLER_FEE", "CONCESSION_FEE")
    is_biller = fees["kind_code"] == code("BILLER_FEE")
    found.append(_branch(
        fees, code("SALE"), 1, sales["ORE"].reindex(fees["lot"]),
        np.where(is_biller, fees["registry_state"], fees["payee"]),
        np.where(is_biller, fees["payee"], fees["payer"]),
    ))  # fmt: skip
    return pd.concat(found, ignore_index=True)


def _sales(rows: pd.DataFrame) -> pd.DataFrame:
    """What was paid for each lot, in millionths of a dollar."""
    sold = rows[rows["value"] > 0]
    sold = sold.assign(uusd=sold["value"] * 10_000)
    by_name = {"CONCENTRATE": ["CONCENTRATE"], "EXPORT": ["EXPORT"], "ORE": ["ORE_AT_PIT", "ORE_AT_PLANT"]}
    most = {name: sold[sold["kind_code"].isin(codes(*of))].groupby("lot")["uusd"].max() for name, of in by_name.items()}
    return pd.DataFrame(most)


def _provisional(folder: Path, lots: Lots) -> pd.DataFrame:
    """What provisional sheets and declarations say, and first vouchers, by lot."""
    named = read(folder, "intermediate.int_lot__codes", ("party_key",), ("lot_id", "lot_key", "is_synthetic"))
    named = named.assign(at=lots.places(named)).query("at >= 0")
    rows = read(
        folder, "staging.stg_partner_settlements__settlements", ("buyer_key", "stage_code"),
        ("lot_id", "is_current", "value_usd", "is_synthetic"),
    ).rename(columns={"buyer_key": "party_key"})  # fmt: skip
    rows = rows[rows["is_current"] & (rows["stage_code"] == code("PROVISIONAL"))]
    here, there = pairs(rows, named, ["party_key", "lot_id", "is_synthetic"], how="inner")
    sheets = pd.DataFrame({"at": named["at"].to_numpy()[there], "cents": rows["value_usd"].to_numpy()[here]})
    sheets = sheets.groupby("at").max()
    exports = read(folder, "intermediate.int_export__lots", (), ("lot_key", "provisional_fob_usd", "is_synthetic"))
    exports = exports[known(exports["provisional_fob_usd"])].rename(columns={"provisional_fob_usd": "cents"})
    declared = exports.assign(at=lots.places(exports)).query("at >= 0")[["at", "cents"]]
    vouchers = read(
        folder,
        "intermediate.int_transfer__vouchers",
        ("kind_code", "part_code"),
        ("lot_key", "value_usd", "is_synthetic"),
    )
    is_sale = vouchers["kind_code"].isin(codes("CONCENTRATE", "EXPORT")) & (vouchers["part_code"] == code("SALE"))
    vouchers = vouchers[is_sale].rename(columns={"value_usd": "cents"})
    first = (
        vouchers.assign(at=lots.places(vouchers)).groupby(["at", "kind_code"])["cents"].sum(min_count=1).reset_index()
    )
    sheets = sheets.reset_index().assign(kind_code=code("CONCENTRATE"), base_code=code("PROVISIONAL"), preference=1)
    declared = declared.assign(kind_code=code("EXPORT"), base_code=code("PROVISIONAL"), preference=1)
    first = first.assign(base_code=code("FIRST_VOUCHER"), preference=2)
    both = pd.concat([sheets, declared, first], ignore_index=True)
    return both.astype({"kind_code": np.int32, "base_code": np.int32})


def _agreed(folder: Path, paid: pd.DataFrame) -> pd.Series:
    """The fee of the contract under which a fee is expected: that on the same registration, or the least."""
    fees = read(
        folder, "intermediate.int_contract__fees", ("operator_key", "holder_key", "reinfo_key", "why_code"),
        ("fee_frac", "is_synthetic"),
    ).rename(columns={"holder_key": "payee_key", "operator_key": "payer_key"})  # fmt: skip
    fees = fees[fees["why_code"] == code("CONTRACT")]
    wanted = paid[(paid["kind_code"] == code("CONCESSION_FEE")) & ~known(paid["value"])]
    here, there = pairs(wanted, fees, ["payee_key", "payer_key", "is_synthetic"], how="inner")
    reinfo, fee_reinfo = wanted["reinfo_key"].to_numpy()[here], fees["reinfo_key"].to_numpy()[there]
    found = pd.DataFrame({
        "transfer": wanted.index.to_numpy()[here], "is_other": (reinfo != fee_reinfo) | (reinfo < 0),
        "fee_ppm": fees["fee_frac"].to_numpy()[there].astype(np.float64),
    })  # fmt: skip
    return found.sort_values(["is_other", "fee_ppm"]).drop_duplicates("transfer").set_index("transfer")["fee_ppm"]


def write_transfers(folder: Path, paid: pd.DataFrame, imputed: pd.DataFrame) -> None:
    """fct_transfer; a provisional value stands, with bounds."""
    found = imputed.reindex(paid.index)
    frame = pd.concat([paid, found], axis=1)
    frame["basis"] = found["basis"].fillna(code("observed")).astype(np.int32)
    frame = frame[known(frame["value"]) | known(frame["cents"])]
    is_imputed = ((frame["basis"] != code("observed")) | ~known(frame["value"])).to_numpy()
    in_pen = rounded(frame["cents"], frame["pen_per_usd"], PPM)

    def text(name: str) -> pa.Array:
        return CODES.text(frame[name].to_numpy())

    usd = {
        "value_usd": np.where(is_imputed, frame["cents"], frame["value"]),
        "value_low_usd": coalesce(frame["low_cents"], frame["value"]),
        "value_high_usd": coalesce(frame["high_cents"], frame["value"]),
        "value_pen": np.where(is_imputed, in_pen, frame["value_pen"]),
        "voucher_value_usd": frame["voucher"], "sheet_value_usd": frame["sheet"], "difference_usd": frame["difference"],
    }  # fmt: skip
    coded = {name: name for name in (
        "kind_code", "payee_key", "payer_key", "invoicing_party_key", "operator_key", "reinfo_key", "fx_series_code",
        "sheet_code",
    )} | {
        "payee_role_code": "payee_role", "payer_role_code": "payer_role", "product_form_code": "form",
        "value_basis_code": "basis", "value_evidence_code": "evidence", "match_method_code": "method",
    }  # fmt: skip
    plain = (
        "transfer_key", "lot_key", "transfer_date", "first_date", "is_provisional", "voucher_count", "invoice_key",
        "sheet_id",
        "sender_waybill_key", "carrier_waybill_key", "ticket_id", "deposit_id", "is_synthetic",
    )  # fmt: skip
    write(folder, "fct_transfer", {
        **{name: frame[name] for name in plain}, **{name: text(of) for name, of in coded.items()},
        **{name: as_decimal(cents, 2) for name, cents in usd.items()},
        "mass_wmt": as_decimal(frame["wet_g"], 6), "mass_dmt": as_decimal(frame["dry_g"], 6),
        "cu_pct": as_decimal(frame["cu_pct"], 4), "match_score": as_decimal(frame["match_score"], 4),
        "pen_per_usd": as_decimal(frame["pen_per_usd"], 6),
        "copper_g": pa.array(frame["copper_g"].astype("Int64")),
    })  # fmt: skip
