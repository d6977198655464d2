"""Measure programs side by side: a fresh process per run, candidates in turn, medians of CPU, wall and peak memory."""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence


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
    """A demand on the figures: `value` gives the number reached, which has to be at least `least` or at most `most`."""

    what: str
    value: Callable[[Mapping[str, Figures]], float]
    least: float | None = None
    most: float | None = None

    def met(self, reached: float) -> bool:
        return (self.least is None or reached >= self.least) and (self.most is None or reached <= self.most)

    @property
    def demand(self) -> str:
        return f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"


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


def table(title: str, figures: Mapping[str, Figures], baseline: str, targets: Sequence[Target] = ()) -> bool:
    """Print the figures with their ratios to `baseline`, then the targets; True when every target is met."""
    from rich.console import Console
    from rich.table import Table

    console, shown = Console(), Table(title=title)
    for heading in ("candidate", "CPU s", "wall s", "peak MB", f"CPU / {baseline}", f"wall / {baseline}"):
        shown.add_column(heading, justify="left" if heading == "candidate" else "right")
    base = figures[baseline]
    for name, f in figures.items():
        shown.add_row(
            name, f"{f.cpu_s:.2f}", f"{f.wall_s:.2f}", f"{f.peak_mb:,.0f}",
            f"{f.cpu_s / base.cpu_s:.2f}", f"{f.wall_s / base.wall_s:.2f}",
        )  # fmt: skip
    console.print(shown)
    judged = Table(title="targets")
    for heading in ("target", "wanted", "reached", ""):
        judged.add_column(heading)
    reached = [target.value(figures) for target in targets]
    for target, value in zip(targets, reached, strict=True):
        verdict = "met" if target.met(value) else "[bold]NOT MET[/bold]"
        judged.add_row(target.what, target.demand, f"{value:.2f}", verdict)
    if targets:
        console.print(judged)
    return all(target.met(value) for target, value in zip(targets, reached, strict=True))
