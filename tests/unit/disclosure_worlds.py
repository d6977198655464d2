"""Small sectors for tests of disclosure control, and an attacker of its own: over places × months × sexes, with scipy."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import polars as pl
from scipy.optimize import linprog

from pipelines.disclosure.cells import COORDINATES, GEO, SEX, TIME, Cells, Product, Table

YEAR_END = dt.date(2025, 12, 1)
SCHEMA = {
    "ubigeo_code": pl.String, "month": pl.Date, "sex_code": pl.String, "holding_key": pl.String, "buyer_key": pl.String,
    "usd": pl.Int64, "t": pl.Int64,
}  # fmt: skip
ALL_TABLES = (
    Table("districts", GEO, ("YEAR", "QUARTER")),
    Table("provinces", GEO[:3], TIME),
    Table("by sex", GEO[:2], TIME, SEX),
)
#: Without margins: sums of them are linking cells.
BARE_TABLES = (Table("districts", ("DISTRICT",), ("QUARTER",)), Table("by sex", ("DEPARTMENT",), ("MONTH",), ("SEX",)))


def rows(*given) -> pl.DataFrame:
    """Contributions from (place, month number, holding, buyer, usd, t)."""
    return pl.DataFrame(
        [
            (place, dt.date(2025, month, 1), "M", holding, buyer, usd, t)
            for place, month, holding, buyer, usd, t in given
        ],
        schema=SCHEMA,
        orient="row",
    )


def sector(seed: int, places: int = 5, holdings: int = 25) -> pl.DataFrame:
    """A random sector in two departments and four months: some places with many holdings, some with one."""
    dice = np.random.default_rng(seed)
    districts = [f"0{d}0{p}0{n}" for d in (1, 2) for p in (1, 2) for n in (1, 2, 3)]
    chosen = dice.choice(districts, places, replace=False)
    weight = dice.lognormal(0, 1, places)
    home = dice.choice(chosen, holdings, p=weight / weight.sum())
    found = []
    for holding in range(holdings):
        size, sex = dice.lognormal(3, 1), "FM"[int(dice.random() < 0.7)]
        for month in (1, 2, 4, 5):
            if dice.random() < 0.75:
                usd = int(size * dice.lognormal(0, 0.5)) + int(dice.random() < 0.9)
                t = int(usd * dice.random())
                buyer = None if dice.random() < 0.1 else f"b{dice.integers(0, 6)}"
                found.append((home[holding], dt.date(2025, month, 1), sex, f"h{holding}", buyer, usd, t))
    return pl.DataFrame(found, schema=SCHEMA, orient="row")


def product(tables=ALL_TABLES, measures=("usd", "t"), **more) -> Product:
    return Product("p", measures, tables, **more)


class Atoms:
    """An attacker who thinks in the smallest parts, district × month × sex, and knows every figure shown, zeros included.

    It shares nothing with the house but the frame of cells: sums are formed by code prefixes here, and every combination of
    codes that a table publishes and that has no row is a shown zero.
    """

    def __init__(self, contributions: pl.DataFrame, last_month: dt.date = YEAR_END):
        used = contributions.filter(pl.col("month") <= last_month)
        axes = [sorted(set(used[name])) for name in ("ubigeo_code", "month", "sex_code")]
        self.atoms = list(itertools.product(*axes))
        self.last_month, self._used = last_month, used
        self._inside: dict[tuple[str, str, str], np.ndarray] = {}

    def inside(self, cell: tuple[str, str, str]) -> np.ndarray:
        """Which atoms a cell is the sum of, as 0 and 1."""
        if cell not in self._inside:
            geo, time, sex = cell
            self._inside[cell] = np.array(
                [
                    place.startswith(geo)
                    and (sex in ("", s))
                    and (time in (str(m.year), f"{m.year}Q{(m.month + 2) // 3}", f"{m:%Y-%m}"))
                    for place, m, s in self.atoms
                ],
                dtype=float,
            )
        return self._inside[cell]

    def shown(self, cells: Cells, measure: str, exclude=()) -> tuple[np.ndarray, np.ndarray]:
        """Equalities of all published figures: A-cells and zeros."""
        matrix, right = [], []
        frame = cells.frame.filter(pl.col("release").is_null())
        figures = {row[:3]: (row[3], row[4]) for row in frame.select(*COORDINATES, "status", measure).iter_rows()}
        for cell in self._published(cells.product):
            status, value = figures.get(cell, ("A", 0))
            if status == "A" and cell not in exclude:
                matrix.append(self.inside(cell))
                right.append(value)
        return np.array(matrix).reshape(-1, len(self.atoms)), np.array(right, dtype=float)

    def _published(self, product: Product) -> set[tuple[str, str, str]]:
        found = set()
        for table in product.tables:
            for geo, time, sex in table.levels:
                for place, m, s in self.atoms:
                    ends = (12, (m.month + 2) // 3 * 3, m.month)[time]
                    if m.year * 12 + ends <= self.last_month.year * 12 + self.last_month.month:
                        code = (str(m.year), f"{m.year}Q{(m.month + 2) // 3}", f"{m:%Y-%m}")[time]
                        found.add((place[: 2 * geo], code, s if sex else ""))
        return found

    def own(self, holding: str, measure: str) -> np.ndarray:
        """What one holding has in each atom."""
        theirs = self._used.filter(pl.col("holding_key") == holding)
        sums = {
            row[:3]: row[3]
            for row in theirs.group_by("ubigeo_code", "month", "sex_code").agg(pl.col(measure).sum()).iter_rows()
        }
        return np.array([sums.get(atom, 0) for atom in self.atoms], dtype=float)

    def sole_cells(self, cells: Cells, holding: str) -> list[tuple[str, str, str]]:
        """Cells in which nobody else has anything."""
        alone = cells.frame.filter(pl.col("release").is_null(), pl.col("holding_count") == 1)
        theirs = sum(self.own(holding, m) for m in cells.product.measures) > 0
        return [cell for cell in alone.select(COORDINATES).iter_rows() if (self.inside(cell) * theirs).any()]


def extreme(target: np.ndarray, matrix: np.ndarray, right: np.ndarray, least: np.ndarray) -> np.ndarray | None:
    """The atoms for which `target` · x is largest, subject to matrix · x = right, x >= least; None if it has no end."""
    sides = np.column_stack([least, np.full(len(least), np.inf)])
    told = linprog(-target, A_eq=matrix, b_eq=right, bounds=sides, method="highs")
    assert told.status in (0, 3), told.message
    return told.x if told.status == 0 else None


def exposed(cells: Cells, contributions: pl.DataFrame, last_month=YEAR_END, holding: str | None = None) -> list[tuple]:
    """Sensitive cells (with measure) that the attacker, or one holding, comes nearer to than their protection allows."""
    atoms, found = Atoms(contributions, last_month), []
    sole = atoms.sole_cells(cells, holding) if holding else []
    for measure in cells.product.measures:
        matrix, right = atoms.shown(cells, measure)
        told = np.unique(np.column_stack([matrix, right]), axis=0)
        matrix, right = told[:, :-1], told[:, -1]
        least = atoms.own(holding, measure) if holding else np.zeros(len(atoms.atoms))
        for cell in sole:
            matrix = np.vstack([matrix, atoms.inside(cell)])
            right = np.append(right, atoms.inside(cell) @ least)
        sensitive = cells.frame.filter(pl.col("status") == "C", pl.col("release").is_null())
        columns = (*COORDINATES, measure, f"{measure}_need_low", f"{measure}_need_up")
        wanted = []
        for *cell, value, low_need, up_need in sensitive.select(columns).iter_rows():
            if tuple(cell) in sole:
                continue
            inside = atoms.inside(tuple(cell))
            own = inside @ least
            for sign, need in ((-1, low_need), (1, up_need)):
                enough = min(need, 0.15 * (value - own)) if own else need
                if enough > 0:
                    wanted.append((tuple(cell), sign * inside, sign * value + enough * (1 - 1e-6)))
        reached = np.zeros(len(wanted), dtype=bool)
        for number, (cell, target, level) in enumerate(wanted):
            if reached[number]:
                continue
            x = extreme(target, matrix, right, least)
            if x is None:
                continue
            # One world may show that many cells are safe.
            reached |= np.array([aim @ x >= enough for _, aim, enough in wanted])
            if target @ x < level:
                found.append((*cell, measure))
    return sorted(set(found))
