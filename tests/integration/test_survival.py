"""Survival in SQL against worked oracles, against lifelines on the same data, and its bounds against what they must hold."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.settings import DBT_DIR
from pipelines.vault import open_keyer

MODELS = ("mart_formalization_survival", "mart_formalization_duration")
#: (days, 1 reached, 2 excluded, 0 open): the worked examples of the field, and a second one by hand.
O7 = [(30, 1), (45, 0), (60, 1), (60, 1), (90, 0), (120, 1), (150, 0), (200, 1), (200, 0), (250, 0)]
O7B = [(30, 1), (45, 2), (60, 1), (60, 2), (90, 0), (120, 1), (150, 2), (200, 1), (200, 0), (250, 0)]
TIES = [(10, 1), (10, 1), (10, 2), (20, 2), (20, 3), (20, 0), (30, 1), (30, 2)]
#: Columns of the survival mart that INFERIOR bounds from below and SUPERIOR from above.
BOUNDED = {
    "km_survival_frac": 1.0, "all_survival_frac": 1.0,
    "reached_incidence_frac": 0.0, "excluded_incidence_frac": 0.0, "withdrawn_incidence_frac": 0.0,
}  # fmt: skip
CURVES = ("PUNTUAL", "INFERIOR", "SUPERIOR")
c = pl.col


@pytest.fixture(scope="module")
def models(compiled) -> dict[str, str]:
    return compiled(MODELS)


def exact(spells: list[tuple[int, int]], entries: list[int] | None = None) -> pl.DataFrame:
    """Spells (days, end), perhaps entered late, of which every day is known."""
    days, entered = [d for d, _ in spells], entries or [0] * len(spells)
    return pl.DataFrame(
        {
            "entry_days": entered, "entry_min_days": entered, "entry_max_days": entered,
            "duration_days": days, "duration_min_days": days, "duration_max_days": days,
            "end_code": [e for _, e in spells],
        }
    )  # fmt: skip


def solved_all(models: dict[str, str], spells: pl.DataFrame) -> tuple[dict[str, pl.DataFrame], dict[str, dict]]:
    """Curves over all, and their summaries, by curve_code, of spells with their least, their most and perhaps their point."""
    frame = spells.with_row_index("registration_key").with_columns(
        c("registration_key").cast(pl.String),
        pl.lit("03").alias("department_code"),
        pl.lit("AUTORIZACION").alias("milestone_code"),
        c("^.*_days$").cast(pl.Int64),
        c("end_code").cast(pl.Int16),
        (c("duration_min_days") < c("duration_max_days")).alias("is_bracketed"),
        pl.lit(True).alias("is_synthetic"),
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
    return (
        {code: curve.filter(c("curve_code") == code).sort("duration_days") for code in CURVES},
        {row["curve_code"]: row for row in told.iter_rows(named=True)},
    )


def solved(
    models: dict[str, str], spells: list[tuple[int, int]], entries: list[int] | None = None
) -> tuple[pl.DataFrame, dict]:
    """(curve over all, its summary) of spells (days, end), perhaps entered late."""
    curves, told = solved_all(models, exact(spells, entries))
    return curves["PUNTUAL"], told["PUNTUAL"]


def at(curve: pl.DataFrame, column: str, days: np.ndarray) -> np.ndarray:
    """The step function of a column on `days`."""
    known = np.append(BOUNDED[column], curve[column].to_numpy())
    return known[np.searchsorted(curve["duration_days"].to_numpy(), days, side="right")]


def assert_enclosed(curves: dict[str, pl.DataFrame]) -> None:
    """INFERIOR <= PUNTUAL <= SUPERIOR, on every day, in every bounded column."""
    days = np.unique(np.concatenate([curve["duration_days"].to_numpy() for curve in curves.values()]))
    for column in BOUNDED:
        low, point, high = (at(curves[code], column, days) for code in ("INFERIOR", "PUNTUAL", "SUPERIOR"))
        assert (low - point).max(initial=0) < 1e-9, column
        assert (point - high).max(initial=0) < 1e-9, column


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


def assert_kaplan_meier_is_theirs(curve: pl.DataFrame, spells: list[tuple[int, int]], entries: list[int] | None):
    """Survival and its 95 % interval as lifelines has them, to 1e-9."""
    from lifelines import KaplanMeierFitter

    fitter = KaplanMeierFitter().fit([d for d, _ in spells], [e == 1 for _, e in spells], entry=entries)
    reached = curve.filter(c("reached_count") > 0)
    theirs = fitter.survival_function_at_times(reached["duration_days"].to_list()).to_numpy()
    assert np.abs(reached["km_survival_frac"].to_numpy() - theirs).max() < 1e-9
    bands = fitter.confidence_interval_survival_function_.loc[reached["duration_days"].to_list()].to_numpy()
    ours = reached.select("km_lower_frac", "km_upper_frac").to_numpy()
    inside = (theirs > 1e-9) & (theirs < 1)
    assert np.abs(ours[inside] - bands[inside]).max() < 1e-9


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_kaplan_meier_agrees_with_lifelines(models, late, ties):
    spells, entries = drawn(5 + late, 400, late, ties)
    # lifelines wants everybody at risk at some time before the first event
    curve, _ = solved(models, spells, entries)
    assert_kaplan_meier_is_theirs(curve, spells, entries if late else None)


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


# --- bounds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [False, True])
def test_with_known_days_the_bounds_are_the_estimate(models, late):
    spells, entries = drawn(3 + late, 300, late, ties=True)
    curves, told = solved_all(models, exact(spells, entries))
    point = curves["PUNTUAL"].drop("curve_code")
    for code in ("INFERIOR", "SUPERIOR"):
        other = curves[code].drop("curve_code")
        for column in other.columns[1:-1]:
            if other[column].dtype != pl.String:
                mine, theirs = (frame[column].fill_null(-1).to_numpy() for frame in (point, other))
                assert np.abs(mine - theirs).max() < 1e-9, column
        assert told[code]["median_days"] == told["PUNTUAL"]["median_days"]


def test_ends_moved_alone_would_cross_but_the_bounds_hold(models):
    """One reaches it between day 1 and day 5, the other is last seen on day 3. If on day 1, survival is 1/2 from then on; if on
    day 5, 0: the later end has the lower survival. So it is at least 0 from day 1 and at most 1/2 from day 5 on.
    """
    for day, survival in ((1, 0.5), (5, 0.0)):
        assert solved(models, [(day, 1), (3, 0)])[0]["km_survival_frac"].to_list() == [survival]
    windows = exact([(4, 1), (3, 0)]).with_columns(
        pl.Series("duration_min_days", [1, 3]), pl.Series("duration_max_days", [5, 3])
    )
    curves, told = solved_all(models, windows)
    assert curves["INFERIOR"].filter(c("reached_count") > 0).select("duration_days", "km_survival_frac").rows() == [
        (1, 0.0)
    ]
    assert curves["SUPERIOR"].filter(c("reached_count") > 0).select("duration_days", "km_survival_frac").rows() == [
        (5, 0.5)
    ]
    assert [told[code]["median_days"] for code in ("INFERIOR", "PUNTUAL", "SUPERIOR")] == [1, 4, 5]
    assert told["INFERIOR"]["bracketed_count"] == 1
    assert_enclosed(curves)


def bracketed(seed: int, size: int, most: int) -> pl.DataFrame:
    """Spells of people inscribed and ended within windows, some seen from a later day on, with true days within them."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, most, size)
    width = np.where(rng.random(size) < 0.5, 0, rng.integers(0, most // 2 + 1, size))
    inscribed = first + rng.integers(0, width + 1)
    end_first = first + width + 1 + rng.integers(0, most, size)
    end_width = np.where(rng.random(size) < 0.5, 0, rng.integers(0, most // 2 + 1, size))
    ended = end_first + rng.integers(0, end_width + 1)
    ends = rng.choice([0, 1, 2, 3], size, p=[0.3, 0.4, 0.2, 0.1])
    end_width, ended = np.where(ends == 0, 0, end_width), np.where(ends == 0, end_first, ended)
    seen = first + width + rng.integers(0, most, size)
    late = rng.random(size) < 0.4
    return pl.DataFrame(
        {
            "entry_days": np.where(late, seen - inscribed, 0),
            "entry_min_days": np.where(late, seen - first - width, 0),
            "entry_max_days": np.where(late, seen - first, 0),
            "duration_days": ended - inscribed,
            "duration_min_days": end_first - first - width,
            "duration_max_days": end_first + end_width - first,
            "end_code": ends,
        }
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 60), most=st.integers(1, 40))
def test_wherever_in_their_windows_the_true_days_lie_the_bounds_hold(models, seed, size, most):
    curves, told = solved_all(models, bracketed(seed, size, most))
    assert_enclosed(curves)
    if "PUNTUAL" in told:
        for column in ("restricted_mean_180_days", "restricted_mean_365_days"):
            low, point, high = (told[code][column] for code in ("INFERIOR", "PUNTUAL", "SUPERIOR"))
            assert low - 1e-9 <= point <= high + 1e-9


# --- the simulated sector -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sector(house: Path) -> pl.DataFrame:
    """Spells of the simulated registrations, with true days in place of those that the house could only take to be so.

    The truth of milestones is that of the events which the offices reported: the others are in no file.
    """
    keyer = open_keyer(house / "vault", house / "lake")
    (truth,) = (house / "simulated").glob("tiny-*/truth")
    people = pl.read_parquet(truth / "registrations" / "*.parquet").select(
        "registration_id", "reinfo_id", "inscription_date"
    )
    people = people.with_columns(
        pl.Series("registration_key", [keyer.key("REINFO", code) for code in people["reinfo_id"]])
    )
    events = pl.read_parquet(truth / "registry_events" / "*.parquet")
    with duckdb.connect(str(house / "warehouse" / "antawasi.duckdb"), read_only=True) as connection:
        connection.register("people", people.to_arrow())
        connection.register("events", events.to_arrow())
        connection.execute(
            f"CREATE TEMP TABLE milestones AS SELECT * FROM read_csv('{DBT_DIR / 'seeds' / 'formalization_milestones.csv'}')"
        )
        found = pl.from_arrow(
            connection.execute(
                """
                WITH reached AS (
                    SELECT registration_id, milestone_code, min(event_date) AS true_date FROM events JOIN milestones
                        ON replace(events.step_code, 'PREVENTIVO', 'CORRECTIVO') = milestones.step_code
                        AND events.outcome_code = milestones.outcome_code
                    WHERE is_reported GROUP BY ALL
                ),
                left_on AS (
                    SELECT registration_id, min(event_date) FILTER (step_code = 'EXCLUSION') AS excluded_date,
                        min(event_date) FILTER (step_code = 'RENUNCIA') AS withdrawn_date
                    FROM events GROUP BY ALL
                )
                SELECT spells.*, inscription_date, CASE end_code WHEN 1 THEN true_date WHEN 2 THEN excluded_date
                    WHEN 3 THEN withdrawn_date ELSE ended_to END AS true_end_date
                FROM intermediate.int_formalization__spells AS spells JOIN people USING (registration_key)
                LEFT JOIN reached USING (registration_id, milestone_code) LEFT JOIN left_on USING (registration_id)
                WHERE is_synthetic
                """
            ).to_arrow_table()
        )
    assert isinstance(found, pl.DataFrame)
    days = (c("true_end_date") - c("inscription_date")).dt.total_days()
    seen = (c("seen_from") - c("inscription_date")).dt.total_days()
    return found.with_columns(days.alias("duration_days"), seen.fill_null(0).alias("entry_days"))


def test_registrations_that_only_the_registry_tells_of_enter_late(sector):
    late = sector.filter(c("seen_from").is_not_null())
    assert late["registration_key"].n_unique() > 10
    assert late["entry_min_days"].max() > 365
    assert (late["entry_max_days"] - late["entry_min_days"]).max() > 300  # only the year of their inscription is known
    assert (sector.filter(c("seen_from").is_null())["entry_max_days"] == 0).all()


def test_true_days_lie_within_their_windows(sector):
    """Nearly all: of two ends whose windows overlap the wrong one may have been taken as the first."""
    outside = sector.filter(
        (c("duration_days") < c("duration_min_days")) | (c("duration_days") > c("duration_max_days"))
        | (c("entry_days") < c("entry_min_days")) | (c("entry_days") > c("entry_max_days"))
    )  # fmt: skip
    assert outside.height <= 0.001 * sector.height
    # windows say something: most days are known
    assert (sector["duration_max_days"] == sector["duration_min_days"]).mean() > 0.5


def test_the_true_curves_lie_between_the_bounds(models, sector):
    for (milestone,), spells in sector.group_by("milestone_code"):
        curves, _ = solved_all(models, spells.select(*exact([(1, 0)]).columns))
        assert curves["PUNTUAL"].height > 0, milestone
        assert_enclosed(curves)


def test_late_entries_of_the_sector_agree_with_lifelines(models, sector):
    """The latest possible times of all simulated registrations as if they were known, a tenth of them entered late."""
    spells = sector.filter(
        (c("milestone_code") == "IGAFOM_PRESENTADO") & (c("duration_max_days") > c("entry_max_days"))
    )
    assert (spells["entry_max_days"] > 0).sum() > 5
    times = list(zip(spells["duration_max_days"].to_list(), spells["end_code"].to_list(), strict=True))
    entries = spells["entry_max_days"].to_list()
    curve, _ = solved(models, times, entries)
    assert_kaplan_meier_is_theirs(curve, times, entries)
