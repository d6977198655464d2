"""Hostile files, through landing and ingest as a run takes them: refused by name with a remedy, nothing half-taken."""

import io
import zipfile

import pytest

from pipelines import lake
from pipelines.sources import get_source
from tests.conftest import SAMPLE_DIR

BOOK = sorted((SAMPLE_DIR / "worldbank_pinksheet").glob("*.xlsx"))[0]
LINE_SOURCES = ("minem_production", "bcrp_series", "sunat_ruc", "reinfo", "ubigeo")
ALL_SOURCES = (*LINE_SOURCES, "worldbank_pinksheet", "sunat_documents")
SUFFIX = {"minem_production": ".csv", "bcrp_series": ".json", "sunat_ruc": ".txt", "reinfo": ".csv", "ubigeo": ".csv",
          "worldbank_pinksheet": ".xlsx", "sunat_documents": ".xml"}  # fmt: skip


def refused(take, zones, slug, path):
    receipt = take(slug, path, as_of="2024-01-31")
    assert receipt.status == "refused", receipt
    assert path.name in receipt.message and "Expected:" in receipt.message and "What to do:" in receipt.message
    for table in get_source(slug).tables:
        assert not lake.raw_path(zones.lake, table, receipt.sha256).exists()
        assert not lake.rejected_path(zones.lake, table, receipt.sha256).exists()
    assert not list(zones.lake.rglob(".tmp-*")), "half-written files were left behind"
    return receipt.message


@pytest.mark.parametrize("slug", ALL_SOURCES)
def test_an_empty_file(take, zones, tmp_path, slug):
    path = tmp_path / f"vacio{SUFFIX[slug]}"
    path.touch()
    assert "empty" in refused(take, zones, slug, path)


@pytest.mark.parametrize("slug", ALL_SOURCES)
def test_a_web_page_in_place_of_data(take, zones, tmp_path, slug):
    path = tmp_path / f"pagina{SUFFIX[slug]}"
    path.write_text("<!DOCTYPE html>\n<html><head><title>Request Rejected</title></head><body>blocked</body></html>\n")
    refused(take, zones, slug, path)


@pytest.mark.parametrize("slug", ALL_SOURCES)
def test_random_bytes(take, zones, tmp_path, slug):
    path = tmp_path / f"ruido{SUFFIX[slug]}"
    path.write_bytes(bytes((i * 197 + i // 251) % 256 for i in range(20_000)))
    refused(take, zones, slug, path)


@pytest.mark.parametrize("slug", LINE_SOURCES)
def test_one_line_of_200_megabytes(take, zones, tmp_path, slug):
    path = tmp_path / f"linea{SUFFIX[slug]}"
    with open(path, "wb") as handle:
        for _ in range(200):
            handle.write(b"x" * (1 << 20))
    refused(take, zones, slug, path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_workbook(take, zones, tmp_path, share):
    data = BOOK.read_bytes()
    path = tmp_path / "cortado.xlsx"
    path.write_bytes(data[: int(len(data) * share)])
    assert "cannot be opened" in refused(take, zones, "worldbank_pinksheet", path)


def test_a_workbook_whose_sheet_is_damaged(take, zones, tmp_path):
    path = tmp_path / "roto.xlsx"
    with zipfile.ZipFile(BOOK) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            data = old.read(member)
            new.writestr(member, data[: len(data) // 2] if "worksheets/sheet" in member.filename else data)
    refused(take, zones, "worldbank_pinksheet", path)


def bomb(member: str) -> bytes:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open(member, "w") as out,
    ):
        for _ in range(300):
            out.write(b"\0" * (1 << 20))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("slug", "name", "member"),
    [
        ("worldbank_pinksheet", "bomba.xlsx", "xl/worksheets/sheet1.xml"),
        ("sunat_documents", "bomba.zip", "20131312955-01-F001-1.xml"),
        ("sunat_ruc", "bomba.zip", "padron_reducido_ruc.txt"),
    ],
)
def test_a_zip_bomb(take, zones, tmp_path, slug, name, member):
    path = tmp_path / name
    path.write_bytes(bomb(member))
    assert "unpacks to" in refused(take, zones, slug, path)


@pytest.mark.parametrize(
    "member", ["../fuera.xml", "a/../../fuera.xml", "/etc/fuera.xml", "..\\fuera.xml", "C:\\fuera.xml"]
)
@pytest.mark.parametrize("slug", ["sunat_documents", "worldbank_pinksheet"])
def test_a_member_that_climbs_out(take, zones, tmp_path, slug, member):
    path = tmp_path / f"escala{'.zip' if slug == 'sunat_documents' else '.xlsx'}"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "<a/>")
    assert "climbs out" in refused(take, zones, slug, path)
    assert not list(tmp_path.rglob("fuera*"))


def test_a_truncated_zip(take, zones, tmp_path):
    path = tmp_path / "cortado.zip"
    data = (SAMPLE_DIR / "sunat_documents" / "cdrGRE.zip").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    refused(take, zones, "sunat_documents", path)


def test_a_full_disk_stops_the_run_and_leaves_nothing_half_written(take, zones, tmp_path, monkeypatch):
    import errno

    import pyarrow.parquet as pq

    from pipelines.errors import AntawasiError

    path = sorted((SAMPLE_DIR / "minem_production").glob("*.csv"))[0]
    write_table = pq.ParquetWriter.write_table

    def full(*arguments, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(AntawasiError, match="No space left"):
        take("minem_production", path)
    assert lake.receipts(zones.lake) == [] and not list((zones.lake / "raw").rglob("*.parquet"))
    monkeypatch.setattr(pq.ParquetWriter, "write_table", write_table)
    assert take("minem_production", path).status == "accepted"
