"""Runs the parsers over broken files: no crash, no hang, no unbounded memory, every row accepted or rejected.

    python -m tests.fuzz.harness --cases 50000 --out counts.json

A case is named by its parser and number: `--only reinfo:17` runs it again and keeps the file.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import io
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.settings import PROJECT_ROOT, SAMPLE_DIR
from tests.fuzz.mutate import Mutator

#: A case that takes longer hangs; a good file of these sizes takes milliseconds.
LIMIT_S = 20
#: What a case may ask of memory above what the process has when it starts.
LIMIT_BYTES = 3 << 30
#: Larger good files are cut: broken ones are then quick, and no parser looks at size.
MOST_TEXT, MOST_BOOK = 6_000, 60_000
#: Sources whose lines are rows, so that rows can be counted without a parser.
LINE_SOURCES = ("minem_production", "sunat_ruc")


@dataclasses.dataclass(frozen=True)
class Case:
    """One broken file of one source."""

    slug: str
    number: int
    name: str
    data: bytes


def corpus(simulated: Path | None) -> dict[str, list[tuple[str, bytes]]]:
    """Good files by source: the committed sample and, where given, a simulated sector's; long ones cut at a line."""
    found: dict[str, list[tuple[str, bytes]]] = collections.defaultdict(list)
    for root in (SAMPLE_DIR, *((simulated,) if simulated else ())):
        for folder in sorted(p for p in root.iterdir() if p.is_dir()):
            of_suffix: collections.Counter[str] = collections.Counter()
            for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".yaml"):
                kind = f"{path.suffix} {'map' in path.name}"
                if of_suffix[kind] < 12 and (data := _short(path)):
                    of_suffix[kind] += 1
                    found[folder.name].append((path.name, data))
    for slug, members in (("sunat_ruc", 1), ("sunat_documents", 4)):  # as they are published and handed over
        found[slug].append((f"{slug}.zip", _packed(found[slug][:members])))
    return dict(found)


def _packed(members: list[tuple[str, bytes]]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (2025, 6, 1, 0, 0, 0)), data)
    return packed.getvalue()


def _short(path: Path) -> bytes | None:
    data = path.read_bytes()
    if path.suffix == ".xlsx" and len(data) > MOST_BOOK:
        return _short_book(path)
    if data[:2] == b"PK":
        return data if len(data) <= MOST_BOOK else None
    if path.suffix == ".json":
        return _short_json(json.loads(data))
    if path.suffix in (".csv", ".txt") and len(data) > MOST_TEXT:
        return data[: data.index(b"\n", MOST_TEXT) + 1]
    return data


def _short_json(value: Any) -> bytes:
    def cut(part: Any) -> Any:
        if isinstance(part, list):
            return [cut(p) for p in part[:15]]
        return {k: cut(v) for k, v in part.items()} if isinstance(part, dict) else part

    return json.dumps(cut(value), ensure_ascii=False).encode()


def _short_book(path: Path) -> bytes:
    """The first rows of every sheet of a large workbook."""
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True)
    small = openpyxl.Workbook(write_only=True)
    for sheet in book.worksheets:
        copy = small.create_sheet(sheet.title)
        for row in sheet.iter_rows(max_row=20, values_only=True):
            copy.append(row)
    packed = io.BytesIO()
    small.save(packed)
    return packed.getvalue()


def case(files: dict[str, list[tuple[str, bytes]]], slug: str, number: int, seed: int) -> Case:
    rng = random.Random(f"{seed} {slug} {number}")
    name, data = rng.choice(files[slug])
    others = [content for _, content in files[rng.choice(list(files)) if rng.random() < 0.2 else slug]]
    return Case(slug, number, name, Mutator(rng, others).mutate(data))


class Broken(Exception):
    """A case did what no file may make a parser do."""


def try_case(case: Case, path: Path) -> str:
    """Look at the file and parse it as ingest does: `accepted`, `with rejections`, or `refused`.

    Raises:
        Broken: rows were lost or doubled.
        BaseException: anything but the house's own refusal is a crash.
    """
    from pipelines import contracts
    from pipelines.errors import FileRefused
    from pipelines.identity import Keyer
    from pipelines.lake import mask_rejected
    from pipelines.sources import Context, get_source

    path.write_bytes(case.data)
    source = get_source(case.slug)
    source.identify_safely(path)
    context = Context(keyer=Keyer(b"k" * 32), filename=path.name)
    rows, bad = 0, 0
    try:
        for batch in source.parse(path, context):
            rows += batch.out_of_scope
            for table in contracts.tables_of(case.slug):
                if (frame := batch.tables.get(table.name)) is None:
                    continue
                accepted, rejected = contracts.check_rows(table, frame, path.name)
                if accepted.height + rejected.height != frame.height:
                    raise Broken(f"{table.name}: {frame.height} rows, {accepted.height} + {rejected.height} came out")
                mask_rejected(rejected)
                bad += rejected.height
                if table.name == source.tables[0]:
                    rows += frame.height
            context.keyer.collected()
    except FileRefused as refusal:
        told = str(refusal)
        if "Expected:" not in told or "What to do:" not in told:
            raise Broken(f"a refusal without a remedy: {told}") from None
        return "refused"
    if (lines := _lines(case)) is not None and rows != lines:
        raise Broken(f"{lines} lines of data, {rows} rows came out")
    return "with rejections" if bad else "accepted"


def _lines(case: Case) -> int | None:
    """Lines below the header, counted without any parser, where that can be done."""
    data = case.data
    if (
        case.slug not in LINE_SOURCES
        or data[:2] in (b"PK", b"\xff\xfe", b"\xfe\xff")
        or re.search(rb"\"|\r(?!\n)|\0", data)
    ):
        return None
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return sum(bool(line.strip(b"\r")) for line in lines) - 1


def work(slug: str, first: int, last: int, seed: int, simulated: Path | None, progress: Path) -> None:
    """Run cases in this process, under a watchdog and a limit of memory, telling each to `progress` before it runs."""
    import faulthandler

    files = corpus(simulated)
    path_of = {name: progress.with_name(f"{slug}-{Path(name).stem[:40]}{Path(name).suffix}") for name, _ in files[slug]}
    for name, data in files[slug][:3]:  # what is imported and filled on first use counts as the process's own
        try_case(Case(slug, -1, name, data), path_of[name])
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + LIMIT_BYTES, now + LIMIT_BYTES))
    signal.signal(signal.SIGALRM, _hang)
    with open(progress, "a", encoding="utf-8") as told:
        for number in range(first, last):
            one = case(files, slug, number, seed)
            path = path_of[one.name]
            told.write(json.dumps({"number": number}) + "\n")
            told.flush()
            faulthandler.dump_traceback_later(3 * LIMIT_S, exit=True)
            signal.alarm(LIMIT_S)
            begun = time.perf_counter()
            try:
                result: dict[str, Any] = {"result": try_case(one, path)}
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                at = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
                result = {"result": "broken", "error": f"{type(error).__name__}: {error}"[:400], "at": at[-6:]}
            finally:
                signal.alarm(0)
                faulthandler.cancel_dump_traceback_later()
            told.write(json.dumps({"number": number, "s": round(time.perf_counter() - begun, 4), **result}) + "\n")


def _hang(*_: Any) -> None:
    raise Broken(f"more than {LIMIT_S} seconds")


def supervise(slug: str, cases: int, seed: int, simulated: Path | None, folder: Path) -> Iterator[dict[str, Any]]:
    """Run the cases of one parser in a process of its own; one that dies is counted and the next case goes on."""
    progress, first = folder / f"{slug}.jsonl", 0
    while first < cases:
        command = [sys.executable, "-m", "tests.fuzz.harness", "--work", slug, str(first), str(cases), str(progress)]
        command += ["--seed", str(seed), *(("--simulated", str(simulated)) if simulated else ())]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"POLARS_MAX_THREADS": "1"})
        told = [json.loads(line) for line in progress.read_text().splitlines()] if progress.exists() else []
        progress.unlink(missing_ok=True)
        yield from (t for t in told if "result" in t)
        if done.returncode == 0:
            return
        if not told:
            raise RuntimeError(f"{slug}: the worker ended before its first case\n{done.stderr[-2000:]}")
        yield {"number": told[-1]["number"], "result": "broken", "error": f"the process ended: {done.returncode}", "s": 0,
               "at": done.stderr.splitlines()[-12:]}  # fmt: skip
        first = told[-1]["number"] + 1


def fuzz(cases: int, seed: int, simulated: Path | None, slugs: list[str]) -> dict[str, Any]:
    """Counts by parser and what broke. `cases` are shared out among the parsers by how many kinds of file each reads."""
    files = corpus(simulated)
    weights = {s: 1 + len({Path(n).suffix for n, _ in files[s]}) for s in slugs}
    weights = {s: 1 if s.startswith("partner_") else 3 * w for s, w in weights.items()}
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for slug in slugs:
            share = -(-cases * weights[slug] // sum(weights.values()))
            told = list(supervise(slug, share, seed, simulated, Path(folder)))
            counts = collections.Counter(t["result"] for t in told)
            found[slug] = {
                "cases": len(told), **{k: counts[k] for k in ("accepted", "with rejections", "refused", "broken")},
                "slowest_s": max(t["s"] for t in told), "seconds": round(sum(t["s"] for t in told), 1),
                "faults": [t for t in told if t["result"] == "broken"],
            }  # fmt: skip
            print(slug, {k: v for k, v in found[slug].items() if k != "faults"}, flush=True)
            kinds = collections.defaultdict(list)
            for t in found[slug]["faults"]:
                kinds[t["error"][:60], tuple(t["at"][-2:])].append(t)
            for (error, _), like in kinds.items():
                print(f"   {len(like)} x {slug}:{like[0]['number']}  {error}  {like[0]['at'][-4:]}", flush=True)
    return found


def simulated_files() -> Path:
    """The files of a simulated sector of scale `tiny`, made once."""
    out = PROJECT_ROOT / "data" / "fuzz"
    if not (out / "files").is_dir():
        command = [sys.executable, "-m", "pipelines", "simulate", "--scale", "tiny", "--seed", "1", "--out", str(out)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return out / "files"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--simulated",
        type=Path,
        help="files/ of a simulated sector, partners' files among them; by default one is made in data/",
    )
    parser.add_argument("--slugs", nargs="*")
    parser.add_argument("--out", type=Path, help="write the counts here")
    parser.add_argument("--only", help="PARSER:NUMBER, one case again")
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    asked.simulated = asked.simulated or simulated_files()
    if asked.work:
        slug, first, last, progress = asked.work
        work(slug, int(first), int(last), asked.seed, asked.simulated, Path(progress))
        return
    if asked.only:
        slug, _, number = asked.only.partition(":")
        one = case(corpus(asked.simulated), slug, int(number), asked.seed)
        path = Path(tempfile.mkdtemp()) / one.name
        path.write_bytes(one.data)
        print(path)
        print(try_case(one, path))
        return
    slugs = asked.slugs or list(corpus(asked.simulated))
    found = fuzz(asked.cases, asked.seed, asked.simulated, slugs)
    if asked.out:
        asked.out.write_text(json.dumps({"seed": asked.seed, "parsers": found}, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(f["broken"] for f in found.values()))


if __name__ == "__main__":
    main()
