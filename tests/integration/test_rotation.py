"""A new key for the vault: nothing keyed with the old one is left, nothing published changes, a kill anywhere is mended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines import files, lake, rotation, vault, warehouse
from pipelines.errors import AntawasiError, VaultError
from pipelines.identity import Keyer
from pipelines.publish import past, release
from pipelines.reporting import Reporter
from pipelines.settings import PROJECT_ROOT, Settings
from tests.conftest import antawasi

# The whole sample is built twice and killed in between: minutes of work.
pytestmark = pytest.mark.faults
ZONES = ("vault", "lake", "ledger", "warehouse")

#: Runs the command line and dies by SIGKILL at one moment: before or after something takes its place under a name that
#: holds `where`, after the first rows are written to a lake file, or while dbt is filling the build file.
PROGRAM = """
import os, signal, subprocess, sys, threading, time
from pathlib import Path
from pipelines import cli, lake
from pipelines.settings import get_settings
moment, where = sys.argv[1:3]
sys.argv = ["antawasi", *sys.argv[3:]]
home = get_settings().home

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def around(name):
    plain = getattr(os, name)
    def wrapped(source, target, *rest, **named):
        hit = Path(target).is_relative_to(home) and where in str(Path(target).relative_to(home))
        if moment == "before" and hit:
            die()
        plain(source, target, *rest, **named)
        if moment == "after" and hit:
            die()
    setattr(os, name, wrapped)

for name in ("replace", "rename"):
    around(name)

if moment == "writing":
    plain_write = lake.TableWriter.write
    def write(self, frame):
        plain_write(self, frame)
        die()
    lake.TableWriter.write = write
if moment == "dbt":
    plain_popen = subprocess.Popen
    class Watched(plain_popen):
        def __init__(self, args, *rest, **named):
            super().__init__(args, *rest, **named)
            if "build" in list(args):
                threading.Thread(target=self.kill_us_when_it_writes, daemon=True).start()
        def kill_us_when_it_writes(self):
            wal = Path(os.environ["ANTAWASI_BUILD_DB"] + ".wal")
            while not wal.exists():
                time.sleep(0.01)
            time.sleep(0.5)
            die()
    subprocess.Popen = Watched
cli.main()
"""


def texts(home: Path) -> set[str]:
    """Every text of the zones, decoded: columns of Parquet files and of databases, lines of all else."""
    found: set[str] = set()
    for path in (p for zone in ZONES for p in sorted((home / zone).rglob("*")) if p.is_file()):
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path)
            for name in (n for n, kind in frame.schema.items() if kind == pl.String):
                found.update(frame[name].drop_nulls().unique())
        elif path.suffix == ".duckdb":
            found |= database_texts(path)
        elif path.name != "hmac.key":
            found.update(path.read_bytes().decode("utf-8", "replace").split('"'))
    return found


def database_texts(path: Path) -> set[str]:
    found: set[str] = set()
    with duckdb.connect(str(path), read_only=True) as connection:
        columns = connection.execute(
            "SELECT c.schema_name, c.table_name, c.column_name FROM duckdb_columns() AS c JOIN duckdb_tables() AS t "
            "USING (database_name, schema_name, table_name) WHERE c.data_type = 'VARCHAR' AND NOT c.internal"
        ).fetchall()
        for schema, table, column in columns:
            found.update(
                text for (text,) in connection.execute(f'SELECT DISTINCT "{column}" FROM "{schema}"."{table}"').fetchall()
                if text is not None
            )  # fmt: skip
    return found


def old_keys(home: Path) -> set[str]:
    """Keys of parties and documents: of the vault, and every key column of the lake."""
    identities = pl.concat([pl.read_parquet(p) for p in (home / "vault" / "identities").glob("*/*.parquet")])
    found = set(identities["party_key"])
    for path in (home / "lake" / "raw").glob("*/*.parquet"):
        frame = pl.read_parquet(path)
        for name in (n for n in frame.columns if n.endswith("_key")):
            found.update(frame[name].drop_nulls().unique())
    return found


def figures(home: Path) -> dict[str, list[tuple]]:
    with duckdb.connect(str((home / "warehouse" / "antawasi.duckdb").resolve()), read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'publish' ORDER BY ALL"
        ).fetchall()
        return {t: connection.execute(f'FROM publish."{t}" ORDER BY ALL').fetchall() for (t,) in tables}


def releases(home: Path) -> dict[str, str]:
    return {str(p.relative_to(home)): files.sha256_file(p) for p in (home / "releases").rglob("*") if p.is_file()}


def contributions(home: Path, version: str) -> list[tuple]:
    """What a release was made of without the keys: how many parties stand behind each place and month, and their sums."""
    told = []
    for product, rows in sorted(past.read(home / "ledger", version).contributions.items()):
        keys = [key for key in rows.columns if key.endswith("_key")]
        sums = rows.group_by(pl.exclude(*keys)).agg(pl.col(keys).n_unique(), pl.len()).sort(pl.all())
        told.append((product, rows[keys].n_unique(), sums.rows()))
    return told


@pytest.fixture(scope="module")
def rotated(house: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(as it was, after a rotation that was killed again and again) of a whole house."""
    folder = tmp_path_factory.mktemp("rotated")
    home, before = folder / "home", folder / "before"
    shutil.copytree(house, home, symlinks=True)
    antawasi("run", home=home)
    (party, *_) = sorted(old_keys(home) & set(pl.read_parquet(identities_of(home))["party_key"]))
    antawasi("identity", "reveal", party, home=home)
    antawasi("identity", "find", "20100000009", home=home, check=False)
    shutil.copytree(home, before, symlinks=True)
    killed_before_the_mark = [
        ("writing", ""), ("before", "rekeying/lake/receipts/sunat_documents"), ("dbt", ""), ("before", "rekeying/ready.json"),
    ]  # fmt: skip
    for moment, where in killed_before_the_mark:
        kill(home, moment, where, "vault", "rotate")
        assert fingerprint(home) == fingerprint(before), "the old house stands until all is there"
        assert figures(home) == figures(before)
    kill(home, "after", "rekeying/ready.json", "vault", "rotate")
    for moment, where in [("before", "vault"), ("after", "rekeying/old/vault"), ("after", "vault"), ("before", "lake"),
                          ("after", "rekeying/old/lake"), ("after", "ledger"), ("after", "warehouse/antawasi.duckdb"),
                          ("before", "warehouse/build.json")]:  # fmt: skip
        half = Settings(home=home)
        with pytest.raises(VaultError, match="antawasi run"):
            vault.open_keyer(half.vault, half.lake)
        with pytest.raises(VaultError, match="antawasi run"):
            warehouse.pin(half.lake)
        with pytest.raises(VaultError, match="antawasi run"):
            release.publish(half)
        assert figures(home) == figures(before), "analysts find the same figures at every moment"
        kill(home, moment, where, "run")
    new = files.read_json(home / vault.REKEYING / vault.READY)["to"]
    assert "is complete" in antawasi("vault", "rotate", home=home).stdout
    assert fingerprint(home) == new, "completed, not begun once more"
    antawasi("run", home=home)
    return before, home


def identities_of(home: Path) -> Path:
    return next((home / "vault" / "identities" / "sunat_documents").glob("*.parquet"))


def fingerprint(home: Path) -> str:
    stamp = (home / "lake" / vault.FINGERPRINT_NAME).read_text().strip()
    assert Keyer((home / "vault" / vault.SECRET_NAME).read_bytes()).fingerprint() == stamp
    return stamp


def kill(home: Path, moment: str, where: str, *arguments: str) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", PROGRAM, moment, where, *arguments],
        cwd=PROJECT_ROOT,
        env=os.environ | {"ANTAWASI_HOME": str(home), "ANTAWASI_WORKERS": "1", "ANTAWASI_COLUMN_LINEAGE": "false"},
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, (moment, where, killed.stderr)


def test_no_old_key_is_left_and_the_new_ones_are_as_many(rotated):
    before, home = rotated
    gone = old_keys(before)
    assert len(gone) > 4000 and len(old_keys(home)) == len(gone)
    left = texts(home)
    assert not gone & left
    assert not {key for key in gone if any(key in text for text in left if len(text) > 32)}, "within a longer key"
    assert (before / "vault" / "hmac.key").read_bytes() != (home / "vault" / "hmac.key").read_bytes()
    assert fingerprint(home) != fingerprint(before)
    assert not (home / vault.REKEYING).exists()


def test_the_scan_would_find_them(rotated):
    before, _ = rotated
    assert len(old_keys(before) & texts(before)) == len(old_keys(before))


def test_every_party_is_who_it_was_and_one_alone(rotated):
    before, home = rotated
    keyer = Keyer((home / "vault" / "hmac.key").read_bytes())
    for path in sorted((before / "vault" / "identities").glob("*/*.parquet")):
        old, new = pl.read_parquet(path), pl.read_parquet(home / path.relative_to(before))
        named = ["identity_kind", "identity", "name"]
        assert new.select(named).sort(named).equals(old.select(named).sort(named))
        assert all(keyer.digest(kind, value) == key for key, kind, value, _ in new.iter_rows())


def test_what_is_published_is_the_same_to_the_byte_and_no_release_is_due(rotated):
    before, home = rotated
    assert figures(home) == figures(before)
    assert releases(home) == releases(before)
    assert "Nothing new" in antawasi("run", home=home).stdout


def test_what_releases_were_made_of_follows(rotated):
    before, home = rotated
    versions = release.versions(before / "releases")
    assert any(rows for v in versions for _, _, rows in contributions(before, v))
    for version in versions:
        assert contributions(home, version) == contributions(before, version)
        assert past.read(home / "ledger", version).ledger.equals(past.read(before / "ledger", version).ledger)
    known = old_keys(home)
    held = past.read(home / "ledger", versions[-1]).contributions.values()
    keys = {key for rows in held for key in rows["holding_key"].drop_nulls() if len(key) == 32}
    assert keys <= known, "the next release recognises its parties"


def test_who_asked_for_whom_stays_told(rotated):
    before, home = rotated
    old, new = ([json.loads(line) for line in (h / "vault" / "audit.jsonl").read_text().splitlines()] for h in rotated)
    assert [(line["at"], line["action"]) for line in new[: len(old)]] == [(line["at"], line["action"]) for line in old]
    revealed, sought = ([line["action"] for line in old].index(action) for action in ("reveal", "find"))
    told = [
        antawasi("identity", "reveal", at["party_key"], home=h).stdout
        for h, at in ((before, old[revealed]), (home, new[revealed]))
    ]
    assert told[0] == told[1]
    assert new[sought]["party_key"] is None, "sought, and mentioned by no source: nobody knows who it was"
    assert "rotate" in new[len(old)]["action"] and fingerprint(home) in new[len(old)]["action"]
    assert (home / "vault" / "audit.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_house_with_work_waiting_is_not_rotated(rotated, tmp_path):
    _, home = rotated
    copy = tmp_path / "home"
    shutil.copytree(home, copy, symlinks=True)
    settings = Settings(home=copy)
    receipt = lake.receipts(settings.lake)[0]
    lake.receipt_path(settings.lake, receipt.source, receipt.sha256).unlink()
    with pytest.raises(AntawasiError, match="work waiting"):
        rotation.rotate(settings, Reporter())
    assert fingerprint(copy) == fingerprint(home) and not (copy / vault.REKEYING).exists()
