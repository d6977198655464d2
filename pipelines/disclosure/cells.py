"""The cells of a product: every sum that its linked tables publish or imply, and the equations between them.

A cell is a node on each of three axes: geography (nation, department, province, district by the first 0, 2, 4, 6
characters of the ubigeo code), time (year, quarter, month) and sex (all, by code). Equal nodes in two tables are one cell.
The cells of a product are closed towards coarser levels: a combination that no table publishes but that sums of published
cells would tell (a *linking* cell) is there too, marked `is_published = False`. It is never shown, but it is protected, as
everybody can add up.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Collection, Sequence
from decimal import Decimal
from itertools import product as combinations

import polars as pl

from pipelines.disclosure.parameters import parameters
from pipelines.errors import AntawasiError

#: Levels of each axis, coarse to fine.
GEO = ("NATION", "DEPARTMENT", "PROVINCE", "DISTRICT")
TIME = ("YEAR", "QUARTER", "MONTH")
SEX = ("ALL", "SEX")
#: What names a cell: codes, "" for the nation and for both sexes; time as 2024, 2024Q2 or 2024-05.
COORDINATES = ("geo_code", "time_code", "sex_code")
#: How long a level's code is, by which it is told.
_GEO_LENGTHS, _TIME_LENGTHS = (0, 2, 4, 6), (4, 6, 7)
SEX_CODES = ("F", "M", "X", "--")
_PLACE = r"^(?:[0-9]{2}|--)(?:[0-9]{2}|--)?(?:[0-9]{2}|--)?$"
#: Sums up to here are exact in the solver's floating point.
_LARGEST = 2**53

c = pl.col
Levels = tuple[int, int, int]


class CellsRefused(AntawasiError):
    """Contributions or tables that cannot be made into cells."""


@dataclasses.dataclass(frozen=True)
class Table:
    """One published table: every combination of the levels named on the three axes."""

    name: str
    geo: tuple[str, ...]
    time: tuple[str, ...]
    sex: tuple[str, ...] = ("ALL",)

    @property
    def levels(self) -> frozenset[Levels]:
        """Combinations as positions in `GEO`, `TIME`, `SEX`."""
        return frozenset(combinations(map(GEO.index, self.geo), map(TIME.index, self.time), map(SEX.index, self.sex)))


@dataclasses.dataclass(frozen=True)
class Product:
    """What is published together: linked tables of the same measures.

    Args:
        measures: additive, nonnegative columns of the contributions. For prices the first is the value (the price is its
            ratio to another, and is published where both are).
        is_price: the rules for prices hold.
        is_pit_level: trade at the pit, which is published late.
        has_producers: contributions name the producer too (`producer_key`), who may be another than the holding that sells:
            counts and the p % rule hold among producers as well.
        has_classes: the measures are classes of parties, each of which needs the least holdings if it is above zero.

    Raises:
        CellsRefused: an unknown level, or a table finer than `finest_tables` allows.
    """

    name: str
    measures: tuple[str, ...]
    tables: tuple[Table, ...]
    is_price: bool = False
    is_pit_level: bool = False
    has_producers: bool = False
    has_classes: bool = False

    def __post_init__(self) -> None:
        finest = [(GEO.index(t.geo), TIME.index(t.time), SEX.index(t.sex)) for t in parameters().finest_tables.value]
        for table in self.tables:
            for axis, given, known in (("geo", table.geo, GEO), ("time", table.time, TIME), ("sex", table.sex, SEX)):
                if not given or not set(given) <= set(known):
                    raise CellsRefused(
                        f"{self.name}, table {table.name}: levels {given} on axis {axis}. Expected: some of {known}. "
                        "What to do: correct the table."
                    )
            for levels in sorted(table.levels):
                if not any(_is_within(levels, most) for most in finest):
                    raise CellsRefused(
                        f"{self.name}, table {table.name}: {_named(levels)} is too fine. Expected: at most "
                        f"{', '.join(map(_named, finest))}. What to do: publish coarser levels on two of the three axes."
                    )

    @property
    def published(self) -> frozenset[Levels]:
        """Combinations of levels that some table publishes."""
        return frozenset().union(*(table.levels for table in self.tables))

    @property
    def closed(self) -> tuple[Levels, ...]:
        """Those and all coarser ones, in order."""
        every = combinations(range(len(GEO)), range(len(TIME)), range(len(SEX)))
        return tuple(levels for levels in every if any(_is_within(levels, fine) for fine in self.published))


@dataclasses.dataclass(frozen=True)
class Cells:
    """A product's cells; the steps of disclosure control add columns and rows to `frame`, never take away.

    frame: one row per cell in order of coordinates, `cell` = row number. Measures are whole numbers of their smallest unit
    (10 ** -scale). Of each measure m: `m`; `m_public` (of waived holdings); `m_largest`, `m_second` (holdings);
    `m_bought`, `m_largest_buyer`, `m_second_buyer` (of rows that name a buyer); of a product with producers `m_largest_producer`,
    `m_second_producer`; of one with classes `m_holdings`, how many have any of it. All but the first two leave waived holdings out.
    Also `holding_count` (not waived), `producer_count`, `largest_buyer_frac` (of the first measure), `is_published`.
    equations: equation, cell, coefficient: each equation's coefficients times its cells' measures sum to 0 (a parent 1,
    its children −1; children without contributions are zeros and left out).
    shares: cell, holding (number), each measure: what each holding that is not waived has in each cell, largest first.
    """

    product: Product
    scales: dict[str, int]
    frame: pl.DataFrame
    equations: pl.DataFrame
    shares: pl.DataFrame


def last_publishable_month(product: Product, as_of: dt.date) -> dt.date:
    """First day of the last month that is over at the end of `as_of` and, at the pit, was `pit_delay_months` ago."""
    delay = parameters().pit_delay_months.value if product.is_pit_level else 0
    next_day = as_of + dt.timedelta(days=1)
    months = next_day.year * 12 + next_day.month - 1 - 1 - delay
    return dt.date(months // 12, months % 12 + 1, 1)


def aggregate(
    product: Product, contributions: pl.DataFrame, last_month: dt.date, waived: Collection[str] = ()
) -> Cells:
    """Sum contributions to all cells of a product.

    Args:
        contributions: ubigeo_code, month (Date, its first day), sex_code (if a table is by sex; "--" = not known),
            holding_key, buyer_key (nullable), producer_key (if the product has producers), and the measures (DECIMAL or
            integer). Unknown parts of a place, and all holdings or producers that are not known, are "--".
        last_month: later months, and quarters and years that are not over by its end, are left out: a total that grows
            from release to release would tell the new part.
        waived: holdings whose figures are public already; the rules see what is left without them.

    Raises:
        CellsRefused: a column is missing, a key, place, month or measure is null or malformed, a measure is negative,
            a place is coarser than the tables need, or sums are too large.
    """
    rows, scales = _checked(product, contributions)
    rows = rows.filter(c("month") <= last_month, pl.any_horizontal(c(m) > 0 for m in product.measures))
    waived_keys = pl.Series(sorted(waived), dtype=pl.String)
    rows = rows.with_columns(
        c("holding_key").is_in(waived_keys.implode()).alias("is_waived"),
        # Numbers are grouped faster than keys, and say less.
        *(c(f"{party}_key").rank("dense").cast(pl.Int64).alias(party) for party in _parties(product)),
    )
    stacked = pl.concat([_at(rows, levels, product, last_month) for levels in product.closed])
    frame = _totals(stacked, product)
    too_large = frame.filter(pl.any_horizontal(c(m) >= _LARGEST for m in product.measures))
    if too_large.height:
        raise CellsRefused(
            f"{product.name}: sums of 2^53 smallest units and more ({name_of(too_large.row(0, named=True))}). Expected: less, "
            "as the solver is exact up to there. What to do: give the measure fewer decimals."
        )
    shares = (
        stacked.filter(~c("is_waived"))
        .group_by(*COORDINATES, "holding")
        .agg(c(m).sum() for m in product.measures)
        .join(frame.select(*COORDINATES, "cell"), on=COORDINATES)
        .select("cell", "holding", *product.measures)
        .sort("cell", *product.measures, "holding", descending=[False, *[True] * len(product.measures), False])
    )
    return Cells(product, scales, frame, equations_of(frame), shares)


def equations_of(frame: pl.DataFrame) -> pl.DataFrame:
    """Equations among rows of coordinates with a `cell` number: a parent is the sum of its children along one axis."""
    parts = []
    for axis, (column, parent) in enumerate(zip(COORDINATES, _PARENTS, strict=True)):
        children = frame.filter(_is_child(column)).with_columns(parent.alias(column))
        linked = children.join(frame.select(*COORDINATES, c("cell").alias("parent")), on=COORDINATES)
        named = linked.select((c("parent") * len(COORDINATES) + axis).alias("equation"), "parent", "cell")
        parts += [
            named.select("equation", c("parent").alias("cell"), pl.lit(1, pl.Int64).alias("coefficient")).unique(),
            named.select("equation", "cell", pl.lit(-1, pl.Int64).alias("coefficient")),
        ]
    return pl.concat(parts).sort("equation", "cell")


def at_levels(frame: pl.DataFrame, levels: Collection[Levels]) -> pl.DataFrame:
    """The rows of some combinations of levels."""
    wanted = pl.DataFrame(
        [(_GEO_LENGTHS[geo], _TIME_LENGTHS[time], sex > 0) for geo, time, sex in sorted(levels)],
        schema={"geo": pl.UInt32, "time": pl.UInt32, "is_by_sex": pl.Boolean},
        orient="row",
    )
    lengths = (c("geo_code").str.len_chars(), c("time_code").str.len_chars(), c("sex_code") != "")
    return frame.join(wanted, left_on=lengths, right_on=("geo", "time", "is_by_sex"), how="semi", maintain_order="left")


def levels_of(geo_code: str, time_code: str, sex_code: str) -> Levels | None:
    """Levels by the form of the codes; None if they have another form."""
    if len(geo_code) not in _GEO_LENGTHS or len(time_code) not in _TIME_LENGTHS:
        return None
    return _GEO_LENGTHS.index(len(geo_code)), _TIME_LENGTHS.index(len(time_code)), int(sex_code != "")


def name_of(row: dict[str, str]) -> str:
    """A cell as a message names it."""
    return "/".join((row["geo_code"] or "nation", row["time_code"], row["sex_code"] or "all"))


def to_units(frame: pl.DataFrame, measures: Sequence[str], scales: dict[str, int]) -> pl.DataFrame:
    """Whole numbers of smallest units back to DECIMAL, the null ones null."""
    return frame.with_columns(
        pl.Series(
            m,
            [None if v is None else Decimal(v).scaleb(-scales[m]) for v in frame[m].to_list()],
            dtype=pl.Decimal(38, scales[m]),
        )
        for m in measures
    )


def _is_within(levels: Levels, most: Levels) -> bool:
    return all(level <= limit for level, limit in zip(levels, most, strict=True))


def _named(levels: Levels) -> str:
    return " × ".join((GEO[levels[0]], TIME[levels[1]], SEX[levels[2]]))


def _checked(product: Product, contributions: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """The columns needed, measures as whole numbers, and each measure's scale."""
    finest = [max(levels[axis] for levels in product.closed) for axis in range(3)]
    keys = [f"{party}_key" for party in _parties(product)]
    columns = ["ubigeo_code", "month", *["sex_code"] * finest[2], *keys, *product.measures]
    missing = [name for name in columns if name not in contributions.columns]
    if missing:
        raise CellsRefused(f"{product.name}: contributions lack {', '.join(missing)}. What to do: add the columns.")
    rows = contributions.select(columns).with_row_index("row", 1)
    for name in columns[: -len(product.measures)]:
        expected = pl.Date if name == "month" else pl.String
        if rows.schema[name] != expected:
            raise CellsRefused(
                f"{product.name}: column {name} is {rows.schema[name]}. Expected: {expected}. What to do: cast it in SQL."
            )
    scales = {m: _scale(product, m, rows.schema[m]) for m in product.measures}
    rows = rows.with_columns((c(m) * 10 ** scales[m]).cast(pl.Int64) for m in product.measures)
    characters = 2 * finest[0]
    wrong = {
        "month is null or not a month's first day": c("month").is_null() | (c("month").dt.day() != 1),
        **{f"{key} is null": c(key).is_null() for key in keys if key != "buyer_key"},
        "ubigeo_code is no place (2, 4 or 6 digits)": ~c("ubigeo_code").str.contains(_PLACE).fill_null(False),
        f"ubigeo_code has no {GEO[finest[0]].lower()}": c("ubigeo_code").str.len_chars() < characters,
    } | {f"{m} is null or negative": c(m).is_null() | (c(m) < 0) for m in product.measures}
    if finest[2]:
        wrong[f"sex_code is none of {', '.join(SEX_CODES)}"] = ~c("sex_code").is_in(SEX_CODES).fill_null(False)
    for what, is_wrong in wrong.items():
        found = rows.filter(is_wrong)
        if found.height:
            raise CellsRefused(
                f"{product.name}: {what} in {found.height:,} contributions, the first in row {found['row'][0]:,}. "
                "What to do: correct the model that gives them; what is not known is '--', never null."
            )
    return rows, scales


def _scale(product: Product, measure: str, dtype: pl.DataType) -> int:
    if isinstance(dtype, pl.Decimal):
        return dtype.scale
    if dtype.is_integer():
        return 0
    raise CellsRefused(
        f"{product.name}: measure {measure} is {dtype}. Expected: DECIMAL or an integer. What to do: cast it in SQL."
    )


def _at(rows: pl.DataFrame, levels: Levels, product: Product, last_month: dt.date) -> pl.DataFrame:
    geo, time, sex = levels
    year = c("month").dt.year().cast(pl.String)
    code, months = (
        (year, 12),
        (year + "Q" + c("month").dt.quarter().cast(pl.String), 3),
        (c("month").dt.strftime("%Y-%m"), 1),
    )[time]
    last_of_period = c("month").dt.month().cast(pl.Int32).sub(1).floordiv(months).add(1).mul(months)
    is_over = c("month").dt.year() * 12 + last_of_period <= last_month.year * 12 + last_month.month
    return rows.filter(is_over).select(
        c("ubigeo_code").str.slice(0, 2 * geo).alias("geo_code"),
        code.alias("time_code"),
        (c("sex_code") if sex else pl.lit("")).alias("sex_code"),
        pl.lit(levels in product.published).alias("is_published"),
        *_parties(product), "is_waived", *product.measures,
    )  # fmt: skip


def _parties(product: Product) -> tuple[str, ...]:
    return ("holding", "buyer", "producer") if product.has_producers else ("holding", "buyer")


def _totals(stacked: pl.DataFrame, product: Product) -> pl.DataFrame:
    measures = product.measures
    private = ~c("is_waived")
    counted = ("holding", "producer") if product.has_producers else ("holding",)
    total = stacked.group_by(COORDINATES).agg(
        c("is_published").first(),
        *(c(party).filter(private).n_unique().alias(f"{party}_count") for party in counted),
        *(
            c("holding").filter(private & (c(m) > 0)).n_unique().alias(f"{m}_holdings")
            for m in measures
            if product.has_classes
        ),
        *(c(m).sum() for m in measures),
        *(c(m).filter(~private).sum().alias(f"{m}_public") for m in measures),
    )
    holdings = _two_largest(stacked.filter(private), "holding", measures, ("{}_largest", "{}_second"))
    bought = stacked.filter(private & c("buyer").is_not_null())
    buyers = _two_largest(bought, "buyer", measures, ("{}_largest_buyer", "{}_second_buyer"))
    sums = bought.group_by(COORDINATES).agg(c(m).sum().alias(f"{m}_bought") for m in measures)
    first = measures[0]
    frame = total
    parts = [holdings, sums, buyers]
    if product.has_producers:
        names = ("{}_largest_producer", "{}_second_producer")
        parts.append(_two_largest(stacked.filter(private), "producer", measures, names))
    for part in parts:
        frame = frame.join(part, on=COORDINATES, how="left")
    filled = [n for n in frame.columns if n.endswith(("_largest", "_second", "_bought", "_buyer", "_producer"))]
    return (
        frame.with_columns(c(filled).fill_null(0))
        .with_columns(
            pl.when(c(f"{first}_bought") > 0)
            .then(c(f"{first}_largest_buyer") / c(f"{first}_bought"))
            .otherwise(0.0)
            .alias("largest_buyer_frac")
        )
        .sort(COORDINATES)
        .with_row_index("cell")
        .with_columns(c("cell").cast(pl.Int64))
    )


def _two_largest(rows: pl.DataFrame, party: str, measures: Sequence[str], names: tuple[str, str]) -> pl.DataFrame:
    each = rows.group_by(*COORDINATES, party).agg(c(m).sum() for m in measures)
    return each.group_by(COORDINATES).agg(
        *(c(m).max().alias(names[0].format(m)) for m in measures),
        *((c(m).top_k(2).sum() - c(m).max()).alias(names[1].format(m)) for m in measures),
    )


def _is_child(column: str) -> pl.Expr:
    return c("time_code").str.len_chars() > 4 if column == "time_code" else c(column) != ""


_YEAR = c("time_code").str.slice(0, 4)
_PARENTS = (
    c("geo_code").str.head(-2),
    pl.when(c("time_code").str.contains("Q"))
    .then(_YEAR)
    .otherwise(_YEAR + "Q" + ((c("time_code").str.slice(5, 2).cast(pl.Int32, strict=False) + 2) // 3).cast(pl.String)),
    pl.lit(""),
)
