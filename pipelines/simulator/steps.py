"""The steps of formalization that each registration takes, as the offices would have them on file."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from pipelines.simulator.dice import Ints
from pipelines.simulator.parameters import Skewed, Strict
from pipelines.simulator.people import COPPER, People, check_codes, check_shares, choose, day_of, draw_days, draw_skewed

#: Steps that run side by side once the environmental instrument is filed, and who keeps the evidence.
_PARALLEL = {
    "ACREDITACION_TERRENO_SUPERFICIAL": "SUNARP",
    "ACREDITACION_DERECHO_MINERO": "INGEMMET",
    "INEXISTENCIA_RESTOS_ARQUEOLOGICOS": "MINCUL",
}
#: Steps one after the other, when the instrument is approved and the parallel steps are done.
_LAST = ("EXPEDIENTE_TECNICO", "INSPECCION_VERIFICACION", "AUTORIZACION_INICIO_REINICIO")
_EVALUATION = "EVALUACION"


class StepParameters(Strict):
    """See parameters.yaml, section `registry.steps`, where each number has its unit and its source."""

    igafom_from: dt.date
    central_from: dt.date
    days_to_file: Skewed
    days: dict[str, Skewed]
    parts_of_evaluation: dict[str, float]
    observed: float = Field(ge=0, le=1)
    opinion: float = Field(ge=0, le=1)
    opinion_by: dict[str, float]
    approved: float = Field(ge=0, le=1)
    disapproved: float = Field(ge=0, le=1)
    preventive: float = Field(ge=0, le=1)
    days_to_preventive: Skewed
    attained: dict[str, dict[str, float]]
    days_before_due: int = Field(gt=0)
    declared_noise: float = Field(ge=0)
    declared_otherwise: float = Field(ge=0, le=1)
    other_ore_wmt: Skewed
    most_declared_wmt: dict[str, float]
    reported: float = Field(ge=0, le=1)
    precision: dict[str, float]

    @model_validator(mode="after")
    def _sound(self) -> StepParameters:
        check_shares(opinion_by=self.opinion_by, precision=self.precision)
        check_codes("opinion_by", self.opinion_by, ("ANA", "SERNANP", "SERFOR"))
        check_codes("precision", self.precision, ("DIA", "MES", "ANIO"))
        check_codes("parts_of_evaluation", self.parts_of_evaluation, ("OBSERVADO", "OPINION", "SUBSANADO"))
        check_codes("days", self.days, (_EVALUATION, *_PARALLEL, *_LAST))
        check_codes("attained", self.attained, (*_PARALLEL, *_LAST[:2]))
        check_codes("most_declared_wmt", self.most_declared_wmt, ("PMA", "PPM"))
        for step in self.attained:
            check_codes(f"attained.{step}", self.attained[step], ("PROPIA", "CONTRATO", "NINGUNA"))
        if self.approved + self.disapproved > 1:
            raise ValueError("approved and disapproved sum to more than 1, expected shares of evaluations")
        return self


@dataclasses.dataclass(frozen=True)
class Chain:
    """How long each registration would take: day of filing in good time, and days from filing to each later step."""

    filed: Ints
    lags: dict[str, Ints]

    def day(self, step: str, filed: Ints) -> Ints:
        return filed + self.lags[step]


def lay_chain(p: StepParameters, people: People, rng: np.random.Generator, inscribed: Ints, due: Ints) -> Chain:
    """Times of all registrations, whether they get there or not.

    Args:
        inscribed: day of inscription, shape (n,).
        due: last day for filing the environmental instrument.
    """
    n = people.registrations.height
    since = np.maximum(inscribed, day_of(p.igafom_from))
    filed = np.minimum(since + draw_days(rng, p.days_to_file, n), np.maximum(due, since))
    lags = {step: draw_days(rng, band, n) for step, band in p.days.items() if step not in _LAST}
    reached = np.maximum.reduce(list(lags.values()))
    for step in _LAST:
        reached = reached + draw_days(rng, p.days[step], n)
        lags[step] = reached
    return Chain(filed, lags)


@dataclasses.dataclass(frozen=True)
class Facts:
    """What has happened to each registration: days, far beyond `end` where it has not.

    `gone`: from then on no step is taken. `ruc_cured`: registration and day. `undeclared`: registration and span in which
    declarations are missing. `stands`: whether registrations (first argument) are in good standing on days (second).
    """

    end: int
    filed: Ints
    authorised: Ints
    renounced: Ints
    excluded: Ints
    appealed: Ints
    decided: Ints
    reinstated: Ints
    told: Ints
    gone: Ints
    ruc_cured: tuple[Ints, Ints]
    undeclared: tuple[Ints, Ints, Ints]
    stands: Callable[[Ints, Ints], np.ndarray]


def step_events(
    p: StepParameters, people: People, rng: np.random.Generator, inscribed: Ints, dues: Ints, chain: Chain, facts: Facts
) -> pl.DataFrame:
    """Events up to `facts.end`, in order of time; see `Registry.events` for the columns.

    Args:
        dues: first days on which a half-yearly declaration is late.
    """
    log = _Log(p, facts.end)
    everyone = np.arange(people.registrations.height)
    log.add("INSCRIPCION_REINFO", everyone, inscribed, "APROBADO", "DGFM")
    log.add("RUC_TERCERA_ACTIVO", everyone, inscribed, "APROBADO", "SUNAT")
    log.add("RUC_TERCERA_ACTIVO", *facts.ruc_cured, "APROBADO", "SUNAT")
    _declare(p, people, rng, inscribed, dues, facts, log)
    _formalise(p, people, rng, chain, facts, log)
    upheld = np.where(facts.reinstated <= facts.end, "APROBADO", "DESAPROBADO")
    log.add("EXCLUSION", everyone, facts.excluded, "APROBADO", "DGFM")
    log.add("APELACION", everyone, facts.appealed, "PRESENTADO", "DGFM")
    log.add("APELACION", everyone, facts.decided, upheld, "DGFM")
    log.add("REINCORPORACION", everyone, facts.reinstated, "APROBADO", "DGFM")
    log.add("RENUNCIA", everyone, facts.renounced, "APROBADO", "DGFM")
    log.add("SINCERAMIENTO_UBICACION", everyone, facts.told, "PRESENTADO", "DGFM")
    return log.frame(rng)


def _declare(
    p: StepParameters, people: People, rng: np.random.Generator, inscribed: Ints, dues: Ints, facts: Facts, log: _Log
) -> None:
    """A declaration for each half-year, in time or on the day when a lapse is made good."""
    registrations = people.registrations
    owner = registrations["operator_id"].to_numpy()
    most = np.array([p.most_declared_wmt[s] for s in people.operators["stratum_code"]])[owner]
    minerals = registrations["true_mineral_code"].to_numpy().astype(str)
    productivity = registrations["productivity"].to_numpy()
    minerals_said = np.array((*COPPER, "ORO", "PLATA"))
    n, who, start, stop = len(owner), *facts.undeclared
    months = 6
    for due in dues:
        day = due - 1 - rng.integers(0, p.days_before_due, n)
        missing = (start <= due) & (due < stop)
        day[who[missing]] = stop[missing]
        other = draw_skewed(rng, p.other_ore_wmt, n)
        ore = np.where(productivity > 0, productivity * months, other) * np.exp(rng.normal(0, p.declared_noise, n))
        otherwise = rng.random(n) < p.declared_otherwise
        said = np.where(otherwise, minerals_said[rng.integers(0, len(minerals_said), n)], minerals)
        ended = dt.date(1970, 1, 1) + dt.timedelta(days=int(due))
        semester = f"{ended.year}-1" if ended.month > 6 else f"{ended.year - 1}-2"
        first_of_semester = day_of(dt.date(int(semester[:4]), 1 if semester[-1] == "1" else 7, 1))
        ids = np.flatnonzero((inscribed < first_of_semester) & (day < facts.gone))
        log.add(
            "DECLARACION_SEMESTRAL", ids, day[ids], "PRESENTADO", "DGFM",
            semester=semester, declared_mineral_code=said[ids], declared_t=np.round(np.minimum(ore, most)[ids], 3),
        )  # fmt: skip


def _formalise(
    p: StepParameters, people: People, rng: np.random.Generator, chain: Chain, facts: Facts, log: _Log
) -> None:
    """The environmental instrument and what follows; nobody gets on while suspended or after leaving."""
    n = people.registrations.height
    everyone = np.arange(n)
    relation = people.operators["concession_relation_code"].to_numpy()[people.registrations["operator_id"].to_numpy()]
    arrives = facts.authorised <= facts.end
    filed = np.where(facts.filed < facts.gone, facts.filed, _FAR)
    two = rng.random(n) < p.preventive
    second = filed + draw_days(rng, p.days_to_preventive, n)
    second = np.where(two & (second < facts.gone), second, _FAR)
    log.add("IGAFOM_CORRECTIVO", everyone, filed, "PRESENTADO")
    log.add("IGAFOM_PREVENTIVO", everyone, second, "PRESENTADO")

    def taken(wanted: np.ndarray, day: Ints) -> np.ndarray:
        """Days of those who do it; who gets the authorisation has stood well all the time."""
        able = (filed < _FAR) & (day <= facts.end) & (day < facts.gone)
        able[able] &= facts.stands(everyone[able], day[able])
        return np.where(wanted & able, day, _FAR)

    def part(event: str) -> Ints:
        return filed + (chain.lags[_EVALUATION] * p.parts_of_evaluation[event]).astype(np.int64)

    is_observed, has_opinion = rng.random(n) < p.observed, rng.random(n) < p.opinion
    verdict = rng.random(n)
    observed = taken(is_observed, part("OBSERVADO"))
    opinion = taken(has_opinion, part("OPINION"))
    answered = taken(observed < _FAR, part("SUBSANADO"))
    complete = ~is_observed | (answered < _FAR)
    approved = taken(complete & (arrives | (verdict < p.approved)), filed + chain.lags[_EVALUATION])
    refused = taken(complete & ~arrives & (verdict > 1 - p.disapproved), filed + chain.lags[_EVALUATION])
    advisers = choose(rng, p.opinion_by, n)
    log.add("IGAFOM_CORRECTIVO", everyone, observed, "OBSERVADO")
    log.add("IGAFOM_OPINION", everyone, opinion, "APROBADO", advisers)
    log.add("IGAFOM_CORRECTIVO", everyone, answered, "SUBSANADO")
    for day, outcome in ((approved, "APROBADO"), (refused, "DESAPROBADO")):
        log.add("IGAFOM_CORRECTIVO", everyone, day, outcome)
        log.add("IGAFOM_PREVENTIVO", everyone, np.where(second < _FAR, np.maximum(day, second), _FAR), outcome)
    ready = approved < _FAR
    for step in (*_PARALLEL, *_LAST[:2]):
        chance = np.array([p.attained[step][r] for r in relation])
        wanted = arrives | (rng.random(n) < chance)
        is_parallel = step in _PARALLEL
        day = taken(wanted if is_parallel else wanted & ready, filed + chain.lags[step])
        log.add(step, everyone, day, "APROBADO", _PARALLEL.get(step))
        ready &= day < _FAR
    log.add(_LAST[2], everyone, facts.authorised, "APROBADO")


_FAR = 90_000


class _Log:
    """Events as they are found, in arrays."""

    def __init__(self, p: StepParameters, end: int):
        self._p, self._end = p, end
        self._parts = [
            pl.DataFrame(schema={"semester": pl.String, "declared_mineral_code": pl.String, "declared_t": pl.Float64})
        ]

    def add(self, step: str, ids: Ints, days: Ints, outcome, authority=None, **more) -> None:
        """Note a step of registrations `ids`, for those whose day has come; the regional or central office by default.

        The other values are one for all, or one for each.
        """
        come = days <= self._end
        office = np.where(days >= day_of(self._p.central_from), "DGFM", "GREM")
        values = {
            "step_code": step,
            "outcome_code": outcome,
            "authority_code": office if authority is None else authority,
            **more,
        }
        count = int(come.sum())
        columns = {name: v[come] if np.ndim(v) else np.full(count, v) for name, v in values.items()}
        self._parts.append(pl.DataFrame({"registration_id": ids[come], "day": days[come], **columns}))

    def frame(self, rng: np.random.Generator) -> pl.DataFrame:
        p = self._p
        events = pl.concat(self._parts, how="diagonal").sort("day", "registration_id", maintain_order=True)
        n = events.height
        precision = choose(rng, p.precision, n)
        return (
            events.with_row_index("row", offset=1)
            .with_columns(
                pl.col("day").cast(pl.Int32).cast(pl.Date).alias("event_date"),
                pl.format("EV-{}", pl.col("row").cast(pl.String).str.zfill(8)).alias("event_id"),
                pl.Series("is_reported", rng.random(n) < p.reported),
                pl.Series("date_precision_code", precision),
            )
            .with_columns(
                pl.format(
                    "{}-{}-{}",
                    "authority_code",
                    pl.col("event_date").dt.year(),
                    pl.col("row").cast(pl.String).str.zfill(8),
                ).alias("evidence_id")
            )
            .select(EVENT_COLUMNS)
        )


EVENT_COLUMNS = (
    "event_id", "registration_id", "step_code", "event_date", "outcome_code", "authority_code", "evidence_id", "semester",
    "declared_mineral_code", "declared_t", "is_reported", "date_precision_code",
)  # fmt: skip
