"""Backups are whole, verified and cheap to repeat; what is damaged or mixed is not restored."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import backup, files, landing
from pipelines.backup import SUMS, Backup
from pipelines.errors import AntawasiError
from pipelines.settings import Settings


@pytest.fixture
def house(settings: Settings, take, sample: Path) -> Settings:
    """A house with one file in landing, its vault, two releases and what they left in the ledger."""
    take("minem_production", next((sample / "minem_production").glob("*2024.csv")), as_of="2025-03-31")
    for version in ("v2025.03.1", "v2025.10.1"):
        for path in (settings.releases / version / "pub.csv", settings.ledger / version / "ledger.parquet"):
            path.parent.mkdir(parents=True)
            path.write_text(f"{version} {path.name}")
    (settings.releases / "latest").symlink_to("v2025.10.1")
    return settings


@pytest.fixture
def taken(house: Settings, tmp_path: Path) -> Backup:
    return backup.backup(house, tmp_path / "disk", tmp_path / "safe")


def zones(home: Path) -> dict[str, bytes]:
    return {
        p.relative_to(home).as_posix(): p.read_bytes()
        for zone in ("landing", "vault", "ledger", "releases")
        for p in sorted((home / zone).rglob("*"))
        if p.is_file()
    }


def empty(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "new", workers=1)


def test_what_comes_back_is_what_was_there(house: Settings, taken: Backup, tmp_path: Path):
    new = empty(tmp_path)
    backup.restore(new, taken.data, taken.sealed)
    assert zones(new.home) == zones(house.home)
    assert str((new.releases / "latest").readlink()) == "v2025.10.1"
    for path in (new.vault, *new.vault.rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, f"{path} can be read by others"
    (card,) = landing.cards(new.landing)
    assert not card.path(new.landing).stat().st_mode & 0o222


def test_the_vault_is_apart_and_both_parts_are_for_their_owner_alone(taken: Backup):
    assert {p.name for p in taken.data.iterdir()} == {"landing", "releases", SUMS}
    assert {p.name for p in taken.sealed.iterdir()} == {"vault", "ledger", "backup.json", SUMS}
    assert all(stat.S_IMODE(folder.stat().st_mode) == 0o700 for folder in (taken.data, taken.sealed))
    for part in (taken.data, taken.sealed):
        subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=part, check=True)


def test_a_second_backup_shares_the_bytes_of_the_first_and_stands_alone(
    house: Settings, taken: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(backup, "now_utc", lambda: "2099-01-01T00:00:00")
    second = backup.backup(house, tmp_path / "disk", tmp_path / "safe")
    assert second.linked == taken.files - 1, "all but the card of the backup"
    shutil.rmtree(taken.data)
    shutil.rmtree(taken.sealed)
    backup.restore(empty(tmp_path), second.data, second.sealed)
    assert zones(tmp_path / "new") == zones(house.home)


def test_a_rotten_copy_is_not_built_upon(
    house: Settings, taken: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rotten = next((taken.data / "landing").rglob("*.csv"))
    rotten.chmod(0o644)
    rotten.write_text("x")
    monkeypatch.setattr(backup, "now_utc", lambda: "2099-01-01T00:00:00")
    second = backup.backup(house, tmp_path / "disk", tmp_path / "safe")
    assert second.linked == taken.files - 2
    backup.restore(empty(tmp_path), second.data, second.sealed)


def _change(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize(
    ("part", "file", "damage", "told"),
    [
        ("data", "landing/*/*/*.csv", _change, "was changed"),
        ("data", "releases/v2025.03.1/pub.csv", Path.unlink, "is missing"),
        ("sealed", "vault/hmac.key", _change, "was changed"),
        ("sealed", "ledger/v2025.10.1/ledger.parquet", Path.unlink, "is missing"),
        ("data", "releases/v2025.10.1/pub.csv", lambda p: (p.parent / "more.csv").write_text("x"), "is not listed"),
        ("data", SUMS, _change, "not of one backup"),
    ],
)
def test_a_damaged_backup_is_told_and_nothing_is_put_in_place(taken: Backup, tmp_path: Path, part, file, damage, told):
    damage(next(getattr(taken, part).glob(file)))
    with pytest.raises(AntawasiError, match=told):
        backup.restore(empty(tmp_path), taken.data, taken.sealed)
    assert not zones(tmp_path / "new")


def test_vault_and_data_of_two_backups_are_not_mixed(
    house: Settings, taken: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (house.releases / "v2025.11.1").mkdir()
    (house.releases / "v2025.11.1" / "pub.csv").write_text("later")
    monkeypatch.setattr(backup, "now_utc", lambda: "2099-01-01T00:00:00")
    later = backup.backup(house, tmp_path / "disk", tmp_path / "safe")
    with pytest.raises(AntawasiError, match="not of one backup"):
        backup.restore(empty(tmp_path), later.data, taken.sealed)


def test_a_house_that_holds_anything_is_not_written_over(house: Settings, taken: Backup):
    with pytest.raises(AntawasiError, match="is not empty"):
        backup.restore(house, taken.data, taken.sealed)


def test_one_folder_or_the_house_itself_is_no_backup(house: Settings, tmp_path: Path):
    with pytest.raises(AntawasiError, match="two folders"):
        backup.backup(house, tmp_path / "disk", tmp_path / "disk")
    with pytest.raises(AntawasiError, match="in the house itself"):
        backup.backup(house, house.home / "copies", tmp_path / "safe")


def test_a_backup_with_another_key_than_the_lakes_is_refused(house: Settings, tmp_path: Path):
    files.write_json(house.vault / "x.json", {})
    (house.vault / "hmac.key").write_bytes(b"x" * 32)
    with pytest.raises(AntawasiError, match="another key"):
        backup.backup(house, tmp_path / "disk", tmp_path / "safe")


def test_what_killed_ones_left_is_removed_and_does_not_stand_in_the_way(house: Settings, tmp_path: Path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    left = f".tmp-{dead.stdout.strip()}-x"
    new = empty(tmp_path)
    for folder in (tmp_path / "safe" / left / "vault", new.home / left / "vault", new.home / ".restored" / "vault"):
        folder.mkdir(parents=True)
        (folder / "hmac.key").write_bytes(b"k" * 32)
    taken = backup.backup(house, tmp_path / "disk", tmp_path / "safe")
    backup.restore(new, taken.data, taken.sealed)
    assert zones(new.home) == zones(house.home)
    assert {p.name for p in (tmp_path / "safe").iterdir()} == {taken.sealed.name}
    assert {p.name for p in new.home.iterdir()} == {"landing", "ledger", "releases", "vault"}
