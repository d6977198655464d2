"""Cells as a linear system: what suppression and attacks have in common, in numpy arrays and HiGHS programs.

A *pair* is (cell, measure), numbered cell · (number of measures) + measure: the unknown of all programs. Each measure has a
scale of its own where relations link measures of different size, so that the solver's tolerances mean the same for all.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import highspy
import numpy as np
import polars as pl

from pipelines.disclosure.cells import COORDINATES, Cells, CellsRefused, levels_of

_FEASIBILITY = 1e-9
#: A given identity must hold in the data to this share of its terms.
_HOLDS = 1e-9
#: In units of the change asked for: no cell moves further, and a change or capacity below is none.
_CAP, _CHANGE = 1e3, 1e-7
Coordinates = tuple[str, str, str]
#: A relation as {pair: coefficient} in smallest units, with its least and most.
Exact = tuple[dict[int, Fraction], Fraction | float, Fraction | float]


@dataclasses.dataclass(frozen=True)
class Relation:
    """What everybody knows beside the sums: low <= Σ coefficient · measure of a cell <= high, in the measures' own units.

    None leaves a side open. E.g. FOB − Σ links = 0 in one cell, or stock at the end − stock at the start − bought + sold = 0 across cells.
    """

    terms: tuple[tuple[Coordinates, str, Decimal | int], ...]
    low: Decimal | int | None = 0
    high: Decimal | int | None = 0


@dataclasses.dataclass(frozen=True)
class System:
    """The equations over all pairs, by pair (compressed columns), and the measures scaled.

    `unit_value` is not scaled; `cell_rows` rows come from sums (coefficients 1 and −1, right side 0), the others are the
    relations, divided by their largest coefficient.
    """

    measure_count: int
    unit_value: np.ndarray
    value: np.ndarray
    floor: np.ndarray
    scale: np.ndarray
    start: np.ndarray
    row: np.ndarray
    coefficient: np.ndarray
    row_low: np.ndarray
    row_high: np.ndarray
    cell_rows: int
    relations: tuple[Exact, ...]
    groups: tuple[tuple[int, ...], ...]

    def entries(self, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position in `pairs`, row and coefficient of every entry of these pairs."""
        counts = self.start[pairs + 1] - self.start[pairs]
        position = np.repeat(np.arange(len(pairs)), counts)
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        at = np.repeat(self.start[pairs], counts) + offsets
        return position, self.row[at], self.coefficient[at]

    def activity(self, x: np.ndarray) -> np.ndarray:
        """Each row's sum at x (of all pairs)."""
        owner = np.repeat(np.arange(len(x)), np.diff(self.start))
        return np.bincount(self.row, self.coefficient * x[owner], len(self.row_low))


def system(cells: Cells, relations: Sequence[Relation] = ()) -> System:
    """The system of assessed cells.

    Raises:
        CellsRefused: a relation names a cell or measure that the product does not have, or does not hold in the data.
    """
    measures, frame = cells.product.measures, cells.frame
    k = len(measures)
    values = frame.select(measures).to_numpy().astype(np.int64).reshape(-1)
    floors = frame.select(f"{m}_public" for m in measures).to_numpy().astype(np.int64).reshape(-1)
    exact = tuple(_exact(cells, relation) for relation in relations)
    for (terms, low, high), relation in zip(exact, relations, strict=True):
        told = sum((f * int(values[p]) for p, f in terms.items()), Fraction(0))
        room = Fraction(_HOLDS) * sum(abs(f) * int(values[p]) for p, f in terms.items())
        if told < low - room or told > high + room:
            raise CellsRefused(
                f"{cells.product.name}: the identity over {relation.terms[0][0]} {relation.terms[0][1]} … does not hold in the data: "
                f"{float(told):g}. Expected: {float(low):g} to {float(high):g}. What to do: correct the data or the identity."
            )
    sizes = np.maximum(values.reshape(-1, k).max(axis=0, initial=1), 1).astype(float)
    scale = np.tile(sizes / sizes.min() if relations else np.ones(k), len(frame))
    numbers, compact = np.unique(cells.equations["equation"].to_numpy(), return_inverse=True)
    cell = cells.equations["cell"].to_numpy()
    sign = cells.equations["coefficient"].to_numpy().astype(float)
    rows = [compact * k + m for m in range(k)]
    pairs = [cell * k + m for m in range(k)]
    factors = [sign] * k
    low, high = [np.zeros(len(numbers) * k)], [np.zeros(len(numbers) * k)]
    for number, (terms, least, most) in enumerate(exact):
        of = np.array(list(terms), dtype=np.int64)
        weight = np.array([float(f) for f in terms.values()]) * scale[of]
        size = np.abs(weight).max(initial=1e-300)
        rows.append(np.full(len(of), len(numbers) * k + number))
        pairs.append(of)
        factors.append(weight / size)
        low.append(np.array([float(least) / size]))
        high.append(np.array([float(most) / size]))
    pair, row, factor = np.concatenate(pairs), np.concatenate(rows), np.concatenate(factors)
    order = np.lexsort((row, pair))
    start = np.concatenate([[0], np.cumsum(np.bincount(pair, minlength=len(values)))])
    return System(
        k, values, values / scale, floors / scale, scale, start, row[order], factor[order],
        np.concatenate(low), np.concatenate(high), len(numbers) * k, exact, _groups(k, exact),
    )  # fmt: skip


def _exact(cells: Cells, relation: Relation) -> Exact:
    measures = cells.product.measures
    numbers = {
        row[:3]: row[3]
        for row in cells.frame.filter(pl.col("release").is_null()).select(*COORDINATES, "cell").iter_rows()
    }
    terms: dict[int, Fraction] = {}
    for coordinates, measure, factor in relation.terms:
        if measure not in measures or levels_of(*coordinates) not in cells.product.closed:
            raise CellsRefused(
                f"{cells.product.name}: an identity names {measure} of {coordinates}, which the product does not have. "
                "Expected: its measures and levels. What to do: correct the identity."
            )
        # A cell without contributions is a known zero.
        if coordinates in numbers:
            pair = numbers[coordinates] * len(measures) + measures.index(measure)
            terms[pair] = terms.get(pair, Fraction(0)) + Fraction(factor) / 10 ** cells.scales[measure]
    return terms, *_ends(relation)


def _ends(relation: Relation) -> tuple[Fraction | float, Fraction | float]:
    low = -math.inf if relation.low is None else Fraction(relation.low)
    return low, math.inf if relation.high is None else Fraction(relation.high)


def _groups(k: int, exact: Sequence[Exact]) -> tuple[tuple[int, ...], ...]:
    """Measures that relations tie together, as sets of positions."""
    label = list(range(k))
    for terms, _, _ in exact:
        tied = {label[pair % k] for pair in terms}
        label = [min(tied) if own in tied else own for own in label]
    return tuple(tuple(m for m in range(k) if label[m] == own) for own in sorted(set(label)))


class _Quiet(highspy.Highs):
    """HiGHS without its callbacks, whose start prints a line that no option suppresses."""

    def __init__(self):
        super(highspy.Highs, self).__init__()
        self.setOptionValue("output_flag", False)


def highs(columns: int, position: np.ndarray, row: np.ndarray, coefficient: np.ndarray, rows: int) -> highspy.Highs:
    """A quiet, deterministic, single-threaded HiGHS with this matrix (entries in order of position); bounds come later."""
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = columns, rows
    lp.col_cost_ = np.zeros(columns)
    lp.col_lower_, lp.col_upper_ = np.zeros(columns), np.zeros(columns)
    lp.row_lower_, lp.row_upper_ = np.zeros(rows), np.zeros(rows)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum(np.bincount(position, minlength=columns))]).astype(np.int32)
    lp.a_matrix_.index_ = row.astype(np.int32)
    lp.a_matrix_.value_ = coefficient.astype(float)
    solver = _Quiet()
    for option, setting in (
        ("threads", 1), ("solver", "simplex"), ("presolve", "off"),
        ("primal_feasibility_tolerance", _FEASIBILITY), ("random_seed", 0),
    ):  # fmt: skip
        solver.setOptionValue(option, setting)
    solver.passModel(lp)
    return solver


class Insiders:
    """Who has how much in which cell: what one holding knows of others' cells."""

    def __init__(self, cells: Cells, system: System):
        measures = cells.product.measures
        self._cell = cells.shares["cell"].to_numpy()
        self._holding = cells.shares["holding"].to_numpy()
        self._own = cells.shares.select(measures).to_numpy().astype(float) / system.scale[: len(measures)]
        self._start = np.searchsorted(self._cell, np.arange(cells.frame.height + 1))
        self._by_holding = np.argsort(self._holding, kind="stable")
        self._holding_start = np.searchsorted(
            self._holding[self._by_holding], np.arange(self._holding.max(initial=-1) + 2)
        )
        self.is_sole = np.diff(self._start) == 1
        self._k = len(measures)

    def knows(self, holding: int) -> tuple[np.ndarray, np.ndarray]:
        """Pairs in which the holding has a part, and its own part (scaled)."""
        at = self._by_holding[self._holding_start[holding] : self._holding_start[holding + 1]]
        pairs = (self._cell[at][:, None] * self._k + np.arange(self._k)).reshape(-1)
        return pairs, self._own[at].reshape(-1)

    def own(self, holding: int, pair: int) -> float:
        """The holding's part of one pair."""
        cell, measure = divmod(pair, self._k)
        at = slice(self._start[cell], self._start[cell + 1])
        return float(self._own[at, measure][self._holding[at] == holding].sum())

    def in_cells(self, pairs: np.ndarray) -> set[int]:
        """Holdings that have a part in any of these pairs."""
        return set(self._holding[np.isin(self._cell, pairs // self._k)].tolist())

    def is_alone(self, holding: int, pair: int) -> bool:
        """Whether nobody else has a part in the pair's cell: then it tells the holding nothing."""
        cell = pair // self._k
        return bool(self.is_sole[cell]) and int(self._holding[self._start[cell]]) == holding

    def contradicted(self, pairs: np.ndarray, x: np.ndarray) -> set[int]:
        """Holdings that know better than values x of these pairs, none of them true: sole ones, and larger own parts."""
        found: set[int] = set()
        for pair, level in zip(pairs.tolist(), x.tolist(), strict=True):
            cell, measure = divmod(pair, self._k)
            at = slice(self._start[cell], self._start[cell + 1])
            if self.is_sole[cell]:
                found.add(int(self._holding[at.start]))
            else:
                too_large = self._own[at, measure] > level + 1e-9 * max(1.0, abs(level))
                found.update(self._holding[at][too_large].tolist())
        return found


@dataclasses.dataclass(frozen=True)
class World:
    """A change of hidden pairs that every equation allows, as pairs and scaled amounts."""

    pairs: np.ndarray
    change: np.ndarray


class Program:
    """The cheapest world within some pairs, solved many times with other targets: upward and downward changes apart."""

    def __init__(self, equations: System, pairs: np.ndarray):
        self._system, self._pairs, n = equations, pairs, len(pairs)
        position, row, coefficient = equations.entries(pairs)
        self._rows, compact = np.unique(row, return_inverse=True)
        self._at_truth = equations.activity(equations.value)[self._rows] if len(equations.relations) else None
        self._solver = highs(
            2 * n, np.concatenate([position, position + n]), np.concatenate([compact, compact]),
            np.concatenate([coefficient, -coefficient]), len(self._rows),
        )  # fmt: skip
        self._columns = np.arange(2 * n, dtype=np.int32)

    def solve(
        self, pair: int, sign: int, amount: float, cost: np.ndarray, known: tuple[np.ndarray, np.ndarray]
    ) -> World | None:
        """The cheapest world in which `pair` moves by sign · amount, or None.

        Args:
            cost: of each cell per unit of change.
            known: of every pair, how far it can go down, and whether it can change.
        """
        n, k = len(self._pairs), self._system.measure_count
        at = int(np.searchsorted(self._pairs, pair))
        capacity, is_free = (part[self._pairs] for part in known)
        if not is_free[at]:
            return None
        up = np.where(is_free, _CAP, 0.0)
        down = np.where(is_free, np.minimum(_CAP, capacity / amount), 0.0)
        down[down < _CHANGE] = 0.0
        least = np.zeros(2 * n)
        if sign > 0:
            least[at], up[at], down[at] = 1.0, 1.0, 0.0
        else:
            if down[at] < 1 - 1e-9:
                return None
            least[n + at], down[at], up[at] = 1.0, 1.0, 0.0
        price = cost[self._pairs // k]
        self._solver.changeColsBounds(2 * n, self._columns, least, np.concatenate([up, down]))
        self._solver.changeColsCost(2 * n, self._columns, np.concatenate([price, price]))
        if self._at_truth is not None:
            low = np.minimum(self._system.row_low[self._rows] - self._at_truth, 0.0) / amount
            high = np.maximum(self._system.row_high[self._rows] - self._at_truth, 0.0) / amount
            is_exact = self._system.row_low[self._rows] == self._system.row_high[self._rows]
            low[is_exact] = high[is_exact] = 0.0
            numbers = np.arange(len(self._rows), dtype=np.int32)
            self._solver.changeRowsBounds(len(self._rows), numbers, low, high)
        self._solver.run()
        if self._solver.modelStatusToString(self._solver.getModelStatus()) != "Optimal":
            return None
        x = np.array(self._solver.getSolution().col_value)
        change = x[:n] - x[n:]
        moved = np.abs(change) > _CHANGE
        return World(self._pairs[moved], change[moved] * amount)
