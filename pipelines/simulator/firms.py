"""The firms between pit and port: collectors, billers, plants, laboratories, hauliers, traders, with their terms."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from pipelines.identity import ruc_check_digit
from pipelines.simulator.dice import Floats, Ints, stream
from pipelines.simulator.parameters import Range, TradeParameters

#: Companies' RUC 20 99[5-9]..... are not given out; operators and concession holders stand below this range.
_FIRST_RUC = 2099500000
_WORDS = (
    "ANDINA", "DEL SUR", "PACIFICO", "LOS ANDES", "SANTA FE", "MISTI", "COROPUNA", "AUSANGATE", "PAMPA ALTA", "RIO GRANDE",
    "SAN MARCOS", "VIRGEN DEL CARMEN", "INTI", "CONDOR", "QORI", "ANTA", "SIERRA NEVADA", "VALLE VERDE", "PUNTA BLANCA", "EL ALTO",
)  # fmt: skip
_TRADES = {
    "collector": "ACOPIADORA", "biller": "INVERSIONES MINERAS", "plant": "PLANTA DE BENEFICIO", "laboratory": "LABORATORIO",
    "haulier": "TRANSPORTES", "trader": "COMERCIALIZADORA",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Firms:
    """All firms in one frame, and where each trade stands in it.

    `frame`: firm_id, role, ruc, name, ubigeo_code, weight (relative size). `first` and `count` by role.
    `plants` and `traders` hold their terms, an array element per plant or trader.
    """

    frame: pl.DataFrame
    first: dict[str, int]
    count: dict[str, int]
    plants: dict[str, np.ndarray]
    traders: dict[str, np.ndarray]

    def weights(self, role: str) -> Floats:
        start = self.first[role]
        return self.frame["weight"].to_numpy()[start : start + self.count[role]]


def make_firms(p: TradeParameters, seed: int, size: float, departments: list[str]) -> Firms:
    """Firms of one run.

    Args:
        size: share of the whole country's trade that the run simulates, at most 1; scales the numbers of firms.
        departments: INEI codes of departments with registrations, where collectors and billers have their seat.
    """
    rng = stream(seed, "firms")
    rows: list[pl.DataFrame] = []
    first: dict[str, int] = {}
    count: dict[str, int] = {}
    at = 0
    for plural, whole in p.firms.items():
        role = {"laboratories": "laboratory"}.get(plural, plural.removesuffix("s"))
        n = max(p.firms_at_least[plural], round(whole * min(size, 1.0)))
        first[role], count[role] = at, n
        bodies = [str(_FIRST_RUC + at + i) for i in range(n)]
        if role == "plant":
            seats = [p.plant_districts[i] for i in rng.choice(len(p.plant_districts), n, p=p.plant_weights)]
        elif role in ("trader", "laboratory"):
            seats = [p.port_district] * n
        else:
            seats = [f"{departments[i % len(departments)]}0101" for i in range(n)]
        rows.append(
            pl.DataFrame(
                {
                    "firm_id": np.arange(at, at + n),
                    "role": [role] * n,
                    "ruc": [f"{body}{ruc_check_digit(body)}" for body in bodies],
                    "name": [f"{_TRADES[role]} {_WORDS[i % len(_WORDS)]} {i + 1:03d} S.A.C." for i in range(n)],
                    "ubigeo_code": seats,
                    "weight": (np.arange(n) + 1.0) ** -p.concentration,
                }
            )
        )
        at += n
    plants, traders = count["plant"], count["trader"]
    t, b = p.plant_terms, p.trader_terms
    return Firms(
        frame=pl.concat(rows),
        first=first,
        count=count,
        plants={
            "payable_pct": _draw(rng, t.payable_pct, plants, 1),
            "deduction_pct": _draw(rng, t.deduction_pct, plants, 1),
            "is_sequential": rng.random(plants) < t.sequential_share,
            "is_truncated": rng.random(plants) < t.truncated_share,
            "protection_usd_per_lb": _draw(rng, t.protection_usd_per_lb, plants, 2),
            "maquila_usd_per_dmt": _draw(rng, t.maquila_usd_per_dmt, plants, 0),
            "refining_usd_per_lb": _draw(rng, t.refining_usd_per_lb, plants, 2),
            "handling_loss_pct": _draw(rng, t.handling_loss_pct, plants, 1),
            "assay_fee_usd": _draw(rng, t.assay_fee_usd, plants, 0),
            "loading_pen_per_wmt": _draw(rng, t.loading_pen_per_wmt, plants, 0),
            "has_own_codes": rng.random(plants) < p.own_lot_codes,
            "deducts_freight": rng.random(plants) < t.freight_deducted_share,
            "detraction_on_balance": rng.random(plants) < t.detraction_on_balance_share,
            "median_umpire": rng.random(plants) < p.median_umpire_rule,
            "toll_usd_per_dmt": _draw(rng, p.toll_usd_per_dmt, plants, 0),
        },
        traders={
            "payable_pct": _draw(rng, b.payable_pct, traders, 1),
            "deduction_pct": _draw(rng, b.deduction_pct, traders, 1),
            "is_sequential": rng.random(traders) < b.sequential_share,
            "margin_usd_per_dmt": _draw(rng, b.margin_on_treatment_usd_per_dmt, traders, 0),
            "refining_usd_per_lb": _draw(rng, b.refining_usd_per_lb, traders, 3),
            "provisional_frac": _draw(rng, b.provisional_frac, traders, 2),
            "period": rng.choice(len(p.quotational_periods), traders, p=list(p.quotational_periods.values())),
            "median_umpire": rng.random(traders) < p.median_umpire_rule,
        },
    )


def _draw(rng: np.random.Generator, band: Range, size: int, digits: int) -> Floats:
    return np.round(rng.uniform(band.low, band.high, size), digits)


def sized(rng: np.random.Generator, firms: Firms, role: str, size: int) -> Ints:
    """Firm ids of one role, drawn by size."""
    edges = np.cumsum(firms.weights(role))
    return firms.first[role] + np.searchsorted(edges / edges[-1], rng.random(size), side="right").clip(
        max=firms.count[role] - 1
    )
