"""Measure programs side by side: a fresh process per run, candidates in turn, medians of CPU, wall and peak memory."""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Figures:
    """What one program cost: CPU seconds (user + system), wall seconds, peak resident memory in MB (10^6 bytes).

    CPU includes the program's own children; the peak is that of the largest single process among them.
    """

    cpu_s: float
    wall_s: float
    peak_mb: float


@dataclasses.dataclass(frozen=True)
class Target:
    """A promise: the number reached has to be at most `most`, or at least `least`."""

    what: str
    reached: float
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool:
        return (self.most is None or self.reached <= self.most) and (self.least is None or self.reached >= self.least)

    @property
    def demand(self) -> str:
        return f"<= {self.most:g}" if self.most is not None else f">= {self.least:g}"


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


def measure(candidates: Mapping[str, Sequence[str]], rounds: int) -> dict[str, Figures]:
    """Run every candidate once per round, in turn, so that a slow minute of the machine falls on all of them.

    Args:
        candidates: a command line per candidate.
        rounds: how often each one runs.

    Returns:
        Per candidate the median of each figure over the rounds.
    """
    runs: dict[str, list[Figures]] = {name: [] for name in candidates}
    for number in range(1, rounds + 1):
        for name, argv in candidates.items():
            print(f"round {number} of {rounds}: {name}", file=sys.stderr)
            runs[name].append(run_once(argv))
    return {name: _median(seen) for name, seen in runs.items()}


def _median(seen: Sequence[Figures]) -> Figures:
    columns = zip(*map(dataclasses.astuple, seen), strict=True)
    return Figures(*(statistics.median(column) for column in columns))


def show(title: str, figures: Mapping[str, Figures], targets: Sequence[Target], baseline: str | None = None) -> bool:
    """Print the figures (with ratios to `baseline`, where one is named), then the promises; True when all are kept."""
    from rich.console import Console
    from rich.table import Table

    console, shown = Console(), Table(title=title)
    ratios = [f"CPU / {baseline}", f"wall / {baseline}"] if baseline else []
    for heading in ("candidate", "CPU s", "wall s", "peak MB", *ratios):
        shown.add_column(heading, justify="left" if heading == "candidate" else "right")
    for name, f in figures.items():
        cells = [name, f"{f.cpu_s:.2f}", f"{f.wall_s:.2f}", f"{f.peak_mb:,.0f}"]
        if baseline:
            base = figures[baseline]
            cells += [f"{f.cpu_s / base.cpu_s:.2f}", f"{f.wall_s / base.wall_s:.2f}"]
        shown.add_row(*cells)
    console.print(shown)
    judged = Table(title="promises")
    for heading in ("promise", "wanted", "reached", ""):
        judged.add_column(heading)
    for target in targets:
        judged.add_row(
            target.what, target.demand, f"{target.reached:.2f}", "kept" if target.met else "[bold]BROKEN[/bold]"
        )
    console.print(judged)
    return all(target.met for target in targets)


def command_line(
    about: str | None,
    what: str,
    size: int,
    candidates: Mapping[str, Callable[[Path], None]],
    run: Callable[[int, int], bool],
) -> None:
    """A benchmark module's own command: measure `size` of `what`, or be one of the candidates (as `this` calls them)."""
    arguments = argparse.ArgumentParser(description=about)
    arguments.add_argument(f"--{what}", dest="size", type=int, default=size)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--candidate", nargs=2, metavar=("NAME", "PATH"))
    given = arguments.parse_args()
    if given.candidate:
        name, path = given.candidate
        candidates[name](Path(path))
    else:
        sys.exit(0 if run(given.size, given.rounds) else 1)
