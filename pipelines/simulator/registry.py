"""The registry's true life: conditions that lapse, suspensions, the purge of 2025, appeals, formalization.

Every status follows from a cause. A registration is suspended exactly while one of its conditions is not met; the purge
excludes who has been suspended for more than a year; who gets the authorisation leaves as formalised. Days are
counted since 1970 and `_NEVER` stands for an open end; what lies behind the last simulated day is cut off.
"""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from pipelines.simulator.dice import Ints, apportion, pick, stream
from pipelines.simulator.parameters import Range, Skewed, Strict
from pipelines.simulator.people import People, check_codes, check_shares, day_of, days_of, draw_days, last_day
from pipelines.simulator.snapshots import SnapshotParameters, plan_snapshots, shown
from pipelines.simulator.steps import Facts, StepParameters, lay_chain, step_events

#: Conditions to be in good standing, with the cause of the suspension that follows where one is not met.
CAUSE_BY_CONDITION = {
    "IGAFOM_PRESENTADO": "FALTA_IGAFOM",
    "RUC_TERCERA_ACTIVO": "RUC_INACTIVO",
    "DECLARACION_SEMESTRAL": "SIN_DECLARACION",
    "SINCERAMIENTO_UBICACION": "SINCERAMIENTO",
}
CONDITIONS = tuple(CAUSE_BY_CONDITION)
_IGAFOM, _RUC, _DECLARATION, _LOCATION = range(len(CONDITIONS))
#: What may follow what; the first status of every registration is VIGENTE.
TRANSITIONS = frozenset(
    {
        ("VIGENTE", "SUSPENDIDO"), ("SUSPENDIDO", "VIGENTE"), ("SUSPENDIDO", "EXCLUIDO"), ("VIGENTE", "EXCLUIDO"),
        ("EXCLUIDO", "REINCORPORADO"), ("REINCORPORADO", "VIGENTE"), ("VIGENTE", "FORMALIZADO"), ("VIGENTE", "RENUNCIA"),
    }
)  # fmt: skip
_NEVER = 90_000
_SPAN = 100_000  # days between two registrations in a composite key; more than any day


class Careers(Strict):
    """Shares of the registrations that stand in the registry on the day of the purge; the others comply."""

    abandoned_early: float = Field(ge=0, le=1)
    abandoned_late: float = Field(ge=0, le=1)
    recently_suspended: float = Field(ge=0, le=1)
    rescued: float = Field(ge=0, le=1)


class Appeals(Strict):
    appeal: float = Field(ge=0, le=1)
    upheld: float = Field(ge=0, le=1)
    days_to_appeal: Range
    days_to_decide: Skewed
    days_to_reinscribe: int = Field(gt=0)


class Truthing(Strict):
    """The truthing of locations (sinceramiento) of 2026."""

    opened: dt.date
    deadline: dt.date
    comply: float = Field(ge=0, le=1)
    comply_late: float = Field(ge=0, le=1)
    days_late: Skewed
    rush: float = Field(ge=1)


class RegistryParameters(Strict):
    """See parameters.yaml, section `registry`, where each number has its unit and its source."""

    permanence_from: dt.date
    grace_days: int = Field(gt=0)
    declaration_due_days: int = Field(ge=0, le=60)
    causes: dict[str, float]
    second_ruc_lapse: float = Field(ge=0, le=1)
    days_to_second_lapse: Range
    purge_date: dt.date
    purge_after_days: int = Field(gt=0)
    early_after_days: int = Field(gt=0)
    careers: Careers
    calm_days: int = Field(gt=0)
    rescue_from: dt.date
    recent_cured: float = Field(ge=0, le=1)
    recent_cure_days: Skewed
    ruc_lapses_per_year: float = Field(ge=0, lt=1)
    declarations_missed: float = Field(ge=0, lt=1)
    lapse_days: Skewed
    formalised: float = Field(ge=0, le=1)
    formalised_by_department: dict[str, float]
    renounced_per_year: float = Field(ge=0, lt=1)
    false_data_per_year: float = Field(ge=0, lt=1)
    appeals: Appeals
    truthing: Truthing
    steps: StepParameters
    snapshots: SnapshotParameters
    unrelated_taxpayers: float = Field(ge=0)
    holders_struck_off: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _sound(self) -> RegistryParameters:
        check_shares(causes=self.causes)
        check_codes("causes", self.causes, CONDITIONS[:_LOCATION])
        if "default" not in self.formalised_by_department:
            raise ValueError("formalised_by_department has no entry 'default', for the departments that are not listed")
        if sum(self.careers.model_dump().values()) > 1:
            raise ValueError("careers sum to more than 1, expected shares of all registrations")
        if (
            not self.permanence_from
            < self.rescue_from
            < self.purge_date
            < self.truthing.opened
            < self.truthing.deadline
        ):
            raise ValueError(
                "expected permanence_from < rescue_from < purge_date < truthing.opened < truthing.deadline"
            )
        if self.lapse_days.maximum >= self.purge_after_days:
            raise ValueError("lapse_days.maximum reaches purge_after_days: a lapse that is cured would be purged")
        return self


@dataclasses.dataclass(frozen=True)
class Registry:
    """What is true of each registration, and which public files there are of it.

    Attributes:
        intervals: registration_id, status_code, valid_from, valid_to (exclusive; null: open), cause. They follow one
            another without a gap from the inscription on.
        conditions: registration_id, condition_code, is_met (or not yet due), valid_from, valid_to, from the inscription
            or the beginning of the rule on; a registration that has left has none after that day.
        events: event_id, registration_id, step_code, event_date, outcome_code, authority_code, evidence_id, semester,
            declared_mineral_code, declared_t (wmt), is_reported (in the partner's file), date_precision_code.
        snapshots: month, as_of (null: MISSING), layout, format, kind, is_renamed, is_shuffled, cut_by (PARTIAL alone).
        keys, codes: the starts of the intervals as registration_id * 100,000 + day, ascending, with their status.
    """

    parameters: RegistryParameters
    seed: int
    intervals: pl.DataFrame
    conditions: pl.DataFrame
    events: pl.DataFrame
    snapshots: pl.DataFrame
    keys: Ints
    codes: np.ndarray


def status_on(registry: Registry, ids: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """Status of registrations `ids` on `dates` (datetime64[D], same shape), as text; empty before the inscription.

    The last simulated status holds for every later day.
    """
    ids = np.asarray(ids, dtype=np.int64)
    days = np.clip(np.asarray(dates).astype("datetime64[D]").astype(np.int64), 0, _SPAN - 1)
    at = np.searchsorted(registry.keys, ids * _SPAN + days, side="right") - 1
    inscribed = (at >= 0) & (registry.keys[at.clip(min=0)] // _SPAN == ids)
    return np.where(inscribed, registry.codes[at.clip(min=0)], "")


def simulate_registry(p: RegistryParameters, people: People, seed: int, months: tuple[dt.date, ...]) -> Registry:
    """The life of each registration up to the last day of `months`. There is a purge if the months reach it."""
    cast = _cast(p, people, months)
    chain = lay_chain(p.steps, people, stream(seed, "steps"), cast.inscribed, cast.bound + p.grace_days)
    leave, farewell = _leaves(
        p, cast, stream(seed, "leaves"), people, chain.day("AUTORIZACION_INICIO_REINICIO", chain.filed)
    )
    lapses = _lapses(p, cast, stream(seed, "lapses"), leave)
    purge = _purge(p, cast, stream(seed, "purge"), lapses)
    lapses = lapses.until(purge["reinstated"])
    truthing, asked, told = _truthing(p, cast, stream(seed, "truthing"), leave, purge)
    lapses = lapses.joined(truthing)
    gone = np.minimum(leave, purge["excluded"])
    intervals = _intervals(p, cast, lapses, leave, farewell, purge)
    registry = Registry(
        parameters=p,
        seed=seed,
        intervals=_dated(intervals),
        conditions=_dated(_conditions(cast, lapses, leave, asked, day_of(p.truthing.opened))),
        events=pl.DataFrame(),
        snapshots=plan_snapshots(p.snapshots, stream(seed, "snapshots"), months, p.purge_date),
        keys=intervals["registration_id"].to_numpy() * _SPAN + intervals["valid_from"].to_numpy(),
        codes=intervals["status_code"].to_numpy().astype(str),
    )

    def stands(ids: Ints, days: Ints) -> np.ndarray:
        return np.isin(status_on(registry, ids, days.astype("datetime64[D]")), ("VIGENTE", "REINCORPORADO"))

    igafom = lapses.of(_IGAFOM)
    filed = chain.filed.copy()
    filed[igafom.registration] = igafom.stop
    cured, silent = lapses.of(_RUC), lapses.of(_DECLARATION)
    facts = Facts(
        end=cast.end,
        filed=filed,
        authorised=np.where(farewell == "FORMALIZADO", leave, _NEVER),
        renounced=np.where(farewell == "RENUNCIA", leave, _NEVER),
        excluded=np.where(farewell == "EXCLUIDO", leave, purge["excluded"]),
        appealed=purge["appealed"],
        decided=purge["decided"],
        reinstated=purge["reinstated"],
        told=told,
        gone=np.where(purge["reinstated"] < _NEVER, _NEVER, gone),
        ruc_cured=(cured.registration, cured.stop),
        undeclared=(silent.registration, silent.start, silent.stop),
        stands=stands,
    )
    dues = _dues(p, cast.end)
    events = step_events(p.steps, people, stream(seed, "events"), cast.inscribed, dues, chain, facts)
    return dataclasses.replace(registry, events=events)


def snapshot_frame(registry: Registry, people: People, snapshot: dict, seed: int) -> pl.DataFrame:
    """Rows (`reinfo_files.COLUMNS`) of one public file.

    Args:
        snapshot: a row of `registry.snapshots` that is not MISSING, as a dict. One of kind STALE shows what the file
            of its `as_of` showed.
    """
    rows = people.registrations.join(
        people.operators.select("operator_id", "ruc", "name", "representative_name"),
        on="operator_id", how="left", maintain_order="left",
    )  # fmt: skip
    ids = rows["registration_id"].to_numpy()
    status = status_on(registry, ids, np.full(len(ids), np.datetime64(snapshot["as_of"], "D")))
    # who comes back is in good standing again for the public
    rows = rows.with_columns(pl.Series("status_code", np.where(status == "REINCORPORADO", "VIGENTE", status)))
    return shown(registry.parameters.snapshots, seed, rows, snapshot)


# --- who stands where ---------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Cast:
    """Days of each registration (owner, inscribed, bound: conditions hold from here) and operator (held, ready)."""

    owner: Ints
    inscribed: Ints
    bound: Ints
    held: Ints
    ready: Ints
    purge: int
    end: int


def _cast(p: RegistryParameters, people: People, months: tuple[dt.date, ...]) -> _Cast:
    owner = people.registrations["operator_id"].to_numpy()
    inscribed = days_of(people.registrations["inscription_date"])
    bound = np.maximum(inscribed, day_of(p.permanence_from))
    operators, purge = people.operators.height, day_of(p.purge_date)
    ready = np.zeros(operators, dtype=np.int64)
    np.maximum.at(ready, owner, bound + p.grace_days)
    held = np.bincount(owner[inscribed < purge], minlength=operators)
    return _Cast(owner, inscribed, bound, held, ready, purge, last_day(months))


def _leaves(
    p: RegistryParameters, cast: _Cast, rng: np.random.Generator, people: People, authorised: Ints
) -> tuple[Ints, np.ndarray]:
    """Day on which each registration leaves by authorisation, renunciation or for false data, and its last status."""
    n = len(cast.owner)
    leave, farewell = np.full(n, _NEVER), np.full(n, "", dtype="<U13")
    for status, rate in (("RENUNCIA", p.renounced_per_year), ("EXCLUIDO", p.false_data_per_year)):
        day = cast.bound + p.grace_days + rng.exponential(365.25 / max(rate, 1e-9), n).clip(max=_NEVER).astype(np.int64)
        sooner = (day < leave) & (day <= cast.end)
        leave[sooner], farewell[sooner] = day[sooner], status
    departments = people.registrations["department_code"].to_numpy()
    present = np.unique(departments)
    weights = [p.formalised_by_department.get(d, p.formalised_by_department["default"]) for d in present]
    order = rng.permutation(n)
    for department, wanted in zip(present, apportion(round(p.formalised * n), weights), strict=True):
        chosen = order[(departments[order] == department) & (authorised[order] <= cast.end)][:wanted]
        leave[chosen], farewell[chosen] = authorised[chosen], "FORMALIZADO"
    return leave, farewell


def _take(order: Ints, weights: Ints, wanted: int) -> Ints:
    """The first of `order` whose weights fill `wanted`, and then lighter ones that still fit."""
    total = np.cumsum(weights[order])
    fits = int(np.searchsorted(total, wanted, side="right"))
    rest = order[fits:]
    missing = wanted - (int(total[fits - 1]) if fits else 0)
    single = rest[weights[rest] == 1][:missing]
    return np.concatenate([order[:fits], single])


_COMPLIES, _EARLY, _LATE, _RECENT, _RESCUED = range(5)


def _careers(p: RegistryParameters, cast: _Cast, rng: np.random.Generator, leave: Ints) -> Ints:
    """What becomes of each operator. Who leaves by an act of its own has complied, on all its registrations."""
    careers = np.full(len(cast.held), _COMPLIES)
    free = np.ones(len(cast.held), dtype=bool)
    free[cast.owner[leave < _NEVER]] = False
    standing = int(((cast.inscribed < cast.purge) & (leave >= cast.purge)).sum())
    order = rng.permutation(len(cast.held))
    # the oldest standing first: not everybody was there long enough ago
    for career, share, before in (
        (_EARLY, p.careers.abandoned_early, p.early_after_days),
        (_LATE, p.careers.abandoned_late, p.purge_after_days),
        (_RECENT, p.careers.recently_suspended, 0),
        (_RESCUED, p.careers.rescued, 0),
    ):
        able = free & (cast.held > 0) & (cast.ready < cast.purge - before - p.calm_days)
        chosen = _take(order[able[order]], cast.held, round(share * standing))
        careers[chosen] = career
        free[chosen] = False
    return careers


# --- lapses of conditions -----------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Lapses:
    """Spans in which a condition of a registration is not met: [start, stop) in days."""

    registration: Ints
    condition: Ints
    start: Ints
    stop: Ints

    def where(self, mask: np.ndarray) -> _Lapses:
        """Those of a mask, or at positions."""
        return _Lapses(self.registration[mask], self.condition[mask], self.start[mask], self.stop[mask])

    def of(self, condition: int) -> _Lapses:
        return self.where(self.condition == condition)

    def until(self, days: Ints) -> _Lapses:
        """Cut at the day of each registration."""
        cut = dataclasses.replace(self, stop=np.minimum(self.stop, days[self.registration]))
        return cut.where(cut.start < cut.stop)

    def joined(self, *others: _Lapses) -> _Lapses:
        parts = (self, *others)
        return _Lapses(*(np.concatenate([getattr(one, f.name) for one in parts]) for f in dataclasses.fields(self)))

    def united(self, key: Ints) -> tuple[_Lapses, Ints]:
        """Spans of equal `key` that touch or overlap as one, with the first one's condition; and their keys."""
        order = np.lexsort((self.stop, self.start, key))
        one, group = self.where(order), key[order]
        reach = np.maximum.accumulate(one.stop + group * _SPAN)
        is_new = np.append(True, one.start[1:] + group[1:] * _SPAN > reach[:-1])[: len(group)]
        first = np.flatnonzero(is_new)
        stop = (reach - group * _SPAN)[np.append(first[1:], len(group)) - 1] if len(first) else one.stop
        return _Lapses(one.registration[first], one.condition[first], one.start[first], stop), group[first]


def _dues(p: RegistryParameters, end: int) -> Ints:
    """First days on which a half-yearly declaration is late."""
    first, last = p.permanence_from.year, dt.date(1970, 1, 1) + dt.timedelta(days=end)
    ends = [dt.date(year, month, 1) for year in range(first, last.year + 2) for month in (1, 7)]
    return np.array([day_of(d) + p.declaration_due_days for d in ends])


def _lapses(p: RegistryParameters, cast: _Cast, rng: np.random.Generator, leave: Ints) -> _Lapses:
    """Every lapse but those of the truthing. What an operator gives up or forgets holds for all its registrations."""
    careers = _careers(p, cast, rng, leave)
    dues = _dues(p, max(cast.end, cast.purge))
    complies = careers == _COMPLIES
    steady = complies.copy()
    steady[cast.owner[leave < _NEVER]] = False
    shared = _lasting(p, cast, rng, dues, careers).joined(_struck_off(p, cast, rng, steady))
    missed = _missed_declarations(p, cast, rng, dues, complies[cast.owner] & (leave == _NEVER))
    return _of_registrations(cast, shared).joined(missed)


def _lasting(p: RegistryParameters, cast: _Cast, rng: np.random.Generator, dues: Ints, careers: Ints) -> _Lapses:
    """Lapses of operators who do not comply: the first one, and those that come with it, until the same day."""
    n = len(careers)
    early, late = cast.purge - p.early_after_days, cast.purge - p.purge_after_days
    is_early, is_late, is_recent = (careers == career for career in (_EARLY, _LATE, _RECENT))
    low = np.maximum(cast.ready, np.select([is_late, is_recent], [early, late + 1], 0))
    high = np.maximum(np.select([is_early, is_late], [early, late], cast.purge - p.calm_days), low + 1)
    start = (low + rng.random(n) * (high - low)).astype(np.int64)
    condition = pick(rng, [p.causes[c] for c in CONDITIONS[:_LOCATION]], n)
    # a declaration is missed on a day when one is due, if there was one
    after = np.searchsorted(dues, start)
    due = np.where(dues[after] < high, dues[after], dues[np.maximum(after - 1, 0)])
    condition = np.where((condition == _DECLARATION) & ((due < low) | (due >= high)), _RUC, condition)
    start = np.where(condition == _DECLARATION, due, start)

    stop = np.full(n, _NEVER)
    rescued = careers == _RESCUED
    stop[rescued] = rng.integers(day_of(p.rescue_from), cast.purge - 1, n)[rescued]
    cured = is_recent & (rng.random(n) < p.recent_cured)
    stop[cured] = (cast.purge + 1 + draw_days(rng, p.recent_cure_days, n))[cured]

    operators = np.arange(n)
    first = _Lapses(operators, condition, start, stop).where(careers != _COMPLIES)
    gave_up = is_early | is_late | rescued
    next_due = dues[np.searchsorted(dues, start + 1)]
    silent = _Lapses(operators, np.full(n, _DECLARATION), next_due, stop)
    wait = p.days_to_second_lapse
    later = start + rng.uniform(wait.low, wait.high, n).astype(np.int64)
    struck = _Lapses(operators, np.full(n, _RUC), later, stop)
    loses_ruc = rng.random(n) < p.second_ruc_lapse
    return first.joined(
        silent.where(gave_up & (condition != _DECLARATION) & (next_due < stop)),
        struck.where(gave_up & (condition != _RUC) & (later < stop) & loses_ruc),
    )


def _struck_off(p: RegistryParameters, cast: _Cast, rng: np.random.Generator, steady: np.ndarray) -> _Lapses:
    """Operators who comply lose their active RUC now and then, and mend it."""
    years = np.maximum(cast.end - cast.ready, 0) / 365.25
    who = np.repeat(np.arange(len(steady)), np.where(steady, rng.poisson(p.ruc_lapses_per_year * years), 0))
    start = cast.ready[who] + (rng.random(len(who)) * (cast.end - cast.ready[who])).astype(np.int64)
    return _Lapses(who, np.full(len(who), _RUC), start, start + draw_days(rng, p.lapse_days, len(who)))


def _of_registrations(cast: _Cast, lapses: _Lapses) -> _Lapses:
    """Lapses of operators (in place of registrations), for each of their registrations."""
    order = np.argsort(cast.owner, kind="stable")
    first = np.searchsorted(cast.owner[order], np.arange(len(cast.held) + 1))
    counts = np.diff(first)[lapses.registration]
    row = np.repeat(np.arange(len(counts)), counts)
    nth = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    each = lapses.where(row)
    return dataclasses.replace(each, registration=order[first[each.registration] + nth])


def _missed_declarations(
    p: RegistryParameters, cast: _Cast, rng: np.random.Generator, dues: Ints, may: np.ndarray
) -> _Lapses:
    """Registrations of who complies forget a declaration now and then, and hand it in later."""
    missed = (rng.random((len(may), len(dues))) < p.declarations_missed) & may[:, None]
    missed &= (dues >= cast.ready[cast.owner][:, None]) & (dues <= cast.end)
    registration, due = np.nonzero(missed)
    start = dues[due]
    return _Lapses(
        registration, np.full(len(start), _DECLARATION), start, start + draw_days(rng, p.lapse_days, len(start))
    )


# --- the purge, appeals, the truthing of locations ----------------------------------------------------


def _purge(p: RegistryParameters, cast: _Cast, rng: np.random.Generator, lapses: _Lapses) -> dict[str, Ints]:
    """Days on which each registration is excluded, appeals, has its answer and comes back; an operator does so as one."""
    never = np.full(len(cast.owner), _NEVER)
    days = {name: never.copy() for name in ("excluded", "appealed", "decided", "reinstated")}
    if cast.end < cast.purge:
        return days
    spans, _ = lapses.united(lapses.registration)
    too_long = spans.where((spans.start <= cast.purge - p.purge_after_days) & (spans.stop > cast.purge))
    days["excluded"][too_long.registration] = cast.purge
    out = np.bincount(cast.owner[too_long.registration], minlength=len(cast.held))
    order = rng.permutation(np.flatnonzero(out))
    appellants = _take(order, out, round(p.appeals.appeal * int(out.sum())))
    winners = _take(appellants, out, round(p.appeals.upheld * int(out[appellants].sum())))
    band = p.appeals.days_to_appeal
    appeal = cast.purge + rng.integers(round(band.low), round(band.high) + 1, len(out))
    decision = appeal + draw_days(rng, p.appeals.days_to_decide, len(out))
    for name, whose, when in (
        ("appealed", appellants, appeal),
        ("decided", appellants, decision),
        ("reinstated", winners, decision),
    ):
        mine = np.isin(cast.owner, whose) & (days["excluded"] < _NEVER) & (when[cast.owner] <= cast.end)
        days[name][mine] = when[cast.owner[mine]]
    return days


def _truthing(
    p: RegistryParameters, cast: _Cast, rng: np.random.Generator, leave: Ints, purge: dict[str, Ints]
) -> tuple[_Lapses, np.ndarray, Ints]:
    """Lapses of those who let the deadline pass; which registrations had to tell their location, and when each did."""
    t, n = p.truthing, len(cast.owner)
    opened, deadline = day_of(t.opened), day_of(t.deadline)
    # most come near the deadline
    in_time = deadline - np.floor(rng.beta(1, t.rush, n) * (deadline - opened)).astype(np.int64)
    late = np.where(rng.random(n) < t.comply_late, deadline + 1 + draw_days(rng, t.days_late, n), _NEVER)
    bound = (
        (cast.inscribed < opened)
        & (leave > deadline)
        & ((purge["excluded"] == _NEVER) | (purge["reinstated"] < opened))
    )
    complies = (rng.random(n) < t.comply) | (leave < _NEVER) | (purge["reinstated"] < _NEVER)
    told = np.where(bound, np.where(complies, in_time, late), _NEVER)
    failed = np.flatnonzero(bound & ~complies)
    return (
        _Lapses(failed, np.full(len(failed), _LOCATION), np.full(len(failed), deadline + 1), told[failed]),
        bound,
        told,
    )


# --- intervals ----------------------------------------------------------------------------------------


def _intervals(
    p: RegistryParameters, cast: _Cast, lapses: _Lapses, leave: Ints, farewell: np.ndarray, purge: dict[str, Ints]
) -> pl.DataFrame:
    """Status intervals in days, by registration and day."""
    everyone = np.arange(len(cast.owner))
    gone = np.minimum(leave, purge["excluded"])
    spans, _ = lapses.united(lapses.registration)
    spans = spans.where(spans.start < gone[spans.registration])
    cured = spans.where(spans.stop < gone[spans.registration])
    back = np.flatnonzero(purge["reinstated"] < _NEVER)
    again = purge["reinstated"] + p.appeals.days_to_reinscribe
    left = np.flatnonzero(leave < _NEVER)
    out = np.flatnonzero(purge["excluded"] < _NEVER)
    causes = np.array([CAUSE_BY_CONDITION[c] for c in CONDITIONS])
    goodbye = {"FORMALIZADO": "AUTORIZACION", "RENUNCIA": "VOLUNTARIA", "EXCLUIDO": "DATOS_FALSOS"}
    parts = [
        (everyone, cast.inscribed, "VIGENTE", "INSCRIPCION"),
        (spans.registration, spans.start, "SUSPENDIDO", causes[spans.condition]),
        (cured.registration, cured.stop, "VIGENTE", "SUBSANACION"),
        (left, leave[left], farewell[left], np.array([goodbye[s] for s in farewell[left]], dtype=str)),
        (out, purge["excluded"][out], "EXCLUIDO", f"PURGA_{p.purge_date.year}"),
        (back, purge["reinstated"][back], "REINCORPORADO", "APELACION"),
        (back, again[back], "VIGENTE", "APELACION"),
    ]
    frame = pl.concat(
        pl.DataFrame({"registration_id": ids, "valid_from": days}).with_columns(
            pl.Series("status_code", np.broadcast_to(status, len(ids)).astype(str), dtype=pl.String),
            pl.Series("cause", np.broadcast_to(cause, len(ids)).astype(str), dtype=pl.String),
        )
        for ids, days, status, cause in parts
    )
    return (
        frame.filter(pl.col("valid_from") <= cast.end)
        .sort("registration_id", "valid_from")
        .with_columns(pl.col("valid_from").shift(-1).over("registration_id").alias("valid_to"))
        .select("registration_id", "status_code", "valid_from", "valid_to", "cause")
    )


def _conditions(cast: _Cast, lapses: _Lapses, leave: Ints, asked: np.ndarray, opened: int) -> pl.DataFrame:
    """Each condition of each registration as intervals in days, met and not met by turns, while it is registered."""
    spans, key = lapses.united(lapses.registration * len(CONDITIONS) + lapses.condition)
    every = np.arange(len(cast.owner) * len(CONDITIONS))
    is_location = every % len(CONDITIONS) == _LOCATION
    begins = np.where(is_location, opened, cast.bound[every // len(CONDITIONS)])
    holds = ~is_location | asked[every // len(CONDITIONS)]
    keys = np.concatenate([every[holds], key, key])
    return (
        pl.DataFrame(
            {
                "key": keys,
                "registration_id": keys // len(CONDITIONS),
                "condition_code": np.array(CONDITIONS)[keys % len(CONDITIONS)],
                "is_met": np.repeat([True, False, True], [int(holds.sum()), len(key), len(key)]),
                "valid_from": np.concatenate([begins[holds], spans.start, spans.stop]),
                "leaves": leave[keys // len(CONDITIONS)],
            }
        )
        .filter((pl.col("valid_from") < pl.col("leaves")) & (pl.col("valid_from") <= cast.end))
        .sort("key", "valid_from")
        .with_columns(
            pl.coalesce(
                pl.col("valid_from").shift(-1).over("key"), pl.when(pl.col("leaves") <= cast.end).then("leaves")
            ).alias("valid_to")
        )
        .select("registration_id", "condition_code", "is_met", "valid_from", "valid_to")
    )


def _dated(frame: pl.DataFrame) -> pl.DataFrame:
    """Days as dates."""
    return frame.with_columns(pl.col("valid_from", "valid_to").cast(pl.Int32).cast(pl.Date))
