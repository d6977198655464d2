"""The taxpayer roll: damaged bytes, broken lines, chunks, scope, and the accounting of every line."""

import zipfile

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipelines import ingest, lake, landing, vault
from pipelines.errors import FileRefused
from pipelines.identity import Keyer, ruc_check_digit
from pipelines.sources import Context, get_source, sunat_ruc

TABLE = sunat_ruc.TABLE
HEADER = (
    "RUC|NOMBRE O RAZÓN SOCIAL|ESTADO DEL CONTRIBUYENTE|CONDICIÓN DE DOMICILIO|UBIGEO|TIPO DE VÍA|NOMBRE DE VÍA|"
    "CÓDIGO DE ZONA|TIPO DE ZONA|NÚMERO|INTERIOR|LOTE|DEPARTAMENTO|MANZANA|KILÓMETRO|"
)
ADDRESS = "AV.|JOSE PARDO|-|-|601|1603|-|-|-|-|"


def ruc(number: int, prefix: str = "20") -> str:
    first = f"{prefix}{number:08d}"
    return f"{first}{ruc_check_digit(first)}"


def line(number: str, name: str = "MINERA UNO S.A.C.", status: str = "ACTIVO", ubigeo: str = "150101") -> str:
    return f"{number}|{name}|{status}|HABIDO|{ubigeo}|{ADDRESS}"


def roll(path, lines, *, header=HEADER, encoding="latin-1", end="\n", last_end="\n"):
    path.write_bytes((end.join([header, *lines]) + last_end).encode(encoding))
    return path


def read(path, context):
    """(all rows in file order, how many were out of scope)."""
    batches = list(sunat_ruc.parse(path, context))
    return pl.concat([b.tables[TABLE] for b in batches]).sort("_row_number"), sum(b.out_of_scope for b in batches)


def test_every_line_of_the_real_excerpt_is_read_and_its_lost_accents_are_marked(sample, context):
    path = sample / "sunat_ruc" / "padron_reducido_ruc_sample_companies.txt"
    frame, _ = read(path, context)
    lines = path.read_bytes().splitlines()[1:]
    assert frame.height == len(lines) == 500 and frame["_problem"].null_count() == 500
    # counted by hand over the bytes: names are the second field
    assert frame["has_mojibake"].sum() == sum(b"\xef\xbf\xbd" in text.split(b"|")[1] for text in lines) > 0


def test_latin1_letters_and_the_bytes_that_stop_duckdb(tmp_path, context):
    path = tmp_path / "roll.txt"
    dirty = line(ruc(2), "NAME").encode("latin-1").replace(b"NAME", b"MINERA \x80\x93\x9f S.A.")
    path.write_bytes(f"{HEADER}\n{line(ruc(1), 'MINERÍA ÑANDÚ S.A.C.')}\n".encode("latin-1") + dirty + b"\n")
    frame, _ = read(path, context)
    assert frame["party_name"].to_list() == ["MINERÍA ÑANDÚ S.A.C.", "MINERA \x80\x93\x9f S.A."]
    assert frame["has_mojibake"].to_list() == [False, False] and frame["_problem"].null_count() == 2


def test_utf8_is_read_as_such(tmp_path, context):
    frame, _ = read(roll(tmp_path / "a.txt", [line(ruc(1), "MINERÍA ÑANDÚ S.A.C.")], encoding="utf-8"), context)
    assert frame["party_name"].to_list() == ["MINERÍA ÑANDÚ S.A.C."]


def test_quotes_are_letters_and_marks_of_nothing_are_null(tmp_path, context):
    lines = [line(ruc(1), 'LA "MINA" S.A.', "----", "-"), line(ruc(2), '"SOLA S.A.', " ACTIVO ", "15010")]
    frame, _ = read(roll(tmp_path / "a.txt", lines), context)
    assert frame["party_name"].to_list() == ['LA "MINA" S.A.', '"SOLA S.A.']
    assert frame["taxpayer_status"].to_list() == [None, "ACTIVO"]
    assert frame["ubigeo_code"].to_list() == [None, None]


def test_a_name_cut_at_its_width_is_marked(tmp_path, context):
    frame, _ = read(roll(tmp_path / "a.txt", [line(ruc(1), "X" * 100), line(ruc(2), "X" * 99)]), context)
    assert frame["name_is_truncated"].to_list() == [True, False]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last_end", ["\n", ""])
def test_line_ends(tmp_path, context, end, last_end):
    path = roll(tmp_path / "a.txt", [line(ruc(i)) for i in range(1, 6)], end=end, last_end=last_end)
    frame, _ = read(path, context)
    assert frame["_row_number"].to_list() == [2, 3, 4, 5, 6] and frame["_problem"].null_count() == 5


def test_a_broken_line_is_rejected_with_its_number_and_its_neighbours_are_kept(tmp_path, context):
    lines = [line(ruc(1)), line(ruc(2)).replace("AV.|", "AV.|A|B|"), f"{ruc(3)}|CORTA", "", line(ruc(4))]
    frame, _ = read(roll(tmp_path / "a.txt", lines), context)
    told = {row["_row_number"]: row["_problem"] for row in frame.iter_rows(named=True)}
    assert told == {
        2: None,
        3: "width|-|found 17 separators, expected 15",
        4: "width|-|found 1 separators, expected 15",
        6: None,  # line 5 is blank
    }


def test_separators_that_even_out_between_lines_are_still_seen(tmp_path, context):
    lines = [line(ruc(1)), line(ruc(2)).removesuffix("|"), line(ruc(3)) + "|", line(ruc(4))]
    frame, _ = read(roll(tmp_path / "a.txt", lines), context)
    assert frame.filter(pl.col("_problem").is_not_null())["_row_number"].to_list() == [3, 4]


def test_a_line_with_256_separators_too_many_is_no_sound_one(tmp_path, context):
    lines = [line(ruc(1)), line(ruc(2)) + "|" * 256, line(ruc(3))]
    frame, _ = read(roll(tmp_path / "a.txt", lines), context)
    assert frame["_problem"].to_list() == [None, "width|-|found 271 separators, expected 15", None]


@pytest.mark.parametrize(
    "wrong", [ruc(7)[:-1] + str((int(ruc(7)[-1]) + 1) % 10), "2010001", "", "99123456789", "2O100017491"]
)
def test_a_wrong_ruc_is_rejected_and_shows_neither_number_nor_name(tmp_path, context, wrong):
    frame, _ = read(roll(tmp_path / "a.txt", [line(wrong, "QUISPE MAMANI JUANA")]), context)
    row = frame.row(0, named=True)
    assert row["_problem"].startswith("ruc_check_digit|") and row["party_key"] is None and row["party_name"] is None
    assert row["_verbatim"] == "taxpayer_status=ACTIVO; domicile_condition=HABIDO; ubigeo_code=150101"


def test_a_persons_name_stays_out_and_her_ruc_and_dni_are_one_key(tmp_path, context):
    person = ruc(41234567, "10")
    lines = [line(person, "QUISPE MAMANI JUANA"), line(ruc(1), "QUISPE MAMANI E.I.R.L."), line(ruc(2), "MINA S.A.")]
    frame, _ = read(roll(tmp_path / "a.txt", lines), context)
    assert frame["party_name"].to_list() == [None, None, "MINA S.A."]
    assert frame["party_kind"].to_list() == ["DNI", "RUC", "RUC"]
    assert frame["party_key"][0] == Keyer(b"k" * 32).key("DNI", person[2:10])


@pytest.mark.parametrize("chunk_bytes", [200, 1000, 4096])
def test_the_size_of_a_chunk_changes_nothing(tmp_path, context, monkeypatch, chunk_bytes):
    lines = [line(ruc(i), f"EMPRESA {'Ñ' * (i % 7)} {i} S.A.") for i in range(1, 60)]
    lines[10] += "|"
    lines[20] = ""
    lines[30] = lines[30].replace(ruc(31), ruc(31)[:-1] + "X")
    path = roll(tmp_path / "a.txt", lines, last_end="")
    whole, _ = read(path, context)
    monkeypatch.setattr(sunat_ruc, "CHUNK_BYTES", chunk_bytes)
    assert len(list(sunat_ruc.parse(path, context))) > 1
    assert read(path, context)[0].equals(whole)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (HEADER.replace("|", ";"), "the titles are separated by ';'"),
        (HEADER.replace("|", "\t"), r"the titles are separated by '\\t'"),
        ("20100017491", "no column titles"),
        (HEADER.replace("UBIGEO|", ""), "missing column 'UBIGEO'"),
        (HEADER + "SEXO|", "unknown column 'SEXO'"),
        (HEADER.replace("LOTE|", "UBIGEO|"), "doubled column 'UBIGEO'"),
        (HEADER.replace("INTERIOR|LOTE", "LOTE|INTERIOR"), "another order"),
    ],
)
def test_another_layout_is_refused_by_name(tmp_path, context, header, told):
    with pytest.raises(FileRefused, match=told) as refusal:
        read(roll(tmp_path / "a.txt", [line(ruc(1))], header=header), context)
    assert "line 1" in str(refusal.value)


def test_a_header_that_lost_its_accents_is_known(tmp_path, context):
    damaged = HEADER.translate({ord(c): "\ufffd" for c in "ÁÉÍÓÚ"})
    frame, _ = read(roll(tmp_path / "a.txt", [line(ruc(1))], header=damaged, encoding="utf-8"), context)
    assert frame.height == 1


def test_the_zip_as_sunat_publishes_it_gives_the_same_rows_and_its_date(tmp_path, context):
    plain = roll(tmp_path / "padron_reducido_ruc.txt", [line(ruc(i)) for i in range(1, 9)])
    zipped = tmp_path / "padron_reducido_ruc.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(plain.name, (2026, 11, 20, 3, 0, 0)), plain.read_bytes())
    assert sunat_ruc.identify(zipped).source_as_of == "2026-11-20" and sunat_ruc.identify(plain).source_as_of is None
    assert read(zipped, context)[0].equals(read(plain, context)[0])


@pytest.mark.parametrize("names", [[], ["a.csv"], ["a.txt", "b.txt"]])
def test_a_zip_must_hold_one_roll(tmp_path, context, names):
    path = tmp_path / "roll.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, HEADER)
    with pytest.raises(FileRefused, match="exactly one"):
        read(path, context)


def test_a_damaged_member_is_refused(tmp_path, context):
    path = tmp_path / "roll.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("roll.txt", "\n".join([HEADER, *[line(ruc(i)) for i in range(1, 99)]]).encode("latin-1"))
    data = bytearray(path.read_bytes())
    data[3000] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(FileRefused, match="damaged"):
        read(path, context)


def test_only_mentioned_parties_are_kept_and_the_rest_is_counted(tmp_path):
    wanted = frozenset({f"RUC:{ruc(3)}", "DNI:41234567"})
    lines = [*[line(ruc(i)) for i in range(1, 6)], line(ruc(41234567, "10")), line("20100")]
    scoped = Context(keyer=Keyer(b"k" * 32), filename="test", scope=wanted)
    frame, out = read(roll(tmp_path / "a.txt", lines), scoped)
    assert frame["_row_number"].to_list() == [4, 7, 8] and out == 4
    assert set(scoped.keyer.collected()["identity"]) == {ruc(3), "41234567"}


@given(
    st.lists(
        st.one_of(
            st.integers(1, 10**8 - 1).map(lambda n: line(ruc(n))),
            st.integers(1, 10**8 - 1).map(lambda n: line(ruc(n, "10"), "PERSONA")),
            st.integers(1, 999).map(lambda n: line(f"20{n:09d}")),
            st.text(st.characters(exclude_characters="\n\r", max_codepoint=255), min_size=1, max_size=30),
        ),
        min_size=1,
        max_size=80,
    ),
    st.integers(100, 3000),
)
@hypothesis_settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_in_equal_rows_given_plus_out_of_scope(tmp_path, monkeypatch, lines, chunk_bytes):
    monkeypatch.setattr(sunat_ruc, "CHUNK_BYTES", chunk_bytes)
    wanted = frozenset(f"RUC:{text[:11]}" for text in lines[::2])
    path = roll(tmp_path / "a.txt", lines)
    frame, out = read(path, Context(keyer=Keyer(b"k" * 32), filename="test", scope=wanted))
    assert frame.height + out == len(lines)
    kept = frame.filter(pl.col("_problem").is_null())
    assert kept["party_key"].null_count() == 0
    for number in kept["_row_number"]:
        text = lines[number - 2]
        assert text.count("|") == 15 and f"RUC:{text[:11]}" in wanted


def test_the_filter_runs_again_when_the_set_of_parties_changes(take, zones, tmp_path):
    rows = [line(ruc(i)) for i in range(1, 6)]
    receipt = take("sunat_ruc", roll(tmp_path / "padron.txt", rows), as_of="2026-11-20")
    assert receipt.status == "accepted"
    assert (receipt.rows_in[TABLE], receipt.accepted[TABLE], receipt.out_of_scope) == (5, 0, 5)
    kept_in_vault = vault.identities_path(zones.vault, "sunat_ruc", receipt.sha256)
    assert pl.read_parquet(kept_in_vault).is_empty()

    # another source mentions one of them
    listing = tmp_path / "reinfo.csv"
    listing.write_text(
        "RUC,MINERO EN VÍAS DE FORMALIZACIÓN,CÓDIGO ÚNICO,NOMBRE DEL DERECHO MINERO,DEPARTAMENTO,PROVINCIA,DISTRITO,ESTADO\n"
        f"{ruc(4)},MINERA CUATRO S.A.C.,010000605L,CUATRO,ICA,NASCA,NASCA,VIGENTE\n",
        encoding="utf-8",
    )
    take("reinfo", listing, as_of="2026-11-20", period="2026-11")
    (job,) = ingest.pending(zones, get_source("sunat_ruc"))
    (again,) = ingest.ingest_all([job])
    assert (again.rows_in[TABLE], again.accepted[TABLE], again.out_of_scope) == (5, 1, 4)
    (card,) = landing.cards(zones.landing, "sunat_ruc")
    kept = pl.read_parquet(lake.raw_path(zones.lake, TABLE, card.sha256))
    assert kept["_row_number"].to_list() == [5]
    assert pl.read_parquet(kept_in_vault)["identity"].to_list() == [ruc(4)]
    assert ingest.pending(zones, get_source("sunat_ruc")) == []
