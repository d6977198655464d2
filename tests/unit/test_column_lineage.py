"""Columns' lineage is read once for each state of the project, and every build shows it."""

from __future__ import annotations

from typing import ClassVar

import dagster as dg
import pytest
from dagster._core.definitions.metadata import TableMetadataSet

from pipelines import column_lineage

SCHEMA = dg.TableSchema(columns=[dg.TableColumn("lot_key", "VARCHAR")])
LINEAGE = dg.TableColumnLineage(
    {"lot_key": [dg.TableColumnDep(asset_key=dg.AssetKey(["raw", "lots"]), column_name="lot")]}
)


class Run:
    """A build of a staging model and one between."""

    manifest: ClassVar = {"nodes": {"model.lots": {"schema": "staging"}, "model.between": {"schema": "intermediate"}}}


class Reader:
    """What reads columns out of the SQL, once its adapter is open; counts what it is asked."""

    asked: list[str]
    is_open: bool
    told = TableMetadataSet(column_schema=SCHEMA, column_lineage=LINEAGE)

    def __init__(self, events, run):
        self.events = events

    def fetch_column_metadata(self):
        assert Reader.is_open
        for event in self.events:
            Reader.asked.append(column_lineage.unique_id(event))
            yield event.with_metadata({**event.metadata, **Reader.told})


@pytest.fixture
def reader(monkeypatch):
    Reader.asked, Reader.is_open, Reader.told = (
        [],
        False,
        TableMetadataSet(column_schema=SCHEMA, column_lineage=LINEAGE),
    )
    monkeypatch.setattr(column_lineage, "DbtEventIterator", Reader)
    return Reader


def build(kept):
    Reader.is_open = False

    def open_adapter():
        assert not Reader.is_open
        Reader.is_open = True

    events = [dg.Output(None, metadata={"unique_id": f"model.{name}", "rows": 3}) for name in ("lots", "between")]
    return list(column_lineage.with_lineage([*events, "a check"], Run(), kept, open_adapter))


def test_a_second_build_shows_the_same_without_reading(reader, tmp_path):
    first, second = build(tmp_path / "columns.json"), build(tmp_path / "columns.json")
    assert reader.asked == ["model.lots"]
    assert not Reader.is_open  # the second time
    assert first[0].metadata == second[0].metadata
    assert second[0].metadata["dagster/column_lineage"].value == LINEAGE
    assert second[0].metadata["rows"].value == 3
    assert "dagster/column_lineage" not in second[1].metadata
    assert second[2] == "a check"


def test_a_changed_project_is_read_anew(reader, tmp_path, monkeypatch):
    build(tmp_path / "columns.json")
    monkeypatch.setattr(column_lineage, "_project", lambda: "another")
    build(tmp_path / "columns.json")
    assert reader.asked == ["model.lots", "model.lots"]


def test_what_could_not_be_read_is_not_kept(reader, tmp_path):
    reader.told = TableMetadataSet(column_schema=SCHEMA)
    build(tmp_path / "columns.json")
    assert not (tmp_path / "columns.json").exists()
    build(tmp_path / "columns.json")
    assert reader.asked == ["model.lots", "model.lots"]
