"""The simulated sector as tables: simulating against merely writing the same bytes of Parquet from memory.

`simulate` is the command's own road at size `large` (tables instead of XML), two processes. `read` loads every table that
it wrote, `read and write` also writes them again: their difference is what the bytes cost alone.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path

from benchmarks._measure import measure, this
from benchmarks._results import Outcome, Target, command_line, show

_LOTS = "lots.txt"


def simulate(folder: Path) -> None:
    from pipelines.simulator.plan import load, make_plan
    from pipelines.simulator.sector import simulate as run_sector

    lots = int((folder / _LOTS).read_text())
    whole = make_plan(load(), "large", seed=1)
    share = dataclasses.replace(whole, lots=lots, registrations=max(whole.registrations * lots // whole.lots, 300))
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    run_sector(share, out, workers=2)


def read(folder: Path, rewrite: bool) -> None:
    import polars as pl

    target = folder / "again.parquet"
    for path in sorted(p for part in ("tables", "truth") for p in (folder / "out" / part).rglob("*.parquet")):
        frame = pl.read_parquet(path)
        if rewrite:
            frame.write_parquet(target, compression="zstd", compression_level=1)


def run(lots: int, rounds: int) -> Outcome:
    """Simulate, measure, print."""
    with tempfile.TemporaryDirectory(prefix="antawasi-bench-") as root:
        folder = Path(root)
        (folder / _LOTS).write_text(str(lots))
        names = ("simulate", "read", "read-and-write")
        figures = measure({name: this("simulator", "--candidate", name, str(folder)) for name in names}, rounds)
    ours, writing = figures["simulate"], figures["read-and-write"].cpu_s - figures["read"].cpu_s
    return show(
        Outcome(
            f"Simulated sector, {lots:,} lots as tables",
            figures,
            [
                Target("CPU of simulating / writing the same bytes", ours.cpu_s / writing, most=10),
                Target("peak MB of one process", ours.peak_mb, most=2_000),
            ],
            baseline="read-and-write",
        )
    )


if __name__ == "__main__":
    command_line(
        __doc__,
        "lots",
        200_000,
        {
            "simulate": simulate,
            "read": lambda p: read(p, False),
            "read-and-write": lambda p: read(p, True),
        },
        run,
    )
