"""Of which origin lots every lot is made: the model against a hand-written DuckDB script and other libraries.

The graph is like the simulator's: ore lots, mixed into heaps or not, loads of about 24 to a campaign, five products and
tailings of each; rows in random order. `ours` runs the statements that dbt sends for int_lot__genealogy. The script by
hand (genealogy.sql) decomposes level by level as well, in whole numbers, without looking for circles. polars (lazy,
streaming), pandas and scipy (forward substitution of the sparse triangular system) read and write Parquet; scipy gives
shares alone. SQLite goes level by level too, from a database file into another. All have to give the same rows, scipy's
shares within 1e-9.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks._dbt_statements import replay, sent
from benchmarks._measure import Runs, alone, measure, ratio, run_once, this
from benchmarks._results import Outcome, Target, command_line, grown, show

#: Beside the script by hand. In sizes where the slow ones would take an evening, some of them.
OTHERS = ("polars", "pandas", "sqlite", "scipy")

#: The format of all DuckDB files here, that of the house's own.
_FORMAT = {"storage_compatibility_version": "v1.5.0"}

#: ANTAWASI_MEMORY_LIMIT where a size has to fit; DuckDB's own limit is nine tenths of it.
_MEMORY_LIMIT = "2GB"


def prepare(folder: Path) -> None:
    """The build file with lots and edges, the same as Parquet for libraries that read it, and the statements that dbt sends.

    These follow from how many levels a graph has, which is the same at every size: a small one tells them.
    """
    build_db = folder / "build.duckdb"
    _write_graph(build_db, 10_000)
    (folder / "statements.json").write_text(json.dumps(sent(build_db, folder, ["int_lot__genealogy"])))
    build_db.unlink()
    _write_graph(folder / "before", int((folder / "lots.txt").read_text()))
    if (folder / "others.json").exists():
        import duckdb

        with duckdb.connect(str(folder / "before"), read_only=True) as connection:
            for table in ("ledger", "edges"):
                connection.execute(f"COPY intermediate.int_lot__{table} TO '{folder}/{table}.parquet'")


def _write_graph(database: Path, lots: int) -> None:
    import duckdb

    with duckdb.connect(str(database), config=_FORMAT) as connection:
        connection.execute(_GRAPH.replace("$ore", str(int(lots / 1.8))))


_GRAPH = """
SET preserve_insertion_order = false;
CREATE SCHEMA intermediate;
CREATE TEMP TABLE loads AS
SELECT
    i,
    'L' || lpad(i::VARCHAR, 9, '0') AS k,
    hash(i) % 100 < 55 AS is_collected,
    i // 24 AS campaign,
    (500000 + hash(i, 1) % 4000000)::BIGINT AS copper_g
FROM range($ore) AS r(i);
CREATE TEMP TABLE heaps AS
SELECT *, CASE WHEN hash(i, 2) % 100 < 33 THEN i // 4 END AS heap FROM loads WHERE is_collected;
CREATE TEMP TABLE e (from_lot_key VARCHAR, to_lot_key VARCHAR, copper_g BIGINT);
INSERT INTO e
SELECT 'M' || lpad(a.i::VARCHAR, 9, '0'), b.k, b.copper_g // n + CASE WHEN a.i = first THEN b.copper_g % n ELSE 0 END
FROM (
    SELECT *, count(*) OVER (PARTITION BY heap) AS n, min(i) OVER (PARTITION BY heap) AS first
    FROM heaps WHERE heap IS NOT NULL
) AS a
JOIN heaps AS b USING (heap);
INSERT INTO e SELECT 'M' || lpad(i::VARCHAR, 9, '0'), k, copper_g FROM heaps WHERE heap IS NULL;
INSERT INTO e
SELECT k, 'K' || lpad((campaign * 5 + p)::VARCHAR, 9, '0'), copper_g * 4 // 25 FROM loads, range(5) AS r(p);
INSERT INTO e SELECT k, 'R' || lpad(campaign::VARCHAR, 9, '0'), copper_g - 5 * (copper_g * 4 // 25) FROM loads;
CREATE TABLE intermediate.int_lot__edges AS
SELECT *, true AS is_synthetic FROM e ORDER BY hash(from_lot_key, to_lot_key);
CREATE TABLE intermediate.int_lot__ledger AS
SELECT lot_key, coalesce(taken, given)::BIGINT AS copper_g, true AS is_synthetic
FROM (SELECT from_lot_key AS lot_key, sum(copper_g) AS given FROM e GROUP BY ALL)
FULL JOIN (SELECT to_lot_key AS lot_key, sum(copper_g) AS taken FROM e GROUP BY ALL) USING (lot_key)
ORDER BY hash(lot_key);
DROP TABLE e; DROP TABLE heaps; DROP TABLE loads;
"""


def ours(folder: Path) -> None:
    replay(folder / "statements.json", folder / "before", folder / "ours" / "build.duckdb")


def ours_in_little_memory(folder: Path) -> None:
    replay(folder / "statements.json", folder / "before", folder / "little" / "build.duckdb", _MEMORY_LIMIT)


def by_hand(folder: Path) -> None:
    import duckdb

    out = folder / "hand.duckdb"
    out.unlink(missing_ok=True)
    first, level, last = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split("-- //")
    with duckdb.connect(str(out), config=_FORMAT) as connection:
        connection.execute(first.replace("$before", str(folder / "before")))
        while connection.execute("SELECT count(*) FROM arcs").fetchall()[0][0]:
            connection.execute(level)
        connection.execute(last)


def _frames():
    # only where it is wanted: pandas and polars take most of a second to import
    from benchmarks import _genealogy_frames

    return _genealogy_frames


def _sqlite():
    from benchmarks import _genealogy_sqlite

    return _genealogy_sqlite


def compare(folder: Path) -> None:
    """Every candidate's rows against ours.

    Raises:
        AssertionError: they differ; by how many rows.
    """
    import duckdb

    others = json.loads((folder / "others.json").read_text())
    if "sqlite" in others:
        _sqlite().as_parquet(folder)
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"ATTACH '{folder}/ours/build.duckdb' AS ours (READ_ONLY)")
        connection.execute(f"ATTACH '{folder}/hand.duckdb' AS hand (READ_ONLY)")
        ours_rows = "SELECT lot_key, origin_lot_key, copper_g FROM ours.intermediate.int_lot__genealogy"
        written = (f"'{folder}/{name}.parquet'" for name in others if name != "scipy")
        for theirs in ("hand.main.genealogy", *written):
            rows = f"SELECT lot_key, origin_lot_key, copper_g FROM {theirs}"
            differing = connection.execute(
                f"SELECT count(*) FROM (({ours_rows} EXCEPT ALL {rows}) UNION ALL ({rows} EXCEPT ALL {ours_rows}))"
            ).fetchall()[0][0]
            assert differing == 0, f"{theirs} differs in {differing} rows"
        if "scipy" in others:
            missing, apart = connection.execute(
                "SELECT count(*) FILTER (o.lot_key IS NULL OR s.lot_key IS NULL), max(abs(o.share_frac - s.share_frac)) "
                f"FROM ours.intermediate.int_lot__genealogy AS o FULL JOIN '{folder}/scipy.parquet' AS s "
                "USING (lot_key, origin_lot_key)"
            ).fetchall()[0]
            assert missing == 0 and apart < 1e-9, f"scipy: {missing} rows missing, shares {apart} apart"


def _candidate(name: str, folder: Path) -> list[str]:
    return this("genealogy", "--candidate", name, str(folder))


def run(lots: int, rounds: int, others: Sequence[str] = OTHERS) -> Outcome:
    """Generate, measure, compare the results, print."""
    with tempfile.TemporaryDirectory(prefix="antawasi-bench-") as root:
        folder = Path(root)
        (folder / "lots.txt").write_text(str(lots))
        (folder / "others.json").write_text(json.dumps(others))
        run_once(_candidate("prepare", folder))
        if "sqlite" in others:
            run_once(_candidate("sqlite-papers", folder))
        names = {"ours": "ours", "duckdb by hand": "hand"} | {name: name for name in others}
        figures = measure({name: _candidate(value, folder) for name, value in names.items()}, rounds)
        run_once(_candidate("compare", folder))
    mine = figures["ours"]
    promised = {"pandas": 2.5, "polars": 1.0}
    return show(
        Outcome(
            f"Genealogy of {lots:,} lots",
            figures,
            [
                Target("CPU of ours / DuckDB by hand", ratio(mine, figures["duckdb by hand"]), most=1.1),
                *(
                    Target(f"wall of {name} / ours", ratio(figures[name], mine, "wall_s"), least=least)
                    for name, least in promised.items()
                    if name in others
                ),
            ],
            baseline="duckdb by hand",
        )
    )


def growth(sizes: tuple[int, ...], in_little_memory: int) -> Outcome:
    """Ours alone at several sizes, and at one under a limit of DuckDB's memory, which is not part of the curve."""
    seen = {lots: alone("genealogy", lots, "ours") for lots in sizes}
    return show(_grown(seen, in_little_memory, alone("genealogy", in_little_memory, "little")))


def _grown(seen: Mapping[int, Runs], lots: int, little: Runs) -> Outcome:
    outcome = grown("Genealogy as lots grow", "lots decomposed", seen)
    return dataclasses.replace(
        outcome,
        figures={**outcome.figures, f"{lots:,} lots under memory_limit {_MEMORY_LIMIT}": little},
        targets=[
            Target("ten times the lots: times the CPU", 10 ** outcome.growth[0].exponent, most=10),
            Target(f"peak MB at {lots:,} lots under memory_limit {_MEMORY_LIMIT}", little.peak_mb, most=2_500),
        ],
    )


if __name__ == "__main__":
    command_line(
        __doc__,
        "lots",
        1_000_000,
        {
            "prepare": prepare,
            "ours": ours,
            "little": ours_in_little_memory,
            "hand": by_hand,
            "polars": lambda p: _frames().polars_genealogy(p),
            "pandas": lambda p: _frames().pandas_genealogy(p),
            "sqlite-papers": lambda p: _sqlite().papers(p),
            "sqlite": lambda p: _sqlite().genealogy(p),
            "scipy": lambda p: _frames().scipy_shares(p),
            "compare": compare,
        },
        run,
    )
