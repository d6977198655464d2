"""Products that are made of parties' contributions: at which levels they are published, and in which shape.

Everything else about them (which cells stay hidden, and the attacks that try to find them out) is `pipelines.disclosure`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import duckdb
import polars as pl

from pipelines import contracts
from pipelines.contracts import TableContract
from pipelines.disclosure.cells import COORDINATES, Cells, Product, Table, aggregate, last_publishable_month, to_units
from pipelines.disclosure.control import Protected, protect
from pipelines.disclosure.linear import Relation
from pipelines.disclosure.sensitivity import FREE
from pipelines.publish import steps
from pipelines.publish.past import Past
from pipelines.warehouse import connect

#: What SDMX calls all sexes, and the country.
BOTH_SEXES, COUNTRY = "T", "PE"
LINKS = ("OPERATOR", "CONCESSION_HOLDER", "COLLECTOR", "BILLER", "HAULIER", "LABORATORY", "PLANT", "TRADER")
#: Links that buy from others; the rest are paid for services alone.
BUYING_LINKS = ("OPERATOR", "COLLECTOR", "PLANT", "TRADER")
FLOWS = ("NEW", "RETURNED", "EXCLUDED", "ABSENT", "SUSPENDED", "CURED")
CLASSES = ("GOOD_STANDING", "NO_GOOD_STANDING", "NOT_KNOWN")
#: Denominator of a price and its column among the contributions.
DENOMINATORS = {"LME_CONTAINED": "lme_usd", "NETBACK": "netback_usd", "TARIFF": "tariff_usd"}
#: Milestone and its order; those of one order run in parallel.
MILESTONES = {
    "IGAFOM_PRESENTADO": 1, "IGAFOM_APROBADO": 2, "TERRENO_SUPERFICIAL": 3, "DERECHO_MINERO": 3, "RESTOS_ARQUEOLOGICOS": 3,
    "EXPEDIENTE_TECNICO": 4, "AUTORIZACION": 5,
}  # fmt: skip

_QUARTERS = (Table("department_quarter", ("NATION", "DEPARTMENT"), ("YEAR", "QUARTER")),)
_YEARS = (Table("department_year", ("NATION", "DEPARTMENT"), ("YEAR",)),)
_MONTH_ENDS = (
    Table("province", ("NATION", "DEPARTMENT", "PROVINCE"), ("MONTH",)),
    Table("sex", ("NATION", "DEPARTMENT"), ("MONTH",), ("ALL", "SEX")),
)

c = pl.col


@dataclasses.dataclass(frozen=True)
class Disclosed:
    """A published table whose figures are sums over parties.

    Args:
        contributions: the dbt model that gives them.
        split_by: column, each value of which is a product of its own (stocks by month; prices by stage).
        shape: published cells (coordinates, status, measures; null where hidden) and the value of `split_by`, to the
            contract's columns.
        has_producers, has_classes: see `Product`.
        late_kinds: values of `split_by` ("" without one) that hold trade at the pit, published late.
        public: a query of rows that others published already, in the columns of the contract but for the place's name.
    """

    table: str
    contributions: str
    measures: tuple[str, ...]
    tables: tuple[Table, ...]
    shape: Callable[[pl.DataFrame, str], pl.DataFrame]
    split_by: str | None = None
    is_price: bool = False
    has_producers: bool = False
    has_classes: bool = False
    late_kinds: tuple[str, ...] = ()
    public: str | None = None

    def product(self, value: str, mark: bool) -> Product:
        """What is protected together: one value of `split_by`, simulated or measured."""
        name = "/".join(part for part in (self.table, value, "simulated" if mark else "measured") if part)
        return Product(
            name,
            self.measures,
            self.tables,
            self.is_price,
            value in self.late_kinds,
            self.has_producers,
            self.has_classes,
        )


@dataclasses.dataclass(frozen=True)
class Disclosure:
    """All disclosed tables of a release, and what the house keeps of them for the next one."""

    tables: dict[str, pl.DataFrame]
    past: Past


def disclose(
    analysts_db: Path,
    as_of: dt.date,
    release: str,
    past: Past,
    withheld: Collection[str] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> Disclosure:
    """Protect every product of an analysts' copy as a release of a day; a copy without a product's contributions has none of it.

    Args:
        past: what the last release left.
        withheld: sources whose measured files may not be published (an excerpt for demonstration): no measured product is
            made of them.
        tell: is told each table's name as its turn comes.

    Raises:
        PublishRefused, NoPattern, CellsRefused: as `protect`.
    """
    told, kept, tables = past.ledger, {}, {}
    with connect(analysts_db, read_only=True) as connection:
        built = {name for (name,) in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()}
        places = _read(connection, _PLACES) if "dim_place" in built else pl.DataFrame()
        for disclosed in DISCLOSED:
            if disclosed.contributions not in built:
                continue
            tell(disclosed.table)
            parts = [] if disclosed.public is None else [_read(connection, disclosed.public)]
            given = _read(connection, f'SELECT * FROM intermediate."{disclosed.contributions}"')
            for value, mark, rows in _split(disclosed, given):
                if not mark and _is_withheld(disclosed.table, withheld):
                    continue
                product = disclosed.product(value, mark)
                last_month = last_publishable_month(product, as_of)
                if not aggregate(product, rows, last_month).frame.height:  # no period is over yet
                    continue
                done = protect(
                    product, rows, last_month, release, told, past.contributions.get(product.name),
                    identities=_IDENTITIES.get(disclosed.table, lambda _: ()),
                )  # fmt: skip
                told = done.ledger
                kept[product.name] = done.contributions
                parts.append(disclosed.shape(_figures(done), value).with_columns(pl.lit(mark).alias("is_synthetic")))
            tables[disclosed.table] = _contracted(disclosed.table, parts, places)
        if _CURVES in built:
            tell(SURVIVAL)
            curves = _read(connection, f"SELECT * FROM marts.{_CURVES} WHERE stratum_code = 'ALL'")
            if _is_withheld(SURVIVAL, withheld):
                curves = curves.filter("is_synthetic")
            tables[SURVIVAL] = _contracted(SURVIVAL, [steps.merged(curves)], places)
    return Disclosure(tables, Past(told, kept))


def _is_withheld(table: str, withheld: Collection[str]) -> bool:
    return not set(contracts.contract(table).published_from).isdisjoint(withheld)


def names() -> tuple[str, ...]:
    """Every table that is made under disclosure control."""
    return (*(disclosed.table for disclosed in DISCLOSED), SURVIVAL)


def _read(connection: duckdb.DuckDBPyConnection, sql: str) -> pl.DataFrame:
    frame = pl.from_arrow(connection.execute(sql).to_arrow_table())
    assert isinstance(frame, pl.DataFrame)
    return frame


def _split(disclosed: Disclosed, given: pl.DataFrame) -> Iterator[tuple[str, bool, pl.DataFrame]]:
    """Value of `split_by` ("" without one), is_synthetic, contributions of one product."""
    key = ["is_synthetic", *([disclosed.split_by] if disclosed.split_by else [])]
    for values, rows in sorted(given.partition_by(key, as_dict=True).items(), key=lambda item: str(item[0])):
        value = values[1] if disclosed.split_by else ""
        yield f"{value:%Y-%m}" if isinstance(value, dt.date) else str(value), bool(values[0]), rows.drop("is_synthetic")


def _figures(done: Protected) -> pl.DataFrame:
    """Published cells: coordinates, status, measures in their own units, null where hidden."""
    measures = done.cells.product.measures
    shown = c("status") == FREE
    frame = done.cells.frame.filter(c("release").is_null(), "is_published").select(
        *COORDINATES, "status", *(pl.when(shown).then(c(m)).alias(m) for m in measures)
    )
    return to_units(frame, measures, done.cells.scales)


def _fob_is_what_links_kept(cells: Cells) -> Sequence[Relation]:
    """In every cell: what all links received less what they paid is FOB."""
    signs = [
        *((f"{link.lower()}_received_usd", 1) for link in LINKS),
        *((f"{link.lower()}_paid_usd", -1) for link in BUYING_LINKS),
        ("fob_usd", -1),
    ]
    return [
        Relation(tuple((cell, measure, sign) for measure, sign in signs))
        for cell in cells.frame.select(COORDINATES).iter_rows()
    ]


def _contracted(table: str, parts: list[pl.DataFrame], places: pl.DataFrame) -> pl.DataFrame:
    """All parts in the order and types of the contract; places named."""
    contract = contracts.contract(table)
    schema = dict(contract.schema(lineage=False))
    parts = [part for part in parts if part.height]
    if not parts:
        return pl.DataFrame(schema=schema)
    named = [part.join(places, on="place_code", how="left") if "place_code" in schema else part for part in parts]
    return pl.concat(
        _computed(contract, part).select(c(name).cast(dtype) for name, dtype in schema.items()) for part in named
    ).sort(contract.key)


def _computed(contract: TableContract, part: pl.DataFrame) -> pl.DataFrame:
    """With the columns that the contract gives a formula for, rounded as their types are."""
    for column in contract.columns:
        if column.formula and column.name not in part.columns:
            formula = pl.sql_expr(column.formula)
            used = set(formula.meta.root_names())
            numbers = [c(name).cast(pl.Float64) for name in sorted(used) if part[name].dtype.is_numeric()]
            value = part.with_columns(numbers).select(formula).to_series()
            part = part.with_columns(value.cast(column.dtype).alias(column.name))
    return part


# --- shapes: published cells in the columns of each contract --------------------------------------------


def _placed(cells: pl.DataFrame) -> pl.DataFrame:
    """place_code and place_level_code, period_code and period_level_code as contracts have them."""
    return cells.with_columns(
        pl.when(c("geo_code") == "").then(pl.lit(COUNTRY)).otherwise("geo_code").alias("place_code"),
        c("geo_code").str.len_chars().replace_strict({0: "NATION", 2: "DEPARTMENT", 4: "PROVINCE"}, return_dtype=pl.String)
        .alias("place_level_code"),
        c("time_code").str.replace("Q", "-Q").alias("period_code"),
        c("time_code").str.len_chars().replace_strict({4: "YEAR", 6: "QUARTER", 7: "MONTH"}, return_dtype=pl.String)
        .alias("period_level_code"),
        c("status").alias("obs_status_code"),
    )  # fmt: skip


def _long(
    cells: pl.DataFrame, code: str, codes: Sequence[str], columns: Callable[[str], dict[str, pl.Expr]]
) -> pl.DataFrame:
    """A row for each cell and code, with the columns that each code gives."""
    return pl.concat(
        cells.with_columns(pl.lit(value).alias(code), **columns(value)) for value in codes
    )  # fmt: skip


def _formalization(cells: pl.DataFrame, month: str) -> pl.DataFrame:
    rows = _placed(cells).with_columns(
        pl.lit(dt.date.fromisoformat(f"{month}-01")).alias("month"),
        pl.when(c("sex_code") == "").then(pl.lit(BOTH_SEXES)).otherwise("sex_code").alias("sex_code"),
    )
    return _long(
        rows, "milestone_code", list(MILESTONES),
        lambda code: {
            "milestone_order": pl.lit(MILESTONES[code]),
            "eligible_registration_count": c("eligible_count"),
            "reached_registration_count": c(f"{code.lower()}_count"),
        },
    )  # fmt: skip


def _flows(cells: pl.DataFrame, _: str) -> pl.DataFrame:
    return _long(_placed(cells), "flow_code", FLOWS, lambda code: {"registration_count": c(f"{code.lower()}_count")})


def _margins(cells: pl.DataFrame, _: str) -> pl.DataFrame:
    def of(link: str) -> dict[str, pl.Expr]:
        received = c(f"{link.lower()}_received_usd")
        paid = c(f"{link.lower()}_paid_usd") if link in BUYING_LINKS else received * 0
        return {"received_usd": received, "paid_usd": paid}

    return _long(_placed(cells), "link_code", LINKS, of)


def _prices(cells: pl.DataFrame, kind: str) -> pl.DataFrame:
    return _long(
        _placed(cells).with_columns(pl.lit(kind).alias("kind_code")), "denominator_code", list(DENOMINATORS),
        lambda code: {"denominator_usd": c(DENOMINATORS[code])},
    )  # fmt: skip


def _custody(cells: pl.DataFrame, _: str) -> pl.DataFrame:
    return _long(
        _placed(cells), "class_code", CLASSES,
        lambda code: {"copper_t": (c(f"{code.lower()}_g").cast(pl.Float64) / 1e6).round(3)},
    )  # fmt: skip


def _hauls(cells: pl.DataFrame, _: str) -> pl.DataFrame:
    return _placed(cells).with_columns(
        c("period_code").cast(pl.Int64).alias("production_year"),
        pl.lit("WAYBILL_ORE_CONTAINED").alias("measure_code"),
        pl.lit("--").alias("claim_code"),
        pl.lit("DOCUMENTS").alias("basis_code"),
    )


_PLACES = """
    SELECT ubigeo_code AS place_code, place_name FROM (
        SELECT DISTINCT department_code AS ubigeo_code, department_name AS place_name FROM marts.dim_place WHERE place_level = 'department'
        UNION ALL
        SELECT DISTINCT province_code, province_name FROM marts.dim_place WHERE place_level = 'province'
        UNION ALL
        SELECT 'PE', 'Perú'
        UNION ALL
        SELECT '--', '--'
    )
"""
_OFFICIAL = """
    SELECT production_year, coalesce(department_code, 'PE') AS place_code, measure_code, coalesce(claim_code, '--') AS claim_code,
        CASE place_level WHEN 'country' THEN 'NATION' ELSE 'DEPARTMENT' END AS place_level_code, basis_code,
        copper_low_t, copper_t, copper_high_t, 'A' AS obs_status_code, is_synthetic
    FROM marts.mart_invisible_copper WHERE basis_code IN ('OFFICIAL', 'NOT_REPORTED', 'CLAIMED')
"""
MARGINS, SURVIVAL = "pub_value_chain_margin", "pub_formalization_survival"
_CURVES = "mart_formalization_survival"
#: What attackers know of a table's cells beside sums over places and time.
_IDENTITIES = {MARGINS: _fob_is_what_links_kept}
DISCLOSED = (
    Disclosed(
        "pub_formalization_progress", "int_release__formalization",
        ("eligible_count", *(f"{code.lower()}_count" for code in MILESTONES)), _MONTH_ENDS, _formalization, split_by="month",
    ),
    Disclosed(
        "pub_registry_transitions", "int_release__registry_flows", tuple(f"{code.lower()}_count" for code in FLOWS), _QUARTERS, _flows,
    ),
    Disclosed(
        MARGINS, "int_release__margins",
        (
            "fob_usd", *(f"{link.lower()}_received_usd" for link in LINKS), *(f"{link.lower()}_paid_usd" for link in BUYING_LINKS),
            "lme_contained_usd", "copper_t",
        ),
        _QUARTERS, _margins, late_kinds=("",),  # of every lot, what its operator was paid
    ),
    Disclosed(
        "pub_price_fairness", "int_release__prices", ("paid_usd", *DENOMINATORS.values()), _QUARTERS, _prices,
        split_by="kind_code", is_price=True, has_producers=True, late_kinds=("ORE_AT_PIT",),
    ),
    Disclosed(
        "pub_chain_of_custody", "int_release__custody", tuple(f"{code.lower()}_g" for code in CLASSES), _QUARTERS, _custody,
        has_classes=True,
    ),
    Disclosed(
        "pub_invisible_copper", "int_release__hauls", ("copper_t", "copper_low_t", "copper_high_t", "mass_wmt"), _YEARS, _hauls,
        public=_OFFICIAL,
    ),
)  # fmt: skip
