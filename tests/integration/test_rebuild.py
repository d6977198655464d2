"""The same rows give the same tables: every model built again over what staging read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.dbt_runs import dbt
from tests.faults.houses import tables

pytestmark = pytest.mark.long


def test_every_table_comes_out_the_same_when_built_again(house: Path, tmp_path: Path) -> None:
    first = (house / "warehouse" / "antawasi.duckdb").resolve()
    again = tmp_path / "build.duckdb"
    shutil.copyfile(first, again)
    dbt("--quiet", "run", "--exclude", "source:*+1", target=tmp_path / "target", database=again)
    before, after = tables(first), tables(again)
    assert len(before) > 200
    assert [name for name in before if before[name] != after.get(name)] == []
