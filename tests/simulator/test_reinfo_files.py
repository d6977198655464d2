"""The registry's files of both layouts, read back."""

import datetime as dt
import json

import openpyxl
import polars as pl
import pytest

from pipelines.identity import ruc_check_digit
from pipelines.simulator.reinfo_files import write_map_json, write_web_csv, write_web_xlsx
from pipelines.sources import reinfo


def ruc(prefix: str, number: int) -> str:
    ten = f"{prefix}99{number:06d}"
    return f"{ten}{ruc_check_digit(ten)}"


FRAME = pl.DataFrame(
    {
        "reinfo_id": ["0300000001", "0300000002", "0300000003"],
        "ruc": [ruc("20", 1), ruc("10", 2), ruc("10", 2)],
        "name": ['MINERA "ÑUSTA", S.A.C.', "APELLIDO MATERNO NOMBRE", "APELLIDO MATERNO NOMBRE"],
        "representative_name": ["OTRO APELLIDO NOMBRE", None, None],
        "mining_right_id": ["050009409", None, "010000605L"],
        "mining_right_name": ["CRUCERO", None, "ESPERANZA"],
        "department_code": ["03", "03", "04"],
        "department_name": ["APURIMAC", "APURIMAC", "AREQUIPA"],
        "province_name": ["ABANCAY", "ABANCAY", "CARAVELI"],
        "district_name": ["CURAHUASI", "CIRCA", "CAHUACHO"],
        "activity_code": ["EXPLOTACION", "EXPLOTACION", "BENEFICIO"],
        "status_code": ["VIGENTE", "SUSPENDIDO", "VIGENTE"],
        "inscription_year": [2012, 2017, 2019],
        "latitude_deg": [-13.5, None, -15.5],
        "longitude_deg": [-72.75, None, -73.5],
    }
)
EXCLUDED = FRAME.with_columns(status_code=pl.lit("EXCLUIDO"))


def read_back(path, context) -> pl.DataFrame:
    (batch,) = reinfo.parse(path, context)
    return batch.tables[reinfo.TABLE].sort("_row_number")


def check(found, context, layout):
    assert found["_problem"].null_count() == 3
    assert set(found["layout_code"]) == {layout}
    assert found["party_key"].to_list() == [context.keyer.key("RUC", r) for r in FRAME["ruc"]]
    assert found["party_name"][0] == FRAME["name"][0]
    assert found["mining_right_id_ingemmet"].to_list() == FRAME["mining_right_id"].to_list()
    assert found["mining_right_name"].to_list() == ["CRUCERO", "AREA LIBRE", "ESPERANZA"]
    assert found["is_free_area"].to_list() == [False, True, False]
    for column in ("department_name", "province_name", "district_name"):
        assert found[column].to_list() == FRAME[column].to_list()


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("renamed", [False, True])
def test_web_csv_reads_back(tmp_path, context, shuffled, renamed):
    write_web_csv(EXCLUDED, tmp_path / "web.csv", shuffled=shuffled, renamed=renamed)
    found = read_back(tmp_path / "web.csv", context)
    check(found, context, "WEB")
    assert set(found["status_code"]) == {"EXCLUIDO"}
    assert not found["mining_right_id_was_repaired"].any()
    assert reinfo.identify(tmp_path / "web.csv").source_as_of is None


def test_web_csv_changes_order_and_titles(tmp_path):
    titles = {}
    for given in ({}, {"shuffled": True}, {"renamed": True}):
        write_web_csv(FRAME, tmp_path / "web.csv", **given)
        titles[tuple(given)] = (tmp_path / "web.csv").read_text("utf-8-sig").split("\n")[0].split(",")
    plain, shuffled, renamed = titles.values()
    assert shuffled != plain
    assert sorted(shuffled) == sorted(plain)
    assert len(set(renamed) - set(plain)) == 4


def test_web_xlsx_reads_back_and_is_always_the_same(tmp_path, context):
    for name in ("a.xlsx", "b.xlsx"):
        write_web_xlsx(FRAME, tmp_path / name)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    found = read_back(tmp_path / "a.xlsx", context)
    check(found, context, "WEB")
    assert found["mining_right_id_was_repaired"].to_list() == [True, False, False]
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    assert sheet.cell(2, 4).value == 50009409


def test_map_json_reads_back(tmp_path, context):
    write_map_json(FRAME, tmp_path / "map.json", dt.date(2025, 2, 26))
    found = read_back(tmp_path / "map.json", context)
    check(found, context, "MAP")
    assert reinfo.identify(tmp_path / "map.json").source_as_of == "2025-02-26"
    assert set(found["layer_updated_date"]) == {"2025-02-26"}
    assert found["reinfo_key"].to_list() == [context.keyer.key("REINFO", r) for r in FRAME["reinfo_id"]]
    for column in ("activity_code", "status_code", "department_code"):
        assert found[column].to_list() == FRAME[column].to_list()
    assert found["inscription_year"].to_list() == ["2012", "2017", "2019"]
    assert found["latitude_deg"].cast(pl.Float64).to_list() == FRAME["latitude_deg"].to_list()
    assert found["has_plausible_coordinates"].to_list() == [True, None, True]
    layer = json.loads((tmp_path / "map.json").read_bytes())
    assert layer["features"][0]["attributes"]["FECHA_ACTUALIZACION"] == 1740528000000
    assert layer["features"][0]["geometry"] == {"x": -72.75, "y": -13.5}
    assert layer["features"][1]["geometry"] is None


def test_the_map_layer_never_shows_the_excluded(tmp_path):
    with pytest.raises(ValueError, match="registration 0300000001, column 'status_code': EXCLUIDO"):
        write_map_json(EXCLUDED, tmp_path / "map.json", dt.date(2025, 2, 26))


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(ValueError, match="missing columns ruc"):
        write_web_csv(FRAME.drop("ruc"), tmp_path / "web.csv")
