"""What a release leaves in the house for the next one: the ledger of released cells and the contributions behind it.

One folder for each release, written before the release appears: without it the next release could be subtracted from this one.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import polars as pl

from pipelines import files
from pipelines.disclosure import ledger
from pipelines.errors import PublishRefused

_LEDGER = "ledger.parquet"


@dataclasses.dataclass(frozen=True)
class Past:
    """`ledger`: every cell ever released. `contributions`: product → what its last release was made of."""

    ledger: pl.DataFrame
    contributions: dict[str, pl.DataFrame]


def read(folder: Path, version: str | None) -> Past:
    """What `version` left; nothing before the first release.

    Raises:
        PublishRefused: the release left nothing here: its folder is lost.
    """
    if version is None:
        return Past(ledger.read(folder / _LEDGER), {})
    kept = folder / version
    if not (kept / _LEDGER).exists():
        raise PublishRefused(
            f"{kept / _LEDGER} is missing: which cells {version} hid cannot be told any more, and a new release could be subtracted "
            "from it. What to do: restore the folder from a backup."
        )
    contributions = {
        str(pl.read_parquet_metadata(path)["product"]): pl.read_parquet(path)
        for path in sorted(kept.glob("contributions-*.parquet"))
    }
    return Past(ledger.read(kept / _LEDGER), contributions)


def write(folder: Path, version: str, past: Past) -> None:
    """Keep what a release leaves, whole or not at all. A folder that a killed run left for the same version is replaced."""
    target = folder / version
    shutil.rmtree(target, ignore_errors=True)
    with files.atomic_dir(target) as tmp:
        ledger.write(past.ledger, tmp / _LEDGER)
        for number, (product, rows) in enumerate(sorted(past.contributions.items())):
            rows.write_parquet(tmp / f"contributions-{number:04d}.parquet", metadata={"product": product})
