"""Cells, hierarchies and sensitivity: sums, equations, linked tables, rules by hand, hostile input."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.disclosure import parameters as rules
from pipelines.disclosure.cells import (
    COORDINATES,
    Cells,
    CellsRefused,
    Table,
    aggregate,
    at_levels,
    last_publishable_month,
    to_units,
)  # fmt: skip
from pipelines.disclosure.sensitivity import assess
from pipelines.settings import PROJECT_ROOT
from tests.unit.disclosure_worlds import ALL_TABLES, BARE_TABLES, YEAR_END, product, rows, sector


def cell(cells: Cells, geo: str, time: str = "2025", sex: str = "") -> dict:
    found = cells.frame.filter(pl.col("geo_code") == geo, pl.col("time_code") == time, pl.col("sex_code") == sex)
    assert found.height == 1
    return found.row(0, named=True)


# --- cells ---------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([ALL_TABLES, BARE_TABLES]))
def test_every_cell_is_the_sum_of_its_contributions_and_every_equation_holds(seed, tables):
    contributions = sector(seed)
    cells = aggregate(product(tables), contributions, YEAR_END)
    for row in cells.frame.sample(10, seed=seed, with_replacement=True).iter_rows(named=True):
        month = pl.col("month")
        inside = contributions.filter(
            pl.col("ubigeo_code").str.starts_with(row["geo_code"]),
            pl.any_horizontal(
                month.dt.year().cast(pl.String) == row["time_code"],
                month.dt.year().cast(pl.String) + "Q" + month.dt.quarter().cast(pl.String) == row["time_code"],
                month.dt.strftime("%Y-%m") == row["time_code"],
            ),
            pl.lit(row["sex_code"] == "") | (pl.col("sex_code") == row["sex_code"]),
            (pl.col("usd") > 0) | (pl.col("t") > 0),
        )
        by_holding = inside.group_by("holding_key").agg(pl.col("usd").sum())["usd"].sort(descending=True).to_list()
        assert (row["usd"], row["t"]) == (inside["usd"].sum(), inside["t"].sum())
        assert row["holding_count"] == len(by_holding)
        assert [row["usd_largest"], row["usd_second"]] == [*by_holding, 0][:2]
    sums = cells.equations.join(cells.frame.select("cell", "usd", "t"), on="cell").group_by("equation").agg(
        (pl.col("coefficient") * pl.col("usd")).sum(), (pl.col("coefficient") * pl.col("t")).sum().alias("t")
    )  # fmt: skip
    assert sums.height
    assert set(sums["coefficient"]) == set(sums["t"]) == {0}


def test_equal_coordinates_in_two_tables_are_one_cell_and_equations_run_along_one_axis():
    cells = aggregate(product(), rows(("010101", 1, "a", "x", 7, 1), ("010102", 2, "b", "x", 5, 1)), YEAR_END)
    assert cells.frame.select(COORDINATES).is_unique().all()
    names = {row["cell"]: "/".join(row[n] for n in COORDINATES) for row in cells.frame.iter_rows(named=True)}
    told = {
        frozenset((names[c], f) for c, f in zip(part["cell"], part["coefficient"], strict=True))
        for part in cells.equations.partition_by("equation")
    }
    assert frozenset({("0101/2025Q1/", 1), ("010101/2025Q1/", -1), ("010102/2025Q1/", -1)}) in told
    assert frozenset({("0101/2025Q1/", 1), ("0101/2025-01/", -1), ("0101/2025-02/", -1)}) in told
    assert frozenset({("01/2025Q1/", 1), ("01/2025Q1/M", -1)}) in told
    assert not any("010101/2025-01/" in name for name in names.values())


def test_sums_that_no_table_shows_but_all_can_form_are_linking_cells():
    cells = aggregate(product(BARE_TABLES), rows(("010101", 1, "a", "x", 7, 1)), YEAR_END)
    assert not cell(cells, "01", "2025Q1")["is_published"]
    assert cell(cells, "010101", "2025Q1")["is_published"]
    assert not cell(cells, "", "2025")["is_published"]


def test_periods_that_are_not_over_have_no_cell():
    contributions = rows(("010101", 1, "a", "x", 7, 1), ("010101", 4, "a", "x", 5, 1), ("010101", 6, "a", "x", 3, 1))
    times = set(aggregate(product(), contributions, dt.date(2025, 5, 1)).frame["time_code"])
    assert times == {"2025-01", "2025-04", "2025Q1"}
    assert set(aggregate(product(), contributions, dt.date(2025, 6, 1)).frame["time_code"]) >= {"2025Q2", "2025-06"}


def test_trade_at_the_pit_is_published_three_months_late():
    assert last_publishable_month(product(is_pit_level=True), dt.date(2026, 1, 15)) == dt.date(2025, 9, 1)
    assert last_publishable_month(product(), dt.date(2026, 1, 15)) == dt.date(2025, 12, 1)


def test_decimals_come_back_as_they_went_in():
    contributions = rows(("010101", 1, "a", "x", 7, 1)).with_columns(
        pl.Series("t", [Decimal("12.345")], dtype=pl.Decimal(18, 3))
    )
    cells = aggregate(product(), contributions, YEAR_END)
    assert cell(cells, "")["t"] == 12345
    assert to_units(cells.frame, ("t",), cells.scales)["t"].to_list() == [Decimal("12.345")] * cells.frame.height


def test_at_levels_tells_quarters_from_months():
    cells = aggregate(product(), rows(("010101", 1, "a", "x", 7, 1)), YEAR_END)
    assert at_levels(cells.frame, {(0, 1, 0)})["time_code"].to_list() == ["2025Q1"]
    assert at_levels(cells.frame, {(1, 2, 1)})["sex_code"].to_list() == ["M"]


# --- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "levels",
    [("DISTRICT", "MONTH", "ALL"), ("PROVINCE", "MONTH", "SEX"), ("DISTRICT", "QUARTER", "SEX")],
)
def test_tables_with_two_fine_axes_are_refused(levels):
    geo, time, sex = levels
    with pytest.raises(CellsRefused, match=f"table fine: {geo} × {time} × {sex} is too fine.*What to do"):
        product((Table("fine", (geo,), (time,), (sex,)),))


def test_an_unknown_level_is_refused():
    with pytest.raises(CellsRefused, match=r"on axis geo.*Expected: some of"):
        product((Table("t", ("VILLAGE",), ("YEAR",)),))


@pytest.mark.parametrize(
    "column, value, message",
    [
        ("usd", -1, "usd is null or negative in 1 contributions, the first in row 2"),
        ("usd", None, "usd is null or negative"),
        ("holding_key", None, "holding_key is null"),
        ("month", None, "month is null or not a month's first day"),
        ("month", dt.date(2025, 1, 2), "month is null or not a month's first day"),
        ("ubigeo_code", None, "ubigeo_code is no place"),
        ("ubigeo_code", "01O1", "ubigeo_code is no place"),
        ("ubigeo_code", "0101", "ubigeo_code has no district"),
        ("sex_code", None, "sex_code is none of F, M, X, --"),
    ],
)
def test_malformed_contributions_are_refused_with_place_and_remedy(column, value, message):
    good = rows(("010101", 1, "a", "x", 7, 1))
    bad = good.with_columns(pl.lit(value, good.schema[column]).alias(column))
    with pytest.raises(CellsRefused, match=message) as told:
        aggregate(product(), pl.concat([good, bad]), YEAR_END)
    assert "What to do" in str(told.value)


def test_a_missing_column_a_floating_measure_and_too_large_sums_are_refused():
    good = rows(("010101", 1, "a", "x", 7, 1))
    with pytest.raises(CellsRefused, match="lack buyer_key"):
        aggregate(product(), good.drop("buyer_key"), YEAR_END)
    with pytest.raises(CellsRefused, match=r"column month is String. Expected: Date"):
        aggregate(product(), good.cast({"month": pl.String}), YEAR_END)
    with pytest.raises(CellsRefused, match=r"measure t is Float64. Expected: DECIMAL"):
        aggregate(product(), good.cast({"t": pl.Float64}), YEAR_END)
    with pytest.raises(CellsRefused, match="2\\^53 smallest units"):
        aggregate(product(), good.with_columns(pl.lit(2**53).alias("usd")), YEAR_END)


def test_the_parameters_are_explained_in_both_languages_and_checked():
    told = rules.parameters()
    assert (told.least_holdings.value, told.p_pct.value, told.price_least_holdings.value) == (5, 15, 10)
    assert (told.price_largest_buyer_pct.value, told.pit_delay_months.value) == (70, 3)
    for explained in (getattr(told, name) for name in type(told).model_fields):
        assert explained.name.en != explained.name.es
        assert explained.reason.en != explained.reason.es
    with pytest.raises(ValidationError):
        rules.Parameters.model_validate(told.model_dump() | {"least_holdings": told.p_pct.model_dump() | {"value": 2}})


@pytest.mark.parametrize("language, page", [("en", "en/method.md"), ("es", "es/metodo.md")])
def test_the_method_page_shows_the_parameters_as_they_are(language, page):
    assert rules.markdown(language) in (PROJECT_ROOT / "docs" / page).read_text(encoding="utf-8")


# --- which cells are sensitive -------------------------------------------------------------------------

ONE_TABLE = (Table("t", ("NATION", "DEPARTMENT"), ("YEAR",)),)


def judged(*parts, is_price=False, waived=()) -> dict:
    """The department's cell: parts are (holding, buyer, usd)."""
    contributions = rows(*(("01", 1, holding, buyer, usd, 1) for holding, buyer, usd in parts))
    return cell(
        assess(aggregate(product(ONE_TABLE, ("usd",), is_price=is_price), contributions, YEAR_END, waived)), "01"
    )


def even(count: int, usd: int = 100, buyers: int = 5) -> list[tuple]:
    return [(f"h{n}", f"b{n % buyers}", usd) for n in range(count)]


def test_five_equal_holdings_are_free_and_four_are_not():
    assert judged(*even(5))["status"] == "A"
    four = judged(*even(4))
    assert (four["status"], four["reasons"]) == ("C", ["FEW_HOLDINGS"])
    # 15 % of 400 to each side
    assert (four["usd_need_low"], four["usd_need_up"]) == (60, 60)


def test_the_p_rule_by_hand():
    """x1 = 1000, x2 = 100, the others 3 × 40 = 120 < 150: U = 15 % · 1000 − 120 = 30; with 3 × 50 = 150 it is free."""
    buyers = [f"b{n}" for n in range(5)]
    spread = [("h0", b, 200) for b in buyers]
    close = [*spread, ("h1", "b1", 100), *((f"h{n}", f"b{n}", 40) for n in (2, 3, 4))]
    found = judged(*close)
    assert (found["status"], found["reasons"]) == ("C", ["SUPPLIER_P"])
    assert (found["usd_need_low"], found["usd_need_up"]) == (30, 30)
    wide = [*spread, ("h1", "b1", 100), *((f"h{n}", f"b{n}", 50) for n in (2, 3, 4))]
    assert judged(*wide)["status"] == "A"


def test_the_p_rule_holds_for_buyers_and_rows_without_a_buyer_do_not_shelter_them():
    """b0 buys 900, b1 100, nobody else: U = 15 % · 900 − 0 = 135; 5,000 without a buyer change nothing."""
    parts = [(f"h{n}", "b0", 100) for n in range(9)] + [("h9", "b1", 100)]
    for more in ([], [(f"x{n}", None, 500) for n in range(10)]):
        found = judged(*parts, *more)
        assert (found["status"], found["reasons"], found["usd_need_up"]) == ("C", ["BUYER_P"], 135)
    assert judged(*((f"h{n}", None, 100) for n in range(5)))["status"] == "A"


def test_price_cells_need_ten_holdings_and_no_buyer_above_seventy_percent():
    assert judged(*even(10), is_price=True)["status"] == "A"
    assert judged(*even(9), is_price=True)["reasons"] == ["FEW_HOLDINGS"]
    at_70 = [(f"h{n}", "b0", 70) for n in range(10)] + [(f"h{n}", f"b{1 + n % 3}", 30) for n in range(10)]
    assert judged(*at_70, is_price=True)["status"] == "A"
    above = [*at_70, ("h0", "b0", 1)]
    found = judged(*above, is_price=True)
    assert (found["reasons"], found["usd_need_up"]) == (["BUYER_SHARE"], 151)
    assert judged(*above)["status"] == "A"


def test_where_sellers_and_producers_differ_both_are_protected():
    """Ten sellers of ore of ten producers are free; of nine, or with one who mined nearly all, they are not."""

    def of(*producers: str) -> dict:
        contributions = rows(*(("01", 1, f"h{n}", f"b{n % 5}", 100, 1) for n in range(len(producers)))).with_columns(
            pl.Series("producer_key", producers)
        )
        of_prices = product(ONE_TABLE, ("usd",), is_price=True, has_producers=True)
        return cell(assess(aggregate(of_prices, contributions, YEAR_END)), "01")

    ten = [f"p{n}" for n in range(10)]
    assert of(*ten)["status"] == "A"
    assert of(*ten[:9], "p0")["reasons"] == ["FEW_HOLDINGS"]
    assert of(*ten[:9])["reasons"] == ["FEW_HOLDINGS"]
    # x1 = 9,100, x2 = 100, the others 8 × 100: U = 15 % · 9,100 − 800
    found = of(*["p0"] * 90, *ten)
    assert (found["reasons"], found["usd_need_up"], found["holding_count"]) == (["SUPPLIER_P"], 565, 100)


def test_a_class_above_zero_of_few_holdings_hides_its_cell():
    """Six holdings, of whom three are of the other class, or none."""

    def of(others: int) -> dict:
        contributions = rows(
            *(("01", 1, f"h{n}", f"b{n % 5}", 100, 0) for n in range(6)),
            *(("01", 1, f"o{n}", f"b{n % 5}", 0, 100) for n in range(others)),
        )
        return cell(assess(aggregate(product(ONE_TABLE, has_classes=True), contributions, YEAR_END)), "01")

    assert [of(n)["status"] for n in (0, 4, 5)] == ["A", "C", "A"]
    found = of(4)
    # 15 % of 400 of the class; of the other a whole unit, as for any hidden figure
    assert (found["reasons"], found["t_need_up"], found["usd_need_up"]) == (["FEW_HOLDINGS"], 60, 1)


def test_the_protection_is_at_least_one_whole_unit_and_never_below_zero():
    found = judged(("a", "x", 3))
    assert (found["usd_need_low"], found["usd_need_up"]) == (1, 1)
    contributions = rows(("01", 1, "a", "x", 5, 0)).with_columns(
        pl.lit(Decimal("0.40")).cast(pl.Decimal(18, 2)).alias("t")
    )
    found = cell(assess(aggregate(product(ONE_TABLE), contributions, YEAR_END)), "01")
    assert (found["t_need_low"], found["t_need_up"]) == (40, 100)


def test_waived_holdings_are_taken_off_before_the_rules_look():
    public = ("big", "b9", 100_000)
    assert judged(*even(5), public)["reasons"] == ["SUPPLIER_P", "BUYER_P"]
    assert judged(*even(5), public, waived={"big"})["status"] == "A"
    found = judged(*even(4), public, waived={"big"})
    assert (found["reasons"], found["usd_need_up"], found["usd_public"]) == (["FEW_HOLDINGS"], 60, 100_000)
    assert judged(public, waived={"big"})["status"] == "A"
