from decimal import Decimal

import polars as pl
import pytest

from pipelines import lake
from pipelines.errors import FileRefused
from pipelines.identity import company_name
from pipelines.sources import minem_production
from tests.conftest import SAMPLE_DIR

TABLE = minem_production.TABLE
HEADER = "PAIS,DEPARTAMENTO,PROVINCIA,DISTRITO,ESTRATO,PROCESO,ETAPA,YEAR,MES,MES.1,MINERAL,TITULAR,UNIDAD,UNIDAD DE MEDIDA,Valor,ORO-PLATA_gF"
ROW = "PERÚ,ICA,NASCA,MARCONA,PEQUEÑO PRODUCTOR MINERO,FLOTACIÓN,CONCENTRACIÓN,2023,MAYO,5,COBRE,MINERA  EJEMPLO S.A.C. , UNO,TMF,12.5,0"


def write(path, *rows, header=HEADER, encoding="utf-8-sig"):
    path.write_text("\n".join((header, *rows)) + "\n", encoding=encoding)
    return path


def accepted(zones, receipt):
    return pl.read_parquet(lake.raw_path(zones.lake, TABLE, receipt.sha256))


def test_real_years_are_taken_whole(take, zones):
    totals = {}
    for path in sorted((SAMPLE_DIR / "minem_production").glob("*.csv")):
        receipt = take("minem_production", path)
        assert receipt.status == "accepted" and receipt.rejected[TABLE] == 0
        frame = accepted(zones, receipt)
        copper = frame.filter(
            (pl.col("mineral_name") == "COBRE")
            & (pl.col("stage_name") == "CONCENTRACIÓN")
            & (pl.col("stratum_name") == "PEQUEÑO PRODUCTOR MINERO")
        )
        totals[receipt.period] = round(copper["quantity"].sum(), 1)
    anchors = {"2021": "3269.5", "2022": "5588.8", "2023": "5843.9", "2024": "5263.2"}
    assert totals == {year: Decimal(t) for year, t in anchors.items()}


def test_spaces_are_squeezed_and_blank_places_are_null(take, zones, tmp_path):
    receipt = take("minem_production", write(tmp_path / "a.csv", ROW.replace(",NASCA,MARCONA,", ",  ,,")))
    row = accepted(zones, receipt).row(0, named=True)
    assert row["titular_company_name"] == "MINERA EJEMPLO S.A.C." and row["unit_name"] == "UNO"
    assert row["province_name"] is None and row["district_name"] is None
    assert row["quantity"] == Decimal("12.5") and str(row["month"]) == "2023-05-01" and row["_row_number"] == 2


@pytest.mark.parametrize("form", ["S.M.R.L. SANTA ROSA", "JUAN PEREZ E.I.R.L.", "SOCIEDAD MINERA S M R L"])
def test_forms_that_are_known_by_a_persons_name_are_those_of_every_source(take, zones, tmp_path, form):
    receipt = take("minem_production", write(tmp_path / "a.csv", ROW.replace("MINERA  EJEMPLO S.A.C. ", form)))
    assert accepted(zones, receipt).row(0, named=True)["titular_company_name"] is None
    assert company_name("RUC", "20131312955", form) is None


def test_a_persons_name_goes_to_the_vault_and_nowhere_else(take, zones, tmp_path):
    rows = [
        ROW.replace("MINERA  EJEMPLO S.A.C. ", "QUISPE MAMANI JUANA"),
        ROW.replace(",12.5,", ",x,").replace("MINERA  EJEMPLO S.A.C. ", "MAMANI QUISPE ANA"),
    ]
    receipt = take(
        "minem_production",
        write(
            tmp_path / "a.csv", *rows, *[ROW.replace("MAYO,5", "MAYO,5").replace("UNO", f"U{i}") for i in range(200)]
        ),
    )
    assert receipt.status == "accepted" and receipt.rejected[TABLE] == 1
    for path in (zones.lake).rglob("*"):
        if path.is_file():
            text = pl.read_parquet(path).write_json() if path.suffix == ".parquet" else path.read_text()
            assert "JUANA" not in text and "MAMANI" not in text, path
    assert (
        "QUISPE MAMANI JUANA"
        in pl.read_parquet(next((zones.vault / "identities").rglob("*.parquet")))["name"].to_list()
    )


def test_a_month_whose_name_and_number_disagree_is_rejected(take, tmp_path):
    rows = [ROW.replace("UNO", f"U{i}") for i in range(150)]
    receipt = take("minem_production", write(tmp_path / "a.csv", ROW.replace("MAYO,5", "MAYO,6"), *rows))
    (rejection,) = receipt.rejections
    assert (rejection.rule, rejection.column, rejection.first_row) == ("month", "MES.1", 2)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.replace("ETAPA,", ""), "missing column 'ETAPA'"),
        (lambda t: t.replace("Valor,", "Valor,Valor neto,"), "unknown column 'Valor neto'"),
        (lambda t: t.replace(",", ";"), "separated by ';'"),
    ],
)
def test_another_layout_is_refused_by_name(take, tmp_path, change, told):
    receipt = take("minem_production", write(tmp_path / "a.csv", ROW, header=change(HEADER)), as_of="2023-12-31")
    assert receipt.status == "refused" and told in receipt.message and "line 1" in receipt.message


def test_an_unknown_stratum_is_refused_with_its_line(take, tmp_path):
    receipt = take("minem_production", write(tmp_path / "a.csv", ROW, ROW.replace("PEQUEÑO PRODUCTOR MINERO", "MICRO")))
    assert receipt.status == "refused" and "'MICRO'" in receipt.message and "row 3" in receipt.message


def test_a_file_of_another_year_than_its_folder_is_refused(take, tmp_path):
    receipt = take("minem_production", write(tmp_path / "a.csv", ROW), period="2022")
    assert receipt.status == "refused"
    assert "the content is of 2023, the folder says 2022" in receipt.message and "line 2" in receipt.message


def test_latin1_bytes_are_refused_with_their_line(take, tmp_path):
    receipt = take("minem_production", write(tmp_path / "a.csv", ROW, encoding="latin-1"), as_of="2023-12-31")
    assert receipt.status == "refused" and "is not utf-8-sig text" in receipt.message and "line 2" in receipt.message


def test_too_many_bad_rows_refuse_the_file(take, tmp_path):
    receipt = take(
        "minem_production", write(tmp_path / "a.csv", ROW, ROW.replace(",12.5,", ",12 500,").replace("UNO", "DOS"))
    )
    assert (
        receipt.status == "refused"
        and "1 of 2 rows break the contract" in receipt.message
        and "12 500" in receipt.message
    )


def test_an_unreadable_quote_names_its_line(tmp_path, context):
    path = write(tmp_path / "a.csv", ROW, '"PERÚ"x,ICA')
    with pytest.raises(FileRefused, match="line 3"):
        list(minem_production.parse(path, context))
