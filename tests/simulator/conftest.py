"""One simulated world that tests look at, and one small simulation written out whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.simulator.plan import Plan, load, make_plan
from pipelines.simulator.sector import Simulated, simulate
from pipelines.simulator.world import World, make_world


@pytest.fixture(scope="session")
def plan() -> Plan:
    return make_plan(load(), "small", seed=7)


@pytest.fixture(scope="session")
def world(plan: Plan) -> World:
    """All agents and the registry of size `small`; its lots are made chunk by chunk as tests ask for them."""
    return make_world(plan, load())


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    return simulate(make_plan(load(), "tiny", seed=7), tmp_path_factory.mktemp("sector") / "tiny")


@pytest.fixture(scope="session")
def truth(tiny: Simulated):
    """Truth tables of `tiny` by name."""
    import polars as pl

    def read(name: str) -> pl.DataFrame:
        return pl.read_parquet(Path(tiny.folder) / "truth" / name / "*.parquet")

    return read
