"""The parameters of disclosure control (parameters.yaml, beside this module), checked when they are loaded."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

_FILE = Path(__file__).with_name("parameters.yaml")
Language = Literal["en", "es"]
_HEADINGS = {"en": "| rule | value | why |", "es": "| regla | valor | por qué |"}
_MONTHS = {"en": "months", "es": "meses"}
_LEVELS = {
    "en": {level: level.lower() for level in ("DEPARTMENT", "PROVINCE", "DISTRICT", "YEAR", "QUARTER", "MONTH", "SEX")},
    "es": {
        "DEPARTMENT": "departamento", "PROVINCE": "provincia", "DISTRICT": "distrito", "YEAR": "año", "QUARTER": "trimestre",
        "MONTH": "mes", "SEX": "sexo",
    },
}  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(_Strict):
    """A text in both languages."""

    en: str = Field(min_length=1)
    es: str = Field(min_length=1)


class FinestTable(_Strict):
    """Levels on each axis (see `cells`) that one table may reach together."""

    geo: Literal["NATION", "DEPARTMENT", "PROVINCE", "DISTRICT"]
    time: Literal["YEAR", "QUARTER", "MONTH"]
    sex: Literal["ALL", "SEX"]


class _Explained(_Strict):
    name: Text
    reason: Text


class HoldingCount(_Explained):
    value: int = Field(ge=3)

    def shown(self, language: Language) -> str:
        return str(self.value)


class Percentage(_Explained):
    value: int = Field(gt=0, le=100)

    def shown(self, language: Language) -> str:
        return f"{self.value} %"


class Months(_Explained):
    value: int = Field(ge=0)

    def shown(self, language: Language) -> str:
        return f"{self.value} {_MONTHS[language]}"


class FinestTables(_Explained):
    value: tuple[FinestTable, ...] = Field(min_length=1)

    def shown(self, language: Language) -> str:
        names = _LEVELS[language]
        return ", ".join(
            " × ".join(names[level] for level in (t.geo, t.time, t.sex) if level in names) for t in self.value
        )


class Parameters(_Strict):
    """Every number of disclosure control with its name and its reason, in English and Spanish."""

    least_holdings: HoldingCount
    p_pct: Percentage
    price_least_holdings: HoldingCount
    price_largest_buyer_pct: Percentage
    pit_delay_months: Months
    finest_tables: FinestTables


@functools.cache
def parameters() -> Parameters:
    """What parameters.yaml says.

    Raises:
        pydantic.ValidationError: an entry is missing, unknown or out of range.
    """
    return Parameters.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))


def markdown(language: Language) -> str:
    """All parameters with their reasons, as the table of the method page."""
    told = parameters()
    rows = [getattr(told, name) for name in Parameters.model_fields]
    lines = [
        f"| {getattr(row.name, language)} | {row.shown(language)} | {getattr(row.reason, language).rstrip('.')} |"
        for row in rows
    ]
    return "\n".join([_HEADINGS[language], "|---|---|---|", *lines])
