"""What each published figure is and how it is computed: read from contracts, products and models, written nowhere twice."""

from __future__ import annotations

import re

from pipelines.contracts import Column, TableContract
from pipelines.publish import products
from pipelines.publish.products import Disclosed
from pipelines.settings import DBT_DIR

_DIVISOR = re.compile(r"/ nullif\((.+), 0\)$")
_PLACES = {"NATION": f"'{products.COUNTRY}'", "DEPARTMENT": "left(ubigeo_code, 2)", "PROVINCE": "left(ubigeo_code, 4)"}
_PERIODS = {
    "YEAR": "strftime(month, '%Y')",
    "QUARTER": "strftime(month, '%Y') || '-Q' || quarter(month)",
    "MONTH": "strftime(month, '%Y-%m')",
}


def figures(contract: TableContract) -> list[Column]:
    """The columns that are published figures: what has a unit and does not name the row."""
    return [column for column in contract.columns if column.unit and not column.key_position]


def denominator(column: Column) -> str | None:
    """What a ratio's formula divides by, None for what is no ratio."""
    found = _DIVISOR.search(column.formula or "")
    return found[1] if found else None


def model(contract: TableContract) -> str:
    """The dbt model that a table's figures are from; under disclosure control, the one of the parties' contributions."""
    return contract.disclosed_from or contract.name


def model_sql(contract: TableContract) -> str:
    """That model's SQL as it is kept, with dbt's references and macros."""
    (path,) = DBT_DIR.glob(f"models/**/{model(contract)}.sql")
    return path.read_text(encoding="utf-8").strip()


def sums_sql(contract: TableContract) -> str | None:
    """SQL on the analysts' copy that adds contributions up to a table's cells, of both sexes together and before any is hidden;
    None where no contributions are added up."""
    found = next((disclosed for disclosed in products.DISCLOSED if disclosed.table == contract.name), None)
    return _sums(found) if found else None


def _sums(disclosed: Disclosed) -> str:
    table = disclosed.tables[0]
    split = [disclosed.split_by] if disclosed.split_by not in (None, "month") else []
    columns = [
        *split, "place_code", "period_code", *(f"sum({m}) AS {m}" for m in disclosed.measures), "is_synthetic",
    ]  # fmt: skip
    listed = ",\n       ".join(columns)
    places, periods = (
        ", ".join(known[level] for level in levels) for known, levels in ((_PLACES, table.geo), (_PERIODS, table.time))
    )
    return (
        f"SELECT {listed}\nFROM intermediate.{disclosed.contributions},\n"
        f"     unnest(list_distinct([{places}])) AS places(place_code),\n"
        f"     unnest([{periods}]) AS periods(period_code)\nGROUP BY ALL\nORDER BY ALL"
    )
