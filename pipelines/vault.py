"""The vault: the HMAC secret and the map from party key to identity. Mode 0700; nothing downstream reads it."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipelines import files
from pipelines.errors import VaultError
from pipelines.identity import Keyer, canonical, is_valid_ruc

SECRET_NAME = "hmac.key"
FINGERPRINT_NAME = "key_fingerprint"
AUDIT_NAME = "audit.jsonl"
LOCK_NAME = "vault.lock"
#: Folder in which a rotation of the key works, and its mark that the new zones are taking their places (`rotation.py`).
REKEYING, READY = "rekeying", "ready.json"


def is_half_rotated(home: Path) -> bool:
    """Whether a rotation of the key was killed while it put the new zones in place."""
    return (home / REKEYING / READY).exists()


def refuse_half_rotated(home: Path) -> None:
    """Nothing may read or write a house in which zones of the old and of the new key stand side by side.

    Raises:
        VaultError: a rotation of the key was killed while it put the new zones in place.
    """
    if is_half_rotated(home):
        raise VaultError(
            "A rotation of the vault's key was stopped while it put the re-keyed zones in place. "
            "What to do: run `antawasi run`; it completes the rotation first."
        )


@contextlib.contextmanager
def in_use(vault: Path) -> Iterator[None]:
    """Many may use the vault's key at once; a rotation of the key waits for them, and they for it."""
    with files.lock(vault.parent / "locks" / LOCK_NAME, "The vault (a rotation of its key)", wait_s=600, shared=True):
        refuse_half_rotated(vault.parent)
        yield


def open_keyer(vault: Path, lake: Path) -> Keyer:
    """The keyer under this house's secret, made on the first run.

    Raises:
        VaultError: the lake or the vault holds data but the secret is missing, or it is not the secret
            that the lake was written with. A new secret would silently split every party in two.
    """
    refuse_half_rotated(vault.parent)
    secret_path, stamp = vault / SECRET_NAME, lake / FINGERPRINT_NAME
    if not secret_path.exists():
        if _holds_data(lake) or _holds_data(vault):
            raise VaultError(
                f"{secret_path} is missing although the lake or the vault holds data. What to do: restore it from "
                "the backup; or, to start again from landing, move lake/, vault/ and warehouse/ away."
            )
        vault.mkdir(parents=True, exist_ok=True)
        os.chmod(vault, 0o700)
        with files.atomic_path(secret_path, 0o600) as tmp:
            tmp.write_bytes(secrets.token_bytes(32))
    if secret_path.stat().st_size != 32:
        raise VaultError(f"{secret_path} is damaged (expected 32 bytes). What to do: restore it from the backup.")
    keyer = Keyer(secret_path.read_bytes())
    if not stamp.exists():
        if _holds_data(lake):
            raise VaultError(
                f"{stamp} is missing although the lake holds data. What to do: restore it from the backup."
            )
        with files.atomic_path(stamp) as tmp:
            tmp.write_text(keyer.fingerprint() + "\n")
    if stamp.read_text().strip() != keyer.fingerprint():
        raise VaultError(
            f"{secret_path} is another key than the lake was written with. What to do: restore the right key, "
            "or move lake/ and warehouse/ away and run again from landing."
        )
    return keyer


def _holds_data(zone: Path) -> bool:
    return zone.exists() and any(
        p.suffix in (".parquet", ".json") for p in zone.rglob("*") if not p.name.startswith((".", "_empty"))
    )


def identities_path(vault: Path, source: str, sha256: str) -> Path:
    """Where the identities of one landing file are kept."""
    return vault / "identities" / source / f"{sha256}.parquet"


def write_identities(path: Path, identities: pl.DataFrame) -> None:
    """Replace one landing file's identities as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with files.atomic_path(path, 0o600) as tmp:
        identities.unique(maintain_order=True).sort("party_key").write_parquet(tmp)


def mentioned_parties(vault: Path, except_source: str) -> frozenset[str]:
    """Identities (`RUC:...`, `DNI:...`) that sources other than `except_source` mention: the taxpayer roll's scope.

    Identities and not keys, so that eighteen million lines need not be keyed to find a few thousand; they stay
    in memory and go nowhere.
    """
    frames = [
        pl.read_parquet(p, columns=["identity_kind", "identity"])
        for p in sorted((vault / "identities").glob("*/*.parquet"))
        if p.parent.name != except_source
    ]
    if not frames:
        return frozenset()
    everyone = pl.concat(frames).filter(pl.col("identity_kind").is_in(["RUC", "DNI"]))
    return frozenset(everyone.select(pl.concat_str("identity_kind", "identity", separator=":")).to_series().unique())


def reveal(vault: Path, party_key: str) -> list[dict[str, str | None]]:
    """Identities behind a key, as dicts of identity_kind, identity, name. Writes an audit line."""
    if not (vault / SECRET_NAME).exists():
        raise VaultError(f"There is no vault at {vault}. What to do: ask the officer who keeps it.")
    with in_use(vault):
        audit(vault, "reveal", party_key)
        rows = _rows(vault, party_key)
    return rows.select("identity_kind", "identity", "name").sort("identity_kind", "identity", "name").to_dicts()


def _rows(vault: Path, party_key: str) -> pl.DataFrame:
    found = [
        pl.scan_parquet(p).filter(pl.col("party_key") == party_key).collect()
        for p in sorted((vault / "identities").glob("*/*.parquet"))
    ]
    return pl.concat(found).unique(maintain_order=True) if found else pl.DataFrame(schema=Keyer.SCHEMA)


def audit(vault: Path, action: str, party_key: str | None) -> None:
    """Append who asked for which key and when to the vault's audit log (never the identity itself)."""
    from pipelines.landing import now_utc

    line = {"at": now_utc(), "user": getpass.getuser(), "action": action, "party_key": party_key}
    log = vault / AUDIT_NAME
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as handle:
        handle.write(json.dumps(line) + "\n")


def find(vault: Path, lake: Path, text: str) -> list[tuple[str, str, bool]]:
    """(kind, party key, whether any source mentions it) for a RUC, DNI, REINFO code or plate. Writes audit lines."""
    compact = text.strip().replace(" ", "")
    digits = compact.isascii() and compact.isdigit()
    if digits and len(compact) == 11 and not is_valid_ruc(compact):
        raise VaultError(
            f"{text!r} is not a RUC: its check digit or prefix is wrong. What to do: check for a typing error."
        )
    if digits and len(compact) == 11:
        kinds = ["RUC"]
    elif digits and len(compact) == 8:
        kinds = ["DNI", "REINFO"]
    else:
        kinds = ["REINFO", "PLATE"]
    if not (vault / SECRET_NAME).exists():
        raise VaultError(
            f"There is no vault at {vault}. What to do: run `antawasi run` first, on the machine that holds it."
        )
    found = []
    with in_use(vault):
        keyer = open_keyer(vault, lake)
        for kind in kinds:
            key = keyer.digest(*canonical(kind, compact))
            audit(vault, "find", key)
            found.append((canonical(kind, compact)[0], key, bool(_rows(vault, key).height)))
    known = [f for f in found if f[2]]
    return known or found
