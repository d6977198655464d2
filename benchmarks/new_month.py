"""`antawasi run` when one more month has come, beside a run that takes in everything at once.

The sample's files, without its tiny sector, and those of a simulated one of `lots` lots over 54 months. `everything` starts in
an empty house; `one new month` in one that has taken in all files but the last month's. Both houses have to hold the same
rows: what differs by when a file landed is left out. Of the ledger's tables it is told how many rows are not as they were
before that month: nothing that writes them can do with less.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import ledger
from benchmarks._measure import measure, ratio, run_once, this
from benchmarks._results import Outcome, Target, command_line, show

_LAST = "2026-06"
_ALL, _KNOWN, _BEFORE, _LATER, _WHOLE = "all", "known", "before", "later", "whole"
#: When a file landed, and what is made of that: the one thing that may differ.
_ARRIVAL = ("landed_at", "ingested_at", "input_digest")


def prepare(folder: Path) -> None:
    """Files of everything and of everything but the last month, and a house that has taken in the latter."""
    from pipelines.settings import SAMPLE_DIR

    lots = int((folder / "lots.txt").read_text())
    simulated = folder / "simulated"
    command = [sys.executable, "-m", "pipelines", "simulate", "--scale", str(lots), "--months", f"2022-01..{_LAST}"]
    subprocess.run([*command, "--out", str(simulated)], check=True)
    for drop in (_ALL, _KNOWN):
        shutil.copytree(SAMPLE_DIR, folder / drop)
        for source in (simulated / "files").iterdir():
            # in a folder of its own: the files of a folder share a card that says whether they are simulated
            shutil.copytree(source, folder / drop / source.name / "simulated")
    for path in [*(folder / _KNOWN).rglob("simulated/*")]:
        if _LAST in path.name:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    _run(folder / _KNOWN, folder / _BEFORE)


def everything(folder: Path) -> None:
    shutil.rmtree(folder / _WHOLE, ignore_errors=True)
    vault = folder / _WHOLE / "vault"
    vault.mkdir(parents=True, mode=0o700)
    # under another key every party has another one
    shutil.copy2(folder / _BEFORE / "vault" / "hmac.key", vault)
    _run(folder / _ALL, folder / _WHOLE)


def one_new_month(folder: Path) -> None:
    shutil.rmtree(folder / _LATER, ignore_errors=True)
    shutil.copytree(folder / _BEFORE, folder / _LATER, symlinks=True)
    _run(folder / _ALL, folder / _LATER)


def _run(drop: Path, home: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pipelines", "run", "--landing", str(drop)],
        env=os.environ | {"ANTAWASI_HOME": str(home)}, check=True,
    )  # fmt: skip


def compare(folder: Path) -> None:
    """Every table of the two houses' analysts' copies.

    Raises:
        AssertionError: they differ; which tables.
    """
    import duckdb

    with duckdb.connect(":memory:") as connection:
        for home in (_WHOLE, _LATER):
            connection.execute(f"ATTACH '{folder}/{home}/warehouse/antawasi.duckdb' AS {home} (READ_ONLY)")
        differing = [name for name, both in _rows(connection) if both[0] != both[1]]
    assert not differing, f"a new month gives other rows than a whole run in {', '.join(differing)}"


def changed(folder: Path) -> None:
    """What share of the ledger's rows is new or other than it was before the month, by table, to changed.json."""
    import duckdb

    with duckdb.connect(":memory:") as connection:
        for home in (_BEFORE, _LATER):
            connection.execute(f"ATTACH '{folder}/{home}/warehouse/antawasi.duckdb' AS {home} (READ_ONLY)")
        shares = {}
        for table in ledger.TABLES:
            rows, other = connection.execute(
                f"SELECT (SELECT count(*) FROM {_LATER}.marts.{table}), count(*) "
                f"FROM (FROM {_LATER}.marts.{table} EXCEPT ALL FROM {_BEFORE}.marts.{table})"
            ).fetchall()[0]
            shares[table] = other / rows
    (folder / "changed.json").write_text(json.dumps(shares))


def _rows(connection) -> Iterator[tuple[str, list]]:
    listed = connection.execute(
        "SELECT schema_name || '.' || table_name, list(column_name) FROM duckdb_columns() WHERE database_name = $1 GROUP BY ALL",
        [_WHOLE],
    ).fetchall()
    for name, columns in listed:
        kept = ", ".join(f'"{column}"' for column in columns if column not in _ARRIVAL)
        rows = f"SELECT count(*), sum(hash(row({kept}))::HUGEINT)::VARCHAR FROM"
        yield name, [connection.execute(f"{rows} {home}.{name}").fetchall() for home in (_WHOLE, _LATER)]


def _candidate(name: str, folder: str) -> list[str]:
    return this("new_month", "--candidate", name, folder)


def run(lots: int, rounds: int) -> Outcome:
    """Simulate, measure, compare the houses, print."""
    with tempfile.TemporaryDirectory(prefix="antawasi-bench-") as folder:
        (Path(folder) / "lots.txt").write_text(str(lots))
        run_once(_candidate("prepare", folder))
        names = {"everything": "everything", "one new month": "month"}
        figures = measure({name: _candidate(value, folder) for name, value in names.items()}, rounds)
        run_once(_candidate("compare", folder))
        run_once(_candidate("changed", folder))
        shares = json.loads((Path(folder) / "changed.json").read_text())
    return show(
        Outcome(
            f"antawasi run over {lots:,} lots, a month later",
            figures,
            [
                Target(
                    "CPU of one new month / everything",
                    ratio(figures["one new month"], figures["everything"]),
                    most=0.08,
                )
            ],
            baseline="everything",
            notes=[f"Rows new or changed: {', '.join(f'{table} {share:.0%}' for table, share in shares.items())}."],
        )
    )


if __name__ == "__main__":
    command_line(
        __doc__,
        "lots",
        20_000,
        {"prepare": prepare, "everything": everything, "month": one_new_month, "compare": compare, "changed": changed},
        run,
    )
