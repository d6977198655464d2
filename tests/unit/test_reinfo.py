"""The registry's two public layouts, as people have them: shuffled, shortened, opened in a spreadsheet."""

import itertools
import json

import openpyxl
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import lake
from pipelines.errors import FileRefused
from pipelines.sources import reinfo

TABLE = reinfo.TABLE
WEB = {
    "N°": "1",
    "RUC": "20505310072",
    "MINERO EN VÍAS DE FORMALIZACIÓN": "MINERA EJEMPLO S.A.C.",
    "CÓDIGO ÚNICO": "010000605L",
    "NOMBRE DEL DERECHO MINERO": "ESPERANZA",
    "DEPARTAMENTO": "ICA",
    "PROVINCIA": "NASCA",
    "DISTRITO": "MARCONA",
    "ESTADO": "VIGENTE",
}
MAP = {
    "OBJECTID": 7,
    "COD_REINFO": "110000123",
    "M_RUC": "10990000005",
    "NOMBRE_MIN": "APELLIDO MATERNO NOMBRE",
    "NOMBRE_REP": "OTRA PERSONA NOMBRE",
    "ID_UNIDAD": "050009409",
    "NOMBRE_DM": "CRUCERO",
    "ID_DEPA": "4",
    "DEPARTAMENTO": "AREQUIPA",
    "ID_PROV": "0403",
    "PROVINCIA": "CARAVELI",
    "ID_DIST": None,
    "DISTRITO": "CAHUACHO",
    "TIPO_ACT": "explotación",
    "ESTADO": "SUSPENDIDO",
    "A_INSCRIPCION": 2012,
    "FLG_COOROK": 1,
    "LATITUD_G84": -15.5,
    "LONGITUD_G84": -73.5,
    "FECHA_ACTUALIZACION": 1740528000000,  # 2025-02-26
}


def table(path, *rows, titles=None, delimiter=","):
    titles = titles or list(rows[0])
    lines = [delimiter.join(titles), *(delimiter.join(row.get(t) or "" for t in titles) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return path


def features(path, *rows, key="attributes"):
    path.write_text(json.dumps({"features": [{key: row, "geometry": None} for row in rows]}), encoding="utf-8")
    return path


def read(path, context):
    (batch,) = reinfo.parse(path, context)
    return batch.tables[TABLE]


def row(path, context):
    return read(path, context).row(0, named=True)


def test_the_thirty_rows(take, zones, sample):
    receipt = take(
        "reinfo", sample / "reinfo" / "reinfo_30rows_pseudonymised.json", as_of="2021-05-01", period="2021-05"
    )
    assert receipt.status == "accepted" and receipt.accepted[TABLE] == 30 and receipt.rejected[TABLE] == 0
    frame = pl.read_parquet(lake.raw_path(zones.lake, TABLE, receipt.sha256))
    listed = json.loads((sample / "reinfo" / "reinfo_30rows_pseudonymised.json").read_text(encoding="utf-8"))
    assert frame["party_key"].n_unique() == len({r["RUC"] for r in listed})
    assert frame["status_code"].null_count() == 30 and set(frame["layout_code"]) == {"WEB"}
    codes = [None if r["CODIGO_UNICO"] == "-" else r["CODIGO_UNICO"] for r in listed]
    assert frame["mining_right_id_ingemmet"].to_list() == codes
    assert not frame["mining_right_id_was_repaired"].any()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_listing_in_either_order_and_with_any_delimiter(tmp_path, context, delimiter):
    orders = [
        list(WEB),
        list(reversed(WEB)),
        [*itertools.islice(WEB, 3), "NOMBRE DEL DERECHO MINERO", "CÓDIGO ÚNICO", *list(WEB)[5:]],
    ]
    read_as = [row(table(tmp_path / "a.csv", WEB, titles=o, delimiter=delimiter), context) for o in orders]
    assert read_as[0] == read_as[1] == read_as[2]
    first = read_as[0]
    assert first["mining_right_id_ingemmet"] == "010000605L" and first["mining_right_name"] == "ESPERANZA"
    assert (
        first["status_code"] == "VIGENTE"
        and first["party_name"] == "MINERA EJEMPLO S.A.C."
        and first["_row_number"] == 2
    )


def test_an_old_listing_has_no_estado(tmp_path, context):
    old = {t: v for t, v in WEB.items() if t != "ESTADO"}
    assert row(table(tmp_path / "a.csv", old), context)["status_code"] is None


@pytest.mark.parametrize("missing", [t for t in WEB if t not in ("N°", "ESTADO")])
def test_a_listing_without_a_column_that_matters_is_refused_by_name(tmp_path, context, missing):
    with pytest.raises(FileRefused) as refusal:
        read(table(tmp_path / "a.csv", {t: v for t, v in WEB.items() if t != missing}), context)
    assert "line 1" in str(refusal.value) and ("missing column" in str(refusal.value) or "RUC" in str(refusal.value))


def test_an_unknown_column_is_refused_by_name(tmp_path, context):
    with pytest.raises(FileRefused, match="unknown column 'MINERAL'"):
        read(table(tmp_path / "a.csv", WEB | {"MINERAL": "COBRE"}), context)


@pytest.mark.parametrize("key", ["attributes", "properties"])
def test_the_map_layer(tmp_path, context, key):
    found = row(features(tmp_path / "a.json", MAP, key=key), context)
    assert (
        found["layout_code"] == "MAP"
        and found["status_code"] == "SUSPENDIDO"
        and found["activity_code"] == "EXPLOTACION"
    )
    assert found["layer_updated_date"] == "2025-02-26" and found["department_code"] == "04"
    assert found["inscription_year"] == "2012" and found["has_plausible_coordinates"] is True
    assert found["party_name"] is None and found["party_kind"] == "DNI"
    for column in ("party_key", "representative_name_key", "reinfo_key"):
        assert len(found[column]) == 32
    shown = str(list(found.values()))
    assert not any(secret in shown for secret in ("99000000", "APELLIDO", "OTRA PERSONA", "110000123"))
    identified = reinfo.identify(tmp_path / "a.json")
    assert (identified.period, identified.source_as_of) == ("2025-02", "2025-02-26")


def test_the_map_layers_attributes_as_csv_say_the_same(tmp_path, context):
    as_text = {t: None if v is None else str(v) for t, v in MAP.items()}
    from_csv = row(table(tmp_path / "a.csv", as_text), context)
    from_json = row(features(tmp_path / "a.json", MAP), context)
    assert {k: v for k, v in from_csv.items() if k != "_row_number"} == {
        k: v for k, v in from_json.items() if k != "_row_number"
    }


def test_a_registration_outside_peru_is_marked_not_dropped(tmp_path, context):
    assert (
        row(features(tmp_path / "a.json", MAP | {"LATITUD_G84": 0, "LONGITUD_G84": 0}), context)[
            "has_plausible_coordinates"
        ]
        is False
    )
    assert row(features(tmp_path / "a.json", MAP | {"LATITUD_G84": None}), context)["has_plausible_coordinates"] is None


@pytest.mark.parametrize(
    ("written", "code", "repaired"),
    [
        ("050009409", "050009409", False),
        ("50009409", "050009409", True),
        ("50009409.0", "050009409", True),
        ("010000605L", "010000605L", False),
        ("10000605L", "010000605L", True),
        ("01000002Y01", "01000002Y01", False),
        ("1000002Y01", "01000002Y01", True),
        (" 01000002y01 ", "01000002Y01", False),
        ("P0000123", "P0000123", False),
        ("-", None, False),
        ("", None, False),
        (None, None, False),
    ],
)
def test_codes_with_letters_and_lost_zeros(written, code, repaired):
    assert reinfo.mining_right_id(written) == (code, repaired)


@given(st.from_regex(r"0\d{8}|0\d{8}[A-Z]|0\d{7}[A-Z]\d{2}", fullmatch=True))
def test_the_zero_that_a_spreadsheet_ate_comes_back(code):
    assert reinfo.mining_right_id(code) == (code, False)
    assert reinfo.mining_right_id(code[1:]) == (code, True)


@pytest.mark.parametrize("name", ["AREA LIBRE", "ÁREA LIBRE", "area libre"])
def test_free_area_is_no_mining_right(tmp_path, context, name):
    found = row(table(tmp_path / "a.csv", WEB | {"CÓDIGO ÚNICO": "-", "NOMBRE DEL DERECHO MINERO": name}), context)
    assert found["is_free_area"] is True and found["mining_right_id_ingemmet"] is None


def test_a_workbook_with_a_title_above_and_numbers_for_codes(tmp_path, context):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["REGISTRO INTEGRAL DE FORMALIZACIÓN MINERA"])
    sheet.append([])
    sheet.append(list(WEB))
    sheet.append([1, 20505310072, *list(WEB.values())[2:3], 50009409, *list(WEB.values())[4:]])
    book.save(tmp_path / "a.xlsx")
    found = row(tmp_path / "a.xlsx", context)
    assert found["_problem"] is None and found["_row_number"] == 4
    assert found["mining_right_id_ingemmet"] == "050009409" and found["mining_right_id_was_repaired"] is True


def test_a_wrong_ruc_is_rejected_with_its_row_and_without_the_person(take, zones, tmp_path):
    rows = [WEB | {"N°": str(i)} for i in range(150)]
    rows[3] = rows[3] | {"RUC": "20505310073", "MINERO EN VÍAS DE FORMALIZACIÓN": "QUISPE JUANA"}
    receipt = take("reinfo", table(tmp_path / "a.csv", *rows), as_of="2026-11-01", period="2026-11")
    assert receipt.status == "accepted" and receipt.rejected[TABLE] == 1
    (rejection,) = receipt.rejections
    assert (rejection.rule, rejection.first_row) == ("ruc_check_digit", 5)
    bad = pl.read_parquet(lake.rejected_path(zones.lake, TABLE, receipt.sha256)).write_json()
    assert "QUISPE" not in bad and "20505310073" not in bad and "ESPERANZA" in bad


def test_an_unknown_status_is_told(take, tmp_path):
    receipt = take(
        "reinfo", table(tmp_path / "a.csv", WEB | {"ESTADO": "PENDIENTE"}), as_of="2026-11-01", period="2026-11"
    )
    assert receipt.status == "refused" and "PENDIENTE" in receipt.message


def test_a_file_of_another_month_than_its_folder_is_refused(take, tmp_path):
    receipt = take("reinfo", features(tmp_path / "a.json", MAP), period="2025-03")
    assert receipt.status == "refused" and "the content is of 2025-02, the folder says 2025-03" in receipt.message


def test_a_line_of_another_width_names_its_line(tmp_path, context):
    path = table(tmp_path / "a.csv", WEB, WEB)
    path.write_text(path.read_text(encoding="utf-8") + "1,2,3,4,5,6,7,8,9,10,11\n", encoding="utf-8")
    with pytest.raises(FileRefused, match="line 4"):
        read(path, context)


@pytest.mark.parametrize("text", ["{", "[1, 2]", '{"features": 3}', '{"features": [{}]}', "[[]]", "[" * 100_000])
def test_json_that_is_no_listing_is_refused(tmp_path, context, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FileRefused, match="not a list of registrations"):
        read(tmp_path / "a.json", context)
