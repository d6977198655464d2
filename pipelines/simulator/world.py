"""What every chunk of a run shares: parameters, agents, the registry's history, prices and the calendar of lots."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import polars as pl

from pipelines.settings import DBT_DIR
from pipelines.simulator.dice import Floats, Ints, stream
from pipelines.simulator.firms import Firms, make_firms
from pipelines.simulator.people import People, make_people
from pipelines.simulator.plan import Parameters, Plan
from pipelines.simulator.prices import daily_prices
from pipelines.simulator.registry import Registry, simulate_registry
from pipelines.simulator.roads import Roads

#: The chain of a lot that leaves the pit on the last day goes on this long: campaigns, finals, regularised exports.
TAIL_DAYS = 400


@dataclasses.dataclass(frozen=True, eq=False)
class World:
    """One simulated country.

    Attributes:
        agents: agent_id, role, identity_kind (RUC, DNI), identity, name, ubigeo_code; operators come first (their
            agent_id is their operator_id), then concession holders, then firms (`first_firm` + firm_id).
        prices: one row per day from `epoch` on.
        lots_until: of each day since `epoch`, lots that have left the pits up to and with that day.
        trucks: number of trucks in each of the two pools that take turns by chunk.
    """

    plan: Plan
    parameters: Parameters
    people: People
    registry: Registry
    firms: Firms
    roads: Roads
    agents: pl.DataFrame
    first_firm: int
    epoch: dt.date
    prices: pl.DataFrame
    treatment: pl.DataFrame
    lots_until: Ints
    trucks: int

    @property
    def seed(self) -> int:
        return self.plan.seed

    def date_of(self, days: Ints) -> pl.Series:
        """Dates of days since `epoch`."""
        return pl.Series(np.datetime64(self.epoch) + days.astype("timedelta64[D]")).cast(pl.Date)

    def time_of(self, minutes: Ints) -> pl.Series:
        """Times of minutes since `epoch`'s midnight."""
        return pl.Series((np.datetime64(self.epoch, "m") + minutes.astype("timedelta64[m]")).astype("datetime64[us]"))

    def price(self, metal: str, days: Ints) -> Floats:
        return self.prices[metal].to_numpy()[np.clip(days, 0, len(self.prices) - 1)]

    def month_mean(self, metal: str, days: Ints, ahead: Ints | int) -> Floats:
        """Mean price of the calendar month that lies `ahead` months after the month of each day."""
        months = self.prices.select(
            (pl.col("date").dt.year() * 12 + pl.col("date").dt.month()).alias("month"), pl.col(metal)
        )
        first = int(months["month"][0])
        at = months["month"].to_numpy() - first
        sums = np.bincount(at, weights=months[metal].to_numpy())
        means = sums / np.bincount(at)
        return means[np.clip(at[np.clip(days, 0, len(at) - 1)] + ahead, 0, len(means) - 1)]


def make_world(plan: Plan, parameters: Parameters) -> World:
    """Everything of a run that is not lots. The same plan gives the same world."""
    months = plan.months
    people = make_people(parameters.people, plan.seed, plan.registrations, months)
    registry = simulate_registry(parameters.registry, people, plan.seed, months)
    epoch, end = months[0], _month_end(months[-1])
    departments = sorted(people.registrations["department_code"].unique().to_list())
    firms = make_firms(
        parameters.trade, plan.seed, plan.registrations / parameters.scales["medium"].registrations, departments
    )
    prices = daily_prices(parameters.prices, plan.seed, epoch, end + dt.timedelta(days=TAIL_DAYS))
    traffic = np.cumsum(_traffic(parameters, plan.seed, prices, (end - epoch).days + 1))
    lots_until = np.floor(traffic / traffic[-1] * plan.lots + 0.5).astype(np.int64)
    busiest = np.convolve(np.diff(lots_until, prepend=0), np.ones(14, dtype=np.int64)).max()
    return World(
        plan=plan,
        parameters=parameters,
        people=people,
        registry=registry,
        firms=firms,
        roads=Roads.between(parameters.trade, people, firms),
        agents=_agents(people, firms),
        first_firm=people.operators.height + people.holders.height,
        epoch=epoch,
        prices=prices,
        treatment=pl.read_csv(DBT_DIR / "seeds" / "ref_treatment_charge.csv", try_parse_dates=True),
        lots_until=lots_until,
        trucks=int(busiest) + 1,
    )


def _month_end(month: dt.date) -> dt.date:
    return (month + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)


def _traffic(parameters: Parameters, seed: int, prices: pl.DataFrame, days: int) -> Floats:
    """Relative number of lots of each day: season, growth, last month's copper price, Sundays, blockades."""
    p = parameters.trade
    frame = prices.head(days)
    dates, copper = frame["date"], frame["copper_usd_per_t"].to_numpy()
    lagged = np.concatenate([np.full(min(30, days), copper[0]), copper[: max(days - 30, 0)]])
    weights = np.array(p.month_weights)[dates.dt.month().to_numpy() - 1]
    weights = weights * (1 + p.growth_per_year) ** (np.arange(days) / 365.25)
    weights = weights * (lagged / copper[0]) ** p.price_elasticity
    weights = np.where(dates.dt.weekday().to_numpy() == 7, weights * p.sunday_weight, weights)
    blocked = stream(seed, "blockades").random(days) < p.blockade_days_per_year / 365.25
    return np.where(blocked, weights * p.blockade_weight, weights)


def _agents(people: People, firms: Firms) -> pl.DataFrame:
    natural = pl.col("kind") == "NATURAL"
    operators = people.operators.select(
        pl.lit("operator").alias("role"),
        pl.lit("RUC").alias("identity_kind"),
        pl.col("ruc").alias("identity"),
        "name",
        pl.col("district_code").alias("ubigeo_code"),
        pl.when(natural).then(pl.col("dni")).alias("dni"),
    )
    holders = people.holders.select(
        pl.lit("concession_holder").alias("role"),
        pl.lit("RUC").alias("identity_kind"),
        pl.col("ruc").alias("identity"),
        "name",
        pl.lit("150101").alias("ubigeo_code"),
        pl.lit(None, dtype=pl.String).alias("dni"),
    )
    companies = firms.frame.select(
        "role", pl.lit("RUC").alias("identity_kind"), pl.col("ruc").alias("identity"), "name", "ubigeo_code",
        pl.lit(None, dtype=pl.String).alias("dni"),
    )  # fmt: skip
    agents = pl.concat([operators, holders, companies]).with_row_index("agent_id").cast({"agent_id": pl.Int64})
    assert agents["identity"].n_unique() == agents.height, "two agents share a RUC"
    return agents
