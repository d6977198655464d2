"""Backups and their way back. What cannot be made again is kept: landing and releases, and apart from them vault and ledger.

`DATA/<id>/` holds `landing/` and `releases/`, `VAULT/<id>/` holds `vault/` and `ledger/`; each has a `SHA256SUMS` that
`sha256sum -c` understands, and `VAULT/<id>/backup.json` names the data folder that it belongs to by the digest of its
`SHA256SUMS`. A file that the backup before holds already is a second name of the same bytes, so the copies of landing
cost the space of one, and any of them may be deleted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines import files, vault
from pipelines.errors import AntawasiError
from pipelines.landing import now_utc
from pipelines.publish import release
from pipelines.settings import Settings

SUMS, CARD = "SHA256SUMS", "backup.json"
LAST = "last_backup.json"
_DATA, _SEALED = ("landing", "releases"), ("vault", "ledger")
_STAMP = "%Y-%m-%dT%H%M%SZ"


@dataclasses.dataclass(frozen=True)
class Backup:
    """Where a backup stands. `linked` files were in the backup before; `bytes` are those that were copied."""

    data: Path
    sealed: Path
    files: int
    linked: int
    bytes: int


def backup(settings: Settings, data: Path, sealed: Path) -> Backup:
    """Copy the house to two folders and read every copy back. Holds the house's lock.

    Args:
        data: for landing and releases. sealed: for vault and ledger; kept on another medium, by another person.

    Raises:
        AntawasiError: there is no vault, the two folders are one or stand in the house, or a copy differs.
    """
    if not (settings.vault / vault.SECRET_NAME).exists():
        raise AntawasiError(
            f"There is no vault at {settings.vault}, so nothing to back up. What to do: `antawasi run`."
        )
    if data.resolve() == sealed.resolve():
        raise AntawasiError("Data and vault must not lie together. What to do: give two folders, on two media.")
    for folder in (data, sealed):
        if folder.resolve().is_relative_to(settings.home.resolve()):
            raise AntawasiError(f"{folder} is in the house itself. What to do: give a folder on another disk.")
    for folder in (data, sealed):
        files.sweep_temporaries(folder)  # what a killed backup left holds a key, too
    with _at_rest(settings):
        keyer = vault.open_keyer(settings.vault, settings.lake)
        name = dt.datetime.fromisoformat(now_utc()).strftime(_STAMP)
        counts = [_write(settings.home, data / name, _DATA, {})]
        card = {"id": name, "data": files.sha256_file(data / name / SUMS), "key": keyer.fingerprint()}
        counts.append(_write(settings.home, sealed / name, _SEALED, card))
    files.write_json(
        settings.home / LAST,
        {"id": name, "made_at": now_utc(), "data": str(data.resolve()), "vault": str(sealed.resolve())},
    )
    return Backup(data / name, sealed / name, *(sum(numbers) for numbers in zip(*counts, strict=True)))


@contextlib.contextmanager
def _at_rest(settings: Settings) -> Iterator[None]:
    """No release and no ingest in between: ledger and releases, vault and landing must be of one moment."""
    locks = settings.home / "locks"
    with (
        files.lock(locks / "releases.lock", "The release folder", wait_s=600),
        files.lock(locks / vault.LOCK_NAME, "The vault (an ingest)", wait_s=600),
    ):
        yield


def _write(home: Path, target: Path, zones: Sequence[str], card: dict[str, str]) -> tuple[int, int, int]:
    """Copy zones of the house to a new backup; (files, linked files, bytes copied)."""
    before = _newest(target.parent)
    known = _sums(before) if before else {}
    linked, copied, sums = 0, 0, {}
    with files.atomic_dir(target) as tmp:
        os.chmod(tmp, 0o700)
        for path in _files(home, zones):
            name = path.relative_to(home).as_posix()
            digest, copy = files.sha256_file(path), tmp / name
            copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if before and known.get(name) == digest and _link(before / name, copy, digest):
                linked += 1
            else:
                shutil.copy2(path, copy)
                copied += copy.stat().st_size
                if files.sha256_file(copy) != digest:
                    raise AntawasiError(f"{copy} differs from {path}. What to do: check the disk, then back up again.")
            sums[name] = digest
        if card:
            files.write_json(tmp / CARD, card)
            sums[CARD] = files.sha256_file(tmp / CARD)
        (tmp / SUMS).write_text("".join(f"{d}  {n}\n" for n, d in sorted(sums.items())), encoding="utf-8")
    return len(sums), linked, copied


def _files(home: Path, zones: Sequence[str]) -> Iterator[Path]:
    """Regular files of the zones, none that is half-written or only remembers where a drop folder was."""
    for zone in zones:
        for path in sorted((home / zone).rglob("*")):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(home).parts):
                yield path


def _link(held: Path, copy: Path, digest: str) -> bool:
    """A second name for the bytes of the backup before, if they are still what they were and the disk can do it."""
    if not held.is_file() or files.sha256_file(held) != digest:
        return False
    try:
        os.link(held, copy)
    except OSError:
        return False
    return True


def _newest(folder: Path) -> Path | None:
    """The last backup that is whole."""
    found = max(folder.glob(f"*Z/{SUMS}"), default=None)
    return found.parent if found else None


def _sums(folder: Path) -> dict[str, str]:
    if not (folder / SUMS).is_file():
        raise AntawasiError(
            f"{folder} is no backup: it has no {SUMS}. What to do: name one dated folder, such as 2026-11-25T170000Z."
        )
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def restore(settings: Settings, data: Path, sealed: Path) -> None:
    """Bring a backup into an empty house; `antawasi run` then makes lake and warehouse again. Holds the house's lock.

    Raises:
        AntawasiError: the house is not empty, the two folders are not of one backup, or a file is missing, changed or
            one too many. Nothing is in place then.
    """
    occupied = [z for z in (*_DATA, *_SEALED, "lake", "warehouse") if any((settings.home / z).rglob("*"))]
    if occupied:
        raise AntawasiError(
            f"{settings.home} is not empty ({', '.join(occupied)}). What to do: restore into an empty folder "
            "(ANTAWASI_HOME), or move these away first."
        )
    _require_pair(data, sealed)
    files.sweep_temporaries(settings.home)
    shutil.rmtree(settings.home / ".restored", ignore_errors=True)  # whole, but nothing of it was in place yet
    with files.atomic_dir(settings.home / ".restored") as tmp:
        for part, zones in ((data, _DATA), (sealed, _SEALED)):
            for zone in zones:
                if (part / zone).exists():
                    shutil.copytree(part / zone, tmp / zone)
            _verify(part, tmp, zones)
        _set_modes(tmp)
    for zone in sorted((settings.home / ".restored").iterdir()):
        os.rename(zone, settings.home / zone.name)  # an empty folder of that name gives way
    (settings.home / ".restored").rmdir()
    known = release.versions(settings.releases)
    if known:
        files.swap_symlink(settings.releases / release.LATEST, known[-1])


def _require_pair(data: Path, sealed: Path) -> None:
    _sums(data), _sums(sealed)
    card = files.read_json(sealed / CARD) if (sealed / CARD).exists() else {}
    if card.get("data") != files.sha256_file(data / SUMS):
        raise AntawasiError(
            f"{data} and {sealed} are not of one backup. What to do: give the two folders of the same name; vault and ledger must be "
            "as old as landing and releases."
        )


def _verify(part: Path, copied: Path, zones: Sequence[str]) -> None:
    sums = {name: digest for name, digest in _sums(part).items() if name != CARD}
    found = {p.relative_to(copied).as_posix() for zone in zones for p in (copied / zone).rglob("*") if p.is_file()}
    for name in sorted(sums.keys() | found):
        if name not in found or name not in sums or files.sha256_file(copied / name) != sums[name]:
            what = "is missing" if name not in found else "is not listed" if name not in sums else "was changed"
            raise AntawasiError(f"{part / name} {what}. What to do: restore another backup; this one is damaged.")


def _set_modes(home: Path) -> None:
    """As the house makes them: only releases are for others; within a closed zone the vault is closed at every level."""
    for folder in (p for p in home.rglob("*") if p.is_dir()):
        zone, *inner = folder.relative_to(home).parts
        os.chmod(folder, 0o755 if zone == "releases" or (inner and zone != "vault") else 0o700)
