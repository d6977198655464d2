"""Every contract against the ODCS JSON schema (not ours), the house's rules, and what is generated from it."""

import importlib.resources
import json

import jsonschema
import pytest
import yaml

from pipelines import contracts, dbt_files, dictionary, lint, quality
from pipelines.contracts import CONTRACTS_DIR
from pipelines.sources import all_sources

PATHS = sorted(CONTRACTS_DIR.rglob("*.yaml"))
SCHEMA = json.loads(importlib.resources.files("open_data_contract_standard").joinpath("schema.json").read_text())


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_contract_is_valid_odcs(path):
    document = json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))
    jsonschema.Draft201909Validator(SCHEMA).validate(document)


def test_a_broken_contract_is_seen(tmp_path):
    document = yaml.safe_load(PATHS[0].read_text(encoding="utf-8"))
    document["schema"][0]["properties"][0]["logicalType"] = "text"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft201909Validator(SCHEMA).validate(document)


def test_lint_finds_nothing():
    assert lint.problems() == []


def test_lint_names_the_file_and_column(tmp_path, monkeypatch):
    bad = tmp_path / "raw" / "x__y.yaml"
    bad.parent.mkdir()
    text = (CONTRACTS_DIR / "raw" / "bcrp_series__observations.yaml").read_text(encoding="utf-8")
    bad.write_text(text.replace("classification: public", "classification: secret"), encoding="utf-8")
    monkeypatch.setattr(lint, "CONTRACTS_DIR", tmp_path)
    monkeypatch.setattr(lint, "PROJECT_ROOT", tmp_path)
    problems = lint.problems()
    assert any("x__y.yaml" in p and "series_code" in p and "secret" in p for p in problems)


def test_generated_dbt_files_and_dictionary_have_not_drifted():
    assert dbt_files.drifted() == [] and dictionary.drifted() == []


def test_drift_is_seen_both_ways(tmp_path, monkeypatch):
    path = next(iter(dbt_files.rendered()))
    copy = tmp_path / path.name
    copy.write_text(path.read_text(encoding="utf-8").replace("not_null", "unique", 1), encoding="utf-8")
    monkeypatch.setattr(dbt_files, "rendered", lambda: {copy: path.read_text(encoding="utf-8") + "# new\n"})
    assert dbt_files.drifted() == [copy]


def test_every_source_has_its_contracts_and_every_raw_contract_its_source():
    declared = {t for s in all_sources().values() for t in s.tables}
    assert declared == {c.name for c in contracts.all_contracts().values() if c.layer == "raw"}


@pytest.mark.parametrize("table", list(contracts.all_contracts()))
def test_every_suite_asks_for_rows_columns_and_nulls(table):
    kinds = [kind for kind, _ in quality.suite(contracts.contract(table))]
    assert "ExpectTableRowCountToBeBetween" in kinds and "ExpectTableColumnsToMatchSet" in kinds
    assert "ExpectColumnValuesToNotBeNull" in kinds


@pytest.mark.parametrize("table", [c.name for c in contracts.all_contracts().values() if c.layer == "published"])
def test_published_columns_are_public_and_carry_the_synthetic_mark_in_the_grain(table):
    contract = contracts.contract(table)
    assert {c.classification for c in contract.columns} == {"public"}
    assert "is_synthetic" in contract.key


def test_measures_of_published_tables_have_units():
    for c in contracts.all_contracts().values():
        if c.layer == "published":
            for column in c.columns:
                if column.physical_type.startswith("DECIMAL"):
                    assert column.unit, (c.name, column.name)
