"""The whole dbt project on Spark, table by table beside DuckDB's, in the sample's house."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import warehouse
from pipelines.settings import Settings
from pipelines.spark import build
from pipelines.spark.compare import Compared, compare
from tests.conftest import antawasi

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def settings(house: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A copy of the sample's house, built by Spark too."""
    home = tmp_path_factory.mktemp("spark") / "house"
    shutil.copytree(house, home, symlinks=True, ignore=shutil.ignore_patterns("releases", "dagster", "simulated"))
    antawasi("build", "--engine", "spark", home=home)
    return Settings(home=home)


def test_every_table_of_the_analysts_agrees_with_duckdbs(settings: Settings):
    compared = compare(settings)
    differing = [c for c in compared if not c.is_equal]
    assert not differing, "\n".join(map(str, differing))
    with warehouse.connect(settings.analysts_db, read_only=True) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE list_contains(?, schema_name)",
            [list(warehouse.ANALYST_SCHEMAS)],
        ).fetchall()[0][0]
    assert len(compared) == tables > 200


def test_only_what_analysts_read_stays(settings: Settings):
    kept = {path.name for path in build.folder(settings).iterdir()}
    assert kept == {f"{schema}.db" for schema in warehouse.ANALYST_SCHEMAS}
    assert build.digest(settings) == warehouse.analysts_digest(settings)


def altered(settings: Settings, table: str, change: Callable[[pa.Table], pa.Table], schema: str = "marts") -> Compared:
    """What the comparison says of a table whose rows by Spark were changed; the rows are put back."""
    folder = build.folder(settings) / f"{schema}.db" / table
    kept = folder.with_name("kept")
    folder.rename(kept)
    folder.mkdir()
    pq.write_table(change(pq.read_table(kept)), folder / "changed.parquet")
    try:
        return next(c for c in compare(settings) if c.table == table)
    finally:
        shutil.rmtree(folder)
        kept.rename(folder)


def test_a_row_too_few_a_cent_and_a_float_are_seen(settings: Settings):
    assert not altered(settings, "fct_transfer", lambda rows: rows.slice(1)).is_equal

    def a_cent(rows: pa.Table) -> pa.Table:
        name = "value_usd"
        field = rows.schema.field(name)
        first, *others = rows.column(name).to_pylist()
        changed = pa.array([first + type(first)("0.01"), *others], field.type)
        return rows.set_column(rows.schema.get_field_index(name), field, changed)

    assert altered(settings, "fct_transfer", a_cent).differing == 1

    def by_a_millionth(rows: pa.Table) -> pa.Table:
        name = "mean_difference_frac"
        at = rows.schema.get_field_index(name)
        values = [None if value is None else value * (1 + 1e-6) for value in rows.column(name).to_pylist()]
        return rows.set_column(at, rows.schema.field(name), pa.array(values, rows.schema.field(name).type))

    seen = altered(settings, "int_settlement__assay_bias", by_a_millionth, schema="intermediate")
    assert seen.float_difference == pytest.approx(1e-6, rel=1e-3) and not seen.is_equal
