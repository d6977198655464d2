"""What a rotation of the vault's key refuses to put in place, and what waits for it. The whole is tried in integration."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import polars as pl
import pytest

from pipelines import files, ingest, lake, landing, rotation, vault
from pipelines.errors import AntawasiError, VaultError
from pipelines.identity import Keyer
from pipelines.ingest import Zones
from pipelines.settings import Settings
from pipelines.sources import get_source

TABLE = "minem_production__quantities"


@pytest.fixture
def twins(settings: Settings, take, sample: Path) -> tuple[Settings, Settings, Keyer]:
    """A house with one file, and the same file under another key."""
    take("minem_production", next((sample / "minem_production").glob("*2024.csv")), as_of="2025-03-31")
    twin = settings.model_copy(update={"home": settings.home / vault.REKEYING})
    twin.home.mkdir()
    twin.landing.symlink_to("../landing")
    list(ingest.ingest_all(ingest.pending(Zones.of(twin), get_source("minem_production"))))
    return settings, twin, vault.open_keyer(twin.vault, twin.lake)


def change(zone: Path, pattern: str, how) -> None:
    path = next(zone.glob(pattern))
    how(pl.read_parquet(path)).write_parquet(path)


def test_every_old_key_has_one_new_key(twins):
    settings, twin, keyer = twins
    pairs = rotation._pairs(settings, twin, keyer)
    raw = pl.read_parquet(next((settings.lake / "raw" / TABLE).glob("[!_]*.parquet")))
    assert set(raw["titular_name_key"]) <= set(pairs["old"])
    assert not set(pairs["old"]) & set(pairs["new"])


def test_a_row_that_differs_in_more_than_keys(twins):
    settings, twin, keyer = twins
    change(twin.lake, f"raw/{TABLE}/[!_]*.parquet", lambda f: f.with_columns(pl.col("_row_number") + 1))
    with pytest.raises(AntawasiError, match=rf"rows of {TABLE}.*nothing was replaced"):
        rotation._pairs(settings, twin, keyer)


def test_two_parties_that_would_become_one(twins):
    settings, twin, keyer = twins
    change(
        twin.lake, f"raw/{TABLE}/[!_]*.parquet",
        lambda f: f.with_columns(pl.lit(f["titular_name_key"][0]).alias("titular_name_key")),
    )  # fmt: skip
    with pytest.raises(AntawasiError, match="not one to one"):
        rotation._pairs(settings, twin, keyer)


def test_one_party_that_would_become_two(twins):
    settings, twin, keyer = twins
    other = pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("f" * 32)).otherwise("titular_name_key")
    change(twin.lake, f"raw/{TABLE}/[!_]*.parquet", lambda f: f.with_columns(other.alias("titular_name_key")))
    with pytest.raises(AntawasiError, match="not one to one"):
        rotation._pairs(settings, twin, keyer)


def test_a_key_that_would_be_lost(twins):
    settings, twin, keyer = twins
    change(
        twin.lake,
        f"raw/{TABLE}/[!_]*.parquet",
        lambda f: f.with_columns(pl.lit(None, pl.String).alias("titular_name_key")),
    )
    with pytest.raises(AntawasiError, match="lacks keys"):
        rotation._pairs(settings, twin, keyer)


def test_a_file_that_was_taken_otherwise_or_an_identity_that_is_not_known(twins):
    settings, twin, keyer = twins
    (receipt,) = lake.receipts(twin.lake)
    lake.write_receipt(twin.lake, dataclasses.replace(receipt, accepted={TABLE: 1}))
    with pytest.raises(AntawasiError, match="taken otherwise"):
        rotation._pairs(settings, twin, keyer)
    lake.receipt_path(twin.lake, receipt.source, receipt.sha256).unlink()
    with pytest.raises(AntawasiError, match=r"taken in meanwhile.*goes on with it"):
        rotation._pairs(settings, twin, keyer)
    change(twin.vault, "identities/*/*.parquet", lambda f: f.head(1))
    with pytest.raises(AntawasiError, match="other identities"):
        rotation._pairs(settings, twin, keyer)


def test_keys_within_longer_keys_follow_and_unknown_ones_stay_apart():
    keyer, renamed = Keyer(b"n" * 32), {"a" * 32: "b" * 32}
    assert rotation._rekey_text("a" * 32, renamed, keyer) == "b" * 32
    assert rotation._rekey_text("a" * 32 + "-L 12", renamed, keyer) == "b" * 32 + "-L 12"
    assert rotation._rekey_text("T-0001", renamed, keyer) == "T-0001"
    former = {rotation._rekey_text(c * 32, renamed, keyer) for c in "cde"}
    assert len(former) == 3 and not former & {c * 32 for c in "cde"}


def test_a_full_disk_is_told_before_anything_is_made(twins, monkeypatch: pytest.MonkeyPatch):
    settings, twin, _ = twins
    settings.warehouse.mkdir()
    with open(settings.build_db, "wb") as build:
        build.truncate(1 << 30)
    monkeypatch.setattr(rotation.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1 << 30}))
    with pytest.raises(AntawasiError, match=r"1\.1 GB are free.*need 1\.3 GB"):
        rotation._require_space(settings, twin)


def test_an_ingest_waits_for_the_swap_and_the_swap_for_an_ingest(settings: Settings, take, sample: Path, monkeypatch):
    take("minem_production", next((sample / "minem_production").glob("*2024.csv")), as_of="2025-03-31")
    with vault.in_use(settings.vault), pytest.raises(AntawasiError, match="in use"):
        _hold(settings).__enter__()
    source = get_source("minem_production")
    landing.land(
        settings.landing,
        source,
        next((sample / "minem_production").glob("*2023.csv")),
        origin={"source_as_of": "2024-03-31"},
    )
    jobs = ingest.pending(Zones.of(settings), source)
    done: list[str] = []
    begun = threading.Event()
    plain = ingest._ingest_file
    monkeypatch.setattr(ingest, "_ingest_file", lambda job: (begun.set(), plain(job))[1])
    with _hold(settings):
        taking = threading.Thread(target=lambda: done.extend(r.status for r in ingest.ingest_all(jobs)))
        taking.start()
        taking.join(1.0)
        assert not begun.is_set()
    taking.join(60)
    assert done == ["accepted"]


def _hold(settings: Settings):
    return files.lock(settings.home / "locks" / vault.LOCK_NAME, "The vault")


def test_nothing_is_taken_while_zones_of_two_keys_stand_side_by_side(twins, sample: Path):
    settings, twin, _ = twins
    jobs = [ingest.Job(card, Zones.of(settings), "x", None) for card in landing.cards(settings.landing)]
    files.write_json(twin.home / vault.READY, {})
    for attempt in (
        lambda: ingest.ingest_file(jobs[0]),
        lambda: vault.find(settings.vault, settings.lake, "20505310072"),
        lambda: vault.reveal(settings.vault, "a" * 32),
    ):
        with pytest.raises(VaultError, match="antawasi run"):
            attempt()
