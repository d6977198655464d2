"""Attacks on what would be published. Whoever adds and subtracts, solves linear programs, kept past releases, or has a part
of a cell itself, must not come nearer to a sensitive cell than its protection.

The attacker knows every figure that is shown, the equations, that nothing is negative, what waived holdings made public, and
the identities handed over. `Attacker` sees nothing else; `audit` compares what it finds with the truth.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import heapq
import random
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np
import polars as pl

from pipelines.disclosure.cells import COORDINATES, Cells, Product, Table, aggregate
from pipelines.disclosure.linear import Insiders, Program, Relation, System, highs, system
from pipelines.disclosure.sensitivity import COMPLEMENT, FREE, SENSITIVE, assess, insider_need, needs
from pipelines.errors import AntawasiError

ELIMINATION, BOUNDS, DIFFERENCING, INSIDER = "ELIMINATION", "BOUNDS", "DIFFERENCING", "INSIDER"
#: Arithmetic modulo a Mersenne prime is exact and larger than any figure.
_PRIME = 2**89 - 1
#: An interval counts as reached to this share of the protection: the solver's own error.
_REACHED = 1e-6
#: Figures are scaled to at most this in the solver.
_LARGEST = 1e4
_OPTIMAL, _UNBOUNDED = "Optimal", ("Unbounded", "Primal infeasible or unbounded")
#: HiGHS's primal simplex: between two solves only the objective changes, so the last solution stays feasible.
_PRIMAL_SIMPLEX, _DUAL_SIMPLEX = 4, 1
#: What is tried from scratch in turn where that loses its way (figures of millions at a tolerance of 1e-13 of them): the
#: dual simplex, then a tolerance that is still 1e-11 of the largest figure.
_SECOND_TRIES = (
    {"simplex_strategy": _DUAL_SIMPLEX},
    {"simplex_strategy": _DUAL_SIMPLEX, "primal_feasibility_tolerance": 1e-7},
)


class AttackBroken(AntawasiError):
    """The attacks do not even break what is known to be broken."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """A sensitive cell that an attack comes too near to, in the measure's own units; `high` None is unbounded.

    `release` names the past release whose figure is told; None is the one to be published.
    """

    geo_code: str
    time_code: str
    sex_code: str
    release: str | None
    measure: str
    attack: str
    low: Decimal
    high: Decimal | None
    needed_low: Decimal
    needed_high: Decimal


class Attacker:
    """What can be worked out from the published figures: `known` pairs and the system without the others' values."""

    def __init__(self, equations: System, known: np.ndarray):
        self._known = known
        blank = np.where(known, equations.value, np.nan)
        self._system = dataclasses.replace(equations, value=blank, unit_value=np.where(known, equations.unit_value, 0))
        pair = np.repeat(np.arange(len(known)), np.diff(equations.start))
        is_open = ~known[pair]
        self._open_pair, self._open_row = pair[is_open], equations.row[is_open]
        shown = np.where(known, equations.value, 0.0)
        told = np.bincount(equations.row, equations.coefficient * shown[pair], len(equations.row_low))
        self._row_low, self._row_high = equations.row_low - told, equations.row_high - told
        self.component = _components(len(known), self._open_pair, self._open_row)
        self._programs: dict[int, _Bounds] = {}

    def pairs_with(self, pair: int) -> np.ndarray:
        """The unknown pairs that a chain of equations links to this one."""
        return np.flatnonzero((self.component == self.component[pair]) & ~self._known)

    def world(self, pair: int, sign: int, insider: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None):
        """Values of all pairs linked to `pair` in which it is as large (sign 1) or small (−1) as can be; None if unbounded.

        Args:
            insider: pairs, own parts, and which of these pairs are wholly its own.
        """
        label = int(self.component[pair])
        if label not in self._programs:
            self._programs[label] = _Bounds(self._system, self.pairs_with(pair), self._row_low, self._row_high)
        return self._programs[label].solve(pair, sign, insider)

    def bounds(
        self, pair: int, insider: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    ) -> tuple[float, float]:
        """Least and most that a pair can be (scaled)."""
        pairs = self.pairs_with(pair)
        at = int(np.searchsorted(pairs, pair))
        low, high = (self.world(pair, sign, insider) for sign in (-1, 1))
        return (float(low[at]) if low is not None else 0.0), (float(high[at]) if high is not None else np.inf)

    def recover(self) -> dict[int, int]:
        """Every unknown pair that the equalities alone determine, with its value in smallest units."""
        rows: dict[int, dict[int, int]] = {}
        right: dict[int, int] = {}
        start, row = self._system.start, self._system.row
        pair_of = np.repeat(np.arange(len(self._known)), np.diff(start))
        is_sum = row < self._system.cell_rows
        touched = np.zeros(len(self._row_low), dtype=bool)
        touched[self._open_row] = True
        wanted = is_sum & touched[row]
        for p, r, f in zip(
            pair_of[wanted].tolist(), row[wanted].tolist(), self._system.coefficient[wanted].tolist(), strict=True
        ):
            self._add(rows, right, r, p, int(f))
        for number, (terms, low, high) in enumerate(self._system.relations):
            if low == high:
                key = self._system.cell_rows + number
                for p, factor in terms.items():
                    self._add(rows, right, key, p, _modular(factor))
                right[key] = (right.get(key, 0) + _modular(Fraction(low))) % _PRIME
        return _determined(rows, right)

    def _add(self, rows: dict[int, dict[int, int]], right: dict[int, int], row: int, pair: int, factor: int) -> None:
        if self._known[pair]:
            right[row] = (right.get(row, 0) - factor * int(self._system.unit_value[pair])) % _PRIME
        else:
            rows.setdefault(row, {})[pair] = factor % _PRIME


class _Bounds:
    """The linear program of one component: only what is suppressed is unknown."""

    def __init__(self, equations: System, pairs: np.ndarray, row_low: np.ndarray, row_high: np.ndarray):
        self._pairs, n = pairs, len(pairs)
        position, row, coefficient = equations.entries(pairs)
        rows, compact = np.unique(row, return_inverse=True)
        low, high = row_low[rows], row_high[rows]
        ends = np.abs(np.concatenate([low, high, equations.floor[pairs]]))
        self._unit = max(ends[np.isfinite(ends)].max(initial=0.0), 1.0) / _LARGEST
        self._floor = equations.floor[pairs] / self._unit
        self._solver = highs(n, position, compact, coefficient, len(rows))
        self._options = {
            "simplex_strategy": _PRIMAL_SIMPLEX,
            "primal_feasibility_tolerance": self._solver.getOptionValue("primal_feasibility_tolerance")[1],
        }
        self._set(self._options)
        self._columns = np.arange(n, dtype=np.int32)
        self._solver.changeRowsBounds(
            len(rows), np.arange(len(rows), dtype=np.int32), low / self._unit, high / self._unit
        )
        self._free()

    def _free(self) -> None:
        self._solver.changeColsBounds(len(self._pairs), self._columns, self._floor, np.full(len(self._pairs), np.inf))

    def solve(
        self, pair: int, sign: int, insider: tuple[np.ndarray, np.ndarray, np.ndarray] | None
    ) -> np.ndarray | None:
        at = int(np.searchsorted(self._pairs, pair))
        if insider is not None:
            least, most = self._floor.copy(), np.full(len(self._pairs), np.inf)
            known, own, is_all = insider
            here = np.searchsorted(self._pairs, known)
            is_here = (here < len(self._pairs)) & (self._pairs[np.minimum(here, len(self._pairs) - 1)] == known)
            least[here[is_here]] += own[is_here] / self._unit
            whole = here[is_here & is_all]
            most[whole] = least[whole]
            self._solver.changeColsBounds(len(self._pairs), self._columns, least, most)
        self._solver.changeColCost(at, -float(sign))
        status = self._run()
        for options in _SECOND_TRIES:
            if status in (_OPTIMAL, *_UNBOUNDED):
                break
            self._set(options)
            self._solver.clearSolver()
            status = self._run()
        self._set(self._options)
        x = np.array(self._solver.getSolution().col_value) * self._unit
        self._solver.changeColCost(at, 0.0)
        if insider is not None:
            self._free()
        if status in _UNBOUNDED:
            return None
        if status != _OPTIMAL:
            raise AttackBroken(
                f"The attacks' linear program ended as {status!r} where the true figures are a solution. "
                "What to do: check that the published figures are sums of the contributions."
            )
        return x

    def _set(self, options: dict[str, float]) -> None:
        for name, value in options.items():
            self._solver.setOptionValue(name, value)

    def _run(self) -> str:
        self._solver.run()
        return self._solver.modelStatusToString(self._solver.getModelStatus())


def audit(cells: Cells, relations: Sequence[Relation] = ()) -> tuple[Finding, ...]:
    """Every attack on suppressed cells; no finding means that the release may go.

    Args:
        cells: as `suppress` gives them, with the past releases that `ledger.carry` added.

    Raises:
        AttackBroken: the canary survived, so that an empty result would mean nothing.
    """
    canary(cells, relations)
    return _Audit(cells, relations).run()


def canary(cells: Cells, relations: Sequence[Relation] = ()) -> int:
    """How many sensitive cells the attacks recover exactly when only these are hidden, in the data or else in a small table.

    Raises:
        AttackBroken: none.
    """
    for candidate, identities in ((cells, relations), (_small_table(), ())):
        shown = candidate.frame.with_columns(
            pl.when((pl.col("status") == COMPLEMENT) & pl.col("is_published"))
            .then(pl.lit(FREE))
            .otherwise("status")
            .alias("status")
        )
        equations = system(candidate, identities)
        k = equations.measure_count
        attacker = Attacker(equations, _known(dataclasses.replace(candidate, frame=shown)))
        sensitive = (shown["status"] == SENSITIVE).to_numpy()
        told = {p: v for p, v in attacker.recover().items() if sensitive[p // k]}
        if told:
            pair = min(told)
            low, high = attacker.bounds(pair)
            truth = equations.value[pair]
            room = _REACHED * max(truth, 1.0)
            if told[pair] != equations.unit_value[pair] or abs(low - truth) > room or abs(high - truth) > room:
                break
            return len({p // k for p in told})
    raise AttackBroken(
        "The attacks do not recover a cell that its row's total gives away. Expected: they do, else finding nothing means nothing. "
        "What to do: publish nothing and repair pipelines/disclosure/attack.py."
    )


def recovered(cells: Cells, relations: Sequence[Relation] = ()) -> pl.DataFrame:
    """Coordinates of sensitive cells of which elimination gives some measure away."""
    equations = system(cells, relations)
    told = {p // equations.measure_count for p in Attacker(equations, _known(cells)).recover()}
    return cells.frame.filter(
        pl.col("cell").is_in(sorted(told)), pl.col("status") == SENSITIVE, pl.col("release").is_null()
    ).select(COORDINATES)


class _Audit:
    def __init__(self, cells: Cells, relations: Sequence[Relation]):
        self._cells, self._relations = cells, relations
        self._system = system(cells, relations)
        self._known = _known(cells)
        self._attacker = Attacker(self._system, self._known)
        self._insiders = Insiders(cells, self._system)
        self._need = {sign: needs(cells, sign) / self._system.scale for sign in (-1, 1)}
        k = self._system.measure_count
        sensitive = np.repeat((cells.frame["status"] == SENSITIVE).to_numpy(), k)
        wanted = sensitive & ((self._need[1] > 0) | (self._need[-1] > 0))
        self._targets = np.flatnonzero(wanted).tolist()

    def run(self) -> tuple[Finding, ...]:
        by_elimination = self._attacker.recover()
        found = {pair: ELIMINATION for pair in self._targets if pair in by_elimination}
        narrow = [pair for pair in self._narrow() if pair not in found]
        found |= dict.fromkeys(narrow, BOUNDS)
        if found and self._cells.frame.select((pl.col("release").is_not_null() | pl.col("is_told")).any()).item():
            alone = _Audit(_without_past(self._cells), self._relations)
            exposed = set(alone._narrow()) | set(alone._attacker.recover())
            found = {pair: attack if pair in exposed else DIFFERENCING for pair, attack in found.items()}
        findings = [self._finding(pair, attack, *self._attacker.bounds(pair)) for pair, attack in found.items()]
        findings += self._by_insiders(set(found))
        return tuple(sorted(findings, key=lambda f: (f.geo_code, f.time_code, f.sex_code, f.release or "", f.measure)))

    def _narrow(self) -> list[int]:
        """Targets whose interval does not reach their protection. A world found for one cell may clear others as well."""
        is_open = {sign: {p for p in self._targets if self._need[sign][p] > 0} for sign in (1, -1)}
        narrow = set()
        for pair in self._targets:
            pairs = None
            for sign in (1, -1):
                if pair not in is_open[sign]:
                    continue
                world = self._attacker.world(pair, sign)
                is_open[sign].discard(pair)
                if world is None:
                    continue
                pairs = self._attacker.pairs_with(pair) if pairs is None else pairs
                change = world - self._system.value[pairs]
                for side in (1, -1):
                    reached = pairs[side * change >= self._need[side][pairs] * (1 - _REACHED)]
                    is_open[side].difference_update(reached.tolist())
                at = int(np.searchsorted(pairs, pair))
                if sign * change[at] < self._need[sign][pair] * (1 - _REACHED):
                    narrow.add(pair)
        return sorted(narrow)

    def _by_insiders(self, exposed: set[int]) -> list[Finding]:
        """One holding against the others. Small alternative worlds clear most; a holding that excludes one is tried itself."""
        found: list[Finding] = []
        programs: dict[int, Program] = {}
        cost = np.ones(self._cells.frame.height)
        everything = (self._system.value - self._system.floor, ~self._known)
        for pair in self._targets:
            if pair in exposed:
                continue
            label = int(self._attacker.component[pair])
            if label not in programs:
                programs[label] = Program(self._system, self._attacker.pairs_with(pair))
            for sign in (1, -1):
                need = self._need[sign][pair]
                if need <= 0:
                    continue
                world = programs[label].solve(pair, sign, need, cost, everything)
                if world is None:
                    suspects = self._insiders.in_cells(self._attacker.pairs_with(pair))
                else:
                    suspects = self._insiders.contradicted(world.pairs, everything[0][world.pairs] + world.change)
                told = self._told_by(pair, sign, suspects)
                if told:
                    found.append(told)
                    break
        return found

    def _told_by(self, pair: int, sign: int, holdings: Iterable[int]) -> Finding | None:
        private = self._system.value[pair] - self._system.floor[pair]
        for holding in sorted(holdings):
            if self._insiders.is_alone(holding, pair):
                continue
            own = self._insiders.own(holding, pair)
            need = insider_need(self._need[sign][pair], own, private - own)
            if need <= 0:
                continue
            known, parts = self._insiders.knows(holding)
            insider = (known, parts, self._insiders.is_sole[known // self._system.measure_count])
            world = self._attacker.world(pair, sign, insider)
            at = int(np.searchsorted(self._attacker.pairs_with(pair), pair))
            if world is not None and sign * (world[at] - self._system.value[pair]) < need * (1 - _REACHED):
                return self._finding(pair, INSIDER, *self._attacker.bounds(pair, insider))
        return None

    def _finding(self, pair: int, attack: str, low: float, high: float) -> Finding:
        cell, number = divmod(pair, self._system.measure_count)
        measure = self._cells.product.measures[number]
        row = self._cells.frame.row(cell, named=True)

        def own_units(x: float) -> Decimal:
            return Decimal(round(x * self._system.scale[pair])).scaleb(-self._cells.scales[measure])

        truth = self._system.value[pair]
        return Finding(
            *(row[name] for name in COORDINATES), row["release"], measure, attack, own_units(low),
            own_units(high) if np.isfinite(high) else None,
            own_units(truth - self._need[-1][pair]), own_units(truth + self._need[1][pair]),
        )  # fmt: skip


def _known(cells: Cells) -> np.ndarray:
    """Pairs that everybody sees: cells with status A, and figures that a past release told."""
    is_known = (cells.frame["status"] == FREE) | cells.frame["is_told"]
    return np.repeat(is_known.to_numpy(), len(cells.product.measures))


def _without_past(cells: Cells) -> Cells:
    now = cells.frame.filter(pl.col("release").is_null()).with_columns(pl.lit(False).alias("is_told"))
    past = cells.frame.filter(pl.col("release").is_not_null())["cell"].implode()
    of_past = cells.equations.filter(pl.col("cell").is_in(past))["equation"].implode()
    return dataclasses.replace(
        cells,
        frame=now,
        equations=cells.equations.filter(~pl.col("equation").is_in(of_past)),
        shares=cells.shares.filter(~pl.col("cell").is_in(past)),
    )


def _small_table() -> Cells:
    """Two districts, of which one is sensitive and the total gives it away."""
    product = Product("canary", ("t",), (Table("districts", ("DEPARTMENT", "DISTRICT"), ("YEAR",)),))
    parts = [("010101", f"a{n}", 10) for n in range(2)] + [("010102", f"b{n}", 10) for n in range(8)]
    rows = pl.DataFrame(parts, schema=["ubigeo_code", "holding_key", "t"], orient="row").with_columns(
        pl.lit(dt.date(2025, 1, 1)).alias("month"), pl.lit(None, pl.String).alias("buyer_key")
    )
    return assess(aggregate(product, rows, dt.date(2025, 12, 1)))


def _components(pairs: int, open_pair: np.ndarray, open_row: np.ndarray) -> np.ndarray:
    """A label of each pair: equal where equations link unknown pairs."""
    label = np.arange(pairs)

    def root(p: int) -> int:
        while label[p] != p:
            label[p] = label[label[p]]
            p = label[p]
        return p

    first: dict[int, int] = {}
    for p, r in zip(open_pair.tolist(), open_row.tolist(), strict=True):
        a, b = root(first.setdefault(r, p)), root(p)
        label[max(a, b)] = min(a, b)
    return np.array([root(p) for p in range(pairs)])


def _modular(number: Fraction) -> int:
    return number.numerator * pow(number.denominator, -1, _PRIME) % _PRIME


def _determined(rows: dict[int, dict[int, int]], right: dict[int, int]) -> dict[int, int]:
    """Unknowns that linear equations determine, by elimination, first from equations with one unknown.

    An unknown is determined exactly if it is 0 in every solution of the homogeneous system; two random ones are looked at,
    so that one taken for determined by chance has odds of 2^-178.
    """
    holders: dict[int, set[int]] = {}
    for r, terms in rows.items():
        for p in terms:
            holders.setdefault(p, set()).add(r)
    single = [r for r, terms in sorted(rows.items()) if len(terms) == 1]
    queue = [(len(held), p) for p, held in holders.items()]
    heapq.heapify(queue)
    pivots: list[tuple[int, dict[int, int], int]] = []

    def pivot(r: int, p: int) -> None:
        terms = rows.pop(r)
        inverse = pow(terms[p], -1, _PRIME)
        terms = {q: f * inverse % _PRIME for q, f in terms.items()}
        told = right.get(r, 0) * inverse % _PRIME
        for q in terms:
            holders[q].discard(r)
        for other in sorted(holders.pop(p)):
            target = rows[other]
            factor = target[p]
            for q, f in terms.items():
                left = (target.get(q, 0) - factor * f) % _PRIME
                if left:
                    target[q] = left
                    if q != p:
                        holders[q].add(other)
                else:
                    target.pop(q, None)
                    if q != p:
                        holders[q].discard(other)
            right[other] = (right.get(other, 0) - factor * told) % _PRIME
            if len(target) == 1:
                single.append(other)
        pivots.append((p, {q: f for q, f in terms.items() if q != p}, told))
        for q in terms:
            if q in holders:
                heapq.heappush(queue, (len(holders[q]), q))

    while True:
        while single:
            r = single.pop()
            if len(rows.get(r, ())) == 1:
                pivot(r, next(iter(rows[r])))
        while queue:
            count, p = heapq.heappop(queue)
            if p in holders and count == len(holders[p]) and count:
                break
        else:
            break
        pivot(min(holders[p], key=lambda r: (len(rows[r]), r)), p)

    dice = random.Random(0)
    values: dict[int, tuple[int, int, int]] = {}
    for p, terms, told in reversed(pivots):
        for q in terms:
            if q not in values:
                values[q] = (dice.randrange(1, _PRIME), dice.randrange(1, _PRIME), 0)
        sums = [-sum(f * values[q][n] for q, f in terms.items()) % _PRIME for n in range(3)]
        values[p] = (sums[0], sums[1], (sums[2] + told) % _PRIME)
    return {p: values[p][2] for p, _, _ in pivots if values[p][0] == values[p][1] == 0}
