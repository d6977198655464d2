"""A run killed at any point leaves the last good copy and release whole, and the next run finishes the work."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from pipelines import files
from pipelines.publish import release
from pipelines.settings import PROJECT_ROOT, SAMPLE_DIR
from tests.conftest import antawasi

#: Runs the command line and dies by SIGKILL at the n-th step: before or after a file takes its place, or while it is written.
KILLER = """
import os, signal, sys
from pipelines import cli, files, lake
moment, nth = sys.argv[1], int(sys.argv[2])
sys.argv = ["antawasi", *sys.argv[3:]]
seen = 0

def count(then):
    global seen
    seen += 1
    if seen == nth:
        then()

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def around(module, name):
    plain = getattr(module, name)
    def wrapped(*a, **k):
        if moment == "before":
            count(die)
        result = plain(*a, **k)
        if moment == "after":
            count(die)
        return result
    setattr(module, name, wrapped)

if moment == "writing":
    plain_write = lake.TableWriter.write
    def write(self, frame):
        plain_write(self, frame)
        count(die)
    lake.TableWriter.write = write
else:
    for name in ("replace", "rename"):
        around(os, name)
cli.main()
print("STEPS", seen, file=sys.stderr)
"""


def run(home: Path, moment: str, nth: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KILLER, moment, str(nth), *arguments],
        cwd=PROJECT_ROOT,
        env=os.environ | {"ANTAWASI_HOME": str(home), "ANTAWASI_WORKERS": "1"},
        capture_output=True,
        text=True,
    )


def state(home: Path) -> dict:
    """What a reader sees: the published numbers in the analysts' copy, and a release that keeps its checksums."""
    with duckdb.connect(str((home / "warehouse" / "antawasi.duckdb").resolve()), read_only=True) as connection:
        total = connection.execute("SELECT sum(fine_copper_t), count(*) FROM publish.pub_copper_production").fetchall()
    latest = (home / "releases" / "latest").resolve()
    for line in (latest / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert files.sha256_file(latest / name) == digest
    return {"total": total, "release": latest.name, "versions": release.versions(home / "releases")}


def correct(home: Path) -> None:
    """A new file in the inbox: 2024 with one more tonne, so that every step has something to do."""
    inbox = home / "inbox" / "minem_production"
    inbox.mkdir(parents=True)
    lines = next((SAMPLE_DIR / "minem_production").glob("*2024.csv")).read_text(encoding="utf-8-sig").splitlines()
    at = next(i for i, line in enumerate(lines) if ",COBRE," in line)
    head, tail = lines[at].split(",TMF,")
    lines[at] = f"{head},TMF,{float(tail.split(',')[0]) + 1:.6f},0"
    (inbox / "2024b.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    (inbox / "origin.yaml").write_text("source_as_of: 2025-03-31\n")


@pytest.fixture(scope="module")
def finished(house, tmp_path_factory):
    """What the house looks like before and after the correction, undisturbed, and how many steps that takes."""
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    shutil.copytree(house, home, symlinks=True)
    before = state(home)
    correct(home)
    done = run(home, "before", 10**9, "run")
    assert done.returncode == 0, done.stderr
    steps = int(done.stderr.split("STEPS ")[1])
    after = state(home)
    assert after["release"] == "v2025.12.2" and after["total"] != before["total"] and steps > 10
    return before, after, steps


def check_killed_and_resumed(house, tmp_path, finished, moment, nth):
    before, after, _ = finished
    home = tmp_path / "home"
    shutil.copytree(house, home, symlinks=True)
    correct(home)
    done = run(home, moment, nth, "run")
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert state(home)["total"] in (before["total"], after["total"])
    assert state(home)["release"] in (before["release"], after["release"])
    antawasi("run", home=home)
    assert state(home) == after
    assert "Nothing new" in antawasi("run", home=home).stdout
    for zone in ("landing", "lake", "vault", "warehouse", "releases"):
        assert not list((home / zone).rglob(".tmp-*")), f"half-written files are left in {zone}"


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_killed_at_a_step_boundary(house, tmp_path, finished, share):
    steps = finished[2]
    moment = "after" if share in (0.0, 0.6) else "before"
    check_killed_and_resumed(house, tmp_path, finished, moment, max(1, round(steps * share)))


def test_killed_in_the_middle_of_writing_the_lake(house, tmp_path, finished):
    check_killed_and_resumed(house, tmp_path, finished, "writing", 1)


def test_two_runs_at_once_the_second_is_refused_by_name(house, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(house, home, symlinks=True)
    correct(home)
    environment = os.environ | {"ANTAWASI_HOME": str(home)}
    first = subprocess.Popen([sys.executable, "-m", "pipelines", "run"], cwd=PROJECT_ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    lock = home / "locks" / "run.lock"
    while not (lock.exists() and str(first.pid) in lock.read_text()) and first.poll() is None:
        time.sleep(0.05)
    second = antawasi("run", home=home, check=False)
    assert second.returncode == 1 and f"process {first.pid}" in second.stderr and "--wait" in second.stderr
    assert first.wait() == 0


def test_an_analyst_never_blocks_a_run_nor_a_run_an_analyst(house, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(house, home, symlinks=True)
    program = (
        "import duckdb, sys\n"
        f"c = duckdb.connect({str(home / 'warehouse' / 'antawasi.duckdb')!r}, read_only=True)\n"
        "q = 'SELECT sum(fine_copper_t) FROM publish.pub_copper_production'\n"
        "print(c.execute(q).fetchall()[0][0], flush=True); sys.stdin.readline()\n"
        "print(c.execute(q).fetchall()[0][0], flush=True)\n"
    )
    analyst = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    held = analyst.stdout.readline()
    correct(home)
    antawasi("run", home=home)  # would fail on a lock if the analyst held one
    out, _ = analyst.communicate("\n")
    assert out == held, "the open file changed under the analyst"
    fresh = json.loads(antawasi("query", "SELECT sum(fine_copper_t) AS t FROM publish.pub_copper_production", "--format", "json", home=home).stdout)
    assert fresh[0]["t"] != held.strip()
