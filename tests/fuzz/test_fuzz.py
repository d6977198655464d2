"""A short run of the fuzzer, hypothesis on the same parsers, and what fuzzing found, kept from coming back."""

import json
import signal
import zipfile

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipelines.sources import SLUGS, get_source
from tests.conftest import SAMPLE_DIR
from tests.fuzz import harness
from tests.fuzz.harness import Broken, Case

CASES = 12
SUFFIXES = (".csv", ".txt", ".json", ".xml", ".xlsx", ".zip")
quick = hypothesis_settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def files(house):
    (simulated,) = (house / "simulated").glob("*/files")
    found = harness.corpus(simulated)
    assert set(found) == set(SLUGS)
    return found


@pytest.fixture(autouse=True)
def watchdog():
    old = signal.signal(signal.SIGALRM, harness._hang)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)


@pytest.mark.parametrize("slug", SLUGS)
def test_broken_files_are_refused_or_taken_in_and_nothing_else(files, tmp_path, slug):
    results = set()
    for number in range(CASES):
        one = harness.case(files, slug, number, seed=7)
        results.add(harness.try_case(one, tmp_path / f"{number}-{one.name}"))
    assert results <= {"accepted", "with rejections", "refused"} and "refused" in results


@pytest.mark.parametrize("slug", SLUGS)
def test_the_good_files_themselves_are_taken_in(files, tmp_path, slug):
    for name, data in files[slug][:3]:
        assert harness.try_case(Case(slug, 0, name, data), tmp_path / name) != "refused", name


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(files):
    first = [harness.case(files, "reinfo", n, seed=1) for n in range(20)]
    assert first == [harness.case(files, "reinfo", n, seed=1) for n in range(20)]
    assert first != [harness.case(files, "reinfo", n, seed=2) for n in range(20)]


def test_a_parser_that_loses_a_row_is_found(files, tmp_path, monkeypatch):
    name, data = files["minem_production"][0]
    source = get_source("minem_production")
    plain = source._module().parse

    def losing(path, context):
        for batch in plain(path, context):
            batch.tables = {table: frame.head(frame.height - 1) for table, frame in batch.tables.items()}
            yield batch

    monkeypatch.setattr(source._module(), "parse", losing)
    with pytest.raises(Broken, match="rows came out"):
        harness.try_case(Case("minem_production", 0, name, data), tmp_path / name)


@pytest.mark.parametrize("slug", SLUGS)
@given(
    data=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda t: t.encode("utf-8", "surrogatepass"))),
    suffix=st.sampled_from(SUFFIXES),
)
@quick
def test_any_bytes_under_any_name(tmp_path_factory, slug, data, suffix):
    path = tmp_path_factory.mktemp("any") / f"x{suffix}"
    assert harness.try_case(Case(slug, 0, path.name, data), path) == "refused"


@given(slug=st.sampled_from(SLUGS), number=st.integers(0, 10**9), seed=st.integers(0, 10**9))
@quick
def test_any_mutation_of_any_good_file(files, tmp_path_factory, slug, number, seed):
    one = harness.case(files, slug, number, seed)
    assert harness.try_case(one, tmp_path_factory.mktemp("any") / one.name) in (
        "accepted",
        "with rejections",
        "refused",
    )


# --- found by fuzzing ---------------------------------------------------------------------------------------------------


def refused(slug, path):
    source = get_source(slug)
    source.identify_safely(path)
    return harness.try_case(Case(slug, 0, path.name, path.read_bytes()), path) == "refused"


def test_half_a_letter_in_json_is_no_text(tmp_path):
    path = tmp_path / "a.json"
    series = "TC Sistema bancario SBS (S/ por US$) - Compra"
    for name, value in (("\\ud800", "3.4"), ("15.Jun.26", "\\udfff")):
        answer = {
            "config": {"series": [{"name": series, "dec": "3"}]},
            "periods": [{"name": "NAME", "values": ["VALUE"]}],
        }
        path.write_text(json.dumps(answer).replace("NAME", name).replace("VALUE", value))
        assert refused("bcrp_series", path)
    path.write_text(json.dumps({"departamentos": {"x": "NAME"}}).replace("NAME", "\\ud800"))
    assert refused("ubigeo", path)


def test_a_workbook_without_a_sheet_is_refused(tmp_path):
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as book:
        book.writestr(
            "[Content_Types].xml", "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>"
        )
        book.writestr(
            "xl/workbook.xml",
            "<workbook xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheets/></workbook>",
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'/>",
        )
    assert refused("partner_trainings", path) and refused("worldbank_pinksheet", path)


def test_a_workbook_whose_sheet_is_empty_is_refused(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("Monthly Prices")
    assert refused("worldbank_pinksheet", path) and refused("partner_trainings", path) and refused("reinfo", path)


ROLL = next((SAMPLE_DIR / "sunat_ruc").glob("*.txt"))


def test_a_roll_whose_titles_lost_letters_and_hold_latin1_is_read(tmp_path):
    head, _, rest = ROLL.read_bytes().partition(b"\n")
    path = tmp_path / "roll.txt"
    path.write_bytes(head.replace(b"NOMBRE", b"\xd3\xef\xbf\xbdMBRE") + b"\n" + rest)
    assert not refused("sunat_ruc", path)


def test_a_table_of_control_characters_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\x1c")
    assert refused("partner_contracts", path)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_blank_line_of_the_roll_is_no_taxpayer(tmp_path, context, end):
    lines = ROLL.read_bytes().splitlines()
    path = tmp_path / "roll.txt"
    path.write_bytes(end.join([*lines[:3], b"", *lines[3:], b"", b""]))
    frames = [batch.tables["sunat_ruc__taxpayers"] for batch in get_source("sunat_ruc").parse(path, context)]
    assert sum(f.height for f in frames) == len(lines) - 1
    assert not any(f["_problem"].drop_nulls().len() for f in frames)


def packed(tmp_path, **stamp):
    path = tmp_path / "roll.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("padron_reducido_ruc.txt", **stamp), ROLL.read_bytes())
    return path


@pytest.mark.parametrize("slug", ["sunat_ruc", "sunat_documents", "worldbank_pinksheet", "reinfo", "partner_assays"])
def test_an_archive_of_a_version_to_come_is_refused(tmp_path, slug):
    path = packed(tmp_path, date_time=(2025, 6, 1, 0, 0, 0))
    data = path.read_bytes()
    at = data.index(b"PK\x01\x02") + 6
    path.write_bytes(data[:at] + b"\x54" + data[at + 1 :])
    assert refused(slug, path)


def test_a_roll_packed_in_month_0_is_read_and_has_no_date(tmp_path):
    path = packed(tmp_path, date_time=(1980, 0, 0, 0, 0, 0))
    assert get_source("sunat_ruc").identify(path).source_as_of is None
    assert not refused("sunat_ruc", path)


@pytest.mark.parametrize("kind", [b"\x63\x00", b"\x0c\x00", b"\x0e\x00"])
def test_a_roll_packed_in_a_way_that_cannot_be_read_is_refused(tmp_path, kind):
    path = packed(tmp_path, date_time=(2025, 6, 1, 0, 0, 0))
    data = path.read_bytes()
    for magic, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        where = data.index(magic) + at
        data = data[:where] + kind + data[where + 2 :]
    path.write_bytes(data)
    assert refused("sunat_ruc", path)
