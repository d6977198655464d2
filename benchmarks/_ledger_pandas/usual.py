"""What is usually paid on lots like these, and what is therefore taken to have been paid where papers lose sight of a lot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks._ledger_pandas.amounts import (
    CODES,
    PPM,
    bounds_cents,
    code,
    codes,
    divided,
    double,
    from_double,
    known,
    pairs,
    read,
    rounded,
    worth_uusd,
)
from benchmarks._ledger_pandas.paid import Lots
from benchmarks._ledger_pandas.ratios import FEATURES, RATIOS, Reference, cells, ranged
from benchmarks._ledger_pandas.shares import Shares

_SITUATION = ["deal", "seller", "form_code", "band"]
#: In the order of preference where one lot is lost in two ways.
_LOSSES = ("NO_CAMPAIGN", "NO_EXPORT", "NO_FEED", "NO_LOAD", "NO_MIX", "UNTOLD")


def situations_of(
    folder: Path, lots: Lots, measures: pd.DataFrame, shares: Shares, booked: pd.DataFrame
) -> pd.DataFrame:
    """Every lot, by number, with stage, deal, seller, form and grade, and the worth of its copper within bounds."""
    lot = measures.index.to_numpy()
    deal, is_mixed = _batches(folder, lots)
    kind, payee = booked["kind"], booked["payee"]
    is_bought, is_toll = _deals(kind, payee)
    is_operators = (kind == code("ORE_AT_PLANT")) & (payee == code("OPERATOR")) & booked["is_documented"]
    is_collectors = (payee == code("COLLECTOR")) | (booked["payer"] == code("COLLECTOR"))
    bought, toll, operators, collectors = (
        np.isin(lot, booked.loc[chosen, "lot"]) for chosen in (is_bought, is_toll, is_operators, is_collectors)
    )
    of_kind = {name: (measures["lot_kind"] == code(name)).to_numpy() for name in ("PIT", "PRODUCT", "TAILINGS")}
    deal = np.select([of_kind["PIT"], deal >= 0, toll, bought], [code("--"), deal, *codes("TOLL", "BOUGHT")], code("?"))
    seller = np.select(
        [of_kind["PRODUCT"] | of_kind["TAILINGS"], of_kind["PIT"] | is_mixed | collectors, operators],
        codes("--", "COLLECTOR", "OPERATOR"), code("?"),
    )  # fmt: skip
    fed = shares.wholes["lot_g"].reindex(2 * lot + 1).to_numpy(np.float64)
    price = measures["copper_uusd_per_t"]
    worth = {
        b: worth_uusd(np.where(known(fed), fed, measures[f"copper_{b}_g"]), price) for b in ("central", "low", "high")
    }
    return measures[["is_synthetic", "form_code", "band"]].assign(
        stage=np.where(of_kind["TAILINGS"], code("CAMPAIGN"), measures["lot_kind"]).astype(np.int32),
        deal=deal.astype(np.int32), seller=seller.astype(np.int32), **worth,
    )  # fmt: skip


def _deals(kind: pd.Series, payee: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Payments on ore that a plant bought, and on ore that was milled for another; the rest may be on either."""
    is_bought = (kind == code("ORE_AT_PLANT")) | ((kind == code("CONCENTRATE")) & (payee == code("PLANT")))
    return is_bought, ~is_bought & kind.isin(codes("CONCENTRATE", "MILLING"))


def _batches(folder: Path, lots: Lots) -> tuple[np.ndarray, np.ndarray]:
    """By lot, the deal that campaigns tell of, and whether it was mixed."""
    tables = {"intermediate.int_lot__batch_lines": "lot_key", "intermediate.int_lot__balances": "rest_lot_key"}
    told = [read(folder, table, ("contract_kind_code",), (key, "is_heap", "is_synthetic"))
            .assign(lot=lambda rows, key=key: lots.of(rows, key)) for table, key in tables.items()]  # fmt: skip
    lines = pd.concat(told, ignore_index=True).query("lot >= 0")
    deal, is_mixed = np.full(len(lots.frame), -1, dtype=np.int32), np.zeros(len(lots.frame), dtype=bool)
    for contract, name in (("COMPRA", "BOUGHT"), ("MAQUILA", "TOLL")):
        deal[lines.loc[lines["contract_kind_code"] == code(contract), "lot"]] = code(name)
    is_mixed[lines.loc[lines["is_heap"], "lot"]] = True
    return deal, is_mixed


def usual_cells(
    folder: Path, situations: pd.DataFrame, booked: pd.DataFrame, edges: pd.DataFrame, reference: Reference
) -> pd.DataFrame:
    """Amounts by worth of copper of those lots that are known to have or not to have them, and recoveries of copper."""
    is_known = (situations["central"] > 0) & (situations["deal"] != code("?")) & (situations["seller"] != code("?"))
    chain = read(folder, "reference.chain_flows", ("kind_code", "stage_code"), ("is_always",))
    chain = chain.rename(columns={"kind_code": "kind", "stage_code": "stage"})
    paid = booked[(booked["basis"] == code("observed")) & booked["lot"].isin(situations.index[is_known])]
    paid = paid.groupby(["lot", "kind", "payee", "payer"], sort=False)["cents"].sum().reset_index()
    paid = paid.join(situations, on="lot").merge(chain, on=["kind", "stage"])
    paid["kind_code"] = _flow_codes(paid)
    with_flow = _seen(paid, paid["kind_code"], paid["cents"] * 10_000, paid["central"], 1)
    product = edges[edges["to_kind"].isin(codes("PRODUCT", "TAILINGS"))]
    product = product.assign(won=np.where(product["to_kind"] == code("PRODUCT"), product["copper_g"], 0))
    fed = product.groupby("from_lot")[["won", "copper_g"]].sum()
    fed = fed[fed.index.isin(situations.index[is_known])].join(situations)
    none = np.full(len(fed), code("--"), dtype=np.int32)
    by_ore = fed.assign(deal=fed["form_code"], seller=fed["band"], form_code=none, band=none)
    recovered = _seen(by_ore, code("RECOVERY"), fed["won"], fed["copper_g"], 1, "FED")
    usual = pd.concat([with_flow, _without_flow(situations, paid), recovered], ignore_index=True)
    return cells(usual, reference, amount_scale=6)


def _flow_codes(paid: pd.DataFrame) -> np.ndarray:
    """A code for each stage, kind and both links, which says them."""
    by = ["stage", "kind", "payee", "payer"]
    group = paid.groupby(by, sort=False)
    flows = paid[by].drop_duplicates()
    texts = zip(*(CODES.text(flows[name].to_numpy()).to_pylist() for name in by), strict=True)
    named = np.array([code("/".join(text for text in flow if text)) for flow in texts], dtype=np.int32)
    return named[group.ngroup().to_numpy()]


def _seen(rows: pd.DataFrame, kind, amount, base, weight, base_code: str = "CONTAINED") -> pd.DataFrame:
    columns = {feature: rows[name].to_numpy() for feature, name in zip(FEATURES, _SITUATION, strict=True)}
    return pd.DataFrame({
        "kind_code": np.broadcast_to(np.asarray(kind, dtype=np.int32), len(rows)),
        "base_code": np.int32(code(base_code)), **columns,
        "is_synthetic": rows["is_synthetic"].to_numpy(), "amount": np.asarray(amount), "base": np.asarray(base),
        "row_weight": weight if np.isscalar(weight) else np.asarray(weight),
    }, index=pd.RangeIndex(len(rows)))  # fmt: skip


def _without_flow(situations: pd.DataFrame, paid: pd.DataFrame) -> pd.DataFrame:
    """Lots of which papers tell and that have no such flow, as amounts of zero."""
    bought = situations[
        (situations["stage"] == code("CAMPAIGN")) & (situations["deal"] == code("BOUGHT")) & (situations["central"] > 0)
        & (situations["seller"] != code("?"))
    ]  # fmt: skip
    always = paid.loc[paid["is_always"], ["lot", "kind"]].drop_duplicates().rename(columns={"kind": "counted"})
    some = pd.concat([paid[["lot"]].drop_duplicates(), pd.DataFrame({"lot": bought.index})])
    counted = pd.concat([some.assign(counted=code("ANY")), always], ignore_index=True).join(situations, on="lot")
    where = ["stage", "counted", *_SITUATION, "is_synthetic"]
    lots = counted.groupby(where, sort=False)["central"].agg(["size", "sum"]).reset_index()
    kinds = paid[["kind_code", "stage", "is_synthetic"]].assign(
        counted=np.where(paid["is_always"], paid["kind"], code("ANY"))
    )
    rows = lots.merge(kinds.drop_duplicates(), on=["stage", "counted", "is_synthetic"])
    having = paid.groupby(["kind_code", *_SITUATION, "is_synthetic"])["central"].agg(with_count="size", with_sum="sum")
    rows = rows.join(having, on=["kind_code", *_SITUATION, "is_synthetic"]).fillna({"with_count": 0, "with_sum": 0})
    rows = rows[rows["size"] > rows["with_count"]]
    return _seen(rows, rows["kind_code"], 0, rows["sum"] - rows["with_sum"], rows["size"] - rows["with_count"])


def untold_amounts(
    folder: Path, situations: pd.DataFrame, booked: pd.DataFrame, ends: pd.DataFrame, missing: pd.DataFrame,
    usual: pd.DataFrame, reference: Reference,
) -> pd.DataFrame:  # fmt: skip
    """Amounts on lots of which no paper tells, in cents with bounds."""
    lost = _lost(folder, situations, ends, missing, reference)
    rows = ranged(_beyond(folder, lost, booked, usual), usual, reference)
    rows = rows[rows["central_ppm"] != 0]
    won = (
        ranged(_recoveries(lost), usual, reference).set_index("lot")[RATIOS].reindex(rows["lot"]).reset_index(drop=True)
    )
    rows = rows.reset_index(drop=True)
    through = rows["through_code"]
    # what is needed for the most that was lost is the most at the least recovery
    base = _through(through, rows["central"], won["central_ppm"], won["central_ppm"])
    base_low = _through(through, rows["low"], won["low_ppm"], won["high_ppm"])
    base_high = _through(through, rows["high"], won["high_ppm"], won["low_ppm"])
    is_none = (rows["loss"] == code("UNTOLD")) & (rows["low_ppm"] <= 0)
    cents = np.where(is_none, 0, rounded(rows["central_ppm"], base, 10**10))
    low, high = bounds_cents(cents, rows["low_ppm"], rows["high_ppm"], base_low, base_high)
    amounts = rows[["lot", "kind", "payee", "payer"]].assign(
        transfer=np.arange(len(rows)), holder=2 * rows["lot"], basis=np.int32(code("imputed")), cents=cents,
        below=cents - low,
        above=high - cents,
    )  # fmt: skip
    return amounts[known(cents)].astype({"cents": np.int64, "below": np.int64, "above": np.int64})


def _through(through: pd.Series, worth: pd.Series, won_ppm: pd.Series, needed_ppm: pd.Series) -> np.ndarray:
    """Worth at the stage that pays; at twelve decimals before, at six after. Doubles, since one of the ways divides."""
    ten_decimals = rounded(worth, 1, 100).astype(np.int64)
    won = np.where(known(won_ppm), won_ppm, 0)
    whole, rest = divided(ten_decimals, won, 10**16)
    recovered = np.where(known(won_ppm), _joined(whole, rest, 10**16), np.nan)
    needed = double(ten_decimals, 10) / np.where(needed_ppm == 0, np.nan, double(needed_ppm.to_numpy(), 6))
    whole, rest = divided(worth, 1, 10**12)
    same = _joined(whole, rest * 10_000, 10**16)
    ways = [through == code("RECOVERED"), through == code("NEEDED")]
    return from_double(np.select(ways, [recovered, needed], same), 6)


def _joined(whole: np.ndarray, rest: np.ndarray, power: int) -> np.ndarray:
    """The DOUBLE of a whole number and a rest: below 2^53 units at once, above in two parts."""
    units = whole.astype(np.float64) * power + rest
    at_once = (whole == 0) & (rest <= 2**53)
    return np.where(at_once, units / power, whole + rest / power)


def _lost(
    folder: Path, situations: pd.DataFrame, ends: pd.DataFrame, missing: pd.DataFrame, reference: Reference
) -> pd.DataFrame:
    """Lots of which papers lose sight, with the worth of what they lose at twelve decimals."""
    named = read(folder, "intermediate.int_document__named", (), ("missing_frac", "is_synthetic"))
    named = named[named["missing_frac"] > reference.rules_ppm["PAPERS_MISSING_FRAC"]]
    untold = situations.index[situations["is_synthetic"].isin(named["is_synthetic"])]
    of_end = {"PIT": "NO_LOAD", "LOAD": "NO_CAMPAIGN", "PRODUCT": "NO_EXPORT"}
    losses = [
        ends.loc[ends["end"] == code(end), ["lot", "left_ppm"]].assign(loss=code(loss)) for end, loss in of_end.items()
    ]
    gaps = missing[missing["missing"].isin(codes("NO_MIX", "NO_FEED"))]
    losses += [
        pd.DataFrame({"lot": gaps["lot"], "left_ppm": PPM, "loss": gaps["missing"]}),
        pd.DataFrame({"lot": untold, "left_ppm": PPM, "loss": code("UNTOLD")}),
    ]
    lost = pd.concat(losses, ignore_index=True).astype({"loss": np.int32}).join(situations, on="lot")
    lost = lost[lost["central"] > 0].reset_index(drop=True)
    return lost.assign(**{name: lost[name].astype(np.int64) * lost["left_ppm"] for name in ("central", "low", "high")})


def _recoveries(lost: pd.DataFrame) -> pd.DataFrame:
    rows = lost[lost["loss"].isin(codes("NO_LOAD", "NO_CAMPAIGN", "NO_FEED"))].drop_duplicates("lot")
    is_product = rows["stage"] == code("PRODUCT")
    none = np.full(len(rows), code("--"), dtype=np.int32)
    return rows[["lot", "is_synthetic"]].assign(
        kind_code=np.int32(code("RECOVERY")), base_code=np.int32(code("FED")),
        feature_1=np.where(is_product, none, rows["form_code"]).astype(np.int32),
        feature_2=np.where(is_product, none, rows["band"]).astype(np.int32), feature_3=none, feature_4=none,
    )  # fmt: skip


def _beyond(folder: Path, lost: pd.DataFrame, booked: pd.DataFrame, usual: pd.DataFrame) -> pd.DataFrame:
    """What is usually paid at the stages that a lost lot goes through, less what papers tell of it."""
    usually = usual.loc[
        (usual["base_code"] == code("CONTAINED")) & (usual["cell_level"] == 0), ["kind_code", "is_synthetic"]
    ]
    paths = [text.split("/") for text in CODES.text(usually["kind_code"].to_numpy()).to_pylist()]
    told = {name: CODES.of(pa.array(part).dictionary_encode()) for name, part in
            zip(("paid_stage", "kind", "payee", "payer"), zip(*paths, strict=True), strict=True)}  # fmt: skip
    usually = usually.assign(**told)
    stages = read(folder, "reference.lot_loss_stages", ("loss_code", "stage_code", "through_code"))
    stages = stages.rename(columns={"loss_code": "loss", "stage_code": "paid_stage"})
    here, there = pairs(lost, stages, ["loss"], how="inner")
    rows = (
        lost.iloc[here]
        .reset_index(drop=True)
        .assign(
            paid_stage=stages["paid_stage"].to_numpy()[there], through_code=stages["through_code"].to_numpy()[there]
        )
    )
    rows = rows.merge(usually, on=["paid_stage", "is_synthetic"])
    rows = rows[_is_unpaid(rows, booked)]
    rank = np.empty(len(rows), dtype=np.int64)
    for place, loss in enumerate(_LOSSES):
        rank[rows["loss"] == code(loss)] = place
    rows = rows.assign(rank=rank).sort_values("rank", kind="stable").drop_duplicates(["lot", "kind_code"])
    is_pit, at_pit = rows["stage"] == code("PIT"), rows["paid_stage"] == code("PIT")
    after = rows["paid_stage"].isin(codes("CAMPAIGN", "PRODUCT"))
    seller = np.select([after, rows["stage"] == code("PRODUCT"), at_pit], codes("--", "?", "COLLECTOR"), rows["seller"])
    return rows.assign(
        base_code=np.int32(code("CONTAINED")),
        feature_1=np.where(is_pit & ~at_pit, code("?"), rows["deal"]).astype(np.int32),
        feature_2=seller.astype(np.int32), feature_3=rows["form_code"], feature_4=rows["band"],
    )  # fmt: skip


def _is_unpaid(rows: pd.DataFrame, booked: pd.DataFrame) -> np.ndarray:
    told = booked[booked["lot"].isin(rows["lot"])].groupby(["lot", "kind"])["is_documented"].any().reset_index()
    _, at = pairs(rows, told, ["lot", "kind"])
    sold = told[(told["kind"] == code("ORE_AT_PLANT")) & told["is_documented"]]
    is_untold, is_here = rows["loss"] == code("UNTOLD"), rows["stage"] == rows["paid_stage"]
    is_sold = (
        is_untold & rows["kind"].isin(codes("BILLER_FEE", "ORE_BETWEEN_COLLECTORS")) & rows["lot"].isin(sold["lot"])
    )
    is_bought, is_toll = _deals(rows["kind"], rows["payee"])
    is_of_other_deal = (is_bought & (rows["deal"] == code("TOLL"))) | (is_toll & (rows["deal"] == code("BOUGHT")))
    return ((~is_untold | is_here) & ((at < 0) | ~is_here) & ~is_sold & ~is_of_other_deal).to_numpy()
