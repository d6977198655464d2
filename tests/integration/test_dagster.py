"""The house as Dagster sees it: it loads, its graph is whole, its checks block, its partitions and schedules are right."""

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from pipelines import intake, landing
from pipelines.definitions import build_defs
from pipelines.house import prepare_dagster_home
from pipelines.reporting import Reporter
from pipelines.settings import PROJECT_ROOT, SAMPLE_DIR, Settings
from pipelines.sources import all_sources


@pytest.fixture(scope="module")
def defs(tmp_path_factory):
    return build_defs(Settings(home=tmp_path_factory.mktemp("defs")))


@pytest.fixture(scope="module")
def graph(defs):
    return defs.resolve_asset_graph()


def test_definitions_validate(tmp_path):
    dagster = Path(sys.executable).with_name("dagster")
    done = subprocess.run(
        [str(dagster), "definitions", "validate", "--workspace", "workspace.yaml"],
        cwd=PROJECT_ROOT,
        env=os.environ | {"DAGSTER_HOME": str(tmp_path), "ANTAWASI_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_groups_are_the_houses(graph):
    groups = {graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert groups == {"registry", "production", "pricing", "intermediary", "reference", "warehouse", "releases"}


def test_raw_assets_stand_upstream_of_the_dbt_models(graph):
    published = dg.AssetKey(["publish", "pub_copper_production"])
    above = graph.upstream_key_iterator(published) if hasattr(graph, "upstream_key_iterator") else ()
    ancestors = set(above) or _ancestors(graph, published)
    assert dg.AssetKey(["raw", "minem_production__quantities"]) in ancestors
    below = _ancestors(graph, dg.AssetKey(["releases", "release"]))
    assert published in below and dg.AssetKey(["raw", "worldbank_pinksheet__prices"]) in below


def _ancestors(graph, key):
    found, todo = set(), [key]
    while todo:
        for parent in graph.get(todo.pop()).parent_keys:
            if parent not in found:
                found.add(parent)
                todo.append(parent)
    return found


def test_every_raw_table_has_a_blocking_contract_check(graph):
    for source in all_sources().values():
        for table in source.tables:
            key = dg.AssetCheckKey(dg.AssetKey(["raw", table]), "contract")
            assert graph.get(key).blocking, table


def test_partitions_follow_the_sources_own_period(graph):
    for source in all_sources().values():
        definition = graph.get(dg.AssetKey(["raw", source.tables[0]])).partitions_def
        fmt = definition.fmt if definition else None
        assert fmt == {"year": "%Y", "month": "%Y-%m", None: None}[source.period]


def test_schedules_are_in_limas_time_and_off_unless_opted_in(tmp_path):
    for opted in ((), ("release_monthly", "landing_inbox")):
        repository = build_defs(Settings(home=tmp_path, schedules=opted)).get_repository_def()
        running = {s.name for s in repository.schedule_defs if s.default_status == dg.DefaultScheduleStatus.RUNNING}
        running |= {s.name for s in repository.sensor_defs if s.default_status == dg.DefaultSensorStatus.RUNNING}
        assert running == set(opted)
        assert {s.execution_timezone for s in repository.schedule_defs} == {"America/Lima"}
    release = repository.get_schedule_def("release_monthly")
    assert release.cron_schedule.split()[2] == "5"


def test_every_tick_asks_for_a_run_and_the_releases_passes_its_own_date(tmp_path):
    repository = build_defs(Settings(home=tmp_path)).get_repository_def()
    context = dg.build_schedule_context(scheduled_execution_time=dt.datetime(2026, 12, 5, 7))
    for schedule in repository.schedule_defs:
        assert len(schedule.evaluate_tick(context).run_requests) == 1, schedule.name
    (request,) = repository.get_schedule_def("release_monthly").evaluate_tick(context).run_requests
    assert request.run_config["ops"]["releases__release"]["config"]["as_of"] == "2026-12-05"


def test_the_inbox_sensor_asks_once_per_source_and_period(tmp_path):
    from pipelines.sensors import inbox_requests

    drop = tmp_path / "inbox" / "minem_production"
    drop.mkdir(parents=True)
    for year in (2021, 2022):
        shutil.copy(next((SAMPLE_DIR / "minem_production").glob(f"*{year}.csv")), drop)
    waiting = intake.waiting(tmp_path / "landing", tmp_path / "inbox")
    requests = inbox_requests(waiting)
    assert sorted((r.job_name, r.partition_key) for r in requests) == [
        ("ingest_minem_production", "2021"),
        ("ingest_minem_production", "2022"),
    ]
    assert [r.run_key for r in requests] == [r.run_key for r in inbox_requests(waiting)]
    list(intake.take_in(tmp_path / "landing", waiting))
    assert intake.waiting(tmp_path / "landing", tmp_path / "inbox") == []


def run_job(settings, name, **arguments):
    prepare_dagster_home(settings)
    defs = build_defs(settings, reporter=Reporter())
    with dg.DagsterInstance.ephemeral() as instance:
        return defs.resolve_job_def(name).execute_in_process(instance=instance, raise_on_error=False, **arguments)


def test_a_run_over_every_period_marks_only_those_that_have_files(settings):
    for year in (2021, 2024):
        file = next((SAMPLE_DIR / "minem_production").glob(f"*{year}.csv"))
        landing.land(settings.landing, all_sources()["minem_production"], file)
    result = run_job(settings, "ingest_minem_production")
    assert result.success
    events = result.get_asset_materialization_events()
    assert sorted(e.partition for e in events if e.partition) == ["2021", "2024"]
    assert len(list((settings.lake / "receipts").rglob("*.json"))) == 2


def test_one_partition_takes_only_its_own_files(settings):
    for year in (2021, 2022):
        landing.land(
            settings.landing,
            all_sources()["minem_production"],
            next((SAMPLE_DIR / "minem_production").glob(f"*{year}.csv")),
        )
    result = run_job(settings, "ingest_minem_production", partition_key="2022")
    assert result.success
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["rows_accepted"].value == 9336 and event.partition == "2022"
    assert len(list((settings.lake / "receipts").rglob("*.json"))) == 1


def test_bad_data_in_the_lake_blocks_the_build(settings):
    import polars as pl

    from pipelines import lake

    landing.land(
        settings.landing, all_sources()["bcrp_series"], SAMPLE_DIR / "bcrp_series" / "fx_monthly_PN01207PM.json"
    )
    assert run_job(settings, "ingest_bcrp_series").success
    (receipt,) = lake.receipts(settings.lake)
    path = lake.raw_path(settings.lake, "bcrp_series__observations", receipt.sha256)
    pl.read_parquet(path).with_columns(pl.lit("ZZ").alias("series_code")).write_parquet(path)
    shutil.rmtree(settings.lake / "checks")
    checked = run_job(settings, "ingest_bcrp_series")
    assert not checked.success or any(not e.passed for e in checked.get_asset_check_evaluations() if e.blocking)
    built = run_job(settings, "build")
    assert not built.success and not settings.analysts_db.exists()


@pytest.mark.faults  # a process for every step: minutes
def test_no_lock_fights_under_the_multiprocess_executor(small_house, tmp_path):
    """The default executor gives every step a process of its own; writers of one file must queue, not fail."""
    home = tmp_path / "home"
    shutil.copytree(small_house, home, symlinks=True)
    (home / "warehouse" / "antawasi.duckdb").unlink()
    settings = Settings(home=home)
    prepare_dagster_home(settings)
    script = tmp_path / "multi.py"
    script.write_text(
        "import dagster as dg\n\n\ndef job():\n    from pipelines.definitions import build_defs\n\n"
        "    return build_defs().resolve_job_def('build_and_publish')\n\n\n"
        "if __name__ == '__main__':\n    with dg.DagsterInstance.get() as instance:\n"
        "        result = dg.execute_job(dg.reconstructable(job), instance=instance)\n        assert result.success\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=os.environ
        | {"ANTAWASI_HOME": str(home), "DAGSTER_HOME": str(settings.dagster_home), "ANTAWASI_COLUMN_LINEAGE": "false"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert (home / "warehouse" / "antawasi.duckdb").exists() and "Could not set lock" not in done.stderr


def test_column_lineage_reaches_the_raw_table(house):
    with dg.DagsterInstance.from_config(str(house / "dagster")) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["staging", "stg_minem_production__quantities"]))
    lineage = event.asset_materialization.metadata["dagster/column_lineage"].value
    (source,) = lineage.deps_by_column["quantity"]
    assert source.asset_key == dg.AssetKey(["raw", "minem_production__quantities"]) and source.column_name == "quantity"
