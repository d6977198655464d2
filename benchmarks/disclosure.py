"""Disclosure control of a generated product of the whole country: seconds of hiding and of attacking, cells, and what is lost.

25 departments, 200 provinces, 1,000 districts and 12 months with skewed holdings (most districts have a handful, some
hundreds), two measures, the three finest tables with their margins. Then 1 % of the rows come in late, in a second release.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import polars as pl

from benchmarks._measure import Figures, Runs
from benchmarks._results import Outcome, Target, show
from pipelines.disclosure import attack, cells, ledger, loss, sensitivity, suppress
from pipelines.disclosure.control import protect

_Result = TypeVar("_Result")
_TABLES = (
    cells.Table("district × quarter", cells.GEO, ("YEAR", "QUARTER")),
    cells.Table("province × month", cells.GEO[:3], cells.TIME),
    cells.Table("department × month × sex", cells.GEO[:2], cells.TIME, cells.SEX),
)
_PRODUCT = cells.Product("benchmark", ("paid_usd", "ore_t"), _TABLES)
_LAST_MONTH = dt.date(2025, 12, 1)
#: What hiding and attacking may take together on two cores.
_MOST_SECONDS = 120


def generate(districts: int, seed: int = 1) -> pl.DataFrame:
    """Contributions in random order: a district's holdings are lognormal in number, their sizes and buyers' shares too."""
    dice = np.random.default_rng(seed)
    provinces, departments = max(2, districts // 5), max(2, districts // 40)
    province_of = np.sort(np.concatenate([np.arange(provinces), dice.integers(0, provinces, districts - provinces)]))
    department_of = np.sort(
        np.concatenate([np.arange(departments), dice.integers(0, departments, provinces - departments)])
    )
    province_code = [f"{d + 1:02d}{n:02d}" for d, n in zip(department_of, _within(department_of), strict=True)]
    code = np.array([f"{province_code[p]}{n:02d}" for p, n in zip(province_of, _within(province_of), strict=True)])
    count = np.maximum(1, np.round(6 * dice.lognormal(0, 1.5, districts))).astype(int)
    home = np.repeat(code, count)
    size = dice.lognormal(3, 1.2, len(home))
    sex = np.where(dice.random(len(home)) < 0.22, "F", "M")
    holding, month, _ = np.nonzero(dice.random((len(home), 12, 2)) < np.array([0.65, 0.33]))
    ore_kg = (1000 * size[holding] * dice.lognormal(0, 0.4, len(holding))).astype(np.int64) + 1
    usd_cents = (ore_kg * dice.lognormal(2.7, 0.2, len(holding))).astype(np.int64) + 1
    frame = pl.DataFrame(
        {
            "ubigeo_code": home[holding],
            "month": pl.Series(month + 1),
            "sex_code": sex[holding],
            "holding_key": pl.Series(holding).cast(pl.String),
            "buyer_key": pl.Series((dice.pareto(0.8, len(holding)) * 3).astype(np.int64) % 150).cast(pl.String),
            "paid_usd": (pl.Series(usd_cents).cast(pl.Decimal(38, 2)) / 100).cast(pl.Decimal(18, 2)),
            "ore_t": (pl.Series(ore_kg).cast(pl.Decimal(38, 3)) / 1000).cast(pl.Decimal(18, 3)),
        }
    ).with_columns(pl.date(2025, pl.col("month"), 1).alias("month"))
    return frame.sample(fraction=1, shuffle=True, seed=seed)


def _within(parents: np.ndarray) -> np.ndarray:
    """1, 2, 3, … among the children of each parent (sorted)."""
    return np.arange(len(parents)) - np.searchsorted(parents, parents) + 1


def run(districts: int) -> Outcome:
    """Protect, attack, compare, print.

    Raises:
        RuntimeError: the attacks found something.
    """
    contributions = generate(districts)
    late = pl.Series(np.random.default_rng(2).random(contributions.height) < 0.01)
    assessed = sensitivity.assess(cells.aggregate(_PRODUCT, contributions, _LAST_MONTH))
    hidden, suppressing = _timed(lambda: suppress.suppress(assessed))
    findings, attacking = _timed(lambda: attack.audit(hidden))
    if findings:
        raise RuntimeError(f"The attacks narrow {len(findings)} cells, the first: {findings[0]}")
    alone = attack.canary(assessed)
    count = dict(hidden.frame["status"].value_counts().iter_rows())
    empty = pl.DataFrame(schema=ledger.SCHEMA)
    first, releasing = _timed(lambda: protect(_PRODUCT, contributions.filter(~late), _LAST_MONTH, "v1", empty))
    second, again = _timed(
        lambda: protect(_PRODUCT, contributions, _LAST_MONTH, "v2", first.ledger, first.contributions)
    )
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        tbl_width_chars=140,
        tbl_formatting="MARKDOWN",
    ):
        lost = str(loss.by_table(hidden))
    both = Figures(suppressing.cpu_s + attacking.cpu_s, suppressing.wall_s + attacking.wall_s, attacking.peak_mb)
    return show(
        Outcome(
            f"Disclosure control, {districts:,} districts, 12 months",
            {
                "suppression and attacks": Runs((both,)),
                "suppression": Runs((suppressing,)),
                "attacks": Runs((attacking,)),
                "a first release": Runs((releasing,)),
                f"a second one, {late.sum():,} late rows": Runs((again,)),
            },
            [Target("seconds of suppression and attacks", both.wall_s, most=_MOST_SECONDS)],
            baseline="suppression and attacks",
            notes=(
                f"{contributions.height:,} contributions, {hidden.frame.height:,} cells: {count.get('C', 0):,} sensitive, "
                f"{count.get('D', 0):,} complements. The attacks find nothing; with sensitive cells alone hidden, {alone:,} of "
                f"them are recovered exactly. {contributions.height - second.contributions.height:,} late rows are held back.",
                lost,
            ),
        )
    )


def _timed(work: Callable[[], _Result]) -> tuple[_Result, Figures]:
    cpu, wall = time.process_time(), time.perf_counter()
    done = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return done, Figures(time.process_time() - cpu, time.perf_counter() - wall, peak)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--districts", type=int, default=1000)
    sys.exit(0 if run(arguments.parse_args().districts).kept else 1)


if __name__ == "__main__":
    main()
