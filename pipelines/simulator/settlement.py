"""Settlement arithmetic of the simulated buyers: what a lot is worth under its buyer's own terms.

Grades are percent of dry mass or grams per dry tonne, prices US$ per tonne, pound or troy ounce, money US$.
Formulas: the method page, "Settlement"; both payability conventions are in use and differ on the same lot.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.simulator.dice import Floats, Ints

LB_PER_T = 2204.62262
G_PER_OZ = 31.1034768

#: Penalised elements: (grade's name, free limit, step, US$ per dmt and step); grades in percent.
Penalties = tuple[tuple[str, float, float, float], ...]


@dataclasses.dataclass(frozen=True)
class Terms:
    """One buyer's terms, an array element per lot (or one value for all)."""

    payable_pct: Floats
    deduction_pct: Floats
    is_sequential: np.ndarray
    price_protection_usd_per_lb: Floats
    treatment_usd_per_dmt: Floats
    refining_usd_per_lb: Floats
    is_truncated: np.ndarray
    penalties: Penalties = ()
    silver_payable_pct: float = 0.0
    silver_deduction_g_per_dmt: float = 0.0
    silver_refining_usd_per_oz: float = 0.0
    gold_payable_pct: float = 0.0
    gold_minimum_g_per_dmt: float = 0.0
    gold_refining_usd_per_oz: float = 0.0
    lb_per_t: float = LB_PER_T


@dataclasses.dataclass(frozen=True)
class Valuation:
    """US$ per dry tonne, term by term, and their sum."""

    copper: Floats
    refining: Floats
    credits: Floats
    penalties: Floats
    unit_value: Floats


def dry_g(wet_g: Ints, moisture_pct: Floats) -> Ints:
    """Dry mass: wet × (1 − moisture/100), grams, rounded half up."""
    return np.floor(wet_g * (1 - moisture_pct / 100) + 0.5).astype(np.int64)


def payable_pct(cu_pct: Floats, terms: Terms) -> Floats:
    """Payable grade: min(p·g, g − d) under the contract standard, p·g − d in sequential sheets; never below zero."""
    paid = np.minimum(cu_pct * terms.payable_pct / 100, cu_pct)  # at 100 % the last bit may be rounded up
    standard = np.minimum(paid, cu_pct - terms.deduction_pct)
    return np.maximum(np.where(terms.is_sequential, paid - terms.deduction_pct, standard), 0.0)


def value_per_dmt(
    grades: dict[str, Floats],
    price_usd_per_t: Floats,
    silver_usd_per_oz: Floats,
    gold_usd_per_oz: Floats,
    terms: Terms,
    other_charges_usd_per_dmt: Floats | float = 0.0,
) -> Valuation:
    """Value of a dry tonne.

    Args:
        grades: `cu`, `as`, `sb`, `bi`, `pb_zn` in percent, `ag`, `au` in g/dmt.
        price_usd_per_t: copper, before the buyer's price protection.
        other_charges_usd_per_dmt: freight, assays, loading, per dry tonne.
    """
    protected = price_usd_per_t - terms.price_protection_usd_per_lb * terms.lb_per_t
    price = np.where(terms.is_truncated, _truncate(protected), protected)
    paid = payable_pct(grades["cu"], terms) / 100
    copper = paid * price
    refining = paid * terms.lb_per_t * terms.refining_usd_per_lb
    silver_g = np.minimum(
        grades["ag"] * terms.silver_payable_pct / 100, grades["ag"] - terms.silver_deduction_g_per_dmt
    ).clip(min=0)
    gold_g = np.where(grades["au"] >= terms.gold_minimum_g_per_dmt, grades["au"] * terms.gold_payable_pct / 100, 0.0)
    credits = silver_g / G_PER_OZ * (silver_usd_per_oz - terms.silver_refining_usd_per_oz) + gold_g / G_PER_OZ * (
        gold_usd_per_oz - terms.gold_refining_usd_per_oz
    )
    fines = np.zeros_like(copper)
    for element, free, step, rate in terms.penalties:
        fines = fines + np.maximum(grades[element] - free, 0.0) / step * rate
    unit = copper + credits - refining - fines - terms.treatment_usd_per_dmt - other_charges_usd_per_dmt
    return Valuation(copper, refining, credits, fines, np.where(terms.is_truncated, _truncate(unit), unit))


def _truncate(value: Floats) -> Floats:
    """Down to the cent; a hair above, so that 9259.40 held as 9259.399999… stays what it is."""
    return np.floor(value * 100 + 1e-6) / 100


def cents(usd: Floats) -> Ints:
    """Money to whole cents, half away from zero."""
    return (np.sign(usd) * np.floor(np.abs(usd) * 100 + 0.5)).astype(np.int64)
