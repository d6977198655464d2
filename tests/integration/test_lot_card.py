"""A lot's card as people read it: whole on any terminal, its payments making up its margins, and what is still to come."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from benchmarks.withheld_papers import BRIDGE
from pipelines import asking, lot_card
from pipelines.settings import Settings
from tests.conftest import antawasi


@pytest.fixture(scope="module")
def connection(house: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with asking.connect(Settings(home=house)) as opened:
        yield opened


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row


def lots_of(connection: duckdb.DuckDBPyConnection, kind: str, most: int) -> list[str]:
    """Keys of some lots of a kind, from all over its list."""
    found = connection.execute(
        "SELECT lot_key FROM marts.dim_lot WHERE is_synthetic AND lot_kind_code = ? ORDER BY hash(lot_key)", [kind]
    ).fetchall()
    return [key for (key,) in found[:most]]


@pytest.mark.parametrize("kind", ["PIT", "LOAD", "PRODUCT"])
def test_a_lot_is_readable(house, connection, kind):
    key, fob = one(
        connection,
        f"""
        SELECT lots.lot_key, sum(fob_usd) AS fob_usd FROM intermediate.int_lot__genealogy AS lots
        JOIN marts.dim_lot AS kinds USING (lot_key, is_synthetic)
        JOIN marts.fct_lot_value_bridge AS bridge
            ON lots.origin_lot_key = bridge.lot_key AND lots.is_synthetic = bridge.is_synthetic
        WHERE lots.is_synthetic AND kinds.lot_kind_code = '{kind}'
        GROUP BY lots.lot_key HAVING bool_and(is_complete) ORDER BY lots.lot_key LIMIT 1
        """,
    )
    told = antawasi("lot", key, home=house, COLUMNS="200").stdout
    assert key in told
    assert "DATOS SIMULADOS" in told
    assert "valor LME del cobre contenido" in told
    assert f"{fob:,.2f}" in told
    assert "comercializadora" in told
    assert "█" in told
    assert antawasi("lot", key.lower(), home=house, COLUMNS="200").stdout == told
    english = antawasi("lot", key, "--lang", "en", home=house, COLUMNS="200").stdout
    assert "LME value of the copper contained" in english
    assert "trader" in english


def test_a_card_tells_what_is_provisional_and_what_does_not_add_up(house, connection):
    key, low, high = one(
        connection,
        f"SELECT lot_key, fob_low_usd, fob_high_usd FROM marts.{BRIDGE} WHERE is_complete AND NOT is_fob_final ORDER BY lot_key LIMIT 1",
    )
    told = antawasi("lot", key, home=house, COLUMNS="200").stdout
    assert "FOB, provisional" in told
    assert "Por llegar todavía: la liquidación final (K" in told
    assert "la DAM regularizada (K" in told
    assert "Todos los documentos están" not in told
    assert f"[{low:,.2f}; {high:,.2f}]" in told
    (broken,) = one(
        connection, "SELECT lot_key FROM marts.mart_lot_finding WHERE finding_code = 'MASS_BALANCE_BREAK' LIMIT 1"
    )
    told = antawasi("lot", broken, home=house, COLUMNS="200").stdout
    assert "Falta: un balance de campaña que cuadre" in told
    assert f"de una campaña salió otro cobre que el que entró ({broken})" in told
    key, lots = one(
        connection,
        "SELECT lots.lot_key, list(DISTINCT finding.lot_key) FROM intermediate.int_lot__genealogy AS lots "
        "JOIN intermediate.int_lot__genealogy AS kin USING (origin_lot_key, is_synthetic) "
        "JOIN marts.mart_transfer_finding AS finding ON finding.lot_key = kin.lot_key "
        "WHERE finding.finding_code = 'INVOICED_BY_ANOTHER' AND lots.lot_key LIKE 'K%' "
        "GROUP BY lots.lot_key ORDER BY count(DISTINCT finding.lot_key) DESC, lots.lot_key LIMIT 1",
    )
    told = antawasi("lot", key, "--lang", "en", home=house, COLUMNS="1000").stdout
    named = told.partition("Parties that differ on sales: invoiced by another than the operator (")[2].partition(")")[0]
    assert len(lots) > 3 and sorted(named.split(", ")) == sorted(lots)


def card(house: Path, key: str, width: int, **options) -> str:
    """A lot's card as a terminal of that width shows it."""
    told = io.StringIO()
    lot_card.lot(Settings(home=house), key, "es", Console(file=told, width=width), **options)
    return told.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("kind", ["PIT", "LOAD", "PRODUCT", "TAILINGS"])
def test_a_card_shortens_no_date_no_money_and_no_label_however_narrow_the_terminal(house, connection, width, kind):
    for key in lots_of(connection, kind, 3):
        wide, told = card(house, key, 200, keys=True), card(house, key, width, keys=True)
        assert max(map(len, told.splitlines())) <= width
        assert "…" not in told
        whole = r"\d{4}-\d\d-\d\d|-?[\d,]+\.\d\d\b|\b[0-9a-f]{32}\b"
        assert sorted(re.findall(whole, told)) == sorted(re.findall(whole, wide))
        lines = [line.strip(" │") for line in told.splitlines()]
        for name in (
            "valor LME del cobre contenido",
            "efecto del período cuotacional",
            "comercializadora",
            "transportista",
        ):
            assert (name in wide) == any(line.startswith(name) for line in lines), (key, name)


@pytest.mark.parametrize("kind", ["PIT", "LOAD", "PRODUCT"])
def test_the_payments_of_a_card_make_up_its_margins(house, connection, kind):
    paid = re.compile(r"^\s+de quién a quién +(\S+) → (\S+) *\n.*\n\s+de \w+ \w+ US\$ +(-?[\d,]+\.\d\d)", re.MULTILINE)
    for key in lots_of(connection, kind, 15):
        told = card(house, key, 60)
        payments, _, margins = told.partition("Margen bruto por eslabón")
        links: Counter[str] = Counter()
        for payer, payee, amount in paid.findall(payments):
            cents = int(amount.replace(",", "").replace(".", ""))
            links[payee] += cents
            links[payer] -= cents
        shown = re.findall(r"([a-z]+) +│? +(-?[\d,]+\.\d\d)", margins)
        assert len(shown) > 1, key
        assert {link: int(margin.replace(",", "").replace(".", "")) for link, margin in shown} == {
            link: cents for link, cents in links.items() if link != "exterior"
        }, key


def test_a_card_tells_the_registrations_state_and_the_keys_that_lead_to_papers(house, connection):
    key, state = one(
        connection,
        f"SELECT lot_key, registry_state FROM marts.{BRIDGE} WHERE registry_state = 'SUSPENDIDO' ORDER BY 1 LIMIT 1",
    )
    told = card(house, key, 100, keys=True)
    assert f"Inscripción en el día del lote: {state}\n" in told
    (transfer, *_) = re.findall(r"\b[0-9a-f]{32}\b", told)
    assert key in antawasi("trace", "fct_transfer", f"transfer_key={transfer}", home=house).stdout
    assert not re.search(r"\b[0-9a-f]{32}\b", card(house, key, 100))


def test_a_lot_that_is_not_there_is_told_with_those_like_it(house):
    failed = antawasi("lot", "M00000000X", home=house, check=False)
    assert failed.returncode != 0
    assert "There is no lot 'M00000000X'; the nearest are M0" in failed.stderr
    failed = antawasi("lot", "M000000000", "--lang", "qu", home=house, check=False)
    assert "use one of es, en" in failed.stderr
