"""Complementary suppression by linear programs: what else must be hidden so that sums do not tell a sensitive cell.

For each sensitive cell and side the cheapest *alternative world* is sought: changes y of cells that keep every equation
(M y = 0) and no cell below what is public of it, that move the sensitive cell by its protection. If all cells that change are
hidden, an attacker cannot tell that world from the true one. What an insider knows (its own part of every cell) makes some
worlds impossible for it; then another is sought that it cannot exclude.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import polars as pl

from pipelines.disclosure.cells import COORDINATES, Cells, name_of
from pipelines.disclosure.linear import Coordinates, Insiders, Program, Relation, System, World, system
from pipelines.disclosure.sensitivity import COMPLEMENT, FREE, SENSITIVE, insider_need, needs
from pipelines.errors import AntawasiError

#: Beside at least 1 for a cell that is still shown; not 0, so that worlds stay small.
_HIDDEN_COST = 1e-3
#: Cells that a message names.
_NAMED = 8


class NoPattern(AntawasiError):
    """Nothing that may still be hidden protects some sensitive cells (`cells`: their coordinates)."""

    def __init__(self, message: str, cells: tuple[Coordinates, ...]):
        self.cells = cells
        super().__init__(message)


def suppress(cells: Cells, relations: Sequence[Relation] = ()) -> Cells:
    """Assessed cells with status D for complements, and D or C for all that was hidden before.

    Args:
        relations: identities that attackers know beside the sums.

    Raises:
        NoPattern: sensitive cells cannot be protected, as everything around them must stay published.
    """
    return _Search(cells, system(cells, relations)).run()


class _Search:
    def __init__(self, cells: Cells, equations: System):
        frame, measures = cells.frame, cells.product.measures
        self._cells, self._system, self._k = cells, equations, len(measures)
        self._insiders = Insiders(cells, equations)
        status = frame["status"].to_numpy()
        self._hidden = status != FREE
        self._movable = ~frame["is_fixed"].to_numpy() & ~((status == FREE) & frame["release"].is_not_null().to_numpy())
        self._is_sensitive = status == SENSITIVE
        self._need = {sign: needs(cells, sign) / equations.scale for sign in (-1, 1)}
        self._capacity = equations.value - equations.floor
        self._cost = _costs(frame, equations, self._k)
        self._department = frame["geo_code"].str.slice(0, 2).to_numpy()
        self._is_top = frame["geo_code"].str.len_chars().to_numpy() <= 2
        self._is_margin = self._is_top & (frame["sex_code"] == "").to_numpy()
        self._programs: dict[tuple[str, tuple[int, ...]], Program] = {}
        self._worlds: dict[tuple[int, int], list[World]] = {}
        self._exposed: dict[int, bool] = {}

    def run(self) -> Cells:
        for measure in range(self._k):
            targets = self._targets(measure)
            for pair, sign in targets:
                if (pair, sign) not in self._worlds:
                    self._protect(pair, sign, self._need[sign][pair], None)
            for pair, sign in targets:
                if (pair, sign) in self._worlds:
                    self._against_insiders(pair, sign)
        if self._exposed:
            raise NoPattern(*self._explain())
        frame = self._cells.frame.with_columns(
            pl.when((pl.col("status") == FREE) & pl.Series(self._hidden))
            .then(pl.lit(COMPLEMENT))
            .otherwise("status")
            .alias("status")
        )
        return dataclasses.replace(self._cells, frame=frame)

    def _targets(self, measure: int) -> list[tuple[int, int]]:
        pairs = np.flatnonzero(self._is_sensitive) * self._k + measure
        both = [(int(p), sign) for p in pairs for sign in (1, -1) if self._need[sign][p] > 0]
        return sorted(both, key=lambda target: (-self._need[target[1]][target[0]], target))

    def _protect(self, pair: int, sign: int, amount: float, holding: int | None) -> None:
        """Find a world for one side of a pair (that a holding cannot exclude), hide what it needs, keep it."""
        group = next(g for g in self._system.groups if pair % self._k in g)
        for scope in self._scopes(pair // self._k):
            program = self._program(scope, group)
            world = program.solve(
                pair, sign, amount, np.where(self._hidden, _HIDDEN_COST, self._cost), self._known_to(holding)
            )
            if world is not None:
                self._hidden[world.pairs // self._k] = True
                self._worlds.setdefault((pair, sign), []).append(world)
                if holding is None:
                    self._share(world)
                return
        self._exposed.setdefault(pair // self._k, holding is not None)

    def _share(self, world: World) -> None:
        """A world serves every sensitive pair in it that it moves, or moves when stretched or turned round, far enough.

        Not so where relations are bounds: stretched, it may break them.
        """
        if np.any(self._system.row_low != self._system.row_high):
            return
        for turn in (1, -1):
            change = world.change * turn
            down = change < 0
            stretch = np.min(self._capacity[world.pairs[down]] / -change[down], initial=np.inf)
            for position in np.flatnonzero(self._is_sensitive[world.pairs // self._k]):
                pair, amount = int(world.pairs[position]), float(change[position])
                sign = 1 if amount > 0 else -1
                need = self._need[sign][pair]
                if need > 0 and (pair, sign) not in self._worlds and need / abs(amount) <= stretch:
                    self._worlds[pair, sign] = [World(world.pairs, change * (need / abs(amount)))]

    def _against_insiders(self, pair: int, sign: int) -> None:
        first = self._worlds[pair, sign][0]
        for holding in sorted(self._insiders.contradicted(first.pairs, self._values(first, 1.0))):
            if self._insiders.is_alone(holding, pair):
                continue
            need = self._need[sign][pair]
            own = self._insiders.own(holding, pair)
            others = self._capacity[pair] - own
            amount = insider_need(need, own, others)
            if amount > 0 and not self._insiders_world(pair, sign, holding, amount / need):
                self._protect(pair, sign, amount, holding)

    def _insiders_world(self, pair: int, sign: int, holding: int, fraction: float) -> bool:
        """Whether some world kept for this side, shrunk to what the insider may not exceed, is possible for it."""
        for world in self._worlds[pair, sign]:
            at = int(np.flatnonzero(world.pairs == pair)[0])
            shrink = min(1.0, fraction * self._need[sign][pair] / abs(world.change[at]))
            reached = abs(world.change[at]) * shrink
            if reached >= fraction * self._need[sign][pair] * (
                1 - 1e-12
            ) and holding not in self._insiders.contradicted(world.pairs, self._values(world, shrink)):
                return True
        return False

    def _values(self, world: World, fraction: float) -> np.ndarray:
        return self._capacity[world.pairs] + fraction * world.change

    def _known_to(self, holding: int | None) -> tuple[np.ndarray, np.ndarray]:
        """What is left of every pair to change downwards, and whether it may change at all."""
        capacity, is_free = self._capacity, np.repeat(self._movable, self._k)
        if holding is not None:
            pairs, own = self._insiders.knows(holding)
            capacity, is_free = capacity.copy(), is_free.copy()
            capacity[pairs] -= own
            is_free[pairs[self._insiders.is_sole[pairs // self._k]]] = False
        return capacity, is_free

    def _scopes(self, cell: int) -> list[str]:
        """Where to look for complements: the department below its own total, then wider."""
        department = str(self._department[cell])
        if not department:
            return ["top", "all"]
        within = [] if self._is_margin[cell] else [department]
        return [*within, *(["top"] if self._is_top[cell] else []), department + "+top", "all"]

    def _program(self, scope: str, group: tuple[int, ...]) -> Program:
        if (scope, group) not in self._programs:
            of_department = self._department == scope[:2]
            chosen = {"top": self._is_top, "all": np.ones_like(self._is_top)}.get(
                scope, of_department | self._is_top if scope.endswith("+top") else of_department & ~self._is_margin
            )
            numbers = np.flatnonzero(chosen & self._movable)
            pairs = (numbers[:, None] * self._k + np.array(group)).reshape(-1)
            self._programs[scope, group] = Program(self._system, pairs)
        return self._programs[scope, group]

    def _explain(self) -> tuple[str, tuple[Coordinates, ...]]:
        rows = [(self._cells.frame.row(cell, named=True), by_insider) for cell, by_insider in self._exposed.items()]
        named = ", ".join(
            name_of(row) + (" (from another holding)" if by_insider else "") for row, by_insider in rows[:_NAMED]
        )
        message = (
            f"{self._cells.product.name}: {len(rows)} sensitive cells cannot be hidden, as what is around them must stay published: "
            f"{named}{', …' if len(rows) > _NAMED else ''}. Expected: cells beside them that may still be hidden. What to do: publish "
            "coarser tables, or hold back late contributions to these cells until a later release."
        )
        return message, tuple(dict.fromkeys(tuple(row[name] for name in COORDINATES) for row, _ in rows))


def _costs(frame: pl.DataFrame, equations: System, k: int) -> np.ndarray:
    """What hiding a cell costs: its value in the first measure beside the mean cell's, more for coarse cells."""
    first = equations.value[::k]
    fineness = (
        frame["geo_code"].str.len_chars() // 2 + (frame["time_code"].str.len_chars() > 4).cast(pl.Int64)
        + (frame["sex_code"] != "").cast(pl.Int64)
    ).to_numpy()  # fmt: skip
    return (1.0 + first / max(first.mean() if len(first) else 1.0, 1e-300)) * (1.0 + 0.5 * (5 - fineness))
