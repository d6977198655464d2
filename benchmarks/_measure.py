"""Measure programs side by side: a fresh process per run, candidates in turn, CPU, wall and peak memory of every round.

CPU ratios within a round are what promises are judged by: wall times come from shared machines. A run whose figures
scatter is marked noisy and shown all the same. Benchmarks whose candidates are to make the same thing compare their results
once all have run, and show no timing where they differ.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Above these a run is noisy: greatest over least wall time of the baseline, greatest over least CPU ratio to it.
NOISY_WALL, NOISY_CPU_RATIO = 1.5, 1.2


@dataclasses.dataclass(frozen=True)
class Figures:
    """What one run cost: CPU seconds (user + system), wall seconds, peak resident memory in MB (10^6 bytes).

    CPU includes the program's own children; the peak is that of the largest single process among them.
    """

    cpu_s: float
    wall_s: float
    peak_mb: float


@dataclasses.dataclass(frozen=True)
class Runs:
    """One candidate's rounds, in order; its plain figures are medians."""

    rounds: tuple[Figures, ...]

    @property
    def cpu_s(self) -> float:
        return statistics.median(self.all("cpu_s"))

    @property
    def wall_s(self) -> float:
        return statistics.median(self.all("wall_s"))

    @property
    def peak_mb(self) -> float:
        return statistics.median(self.all("peak_mb"))

    def all(self, figure: str) -> list[float]:
        return [getattr(one, figure) for one in self.rounds]


def ratio(over: Runs, under: Runs, figure: str = "cpu_s") -> float:
    """Median over the rounds of one candidate's figure by the other's in the same round."""
    return statistics.median(ratios(over, under, figure))


def ratios(over: Runs, under: Runs, figure: str = "cpu_s") -> list[float]:
    """One candidate's figure by the other's, round by round."""
    return [a / b for a, b in zip(over.all(figure), under.all(figure), strict=True)]


def noise(figures: Mapping[str, Runs], baseline: str) -> list[str]:
    """What scatters more than it may; empty when the run is quiet or has one round only."""
    base = figures[baseline]
    wall = max(base.all("wall_s")) / min(base.all("wall_s"))
    found = [f"wall of {baseline}: {wall:.2f} between rounds"] if wall > NOISY_WALL else []
    for name, runs in figures.items():
        if len(runs.rounds) == len(base.rounds):
            seen = ratios(runs, base)
            if max(seen) / min(seen) > NOISY_CPU_RATIO:
                found.append(f"CPU of {name} / {baseline}: {min(seen):.2f} to {max(seen):.2f}")
    return found


def this(module: str, *arguments: str) -> list[str]:
    """Command line that runs another benchmark module of this package in a fresh interpreter."""
    return [sys.executable, "-m", f"benchmarks.{module}", *arguments]


def run_once(argv: Sequence[str]) -> Figures:
    """Run one program to its end.

    Raises:
        RuntimeError: it ended with another code than 0; the message carries the end of its error output.
    """
    # wait4 counts the memory that a child held before exec, which is its parent's: keep the measuring process small.
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            tail = errors.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(argv)} ended with {process.returncode}\n{tail}")
    return Figures(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024 / 1e6)


def alone(module: str, lots: int, candidate: str, prepare: str = "prepare") -> Runs:
    """One run of a module's candidate at a size, in a folder that its `prepare` has filled: a point of a growth curve.

    Raises:
        RuntimeError: either failed.
    """
    with tempfile.TemporaryDirectory(prefix="antawasi-bench-") as folder:
        (Path(folder) / "lots.txt").write_text(str(lots))
        run_once(this(module, "--candidate", prepare, folder))
        return Runs((run_once(this(module, "--candidate", candidate, folder)),))


def measure(candidates: Mapping[str, Sequence[str]], rounds: int) -> dict[str, Runs]:
    """Run every candidate once per round, in turn, so that a slow minute of the machine falls on all of them.

    Args:
        candidates: a command line per candidate.
        rounds: how often each one runs.

    Raises:
        RuntimeError: a candidate failed.
    """
    runs: dict[str, list[Figures]] = {name: [] for name in candidates}
    for number in range(1, rounds + 1):
        for name, argv in candidates.items():
            print(f"round {number} of {rounds}: {name}", file=sys.stderr)
            runs[name].append(run_once(argv))
    return {name: Runs(tuple(seen)) for name, seen in runs.items()}
