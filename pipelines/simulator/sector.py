"""One run of the simulator: the world, its chunks of lots side by side, then a file for every source and month.

    OUT/files/<source>/...   what the sector's offices and firms would hand over, in the true formats; a drop folder
    OUT/tables/<table>/      instead of the chain's files where the size is too large for XML: raw tables as Parquet
    OUT/truth/               who did what: agents, transfers, copper's way, the registry's life, every defect
    OUT/simulation.json      size, seed, months, parameters, counts

The same plan and parameters give the same bytes on any number of processes: a chunk draws from its own streams, parts
are put together in their order, and nothing is summed across processes.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime as dt
import functools
import hashlib
import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from pipelines import contracts, files
from pipelines.contracts import LINEAGE
from pipelines.errors import AntawasiError
from pipelines.identity import Keyer
from pipelines.reporting import Reporter
from pipelines.settings import DBT_DIR
from pipelines.simulator import defects, office_files, partner_rows, picture, ubl
from pipelines.simulator.directory import Directory
from pipelines.simulator.documents import Documents, make_documents
from pipelines.simulator.flow import Flow, make_flow
from pipelines.simulator.money import Money, make_money
from pipelines.simulator.papers import document_frames, document_tables
from pipelines.simulator.plan import PARAMETERS_FILE, Plan, load
from pipelines.simulator.world import World, make_world

WATERMARK = "DATOS SIMULADOS: no son mediciones · SIMULATED DATA: not measured"
_PARTS = ".parts"
_WAYBILLS = ("sender_waybill_id", "carrier_waybill_id")
_ORE_PAPERS = ("invoice_id", *_WAYBILLS)
#: Of an ore sale: whose registration is on paper, who invoices, what was agreed (US$ per dmt) and paid (cents).
_SALE = (
    "load_id", "plant_lot_id", "used_registration_id", "biller_id", "invoicing_id", "status", "payable_t", "settled_cu", "price",
    "final_copper_value", "final_refining_value", "penalties", "treatment", "unit_value", "value_cents", "biller_fee_cents",
    "freight_cents", "freight_deducted_cents", "loading_cents", "advance_cents", "igv_cents", "detraction_pen_cents",
    "is_late_deposit", "has_umpire",
)  # fmt: skip
_SHEET = ("document_id", "kind", "lot_id", "type_code", "day", "issuer", "counterparty")
#: A bulk download of the portal holds at most this many documents.
_MEMBERS = 50_000


@dataclasses.dataclass(frozen=True)
class Simulated:
    """A finished simulation."""

    folder: Path
    is_new: bool
    counts: dict[str, int]

    @property
    def files(self) -> Path:
        """The drop folder, as `antawasi run --landing` takes it."""
        return self.folder / "files"


def simulate(plan: Plan, out: Path, workers: int = 1, reporter: Reporter | None = None) -> Simulated:
    """Simulate the sector into `out`, whole or not at all.

    Args:
        out: a folder that does not exist yet, or one that holds this very simulation: then nothing is done.
        workers: processes for chunks and months.

    Raises:
        AntawasiError: `out` holds something else, or the parameters' file is not valid.
    """
    name = identity(plan)
    if out.exists():
        record = out / "simulation.json"
        if record.exists() and (known := files.read_json(record)).get("identity") == name:
            return Simulated(out, False, known["counts"])
        if any(out.iterdir()):
            raise AntawasiError(
                f"{out} already holds other files. What to do: choose another --out, or remove that folder first."
            )
        out.rmdir()
    reporter = reporter or Reporter()
    parameters = load()
    with files.atomic_dir(out) as tmp:
        reporter.step("simulated world: people, registry, firms, prices")
        world = make_world(plan, parameters)
        counts = office_files.write(world, tmp)
        pool = functools.partial(_each, plan, tmp, workers)
        with reporter.task("simulated chain: lots, in chunks", plan.chunks) as advance:
            for done in pool(_write_chunk, range(plan.chunks), world):
                counts = _added(counts, done)
                advance(1)
        if plan.xml:
            with reporter.task("simulated files: months", len(plan.months)) as advance:
                for done in pool(_write_month, range(len(plan.months)), world):
                    counts = _added(counts, done)
                    advance(1)
        shutil.rmtree(tmp / _PARTS, ignore_errors=True)
        if plan.xml:  # of a load test there is nothing to see, and all its truth at once is more than memory holds
            picture.write_pictures(tmp)
        _write_record(tmp, plan, name, dict(sorted(counts.items())))
    return Simulated(out, True, counts)


def _added(counts: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    return {what: counts.get(what, 0) + more.get(what, 0) for what in counts | more}


def identity(plan: Plan) -> str:
    """Says which simulation this is: plan, parameters, seed tables, contracts and the simulator's own code."""
    digest = hashlib.sha256(repr(plan).encode())
    package = Path(__file__).parent
    inputs = [*sorted(package.glob("*.py")), PARAMETERS_FILE, *sorted((DBT_DIR / "seeds").glob("ref_*.csv"))]
    inputs += [table.path for table in contracts.all_contracts().values() if table.layer == "raw"]
    for path in inputs:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:20]


# --- processes ----------------------------------------------------------------------------------------

_Work = Callable[[World, Path, int], dict[str, int]]


def _each(
    plan: Plan, folder: Path, workers: int, work: _Work, numbers: Sequence[int], world: World
) -> Iterator[dict[str, int]]:
    """`work` for every number, here or in processes that make the same world for themselves."""
    if workers <= 1 or len(numbers) <= 1:
        for number in numbers:
            yield work(world, folder, number)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=context, initializer=_begin, initargs=(plan,)
    ) as pool:
        waiting = [pool.submit(_in_process, work, folder, number) for number in numbers]
        for future in concurrent.futures.as_completed(waiting):
            yield future.result()


_world: World | None = None


def _begin(plan: Plan) -> None:
    global _world
    _world = make_world(plan, load())


def _in_process(work: _Work, folder: Path, number: int) -> dict[str, int]:
    assert _world is not None
    return work(_world, folder, number)


# --- chunks -------------------------------------------------------------------------------------------


def _write_chunk(world: World, folder: Path, chunk: int) -> dict[str, int]:
    """The truth of one chunk of lots, and its rows as parts of files or as tables."""
    flow = make_flow(world, chunk)
    money = make_money(world, flow, chunk)
    papers = make_documents(world, money, chunk)
    rows, labels = defects.inject(world, partner_rows.partner_rows(world, flow, money, papers, chunk), chunk)
    book = _directory(world)
    spelled = papers.frame.with_columns(book.documents(papers.frame).alias("document"))
    named = spelled.filter(pl.col("day") <= (world.plan.end - world.epoch).days).select("document_id", "document")
    for table, frame in rows.items():
        contract = contracts.contract(table)
        seen = partner_rows.spelled(frame, contract, book, named)
        if world.plan.xml:
            _write_part(folder / _PARTS / table, chunk, seen)
        else:
            _write_part(
                folder / "tables" / table, chunk, _as_in_lake(seen.drop("month"), contract.schema(lineage=False))
            )
    truth = _truth(world, flow, money, papers)
    if world.plan.xml:
        documents, lines = document_frames(world, papers.frame, chunk)
        documents, typos = defects.misread_names(world, documents, chunk)
        labels = pl.concat([labels, typos, defects.document_deeds(world, spelled)])
        truth["documents"] = truth["documents"].with_columns(spelled["document"])
        _write_part(folder / _PARTS / "documents", chunk, documents)
        _write_part(folder / _PARTS / "lines", chunk, lines)
    else:
        for table, frame in document_tables(world, spelled, chunk, book).items():
            schema = contracts.contract(table).schema(lineage=False)
            _write_part(folder / "tables" / table, chunk, _as_in_lake(frame, schema))
    for name, frame in (truth | {"defects": labels}).items():
        _write_part(folder / "truth" / name, chunk, frame)
    return {"pit_lots": flow.pits.height, "transfers": money.transfers.height}


@functools.lru_cache(maxsize=1)
def _directory(world: World) -> Directory:
    """Spellings for files, keys for tables: made once in each process."""
    return Directory(world) if world.plan.xml else Directory(world, Keyer(b"simulated sector"))


def _truth(world: World, flow: Flow, money: Money, papers: Documents) -> dict[str, pl.DataFrame]:
    """The chain as it was. Masses in grams, money in cents of US$, days as dates, agents by number."""

    def dated(frame: pl.DataFrame, *days: str) -> pl.DataFrame:
        return frame.with_columns(pl.Series(d, world.date_of(frame[d].to_numpy())) for d in days)

    last = (world.plan.end - world.epoch).days
    documents, paid = (
        frame.with_columns((pl.col("day") <= last).alias("is_in_files"))
        for frame in (papers.frame.select(_SHEET), money.transfers)
    )
    days = ("settled_day", "deposit_day", "advance_day", "paid_day")
    return {
        "pit_lots": dated(flow.pits.drop("lot", "through_collector"), "pit_day"),
        "loads": flow.loads.drop("lot", "mix"),
        "trips": flow.trips,
        "campaigns": dated(flow.campaigns, "started_day", "ended_day"),
        "products": flow.products.drop("number"),
        "shipments": dated(flow.shipments, "shipped_day"),
        "copper": flow.edges,
        "pit_sales": dated(money.pit_sales.drop("lot", "leaves_pit"), "pit_day"),
        "ore_sales": dated(papers.ore.filter(~pl.col("toll")).select(*_SALE, *days, *_ORE_PAPERS), *days),
        "toll_loads": papers.ore.filter("toll").select("load_id", "used_registration_id", "status", *_WAYBILLS),
        "product_sales": dated(
            papers.concentrate.drop("number", "trader_row", "period_month"), "provisional_day", "final_day"
        ),
        "export_sales": dated(papers.exports.drop("number"), "shipped_day", "regularised_day"),
        "transfers": dated(paid, "day"),
        "documents": dated(documents, "day"),
    }


def _as_in_lake(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """`frame` as a raw table of the lake: the contract's types and the lineage columns."""
    constants = {
        "_landing_sha256": "0" * 64,
        "_ingested_at": dt.datetime(2000, 1, 1),
        "_source_as_of": dt.date(2000, 1, 1),
        "_is_synthetic": True,
    }
    return frame.cast(dict(schema)).with_columns(  # type: ignore[arg-type]
        (pl.int_range(pl.len(), dtype=pl.Int64) + 1).alias("_row_number"),
        *(pl.lit(value).alias(name) for name, value in constants.items()),
    ).select(*schema, *LINEAGE)  # fmt: skip


def _write_part(folder: Path, number: int, frame: pl.DataFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / f"{number:05d}.parquet", compression="zstd", compression_level=1)


# --- months -------------------------------------------------------------------------------------------


def _write_month(world: World, folder: Path, number: int) -> dict[str, int]:
    """Every file of the chain that is of one month."""
    month = world.plan.months[number]
    period = f"{month:%Y-%m}"
    counts: dict[str, int] = {}
    documents, lines = (_of_month(folder / _PARTS / name, month) for name in ("documents", "lines"))
    home = office_files.home_of(folder, "sunat_documents") / period
    for at, part in enumerate(documents.iter_slices(_MEMBERS)):
        home.mkdir(exist_ok=True)
        own = lines.join(part.select("document_id"), on="document_id", how="semi")
        target = home / f"cpe_{period}{f'_{at + 1}' if at else ''}.zip"
        written = ubl.write_zip(target, part.drop("month"), own.drop("month"), world.seed)
        counts["documents"] = counts.get("documents", 0) + written
    for table in partner_rows.TABLES:
        frame = _of_month(folder / _PARTS / table, month)
        if frame.height:
            office_files.write_partner(folder, table, period, frame.drop("month"), period)
            counts[table] = frame.height
    return counts


def _of_month(folder: Path, month: dt.date) -> pl.DataFrame:
    parts = sorted(folder.glob("*.parquet"))
    return pl.concat([pl.read_parquet(path).filter(pl.col("month") == month) for path in parts])


def _write_record(folder: Path, plan: Plan, name: str, counts: dict[str, int]) -> None:
    record: dict[str, Any] = {
        "watermark": WATERMARK,
        "is_synthetic": True,
        "identity": name,
        "plan": {**dataclasses.asdict(plan), "months": [m.isoformat() for m in plan.months]},
        "counts": counts,
    }
    (folder / "simulation.json").write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    (folder / "LEEME.txt").write_text(
        f"{WATERMARK}\n\nfiles/: entregar con `antawasi run --landing files` · take in with `antawasi run --landing files`\n"
        "truth/: lo que de verdad ocurrió en la simulación · what truly happened in the simulation\n",
        encoding="utf-8",
    )
