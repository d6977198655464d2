"""Place codes: the four files of the sample, codes as text, what is missing, what is no table of places."""

import csv
import json

import polars as pl
import pytest

from pipelines import lake
from pipelines.errors import FileRefused
from pipelines.sources import ubigeo

FILES = {
    ubigeo.DEPARTMENTS: ("ubigeo_departamento.csv", 25),
    ubigeo.PROVINCES: ("ubigeo_provincia.csv", 196),
    ubigeo.DISTRICTS: ("ubigeo_distrito.csv", 1893),
}


@pytest.fixture
def accepted(take, zones, sample):
    def _accepted(table):
        receipt = take("ubigeo", sample / "ubigeo" / FILES[table][0], as_of="2022-01-01")
        assert receipt.status == "accepted" and receipt.rejected[table] == 0
        return pl.read_parquet(lake.raw_path(zones.lake, table, receipt.sha256))

    return _accepted


@pytest.mark.parametrize("table", FILES)
def test_every_row_of_each_level_with_its_codes_as_text(accepted, sample, table):
    frame = accepted(table)
    with open(sample / "ubigeo" / FILES[table][0], encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert frame.height == len(rows) == FILES[table][1]
    codes = [None if r["inei"] in ("NA", "") else r["inei"] for r in rows]
    assert frame["ubigeo_code"].to_list() == codes and frame.schema["ubigeo_code"] == pl.String
    assert any(c.startswith("0") for c in codes if c) and all(len(c) == 6 for c in codes if c)


def test_homonyms_stand_apart_and_nasca_is_nazca_here(accepted):
    frame = accepted(ubigeo.DISTRICTS)
    shared = frame.group_by("district_name").len().filter(pl.col("len") > 1)
    assert shared.height == 102
    santa_rosa = frame.filter(pl.col("district_name") == "SANTA ROSA")
    assert santa_rosa.height == santa_rosa["ubigeo_code"].n_unique() == 10
    assert frame.filter(pl.col("ubigeo_code") == "110301")["district_name"].item() == "NAZCA"


def test_inei_and_reniec_codes_differ_for_most_districts(accepted):
    frame = accepted(ubigeo.DISTRICTS)
    both = frame.drop_nulls(["ubigeo_code", "reniec_code"])
    assert (both["ubigeo_code"] != both["reniec_code"]).sum() == 1780
    assert frame.filter(pl.col("ubigeo_code") == "150101")["reniec_code"].item() == "140101"


def test_marks_of_nothing_are_null(tmp_path, context, sample):
    header, first = (sample / "ubigeo" / "ubigeo_distrito.csv").read_text(encoding="utf-8").splitlines()[:2]
    cells = first.split(",")
    cells[1], cells[11] = "NA", "S.I."
    (tmp_path / "a.csv").write_text(f"{header}\n{','.join(cells)}\n", encoding="utf-8")
    (batch,) = ubigeo.parse(tmp_path / "a.csv", context)
    row = batch.tables[ubigeo.DISTRICTS].row(0, named=True)
    assert row["reniec_code"] is None and row["area_km2"] is None and row["district_name"] == "CHACHAPOYAS"


def test_name_variants(take, zones, sample):
    receipt = take("ubigeo", sample / "ubigeo" / "ubigeo_equivalencias.json", as_of="2022-01-01")
    frame = pl.read_parquet(lake.raw_path(zones.lake, ubigeo.VARIANTS, receipt.sha256))
    listed = json.loads((sample / "ubigeo" / "ubigeo_equivalencias.json").read_text(encoding="utf-8"))
    assert frame.height == sum(map(len, listed.values()))
    assert set(frame["place_level"]) == {"department", "province", "district"}


@pytest.mark.parametrize("text", ['{"distritos": 3}', '{"paises": {"a": "b"}}', "{", '{"distritos": ["a"]}'])
def test_json_that_is_no_list_of_variants_is_refused(tmp_path, context, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FileRefused, match="not a file of name variants"):
        list(ubigeo.parse(tmp_path / "a.json", context))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.replace("inei,", ""), "missing column 'inei'"),
        (lambda t: t.replace("region,", "region,zona,"), "unknown column 'zona'"),
        (lambda t: t.replace(",", ";"), "separated by ';'"),
    ],
)
def test_another_layout_is_refused_by_name(tmp_path, context, sample, change, told):
    header, first = (sample / "ubigeo" / "ubigeo_distrito.csv").read_text(encoding="utf-8").splitlines()[:2]
    (tmp_path / "a.csv").write_text(f"{change(header)}\n{first}\n", encoding="utf-8")
    with pytest.raises(FileRefused, match=told):
        list(ubigeo.parse(tmp_path / "a.csv", context))
