"""From landing to lake: accounting, revisions, re-reads, the vault's key, memory of what was done."""

import json
import stat
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipelines import ingest, lake, landing, quality, vault
from pipelines.contracts import contract
from pipelines.errors import AntawasiError, VaultError
from pipelines.sources import get_source

SOURCE = get_source("bcrp_series")
TABLE = SOURCE.tables[0]
BUY = "TC Sistema bancario SBS (S/ por US$) - Compra"


def answer(path: Path, values: dict[str, str]) -> Path:
    periods = [{"name": name, "values": [value]} for name, value in values.items()]
    path.write_text(json.dumps({"config": {"series": [{"name": BUY, "dec": "3"}]}, "periods": periods}))
    return path


def days(values):
    return {f"{i % 28 + 1:02d}.{('Ene', 'Feb', 'Mar')[i // 28 % 3]}.{20 + i // 84}": v for i, v in enumerate(values)}


@given(st.lists(st.sampled_from(["3.4", "n.d.", "3,4", "x", "-1"]), min_size=1, max_size=200))
@hypothesis_settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_in_equal_rows_accepted_plus_rejected(tmp_path_factory, values):
    root = tmp_path_factory.mktemp("z")
    zones = ingest.Zones(root / "landing", root / "lake", root / "vault")
    card, _ = landing.land(
        zones.landing, SOURCE, answer(root / "a.json", days(values)), origin={"source_as_of": "2026-01-01"}
    )
    (receipt,) = ingest.ingest_all(ingest.pending(zones, SOURCE))
    if receipt.status == "refused":
        bad = sum(v in ("3,4", "x", "-1") for v in values)
        assert bad > contract(TABLE).reject_tolerance_frac * len(values)
        assert not lake.raw_path(zones.lake, TABLE, card.sha256).exists()
        return
    assert receipt.rows_in[TABLE] == len(values) == receipt.accepted[TABLE] + receipt.rejected[TABLE]
    assert pl.read_parquet(lake.raw_path(zones.lake, TABLE, card.sha256)).height == receipt.accepted[TABLE]
    rejected = pl.read_parquet(lake.rejected_path(zones.lake, TABLE, card.sha256))
    assert rejected.height == receipt.rejected[TABLE] == sum(r.rows for r in receipt.rejections)
    assert set(rejected["verbatim"]) >= {v for v in rejected["verbatim"] if v}


def test_the_lake_carries_types_and_lineage(take, zones, tmp_path):
    receipt = take("bcrp_series", answer(tmp_path / "a.json", {"15.Jun.26": "3.387"}))
    frame = pl.read_parquet(lake.raw_path(zones.lake, TABLE, receipt.sha256))
    assert dict(frame.schema) == dict(contract(TABLE).schema())
    row = frame.row(0, named=True)
    assert row["_landing_sha256"] == receipt.sha256 and row["_row_number"] == 1 and row["_is_synthetic"] is False
    assert str(row["_source_as_of"]) == "2026-06-15"


def test_reading_again_gives_the_same_bytes(take, zones, tmp_path):
    receipt = take("bcrp_series", answer(tmp_path / "a.json", {"15.Jun.26": "3.387"}))
    path = lake.raw_path(zones.lake, TABLE, receipt.sha256)
    before = path.read_bytes()
    lake.receipt_path(zones.lake, "bcrp_series", receipt.sha256).unlink()
    (again,) = ingest.ingest_all(ingest.pending(zones, SOURCE))
    assert again == receipt and path.read_bytes() == before


def test_nothing_is_pending_until_the_parser_or_contract_changes(take, zones, tmp_path, monkeypatch):
    take("bcrp_series", answer(tmp_path / "a.json", {"15.Jun.26": "3.387"}))
    assert ingest.pending(zones, SOURCE) == []
    monkeypatch.setattr(ingest, "_code_digest", lambda slug: "another parser")
    assert len(ingest.pending(zones, SOURCE)) == 1


def test_a_file_without_a_date_is_refused_until_somebody_states_it(take, tmp_path):
    path = answer(tmp_path / "a.json", {})
    refused = take("bcrp_series", path)
    assert refused.status == "refused" and "--as-of" in refused.message
    assert take("bcrp_series", path, as_of="2026-01-01").status == "refused"  # now for holding no rows
    assert "no rows" in take("bcrp_series", path).message


def test_several_processes_give_what_one_gives(zones, tmp_path):
    for i in range(3):
        landing.land(zones.landing, SOURCE, answer(tmp_path / f"{i}.json", {f"{i + 1:02d}.Jun.26": "3.3"}))
    jobs = ingest.pending(zones, SOURCE)
    in_two = {r.sha256: r for r in ingest.ingest_all(jobs, workers=2)}
    assert in_two == {r.sha256: r for r in ingest.ingest_all(jobs, workers=1)} and len(in_two) == 3


def test_the_vault_is_closed_to_others_and_its_key_is_kept(take, zones, tmp_path):
    take("bcrp_series", answer(tmp_path / "a.json", {"15.Jun.26": "3.387"}))
    assert stat.S_IMODE(zones.vault.stat().st_mode) == 0o700
    assert stat.S_IMODE((zones.vault / "hmac.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["missing", "other", "short"])
def test_a_missing_or_other_key_stops_the_run(take, zones, tmp_path, damage):
    take("bcrp_series", answer(tmp_path / "a.json", {"15.Jun.26": "3.387"}))
    key = zones.vault / "hmac.key"
    key.unlink()
    if damage != "missing":
        key.write_bytes(b"x" * (32 if damage == "other" else 5))
    with pytest.raises(VaultError, match="What to do: restore"):
        vault.open_keyer(zones.vault, zones.lake)


def test_a_contract_check_is_remembered_and_a_bad_file_is_told(take, zones, tmp_path):
    receipt = take("bcrp_series", answer(tmp_path / "a.json", {"15.Jun.26": "3.387"}))
    table, receipts = contract(TABLE), lake.receipts(zones.lake)
    (first,) = quality.check_table(zones.lake, table, receipts)
    (second,) = quality.check_table(zones.lake, table, receipts)
    assert first.passed and not first.was_known and second.was_known and first.expectations == second.expectations
    path = lake.raw_path(zones.lake, TABLE, receipt.sha256)
    bad = pl.read_parquet(path).with_columns(
        pl.lit(None, dtype=pl.Date).alias("period_date"), pl.lit("ZZ").alias("series_code")
    )
    result = quality.check_frame(table, bad, "a.json")
    assert not result.passed
    assert any("period_date" in f and "a.json" in f for f in result.failures) and any(
        "'ZZ'" in f for f in result.failures
    )
    assert not quality.check_frame(table, bad.clear(), "a.json").passed  # an empty frame does not pass


def test_damaged_receipts_name_themselves(take, zones, tmp_path):
    receipt = take("bcrp_series", answer(tmp_path / "a.json", {"15.Jun.26": "3.387"}))
    lake.receipt_path(zones.lake, "bcrp_series", receipt.sha256).write_text("{")
    with pytest.raises(AntawasiError, match="not valid JSON"):
        lake.receipts(zones.lake)
