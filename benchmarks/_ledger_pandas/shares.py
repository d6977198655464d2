"""Whose copper a lot holds, amounts on lots shared over it, and where the papers lose sight of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._ledger_pandas.amounts import PPM, coalesce, code, codes, from_double, known, part, read, rounded
from benchmarks._ledger_pandas.paid import Lots
from benchmarks._ledger_pandas.ratios import Reference

_BY = ["origin", "kind", "payee", "payer", "basis"]
_FOLLOWED = {"EXPORTED": "exported_g", "PIT": "at_pit_g", "LOAD": "at_plant_g", "PRODUCT": "in_store_g"}


@dataclasses.dataclass(frozen=True)
class Shares:
    """Parts by holder and origin lot, and each holder's sum, number of origins and largest one.

    A holder is twice a lot's number; one more is all that the campaign of tailings was fed, over which milling is shared.
    """

    parts: pd.DataFrame
    wholes: pd.DataFrame


def edges_of(folder: Path, lots: Lots) -> pd.DataFrame:
    """Copper that went from one lot into another."""
    rows = read(folder, "intermediate.int_lot__edges", (), ("from_lot_key", "to_lot_key", "copper_g", "is_synthetic"))
    edges = pd.DataFrame({
        "from_lot": lots.of(rows, "from_lot_key"), "to_lot": lots.of(rows, "to_lot_key"), "copper_g": rows["copper_g"],
    })  # fmt: skip
    edges = edges[(edges["from_lot"] >= 0) & (edges["to_lot"] >= 0)].reset_index(drop=True)
    return edges.assign(to_kind=lots.frame["lot_kind"].to_numpy()[edges["to_lot"]])


def shares_of(folder: Path, lots: Lots) -> Shares:
    held = _by_origin(folder, lots, "intermediate.int_lot__genealogy")
    own = _with_unsure(folder, lots, held).assign(holder=2 * held["lot"])
    fed = _by_origin(folder, lots, "intermediate.int_campaign__origins_fed").assign(less_g=0, more_g=0)
    fed["holder"] = 2 * fed["lot"] + 1
    columns = ["holder", "origin", "copper_g", "less_g", "more_g"]
    parts = pd.concat([own[columns], fed[columns]], ignore_index=True)
    wholes = parts.groupby("holder")["copper_g"].agg(lot_g="sum", origin_count="size")
    # the largest, of equal ones the first
    ordered = parts.sort_values(["holder", "copper_g", "origin"], ascending=[True, False, True])
    return Shares(parts, wholes.assign(largest=ordered.drop_duplicates("holder").set_index("holder")["origin"]))


def _by_origin(folder: Path, lots: Lots, table: str) -> pd.DataFrame:
    rows = read(folder, table, (), ("lot_key", "origin_lot_key", "copper_g", "is_synthetic"))
    held = pd.DataFrame({"lot": lots.of(rows), "origin": lots.of(rows, "origin_lot_key"), "copper_g": rows["copper_g"]})
    return held[(held["copper_g"] > 0) & (held["lot"] >= 0) & (held["origin"] >= 0)].reset_index(drop=True)


def _with_unsure(folder: Path, lots: Lots, held: pd.DataFrame) -> pd.DataFrame:
    """Parts of products that are not sure: what one origin has less the others of the product have more."""
    ranges = read(
        folder,
        "intermediate.int_lot__origin_ranges",
        (),
        ("origin_lot_key", "low_factor", "high_factor", "is_synthetic"),
    )
    ranges = ranges.assign(origin=lots.of(ranges, "origin_lot_key")).query("origin >= 0").set_index("origin")
    is_product = lots.frame["lot_kind"].to_numpy()[held["lot"]] == code("PRODUCT")
    unsure_lots = held.loc[is_product & held["origin"].isin(ranges.index), "lot"]
    unsure = held[held["lot"].isin(unsure_lots)]
    factors = ranges[["low_factor", "high_factor"]].reindex(unsure["origin"]).fillna(PPM).astype(np.int64)
    copper = unsure["copper_g"].to_numpy()
    low = copper * factors["low_factor"].to_numpy() // PPM
    high = -(-copper * factors["high_factor"].to_numpy() // PPM)
    least, most = (
        pd.Series(x).groupby(unsure["lot"].to_numpy()).transform("sum").to_numpy()
        for x in (copper - low, high - copper)
    )
    less, more = np.zeros((2, len(held)), dtype=np.int64)
    less[unsure.index] = copper - np.maximum(low, copper - most + (high - copper))
    more[unsure.index] = np.minimum(high, copper + least - (copper - low)) - copper
    return held.assign(less_g=less, more_g=more)


def booked_on(paid: pd.DataFrame, imputed: pd.DataFrame, shares: Shares) -> pd.DataFrame:
    """Transfers as amounts on lots, in cents, and how far below and above them their bounds are."""
    found = imputed.reindex(paid.index)
    basis = found["basis"].fillna(code("observed")).astype(np.int32)
    value = paid["value"].to_numpy()
    cents = np.where((basis != code("observed")) | ~known(value), found["cents"], value)
    is_mill = (paid["kind_code"] == code("MILLING")).to_numpy()
    feed = 2 * paid["lot"].to_numpy() + 1
    booked = pd.DataFrame({
        "transfer": np.arange(len(paid)), "lot": paid["lot"], "kind": paid["kind_code"], "payee": paid["payee_role"],
        "payer": paid["payer_role"], "basis": basis, "cents": cents,
        "holder": np.where(is_mill & np.isin(feed, shares.wholes.index), feed, feed - 1),
        "below": cents - coalesce(found["low_cents"], value), "above": coalesce(found["high_cents"], value) - cents,
        "is_documented": paid["ticket_id"].notna().to_numpy() | paid["sheet_id"].notna().to_numpy(),
    })  # fmt: skip
    booked = booked[known(booked["cents"])].reset_index(drop=True)
    return booked.astype({"cents": np.int64, "below": np.int64, "above": np.int64})


def shared(amounts: pd.DataFrame, shares: Shares) -> pd.DataFrame:
    """Amounts by origin, link and basis; a lot without shares is its own origin, what division leaves goes to the largest."""
    whole = amounts.join(shares.wholes, on="holder")
    alone = whole["origin_count"].fillna(1) == 1
    one = whole[alone].assign(origin=coalesce(whole["largest"], whole["holder"] // 2)[alone].astype(np.int64))
    one = one.assign(**_within(
        # one cent more on a side that has a bound
        one, one["cents"] - one["below"] - (one["below"] != 0), one["cents"] + one["above"] + (one["above"] != 0)
    ), count=1)  # fmt: skip
    several = whole[~alone].astype({"lot_g": np.int64, "origin_count": np.int64, "largest": np.int64})
    rows = several.merge(shares.parts, on="holder")
    cut = part(rows["cents"], rows["copper_g"], rows["lot_g"])
    is_largest = rows["origin"] == rows["largest"]
    rest = rows["cents"] - pd.Series(cut).groupby(rows["transfer"]).transform("sum")
    cents = cut + np.where(is_largest, rest, 0)
    spread = np.where(is_largest, rows["origin_count"], 1)
    below, above = (
        np.where(rows[side] == 0, 0, part(rows[side], rows["copper_g"], rows["lot_g"]) + spread)
        for side in ("below", "above")
    )
    under = _further(rows, rows["cents"] - rows["below"], rows["less_g"], rows["more_g"])
    over = _further(rows, rows["cents"] + rows["above"], rows["more_g"], rows["less_g"])
    parts = rows.assign(**_within(rows, cents - below - under, cents + above + over), count=1).assign(cents=cents)
    columns = [*_BY, "cents", "low", "high", "count"]
    flows = pd.concat([one[columns], parts[columns]], ignore_index=True)
    return flows.groupby(_BY, sort=False).sum().astype(np.int64).reset_index()


def _within(rows: pd.DataFrame, low, high) -> dict[str, np.ndarray]:
    """Bounds of parts, between zero and those of the whole."""
    return {
        "low": np.maximum(low, np.minimum(rows["cents"] - rows["below"], 0)),
        "high": np.minimum(high, np.maximum(rows["cents"] + rows["above"], 0)),
    }


def _further(rows: pd.DataFrame, bound: pd.Series, nearer: pd.Series, further: pd.Series) -> np.ndarray:
    """How much further a bound lies where the part is not sure."""
    share = part(bound.abs(), np.where(bound < 0, further, nearer), rows["lot_g"]) + rows["origin_count"]
    return np.where((nearer == 0) & (further == 0), 0, share)


def ends_of(folder: Path, lots: Lots, edges: pd.DataFrame, shares: Shares, reference: Reference) -> pd.DataFrame:
    """Lots that are exported, or of which copper is left that went into no other lot."""
    lot = np.arange(len(lots.frame))
    exported = read(folder, "intermediate.int_export__lots_valued", (), ("lot_key", "port_copper_g", "is_synthetic"))
    exported = exported.assign(lot=lots.of(exported)).query("lot >= 0").set_index("lot")
    port = exported["port_copper_g"].reindex(lot).to_numpy(np.float64)
    is_exported = known(port)
    onward = edges.groupby("from_lot")["copper_g"].sum().reindex(lot).to_numpy(np.float64)
    lot_g = shares.wholes["lot_g"].reindex(2 * lot).to_numpy(np.float64)
    goes_on, is_held = known(onward), known(lot_g)
    whole, gone_on = np.where(is_held, lot_g, 0), np.where(goes_on, onward, 0)
    held = np.maximum(whole - gone_on, 0)
    of_whole = PPM - reference.rules_ppm["LEFT_OVER_FRAC"]
    is_less = rounded(np.where(is_exported, port, 0), PPM, 1) < rounded(held, of_whole, 1)
    went = np.where(is_exported, np.where(is_less, port, held), 0)
    is_end = is_exported | ~goes_on | (is_held & (rounded(gone_on, PPM, 1) < rounded(whole, of_whole, 1)))
    is_end &= ~np.isin(lots.frame["lot_kind"].to_numpy(), codes("TAILINGS", "UNACCOUNTED"))
    kind = np.where(is_exported, code("PRODUCT"), lots.frame["lot_kind"].to_numpy())
    ends = pd.DataFrame({"lot": lot, "lot_g": lot_g})
    ends = pd.concat([
        ends.assign(end=code("EXPORTED"), left_g=went)[is_end & is_exported],
        ends.assign(end=kind, left_g=held - went)[is_end & (~is_exported | (went < held))],
    ], ignore_index=True)  # fmt: skip
    frac = ends["left_g"] / ends["lot_g"].where(ends["lot_g"] > 0)
    return ends.assign(left_ppm=from_double(frac.fillna(1).to_numpy(), 6).astype(np.int64))


def origins_of(measures: pd.DataFrame, ends: pd.DataFrame, shares: Shares, booked: pd.DataFrame) -> pd.DataFrame:
    """Origin lots, by number, with what begins at them and what became of it, and lots that are divided over none."""
    own = shares.parts.assign(lot=shares.parts["holder"] // 2)[shares.parts["holder"] % 2 == 0]
    rows = own.merge(ends, on="lot")
    left = part(rows["left_g"], rows["copper_g"], rows["lot_g"])
    rows = rows.assign(g=np.where(rows["left_g"] == rows["lot_g"], rows["copper_g"], left))
    by_end = {name: rows[rows["end"] == code(end)].groupby("origin")["g"].sum() for end, name in _FOLLOWED.items()}
    begun = own[own["origin"] == own["lot"]].join(shares.wholes["lot_g"], on="holder").set_index("lot")
    begun = begun[["copper_g", "lot_g"]].reindex(measures.index)
    is_begun, is_part = begun["copper_g"].notna(), begun["copper_g"] < begun["lot_g"]
    is_divided = measures.index.isin(shares.wholes.index // 2)
    is_undivided = ~is_divided & (measures["is_origin"].to_numpy(bool) | measures.index.isin(booked["lot"]))
    kept = {
        mass: np.where(is_part, part(measures[mass], begun["copper_g"], begun["lot_g"]), measures[mass])
        for mass in ("wet_g", "dry_g")
    }
    origins = measures.assign(copper_g=np.where(is_begun, begun["copper_g"], measures["copper_g"]), **kept)
    origins = origins[is_begun | is_undivided]
    followed = pd.DataFrame(by_end).reindex(origins.index).fillna(0).astype(np.int64)
    return origins.join(followed)


def missing_of(
    folder: Path, lots: Lots, origins: pd.DataFrame, booked: pd.DataFrame, flows: pd.DataFrame, exported: pd.DataFrame
) -> pd.DataFrame:
    """By origin lot, the codes of what the papers do not tell."""
    is_collectors = (booked["payee"] == code("COLLECTOR")) | (booked["payer"] == code("COLLECTOR"))
    collected = origins.index.isin(booked.loc[is_collectors, "lot"])
    gaps = {
        "NO_COPPER": ~(origins["copper_g"] > 0),
        "NO_PRICE": ~known(origins["copper_uusd_per_t"]),
        "NO_FEED": ~origins["lot_kind"].isin(codes("PIT", "LOAD")),
        "NO_MIX": (origins["lot_kind"] == code("LOAD")) & collected,
        "NO_LOAD": origins["at_pit_g"] > 0,
        "NO_CAMPAIGN": origins["at_plant_g"] > 0,
        "NO_EXPORT": origins["in_store_g"] > 0,
    }
    told = [
        pd.DataFrame({"lot": origins.index[np.asarray(is_gap)], "missing": code(name)}) for name, is_gap in gaps.items()
    ]
    unbalanced = lots.of(read(folder, "intermediate.int_lot__unbalanced", (), ("lot_key", "is_synthetic")), "lot_key")
    told.append(pd.DataFrame({"lot": unbalanced, "missing": code("NO_BALANCE")}))
    told.append(pd.DataFrame({"lot": exported.index[~exported["has_terms"]], "missing": code("NO_TERMS")}))
    unseen = flows.loc[flows["basis"] != code("observed"), ["origin", "kind"]].drop_duplicates()
    return pd.concat([*told, unseen.set_axis(["lot", "missing"], axis=1)], ignore_index=True)
