"""`antawasi doctor`: what a working installation needs, and how to mend what is missing."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import shutil
import sys
from pathlib import Path

from pipelines import files
from pipelines.contracts import CONTRACTS_DIR
from pipelines.errors import AntawasiError
from pipelines.settings import DBT_DIR, Settings

_MIN_FREE_BYTES = 2 << 30
_PACKAGES = ("dagster", "dagster-dbt", "dbt-core", "dbt-duckdb", "duckdb", "polars", "pyarrow", "great-expectations")


@dataclasses.dataclass(frozen=True)
class Finding:
    """`ok` is None for something worth knowing that is no fault."""

    ok: bool | None
    what: str
    remedy: str = ""


def findings(settings: Settings) -> list[Finding]:
    """Every check, in the order in which a person would mend them."""
    return [
        _python(),
        *map(_package, _PACKAGES),
        _dbt(),
        _project(),
        _home(settings),
        _disk(settings),
        _closed(settings),
        _vault(settings),
        _warehouse(settings),
    ]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(
        sys.version_info >= (3, 11),
        f"Python {version}",
        "" if sys.version_info >= (3, 11) else "install Python 3.11 or later",
    )


def _package(name: str) -> Finding:
    try:
        return Finding(True, f"{name} {importlib.metadata.version(name)}")
    except importlib.metadata.PackageNotFoundError:
        return Finding(False, f"{name} is missing", "run `make setup`")


def _dbt() -> Finding:
    beside = Path(sys.executable).with_name("dbt")
    found = beside if beside.exists() else shutil.which("dbt")
    return Finding(bool(found), f"dbt command: {found or 'not found'}", "" if found else "run `make setup`")


def _project() -> Finding:
    missing = [p.name for p in (CONTRACTS_DIR, DBT_DIR) if not p.is_dir()]
    return Finding(
        not missing,
        "project folders" if not missing else f"missing: {', '.join(missing)}",
        "run from a complete checkout" if missing else "",
    )


def _home(settings: Settings) -> Finding:
    home = settings.home
    parent = home if home.exists() else home.parent
    writable = parent.exists() and os.access(parent, os.W_OK)
    return Finding(
        writable, f"data home {home}", "" if writable else "give write access, or set ANTAWASI_HOME to another folder"
    )


def _disk(settings: Settings) -> Finding:
    existing = next(p for p in (settings.home, *settings.home.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    return Finding(
        free >= _MIN_FREE_BYTES,
        f"{free / (1 << 30):.1f} GiB free on the data home's disk",
        "" if free >= _MIN_FREE_BYTES else "free at least 2 GiB",
    )


def _closed(settings: Settings) -> Finding:
    opened = [str(zone) for zone in settings.closed if zone.exists() and files.is_open_to_others(zone)]
    if opened:
        return Finding(False, f"others may enter {', '.join(opened)}", f"chmod 700 {' '.join(opened)}")
    return Finding(True, "landing, lake, vault, ledger and records are closed to other users")


def _vault(settings: Settings) -> Finding:
    from pipelines import vault

    if not settings.vault.exists():
        return Finding(None, "no vault yet; the first ingest makes one. Keep a backup of it apart from the data")
    try:
        vault.open_keyer(settings.vault, settings.lake)
    except AntawasiError as error:
        return Finding(False, "vault", str(error))
    return Finding(True, "vault: its key is the one that the lake was written with")


def _warehouse(settings: Settings) -> Finding:
    from pipelines import warehouse

    if not settings.analysts_db.exists():
        return Finding(None, "no warehouse yet", "run `antawasi run --sample`")
    try:
        with warehouse.connect(settings.analysts_db, read_only=True) as connection:
            tables = connection.execute("SELECT count(*) FROM information_schema.tables").fetchall()[0][0]
    except Exception as error:  # any failure to open it is what this check is about
        return Finding(False, f"the analysts' copy cannot be opened: {error}", "run `antawasi build`")
    return Finding(True, f"analysts' copy: {tables} tables")
