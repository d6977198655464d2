"""Survival in SQL against worked oracles and against lifelines on the same data."""

from __future__ import annotations

import duckdb
import numpy as np
import polars as pl
import pytest

MODELS = ("mart_formalization_survival", "mart_formalization_duration")
#: (days, 1 reached, 2 excluded, 0 open): the worked examples of the field, and a second one by hand.
O7 = [(30, 1), (45, 0), (60, 1), (60, 1), (90, 0), (120, 1), (150, 0), (200, 1), (200, 0), (250, 0)]
O7B = [(30, 1), (45, 2), (60, 1), (60, 2), (90, 0), (120, 1), (150, 2), (200, 1), (200, 0), (250, 0)]
TIES = [(10, 1), (10, 1), (10, 2), (20, 2), (20, 3), (20, 0), (30, 1), (30, 2)]


@pytest.fixture(scope="module")
def models(compiled) -> dict[str, str]:
    return compiled(MODELS)


def solved(
    models: dict[str, str], spells: list[tuple[int, int]], entries: list[int] | None = None
) -> tuple[pl.DataFrame, dict]:
    """(curve over all, its summary) of spells (days, end), perhaps entered late."""
    frame = pl.DataFrame(
        {
            "registration_key": [str(i) for i in range(len(spells))],
            "department_code": ["03"] * len(spells),
            "milestone_code": ["AUTORIZACION"] * len(spells),
            "entry_days": entries or [0] * len(spells),
            "duration_days": [d for d, _ in spells],
            "end_code": [e for _, e in spells],
            "is_synthetic": [True] * len(spells),
        },
        schema_overrides={"entry_days": pl.Int64, "duration_days": pl.Int64, "end_code": pl.Int16},
    )
    with duckdb.connect(":memory:") as connection:
        for schema in ("intermediate", "marts"):
            connection.execute(f"CREATE SCHEMA {schema}")
        connection.register("spells", frame.to_arrow())
        connection.execute("CREATE TABLE intermediate.int_formalization__spells AS SELECT * FROM spells")
        for name in MODELS:
            connection.execute(f"CREATE TABLE marts.{name} AS {models[name]}")
        curve, told = (
            pl.from_arrow(connection.execute(f"SELECT * FROM marts.{name} WHERE stratum_code = 'ALL'").to_arrow_table())
            for name in MODELS
        )
    assert isinstance(curve, pl.DataFrame)
    assert isinstance(told, pl.DataFrame)
    return curve.sort("duration_days"), told.row(0, named=True)


def test_kaplan_meier_as_worked_by_hand(models):
    curve, told = solved(models, O7)
    assert curve["duration_days"].to_list() == [30, 60, 120, 200]
    assert curve["at_risk_count"].to_list() == [10, 8, 5, 3]
    assert curve["km_survival_frac"].to_list() == pytest.approx([0.9, 0.675, 0.54, 0.36], abs=1e-12)
    assert told["median_days"] == 200
    assert told["restricted_mean_180_days"] == pytest.approx(129.9, abs=1e-9)


def test_competing_ends_as_worked_by_hand(models):
    curve, told = solved(models, O7B)
    assert curve["reached_incidence_frac"].to_list() == pytest.approx([0.1, 0.1, 0.2, 0.32, 0.32, 0.44], abs=1e-12)
    assert curve["excluded_incidence_frac"].to_list() == pytest.approx([0.0, 0.1, 0.2, 0.2, 0.32, 0.32], abs=1e-12)
    assert curve["all_survival_frac"][-1] == pytest.approx(0.24, abs=1e-12)
    assert 1 - curve["km_survival_frac"][-1] == pytest.approx(
        0.58, abs=1e-12
    )  # what censoring the excluded would claim
    assert told["reached_incidence_frac"] == pytest.approx(0.44, abs=1e-12)


def test_ties_of_all_kinds_as_worked_by_hand(models):
    """Eight spells; day 10: 2 reached, 1 excluded of 8; day 20: 1 excluded, 1 withdrawn of 5; day 30: 1 and 1 of 2."""
    curve, _ = solved(models, TIES)
    assert curve["at_risk_count"].to_list() == [8, 5, 2]
    assert curve["reached_incidence_frac"].to_list() == pytest.approx([2 / 8, 2 / 8, 2 / 8 + 3 / 8 / 2], abs=1e-12)
    assert curve["excluded_incidence_frac"].to_list() == pytest.approx(
        [1 / 8, 1 / 8 + 5 / 8 / 5, 1 / 8 + 5 / 8 / 5 + 3 / 8 / 2], abs=1e-12
    )
    assert curve["withdrawn_incidence_frac"].to_list() == pytest.approx([0, 5 / 8 / 5, 5 / 8 / 5], abs=1e-12)
    sums = curve.select(
        pl.sum_horizontal(
            "reached_incidence_frac", "excluded_incidence_frac", "withdrawn_incidence_frac", "all_survival_frac"
        )
    )
    assert sums.to_series().to_list() == pytest.approx([1, 1, 1], abs=1e-12)


def drawn(seed: int, size: int, late: bool, ties: bool) -> tuple[list[tuple[int, int]], list[int]]:
    """Spells and entries; without ties all days differ, and none is a day of an entry (days are odd, entries even)."""
    rng = np.random.default_rng(seed)
    days = rng.integers(1, 60, size) if ties else 2 * rng.permutation(np.arange(10 * size))[:size] + 1
    ends = rng.choice([0, 1, 2, 3], size, p=[0.3, 0.4, 0.2, 0.1])
    entries = rng.integers(0, days) if late else np.zeros(size, dtype=int)
    entries = entries if ties else entries // 2 * 2
    return [(int(d), int(e)) for d, e in zip(days, ends, strict=True)], [int(e) for e in entries]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_kaplan_meier_agrees_with_lifelines(models, late, ties):
    from lifelines import KaplanMeierFitter

    spells, entries = drawn(5 + late, 400, late, ties)
    # lifelines wants everybody at risk at some time before the first event
    curve, _ = solved(models, spells, entries)
    fitter = KaplanMeierFitter().fit(
        [d for d, _ in spells], [e == 1 for _, e in spells], entry=entries if late else None
    )
    reached = curve.filter(pl.col("reached_count") > 0)
    theirs = fitter.survival_function_at_times(reached["duration_days"].to_list()).to_numpy()
    assert np.abs(reached["km_survival_frac"].to_numpy() - theirs).max() < 1e-9
    bands = fitter.confidence_interval_survival_function_.loc[reached["duration_days"].to_list()].to_numpy()
    ours = reached.select("km_lower_frac", "km_upper_frac").to_numpy()
    inside = (theirs > 1e-9) & (theirs < 1)
    assert np.abs(ours[inside] - bands[inside]).max() < 1e-9


@pytest.mark.parametrize("late", [False, True])
def test_aalen_johansen_agrees_with_lifelines_without_ties(models, late):
    from lifelines import AalenJohansenFitter

    spells, entries = drawn(9, 300, late, ties=False)
    curve, _ = solved(models, spells, entries)
    for end, column in ((1, "reached_incidence_frac"), (2, "excluded_incidence_frac"), (3, "withdrawn_incidence_frac")):
        fitter = AalenJohansenFitter(calculate_variance=False).fit(
            [d for d, _ in spells], [e for _, e in spells], event_of_interest=end, entry=entries if late else None
        )
        theirs = fitter.cumulative_density_.loc[curve["duration_days"].to_list()].to_numpy()[:, 0]
        assert np.abs(curve[column].to_numpy() - theirs).max() < 1e-9


def test_a_spell_that_ended_before_it_was_seen_says_nothing(models):
    curve, told = solved(models, [(10, 1), (30, 1), (40, 0)], [20, 5, 0])
    assert told["spell_count"] == 2
    assert curve["duration_days"].to_list() == [30]
    assert curve["at_risk_count"].to_list() == [2]
