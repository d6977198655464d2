"""No identity leaves the vault: not in the analysts' copy, nor in logs, Dagster's records and messages; and who may enter what."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
import zlib
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines import house as houses
from pipelines.checkup import findings
from pipelines.identity import company_name, fold_name
from pipelines.settings import Settings
from tests.conftest import antawasi

#: Shorter names are words that places, products and sentences have too.
LEAST_WORDS, MOST_WORDS = 3, 8


class Known:
    """What the vault of a house knows: numbers and marks of identities, and names that may not stay in the warehouse."""

    def __init__(self, vault: Path):
        paths = sorted((vault / "identities").glob("*/*.parquet"))
        people = pl.concat([pl.read_parquet(p) for p in paths]).unique()
        numbers = {i for k, i in people.select("identity_kind", "identity").iter_rows() if k not in ("NAME", "ACCOUNT")}
        numbers |= {
            i for k, i in people.select("identity_kind", "identity").iter_rows() if k == "ACCOUNT" and len(i) >= 8
        }
        self.numbers = {i for i in numbers if len(i) >= 6 and re.fullmatch("[0-9A-Z-]+", i)}
        dnis = people.filter(pl.col("identity_kind") == "DNI")["identity"]
        self.rucs_of_persons = {f"10{dni}" for dni in dnis}
        named = people.filter(pl.col("identity_kind") != "NAME").select("identity_kind", "identity", "name").iter_rows()
        folded = {
            fold_name(name) for kind, identity, name in named if name and company_name(kind, identity, name) is None
        }
        self.names = {n for n in folded if n.count(" ") + 1 >= LEAST_WORDS}
        self._first_words = {n.partition(" ")[0] for n in self.names}

    def told_in(self, text: str) -> set[str]:
        """Identities that stand in a text as words of their own, and names as runs of words."""
        if len(text) < 6:
            return set()
        marks = re.findall(r"[0-9A-Z]{2,}(?:-[0-9A-Z]+)*", text.upper())
        words = {w for mark in marks for w in (mark, *mark.split("-"), mark.replace("-", ""))}
        found = words & self.numbers
        found |= {w for w in words if len(w) == 11 and w[:10] in self.rucs_of_persons}
        runs = fold_name(text).split()
        for start in (i for i, word in enumerate(runs) if word in self._first_words):
            for end in range(start + LEAST_WORDS, min(start + MOST_WORDS, len(runs)) + 1):
                if (run := " ".join(runs[start:end])) in self.names:
                    found.add(run)
        return found


@pytest.fixture(scope="module")
def known(house):
    found = Known(house / "vault")
    assert len(found.numbers) > 500 and len(found.rucs_of_persons) > 200 and len(found.names) > 100
    return found


@pytest.fixture(scope="module")
def copied(house):
    with duckdb.connect(str((house / "warehouse" / "antawasi.duckdb").resolve()), read_only=True) as connection:
        yield connection


def columns_of(connection):
    return connection.execute(
        "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns ORDER BY ALL"
    ).fetchall()


def test_no_value_of_the_analysts_copy_tells_who_somebody_is(known, copied):
    """Every decoded value of every column; of a number its digits before the point, where a number of identity would stand."""
    looked, leaks = 0, []
    for schema, table, column, kind in columns_of(copied):
        if kind.startswith(("BOOLEAN", "DATE", "TIMESTAMP")):
            continue
        told = (
            f'"{column}"::VARCHAR'
            if kind in ("VARCHAR", "BLOB") or "[" in kind or "(" not in kind
            else f'trunc("{column}")::VARCHAR'
        )
        values = copied.execute(
            f'SELECT DISTINCT {told} FROM "{schema}"."{table}" WHERE "{column}" IS NOT NULL'
        ).fetchall()
        looked += len(values)
        is_number = kind not in ("VARCHAR", "BLOB") and "[" not in kind
        found = [v for (v,) in values if known.told_in(v.partition(".")[0] if is_number else v)]
        # an amount may have the digits of some DNI; a column of identities has little else
        if found and (not is_number or len(found) > max(2, len(values) // 100)):
            leaks.append((schema, table, column, len(found), len(values)))
    assert looked > 10_000
    assert leaks == []


def test_no_identity_stands_in_an_uncompressed_export(known, copied, tmp_path):
    for schema, table in sorted({(s, t) for s, t, _, _ in columns_of(copied)}):
        texts = [c for s, t, c, kind in columns_of(copied) if (s, t) == (schema, table) and kind == "VARCHAR"]
        if not texts:
            continue
        target = tmp_path / "export.csv"
        listed = ", ".join(f'"{c}"' for c in texts)
        copied.execute(
            f"COPY (SELECT DISTINCT {listed} FROM \"{schema}\".\"{table}\") TO '{target}' (DELIMITER '|', HEADER false)"
        )
        for line in target.read_text(encoding="utf-8").splitlines():
            assert not known.told_in(line), (schema, table)


def test_logs_records_and_pages_hold_no_identity(known, house):
    folders = (
        "dagster",
        "logs",
        "reports",
        "locks",
        "ledger",
        "warehouse/dbt",
        "lake/receipts",
        "lake/checks",
        "releases",
    )
    paths = (p for f in folders for p in sorted((house / f).rglob("*")) if p.is_file())
    seen: dict[str, Path] = {}
    for path in (p for p in paths if p.suffix not in (".parquet", ".xlsx", ".duckdb", ".msgpack")):
        for text in texts(path):
            seen.setdefault(text, path)
    assert len(seen) > 1000
    assert not [path for text, path in seen.items() if known.told_in(text)]
    for path in [*(house / "ledger").rglob("*.parquet"), *(house / "lake").rglob("*.parquet")]:
        for column in pl.read_parquet(path).select(pl.col(pl.String).exclude("_landing_sha256")):
            assert not [v for v in column.drop_nulls().unique() if known.told_in(v)], (path, column.name)


def texts(path):
    """The texts of a file: rows of Dagster's SQLite files, unpacked where they are packed; lines of any other."""
    if path.read_bytes()[:6] != b"SQLite":
        yield from path.read_text(encoding="utf-8", errors="replace").splitlines()
        return
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    if isinstance(value, bytes):
                        value = zlib.decompress(value) if value[:1] == b"\x78" else value
                        value = value.decode("utf-8", "replace")
                    if isinstance(value, str):
                        yield value


def test_the_scan_would_see_them(known):
    number, name = next(iter(known.numbers)), next(iter(known.names))
    assert known.told_in(f"x {number}, y") == {number}
    assert known.told_in(f"Sr. {name.title()}, presente") == {name}
    dni = next(iter(known.rucs_of_persons))
    assert known.told_in(f"RUC {dni}7.")


def test_a_bad_row_tells_no_identity_on_the_screen_nor_in_the_log(known, house, tmp_path):
    """Partners' files with identities of this house in rows that are all bad: of another width, and shifted by a column."""
    home, tried = tmp_path / "home", 0
    for good in sorted((house / "simulated").rglob("files/partner_*/**/*.csv")):
        head, *rows = good.read_text(encoding="utf-8-sig").splitlines()
        if not any(known.told_in(row) for row in rows) or tried == 4:
            continue
        tried += 1
        bad = [row + ",1,2" if i % 2 else row.partition(",")[2] + "," for i, row in enumerate(rows[:40])]
        folder = home / "inbox" / good.relative_to(next((house / "simulated").glob("*/files"))).parts[0]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / good.name).write_text("\n".join([head, *bad]) + "\n", encoding="utf-8-sig")
        (folder / "origin.yaml").write_text("source_as_of: 2026-06-30\n")
    assert tried
    done = antawasi("ingest", home=home, check=False)
    assert "refused" in done.stdout, done.stdout + done.stderr
    told = [done.stdout, done.stderr]
    outside = [p for p in home.rglob("*") if p.is_file() and not {"landing", "inbox", "vault"} & {*p.parts}]
    for path in outside:
        told += texts(path) if path.suffix != ".parquet" else map(str, pl.read_parquet(path).rows())
    assert not [found for text in told if (found := known.told_in(text))]


# --- who may enter ------------------------------------------------------------------------------------------------------


def test_every_closed_zone_is_closed_whatever_the_umask(tmp_path):
    settings = Settings(home=tmp_path / "home")
    (tmp_path / "home" / "lake").mkdir(parents=True)
    old = os.umask(0)
    try:
        os.chmod(settings.lake, 0o777)
        with houses.house_lock(settings):
            pass
        houses.prepare_dagster_home(settings)
    finally:
        os.umask(old)
    for zone in settings.closed:
        assert stat.S_IMODE(zone.stat().st_mode) == 0o700, zone
    assert not [f for f in findings(settings) if f.ok is False and "others may enter" in f.what]
    settings.vault.chmod(0o750)
    (told,) = [f for f in findings(settings) if f.ok is False and "others may enter" in f.what]
    assert str(settings.vault) in told.what and "chmod 700" in told.remedy


def test_a_built_house_is_closed_and_its_copy_and_release_are_open(house):
    settings = Settings(home=house)
    for zone in settings.closed:
        assert stat.S_IMODE(zone.stat().st_mode) == 0o700, zone
    for path in [p for p in settings.vault.rglob("*") if p.is_file()]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(settings.analysts_db.stat().st_mode) & 0o044 == 0o044
    assert all(p.stat().st_mode & 0o444 == 0o444 for p in (settings.releases / "latest").rglob("*"))


@pytest.mark.system  # only root may become another user
def test_another_user_reads_nothing_of_the_closed_zones(tmp_path):
    settings = Settings(home=tmp_path / "home")
    with houses.house_lock(settings):
        for zone in settings.closed:
            (zone / "x").write_text("secret")
            os.chmod(zone / "x", 0o666)
    for folder in [settings.home, *[p for p in settings.home.parents if p.is_relative_to(tmp_path.parents[1])]]:
        folder.chmod(folder.stat().st_mode | 0o011)
    program = "import os, sys\nos.setgid(65534); os.setuid(65534)\nfor p in sys.argv[1:]:\n try: open(p).read(); print(p)\n except PermissionError: pass"
    read = subprocess.run(
        [sys.executable, "-c", program, *(str(zone / "x") for zone in settings.closed)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert read.stdout == ""
