"""Lake files and build files that are not as they were written, and clocks that are set back."""

import pytest

from pipelines import files, ingest, lake, landing, warehouse
from pipelines.sources import get_source
from tests.conftest import SAMPLE_DIR, break_file

SOURCE = get_source("minem_production")
TABLE = SOURCE.tables[0]


@pytest.fixture
def taken(take):
    return take("minem_production", next((SAMPLE_DIR / "minem_production").glob("*2024.csv")))


@pytest.mark.parametrize("how", ["cut", "flipped", "gone"])
@pytest.mark.parametrize("zone", [lake.raw_path, lake.rejected_path])
def test_a_damaged_lake_file_is_found_and_read_again_to_the_same_bytes(zones, taken, how, zone):
    assert lake.damaged(zones.lake, [taken]) == []
    path = zone(zones.lake, TABLE, taken.sha256)
    data = path.read_bytes()
    break_file(path, how)
    assert lake.damaged(zones.lake, [taken]) == [taken]
    assert ingest.restore(zones, [taken]) == [taken]
    assert path.read_bytes() == data and lake.damaged(zones.lake, [taken]) == []


def test_a_damaged_empty_file_is_written_again(zones):
    lake.ensure_empty_tables(zones.lake)
    path = lake.empty_path(zones.lake, TABLE)
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    lake.ensure_empty_tables(zones.lake)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "text"])
def test_a_build_file_that_cannot_be_opened_is_made_anew(settings, zones, taken, damage):
    pinned = warehouse.pin(zones.lake)
    warehouse.mount(settings, pinned)
    data = settings.build_db.read_bytes()
    settings.build_db.write_bytes(
        {"cut": data[: len(data) // 2], "empty": b"", "noise": b"\x80" * 5000 + data[5000:], "text": b"x" * 100}[damage]
    )
    warehouse.mount(settings, pinned)
    with warehouse.connect(settings.build_db, read_only=True) as connection:
        ((rows,),) = connection.execute(f'SELECT count(*) FROM raw."{TABLE}"').fetchall()
    assert rows == taken.accepted[TABLE]


def test_a_damaged_page_tells_itself_and_the_file_is_removed(settings, zones, taken):
    warehouse.mount(settings, warehouse.pin(zones.lake))
    assert warehouse.tells_damage(
        "IO Error: Corrupt database file: computed checksum 1 does not match stored checksum 2"
    )
    assert not warehouse.tells_damage("Binder Error: column x is not there")
    warehouse.discard_build(settings)
    assert not settings.build_db.exists()


def test_a_clock_that_is_set_back_does_not_let_the_older_file_win(zones, tmp_path, monkeypatch):
    landed = []
    for number, now in enumerate(
        ("2026-06-01T00:00:00.000000", "1996-06-01T00:00:00.000000", "2026-06-02T00:00:00.000000")
    ):
        monkeypatch.setattr(landing, "now_utc", lambda now=now: now)
        path = tmp_path / f"{number}.csv"
        path.write_text(str(number))
        landed.append(landing.land(zones.landing, SOURCE, path)[0].landed_at)
    assert landed == sorted(set(landed)) and landed[2] == "2026-06-02T00:00:00.000000"


def test_every_library_that_tells_a_full_disk_is_understood():
    assert files.is_full_disk(RuntimeError("IO Error: Could not write file: No space left on device"))
    assert files.is_full_disk(RuntimeError("(sqlite3.OperationalError) database or disk is full"))
    assert not files.is_full_disk(RuntimeError("Binder Error")) and not files.is_full_disk(PermissionError(13, "no"))


def test_what_a_killed_build_put_beside_its_file_is_removed(settings, zones, taken):
    pinned = warehouse.pin(zones.lake)
    warehouse.mount(settings, pinned)
    left = warehouse.spill_of(settings.build_db) / "duckdb_temp_storage-0.tmp"
    left.parent.mkdir()
    left.write_bytes(b"x")
    warehouse.mount(settings, pinned)
    assert not left.parent.exists()


def test_what_does_not_fit_into_memory_is_put_where_it_is_told_and_taken_away(tmp_path, monkeypatch):
    (tmp_path / "started_from").mkdir()
    monkeypatch.chdir(tmp_path / "started_from")
    with warehouse.connect_in_memory(tmp_path / "spill") as connection:
        connection.execute("SET memory_limit = '60MB'")
        connection.execute("CREATE TABLE texts AS SELECT md5(i::VARCHAR) AS text FROM range(3_000_000) AS r(i)")
        assert list((tmp_path / "spill").iterdir())
    assert not (tmp_path / "spill").exists() and not list((tmp_path / "started_from").iterdir())
