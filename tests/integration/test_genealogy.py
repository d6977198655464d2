"""Which origin lots a lot is made of: random chains with circles against exact fractions, and the simulated truth."""

from __future__ import annotations

import random
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import duckdb
import pytest

from tests.dbt_runs import dbt

LEVELS, WIDTH = 12, 25


def _chain(seed: int) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    """Lots with grams of copper, and how much passed from one to another: every lot is fed by lots of earlier levels."""
    draw, copper, edges = random.Random(seed), {}, {}
    for level in range(LEVELS):
        for i in range(WIDTH):
            lot = f"L{level:02}{i:03}"
            earlier = sorted(copper)
            feeds = draw.sample(earlier, draw.randint(1, 5)) if level and draw.random() < 0.9 else []
            for feed in feeds:
                edges[feed, lot] = draw.randint(1, 5_000_000)
            taken = sum(edges[feed, lot] for feed in feeds)
            # Here and there more than what is known to have been fed.
            copper[lot] = taken + (draw.randint(1, 900_000) if not feeds or draw.random() < 0.1 else 0)
    return copper, edges


def _decomposed(copper: dict[str, int], edges: dict[tuple[str, str], int]) -> dict[str, dict[str, Fraction]]:
    """Exact shares of origins per lot, of a chain without circles. Lots' names are in the order of their levels."""
    shares: dict[str, dict[str, Fraction]] = {}
    for lot in sorted(copper):
        parts: dict[str, Fraction] = defaultdict(Fraction)
        feeds = {f: g for (f, t), g in edges.items() if t == lot}
        for feed, grams in feeds.items():
            for origin, share in shares[feed].items():
                parts[origin] += share * grams / copper[lot]
        if rest := copper[lot] - sum(feeds.values()):
            parts[lot] += Fraction(rest, copper[lot])
        shares[lot] = dict(parts)
    return shares


def _genealogy(
    folder: Path, copper: dict[str, int], edges: dict[tuple[str, str], int]
) -> tuple[dict[str, dict[str, tuple[int, float]]], dict[str, int]]:
    """What dbt makes of them: lot -> origin -> (grams, share), and the grams that came to lots by circles."""
    database = folder / "build.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE SCHEMA intermediate")
        connection.execute(
            "CREATE TABLE intermediate.int_lot__ledger (lot_key VARCHAR, copper_g BIGINT, is_synthetic BOOLEAN)"
        )
        connection.execute(
            "CREATE TABLE intermediate.int_lot__edges "
            "(from_lot_key VARCHAR, to_lot_key VARCHAR, copper_g BIGINT, is_synthetic BOOLEAN)"
        )
        connection.executemany("INSERT INTO intermediate.int_lot__ledger VALUES (?, ?, false)", list(copper.items()))
        connection.executemany(
            "INSERT INTO intermediate.int_lot__edges VALUES (?, ?, ?, false)",
            [(f, t, grams) for (f, t), grams in edges.items()],
        )
    dbt("--quiet", "run", "--select", "int_lot__genealogy", target=folder / "target", database=database)
    made: dict[str, dict[str, tuple[int, float]]] = defaultdict(dict)
    with duckdb.connect(str(database), read_only=True) as connection:
        for lot, origin, grams, share in connection.execute(
            "SELECT lot_key, origin_lot_key, copper_g, share_frac FROM intermediate.int_lot__genealogy"
        ).fetchall():
            assert origin not in made[lot], f"{lot} has {origin} twice"
            made[lot][origin] = (grams, share)
        cut = connection.execute(
            "SELECT lot_key, not_followed_g FROM intermediate.int_lot__genealogy WHERE not_followed_g <> 0"
        ).fetchall()
    return made, dict(cut)


def test_every_lot_decomposes_into_its_origins_and_circles_are_not_followed(tmp_path: Path) -> None:
    copper, edges = _chain(seed=5)
    expected = _decomposed(copper, edges)
    # A circle of two lots after the chain, one lot that feeds itself, and one that comes after the circle.
    circle = {
        ("L00000", "X1"): 30,
        ("X2", "X1"): 70,
        ("X1", "X2"): 100,
        ("X2", "Y"): 10,
        ("Z", "Z"): 5,
        ("L00001", "Z"): 15,
    }
    made, cut = _genealogy(tmp_path, copper | {"X1": 100, "X2": 100, "Y": 10, "Z": 20}, edges | circle)
    assert set(made) == set(copper) | {"X1", "X2", "Y", "Z"}
    for lot, parts in made.items():
        assert sum(grams for grams, _ in parts.values()) == ({"X1": 100, "X2": 100, "Y": 10, "Z": 20} | copper)[lot]
        assert sum(share for _, share in parts.values()) == pytest.approx(1, abs=1e-9)
    for lot, parts in expected.items():
        # Shares are kept to a millionth of a gram per feed and level; what does not come to that may be missing.
        for origin in parts.keys() | made[lot].keys():
            share = float(parts.get(origin, 0))
            assert made[lot].get(origin, (0, 0.0))[1] == pytest.approx(share, abs=1e-9), (lot, origin)
            # Whole grams: cut, and the largest part takes what the cuts leave over.
            least, most = int(copper[lot] * share) - 1, copper[lot] * share + len(parts)
            assert least <= made[lot].get(origin, (0, 0.0))[0] <= most, (lot, origin)
    assert cut == {"X1": 70, "X2": 100, "Z": 5}, "lots told only in part are not in circles"
    # What came by the circle begins at the lot itself.
    assert {o: g for o, (g, _) in made["X1"].items()} == {"L00000": 30, "X1": 70}
    assert {o: g for o, (g, _) in made["X2"].items()} == {"X2": 100}
    assert {o: g for o, (g, _) in made["Y"].items()} == {"X2": 10}
    assert {o: g for o, (g, _) in made["Z"].items()} == {"L00001": 15, "Z": 5}


def test_broken_balances_and_kinds_of_lots_are_those_of_the_simulated_sector(house: Path) -> None:
    (truth,) = (house / "simulated").glob("tiny-*/truth")
    with duckdb.connect(str(house / "warehouse/antawasi.duckdb"), read_only=True) as connection:
        broken = connection.execute(
            f"""
            SELECT count(DISTINCT t.lot_id), count(DISTINCT f.lot_key), (
                SELECT count(DISTINCT lot_key) FROM marts.mart_lot_finding WHERE finding_code = 'MASS_BALANCE_BREAK'
            )
            FROM read_parquet('{truth}/defects/*.parquet') AS t
            LEFT JOIN marts.mart_lot_finding AS f ON f.lot_key = t.lot_id AND f.finding_code = 'MASS_BALANCE_BREAK'
            WHERE t.defect_code = 'MASS_BALANCE_BREAK'
            """
        ).fetchone()
        kinds = dict(
            connection.execute(
                "SELECT lot_kind_code, count(*) FROM marts.dim_lot WHERE lot_key SIMILAR TO '[MLKR][0-9]{9}' "
                "AND left(lot_key, 1) <> "
                "MAP {'PIT': 'M', 'LOAD': 'L', 'PRODUCT': 'K', 'TAILINGS': 'R'}[lot_kind_code] GROUP BY 1"
            ).fetchall()
        )
    assert broken is not None and broken[0] > 0
    assert broken[0] == broken[1] == broken[2], "broken balances: true, found of them, and found in all"
    assert kinds == {}, "lots of another kind than their code says"
