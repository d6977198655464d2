"""One language of the site: its sentences (texts/<code>.yaml) and how it writes numbers, dates and periods."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import yaml

from pipelines.contracts import Column, TableContract
from pipelines.errors import AntawasiError

_TEXTS = Path(__file__).parent / "texts"
#: The language at the root of the site; every other one stands in a folder of its code.
MAIN = "es"
#: A number as a frame holds it, or nothing.
Number = Decimal | int | float | None
_QUARTER, _MONTH = re.compile(r"(\d{4})-Q([1-4])"), re.compile(r"(\d{4})-(\d{2})")


@dataclasses.dataclass(frozen=True)
class Language:
    """Sentences by dotted key, and the writing of values. `texts` is the whole YAML file."""

    code: str
    texts: dict[str, Any]

    @property
    def folder(self) -> str:
        """Where its pages stand, with a slash, below the site's root."""
        return "" if self.code == MAIN else f"{self.code}/"

    @property
    def root(self) -> str:
        """Way from its pages to the site's root."""
        return "" if self.code == MAIN else "../"

    def get(self, key: str) -> Any:
        """The part of the file under a dotted key: a sentence, a list or a mapping.

        Raises:
            AntawasiError: the file has no such key.
        """
        part: Any = self.texts
        for name in key.split("."):
            if not isinstance(part, dict) or name not in part:
                raise AntawasiError(
                    f"texts/{self.code}.yaml: no text {key!r}. What to do: add it, with the same key as in texts/{MAIN}.yaml."
                )
            part = part[name]
        return part

    def __call__(self, key: str, /, **values: object) -> str:
        """A sentence with its values in place."""
        return str(self.get(key)).format(**values)

    def coded(self, codes: str, code: str, otherwise: str = "") -> str:
        """What a code means; a code that the texts do not list stays as it is, or as `otherwise` tells it."""
        return str(self.get(f"codes.{codes}").get(code, otherwise or code))

    def place(self, code: str, name: str) -> str:
        """A place's name with its accents; the data's own where the texts do not list the code."""
        return self.coded("places", code, name)

    def listed(self, parts: list[str]) -> str:
        """Parts as a sentence tells them: a, b and c."""
        *first, last = parts
        return self("words.and").join([", ".join(first), last]) if first else last

    # --- values ---------------------------------------------------------------------------------

    def number(self, value: Number, decimals: int = 0) -> str:
        """1 234,5 in Spanish, 1,234.5 in English; spaces do not break. Halves go away from zero. None: a dash."""
        if value is None:
            return "–"
        exact = Decimal(repr(value) if isinstance(value, float) else value)
        rounded = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
        rounded = abs(rounded) if rounded == 0 else rounded  # no minus zero
        text = f"{rounded:,}".translate(
            str.maketrans({",": self.get("format.thousands"), ".": self.get("format.decimal")})
        )
        return text.replace("-", "−")

    def percent(self, frac: Number, decimals: int = 0) -> str:
        """A share from 0 to 1 as 45 %."""
        if frac is None:
            return self.number(None)
        return self("format.percent", number=self.number(Decimal(str(frac)) * 100, decimals))

    def of_hundred(self, frac: Number) -> str:
        """A share from 0 to 1 as a whole number of a hundred."""
        return self.number(None if frac is None else Decimal(str(frac)) * 100)

    def usd(self, value: Number) -> str:
        return self("format.usd", number=self.number(value))

    def tonnes(self, value: Number, decimals: int = 0) -> str:
        return self("format.tonnes", number=self.number(value, decimals))

    def date(self, day: dt.date) -> str:
        """25 nov 2026."""
        return self("format.date", day=day.day, month=self.get("format.months")[day.month - 1], year=day.year)

    def period(self, code: str) -> str:
        """A year (2025), quarter (2025-Q3), month (2025-08 or its first day) as a reader says it."""
        if match := _QUARTER.fullmatch(code):
            return self("format.quarter", number=self.get("format.quarters")[int(match[2]) - 1], year=match[1])
        if match := _MONTH.match(code):
            return self("format.month", month=self.get("format.months")[int(match[2]) - 1], year=match[1])
        return code

    @property
    def d3(self) -> dict[str, Any]:
        """How the axes of charts write numbers."""
        return {
            "decimal": self.get("format.decimal"),
            "thousands": self.get("format.thousands"),
            "grouping": [3],
            "currency": ["US$ ", ""],
        }

    # --- texts of contracts ---------------------------------------------------------------------

    def _in_spanish(self) -> bool:
        """Contracts speak Spanish and English; a language says in its file which of the two its readers get."""
        return self.get("contracts_in") == "es"

    def described(self, what: TableContract | Column) -> str:
        return what.description_es if self._in_spanish() else what.description

    def limitations(self, contract: TableContract) -> str:
        return contract.limitations_es if self._in_spanish() else contract.limitations

    def own(self, both: Any) -> str:
        """Of a text that has `es` and `en`, the one that this language's readers get."""
        return both.es if self._in_spanish() else both.en


@functools.cache
def languages() -> tuple[Language, ...]:
    """Every language with a file in texts/, the main one first."""
    found = [
        Language(
            path.stem, yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        )
        for path in sorted(_TEXTS.glob("*.yaml"))
    ]
    return tuple(sorted(found, key=lambda language: language.code != MAIN))
