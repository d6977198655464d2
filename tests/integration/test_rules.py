"""Rules are numbers of seeds, asked for by code: one that is misspelt, deleted or doubled stops the build, not the rule."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipelines.settings import DBT_DIR
from tests.integration.conftest import dbt_compile

SEEDS = DBT_DIR / "seeds"


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """SQL of the test of every seed of rules."""
    target = tmp_path_factory.mktemp("rules")
    dbt_compile(target, "--select", "test_name:rules_as_read")
    found = {
        path.stem.removeprefix("rules_as_read_").rpartition("_")[0].removesuffix("_rule").removesuffix("_match"): path
        for path in target.rglob("rules_as_read_*.sql")
    }
    return {seed: path.read_text(encoding="utf-8").replace('"build".', '"memory".') for seed, path in found.items()}


def wrong(checks: dict[str, str], seed: str, changed: str = "") -> list[tuple]:
    """What the test of a seed finds, after a change of it."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE SCHEMA reference")
        connection.execute(f"CREATE TABLE reference.{seed} AS FROM read_csv('{SEEDS / seed}.csv')")
        connection.execute(changed.format(seed=f"reference.{seed}") or "SELECT 1")
        return connection.execute(checks[seed]).fetchall()


def test_every_seed_has_the_rules_that_models_read(checks):
    assert {"lot_rules", "imputation_rules", "match_rules", "ref_settlement_rule"} <= set(checks)
    assert not {seed: found for seed in checks if (found := wrong(checks, seed))}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ("DELETE FROM {seed} WHERE rule_code = 'VALUE'", [("VALUE", 0)]),
        ("UPDATE {seed} SET rule_code = 'VALEU' WHERE rule_code = 'VALUE'", [("VALEU", 1), ("VALUE", 0)]),
        ("INSERT INTO {seed} FROM {seed} WHERE rule_code = 'VALUE'", [("VALUE", 2)]),
        ("INSERT INTO {seed} (rule_code) VALUES ('NOBODY_READS_IT')", [("NOBODY_READS_IT", 1)]),
    ],
)
def test_a_rule_that_is_not_there_once_is_found(checks, changed: str, found: list[tuple]):
    assert sorted(wrong(checks, "ref_settlement_rule", changed)) == found


def test_a_code_that_no_seed_has_is_told_before_anything_is_built(tmp_path: Path):
    with pytest.raises(
        AssertionError, match=r"ref_settlement_rule has no rule 'VALEU'. What to do: write one of VALUE"
    ):
        dbt_compile(tmp_path, "--inline", "SELECT {{ settlement_rule('VALEU') }}")
