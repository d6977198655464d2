"""What one run simulates: its size, seed, months and rate of defects, and the parameters behind it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from pathlib import Path

import yaml
from pydantic import ValidationError

from pipelines.errors import AntawasiError
from pipelines.simulator.community import CommunityParameters
from pipelines.simulator.parameters import DefectParameters, Scale, Strict, TradeParameters
from pipelines.simulator.people import PeopleParameters
from pipelines.simulator.prices import PriceParameters
from pipelines.simulator.registry import RegistryParameters

PARAMETERS_FILE = Path(__file__).with_name("parameters.yaml")


class Parameters(Strict):
    """All numbers of the simulated sector, by section of parameters.yaml."""

    scales: dict[str, Scale]
    people: PeopleParameters
    registry: RegistryParameters
    community: CommunityParameters
    prices: PriceParameters
    trade: TradeParameters
    defects: DefectParameters


@functools.lru_cache(maxsize=1)
def load(path: Path = PARAMETERS_FILE) -> Parameters:
    """The parameters of the file.

    Raises:
        AntawasiError: the file does not say what it should; the message names section, field and what is wrong.
    """
    try:
        return Parameters.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise AntawasiError(f"{path}: not valid YAML ({error}). What to do: mend it at that line.") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise AntawasiError(f"{path}: {'; '.join(lines)}. What to do: mend these entries.") from None


@dataclasses.dataclass(frozen=True)
class Plan:
    """One run. `months` are first days; `defects` multiplies the rates of the parameters (0: none)."""

    name: str
    lots: int
    registrations: int
    months: tuple[dt.date, ...]
    chunk_lots: int
    xml: bool
    seed: int
    defects: float

    @property
    def chunks(self) -> int:
        return -(-self.lots // self.chunk_lots)

    @property
    def end(self) -> dt.date:
        """The last simulated day: what happens later is in nobody's files yet."""
        return (self.months[-1] + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)


def make_plan(parameters: Parameters, scale: str, seed: int, months: str | None = None, defects: float = 1.0) -> Plan:
    """A plan from the words of the command line.

    Args:
        scale: a name of section `scales`, or a number of lots (registrations follow the size `small`).
        months: first..last, such as 2022-01..2026-06; by default the scale's own.

    Raises:
        AntawasiError: an unknown scale, months that are none, or a rate below zero.
    """
    sizes = parameters.scales
    if scale in sizes:
        size = sizes[scale]
    elif scale.isdecimal() and int(scale) > 0:
        lots = int(scale)
        like = min((s for s in sizes.values() if s.lots >= lots), key=lambda s: s.lots, default=sizes["large"])
        people = sizes["small"].registrations * lots // sizes["small"].lots
        people = min(max(people, sizes["tiny"].registrations), sizes["large"].registrations)
        size = like.model_copy(update={"lots": lots, "registrations": people})
    else:
        raise AntawasiError(
            f"{scale!r} is no size. What to do: use {', '.join(sizes)}, or a number of lots such as 5000."
        )
    if defects < 0:
        raise AntawasiError(f"A rate of defects of {defects:g} has no meaning. What to do: give 0 (none), 1 or more.")
    return Plan(
        name=scale,
        lots=size.lots,
        registrations=size.registrations,
        months=_months(months or size.months),
        chunk_lots=size.chunk_lots,
        xml=size.xml,
        seed=seed,
        defects=defects,
    )


def _months(text: str) -> tuple[dt.date, ...]:
    try:
        first, last = (dt.date.fromisoformat(f"{part}-01") for part in text.split(".."))
    except ValueError:
        raise AntawasiError(f"{text!r} are no months. What to do: write them as 2022-01..2026-06.") from None
    if not dt.date(2015, 1, 1) <= first <= last:
        raise AntawasiError(f"{text!r}: the months must begin in 2015 or later and not end before they begin.")
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return tuple(
        dt.date(first.year + (first.month - 1 + i) // 12, (first.month - 1 + i) % 12 + 1, 1) for i in range(count)
    )
