"""What a benchmark found: printed as it ends, and kept in docs/benchmarks.json, from which the pages are written."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import importlib.metadata
import json
import math
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks._measure import Runs, noise

DOCS = Path(__file__).parent.parent / "docs"
_TOLD = yaml.safe_load(Path(__file__).with_name("causes.yaml").read_text(encoding="utf-8"))
#: (benchmark, promise) → why it is missed, by language.
CAUSES = {(cause["benchmark"], cause["promise"]): cause for cause in _TOLD["missed"]}
_LIBRARIES = ("duckdb", "polars", "pandas", "dbt-core", "dagster", "scipy", "lxml", "highspy")


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


@dataclasses.dataclass(frozen=True)
class Growth:
    """How a cost grows: `cost` = a · `size` ^ `exponent`, fitted on logarithms."""

    what: str
    sizes: tuple[int, ...]
    cpu_s: tuple[float, ...]
    peak_mb: tuple[float, ...]

    @property
    def exponent(self) -> float:
        x, y = [math.log(size) for size in self.sizes], [math.log(cpu) for cpu in self.cpu_s]
        middle_x, middle_y = sum(x) / len(x), sum(y) / len(y)
        return sum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True)) / sum(
            (a - middle_x) ** 2 for a in x
        )


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One benchmark: figures of every candidate, promises, growth; `baseline` is what ratios are taken against."""

    title: str
    figures: Mapping[str, Runs]
    targets: Sequence[Target]
    baseline: str
    growth: Sequence[Growth] = ()
    notes: Sequence[str] = ()

    @property
    def kept(self) -> bool:
        return all(target.met for target in self.targets)

    def as_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "baseline": self.baseline,
            "noise": [] if self.growth else noise(self.figures, self.baseline),
            "candidates": {
                name: [dataclasses.asdict(figures) for figures in runs.rounds] for name, runs in self.figures.items()
            },
            "promises": [
                {"what": t.what, "wanted": t.demand, "reached": round(t.reached, 3), "kept": t.met}
                for t in self.targets
            ],
            "growth": [dataclasses.asdict(g) | {"exponent": round(g.exponent, 3)} for g in self.growth],
            "notes": list(self.notes),
        }


def grown(title: str, what: str, seen: Mapping[int, Runs]) -> Outcome:
    """The outcome of measuring one candidate at several sizes."""
    curve = Growth(
        what, tuple(seen), tuple(runs.cpu_s for runs in seen.values()), tuple(runs.peak_mb for runs in seen.values())
    )
    figures = {f"{size:,} {what}": runs for size, runs in seen.items()}
    return Outcome(title, figures, [], baseline=next(iter(figures)), growth=(curve,))


def show(outcome: Outcome) -> Outcome:
    """Print it; give it back."""
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(width=max(120, Console().width))
    console.print(Markdown("\n".join(_lines(outcome.as_json(), _ENGLISH))))
    return outcome


def record(name: str, outcome: Outcome) -> None:
    """Keep the outcome, with the machine and the versions, in docs/benchmarks.json; write both pages from it."""
    path = DOCS / "benchmarks.json"
    held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    held[name] = outcome.as_json() | {"on": dt.date.today().isoformat(), **_machine()}
    path.write_text(json.dumps(held, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for page, text in pages(held).items():
        (DOCS / page).write_text(text, encoding="utf-8")


def pages(held: Mapping[str, Any]) -> dict[str, str]:
    """The page of each language, by its path in docs/, from what docs/benchmarks.json holds."""
    words = {"en/benchmarks.md": _ENGLISH, "es/mediciones.md": _SPANISH}
    return {page: "\n".join(_page(held, language)) + "\n" for page, language in words.items()}


def _machine() -> dict[str, Any]:
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in _read("/proc/cpuinfo").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = next((line.split()[1] for line in _read("/proc/meminfo").splitlines() if line.startswith("MemTotal")), "0")
    return {
        "machine": f"{cpu}, {len(os.sched_getaffinity(0))} cores, {int(memory) // 1024**2} GiB",
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in _LIBRARIES},
    }


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""


@dataclasses.dataclass(frozen=True)
class _Words:
    code: str
    intro: str
    goals: str
    goals_head: str
    causes: str
    no_cause: str
    unmeasured: str
    kept: str
    missed: str
    head: str
    promises_head: str
    noisy: str
    growth: str
    on: str


_ENGLISH = _Words(
    code="en",
    intro="# Benchmarks\n\nWritten by `make bench-full`. Each candidate runs in a fresh process, "
    "in turn with the others; the table gives least / median / greatest of the rounds. Ratios of CPU within a round are what "
    "promises are judged by. A run that scatters (wall of the baseline by more than 1.5, a CPU ratio by more than 20 %) is "
    "marked noisy. The same as data: [benchmarks.json](../benchmarks.json).",
    goals="## All promises", goals_head="| benchmark | promise | wanted | reached | |", kept="kept", missed="**missed**",
    causes="### What is missed, and why", no_cause="not looked into yet.", unmeasured="### Promised and not measured",
    head="| candidate | CPU s | wall s | peak MB | CPU ratio |", promises_head="| promise | wanted | reached | |",
    noisy="Noisy", growth="Growth: {what}: {points}; CPU grows as size to the power of {exponent}.", on="Measured",
)  # fmt: skip
_SPANISH = _Words(
    code="es",
    intro="# Mediciones\n\nEscritas por `make bench-full`. Cada candidato corre en un proceso "
    "nuevo, por turnos con los demás; la tabla da mínimo / mediana / máximo de las rondas. Las promesas se juzgan por la razón "
    "de CPU dentro de una ronda. Una corrida que varía (tiempo de la base por más de 1,5, una razón de CPU por más de 20 %) se "
    "marca como ruidosa. Los nombres de candidatos y promesas son los del código, en inglés. Lo mismo como datos: "
    "[benchmarks.json](../benchmarks.json).",
    goals="## Todas las promesas", goals_head="| medición | promesa | pedido | alcanzado | |", kept="cumplida",
    causes="### Lo que no se cumple, y por qué", no_cause="todavía no examinado.",
    unmeasured="### Prometido y no medido",
    missed="**no cumplida**", head="| candidato | CPU s | tiempo s | memoria MB | razón de CPU |",
    promises_head="| promesa | pedido | alcanzado | |", noisy="Ruidosa",
    growth="Crecimiento: {what}: {points}; la CPU crece como el tamaño a la potencia {exponent}.", on="Medido",
)  # fmt: skip


def _page(held: Mapping[str, Any], words: _Words) -> list[str]:
    lines = [words.intro, "", words.goals, "", words.goals_head, "|---|---|---|---|---|"]
    for outcome in held.values():
        lines += [f"| {outcome['title']} {_row(promise, words)}" for promise in outcome["promises"]]
    lines += ["", words.causes, ""]
    for name, promise in missed(held):
        why = CAUSES[name, promise][words.code] if (name, promise) in CAUSES else words.no_cause
        lines.append(f"- {held[name]['title']}: {promise}. {why}")
    lines += ["", words.unmeasured, "", *(f"- {told[words.code]}" for told in _TOLD["unmeasured"])]
    for outcome in held.values():
        lines += ["", *_lines(outcome, words), ""]
        versions = ", ".join(f"{name} {version}" for name, version in outcome["versions"].items())
        lines.append(f"{words.on}: {outcome['on']}, {outcome['machine']}; {versions}.")
    return lines


def missed(held: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(benchmark, promise) of every promise that is not kept."""
    return [(name, p["what"]) for name, outcome in held.items() for p in outcome["promises"] if not p["kept"]]


def _lines(outcome: Mapping[str, Any], words: _Words) -> list[str]:
    lines = [f"## {outcome['title']}", "", words.head, "|---|---:|---:|---:|---:|"]
    base = outcome["candidates"][outcome["baseline"]]
    for name, rounds in outcome["candidates"].items():
        cells = [_three([r["cpu_s"] for r in rounds]), _three([r["wall_s"] for r in rounds])]
        cells.append(_three([r["peak_mb"] for r in rounds], "{:,.0f}"))
        comparable = len(rounds) == len(base)
        cells.append(
            _three([a["cpu_s"] / b["cpu_s"] for a, b in zip(rounds, base, strict=True)]) if comparable else "–"
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    if outcome["promises"]:
        lines += ["", words.promises_head, "|---|---|---|---|"]
        lines += [_row(promise, words) for promise in outcome["promises"]]
    for growth in outcome["growth"]:
        points = ", ".join(
            f"{size:,}: {cpu:.2f} s ({peak:,.0f} MB)"
            for size, cpu, peak in zip(growth["sizes"], growth["cpu_s"], growth["peak_mb"], strict=True)
        )
        lines += ["", words.growth.format(what=growth["what"], points=points, exponent=f"{growth['exponent']:.2f}")]
    for note in outcome["notes"]:
        lines += ["", note]
    if outcome["noise"]:
        lines += ["", f"{words.noisy}: {'; '.join(outcome['noise'])}."]
    return lines


def _row(promise: Mapping[str, Any], words: _Words) -> str:
    verdict = words.kept if promise["kept"] else words.missed
    return f"| {promise['what']} | {promise['wanted']} | {promise['reached']:.2f} | {verdict} |"


def _three(values: Sequence[float], form: str = "{:.2f}") -> str:
    ordered = sorted(values)
    if len(ordered) == 1:
        return form.format(ordered[0])
    middle = ordered[len(ordered) // 2] if len(ordered) % 2 else sum(ordered[len(ordered) // 2 - 1 :][:2]) / 2
    return " / ".join(form.format(value) for value in (ordered[0], middle, ordered[-1]))


def command_line(
    about: str | None,
    what: str,
    size: int,
    candidates: Mapping[str, Callable[[Path], None]],
    run: Callable[[int, int], Outcome],
) -> None:
    """A benchmark module's own command: measure `size` of `what`, or be one of the candidates (as `this` calls them)."""
    arguments = argparse.ArgumentParser(description=about)
    arguments.add_argument(f"--{what}", dest="size", type=int, default=size)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--candidate", nargs=2, metavar=("NAME", "PATH"))
    given = arguments.parse_args()
    if given.candidate:
        name, path = given.candidate
        candidates[name](Path(path))
    else:
        sys.exit(0 if run(given.size, given.rounds).kept else 1)
