"""Sensors: files dropped in the inbox, a lake that moved on, runs that failed, stale sources. Opt-in like the schedules."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import dagster as dg

from pipelines import house, intake, lake, notify, warehouse
from pipelines.assets.raw import PARTITIONS
from pipelines.freshness import stale_sources
from pipelines.jobs import ingest_job_name
from pipelines.landing import Dropped
from pipelines.settings import Settings

NAMES = ("landing_inbox", "lake_changed", "notify_failure", "notify_stale")


def sensors(settings: Settings, ingest_jobs: list[dg.UnresolvedAssetJobDefinition]) -> list[dg.SensorDefinition]:
    """One for each of `NAMES`."""
    return [
        _inbox_sensor(settings, ingest_jobs),
        _lake_sensor(settings),
        _failure_sensor(settings),
        _stale_sensor(settings),
    ]


def _status(name: str, settings: Settings) -> dg.DefaultSensorStatus:
    return dg.DefaultSensorStatus.RUNNING if name in settings.schedules else dg.DefaultSensorStatus.STOPPED


def inbox_requests(waiting: list[Dropped]) -> list[dg.RunRequest]:
    """One run per source and period for the files that wait; the run key names the files, so none is asked for twice."""
    grouped: dict[tuple[str, str | None], list[Dropped]] = {}
    for item in waiting:
        grouped.setdefault((item.source.slug, _partition(item)), []).append(item)
    requests = []
    for (slug, partition), items in sorted(grouped.items(), key=str):
        stamps = "|".join(f"{i.path} {i.path.stat().st_size} {i.path.stat().st_mtime_ns}" for i in items)
        key = f"{slug}-{partition}-{hashlib.sha256(stamps.encode()).hexdigest()[:16]}"
        requests.append(dg.RunRequest(run_key=key, job_name=ingest_job_name(slug), partition_key=partition))
    return requests


def _partition(item: Dropped) -> str | None:
    if item.source.period is None:
        return None
    definition = PARTITIONS[item.source.period]
    seen = item.source.identify_safely(item.path)
    period = item.period or seen.period or item.origin.get("source_as_of") or seen.source_as_of
    key = str(period)[: 4 if item.source.period == "year" else 7] if period else None
    return key if key in set(definition.get_partition_keys()) else definition.get_last_partition_key()


def _inbox_sensor(settings: Settings, jobs: list[dg.UnresolvedAssetJobDefinition]) -> dg.SensorDefinition:
    @dg.sensor(
        name="landing_inbox", jobs=jobs, minimum_interval_seconds=60,
        default_status=_status("landing_inbox", settings), description="Ingest what is dropped in the inbox.",
    )  # fmt: skip
    def landing_inbox(settings: dg.ResourceParam[Settings]):
        waiting = intake.waiting(settings.landing, settings.inbox)
        return inbox_requests(waiting) if waiting else dg.SkipReason("nothing new in the inbox")

    return landing_inbox


def _lake_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="lake_changed", job_name="build", minimum_interval_seconds=300,
        default_status=_status("lake_changed", settings), description="Build the warehouse when the lake has moved on.",
    )  # fmt: skip
    def lake_changed(settings: dg.ResourceParam[Settings]):
        if not lake.receipts(settings.lake):
            return dg.SkipReason("the lake is empty")
        pinned = warehouse.pin(settings.lake)
        if warehouse.is_current(settings, pinned):
            return dg.SkipReason("the analysts' copy is of this lake")
        return dg.RunRequest(run_key=pinned.digest)

    return lake_changed


def _failure_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.run_failure_sensor(
        name="notify_failure", default_status=_status("notify_failure", settings),
        description="Tell the data team when a run fails (webhook or mail, when configured).",
    )  # fmt: skip
    def notify_failure(context: dg.RunFailureSensorContext):
        run = context.dagster_run
        why = house.failure_told(context.get_step_failure_events()) or context.failure_event.message
        notify.notify(settings, f"Antawasi: {run.job_name} failed", why, run_id=run.run_id)

    return notify_failure


def _stale_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="notify_stale", minimum_interval_seconds=3600,
        default_status=_status("notify_stale", settings),
        description="Tell the data team once when a source is older than twice its cadence (webhook or mail, when configured).",
    )  # fmt: skip
    def notify_stale(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]):
        stale = stale_sources(lake.receipts(settings.lake), dt.date.today())
        told = json.loads(context.cursor or "{}")
        untold = {slug: seen for slug, seen in stale.items() if told.get(slug) != seen[0].isoformat()}
        if untold and notify.notify(settings, *stale_notice(untold)):
            told |= {slug: newest.isoformat() for slug, (newest, _) in untold.items()}
        context.update_cursor(json.dumps({slug: told[slug] for slug in stale if slug in told}, sort_keys=True))
        return dg.SkipReason(f"{len(stale)} sources are stale; of {len(untold)} nobody had been told")

    return notify_stale


def stale_notice(stale: dict[str, tuple[dt.date, int]]) -> tuple[str, str]:
    """(title, body) of the notice about stale sources."""
    lines = [f"{slug}: newest source date {newest}, {age} days ago" for slug, (newest, age) in sorted(stale.items())]
    return f"Antawasi: {len(stale)} stale source(s)", "\n".join(
        [*lines, "What to do: `antawasi status`, then fetch or ask for newer files."]
    )
