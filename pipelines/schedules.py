"""Schedules in Peru's time. Off unless this environment opts in by name (`ANTAWASI_SCHEDULES`)."""

from __future__ import annotations

import dagster as dg

from pipelines.jobs import ingest_job_name
from pipelines.settings import Settings

TIMEZONE = "America/Lima"


def schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """Daily prices, monthly registry and production, the release on the 5th."""
    return [
        _fetching("prices_daily_bcrp", "bcrp_series", "0 20 * * 1-5", settings),
        _fetching("prices_monthly_worldbank", "worldbank_pinksheet", "0 20 4 * *", settings),
        _fetching("registry_monthly", "reinfo", "0 5 2 * *", settings),
        _looking("production_monthly", "minem_production", "0 6 2 * *", settings),
        _release("release_monthly", "0 7 5 * *", settings),
    ]


def _status(name: str, settings: Settings) -> dg.DefaultScheduleStatus:
    return dg.DefaultScheduleStatus.RUNNING if name in settings.schedules else dg.DefaultScheduleStatus.STOPPED


def _request(slug: str, fetch: bool) -> dg.RunRequest:
    """A run over every period: whichever period the files turn out to be of, it is ingested and marked."""
    return dg.RunRequest(run_config={"ops": {f"raw_{slug}": {"config": {"fetch": fetch}}}})


def _fetching(name: str, slug: str, cron: str, settings: Settings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=name, job_name=ingest_job_name(slug), cron_schedule=cron, execution_timezone=TIMEZONE,
        default_status=_status(name, settings), description=f"Fetch {slug} from its publisher and ingest it.",
    )  # fmt: skip
    def tick(context: dg.ScheduleEvaluationContext):
        return _request(slug, fetch=True)

    return tick


def _looking(name: str, slug: str, cron: str, settings: Settings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=name, job_name=ingest_job_name(slug), cron_schedule=cron, execution_timezone=TIMEZONE,
        default_status=_status(name, settings), description=f"Ingest what waits in the inbox for {slug}.",
    )  # fmt: skip
    def tick(context: dg.ScheduleEvaluationContext):
        return _request(slug, fetch=False)

    return tick


def _release(name: str, cron: str, settings: Settings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=name, job_name="build_and_publish", cron_schedule=cron, execution_timezone=TIMEZONE,
        default_status=_status(name, settings), description="Build the warehouse and publish the month's release.",
    )  # fmt: skip
    def tick(context: dg.ScheduleEvaluationContext):
        as_of = context.scheduled_execution_time.date().isoformat()
        return dg.RunRequest(run_config={"ops": {"releases__release": {"config": {"as_of": as_of}}}})

    return tick
