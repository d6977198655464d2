"""Dagster's daemon killed in the middle of a backfill: restarted, it ends the backfill, and no row is lost or doubled."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster._core.instance.ref import InstanceRef

from pipelines import ingest, lake, landing
from pipelines.house import prepare_dagster_home
from pipelines.settings import PROJECT_ROOT, SAMPLE_DIR, Settings
from pipelines.sources import get_source

pytestmark = pytest.mark.faults
SOURCE = get_source("minem_production")
LIMIT_S = 600


@pytest.fixture
def landed(tmp_path):
    """A house with four years of production in landing and nothing in the lake."""
    settings = Settings(home=tmp_path / "home")
    prepare_dagster_home(settings)
    for path in sorted((SAMPLE_DIR / SOURCE.slug).glob("*.csv")):
        landing.land(settings.landing, SOURCE, path)
    return settings


def environment(settings):
    return os.environ | {
        "ANTAWASI_HOME": str(settings.home), "DAGSTER_HOME": str(settings.dagster_home),
        "ANTAWASI_WORKERS": "1",
    }  # fmt: skip


def daemon(settings):
    log = open(settings.home / "logs" / "daemon.log", "a")  # noqa: SIM115 - the daemon's own as long as it lives
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-w", "workspace.yaml"],
        cwd=PROJECT_ROOT, env=environment(settings), stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip


def statuses(settings):
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(settings.dagster_home))) as instance:
        return sorted(run.status.name for run in instance.get_runs())


def wait_for(what, limit_s=LIMIT_S):
    end = time.monotonic() + limit_s
    while not (found := what()):
        assert time.monotonic() < end, "the daemon does not go on"
        time.sleep(0.5)
    return found


def test_a_backfill_goes_on_where_a_killed_daemon_left_it(landed):
    years = sorted({card.partition for card in landing.cards(landed.landing)})
    asked = [
        str(Path(sys.executable).with_name("dagster")),
        "job",
        "backfill",
        "-j",
        f"ingest_{SOURCE.slug}",
        "--noprompt",
    ]
    subprocess.run(
        [*asked, "--partitions", ",".join(years), "-w", "workspace.yaml"],
        cwd=PROJECT_ROOT, env=environment(landed), check=True, capture_output=True,
    )  # fmt: skip
    started = [daemon(landed)]
    try:
        wait_for(lambda: {"STARTED", "STARTING", "SUCCESS"} & set(statuses(landed)))
        os.kill(started[0].pid, signal.SIGKILL)
        started[0].wait()
        left = statuses(landed)
        assert "QUEUED" in left or "STARTED" in left or "STARTING" in left, "killed too late to be in the middle"
        started.append(daemon(landed))
        wait_for(lambda: not {"QUEUED", "STARTING", "STARTED", "NOT_STARTED"} & set(statuses(landed)))
    finally:
        for process in started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
    assert statuses(landed) == ["SUCCESS"] * len(years)
    check(landed)


def check(settings):
    """The lake against the same files ingested in one go by this process."""
    (table,) = SOURCE.tables
    receipts = lake.receipts(settings.lake)
    assert len(receipts) == len(landing.cards(settings.landing)) and {r.status for r in receipts} == {"accepted"}
    assert ingest.pending(ingest.Zones.of(settings), SOURCE) == []
    found = {r.sha256: lake.raw_path(settings.lake, table, r.sha256).read_bytes() for r in receipts}
    assert sorted(p.stem for p in (settings.lake / "raw" / table).glob("*.parquet") if p.stem != "_empty") == sorted(
        found
    )
    for receipt in receipts:
        lake.forget(settings.lake, receipt)
    again = list(ingest.ingest_all(ingest.pending(ingest.Zones.of(settings), SOURCE)))
    assert {r.sha256: lake.raw_path(settings.lake, table, r.sha256).read_bytes() for r in again} == found
    rows = pl.concat([pl.read_parquet(lake.raw_path(settings.lake, table, r.sha256)) for r in again])
    assert (
        rows.height
        == sum(r.accepted[table] for r in receipts)
        == rows.select("_landing_sha256", "_row_number").n_unique()
    )
