"""What numbers of the simulation stand for on paper: agents, registrations, trucks, drivers and documents."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import polars as pl

from pipelines.identity import Keyer, canonical
from pipelines.simulator.world import World

#: Drivers' DNI begin here: no DNI of the range has been given out, and operators' stand above it.
_FIRST_DRIVER = 98_000_000
_GIVEN = (
    "JUAN",
    "CARLOS",
    "LUIS",
    "JOSE",
    "PEDRO",
    "JULIO",
    "VICTOR",
    "MARIO",
    "RAUL",
    "HUGO",
    "EDWIN",
    "WILBER",
    "PERCY",
)
_FAMILY = ("QUISPE", "MAMANI", "HUAMAN", "CONDORI", "FLORES", "CCORI", "PUMA", "ROJAS", "TICONA", "APAZA", "CHOQUE")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

c = pl.col


@dataclasses.dataclass(frozen=True)
class Directory:
    """Texts as a file spells them, or the keys that the lake would hold (`keyer` given)."""

    world: World
    keyer: Keyer | None = None

    def agents(self, ids: pl.Series) -> pl.Series:
        return _gather(self._agents, ids)

    def names(self, ids: pl.Series) -> pl.Series:
        return _gather(self.world.agents["name"], ids)

    def registrations(self, ids: pl.Series) -> pl.Series:
        return _gather(self._registrations, ids)

    def plates(self, trucks: pl.Series) -> pl.Series:
        return _gather(self._plates, trucks)

    def documents(self, frame: pl.DataFrame) -> pl.Series:
        """RUC-TYPE-SERIES-NUMBER of every document of a chunk, or its key."""
        spelled = frame.select(
            pl.concat_str(
                pl.Series("issuer", _gather(self.world.agents["identity"], frame["issuer"])),
                c("type_code"), c("series"), c("number").cast(pl.String), separator="-",
            ).alias("document")
        )  # fmt: skip
        if self.keyer is None:
            return spelled["document"]
        head = r"^([0-9]+)-([0-9]{2})-"
        return self.keyer.digest_all(
            spelled.select(c("document").str.replace(head, "DOCUMENT:${1}-${2}-").alias("document"))["document"]
        )

    @functools.cached_property
    def _agents(self) -> pl.Series:
        return self._spelled("RUC", self.world.agents["identity"])

    @functools.cached_property
    def _registrations(self) -> pl.Series:
        return self._spelled("REINFO", self.world.people.registrations["reinfo_id"])

    @functools.cached_property
    def _plates(self) -> pl.Series:
        """A plate for every truck, then each one's misreading: trucks from `misread_from` on are the latter."""
        true = plate(np.arange(self.misread_from))
        wrong = true.str.replace_many(["0", "1", "8", "5"], ["8", "7", "3", "6"]).str.replace("^Z", "2")
        return self._spelled("PLATE", pl.concat([true, wrong]))

    @property
    def misread_from(self) -> int:
        return 4 * self.world.trucks

    def _spelled(self, kind: str, texts: pl.Series) -> pl.Series:
        if self.keyer is None:
            return texts
        keyer = self.keyer
        return pl.Series([keyer.digest(*canonical(kind, text)) for text in texts], dtype=pl.String)


def _gather(table: pl.Series, ids: pl.Series) -> pl.Series:
    """Entries by number; null for none and for agents abroad."""
    wanted = ids.cast(pl.Int64)
    return table.gather(wanted.set(wanted < 0, None)).alias(ids.name)


def plate(truck: np.ndarray) -> pl.Series:
    """Plates of a form that is not given out: Z, two letters, three digits."""
    pairs = truck // 1000 % 676
    return pl.Series(
        [f"Z{_LETTERS[p // 26]}{_LETTERS[p % 26]}{n % 1000:03d}" for p, n in zip(pairs, truck, strict=True)]
    )


def drivers(world: World) -> pl.DataFrame:
    """Each truck's driver: driver_document (DNI), driver_given_names, driver_family_names, licence; a row per truck."""
    truck = np.arange(4 * world.trucks)
    dni = [str(_FIRST_DRIVER + t) for t in truck]
    given = [f"{_GIVEN[t % 13]} {_GIVEN[t // 13 % 13]}" for t in truck]
    family = [f"{_FAMILY[t % 11]} {_FAMILY[t // 11 % 11]}" for t in truck]
    return pl.DataFrame(
        {
            "truck": truck,
            "driver_document": dni,
            "driver_given_names": given,
            "driver_family_names": family,
            "licence": [f"Q{number}" for number in dni],
        }
    )
