"""What a reader finds in a house, as digests that can be compared: the analysts' copy, the release, the lake."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

import duckdb
import polars as pl

from pipelines import files
from pipelines.publish import release
from pipelines.settings import SAMPLE_DIR

#: When a file landed differs between two runs over the same files; nothing else may.
TIMES = ("landed_at", "ingested_at", "_ingested_at")


def look(home: Path) -> list[str]:
    """[digest of the analysts' copy, latest release, digest of its checksums], everything read and verified."""
    link = home / "warehouse" / "antawasi.duckdb"
    copy = link.resolve()
    latest = (home / "releases" / "latest").resolve()
    for version in release.versions(home / "releases"):
        _verify(home / "releases" / version)
    return [copy_digest(copy, copy.stat().st_mtime_ns), latest.name, files.sha256_file(latest / "SHA256SUMS")]


@functools.lru_cache(maxsize=8)
def copy_digest(path: Path, _mtime_ns: int) -> str:
    return hashlib.sha256(repr(tables(path)).encode()).hexdigest()[:16]


def tables(path: Path) -> dict[str, tuple[int, str]]:
    """Rows and an order-free checksum of every table of an analysts' copy."""
    with duckdb.connect(str(path), read_only=True) as connection:
        listed = connection.execute(
            "SELECT table_schema || '.' || table_name, list(column_name ORDER BY ordinal_position) "
            "FROM information_schema.columns GROUP BY 1 ORDER BY 1"
        ).fetchall()
        found = {}
        for name, columns in listed:
            kept = ", ".join(f'"{c}"' for c in columns if c not in TIMES)
            ((rows, sums),) = connection.execute(
                f"SELECT count(*), sum(hash(row({kept})))::VARCHAR FROM {name}"
            ).fetchall()
            found[name] = (rows, sums)
    return found


def _verify(folder: Path) -> None:
    """Every file of a release against its checksums; one that was verified and not changed since is left alone."""
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        stat = (folder / name).stat()
        assert _digest(folder / name, stat.st_mtime_ns, stat.st_size) == digest, (folder.name, name)


@functools.lru_cache(maxsize=4096)
def _digest(path: Path, _mtime_ns: int, _size: int) -> str:
    return files.sha256_file(path)


def lake(home: Path) -> dict[str, str]:
    """Every lake file, receipt, landing file and file of identities → a digest of what it tells, times apart."""
    found = {}
    for path in sorted((home / "lake").rglob("*")) + sorted((home / "vault" / "identities").rglob("*")):
        name = str(path.relative_to(home))
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path).drop(TIMES, strict=False)
            found[name] = hashlib.sha256(frame.write_ndjson().encode()).hexdigest()
        elif path.parent.parent.name == "receipts":
            told = {k: v for k, v in files.read_json(path).items() if k not in (*TIMES, "lake_files")}
            found[name] = repr(told)
    for path in sorted((home / "landing").rglob("*")):
        if path.is_file() and not path.name.startswith(".") and path.name != "origin.json":
            found[str(path.relative_to(home))] = files.sha256_file(path)
    return found


def temporaries(home: Path) -> list[Path]:
    zones = ("landing", "lake", "vault", "warehouse", "releases", "ledger", "reports", "dagster")
    return [p for zone in zones for p in (home / zone).rglob(f"{files.TMP_PREFIX}*")]


def correct(home: Path, more_t: float = 1.0) -> Path:
    """A new file in the inbox: 2024 with some tonnes more, so that every step has something to do."""
    inbox = home / "inbox" / "minem_production"
    inbox.mkdir(parents=True, exist_ok=True)
    lines = next((SAMPLE_DIR / "minem_production").glob("*2024.csv")).read_text(encoding="utf-8-sig").splitlines()
    at = next(i for i, line in enumerate(lines) if ",COBRE," in line)
    head, tail = lines[at].split(",TMF,")
    lines[at] = f"{head},TMF,{float(tail.split(',')[0]) + more_t:.6f},0"
    path = inbox / f"2024-{more_t:g}.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    (inbox / "origin.yaml").write_text("source_as_of: 2025-03-31\n")
    return path


def copy(house: Path, target: Path) -> Path:
    """A house to break. Files of landing and releases never change: they are linked, the rest is copied."""
    for folder, _, names in os.walk(house):
        within = Path(folder).relative_to(house)
        (target / within).mkdir(parents=True, exist_ok=True)
        for name in names:
            source, here = Path(folder) / name, target / within / name
            if source.is_symlink():  # to a file; links to folders follow below
                here.symlink_to(source.readlink())
            elif within.parts[:1] in (("releases",), ("simulated",)):
                os.link(source, here)
            else:
                here.write_bytes(source.read_bytes())
                here.chmod(source.stat().st_mode)
    for link in house.rglob("*"):
        if link.is_symlink() and link.is_dir():
            (target / link.relative_to(house)).symlink_to(link.readlink())
    return target
