"""Settlement arithmetic against published and hand-worked sheets (the oracles of the field)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.simulator.settlement import LB_PER_T, Terms, cents, dry_g, payable_pct, value_per_dmt

ONE = np.ones(1)


def _terms(**given) -> Terms:
    plain = {
        "payable_pct": 96.5 * ONE, "deduction_pct": 1.0 * ONE, "is_sequential": np.array([False]),
        "price_protection_usd_per_lb": 0.0 * ONE, "treatment_usd_per_dmt": 21.25 * ONE, "refining_usd_per_lb": 0.02125 * ONE,
        "is_truncated": np.array([False]),
    }  # fmt: skip
    return Terms(**(plain | given))


def _grades(**given) -> dict[str, np.ndarray]:
    return {name: given.get(name, 0.0) * ONE for name in ("cu", "as", "sb", "bi", "pb_zn", "ag", "au")}


@pytest.mark.parametrize(
    ("treatment", "refining_cents", "expected"),
    [(80, 8, 2294.8469), (21.25, 2.125, 2383.3868), (0, 0, 2415.4119), (-40, -4, 2475.6945)],
)
def test_concentrate_with_credits_and_penalty(treatment: float, refining_cents: float, expected: float) -> None:
    """A lot of 24 % with silver, gold and arsenic, at four treatment charges, of which one is zero and one negative."""
    terms = _terms(
        treatment_usd_per_dmt=treatment * ONE,
        refining_usd_per_lb=refining_cents / 100 * ONE,
        penalties=(("as", 0.20, 0.10, 2.50),),
        silver_payable_pct=90, silver_deduction_g_per_dmt=30, silver_refining_usd_per_oz=0.5,
        gold_payable_pct=90, gold_minimum_g_per_dmt=1.0, gold_refining_usd_per_oz=5,
    )  # fmt: skip
    grades = _grades(cu=24.0, ag=120.0, au=1.5, **{"as": 0.35})
    valued = value_per_dmt(grades, 9500.0 * ONE, 32.0 * ONE, 3300.0 * ONE, terms)
    assert valued.unit_value[0] == pytest.approx(expected, abs=5e-5)


def test_plant_sheet_with_the_sequential_convention() -> None:
    """A plant's own sheet: sequential payability, price protection, everything cut at the cent."""
    wet_t, moisture_pct, loss_pct, pen_per_usd = 32.480, 6.20, 1.0, 3.75
    dry_t = round(wet_t * (1 - moisture_pct / 100), 3)
    payable_t = round(dry_t * (1 - loss_pct / 100), 3)
    assert (dry_t, payable_t) == (30.466, 30.161)
    freight, loading = 4500 / pen_per_usd, 8 * wet_t / pen_per_usd
    terms = _terms(
        is_sequential=np.array([True]), is_truncated=np.array([True]), price_protection_usd_per_lb=0.10 * ONE,
        treatment_usd_per_dmt=80.0 * ONE, refining_usd_per_lb=0.08 * ONE, lb_per_t=2204.62,
        penalties=(("as", 0.10, 0.10, 5.0), ("bi", 0.05, 0.01, 5.0)),
    )  # fmt: skip
    other = (60 + freight + loading) / payable_t
    grades = _grades(cu=22.5, bi=0.062, **{"as": 0.25})
    valued = value_per_dmt(grades, 4.30 * 2204.62 * ONE, 0 * ONE, 0 * ONE, terms, other)
    assert payable_pct(grades["cu"], terms)[0] == pytest.approx(20.7125)
    assert valued.copper[0] == pytest.approx(1917.85, abs=0.005)
    assert valued.refining[0] == pytest.approx(36.53, abs=0.005)
    assert valued.penalties[0] == pytest.approx(13.50, abs=1e-6)
    assert valued.unit_value[0] == pytest.approx(1743.74, abs=0.011)
    assert valued.unit_value[0] * payable_t == pytest.approx(52592.94, abs=0.35)


def test_the_two_conventions_differ_below_the_crossover_only() -> None:
    """Under the standard the unit deduction binds below d / (1 − p) = 28.5714 %."""
    standard, sequential = _terms(), _terms(is_sequential=np.array([True]))
    assert payable_pct(20.0 * ONE, standard)[0] == pytest.approx(19.0)
    assert payable_pct(30.0 * ONE, standard)[0] == pytest.approx(28.95)
    assert payable_pct(28.571428571 * ONE, standard)[0] == pytest.approx(27.571428571)
    assert payable_pct(22.5 * ONE, sequential)[0] == pytest.approx(20.7125)


@example(cu=21.37641048955266, payable=100.0, deduction=0.0)
@given(st.floats(0, 40), st.floats(50, 100), st.floats(0, 3))
def test_nobody_pays_for_more_copper_than_there_is(cu: float, payable: float, deduction: float) -> None:
    for sequential in (False, True):
        terms = _terms(payable_pct=payable * ONE, deduction_pct=deduction * ONE, is_sequential=np.array([sequential]))
        assert 0 <= payable_pct(cu * ONE, terms)[0] <= cu


@given(st.floats(-1e9, 1e9))
def test_cents_round_half_away_from_zero_and_mirror(usd: float) -> None:
    rounded = cents(np.array([usd]))[0]
    assert abs(rounded - usd * 100) <= 0.5 + abs(usd) * 1e-12
    assert cents(np.array([-usd]))[0] == -rounded


def test_dry_mass_and_pounds() -> None:
    assert dry_g(np.array([30_000_000]), np.array([8.0]))[0] == 27_600_000
    assert pytest.approx(46396.28, abs=0.01) == 23.0 / 100 * 91.5 * LB_PER_T
