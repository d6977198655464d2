"""What a release keeps and shows beside its cells: merged steps, marks of hidden figures, the vault's last look, the past."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines import contracts, files, vault
from pipelines.disclosure import ledger, scan
from pipelines.errors import PublishRefused
from pipelines.publish import extracts, past, steps
from pipelines.publish.past import Past

CUSTODY = contracts.contract("pub_chain_of_custody")
PERSON = "QUISPE MAMANI JUANA"


def custody(place_name: str = "ICA") -> pl.DataFrame:
    shown = (
        "11",
        "2025",
        "GOOD_STANDING",
        "DEPARTMENT",
        place_name,
        "YEAR",
        Decimal("12.5"),
        Decimal("0.5"),
        "A",
        True,
    )
    hidden = ("04", "2025", "GOOD_STANDING", "DEPARTMENT", "AREQUIPA", "YEAR", None, None, "C", True)
    return pl.DataFrame([shown, hidden], schema=CUSTODY.schema(lineage=False), orient="row")


def curve(days: list[int], at_risk: list[int], reached: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "milestone_code": "AUTORIZACION", "curve_code": "PUNTUAL", "is_synthetic": True, "duration_days": days,
            "at_risk_count": at_risk, "reached_count": reached, "excluded_count": 0, "withdrawn_count": 0,
            "km_survival_frac": [1 - d / 1000 for d in days], "km_lower_frac": 0.1, "km_upper_frac": 0.9,
            "reached_incidence_frac": 0.2, "excluded_incidence_frac": None,
        }
    )  # fmt: skip


def test_steps_of_fewer_than_five_wait_for_the_next_and_the_end_of_few_is_not_told():
    told = steps.merged(curve([10, 40, 70, 95, 130, 200], [40, 35, 30, 22, 9, 4], [3, 1, 1, 4, 6, 3]))
    # day 10 leaves 3, day 40 4, day 70 5: told at 90 with the 4 of day 95 at 120; 6 more at 150; of 4 at risk nothing
    assert told["duration_days"].to_list() == [90, 150]
    assert told["at_risk_count"].to_list() == [30, 9]
    assert told["waiting_frac"].to_list() == [0.93, 0.87]


def test_hidden_figures_are_marked_in_every_format_and_read_as_missing(tmp_path: Path):
    frame = custody()
    assert extracts.figures(CUSTODY) == ["copper_t", "share_frac"]
    write(frame, tmp_path)
    lines = (tmp_path / "pub_chain_of_custody.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[2].endswith(",:c,:c,C,true") and ":c" not in lines[1]
    sheet = pl.read_excel(tmp_path / "pub_chain_of_custody.xlsx", sheet_name="datos", infer_schema_length=0)
    assert sheet["copper_t"].to_list() == ["12.5", ":c"]
    extracts.verify({"pub_chain_of_custody": frame}, tmp_path)


def test_a_file_that_tells_a_hidden_figure_is_refused(tmp_path: Path):
    frame = custody()
    write(frame, tmp_path)
    told = frame.with_columns(pl.lit(Decimal("7.25")).cast(frame.schema["copper_t"]).alias("copper_t"))
    extracts.write_parquet(told, tmp_path / "pub_chain_of_custody.parquet")
    with pytest.raises(PublishRefused, match=r"pub_chain_of_custody\.parquet does not tell what was checked"):
        extracts.verify({"pub_chain_of_custody": frame}, tmp_path)


def test_a_hidden_row_that_has_a_figure_all_the_same_is_refused_though_every_file_tells_it_alike(tmp_path: Path):
    frame = custody().with_columns(pl.lit(Decimal("7.25")).cast(custody().schema["copper_t"]).alias("copper_t"))
    write(frame, tmp_path)
    with pytest.raises(PublishRefused, match="hidden ones without figures"):
        extracts.verify({"pub_chain_of_custody": frame}, tmp_path)


def write(frame: pl.DataFrame, folder: Path) -> None:
    name = CUSTODY.name
    extracts.write_csv(frame, CUSTODY, folder / f"{name}.csv")
    extracts.write_parquet(frame, folder / f"{name}.parquet")
    extracts.write_xlsx(frame, CUSTODY, folder / f"{name}.xlsx", readme=["x"], notes=["y"], as_of=dt.date(2026, 1, 1))
    extracts.write_public_db({name: frame}, folder / "antawasi_public.duckdb")


def test_the_public_database_is_the_same_file_each_time_whatever_memory_held_before(tmp_path: Path):
    """Packed integers keep what memory holds in the place of missing values, which is never the same twice."""
    rng, written = random.Random(1), set()
    figures = [None if rng.random() < 0.5 else Decimal(rng.randint(1, 10**8)).scaleb(-3) for _ in range(205)]
    frame = pl.DataFrame({"copper_low_t": figures}, schema={"copper_low_t": pl.Decimal(18, 3)})
    for i in range(12):
        with duckdb.connect() as dirty:
            dirty.execute(f"CREATE TABLE t AS SELECT range AS a, md5(concat({i}, range)) AS b FROM range(300000)")
        extracts.write_public_db({"pub": frame}, tmp_path / f"{i}.duckdb")
        written.add(files.sha256_file(tmp_path / f"{i}.duckdb"))
    assert len(written) == 1


@pytest.fixture
def known(tmp_path: Path) -> Path:
    people = pl.DataFrame(
        {"party_key": ["ab" * 16], "identity_kind": ["DNI"], "identity": ["40123456"], "name": [PERSON.title()]}
    )
    vault.write_identities(vault.identities_path(tmp_path, "reinfo", "0" * 64), people)
    return tmp_path


@pytest.mark.parametrize("text", ["40123456", "dni 40123456 x", "ab" * 16])
def test_an_identity_or_key_of_the_vault_stops_the_release(known, text):
    with pytest.raises(PublishRefused, match="column place_name, row 1 holds an identity"):
        scan.refuse_persons({CUSTODY.name: custody(text)}, known)


def test_a_name_of_the_vault_stops_the_release_and_a_place_does_not(known):
    frame = custody().with_columns(pl.lit(f"de {PERSON.lower()}, Ica").alias("period_code"))
    with pytest.raises(PublishRefused, match="column period_code, row 1") as told:
        scan.refuse_persons({CUSTODY.name: frame}, known)
    assert "mamani" not in str(told.value).lower()
    scan.refuse_persons({CUSTODY.name: custody()}, known)
    scan.refuse_persons({CUSTODY.name: custody(PERSON)}, known)  # places may be called like people


def test_what_a_release_leaves_is_read_by_the_next_and_its_loss_stops_it(tmp_path: Path):
    rows = pl.DataFrame({"holding_key": ["a"], "usd": [Decimal("1.50")]})
    empty = past.read(tmp_path, None)
    assert empty.contributions == {} and empty.ledger.is_empty()
    past.write(tmp_path, "v2026.01.1", Past(empty.ledger, {"pub_x/simulated": rows}))
    past.write(tmp_path, "v2026.01.1", Past(empty.ledger, {"pub_y/simulated": rows}))  # a run that was killed, again
    kept = past.read(tmp_path, "v2026.01.1")
    assert list(kept.contributions) == ["pub_y/simulated"]
    assert kept.contributions["pub_y/simulated"].equals(rows)
    assert kept.ledger.schema == ledger.SCHEMA
    with pytest.raises(PublishRefused, match=r"v2026\.02\.1.*restore the folder from a backup"):
        past.read(tmp_path, "v2026.02.1")
