"""Files that partners fill, as they come: any separator, any spreadsheet, any order; identities never stay in them."""

import csv
import datetime as dt
import io
import json
import random
from decimal import Decimal
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipelines import contracts, lake, partner_files, quality
from pipelines.errors import FileRefused
from pipelines.identity import Keyer, ruc_check_digit
from pipelines.sources import SLUGS, Context, get_source, sunat_documents
from tests.conftest import SAMPLE_DIR

TABLES = {t.source: t for t in partner_files.partner_tables()}
SETTLEMENTS = TABLES["partner_settlements"]
each_table = pytest.mark.parametrize("slug", list(TABLES))


def keyer() -> Keyer:
    return Keyer(b"k" * 32)


def read(table, path: Path, **known) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Accepted and rejected rows of a file."""
    context = Context(keyer=known.pop("keyer", None) or keyer(), filename=path.name, **known)
    (batch,) = get_source(table.source).parse(path, context)
    return contracts.check_rows(table, batch.tables[table.name], path.name)


def examples(table, rows: int = 2, **changed) -> pl.DataFrame:
    """Example rows, each with a key of its own, with some columns changed."""
    frame = pl.concat([partner_files.example_rows(table)] * ((rows + 1) // 2)).head(rows)
    given_here = dict(changed)
    own = next(
        c for c in table.columns if c.key_position and not c.identity_kind and c.dtype == pl.String and not c.codes
    )
    if own.file_column not in given_here:
        given_here[own.file_column] = [f"{value}-{i}" for i, value in enumerate(frame[own.file_column])]
    return frame.with_columns(
        pl.Series(name, values if isinstance(values, list) else [values] * frame.height, dtype=pl.String)
        for name, values in given_here.items()
    )


def write(
    table, frame: pl.DataFrame, path: Path, *, separator: str = ",", encoding: str = "utf-8", quoted=False
) -> Path:
    """A file as some spreadsheet saves it."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    writer.writerow(frame.columns)
    writer.writerows([["" if v is None else v for v in row] for row in frame.rows()])
    path.write_bytes(out.getvalue().encode(encoding))
    return path


# --- contracts and sources -------------------------------------------------------------------------


def test_every_partner_source_has_a_table_that_can_be_filled():
    assert set(TABLES) == {s for s in SLUGS if s.startswith("partner_")} and len(TABLES) == 10
    assert SLUGS.index("sunat_ruc") > max(SLUGS.index(s) for s in TABLES)


@each_table
def test_every_column_has_a_title_and_two_examples_and_every_identity_becomes_a_key(slug):
    table = TABLES[slug]
    titles = [c.file_column for c in table.columns]
    assert all(titles) and len(set(titles)) == len(titles)
    assert all(len(c.example) == 2 for c in table.columns)
    for c in table.columns:
        assert c.name.endswith("_key") == bool(c.identity_kind), c.name
        assert c.identity_kind in (None, "RUC", "ID", "REINFO", "PLATE", "DOCUMENT")
        if c.required:
            assert all(c.example), c.name
    assert table.properties["date_column"] in table.column_names


# --- what is written is what is read ---------------------------------------------------------------


@each_table
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_contracts_examples_are_taken_in(slug, kind, tmp_path):
    table, path = TABLES[slug], tmp_path / f"datos.{kind}"
    getattr(partner_files, f"write_partner_{kind}")(table, partner_files.example_rows(table), path)
    accepted, rejected = read(table, path)
    assert rejected.rows() == [] and accepted["_row_number"].to_list() == [2, 3]
    for c in table.columns:
        assert accepted[c.name].to_list() == [expected(c, text) for text in c.example], c.name


def expected(c, text: str):
    """A value of the contract's examples as the lake should hold it, worked out apart from the parser."""
    if not text:
        return None
    if c.identity_kind == "DOCUMENT":
        ruc, kind, series, number = text.split("-")
        return keyer().digest("DOCUMENT", f"{ruc}-{kind}-{series}-{number.lstrip('0')}")
    if c.identity_kind:
        kind = {11: "RUC", 8: "DNI"}[len(text)] if c.identity_kind in ("RUC", "ID") else c.identity_kind
        return keyer().key(kind, text)
    if isinstance(c.dtype, pl.Decimal):
        return Decimal(text).quantize(Decimal(1).scaleb(-c.dtype.scale))
    if c.dtype == pl.Date:
        return dt.date.fromisoformat(text)
    if isinstance(c.dtype, pl.Datetime):
        return dt.datetime.fromisoformat(text)
    if c.dtype == pl.Boolean:
        return text == "SI"
    return int(text) if c.dtype.is_integer() else text


def valid_ruc(first_ten: str) -> str:
    return first_ten + str(ruc_check_digit(first_ten) % 10)


TEXTS = st.text("ABÑéz 019,;'\"|=+-\t\n", min_size=1, max_size=8).filter(lambda t: t.strip() == t)
RUCS = st.integers(0, 99_999_999).map(lambda n: valid_ruc(f"20{n:08d}"))
PERSONS = st.integers(0, 99_999_999).map(lambda n: valid_ruc(f"10{n:08d}"))
IDENTITIES = {
    "RUC": RUCS,
    "ID": RUCS | PERSONS | st.integers(0, 99_999_999).map("{:08d}".format),
    "REINFO": st.integers(1, 10**9 - 1).map("{:09d}".format),
    "PLATE": st.from_regex(r"[A-Z][0-9][A-Z]-[0-9]{3}", fullmatch=True),
    "DOCUMENT": st.builds("{}-{}-{}-{}".format, RUCS, st.sampled_from(["01", "04", "09", "31"]), st.just("F001"), st.integers(1, 10**8 - 1)),
}  # fmt: skip
BY_NAME = {
    "penalty_terms": st.sampled_from(["AS:0.10:0.10:5.00", "AS:0.1:0.1:5;BI:0.05:0.01:5.00"]),
    "clause_codes": st.sampled_from(["SIN_RECIBO", "SIN_RECIBO;REPARTO_CIERRE"]),
    "semester": st.sampled_from(["2025-1", "2024-2"]),
    "destination_country_code": st.sampled_from(["CN", "JP"]),
    "mining_right_id_ingemmet": st.from_regex(r"[0-9]{9}[A-Z]?", fullmatch=True),
}


def values(c):
    """What a column may hold, in its own type."""
    if c.identity_kind:
        return IDENTITIES[c.identity_kind]
    if c.name in BY_NAME:
        return BY_NAME[c.name]
    if c.codes:
        return st.sampled_from(c.codes)
    if c.pattern:  # ^[0-9]{n}$
        width = int(c.pattern.removeprefix("^[0-9]{").removesuffix("}$"))
        return st.integers(0, 10**width - 1).map(lambda n: str(n).zfill(width))
    low = c.minimum if c.minimum is not None else -(10**6)
    high = (
        c.maximum
        if c.maximum is not None
        else min(10**6, 10 ** (getattr(c.dtype, "precision", 9) - getattr(c.dtype, "scale", 0)) - 1)
    )
    if isinstance(c.dtype, pl.Decimal):
        scale = 10**c.dtype.scale
        return st.integers(int(max(low, -high) * scale), int(high * scale)).map(
            lambda n: Decimal(n).scaleb(-c.dtype.scale)
        )
    if c.dtype.is_integer():
        return st.integers(int(max(low, -30_000)), int(min(high, 30_000)))
    if c.dtype == pl.Date:
        return st.dates(dt.date(2000, 1, 1), dt.date(2040, 12, 31))
    if isinstance(c.dtype, pl.Datetime):
        return st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2040, 12, 31)).map(lambda t: t.replace(microsecond=0))
    return st.booleans() if c.dtype == pl.Boolean else TEXTS


@st.composite
def frames(draw, table):
    """A partner's rows, typed, by title; each row's key is its own."""
    rows = draw(st.integers(1, 6))
    columns = {}
    for c in table.columns:
        one = values(c) if c.required else st.none() | values(c)
        cells = draw(st.lists(one, min_size=rows, max_size=rows))
        if c.key_position and c.dtype == pl.String and not c.identity_kind and not c.codes:
            cells = [f"{i}-{cell}" for i, cell in enumerate(cells)]
        columns[c.file_column] = cells
    if "consentimiento" in columns:
        columns |= {n: [v if yes else None for v, yes in zip(columns[n], columns["consentimiento"], strict=True)] for n in ("sexo", "lengua")}  # fmt: skip
    types = {c.file_column: pl.String if c.identity_kind else c.dtype for c in table.columns}
    return pl.DataFrame(columns, schema=types)


@each_table
@given(data=st.data())
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_round_trip(slug, data, tmp_path):
    """Whatever a partner's frame holds comes back with the same rows and values, from CSV and from a workbook."""
    table = TABLES[slug]
    frame = data.draw(frames(table))
    found = []
    for kind in ("csv", "xlsx"):
        path = tmp_path / f"datos.{kind}"
        getattr(partner_files, f"write_partner_{kind}")(table, frame, path)
        accepted, rejected = read(table, path)
        assert rejected.rows() == []
        found.append(accepted)
        for c in table.columns:
            if not c.identity_kind:
                assert accepted[c.name].to_list() == frame[c.file_column].to_list(), c.name
            else:
                assert accepted[c.name].is_null().to_list() == frame[c.file_column].is_null().to_list(), c.name
                assert accepted[c.name].n_unique() <= frame[c.file_column].n_unique(), c.name
    assert_frame_equal(found[0].drop("_row_number"), found[1].drop("_row_number"))


@given(cells=st.lists(st.tuples(st.integers(0, 62), st.text(max_size=12)), max_size=20), seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_the_cells_every_row_is_accepted_or_rejected(cells, seed, tmp_path):
    frame, chosen = examples(SETTLEMENTS, 10), random.Random(seed)
    rows = [list(row) for row in frame.rows()]
    for column, text in cells:
        rows[chosen.randrange(10)][column] = text
    path = write(
        SETTLEMENTS, pl.DataFrame(rows, schema=frame.schema, orient="row"), tmp_path / "ruido.csv", encoding="utf-8-sig"
    )
    try:
        accepted, rejected = read(SETTLEMENTS, path)
    except FileRefused as refusal:
        assert "Expected:" in str(refusal)
    else:
        assert accepted.height + rejected.height == 10
        assert sorted([*accepted["_row_number"], *rejected["_row_number"]])[0] == 2


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("quoted", [True, False])
def test_separators_encodings_and_quotes(separator, encoding, quoted, tmp_path):
    table = TABLES["partner_trainings"]
    frame = examples(table, entidad="Capacitación Ñandú")
    wanted, _ = read(table, write(table, frame, tmp_path / "a.csv"))
    found, rejected = read(
        table, write(table, frame, tmp_path / "b.csv", separator=separator, encoding=encoding, quoted=quoted)
    )
    assert rejected.height == 0 and found["provider_name"][0] == "Capacitación Ñandú"
    assert_frame_equal(found, wanted)


def test_columns_in_any_order_titles_in_any_spelling_blank_rows_and_columns(tmp_path):
    table = TABLES["partner_assays"]
    frame = examples(table)
    wanted, _ = read(table, write(table, frame, tmp_path / "a.csv"))
    shuffled = frame.select(random.Random(7).sample(frame.columns, len(frame.columns)))
    shuffled = shuffled.rename({"humedad_pct": " Humedad PCT", "lote": "LOTE"})
    lines = write(table, shuffled, tmp_path / "b.csv", separator=";").read_text().splitlines()
    empty = ";" * (len(frame.columns) - 1)
    (tmp_path / "b.csv").write_text(
        "\n".join([";;", *(f"{line};;" for line in (lines[0], empty, *lines[1:])), "", empty])
    )
    found, rejected = read(table, tmp_path / "b.csv")
    assert rejected.height == 0 and found["_row_number"].to_list() == [4, 5]
    assert_frame_equal(found.drop("_row_number"), wanted.drop("_row_number"))


def test_row_numbers_are_the_sheets_also_below_blank_rows(tmp_path):
    table, book = TABLES["partner_assays"], openpyxl.Workbook()
    other, sheet = book.active, book.create_sheet("datos")
    other.append(["esto no se lee"])
    frame = examples(table)
    for i, row in enumerate((frame.columns, *frame.rows())):
        for j, value in enumerate(row, start=2):
            sheet.cell(3 + 2 * i, j, value)
    book.save(tmp_path / "libro.xlsx")
    accepted, rejected = read(table, tmp_path / "libro.xlsx")
    assert rejected.height == 0 and accepted["_row_number"].to_list() == [5, 7]


def test_without_a_sheet_datos_the_first_is_read(tmp_path):
    table, book = TABLES["partner_assays"], openpyxl.Workbook()
    frame = examples(table)
    for row in (frame.columns, *frame.rows()):
        book.active.append(row)
    book.create_sheet("otra").append(["no"])
    book.save(tmp_path / "libro.xlsx")
    assert read(table, tmp_path / "libro.xlsx")[0].height == 2


# --- what spreadsheets do to values ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("slug", "title", "column", "written", "wanted"),
    [
        ("partner_assays", "fecha", "certificate_date", "2025-06-03 00:00:00", dt.date(2025, 6, 3)),
        ("partner_assays", "fecha", "certificate_date", "03/06/2025", dt.date(2025, 6, 3)),
        ("partner_assays", "fecha", "certificate_date", "3-6-2025", dt.date(2025, 6, 3)),
        ("partner_assays", "fecha", "certificate_date", "45811", dt.date(2025, 6, 3)),
        ("partner_assays", "fecha", "certificate_date", "45811.0", dt.date(2025, 6, 3)),
        ("partner_weigh_tickets", "fecha_hora_entrada", "weighed_in_at", "2025-06-03 07:42", dt.datetime(2025, 6, 3, 7, 42)),
        ("partner_weigh_tickets", "fecha_hora_entrada", "weighed_in_at", "2025-06-03T7:42:05", dt.datetime(2025, 6, 3, 7, 42, 5)),
        ("partner_weigh_tickets", "fecha_hora_entrada", "weighed_in_at", "03/06/2025 07:42:05.000", dt.datetime(2025, 6, 3, 7, 42, 5)),
        ("partner_weigh_tickets", "fecha_hora_entrada", "weighed_in_at", "45811.25", dt.datetime(2025, 6, 3, 6, 0)),
        ("partner_contracts", "inscrito_sunarp", "is_registered", "Sí", True),
        ("partner_contracts", "inscrito_sunarp", "is_registered", "verdadero", True),
        ("partner_contracts", "inscrito_sunarp", "is_registered", "1", True),
        ("partner_contracts", "inscrito_sunarp", "is_registered", "TRUE", True),
        ("partner_contracts", "inscrito_sunarp", "is_registered", "no", False),
        ("partner_contracts", "inscrito_sunarp", "is_registered", "Falso", False),
        ("partner_contracts", "inscrito_sunarp", "is_registered", "FALSE", False),
        ("partner_contracts", "inscrito_sunarp", "is_registered", "0", False),
        ("partner_contracts", "clausulas", "clause_codes", "sin_recibo; reparto_cierre", "SIN_RECIBO;REPARTO_CIERRE"),
        ("partner_assays", "solicitado_por", "requested_by_code", " comprador ", "COMPRADOR"),
        ("partner_weigh_tickets", "sacos", "sacks_count", "245.0", 245),
        ("partner_weigh_tickets", "ubigeo_origen", "origin_ubigeo_code", "30414", "030414"),
        ("partner_weigh_tickets", "ubigeo_origen", "origin_ubigeo_code", "30414.0", "030414"),
        ("partner_weigh_tickets", "derecho_minero", "mining_right_id_ingemmet", "10000605L", "010000605L"),
        ("partner_weigh_tickets", "derecho_minero", "mining_right_id_ingemmet", "-", None),
        ("partner_exports", "pais_destino", "destination_country_code", "cn", "CN"),
        ("partner_exports", "aduana", "customs_office_code", "46", "046"),
    ],
)  # fmt: skip
def test_spellings_with_one_reading_are_read(slug, title, column, written, wanted, tmp_path):
    table = TABLES[slug]
    accepted, rejected = read(table, write(table, examples(table, **{title: written}), tmp_path / "a.csv"))
    assert rejected.rows() == [] and accepted[column].to_list() == [wanted] * 2


@pytest.mark.parametrize("written", ["20505310072.0", "2.0505310072E10", "2.0505310072e+10", " 20505310072 "])
def test_a_ruc_that_a_spreadsheet_spelled_as_a_number(written, tmp_path):
    table = TABLES["partner_exports"]
    accepted, _ = read(table, write(table, examples(table, ruc_exportador=written), tmp_path / "a.csv"))
    assert accepted["exporter_key"].to_list() == [keyer().key("RUC", "20505310072")] * 2


def test_numbers_dates_and_yes_in_cells_of_their_kind(tmp_path):
    table, book = TABLES["partner_contracts"], openpyxl.Workbook()
    row = dict(zip(partner_files.example_rows(table).columns, partner_files.example_rows(table).row(0), strict=True))
    row |= {"titular": 20995000050, "fecha_firma": dt.datetime(2025, 5, 12), "fecha_inicio": dt.date(2025, 6, 1),
            "inscrito_sunarp": True, "retribucion_pct": 12.5, "codigo_reinfo": 990000123}  # fmt: skip
    for line in (list(row), list(row.values())):
        book.active.append(line)
    book.save(tmp_path / "libro.xlsx")
    accepted, rejected = read(table, tmp_path / "libro.xlsx")
    wanted, _ = read(
        table, write(table, examples(table, 1, contrato="ASOC-2025-0007", retribucion_pct="12.5"), tmp_path / "a.csv")
    )
    assert rejected.rows() == []
    assert_frame_equal(accepted, wanted)


@pytest.mark.parametrize(
    ("title", "written", "rule", "told"),
    [
        ("tmh", "1.234,56", "type", "decimal point"),
        ("tmh", "12,5", "type", "decimal point"),
        ("tmh", "1,234.56", "type", "decimal point"),
        ("tmh", "32 t", "type", "decimal point"),
        ("tmh", "-1", "range", "at least 0"),
        ("humedad_pct", "100.5", "range", "at most 100"),
        ("fecha", "2025-13-01", "type", "YYYY-MM-DD"),
        ("fecha", "06/25/2025", "type", "YYYY-MM-DD"),
        ("fecha", "03/06/25", "type", "YYYY-MM-DD"),
        ("penalidades", "AS 0.10", "pattern", "expected"),
        ("valor_usd", "", "required", "a value"),
        ("ruc_comprador", "20995000018", "ruc_check_digit", "valid RUC"),
        ("ruc_comprador", "99000001", "ruc_check_digit", "valid RUC"),
        ("ruc_comprador", "", "required", "a value"),
        ("vendedor", "9900001", "identity", "DNI of 8"),
        ("vendedor", "10990000014", "identity", "RUC of 11"),
        ("vendedor", "JUAN PEREZ", "identity", "RUC of 11"),
        ("comprobante", "F001-123", "document", "RUC-TYPE-SERIES-NUMBER"),
        ("comprobante", "20995000018-01-F001-123", "document", "RUC-TYPE-SERIES-NUMBER"),
        ("lote", "L-10990000013", "identity", "person's RUC"),
        ("constancia_detraccion", "pago de 10990000013", "identity", "person's RUC"),
    ],
)
def test_a_bad_value_costs_its_row_and_says_why(title, written, rule, told, tmp_path):
    frame = examples(SETTLEMENTS, 4)
    cells = [*frame[title][:2], written, frame[title][3]]
    path = write(SETTLEMENTS, frame.with_columns(pl.Series(title, cells, dtype=pl.String)), tmp_path / "a.csv")
    accepted, rejected = read(SETTLEMENTS, path)
    column = next(c.name for c in SETTLEMENTS.columns if c.file_column == title)
    assert accepted["_row_number"].to_list() == [2, 3, 5]
    (row,) = rejected.to_dicts()
    assert (row["_row_number"], row["rule"], row["column"]) == (4, rule, column) and told in row["reason"]
    assert title in row["reason"]  # the partner knows its file's titles, not ours
    if rule in ("ruc_check_digit", "identity", "document"):
        assert not written or written not in row["reason"] + row["verbatim"]


def test_a_row_of_another_width(tmp_path):
    table = TABLES["partner_assays"]
    lines = write(table, examples(table, 3), tmp_path / "a.csv").read_text().splitlines()
    lines[2] = lines[2].rsplit(",", 2)[0]
    lines[3] += ",de más"
    (tmp_path / "a.csv").write_text("\n".join(lines), encoding="utf-8")
    accepted, rejected = read(table, tmp_path / "a.csv")
    assert accepted["_row_number"].to_list() == [2]
    assert [(r["_row_number"], r["rule"], r["reason"]) for r in rejected.to_dicts()] == [
        (3, "width", "found 14 fields, expected 16"),
        (4, "width", "found 17 fields, expected 16"),
    ]


def test_the_second_row_of_a_key_is_rejected(tmp_path):
    accepted, rejected = read(
        SETTLEMENTS,
        write(SETTLEMENTS, examples(SETTLEMENTS, 3, ruc_comprador="20995000017", liquidacion="L1"), tmp_path / "a.csv"),
    )
    assert accepted["_row_number"].to_list() == [2] and rejected["rule"].to_list() == ["duplicate"] * 2
    assert all("ruc_comprador, liquidacion" in reason for reason in rejected["reason"])


def test_sex_and_language_need_consent(tmp_path):
    table = TABLES["partner_surveys"]
    frame = examples(
        table,
        4,
        consentimiento=["SI", "NO", "NO", "quizás"],
        sexo=["F", "F", None, "M"],
        lengua=["QU", None, None, None],
    )
    accepted, rejected = read(table, write(table, frame, tmp_path / "a.csv"))
    assert accepted["_row_number"].to_list() == [2, 4] and accepted["sex_code"].to_list() == ["F", None]
    assert rejected.select("_row_number", "rule", "column").rows() == [
        (3, "consent", "sex_code"),
        (5, "consent", "sex_code"),
    ]


# --- identities ------------------------------------------------------------------------------------


def test_a_documents_key_is_the_one_of_the_document_itself(tmp_path):
    xml = SAMPLE_DIR / "sunat_documents" / "20505310072-01-F001-00019772.xml"
    (batch,) = sunat_documents.parse(xml, Context(keyer=keyer(), filename=xml.name))
    (document_key,) = batch.tables[sunat_documents.DOCUMENTS]["document_key"]
    names = ["20505310072-01-F001-00019772", "20505310072-01-f001-19772"]
    accepted, _ = read(SETTLEMENTS, write(SETTLEMENTS, examples(SETTLEMENTS, comprobante=names), tmp_path / "a.csv"))
    assert accepted["invoice_key"].to_list() == [document_key] * 2


def test_a_persons_ruc_and_dni_are_one_party_and_the_vault_learns_them(tmp_path):
    table, known = TABLES["partner_contracts"], keyer()
    frame = examples(table, operador=["10990000013", "99000001"], titular="20995000050", codigo_reinfo="990000123")
    accepted, _ = read(table, write(table, frame, tmp_path / "a.csv"), keyer=known)
    assert accepted["operator_key"].n_unique() == 1
    collected = sorted(known.collected().select("identity_kind", "identity").rows())
    assert collected == [("DNI", "99000001"), ("REINFO", "990000123"), ("RUC", "20995000050")]


@each_table
def test_identities_never_reach_the_lake(slug, take, zones, tmp_path):
    """Nor the rejected rows, the receipt or the log: only the vault knows them."""
    table = TABLES[slug]
    frame = examples(table, 40)
    date = next(c.file_column for c in table.columns if c.name == table.properties["date_column"])
    spoilt = (
        frame.with_row_index()
        .with_columns(pl.when(pl.col("index") == 6).then(pl.lit("ayer")).otherwise(pl.col(date)).alias(date))
        .drop("index")
    )
    path = write(table, spoilt, tmp_path / "a.csv")
    receipt = take(slug, path)
    assert receipt.status == "accepted", receipt.message
    assert receipt.accepted[table.name] == 39 and receipt.rejected[table.name] == 1
    written = "".join(pl.read_parquet(p).write_json() for p in zones.lake.rglob("*.parquet"))
    written += "".join(p.read_text() for p in zones.lake.rglob("*.json"))
    secrets = {e for c in table.columns if c.identity_kind for e in c.example if e}
    assert not [s for s in secrets if s in written]
    assert (
        quality.check_frame(
            table, pl.read_parquet(lake.raw_path(zones.lake, table.name, receipt.sha256)), slug
        ).failures
        == ()
    )


def test_verbatim_of_a_rejected_row_keeps_the_rest(tmp_path):
    frame = examples(SETTLEMENTS, 1, tmh="12,5", vendedor="99000001")
    _, rejected = read(SETTLEMENTS, write(SETTLEMENTS, frame, tmp_path / "a.csv"))
    kept = json.loads(rejected["verbatim"][0])
    assert kept["settled_wmt"] == "12,5" and kept["settlement_id"] == "LIQ-2025-0871-0"
    assert "99000001" not in rejected["verbatim"][0] and "20995000017" not in rejected["verbatim"][0]


# --- files that are refused whole ------------------------------------------------------------------


def refusal(take, slug, path) -> str:
    receipt = take(slug, path)
    assert receipt.status == "refused" and path.name in receipt.message and "What to do:" in receipt.message
    return receipt.message


def test_columns_that_are_missing_unknown_or_doubled(take, tmp_path):
    frame = examples(TABLES["partner_assays"])
    path = tmp_path / "a.csv"
    write(None, frame.drop("cu_pct", "metodo"), path)
    assert "missing columns 'cu_pct', 'metodo'" in refusal(take, "partner_assays", path)
    write(None, frame.with_columns(pl.lit("x").alias("Observación")), path)
    told = refusal(take, "partner_assays", path)
    assert "unknown column 'Observación'" in told and "antawasi templates partner_assays" in told
    write(None, frame.with_columns(pl.lit("x").alias("LOTE")), path)
    assert "doubled column 'lote'" in refusal(take, "partner_assays", path)
    write(None, frame.with_columns(pl.lit("x").alias(" ")), path)
    assert "unknown column" in refusal(take, "partner_assays", path)


def test_a_file_of_an_older_template_is_read_without_what_came_since(tmp_path):
    added = [c for c in SETTLEMENTS.columns if c.added_in]
    assert len(added) >= 2
    older = examples(SETTLEMENTS, 3).drop(c.file_column for c in added)
    accepted, rejected = read(SETTLEMENTS, write(None, older, tmp_path / "a.csv"))
    assert accepted.height == 3 and rejected.is_empty()
    assert all(accepted[c.name].null_count() == 3 for c in added)


def test_an_unknown_code(take, tmp_path):
    path = write(None, examples(SETTLEMENTS, producto="ROM_VERDE"), tmp_path / "a.csv")
    told = refusal(take, "partner_settlements", path)
    assert "ROM_VERDE" in told and "column producto" in told and "row 2" in told


def test_titles_without_rows(take, tmp_path):
    path = write(None, examples(SETTLEMENTS).clear(), tmp_path / "a.csv")
    assert "no rows" in refusal(take, "partner_settlements", path)
    partner_files.write_template(SETTLEMENTS, tmp_path / "plantilla.xlsx")
    assert "no rows" in refusal(take, "partner_settlements", tmp_path / "plantilla.xlsx")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("vacio.csv", b"", "empty"),
        ("blanco.csv", b"\xef\xbb\xbf\n ;;\n\n", "missing columns"),
        ("pagina.csv", b"<!DOCTYPE html><html><body>bloqueado</body></html>", "web page"),
        ("comillas.csv", b'caso,"fecha\nx,y\n', "quoting"),
        ("linea.csv", b"x" * (2 << 20), "lines of at most"),
        ("roto.xlsx", b"PK\x03\x04 no es un libro", "cannot be opened"),
    ],
)
def test_hostile_files(take, tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    assert told in refusal(take, "partner_grievances", tmp_path / name)


@pytest.mark.parametrize("share", [0.2, 0.6, 0.99])
def test_a_truncated_workbook(take, tmp_path, share):
    path = tmp_path / "cortado.xlsx"
    partner_files.write_partner_xlsx(SETTLEMENTS, examples(SETTLEMENTS, 50), path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert "cannot be opened" in refusal(take, "partner_settlements", path)


def test_too_many_bad_rows_refuse_the_file(take, tmp_path):
    path = write(None, examples(SETTLEMENTS, 10, tmh=["12,5"] * 2 + ["12.5"] * 8), tmp_path / "a.csv")
    assert "decimal point" in refusal(take, "partner_settlements", path)


# --- period and date -------------------------------------------------------------------------------


def test_period_and_date_are_the_newest_of_the_date_column(tmp_path):
    frame = examples(SETTLEMENTS, 4, fecha=["2025-05-31", "03/06/2025", "ayer", "2025-04-01"], fecha_pago="2026-01-01")
    found = get_source("partner_settlements").identify(write(SETTLEMENTS, frame, tmp_path / "a.csv"))
    assert (found.period, found.source_as_of) == ("2025-06", "2025-06-03")


def test_a_declared_period_must_be_the_files(take, tmp_path):
    path = write(SETTLEMENTS, examples(SETTLEMENTS, fecha=["2025-05-31", "2025-06-03"]), tmp_path / "a.csv")
    assert take("partner_settlements", path, period="2025-06").status == "accepted"
    path = write(SETTLEMENTS, examples(SETTLEMENTS, fecha=["2025-05-31", "2025-06-04"]), tmp_path / "b.csv")
    receipt = take("partner_settlements", path, period="2025-05")
    assert receipt.status == "refused" and "2025-06" in receipt.message and "fecha" in receipt.message


def test_the_shared_parser_counts_as_the_sources_code():
    from pipelines import ingest
    from pipelines.sources import partner

    digest = ingest._code_digest.__wrapped__("partner_assays")
    path = Path(partner.__file__)
    original, read_bytes = path.read_bytes(), Path.read_bytes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda p: original + b"#" if p == path else read_bytes(p))
        assert ingest._code_digest.__wrapped__("partner_assays") != digest
