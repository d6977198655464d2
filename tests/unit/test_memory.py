"""A limit on DuckDB's memory reaches every connection of the house, and what is no limit is told with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from dbt.adapters.duckdb.credentials import DuckDBCredentials

from pipelines import settings, warehouse
from pipelines.dbt_house import Plugin
from pipelines.errors import AntawasiError
from pipelines.memory import limits

ASKED = (
    "SELECT current_setting('memory_limit'), current_setting('allocator_flush_threshold'), "
    "current_setting('allocator_bulk_deallocation_flush_threshold')"
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch):
    """Settings read anew from the environment."""

    def ask(limit: str) -> settings.Settings:
        monkeypatch.setenv("ANTAWASI_MEMORY_LIMIT", limit)
        settings.get_settings.cache_clear()
        return settings.get_settings()

    yield ask
    settings.get_settings.cache_clear()


def of_dbt() -> dict:
    credentials = DuckDBCredentials(database="build", schema="main", path=":memory:")
    config: dict = {}
    Plugin.create("pipelines.dbt_house", credentials=credentials).update_connection_config(credentials, config)
    return config


def test_nine_tenths_of_the_limit_reach_the_build_and_dbt(asked, tmp_path: Path):
    assert asked("500MiB").memory_limit == "500MiB"
    with warehouse.connect(tmp_path / "build.duckdb") as connection:
        limit, *thresholds = connection.execute(ASKED).fetchall()[0]
    with warehouse.connect_in_memory(tmp_path / "spill") as connection:
        assert connection.execute(ASKED).fetchall()[0][0] == limit == "450.0 MiB"
    assert thresholds == ["15.2 MiB"] * 2
    assert of_dbt()["memory_limit"] == "450MiB"


def test_what_was_checked_is_what_is_used(asked, monkeypatch: pytest.MonkeyPatch):
    asked("512MiB")
    monkeypatch.setenv("ANTAWASI_MEMORY_LIMIT", "nothing of the kind")
    assert limits() == limits("512MiB")


def test_without_one_duckdb_takes_what_it_takes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ANTAWASI_MEMORY_LIMIT", raising=False)
    assert "memory_limit" not in of_dbt()


@pytest.mark.parametrize("told", ["2", "much", "0GB", "-1GB", "2GB; DROP TABLE x"])
def test_what_is_no_size_is_told(asked, told: str):
    with pytest.raises(AntawasiError, match=r"ANTAWASI_MEMORY_LIMIT: '.*' is no size. What to do: .* such as 2GB"):
        asked(told)


@pytest.mark.parametrize("told", ["2GB", "1.5GB", "500 MB", "800MiB"])
def test_what_is_taken_for_a_size_is_one_to_duckdb(asked, told: str, tmp_path: Path):
    assert asked(told).memory_limit == told
    with warehouse.connect(tmp_path / "build.duckdb") as connection:
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
