"""dbt properties generated from the contracts: the raw sources, and the enforced contracts of marts and products.

Generated files carry a header and are compared with the contracts by `antawasi contracts lint` and a test;
human-written tests live apart, in `dbt_project/tests/` and in `*unit_tests.yml`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pipelines import contracts
from pipelines.contracts import LINEAGE, TableContract
from pipelines.settings import DBT_DIR

HEADER = "# Generated from data_contracts/ by `antawasi contracts generate`. Do not edit.\n"


#: Written beside the raw views by `warehouse.mount`.
LAKE_FILES = {
    "name": "lake_files",
    "description": "The lake files that the raw views read, with what each was made from.",
    "columns": [
        {"name": "table_name", "description": "Raw table"},
        {"name": "landing_sha256", "description": LINEAGE["_landing_sha256"][1]},
        {"name": "fingerprint", "description": "Names everything the rows depend on besides the landing file"},
    ],
}


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def rendered() -> dict[Path, str]:
    """Every generated file with its content."""
    tables = contracts.all_contracts().values()
    files = {DBT_DIR / "models" / "_raw_sources.yml": _dump(_sources([t for t in tables if t.layer == "raw"]))}
    for layer, folder in (("marts", "marts"), ("published", "publish")):
        models = [_model(t) for t in tables if t.layer == layer and t.disclosed_from is None]
        files[DBT_DIR / "models" / folder / f"_{folder}.yml"] = _dump({"version": 2, "models": models})
    return files


def write() -> list[Path]:
    """Write what differs; equal files stay untouched, since a new time stamp makes dbt parse again."""
    changed = drifted()
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rendered()[path], encoding="utf-8")
    return changed


def drifted() -> list[Path]:
    """Generated files that differ from the contracts."""
    return [p for p, text in rendered().items() if not p.exists() or p.read_text(encoding="utf-8") != text]


def _dump(value: dict[str, Any]) -> str:
    return HEADER + yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _sources(tables: list[TableContract]) -> dict[str, Any]:
    return {
        "version": 2,
        "sources": [
            {
                "name": "raw",
                "schema": "raw",
                "description": "Views over the lake's Parquet files, pinned for one build.",
                "tables": [
                    {
                        "name": t.name,
                        "description": t.description,
                        "columns": [{"name": c.name, "description": c.description} for c in t.columns]
                        + [{"name": name, "description": spec[1]} for name, spec in LINEAGE.items()],
                    }
                    for t in tables
                ]
                + [LAKE_FILES],
            }
        ],
    }


def _model(table: TableContract) -> dict[str, Any]:
    columns = []
    for c in table.columns:
        column: dict[str, Any] = {"name": c.name, "data_type": c.physical_type.lower(), "description": c.description}
        if c.required:  # DuckDB itself refuses the table: surer and cheaper than a query after the fact
            column["constraints"] = [{"type": "not_null"}]
        columns.append(column)
    model: dict[str, Any] = {
        "name": table.name,
        "description": table.description,
        "config": {"contract": {"enforced": True}},
        "columns": columns,
    }
    tests = []
    if table.key:
        tests.append({"unique_key": {"arguments": {"columns": list(table.key)}}})
    if codes := {c.name: list(c.codes) for c in table.columns if c.codes is not None}:
        tests.append({"known_codes": {"arguments": {"codes": codes}}})
    if tests:
        model["data_tests"] = tests
    return model
