"""The attributed mineral of registrations against the simulated truth, which no model reads."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from pipelines import contracts
from pipelines.simulator.plan import load
from pipelines.vault import open_keyer

c = pl.col
COPPER = ("COBRE", "COBRE_ORO")


@pytest.fixture(scope="module")
def attributed(house: Path) -> pl.DataFrame:
    """Attributions of the simulated registrations, with the truth of each: `true_mineral_code`."""
    keyer = open_keyer(house / "vault", house / "lake")
    (truth,) = (house / "simulated").glob("tiny-*/truth/registrations/*.parquet")
    people = pl.read_parquet(truth).select("reinfo_id", "true_mineral_code")
    keys = pl.Series("registration_key", [keyer.key("REINFO", code) for code in people["reinfo_id"]])
    with duckdb.connect(str(house / "warehouse" / "antawasi.duckdb"), read_only=True) as connection:
        found = pl.from_arrow(
            connection.execute("SELECT * FROM marts.attr_registration_mineral WHERE is_synthetic").to_arrow_table()
        )
    assert isinstance(found, pl.DataFrame)
    return people.with_columns(keys).join(found, on="registration_key", how="left")


def test_attributions_are_right_at_least_as_often_as_a_single_declaration(attributed):
    """Simulated holders name another mineral with a known probability, drawn among four that may be the true one: what is
    attributed from all pieces together must not be worse than reading one declaration. Nearly all registrations are reached.
    """
    steps = load().registry.steps
    one_declaration = 1 - steps.declared_otherwise * (1 - 1 / 4)
    told = attributed.filter(c("mineral_code").is_not_null() & (c("mineral_code") != "SIN_ATRIBUIR"))
    is_right = told["mineral_code"] == told["true_mineral_code"]
    assert is_right.mean() >= one_declaration
    assert told.height / attributed.height >= one_declaration
    copper = told.filter(c("mineral_code").is_in(COPPER))
    assert copper["true_mineral_code"].is_in(COPPER).mean() >= one_declaration
    assert copper["true_mineral_code"].is_in(COPPER).sum() >= one_declaration * (
        attributed["true_mineral_code"].is_in(COPPER).sum()
    )


def test_confidence_is_how_often_an_attribution_is_right(attributed):
    """Hits, and the surprise at them (minus the logarithm of the probability stated for what came true, which punishes being
    too sure), stay within three standard deviations of what the confidences promise; of the mineral and of copper or not.
    """
    told = attributed.filter(c("confidence_frac").is_not_null()).select(
        c("confidence_frac").cast(pl.Float64).alias("stated"),
        (c("mineral_code") == c("true_mineral_code")).alias("came_true"),
    )
    known = attributed.filter(c("copper_confidence_frac").is_not_null()).select(
        c("copper_confidence_frac").cast(pl.Float64).alias("stated"),
        c("true_mineral_code").is_in(COPPER).alias("came_true"),
    )
    for frame in (told, known):
        p = frame["stated"].to_numpy().clip(1e-6, 1 - 1e-6)
        came = frame["came_true"].to_numpy()
        assert abs(came.sum() - p.sum()) < 3 * np.sqrt((p * (1 - p)).sum())
        surprise = -np.log(np.where(came, p, 1 - p)).sum()
        expected = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum()
        spread = np.sqrt((p * (1 - p) * np.log(p / (1 - p)) ** 2).sum())
        assert abs(surprise - expected) < 3 * spread


def test_every_piece_of_evidence_is_a_row_of_a_file(house):
    with duckdb.connect(str(house / "warehouse" / "antawasi.duckdb"), read_only=True) as connection:
        tables = [
            row[0]
            for row in connection.execute(
                "SELECT DISTINCT source_table FROM intermediate.int_registration__mineral_evidence"
            ).fetchall()
        ]
        assert len(tables) == 6
        for table in tables:
            staging = f"staging.stg_{contracts.contract(table).name}"
            (rows,) = connection.execute(
                f"SELECT count(*), count(source.row_number) FROM intermediate.int_registration__mineral_evidence AS evidence "
                f"LEFT JOIN {staging} AS source USING (landing_sha256, row_number, is_synthetic) WHERE source_table = ?",
                [table],
            ).fetchall()
            assert rows[0] == rows[1] > 0, table
