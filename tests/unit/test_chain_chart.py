"""What the assets of the bridge and of the margins show: measured and simulated apart, shares that sum."""

from __future__ import annotations

import base64
import re

import duckdb
import pytest

from pipelines import chain_chart
from pipelines.chain_words import STEPS


@pytest.fixture
def warehouse():
    connection = duckdb.connect(":memory:")
    connection.execute("CREATE SCHEMA marts")
    columns = ", ".join(f"{name}_usd DECIMAL(18, 2)" for name in STEPS)
    connection.execute(
        f"CREATE TABLE marts.fct_lot_value_bridge (is_complete BOOLEAN, is_fob_final BOOLEAN, is_synthetic BOOLEAN, {columns})"
    )
    connection.execute(
        "CREATE TABLE marts.mart_value_chain_margin (is_synthetic BOOLEAN, link_code VARCHAR, complete_gross_margin_usd DECIMAL(18, 2))"
    )
    return connection


def test_the_bridge_goes_from_lme_to_fob(warehouse):
    """Oracle O5; a lot that is not followed to the port is not in it, a step of nothing is not shown."""
    warehouse.execute(
        "INSERT INTO marts.fct_lot_value_bridge VALUES "
        "(true, true, true, 76000, 9120, 0, 2675.20, 915.02, 105.60, 1548.80, 0, 0, 0, 64732.98), "
        "(false, false, true, 99999, 0, 0, 0, 0, 0, 0, 0, 0, 99999, 0)"
    )
    rows = chain_chart.bridge(warehouse)
    assert [what for _, what, _, _ in rows] == [
        "valor LME del cobre contenido", "pérdida metalúrgica", "pérdida de pagabilidad", "tratamiento y refinación",
        "penalidades", "créditos por oro y plata", "FOB",
    ]  # fmt: skip
    *steps, fob = [usd for _, _, usd, _ in rows]
    assert sum(steps) == fob
    assert rows[1][3] == pytest.approx(-0.12)
    told = chain_chart.markdown(warehouse, rows, "valor LME contenido")
    assert "| % del valor LME contenido |" in told
    assert "provisional" not in told
    assert "| Datos simulados, no medidos | FOB | 64,732.98 | 85.2 |" in told
    picture = re.search(r"data:image/svg\+xml;base64,([^)]+)\)", told)
    assert picture
    assert "Datos simulados, no medidos" in base64.b64decode(picture[1]).decode()


def test_links_share_the_fob_measured_and_simulated_apart(warehouse):
    warehouse.execute(
        "INSERT INTO marts.mart_value_chain_margin VALUES (true, 'PLANT', 60), (true, 'OPERATOR', 50), (true, 'TRADER', -10), "
        "(false, 'PLANT', 5), (true, 'PLANT', 100), (false, 'HAULIER', 0)"
    )
    rows = chain_chart.links(warehouse)
    assert [(kind, what, float(usd), share) for kind, what, usd, share in rows] == [
        ("Datos medidos", "planta", 5, 1), ("Datos medidos", "transportista", 0, 0),
        ("Datos simulados, no medidos", "planta", 160, 0.8), ("Datos simulados, no medidos", "operador", 50, 0.25),
        ("Datos simulados, no medidos", "comercializadora", -10, -0.05),
    ]  # fmt: skip


def test_lots_that_are_still_provisional_are_counted_beside_the_picture(warehouse):
    step = "100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100"
    warehouse.execute(
        f"INSERT INTO marts.fct_lot_value_bridge VALUES (true, true, true, {step}), (true, false, true, {step}), "
        f"(false, false, true, {step}), (true, true, false, {step})"
    )
    told = chain_chart.markdown(warehouse, chain_chart.bridge(warehouse), "valor LME contenido")
    assert told.endswith(
        "Con lotes todavía provisionales, su DAM sin regularizar: datos simulados, no medidos, 1 de 2."
    )


def test_a_house_without_lots_says_so(warehouse):
    assert chain_chart.markdown(warehouse, chain_chart.bridge(warehouse), "valor LME contenido").startswith("Sin lotes")
    assert chain_chart.links(warehouse) == []
