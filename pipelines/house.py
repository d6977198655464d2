"""One command over the whole road: look first at what there is to do, then let Dagster do only that, in process.

Nothing heavy is imported while looking, so a run with nothing new ends at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import importlib
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipelines import contracts, files, ingest, intake, lake, quality, vault, warehouse
from pipelines.errors import AntawasiError
from pipelines.ingest import Zones
from pipelines.lake import Receipt
from pipelines.reporting import Reporter
from pipelines.settings import Settings
from pipelines.sources import SLUGS, Source, all_sources, get_source

if TYPE_CHECKING:
    import dagster as dg

DAGSTER_YAML = """\
# Written by Antawasi. Nothing phones home; one writer of DuckDB files at a time.
telemetry:
  enabled: false
concurrency:
  pools:
    default_limit: 1
    granularity: op
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 60
"""

_OURS = {"antawasi/started_by": "command line"}
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is left to do, by step. An empty plan means that nothing changed."""

    to_land: int
    to_ingest: dict[str, int]
    to_check: dict[str, int]
    build: bool
    publish: bool

    @property
    def is_empty(self) -> bool:
        return not (self.to_land or self.to_ingest or self.to_check or self.build or self.publish)


def look(settings: Settings, folders: tuple[Path, ...] = ()) -> Plan:
    """What a run would do now. `folders` are drop folders; the inbox is always looked at too."""
    zones = Zones.of(settings)
    to_land = sum(len(intake.waiting(zones.landing, f)) for f in (*folders, settings.inbox))
    to_ingest = {s.slug: len(jobs) for s in all_sources().values() if (jobs := ingest.pending(zones, s))}
    receipts = lake.receipts(settings.lake)
    to_check = {
        t.name: len(waiting)
        for t in contracts.all_contracts().values()
        if t.layer == "raw" and (waiting := quality.pending(settings.lake, t, receipts))
    }
    lake_moves = bool(to_land or to_ingest)
    build = lake_moves or not warehouse.is_current(settings, warehouse.pin(settings.lake))
    return Plan(to_land, to_ingest, to_check, build, build or _release_is_due(settings))


def _release_is_due(settings: Settings) -> bool:
    from pipelines.publish import release

    return release.is_due(settings)


@contextlib.contextmanager
def house_lock(settings: Settings, wait_s: float = 0.0) -> Iterator[None]:
    """One run at a time; a killed swap of keys is completed, what killed runs left half-written swept, closed zones closed."""
    with files.lock(settings.home / "locks" / "run.lock", "The house (another run)", wait_s):
        if vault.is_half_rotated(settings.home):
            from pipelines import rotation

            rotation.finish(settings)
        for zone in settings.closed:
            files.close_to_others(zone)
        for zone in settings.swept:
            files.sweep_temporaries(zone)
        yield


def take_in(settings: Settings, folder: Path, reporter: Reporter) -> list[intake.Intake]:
    """Land what waits in a drop folder."""
    waiting = intake.waiting(settings.landing, folder)
    taken = []
    with reporter.task("landing", len(waiting)) as advance:
        for item in intake.take_in(settings.landing, waiting):
            reporter.landed(item.card, item.is_new)
            taken.append(item)
            advance(1)
    return taken


class Orchestra:
    """Runs the house's Dagster jobs in this process and keeps their record in the house's own instance."""

    def __init__(self, settings: Settings, reporter: Reporter):
        prepare_dagster_home(settings)
        warnings.filterwarnings("ignore", module="dagster")
        import dagster as dg

        from pipelines.definitions import build_defs

        self._dg, self._settings, self._reporter = dg, settings, reporter
        self._defs = build_defs(settings, reporter=reporter)
        with _record_of_runs(settings):
            self._instance = _instance(settings)
            self._bury_killed_runs()

    def ingest(self, source: Source) -> None:
        """Ingest and check one source over every period that has files."""
        from pipelines.jobs import ingest_job_name

        self._execute(ingest_job_name(source.slug))

    def build(self) -> None:
        """dbt build and the analysts' copy."""
        self._execute("build")

    def publish(self, as_of: dt.date | None) -> None:
        config = {"ops": {"releases__release": {"config": {"as_of": as_of.isoformat() if as_of else None}}}}
        self._execute("publish", run_config=config)

    def _bury_killed_runs(self) -> None:
        """A killed run still holds its place in the pool of the build file: the next one would wait for ever.

        The house's lock is ours, so no unfinished run of this command can be alive.
        """
        statuses = [self._dg.DagsterRunStatus[name] for name in ("NOT_STARTED", "STARTING", "STARTED", "CANCELING")]
        for record in self._instance.get_run_records(self._dg.RunsFilter(tags=_OURS, statuses=statuses)):
            self._instance.report_run_failed(record.dagster_run, "the process of this run was killed")
            self._instance.event_log_storage.free_concurrency_slots_for_run(record.dagster_run.run_id)

    def _execute(self, job: str, run_config: dict[str, Any] | None = None) -> None:
        log = self._settings.home / "logs" / f"{job}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        # dbt and Dagster tell everything to standard output: that belongs in a log, the summary on the screen.
        with (
            open(log, "w", encoding="utf-8") as sink,
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
            _record_of_runs(self._settings),
        ):
            result = self._defs.resolve_job_def(job).execute_in_process(
                instance=self._instance, raise_on_error=False, run_config=(run_config or {}) | _QUIET, tags=_OURS
            )
        if not result.success:
            raise AntawasiError(_reason(result, log))


def _instance(settings: Settings) -> dg.DagsterInstance:
    """The house's instance without the capture of each step's output: `_execute` writes it to a log of ours.

    The capture starts four processes for every run, which costs more than many a run does. A record of runs that the house
    keeps itself (not Postgres) is held open.
    """
    import dagster as dg
    from dagster._core.instance.ref import InstanceRef

    home = str(settings.dagster_home)
    overrides: dict[str, Any] = {
        "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    }
    if "storage" not in (yaml.safe_load((settings.dagster_home / "dagster.yaml").read_text(encoding="utf-8")) or {}):
        held_open = {"module": "pipelines.dagster_storage", "class": "HouseStorage", "config": {"base_dir": home}}
        overrides["storage"] = {"custom": held_open}
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(home, overrides=overrides))


@contextlib.contextmanager
def _record_of_runs(settings: Settings) -> Iterator[None]:
    """Dagster's record that cannot be written stops a run by name, not with a traceback."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as error:
        raise AntawasiError(
            f"Dagster's record of runs in {settings.dagster_home} cannot be written ({error.orig}). What was finished is kept. "
            "What to do: see that the folder may be written and the disk has space, and run the same command again; "
            "a damaged record may be moved away, since nothing is rebuilt from it."
        ) from error


def _reason(result: dg.ExecuteInProcessResult, log: Path) -> str:
    """Why a run failed, with the log to look at where no message of ours says it."""
    failures = [e for e in result.all_events if e.is_step_failure or e.is_failure]
    advice = (
        f"The log is {log}. What was good before is untouched. What to do: mend what is named here (`antawasi doctor` helps) "
        "and run the same command again."
    )
    told = failure_told(failures, advice)
    return (
        told
        or f"A check that blocks has failed; the lines above say which rows and why, the log is {log}. What to do: mend the file or its contract."
    )


def failure_told(failures: Iterable[dg.DagsterEvent], otherwise: str = "") -> str | None:
    """The innermost cause of the first failure that has one: our own message as it is, else its first line and `otherwise`."""
    for event in failures:
        error = getattr(event.event_specific_data, "error", None)
        causes = []
        while error is not None:
            causes.append(error)
            error = error.cause
        known = [e for e in causes if _is_ours(e.message)]
        told = known or [e for e in causes if e.cls_name != "_RemoteTraceback"]
        if told:
            message = told[-1].message.strip()
            return message.partition(": ")[2] if known else f"{message.splitlines()[0]} {otherwise}".rstrip()
    return None


def _is_ours(message: str) -> bool:
    """Whether the text of an error, which begins with its class, is of one that is meant for persons.

    It is looked up when it is told: the run that failed may have had modules that this process has not read.
    """
    module, _, name = message.partition(":")[0].strip().rpartition(".")
    if module.partition(".")[0] != "pipelines":
        return False
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:  # told of a run of another version: what failed is still told
        return False
    return isinstance(found, type) and issubclass(found, AntawasiError)


def prepare_dagster_home(settings: Settings) -> None:
    """Dagster's instance stands in the house, with telemetry off."""
    for zone in settings.closed:
        files.close_to_others(zone)
    config = settings.dagster_home / "dagster.yaml"
    if not config.exists():
        config.write_text(DAGSTER_YAML, encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


def ingest_sources(settings: Settings, slugs: tuple[str, ...], orchestra: Orchestra) -> None:
    """Ingest the named sources that have something to do, in the order in which they depend on one another."""
    zones = Zones.of(settings)
    for slug in SLUGS:
        source = get_source(slug)
        if slug in slugs and (ingest.pending(zones, source) or _unchecked(settings, source)):
            orchestra.ingest(source)


def _unchecked(settings: Settings, source: Source) -> bool:
    receipts = lake.receipts(settings.lake)
    return any(quality.pending(settings.lake, contracts.contract(t), receipts) for t in source.tables)


def check(settings: Settings, reporter: Reporter) -> list[quality.CheckResult]:
    """Run every contract check that has not passed yet; results of all lake files."""
    receipts = lake.receipts(settings.lake)
    results = []
    for table in contracts.all_contracts().values():
        if table.layer != "raw":
            continue
        with reporter.task(f"{table.name}: contract", len(quality.pending(settings.lake, table, receipts))) as advance:
            found = []
            for result in quality.check_table(settings.lake, table, receipts):
                found.append(result)
                if not result.was_known:
                    advance(1)
        reporter.checked(table.name, found)
        results += found
    return results


def refused(settings: Settings) -> list[Receipt]:
    """Landing files that are refused as things stand."""
    return [r for r in lake.receipts(settings.lake) if r.status == "refused"]


def run(settings: Settings, reporter: Reporter, folders: tuple[Path, ...], as_of: dt.date | None) -> bool:
    """The whole road, doing only what is left to do. Returns False when there was nothing."""
    plan = look(settings, folders)
    if plan.is_empty:
        return False
    for drop in (*folders, settings.inbox):
        if drop.exists() or drop in folders:
            take_in(settings, drop, reporter)
    orchestra = Orchestra(settings, reporter)
    ingest_sources(settings, SLUGS, orchestra)
    if not warehouse.is_current(settings, warehouse.pin(settings.lake)):
        orchestra.build()
    if _release_is_due(settings):
        orchestra.publish(as_of)
    return True
