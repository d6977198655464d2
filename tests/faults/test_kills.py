"""A run killed at any point leaves the last good copy and release whole, and the next run finishes the work."""

import collections
import random
import shutil
import signal

import pytest

from tests.faults import houses
from tests.faults.conftest import KILLS, SEED
from tests.faults.worker import Fault

pytestmark = pytest.mark.long

#: Where a run may die, in the order in which it works. One house is killed in each, so that later kills find what
#: earlier ones left; what comes late is begun anew by the next run, and so may be killed again.
PHASES = (
    ("landing",), ("lake", "vault"), *[("dbt",)] * 3, *[("warehouse", "dbt")] * 3, *[("ledger", "releases")] * 3,
)  # fmt: skip
MOST_DELAY_S, MOST_DBT_S = 1.5, 10.0


def moments(rng, steps):
    """One round of kills: a random change of the file system in each phase, half of them some time after it."""
    for phase in PHASES:
        zone = rng.choice(phase)
        most = MOST_DBT_S if zone == "dbt" else MOST_DELAY_S
        delay_s = rng.uniform(0, most) if zone == "dbt" or rng.random() < 0.5 else 0.0
        yield Fault(zone, rng.randint(1, steps[zone]), round(delay_s, 3), with_dbt=rng.random() < 0.5)


def test_at_every_step_a_reader_finds_a_whole_copy_and_a_whole_release(undisturbed):
    seen = undisturbed.run.seen
    assert len(seen) > 100
    steps = [s for i, s in enumerate(seen) if i == 0 or s != seen[i - 1]]
    assert steps == undisturbed.states
    assert len({tuple(s) for s in steps}) == 3


def test_of_two_runs_at_once_the_second_is_refused_and_told_by_whom(undisturbed):
    second = undisturbed.second
    assert second.returncode == 1 and f"process {undisturbed.run.pid}" in second.stderr and "--wait" in second.stderr


def test_an_analyst_never_blocks_a_run_nor_a_run_an_analyst(undisturbed):
    held, later = undisturbed.analyst
    assert held == later, "the open file changed under the analyst"


def test_killed_at_random_points_the_next_run_completes(broken_house, worker, undisturbed):
    rng, done, recovered = random.Random(SEED), collections.Counter(), 0
    while done.total() < KILLS:
        home, reached = broken_house(), 0
        for fault in moments(rng, undisturbed.run.steps):
            ended = worker.run(home, fault)
            assert ended.status in (-signal.SIGKILL, 0), (fault, ended.output)
            done[fault.zone] += ended.status != 0
            state = houses.look(home)
            assert state in undisturbed.states[reached:], f"{fault}: a reader finds something in between"
            reached = undisturbed.states.index(state)
            if ended.status == 0 or done.total() == KILLS:
                break
        ended = worker.run(home)
        assert ended.status == 0, ended.output
        recovered += 1
        assert houses.look(home) == undisturbed.after and houses.lake(home) == undisturbed.lake
        assert not houses.temporaries(home), "half-written files are left"
        assert "Nothing new" in worker.run(home).output
        shutil.rmtree(home)
        print(f"\nseed {SEED}: {done.total()} kills {dict(done)}, {recovered} houses recovered", flush=True)
