"""Settlement sheets of the simulated sector: they recompute to the cent, and what was done on purpose is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from pipelines.simulator.settlement import LB_PER_T, Terms, cents, payable_pct, value_per_dmt

SEEDS = (
    "ref_igv_rate",
    "ref_settlement_rule",
    "ref_settlement_scenario",
    "ref_spot_good",
    "ref_spot_rate",
)
STAGING = (
    "stg_partner_assays__certificates",
    "stg_partner_settlements__settlements",
    "stg_partner_weigh_tickets__tickets",
    "stg_sunat_documents__documents",
)
BESIDE = ("int_price__daily", "int_price__quotational", "int_lot__codes")
MODELS = (
    "int_settlement__penalty_clauses",
    "int_settlement__sheets_held",
    "int_settlement__sheets_valued",
    "int_settlement__evidence",
    "int_settlement__assay_bias",
    "int_settlement__scenarios",
    "int_settlement__lots_valued",
    "int_settlement__differences",
    "mart_settlement_difference",
)
INPUTS = {"reference": SEEDS, "staging": STAGING, "intermediate": BESIDE}
SHEETS = "staging.stg_partner_settlements__settlements"
TICKETS = "staging.stg_partner_weigh_tickets__tickets"

c = pl.col


@pytest.fixture(scope="module")
def warehouse(house: Path) -> Path:
    return house / "warehouse" / "antawasi.duckdb"


@pytest.fixture(scope="module")
def ask(warehouse: Path) -> Iterator[Callable[[str], pl.DataFrame]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        yield lambda query: _frame(connection, query)


@pytest.fixture(scope="module")
def truth(house: Path) -> Callable[[str], pl.DataFrame]:
    (folder,) = (house / "simulated").glob("tiny-*/truth")
    return lambda name: pl.read_parquet(folder / name / "*.parquet")


@pytest.fixture(scope="module")
def models(compiled) -> dict[str, str]:
    return compiled(MODELS)


def _frame(connection: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    frame = pl.from_arrow(connection.execute(query).to_arrow_table())
    assert isinstance(frame, pl.DataFrame)
    return frame


def rebuilt(
    warehouse: Path, models: dict[str, str], change: Callable[[duckdb.DuckDBPyConnection], object]
) -> duckdb.DuckDBPyConnection:
    """The models in memory, over a copy of what they read in the warehouse, with `change` made to the copy."""
    connection = duckdb.connect(":memory:")
    connection.execute(f"ATTACH '{warehouse}' AS house (READ_ONLY)")
    connection.execute("CREATE SCHEMA marts")
    for schema, tables in INPUTS.items():
        connection.execute(f"CREATE SCHEMA {schema}")
        for table in tables:
            connection.execute(f"CREATE TABLE {schema}.{table} AS SELECT * FROM house.{schema}.{table}")
    change(connection)
    for name, sql in models.items():
        connection.execute(f"CREATE TABLE {'marts' if name.startswith('mart') else 'intermediate'}.{name} AS {sql}")
    return connection


def added(sheets: pl.DataFrame) -> Callable[[duckdb.DuckDBPyConnection], object]:
    """A change that adds sheets."""

    def add(connection: duckdb.DuckDBPyConnection) -> None:
        connection.register("added", sheets.drop("nth", "how").to_arrow())
        connection.execute(f"INSERT INTO {SHEETS} BY NAME SELECT * FROM added")

    return add


# --- the simulated sector as it is --------------------------------------------------------------------------


def test_every_simulated_sheet_recomputes_to_the_cent(ask):
    sheets = ask("SELECT * FROM intermediate.int_settlement__lots_valued")
    current = ask(f"SELECT count(*) AS n FROM {SHEETS} WHERE is_current")["n"][0]
    assert sheets.height == current > 400
    assert sheets["is_synthetic"].all()
    assert (sheets["value_recomputed_usd"] == sheets["value_usd"]).all()
    assert sheets["difference_term_code"].null_count() == sheets.height
    assert {"UNICA", "PROVISIONAL", "FINAL"} == set(sheets["stage_code"])


def test_only_what_was_done_on_purpose_differs(ask, truth):
    """Late deposits, deposits on the balance, rounded tickets and a laboratory that reads low: these, and no others."""
    found = ask("SELECT * FROM intermediate.int_settlement__differences")
    labels = truth("defects")
    sheets = ask("SELECT lot_id, settlement_id, buyer_key FROM intermediate.int_settlement__lots_valued")

    late = labels.filter(c("defect_code") == "LATE_DEPOSIT")
    assert _sheets_of(found, "LATE_DEPOSIT") == set(late["row_key"])

    terms = truth("plant_terms").select("agent_id", "detraction_on_balance")
    plants = truth("loads").select("load_id", "plant_id")
    sales = truth("ore_sales").join(plants, on="load_id").join(terms, left_on="plant_id", right_on="agent_id")
    on_balance = sales.filter(c("detraction_on_balance") & (c("advance_cents") > 0))
    expected = {f"LQ-{lot}" for lot in on_balance["plant_lot_id"]} & set(sheets["settlement_id"])
    assert _sheets_of(found, "DETRACTION_BASE") == expected

    rounded = labels.filter(c("defect_code") == "ROUND_NUMBERS")["lot_id"]
    assert _sheets_of(found, "WET_MASS") == set(sheets.filter(c("lot_id").is_in(rounded.implode()))["settlement_id"])

    biased = labels.filter(c("defect_code") == "ASSAY_BIAS")["lot_id"]
    assert _sheets_of(found, "ASSAY_BIAS") == set(sheets.filter(c("lot_id").is_in(biased.implode()))["settlement_id"])

    assert set(found["term_code"]) == {"LATE_DEPOSIT", "DETRACTION_BASE", "WET_MASS", "ASSAY_BIAS"}


def _sheets_of(found: pl.DataFrame, term: str) -> set[str]:
    return set(found.filter(c("term_code") == term)["settlement_id"])


# --- sheets whose value was made another way -----------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Sheets:
    """Sheets as the simulator's own arithmetic takes them."""

    frame: pl.DataFrame

    def floats(self, name: str) -> np.ndarray:
        return self.frame[name].cast(pl.Float64).fill_null(0.0).to_numpy()

    def has_credits(self) -> np.ndarray:
        return self.frame["silver_payable_pct"].is_not_null().to_numpy()

    def showing(self, columns: dict[str, np.ndarray], values_usd: np.ndarray, how: str) -> pl.DataFrame:
        """The sheets with other columns and values, numbered anew."""
        return self.frame.with_columns(
            *(pl.Series(name, values) for name, values in columns.items()),
            pl.Series("value_usd", values_usd),
            (c("settlement_id") + f" {how}").alias("settlement_id"),
            pl.lit(how).alias("how"),
        )

    def values_usd(self, **changed: np.ndarray) -> np.ndarray:
        """Value in US$, with some columns changed: the simulator's arithmetic, not the warehouse's."""

        def of(name: str) -> np.ndarray:
            return changed.get(name, self.floats(name))

        sequential = changed.get("is_sequential", (self.frame["payability_rule_code"] == "SECUENCIAL").to_numpy())
        truncated = changed.get("is_truncated", (self.frame["rounding_code"] == "TRUNCADO").to_numpy())
        paid_t = of("payable_dmt")
        made = np.empty(self.frame.height)
        for row in range(self.frame.height):
            one = slice(row, row + 1)
            given = self.frame.row(row, named=True)
            terms = Terms(
                payable_pct=of("payable_pct")[one], deduction_pct=of("deduction_pct")[one], is_sequential=sequential[one],
                price_protection_usd_per_lb=of("price_protection_usd_per_lb")[one],
                treatment_usd_per_dmt=of("treatment_usd_per_dmt")[one], refining_usd_per_lb=of("refining_usd_per_lb")[one],
                is_truncated=truncated[one], penalties=() if "no_penalties" in changed else _clauses(given["penalty_terms"]),
                silver_payable_pct=0.0 if "no_credits" in changed else float(given["silver_payable_pct"] or 0),
                silver_deduction_g_per_dmt=float(given["silver_deduction_g_per_dmt"] or 0),
                silver_refining_usd_per_oz=float(given["silver_refining_usd_per_oz"] or 0),
                gold_payable_pct=0.0 if "no_credits" in changed else float(given["gold_payable_pct"] or 0),
                gold_minimum_g_per_dmt=float(given["gold_minimum_g_per_dmt"] or 0),
                gold_refining_usd_per_oz=float(given["gold_refining_usd_per_oz"] or 0), lb_per_t=LB_PER_T,
            )  # fmt: skip
            grades = {name: of(f"{name}_pct")[one] for name in ("cu", "as", "sb", "bi", "pb_zn")}
            grades |= {name: of(f"{name}_g_per_dmt")[one] for name in ("ag", "au")}
            other = (of("assay_fee_usd") + of("loading_usd") + of("freight_usd"))[one] / paid_t[one]
            cents_per_lb = of("copper_usd_per_t")[one] / LB_PER_T * 100 - terms.price_protection_usd_per_lb * 100
            beyond = np.maximum(cents_per_lb - of("participation_base_usd_cents_per_lb")[one], 0) / 100
            payable_lb = payable_pct(grades["cu"], terms) / 100 * LB_PER_T
            other = other + payable_lb * beyond * of("participation_pct")[one] / 100
            prices = (of(name)[one] for name in ("copper_usd_per_t", "silver_usd_per_oz", "gold_usd_per_oz"))
            unit = value_per_dmt(grades, *prices, terms, other).unit_value
            made[row] = cents(np.round(unit, 4) * paid_t[one])[0] / 100
        return made


def _clauses(text: str) -> tuple[tuple[str, float, float, float], ...]:
    parts = (clause.split(":") for clause in text.split(";"))
    return tuple((name.lower(), float(free), float(step), float(rate)) for name, free, step, rate in parts)


@pytest.fixture(scope="module")
def some(warehouse: Path) -> Sheets:
    """Sheets of all stages, of lots that nothing else is the matter with; the simulator's arithmetic gives their values."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        frame = _frame(
            connection,
            f"""
            SELECT * FROM (
                SELECT *, row_number() OVER (PARTITION BY stage_code, rounding_code, freight_usd > 0 ORDER BY lot_id) AS nth FROM {SHEETS}
                WHERE is_current AND settlement_id NOT IN (SELECT settlement_id FROM intermediate.int_settlement__differences)
            ) WHERE nth <= 10
            """,
        )
    sheets = Sheets(frame)
    assert frame.height >= 40
    assert np.abs(sheets.values_usd() - sheets.floats("value_usd")).max() < 0.005
    return sheets


Change = Callable[[Sheets], dict[str, np.ndarray]]


def zero(sheets: Sheets) -> np.ndarray:
    return np.zeros(sheets.frame.height)


def masses(sheets: Sheets, **changed: np.ndarray) -> dict[str, np.ndarray]:
    """Wet mass, moisture and what follows from them, as a sheet shows them."""

    def of(name: str) -> np.ndarray:
        return changed.get(name, sheets.floats(name))

    dry = np.round(of("settled_wmt") * (1 - of("moisture_pct") / 100), 3)
    paid = np.round(dry * (1 - of("handling_loss_pct") / 100), 3)
    return changed | {"settled_dmt": dry, "payable_dmt": paid}


#: Columns of a sheet whose value, as shown, is that of its own terms.
EXACT = ("copper_usd_per_t", "cu_pct", "participation_base_usd_cents_per_lb", "participation_pct")
#: How a value was made though the sheet says otherwise: the term to be found, what was changed in the simulator's
#: arithmetic, and what the sheet shows of it.
MADE: dict[str, tuple[str, Change, Change]] = {
    "by the other payability rule": (
        "PAYABILITY_RULE", lambda s: {"is_sequential": (s.frame["payability_rule_code"] == "ESTANDAR").to_numpy()}, lambda _: {},
    ),
    "by the other rounding": (
        "ROUNDING", lambda s: {"is_truncated": (s.frame["rounding_code"] == "EXACTO").to_numpy()}, lambda _: {},
    ),
    "without protection": ("PROTECTION", lambda s: {"price_protection_usd_per_lb": zero(s)}, lambda _: {}),
    "without treatment": ("TREATMENT", lambda s: {"treatment_usd_per_dmt": zero(s)}, lambda _: {}),
    "without refining": ("REFINING", lambda s: {"refining_usd_per_lb": zero(s)}, lambda _: {}),
    "without the participation": (
        "PARTICIPATION", lambda s: {"participation_pct": zero(s)},
        lambda s: {"participation_base_usd_cents_per_lb": zero(s) + 300, "participation_pct": zero(s) + 20},
    ),
    "without penalties": ("PENALTIES", lambda s: {"no_penalties": zero(s)}, lambda _: {}),
    "with other penalties": (
        "PENALTIES", lambda s: {"treatment_usd_per_dmt": s.floats("treatment_usd_per_dmt") + 3},
        lambda s: {"penalties_usd_per_dmt": s.floats("penalties_usd_per_dmt") + 3},
    ),
    "without credits": ("CREDITS", lambda s: {"no_credits": zero(s)}, lambda _: {}),
    "with other credits": (
        "CREDITS", lambda s: {"treatment_usd_per_dmt": s.floats("treatment_usd_per_dmt") - 5 * s.has_credits()},
        lambda s: {"credits_usd_per_dmt": s.floats("credits_usd_per_dmt") + 5 * s.has_credits()},
    ),
    "without freight": ("FREIGHT", lambda s: {"freight_usd": zero(s)}, lambda _: {}),
    "without loading": ("LOADING", lambda s: {"loading_usd": zero(s)}, lambda _: {}),
    "without assays": ("ASSAY_FEE", lambda s: {"assay_fee_usd": zero(s)}, lambda _: {}),
    "without the handling loss": (
        "HANDLING_LOSS", lambda s: masses(s, handling_loss_pct=zero(s)), lambda _: {},
    ),
    "on the wet mass": ("MOISTURE", lambda s: masses(s, moisture_pct=zero(s)), lambda _: {}),
    "on a mass after another loss": (
        "HANDLING_LOSS", lambda s: {"payable_dmt": s.floats("payable_dmt") - 0.5},
        lambda s: {"payable_dmt": s.floats("payable_dmt") - 0.5},
    ),
    "on a mass after another moisture": (
        "MOISTURE", lambda s: masses(s, moisture_pct=s.floats("moisture_pct") + 2),
        lambda s: masses(s, moisture_pct=s.floats("moisture_pct") + 2) | {"moisture_pct": s.floats("moisture_pct")},
    ),
    "at the period's price, not at the one shown": (
        "PRICE", lambda _: {}, lambda s: {"copper_usd_per_t": s.floats("copper_usd_per_t") - 100},
    ),
    "at the exchange's grade, not at the one shown": (
        "GRADE", lambda _: {}, lambda s: {"cu_pct": s.floats("cu_pct") + 0.75},
    ),
    "in a way that no single term explains": (
        "UNEXPLAINED", lambda s: {"treatment_usd_per_dmt": s.floats("treatment_usd_per_dmt") + 1.234}, lambda _: {},
    ),
}  # fmt: skip
#: How a sheet that is right in itself differs from what others say: the term, the evidence, and the sheet's columns.
TOLD: dict[str, tuple[str, str, Change]] = {
    "another price": ("PRICE", "PRICE", lambda s: {"copper_usd_per_t": s.floats("copper_usd_per_t") + 150}),
    "another grade": ("GRADE", "CERTIFICATE", lambda s: {"cu_pct": s.floats("cu_pct") - 0.4}),
    "another moisture": (
        "MOISTURE", "CERTIFICATE", lambda s: masses(s, moisture_pct=s.floats("moisture_pct") + 2),
    ),
    "another mass": ("WET_MASS", "TICKET", lambda s: masses(s, settled_wmt=s.floats("settled_wmt") - 0.8)),
}  # fmt: skip


@pytest.fixture(scope="module")
def changed(warehouse, models, some) -> Iterator[dict[str, tuple[np.ndarray, pl.DataFrame, pl.DataFrame]]]:
    """How → (values in US$, lots valued, differences) of sheets changed so, in the order of `some`; built at once."""
    made: dict[str, tuple[np.ndarray, pl.DataFrame]] = {}
    for how, (_, change, shows) in MADE.items():
        values = some.values_usd(**change(some))
        made[how] = values, some.showing(shows(some), values, how)
    for how, (_, _, shows) in TOLD.items():
        values = some.values_usd(**shows(some))
        made[how] = values, some.showing(shows(some), values, how)

    with rebuilt(
        warehouse, models, added(pl.concat([frame for _, frame in made.values()], how="vertical_relaxed"))
    ) as connection:
        lots = _frame(connection, "SELECT * FROM intermediate.int_settlement__lots_valued")
        found = _frame(connection, "SELECT * FROM intermediate.int_settlement__differences")
    yield {
        how: (
            values,
            frame.select("settlement_id").join(lots, on="settlement_id", how="left", maintain_order="left"),
            found.filter(c("settlement_id").is_in(frame["settlement_id"].implode())),
        )
        for how, (values, frame) in made.items()
    }


@pytest.mark.parametrize("how", MADE)
def test_a_value_made_another_way_is_explained_by_its_term(changed, some, how):
    values, lots, found = changed[how]
    # What the sheet's own terms make due: masses, penalties and credits follow from others of its columns.
    shown = MADE[how][2](some)
    plain = some.values_usd(**{name: shown[name] for name in EXACT if name in shown})
    differ = pl.Series(np.abs(values - plain) > 0.015)  # a cent is not told from rounding
    assert differ.sum() >= 5
    assert set(lots.filter(differ)["difference_term_code"]) == {MADE[how][0]}
    assert lots.filter(~differ)["difference_term_code"].drop_nulls().is_empty()
    # The deposit and what is left to pay, which do not follow from the value any more, are differences of their own.
    of_value = found.filter(c("evidence_code") == "SHEET", ~c("term_code").is_in(["TO_PAY", "DETRACTION_AMOUNT"]))
    assert set(of_value["term_code"]) == {MADE[how][0]}
    assert of_value.height == differ.sum()


@pytest.mark.parametrize("how", TOLD)
def test_a_sheet_that_is_right_in_itself_contradicts_its_evidence(changed, some, how):
    """Its arithmetic finds nothing; what others say does, in US$ with its sign."""
    term, evidence, _ = TOLD[how]
    values, lots, found = changed[how]
    assert lots["difference_term_code"].null_count() == lots.height
    wrong = found.filter(c("term_code") == term)
    assert set(wrong["evidence_code"]) == {evidence}
    both = lots.select("settlement_id").join(wrong, on="settlement_id", how="left", maintain_order="left")
    assert both["difference_usd"].null_count() == 0
    gap = values - some.values_usd()
    # Tickets have hundreds of grams where sheets have kilograms: up to 1.5 kg, rounded twice more, at what a further tonne brings.
    fees = some.floats("assay_fee_usd") + some.floats("loading_usd") + some.floats("freight_usd")
    further_t = some.floats("unit_value_usd_per_dmt") + fees / some.floats("payable_dmt")
    within = 0.05 + (0.0015 * further_t if evidence == "TICKET" else zero(some))
    assert (np.abs(both["difference_usd"].cast(pl.Float64).to_numpy() - gap) <= within).all()


def test_a_month_that_is_not_counted_from_the_delivery_is_told(warehouse, models, ask, some):
    """Final sheets settled at the mean of the month before the one that their period gives: the mean itself is right."""
    late = Sheets(some.frame.filter(c("stage_code") == "FINAL"))
    means = ask(
        "SELECT month, round(copper_usd_per_t, 2) AS copper_usd_per_t FROM intermediate.int_price__monthly WHERE is_synthetic"
    )
    no_credits = (
        "silver_usd_per_oz",
        "gold_usd_per_oz",
        "silver_payable_pct",
        "gold_payable_pct",
        "credits_usd_per_dmt",
    )
    before = late.frame.with_columns(
        c("quotation_month").dt.offset_by("-1mo"), *(pl.lit(None).alias(n) for n in no_credits)
    )
    before = before.drop("copper_usd_per_t").join(
        means, left_on="quotation_month", right_on="month", how="left", maintain_order="left"
    )
    months = Sheets(before)
    sheets = months.showing({}, months.values_usd(), "month before")

    with rebuilt(warehouse, models, added(sheets)) as connection:
        found = _frame(connection, "SELECT * FROM intermediate.int_settlement__differences")
    found = found.filter(c("settlement_id").is_in(sheets["settlement_id"].implode()))
    wrong = found.filter(c("term_code") == "QUOTATION_MONTH")
    assert wrong["settlement_id"].n_unique() == sheets.height > 0
    assert found.filter(c("term_code").is_in(["PRICE", "UNEXPLAINED"])).is_empty()


def test_lines_used_at_the_cent_are_told_as_rounding(warehouse, models, ask, some):
    """A plant's sheet whose every line is shown, and added up, at the cent."""
    cut = some.frame.filter(c("rounding_code") == "TRUNCADO")
    lots = ask("SELECT * FROM intermediate.int_settlement__lots_valued")
    lots = cut.select("settlement_id").join(lots, on="settlement_id", maintain_order="left")
    items = ("copper", "credits", "refining", "treatment", "penalties", "assay_fee", "loading", "freight")
    line = {name: lots[f"{name}_usd_per_dmt"].cast(pl.Float64).round(2).to_numpy() for name in items}
    unit = np.round(line["copper"] + line["credits"] - sum(line[name] for name in items[2:]), 2)
    sheets = Sheets(cut).showing({}, cents(unit * Sheets(cut).floats("payable_dmt")) / 100, "by line")

    with rebuilt(warehouse, models, added(sheets)) as connection:
        told = _frame(
            connection, "SELECT * FROM intermediate.int_settlement__lots_valued WHERE settlement_id LIKE '% by line'"
        )
    differ = told.filter(c("difference_usd").abs() > 0.01)
    assert differ.height >= 3
    assert set(differ["difference_term_code"]) == {"ROUNDING"}
    assert differ["difference_usd"].abs().max() < 0.055 * float(told["payable_dmt"].max())


def test_what_a_bias_took_is_near_what_was_taken(warehouse, ask, truth):
    """In all of a laboratory's lots, against their true grades; a single lot's estimate is as noisy as its assays."""
    found = ask("SELECT * FROM intermediate.int_settlement__differences WHERE term_code = 'ASSAY_BIAS'")
    true = truth("loads").select(c("plant_lot_id").alias("lot_id"), c("cu").alias("true_cu_pct"))
    frame = ask(f"SELECT * FROM {SHEETS} WHERE is_current").join(true, on="lot_id")
    biased = Sheets(frame.filter(c("settlement_id").is_in(found["settlement_id"].implode())))
    assert biased.frame.height == found.height > 20
    taken = (biased.floats("value_usd") - biased.values_usd(cu_pct=biased.floats("true_cu_pct"))).sum()
    assert float(found["difference_usd"].sum()) == pytest.approx(taken, rel=0.1)
    assert taken < -1000


def test_a_lot_that_came_on_two_trucks_weighs_what_both_do(warehouse, models, ask):
    """Every ticket written as two, of half its mass and on plates of their own: nothing else is found than before."""

    def halved(connection: duckdb.DuckDBPyConnection) -> None:
        parts = ", ".join(
            f"CASE part WHEN 1 THEN floor({mass} / 2) ELSE {mass} - floor({mass} / 2) END AS {mass}"
            for mass in ("gross_kg", "tare_kg", "net_kg")
        )
        connection.execute(
            f"""
            CREATE OR REPLACE TABLE {TICKETS} AS
            SELECT * EXCLUDE (part) REPLACE ({parts}, plate_key || part AS plate_key, ticket_id || '/' || part AS ticket_id)
            FROM {TICKETS}, range(1, 3) AS parts (part)
            """
        )

    whole = ask("SELECT * FROM intermediate.int_settlement__differences")
    with rebuilt(warehouse, models, halved) as connection:
        found = _frame(connection, "SELECT * FROM intermediate.int_settlement__differences")
    assert found.equals(whole)


def test_an_absurd_sheet_stops_nobodys_build(warehouse, models, some):
    """The widest numbers that the contract lets in: not computable, and all others as before."""
    most = {
        "copper_usd_per_t": "9999999999.9999", "settled_wmt": "99999999.999999", "payable_dmt": "99999999.999999",
        "treatment_usd_per_dmt": "-99999999.9999", "value_usd": "99999999999999.99", "detraction_pen": "99999999999999.99",
        "igv_usd": "-99999999999999.99", "advance_usd": "99999999999999.99", "to_pay_usd": "-99999999999999.99",
        "pen_per_usd": "0.000001", "refining_usd_per_lb": "9999.999999", "ag_g_per_dmt": "99999999.9999",
    }  # fmt: skip
    sheets = some.frame.with_columns(
        *(pl.lit(value).cast(some.frame.schema[name]).alias(name) for name, value in most.items()),
        pl.lit("AS:0:0.0001:999999").alias("penalty_terms"),
        (c("settlement_id") + " absurd").alias("settlement_id"),
        pl.lit("absurd").alias("how"),
    )
    with rebuilt(warehouse, models, added(sheets)) as connection:
        lots = _frame(connection, "SELECT * FROM intermediate.int_settlement__lots_valued")
    absurd = lots.filter(c("settlement_id").str.ends_with("absurd"))
    assert absurd.height == sheets.height
    assert set(absurd["difference_term_code"]) == {"NOT_COMPUTABLE"}
    assert lots.filter(~c("settlement_id").str.ends_with("absurd"))["difference_term_code"].drop_nulls().is_empty()


# --- measured and simulated ----------------------------------------------------------------------------------


def test_an_empty_house_has_empty_models(warehouse, models):
    """Nothing measured is there yet: no sheets, no tickets, no assays, no prices."""

    def empty(connection: duckdb.DuckDBPyConnection) -> None:
        for schema, tables in (("staging", STAGING), ("intermediate", BESIDE)):
            for table in tables:
                connection.execute(f"DELETE FROM {schema}.{table}")

    with rebuilt(warehouse, models, empty) as connection:
        for name in models:
            schema = "marts" if name.startswith("mart") else "intermediate"
            assert _frame(connection, f"SELECT * FROM {schema}.{name}").is_empty()


def test_a_measured_sheet_takes_nothing_from_simulated_papers(warehouse, models, some):
    """Measured sheets of the same lots and buyers: valued alike, but no simulated ticket, assay or price is theirs."""

    def measured(connection: duckdb.DuckDBPyConnection) -> None:
        connection.register("chosen", some.frame.select("settlement_id").to_arrow())
        connection.execute(
            f"""
            INSERT INTO {SHEETS} BY NAME SELECT * REPLACE (false AS is_synthetic) FROM {SHEETS}
            WHERE settlement_id IN (SELECT settlement_id FROM chosen)
            """
        )

    with rebuilt(warehouse, models, measured) as connection:
        lots = _frame(connection, "SELECT * FROM intermediate.int_settlement__lots_valued WHERE NOT is_synthetic")
        told = _frame(connection, "SELECT * FROM intermediate.int_settlement__evidence WHERE NOT is_synthetic")
        mart = _frame(connection, "SELECT * FROM marts.mart_settlement_difference WHERE NOT is_synthetic")
    assert lots.height == told.height == some.frame.height
    assert (lots["difference_usd"] == 0).all()
    for evidence in ("ticket_id", "buyer_cu_pct", "agreed_cu_pct", "departed_date"):
        assert told[evidence].null_count() == told.height
    by_day = told.filter(c("stage_code") != "FINAL")["quoted_copper_usd_per_t"]
    assert by_day.null_count() == by_day.len() > 0  # no measured quotation of those days
    assert set(mart["evidence_code"]) == {"SHEET", "PRICE", "LAW"}  # the World Bank's months are measured
