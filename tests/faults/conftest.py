"""Houses to break, what they become when nothing befalls them, and the process that runs them.

Set from outside (see `make faults`): ANTAWASI_KILLS, how often runs are killed; ANTAWASI_FAULTS_HOUSE=tiny, the house of
the whole sample and all of dbt in place of the small one; ANTAWASI_FAULTS_SEED, another choice of moments.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import antawasi
from tests.faults import houses
from tests.faults.worker import Ended, Fault, Worker
from tests.integration.conftest import small_house  # noqa: F401

IS_TINY = os.environ.get("ANTAWASI_FAULTS_HOUSE") == "tiny"
KILLS = int(os.environ.get("ANTAWASI_KILLS", "5"))
SEED = int(os.environ.get("ANTAWASI_FAULTS_SEED", "1"))

ANALYST = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
ask = lambda: print(connection.execute('SELECT sum(fine_copper_t) FROM publish.pub_copper_production').fetchall()[0][0], flush=True)
ask()
sys.stdin.readline()
ask()
"""


@pytest.fixture(scope="session")
def sound(request: pytest.FixtureRequest) -> Path:
    """A whole house that is read and copied, never changed."""
    return request.getfixturevalue("house" if IS_TINY else "small_house")


@pytest.fixture(scope="session")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    made = Worker(tmp_path_factory.mktemp("worker"), whole_project=IS_TINY)
    yield made
    made.close()


@pytest.fixture
def broken_house(sound: Path, tmp_path: Path) -> Callable[[], Path]:
    """A function that gives one more copy of the house with the new file in its inbox."""
    made: list[Path] = []

    def copy() -> Path:
        home = houses.copy(sound, tmp_path / f"home-{len(made)}")
        made.append(home)
        houses.correct(home)
        return home

    return copy


@dataclasses.dataclass
class Undisturbed:
    """One run over the correction that nothing befalls, while an analyst holds the copy open and a second run is tried."""

    before: list[str]
    after: list[str]
    lake: dict[str, str]
    run: Ended
    second: subprocess.CompletedProcess[str]
    analyst: list[str]

    @property
    def states(self) -> list[list[str]]:
        """What a reader may find, in the order in which a run gives it: the copy is swapped in before the release appears."""
        return [self.before, [self.after[0], *self.before[1:]], self.after]


@pytest.fixture(scope="session")
def undisturbed(sound: Path, worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    home = houses.copy(sound, tmp_path_factory.mktemp("undisturbed") / "home")
    before = houses.look(home)
    analyst = subprocess.Popen(
        [sys.executable, "-c", ANALYST, str(home / "warehouse" / "antawasi.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert analyst.stdout is not None
    held = analyst.stdout.readline()
    houses.correct(home)
    pid = worker.start(home, Fault(watch=True))
    lock = home / "locks" / "run.lock"
    while not (lock.exists() and str(pid) in lock.read_text()):
        time.sleep(0.02)
    second = antawasi("run", home=home, check=False)
    run = worker.end()
    assert run.status == 0, run.output
    later, _ = analyst.communicate("\n")
    return Undisturbed(before, houses.look(home), houses.lake(home), run, second, [held.strip(), later.strip()])
