import dataclasses
import stat

import pytest
import yaml

from pipelines import files, intake, landing
from pipelines.errors import AntawasiError, FileRefused
from pipelines.sources import get_source

SOURCE = get_source("bcrp_series")
ANSWER = '{"config":{"series":[]},"periods":[]}'


@pytest.fixture
def dropped(tmp_path):
    path = tmp_path / "drop" / "bcrp_series" / "a.json"
    path.parent.mkdir(parents=True)
    path.write_text(ANSWER)
    return path


def test_a_file_lands_exactly_as_received_with_its_card(tmp_path, dropped):
    card, is_new = landing.land(tmp_path / "landing", SOURCE, dropped, origin={"source_as_of": "2026-06-19"})
    kept = card.path(tmp_path / "landing")
    assert is_new and kept.read_bytes() == dropped.read_bytes() and files.sha256_file(kept) == card.sha256
    assert stat.S_IMODE(kept.stat().st_mode) == 0o444
    assert landing.read_card(kept.with_name("origin.json")) == card
    assert (card.source_as_of, card.producer, card.is_synthetic) == ("2026-06-19", SOURCE.producer, False)


def test_the_same_bytes_twice_are_one_file_with_the_first_card(tmp_path, dropped):
    first, _ = landing.land(tmp_path / "landing", SOURCE, dropped, landed_at="2026-01-01T00:00:00")
    copy = dropped.with_name("b.json")
    copy.write_text(ANSWER)
    second, is_new = landing.land(tmp_path / "landing", SOURCE, copy)
    assert not is_new and second == first and len(landing.cards(tmp_path / "landing")) == 1


def test_a_missing_source_date_can_be_stated_later_but_not_changed(tmp_path, dropped):
    first, _ = landing.land(tmp_path / "landing", SOURCE, dropped)
    assert first.source_as_of is None
    stated, _ = landing.land(tmp_path / "landing", SOURCE, dropped, origin={"source_as_of": "2026-06-19"})
    assert stated == dataclasses.replace(first, source_as_of="2026-06-19")
    again, _ = landing.land(tmp_path / "landing", SOURCE, dropped, origin={"source_as_of": "2030-01-01"})
    assert again == stated


@pytest.mark.parametrize("what", ["directory", "nothing"])
def test_only_a_regular_file_lands(tmp_path, what):
    path = tmp_path / "x.json"
    if what == "directory":
        path.mkdir()
    with pytest.raises(FileRefused) as refusal:
        landing.land(tmp_path / "landing", SOURCE, path)
    assert "x.json" in str(refusal.value) and "What to do" in str(refusal.value)


def test_a_wrong_date_or_field_on_the_card_is_told(tmp_path, dropped):
    with pytest.raises(AntawasiError, match="YYYY-MM-DD"):
        landing.land(tmp_path / "landing", SOURCE, dropped, origin={"source_as_of": "19/06/2026"})
    with pytest.raises(AntawasiError, match="unknown fields owner"):
        landing.land(tmp_path / "landing", SOURCE, dropped, origin={"owner": "x"})


def test_a_killed_landing_leaves_nothing_that_counts(tmp_path, dropped, monkeypatch):
    monkeypatch.setattr(landing.shutil, "copyfile", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        landing.land(tmp_path / "landing", SOURCE, dropped)
    assert landing.cards(tmp_path / "landing") == []


def test_a_drop_folder_gives_source_period_and_origin(tmp_path):
    folder = tmp_path / "drop" / "minem_production"
    (folder / "2023").mkdir(parents=True)
    (folder / "origin.yaml").write_text(
        yaml.safe_dump({"producer": "P", "files": {"a.csv": {"source_as_of": "2024-02-01"}}})
    )
    (folder / "2023" / "a.csv").write_text("x")
    (folder / "b.csv").write_text("y")
    found = {d.path.name: d for d in landing.dropped(tmp_path / "drop")}
    assert found["a.csv"].period == "2023" and found["a.csv"].origin == {"producer": "P", "source_as_of": "2024-02-01"}
    assert found["b.csv"].period is None and found["b.csv"].origin == {"producer": "P"}


def test_an_unknown_source_folder_lists_the_known_ones(tmp_path):
    (tmp_path / "drop" / "minem").mkdir(parents=True)
    with pytest.raises(AntawasiError, match="minem_production"):
        list(landing.dropped(tmp_path / "drop"))


def test_a_file_already_taken_in_is_not_read_again_until_it_changes(tmp_path, dropped):
    root, folder = tmp_path / "landing", dropped.parents[1]
    assert len(list(intake.take_in(root, intake.waiting(root, folder)))) == 1
    assert intake.waiting(root, folder) == []
    dropped.write_text(ANSWER + " ")
    assert len(intake.waiting(root, folder)) == 1
