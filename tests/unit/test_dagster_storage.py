"""The house's record of runs: Dagster's own files, whoever opens them."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef

from pipelines import house
from pipelines.dagster_storage import OpenEventLog
from pipelines.settings import Settings


@dg.asset
def lots():
    return dg.MaterializeResult(metadata={"rows": 3})


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings = Settings(home=tmp_path / "house")
    house.prepare_dagster_home(settings)
    return settings


def rows(instance: dg.DagsterInstance) -> list[int]:
    """What each materialization of `lots` told, newest first."""
    found = instance.fetch_materializations(dg.AssetKey("lots"), limit=10).records
    return [record.asset_materialization.metadata["rows"].value for record in found]


def test_dagster_and_the_house_read_what_the_other_wrote(settings):
    home = str(settings.dagster_home)
    with house._instance(settings) as ours, dg.DagsterInstance.from_ref(InstanceRef.from_dir(home)) as plain:
        assert isinstance(ours.event_log_storage, OpenEventLog)
        assert not isinstance(plain.event_log_storage, OpenEventLog)
        for instance in (ours, plain, ours):  # while both have the files open
            assert dg.materialize([lots], instance=instance).success
            assert rows(ours) == rows(plain)
        assert rows(plain) == [3, 3, 3]
        for run in plain.get_runs():
            assert [e.dagster_event_type for e in ours.all_logs(run.run_id) if e.is_dagster_event] == [
                e.dagster_event_type for e in plain.all_logs(run.run_id) if e.is_dagster_event
            ]
    with house._instance(settings) as again:
        assert rows(again) == [3, 3, 3]


def test_a_storage_that_a_team_chose_is_used(settings, tmp_path):
    with (settings.dagster_home / "dagster.yaml").open("a", encoding="utf-8") as config:
        config.write(f"storage:\n  sqlite:\n    base_dir: {tmp_path / 'elsewhere'}\n")
    with house._instance(settings) as instance:
        assert dg.materialize([lots], instance=instance).success
        assert not isinstance(instance.event_log_storage, OpenEventLog)
    assert list((tmp_path / "elsewhere" / "history" / "runs").glob("*.db"))
