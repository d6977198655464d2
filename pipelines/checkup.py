"""`antawasi doctor`: what a working installation needs, and how to mend what is missing."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import fcntl
import importlib.metadata
import os
import resource
import shutil
import stat
import sys
import zoneinfo
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import files
from pipelines.contracts import CONTRACTS_DIR
from pipelines.errors import AntawasiError
from pipelines.settings import DBT_DIR, Settings

if TYPE_CHECKING:
    import dagster as dg

_MIN_FREE_BYTES = 2 << 30
_MIN_OPEN_FILES = 256
#: Backups are weekly; one day of grace.
_MAX_BACKUP_AGE_DAYS = 8
#: How far files may seem to come from the future before the clock is what is wrong.
_CLOCK_GRACE = dt.timedelta(minutes=5)
_PACKAGES = ("dagster", "dagster-dbt", "dbt-core", "dbt-duckdb", "duckdb", "polars", "pyarrow", "great-expectations")


@dataclasses.dataclass(frozen=True)
class Finding:
    """`ok` is None for something worth knowing that is no fault."""

    ok: bool | None
    what: str
    remedy: str = ""


def findings(settings: Settings) -> list[Finding]:
    """Every check, in the order in which a person would mend them. A check that itself fails is a finding."""
    checks: tuple[Callable[[Settings], Iterable[Finding]], ...] = (
        _installation, _home, _disk, _open_files, _clock, _locks, _closed, _vault, _ledger, _backup, _warehouse, _team, _notices,
    )  # fmt: skip
    return [finding for check in checks for finding in _tried(check, settings)]


def _tried(check: Callable[[Settings], Iterable[Finding]], settings: Settings) -> list[Finding]:
    try:
        return list(check(settings))
    except Exception as error:  # whatever it is, the other checks still have something to say
        about = check.__name__.strip("_").replace("_", " ")
        return [Finding(False, f"{about}: {error}", "mend what it names, then run `antawasi doctor` again")]


def _installation(_: Settings) -> Iterable[Finding]:
    from pipelines import dbt_docs

    version = ".".join(map(str, sys.version_info[:3]))
    is_recent = sys.version_info >= (3, 11)
    yield Finding(is_recent, f"Python {version}", "" if is_recent else "install Python 3.11 or later")
    for name in _PACKAGES:
        try:
            yield Finding(True, f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            yield Finding(False, f"{name} is missing", "run `make setup`")
    found = shutil.which(dbt_docs.executable())
    yield Finding(bool(found), f"dbt command: {found or 'not found'}", "" if found else "run `make setup`")
    missing = [p.name for p in (CONTRACTS_DIR, DBT_DIR) if not p.is_dir()]
    yield Finding(
        not missing,
        "project folders" if not missing else f"missing: {', '.join(missing)}",
        "run from a complete checkout" if missing else "",
    )


def _home(settings: Settings) -> Iterable[Finding]:
    home = settings.home
    parent = home if home.exists() else home.parent
    writable = parent.exists() and os.access(parent, os.W_OK)
    yield Finding(
        writable, f"data home {home}", "" if writable else "give write access, or set ANTAWASI_HOME to another folder"
    )


def _disk(settings: Settings) -> Iterable[Finding]:
    """A build writes a second build's worth of tables and a new copy beside the kept ones."""
    existing = next(p for p in (settings.home, *settings.home.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    next_build = sum(p.stat().st_size for p in (settings.build_db, settings.analysts_db) if p.exists())
    needed = _MIN_FREE_BYTES + next_build
    yield Finding(
        free >= needed,
        f"{free / (1 << 30):.1f} GiB free on the data home's disk; the next build needs up to {needed / (1 << 30):.1f}",
        "" if free >= needed else f"free at least {(needed - free) / (1 << 30):.1f} GiB more",
    )


def _open_files(_: Settings) -> Iterable[Finding]:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_ample = soft == resource.RLIM_INFINITY or soft >= _MIN_OPEN_FILES
    yield Finding(
        is_ample, f"{soft} open files allowed", "" if is_ample else "`ulimit -n 1024`, or LimitNOFILE= in the unit file"
    )


def _clock(settings: Settings) -> Iterable[Finding]:
    """Files that landed in the future: the clock was wrong then or is wrong now."""
    from pipelines import landing

    now = dt.datetime.fromisoformat(landing.now_utc())
    latest = max((c.landed_at for c in landing.cards(settings.landing)), default=None)
    is_right = latest is None or dt.datetime.fromisoformat(latest) <= now + _CLOCK_GRACE
    yield Finding(
        is_right,
        f"clock: {now:%Y-%m-%d %H:%M} UTC" + ("" if is_right else f", but a file landed at {latest[:16]} UTC"),
        "" if is_right else "set the clock (`timedatectl set-ntp true`)",
    )
    try:
        zoneinfo.ZoneInfo("America/Lima")
    except zoneinfo.ZoneInfoNotFoundError:
        yield Finding(False, "time zone America/Lima is not known here", "install the package tzdata")


def _locks(settings: Settings) -> Iterable[Finding]:
    """The kernel frees a killed holder's lock; what it leaves is told, as the next run is what mends it."""
    for path in sorted((settings.home / "locks").glob("*.lock")):
        holder = path.read_text(encoding="utf-8").strip()
        if _is_held(path):
            yield Finding(None, f"{path.name}: held by {holder or 'another process'}; wait for it to end")
        elif holder:
            yield Finding(
                None, f"{path.name}: {holder} was killed", "run `antawasi run`; it goes on where that one stopped"
            )
    left = [p for zone in settings.swept for p in zone.rglob(f"{files.TMP_PREFIX}*") if files.is_abandoned(p)]
    if left:
        yield Finding(None, f"{len(left)} half-written files of killed runs", "run `antawasi run`; it removes them")


def _is_held(path: Path) -> bool:
    with open(path, encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _closed(settings: Settings) -> Iterable[Finding]:
    opened = [str(zone) for zone in settings.closed if zone.exists() and files.is_open_to_others(zone)]
    if opened:
        yield Finding(False, f"others may enter {', '.join(opened)}", f"chmod 700 {' '.join(opened)}")
    else:
        yield Finding(True, "landing, lake, vault, ledger and records are closed to other users")


def _vault(settings: Settings) -> Iterable[Finding]:
    from pipelines import vault

    if vault.is_half_rotated(settings.home):
        yield Finding(
            False, "a rotation of the key was stopped while it swapped", "run `antawasi run`; it completes it"
        )
        return
    if (settings.home / vault.REKEYING).exists():
        yield Finding(
            None,
            "a rotation of the key was begun",
            f"run `antawasi vault rotate` to go on, or delete {settings.home / vault.REKEYING} to give it up",
        )
    if not settings.vault.exists():
        yield Finding(None, "no vault yet; the first ingest makes one. Keep a backup of it apart from the data")
        return
    # Files behind a closed folder are safe; a copy of it made without its modes may not be.
    if loose := [p for p in settings.vault.rglob("*") if p.is_file() and stat.S_IMODE(p.stat().st_mode) & 0o077]:
        yield Finding(None, f"{len(loose)} files in the vault can be read by others", f"chmod -R go= {settings.vault}")
    try:
        vault.open_keyer(settings.vault, settings.lake)
    except AntawasiError as error:
        yield Finding(False, "the vault's key", str(error))
    else:
        yield Finding(True, "vault: its key is the one that the lake was written with")


def _ledger(settings: Settings) -> Iterable[Finding]:
    """Whether the next release can be published: what the last one left, and that it is as it was published."""
    from pipelines.publish import past, release

    known = release.versions(settings.releases)
    if not known:
        return
    try:
        past.read(settings.ledger, known[-1])
        release.verify(settings.releases / known[-1])
    except AntawasiError as error:
        yield Finding(False, f"release {known[-1]}", str(error))
        return
    yield Finding(True, f"release {known[-1]}: as published, and the ledger knows what it hid")
    if not release.is_latest(settings.releases, known[-1]):
        yield Finding(None, "the link `latest` is not at the last release", "run `antawasi run`")


def _backup(settings: Settings) -> Iterable[Finding]:
    from pipelines import backup

    if not settings.vault.exists():
        return
    path = settings.home / backup.LAST
    if not path.exists():
        yield Finding(None, "no backup was made of this house", "run `antawasi backup DATA VAULT`, weekly by a timer")
        return
    last = files.read_json(path)
    age = (dt.datetime.now(dt.UTC).replace(tzinfo=None) - dt.datetime.fromisoformat(last["made_at"])).days
    is_recent = age <= _MAX_BACKUP_AGE_DAYS
    yield Finding(
        is_recent,
        f"last backup {last['id']}, {age} days ago, to {last['data']} and {last['vault']}",
        ""
        if is_recent
        else "run `antawasi backup` and look at why its timer did not (`systemctl status antawasi-backup`)",
    )


def _warehouse(settings: Settings) -> Iterable[Finding]:
    from pipelines import warehouse

    if not settings.analysts_db.exists():
        yield Finding(None, "no warehouse yet", "run `antawasi run --sample`")
        return
    try:
        with warehouse.connect(settings.analysts_db, read_only=True) as connection:
            tables = connection.execute("SELECT count(*) FROM information_schema.tables").fetchall()[0][0]
    except Exception as error:  # any failure to open it is what this check is about
        yield Finding(False, f"the analysts' copy cannot be opened: {error}", "run `antawasi build`")
        return
    yield Finding(True, f"analysts' copy: {tables} tables")


def _team(settings: Settings) -> Iterable[Finding]:
    """Dagster's storage, and, where schedules are switched on, that they exist and the daemon is alive."""
    if (settings.dagster_home / "dagster.yaml").exists():
        try:
            with _instance(settings) as instance:
                runs = instance.get_runs_count()
                yield Finding(True, f"Dagster's storage answers: {runs} runs")
                if settings.schedules:
                    yield from _daemons(instance)
        except Exception as error:  # of the driver of whatever storage is configured
            reason = str(error).strip().splitlines() or [type(error).__name__]
            yield Finding(
                False,
                f"Dagster's storage does not answer: {reason[0]}",
                f"look at `storage:` in {settings.dagster_home / 'dagster.yaml'} and whether Postgres runs",
            )
    elif settings.schedules:
        yield Finding(
            False, "schedules are switched on, but Dagster never ran here", "start the daemon (`make dev`, systemd)"
        )
    if settings.schedules:
        from pipelines import schedules, sensors

        known = {s.name for s in schedules.schedules(settings)} | set(sensors.NAMES)
        unknown = sorted(set(settings.schedules) - known)
        yield Finding(
            not unknown,
            f"schedules: {', '.join(unknown) or 'all known'}" + (" do not exist" if unknown else ""),
            f"take them out of ANTAWASI_SCHEDULES; there are {', '.join(sorted(known))}" if unknown else "",
        )


@contextlib.contextmanager
def _instance(settings: Settings):
    from dagster import DagsterInstance

    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)  # its configuration may name files beside it
    with DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        yield instance


def _daemons(instance: dg.DagsterInstance) -> Iterable[Finding]:
    wanted = [name for name in ("SCHEDULER", "SENSOR") if name in instance.get_required_daemon_types()]
    for name, status in instance.get_daemon_statuses(wanted).items():
        beat = status.last_heartbeat
        when = (
            f"last seen {dt.datetime.fromtimestamp(beat.timestamp, dt.UTC):%Y-%m-%d %H:%M} UTC"
            if beat
            else "never seen"
        )
        yield Finding(
            bool(status.healthy),
            f"Dagster's {name.lower()} daemon: {when}",
            "" if status.healthy else "systemctl restart antawasi-daemon; journalctl -u antawasi-daemon",
        )


def _notices(settings: Settings) -> Iterable[Finding]:
    """Without sending anything: the mail server is asked whether it would take a notice, the web hook whether it is there."""
    from pipelines import notify

    tried = notify.try_channels(settings)
    if not tried and settings.schedules:
        yield Finding(
            None, "nobody is told of failures", "set ANTAWASI_WEBHOOK_URL, or ANTAWASI_SMTP_HOST and ANTAWASI_SMTP_TO"
        )
    if tried and not {"notify_failure", "notify_stale"} & set(settings.schedules):
        yield Finding(
            None,
            "notices are configured, but switched off",
            "add notify_failure and notify_stale to ANTAWASI_SCHEDULES",
        )
    for channel, problem in tried.items():
        yield Finding(
            not problem,
            f"notices by {channel}: {problem or 'it answers'}",
            ""
            if not problem
            else f"check ANTAWASI_{'WEBHOOK_URL' if channel == 'webhook' else 'SMTP_*'} and the network",
        )
