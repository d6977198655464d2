"""Electronic documents: generated zips to lake tables, against inflating and merely parsing them, and against xmltodict.

`ours` is the road of a real run: parse, keys, contract, both lake tables. `inflate + lxml` inflates every member and
parses it, nothing more. The gain of two processes is set beside what two copies of a pure CPU loop gain on the same
machine in the same run, since two cores are rarely twice one. Memory: half the documents against all of them.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

from benchmarks._measure import Runs, measure, ratio, run_once, this
from benchmarks._results import Outcome, Target, command_line, grown, show

_LOOP = 30_000_000


def ours(folder: Path, workers: int) -> None:
    """Every zip of the folder through the project's own landing and ingest."""
    from pipelines import ingest, landing
    from pipelines.ingest import Zones
    from pipelines.sources import get_source

    source = get_source("sunat_documents")
    with tempfile.TemporaryDirectory(dir=folder.parent) as home:
        zones = Zones(*(Path(home) / zone for zone in ("landing", "lake", "vault")))
        for path in sorted(folder.glob("*.zip")):
            landing.land(zones.landing, source, path, origin={"is_synthetic": True, "source_as_of": "2026-01-31"})
        done = list(ingest.ingest_all(ingest.pending(zones, source), workers))
        assert all(r.status == "accepted" for r in done), [r.message for r in done]
        accepted = sum(r.accepted["sunat_documents__documents"] for r in done)
        assert accepted == sum(_members(path) for path in folder.glob("*.zip")), accepted


def _members(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return len(archive.namelist())


def merely_parse(folder: Path) -> None:
    from lxml import etree

    for path in sorted(folder.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                etree.fromstring(archive.read(name))


def with_xmltodict(folder: Path) -> None:
    import xmltodict

    for path in sorted(folder.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                xmltodict.parse(archive.read(name))


def loop(copies: int) -> None:
    """A pure CPU loop of a fixed length, `copies` times side by side in processes."""
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(copies) as pool:
        pool.map(_spin, [_LOOP * 2 // copies] * copies)


def _spin(turns: int) -> int:
    total = 0
    for i in range(turns):
        total += i & 3
    return total


def run(documents: int, rounds: int) -> Outcome:
    """Generate, measure, print."""
    with tempfile.TemporaryDirectory(prefix="antawasi-bench-") as root:
        folder, half = Path(root) / "all", Path(root) / "half"
        for place, count in ((folder, documents), (half, documents // 2)):
            place.mkdir()
            run_once(this("_sunat_generator", str(place), str(count)))
        figures = measure(
            {
                "ours, 1 process": this("sunat_documents", "--candidate", "ours-1", str(folder)),
                "ours, 2 processes": this("sunat_documents", "--candidate", "ours-2", str(folder)),
                "ours, half the documents": this("sunat_documents", "--candidate", "ours-1", str(half)),
                "inflate + lxml": this("sunat_documents", "--candidate", "lxml", str(folder)),
                "xmltodict": this("sunat_documents", "--candidate", "xmltodict", str(folder)),
                "CPU loop, 1 process": this("sunat_documents", "--candidate", "loop-1", str(folder)),
                "CPU loop, 2 processes": this("sunat_documents", "--candidate", "loop-2", str(folder)),
            },
            rounds,
        )
    one, two = figures["ours, 1 process"], figures["ours, 2 processes"]
    gain = ratio(one, two, "wall_s")
    possible = ratio(figures["CPU loop, 1 process"], figures["CPU loop, 2 processes"], "wall_s")
    return show(
        Outcome(
            f"Electronic documents, {documents:,} in zips to lake tables",
            figures,
            [
                Target("speed of ours / inflate + lxml", ratio(figures["inflate + lxml"], one, "wall_s"), least=0.45),
                Target("speed of ours / xmltodict", ratio(figures["xmltodict"], one, "wall_s"), least=3.5),
                Target("gain of two processes / gain of two CPU loops", gain / possible, least=0.85),
                Target(
                    "peak memory, all documents / half of them",
                    ratio(one, figures["ours, half the documents"], "peak_mb"),
                    most=1.1,
                ),
            ],
            baseline="inflate + lxml",
        )
    )


def growth(sizes: tuple[int, ...]) -> Outcome:
    """Ours in one process, at several numbers of documents."""
    seen: dict[str, Runs] = {}
    for documents in sizes:
        with tempfile.TemporaryDirectory(prefix="antawasi-bench-") as root:
            folder = Path(root) / "all"
            folder.mkdir()
            run_once(this("_sunat_generator", str(folder), str(documents)))
            name = f"{documents:,} documents"
            seen[name] = Runs((run_once(this("sunat_documents", "--candidate", "ours-1", str(folder))),))
    return show(
        grown("Electronic documents as they grow", "documents read", dict(zip(sizes, seen.values(), strict=True)))
    )


if __name__ == "__main__":
    command_line(
        __doc__,
        "documents",
        4_000,
        {
            "ours-1": lambda p: ours(p, 1),
            "ours-2": lambda p: ours(p, 2),
            "lxml": merely_parse,
            "xmltodict": with_xmltodict,
            "loop-1": lambda _: loop(1),
            "loop-2": lambda _: loop(2),
        },
        run,
    )
