"""The bridge from the London price to FOB, what each link of the chain took in and paid, and both by month and place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks._ledger_pandas.amounts import (
    CODES,
    as_decimal,
    code,
    double,
    part,
    quotient,
    read,
    rounded,
    write,
)
from benchmarks._ledger_pandas.paid import Lots
from benchmarks._ledger_pandas.shares import Shares

_EXPORTED = {
    "port_copper_g": "port_g", "payable_copper_g": "payable_g", "metal_cents": "metal", "tc_rc_cents": "tc_rc",
    "penalties_cents": "penalties", "credits_cents": "credits",
}  # fmt: skip
#: Grams by millionths of a dollar a tonne make so many for a cent.
_WORTH_PER_CENT = 10**10
_PLACE = ["month", "department_code", "form_code", "registry_state", "is_synthetic"]


def bridge_of(
    folder: Path, origins: pd.DataFrame, exported: pd.DataFrame, flows: pd.DataFrame, missing: pd.DataFrame
) -> pd.DataFrame:
    """Origin lots with every step from the worth of their copper to what was paid abroad, in cents."""
    export = flows[flows["kind"] == code("EXPORT")]
    is_observed = export["basis"] == code("observed")
    fob = pd.DataFrame({
        "fob": export[is_observed].groupby("origin")["cents"].sum(),
        "guessed": export[~is_observed].groupby("origin")["cents"].sum(),
        "fob_low": export.groupby("origin")["low"].sum(), "fob_high": export.groupby("origin")["high"].sum(),
    })  # fmt: skip
    listed = read(folder, "reference.lot_missing_codes", ("missing_code",), ("rank", "breaks_bridge"))
    lacking = missing.merge(listed, left_on="missing", right_on="missing_code").sort_values("rank")
    first = lacking.drop_duplicates("lot").set_index("lot")["missing_code"]
    broken = lacking.loc[lacking["breaks_bridge"], "lot"]
    amounts = exported.join(fob, how="outer").reindex(origins.index)
    is_final = amounts.pop("is_final").eq(True).to_numpy()
    has_terms = amounts.pop("has_terms").ne(False)
    bridge = origins.join(amounts.fillna(0).astype(np.int64)).assign(
        is_final=is_final, is_complete=~origins.index.isin(broken),
        missing_code=first.reindex(origins.index).fillna(-1).astype(np.int32),
        won_g=origins[["exported_g", "at_pit_g", "at_plant_g", "in_store_g"]].sum(axis=1),
    )  # fmt: skip
    worth = {"copper": "copper_g", "won": "won_g", "exported": "exported_g", "port": "port_g", "payable": "payable_g"}
    price = bridge["copper_uusd_per_t"]
    bridge = bridge.assign(**{name: rounded(bridge[g], price, _WORTH_PER_CENT) for name, g in worth.items()})
    given = bridge["metal"] - bridge["tc_rc"] - bridge["penalties"] + bridge["credits"]
    bridge["given"] = given.where(has_terms, bridge["port"].fillna(0))
    told = ["payable", *(name for name in _EXPORTED.values() if name != "port_g")]
    return bridge.assign(**{name: bridge[name].where(has_terms) for name in told})


def exported_of(folder: Path, lots: Lots, shares: Shares) -> pd.DataFrame:
    """By origin lot, what of the terms of exported lots falls to it, and whether all of them tell their terms."""
    valued = read(
        folder,
        "intermediate.int_export__lots_valued",
        (),
        ("lot_key", "is_final", "has_terms", *_EXPORTED, "is_synthetic"),
    )
    valued = valued.assign(
        holder=2 * lots.of(valued), **{name: valued[name].fillna(0).astype(np.int64) for name in _EXPORTED}
    ).query("holder >= 0")
    valued = valued.join(shares.wholes, on="holder")
    # a lot without shares is its own origin
    valued["lot_g"] = valued["lot_g"].fillna(1).astype(np.int64)
    valued["largest"] = valued["largest"].fillna(valued["holder"] // 2).astype(np.int64)
    rows = valued.merge(shares.parts, on="holder", how="left")
    rows["copper_g"] = rows["copper_g"].fillna(1).astype(np.int64)
    rows["origin"] = rows["origin"].fillna(rows["holder"] // 2).astype(np.int64)
    names = list(_EXPORTED.values())
    parts = rows[["holder", "origin", "is_final", "has_terms"]].assign(
        **{name: part(rows[whole], rows["copper_g"], rows["lot_g"]) for whole, name in _EXPORTED.items()}
    )
    taken = parts.groupby("holder")[names].sum().reindex(valued["holder"])
    rests = (
        valued[["largest", "is_final", "has_terms"]]
        .rename(columns={"largest": "origin"})
        .assign(**{name: valued[whole].to_numpy() - taken[name].to_numpy() for whole, name in _EXPORTED.items()})
    )
    both = pd.concat([parts.drop(columns="holder"), rests], ignore_index=True).groupby("origin")
    return both[names].sum().assign(is_final=both["is_final"].all(), has_terms=both["has_terms"].all())


def write_bridge(folder: Path, bridge: pd.DataFrame) -> None:
    """fct_lot_value_bridge."""
    b = bridge
    usd = {
        "lme_contained_usd": b["copper"], "metallurgical_loss_usd": b["copper"] - b["won"],
        "assay_difference_usd": b["exported"] - b["port"], "payability_loss_usd": b["port"] - b["payable"],
        "payable_lme_usd": b["payable"], "tc_rc_usd": b["tc_rc"], "penalties_usd": b["penalties"],
        "credits_usd": b["credits"], "qp_effect_usd": b["metal"] - b["payable"],
        "unexplained_usd": b["fob"] - b["given"], "fob_usd": b["fob"],
        "not_followed_usd": b["won"] - b["exported"], "fob_imputed_usd": b["guessed"], "fob_low_usd": b["fob_low"],
        "fob_high_usd": b["fob_high"],
    }  # fmt: skip
    tonnes = {
        "reference_copper_usd_per_t": "copper_uusd_per_t", "mass_wmt": "wet_g", "mass_dmt": "dry_g",
        "copper_t": "copper_g",
        "payable_copper_t": "payable_g",
    }  # fmt: skip
    coded = {
        "lot_kind_code": "lot_kind", "product_form_code": "form", "department_code": "department_code",
        "operator_key": "operator_key", "reinfo_key": "reinfo_key", "registry_state": "registry_state",
        "reference_price_basis_code": "copper_basis_code", "missing_code": "missing_code",
    }  # fmt: skip
    write(folder, "fct_lot_value_bridge", {
        "lot_key": b["lot_key"], "reference_date": b["first_date"], "is_complete": b["is_complete"],
        "is_fob_final": b["is_final"], "is_synthetic": b["is_synthetic"],
        **{name: CODES.text(b[of].to_numpy()) for name, of in coded.items()},
        **{name: as_decimal(b[of], 6) for name, of in tonnes.items()},
        **{name: as_decimal(cents, 2) for name, cents in usd.items()},
    })  # fmt: skip


def links_of(flows: pd.DataFrame) -> pd.DataFrame:
    """What each link took in and paid on an origin lot, in cents."""
    is_own = flows["payee"] == flows["payer"]
    low, high = (np.where(is_own, flows["cents"], flows[bound]) for bound in ("low", "high"))
    by = flows[["origin", "basis", "count"]]
    taken = by.assign(link=flows["payee"], revenue=flows["cents"], purchases=0, low=low, high=high)
    given = by.assign(link=flows["payer"], revenue=0, purchases=flows["cents"], low=-high, high=-low)
    sides = pd.concat([taken, given[flows["payer"] != code("ABROAD")]], ignore_index=True)
    sides["turnover"] = sides["revenue"] + sides["purchases"]
    for basis in ("modelled", "imputed"):
        sides[f"has_{basis}"] = sides["basis"] == code(basis)
        sides[basis] = np.where(sides[f"has_{basis}"], sides["turnover"], 0)
    links = sides.drop(columns="basis").groupby(["origin", "link"], sort=False).sum().reset_index()
    basis = np.select(
        [links["has_imputed"] > 0, links["has_modelled"] > 0], [code("imputed"), code("modelled")], code("observed")
    )
    return links.assign(
        basis=basis.astype(np.int32), margin=links["revenue"] - links["purchases"],
        observed=links["turnover"] - links["modelled"] - links["imputed"],
    )  # fmt: skip


def write_margins(folder: Path, lots: Lots, links: pd.DataFrame, bridge: pd.DataFrame) -> None:
    """fct_lot_link_margin."""
    of_bridge = bridge[["copper_g", "dry_g", "is_complete"]].reindex(links["origin"]).reset_index(drop=True)
    lot = lots.frame.iloc[links["origin"]]
    margin = double(links["margin"], 2)
    usd = {
        "revenue_usd": "revenue", "purchases_usd": "purchases", "gross_margin_usd": "margin",
        "gross_margin_low_usd": "low",
        "gross_margin_high_usd": "high", "net_margin_high_usd": "high", "observed_usd": "observed",
        "modelled_usd": "modelled",
        "imputed_usd": "imputed",
    }  # fmt: skip
    none = pa.nulls(len(links), pa.decimal128(18, 2))
    share = quotient(double(links["observed"], 0), double(links["turnover"], 0), 6)
    write(folder, "fct_lot_link_margin", {
        "lot_key": lot["lot_key"], "is_synthetic": lot["is_synthetic"],
        "link_code": CODES.text(links["link"].to_numpy()),
        "direct_cost_usd": none, "net_margin_low_usd": none,
        **{name: as_decimal(links[of], 2) for name, of in usd.items()},
        "gross_margin_usd_per_t": as_decimal(quotient(margin, double(of_bridge["copper_g"], 6), 4), 4),
        "gross_margin_usd_per_dmt": as_decimal(quotient(margin, double(of_bridge["dry_g"], 6), 4), 4),
        "observed_share_frac": as_decimal(share, 6), "value_basis_code": CODES.text(links["basis"].to_numpy()),
        "transfer_count": links["count"], "is_complete": of_bridge["is_complete"].eq(True),
    })  # fmt: skip


def write_chain(folder: Path, links: pd.DataFrame, bridge: pd.DataFrame) -> None:
    """mart_value_chain_margin."""
    department = np.where(bridge["department_code"] < 0, code("--"), bridge["department_code"]).astype(np.int32)
    lots = bridge[
        ["form_code", "registry_state", "is_synthetic", "operator_key", "copper_g", "dry_g", "is_complete"]
    ].assign(
        month=bridge["first_date"].to_numpy().astype("datetime64[M]").astype("datetime64[s]"),
        department_code=department, is_provisional=bridge["is_complete"] & ~bridge["is_final"],
    )  # fmt: skip
    # a lot without a day has no place
    lots = lots[lots["month"].notna()]
    of_bridge = bridge.loc[lots.index]
    complete = {name: of_bridge[name].where(lots["is_complete"]) for name in ("copper", "payable", "fob")}
    by_place = lots.assign(**complete, one=1).groupby(_PLACE, sort=False)
    cells = by_place[["copper_g", "dry_g", *complete]].sum(min_count=1)
    cells = cells.assign(
        cell_lot_count=by_place["one"].sum(), complete_lot_count=by_place["is_complete"].sum(),
        provisional_lot_count=by_place["is_provisional"].sum(),
    ).reset_index()  # fmt: skip
    places = by_place.ngroup()

    rows = links[links["origin"].isin(lots.index)]
    sums = ["revenue", "purchases", "margin", "low", "high", "observed", "modelled", "imputed", "turnover"]
    of_lot = lots.loc[rows["origin"]]
    operator = np.where(of_lot["operator_key"] < 0, np.nan, of_lot["operator_key"])
    rows = rows[["link", *sums]].assign(
        place=places.loc[rows["origin"]].to_numpy(), operator=operator, one=1,
        complete=np.where(of_lot["is_complete"], rows["margin"], np.nan),
        of_copper=np.where(of_lot["copper_g"] > 0, rows["margin"], 0),
        of_mass=np.where(of_lot["dry_g"] > 0, rows["margin"], 0),
    )  # fmt: skip
    by = rows.groupby(["place", "link"], sort=False)
    found = by[[*sums, "of_copper", "of_mass", "one"]].sum()
    found = found.assign(
        complete=by["complete"].sum(min_count=1), operator_count=by["operator"].nunique()
    ).reset_index()
    cell = cells.iloc[found["place"]].reset_index(drop=True)
    _write_chain(folder, found, cell)


def _write_chain(folder: Path, found: pd.DataFrame, cell: pd.DataFrame) -> None:
    def share(over: pd.Series, under: pd.Series) -> pa.Array:
        return as_decimal(quotient(double(over, 2), double(under, 2), 6), 6)

    usd = {
        "revenue_usd": found["revenue"], "purchases_usd": found["purchases"], "gross_margin_usd": found["margin"],
        "gross_margin_low_usd": found["low"], "gross_margin_high_usd": found["high"],
        "copper_known_gross_margin_usd": found["of_copper"], "mass_known_gross_margin_usd": found["of_mass"],
        "complete_gross_margin_usd": found["complete"].fillna(0), "lme_contained_usd": cell["copper"].fillna(0),
        "payable_lme_usd": cell["payable"].fillna(0), "fob_usd": cell["fob"].fillna(0),
    }  # fmt: skip
    coded = {
        "department_code": cell["department_code"], "product_form_code": cell["form_code"], "link_code": found["link"],
        "registry_state": cell["registry_state"],
    }  # fmt: skip
    write(folder, "mart_value_chain_margin", {
        "month": cell["month"], "is_synthetic": cell["is_synthetic"], "lot_count": found["one"],
        "operator_count": found["operator_count"], "cell_lot_count": cell["cell_lot_count"],
        "complete_lot_count": cell["complete_lot_count"],
        "provisional_lot_count": cell["provisional_lot_count"],
        **{name: CODES.text(values.to_numpy()) for name, values in coded.items()},
        **{name: as_decimal(cents, 2) for name, cents in usd.items()},
        "copper_t": as_decimal(cell["copper_g"], 6), "mass_dmt": as_decimal(cell["dry_g"], 6),
        "gross_margin_usd_per_t": as_decimal(
            quotient(double(found["of_copper"], 2), double(cell["copper_g"], 6), 4), 4
        ),
        "gross_margin_usd_per_dmt": as_decimal(
            quotient(double(found["of_mass"], 2), double(cell["dry_g"], 6), 4), 4
        ),
        "share_of_lme_contained_frac": share(found["complete"], cell["copper"]),
        "share_of_payable_frac": share(found["complete"], cell["payable"]),
        "share_of_fob_frac": share(found["complete"], cell["fob"]),
        **{f"{name}_share_frac": share(found[name], found["turnover"]) for name in ("observed", "imputed", "modelled")},
    })  # fmt: skip
