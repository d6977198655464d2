"""The settlement macros against worked oracles to the precision in which they are printed, and their invariants."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.identity import ruc_check_digit
from tests.conftest import FIXTURES

#: Worked by hand and with other tools; decimals tell how precisely each number is printed.
ORACLES = json.loads((FIXTURES / "oracles.json").read_text(encoding="utf-8"), parse_float=Decimal)
#: Macros of one row, with the names of their columns as arguments.
SCALARS = {
    "dry_dmt": ("wmt", "moisture_pct"),
    "after_loss_dmt": ("dmt", "handling_loss_pct"),
    "contained": ("dmt", "grade_pct"),
    "pounds": ("t",),
    "payable_cu_pct": ("cu_pct", "payable_pct", "deduction_pct", "rule_code"),
    "protected_usd_per_t": ("copper_usd_per_t", "price_protection_usd_per_lb"),
    "copper_usd_per_dmt": ("payable_cu_pct", "usd_per_t"),
    "refining_usd_per_dmt": ("payable_cu_pct", "refining_usd_per_lb"),
    "price_participation_usd": ("payable_lb", "usd_cents_per_lb", "base_usd_cents_per_lb", "rate_frac"),
    "penalty_usd_per_dmt": ("grade_pct", "free_pct", "step_pct", "usd_per_dmt_step"),
    "silver_payable_g_per_dmt": ("ag_g_per_dmt", "payable_pct", "deduction_g_per_dmt"),
    "gold_payable_g_per_dmt": ("au_g_per_dmt", "payable_pct", "minimum_g_per_dmt"),
    "precious_credit_usd": ("payable_g", "usd_per_oz", "refining_usd_per_oz"),
    "rounded_price": ("usd_per_t", "rounding_code"),
    "rounded_line": ("usd_per_dmt", "rounding_code"),
    "rounded_unit_value": ("usd_per_dmt", "rounding_code"),
    "provisional_usd": ("value_usd", "provisional_pct"),
    "invoiced_usd": ("stage_code", "value_usd", "provisional_pct", "paid_before_usd"),
    "exchanged_grade": ("buyer", "seller", "umpire", "splitting_limit", "umpire_rule_code"),
    "igv_usd": ("invoiced_usd", "igv_rate_pct"),
    "spot_base_usd": ("base_code", "invoiced_usd", "igv_usd", "advance_usd"),
    "spot_deposit": ("base", "rate_pct"),
    "tariff_usd_per_dmt": ("cu_pct", "base_cu_pct", "base_price_usd_per_dmt", "scale_usd_per_dmt_pct"),
    "mass_pull_frac": ("ore_cu_pct", "recovery_frac", "concentrate_cu_pct"),
    "ore_netback_usd_per_dmt": (
        "mass_pull_frac",
        "concentrate_usd_per_dmt",
        "freight_usd_per_dmt",
        "milling_usd_per_dmt",
    ),
    "recovered_cu": ("ore_dmt", "cu_pct", "recovery_frac"),
    "fund_closing_usd": ("opening_usd", "interest_usd", "fees_usd", "support_usd"),
    "capacity_t": ("t_per_day", "first_day", "last_day"),
}
#: Aggregates, over rows of columns of these names.
AGGREGATES = {
    "gini": "gini('x', 'rank_ascending')",
    "theil_t": "theil_t('sum(x * ln(x))', 'sum(x)', 'count(x)')",
    "theil_within": "theil_within('total', 'theil')",
    "theil_between": "theil_between('total', 'n')",
    "hhi": "hhi('x')",
    "cr2": "concentration_ratio('x', 'rank_descending', 2)",
    "kitagawa_mix": "kitagawa_mix('share_a', 'value_a', 'share_b', 'value_b')",
    "kitagawa_value": "kitagawa_value('share_a', 'value_a', 'share_b', 'value_b')",
}
LME = Decimal("9500")


@pytest.fixture(scope="module")
def sql(rendered) -> dict[str, str]:
    scalars = {name: f"{name}({', '.join(map(repr, columns))})" for name, columns in SCALARS.items()}
    return rendered(scalars | AGGREGATES)


@pytest.fixture(scope="module")
def solve(sql) -> Callable[..., Any]:
    """A macro's value for given arguments, in the order of its own."""
    connection = duckdb.connect(":memory:")

    def ask(macro: str, *values: Any) -> Any:
        given = ", ".join(f"{_literal(v)} AS {name}" for name, v in zip(SCALARS[macro], values, strict=True))
        return _one(connection, f"SELECT {sql[macro]} FROM (SELECT {given})")

    return ask


@pytest.fixture(scope="module")
def aggregate(sql) -> Callable[..., float]:
    """An aggregate's value over rows of its columns."""
    connection = duckdb.connect(":memory:")

    def ask(macro: str, **columns: list[Any]) -> float:
        rows = ", ".join(f"({', '.join(map(_literal, row))})" for row in zip(*columns.values(), strict=True))
        return _one(connection, f"SELECT {sql[macro]} FROM (VALUES {rows}) AS t ({', '.join(columns)})")

    return ask


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return f"'{value}'"
    if isinstance(value, dt.date):
        return f"DATE '{value}'"
    # As wide as the widest columns of sheets: a literal would be as narrow as it is written.
    return f"CAST({value} AS DOUBLE)" if isinstance(value, float) else f"CAST({value} AS DECIMAL(18, 8))"


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    (row,) = connection.execute(query).fetchall()
    return row[0]


@dataclasses.dataclass(frozen=True)
class Printed:
    """A worked number, equal to whatever lies within half of its last printed digit (of the cent, where it has fewer)."""

    number: Decimal

    def __eq__(self, other: object) -> bool:
        digits = max(-int(self.number.as_tuple().exponent), 2)
        half = Decimal(5).scaleb(-digits - 1) * (1 + Decimal("1e-6"))
        return abs(Decimal(str(other)) - self.number) <= half


def printed(oracle: Any) -> Printed:
    return Printed(Decimal(oracle))


# --- O1 to O16 ------------------------------------------------------------------------------------------


def test_o1_dry_mass_and_handling_loss(solve):
    o = ORACLES["O1_dry"]
    dry = solve("dry_dmt", o["wmt"], o["moisture_pct"])
    assert dry == printed(o["dmt"])
    assert solve("after_loss_dmt", dry, o["merma_pct"]) == printed(o["tmns"])


def concentrate_usd(solve, treatment: Decimal, refining_cents: Decimal) -> dict[str, Decimal]:
    """The lot of O2 at a treatment and refining charge, in US$."""
    dry = solve("dry_dmt", 100, Decimal("8.5"))
    payable = solve("payable_cu_pct", 24, Decimal("96.5"), 1, "ESTANDAR")
    silver = solve("silver_payable_g_per_dmt", 120, 90, 30)
    gold = solve("gold_payable_g_per_dmt", Decimal("1.5"), 90, 1)
    return {
        "dmt": dry,
        "payable_pct": payable,
        "copper": dry * solve("copper_usd_per_dmt", payable, LME),
        "tc": dry * treatment,
        "rc": dry * solve("refining_usd_per_dmt", payable, refining_cents / 100),
        "silver": dry * solve("precious_credit_usd", silver, 32, Decimal("0.5")),
        "silver_gross": dry * solve("precious_credit_usd", silver, 32, 0),
        "gold": dry * solve("precious_credit_usd", gold, 3300, 5),
        "gold_gross": dry * solve("precious_credit_usd", gold, 3300, 0),
        "arsenic": dry
        * solve("penalty_usd_per_dmt", Decimal("0.35"), Decimal("0.20"), Decimal("0.10"), Decimal("2.50")),
    }


def invoice(parts: dict[str, Decimal]) -> Decimal:
    return parts["copper"] + parts["silver"] + parts["gold"] - parts["tc"] - parts["rc"] - parts["arsenic"]


def test_o2_concentrate(solve):
    o = ORACLES["O2_concentrate"]
    parts = concentrate_usd(solve, Decimal("21.25"), Decimal("2.125"))
    payable_t = solve("contained", parts["dmt"], parts["payable_pct"])
    contained_t = solve("contained", parts["dmt"], 24)
    assert parts["dmt"] == printed(o["dmt"])
    assert parts["payable_pct"] == printed(o["payable_pct"])
    assert solve("payable_cu_pct", 24, Decimal("96.5"), 0, "ESTANDAR") == printed(o["payable_pct_by_percentage"])
    assert contained_t == printed(o["contained_cu_t"])
    assert payable_t == printed(o["payable_cu_t"])
    assert solve("pounds", payable_t) == printed(o["payable_cu_lb"])
    assert parts["copper"] == printed(o["cu_value_usd"])
    assert parts["tc"] == printed(o["tc_usd"])
    assert parts["rc"] == printed(o["rc_usd"])
    assert parts["silver_gross"] == printed(o["ag_credit_usd"])
    assert parts["silver_gross"] - parts["silver"] == printed(o["ag_rc_usd"])
    assert parts["gold_gross"] == printed(o["au_credit_usd"])
    assert parts["gold_gross"] - parts["gold"] == printed(o["au_rc_usd"])
    assert parts["arsenic"] == printed(o["as_penalty_usd"])
    assert invoice(parts) == printed(o["invoice_usd"])
    assert invoice(parts) / parts["dmt"] == printed(o["invoice_usd_per_dmt"])
    assert invoice(parts) / (contained_t * LME) == printed(o["invoice_over_lme_contained_cu"])


@pytest.mark.parametrize("case", ORACLES["O2b_tcrc_sensitivity"])
def test_o2b_treatment_may_be_zero_or_below(solve, case):
    treatment, refining = (Decimal(part[2:]) for part in case.split("_"))
    parts = concentrate_usd(solve, treatment, refining)
    expected = ORACLES["O2b_tcrc_sensitivity"][case]
    assert invoice(parts) == printed(expected["invoice_usd"])
    assert invoice(parts) / parts["dmt"] == printed(expected["usd_per_dmt"])


def test_o2c_price_participation(solve):
    o, pounds = ORACLES["O2c_price_participation"], ORACLES["O2_concentrate"]["payable_cu_lb"]
    assert solve("price_participation_usd", pounds, o["lme_c_per_lb"], o["base_c_per_lb"], o["rate"]) == printed(
        o["pp_usd"]
    )
    assert solve("price_participation_usd", pounds, 349, o["base_c_per_lb"], o["rate"]) == 0


def test_o3_a_peruvian_plants_sheet_line_by_line(solve):
    o, per_lb = ORACLES["O3_plant_sheet"], Decimal("2204.62")
    dry = round(solve("dry_dmt", o["tmh"], o["humedad_pct"]), 3)
    paid = round(solve("after_loss_dmt", dry, o["merma_pct"]), 3)
    assert (dry, paid) == (printed(o["tms"]), printed(o["tmns"]))
    quoted = Decimal("4.30") * per_lb
    exact = solve("protected_usd_per_t", quoted, Decimal("0.10"))
    price = solve("rounded_price", exact, "TRUNCADO")
    assert price == printed(o["precio_cu_usd_t"])
    grade = solve("payable_cu_pct", Decimal("22.50"), Decimal("96.5"), 1, "SECUENCIAL")
    assert grade == printed(o["formula_cu_pct"])
    line = {
        "val_cu_usd_t": solve("copper_usd_per_dmt", grade, price),
        "refinacion_cu_usd_t": solve("refining_usd_per_dmt", grade, Decimal("0.08")),
        "maquila": Decimal(80),
        "analisis": Decimal(60) / paid,
        "estibadores": 8 * o["tmh"] / Decimal("3.75") / paid,
        "transporte": Decimal(4500) / Decimal("3.75") / paid,
        "pen_as": solve("penalty_usd_per_dmt", Decimal("0.25"), Decimal("0.10"), Decimal("0.10"), 5),
        "pen_bi": solve("penalty_usd_per_dmt", Decimal("0.062"), Decimal("0.05"), Decimal("0.01"), 5),
    }
    shown = {name: solve("rounded_line", value, "POR_LINEA") for name, value in line.items()}
    assert shown == {name: printed(o[name]) for name in line}
    deductions = [shown[n] for n in ("refinacion_cu_usd_t", "maquila", "analisis", "estibadores", "transporte")]
    penalties = shown["pen_as"] + shown["pen_bi"]
    assert sum(deductions) == printed(o["total_deducciones"])
    assert penalties == printed(o["total_penalidades"])
    # By the line or only at its ends, the same value per tonne.
    by_line = shown["val_cu_usd_t"] - sum(deductions) - penalties
    exact_unit = (
        line["val_cu_usd_t"] - sum(v for k, v in line.items() if k not in ("val_cu_usd_t", "pen_as", "pen_bi")) - penalties
    )  # fmt: skip
    for unit, code in ((by_line, "POR_LINEA"), (exact_unit, "TRUNCADO")):
        assert solve("rounded_unit_value", unit, code) == printed(o["total_usd_t"])
    value = round(printed_usd(o["total_usd_t"]) * paid, 2)
    assert value == printed(o["valor_lote_usd"])
    standard = solve("payable_cu_pct", Decimal("22.50"), Decimal("96.5"), 1, "ESTANDAR")
    assert standard == printed(o["min_convention_payable_pct"])
    assert solve("copper_usd_per_dmt", standard, price) == printed(o["min_convention_val_usd_t"])
    assert solve("copper_usd_per_dmt", standard - grade, price) == printed(o["convention_gap_usd_t"])
    assert solve("copper_usd_per_dmt", grade, quoted - exact) == printed(o["protection_cost_usd_t"])


def printed_usd(oracle: Decimal) -> Decimal:
    return oracle.quantize(Decimal("0.01"))


def test_o3_taxes_and_what_is_left_to_pay(solve):
    o = ORACLES["O3_plant_sheet"]
    igv = solve("igv_usd", o["valor_lote_usd"], 18)
    assert igv == printed(o["igv_usd"])
    assert o["valor_lote_usd"] + igv == printed(o["total_con_igv"])
    balance, total = (
        solve("spot_base_usd", code, o["valor_lote_usd"], igv, o["adelantos"]) for code in ("SALDO", "TOTAL")
    )
    assert balance == printed(o["saldo"])
    assert solve("spot_deposit", balance, 10) == printed(o["detraccion_practica_10pct_saldo"])
    assert solve("spot_deposit", total, 10) == printed(o["detraccion_base_total"])
    assert balance - solve("spot_deposit", balance, 10) == printed(o["neto_a_pagar_practica"])


def test_o4_public_buyers_tariff(solve):
    linear = ORACLES["O4_enami"]["linear_schedule_illustrative"]
    price = solve(
        "tariff_usd_per_dmt", linear["grade_pct"], linear["base_grade_pct"], linear["base_price_usd_dmt"],
        linear["escala_usd_per_unit"],
    )  # fmt: skip
    assert price == printed(linear["price_usd_dmt"])
    fund = ORACLES["O4_enami"]["fund2025"]
    assert solve("fund_closing_usd", fund["base"], fund["interest"], fund["fees"], 0) == printed(fund["total"])


def test_o4b_and_o13_netback_and_fairness(solve):
    o, fair = ORACLES["O4b_ore_netback"], ORACLES["O13_price_fairness"]
    pull = solve("mass_pull_frac", o["ore_grade_pct"], o["recovery"], o["concentrate_grade_pct"])
    assert pull == printed(o["mass_pull"])
    payable = solve("payable_cu_pct", o["concentrate_grade_pct"], Decimal("96.5"), 1, "ESTANDAR")
    smelter = solve("copper_usd_per_dmt", payable, LME) - Decimal("21.25")
    smelter -= solve("refining_usd_per_dmt", payable, Decimal("0.02125"))
    assert smelter == printed(o["concentrate_nsr_usd_dmt"])
    most = solve(
        "ore_netback_usd_per_dmt",
        pull,
        smelter,
        o["freight_conc_usd_dmt"],
        o["milling_usd_dmt_ore"],
    )
    assert most == printed(o["max_ore_price_usd_dmt"])
    worth = solve("contained", 1, o["ore_grade_pct"]) * LME
    assert most / worth == printed(o["share_of_contained_lme"])
    assert fair["paid"] / worth == printed(fair["share_of_lme"])
    assert fair["paid"] / most == printed(fair["fairness_ratio"])


def test_o5_copper_of_a_campaign_and_where_its_value_goes(solve):
    o = ORACLES["O5_chain"]
    fed = solve("contained", 100, 8)
    got = solve("recovered_cu", 100, 8, Decimal("0.88"))
    product = 100 * solve("mass_pull_frac", 8, Decimal("0.88"), 25)
    assert (fed, got, fed - got) == (
        printed(o["cu_in_ore_t"]),
        printed(o["cu_in_conc_t"]),
        printed(o["cu_in_tails_t"]),
    )
    assert (product, 100 - product) == (printed(o["conc_dmt"]), printed(o["tails_dmt"]))
    assert (fed - got) / (100 - product) * 100 == printed(o["tails_grade_pct"])
    grade = solve("payable_cu_pct", 25, Decimal("96.5"), 1, "ESTANDAR")
    assert grade == printed(o["payable_pct"])
    payable = solve("contained", product, grade)
    assert payable == printed(o["payable_cu_t"])
    charges = product * (Decimal("21.25") + solve("refining_usd_per_dmt", grade, Decimal("0.02125")))
    assert charges == printed(o["tcrc"])
    lost, unpaid = (fed - got) * LME, (got - payable) * LME
    assert (fed * LME, lost, unpaid) == (
        printed(o["lme_value_contained"]), printed(o["metallurgical_loss"]), printed(o["payability_loss"])
    )  # fmt: skip
    penalties, credits = product * Decimal("3.75"), product * 55
    assert (penalties, credits) == (printed(o["penalties"]), printed(o["precious_credits"]))
    fob = fed * LME - lost - unpaid - charges - penalties + credits
    assert fob == printed(o["fob_value"])
    bought, sold = 33000, 52000
    gained = {
        "mine_operator": 15000 - Decimal("0.15") * 15000, "concession_holder": Decimal("0.15") * 15000, "transporter": 65 * 100,
        "biller": 2700, "collector": bought - 15000 - 65 * 100 - 2700, "processing_plant": sold - bought,
        "trader_exporter": fob - sold,
    }  # fmt: skip
    assert gained == {link: printed(value) for link, value in o["link_value_added"].items()}
    assert sum(gained.values()) == fob
    assert gained["mine_operator"] / fob == printed(o["miner_share_fob"])


def test_o6_dispersion_and_concentration(aggregate):
    o, two = ORACLES["O6_dispersion"], ORACLES["O6_dispersion"]["theil_two_group"]
    ranks = list(range(1, 6))
    assert aggregate("gini", x=[1.0, 2.0, 3.0, 4.0], rank_ascending=ranks[:4]) == printed(o["gini_1234"])
    assert aggregate("theil_t", x=[1.0, 2.0, 3.0, 4.0]) == printed(o["theil_T_1234"])
    assert aggregate("hhi", x=[0.5, 0.3, 0.2]) == printed(o["hhi_50_30_20"])
    assert aggregate("cr2", x=[0.5, 0.3, 0.2], rank_descending=[1, 2, 3]) == printed(o["cr2"])
    a, b = [0.30, 0.34, 0.38], [0.45, 0.55]
    total = aggregate("theil_t", x=a + b)
    totals = {"total": [sum(a), sum(b)], "n": [3, 2]}
    within = aggregate("theil_within", total=totals["total"], theil=[aggregate("theil_t", x=g) for g in (a, b)])
    between = aggregate("theil_between", **totals)
    assert (total, within, between) == (printed(two["total"]), printed(two["within"]), printed(two["between"]))
    assert within + between == pytest.approx(total, abs=1e-12)
    assert aggregate("gini", x=a + b, rank_ascending=ranks) == printed(o["gini_two_group"])


def test_o9_igv_and_the_deposit(solve):
    o = ORACLES["O9_spot"]
    igv = solve("igv_usd", o["value"], 18)
    base = solve("spot_base_usd", "TOTAL", o["value"], igv, 0)
    deposit = solve("spot_deposit", base, 10)
    assert (igv, base, deposit, base - deposit) == (o["igv"], o["total"], o["detraction_10pct"], o["to_seller_account"])
    milled = o["mill_service_value"] + solve("igv_usd", o["mill_service_value"], 18)
    assert milled == o["mill_total"]
    assert solve("spot_deposit", milled, 12) == printed(o["mill_detraction_12pct"])


def test_o10_capacity_of_a_half_year(solve):
    o, half = ORACLES["O10_capacity"], (dt.date(2025, 1, 1), dt.date(2025, 6, 30))
    first = solve("capacity_t", 25, *half)
    assert first == o["pma_h1_cap_t"]
    assert solve("capacity_t", 25, dt.date(2025, 7, 1), dt.date(2025, 12, 31)) == o["pma_h2_cap_t"]
    assert solve("capacity_t", 350, *half) == o["ppm_h1_cap_t"]
    assert o["declared"] / first == printed(o["ratio"])


def test_o11_umpire(solve):
    o = ORACLES["O11_umpire"]
    for rule, expected in (("MEDIA_CERCANA", "final_mean_umpire_nearer"), ("MEDIANA", "final_median_of_three")):
        settled = solve("exchanged_grade", o["buyer"], o["seller"], o["umpire"], o["splitting_limit"], rule)
        assert settled == printed(o[expected])
    near = o["within_limit_example"]
    assert solve(
        "exchanged_grade", near["buyer"], near["seller"], None, o["splitting_limit"], "MEDIANA"
    ) == printed(near["final"])  # fmt: skip


def test_o12_provisional_and_final(solve):
    o = ORACLES["O12_qp"]
    first, last = o["payable_cu_t"] * o["provisional_price"], o["payable_cu_t"] * o["final_price"]
    paid = solve("invoiced_usd", "PROVISIONAL", first, o["provisional_pct"] * 100, None)
    assert paid == printed(o["provisional_payment"])
    assert last == printed(o["final_value"])
    assert solve("invoiced_usd", "FINAL", last, None, paid) == printed(o["balance_due"])


@pytest.mark.parametrize("trucks", [120, 200, 300])
def test_o14_copper_of_a_number_of_trucks(solve, trucks):
    """30 t a truck, 300 days, 5 % copper, 85 % recovered."""
    o = ORACLES["O14_flows"][f"{trucks}_trucks_per_day"]
    ore = trucks * 30 * 300
    assert ore == o["ore_t_per_year"]
    assert solve("recovered_cu", ore, 5, Decimal("0.85")) == printed(o["cu_t_at_5pct_85rec"])


def test_o14_ore_of_a_known_copper(solve):
    o = ORACLES["O14_flows"]["pamputa"]
    ore = o["cu_t"] / solve("recovered_cu", 1, 5, Decimal("0.85"))
    assert round(ore) == o["ore_t_at_5pct_85rec"]
    assert ore / 30 / 300 == printed(o["trucks_per_day_30t_300d"])


def test_o15_check_digit():
    for known, digit in ORACLES["O15_ruc"].items():
        if known[0].isdigit():
            assert ruc_check_digit(known[:10]) == digit == int(known[10])
    assert ruc_check_digit("2013131295") != 4


def test_o16_kitagawa(aggregate):
    o = ORACLES["O16_kitagawa"]
    classes = {"share_a": [0.7, 0.3], "value_a": [0.42, 0.28], "share_b": [0.4, 0.6], "value_b": [0.38, 0.26]}
    mix, value = aggregate("kitagawa_mix", **classes), aggregate("kitagawa_value", **classes)
    assert (mix, value) == (printed(o["mix_effect"]), printed(o["price_effect"]))
    assert mix + value == pytest.approx(float(o["gap"]), abs=1e-12)


# --- invariants ------------------------------------------------------------------------------------------


def decimals(low: str, high: str, places: int = 4) -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(low), Decimal(high), places=places, allow_nan=False, allow_infinity=False)


RULES = st.sampled_from(["ESTANDAR", "SECUENCIAL"])
grades, payables, deductions = decimals("0", "85"), decimals("40", "100"), decimals("0", "3")
prices, moneys = decimals("1", "30000"), decimals("-9000", "9000", 8)


@given(grades, payables, deductions, RULES)
def test_nobody_pays_for_more_copper_than_there_is(solve, cu, payable, deduction, rule):
    assert 0 <= solve("payable_cu_pct", cu, payable, deduction, rule) <= cu


@given(grades, payables, deductions)
def test_the_sequential_convention_never_pays_more(solve, cu, payable, deduction):
    sequential, standard = (
        solve("payable_cu_pct", cu, payable, deduction, rule) for rule in ("SECUENCIAL", "ESTANDAR")
    )
    assert sequential <= standard
    if deduction == 0:
        assert sequential == standard


@given(decimals("80", "99.9"), decimals("0.1", "3"), decimals("0.0002", "10"))
def test_the_deduction_binds_below_the_crossover_grade(solve, payable, deduction, apart):
    """d / (1 - p): below it grade - d is paid, above it grade x p."""
    crossover = deduction / (1 - payable / 100)
    assert solve("payable_cu_pct", 24, Decimal("96.5"), 1, "ESTANDAR") == 23
    below, above = round(crossover - apart, 4), round(crossover + apart, 4)
    if below > deduction:
        assert solve("payable_cu_pct", below, payable, deduction, "ESTANDAR") == below - deduction
    paid = solve("payable_cu_pct", above, payable, deduction, "ESTANDAR")
    assert abs(paid - above * payable / 100) < Decimal("1e-7")


def test_the_crossover_grade_as_printed():
    assert printed(ORACLES["O2_crossover_grade_pct"]) == 1 / (1 - 0.965)


@given(grades, prices, decimals("-1000", "1000"))
def test_cutting_costs_at_most_two_cents_a_tonne(solve, payable, price, charges):
    """The documented bound: 0.01 x payable / 100 for the price, 0.01 for the value."""

    def unit(code: str) -> Decimal:
        used = solve("rounded_price", price, code)
        return solve("rounded_unit_value", solve("copper_usd_per_dmt", payable, used) - charges, code)

    gap = unit("EXACTO") - unit("TRUNCADO")
    assert 0 <= gap < Decimal("0.01") * payable / 100 + Decimal("0.01")


@given(moneys)
def test_a_cut_goes_down_and_is_repeatable(solve, usd):
    cut = solve("rounded_price", usd, "TRUNCADO")
    assert 0 <= usd - cut < Decimal("0.01")
    assert solve("rounded_price", cut, "TRUNCADO") == cut
    assert solve("rounded_price", usd, "EXACTO") == usd


@given(decimals("0", "10"), decimals("0", "10"), decimals("0", "5"), decimals("0.01", "1"), decimals("0", "50"))
def test_penalties_grow_with_the_grade_and_are_free_below_the_limit(solve, one, other, free, step, rate):
    low, high = sorted((one, other))
    paid = [solve("penalty_usd_per_dmt", grade, free, step, rate) for grade in (low, high)]
    assert 0 <= paid[0] <= paid[1]
    assert low > free or paid[0] == 0
    assert solve("penalty_usd_per_dmt", free + step, free, step, rate) == rate


def test_a_penalty_without_a_grade_is_not_known(solve):
    assert solve("penalty_usd_per_dmt", None, 1, 1, 1) is None


@pytest.mark.parametrize("metal", ["silver", "gold"])
def test_a_precious_metal_without_a_grade_or_terms_is_not_known(solve, metal):
    assert solve(f"{metal}_payable_g_per_dmt", None, 90, 1) is None
    assert solve(f"{metal}_payable_g_per_dmt", 120, None, 1) is None


@given(grades, decimals("-2", "2", 6))
def test_refining_may_be_zero_or_below(solve, payable, charge):
    paid = solve("refining_usd_per_dmt", payable, charge)
    assert abs(paid - payable / 100 * Decimal("2204.622621849") * charge) < Decimal("1e-7")
    assert solve("refining_usd_per_dmt", payable, -charge) == -paid


@given(decimals("1", "30"), decimals("1", "30"), decimals("1", "30"), decimals("0", "1"))
def test_an_exchange_of_assays_stays_between_them(solve, buyer, seller, umpire, limit):
    for rule in ("MEDIA_CERCANA", "MEDIANA"):
        settled = solve("exchanged_grade", buyer, seller, umpire, limit, rule)
        rounding = Decimal("0.00005")
        assert min(buyer, seller, umpire) - rounding <= settled <= max(buyer, seller, umpire) + rounding
        if abs(buyer - seller) <= limit:
            assert abs(settled - (buyer + seller) / 2) <= rounding
        mirrored = solve("exchanged_grade", seller, buyer, umpire, limit, rule)
        assert mirrored == settled or abs(buyer - umpire) == abs(seller - umpire)


@given(decimals("-50000", "50000", 2), decimals("0", "20000", 2))
def test_the_deposit_on_the_balance_is_never_above_the_lawful_one(solve, invoiced, advance):
    igv = solve("igv_usd", invoiced, 18)
    total, balance = (solve("spot_base_usd", code, invoiced, igv, advance) for code in ("TOTAL", "SALDO"))
    assert 0 <= balance <= total
    assert solve("spot_base_usd", "NO_AFECTO", invoiced, igv, advance) == 0
    assert solve("igv_usd", -invoiced, 18) == -igv


@given(st.lists(st.floats(0.05, 20), min_size=2, max_size=12))
def test_measures_of_dispersion(aggregate, values):
    values = sorted(values)
    ranks = list(range(1, len(values) + 1))
    gini, theil = aggregate("gini", x=values, rank_ascending=ranks), aggregate("theil_t", x=values)
    assert -1e-9 <= gini < 1
    assert theil >= -1e-9
    assert aggregate("gini", x=[v * 3 for v in values], rank_ascending=ranks) == pytest.approx(gini, abs=1e-9)
    assert 1 / len(values) - 1e-9 <= aggregate("hhi", x=values) <= 1
    groups = [values[: len(values) // 2 or 1], values[len(values) // 2 or 1 :]]
    within = aggregate(
        "theil_within", total=[sum(g) for g in groups], theil=[aggregate("theil_t", x=g) for g in groups]
    )
    between = aggregate("theil_between", total=[sum(g) for g in groups], n=[len(g) for g in groups])
    assert within + between == pytest.approx(theil, abs=1e-9)
