"""Which cells are sensitive by themselves, why, and how near an attacker may come to each."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from pipelines.disclosure.cells import Cells
from pipelines.disclosure.parameters import parameters

#: A shown, C hidden because sensitive, D hidden to protect others (or linking: never shown).
FREE, SENSITIVE, COMPLEMENT = "A", "C", "D"
FEW_HOLDINGS, SUPPLIER_P, BUYER_P, BUYER_SHARE = "FEW_HOLDINGS", "SUPPLIER_P", "BUYER_P", "BUYER_SHARE"

c = pl.col


def assess(cells: Cells, national_stays: bool = True) -> Cells:
    """Add `status` (A or C; D for linking cells), `reasons` (codes) and of each measure m `m_need_low` and `m_need_up`.

    Also `is_fixed`: must stay as it is (totals of the nation that are free, if `national_stays`, and what is public already);
    `is_told` and `release`: what past releases told, False and null here (see `ledger.carry`).

    An attacker's interval for m must reach at least from m − m_need_low to m + m_need_up. By the p % rule that is
    p/100 · x1 − (total − x1 − x2) to each side (x1, x2: the largest and second-largest holding, or buyer); where a count
    or a share is what makes the cell sensitive, p % of what is not public already. It is at least one whole unit, and
    downwards no more than there is: nobody takes a figure for negative. Cells that waived holdings alone fill are free.
    Of a product with producers the count and the p % rule hold among these as well, and where measures are classes, each
    that is above zero needs the count for itself: a cell is hidden in all of them.
    """
    rules = parameters()
    p_pct = rules.p_pct.value
    product, measures = cells.product, cells.product.measures
    least = (rules.price_least_holdings if product.is_price else rules.least_holdings).value
    is_few = c("holding_count") < least
    if product.has_producers:
        is_few |= c("producer_count") < least
    few = {m: is_few | c(f"{m}_holdings").is_between(1, least - 1) if product.has_classes else is_few for m in measures}
    is_one_buyers = (
        c("largest_buyer_frac") * 100 > rules.price_largest_buyer_pct.value if product.is_price else pl.lit(False)
    )
    sides = ("", "_producer") if product.has_producers else ("",)
    supplier = {
        m: pl.max_horizontal(
            _p_rule(p_pct, c(m) - c(f"{m}_public"), c(f"{m}_largest{side}"), c(f"{m}_second{side}")) for side in sides
        )
        for m in measures
    }
    buyer = {m: _p_rule(p_pct, c(f"{m}_bought"), c(f"{m}_largest_buyer"), c(f"{m}_second_buyer")) for m in measures}
    reasons = {
        FEW_HOLDINGS: pl.any_horizontal(few.values()),
        SUPPLIER_P: pl.any_horizontal(need > 0 for need in supplier.values()),
        BUYER_P: pl.any_horizontal(need > 0 for need in buyer.values()),
        BUYER_SHARE: is_one_buyers,
    }
    is_private = c("holding_count") > 0
    is_sensitive = is_private & pl.any_horizontal(*reasons.values())
    frame = cells.frame.with_columns(
        pl.when(is_sensitive).then(pl.lit(SENSITIVE)).when(c("is_published") | ~is_private).then(pl.lit(FREE))
        .otherwise(pl.lit(COMPLEMENT)).alias("status"),
        pl.when(is_sensitive).then(
            pl.concat_list(pl.when(held).then(pl.lit(code)) for code, held in reasons.items()).list.drop_nulls()
        ).otherwise(pl.lit([], pl.List(pl.String))).alias("reasons"),
    )  # fmt: skip
    is_national = (c("geo_code") == "") & (c("sex_code") == "") & c("is_published")
    frame = frame.with_columns(
        ((c("status") == FREE) & ((is_national & pl.lit(national_stays)) | ~is_private)).alias("is_fixed"),
        pl.lit(False).alias("is_told"),
        pl.lit(None, pl.String).alias("release"),
    )
    for m in measures:
        private = c(m) - c(f"{m}_public")
        by_count = pl.when(few[m] | is_one_buyers).then(_ceil_pct(p_pct * private)).otherwise(0)
        need = pl.max_horizontal(supplier[m], buyer[m], by_count, pl.lit(10 ** cells.scales[m]))
        is_hidden = c("status") == SENSITIVE
        frame = frame.with_columns(
            pl.when(is_hidden).then(pl.min_horizontal(need, private)).otherwise(0).alias(f"{m}_need_low"),
            pl.when(is_hidden).then(need).otherwise(0).alias(f"{m}_need_up"),
        )
    return dataclasses.replace(cells, frame=frame)


def _p_rule(p_pct: int, total: pl.Expr, largest: pl.Expr, second: pl.Expr) -> pl.Expr:
    return _ceil_pct(p_pct * largest - 100 * (total - largest - second))


def _ceil_pct(hundredfold: pl.Expr) -> pl.Expr:
    return -((-hundredfold).floordiv(100))


def needs(cells: Cells, sign: int) -> np.ndarray:
    """Protection of every pair (cell · measures + measure) upwards (1) or downwards (−1), in smallest units."""
    side = "up" if sign > 0 else "low"
    columns = [f"{m}_need_{side}" for m in cells.product.measures]
    return cells.frame.select(columns).to_numpy().astype(float).reshape(-1)


def insider_need(need: float, own: float, others: float) -> float:
    """How near an insider with part `own` of a cell may come to it: as others, but no more than p % of what others have."""
    return need if own == 0 else min(need, parameters().p_pct.value / 100 * others)
