"""What a stranger wrote and the house publishes stays text: no formula in a spreadsheet, no SQL in a name."""

import datetime as dt
from decimal import Decimal

import lxml.html
import openpyxl
import polars as pl
import pytest

from pipelines import asking, contracts, landing, warehouse
from pipelines.errors import AntawasiError
from pipelines.publish import changes, extracts, release
from pipelines.sources import get_source
from pipelines.warehouse import connect
from tests.conftest import SAMPLE_DIR
from tests.unit import test_publish

PRODUCTION = contracts.contract("pub_copper_production")
HOSTILE = (
    '=HYPERLINK("http://x/?q="&A1,"ok")', "+1+cmd|' /C calc'!A0", "-2+3+cmd|x", "@SUM(1+1)*cmd|x", "\t=1+1", "\r=1+1", "\n=1+1", "'=1+1",
    "<img src=x onerror=alert(1)>", "=1+1'; DROP TABLE publish.pub_copper_production; --", '"; DROP TABLE x; --', "ÁNCASH",
)  # fmt: skip


def rows(names):
    made = [
        (dt.date(2024, 1, 1), f"{i:02d}", name, "PPM", "CONCENTRACION", Decimal("12.5"), dt.date(2024, 12, 31), False)
        for i, name in enumerate(names, start=1)
    ]
    return pl.DataFrame(made, schema=PRODUCTION.schema(lineage=False), orient="row")


@pytest.fixture
def hostile(settings):
    test_publish.warehouse(settings, {"pub_copper_production": rows(HOSTILE)})
    return release.publish(settings)


def test_no_cell_of_a_csv_is_a_formula_and_every_text_comes_back(hostile):
    read = pl.read_csv(hostile.path / "pub_copper_production.csv", infer_schema=False)["department_name"].to_list()
    assert not [text for text in read if text[:1] in set("=+-@\t\r\n")]
    assert [text.removeprefix("'") for text in read] == list(HOSTILE)
    changed = pl.read_csv(hostile.path / "changes.csv", infer_schema=False)
    assert not [t for column in changed for t in column.drop_nulls() if t[:1] in set("=+-@\t\r")]


def test_what_changed_is_told_without_formulas_and_numbers_keep_their_sign():
    old = rows(["ICA"])
    new = rows(["=1+1"]).with_columns(pl.lit(Decimal("-3.25")).cast(old["fine_copper_t"].dtype).alias("fine_copper_t"))
    told = extracts.harmless(changes.compare(PRODUCTION, old, new))
    assert "'=1+1" in set(told["after"]) and any((a or "").startswith("-3.25") for a in told["after"])


def test_no_cell_of_a_workbook_is_a_formula(hostile):
    book = openpyxl.load_workbook(hostile.path / "pub_copper_production.xlsx")
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds
    column = [row[2].value for row in book["datos"].iter_rows(min_row=2)]
    assert [c.replace("_x000D_", "\r") for c in column] == list(HOSTILE)
    assert not book["datos"]._hyperlinks


def test_no_page_of_the_release_holds_an_element_of_theirs(hostile):
    pages = [lxml.html.fromstring(p.read_bytes()) for p in hostile.path.rglob("*.html")]
    assert pages and not [found for page in pages for found in page.xpath("//img | //@onerror")]
    assert not [a for page in pages for a in page.xpath("//a/@href") if a.startswith("http://x/")]


def test_the_public_database_holds_the_names_as_they_are(hostile):
    with connect(hostile.path / "antawasi_public.duckdb", read_only=True) as connection:
        found = connection.execute(
            "SELECT department_name FROM pub_copper_production ORDER BY department_code"
        ).fetchall()
    assert [name for (name,) in found] == list(HOSTILE)


@pytest.mark.parametrize(
    "name", ["o'brien; DROP TABLE x; --.csv", 'a" b`$(id).csv', "=1+1.csv", "ñandú %s {0} \u202e.csv"]
)
def test_a_hostile_file_name_is_only_a_name(take, settings, zones, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(next((SAMPLE_DIR / "minem_production").glob("*2024.csv")).read_bytes())
    receipt = take("minem_production", path)
    assert receipt.status == "accepted"
    pinned = warehouse.pin(zones.lake)
    warehouse.mount(settings, pinned)
    _, told = warehouse.meta_tables(pinned, {"nodes": {}})["landing_files"]
    assert told[0][2] == name
    with connect(settings.build_db) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM raw.minem_production__quantities").fetchall()
    assert count == receipt.accepted["minem_production__quantities"]


def test_a_house_may_stand_in_a_folder_with_quotes(tmp_path, settings):
    home = settings.model_copy(update={"home": tmp_path / "o'brien \"; DROP"})
    source = get_source("minem_production")
    landing.land(home.landing, source, next((SAMPLE_DIR / "minem_production").glob("*2024.csv")))
    from pipelines import ingest

    list(ingest.ingest_all(ingest.pending(ingest.Zones.of(home), source)))
    warehouse.mount(home, warehouse.pin(home.lake))
    with connect(home.build_db) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM raw.minem_production__quantities").fetchall()
    assert count > 9000


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ('pub_copper_production"; DROP TABLE x; --', "a=1"),
        ("publish.pub_copper_production", 'department_code" OR 1=1 --=1'),
        ("publish.pub_copper_production", "department_code=' OR '1'='1"),
        ("pub_copper_production' OR '1'='1", "a=1"),
    ],
)
def test_names_and_values_of_a_question_are_no_sql(hostile, settings, table, key):
    from rich.console import Console

    with pytest.raises(AntawasiError, match="What to do"):
        asking.trace(settings, table, key, Console(quiet=True))


def test_a_query_reads_no_file_and_changes_nothing(hostile, settings):
    connection = asking.connect(settings)
    try:
        for sql in (
            "SELECT * FROM read_csv('/etc/passwd')", "COPY (SELECT 1) TO '/tmp/x'", "ATTACH '/tmp/x.duckdb'",
            "DROP TABLE publish.pub_copper_production", "SET enable_external_access = true", "INSTALL httpfs",
        ):  # fmt: skip
            with pytest.raises(AntawasiError):
                asking._fetch(connection, sql)
    finally:
        connection.close()
