"""Electronic documents to measure with, written by the simulator: invoices, waybills of both kinds, purchase settlements.

Every name and number is invented. Beside signed documents of real issuers (the committed sample, eight invoices and
waybills) they have as many attributes for each element (0.5 to 0.6), the same depth (9) and pack as well (2.4 to 2.9
times; the real ones 2.3 to 3.1, longer ones more).

`python -m benchmarks._sunat_generator FOLDER COUNT`: a process of its own, so that the measuring one stays small.
"""

from __future__ import annotations

import datetime as dt
import random
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.identity import ruc_check_digit
from pipelines.simulator.ubl import DOCUMENT_SCHEMA, LINE_SCHEMA, write_zip

_ORES = ("MINERAL DE COBRE SULFURADO", "MINERAL DE COBRE OXIDADO", "CONCENTRADO DE COBRE", "MINERAL POLIMETALICO")
_GIVEN = ("JULIA", "MARCOS", "ELENA", "PERCY", "NORMA", "WILBER", "YENI", "EDGAR")
_FAMILY = ("CCORIMANYA", "HUALLPA", "ANCCASI", "TICONA", "LIMACHI", "SUPANTA", "CHAUCCA", "MERMA")
_UBIGEOS = ("030101", "040401", "080801", "110301", "150101", "190101", "050601")
_SERIES = {"01": "F001", "09": "T001", "31": "V001", "04": "L001"}


class _Cast:
    """The invented people, companies and lorries of one run."""

    def __init__(self, dice: random.Random):
        self.companies = [(_ruc(dice), f"MINERA EJEMPLO {i:03d} S.A.C.") for i in range(120)]
        self.persons = [
            (f"{dice.randrange(10**7, 10**8)}", dice.choice(_GIVEN), f"{dice.choice(_FAMILY)} {dice.choice(_FAMILY)}")
            for _ in range(1_500)
        ]
        self.plates = [f"{''.join(dice.choices('ABCDEFTVX', k=2))}{dice.randrange(10)}{i:03d}" for i in range(300)]


def _ruc(dice: random.Random) -> str:
    ten = f"20{dice.randrange(10**8):08d}"
    return f"{ten}{ruc_check_digit(ten)}"


def write_zips(folder: Path, count: int, files: int = 4, seed: int = 7) -> None:
    """`count` documents spread over `files` archives: 40 % invoices, 30 + 15 % waybills, 15 % purchase settlements."""
    dice = random.Random(seed)
    cast = _Cast(dice)
    for i in range(files):
        documents, lines = [], []
        for number in range(count * i // files, count * (i + 1) // files):
            document, items = _document(dice, cast, number)
            documents.append(document)
            lines += items
        write_zip(
            folder / f"documents_{i + 1:02d}.zip",
            pl.DataFrame(documents, schema=DOCUMENT_SCHEMA),
            pl.DataFrame(lines, schema=LINE_SCHEMA),
            seed,
        )


def _document(dice: random.Random, cast: _Cast, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    kind = dice.choices(("01", "09", "31", "04"), (40, 30, 15, 15))[0]
    (issuer, issuer_name), (other, other_name) = dice.sample(cast.companies, 2)
    lines = [_line(dice, number, i, "0.18" if kind == "01" else "0") for i in range(1, dice.randrange(1, 4) + 1)]
    document = {
        "document_id": number, "type_code": kind, "series": _SERIES[kind], "number": number + 1,
        "issued_at": dt.datetime(2025, 6, 1) + dt.timedelta(seconds=dice.randrange(30 * 86_400)),
        "issuer_id": issuer, "issuer_name": issuer_name, "issuer_ubigeo": dice.choice(_UBIGEOS),
        "counterparty_kind": "6", "counterparty_id": other, "counterparty_name": other_name,
    }  # fmt: skip
    return document | (_haul(dice, cast, kind) if kind in ("09", "31") else _trade(dice, cast, kind, lines)), lines


def _line(dice: random.Random, document: int, number: int, rate: str) -> dict[str, Any]:
    quantity, price = (
        Decimal(dice.randrange(5_000, 33_000)) / 1_000,
        Decimal(dice.randrange(300_000, 2_000_000)) / 1_000,
    )
    amount = round(quantity * price, 2)
    return {
        "document_id": document, "line_number": number, "item_code": f"ORE{number:03d}",
        "description": f"{dice.choice(_ORES)} LEY {dice.uniform(2, 25):.2f} % CU",
        "quantity": quantity, "unit_code": "TNE", "unit_price": price, "line_amount": amount,
        "igv_amount": round(amount * Decimal(rate), 2), "product_code_sunat": "11101700",
        "mining_right_id": f"0{dice.randrange(10**7, 10**8)}",
    }  # fmt: skip


def _trade(dice: random.Random, cast: _Cast, kind: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    amount, tax = (sum(line[c] for line in lines) for c in ("line_amount", "igv_amount"))
    fields = {
        "currency_code": "PEN", "line_amount": amount, "igv_amount": tax, "payable_amount": amount + tax,
        "payment_form": "Contado", "operation_type_code": "0501" if kind == "04" else "1001",
    }  # fmt: skip
    if kind == "01":
        return fields | {
            "detraction_code": "034", "detraction_pct": Decimal(10), "detraction_pen": round((amount + tax) / 10, 2),
            "detraction_account": f"00-{dice.randrange(10**8, 10**9)}",
            "related_waybill": f"T001-{dice.randrange(1, 90_000)}", "related_waybill_type": "09",
        }  # fmt: skip
    document, given, family = dice.choice(cast.persons)
    return fields | {
        "counterparty_kind": "1", "counterparty_id": document, "counterparty_name": f"{family} {given}",
        "counterparty_ubigeo": dice.choice(_UBIGEOS), "extraction_ubigeo": dice.choice(_UBIGEOS),
        "extraction_place": "PARAJE INVENTADO S/N",
    }  # fmt: skip


def _haul(dice: random.Random, cast: _Cast, kind: str) -> dict[str, Any]:
    document, given, family = dice.choice(cast.persons)
    role = "sender" if kind == "31" else "carrier"
    ruc, name = dice.choice(cast.companies)
    return {
        f"{role}_id": ruc, f"{role}_name": name, "driver_document": document, "driver_given_names": given,
        "driver_family_names": family, "licence": f"Q{document}", "plate": dice.choice(cast.plates),
        "transfer_reason_code": "01", "transport_mode_code": "01",
        "transfer_start_date": dt.date(2025, 6, dice.randrange(1, 31)),
        "gross_weight_kg": Decimal(dice.randrange(5_000, 33_000)), "origin_ubigeo": dice.choice(_UBIGEOS),
        "origin_address": "PARAJE INVENTADO S/N", "destination_ubigeo": dice.choice(_UBIGEOS),
        "destination_address": "CALLE INVENTADA 456", "note": f"Chofer {given}, placa {dice.choice(cast.plates)}",
    }  # fmt: skip


if __name__ == "__main__":
    write_zips(Path(sys.argv[1]), int(sys.argv[2]))
