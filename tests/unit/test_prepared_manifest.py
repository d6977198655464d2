"""The dbt project is parsed once, however many houses ask for it at the same time."""

from __future__ import annotations

import argparse
import os
import threading
import time

import duckdb
from dbt.adapters.duckdb.environments import Environment
from dbt.config.runtime import load_profile
from dbt.flags import set_from_args
from dbt_common.context import set_invocation_context

from pipelines.assets import warehouse
from pipelines.settings import DBT_DIR, Settings
from pipelines.warehouse import spill_of


def test_runs_at_once_parse_once_and_read_it_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("ANTAWASI_BUILD_DB", ":memory:")  # put back after the test
    monkeypatch.setattr(warehouse, "TARGET", tmp_path)
    parsed, read = [], []

    def parse():
        parsed.append(1)
        with (tmp_path / "manifest.json").open("w") as handle:
            handle.write("{")
            handle.flush()
            time.sleep(0.5)
            handle.write("}")

    monkeypatch.setattr(warehouse, "_parse", parse)

    def run(number: int):
        read.append(warehouse.prepared_manifest(Settings(home=tmp_path / f"house{number}")).read_text())

    threads = [threading.Thread(target=run, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == ["{}"] * 3 and parsed == [1]


def test_dbt_builds_in_the_file_of_the_house_by_a_profile_that_is_the_same_for_all(tmp_path, monkeypatch):
    set_invocation_context(os.environ)
    set_from_args(argparse.Namespace(profiles_dir=str(DBT_DIR)), None)
    seen = []
    for name in ("one", "other"):
        build_db = tmp_path / f"{name}.duckdb"
        monkeypatch.setenv("ANTAWASI_BUILD_DB", str(build_db))
        credentials = load_profile(str(DBT_DIR), {}, target_override="duckdb").credentials
        seen.append(list(credentials.connection_info()))  # what dbt compares
        with Environment.initialize_db(credentials, Environment.initialize_plugins(credentials)) as connection:
            connection.execute("CREATE TABLE build.told AS SELECT current_setting('temp_directory') AS spill")
        with duckdb.connect(str(build_db), read_only=True) as connection:
            assert connection.execute("FROM told").fetchall() == [(str(spill_of(build_db)),)]
    assert seen[0] == seen[1]
