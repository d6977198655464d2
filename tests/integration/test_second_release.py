"""A second release after late rows: what was hidden stays hidden, what was shown never hides another figure, and it says why."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines import contracts
from pipelines.publish import products, release
from pipelines.settings import Settings

LATE = "late-" + "0" * 59


@pytest.fixture(scope="module")
def second(house: Path, tmp_path_factory) -> tuple[Path, Path]:
    """The sample's release and the one after papers of more operators came in for months that it had told."""
    home = tmp_path_factory.mktemp("second")
    for zone in ("releases", "ledger", "landing", "vault"):
        shutil.copytree(house / zone, home / zone, symlinks=True)
    (home / "warehouse").mkdir()
    copy = home / "warehouse" / "antawasi-late.duckdb"
    shutil.copyfile((house / "warehouse" / "antawasi.duckdb").resolve(), copy)
    (home / "warehouse" / "antawasi.duckdb").symlink_to(copy.name)
    with duckdb.connect(str(copy)) as connection:
        for table, keys in (("margins", ["holding_key"]), ("prices", ["holding_key", "producer_key"])):
            others = ", ".join(f"{key} || '-' || i AS {key}" for key in keys)
            connection.execute(
                f"INSERT INTO intermediate.int_release__{table} SELECT given.* REPLACE ({others}) "
                f"FROM intermediate.int_release__{table} AS given, range(6) AS copies(i) WHERE is_synthetic AND month(month) % 2 = 0"
            )
        connection.execute(
            "INSERT INTO meta.landing_files BY NAME SELECT source, $1 AS landing_sha256, status, '2024-12' AS period, "
            "source_as_of - 400 AS source_as_of, is_synthetic FROM meta.landing_files WHERE source = 'partner_settlements' LIMIT 1",
            [LATE],
        )
    first = (home / "releases" / "latest").resolve()
    done = release.publish(Settings(home=home))
    assert done.is_new and done.path != first
    return first, done.path


@pytest.mark.parametrize("table", [d.table for d in products.DISCLOSED])
def test_hidden_stays_hidden_and_shown_hides_nothing(second, table) -> None:
    first, then = (pl.read_parquet(folder / f"{table}.parquet") for folder in second)
    key = list(contracts.contract(table).key)
    both = first.join(then, on=key, how="left", suffix="_then", nulls_equal=True)
    was, now = pl.col("obs_status_code"), pl.col("obs_status_code_then")
    assert both.filter(was != "A").height > 0 and both.filter(was != "A", now.is_null() | (now == "A")).is_empty()
    assert both.filter(was == "A", now.is_null() | (now == "D")).is_empty()


def test_late_rows_change_shown_figures_and_the_release_says_why(second) -> None:
    changed = pl.read_csv(second[1] / "changes.csv", infer_schema=False)
    margins = changed.filter(pl.col("product") == products.MARGINS)
    assert margins.filter(pl.col("change") == "revised").height > 0
    assert all("partner_settlements" in reason and "1 late" in reason for reason in margins["reason"])
    assert changed.filter(pl.col("product") == "pub_copper_production").is_empty()
    assert "`partner_settlements` (simulado / simulated)" in (second[1] / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "partner_settlements" in (second[1] / "index.html").read_text(encoding="utf-8")
