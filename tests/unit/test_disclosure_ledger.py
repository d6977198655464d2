"""Releases that follow one another: what is hidden stays hidden, and two of them together tell no more than each."""

import dataclasses
import datetime as dt
import stat

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipelines.disclosure import attack, control, ledger
from pipelines.disclosure.cells import COORDINATES, Cells, Table, aggregate
from pipelines.disclosure.control import protect
from pipelines.disclosure.sensitivity import assess
from pipelines.disclosure.suppress import NoPattern, suppress
from pipelines.errors import AntawasiError, PublishRefused
from tests.unit.disclosure_worlds import ALL_TABLES, YEAR_END, Atoms, extreme, product, rows, sector

EMPTY = pl.DataFrame(schema=ledger.SCHEMA)
MONTHS = (Table("t", ("NATION", "DEPARTMENT"), ("QUARTER", "MONTH")),)
MARCH = dt.date(2025, 3, 1)


def holdings(table: dict[str, tuple[int, ...]], mark: str = "") -> pl.DataFrame:
    """Departments × months in holdings of 10 US$, all different, five buyers."""
    return rows(
        *(
            (place, month + 1, f"{place}{month}{n}{mark}", f"b{n % 5}", 10, 1)
            for place, values in table.items()
            for month, value in enumerate(values)
            for n in range(value // 10)
        )
    )


#: The hand-worked table of test_disclosure_suppress: 01/Jan is sensitive, 01/Feb, 02/Jan, 02/Feb are hidden for it.
FIRST = holdings({"01": (40, 100, 200), "02": (60, 120, 90), "03": (500, 130, 150)})
#: Afterwards 300 come in late in 02/Feb; alone, 01/Mar, 02/Jan, 02/Mar would now be cheaper to hide.
LATE = pl.concat([FIRST, holdings({"02": (0, 300, 0)}, mark="late")])


def assessed(contributions: pl.DataFrame, last_month=MARCH, tables=MONTHS, **more) -> Cells:
    return assess(aggregate(product(tables, ("usd",)), contributions, last_month, **more))


def hidden_in(cells: Cells) -> set[tuple[str, ...]]:
    frame = cells.frame.filter(pl.col("status") != "A", pl.col("is_published"), pl.col("release").is_null())
    return set(frame.select("geo_code", "time_code").iter_rows())


def first_release() -> tuple[Cells, pl.DataFrame]:
    hidden = suppress(assessed(FIRST))
    return hidden, ledger.append(EMPTY, hidden, "v1")


# --- two releases --------------------------------------------------------------------------------------


def test_what_was_hidden_stays_hidden_and_what_was_published_stays_published():
    before, past = first_release()
    alone = suppress(assessed(LATE))
    assert hidden_in(alone) == {("01", "2025-01"), ("01", "2025-03"), ("02", "2025-01"), ("02", "2025-03")}
    carried = ledger.carry(assessed(LATE), past)
    assert hidden_in(carried) == hidden_in(before)
    bound = suppress(carried)
    assert hidden_in(bound) == hidden_in(before)
    assert attack.audit(bound) == ()


def test_two_patterns_that_hold_alone_are_broken_by_subtraction_together():
    """v2 alone shows 01/Feb = 100, which no late row touched; v1 showed 01/Mar = 200 and 01/Q1 = 340: 01/Jan = 40."""
    _, past = first_release()
    alone = suppress(assessed(LATE))
    assert attack.audit(alone) == ()
    carried = ledger.carry(assessed(LATE), past)
    pattern = alone.frame.select(*COORDINATES, pl.col("status").alias("alone"))
    frame = carried.frame.join(pattern, on=COORDINATES, how="left", maintain_order="left")
    is_now = pl.col("release").is_null()
    frame = frame.with_columns(pl.when(is_now).then("alone").otherwise("status").alias("status")).drop("alone")
    findings = attack.audit(dataclasses.replace(carried, frame=frame))
    assert ("01", "2025-01", "DIFFERENCING", 40) in {(f.geo_code, f.time_code, f.attack, int(f.low)) for f in findings}


def test_a_cell_that_appears_between_hidden_ones_is_the_difference_of_two_totals():
    """01 and 02 shelter one another in both releases and would shelter 04 too; but the nation had 70 less before 04 came in."""
    tables = (Table("t", ("NATION", "DEPARTMENT"), ("QUARTER",)),)
    base = holdings({"01": (40,), "02": (60,), "03": (500,)})
    first = suppress(assessed(base, tables=tables))
    assert hidden_in(first) == {("01", "2025Q1"), ("02", "2025Q1")}
    late = assessed(pl.concat([base, rows(("04", 1, "lone", "b", 70, 1))]), tables=tables)
    assert hidden_in(suppress(late)) == {("01", "2025Q1"), ("02", "2025Q1"), ("04", "2025Q1")}
    with pytest.raises(NoPattern, match="04/2025Q1/all"):
        suppress(ledger.carry(late, ledger.append(EMPTY, first, "v1")))


def together(now: Cells, was: Cells, new: pl.DataFrame, old: pl.DataFrame) -> list:
    """An attacker with both releases who knows which cells no late row touched; sensitive cells of either that it comes near to."""
    atoms, before = Atoms(new), Atoms(old)
    before.atoms, count, found = atoms.atoms, len(atoms.atoms), []
    for measure in now.product.measures:
        parts, right = [], []
        for side, (cells, space) in enumerate(((was, before), (now, atoms))):
            matrix, told = space.shown(cells, measure)
            padding = np.zeros_like(matrix)
            parts.append(np.hstack([padding, matrix] if side else [matrix, padding]))
            right.append(told)
        same = now.frame.filter(pl.col("release").is_null()).join(
            was.frame.filter(pl.col("release").is_null()), on=[*COORDINATES, *now.product.measures], how="semi"
        )
        for cell in same.select(COORDINATES).iter_rows():
            parts.append(np.hstack([atoms.inside(cell), -atoms.inside(cell)])[None, :])
            right.append(np.zeros(1))
        matrix, told = np.vstack(parts), np.concatenate(right)
        for side, cells in enumerate((was, now)):
            sensitive = cells.frame.filter(pl.col("status") == "C", pl.col("release").is_null())
            columns = (*COORDINATES, measure, f"{measure}_need_low", f"{measure}_need_up")
            for *cell, value, low_need, up_need in sensitive.select(columns).iter_rows():
                inside = atoms.inside(tuple(cell))
                target = np.hstack([0 * inside, inside] if side else [inside, 0 * inside])
                for sign, need in ((-1, low_need), (1, up_need)):
                    x = extreme(sign * target, matrix, told, np.zeros(2 * count)) if need else None
                    if x is not None and sign * (target @ x - value) < need * (1 - 1e-6):
                        found.append((side, *cell, measure))
    return found


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    derandomize=True,
)
@given(st.integers(0, 10**6), st.integers(4, 9), st.sampled_from([0.03, 0.1]))
def test_no_late_rows_make_two_releases_tell_more(seed, places, share):
    everything = sector(seed, places, 60)
    dice = np.random.default_rng(seed)
    early = everything.filter(pl.Series(dice.random(everything.height) > share))
    try:
        first = protect(product(ALL_TABLES[:2]), early, YEAR_END, "v1", EMPTY)
    except NoPattern:
        assume(False)
    second = protect(product(ALL_TABLES[:2]), everything, YEAR_END, "v2", first.ledger, first.contributions)
    assert hidden_in(first.cells) <= hidden_in(second.cells)
    assert together(second.cells, first.cells, second.contributions, first.contributions) == []


def test_late_rows_that_would_tell_a_cell_by_subtraction_are_held_back():
    """03 had nothing in a province that is out; one late holding there would be the difference of two totals."""
    tables = (Table("t", ("NATION", "DEPARTMENT", "PROVINCE"), ("QUARTER",)),)
    base = holdings({"0101": (100,), "0102": (200,), "0201": (300,)})
    lone = rows(("0202", 1, "lone", "b", 70, 1))
    others = rows(*(("0201", 2, f"late{n}", f"b{n}", 10, 1) for n in range(5)))
    first = protect(product(tables, ("usd",)), base, MARCH, "v1", EMPTY)
    assert hidden_in(first.cells) == set()
    with pytest.raises(NoPattern, match="0202/2025Q1/all"):
        suppress(ledger.carry(assessed(pl.concat([base, lone]), tables=tables), first.ledger))
    second = protect(
        product(tables, ("usd",)), pl.concat([base, lone, others]), MARCH, "v2", first.ledger, first.contributions
    )
    assert second.held_back == (("0202", "2025Q1", ""),)
    assert second.contributions.sort(pl.all()).equals(pl.concat([base, others]).sort(pl.all()))
    nation = second.published.filter(pl.col("geo_code") == "")["usd"].to_list()
    assert [int(value) for value in nation] == [650]
    later = pl.concat([base, others, lone, *(rows(("0202", 1, f"x{n}", f"b{n}", 70, 1)) for n in range(4))])
    third = protect(product(tables, ("usd",)), later, MARCH, "v3", second.ledger, second.contributions)
    assert third.held_back == ()
    assert hidden_in(third.cells) == set()


# --- what the ledger binds to --------------------------------------------------------------------------


def test_a_sensitive_cell_that_fills_up_stays_hidden_and_protected():
    before, past = first_release()
    filled = pl.concat([FIRST, holdings({"01": (30, 0, 0), "02": (40, 0, 0)}, mark="late")])
    frame = ledger.carry(assessed(filled), past).frame
    row = frame.filter(pl.col("geo_code") == "01", pl.col("time_code") == "2025-01", pl.col("release").is_null())
    assert row.select("status", "reasons", "usd_need_up").row(0) == ("C", ["HELD"], 6)
    assert hidden_in(suppress(ledger.carry(assessed(filled), past))) == hidden_in(before)


def test_hidden_cells_of_which_nothing_is_left_are_not_shown_as_zeros():
    _, past = first_release()
    emptied = FIRST.filter((pl.col("ubigeo_code") != "02") | (pl.col("month") != dt.date(2025, 2, 1)))
    carried = ledger.carry(assessed(emptied), past)
    row = carried.frame.filter(
        pl.col("geo_code") == "02", pl.col("time_code") == "2025-02", pl.col("release").is_null()
    )
    assert row.select("status", "usd").row(0) == ("D", 0)
    sums = carried.equations.join(carried.frame.select("cell", "usd"), on="cell").group_by("equation").agg(
        (pl.col("coefficient") * pl.col("usd")).sum()
    )  # fmt: skip
    assert set(sums["coefficient"]) == {0}
    shares = carried.shares.group_by("cell").agg(pl.col("usd").sum().alias("of_all")).join(carried.frame, on="cell")
    assert shares.filter(pl.col("of_all") != pl.col("usd")).is_empty()
    assert ("02", "2025-02") in hidden_in(carried)


def test_a_figure_that_is_out_already_stays_out_even_if_it_is_sensitive_now():
    past = ledger.append(EMPTY, suppress(assessed(holdings({"01": (50,), "02": (90,)}))), "v1")
    merged = holdings({"01": (50,), "02": (90,)}).with_columns(pl.col("holding_key").replace("0100", "0101"))
    row = ledger.carry(assessed(merged), past).frame.filter(pl.col("geo_code") == "01").row(0, named=True)
    assert (row["status"], row["reasons"], row["is_fixed"]) == ("A", ["FEW_HOLDINGS", "TOLD_BEFORE"], True)


def test_new_periods_join_and_old_ones_keep_their_pattern():
    second_quarter = LATE.with_columns(pl.col("month").dt.offset_by("3mo"), pl.col("holding_key") + "q2")
    before, past = first_release()
    both = suppress(ledger.carry(assessed(pl.concat([FIRST, second_quarter]), dt.date(2025, 6, 1)), past))
    assert {cell for cell in hidden_in(both) if cell[1] < "2025-04"} == hidden_in(before)
    assert {cell for cell in hidden_in(both) if cell[1] >= "2025-04"}
    assert attack.audit(both) == ()


# --- the ledger itself ---------------------------------------------------------------------------------


def test_rows_are_written_when_a_cell_is_new_or_changed():
    hidden, past = first_release()
    assert past.height == hidden.frame.height
    again = ledger.append(past, suppress(ledger.carry(assessed(FIRST), past)), "v2")
    assert again.equals(past)
    revised = ledger.append(past, suppress(ledger.carry(assessed(LATE), past)), "v2")
    new = revised.filter(pl.col("release") == "v2")
    assert set(new.select("geo_code", "time_code", "value", "status").cast({"value": pl.Int64}).iter_rows()) == {
        ("", "2025-02", 650, "A"), ("", "2025Q1", 1690, "A"), ("02", "2025-02", 420, "D"), ("02", "2025Q1", 570, "A"),
    }  # fmt: skip
    assert past.equals(revised.head(past.height))


def test_a_published_cell_of_which_nothing_is_left_is_told_as_zero():
    _, past = first_release()
    gone = FIRST.filter((pl.col("ubigeo_code") != "03") | (pl.col("month") != MARCH))
    new = ledger.append(past, suppress(ledger.carry(assessed(gone), past)), "v2").filter(
        pl.col("release") == "v2", pl.col("geo_code") == "03", pl.col("time_code") == "2025-03"
    )
    assert [(row["status"], int(row["value"])) for row in new.iter_rows(named=True)] == [("A", 0)]


def test_the_same_release_twice_another_file_and_too_many_decimals_are_refused(tmp_path):
    hidden, past = first_release()
    with pytest.raises(AntawasiError, match="release v1 is in the ledger already"):
        ledger.append(past, hidden, "v1")
    path = tmp_path / "ledger.parquet"
    assert ledger.read(path).equals(EMPTY)
    ledger.write(past, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ledger.read(path).equals(past)
    past.drop("status").write_parquet(path)
    with pytest.raises(AntawasiError, match="no ledger of released cells"):
        ledger.read(path)
    with pytest.raises(AntawasiError, match="more than 6 decimals"):
        ledger.append(EMPTY, dataclasses.replace(hidden, scales={"usd": 7}), "v1")


def test_a_product_keeps_its_measures():
    _, past = first_release()
    with pytest.raises(AntawasiError, match=r"measures \['t', 'usd'\]; the ledger has \['usd'\].*What to do"):
        ledger.carry(assess(aggregate(product(MONTHS), FIRST, MARCH)), past)


# --- control -------------------------------------------------------------------------------------------


def test_what_is_published_has_nulls_where_hidden_and_nothing_of_why():
    told = protect(product(MONTHS, ("usd",)), FIRST, MARCH, "v1", EMPTY)
    assert told.published.columns == ["table", *COORDINATES, "is_hidden", "usd"]
    assert told.published["is_hidden"].to_list() == told.published["usd"].is_null().to_list()
    assert told.published["is_hidden"].sum() == 4
    shown = told.published.filter(~pl.col("is_hidden"))
    assert shown.filter(pl.col("geo_code") == "03", pl.col("time_code") == "2025-01")["usd"].to_list() == [500]
    assert set(told.ledger["release"]) == {"v1"}


def test_a_pattern_that_attacks_break_does_not_leave_the_house(monkeypatch):
    monkeypatch.setattr(control.suppress, "suppress", lambda cells, relations: cells)
    with pytest.raises(
        PublishRefused, match=r"1 figures can be worked out.*01/2025-01/all usd ELIMINATION.*publish coarser"
    ):
        protect(product(MONTHS, ("usd",)), FIRST, MARCH, "v1", EMPTY)


def test_totals_of_the_nation_are_hidden_where_nothing_else_protects_a_sector_of_few():
    """Five holdings of 10, of which one is alone in 02: it would take its own off the nation and know what 01 has."""
    tables = (Table("t", ("NATION", "DEPARTMENT"), ("QUARTER",)),)
    few = holdings({"01": (40,), "02": (10,)})
    cells = assessed(few, tables=tables)
    assert hidden_in(cells) == {("01", "2025Q1"), ("02", "2025Q1")}
    with pytest.raises(NoPattern, match="from another holding"):
        suppress(cells)
    told = protect(product(tables, ("usd",)), few, MARCH, "v1", EMPTY)
    assert hidden_in(told.cells) == {("", "2025Q1"), ("01", "2025Q1"), ("02", "2025Q1")}
