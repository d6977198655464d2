"""Roads between pits, plants and the port: never shorter than the straight line between the districts' capitals."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from pipelines.simulator.dice import Floats, Ints, uniform
from pipelines.simulator.firms import Firms
from pipelines.simulator.parameters import Range, TradeParameters
from pipelines.simulator.people import People, districts

_EARTH_KM = 6371.0


def great_circle_km(lat_a: Floats, lon_a: Floats, lat_b: Floats, lon_b: Floats) -> Floats:
    """Distance on the sphere (haversine), degrees in, kilometres out."""
    a, b, c, d = (np.radians(np.asarray(v, dtype=float)) for v in (lat_a, lon_a, lat_b, lon_b))
    h = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return 2 * _EARTH_KM * np.arcsin(np.sqrt(h))


@dataclasses.dataclass(frozen=True)
class Roads:
    """Where registrations and firms are, as (n, 2) arrays of degrees, and how winding the roads are."""

    registrations: Floats
    firms: Floats
    plants: Ints
    bends: tuple[Range, ...]
    local_km: Range
    port_bends: Range

    @classmethod
    def between(cls, p: TradeParameters, people: People, firms: Firms) -> Roads:
        table = districts().select("district_code", "latitude", "longitude")

        def place(codes: pl.Series) -> Floats:
            found = pl.DataFrame({"district_code": codes}).join(
                table, on="district_code", how="left", maintain_order="left"
            )
            return found.select("latitude", "longitude").to_numpy()

        departments = people.registrations["department_code"].to_list()
        first, count = firms.first["plant"], firms.count["plant"]
        return cls(
            registrations=place(people.registrations["district_code"]),
            firms=place(firms.frame["ubigeo_code"]),
            plants=np.arange(first, first + count),
            bends=tuple(p.road_bends.get(d, p.road_bends["default"]) for d in departments),
            local_km=p.local_km,
            port_bends=p.port_bends,
        )

    def straight_km(self, registrations: Ints, firms: Ints) -> Floats:
        """From a registration's district to a firm's (numbers of rows)."""
        a, b = self.registrations[registrations], self.firms[firms]
        return great_circle_km(a[:, 0], a[:, 1], b[:, 0], b[:, 1])

    def road_km(self, rng: np.random.Generator, registrations: Ints, firms: Ints) -> Floats:
        """One trip's road: the straight line and its bends; within a district a local road."""
        bends = np.array([(self.bends[r].low, self.bends[r].high) for r in registrations]).reshape(-1, 2)
        n = len(registrations)
        winding = self.straight_km(registrations, firms) * rng.uniform(bends[:, 0], bends[:, 1], n)
        return np.maximum(winding, uniform(rng, self.local_km, n))

    def expected_km(self, registrations: Ints) -> Floats:
        """Mean road from a registration to the plants, which sellers and buyers at the pit reckon with."""
        middle = np.repeat(self.firms[self.plants].mean(axis=0)[None, :], len(registrations), axis=0)
        a = self.registrations[registrations]
        bends = np.array([(self.bends[r].low + self.bends[r].high) / 2 for r in registrations])
        return great_circle_km(a[:, 0], a[:, 1], middle[:, 0], middle[:, 1]) * bends

    def port_km(self, rng: np.random.Generator, plants: Ints, traders: Ints) -> tuple[Floats, Floats]:
        """(straight line, road) from plants to traders' stores in the port."""
        a, b = self.firms[plants], self.firms[traders]
        straight = great_circle_km(a[:, 0], a[:, 1], b[:, 0], b[:, 1])
        return straight, straight * uniform(rng, self.port_bends, len(plants))
