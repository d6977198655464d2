"""Complementary suppression and the attacks: an attacker who shares no code with the house must find nothing."""

import dataclasses
import datetime as dt
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipelines.disclosure import attack
from pipelines.disclosure.cells import COORDINATES, Cells, CellsRefused, Table, aggregate
from pipelines.disclosure.linear import Insiders, Relation, system
from pipelines.disclosure.loss import by_table, plain
from pipelines.disclosure.sensitivity import assess
from pipelines.disclosure.suppress import NoPattern, _Search, suppress
from tests.unit.disclosure_worlds import ALL_TABLES, BARE_TABLES, YEAR_END, exposed, product, rows, sector

SECTORS = {
    "seed": st.integers(0, 10**6),
    "places": st.integers(2, 9),
    "holdings": st.integers(6, 45),
    "tables": st.sampled_from([ALL_TABLES, ALL_TABLES[:2], BARE_TABLES]),
}
THOROUGH = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def assessed(contributions: pl.DataFrame, tables=ALL_TABLES, measures=("usd", "t"), **more) -> Cells:
    return assess(aggregate(product(tables, measures), contributions, YEAR_END, **more))


def statuses(cells: Cells) -> dict[tuple[str, str, str], str]:
    return {row[:3]: row[3] for row in cells.frame.select(*COORDINATES, "status").iter_rows()}


def all_hidden(cells: Cells) -> Cells:
    """Everything hidden that may be."""
    status = pl.when((pl.col("status") == "A") & ~pl.col("is_fixed")).then(pl.lit("D")).otherwise("status")
    return dataclasses.replace(cells, frame=cells.frame.with_columns(status.alias("status")))


# --- the oracle ----------------------------------------------------------------------------------------


def nine_cells() -> pl.DataFrame:
    """Holdings of 10 each; every cell its own holdings and five buyers."""
    table = {"01": (40, 100, 200), "02": (60, 120, 90), "03": (500, 130, 150)}
    return rows(
        *(
            (place, month + 1, f"{place}{month}{n}", f"b{n % 5}", 10, 1)
            for place, values in table.items()
            for month, value in enumerate(values)
            for n in range(value // 10)
        )
    )


def test_three_departments_by_three_months_worked_by_hand():
    """Departments by months of a quarter; the nation's row must stay published.

             Jan   Feb   Mar |   Q1
        01    40*  100   200 |  340
        02    60   120    90 |  270
        03   500   130   150 |  780
            ----------------------
             600   350   440 | 1390

    * four holdings of 10: sensitive, 15 % of 40 = 6 to each side. A world that keeps all sums moves a rectangle, which may use the
    quarter's column but not the nation's row. The rectangle with the least value beside it: 01/Feb, 02/Jan, 02/Feb = 280 (Mar:
    200 + 60 + 90 = 350; with the quarters 340 + 60 + 270). Hidden like that, 01/Jan = 40 + t, 01/Feb = 100 − t, 02/Jan = 60 − t,
    02/Feb = 120 + t: t from −40 to 60, so 01/Jan may be anything from 0 to 100. Alone, it is 600 − 60 − 500 = 40.
    """
    tables = (Table("t", ("NATION", "DEPARTMENT"), ("QUARTER", "MONTH")),)
    cells = assess(aggregate(product(tables, ("usd",)), nine_cells(), dt.date(2025, 3, 1)))
    sensitive = ("01", "2025-01", "")
    assert {cell for cell, status in statuses(cells).items() if status == "C"} == {sensitive}
    assert attack.recovered(cells).rows() == [sensitive]
    hidden = suppress(cells)
    found = statuses(hidden)
    assert {cell for cell, status in found.items() if status == "D"} == {
        ("01", "2025-02", ""), ("02", "2025-01", ""), ("02", "2025-02", ""),
    }  # fmt: skip
    assert found[sensitive] == "C"
    assert attack.audit(hidden) == ()
    known = (hidden.frame["status"] == "A").to_numpy()
    attacker = attack.Attacker(system(hidden), known)
    number = hidden.frame.filter(pl.col("status") == "C")["cell"][0]
    assert attacker.bounds(number) == pytest.approx((0, 100))


@pytest.mark.parametrize("times", [1, 2])
def test_a_solver_that_loses_its_way_is_asked_again_in_another_way(monkeypatch, times):
    """The three departments above; HiGHS calls the first answers infeasible although the true figures are a solution."""
    tables = (Table("t", ("NATION", "DEPARTMENT"), ("QUARTER", "MONTH")),)
    hidden = suppress(assess(aggregate(product(tables, ("usd",)), nine_cells(), dt.date(2025, 3, 1))))
    attacker = attack.Attacker(system(hidden), (hidden.frame["status"] == "A").to_numpy())
    number = hidden.frame.filter(pl.col("status") == "C")["cell"][0]
    answer, lost = attack._Bounds._run, []

    def run(self):
        lost.append(answer(self))
        return "Infeasible" if len(lost) % (times + 1) else lost[-1]

    monkeypatch.setattr(attack._Bounds, "_run", run)
    assert attacker.bounds(number) == pytest.approx((0, 100))
    assert len(lost) == 2 * (times + 1)
    monkeypatch.setattr(attack._Bounds, "_run", lambda _: "Infeasible")
    with pytest.raises(attack.AttackBroken, match="Infeasible"):
        attacker.bounds(number)


# --- nothing is found ----------------------------------------------------------------------------------


@THOROUGH
@given(**SECTORS, insider=st.integers(0, 44))
def test_an_independent_attacker_finds_no_sensitive_cell(seed, places, holdings, tables, insider):
    contributions = sector(seed, places, holdings)
    cells = assessed(contributions, tables)
    insiders = [None, f"h{insider % holdings}"]
    try:
        hidden = suppress(cells)
    except NoPattern as refusal:
        # Then hiding all that may be hidden does not protect them either.
        everything = all_hidden(cells)
        parties = (None, *sorted(set(contributions["holding_key"])))
        assert any(
            {c[:3] for c in exposed(everything, contributions, holding=who)} & set(refusal.cells) for who in parties
        )
        return
    for who in insiders:
        assert exposed(hidden, contributions, holding=who) == []
    assert attack.audit(hidden) == ()


@THOROUGH
@given(**SECTORS)
def test_what_is_shown_is_exact_and_zeros_and_the_nation_are_never_hidden(seed, places, holdings, tables):
    cells = assessed(sector(seed, places, holdings), tables)
    try:
        hidden = suppress(cells)
    except NoPattern:
        return
    assert_frame_equal(hidden.frame.drop("status"), cells.frame.drop("status"))
    before, after = statuses(cells), statuses(hidden)
    assert all(after[cell] == "C" for cell, status in before.items() if status == "C")
    nation = hidden.frame.filter(pl.col("geo_code") == "", pl.col("sex_code") == "", pl.col("is_published"))
    assert all(before[cell] == after[cell] for cell in nation.select(COORDINATES).iter_rows())
    assert hidden.frame.filter(pl.col("status") != "A", (pl.col("usd") == 0) & (pl.col("t") == 0)).is_empty()


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6))
def test_order_of_contributions_and_repetition_change_nothing(seed):
    contributions = sector(seed, 7, 40)
    try:
        first = suppress(assessed(contributions)).frame
    except NoPattern as refusal:
        with pytest.raises(NoPattern, match="cannot be hidden") as again:
            suppress(assessed(contributions.sample(fraction=1, shuffle=True, seed=seed)))
        assert str(again.value) == str(refusal)
        return
    again = suppress(assessed(contributions.sample(fraction=1, shuffle=True, seed=seed))).frame
    assert_frame_equal(first, again)


def row_of_two(sensitive: int = 2, beside: int = 8, third: int = 9) -> pl.DataFrame:
    """Districts of one province: a sensitive one and larger ones, all holdings of 10 with their own buyer each."""
    counts = {"010101": sensitive, "010102": beside, "010103": third}
    return rows(
        *((place, 1, f"{place}{n}", f"b{place}{n}", 10, 10) for place, count in counts.items() for n in range(count))
    )


DISTRICTS = (Table("districts", ("NATION", "DISTRICT"), ("YEAR",)),)


def test_where_everything_around_is_fixed_the_error_names_the_cells_and_the_remedy():
    """Two districts and the nation, of which the larger district is out already."""
    cells = assessed(row_of_two(third=0), DISTRICTS)
    is_fixed = pl.col("is_fixed") | (pl.col("geo_code") == "010102")
    with pytest.raises(
        NoPattern, match=r"1 sensitive cells cannot be hidden.*010101/2025/all.*publish coarser"
    ) as told:
        suppress(dataclasses.replace(cells, frame=cells.frame.with_columns(is_fixed.alias("is_fixed"))))
    assert told.value.cells == (("010101", "2025", ""),)


def test_what_is_hidden_anyway_shelters_before_anything_else_is_hidden():
    """Two sensitive 40 (4 holdings of 10) and a free 30 (5 of 6): the sensitive ones shelter one another, though 30 is less."""
    third = rows(*(("010103", 1, f"c{n}", f"bc{n}", 6, 6) for n in range(5)))
    cells = assessed(pl.concat([row_of_two(sensitive=4, beside=4, third=0), third]), DISTRICTS)
    assert statuses(suppress(cells)) == statuses(cells)
    assert {cell[0] for cell, status in statuses(cells).items() if status == "C"} == {"010101", "010102"}


def test_complements_are_taken_until_every_measure_is_protected():
    """The tonnes of 010102 are few: enough beside the dollars of 010101, not beside its tonnes, so 010103 is hidden too."""
    contributions = row_of_two().with_columns(
        pl.when(pl.col("ubigeo_code") == "010102").then(pl.lit(0)).when(pl.col("ubigeo_code") == "010101").then(pl.lit(40))
        .otherwise("t").alias("t")
    )  # fmt: skip
    dollars = suppress(assessed(contributions, DISTRICTS, ("usd",)))
    assert statuses(dollars)["010102", "2025", ""] == "D"
    assert statuses(dollars)["010103", "2025", ""] == "A"
    both = suppress(assessed(contributions, DISTRICTS))
    assert statuses(both)["010103", "2025", ""] == "D"
    assert exposed(both, contributions) == []


def of_hundreds(place: str, count: int) -> pl.DataFrame:
    return rows(*((place, 1, f"{place}{n}", f"b{place}{n}", 100, 100) for n in range(count)))


def test_a_world_turned_round_must_not_go_below_zero():
    """400 (4 holdings) may lose 60 to 50, but 50 cannot give 60 back: the third is needed as well."""
    contributions = pl.concat(
        [of_hundreds("010101", 4), row_of_two(sensitive=0, beside=5, third=0), of_hundreds("010103", 9)]
    )
    hidden = suppress(assessed(contributions, DISTRICTS))
    assert statuses(hidden)["010103", "2025", ""] == "D"
    assert exposed(hidden, contributions) == []


# --- insiders ------------------------------------------------------------------------------------------


def test_a_sole_holding_cannot_work_out_another_one():
    """Two districts with one holding each shelter one another from strangers, not from themselves: a third must be hidden."""
    contributions = row_of_two(sensitive=1).vstack(rows(("010104", 1, "lone", "b", 30, 30)))
    cells = assessed(contributions, DISTRICTS)
    pair_only = cells
    assert {c for c, s in statuses(pair_only).items() if s == "C"} == {("010101", "2025", ""), ("010104", "2025", "")}
    assert exposed(pair_only, contributions) == []
    assert exposed(pair_only, contributions, holding="lone")
    findings = attack.audit(pair_only)
    assert {(f.geo_code, f.attack) for f in findings} == {("010101", "INSIDER"), ("010104", "INSIDER")}
    hidden = suppress(cells)
    for holding in ("lone", "0101010"):
        assert exposed(hidden, contributions, holding=holding) == []
    assert attack.audit(hidden) == ()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(st.integers(0, 10**6), st.integers(3, 5))
def test_the_attacks_find_what_any_holding_could_work_out(seed, places):
    """On patterns that hold against strangers only."""
    contributions = sector(seed, places, 14)
    cells = assessed(contributions, ALL_TABLES[:1])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_Search, "_against_insiders", lambda self, pair, sign: None)
        try:
            weak = suppress(cells)
        except NoPattern:
            weak = cells
    parties = (None, *sorted(set(contributions["holding_key"])))
    expected = {cell for who in parties for cell in exposed(weak, contributions, holding=who)}
    assert {(f.geo_code, f.time_code, f.sex_code, f.measure) for f in attack.audit(weak)} == expected


def test_a_world_is_impossible_for_who_knows_better():
    """010101 is one holding's alone; 010102 has 10 of each of its eight holdings, 50 more of the first."""
    more = rows(("010102", 1, "0101020", "b", 50, 0))
    cells = assessed(pl.concat([row_of_two(sensitive=1), more]), DISTRICTS, ("usd",))
    knows = Insiders(cells, system(cells))
    numbers = {row[0]: row[1] for row in cells.frame.select("geo_code", "cell").iter_rows()}
    names = {
        row[1]: row[0] for row in cells.shares.select("cell", "holding").iter_rows() if row[0] == numbers["010101"]
    }

    def against(place: str, usd: float) -> set[int]:
        return knows.contradicted(np.array([numbers[place]]), np.array([float(usd)]))

    assert against("010101", 11) == against("010101", 9) == set(names)
    assert against("010102", 200) == against("010102", 60) == set()
    assert len(against("010102", 59)) == 1
    assert len(against("010102", 9)) == 8


# --- the attacks work ----------------------------------------------------------------------------------


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([ALL_TABLES, BARE_TABLES]))
def test_the_attacks_find_what_the_independent_attacker_finds(seed, tables):
    """On patterns that do not hold: primary only, and the plain rule."""
    contributions = sector(seed, 7, 40)
    cells = assessed(contributions, tables)
    for weak in (cells, plain(cells)):
        found = {
            (f.geo_code, f.time_code, f.sex_code, f.measure)
            for f in attack.audit(weak)
            if f.attack in ("ELIMINATION", "BOUNDS")
        }
        published = set(weak.frame.filter("is_published").select(COORDINATES).iter_rows())
        assert {f for f in found if f[:3] in published} == {
            f for f in exposed(weak, contributions) if f[:3] in published
        }


def test_primary_only_suppression_is_broken_by_the_canary():
    cells = assessed(row_of_two(), DISTRICTS)
    assert attack.canary(cells) == 1
    findings = attack.audit(cells)
    assert {(f.geo_code, f.measure, f.attack) for f in findings} == {
        ("010101", "usd", "ELIMINATION"), ("010101", "t", "ELIMINATION"),
    }  # fmt: skip
    assert {(f.low, f.high, f.needed_low, f.needed_high) for f in findings} == {
        (Decimal(20), Decimal(20), Decimal(17), Decimal(23)),
    }  # fmt: skip


def test_where_the_data_offer_nothing_to_recover_the_canary_uses_its_own_table(monkeypatch):
    cells = assessed(row_of_two(sensitive=8), DISTRICTS)
    assert attack.canary(cells) == 1
    monkeypatch.setattr(attack.Attacker, "recover", lambda self: {})
    with pytest.raises(attack.AttackBroken, match="do not recover a cell"):
        attack.audit(cells)


def test_elimination_combines_equations_of_several_unknowns():
    """a + b = 5, b + c = 7, a + c = 6: no equation has one unknown, all are determined; d + e = 9 stays open."""
    one = {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
    told = attack._determined(
        {0: {one["a"]: 1, one["b"]: 1}, 1: {one["b"]: 1, one["c"]: 1}, 2: {one["a"]: 1, one["c"]: 1}, 3: {4: 1, 5: 1}},
        {0: 5, 1: 7, 2: 6, 3: 9},
    )
    assert told == {one["a"]: 2, one["b"]: 3, one["c"]: 4}


# --- identities ----------------------------------------------------------------------------------------

WHOLE = ("fob_usd", "mine_usd", "plant_usd")


def fob() -> pl.DataFrame:
    """FOB = mine + plant; every place has the same mix but for 010102, whose FOB is all of the mine."""
    contributions = row_of_two().rename({"usd": "fob_usd", "t": "mine_usd"})
    at_mine = pl.col("ubigeo_code") == "010102"
    return contributions.with_columns(pl.when(at_mine).then(10).otherwise(4).alias("mine_usd")).with_columns(
        (pl.col("fob_usd") - pl.col("mine_usd")).alias("plant_usd")
    )


def identities(cells: Cells) -> list[Relation]:
    return [
        Relation(((cell, "fob_usd", 1), (cell, "mine_usd", -1), (cell, "plant_usd", -1)))
        for cell in cells.frame.select(COORDINATES).iter_rows()
    ]


def test_identities_over_measures_are_attacked_and_protected():
    contributions = fob()
    cells = assessed(contributions, DISTRICTS, WHOLE)
    hidden = suppress(cells, identities(cells))
    assert attack.audit(hidden, identities(cells)) == ()
    assert statuses(hidden)["010102", "2025", ""] == statuses(hidden)["010103", "2025", ""] == "D"


def test_an_identity_across_cells_that_tells_a_hidden_cell_is_found():
    """Somebody knows that 010101 had as much as 010103 less 70: the second is hidden too, or tells the first."""
    contributions = row_of_two()
    cells = assessed(contributions, DISTRICTS)
    told = [Relation(((("010101", "2025", ""), "usd", 1), (("010103", "2025", ""), "usd", -1)), low=-70, high=-70)]
    hidden = suppress(cells)
    assert statuses(hidden)["010103", "2025", ""] == "A"
    findings = attack.audit(hidden, told)
    assert ("010101", "usd", "ELIMINATION") in {(f.geo_code, f.measure, f.attack) for f in findings}
    again = suppress(cells, told)
    assert statuses(again)["010103", "2025", ""] == "D"
    assert attack.audit(again, told) == ()


def test_an_identity_that_the_data_break_or_that_names_no_cell_is_refused():
    cells = assessed(row_of_two(), DISTRICTS)
    cell = ("010101", "2025", "")
    with pytest.raises(CellsRefused, match=r"does not hold in the data: 20. Expected: 21 to 21"):
        suppress(cells, [Relation(((cell, "usd", 1),), low=21, high=21)])
    with pytest.raises(CellsRefused, match="which the product does not have"):
        suppress(cells, [Relation(((("010101", "2025-01", ""), "usd", 1),))])
    with pytest.raises(CellsRefused, match="names kg of"):
        suppress(cells, [Relation(((cell, "kg", 1),))])


def ratio_relations(ratios: pl.DataFrame, numerator: str, denominator: str, half_step: Decimal | int) -> list[Relation]:
    """What published ratios (coordinates and `ratio`) tell of their parts: numerator = ratio · denominator, to the rounding.

    Args:
        half_step: half of the last digit to which the ratios are rounded; 0 if they are exact.
    """
    found = []
    for *coordinates, ratio in ratios.select(*COORDINATES, "ratio").iter_rows():
        cell = tuple(coordinates)
        if half_step == 0:
            found.append(Relation(((cell, numerator, 1), (cell, denominator, -ratio))))
            continue
        found.append(Relation(((cell, numerator, 1), (cell, denominator, -(ratio + half_step))), low=None, high=0))
        found.append(Relation(((cell, numerator, 1), (cell, denominator, -(ratio - half_step))), low=0, high=None))
    return found


@pytest.mark.parametrize("half_step", [Decimal(0), Decimal("0.005")])
def test_a_price_beside_a_published_part_tells_the_other_part(half_step):
    """The price of 010101 is out and, by the tonnes' own table, its tonnes: dollars = price · tonnes, to the rounding."""
    contributions = row_of_two().with_columns((pl.col("usd") * 150).alias("usd"))
    cells = assessed(contributions, DISTRICTS)
    hidden = suppress(cells)
    assert attack.audit(hidden) == ()
    ratios = pl.DataFrame([("010101", "2025", "", Decimal("150.00"))], schema=[*COORDINATES, "ratio"], orient="row")
    tonnes = Relation(((("010101", "2025", ""), "t", 1),), low=20, high=20)
    findings = attack.audit(hidden, [tonnes, *ratio_relations(ratios, "usd", "t", half_step)])
    found = {f.measure: (f.attack, f.low, f.high) for f in findings if f.geo_code == "010101"}
    expected = ("ELIMINATION", 3000, 3000) if half_step == 0 else ("BOUNDS", 3000, 3000)
    assert found["usd"][0] == expected[0]
    assert abs(found["usd"][1] - 3000) <= 20 * half_step
    assert abs(found["usd"][2] - 3000) <= 20 * half_step


@pytest.mark.parametrize("seed", [20, 21])
def test_where_the_prices_of_hidden_cells_are_out_their_parts_are_protected_all_the_same(seed):
    contributions = sector(seed, 8, 60).with_columns(((pl.col("usd") + 2) // 3 + pl.col("usd") % 3).alias("t"))
    cells = assessed(contributions, ALL_TABLES[:2])
    sensitive = cells.frame.filter(pl.col("status") == "C").select(*COORDINATES, pl.col("usd") / pl.col("t"))
    prices = sensitive.with_columns(pl.col("usd").round(2).cast(pl.Decimal(18, 2)).alias("ratio"))
    told = ratio_relations(prices, "usd", "t", Decimal("0.005"))
    assert attack.audit(suppress(cells, told), told) == ()


# --- what it costs -------------------------------------------------------------------------------------


def test_loss_beside_the_plain_rule_by_hand():
    """010101 (20) and 010102 (80) of 190 are hidden by both rules; nothing is recoverable."""
    told = by_table(suppress(assessed(row_of_two(), DISTRICTS)))
    for row in told.iter_rows(named=True):
        assert (row["table"], row["cell_count"], row["hidden_cells_frac"], row["recoverable_count"]) == (
            "districts",
            4,
            0.5,
            0,
        )
        assert row["hidden_value_frac"] == pytest.approx(100 / 380)
    assert told["rule"].to_list() == ["LINEAR_PROGRAM", "PLAIN"]


def test_the_plain_rule_leaves_cells_recoverable():
    cells = assess(
        aggregate(
            product((Table("t", ("NATION", "DEPARTMENT"), ("QUARTER", "MONTH")),), ("usd",)),
            nine_cells(),
            dt.date(2025, 3, 1),
        )
    )
    assert by_table(suppress(cells))["recoverable_count"].to_list() == [0, 1]


def test_waived_figures_are_no_shelter():
    """010103 is public already: hiding it protects nothing, so 010102 is taken although it is larger."""
    contributions = row_of_two(beside=20, third=8)
    waived = {f"010103{n}" for n in range(8)}
    free, bound = (suppress(assessed(contributions, DISTRICTS, waived=w)) for w in ((), waived))
    assert statuses(free)["010103", "2025", ""] == "D"
    assert statuses(bound)["010103", "2025", ""] == "A"
    assert statuses(bound)["010102", "2025", ""] == "D"
    assert exposed(bound, contributions) == []


def test_only_what_is_not_public_of_a_cell_can_shelter_another():
    """As above with 1,000 more in 010102 that are public already: it still cannot give 60."""
    public = rows(("010102", 1, "public", "b", 1000, 1000))
    parts = [of_hundreds("010101", 4), row_of_two(sensitive=0, beside=5, third=0), of_hundreds("010103", 20), public]
    cells = assessed(pl.concat(parts), DISTRICTS, waived={"public"})
    hidden = suppress(cells)
    assert {c[0] for c, s in statuses(hidden).items() if s != "A" and len(c[0]) == 6} == {"010101", "010102", "010103"}
    assert attack.audit(hidden) == ()
