"""Releases: the gate, the formats, the bytes, what changed, and that nothing released ever changes."""

import datetime as dt
import hashlib
import os
import zipfile
from decimal import Decimal

import duckdb
import openpyxl
import polars as pl
import pytest
from frictionless import Package

from pipelines import contracts, files
from pipelines.disclosure import gate
from pipelines.errors import AntawasiError, PublishRefused
from pipelines.publish import changes, release
from pipelines.warehouse import connect

PRICE = contracts.contract("pub_copper_price")
PRODUCTION = contracts.contract("pub_copper_production")
VINTAGE = dt.date(2025, 12, 2)


def prices(*months, usd="9000.5", synthetic=False):
    rows = [
        (dt.date(2024, m, 1), Decimal(usd), Decimal("408.256"), None, None, "worldbank_pinksheet", VINTAGE, synthetic)
        for m in months
    ]
    return pl.DataFrame(rows, schema=PRICE.schema(lineage=False), orient="row")


def production(*departments):
    rows = [
        (dt.date(2024, 1, 1), code, name, "PPM", "CONCENTRACION", Decimal("12.5"), dt.date(2024, 12, 31), False)
        for code, name in departments
    ]
    return pl.DataFrame(rows, schema=PRODUCTION.schema(lineage=False), orient="row")


def warehouse(settings, tables: dict[str, pl.DataFrame], file: str = "a"):
    settings.warehouse.mkdir(parents=True, exist_ok=True)
    settings.analysts_db.unlink(missing_ok=True)
    with connect(settings.analysts_db) as connection:
        connection.execute("CREATE SCHEMA publish; CREATE SCHEMA marts; CREATE TABLE marts.secret AS SELECT 1 AS x")
        connection.execute(
            "CREATE SCHEMA meta; CREATE TABLE meta.landing_files AS SELECT 'worldbank_pinksheet' AS source, "
            f"DATE '{VINTAGE}' AS source_as_of, 'accepted' AS status, false AS is_synthetic, '{file}' AS landing_sha256, "
            "CAST(NULL AS VARCHAR) AS period"
        )
        for name, frame in tables.items():
            connection.register("f", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
            connection.execute(f"CREATE TABLE publish.{name} AS FROM f")


@pytest.fixture
def published(settings):
    warehouse(
        settings,
        {"pub_copper_price": prices(1, 2), "pub_copper_production": production(("02", "ÁNCASH"), ("11", "ICA"))},
    )
    return release.publish(settings)


def test_the_first_release_is_named_after_the_newest_source_date(published):
    assert (published.version, published.is_new, published.rows) == (
        "v2025.12.1",
        True,
        {"pub_copper_price": 2, "pub_copper_production": 2},
    )
    assert (published.path.parent / "latest").resolve() == published.path


def test_the_same_inputs_give_the_same_bytes(settings, published, tmp_path):
    other = settings.model_copy(update={"home": tmp_path / "other"})
    warehouse(
        other, {"pub_copper_price": prices(2, 1), "pub_copper_production": production(("11", "ICA"), ("02", "ÁNCASH"))}
    )
    again = release.publish(other)
    for path in published.path.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (again.path / path.relative_to(published.path)).read_bytes(), path.name


def test_nothing_changed_means_no_release(settings, published):
    again = release.publish(settings)
    assert (again.version, again.is_new) == (published.version, False) and release.versions(settings.releases) == [
        "v2025.12.1"
    ]


def test_a_release_is_read_only_and_its_checksums_hold(published):
    for line in (published.path / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((published.path / name).read_bytes()).hexdigest() == digest
        assert (published.path / name).stat().st_mode & 0o222 == 0
    listed = {line.split("  ")[1] for line in (published.path / "SHA256SUMS").read_text().splitlines()}
    held = {p.relative_to(published.path).as_posix() for p in published.path.rglob("*") if p.is_file()}
    assert listed == held - {"SHA256SUMS"}


def test_a_tampered_release_is_not_built_upon(settings, published):
    path = published.path / "pub_copper_price.csv"
    os.chmod(path, 0o644)
    path.write_text(path.read_text().replace("9000.5", "9999.5"))
    with pytest.raises(PublishRefused, match=r"pub_copper_price\.csv.*immutable"):
        release.publish(settings)


def test_a_second_release_says_what_changed(settings, published):
    warehouse(
        settings,
        {
            "pub_copper_price": prices(2, 3, usd="9100"),
            "pub_copper_production": production(("02", "ÁNCASH"), ("11", "ICA")),
        },
        file="b",
    )
    second = release.publish(settings)
    assert second.version == "v2025.12.2"
    told = pl.read_csv(second.path / "changes.csv", infer_schema=False)
    assert told.filter(pl.col("product") == "pub_copper_price").select(
        "change", "column", "before", "after"
    ).rows() == [
        ("added", None, None, None),
        ("removed", None, None, None),
        ("revised", "copper_usd_per_t", "9000.500000", "9100.000000"),
    ]
    assert set(told["reason"]) == {f"worldbank_pinksheet {VINTAGE} > {VINTAGE}: 1 revised, 1 withdrawn"}
    log = (second.path / "CHANGELOG.md").read_text()
    assert log.index("v2025.12.2") < log.index("v2025.12.1") and "sin cambios" in log


def test_an_as_of_date_names_the_release_and_may_not_go_back(settings, published):
    warehouse(settings, {"pub_copper_price": prices(1, 2, 3)})
    assert release.publish(settings, dt.date(2026, 1, 5)).version == "v2026.01.1"
    warehouse(settings, {"pub_copper_price": prices(1)})
    with pytest.raises(PublishRefused, match="before the latest release"):
        release.publish(settings, dt.date(2025, 12, 31))


def test_the_data_package_is_valid_for_frictionless(published):
    package = Package(str(published.path / "datapackage.json"))
    report = package.validate()
    assert report.valid, report.flatten(["title", "message"])
    assert {r.name for r in package.resources if r.type == "table"} >= {"pub_copper_price", "pub_copper_production"}


def test_frictionless_would_see_a_wrong_value(published, tmp_path):
    for path in (p for p in published.path.iterdir() if p.is_file()):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    csv = tmp_path / "pub_copper_production.csv"
    csv.write_text(csv.read_text(encoding="utf-8-sig").replace("PPM", "XXX"), encoding="utf-8-sig")
    assert not Package(str(tmp_path / "datapackage.json")).validate().valid


def test_csv_has_a_bom_and_codes_keep_their_zero(published):
    data = (published.path / "pub_copper_production.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf") and b",02," in data and "ÁNCASH".encode() in data


def test_xlsx_has_its_sheets_and_codes_as_text(published):
    book = openpyxl.load_workbook(published.path / "pub_copper_production.xlsx")
    assert book.sheetnames == ["LEEME", "datos", "diccionario", "notas"]
    sheet = book["datos"]
    assert [c.value for c in sheet[1]] == list(PRODUCTION.column_names)
    assert (sheet["B2"].value, sheet["B2"].data_type, sheet["B2"].number_format) == ("02", "s", "@")
    assert sheet["A2"].value == dt.datetime(2024, 1, 1) and sheet["F2"].value == 12.5
    assert book["diccionario"].max_row == len(PRODUCTION.columns) + 1
    with zipfile.ZipFile(published.path / "pub_copper_production.xlsx") as archive:
        assert b"macro" not in b"".join(m.filename.encode() for m in archive.infolist())


def test_every_format_holds_the_same_numbers(published):
    parquet = pl.read_parquet(published.path / "pub_copper_price.parquet")
    csv = pl.read_csv(published.path / "pub_copper_price.csv", schema_overrides={"copper_usd_per_t": pl.Decimal(18, 6)})
    with duckdb.connect(str(published.path / "antawasi_public.duckdb"), read_only=True) as connection:
        table = connection.execute("SELECT copper_usd_per_t FROM pub_copper_price ORDER BY month").fetchall()
    assert parquet["copper_usd_per_t"].to_list() == csv["copper_usd_per_t"].to_list() == [v for (v,) in table]


def test_the_public_database_holds_published_tables_only(published):
    with duckdb.connect(str(published.path / "antawasi_public.duckdb"), read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables ORDER BY 2"
        ).fetchall()
    assert tables == [("main", "pub_copper_price"), ("main", "pub_copper_production")]


def test_simulated_rows_are_marked_on_the_page_and_in_the_workbook(settings):
    warehouse(settings, {"pub_copper_price": prices(1, synthetic=True)})
    done = release.publish(settings)
    assert "DATOS SIMULADOS" in (done.path / "index.html").read_text()
    book = openpyxl.load_workbook(done.path / "pub_copper_price.xlsx")
    assert "SIMULADOS" in book["LEEME"]["A1"].value and "simulado" not in (done.path / "CHANGELOG.md").read_text()


def test_measured_data_carry_no_such_mark(published):
    assert "DATOS SIMULADOS" not in (published.path / "index.html").read_text()


@pytest.mark.parametrize("schema", ["marts", "staging", "raw", "meta"])
def test_the_gate_refuses_every_other_schema(settings, published, schema):
    with pytest.raises(PublishRefused, match="only tables of schema 'publish'"):
        release.read_published(settings.analysts_db, [(schema, "secret")])


def test_the_gate_refuses_a_table_without_a_published_contract(settings):
    warehouse(settings, {"pub_secret": prices(1)})
    with pytest.raises(PublishRefused, match="no contract in data_contracts/published"):
        release.publish(settings)
    assert not settings.releases.exists() or not list(settings.releases.iterdir())


@pytest.mark.parametrize("value", ["RUC 20131312955", "12345678", "a" * 32, "x 12345678-9"])
def test_the_gate_refuses_what_looks_like_an_identity(value):
    with pytest.raises(PublishRefused, match="department_name, row 1"):
        gate.inspect(PRODUCTION, production(("02", value)))


def test_the_gate_refuses_a_column_that_is_not_in_the_contract():
    with pytest.raises(PublishRefused, match="differ from the contract"):
        gate.inspect(PRICE, prices(1).with_columns(pl.lit("x").alias("titular_name")))


def test_publishing_without_a_warehouse_says_what_to_do(settings):
    with pytest.raises(AntawasiError, match="antawasi build"):
        release.publish(settings)


def test_changes_of_equal_frames_are_none():
    assert changes.compare(PRICE, prices(1, 2), prices(2, 1)).height == 0


def test_a_killed_release_leaves_the_previous_one(settings, published, monkeypatch):
    warehouse(settings, {"pub_copper_price": prices(1)})
    monkeypatch.setattr(release.site, "write", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        release.publish(settings)
    assert release.versions(settings.releases) == ["v2025.12.1"]
    assert files.sha256_file(published.path / "index.html")
