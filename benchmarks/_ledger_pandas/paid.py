"""Lots, and what vouchers and sheets show was paid on them or lead us to expect."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks._ledger_pandas.amounts import CODES, PPM, coalesce, code, codes, known, pairs, read, rounded, take, took

_ROLES = {
    "payee_role": {
        "HAULAGE": "HAULIER", "LABORATORY": "LABORATORY", "BILLER_FEE": "BILLER", "CONCESSION_FEE": "CONCESSION_HOLDER",
        "EXPORT": "TRADER", "MILLING": "PLANT", "ORE_AT_PIT": "OPERATOR", "ORE_BETWEEN_COLLECTORS": "COLLECTOR",
    },
    "payer_role": {
        "EXPORT": "ABROAD", "CONCENTRATE": "TRADER", "ORE_AT_PLANT": "PLANT", "ORE_AT_PIT": "COLLECTOR",
        "ORE_BETWEEN_COLLECTORS": "COLLECTOR", "CONCESSION_FEE": "OPERATOR",
    },
}  # fmt: skip
_PAID_KINDS = {"MILLING": "TAILINGS", "ORE_AT_PIT": "PIT", "CONCENTRATE": "PRODUCT", "EXPORT": "PRODUCT"}


class Lots:
    """Lots in the order of their codes, so that ties go to the first code by number too.

    A key has a place among all that papers tell of, known lot or not; `numbers` says which lot is at a place.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        frame = read(
            folder, "marts.dim_lot",
            ("lot_kind_code", "product_form_code", "operator_key", "reinfo_key", "origin_ubigeo_code",
             "department_code", "plant_key"),
            ("lot_key", "is_synthetic", "first_date", "mass_wmt", "mass_dmt", "cu_pct", "copper_g", "is_origin"),
        )  # fmt: skip
        keys = frame["lot_key"].array.__arrow_array__().combine_chunks()
        order = pc.sort_indices(
            pa.table({"is_synthetic": frame["is_synthetic"].to_numpy(), "lot_key": keys}),
            sort_keys=[("is_synthetic", "ascending"), ("lot_key", "ascending")],
        ).to_numpy()
        self.frame = frame.iloc[order].reset_index(drop=True).rename(
            columns={"lot_kind_code": "lot_kind", "product_form_code": "form", "mass_wmt": "wet_g", "mass_dmt": "dry_g"}
        )  # fmt: skip
        papers = ("intermediate.int_transfer__implied", "intermediate.int_transfer__vouchers")
        told = [pq.read_table(folder / "inputs" / f"{name}.parquet", columns=["lot_key"])["lot_key"] for name in papers]
        self.keys = pc.unique(pa.chunked_array([keys, *(chunk for table in told for chunk in table.chunks)]))
        self._numbers = np.full(2 * len(self.keys), -1, dtype=np.int64)
        self._numbers[self.places(self.frame)] = np.arange(len(frame))

    def places(self, frame: pd.DataFrame, key: str = "lot_key") -> np.ndarray:
        found = pc.index_in(frame[key].array.__arrow_array__(), value_set=self.keys)
        at = pc.fill_null(found, -1).to_numpy().astype(np.int64)
        return np.where(at < 0, -1, 2 * at + frame["is_synthetic"].to_numpy())

    def numbers(self, places: np.ndarray) -> np.ndarray:
        return np.where(places < 0, -1, self._numbers[places])

    def of(self, frame: pd.DataFrame, key: str = "lot_key") -> np.ndarray:
        return self.numbers(self.places(frame, key))

    def add(self, frame: pd.DataFrame, places: np.ndarray) -> None:
        self._numbers[places] = len(self.frame) + np.arange(len(frame))
        self.frame = pd.concat([self.frame, frame], ignore_index=True)


def paid_on(folder: Path, lots: Lots) -> pd.DataFrame:
    """Transfers, the expected ones without a value; lots are given those that vouchers alone tell of."""
    implied = _implied(folder, lots)
    observed = _observed(folder, lots, implied)
    paid = pd.concat([observed, _unseen(folder, lots, implied, observed)], ignore_index=True)
    _add_untold(lots, paid)
    return paid.assign(lot=lots.numbers(paid["at"].to_numpy()))


def _implied(folder: Path, lots: Lots) -> pd.DataFrame:
    frame = read(
        folder, "intermediate.int_transfer__implied",
        ("kind_code", "payee_key", "payer_key", "invoicing_party_key", "operator_key", "reinfo_key",
         "product_form_code", "sheet_code", "haul_key", "why_code"),
        ("lot_key", "expected_date", "mass_wmt", "mass_dmt", "cu_pct", "copper_g", "sheet_value_usd", "sheet_id",
         "ticket_id", "is_synthetic"),
    )  # fmt: skip
    named = {"mass_wmt": "wet_g", "mass_dmt": "dry_g", "sheet_value_usd": "sheet", "product_form_code": "form"}
    frame = frame.rename(columns=named)
    return frame.assign(at=lots.places(frame), sold_to=_sold_to(frame))


def _sold_to(frame: pd.DataFrame) -> np.ndarray:
    """One lot is sold to several collectors, and once to others."""
    return np.where(frame["kind_code"] == code("ORE_BETWEEN_COLLECTORS"), frame["payer_key"], code("-")).astype(
        np.int32
    )


def _vouched(folder: Path, lots: Lots) -> pd.DataFrame:
    """Vouchers by transfer, whose key says all five columns that make it; a sale's first voucher is its invoice."""
    frame = read(
        folder, "intermediate.int_transfer__vouchers",
        ("kind_code", "part_code", "haul_key", "method_code", "issuer_key", "payer_key", "payee_key", "currency_code"),
        ("transfer_key", "document_key", "lot_key", "match_score", "issue_date", "net_amount", "value_usd",
         "quantity_t", "is_final", "is_synthetic"),
    )  # fmt: skip
    transfer, _ = pd.factorize(frame["transfer_key"])
    document = pc.rank(frame["document_key"].array.__arrow_array__()).to_numpy()
    is_sale = (frame["part_code"] == code("SALE")).to_numpy()
    order = np.lexsort((document, frame["issue_date"], ~is_sale, transfer))
    sorted_transfer = transfer[order]
    starts = np.flatnonzero(np.diff(sorted_transfer, prepend=-1))
    first = frame.iloc[order[starts]].reset_index(drop=True)
    frame["is_adjusted"] = frame["part_code"] == code("ADJUSTMENT")
    frame["quantity"] = np.where(is_sale, frame["quantity_t"], np.nan)
    frame["is_foreign"] = (frame["currency_code"] != code("PEN")) & (frame["currency_code"] >= 0)
    frame["is_pen"] = frame["currency_code"] == code("PEN")
    frame["method"] = np.select(
        [frame["method_code"] == code("SCORED"), frame["method_code"] == code("NAMED")], [3, 2], 1
    )
    by = frame.groupby(transfer, sort=True)
    sums = by[["value_usd", "net_amount", "quantity"]].sum(min_count=1)
    is_pen = (by["is_pen"].any() & ~by["is_foreign"].any()).to_numpy()
    # the greatest key, not the greatest number
    hauls = CODES.text(frame["haul_key"].to_numpy()).cast(pa.string())
    haul = pd.Series(pd.array(hauls, dtype=pd.ArrowDtype(pa.string()))).groupby(transfer, sort=True).max()
    return pd.DataFrame({
        "transfer_key": first["transfer_key"].array,
        "kind_code": first["kind_code"], "lot_key": first["lot_key"].array, "at": lots.places(first),
        "payee_key": first["payee_key"], "payer_key": first["payer_key"], "is_synthetic": first["is_synthetic"],
        "sold_to": _sold_to(first),
        "voucher": sums["value_usd"].to_numpy(), "has_adjustment": by["is_adjusted"].any().to_numpy(),
        "has_final": by["is_final"].any().to_numpy(),
        "first_date": by["issue_date"].min().to_numpy(), "last_date": by["issue_date"].max().to_numpy(),
        "voucher_count": by.size().to_numpy(), "invoice_key": first["document_key"].array,
        "invoicing_party_key": first["issuer_key"],
        "value_pen": np.where(is_pen, sums["net_amount"], np.nan),
        "haul_key": CODES.of(pa.array(haul.array).dictionary_encode()), "quantity_g": sums["quantity"].to_numpy(),
        "match_score": by["match_score"].min().to_numpy(), "method": by["method"].max().to_numpy(),
    })  # fmt: skip


def _observed(folder: Path, lots: Lots, implied: pd.DataFrame) -> pd.DataFrame:
    vouched = _vouched(folder, lots)
    of_voucher, of_implied = pairs(vouched, implied, ["kind_code", "at", "is_synthetic", "sold_to"])
    alone = np.ones(len(implied), dtype=bool)
    alone[of_implied[of_implied >= 0]] = False
    alone &= known(implied["sheet"]) & (implied["payee_key"] >= 0).to_numpy()
    alone = np.flatnonzero(alone)
    v, i = np.concatenate([of_voucher, np.full(len(alone), -1)]), np.concatenate([of_implied, alone])

    def either(name: str):
        return coalesce(take(vouched[name], v), take(implied[name], i))

    is_vouched = v >= 0
    frame = pd.DataFrame({
        "implied": i, "transfer_key": take(vouched["transfer_key"], v),
        **{name: either(name) for name in ("kind_code", "payee_key", "haul_key", "invoicing_party_key")},
        "at": np.where(is_vouched, vouched["at"].to_numpy()[v], implied["at"].to_numpy()[i]),
        "is_synthetic": np.where(is_vouched, take(vouched["is_synthetic"], v), take(implied["is_synthetic"], i)),
        "payer_key": np.where(is_vouched, take(vouched["payer_key"], v), take(implied["payer_key"], i)),
        **took(implied, i, "operator_key", "reinfo_key", "expected_date", "form", "wet_g", "dry_g", "cu_pct",
               "copper_g", "sheet_code", "sheet_id", "sheet", "ticket_id"),
        **took(vouched, v, "voucher", "value_pen", "first_date", "last_date", "invoice_key", "match_score",
               "has_adjustment", "has_final"),
        "voucher_count": np.where(is_vouched, take(vouched["voucher_count"], v), 0).astype(np.int64),
        "method": np.where(is_vouched, take(vouched["method"], v), 0).astype(np.int64),
    })  # fmt: skip
    frame["lot_key"] = _keys_at(lots, frame["at"])
    frame["invoicing_party_key"] = coalesce(frame["invoicing_party_key"], frame["payee_key"])
    at_pit = is_vouched & (frame["kind_code"] == code("ORE_AT_PIT"))
    frame["operator_key"] = coalesce(frame["operator_key"], np.where(at_pit, frame["payee_key"], -1).astype(np.int32))
    frame["wet_g"] = coalesce(frame["wet_g"], np.where(at_pit, take(vouched["quantity_g"], v), np.nan))
    is_whole = is_vouched & _is_whole(folder, frame)
    frame["value"] = np.where(is_whole, frame["voucher"], frame["sheet"])
    frame["transfer_date"] = np.where(is_whole, frame["last_date"], frame["expected_date"])
    frame = frame.assign(is_whole=is_whole)[known(frame["value"])].reset_index(drop=True)
    return _described(folder, lots, frame)


def _is_whole(folder: Path, frame: pd.DataFrame) -> pd.Series:
    rules = pq.read_table(folder / "inputs" / "reference.match_rules.parquet").to_pylist()
    tolerances = {code(rule["match_code"]): float(rule["value_tolerance_frac"]) for rule in rules}
    tolerance = frame["kind_code"].map(tolerances)
    is_near = (frame["voucher"] - frame["sheet"]).abs() <= tolerance * frame["sheet"].abs()
    settled = np.select(
        [frame["sheet_code"].isin(codes("FINAL", "REGULARIZADA")), frame["sheet_code"] == code("PROVISIONAL")],
        [frame["has_adjustment"] & is_near, False],
        (frame["voucher"] != 0) | ~known(frame["sheet"]),
    )
    return frame["has_final"] | settled


def _described(folder: Path, lots: Lots, frame: pd.DataFrame) -> pd.DataFrame:
    frame = _with_carriers(folder, _with_rates(folder, _with_roles(folder, lots, frame)))
    frame = _with_deposits(folder, lots, frame)
    is_whole, kind = frame["is_whole"], frame["kind_code"]
    has_sheet, is_provisional = frame["sheet_code"] >= 0, frame["sheet_code"] == code("PROVISIONAL")
    is_first = kind.isin(codes("CONCENTRATE", "EXPORT")) & ~has_sheet & ~frame["has_final"]
    # whether a sheet is provisional is not known where there is none
    unknown = ~is_whole & ~has_sheet & ~is_first
    frame["is_provisional"] = pd.array((~is_whole & is_provisional) | is_first, dtype="boolean")
    frame.loc[unknown, "is_provisional"] = pd.NA
    in_pen = rounded(frame["value"], frame["pen_per_usd"], PPM)
    frame["value_pen"] = coalesce(np.where(is_whole, frame["value_pen"], np.nan), in_pen)
    frame["evidence"] = np.where(is_whole, code("VOUCHER"), code("SHEET")).astype(np.int32)
    is_compared = is_whole & has_sheet & ~is_provisional
    frame["difference"] = np.where(is_compared, frame["voucher"] - frame["sheet"], np.nan)
    frame["method"] = np.array(codes("SHEET", "KEY", "NAMED", "SCORED"), dtype=np.int32)[frame["method"]]
    frame["first_date"] = coalesce(frame["first_date"], frame["expected_date"])
    is_keyless = frame["transfer_key"].isna().to_numpy()
    texts = frame["transfer_key"].to_numpy(object)
    texts[is_keyless] = _transfer_keys(frame[is_keyless])
    frame["transfer_key"] = pd.array(texts, dtype=pd.ArrowDtype(pa.string()))
    return frame


def _keys_at(lots: Lots, at: pd.Series):
    return pd.array(lots.keys.take(pa.array(at.to_numpy() // 2)), dtype=pd.ArrowDtype(pa.string()))


def _transfer_keys(frame: pd.DataFrame) -> list[str]:
    """md5 has no vector form; only transfers without a voucher need one."""
    kind, payee, payer = (
        CODES.text(frame[name].to_numpy()).to_pylist() for name in ("kind_code", "payee_key", "payer_key")
    )
    said = zip(kind, frame["lot_key"], payee, payer, frame["is_synthetic"], strict=True)
    texts = (f"{k} {lot} {to or ''} {by or '-'} {str(made).lower()}" for k, lot, to, by, made in said)
    return [hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() for text in texts]


def _with_roles(folder: Path, lots: Lots, frame: pd.DataFrame) -> pd.DataFrame:
    """What payee and payer are in the chain."""
    roles = read(folder, "intermediate.int_party__roles", ("party_key", "role_code"), ("is_synthetic",))
    lines = read(folder, "intermediate.int_lot__batch_lines", ("stream_code",), ("lot_key", "is_heap", "is_synthetic"))
    heaps = lots.places(lines[lines["is_heap"] & (lines["stream_code"] == code("PRODUCT"))])
    is_heap = frame["at"].isin(heaps[heaps >= 0])
    in_role = {
        role: set(zip(of["party_key"], of["is_synthetic"], strict=True))
        for role in ("PLANT", "COLLECTOR", "TRADER")
        for of in [roles[roles["role_code"] == code(role)]]
    }
    parties = {
        role: np.array([2 * party + made for party, made in members], dtype=np.int64)
        for role, members in in_role.items()
    }
    for name, by_kind in _ROLES.items():
        party = frame[name.replace("_role", "_key")]
        member = np.where(party < 0, -1, 2 * party.astype(np.int64) + frame["is_synthetic"])
        is_own = (party == frame["operator_key"]) & (party >= 0)
        is_plant, is_collector, is_trader = (
            np.isin(member, parties[role]) for role in ("PLANT", "COLLECTOR", "TRADER")
        )
        kinds = [frame["kind_code"] == code(kind) for kind in by_kind]
        chosen = [*codes(*by_kind.values()), *codes("OPERATOR", "PLANT", "COLLECTOR", "TRADER")]
        found = np.select([*kinds, is_own, is_plant, is_collector | is_heap, is_trader], chosen, code("OPERATOR"))
        frame[name] = found.astype(np.int32)
    return frame


def _with_rates(folder: Path, frame: pd.DataFrame) -> pd.DataFrame:
    rates = read(
        folder, "intermediate.int_price__daily", ("fx_series_code",), ("price_date", "is_synthetic", "pen_per_usd")
    )
    rates = rates.rename(columns={"price_date": "transfer_date"})
    _, at = pairs(frame, rates, ["transfer_date", "is_synthetic"])
    return frame.assign(**took(rates, at, "pen_per_usd", "fx_series_code"))


def _with_carriers(folder: Path, frame: pd.DataFrame) -> pd.DataFrame:
    waybills = read(
        folder, "intermediate.int_haul__documents", ("kind_code", "haul_key"), ("document_key", "is_synthetic")
    )
    for kind, name in (("WAYBILL_SENDER", "sender"), ("WAYBILL_CARRIER", "carrier")):
        of_kind = waybills[waybills["kind_code"] == code(kind)].sort_values("document_key")
        first = of_kind.drop_duplicates(["haul_key", "is_synthetic"])
        _, at = pairs(frame, first, ["haul_key", "is_synthetic"])
        frame[f"{name}_waybill_key"] = take(first["document_key"], at)
    return frame


def _with_deposits(folder: Path, lots: Lots, frame: pd.DataFrame) -> pd.DataFrame:
    sales = read(
        folder,
        "intermediate.int_settlement__sales",
        ("buyer_key",),
        ("lot_key", "detraction_deposit_id", "is_synthetic"),
    )
    sales = sales.assign(at=lots.places(sales)).query("at >= 0")
    on_sheet = frame["kind_code"].isin(codes("ORE_AT_PLANT", "CONCENTRATE"))
    buyers = frame[["at"]].assign(buyer_key=np.where(on_sheet, frame["payer_key"], -1).astype(np.int32))
    here, there = pairs(buyers, sales, ["buyer_key", "at"])
    return frame.iloc[here].reset_index(drop=True).assign(deposit_id=take(sales["detraction_deposit_id"], there))


def _unseen(folder: Path, lots: Lots, implied: pd.DataFrame, observed: pd.DataFrame) -> pd.DataFrame:
    """What is implied and not observed; without a buyer no observed one is told to be the same."""
    sure = implied[implied["why_code"] != code("POSSIBLE")]
    seen = sure.index.isin(observed["implied"])
    is_open = (sure["kind_code"] == code("ORE_BETWEEN_COLLECTORS")) & (sure["payer_key"] < 0)
    unseen = sure[~seen | is_open].reset_index(drop=True)
    is_haulage = unseen["kind_code"] == code("HAULAGE")
    sold = sure.loc[sure["kind_code"] == code("ORE_AT_PLANT"), "at"]
    plant = (
        _deducting(folder, lots, unseen.loc[is_haulage, "at"], sold).reindex(unseen["at"]).fillna(-1).to_numpy(np.int32)
    )
    payer = unseen["payer_key"].to_numpy()
    unseen["payer_key"] = np.where(is_haulage & (plant >= 0), plant, payer).astype(np.int32)
    unseen = unseen.assign(transfer_date=unseen["expected_date"], first_date=unseen["expected_date"])
    unseen = _with_rates(folder, _with_roles(folder, lots, unseen))
    told = (
        "at", "lot_key", "kind_code", "payee_key", "payee_role", "payer_key", "payer_role", "invoicing_party_key",
        "operator_key", "reinfo_key", "transfer_date", "first_date", "form", "wet_g", "dry_g", "cu_pct", "copper_g",
        "pen_per_usd", "fx_series_code", "is_synthetic",
    )  # fmt: skip
    none = np.full(len(unseen), -1, dtype=np.int32)
    keys = pd.array(_transfer_keys(unseen), dtype=pd.ArrowDtype(pa.string()))
    return unseen[list(told)].assign(
        transfer_key=keys, is_provisional=pd.array(np.zeros(len(unseen), dtype=bool), dtype="boolean"), voucher_count=0,
        sheet_code=none, evidence=none, method=none,
    )  # fmt: skip


def _deducting(folder: Path, lots: Lots, unpaid: pd.Series, sold: pd.Series) -> pd.Series:
    """Plants that mostly deduct freight, by lot that came to them and of which no sheet of theirs tells."""
    sheets = read(
        folder,
        "intermediate.int_settlement__sales",
        ("buyer_key", "lot_kind_code"),
        ("lot_key", "freight_usd", "is_synthetic"),
    )
    sheets = sheets.assign(at=lots.places(sheets), has_freight=sheets["freight_usd"] > 0)
    of_loads = sheets[sheets["lot_kind_code"] == code("LOAD")].groupby(["buyer_key", "is_synthetic"])["has_freight"]
    counted = of_loads.agg(["sum", "size"])
    usual = counted[counted["sum"] * 2 > counted["size"]].reset_index()
    arrivals = read(folder, "intermediate.int_lot__arrivals", ("receiver_key",), ("lot_key", "is_synthetic"))
    arrivals = arrivals.assign(at=lots.places(arrivals)).rename(columns={"receiver_key": "buyer_key"})
    arrivals = arrivals[arrivals["at"].isin(unpaid) & arrivals["at"].isin(sold)]
    _, is_usual = pairs(arrivals, usual, ["buyer_key", "is_synthetic"])
    arrivals = arrivals[is_usual >= 0]
    here, on_sheet = pairs(arrivals, sheets, ["buyer_key", "at"])
    free = arrivals.iloc[here[on_sheet < 0]]
    # the first by name, of the few that are left
    named = free.assign(name=CODES.text(free["buyer_key"].to_numpy()).to_pylist()).sort_values("name")
    return named.drop_duplicates("at").set_index("at")["buyer_key"]


def _add_untold(lots: Lots, paid: pd.DataFrame) -> None:
    """Lots that vouchers alone tell of, numbered after the others."""
    rows = paid[lots.numbers(paid["at"].to_numpy()) < 0]
    if rows.empty:
        return
    texts = {
        name: CODES.text(rows[name].to_numpy()).cast(pa.string()).to_pandas()
        for name in ("form", "operator_key", "reinfo_key")
    }
    kinds = pd.Series(CODES.text(rows["kind_code"].to_numpy()).to_pylist()).map(_PAID_KINDS)
    rows = rows.reset_index(drop=True).assign(**texts, paid_kind=kinds)
    by = rows.groupby("at", sort=False)
    least = by[["first_date", "form", "operator_key", "reinfo_key"]].min()
    most = by[["wet_g", "dry_g", "cu_pct", "copper_g", "paid_kind"]].max()
    found = least.join(most).join(by[["lot_key", "is_synthetic"]].first()).reset_index()
    found["lot_kind"] = found.pop("paid_kind").fillna("LOAD")
    patterns = pq.read_table(lots.folder / "inputs" / "reference.lot_code_patterns.parquet").to_pylist()
    for pattern in reversed(patterns):
        found.loc[found["lot_key"].str.contains(pattern["pattern"]), "lot_kind"] = pattern["lot_kind_code"]
    for name in ("form", "operator_key", "reinfo_key", "lot_kind"):
        found[name] = CODES.of(pa.array(found[name], pa.string(), from_pandas=True).dictionary_encode())
    none = np.full(len(found), -1, dtype=np.int32)
    found = found.assign(origin_ubigeo_code=none, department_code=none, plant_key=none, is_origin=True)
    lots.add(found.drop(columns="at"), found["at"].to_numpy())
