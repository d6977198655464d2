"""Notices end to end: a run that fails and a source that grows old, through Dagster's sensors, to a mail server and a web hook."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import dagster as dg
import pytest

from pipelines import freshness, lake, sensors
from pipelines.definitions import build_defs
from pipelines.settings import Settings
from tests.servers import Hook, MailServer

RUC, NAME = "20505310072", "MINERA DEL NORTE"


@pytest.fixture
def servers(hook: Hook, mail: MailServer) -> tuple[Hook, MailServer]:
    return hook, mail


@pytest.fixture
def alerted(tmp_path: Path, servers) -> Settings:
    hook, mail = servers
    return Settings(
        home=tmp_path / "home", workers=1, webhook_url=hook.url, smtp_host="127.0.0.1",
        smtp_port=mail.server_address[1], smtp_to=("team@example.org",), schedules=("notify_failure", "notify_stale"),
    )  # fmt: skip


def sensor(settings: Settings, name: str) -> dg.SensorDefinition:
    return build_defs(settings).get_repository_def().get_sensor_def(name)


def sent(servers) -> list[str]:
    """Every notice as it arrived, both channels."""
    hook, mail = servers
    return [*map(json.dumps, hook.received), *(m["Subject"] + m.get_content() for m in mail.messages)]


def fail(settings: Settings, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """A real run of a real job that ends badly: a file waits in the inbox, and the vault's key is damaged."""
    drop = settings.inbox / "minem_production"
    drop.mkdir(parents=True)
    source = next((Path(__file__).parents[2] / "sample" / "minem_production").glob("*2024.csv"))
    shutil.copy(source, drop / f"{NAME} {RUC}.csv")
    settings.vault.mkdir(mode=0o700)
    (settings.vault / "hmac.key").write_bytes(b"short")
    job = build_defs(settings).resolve_job_def("ingest_minem_production")
    return job.execute_in_process(instance=instance, raise_on_error=False)


def test_a_failed_run_is_told_through_both_channels_with_its_cause_and_no_identity(alerted: Settings, servers):
    with dg.instance_for_test() as instance:
        result = fail(alerted, instance)
        assert not result.success
        context = dg.build_run_status_sensor_context(
            "notify_failure", dagster_event=result.get_run_failure_event(), dagster_instance=instance,
            dagster_run=result.dagster_run,
        ).for_run_failure()  # fmt: skip
        sensor(alerted, "notify_failure")(context)
    hook, mail = servers
    assert [notice["title"] for notice in hook.received] == ["Antawasi: ingest_minem_production failed"]
    assert [m["To"] for m in mail.messages] == ["team@example.org"]
    for notice in sent(servers):
        assert "hmac.key is damaged" in notice and "restore it from the backup" in notice, "the cause and what to do"
        assert result.run_id in notice
        assert RUC not in notice and NAME not in notice


def test_an_identity_in_the_cause_is_masked(alerted: Settings, servers, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipelines.assets.raw.ingest_pending", lambda *_: int(f"the party {RUC} of truck ABC-123"))
    with dg.instance_for_test() as instance:
        result = (
            build_defs(alerted)
            .resolve_job_def("ingest_ubigeo")
            .execute_in_process(instance=instance, raise_on_error=False)
        )
        context = dg.build_run_status_sensor_context(
            "notify_failure", dagster_event=result.get_run_failure_event(), dagster_instance=instance,
            dagster_run=result.dagster_run,
        ).for_run_failure()  # fmt: skip
        sensor(alerted, "notify_failure")(context)
    assert len(sent(servers)) == 2
    for notice in sent(servers):
        assert "the party" in notice and RUC not in notice and "ABC-123" not in notice


def stale(settings: Settings, cursor: str | None) -> str:
    context = dg.build_sensor_context(cursor=cursor, resources={"settings": settings})
    answer = sensor(settings, "notify_stale")(context)
    assert isinstance(answer, dg.SkipReason)
    return context.cursor


def test_a_stale_source_is_told_once_and_again_when_a_newer_file_is_stale_too(alerted: Settings, servers, sample: Path):
    hook, mail = servers
    shutil.copytree(sample / "minem_production", alerted.home / "files")
    older, newer = sorted((alerted.home / "files").glob("*.csv"))[-2:]
    _take(alerted, older, "2020-03-31")
    cursor = stale(alerted, None)
    assert [n["title"] for n in hook.received] == ["Antawasi: 1 stale source(s)"] and len(mail.messages) == 1
    assert "minem_production: newest source date 2020-03-31" in mail.messages[0].get_content()
    assert "What to do" in hook.received[0]["body"]
    cursor = stale(alerted, cursor)
    assert len(hook.received) == 1, "once is enough"
    _take(alerted, newer, "2021-03-31")
    cursor = stale(alerted, cursor)
    assert len(hook.received) == 2 and "2021-03-31" in hook.received[1]["body"]


def test_what_no_channel_took_is_told_at_the_next_tick(alerted: Settings, servers, sample: Path, monkeypatch):
    hook, _ = servers
    alone = alerted.model_copy(update={"smtp_host": None})
    shutil.copytree(sample / "minem_production", alerted.home / "files")
    _take(alone, sorted((alerted.home / "files").glob("*.csv"))[-1], "2020-03-31")
    monkeypatch.setattr("pipelines.notify._delivered", lambda *_: False)
    cursor = stale(alone, None)
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    stale(alone, cursor)
    assert len(hook.received) == 1


def test_a_source_that_came_back_is_forgotten_and_one_without_files_is_not_stale(alerted: Settings, servers):
    assert stale(alerted, json.dumps({"reinfo": "2020-01-01"})) == "{}"
    assert not sent(servers)
    assert freshness.stale_sources(lake.receipts(alerted.lake), dt.date(2026, 1, 1)) == {}
    assert sensors.stale_notice({"reinfo": (dt.date(2020, 1, 1), 9)})[1].startswith(
        "reinfo: newest source date 2020-01-01"
    )


def _take(settings: Settings, path: Path, as_of: str) -> None:
    from pipelines import landing
    from pipelines.ingest import Zones, ingest_all, pending
    from pipelines.sources import get_source

    source, zones = get_source("minem_production"), Zones.of(settings)
    landing.land(zones.landing, source, path, origin={"source_as_of": as_of})
    assert [r.status for r in ingest_all(pending(zones, source))] == ["accepted"]
