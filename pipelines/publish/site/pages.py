"""The pages: which figures stand on each, and what the pages without figures tell."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

import polars as pl

from pipelines import contracts
from pipelines.contracts import TableContract
from pipelines.disclosure import parameters as disclosure
from pipelines.publish import extracts, metrics, vintages
from pipelines.publish.site import figures, peru
from pipelines.publish.site.edition import Edition
from pipelines.publish.site.figures import Figure, Maker, Table
from pipelines.publish.site.language import Language

#: Revised values that the summary shows; changes.csv has all.
_REVISED_SHOWN = 12


@dataclasses.dataclass(frozen=True)
class Page:
    """A page with figures: the products that it tells of, and the makers in order; the first one gives the page's number, if it has
    one among the five."""

    products: tuple[str, ...]
    makers: tuple[Maker, ...]
    has_number: bool = True


WITH_FIGURES = {
    "formalizacion": Page(
        (figures.PROGRESS, figures.SURVIVAL, figures.FLOWS),
        (figures.funnel, figures.survival, figures.authorised_map, figures.flows),
    ),
    "provincias": Page((figures.PROGRESS,), (figures.authorised_provinces,), has_number=False),
    "margenes": Page((figures.MARGIN,), (figures.waterfall, figures.link_shares, figures.margin_per_tonne)),
    "precio": Page((figures.PRICE, figures.LONDON), (figures.paid, figures.paid_map, figures.london_price)),
    "trazabilidad": Page((figures.CUSTODY,), (figures.custody,)),
    "invisible": Page(
        (figures.INVISIBLE, figures.PRODUCTION),
        (figures.invisible, figures.production, figures.production_map),
    ),
}
#: Every page in the order of the menu.
NAMES = ("index", *WITH_FIGURES, "datos", "metodo", "metricas", "glosario")


def contexts(say: Language, edition: Edition) -> dict[str, dict[str, Any]]:
    """What each page's template is filled with, by the page's name."""
    made = {name: [figures.both(maker, say, edition) for maker in page.makers] for name, page in WITH_FIGURES.items()}
    everything = tuple(edition.published)
    return {
        "index": {"banner": banner(edition, everything), **_changes(say, edition),
                  "numbers": [_number(say, name, made[name][0]) for name, page in WITH_FIGURES.items() if page.has_number]},
        **{name: {"banner": banner(edition, page.products), "figures": _in_order(made[name]), "missing": _missing(edition, page),
                  "contracts": [contracts.contract(product) for product in page.products]} for name, page in WITH_FIGURES.items()},
        "datos": {"banner": banner(edition, everything), "products": [_product(edition, name) for name in edition.published]},
        "metodo": {"banner": banner(edition, everything), **_method(say, edition)},
        "metricas": {"banner": None, "products": [_metrics(say, contracts.contract(name)) for name in edition.published]},
        "glosario": {"banner": None, "entries": sorted(say.get("glossary").items(), key=lambda entry: _plain(entry[1]["term"]))},
    }  # fmt: skip


def _in_order(made: list[list[Figure]]) -> list[Figure]:
    """The figures of a page: those with something to show first."""
    return sorted((figure for of_maker in made for figure in of_maker), key=lambda figure: not figure.picture)


def _missing(edition: Edition, page: Page) -> list[TableContract]:
    """The tables of a page of which the release has no row."""
    return [contracts.contract(product) for product in page.products if not edition.frame(product).height]


def banner(edition: Edition, products: tuple[str, ...]) -> dict[str, str] | None:
    """The warning of a page that has simulated rows: `kind` is `all` where every row of its products is simulated, else `some`;
    `only` names the products that have no other rows."""
    if not edition.is_synthetic(*products):
        return None
    only = [name for name in products if edition.is_synthetic(name) and not edition.is_measured(name)]
    return {"kind": "some" if edition.is_measured(*products) else "all", "only": ", ".join(only)}


def _plain(term: str) -> str:
    """A term as it is sorted: no capitals, no accents."""
    return term.lower().translate(str.maketrans("áéíóúñ", "aeioun"))


def _number(say: Language, name: str, made: list[Figure]) -> dict[str, Any]:
    """A page's number: of the measured figure if it tells one, else of the simulated one, else that it is hidden or missing."""
    told = next((figure for figure in made if figure.headline), None)
    shown = told or next(iter(made), None)
    return {
        "page": name,
        "told": told is not None,
        "about": told.headline_text if told and told.headline_text else say(f"pages.{name}.number"),
        "text": told.headline if told else say("site.hidden" if shown else "site.no_data"),
        "is_synthetic": shown.is_synthetic if shown else None,
        "period": shown.period if shown else "",
    }


def _changes(say: Language, edition: Edition) -> dict[str, Any]:
    """What changed against the last release: counts by product, and the first revised values."""
    changes = edition.changes
    counted = Counter(changes.select("product", "change").iter_rows())
    products = list(dict.fromkeys([*edition.published, *changes["product"].to_list()]))
    kinds = list(say.get("codes.changes"))
    counts = Table(
        [say("words.product"), *(say(f"words.{kind}") for kind in kinds)],
        [[product, *(say.number(counted[product, kind]) for kind in kinds)] for product in products],
    )
    rows = sum(frame.height for frame in edition.published.values())
    if not changes.height:
        state = "none"
    elif changes.height == sum(counted[product, "added"] for product in products) == rows:
        state = "first"
    else:
        state = "some"
    revised = changes.filter(pl.col("change") == "revised")
    return {
        "changes": state,
        "counts": counts,
        "moved": _moved(say, edition),
        "revised_count": revised.height,
        "revised": Table(
            [say("words.product"), say("words.key"), say("words.column"), say("words.before"), say("words.after")],
            [
                [product, key, column, _told(say, before), _told(say, after)]
                for product, _, key, column, before, after, _ in revised.head(_REVISED_SHOWN).iter_rows()
            ],
        ),
    }


def _moved(say: Language, edition: Edition) -> Table | None:
    """The sources whose files changed since the last release and the tables that they feed; None where that is not known."""
    if edition.moved is None:
        return None
    rows = []
    for row in edition.moved.iter_rows(named=True):
        fed = [name for name in edition.published if row["source"] in contracts.contract(name).published_from]
        dates = (row[name] for name in ("as_of_before", "as_of_after"))
        rows.append(
            [
                row["source"],
                say("site.simulated" if row["is_synthetic"] else "site.measured"),
                *(say.date(day) if day else say.number(None) for day in dates),
                say.listed(
                    [say(f"words.{k}_files", count=row[f"{k}_files"]) for k in vintages.KINDS if row[f"{k}_files"]]
                ),
                ", ".join(name for name in fed if edition.has_mark(name, row["is_synthetic"])),
            ]
        )
    words = ("source", "kind", "as_of_before", "as_of_after", "files", "feeds")
    return Table([say(f"words.{word}") for word in words], rows)


def _told(say: Language, value: str | None) -> str:
    return say.number(None) if value is None else value


def _product(edition: Edition, name: str) -> dict[str, Any]:
    """A table of the release as the page of downloads tells it."""
    frame = edition.frame(name)
    column = next((c for c in ("month", "period_code", "production_year") if c in frame.columns), None)
    told = [] if column is None else sorted(frame[column].cast(pl.String).unique().to_list())
    kind = ("both" if edition.is_measured(name) else "simulated") if edition.is_synthetic(name) else "measured"
    return {
        "contract": contracts.contract(name),
        "rows": frame.height,
        "kind": kind if frame.height else "none",
        "first": told[0] if told else "",
        "last": told[-1] if told else "",
    }


def _metrics(say: Language, contract: TableContract) -> dict[str, Any]:
    """A table's figures, what each is divided by, and the queries that give them: title and SQL."""
    sums = metrics.sums_sql(contract)
    otherwise = say("pages.metricas.is_summed" if sums else "pages.metricas.is_read")
    queries = [(say("pages.metricas.sums", product=contract.name), sums)] if sums else []
    return {
        "contract": contract,
        "table": Table(
            [*(say(f"words.{word}") for word in ("figure", "meaning", "unit", "denominator")), "SQL"],
            [
                [f.name, say.described(f), f.unit or "", metrics.denominator(f) or "–", f.formula or otherwise]
                for f in metrics.figures(contract)
            ],
        ),
        "queries": [
            *queries,
            (say("pages.metricas.model", model=metrics.model(contract)), metrics.model_sql(contract)),
        ],
    }


def _method(say: Language, edition: Edition) -> dict[str, Any]:
    """Parameters of disclosure control, status codes, and how much of each product is hidden."""
    rules = disclosure.parameters()
    told = [getattr(rules, name) for name in type(rules).model_fields]
    hidden = {
        name: Counter(frame[extracts.STATUS].to_list())
        for name, frame in edition.published.items()
        if extracts.STATUS in frame.columns and frame.height
    }
    codes = list(say.get("codes.status"))
    return {
        "parameters": Table(
            [say("words.parameter"), say("words.value"), say("words.reason")],
            [[say.own(rule.name), rule.shown(say.get("contracts_in")), say.own(rule.reason)] for rule in told],
        ),
        "status": Table(
            [say("words.code"), say("words.meaning")], [[code, say.coded("status", code)] for code in codes]
        ),
        "cells": Table(
            [say("words.product"), say("words.published"), *(f"{say('site.hidden')} ({code})" for code in codes[1:])],
            [[name, *(say.number(counts[code]) for code in codes)] for name, counts in hidden.items()],
        ),
        "contracts": [contracts.contract(name) for name in edition.published],
        "map_attribution": peru.attribution(),
    }
