"""What partners around the chain keep: offices' step events, contracts, surveys, trainings, grievances; and the roll.

Frames have the columns of the partners' files, identities in clear, and `month`: the first day of the month in whose
file the row stands. What is older than the run stands in its first file, as a backlog.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from pipelines.identity import ruc_check_digit
from pipelines.simulator import roll
from pipelines.simulator.dice import Ints, stream
from pipelines.simulator.parameters import Bell, Range, Skewed, Strict
from pipelines.simulator.people import (
    COPPER,
    People,
    check_codes,
    check_shares,
    choose,
    day_of,
    days_of,
    draw_days,
    last_day,
    person_names,
)
from pipelines.simulator.registry import Registry

if TYPE_CHECKING:
    from pipelines.simulator.world import World

c = pl.col
_CLAUSES = (
    "EXCLUSIVIDAD_VENTA", "RESOLUCION_UNILATERAL", "SIN_RECIBO", "TRASLADO_RESPONSABILIDAD", "PLAZO_MENOR_UN_ANIO",
    "REPARTO_CIERRE", "PAGO_IGAFOM_COMPARTIDO",
)  # fmt: skip
_CASES = ("PRECIO", "PAGO", "CONTRATO", "AMBIENTE", "SEGURIDAD", "VIOLENCIA_GENERO", "TRAMITE", "OTRO")
_TOPICS = ("SEGURIDAD", "AMBIENTE", "GESTION", "FORMALIZACION", "GENERO", "TRAZABILIDAD")
_OUTCOMES = ("FUNDADA", "FUNDADA_EN_PARTE", "INFUNDADA", "CONCILIADA", "DERIVADA")
_CHANNELS = ("PRESENCIAL", "TELEFONO", "WEB", "ASOCIACION", "BUZON")
_PROVIDERS = (
    "Asociación regional de mineros",
    "Gerencia regional de energía y minas",
    "Programa de cooperación técnica",
)
#: Unrelated taxpayers: DNI below those of people.FIRST_DNI, RUC between people.LAST_LEGAL and the firms.
_OTHER_DNI, _OTHER_LEGAL, _MOST_OTHERS = 10_000, 99_400_000, 90_000


class ContractParameters(Strict):
    collected: float = Field(ge=0, le=1)
    assignment: float = Field(ge=0, le=1)
    clauses: dict[str, float]
    registered: float = Field(ge=0, le=1)
    fee_bases: dict[str, float]
    days_before_inscription: Range
    days_to_start: Range
    open_ended: float = Field(ge=0, le=1)
    years: Range
    short_days: Range


class SurveyParameters(Strict):
    months: tuple[int, ...]
    asked: float = Field(ge=0, le=1)
    consent: float = Field(ge=0, le=1)
    unknown_sex: float = Field(ge=0, le=1)
    unknown_language: float = Field(ge=0, le=1)
    women_workers: float = Field(ge=0, le=1)
    workers_noise: float = Field(ge=0)
    other_mineral: float = Field(ge=0, le=1)


class TrainingParameters(Strict):
    sessions_per_1000_operators: float = Field(ge=0)
    attendants: Range
    topics: dict[str, float]
    hours: tuple[float, ...]
    own_language: float = Field(ge=0, le=1)
    tested: float = Field(ge=0, le=1)
    unknown_sex: float = Field(ge=0, le=1)
    score_before: Bell
    gain: Range
    gain_lost_in_other_language: float = Field(ge=0)


class GrievanceParameters(Strict):
    per_1000_operators: float = Field(ge=0)
    types: dict[str, float]
    channels: dict[str, float]
    anonymous: float = Field(ge=0, le=1)
    unknown_sex: float = Field(ge=0, le=1)
    against_plant: float = Field(ge=0, le=1)
    days_to_acknowledge: Skewed
    days_to_close: Skewed
    outcomes: dict[str, float]
    remedy: dict[str, float]
    retaliation: float = Field(ge=0, le=1)
    rated: float = Field(ge=0, le=1)
    satisfaction: dict[str, float]


class CommunityParameters(Strict):
    """See parameters.yaml, section `community`, where each number has its unit and its source."""

    contracts: ContractParameters
    surveys: SurveyParameters
    trainings: TrainingParameters
    grievances: GrievanceParameters

    @model_validator(mode="after")
    def _sound(self) -> CommunityParameters:
        k, t, g = self.contracts, self.trainings, self.grievances
        check_shares(fee_bases=k.fee_bases, topics=t.topics, types=g.types, channels=g.channels, outcomes=g.outcomes)
        for name, found, expected in (
            # a fixed sum would not be the share of the sale that the contract's percentage says
            ("contracts.fee_bases", k.fee_bases, ("VENTA", "MINERAL")),
            ("contracts.clauses", k.clauses, _CLAUSES),
            ("trainings.topics", t.topics, _TOPICS),
            ("grievances.types", g.types, _CASES),
            ("grievances.channels", g.channels, _CHANNELS),
            ("grievances.outcomes", g.outcomes, _OUTCOMES),
            ("grievances.remedy", g.remedy, _OUTCOMES),
            ("grievances.satisfaction", g.satisfaction, _OUTCOMES),
        ):
            check_codes(name, found, expected)
        return self


def partner_frames(world: World, events: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Rows of the partners' tables by contract.

    Args:
        events: those of the registry, perhaps with defects.
    """
    p, people, seed, months = world.parameters.community, world.people, world.seed, world.plan.months
    return {
        "partner_step_events__events": step_event_rows(people, events, months),
        "partner_contracts__contracts": contract_rows(p.contracts, people, seed, months),
        "partner_surveys__answers": survey_rows(p.surveys, people, seed, months),
        "partner_trainings__attendances": training_rows(p.trainings, people, seed, months),
        "partner_grievances__cases": grievance_rows(p.grievances, people, world.firms.frame, seed, months),
    }


def _filed(date: pl.Expr, months: tuple[dt.date, ...]) -> pl.Expr:
    """Month of the file in which a row of that date stands."""
    return pl.max_horizontal(date.dt.truncate("1mo"), pl.lit(months[0])).alias("month")


def _dates(days: Ints, never: np.ndarray | None = None) -> pl.Series:
    """Days since 1970 as dates, null where they never come."""
    dates = pl.Series(days.astype("datetime64[D]")).cast(pl.Date)
    return dates if never is None else dates.zip_with(pl.Series(~never), pl.Series([None], dtype=pl.Date))


def _persons(people: People) -> pl.DataFrame:
    """Operators with the identity that they give in person and the day since 1970 of their first inscription."""
    first = people.registrations.unique("operator_id", keep="first", maintain_order=True).sort("operator_id")
    return people.operators.with_columns(
        pl.coalesce("dni", "ruc").alias("identity"),
        first["reinfo_id"],
        first["department_code"],
        first["true_mineral_code"],
        first["inscription_date"].cast(pl.Int32).cast(pl.Int64).alias("since"),
    )


# --- step events and contracts ------------------------------------------------------------------------


def step_event_rows(people: People, events: pl.DataFrame, months: tuple[dt.date, ...]) -> pl.DataFrame:
    """Events that the offices report. A date known to the month or year alone is written as its first day."""
    registered = people.registrations.join(
        people.operators.select("operator_id", "ruc"), on="operator_id", how="left", maintain_order="left"
    ).select("registration_id", "ruc", "reinfo_id", "mining_right_id", "district_code")
    precision = c("date_precision_code")
    return (
        events.filter("is_reported")
        .join(registered, on="registration_id", how="left", maintain_order="left")
        .select(
            c("event_id").alias("evento"),
            c("ruc").alias("titular"),
            c("reinfo_id").alias("codigo_reinfo"),
            c("mining_right_id").alias("derecho_minero"),
            c("district_code").alias("ubigeo"),
            c("step_code").alias("paso"),
            pl.when(precision == "ANIO")
            .then(c("event_date").dt.truncate("1y"))
            .when(precision == "MES")
            .then(c("event_date").dt.truncate("1mo"))
            .otherwise("event_date")
            .alias("fecha"),
            precision.alias("precision_fecha"),
            c("outcome_code").alias("resultado"),
            c("authority_code").alias("autoridad"),
            c("evidence_id").alias("expediente"),
            c("semester").alias("semestre"),
            c("declared_mineral_code").alias("mineral_declarado"),
            c("declared_t").alias("toneladas_declaradas"),
        )
        .with_columns(_filed(c("fecha"), months))
    )


def contract_rows(p: ContractParameters, people: People, seed: int, months: tuple[dt.date, ...]) -> pl.DataFrame:
    """Contracts that were collected; the fee is the one that is paid on every sale. A term that is over goes on tacitly."""
    rng = stream(seed, "contracts")
    held = people.registrations.filter(c("contract_id").is_not_null())
    n = held.height
    clauses = rng.random((n, len(_CLAUSES))) < np.array([p.clauses[name] for name in _CLAUSES])
    signed = days_of(held["inscription_date"]) - _between(rng, p.days_before_inscription, n)
    start = signed + _between(rng, p.days_to_start, n)
    is_short = clauses[:, _CLAUSES.index("PLAZO_MENOR_UN_ANIO")]
    years = np.round(rng.uniform(p.years.low, p.years.high, n)).astype(np.int64)
    end = start + np.where(is_short, _between(rng, p.short_days, n), years * 365)
    written = [";".join(name for name, has in zip(_CLAUSES, row, strict=True) if has) or None for row in clauses]
    return (
        pl.DataFrame(
            {
                "contrato": held["contract_id"],
                "tipo": np.where(rng.random(n) < p.assignment, "CESION", "EXPLOTACION"),
                "titular": people.holders["ruc"].gather(held["holder_id"] - people.operators.height),
                "operador": people.operators["ruc"].gather(held["operator_id"]),
                "codigo_reinfo": held["reinfo_id"],
                "derecho_minero": held["mining_right_id"],
                "fecha_firma": _dates(signed),
                "fecha_inicio": _dates(start),
                "fecha_fin": _dates(end, ~is_short & (rng.random(n) < p.open_ended)),
                "inscrito_sunarp": rng.random(n) < p.registered,
                "retribucion_pct": (held["concession_fee_frac"] * 100).round(4),
                "base_retribucion": choose(rng, p.fee_bases, n),
                "clausulas": pl.Series(written, dtype=pl.String),
                "is_collected": rng.random(n) < p.collected,
            }
        )
        .filter("is_collected")
        .drop("is_collected")
        .with_columns(_filed(c("fecha_firma"), months))
        .sort("month", "contrato")
    )


def _between(rng: np.random.Generator, band: Range, size: int) -> Ints:
    return rng.integers(round(band.low), round(band.high) + 1, size)


# --- surveys and trainings ----------------------------------------------------------------------------


def survey_rows(p: SurveyParameters, people: People, seed: int, months: tuple[dt.date, ...]) -> pl.DataFrame:
    """One answer for each operator that a round of the survey reached; sex and language with consent alone."""
    persons = _persons(people)
    rounds = [_answers(p, persons, stream(seed, f"survey {m}"), m) for m in months if m.month in p.months]
    return pl.concat(rounds) if rounds else _answers(p, persons.clear(), stream(seed, "survey"), months[0])


def _answers(p: SurveyParameters, persons: pl.DataFrame, rng: np.random.Generator, month: dt.date) -> pl.DataFrame:
    asked = persons.filter(
        pl.Series(rng.random(persons.height) < p.asked, dtype=pl.Boolean) & (c("since") < day_of(month))
    )
    n = asked.height
    agrees = pl.Series(rng.random(n) < p.consent, dtype=pl.Boolean)
    says_sex = agrees & pl.Series(rng.random(n) >= p.unknown_sex, dtype=pl.Boolean)
    says_language = agrees & pl.Series(rng.random(n) >= p.unknown_language, dtype=pl.Boolean)
    told = np.maximum(
        np.round(asked["workers_count"].to_numpy() * np.exp(rng.normal(0, p.workers_noise, n))), 1
    ).astype(np.int64)
    minerals = asked["true_mineral_code"].to_numpy().astype(str)
    other = np.array((*COPPER, "ORO", "PLATA"))[rng.integers(0, 4, n)]
    return asked.select(
        pl.lit(f"ENC-{month:%Y-%m}").alias("encuesta"),
        c("identity").alias("encuestado"),
        c("reinfo_id").alias("codigo_reinfo"),
        pl.Series("fecha", _dates(day_of(month) + rng.integers(0, 28, n))),
        agrees.alias("consentimiento"),
        pl.when(says_sex).then("sex_code").alias("sexo"),
        pl.when(says_language).then("language_code").alias("lengua"),
        pl.Series("trabajadores", told),
        pl.Series("trabajadoras", rng.binomial(told, p.women_workers)),
        pl.Series("mineral_principal", np.where(rng.random(n) < p.other_mineral, other, minerals)),
        c("concession_relation_code").alias("relacion_concesion"),
        (c("kind") == "COMMUNITY").alias("es_comunidad"),
        c("district_code").alias("ubigeo"),
        pl.lit(month).alias("month"),
    )


def training_rows(p: TrainingParameters, people: People, seed: int, months: tuple[dt.date, ...]) -> pl.DataFrame:
    """Attendances of operators at sessions in their department, with a test before and after where there was one."""
    persons = _persons(people).filter(c("kind") == "NATURAL")
    departments = persons["department_code"].to_numpy()
    here = {d: np.flatnonzero(departments == d) for d in np.unique(departments)}
    sessions = []
    for month in months:
        rng = stream(seed, f"training {month}")
        for number in range(rng.poisson(p.sessions_per_1000_operators * people.operators.height / 1000)):
            department = departments[rng.integers(0, len(departments))]
            size = min(round(rng.uniform(p.attendants.low, p.attendants.high)), len(here[department]))
            attend = persons[np.sort(rng.choice(here[department], size, replace=False))]
            sessions.append(_session(p, attend, rng, month, number))
    empty = _session(p, persons.clear(), stream(seed, "training"), months[0], 0)
    return pl.concat([empty, *sessions])


def _session(
    p: TrainingParameters, attend: pl.DataFrame, rng: np.random.Generator, month: dt.date, number: int
) -> pl.DataFrame:
    n = attend.height
    common = attend["language_code"].mode().sort().to_list()
    language = common[0] if common and rng.random() < p.own_language else "ES"
    foreign = (attend["language_code"] != language).to_numpy()
    bell = p.score_before
    before = np.clip(rng.normal(bell.mean, bell.sd, n), bell.low, bell.high)
    gain = rng.uniform(p.gain.low, p.gain.high, n) - np.where(foreign, p.gain_lost_in_other_language, 0)
    is_tested = pl.Series(rng.random(n) < p.tested, dtype=pl.Boolean)
    says_sex = pl.Series(rng.random(n) >= p.unknown_sex, dtype=pl.Boolean)
    place = attend["district_code"][0] if n else None
    return attend.select(
        pl.lit(f"CAP-{month:%Y-%m}-{number + 1:03d}").alias("sesion"),
        c("identity").alias("participante"),
        pl.lit(month + dt.timedelta(days=int(rng.integers(0, 28)))).alias("fecha"),
        pl.lit(str(choose(rng, p.topics, 1)[0])).alias("tema"),
        pl.lit(_PROVIDERS[rng.integers(0, len(_PROVIDERS))]).alias("entidad"),
        pl.lit(float(p.hours[rng.integers(0, len(p.hours))])).alias("horas"),
        pl.when(says_sex).then("sex_code").alias("sexo"),
        c("language_code").alias("lengua"),
        pl.lit(language).alias("lengua_sesion"),
        pl.lit(place, dtype=pl.String).alias("ubigeo"),
        pl.when(is_tested).then(pl.Series(_halves(before))).alias("puntaje_previo"),
        pl.when(is_tested).then(pl.Series(_halves(np.clip(before + gain, 0, 20)))).alias("puntaje_posterior"),
        pl.lit(month).alias("month"),
    )


def _halves(scores: np.ndarray) -> np.ndarray:
    return np.round(scores * 2) / 2


# --- grievances ---------------------------------------------------------------------------------------


def grievance_rows(
    p: GrievanceParameters, people: People, firms: pl.DataFrame, seed: int, months: tuple[dt.date, ...]
) -> pl.DataFrame:
    """Cases opened during the months, as they stand on the last day.

    Args:
        firms: role and ruc; collectors and plants answer for prices, payments and what happens on their ground.
    """
    rng = stream(seed, "grievances")
    persons = _persons(people)
    end = last_day(months)
    per_month = rng.poisson(p.per_1000_operators * persons.height / 1000, len(months))
    n = int(per_month.sum())
    month = np.repeat(np.array([day_of(m) for m in months]), per_month)
    length = np.repeat(np.array([last_day((m,)) - day_of(m) + 1 for m in months]), per_month)
    opened = np.sort(month + (rng.random(n) * length).astype(np.int64))
    kinds = choose(rng, p.types, n)
    women = (persons["sex_code"] == "F").fill_null(False).to_numpy()
    who = rng.integers(0, persons.height, n)
    if women.any():  # nearly all who report such violence are women
        hurt = kinds == "VIOLENCIA_GENERO"
        who[hurt] = np.flatnonzero(women)[rng.integers(0, int(women.sum()), int(hurt.sum()))]
    complains = persons[who]
    hides = pl.Series(rng.random(n) < p.anonymous, dtype=pl.Boolean)
    says_sex = ~hides & pl.Series(rng.random(n) >= p.unknown_sex, dtype=pl.Boolean)
    answered, closed = (opened + draw_days(rng, band, n) for band in (p.days_to_acknowledge, p.days_to_close))
    closed = np.maximum(closed, answered)
    open_still, unheard = closed > end, answered > end
    outcome = choose(rng, p.outcomes, n)
    remedy = rng.random(n) < np.array([p.remedy[o] for o in outcome])
    score = np.clip(np.round(np.array([p.satisfaction[o] for o in outcome]) + rng.normal(0, 1, n)), 1, 5).astype(
        np.int64
    )
    is_closed = pl.Series(~open_still, dtype=pl.Boolean)
    is_rated = is_closed & pl.Series(rng.random(n) < p.rated, dtype=pl.Boolean)
    states = np.where(~open_still, "CERRADO", np.where(unheard, "ABIERTO", "EN_TRAMITE"))
    return complains.select(
        pl.format("Q-{}-{}", pl.Series(_dates(opened)).dt.year(), pl.Series(np.arange(1, n + 1)).cast(pl.String).str.zfill(5)).alias("caso"),
        pl.Series("fecha_ingreso", _dates(opened)),
        pl.Series("canal", np.where(hides.to_numpy(), "BUZON", choose(rng, p.channels, n))),
        pl.Series("tipo", kinds),
        pl.when(~hides).then("identity").alias("reclamante"),
        pl.when(says_sex).then("sex_code").alias("sexo"),
        pl.when(~hides).then("language_code").alias("lengua"),
        pl.Series("reclamado", _respondents(p, rng, people, firms, who, kinds), dtype=pl.String),
        c("district_code").alias("ubigeo"),
        pl.Series("estado", states),
        pl.Series("fecha_acuse", _dates(answered, unheard)),
        pl.Series("fecha_cierre", _dates(closed, open_still)),
        pl.when(is_closed).then(pl.Series(outcome)).alias("resultado"),
        pl.when(is_closed).then(pl.Series(remedy)).alias("remedio_entregado"),
        pl.Series("represalia", rng.random(n) < p.retaliation),
        pl.when(is_rated).then(pl.Series(score)).alias("satisfaccion"),
        _filed(pl.lit(_dates(opened)), months),
    )  # fmt: skip


def _respondents(
    p: GrievanceParameters, rng: np.random.Generator, people: People, firms: pl.DataFrame, who: Ints, kinds: np.ndarray
) -> list[str | None]:
    """Whom each case is against: a buyer, the holder of the concession, or nobody who is named."""
    n = len(who)
    roles = np.where(rng.random(n) < p.against_plant, "plant", "collector")
    rucs = {role: firms.filter(c("role") == role)["ruc"].to_list() for role in ("plant", "collector")}
    draws = rng.random(n)
    first = people.registrations.unique("operator_id", keep="first", maintain_order=True).sort("operator_id")
    holder = (first["holder_id"] - people.operators.height).fill_null(-1).to_list()
    holders = people.holders["ruc"].to_list()
    against: list[str | None] = []
    for i in range(n):
        if kinds[i] == "CONTRATO" and holder[who[i]] >= 0:
            against.append(holders[holder[who[i]]])
        elif kinds[i] in ("PRECIO", "PAGO", "AMBIENTE", "SEGURIDAD"):
            against.append(rucs[roles[i]][int(draws[i] * len(rucs[roles[i]]))])
        else:
            against.append(None)
    return against


# --- the taxpayer roll --------------------------------------------------------------------------------


def roll_frame(people: People, firms: pl.DataFrame, registry: Registry, as_of: dt.date) -> pl.DataFrame:
    """Lines (`roll.COLUMNS`) of everybody in the sector and of taxpayers that nobody mentions, by RUC.

    An operator whose RUC is not active in the third category on `as_of` is struck off or suspended.

    Args:
        firms: ruc, name, ubigeo_code.
    """
    p, rng = registry.parameters, stream(registry.seed, "roll")
    inactive = registry.conditions.filter(
        (c("condition_code") == "RUC_TERCERA_ACTIVO")
        & ~c("is_met")
        & (c("valid_from") <= as_of)
        & (c("valid_to").is_null() | (c("valid_to") > as_of))
    )
    struck = np.zeros(people.operators.height, dtype=bool)
    struck[people.registrations["operator_id"].to_numpy()[inactive["registration_id"].to_numpy()]] = True
    operators = people.operators.select(
        "ruc", "name", c("district_code").alias("ubigeo_code"), pl.Series("is_struck", struck)
    )
    holders = people.holders.select(
        "ruc", "name", pl.lit("150101").alias("ubigeo_code"),
        pl.Series("is_struck", rng.random(people.holders.height) < p.holders_struck_off, dtype=pl.Boolean),
    )  # fmt: skip
    traders = firms.select("ruc", "name", "ubigeo_code", pl.lit(False).alias("is_struck"))
    known = pl.concat([operators, holders, traders])
    count = min(round(known.height * p.unrelated_taxpayers), _MOST_OTHERS)
    frame = pl.concat([known, _others(rng, count, operators["ubigeo_code"])])
    why = pl.Series(rng.random(frame.height) < 0.5)
    status = pl.when("is_struck").then(
        pl.when(why).then(pl.lit("BAJA DE OFICIO")).otherwise(pl.lit("SUSPENSION TEMPORAL"))
    )
    return (
        frame.with_columns(
            status.otherwise(pl.lit("ACTIVO")).alias("taxpayer_status"),
            pl.when(c("is_struck") & why)
            .then(pl.lit("NO HABIDO"))
            .otherwise(pl.lit("HABIDO"))
            .alias("domicile_condition"),
        )
        .select(roll.COLUMNS)
        .sort("ruc")
    )


def _others(rng: np.random.Generator, count: int, places: pl.Series) -> pl.DataFrame:
    persons = count // 2
    bodies = [f"1099{_OTHER_DNI + i:06d}" for i in range(persons)]
    bodies += [f"20{_OTHER_LEGAL + i:08d}" for i in range(count - persons)]
    names = list(person_names(rng, np.where(rng.random(persons) < 0.5, "F", "M")))
    names += [f"COMERCIAL {i + 1:06d} S.A.C." for i in range(count - persons)]
    return pl.DataFrame(
        {
            "ruc": [f"{body}{ruc_check_digit(body)}" for body in bodies],
            "name": pl.Series(names, dtype=pl.String),
            "ubigeo_code": places.gather(rng.integers(0, len(places), count)),
            "is_struck": pl.Series([False] * count, dtype=pl.Boolean),
        },
        schema_overrides={"ruc": pl.String},
    )
