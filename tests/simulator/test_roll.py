"""The taxpayer roll as published, read back."""

import polars as pl
import pytest

from pipelines.identity import ruc_check_digit
from pipelines.simulator.roll import write_roll
from pipelines.sources import sunat_ruc


def ruc(prefix: str, number: int) -> str:
    ten = f"{prefix}99{number:06d}"
    return f"{ten}{ruc_check_digit(ten)}"


FRAME = pl.DataFrame(
    {
        "ruc": [ruc("20", 1), ruc("10", 2), ruc("20", 3)],
        "name": ["MINERA ÑUSTA S.A.C.", "APELLIDO MATERNO NOMBRE", "COMPAÑÍA | " + "X" * 120],
        "taxpayer_status": ["ACTIVO", "BAJA DEFINITIVA", None],
        "domicile_condition": ["HABIDO", "NO HABIDO", None],
        "ubigeo_code": ["030101", None, "150101"],
    }
)


def test_roll_reads_back(tmp_path, context):
    write_roll(FRAME, tmp_path / "padron_reducido_ruc.txt")
    (batch,) = sunat_ruc.parse(tmp_path / "padron_reducido_ruc.txt", context)
    found = batch.tables[sunat_ruc.TABLE].sort("_row_number")
    assert found["_problem"].null_count() == 3
    assert found["party_name"].to_list() == ["MINERA ÑUSTA S.A.C.", None, "COMPAÑÍA   " + "X" * 89]
    assert found["name_is_truncated"].to_list() == [False, False, True]
    assert found["party_key"][0] == context.keyer.key("RUC", FRAME["ruc"][0])
    for column in ("taxpayer_status", "domicile_condition", "ubigeo_code"):
        assert found[column].to_list() == FRAME[column].to_list()


def test_roll_has_the_real_file_s_form(tmp_path):
    write_roll(FRAME.with_columns(name=pl.lit("Ł|\n")), tmp_path / "roll.txt")
    header, first, *_, last = (tmp_path / "roll.txt").read_bytes().split(b"\n")
    assert header.startswith("RUC|NOMBRE O RAZÓN SOCIAL|".encode("latin-1"))
    assert header.endswith("KILÓMETRO|".encode("latin-1"))
    assert first == f"{FRAME['ruc'][0]}|?  |ACTIVO|HABIDO|030101|-|-|-|-|-|-|-|-|-|-|".encode()
    assert last == b""


def test_an_empty_roll_is_its_header(tmp_path):
    write_roll(FRAME.clear(), tmp_path / "roll.txt")
    assert (tmp_path / "roll.txt").read_bytes().count(b"\n") == 1


@pytest.mark.parametrize(
    ("frame", "told"),
    [(FRAME.drop("name"), "missing columns name"), (FRAME.with_columns(ruc=None), "row 0, column 'ruc'")],
)
def test_what_cannot_be_written_is_refused(tmp_path, frame, told):
    with pytest.raises(ValueError, match=told):
        write_roll(frame, tmp_path / "roll.txt")
