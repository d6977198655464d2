"""A new vault key, and everything that was keyed with the old one re-keyed: whole or not at all.

Landing holds the originals, so the house is ingested and built again under a new key in a folder of its own,
`rekeying/`, while the old one stays in use. When all is there and says the same, `ready.json` is written: from then on the
new zones take the old ones' places and the old key is destroyed. Killed before that mark, the house is the old one, and
the next rotation goes on where it stopped; killed after it, whatever takes the house's lock first completes it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipelines import contracts, files, house, lake, vault, warehouse
from pipelines.errors import AntawasiError
from pipelines.identity import KEY_LENGTH, Keyer
from pipelines.reporting import Reporter
from pipelines.settings import Settings
from pipelines.sources import SLUGS

#: Zones that take the old ones' places as whole folders; the warehouse goes file by file, so that analysts always find one.
_ZONES = ("vault", "lake", "ledger")
_OLD = "old"
_KEY_PATTERN = f"^[0-9a-f]{{{KEY_LENGTH}}}$"
_KEY = re.compile(rf"(?<![0-9a-f])[0-9a-f]{{{KEY_LENGTH}}}(?![0-9a-f])")
_PAIR = pl.Schema({"old": pl.String, "new": pl.String})

c = pl.col


@dataclasses.dataclass(frozen=True)
class Rotated:
    """`parties`: identities of the vault; `keys`: distinct keys of parties and documents that were replaced."""

    old_fingerprint: str
    new_fingerprint: str
    parties: int
    keys: int


def rotate(settings: Settings, reporter: Reporter) -> Rotated:
    """Make a new key and re-key the lake, the vault, the warehouse and the ledger of releases. Holds the house's lock.

    Raises:
        AntawasiError: there is work waiting, too little disk, or the re-keyed house does not say the same as the old one;
            the house is then as it was.
    """
    if not (settings.vault / vault.SECRET_NAME).exists():
        raise AntawasiError(f"There is no vault at {settings.vault}. What to do: nothing; the first run makes a key.")
    old = vault.open_keyer(settings.vault, settings.lake)
    _require_finished(settings)
    twin = settings.model_copy(update={"home": settings.home / vault.REKEYING})
    _require_space(settings, twin)
    twin.home.mkdir(mode=0o700, exist_ok=True)
    if not twin.landing.is_symlink():
        twin.landing.symlink_to(os.path.relpath(settings.landing, twin.home))
    with house.house_lock(twin):
        orchestra = house.Orchestra(twin, reporter)
        house.ingest_sources(twin, SLUGS, orchestra)
        if not warehouse.is_current(twin, warehouse.pin(twin.lake)):
            orchestra.build()
    new = vault.open_keyer(twin.vault, twin.lake)
    with _nobody_else(settings):
        _require_finished(settings)
        reporter.step("comparing the re-keyed house with the old one")
        pairs = _pairs(settings, twin, new)
        _require_same_figures(settings, twin)
        renamed = dict(pairs.iter_rows())
        _rekey_ledger(settings.ledger, twin.ledger, renamed, new)
        _rekey_audit(settings.vault, twin.vault, renamed)
        vault.audit(twin.vault, f"rotate from {old.fingerprint()} to {new.fingerprint()}", None)
        files.write_json(twin.home / vault.READY, {"from": old.fingerprint(), "to": new.fingerprint()}, mode=0o600)
        _swap(settings)
    parties = _identities(settings.vault)["party_key"].n_unique()
    return Rotated(old.fingerprint(), new.fingerprint(), parties, pairs.height)


def finish(settings: Settings) -> None:
    """Complete a rotation that was killed after its mark. Holds the house's lock."""
    if vault.is_half_rotated(settings.home):
        with _nobody_else(settings):
            _swap(settings)


@contextlib.contextmanager
def _nobody_else(settings: Settings) -> Iterator[None]:
    """Builds, releases, ingests and look-ups in the vault wait or are waited for, also those of Dagster's daemon."""
    locks = settings.home / "locks"
    with (
        files.lock(locks / "build.lock", "The build file", wait_s=600),
        files.lock(locks / "releases.lock", "The release folder", wait_s=600),
        files.lock(locks / vault.LOCK_NAME, "The vault (an ingest)", wait_s=600),
    ):
        yield


def _require_finished(settings: Settings) -> None:
    """What is compared must be whole: a lake under the present code, and the warehouse made of it."""
    plan = house.look(settings)
    if plan.to_ingest or plan.to_check or not warehouse.is_current(settings, warehouse.pin(settings.lake)):
        raise AntawasiError(
            "There is work waiting: before and after a new key could not be compared. What to do: `antawasi run`, "
            "then `antawasi vault rotate`."
        )


def _require_space(settings: Settings, twin: Settings) -> None:
    there = sum(_size(zone) for zone in (twin.lake, twin.vault, twin.warehouse))
    needed = sum(_size(zone) for zone in (settings.lake, settings.vault, settings.warehouse)) - there
    free = shutil.disk_usage(settings.home).free
    if free < needed * 1.2:
        raise AntawasiError(
            f"{free / 1e9:.1f} GB are free; the re-keyed zones stand beside the old ones for a while and need "
            f"{needed * 1.2 / 1e9:.1f} GB. What to do: free disk space and run again."
        )


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def _identities(zone: Path) -> pl.DataFrame:
    found = [pl.read_parquet(p) for p in sorted((zone / "identities").glob("*/*.parquet"))]
    return pl.concat([pl.DataFrame(schema=Keyer.SCHEMA), *found])


def _pairs(settings: Settings, twin: Settings, new: Keyer) -> pl.DataFrame:
    """(old, new) of every key in vault and lake.

    Raises:
        AntawasiError: a file was taken otherwise, a row differs in more than keys, or the pairs are not one to one: then
            somebody would be two under the new key, or two would be one.
    """
    before, after = _identities(settings.vault), _identities(twin.vault)
    named = ["identity_kind", "identity"]
    if not before.select(named).unique().sort(named).equals(after.select(named).unique().sort(named)):
        raise _differs("the vault knows other identities")
    known = before.select(*named, c("party_key").alias("old")).unique()
    pairs = [
        known.select("old", new.digest_all(known.select(pl.concat_str(named, separator=":")).to_series()).alias("new"))
    ]
    mine = {(r.source, r.sha256): r for r in lake.receipts(twin.lake)}
    for receipt in lake.receipts(settings.lake):
        theirs = mine.get((receipt.source, receipt.sha256))
        if theirs is None:  # by Dagster's daemon, while the twin was being built
            raise AntawasiError(
                f"{receipt.filename} was taken in meanwhile. What to do: `antawasi vault rotate` again; it goes on with it."
            )
        if _but_for_keys(theirs) != _but_for_keys(receipt):
            raise _differs(f"{receipt.filename} was taken otherwise")
        for table, rows in receipt.accepted.items():
            if receipt.status == "accepted" and rows:
                pairs.append(_pairs_of_file(settings, twin, table, receipt.sha256))
    every = pl.concat([pl.DataFrame(schema=_PAIR), *pairs]).unique()
    if not every.height == every["old"].n_unique() == every["new"].n_unique():
        raise _differs("old and new keys are not one to one")
    return every


def _but_for_keys(receipt: lake.Receipt) -> lake.Receipt:
    """A receipt without what follows from the key: the fingerprint, and the digests of lake files."""
    return dataclasses.replace(receipt, fingerprint="", lake_files=dict.fromkeys(receipt.lake_files, ""))


def _pairs_of_file(settings: Settings, twin: Settings, table: str, sha256: str) -> pl.DataFrame:
    """The same parser over the same file gives the same rows in the same order: only keys may differ."""
    before, after = (pl.read_parquet(lake.raw_path(s.lake, table, sha256)) for s in (settings, twin))
    keys = [column.name for column in contracts.contract(table).columns if column.pattern == _KEY_PATTERN]
    if not before.drop(keys).equals(after.drop(keys)):
        raise _differs(f"rows of {table} from {sha256[:12]} are others")
    columns = [pl.DataFrame({"old": before[k], "new": after[k]}, schema=_PAIR).unique() for k in keys]
    pairs = pl.concat([pl.DataFrame(schema=_PAIR), *columns])
    if pairs.filter(c("old").is_null() != c("new").is_null()).height:
        raise _differs(f"{table} from {sha256[:12]} lacks keys")
    return pairs.drop_nulls().unique()


def _require_same_figures(settings: Settings, twin: Settings) -> None:
    with warehouse.connect_in_memory(warehouse.spill_of(twin.analysts_db)) as connection:
        for name, zone in (("before", settings), ("after", twin)):
            path = str(zone.analysts_db.resolve()).replace("'", "''")
            connection.execute(f"ATTACH '{path}' AS {name} (READ_ONLY)")
        tables = connection.execute(
            "SELECT DISTINCT table_name FROM information_schema.tables WHERE table_schema = 'publish' ORDER BY ALL"
        ).fetchall()
        for (table,) in tables:
            ((differing,),) = connection.execute(
                f'SELECT count(*) FROM ((FROM before.publish."{table}" EXCEPT ALL FROM after.publish."{table}") '
                f'UNION ALL (FROM after.publish."{table}" EXCEPT ALL FROM before.publish."{table}"))'
            ).fetchall()
            if differing:
                raise _differs(f"{differing} rows of publish.{table} are others")


def _differs(what: str) -> AntawasiError:
    return AntawasiError(
        f"Under the new key {what}; nothing was replaced. What to do: keep the folder {vault.REKEYING}/ and report it; "
        "deleting it gives the rotation up."
    )


def _rekey_ledger(old: Path, new: Path, renamed: dict[str, str], keyer: Keyer) -> None:
    """Every release's folder with its contributions under the new keys; cells and digests hold none."""
    shutil.rmtree(new, ignore_errors=True)
    files.close_to_others(new)
    for release in sorted(p for p in old.iterdir() if p.is_dir()) if old.exists() else []:
        (new / release.name).mkdir()
        for path in sorted(release.iterdir()):
            target = new / release.name / path.name
            if path.name.startswith("contributions-"):
                rows = pl.read_parquet(path).with_columns(
                    c("^(holding|buyer|producer)_key$").map_elements(
                        lambda text: _rekey_text(text, renamed, keyer), return_dtype=pl.String
                    )
                )
                about = {k: v for k, v in pl.read_parquet_metadata(path).items() if k != "ARROW:schema"}
                with files.atomic_path(target, path.stat().st_mode & 0o777) as tmp:
                    rows.write_parquet(tmp, metadata=about)
            else:
                shutil.copy2(path, target)


def _rekey_text(text: str, renamed: dict[str, str], keyer: Keyer) -> str:
    """A lot's key holds its owner's. A key that nothing in the house gives any more stays one of its own, under the new secret."""
    return _KEY.sub(lambda found: renamed.get(found[0]) or keyer.digest("FORMER", found[0]), text)


def _rekey_audit(old: Path, new: Path, renamed: dict[str, str]) -> None:
    """Who asked for whom stays told. Somebody sought whom no source mentions has no new key: who he is, was never kept."""
    (new / vault.AUDIT_NAME).unlink(missing_ok=True)
    if (old / vault.AUDIT_NAME).exists():
        lines = [json.loads(line) for line in (old / vault.AUDIT_NAME).read_text(encoding="utf-8").splitlines()]
        with files.atomic_path(new / vault.AUDIT_NAME, 0o600) as tmp:
            tmp.write_text(
                "".join(json.dumps(line | {"party_key": renamed.get(line["party_key"])}) + "\n" for line in lines),
                encoding="utf-8",
            )


def _swap(settings: Settings) -> None:
    """Put the re-keyed zones in place and destroy what was keyed with the old key. Each step may have been done before."""
    work = settings.home / vault.REKEYING
    for zone in _ZONES:
        place, made = settings.home / zone, work / zone
        if made.exists():
            # Once the old zone is away, what stands in its place is a folder that a command has just made: an empty one.
            if place.exists() and not (work / _OLD / zone).exists():
                (work / _OLD).mkdir(mode=0o700, exist_ok=True)
                os.rename(place, work / _OLD / zone)
            os.rename(made, place)
    if (work / "warehouse").exists():
        _swap_warehouse(settings, work / "warehouse")
    for leftover in work.iterdir():
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover)
        elif leftover.name != vault.READY:
            leftover.unlink()
    (work / vault.READY).unlink()
    work.rmdir()


def _swap_warehouse(settings: Settings, made: Path) -> None:
    name = str((made / settings.analysts_db.name).readlink())
    if (made / name).exists():
        os.replace(made / name, settings.warehouse / name)
    files.swap_symlink(settings.analysts_db, name)
    for former in settings.warehouse.iterdir():
        is_ours = former.name in (name, settings.analysts_db.name, settings.build_db.name)
        # dbt's own folder and the old build's journal too: they are of the old build, and the next one makes its own
        if former.is_dir() and not former.is_symlink():
            shutil.rmtree(former)
        elif not is_ours and former.name != warehouse.BUILT_NAME:
            former.unlink()
    for part in (settings.build_db.name, warehouse.BUILT_NAME):
        if (made / part).exists():
            os.replace(made / part, settings.warehouse / part)
    shutil.rmtree(made)
