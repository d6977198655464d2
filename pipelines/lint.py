"""Contracts against the ODCS schema and the house's own rules, and everything generated from them against drift."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from open_data_contract_standard.model import OpenDataContractStandard

from pipelines import contracts, dbt_files, dictionary
from pipelines.contracts import CONTRACTS_DIR, TableContract
from pipelines.errors import AntawasiError
from pipelines.settings import PROJECT_ROOT
from pipelines.sources import SLUGS

_SEMVER = re.compile(r"\d+\.\d+\.\d+")
CLASSES = ("public", "restricted", "personal")


def problems() -> list[str]:
    """What is wrong, one sentence each with its file; empty when all is well."""
    found = []
    for path in sorted(CONTRACTS_DIR.rglob("*.yaml")):
        try:
            OpenDataContractStandard.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
            found += _house_rules(contracts.load(path))
        except (AntawasiError, ValueError, yaml.YAMLError) as error:
            found.append(f"{path.relative_to(PROJECT_ROOT)}: {error}")
    if not found:
        found += [
            f"{p.relative_to(PROJECT_ROOT)}: differs from the contracts; run `antawasi contracts generate`."
            for p in drifted()
        ]
    return found


def drifted() -> list[Path]:
    """Generated files that differ from the contracts."""
    return [*dbt_files.drifted(), *dictionary.drifted()]


def generate() -> list[Path]:
    """Write the generated files that differ; their paths."""
    return [*dbt_files.write(), *dictionary.write()]


def _house_rules(table: TableContract) -> list[str]:
    where, found = table.path.relative_to(PROJECT_ROOT), []
    if table.path.stem != table.name:
        found.append(f"{where}: the file's name differs from the table's, {table.name}.")
    if not _SEMVER.fullmatch(table.version):
        found.append(f"{where}: version {table.version!r} is not like 1.0.0.")
    if not table.description_es or not table.grain:
        found.append(f"{where}: description_es or dataGranularityDescription is missing.")
    if bool(table.limitations) != bool(table.limitations_es):
        found.append(f"{where}: limitations stand in one language only; add limitations_es or description.limitations.")
    if table.layer == "published" and (not table.published_from or set(table.published_from) - set(SLUGS)):
        found.append(f"{where}: property sources must name sources of the house: {', '.join(SLUGS)}.")
    for c in table.columns:
        contracts.polars_type(c.physical_type)
        if c.classification not in CLASSES:
            found.append(
                f"{where}, column {c.name}: classification is {c.classification!r}, expected one of {', '.join(CLASSES)}."
            )
        if not (c.title_es and c.description and c.description_es):
            found.append(f"{where}, column {c.name}: businessName, description or description_es is missing.")
        if c.added_in and (c.required or not _SEMVER.fullmatch(c.added_in)):
            found.append(
                f"{where}, column {c.name}: added_in is a version like 1.2.0, and the column cannot be required."
            )
        if c.classification == "personal":
            found.append(f"{where}, column {c.name}: personal columns stay in the vault; publish a key instead.")
    return found
