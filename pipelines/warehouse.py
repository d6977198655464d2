"""The warehouse: one build file that the pipeline writes, and the analysts' copy swapped in when all is green.

`raw` in the build is a schema of views over a pinned list of lake files, so a file that lands meanwhile waits
for the next build. The analysts' copy holds tables only, is written as storage version v1.2.0 (readable by
DuckDB 1.2 to 2.0) under a new name each time, and `antawasi.duckdb` is a link to the newest.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from pipelines import contracts, files, lake, vault
from pipelines.errors import AntawasiError
from pipelines.lake import Receipt
from pipelines.memory import limits
from pipelines.settings import DBT_DIR, Settings

STORAGE_VERSION = "v1.2.0"
BUILT_NAME = "build.json"
OFFLINE = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
#: Of files made anew that stay in the house, as in dbt's profile; those that leave have STORAGE_VERSION.
_OWN_FORMAT = {"storage_compatibility_version": "v1.5.0"}
#: Schemas that analysts see; `raw` stays behind, since its views point into the lake.
ANALYST_SCHEMAS = ("staging", "intermediate", "marts", "publish", "reference")
_DBT_INPUTS = ("*.sql", "*.yml", "*.csv")


@dataclasses.dataclass(frozen=True)
class Pin:
    """The lake files that one build reads, by table, and what they were made from."""

    tables: dict[str, tuple[Path, ...]]
    receipts: tuple[Receipt, ...]

    @property
    def lake_files(self) -> pl.DataFrame:
        """The accepted files by table: table_name, landing_sha256, and the fingerprint of what its rows depend on."""
        rows = [
            (table, r.sha256, r.fingerprint)
            for table in self.tables
            for r in self.receipts
            if r.status == "accepted" and r.accepted.get(table)
        ]
        return pl.DataFrame(
            rows, schema=dict.fromkeys(("table_name", "landing_sha256", "fingerprint"), pl.String), orient="row"
        )

    @property
    def digest(self) -> str:
        """Names everything a build depends on: the lake's files, the models, the contracts, this module."""
        parts = [f"{r.source} {r.sha256} {r.fingerprint} {r.status}" for r in self.receipts]
        parts += [f"{path.relative_to(DBT_DIR)} {files.sha256_file(path)}" for path in dbt_inputs()]
        parts += [f"{c.name} {files.sha256_file(c.path)}" for c in contracts.all_contracts().values()]
        parts.append(files.sha256_file(Path(__file__)))
        return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]


def dbt_inputs() -> list[Path]:
    """Files of the dbt project that make a difference to its result."""
    found = [
        p for pattern in _DBT_INPUTS for p in DBT_DIR.rglob(pattern) if "target" not in p.relative_to(DBT_DIR).parts
    ]
    return sorted(found)


def pin(lake_root: Path) -> Pin:
    """Pin the lake as it stands: every accepted landing file, plus each table's empty file."""
    vault.refuse_half_rotated(lake_root.parent)
    lake.ensure_empty_tables(lake_root)
    receipts = tuple(lake.receipts(lake_root))
    accepted = [r for r in receipts if r.status == "accepted"]
    tables = {}
    for table in contracts.all_contracts().values():
        if table.layer == "raw":
            held = [r for r in accepted if r.accepted.get(table.name)]
            tables[table.name] = (
                lake.empty_path(lake_root, table.name),
                *(lake.raw_path(lake_root, table.name, r.sha256) for r in held),
            )
    return Pin(tables, receipts)


@contextlib.contextmanager
def connect(path: Path, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A short DuckDB connection without network extensions; closed at the end, also after an error."""
    with _connect(str(path), read_only, OFFLINE if read_only else OFFLINE | _OWN_FORMAT) as connection:
        yield connection


@contextlib.contextmanager
def connect_in_memory(spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same without a file of its own. `spill`: a folder, made only for what does not fit into memory."""
    with _connect(":memory:", False, OFFLINE | _OWN_FORMAT | {"temp_directory": str(spill)}) as connection:
        yield connection


@contextlib.contextmanager
def _connect(path: str, read_only: bool, config: dict[str, Any]) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(path, read_only=read_only, config=config | limits())
    try:
        yield connection
    finally:
        connection.close()


def mount(settings: Settings, pinned: Pin, wait_s: float = 120) -> None:
    """Create schema `raw` in the build file as views over the pinned lake files.

    Waits up to `wait_s` seconds for the file: the dbt of a run that was killed holds it for a moment.
    A file that cannot be opened is damaged and made anew: all that it holds comes from the lake.

    Raises:
        AntawasiError: another process still holds the build file.
    """
    settings.warehouse.mkdir(parents=True, exist_ok=True)
    _built_path(settings).unlink(missing_ok=True)
    _wait_for_build_file(settings, wait_s)
    shutil.rmtree(spill_of(settings.build_db), ignore_errors=True)  # of a build that was killed
    with connect(settings.build_db) as connection:
        for table, paths in pinned.tables.items():
            listed = ", ".join(_literal(str(p)) for p in paths)
            connection.execute(f'CREATE OR REPLACE VIEW raw."{table}" AS SELECT * FROM read_parquet([{listed}])')
        connection.register("lake_files", pinned.lake_files.to_arrow())
        connection.execute("CREATE OR REPLACE TABLE raw.lake_files AS FROM lake_files")


#: What opening a damaged file raises, and one that another process holds.
_UNREADABLE = (
    duckdb.IOException, duckdb.SerializationException, duckdb.InternalException, duckdb.FatalException, UnicodeDecodeError,
)  # fmt: skip


def _wait_for_build_file(settings: Settings, wait_s: float) -> None:
    deadline, was_discarded = time.monotonic() + wait_s, False
    while True:
        try:
            with connect(settings.build_db) as connection:
                connection.execute("CREATE SCHEMA IF NOT EXISTS raw")  # replays what a killed writer left
            return
        except _UNREADABLE as error:
            if files.is_full_disk(error) or "permission denied" in str(error).lower():
                raise
            if "could not set lock" not in str(error).lower():
                if was_discarded:
                    raise
                discard_build(settings)
                was_discarded = True
                continue
            if time.monotonic() >= deadline:
                raise AntawasiError(
                    f"{settings.build_db} is open in another process. What to do: analysts should open "
                    f"{settings.analysts_db.name}; close the other program and run again."
                ) from error
        time.sleep(0.5)


def spill_of(database: Path) -> Path:
    """The folder beside a DuckDB file for what does not fit into memory: DuckDB's own name for it, and dbt's (dbt_house)."""
    return database.with_name(f"{database.name}.tmp")


def discard_build(settings: Settings) -> None:
    """Remove a damaged build file; the next build fills a new one."""
    for path in (settings.build_db, settings.build_db.with_name(f"{settings.build_db.name}.wal")):
        path.unlink(missing_ok=True)


def tells_damage(message: str) -> bool:
    """Whether an error of DuckDB says that the file itself is damaged."""
    return "corrupt" in message.lower() or "checksum" in message.lower()


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _built_path(settings: Settings) -> Path:
    return settings.warehouse / BUILT_NAME


def mark_built(settings: Settings, pinned: Pin, results: dict[str, int]) -> None:
    """Record that the build file is whole and green for this pin. `results` counts dbt's outcomes."""
    files.write_json(_built_path(settings), {"digest": pinned.digest, "results": results})


def built(settings: Settings) -> dict[str, Any] | None:
    """What `mark_built` recorded, or None when no build is whole."""
    path = _built_path(settings)
    return files.read_json(path) if path.exists() else None


def analysts_file(settings: Settings, digest: str) -> Path:
    return settings.warehouse / f"antawasi-{digest}.duckdb"


def analysts_digest(settings: Settings) -> str | None:
    """Digest of the build that the analysts' link points at, None when there is none."""
    link = settings.analysts_db
    if not link.is_symlink() or not link.exists():
        return None
    return link.resolve().stem.removeprefix("antawasi-")


def is_current(settings: Settings, pinned: Pin) -> bool:
    """True when the analysts' copy was made from exactly this pin."""
    return analysts_digest(settings) == pinned.digest


def relations(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """(schema, name) of every relation that the current dbt project builds, so that leftovers stay behind."""
    nodes = [n for n in manifest["nodes"].values() if n["resource_type"] in ("model", "seed")]
    return sorted((n["schema"], n["alias"]) for n in nodes if n["schema"] in ANALYST_SCHEMAS)


def write_analysts_copy(settings: Settings, pinned: Pin, manifest: dict[str, Any]) -> Path:
    """Fill a new file with tables and swap the link to it; earlier copies beyond the kept ones are removed.

    Raises:
        AntawasiError: the build file is not whole for this pin (a killed or failed build, or another run's).
    """
    done = built(settings)
    if not done or done["digest"] != pinned.digest:
        raise AntawasiError(
            "The build file is not whole for the files in the lake. What to do: run `antawasi build` again."
        )
    target = analysts_file(settings, pinned.digest)
    with files.atomic_path(target) as tmp:
        tmp.unlink()
        _fill(tmp, settings.build_db, relations(manifest), pinned, manifest)
    files.swap_symlink(settings.analysts_db, target.name)
    _forget_old_copies(settings, keep=target)
    return target


def _fill(tmp: Path, build_db: Path, tables: list[tuple[str, str]], pinned: Pin, manifest: dict[str, Any]) -> None:
    with connect_in_memory(spill_of(tmp)) as connection:
        connection.execute(f"ATTACH {_literal(str(build_db))} AS build (READ_ONLY)")
        connection.execute(f"ATTACH {_literal(str(tmp))} AS copy (STORAGE_VERSION '{STORAGE_VERSION}')")
        for schema in sorted({schema for schema, _ in tables} | {"meta"}):
            connection.execute(f'CREATE SCHEMA copy."{schema}"')
        for schema, name in tables:
            connection.execute(f'CREATE TABLE copy."{schema}"."{name}" AS FROM build."{schema}"."{name}"')
        _copy_macros(connection)
        for statement in comments(manifest, tables):
            connection.execute(statement)
        for name, (ddl, rows) in meta_tables(pinned, manifest).items():
            connection.execute(f"CREATE TABLE copy.meta.{name} ({ddl})")
            if rows:  # as one table: row by row they take half a second
                table = pl.DataFrame(rows, orient="row", infer_schema_length=None).to_arrow()
                connection.register("told", table)
                connection.execute(f"INSERT INTO copy.meta.{name} FROM told")
                connection.unregister("told")
        connection.execute("CHECKPOINT copy")
        connection.execute("DETACH copy")
        connection.execute("DETACH build")


def comments(manifest: dict[str, Any], tables: list[tuple[str, str]]) -> Iterator[str]:
    """COMMENT statements for tables and columns: Spanish, then English, from contracts; elsewhere what heads the model."""
    nodes = {
        (n["schema"], n["alias"]): n for n in manifest["nodes"].values() if n["resource_type"] in ("model", "seed")
    }
    known = contracts.all_contracts()
    for schema, name in tables:
        node, contract = nodes[schema, name], known.get(name)
        told = (
            f"{contract.description_es} / {contract.description}" if contract else node["description"] or _heading(node)
        )
        if told:
            yield f'COMMENT ON TABLE copy."{schema}"."{name}" IS {_literal(told)}'
        for column in contract.columns if contract else ():
            unit = f" [{column.unit}]" if column.unit and column.unit != "1" else ""
            told = f"{column.description_es} / {column.description}{unit}"
            yield f'COMMENT ON COLUMN copy."{schema}"."{name}"."{column.name}" IS {_literal(told)}'


def _heading(node: dict[str, Any]) -> str:
    """The comment that a model's SQL begins with, on one line."""
    lines = [line.strip() for line in node.get("raw_code", "").splitlines()]
    first = next((i for i, line in enumerate(lines) if line.startswith("--")), len(lines))
    told = itertools.takewhile(lambda line: line.startswith("--"), lines[first:])
    return " ".join(line.removeprefix("--").strip() for line in told)


def _copy_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Macros of the analysts' schemas and their comments, from `build` to `copy`, which has their tables already.

    By name: one that calls another has the later name, since DuckDB makes no macro that calls what is not there.
    """
    macros = connection.execute(
        "SELECT schema_name, function_name, parameters, macro_definition, if(function_type = 'table_macro', 'TABLE', ''), comment "
        "FROM duckdb_functions() WHERE database_name = 'build' AND function_type IN ('macro', 'table_macro') "
        "AND list_contains(?, schema_name) ORDER BY ALL",
        [list(ANALYST_SCHEMAS)],
    ).fetchall()
    connection.execute("USE copy")  # what a macro reads is named without its database
    for schema, name, parameters, definition, kind, comment in macros:
        connection.execute(f'CREATE MACRO "{schema}"."{name}"({", ".join(parameters)}) AS {kind} {definition}')
        if comment:
            connection.execute(f'COMMENT ON MACRO {kind} "{schema}"."{name}" IS {_literal(comment)}')
    connection.execute("USE memory")


def meta_tables(pinned: Pin, manifest: dict[str, Any]) -> dict[str, tuple[str, list[list[Any]]]]:
    """The warehouse about itself: files, rejections, dictionary, how to trace. (DDL, rows) by table name."""
    landing_rows, rejection_rows = [], []
    for r in pinned.receipts:
        landing_rows.append(
            [r.source, r.sha256, r.filename, r.status, r.period, r.source_as_of, r.landed_at, r.is_synthetic,
             sum(r.rows_in.values()), sum(r.accepted.values()), sum(r.rejected.values()), r.out_of_scope, r.message or None]
        )  # fmt: skip
        rejection_rows += [
            [r.source, r.sha256, g.table, g.rule, g.column, g.rows, g.first_row, g.example] for g in r.rejections
        ]
    dictionary = [
        [
            t.layer,
            t.name,
            i,
            c.name,
            c.physical_type,
            c.unit,
            c.classification,
            c.title_es,
            c.description,
            c.description_es,
        ]
        for t in contracts.all_contracts().values()
        for i, c in enumerate(t.columns, start=1)
    ]
    trace = [
        [node["schema"], node["name"], json.dumps(step)]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and (step := (node.get("meta") or {}).get("trace"))
    ]
    return {
        "landing_files": (
            "source VARCHAR, landing_sha256 VARCHAR, filename VARCHAR, status VARCHAR, period VARCHAR, source_as_of DATE, "
            "landed_at TIMESTAMP, is_synthetic BOOLEAN, rows_in BIGINT, rows_accepted BIGINT, rows_rejected BIGINT, "
            "rows_out_of_scope BIGINT, message VARCHAR",
            landing_rows,
        ),
        "rejections": (
            "source VARCHAR, landing_sha256 VARCHAR, table_name VARCHAR, rule VARCHAR, column_name VARCHAR, "
            "row_count BIGINT, first_row BIGINT, example VARCHAR",
            rejection_rows,
        ),
        "dictionary": (
            "layer VARCHAR, table_name VARCHAR, position INTEGER, column_name VARCHAR, data_type VARCHAR, unit VARCHAR, "
            "classification VARCHAR, title_es VARCHAR, description_en VARCHAR, description_es VARCHAR",
            dictionary,
        ),
        "trace": ("schema_name VARCHAR, table_name VARCHAR, trace VARCHAR", sorted(trace)),
    }


def _forget_old_copies(settings: Settings, keep: Path) -> None:
    # A reader that has an old file open keeps it until it closes: unlinking does not disturb it.
    copies = sorted(settings.warehouse.glob("antawasi-*.duckdb"), key=lambda p: p.stat().st_mtime, reverse=True)
    for old in [p for p in copies if p != keep][settings.analysts_copies_kept - 1 :]:
        old.unlink(missing_ok=True)


@functools.lru_cache(maxsize=4)
def _manifest(path: Path, _mtime_ns: int) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def manifest(path: Path) -> dict[str, Any]:
    """dbt's manifest, parsed once per version of the file."""
    return _manifest(path, path.stat().st_mtime_ns)
