"""A run killed at any point leaves the last good copy and release whole, and the next run finishes the work."""

import dataclasses
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

#: Runs the command line and dies by SIGKILL at one moment: before or after something takes its place under a name
#: that holds `where`, after the first rows are written to a lake file, or while dbt is filling the build file.
#: `watch` kills nothing: it looks at what a reader would find before and after every single replacement.
PROGRAM = """
import os, signal, subprocess, sys, threading, time
from pathlib import Path
from pipelines import cli, lake
from pipelines.settings import get_settings
moment, where = sys.argv[1:3]
sys.argv = ["antawasi", *sys.argv[3:]]
home = get_settings().home
seen = []

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def around(name):
    plain = getattr(os, name)
    def wrapped(source, target, *rest, **named):
        here = Path(target).is_relative_to(home)
        hit = here and where in str(Path(target).relative_to(home))
        if moment == "before" and hit:
            die()
        if moment == "watch" and here:
            seen.append(state(home))
        plain(source, target, *rest, **named)
        if moment == "after" and hit:
            die()
        if moment == "watch" and here:
            seen.append(state(home))
    setattr(os, name, wrapped)

for name in ("replace", "rename"):
    around(name)

if moment == "watch":
    from tests.integration.test_kill import state
if moment == "writing":
    plain_write = lake.TableWriter.write
    def write(self, frame):
        plain_write(self, frame)
        die()
    lake.TableWriter.write = write
if moment == "dbt":
    plain_popen = subprocess.Popen
    class Watched(plain_popen):
        def __init__(self, args, *rest, **named):
            super().__init__(args, *rest, **named)
            if "build" in list(args):
                threading.Thread(target=self.kill_us_when_it_writes, daemon=True).start()
        def kill_us_when_it_writes(self):
            wal = Path(os.environ["ANTAWASI_BUILD_DB"] + ".wal")
            while not wal.exists():
                time.sleep(0.01)
            time.sleep(0.5)
            die()
    subprocess.Popen = Watched
try:
    cli.main()
finally:
    if moment == "watch":
        import json
        Path(where).write_text(json.dumps(seen))
"""


def start(home: Path, moment: str, where: str = "", *arguments: str) -> subprocess.Popen[str]:
    """The command line (`run`, or what is asked for) that dies at one moment, see `PROGRAM`."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, moment, where, *(arguments or ("run",))],
        cwd=PROJECT_ROOT,
        env=os.environ | {"ANTAWASI_HOME": str(home), "ANTAWASI_WORKERS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def state(home: Path) -> dict[str, str]:
    """What a reader finds: the published number in the analysts' copy, and a release that keeps its checksums."""
    with duckdb.connect(str((home / "warehouse" / "antawasi.duckdb").resolve()), read_only=True) as connection:
        ((total,),) = connection.execute("SELECT sum(fine_copper_t) FROM publish.pub_copper_production").fetchall()
    latest = (home / "releases" / "latest").resolve()
    for version in release.versions(home / "releases"):
        for line in (home / "releases" / version / "SHA256SUMS").read_text().splitlines():
            digest, name = line.split("  ")
            assert files.sha256_file(home / "releases" / version / name) == digest, (version, name)
    return {"total": str(total), "release": latest.name}


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


ANALYST = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
ask = lambda: print(connection.execute('SELECT sum(fine_copper_t) FROM publish.pub_copper_production').fetchall()[0][0], flush=True)
ask()
sys.stdin.readline()
ask()
"""


@dataclasses.dataclass
class Undisturbed:
    """One run over the correction that nobody kills, while an analyst holds the copy open and a second run is tried."""

    before: dict[str, str]
    after: dict[str, str]
    seen: list[dict[str, str]]
    second: subprocess.CompletedProcess[str]
    first_pid: int
    analyst: list[str]


@pytest.fixture(scope="module")
def undisturbed(small_house, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    home = folder / "home"
    shutil.copytree(small_house, home, symlinks=True)
    before = state(home)
    analyst = subprocess.Popen(
        [sys.executable, "-c", ANALYST, str(home / "warehouse" / "antawasi.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    held = analyst.stdout.readline()
    correct(home)
    first = start(home, "watch", str(folder / "seen.json"))
    lock = home / "locks" / "run.lock"
    while not (lock.exists() and str(first.pid) in lock.read_text()) and first.poll() is None:
        time.sleep(0.05)
    second = antawasi("run", home=home, check=False)
    _, errors = first.communicate()
    assert first.returncode == 0, errors
    after_text, _ = analyst.communicate("\n")
    return Undisturbed(
        before,
        state(home),
        json.loads((folder / "seen.json").read_text()),
        second,
        first.pid,
        [held.strip(), after_text.strip()],
    )


def test_at_every_step_boundary_a_reader_finds_a_whole_copy_and_a_whole_release(undisturbed):
    before, after = undisturbed.before, undisturbed.after
    assert after["release"] == "v2025.12.2" and after["total"] != before["total"]
    assert len(undisturbed.seen) > 20
    steps = [s for i, s in enumerate(undisturbed.seen) if i == 0 or s != undisturbed.seen[i - 1]]
    assert steps == [before, {"total": after["total"], "release": before["release"]}, after]


def test_of_two_runs_at_once_the_second_is_refused_and_told_by_whom(undisturbed):
    second = undisturbed.second
    assert second.returncode == 1 and f"process {undisturbed.first_pid}" in second.stderr and "--wait" in second.stderr


def test_an_analyst_never_blocks_a_run_nor_a_run_an_analyst(undisturbed):
    held, later = undisturbed.analyst
    assert held == later == undisturbed.before["total"], "the open file changed under the analyst"
    assert undisturbed.after["total"] != held


def test_killed_again_and_again_at_later_and_later_points_the_last_run_completes(small_house, tmp_path, undisturbed):
    home = tmp_path / "home"
    shutil.copytree(small_house, home, symlinks=True)
    correct(home)
    points = [
        ("before", "landing/minem_production"),
        ("writing", ""),
        ("before", "lake/receipts"),
        ("dbt", ""),
        ("before", "warehouse/antawasi.duckdb"),
        ("before", "releases/v2025.12.2"),
        ("after", "releases/v2025.12.2"),
    ]
    copies = (undisturbed.before["total"], undisturbed.after["total"])
    for moment, where in points:
        killed = start(home, moment, where)
        _, errors = killed.communicate()
        assert killed.returncode == -signal.SIGKILL, (moment, where, errors)
        assert state(home)["total"] in copies
        assert state(home)["release"] == undisturbed.before["release"]
    antawasi("run", home=home)
    assert state(home) == undisturbed.after
    assert "Nothing new" in antawasi("run", home=home).stdout
    for zone in ("landing", "lake", "vault", "warehouse", "releases"):
        assert not list((home / zone).rglob(".tmp-*")), f"half-written files are left in {zone}"
