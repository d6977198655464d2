"""The dbt project is parsed once, however many houses ask for it at the same time."""

from __future__ import annotations

import threading
import time

from pipelines.assets import warehouse
from pipelines.settings import Settings


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
