"""The unit tests of the dbt project: models on a few rows worked out by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipelines.settings import DBT_DIR
from tests.dbt_runs import dbt


def test_every_unit_test_of_the_dbt_project_passes(house: Path, tmp_path: Path) -> None:
    # dbt takes the types of a unit test's columns from relations that are there
    shutil.copy(house / "warehouse" / "build.duckdb", tmp_path / "build.duckdb")
    told = dbt("test", "--select", "test_type:unit", target=tmp_path / "target", database=tmp_path / "build.duckdb")
    written = sum(
        path.read_text(encoding="utf-8").count("    model: ") for path in DBT_DIR.rglob("models/**/*unit_tests.yml")
    )
    assert f"PASS={written} " in told, told
