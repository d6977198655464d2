"""An attacker of its own against the released files: nothing of the house's code, the CSV alone and linear programming."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections import defaultdict
from pathlib import Path

import duckdb
import numpy as np
import pytest
from frictionless import Package
from scipy.optimize import linprog

#: Product → its measures as (column, other key column and value), and the sums over parties that stand behind them.
PRODUCTS = {
    "pub_value_chain_margin": (
        "link_code",
        {"PLANT": "received_usd", "OPERATOR": "received_usd", "TRADER": "received_usd"},
    ),
    "pub_chain_of_custody": ("class_code", {"GOOD_STANDING": "copper_t", "NO_GOOD_STANDING": "copper_t"}),
    "pub_registry_transitions": ("flow_code", {"NEW": "registration_count", "EXCLUDED": "registration_count"}),
}
TRUTH = {
    ("pub_value_chain_margin", "PLANT"): ("int_release__margins", "plant_received_usd"),
    ("pub_value_chain_margin", "OPERATOR"): ("int_release__margins", "operator_received_usd"),
    ("pub_value_chain_margin", "TRADER"): ("int_release__margins", "trader_received_usd"),
    ("pub_chain_of_custody", "GOOD_STANDING"): ("int_release__custody", "good_standing_g / 1e6"),
    ("pub_chain_of_custody", "NO_GOOD_STANDING"): ("int_release__custody", "no_good_standing_g / 1e6"),
    ("pub_registry_transitions", "NEW"): ("int_release__registry_flows", "new_count"),
    ("pub_registry_transitions", "EXCLUDED"): ("int_release__registry_flows", "excluded_count"),
}
CASES = [(product, code) for product, (_, codes) in PRODUCTS.items() for code in codes]

Cell = tuple[str, str]


def published(folder: Path, product: str, code: str) -> dict[Cell, float | None]:
    """Simulated cells (place, period) of one code, None where hidden."""
    key, columns = PRODUCTS[product]
    with (folder / f"{product}.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if r[key] == code and r["is_synthetic"] == "true"]
    told = {}
    for row in rows:
        text = row[columns[code]]
        assert (text == ":c") == (row["obs_status_code"] != "A"), "hidden is marked, and nothing else is"
        told[row["place_code"], row["period_code"]] = None if text == ":c" else float(text)
    return told


def sums(cells: dict[Cell, float | None]) -> list[tuple[Cell, list[Cell]]]:
    """Everything that adds up: the country over departments, a year over its quarters. What has no row is zero."""
    children: dict[tuple[str, Cell], list[Cell]] = defaultdict(list)
    for place, period in cells:
        if place != "PE":
            children["places", ("PE", period)].append((place, period))
        if "-" in period:
            children["periods", (place, period[:4])].append((place, period))
    return [(parent, parts) for (_, parent), parts in children.items() if parent in cells]


def bounds(cells: dict[Cell, float | None], half_step: float) -> dict[Cell, tuple[float, float]]:
    """What an attacker can tell of every hidden cell, knowing all published ones to half a unit of their last digit."""
    hidden = {cell: n for n, cell in enumerate(c for c, value in cells.items() if value is None)}
    rows, right, slack = [], [], []
    for parent, parts in sums(cells):
        row, known, count = np.zeros(len(hidden)), 0.0, 0
        for cell, sign in [(parent, 1.0), *((part, -1.0) for part in parts)]:
            if cell in hidden:
                row[hidden[cell]] = sign
            else:
                known, count = known - sign * float(cells[cell] or 0.0), count + 1
        if row.any():
            rows.append(row)
            right.append(known)
            slack.append(half_step * count)
    if not hidden:
        return {}
    a, b, s = np.array(rows), np.array(right), np.array(slack)
    both, limits = np.vstack([a, -a]), np.concatenate([b + s, -b + s])
    told = {}
    for cell, at in hidden.items():
        ends = []
        for sign in (1.0, -1.0):
            aim = np.zeros(len(hidden))
            aim[at] = sign
            found = linprog(aim, A_ub=both, b_ub=limits, bounds=(0, None), method="highs")
            assert found.status in (0, 3), found.message
            ends.append(np.inf if found.status == 3 else abs(float(found.fun)))
        told[cell] = (ends[0], ends[1])
    return told


def true_cells(house: Path, product: str, code: str) -> dict[Cell, tuple[float, int]]:
    """Value of every cell and how many holdings it is of (of a class those that have any of it), from the contributions."""
    model, measure = TRUTH[product, code]
    of = f" FILTER ({measure} > 0)" if product == "pub_chain_of_custody" else ""
    periods = {"year": "strftime(month, '%Y')", "quarter": "strftime(month, '%Y') || '-Q' || quarter(month)"}
    with duckdb.connect(str(house / "warehouse" / "antawasi.duckdb"), read_only=True) as connection:
        return {
            (place, period): (float(value), holdings)
            for expression in periods.values()
            for at in ("'PE'", "ubigeo_code")
            for place, period, value, holdings in connection.execute(
                f"SELECT {at}, {expression}, sum({measure}), count(DISTINCT holding_key){of} FROM intermediate.{model} "
                "WHERE is_synthetic GROUP BY ALL"
            ).fetchall()
        }


@pytest.mark.parametrize(("product", "code"), CASES, ids=[f"{p[4:]}-{c}" for p, c in CASES])
def test_no_hidden_cell_of_few_holdings_can_be_worked_out(house, product, code):
    cells, true = published(house / "releases" / "latest", product, code), true_cells(house, product, code)
    told = bounds(cells, 0.0005 if product == "pub_chain_of_custody" else 0.005)
    assert len(told) > 10
    for cell, (low, high) in told.items():
        value, holdings = true[cell]
        assert low <= value * (1 + 1e-6) + 1e-3 and high >= value * (1 - 1e-6) - 1e-3, "the attacker's own arithmetic"
        if holdings < 5 and value > 0:
            assert high - value >= 0.149 * value, (product, cell)
            assert value - low >= 0.149 * value, (product, cell)


@pytest.mark.parametrize(("product", "code"), CASES[:1])
def test_the_attacker_breaks_what_is_hidden_without_complements(house, product, code):
    """The same attack on sensitive cells alone hidden finds some of them: it is able to."""
    cells, true = published(house / "releases" / "latest", product, code), true_cells(house, product, code)
    naive = {
        cell: None if 0 < true[cell][1] < 5 and cell[0] != "PE" and "-" in cell[1] else true[cell][0] for cell in cells
    }
    assert any(
        high - low < 0.02 * true[cell][0] for cell, (low, high) in bounds(naive, 0.005).items() if true[cell][0] > 1
    )


def test_published_cells_tell_the_sums_of_what_is_behind_them(house):
    for product, code in CASES:
        true = true_cells(house, product, code)
        shown = {c: v for c, v in published(house / "releases" / "latest", product, code).items() if v is not None}
        for cell, value in shown.items():
            assert value == pytest.approx(true[cell][0], abs=0.0051), (product, cell)
            assert true[cell][1] >= 5 or (value == 0 and product == "pub_chain_of_custody"), (product, cell)


@pytest.mark.parametrize(
    ("product", "at_pit"),
    [
        ("pub_value_chain_margin", lambda row: True),  # what operators are paid is in every cell
        ("pub_price_fairness", lambda row: row["kind_code"] == "ORE_AT_PIT"),
    ],
    ids=["margins", "prices"],
)
def test_trade_at_the_pit_is_published_three_months_late(house, product, at_pit):
    folder = house / "releases" / "latest"
    as_of = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))["antawasi"]["as_of"]
    with (folder / f"{product}.csv").open(encoding="utf-8-sig", newline="") as handle:
        periods = {row["period_code"] for row in csv.DictReader(handle) if at_pit(row)}
    quarters = {(int(p[:4]), int(p[6:])) for p in periods if "-Q" in p} | {(int(p), 4) for p in periods if "-" not in p}
    year, quarter = max(quarters)
    years, month = divmod(quarter * 3 + 3, 12)  # the quarter is over and three more months are
    assert dt.date(year + years, month + 1, 1) <= dt.date.fromisoformat(as_of) + dt.timedelta(days=1)


def test_nothing_measured_is_made_of_an_excerpt_for_demonstration(house):
    """The sample's thirty rows of the registry may be tried with; a figure of them would be taken for Peru's."""
    for product in ("pub_registry_transitions", "pub_formalization_progress", "pub_formalization_survival"):
        with (house / "releases" / "latest" / f"{product}.csv").open(encoding="utf-8-sig", newline="") as handle:
            marks = {row["is_synthetic"] for row in csv.DictReader(handle)}
        assert marks == {"true"}, product


def test_the_whole_release_is_a_valid_data_package(house):
    """Every product with its hidden figures, as a library that no one here wrote reads it."""
    report = Package(str(house / "releases" / "latest" / "datapackage.json")).validate()
    assert report.valid, report.flatten(["name", "title", "message"])[:5]
    assert sum(task.type == "table" for task in report.tasks) == 9
