"""Templates as a partner opens them: what Excel lets in, what it says, and that a filled one is taken in."""

import openpyxl
import polars as pl
import pytest

from pipelines import contracts, partner_files
from pipelines.errors import AntawasiError
from pipelines.identity import Keyer
from pipelines.sources import Context, get_source
from tests.conftest import antawasi

TABLES = {t.source: t for t in partner_files.partner_tables()}
each_table = pytest.mark.parametrize("slug", list(TABLES))


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    """Every template, opened."""
    folder, found = tmp_path_factory.mktemp("plantillas"), {}
    for slug, table in TABLES.items():
        path = folder / partner_files.template_name(table)
        partner_files.write_template(table, path)
        found[slug] = openpyxl.load_workbook(path)
    return found


def rules(sheet) -> dict[str, openpyxl.worksheet.datavalidation.DataValidation]:
    """Data validations by the title of their column."""
    found = {}
    for rule in sheet.data_validations.dataValidation:
        (area,) = rule.sqref.ranges
        assert area.min_row == 2 and area.max_row > 1_001 and area.min_col == area.max_col
        found[sheet.cell(1, area.min_col).value] = rule
    return found


def dimension(sheet, column: int):
    """Width and format of a column: neighbours that are alike are described once."""
    return next(d for d in sheet.column_dimensions.values() if d.min <= column <= d.max)


@each_table
def test_sheets_titles_notes_colours_and_frozen_header(slug, books):
    table, book = TABLES[slug], books[slug]
    assert [s.title for s in book if s.sheet_state == "visible"] == ["LEEME", "datos", "ejemplo", "diccionario"]
    sheet = book["datos"]
    titles = {cell.value: cell for cell in sheet[1]}
    assert list(titles) == [c.file_column for c in table.columns] and sheet.max_row == 1
    assert sheet.freeze_panes == "A2"
    colours = {
        required: {titles[c.file_column].fill.fgColor.rgb for c in table.columns if c.required == required}
        for required in (True, False)
    }
    assert len(colours[True]) == len(colours[False]) == 1 and colours[True] != colours[False]
    for c in table.columns:
        note = titles[c.file_column].comment.text
        assert c.title_es in note and (c.unit or "") in note
        assert ("Obligatorio" in note) == c.required
        assert dimension(sheet, titles[c.file_column].column).width >= len(c.file_column)


@each_table
def test_text_stays_text_so_that_leading_zeros_survive(slug, books):
    sheet = books[slug]["datos"]
    for cell, c in zip(sheet[1], TABLES[slug].columns, strict=True):
        is_text = c.dtype in (pl.String, pl.Boolean)
        assert (dimension(sheet, cell.column).number_format == "@") == is_text, c.name


@each_table
def test_what_excel_lets_in_is_what_the_contract_says(slug, books):
    book = books[slug]
    found = rules(book["datos"])
    for c in TABLES[slug].columns:
        rule = found.get(c.file_column)
        if c.codes or c.dtype == pl.Boolean:
            assert rule.type == "list" and codes(book, rule) == list(c.codes or ("SI", "NO"))
        elif c.dtype.is_numeric():
            assert rule.type == ("whole" if c.dtype.is_integer() else "decimal")
            if c.minimum is not None:
                assert float(rule.formula1) == c.minimum and f"{c.minimum:g}" in rule.error
            if c.maximum is not None:
                assert float(rule.formula2) == c.maximum and f"{c.maximum:g}" in rule.error
        elif c.dtype.is_temporal():
            assert rule.type == "date"
        elif c.identity_kind in ("RUC", "ID"):
            assert rule is not None and "11" in rule.formula1
        else:
            assert rule is None
        if rule is not None:
            assert rule.error.startswith(("Elija", "Escriba", "El RUC")) and rule.errorTitle == "Valor no válido"
            assert rule.showErrorMessage


def codes(book, rule) -> list[str]:
    """The codes of a drop-down, in the cell itself or on a hidden sheet."""
    if rule.formula1.startswith('"'):
        return rule.formula1.strip('"').split(",")
    name, area = rule.formula1.split("!")
    assert book[name].sheet_state == "hidden"
    return [row[0].value for row in book[name][area.replace("$", "")]]


@each_table
def test_the_dictionary_explains_every_column(slug, books):
    heads, *rows = books[slug]["diccionario"].iter_rows(values_only=True)
    assert heads == ("columna", "título", "descripción", "unidad", "obligatorio", "códigos", "ejemplo")
    for row, c in zip(rows, TABLES[slug].columns, strict=True):
        assert row[0] == c.file_column and row[1] == c.title_es and (row[3] or None) == c.unit
        assert row[4] == ("sí" if c.required else "no")
        assert row[5] == ", ".join(c.codes or (("SI", "NO") if c.dtype == pl.Boolean else ()))
        assert row[6] in c.example
        if c.identity_kind:
            assert row[2].startswith("Escriba") and "clave" in row[2]


@each_table
def test_the_readme_says_who_how_where_and_what_of_privacy(slug, books):
    table = TABLES[slug]
    text = "\n".join(row[0] for row in books[slug]["LEEME"].iter_rows(values_only=True))
    date = next(c.file_column for c in table.columns if c.name == table.properties["date_column"])
    for part in (
        table.description_es,
        table.properties["filled_by_es"],
        f"inbox/{slug}/",
        f"«{date}»",
        "claves",
        "bóveda",
    ):
        assert part in text
    assert ("consentimiento" in text) == any(c.name == "sex_code" for c in table.columns)


@each_table
def test_the_example_rows_copied_into_datos_are_taken_in(slug, books, tmp_path):
    """As a person does it: rows of the sheet `ejemplo` below the titles of `datos`, saved by another program."""
    table, path = TABLES[slug], tmp_path / "lleno.xlsx"
    partner_files.write_template(table, path)
    book = openpyxl.load_workbook(path)
    example = list(book["ejemplo"].iter_rows(min_row=2, values_only=True))
    assert len(example) == 2
    for row in example:
        book["datos"].append(row)
    book.save(path)
    context = Context(keyer=Keyer(b"k" * 32), filename=path.name)
    (batch,) = get_source(slug).parse(path, context)
    accepted, rejected = contracts.check_rows(table, batch.tables[table.name], path.name)
    assert accepted.height == 2 and rejected.rows() == []


@each_table
def test_the_same_contract_gives_the_same_bytes(slug, tmp_path):
    table = TABLES[slug]
    frame = partner_files.example_rows(table)
    for i in (1, 2):
        partner_files.write_template(table, tmp_path / f"{i}.plantilla.xlsx")
        partner_files.write_partner_xlsx(table, frame, tmp_path / f"{i}.datos.xlsx")
        partner_files.write_partner_csv(table, frame.select(reversed(frame.columns)), tmp_path / f"{i}.datos.csv")
    for name in ("plantilla.xlsx", "datos.xlsx", "datos.csv"):
        assert (tmp_path / f"1.{name}").read_bytes() == (tmp_path / f"2.{name}").read_bytes()


def test_a_frame_with_other_columns_is_not_written(tmp_path):
    table = TABLES["partner_assays"]
    frame = partner_files.example_rows(table).rename({"cu_pct": "ley"})
    with pytest.raises(AntawasiError, match=r"missing columns \['cu_pct'\], unknown columns \['ley'\]"):
        partner_files.write_partner_csv(table, frame, tmp_path / "a.csv")
    assert not (tmp_path / "a.csv").exists()


def test_numbers_are_written_as_people_write_them(tmp_path):
    table = TABLES["partner_assays"]
    frame = partner_files.example_rows(table).with_columns(
        cu_pct=pl.Series([22.5, 10.0]),
        ag_g_t=pl.Series([0.1 + 0.2, 1e-4]),
        humedad_pct=pl.Series([100, 0]).cast(pl.Decimal(14, 6)),
        fecha=pl.Series(["2025-06-05", None]).str.to_date(),
    )
    written = partner_files.as_written(table, frame)
    assert written["cu_pct"].to_list() == ["22.5", "10"] and written["ag_g_t"].to_list() == ["0.3", "0.0001"]
    assert written["humedad_pct"].to_list() == ["100", "0"] and written["fecha"].to_list() == ["2025-06-05", None]


def test_the_command_writes_all_or_the_ones_asked_for(tmp_path):
    told = antawasi("templates", "--out", str(tmp_path / "todas"), home=tmp_path / "home").stdout
    written = {p.name for p in (tmp_path / "todas").iterdir()}
    assert written == {f"plantilla_{slug}.xlsx" for slug in TABLES} and all(name in told for name in written)
    antawasi("templates", "partner_assays", "partner_exports", "--out", str(tmp_path / "dos"), home=tmp_path / "home")
    assert {p.name for p in (tmp_path / "dos").iterdir()} == {
        "plantilla_partner_assays.xlsx",
        "plantilla_partner_exports.xlsx",
    }
    wrong = antawasi("templates", "reinfo", "--out", str(tmp_path / "no"), home=tmp_path / "home", check=False)
    assert wrong.returncode == 1 and "'reinfo' has no template" in wrong.stderr and "partner_assays" in wrong.stderr
    assert not (tmp_path / "no").exists() and not (tmp_path / "home").exists()
