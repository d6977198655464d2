"""The dbt project is parsed once, however many houses ask for it at the same time."""

from __future__ import annotations

import argparse
import os
import threading
import time

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


def test_dbt_puts_what_does_not_fit_into_memory_beside_the_build_file(tmp_path, monkeypatch):
    monkeypatch.setenv("ANTAWASI_BUILD_DB", str(tmp_path / "build.duckdb"))
    set_invocation_context(os.environ)
    set_from_args(argparse.Namespace(profiles_dir=str(DBT_DIR)), None)
    options = load_profile(str(DBT_DIR), {}, target_override="duckdb").credentials.config_options
    assert options["temp_directory"] == str(spill_of(tmp_path / "build.duckdb"))
