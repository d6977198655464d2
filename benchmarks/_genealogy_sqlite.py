"""The decomposition of lots in SQLite, as genealogy.py compares it: a database file in, one out."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import polars as pl

_FAST = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1000000;
PRAGMA threads = 2;
"""
_NODES = """
ATTACH '$papers' AS papers;
CREATE TEMP TABLE nodes (node INTEGER PRIMARY KEY, lot_key TEXT, copper_g INTEGER);
INSERT INTO nodes SELECT row_number() OVER (ORDER BY lot_key), lot_key, copper_g FROM papers.ledger;
CREATE UNIQUE INDEX temp.node_of ON nodes (lot_key);
CREATE TEMP TABLE arcs (a INTEGER, b INTEGER, copper_g INTEGER);
INSERT INTO arcs
SELECT f.node, t.node, e.copper_g
FROM papers.edges AS e
JOIN nodes AS f ON e.from_lot_key = f.lot_key
JOIN nodes AS t ON e.to_lot_key = t.lot_key;
CREATE TEMP TABLE parts (node INTEGER, origin INTEGER, copper_g INTEGER, share_frac REAL, PRIMARY KEY (node, origin)) WITHOUT ROWID;
INSERT INTO parts SELECT node, node, copper_g, 1.0 FROM nodes WHERE node NOT IN (SELECT b FROM arcs);
"""
_LEVEL = """
CREATE TEMP TABLE ready (node INTEGER PRIMARY KEY);
INSERT INTO ready
SELECT DISTINCT b FROM arcs WHERE b NOT IN (SELECT b FROM arcs WHERE a IN (SELECT b FROM arcs)) ORDER BY b;
INSERT INTO parts
WITH taken AS (
    SELECT arcs.b AS node, parts.origin, sum(CAST(round(arcs.copper_g * 1e6 * parts.share_frac) AS INTEGER)) AS ug
    FROM arcs JOIN parts ON arcs.a = parts.node
    WHERE arcs.b IN ready
    GROUP BY arcs.b, parts.origin
),
shared AS (
    SELECT
        t.node, t.origin, n.copper_g AS lot_g, t.ug, CAST(t.ug AS REAL) / sum(t.ug) OVER (PARTITION BY t.node) AS share_frac
    FROM taken AS t JOIN nodes AS n ON t.node = n.node
),
cut AS (
    SELECT
        *, CAST(lot_g * share_frac AS INTEGER) AS cut_g,
        row_number() OVER (PARTITION BY node ORDER BY ug DESC, origin) AS place
    FROM shared
)
SELECT
    node, origin,
    cut_g + CASE WHEN place = 1 THEN lot_g - sum(cut_g) OVER (PARTITION BY node) ELSE 0 END,
    share_frac
FROM cut;
DELETE FROM arcs WHERE b IN ready;
DROP TABLE ready;
"""
_NAMED = """
CREATE TABLE genealogy (lot_key TEXT, origin_lot_key TEXT, copper_g INTEGER, share_frac REAL);
INSERT INTO genealogy
SELECT n.lot_key, o.lot_key, p.copper_g, p.share_frac
FROM parts AS p JOIN nodes AS n ON p.node = n.node JOIN nodes AS o ON p.origin = o.node;
"""


def papers(folder: Path) -> None:
    """Lots and edges, from Parquet, as the SQLite database that the genealogy starts from."""
    with sqlite3.connect(folder / "papers.sqlite") as connection:
        connection.executescript(_FAST)
        for table, columns in (
            ("ledger", ("lot_key", "copper_g")),
            ("edges", ("from_lot_key", "to_lot_key", "copper_g")),
        ):
            frame = pl.read_parquet(folder / f"{table}.parquet", columns=list(columns))
            connection.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", frame.iter_rows())


def genealogy(folder: Path) -> None:
    """Level by level, with indexes; writes genealogy.sqlite."""
    out = folder / "genealogy.sqlite"
    out.unlink(missing_ok=True)
    connection = sqlite3.connect(out)
    connection.executescript(_FAST + _NODES.replace("$papers", str(folder / "papers.sqlite")))
    while connection.execute("SELECT EXISTS (SELECT 1 FROM arcs)").fetchone()[0]:
        connection.executescript(_LEVEL)
    connection.executescript(_NAMED)
    connection.close()


def as_parquet(folder: Path) -> None:
    """The rows as Parquet, to be compared."""
    with sqlite3.connect(folder / "genealogy.sqlite") as connection:
        rows = connection.execute("SELECT lot_key, origin_lot_key, copper_g FROM genealogy").fetchall()
    schema = {"lot_key": pl.String, "origin_lot_key": pl.String, "copper_g": pl.Int64}
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(folder / "sqlite.parquet")
