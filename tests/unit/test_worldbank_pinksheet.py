import polars as pl
import pytest
import xlsxwriter

from pipelines.errors import FileRefused
from pipelines.sources import worldbank_pinksheet as source
from tests.conftest import SAMPLE_DIR

VINTAGES = sorted((SAMPLE_DIR / "worldbank_pinksheet").glob("*.xlsx"))


def parsed(path, context):
    (batch,) = source.parse(path, context)
    return batch.tables[source.TABLE]


def copper(path, context, month):
    frame = parsed(path, context).filter((pl.col("commodity_name") == "Copper") & (pl.col("month") == month))
    return frame["price"][0]


def book(path, rows, sheet="Monthly Prices"):
    workbook = xlsxwriter.Workbook(path)
    page = workbook.add_worksheet(sheet)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            if value is not None:
                page.write(i, j, value)
    workbook.close()
    return path


NAMES = [None, "Coal, Australian", "Copper", "Lead", "Tin **", "Nickel", "Zinc"]
UNITS = [None, "($/mt)", "($/mt)", "($/mt)", "($/mt)", "($/mt)", "($/mt)"]
JAN = ["2024M01", 1, 8344.9, "..", "...", "\u2026", 6]


@pytest.mark.parametrize(("path", "as_of"), zip(VINTAGES, ["2022-04-04", "2025-12-02"], strict=True))
def test_the_vintage_is_read_from_the_sheet(path, as_of):
    assert source.identify(path).source_as_of == as_of


def test_published_copper_prices(context):
    # Pink Sheet, monthly averages: January 1960 and March 2022 in the older vintage.
    assert float(copper(VINTAGES[0], context, "1960-01-01")) == pytest.approx(715.40, abs=0.05)
    assert float(copper(VINTAGES[0], context, "2022-03-01")) == pytest.approx(10230.9, abs=0.1)


def test_both_missing_marks_become_null_and_no_row_is_lost(context):
    for path in VINTAGES:
        frame = parsed(path, context)
        assert frame.group_by("month").len()["len"].n_unique() == 1
        assert frame["price"].null_count() > 0
        assert not frame["price"].drop_nulls().str.contains("\\.\\.|\u2026").any()


@pytest.mark.parametrize("above", [0, 3, 9])
@pytest.mark.parametrize("with_codes", [True, False])
@pytest.mark.parametrize("shift", [0, 2])
def test_the_layout_may_drift(tmp_path, context, above, with_codes, shift):
    pad = [None] * 0
    names = [*NAMES[:1], *[f"Filler {i}" for i in range(shift)], *NAMES[1:]]
    units = [*UNITS[:1], *["($/kg)"] * shift, *UNITS[1:]]
    data = [JAN[0], *[1] * shift, *JAN[1:]]
    codes = [[None, *[n.upper().split(",")[0] for n in names[1:]]]] if with_codes else []
    rows = [["Updated on January 03, 2024"], *[pad] * above, names, units, *codes, data, [], ["Note: provisional"]]
    frame = parsed(book(tmp_path / "x.xlsx", rows), context)
    assert frame.height == 6 + shift
    row = frame.filter(pl.col("commodity_name") == "Copper").row(0, named=True)
    assert (row["price"], row["unit_of_measure"], row["month"]) == ("8344.9", "$/mt", "2024-01-01")
    assert row["_row_number"] == 1 + above + 2 + with_codes + 1
    assert "Tin" in frame["commodity_name"].to_list() and row["commodity_code"] == ("COPPER" if with_codes else None)


def test_a_row_with_prices_but_no_month_is_shown(tmp_path, context):
    rows = [NAMES, UNITS, JAN, ["enero 2024", 1, 2, 3, 4, 5, 6]]
    frame = parsed(book(tmp_path / "x.xlsx", rows), context)
    assert frame["_problem"].drop_nulls().len() == 6


@pytest.mark.parametrize(
    ("rows", "sheet", "told"),
    [
        ([NAMES, UNITS, JAN], "Annual Prices", "no sheet 'Monthly Prices'"),
        ([["a", "b"]], "Monthly Prices", "no row begins with a month"),
        ([NAMES, [None, *["$/mt"] * 6], JAN], "Monthly Prices", "no row of units"),
        ([[n if n != "Copper" else "Cobre" for n in NAMES], UNITS, JAN], "Monthly Prices", "no column 'Copper'"),
    ],
)
def test_what_cannot_be_the_sheet_is_refused(tmp_path, context, rows, sheet, told):
    with pytest.raises(FileRefused, match=told):
        parsed(book(tmp_path / "x.xlsx", rows, sheet), context)
