"""From landing to lake: one file at a time, whole or not at all, identities left in the vault."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import gc
import hashlib
import importlib
import inspect
import multiprocessing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipelines import contracts, identity, lake, landing, vault
from pipelines.contracts import TableContract
from pipelines.errors import FileRefused
from pipelines.identity import Keyer
from pipelines.lake import Receipt, Rejection
from pipelines.landing import OriginCard
from pipelines.sources import SLUGS, Batch, Context, Source, get_source

if TYPE_CHECKING:
    from pipelines.settings import Settings

#: Rules kept in the receipt of one file; more would make the receipt as long as the file.
MAX_REJECTION_GROUPS = 200
#: Below this, starting the other processes takes longer than the files.
PARALLEL_FROM_BYTES = 8_000_000


@dataclasses.dataclass(frozen=True)
class Zones:
    """The three zones that ingest touches."""

    landing: Path
    lake: Path
    vault: Path

    @classmethod
    def of(cls, settings: Settings) -> Zones:
        return cls(settings.landing, settings.lake, settings.vault)


@functools.lru_cache
def _code_digest(slug: str) -> str:
    """Digest of what turns a file of this source into rows: its parser, what parsers share, the row checks."""
    module = importlib.import_module(f"pipelines.sources.{slug}")
    names = (
        module.__name__,
        module.parse.__module__,  # a parser that several sources share stands in a module of its own
        "pipelines.sources.common",
        "pipelines.contracts",
        "pipelines.identity",
    )
    digest = hashlib.sha256()
    for name in dict.fromkeys(names):
        digest.update(Path(inspect.getfile(importlib.import_module(name))).read_bytes())
    for table in contracts.tables_of(slug):
        digest.update(table.path.read_bytes())
    return digest.hexdigest()


def fingerprint(source: Source, card: OriginCard, keyer: Keyer, scope: frozenset[str] | None) -> str:
    """What the lake files of one landing file depend on besides the file itself."""
    parts = [
        _code_digest(source.slug),
        keyer.fingerprint(),
        str(card.period if card.period_declared else ""),
        str(card.source_as_of),
    ]
    if scope is not None:
        parts.append(hashlib.sha256("".join(sorted(scope)).encode()).hexdigest())
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:20]


@dataclasses.dataclass(frozen=True)
class Job:
    """One landing file to ingest, with all that a worker process needs."""

    card: OriginCard
    zones: Zones
    fingerprint: str
    scope: frozenset[str] | None


def pending(zones: Zones, source: Source, partitions: set[str] | None = None) -> list[Job]:
    """Landing files of `source` whose receipt is missing or was made by other code, contract, key or scope."""
    listed = [c for c in landing.cards(zones.landing, source.slug) if partitions is None or c.partition in partitions]
    if not listed:
        return []
    keyer = vault.open_keyer(zones.vault, zones.lake)
    scope = vault.mentioned_parties(zones.vault, except_source=source.slug) if source.scoped else None
    jobs = []
    for card in listed:
        wanted = fingerprint(source, card, keyer, scope)
        receipt = lake.read_receipt(zones.lake, source.slug, card.sha256)
        if receipt is None or receipt.fingerprint != wanted:
            jobs.append(Job(card, zones, wanted, scope))
    return jobs


def ingest_all(jobs: Sequence[Job], workers: int = 1) -> Iterator[Receipt]:
    """Ingest each job, in `workers` processes when there is enough to do; receipts come as they finish."""
    if workers <= 1 or len(jobs) <= 1 or sum(job.card.bytes for job in jobs) < PARALLEL_FROM_BYTES:
        yield from map(ingest_file, jobs)
        return
    # spawn: forking a process that already runs polars' and arrow's threads can hang
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(ingest_file, job) for job in jobs]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def restore(zones: Zones, receipts: Sequence[Receipt]) -> list[Receipt]:
    """Read the landing files of `receipts` again, whose lake files are damaged; the new receipts."""
    for receipt in receipts:
        lake.forget(zones.lake, receipt)
    wanted = {r.sha256 for r in receipts}
    sources = [get_source(slug) for slug in SLUGS if slug in {r.source for r in receipts}]
    return [ingest_file(j) for source in sources for j in pending(zones, source) if j.card.sha256 in wanted]


def ingest_file(job: Job) -> Receipt:
    """Parse one landing file into the lake.

    A file that cannot be taken gets a receipt with status `refused` and the reason; what an earlier
    version of the code had accepted of it leaves the lake's pin with that receipt.
    """
    with vault.in_use(job.zones.vault):
        return _ingest_file(job)


def _ingest_file(job: Job) -> Receipt:
    card, zones = job.card, job.zones
    source = get_source(card.source)
    keyer = vault.open_keyer(zones.vault, zones.lake)
    context = Context(
        keyer=keyer,
        filename=card.filename,
        period=card.period if card.period_declared else None,
        scope=job.scope,
    )
    base = Receipt(
        source=card.source,
        sha256=card.sha256,
        filename=identity.mask_filename(card.filename),
        status="accepted",
        fingerprint=job.fingerprint,
        period=card.period,
        source_as_of=card.source_as_of,
        landed_at=card.landed_at,
        is_synthetic=card.is_synthetic,
    )
    work = _Work(zones, card, contracts.tables_of(card.source), keyer)
    try:
        if card.source_as_of is None:
            source.identify(card.path(zones.landing))  # an unreadable file gives its own, better reason
            raise FileRefused(
                "the date that the source carries is not known",
                expected="source_as_of on the origin card",
                remedy=f"run `antawasi ingest {card.source} --file ... --as-of YYYY-MM-DD`, or put it in origin.yaml",
                file=card.filename,
            )
        with _collector_paused():
            for batch in source.parse(card.path(zones.landing), context):
                work.take(batch)
        receipt = work.finish(base)
    except FileRefused as refusal:
        work.discard()
        refusal.file = refusal.file or card.filename
        receipt = dataclasses.replace(base, status="refused", message=identity.mask(str(refusal)) or "")
    except BaseException:
        work.discard()
        raise
    lake.write_receipt(zones.lake, receipt)
    return receipt


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Parsers make many small objects and no cycles: looking for cycles among them is a tenth of the time for nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Work:
    """The open lake files of one landing file."""

    def __init__(self, zones: Zones, card: OriginCard, tables: Sequence[TableContract], keyer: Keyer):
        self.zones, self.card, self.tables, self.keyer = zones, card, tables, keyer
        self.raw = {t.name: lake.raw_writer(zones.lake, t, card) for t in tables}
        self.bad = {t.name: lake.rejected_writer(zones.lake, t, card) for t in tables}
        self.parents = {t.properties.get("parent_table") for t in tables}
        self.rows_in = dict.fromkeys(self.raw, 0)
        self.out_of_scope = 0
        self.identities: list[pl.DataFrame] = []
        self.groups: dict[tuple[str, str, str], Rejection] = {}

    def take(self, batch: Batch) -> None:
        lost: dict[str, pl.DataFrame] = {}
        for table in self.tables:
            frame = batch.tables.get(table.name)
            if frame is None:
                continue
            self.rows_in[table.name] += frame.height
            frame = _without_orphans(table, frame, lost)
            accepted, rejected = contracts.check_rows(table, frame, self.card.filename)
            if table.name in self.parents:
                lost[table.name] = _lost_keys(table, frame, accepted)
            self.raw[table.name].write(accepted)
            if rejected.height:
                rejected = lake.mask_rejected(rejected)
                self.bad[table.name].write(rejected)
                self._count(rejected)
        self.out_of_scope += batch.out_of_scope
        self.identities.append(self.keyer.collected())

    def _count(self, rejected: pl.DataFrame) -> None:
        for new in lake.summarise_rejections(rejected):
            key = (new.table, new.rule, new.column)
            old = self.groups.get(key)
            if old is not None:
                self.groups[key] = dataclasses.replace(old, rows=old.rows + new.rows)
            elif len(self.groups) < MAX_REJECTION_GROUPS:
                self.groups[key] = new

    def finish(self, base: Receipt) -> Receipt:
        """Judge the whole file, then make its lake files visible: vault first, receipt (by the caller) last."""
        first = self.tables[0].name
        if not any(self.rows_in.values()) and not self.out_of_scope:
            raise FileRefused(
                "the file holds no rows",
                expected=f"at least one row for {' or '.join(self.rows_in)}",
                remedy="ask the producer for the complete file",
            )
        for table in self.tables:
            bad, all_rows = self.bad[table.name].rows, self.rows_in[table.name]
            if table.name == first:
                all_rows += self.out_of_scope
            if bad > table.reject_tolerance_frac * all_rows:
                shown = next(g for g in self.groups.values() if g.table == table.name)
                raise FileRefused(
                    f"{bad} of {all_rows} rows break the contract (for example row {shown.first_row}, column {shown.column}: {shown.example})",
                    expected=f"at most {table.reject_tolerance_frac:.1%} of the rows",
                    remedy="look at the file with its producer; nothing of it was taken",
                )
        if self.identities:
            vault.write_identities(
                vault.identities_path(self.zones.vault, self.card.source, self.card.sha256), pl.concat(self.identities)
            )
        writers = (*self.bad.values(), *self.raw.values())
        for writer in writers:
            writer.commit()
        return dataclasses.replace(
            base,
            rows_in={n: c + (self.out_of_scope if n == first else 0) for n, c in self.rows_in.items()},
            accepted={n: w.rows for n, w in self.raw.items()},
            rejected={n: w.rows for n, w in self.bad.items()},
            out_of_scope=self.out_of_scope,
            rejections=tuple(self.groups[k] for k in sorted(self.groups)),
            lake_files=lake.digests(self.zones.lake, (writer.target for writer in writers)),
        )

    def discard(self) -> None:
        for writer in (*self.raw.values(), *self.bad.values()):
            writer.discard()


def _without_orphans(table: TableContract, frame: pl.DataFrame, lost: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Mark rows whose parent row (contract property `parent_table`) was rejected, so that none stands alone."""
    parent = table.properties.get("parent_table")
    if not parent or parent not in lost or not lost[parent].height:
        return frame
    keys = list(contracts.contract(parent).key)
    marked = frame.join(lost[parent].with_columns(pl.lit(True).alias("_orphan")), on=keys, how="left", nulls_equal=True)
    problem = pl.when(pl.col("_orphan")).then(
        pl.lit(f"parent|{', '.join(keys)}|the row of {parent} that this row belongs to was rejected")
    )
    if "_problem" in frame.columns:
        problem = problem.otherwise(pl.col("_problem"))
    return marked.with_columns(problem.alias("_problem")).drop("_orphan")


def _lost_keys(table: TableContract, frame: pl.DataFrame, accepted: pl.DataFrame) -> pl.DataFrame:
    """Keys of a frame that no accepted row has; a repeated document's key lives on in the first one."""
    keys = frame.select(table.key).unique()
    return keys.join(accepted.select(table.key), on=list(table.key), how="anti", nulls_equal=True)
