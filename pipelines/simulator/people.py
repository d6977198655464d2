"""Who holds registrations: operators, the rights and concession holders they work with, and the registrations.

One person holds several registrations and one mining right carries many, so registrations are not people. No
identity here can be anybody's: DNI begin with 99, companies' RUC with 20 99, numbers of mining rights with 9.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from pipelines.identity import ruc_check_digit
from pipelines.settings import SAMPLE_DIR
from pipelines.simulator.dice import Floats, Ints, apportion, beta_between, lognormal, pick, stream
from pipelines.simulator.parameters import Bell, Range, Skewed, Strict

#: Numbers of DNI behind `99`: those below are other files' (pseudonyms of the sample, taxpayers that nobody mentions).
FIRST_DNI, LAST_DNI = 100_000, 999_999
#: Numbers behind `20`: operators and concession holders; unrelated taxpayers stand above, then the firms.
FIRST_LEGAL, LAST_LEGAL = 99_000_000, 99_399_999
#: Scatters persons over the DNI; it has no divisor in common with how many there are, so none comes twice.
_DNI_STEP = 611_953
c = pl.col
COPPER = ("COBRE", "COBRE_ORO")
_RIGHT_NUMBERS, _RIGHT_YEARS, _FIRST_RIGHT_YEAR = 10_000, 24, 1998

_SURNAMES = (
    "QUISPE", "MAMANI", "HUAMAN", "CONDORI", "CCORI", "CHOQUE", "HUANCA", "TICONA", "APAZA", "CHAMBI", "SALLUCA", "PUMA",
    "FLORES", "ROJAS", "GARCIA", "SANCHEZ", "RAMIREZ", "TORRES", "VARGAS", "CASTRO", "MENDOZA", "ROMERO", "GUTIERREZ",
    "CHAVEZ", "RAMOS", "SOTO", "NUÑEZ", "IBAÑEZ", "PAREDES", "VILLANUEVA", "ESPINOZA", "PALOMINO", "HUAYHUA", "TAIPE",
    "CCAHUANA", "ÑAHUI", "LLAMOCCA", "AYQUIPA", "PUMACAYO", "VALENZUELA", "ARONE", "CARBAJAL", "SARMIENTO", "HUILLCA",
)  # fmt: skip
_GIVEN = {
    "M": (
        "JUAN", "CARLOS", "JOSE", "LUIS", "PEDRO", "WILBER", "PERCY", "EDGAR", "RUBEN", "JULIO", "MARIO", "VICTOR", "FREDY",
        "HUGO", "WALTER", "JESUS", "ABEL", "CIRILO", "SATURNINO", "FELIX", "RONALD", "NILTON",
    ),
    "F": (
        "MARIA", "ROSA", "JUANA", "LUZ", "CARMEN", "ANA", "YENY", "NANCY", "ELIZABETH", "GLORIA", "SONIA", "JULIA", "FLOR",
        "HERMELINDA", "VILMA", "NORMA", "MARUJA", "PAULINA", "RUTH", "MARISOL", "LIDIA", "BERTHA",
    ),
}  # fmt: skip
_PLACES = (
    "QORI", "ANTA", "APU", "WAYRA", "INTI", "CHASKA", "PUKA", "RUMI", "ORQO", "SIERRA", "CERRO", "PAMPA", "LOMA", "VALLE",
    "MINA", "VETA", "QUEBRADA", "CUMBRE", "LAGUNA", "NEVADO",
)  # fmt: skip
_QUALITIES = (
    "ALTO", "BLANCO", "DORADO", "VERDE", "AZUL", "DEL SUR", "GRANDE", "NUEVO", "BELLO", "HERMOSO", "SANTO", "SERENO",
    "PUNKU", "ÑAN", "PATA", "MAYU",
)  # fmt: skip
_SAINTS = (
    "SAN ANTONIO", "SAN PEDRO", "SANTA ROSA", "SANTIAGO", "VIRGEN DE CHAPI", "VIRGEN DEL CARMEN", "SEÑOR DE HUANCA",
    "SAN JUAN", "SANTA BARBARA", "EL CARMEN", "LA ESPERANZA", "LOS ANDES", "EL DORADO", "NUEVA ESTRELLA", "DON JULIO",
    "DOÑA MARIA", "LA PODEROSA", "BUENAVENTURANZA", "CERRO LINDO", "PUERTA DEL SOL",
)  # fmt: skip
_COMPANIES = ("MINERA {} S.A.C.", "EMPRESA MINERA {} S.R.L.", "INVERSIONES {} E.I.R.L.", "CORPORACION MINERA {} S.A.C.")
_COMMUNITIES = ("COMUNIDAD CAMPESINA {}", "ASOCIACION DE MINEROS ARTESANALES {}", "COOPERATIVA MINERA {}")


class RegistrationsPerRuc(Strict):
    """Geometric up to ten, a power law above."""

    mean: float = Field(gt=1)
    above_ten: float = Field(ge=0, lt=1)
    maximum: int = Field(gt=10)
    tail_exponent: float = Field(gt=1)


class PeopleParameters(Strict):
    """See parameters.yaml, section `people`, where each number has its unit and its source."""

    registrations_per_ruc: RegistrationsPerRuc
    department_shares: dict[str, float]
    provinces: dict[str, tuple[str, ...]]
    district_exponent: float
    kinds: dict[str, float]
    medium_scale: dict[str, float]
    women: float = Field(ge=0, le=1)
    languages: dict[str, dict[str, float]]
    relations: dict[str, float]
    free_area: float = Field(ge=0, le=1)
    registrations_per_right: float = Field(ge=1)
    right_exponent: float
    right_spellings: dict[str, float]
    rights_per_holder: float = Field(ge=1)
    legal_holders: float = Field(ge=0, le=1)
    concession_fee_frac: Bell
    concession_fee_step: float = Field(gt=0)
    activities: dict[str, float]
    inscription_year_weights: dict[int, float]
    new_per_year: float = Field(ge=0, lt=1)
    days_to_next_registration: Skewed
    minerals: dict[str, float]
    workers_per_registration: Skewed
    ore_wmt_per_month: dict[str, Skewed]
    registration_share: Range
    right_from_town_deg: float
    pit_in_right_deg: float

    @model_validator(mode="after")
    def _complete(self) -> PeopleParameters:
        check_shares(
            department_shares=self.department_shares,
            kinds=self.kinds,
            relations=self.relations,
            activities=self.activities,
            minerals=self.minerals,
            right_spellings=self.right_spellings,
            **{f"languages.{k}": v for k, v in self.languages.items()},
        )
        check_codes("kinds", self.kinds, ("NATURAL", "LEGAL", "COMMUNITY"))
        check_codes("medium_scale", self.medium_scale, self.kinds)
        check_codes("relations", self.relations, ("PROPIA", "CONTRATO", "NINGUNA"))
        check_codes("activities", self.activities, ("EXPLOTACION", "BENEFICIO"))
        check_codes("right_spellings", self.right_spellings, ("DIGITS", "LETTER", "YEAR"))
        check_codes("minerals", self.minerals, (*COPPER, "ORO", "OTRO"))
        check_codes("ore_wmt_per_month", self.ore_wmt_per_month, ("PMA", "PPM"))
        check_codes("provinces", self.provinces, self.department_shares)
        if "default" not in self.languages:
            raise ValueError("languages has no entry 'default', for the departments that are not listed")
        if min(self.inscription_year_weights) >= 2015:
            raise ValueError(
                "inscription_year_weights begins in 2015 or later, expected years before any simulated month"
            )
        return self


def check_shares(**shares: dict[str, float]) -> None:
    """Raise ValueError for a set of shares that does not sum to 1."""
    for name, values in shares.items():
        if abs(sum(values.values()) - 1) > 1e-9 or min(values.values()) < 0:
            raise ValueError(f"{name} sums to {sum(values.values()):g}, expected shares of 0 or more that sum to 1")


def check_codes(name: str, found, expected) -> None:
    """Raise ValueError where the entries of `name` are not exactly the expected codes."""
    if set(found) != set(expected):
        raise ValueError(f"{name} has {', '.join(sorted(found))}, expected {', '.join(sorted(expected))}")


@dataclasses.dataclass(frozen=True)
class People:
    """Who is registered.

    Attributes:
        operators: operator_id (= row), kind (NATURAL, LEGAL, COMMUNITY), ruc, dni (null unless NATURAL), name,
            representative_name (null for NATURAL), district_code (INEI), sex_code (F, M; null unless NATURAL),
            language_code, concession_relation_code, stratum_code (PMA, PPM), workers_count.
        registrations: registration_id (= row, in order of inscription), operator_id, reinfo_id, department_code,
            department_name, province_name, district_name, district_code, mining_right_id (null: free area),
            mining_right_name, holder_id (agent id: the operator's own, or operators.height + row of `holders`; null
            without title or contract), contract_id and concession_fee_frac (share of the ore's sale value; null
            without contract), activity_code, inscription_date, inscription_year, latitude_deg, longitude_deg,
            true_mineral_code, productivity (wmt a month that a registration in good standing may sell; 0 without copper).
        holders: ruc, name of concession holders that hold no registration.
    """

    operators: pl.DataFrame
    registrations: pl.DataFrame
    holders: pl.DataFrame


def make_people(p: PeopleParameters, seed: int, registrations: int, months: tuple[dt.date, ...]) -> People:
    """Operators, holders and `registrations` registrations, inscribed up to the last of `months`."""
    held = _registrations_per_operator(p.registrations_per_ruc, registrations)
    rng = stream(seed, "people")
    held = rng.permutation(held)
    operators = _operators(p, rng, held)
    owner = np.repeat(np.arange(len(held)), held)
    inscribed = _inscriptions(p, stream(seed, "inscriptions"), held, months)
    order = np.lexsort((owner, inscribed))
    owner, inscribed = owner[order], inscribed[order]
    rights, holders = _rights(p, stream(seed, "rights"), operators, owner)
    rng = stream(seed, "registrations")
    n = registrations
    minerals, activities = choose(rng, p.minerals, n), choose(rng, p.activities, n)
    productivity = _productivity(
        p, rng, operators["stratum_code"].to_numpy(), owner, np.isin(minerals, COPPER) & (activities == "EXPLOTACION")
    )
    relation = operators["concession_relation_code"].to_numpy()[owner]
    workers = np.maximum(np.round(draw_skewed(rng, p.workers_per_registration, n)), 1)
    number = (c("registration_id") + 1).cast(pl.String)
    frame = (
        pl.DataFrame(
            {
                "registration_id": np.arange(n),
                "operator_id": owner,
                **rights,
                "activity_code": activities,
                "inscription_date": pl.Series(inscribed.astype("datetime64[D]")),
                "true_mineral_code": minerals,
                "productivity": productivity,
                "has_contract": relation == "CONTRATO",
                "fee": _fees(p, rng, n),
            }
        )
        .join(districts().drop("latitude", "longitude"), on="district_code", how="left", maintain_order="left")
        .with_columns(
            pl.concat_str("department_code", number.str.zfill(8)).alias("reinfo_id"),
            c("inscription_date").dt.year().cast(pl.Int64).alias("inscription_year"),
            pl.when("has_contract").then(pl.format("CE-{}", number.str.zfill(6))).alias("contract_id"),
            pl.when("has_contract").then("fee").alias("concession_fee_frac"),
            (c("latitude_deg") + pl.Series(rng.normal(0, p.pit_in_right_deg, n))).round(6),
            (c("longitude_deg") + pl.Series(rng.normal(0, p.pit_in_right_deg, n))).round(6),
        )
    )
    first = frame.unique("operator_id", keep="first").sort("operator_id")
    operators = operators.with_columns(
        first["district_code"],
        pl.Series("workers_count", np.bincount(owner, weights=workers, minlength=len(held)).astype(np.int64)),
        pl.Series(
            "language_code", choose_by(stream(seed, "languages"), first["department_code"].to_numpy(), p.languages)
        ),
    )
    return People(operators.select(_OPERATORS), frame.select(_REGISTRATIONS), holders)


_OPERATORS = (
    "operator_id", "kind", "ruc", "dni", "name", "representative_name", "district_code", "sex_code", "language_code",
    "concession_relation_code", "stratum_code", "workers_count",
)  # fmt: skip
_REGISTRATIONS = (
    "registration_id", "operator_id", "reinfo_id", "department_code", "department_name", "province_name", "district_name",
    "district_code", "mining_right_id", "mining_right_name", "holder_id", "contract_id", "concession_fee_frac",
    "activity_code", "inscription_date", "inscription_year", "latitude_deg", "longitude_deg", "true_mineral_code", "productivity",
)  # fmt: skip


def choose(rng: np.random.Generator, shares: dict[str, float], size: int) -> np.ndarray:
    """Codes drawn by their shares, as an array of text."""
    return np.array(list(shares))[pick(rng, list(shares.values()), size)]


def choose_by(rng: np.random.Generator, groups: np.ndarray, table: dict[str, dict[str, float]]) -> np.ndarray:
    """A code for each element, by the shares of its group or of the `default`."""
    draws = rng.random(len(groups))
    chosen = np.empty(len(groups), dtype=object)
    for group in np.unique(groups):
        at = groups == group
        shares = table.get(group, table.get("default", {}))
        edges = np.cumsum(list(shares.values()))
        chosen[at] = np.array(list(shares), dtype=object)[
            np.searchsorted(edges, draws[at], side="right").clip(max=len(edges) - 1)
        ]
    return chosen.astype(str)


def draw_skewed(rng: np.random.Generator, band: Skewed, size: int) -> Floats:
    """Log-normal draws within the band's bounds."""
    return np.clip(lognormal(rng, band.median, band.p95, size), band.minimum, band.maximum)


def draw_days(rng: np.random.Generator, band: Skewed, size: int) -> Ints:
    """Whole days, one at least."""
    return np.maximum(np.round(draw_skewed(rng, band, size)), 1).astype(np.int64)


@functools.lru_cache(maxsize=1)
def districts() -> pl.DataFrame:
    """Districts with a known position, by INEI code."""
    table = pl.read_csv(SAMPLE_DIR / "ubigeo" / "ubigeo_distrito.csv", infer_schema=False, null_values="NA")
    return (
        table.select(
            c("inei").alias("district_code"),
            c("inei").str.head(2).alias("department_code"),
            c("departamento").alias("department_name"),
            c("provincia").alias("province_name"),
            c("distrito").alias("district_name"),
            c("latitude").cast(pl.Float64, strict=False),
            c("longitude").cast(pl.Float64, strict=False),
        )
        .drop_nulls()
        .sort("district_code")
    )


# --- operators ----------------------------------------------------------------------------------------


def _registrations_per_operator(p: RegistrationsPerRuc, registrations: int) -> Ints:
    """Ascending numbers of registrations that sum to `registrations`: quantiles of the distribution, then mended."""
    tail = np.arange(11, p.maximum + 1)
    above = tail**-p.tail_exponent / (tail**-p.tail_exponent).sum()
    body_mean = (p.mean - p.above_ten * (tail * above).sum()) / (1 - p.above_ten)
    body = (1 - 1 / body_mean) ** np.arange(10)
    shares = np.concatenate([body / body.sum() * (1 - p.above_ten), above * p.above_ten])
    count = max(1, round(registrations / p.mean))
    held = 1 + np.searchsorted(np.cumsum(shares), (np.arange(count) + 0.5) / count).clip(max=p.maximum - 1)
    missing = registrations - int(held.sum())
    while missing:
        can = np.flatnonzero(held > 1) if missing < 0 else np.arange(count)
        some = can[: abs(missing)]
        held[some] += np.sign(missing)
        missing -= int(np.sign(missing)) * len(some)
    return held


def _operators(p: PeopleParameters, rng: np.random.Generator, held: Ints) -> pl.DataFrame:
    n = len(held)
    kinds = choose(rng, p.kinds, n)
    natural = kinds == "NATURAL"
    sex = np.where(rng.random(n) < p.women, "F", "M")
    medium = rng.random(n) < np.array([p.medium_scale[k] for k in kinds])
    persons = person_names(rng, sex)
    names = np.where(natural, persons, _company_names(rng, kinds == "COMMUNITY"))
    rucs = _rucs(natural, np.arange(n))
    return pl.DataFrame(
        {
            "operator_id": np.arange(n),
            "kind": kinds,
            "ruc": rucs,
            "dni": [ruc[2:10] if is_person else None for ruc, is_person in zip(rucs, natural, strict=True)],
            "name": names,
            "representative_name": persons,
            "sex_code": sex,
            "concession_relation_code": choose(rng, p.relations, n),
            "stratum_code": np.where(medium, "PPM", "PMA"),
        }
    ).with_columns(
        pl.when(c("kind") != "NATURAL").then("representative_name").alias("representative_name"),
        pl.when(c("kind") == "NATURAL").then("sex_code").alias("sex_code"),
    )


def _rucs(natural: np.ndarray, numbers: Ints) -> list[str]:
    """RUC with their check digits of persons and companies; different `numbers` give different RUC."""
    dni = FIRST_DNI + numbers * _DNI_STEP % (LAST_DNI - FIRST_DNI + 1)
    bodies = [
        f"1099{d:06d}" if person else f"20{FIRST_LEGAL + i:08d}"
        for person, d, i in zip(natural, dni, numbers, strict=True)
    ]
    return [f"{body}{ruc_check_digit(body)}" for body in bodies]


def person_names(rng: np.random.Generator, sex: np.ndarray) -> np.ndarray:
    """Names as the registry writes them: two surnames and two given names of that sex."""
    n = len(sex)
    surnames = np.array(_SURNAMES, dtype=object)
    parts = [surnames[rng.integers(0, len(surnames), n)] for _ in range(2)]
    for _ in range(2):
        draws = {code: np.array(given, dtype=object)[rng.integers(0, len(given), n)] for code, given in _GIVEN.items()}
        parts.append(np.where(sex == "F", draws["F"], draws["M"]))
    return parts[0] + " " + parts[1] + " " + parts[2] + " " + parts[3]


def _company_names(rng: np.random.Generator, is_community: np.ndarray) -> np.ndarray:
    """Names of companies or communities, told apart by a number, as no real one is."""
    n = len(is_community)
    place, quality = rng.integers(0, len(_PLACES), n), rng.integers(0, len(_QUALITIES), n)
    form = rng.random(n)
    names = np.empty(n, dtype=object)
    for i in range(n):
        forms = _COMMUNITIES if is_community[i] else _COMPANIES
        names[i] = forms[int(form[i] * len(forms))].format(f"{_PLACES[place[i]]} {_QUALITIES[quality[i]]} {i + 1:05d}")
    return names


# --- rights -------------------------------------------------------------------------------------------


def _rights(
    p: PeopleParameters, rng: np.random.Generator, operators: pl.DataFrame, owner: Ints
) -> tuple[dict[str, pl.Series | Floats], pl.DataFrame]:
    """Where each registration is and on whose right, by column; and the holders of others' rights.

    Whoever works on others' rights has a first right of the department, drawn by size, and the next ones beside it.
    """
    count, n = operators.height, len(owner)
    relation = operators["concession_relation_code"].to_numpy()
    codes = list(p.department_shares)
    departments = np.repeat(np.arange(len(codes)), apportion(count, list(p.department_shares.values())))
    departments = rng.permutation(departments)
    towns = [_towns(p, rng, code) for code in codes]
    home = np.empty(count, dtype=np.int64)
    for d, (rows, weights) in enumerate(towns):
        at = departments == d
        home[at] = rows[pick(rng, weights, int(at.sum()))]
    is_own = (relation == "PROPIA")[owner]
    is_free = (relation == "NINGUNA")[owner] & (rng.random(n) < p.free_area)
    on_others = ~is_own & ~is_free

    places = districts()
    latitude, longitude = places["latitude"].to_numpy(), places["longitude"].to_numpy()
    town = home[owner].copy()
    right = np.full(n, -1)
    nth = _nth_of(owner)
    right_towns: list[Ints] = []
    first = 0
    for d, (rows, weights) in enumerate(towns):
        here = on_others & (departments[owner] == d)
        if not here.any():
            continue
        size = max(1, round(int(here.sum()) / p.registrations_per_right))
        standing = np.sort(rows[pick(rng, weights, size)])
        base = rng.permutation(size)[pick(rng, (np.arange(size) + 1.0) ** -p.right_exponent, count)]
        right[here] = first + (base[owner[here]] + nth[here]) % size
        right_towns.append(standing)
        first += size
    others = first
    standing = np.concatenate([*right_towns, town[is_own]]) if right_towns else town[is_own]
    right[is_own] = others + np.arange(int(is_own.sum()))
    town = np.where(right >= 0, standing[right.clip(min=0)] if len(standing) else town, town)
    shift = rng.normal(0, p.right_from_town_deg, (2, max(len(standing), 1)))
    alone = rng.normal(0, p.right_from_town_deg, (2, n))
    dy, dx = (np.where(right >= 0, shift[i][right.clip(min=0)], alone[i]) for i in range(2))

    holders, holder_of = _holders(p, rng, others, count)
    ids, names = _right_ids(p, rng, len(standing)), _right_names(rng, len(standing))
    holder = np.full(n, -1)
    holder[is_own] = owner[is_own]
    by_contract = on_others & (relation == "CONTRATO")[owner]
    holder[by_contract] = count + holder_of[right[by_contract]]

    def text(values: list[str]) -> pl.Series:
        return pl.Series([values[r] if r >= 0 else None for r in right], dtype=pl.String)

    return {
        "district_code": places["district_code"].gather(town),
        "mining_right_id": text(ids),
        "mining_right_name": text(names),
        "holder_id": pl.Series(holder).replace(-1, None),
        "latitude_deg": latitude[town] + dy,
        "longitude_deg": longitude[town] + dx,
    }, holders


def _towns(p: PeopleParameters, rng: np.random.Generator, department: str) -> tuple[Ints, Floats]:
    """Districts (rows of the table) of the department's mining provinces in a random order, and their weights."""
    provinces = p.provinces[department]
    code = districts()["district_code"]
    rows = rng.permutation(np.flatnonzero(code.str.head(4).is_in(provinces).to_numpy()))
    if not len(rows):
        raise ValueError(
            f"people.provinces: {department} has {', '.join(provinces)}, expected INEI codes of provinces such as 0307"
        )
    return rows, (np.arange(len(rows)) + 1.0) ** -p.district_exponent


def _nth_of(owner: Ints) -> Ints:
    """Which of its owner's registrations each one is, from 0."""
    order = np.argsort(owner, kind="stable")
    ranked = owner[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])) if len(owner) else np.zeros(0, dtype=np.int64)
    nth = np.empty(len(owner), dtype=np.int64)
    nth[order] = np.arange(len(owner)) - np.repeat(starts, np.diff(np.append(starts, len(owner))))
    return nth


def _holders(p: PeopleParameters, rng: np.random.Generator, rights: int, operators: int) -> tuple[pl.DataFrame, Ints]:
    """Holders of `rights` rights, and the holder of each right; every holder has one at least."""
    n = max(1, round(rights / p.rights_per_holder)) if rights else 0
    natural = rng.random(n) >= p.legal_holders
    sex = np.where(rng.random(n) < p.women, "F", "M")
    names = np.where(natural, person_names(rng, sex), _company_names(rng, np.zeros(n, dtype=bool)))
    rucs = _rucs(natural, operators + np.arange(n))
    frame = pl.DataFrame({"ruc": rucs, "name": names}, schema={"ruc": pl.String, "name": pl.String})
    more = rng.integers(0, max(n, 1), max(rights - n, 0))
    return frame, rng.permutation(np.concatenate([np.arange(n), more]))


def _right_ids(p: PeopleParameters, rng: np.random.Generator, size: int) -> list[str]:
    """Unique codes in the registry's spellings: nine digits, nine digits and a letter, or Y before the last two digits."""
    drawn = rng.choice(_RIGHT_NUMBERS * _RIGHT_YEARS, size, replace=False)
    numbers, years = drawn // _RIGHT_YEARS, (drawn % _RIGHT_YEARS + _FIRST_RIGHT_YEAR) % 100
    patterns = {"DIGITS": "019{:04d}{:02d}", "LETTER": "019{:04d}{:02d}L", "YEAR": "0190{:04d}Y{:02d}"}
    spellings = choose(rng, p.right_spellings, size)
    return [patterns[s].format(n, y) for s, n, y in zip(spellings, numbers, years, strict=True)]


def _right_names(rng: np.random.Generator, size: int) -> list[str]:
    saints, numbers = rng.integers(0, len(_SAINTS), size), rng.integers(1, 30, size)
    return [f"{_SAINTS[s]} {k}" for s, k in zip(saints, numbers, strict=True)]


# --- registrations ------------------------------------------------------------------------------------


def _inscriptions(p: PeopleParameters, rng: np.random.Generator, held: Ints, months: tuple[dt.date, ...]) -> Ints:
    """Day since 1970 of each registration, by operator: new operators come during the months, the others before them."""
    start, end = day_of(months[0]), last_day(months)
    count = len(held)
    order = rng.permutation(count)
    wanted = round(int(held.sum()) * p.new_per_year * (end - start + 1) / 365.25)
    is_new = np.zeros(count, dtype=bool)
    is_new[order[np.cumsum(held[order]) <= wanted]] = True
    years = {y: w for y, w in p.inscription_year_weights.items() if dt.date(y, 12, 31) < months[0]}
    year = np.array(list(years))[pick(rng, list(years.values()), count)]
    opened = np.array([day_of(dt.date(y, 1, 1)) for y in years])[np.searchsorted(list(years), year)]
    first = np.where(is_new, rng.integers(start, end + 1, count), opened + rng.integers(0, 365, count))
    last = np.where(is_new, end, start - 1)
    owner = np.repeat(np.arange(count), held)
    gaps = np.where(_nth_of(owner) > 0, draw_days(rng, p.days_to_next_registration, len(owner)), 0)
    return np.minimum(first[owner] + gaps, last[owner])


def day_of(date: dt.date) -> int:
    """Days since 1970."""
    return (date - dt.date(1970, 1, 1)).days


def days_of(dates: pl.Series) -> Ints:
    """Days since 1970 of dates."""
    return dates.cast(pl.Int32).cast(pl.Int64).to_numpy()


def last_day(months: tuple[dt.date, ...]) -> int:
    """The last simulated day, since 1970."""
    return day_of((months[-1] + dt.timedelta(days=31)).replace(day=1)) - 1


def _fees(p: PeopleParameters, rng: np.random.Generator, size: int) -> Floats:
    """Shares of the ore's sale value, in the round steps that contracts have."""
    band = p.concession_fee_frac
    drawn = beta_between(rng, band.low, band.high, band.mean, band.sd, size)
    return np.round(np.round(drawn / p.concession_fee_step) * p.concession_fee_step, 4)


def _productivity(
    p: PeopleParameters, rng: np.random.Generator, strata: np.ndarray, owner: Ints, has_copper: np.ndarray
) -> Floats:
    """Each operator's ore by its stratum, shared among its registrations that have copper."""
    ore = np.empty(len(strata))
    for stratum, band in p.ore_wmt_per_month.items():
        at = strata == stratum
        ore[at] = draw_skewed(rng, band, int(at.sum()))
    share = np.where(has_copper, rng.uniform(p.registration_share.low, p.registration_share.high, len(owner)), 0.0)
    whole = np.bincount(owner, weights=share, minlength=len(strata))[owner]
    return np.divide(ore[owner] * share, whole, out=np.zeros(len(owner)), where=whole > 0)
