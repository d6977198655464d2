"""Columns of models and where these come from, for Dagster's pages.

dbt's integration reads them out of each model's SQL, which takes ten seconds a build and gives the same until the dbt project
or a contract changes: so they are kept beside the parsed project, and read again only then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliInvocation
from dagster_dbt.core.dbt_event_iterator import DbtEventIterator

from pipelines import contracts, files, warehouse

#: Where a column comes from a file, and what is published. Reading lineage out of the SQL between takes minutes a build.
SCHEMAS = ("staging", "publish")
_TOLD = ("dagster/column_schema", "dagster/column_lineage")


def with_lineage(
    events: Iterable[Any], run: DbtCliInvocation, kept: Path, open_adapter: Callable[[], None]
) -> Iterator[Any]:
    """The events of a build in their order; those of models of `SCHEMAS` with their columns and where these come from.

    Args:
        kept: file with what former builds read, which is written anew where it is not of this project.
        open_adapter: called once, before the first column is read.
    """
    nodes, project = run.manifest["nodes"], _project()
    known = _read(kept, project)
    count, is_open = len(known), False
    for event in events:
        name = unique_id(event) if isinstance(event, dg.Output) else None
        if name is None or nodes.get(name, {}).get("schema") not in SCHEMAS:
            yield event
        elif name in known:
            yield event.with_metadata({**event.metadata, **known[name]})
        else:
            if not is_open:
                open_adapter()
                is_open = True
            for told in DbtEventIterator(iter([event]), run).fetch_column_metadata():
                if all(key in told.metadata for key in _TOLD):
                    known[name] = {key: told.metadata[key] for key in _TOLD}
                yield told
    if len(known) > count:
        files.write_json(kept, {"project": project, "models": {n: dg.serialize_value(known[n]) for n in sorted(known)}})


def unique_id(event: dg.Output) -> str:
    """dbt's name of the node that an event tells of."""
    told = event.metadata.get("unique_id")
    return str(told.value) if isinstance(told, dg.MetadataValue) else str(told)


def _project() -> str:
    """Names the state of all that columns follow from: models, and the contracts of the raw tables."""
    paths = (*warehouse.dbt_inputs(), *(contract.path for contract in contracts.all_contracts().values()))
    return hashlib.sha256("\n".join(f"{p.name} {files.sha256_file(p)}" for p in paths).encode()).hexdigest()


def _read(kept: Path, project: str) -> dict[str, Any]:
    if not kept.exists():
        return {}
    held = files.read_json(kept)
    if held["project"] != project:
        return {}
    return {name: dg.deserialize_value(told) for name, told in held["models"].items()}
