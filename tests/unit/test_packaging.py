"""The files of a team's installation: valid, and of one mind with the program."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines import schedules, sensors
from pipelines.house import DAGSTER_YAML
from pipelines.settings import PROJECT_ROOT, Settings

PACKAGING = PROJECT_ROOT / "packaging"
UNITS = sorted((PACKAGING / "systemd").iterdir())


def environment(tmp_path: Path) -> dict[str, str]:
    """The environment file as a shell reads it, with what is commented out, too."""
    text = re.sub(r"^#(?=[A-Z_]+=)", "", (PACKAGING / "antawasi.env").read_text(), flags=re.M)
    (tmp_path / "antawasi.env").write_text(text)
    names = re.findall(r"^([A-Z_]+)=", text, re.M)
    shown = " ".join(f'"${name}"' for name in names)
    done = subprocess.run(
        ["sh", "-eu", "-c", f". ./antawasi.env; printf '%s\\n' {shown}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(names, done.stdout.splitlines(), strict=True))


def unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return parser


@pytest.mark.system
def test_units_pass_systemds_own_check(tmp_path: Path):
    for path in UNITS:
        text = path.read_text().replace("/opt/antawasi/.venv/bin", str(Path(sys.executable).parent))
        (tmp_path / path.name).write_text(text.replace("file:/opt/antawasi", f"file:{PROJECT_ROOT}"))
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / path.name) for path in UNITS)], capture_output=True, text=True
    )
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_what_units_start_exists_and_every_timer_has_its_service():
    for path in (p for p in UNITS if p.suffix == ".service"):
        program = shlex.split(unit(path)["Service"]["ExecStart"])[0]
        assert (Path(sys.executable).parent / Path(program).name).exists(), program
        assert unit(path)["Service"]["User"] == "antawasi"
    timers = {p.stem for p in UNITS if p.suffix == ".timer"}
    assert timers == {"antawasi-backup", "antawasi-doctor"} <= {p.stem for p in UNITS if p.suffix == ".service"}


@pytest.mark.parametrize("name", ["antawasi-backup", "antawasi-doctor"])
def test_commands_of_units_are_the_programs(name: str):
    command = shlex.split(unit(PACKAGING / "systemd" / f"{name}.service")["Service"]["ExecStart"])[1:]
    done = subprocess.run([sys.executable, "-m", "pipelines", command[0], "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert all(option in done.stdout for option in command if option.startswith("--"))


def test_settings_of_the_environment_file_are_valid_and_every_schedule_exists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    given = environment(tmp_path)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.webhook_url and settings.smtp_to == ("team@example.org",)
    every = {s.name for s in schedules.schedules(settings)} | set(sensors.NAMES)
    assert set(json.loads(given["ANTAWASI_SCHEDULES"])) == every
    assert given["DAGSTER_HOME"] == str(settings.dagster_home)


def test_dagsters_configuration_is_the_houses_with_postgres(tmp_path: Path):
    team, own = yaml.safe_load((PACKAGING / "dagster.yaml").read_text()), yaml.safe_load(DAGSTER_YAML)
    storage = team.pop("storage")
    assert team == own
    assert storage["postgres"]["postgres_url"]["env"] in environment(tmp_path)


def test_the_lock_for_postgres_is_of_the_locked_dagster():
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (PROJECT_ROOT / "requirements.lock").read_text(), re.M))
    postgres = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (PACKAGING / "postgres.lock").read_text(), re.M))
    assert set(postgres) == {"dagster-postgres", "psycopg2-binary"} and not set(postgres) & set(locked)
    assert postgres["dagster-postgres"] == locked["dagster-dbt"], "dagster's integrations are released together"


def test_the_container_file_copies_what_exists_and_runs_the_program_as_nobody_in_particular():
    text = (PACKAGING / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    known = {"FROM", "RUN", "WORKDIR", "ENV", "COPY", "USER", "VOLUME", "ENTRYPOINT", "CMD"}
    assert {word for word, _ in lines} == known and lines[0][0] == "FROM"
    for sources in (shlex.split(rest)[:-1] for word, rest in lines if word == "COPY"):
        assert all((PROJECT_ROOT / source).exists() for source in sources), sources
    packaged = {"pipelines", "dbt_project", "data_contracts", "sample", "workspace.yaml"}
    assert packaged <= {s for word, rest in lines if word == "COPY" for s in shlex.split(rest)}
    users = [rest for word, rest in lines if word == "USER"]
    assert users == ["antawasi"] and json.loads(dict(lines)["ENTRYPOINT"]) == ["antawasi"]
