"""`antawasi doctor`: every fault that it looks for is found and said with what to do; a sound house has none."""

from __future__ import annotations

import datetime as dt
import os
import resource
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import DagsterRun
from dagster._daemon.types import DaemonHeartbeat
from typer.testing import CliRunner

from pipelines import backup, checkup, cli, files, house, landing, vault
from pipelines.checkup import Finding, findings
from pipelines.settings import Settings
from tests.servers import SECRET, Hook, MailServer


@pytest.fixture
def sound(settings: Settings, take, sample: Path, tmp_path: Path) -> Settings:
    """A house with one file taken, backed up."""
    take("minem_production", next((sample / "minem_production").glob("*2024.csv")), as_of="2025-03-31")
    with house.house_lock(settings):
        pass  # as every command does: zones are closed to others
    backup.backup(settings, tmp_path / "disk", tmp_path / "safe")
    return settings


def faults(settings: Settings) -> list[Finding]:
    return [f for f in findings(settings) if f.ok is False]


def found(settings: Settings, about: str) -> Finding:
    """The one finding about something; whatever is wrong says what to do."""
    (finding,) = [f for f in findings(settings) if about in f.what]
    assert finding.remedy or finding.ok is not False, finding
    return finding


def test_a_sound_house_has_no_fault(sound: Settings):
    assert not faults(sound)
    told = " ".join(f.what for f in findings(sound))
    assert "its key is the one" in told and "last backup" in told and "open files" in told and "clock" in told


def test_an_empty_house_has_notes_and_no_fault(settings: Settings):
    assert not faults(settings)


def test_another_key_and_a_missing_one(sound: Settings):
    key = sound.vault / vault.SECRET_NAME
    key.write_bytes(b"x" * 32)
    assert found(sound, "the vault's key").ok is False
    key.unlink()
    assert "restore it from the backup" in found(sound, "the vault's key").remedy


def test_an_open_vault_and_open_files_in_it(sound: Settings):
    (sound.vault / vault.SECRET_NAME).chmod(0o644)
    assert found(sound, "1 files in the vault").ok is None
    sound.vault.chmod(0o755)
    assert found(sound, "others may enter") == Finding(
        False, f"others may enter {sound.vault}", f"chmod 700 {sound.vault}"
    )


def test_no_backup_is_a_note_and_an_old_one_a_fault(sound: Settings):
    last = files.read_json(sound.home / backup.LAST)
    files.write_json(sound.home / backup.LAST, last | {"made_at": "2020-01-01T00:00:00"})
    assert found(sound, "last backup").ok is False
    (sound.home / backup.LAST).unlink()
    assert found(sound, "no backup").ok is None


def test_a_full_disk(sound: Settings, monkeypatch: pytest.MonkeyPatch):
    usage = type("Usage", (), {"free": 1 << 30})
    monkeypatch.setattr(checkup.shutil, "disk_usage", lambda _: usage)
    assert found(sound, "GiB free").remedy == "free at least 1.0 GiB more"
    sound.warehouse.mkdir()
    with open(sound.build_db, "wb") as build:
        build.truncate(3 << 30)
    assert found(sound, "GiB free").remedy == "free at least 4.0 GiB more", "the next build is as large as the last"


def test_few_open_files(sound: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 1024))
    assert "ulimit -n" in found(sound, "open files").remedy


def test_a_clock_that_went_back(sound: Settings, monkeypatch: pytest.MonkeyPatch):
    (card,) = landing.cards(sound.landing)
    before = dt.datetime.fromisoformat(card.landed_at) - dt.timedelta(hours=1)
    monkeypatch.setattr(landing, "now_utc", lambda: before.isoformat())
    assert found(sound, "clock:").ok is False and "set the clock" in found(sound, "clock:").remedy


def test_locks_held_and_left_behind(sound: Settings):
    lock = sound.home / "locks" / "run.lock"
    lock.parent.mkdir(exist_ok=True)
    with files.lock(lock, "it"):
        assert f"held by process {os.getpid()}" in found(sound, "run.lock").what
    assert not [f for f in findings(sound) if "run.lock" in f.what], "let go"
    lock.write_text("process 1, since then")
    assert "was killed" in found(sound, "run.lock").what and "antawasi run" in found(sound, "run.lock").remedy


def test_what_a_killed_run_left_half_written(sound: Settings):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    (sound.lake / f".tmp-{dead.stdout.strip()}-x.parquet").write_text("x")
    (sound.lake / f".tmp-{os.getpid()}-x.parquet").write_text("x")
    assert found(sound, "half-written").what.startswith("1 ")


def test_a_rotation_begun_and_one_stopped_in_its_swap(sound: Settings):
    (sound.home / vault.REKEYING).mkdir()
    assert found(sound, "a rotation").ok is None and "vault rotate" in found(sound, "a rotation").remedy
    (sound.home / vault.REKEYING / vault.READY).write_text("{}")
    assert found(sound, "was stopped while it swapped").remedy == "run `antawasi run`; it completes it"
    assert faults(sound)


def test_a_lost_ledger_and_a_changed_release(sound: Settings):
    release = sound.releases / "v2025.03.1"
    release.mkdir(parents=True)
    (release / "a.csv").write_text("a")
    (release / "SHA256SUMS").write_text(f"{files.sha256_file(release / 'a.csv')}  a.csv\n")
    assert "restore the folder" in found(sound, "release v2025.03.1").remedy + found(sound, "release v2025.03.1").what
    from pipelines.disclosure import ledger

    (sound.ledger / release.name).mkdir(parents=True)
    ledger.write(ledger.read(Path("nowhere")), sound.ledger / release.name / "ledger.parquet")
    assert found(sound, "release v2025.03.1").ok is True
    assert found(sound, "`latest`").ok is None
    (release / "a.csv").write_text("b")
    assert found(sound, "release v2025.03.1").ok is False


def test_a_damaged_analysts_copy(sound: Settings):
    sound.warehouse.mkdir()
    sound.analysts_db.write_bytes(b"no database")
    assert found(sound, "analysts' copy cannot be opened").remedy == "run `antawasi build`"


def opted(settings: Settings, *schedules: str, **more) -> Settings:
    return settings.model_copy(update={"schedules": schedules, **more})


def test_a_daemon_that_is_not_there_never_was_or_beats(sound: Settings):
    team = opted(sound, "registry_monthly", "landing_inbox")
    assert "start the daemon" in found(team, "never ran here").remedy
    house.prepare_dagster_home(team)
    assert "never seen" in found(team, "scheduler daemon").what and found(team, "sensor daemon").ok is False
    with dg.DagsterInstance.from_config(str(team.dagster_home)) as instance:
        _beat(instance, dt.datetime.now(dt.UTC).timestamp())
        assert found(team, "scheduler daemon").ok and found(team, "sensor daemon").ok
        _beat(instance, dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp())
    assert found(team, "scheduler daemon") == Finding(
        False,
        "Dagster's scheduler daemon: last seen 2026-01-01 00:00 UTC",
        "systemctl restart antawasi-daemon; journalctl -u antawasi-daemon",
    )


def _beat(instance: dg.DagsterInstance, at: float) -> None:
    for daemon in ("SCHEDULER", "SENSOR"):
        instance.add_daemon_heartbeat(DaemonHeartbeat(at, daemon, "test", []))


def test_dagsters_storage(sound: Settings):
    house.prepare_dagster_home(sound)
    with dg.DagsterInstance.from_config(str(sound.dagster_home)) as instance:
        instance.add_run(DagsterRun(job_name="build"))
    assert found(sound, "storage answers").what == "Dagster's storage answers: 1 runs"
    (sound.dagster_home / "dagster.yaml").write_text(
        "storage:\n  sqlite:\n    base_dir: /proc/no/such/folder\n", encoding="utf-8"
    )
    assert "Postgres" in found(sound, "storage does not answer").remedy


def test_a_schedule_that_does_not_exist(sound: Settings):
    house.prepare_dagster_home(sound)
    finding = found(opted(sound, "prices_daily_bcrp", "notify_stale", "notfy_failure"), "notfy_failure")
    assert finding.ok is False and "prices_monthly_worldbank" in finding.remedy


def test_notices_are_tried_without_being_sent(sound: Settings, hook: Hook, mail: MailServer):
    house.prepare_dagster_home(sound)
    team = opted(
        sound, "notify_failure", webhook_url=hook.url, smtp_host="127.0.0.1", smtp_port=mail.server_address[1],
        smtp_to=("a@example.org", "b@example.org"),
    )  # fmt: skip
    assert found(team, "notices by webhook").ok and found(team, "notices by mail").ok
    assert not hook.received and not mail.messages
    mail.refused = {"b@example.org"}
    assert found(team, "notices by mail").what == "notices by mail: refuses mail for b@example.org"
    assert found(opted(team), "switched off").ok is None


def test_notices_to_nobody_and_nowhere(sound: Settings):
    house.prepare_dagster_home(sound)
    assert found(opted(sound, "notify_failure"), "nobody is told").ok is None
    nowhere = opted(
        sound, "notify_failure", webhook_url=f"http://127.0.0.1:1/{SECRET}", smtp_host="127.0.0.1", smtp_port=1,
        smtp_to=("a@example.org",),
    )  # fmt: skip
    assert found(nowhere, "notices by mail: ConnectionRefusedError").ok is False
    assert found(nowhere, "notices by webhook: ConnectError").ok is False
    assert SECRET not in str(findings(nowhere))


def test_a_check_that_fails_itself_does_not_hide_the_others(sound: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checkup, "_is_held", lambda _: int("lost"))
    assert found(sound, "locks: invalid literal").ok is False
    assert found(sound, "vault: its key").ok


def test_faults_are_told_to_the_team_when_asked_and_only_then(
    sound: Settings, hook: Hook, mail: MailServer, monkeypatch: pytest.MonkeyPatch
):
    team = opted(
        sound, webhook_url=hook.url, smtp_host="127.0.0.1", smtp_port=mail.server_address[1], smtp_to=("a@example.org",)
    )
    monkeypatch.setattr(cli, "get_settings", lambda: team)
    assert CliRunner().invoke(cli.app, ["doctor", "--tell"]).exit_code == 0
    sound.vault.chmod(0o755)
    assert CliRunner().invoke(cli.app, ["doctor"]).exit_code == 1
    assert not hook.received and not mail.messages
    assert CliRunner().invoke(cli.app, ["doctor", "--tell"]).exit_code == 1
    assert "chmod 700" in hook.received[0]["body"] and "1 fault(s)" in mail.messages[0]["Subject"]
