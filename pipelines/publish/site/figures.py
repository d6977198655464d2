"""The figures: each answers a question in its title from a product's rows, as a picture, a table and a source.

Every maker returns one figure for measured rows and one for simulated rows, those that the release holds; the two never meet.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from pipelines import contracts
from pipelines.publish.site import charts, peru
from pipelines.publish.site.edition import Edition, Row, is_shown, period_to_show
from pipelines.publish.site.language import Language
from pipelines.sources import get_source

MARGIN, PRICE, CUSTODY = "pub_value_chain_margin", "pub_price_fairness", "pub_chain_of_custody"
PROGRESS, SURVIVAL, FLOWS = "pub_formalization_progress", "pub_formalization_survival", "pub_registry_transitions"
INVISIBLE, PRODUCTION, LONDON = "pub_invisible_copper", "pub_copper_production", "pub_copper_price"
NATION = "PE"
_DEPARTMENTS = ("NATION", "DEPARTMENT")


@dataclasses.dataclass(frozen=True)
class Table:
    """Texts of a table; the first column names the rows, the others are figures."""

    headers: list[str]
    rows: list[list[str]]


@dataclasses.dataclass(frozen=True)
class Figure:
    """One figure of a page. `picture` is SVG, empty where every value is hidden; `headline` the number that stands for
    it on the first page, of `period`, empty for none; `headline_text` says of what it is, empty for the page's own words."""

    name: str
    product: str
    is_synthetic: bool
    badge: str
    title: str
    note: str
    picture: str
    spec: dict[str, Any] | None
    table: Table
    source: str
    period: str
    headline: str
    headline_text: str


@dataclasses.dataclass(frozen=True)
class Desk:
    """What a figure is made with: the language, the edition and which kind of rows."""

    say: Language
    edition: Edition
    is_synthetic: bool

    def rows(self, product: str, **equal: Any) -> list[Row]:
        return self.edition.rows(product, self.is_synthetic, **equal)

    def cell(self, row: Row | None, text: Callable[[Row], str]) -> str:
        """A table's text for a row: what `text` says, «reservado» where it is hidden, «sin datos» where there is none."""
        if row is None:
            return self.say("site.no_data")
        return text(row) if is_shown(row) else self.say("site.hidden")

    def drawing(self, chart: Any, label: str) -> charts.Drawing:
        return charts.drawing(chart, label, self.say.d3, self.watermark)

    @property
    def watermark(self) -> str:
        return self.say("site.watermark") if self.is_synthetic else ""

    def place(self, row: Row) -> str:
        code, name = row["place_code"], row["place_name"]
        if len(code) == 4:  # the texts list departments; a province is told with its own
            return f"{peru.province_names().get(code, name)} ({self.say.place(code[:2], code[:2])})"
        return self.say.place(code, name)

    def when(self, period: str) -> str:
        """The period shown, and why it is not the default one where it is not."""
        told = self.say("site.period", period=self.say.period(period))
        default = str(self.edition.year)
        if period in (default, f"{default}-12-01"):
            return told
        return f"{told} {self.say('site.other_period', year=default)}"

    def figure(
        self, name: str, product: str, *, title: str, note: str, table: Table, period: str = "", picture: str | charts.Drawing = "",
        headline: str = "", headline_text: str = "", sources: tuple[str, ...] = (), more: str = "", badge: str = "",
    ) -> Figure:  # fmt: skip
        """A figure with its source line.

        Args:
            sources: slugs of the measured rows' sources, if they are not all that the product is made from.
            more: said after the sources.
            badge: what kind of rows they are, if neither measured nor simulated says it.
        """
        say = self.say
        used = [get_source(slug) for slug in sources or contracts.contract(product).published_from]
        held = [s for s in used if f"{s.title_es}: {s.attribution}" in self.edition.attributions] or used
        told = [say("site.simulated_source")] if self.is_synthetic else sorted({s.attribution for s in held})
        line = say("site.source", sources="; ".join([*told, more] if more else told), version=self.edition.version)
        kind, badge_of_kind = ("simulado", "site.simulated") if self.is_synthetic else ("medido", "site.measured")
        svg, spec = (picture.svg, picture.spec) if isinstance(picture, charts.Drawing) else (picture, None)
        return Figure(
            f"{name}-{kind}", product, self.is_synthetic, badge or say(badge_of_kind), title, note, svg, spec, table, line, period, headline, headline_text
        )  # fmt: skip

    def reserved(self, name: str, product: str, period: str, table: Table) -> Figure:
        """A figure of which nothing is shown: its question, that the answer is hidden, and the table that says so."""
        say = self.say
        title = say("site.hidden_title", question=say(f"figures.{name}.question"), period=say.period(period))
        note = say("site.period", period=say.period(period))
        return self.figure(name, product, title=title, note=note, table=table, period=period)


Maker = Callable[[Desk], Figure | None]


def both(maker: Maker, say: Language, edition: Edition) -> list[Figure]:
    """The measured and the simulated figure of a maker, where there are rows."""
    made = [maker(Desk(say, edition, is_synthetic)) for is_synthetic in (False, True)]
    return [figure for figure in made if figure is not None]


def _by(rows: list[Row], *columns: str) -> dict[Any, Row]:
    """Rows by the values of columns, a plain value for one column."""
    return {row[columns[0]] if len(columns) == 1 else tuple(row[c] for c in columns): row for row in rows}


def _national_first(rows: list[Row]) -> dict[str, Row]:
    """One row of every place down to departments, the country first, then by code."""
    places = _by([row for row in rows if row["place_level_code"] in _DEPARTMENTS], "place_code")
    return {code: places[code] for code in sorted(places, key=lambda code: (code != NATION, code))}


def _pct(row: Row, column: str) -> float | None:
    """A share as a chart draws it, in % ; nothing where it is hidden or has no denominator."""
    return float(row[column] * 100) if is_shown(row) and row[column] is not None else None


# --- margins ------------------------------------------------------------------------------------


def waterfall(desk: Desk) -> Figure | None:
    """From the London value of the ore's copper to what each link keeps, for the country."""
    say = desk.say
    rows = desk.rows(MARGIN, place_code=NATION)
    period = period_to_show(rows, str(desk.edition.year))
    if period is None:
        return None
    of = _by([row for row in rows if row["period_code"] == period], "link_code")
    order = [code for code in say.get("codes.links") if code in of]
    headers = [say("words.step"), "US$", say("words.share_of_fob")]
    shown = [code for code in order if is_shown(of[code]) and of[code]["fob_usd"]]
    names = {code: say.coded("links", code) for code in order}
    if not shown:
        hidden = Table(headers, [[names[code], say("site.hidden"), say("site.hidden")] for code in order])
        return desk.reserved("waterfall", MARGIN, period, hidden)
    first = of[shown[0]]
    fob, london = first["fob_usd"], first["lme_contained_usd"]

    def step(label: str, start: Decimal, end: Decimal, text: str, colour: str) -> Row:
        """A step of a hundred dollars of FOB, as the title speaks."""
        start, end = start / fob * 100, end / fob * 100
        return {"label": label, "start": float(start), "end": float(end), "text": text, "colour": colour}

    steps = [
        step(say("words.lme_contained"), Decimal(0), london, say.of_hundred(london / fob), charts.SOFT),
        step(say("words.between_london_and_fob"), london, fob, say.of_hundred((fob - london) / fob), charts.SERIES[6]),
        step(say("words.fob"), Decimal(0), fob, say.of_hundred(1), charts.SOFT),
    ]
    at = fob
    for code in order:  # what hidden links keep together is left at the end
        margin = of[code]["gross_margin_usd"] if code in shown else Decimal(0)
        text = desk.cell(of[code], lambda row: say.of_hundred(row["share_of_fob_frac"]))
        steps.append(step(names[code], at, at - margin, text, charts.SERIES[0]))
        at -= margin
    largest = sorted(shown, key=lambda code: (-of[code]["gross_margin_usd"], code))[:2]
    told = [
        say(
            "figures.waterfall.part",
            link=say.coded("links_in_a_sentence", code),
            of_hundred=say.of_hundred(of[code]["share_of_fob_frac"]),
        )
        for code in largest
    ]
    title = say("figures.waterfall.title", parts=say.listed(told))
    table = Table(headers, [
        [say("words.lme_contained"), say.number(london), say.percent(london / fob, 1)],
        [say("words.between_london_and_fob"), say.number(fob - london), say.percent((fob - london) / fob, 1)],
        [say("words.fob"), say.number(fob), say.percent(Decimal(1), 1)],
        *([names[code], desk.cell(of[code], lambda row: say.number(row["gross_margin_usd"])),
           desk.cell(of[code], lambda row: say.percent(row["share_of_fob_frac"], 1))] for code in order),
    ])  # fmt: skip
    chart = charts.waterfall(steps, title=say("figures.waterfall.axis"), form=",.0f")
    operator = of["OPERATOR"] if "OPERATOR" in shown else None
    return desk.figure(
        "waterfall", MARGIN, title=title, table=table, picture=desk.drawing(chart, title),
        period=period, note=f"{desk.when(period)} {say('figures.waterfall.note', copper=say.tonnes(first['copper_t']), fob=say.usd(fob))}",
        headline=say("figures.waterfall.headline", value=say.of_hundred(operator["share_of_fob_frac"])) if operator else "",
    )  # fmt: skip


def link_shares(desk: Desk) -> Figure | None:
    """How FOB is shared between the links, by department."""
    say = desk.say
    rows = desk.rows(MARGIN)
    period = period_to_show(rows, str(desk.edition.year))
    if period is None:
        return None
    rows = [row for row in rows if row["period_code"] == period]
    places, of = _national_first(rows), _by(rows, "place_code", "link_code")
    links = [code for code in say.get("codes.links") if any(row["link_code"] == code for row in rows)]
    names = [say.coded("links", code) for code in links]
    drawn = [
        {"label": desk.place(place), "part": say.coded("links", link),
         "value": _pct(row, "share_of_fob_frac"),
         "text": say.of_hundred(row["share_of_fob_frac"]) if is_shown(row) else say("site.hidden")}
        for code, place in places.items() for link in links if (row := of.get((code, link)))
    ]  # fmt: skip
    table = Table(
        [say("words.place"), *names],
        [[desk.place(place), *(desk.cell(of.get((code, link)), lambda r: say.percent(r["share_of_fob_frac"], 1)) for link in links)]
         for code, place in places.items()],
    )  # fmt: skip
    operators = [row for code in places if code != NATION and (row := of.get((code, "OPERATOR")))]
    shown = [row for row in operators if _pct(row, "share_of_fob_frac") is not None]
    if not any(row["value"] is not None for row in drawn):
        return desk.reserved("link_shares", MARGIN, period, table)
    if shown:
        best = max(shown, key=lambda row: (row["share_of_fob_frac"], row["place_code"]))
        least = min(shown, key=lambda row: (row["share_of_fob_frac"], row["place_code"]))
        title = say(
            "figures.link_shares.title" if best is not least else "figures.link_shares.title_one",
            most=desk.place(best), value=say.of_hundred(best["share_of_fob_frac"]),
            least=desk.place(least), least_value=say.of_hundred(least["share_of_fob_frac"]),
        )  # fmt: skip
    else:
        title = say("figures.link_shares.question")
    chart = charts.shares(drawn, title=say("words.share_of_fob_axis"), form=",.0f", names=names)
    return desk.figure(
        "link_shares", MARGIN, title=title, note=f"{desk.when(period)} {say('figures.link_shares.note')}",
        table=table, picture=desk.drawing(chart, title),
    )  # fmt: skip


def margin_per_tonne(desk: Desk) -> Figure | None:
    """What each link keeps for a tonne of copper, by quarter, for the country."""
    say = desk.say
    rows = desk.rows(MARGIN, place_code=NATION, period_level_code="QUARTER")
    if not rows:
        return None
    of = _by(rows, "period_code", "link_code")
    periods = sorted({row["period_code"] for row in rows})
    links = [code for code in say.get("codes.links") if any(row["link_code"] == code for row in rows)]
    operator = [of[period, "OPERATOR"] for period in periods if (period, "OPERATOR") in of]
    shown = [row for row in operator if is_shown(row)]
    table = Table(
        [say("words.period"), *(say.coded("links", code) for code in links)],
        [[say.period(period), *(desk.cell(of.get((period, code)), lambda r: say.number(r["gross_margin_usd_per_t"])) for code in links)]
         for period in periods],
    )  # fmt: skip
    span = say("site.span", first=say.period(periods[0]), last=say.period(periods[-1]))
    note = f"{span} {say('figures.margin_per_tonne.note')}"
    if not shown:
        title = say("figures.margin_per_tonne.question")
        return desk.figure("margin_per_tonne", MARGIN, title=title, note=note, table=table)
    last = shown[-1]
    title = say(
        "figures.margin_per_tonne.title",
        value=say.usd(last["gross_margin_usd_per_t"]),
        period=say.period(last["period_code"]),
    )
    drawn = [
        {"label": say.period(row["period_code"]), "value": float(row["gross_margin_usd_per_t"]) if is_shown(row) else None,
         "text": desk.cell(row, lambda r: say.number(r["gross_margin_usd_per_t"]))}
        for row in operator
    ]  # fmt: skip
    chart = charts.bars(drawn, title=say("figures.margin_per_tonne.axis"), form=",.0f")
    return desk.figure(
        "margin_per_tonne", MARGIN, title=title, note=note, table=table, picture=desk.drawing(chart, title)
    )


# --- prices -------------------------------------------------------------------------------------


def paid(desk: Desk) -> Figure | None:
    """What was paid beside each denominator, by stage of the chain, for the country."""
    say = desk.say
    rows = desk.rows(PRICE, place_code=NATION)
    period = period_to_show(rows, str(desk.edition.year))
    if period is None:
        return None
    of = _by([row for row in rows if row["period_code"] == period], "kind_code", "denominator_code")
    kinds = [code for code in say.get("codes.kinds") if any(kind == code for kind, _ in of)]
    denominators = [code for code in say.get("codes.denominators") if any(d == code for _, d in of)]
    table = Table(
        [say("words.stage"), *(say.coded("denominators", code) for code in denominators), say("words.paid")],
        [[say.coded("kinds", kind),
          *(desk.cell(of.get((kind, d)), lambda r: say.percent(r["paid_to_denominator_frac"], 1)) for d in denominators),
          desk.cell(of.get((kind, denominators[0])), lambda r: say.usd(r["paid_usd"]))] for kind in kinds],
    )  # fmt: skip
    drawn = [
        {"group": say.coded("kinds", kind), "label": say.coded("denominators", d), "colour": charts.SERIES[i],
         "value": _pct(row, "paid_to_denominator_frac"),
         "text": desk.cell(row, lambda r: say.percent(r["paid_to_denominator_frac"]))}
        for kind in kinds for i, d in enumerate(denominators) if (row := of.get((kind, d)))
    ]  # fmt: skip
    note = f"{desk.when(period)} {say('figures.paid.note')}"
    shown = {
        key: share
        for key, row in of.items()
        if is_shown(row) and (share := row["paid_to_denominator_frac"]) is not None
    }
    if not shown:
        return desk.reserved("paid", PRICE, period, table)
    kind = next(code for code in ("ORE_AT_PLANT", *kinds) if any(of_kind == code for of_kind, _ in shown))
    title = say(
        "figures.paid.title", stage=say.coded("kinds_in_a_sentence", kind),
        parts=say.listed([
            say("figures.paid.part", share=say.percent(shown[kind, d]), denominator=say.coded("denominators_in_a_sentence", d))
            for d in denominators if (kind, d) in shown
        ]),
    )  # fmt: skip
    chart = charts.bars(drawn, title=say("figures.paid.axis"), form=",.0f", mark=100)
    london = shown.get(("ORE_AT_PLANT", "LME_CONTAINED"))
    return desk.figure(
        "paid", PRICE, title=title, period=period, note=note, table=table, picture=desk.drawing(chart, title),
        headline=say.percent(london) if london is not None else "",
    )  # fmt: skip


def paid_map(desk: Desk) -> Figure | None:
    """What plants paid for ore beside the London value of its copper, by department."""
    say = desk.say
    rows = desk.rows(PRICE, place_level_code="DEPARTMENT", kind_code="ORE_AT_PLANT", denominator_code="LME_CONTAINED")
    period = period_to_show(rows, str(desk.edition.year))
    if period is None:
        return None
    rows = [row for row in rows if row["period_code"] == period]
    return _share_map(
        desk, "paid_map", PRICE, _national_first(rows), period, "paid_to_denominator_frac", say("words.paid_to_london")
    )


def _share_map(
    desk: Desk, name: str, product: str, places: dict[str, Row], period: str, column: str, what: str
) -> Figure:
    """A map of shares from 0 to 1 and its table; the title tells the place with most and the one with least."""
    say = desk.say
    level = "province" if any(len(code) == 4 for code in places) else "department"
    table = Table(
        [say(f"words.{level}"), what],
        [[desk.place(row), desk.cell(row, lambda r: say.percent(r[column], 1))] for row in places.values()],
    )
    note = f"{desk.when(period)} {say(f'figures.{name}.note')}"
    shown = [row for row in places.values() if is_shown(row) and row[column] is not None]
    if not shown:
        return desk.reserved(name, product, period, table)
    most = max(shown, key=lambda row: (row[column], row["place_code"]))
    least = min(shown, key=lambda row: (row[column], row["place_code"]))
    title = say(
        f"figures.{name}.title" if most is not least else f"figures.{name}.title_one",
        most=desk.place(most), most_value=say.percent(most[column]), least=desk.place(least), least_value=say.percent(least[column]),
    )  # fmt: skip
    quarters = [say.percent(part / 4) for part in range(5)]
    classes = [(part / 4, say("words.from_to", low=quarters[part - 1], high=quarters[part])) for part in (1, 2, 3)]
    picture = peru.draw(
        f"{name}-{desk.is_synthetic:d}",
        {code: (float(row[column]), say.percent(row[column])) if is_shown(row) else (None, "")
         for code, row in places.items() if not is_shown(row) or row[column] is not None},
        classes=[*classes, (float("inf"), say("words.more_than", value=quarters[3]))],
        label=title, hidden=say("site.hidden"), absent=say("site.no_data"), watermark=desk.watermark,
    )  # fmt: skip
    return desk.figure(name, product, title=title, note=note, table=table, picture=picture, more=peru.attribution())


def london_price(desk: Desk) -> Figure | None:
    """The world's copper price by month since 2000."""
    say = desk.say
    rows = [row for row in desk.rows(LONDON) if row["month"].year >= 2000 and row["copper_usd_per_t"] is not None]
    if not rows:
        return None
    last = rows[-1]
    years: dict[int, list[Decimal]] = {}
    for row in rows:
        years.setdefault(row["month"].year, []).append(row["copper_usd_per_t"])
    means = {year: sum(prices) / len(prices) for year, prices in years.items()}
    month = say.period(last["month"].isoformat())
    before = means.get(last["month"].year - 1)
    change = "" if not before else say(
        "figures.london_price.more" if last["copper_usd_per_t"] >= before else "figures.london_price.less",
        share=say.percent(abs(last["copper_usd_per_t"] / before - 1)), year=last["month"].year - 1,
    )  # fmt: skip
    title = say("figures.london_price.title", month=month, price=say.usd(last["copper_usd_per_t"]), change=change)
    chart = charts.line(
        [{"x": row["month"].year + (row["month"].month - 1) / 12, "y": float(row["copper_usd_per_t"])} for row in rows],
        y_title=say("figures.london_price.axis"), form=",.0f",
    )  # fmt: skip
    table = Table(
        [say("words.year"), say("words.mean_usd_per_t"), say("words.months")],
        [
            [str(year), say.number(mean), say.number(len(years[year]))]
            for year, mean in sorted(means.items(), reverse=True)
        ],
    )
    return desk.figure(
        "london_price", LONDON, title=title, table=table, picture=desk.drawing(chart, title),
        note=say("figures.london_price.note", first=say.period(rows[0]["month"].isoformat()), last=month), sources=("worldbank_pinksheet",),
    )  # fmt: skip


# --- formalization ------------------------------------------------------------------------------


def _at_month(desk: Desk, rows: list[Row]) -> tuple[str | None, list[Row]]:
    """The month to show (the close of the last full year, if there is one) and its rows."""
    month = period_to_show(rows, f"{desk.edition.year}-12-01", "month")
    return month, [row for row in rows if str(row["month"]) == month]


def funnel(desk: Desk) -> Figure | None:
    """How many of the eligible registrations reached each milestone, for the country."""
    say = desk.say
    month, rows = _at_month(desk, desk.rows(PROGRESS, place_code=NATION, sex_code="T"))
    if month is None:
        return None
    of = _by(rows, "milestone_code")
    milestones = [code for code in say.get("codes.milestones") if code in of]
    table = Table(
        [say("words.milestone"), say("words.eligible"), say("words.reached"), say("words.share")],
        [[say.coded("milestones", code),
          desk.cell(of[code], lambda r: say.number(r["eligible_registration_count"])),
          desk.cell(of[code], lambda r: say.number(r["reached_registration_count"])),
          desk.cell(of[code], lambda r: say.percent(r["share_frac"], 1))] for code in milestones],
    )  # fmt: skip
    note = f"{desk.when(month)} {say('figures.funnel.note')}"
    shown = {code: of[code] for code in milestones if is_shown(of[code]) and of[code]["share_frac"] is not None}
    if not shown:
        return desk.reserved("funnel", PROGRESS, month, table)
    final = "AUTORIZACION" if "AUTORIZACION" in shown else list(shown)[-1]
    title = say(
        "figures.funnel.title", value=say.of_hundred(shown[final]["share_frac"]),
        milestone=say.coded("milestones_in_a_sentence", final), eligible=say.number(shown[final]["eligible_registration_count"]),
    )  # fmt: skip
    drawn = [
        {"label": say.coded("milestones", code), "value": _pct(of[code], "share_frac"),
         "text": desk.cell(of[code], lambda r: say.percent(r["share_frac"]))} for code in milestones
    ]  # fmt: skip
    chart = charts.bars(drawn, title=say("figures.funnel.axis"), form=",.0f", is_share=True)
    return desk.figure(
        "funnel", PROGRESS, title=title, period=month, note=note, table=table, picture=desk.drawing(chart, title),
        headline=say("figures.funnel.headline", value=say.of_hundred(shown[final]["share_frac"])),
    )  # fmt: skip


def authorised_map(desk: Desk) -> Figure | None:
    """The share of eligible registrations with the authorisation, by department."""
    say = desk.say
    rows = desk.rows(PROGRESS, place_level_code="DEPARTMENT", sex_code="T", milestone_code="AUTORIZACION")
    month, rows = _at_month(desk, rows)
    if month is None:
        return None
    return _share_map(
        desk, "authorised_map", PROGRESS, _national_first(rows), month, "share_frac", say("words.authorised")
    )


def authorised_provinces(desk: Desk) -> Figure | None:
    """The same by province, in the departments of which some province may be told; simulated ones where no measured one is."""
    by = {"place_level_code": "PROVINCE", "sex_code": "T", "milestone_code": "AUTORIZACION"}
    if desk.is_synthetic and any(is_shown(row) for row in desk.edition.rows(PROGRESS, False, **by)):
        return None
    rows = desk.rows(PROGRESS, **by)
    month, rows = _at_month(desk, rows)
    if month is None:
        return None
    places = _by(sorted(rows, key=lambda row: row["place_code"]), "place_code")
    return _share_map(desk, "authorised_provinces", PROGRESS, places, month, "share_frac", desk.say("words.authorised"))


#: Curves that are drawn; the table has all milestones.
_DRAWN = ("IGAFOM_PRESENTADO", "IGAFOM_APROBADO", "AUTORIZACION")
_YEARS = (1, 2, 5, 10)


def survival(desk: Desk) -> Figure | None:
    """The share of registrations that still wait for a milestone, by years since the inscription."""
    say = desk.say
    rows = desk.rows(SURVIVAL)
    if not rows:
        return None
    steps: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: row["duration_days"]):
        steps.setdefault((row["milestone_code"], row["curve_code"]), []).append(row)
    milestones = [code for code in say.get("codes.milestones") if (code, "PUNTUAL") in steps]

    def at(milestone: str, curve: str, years: int) -> Row | None:
        """The curve's last step by then; nothing where it no longer tells of anybody that late."""
        line = steps.get((milestone, curve), [])
        before = [row for row in line if row["duration_days"] <= years * 365.25]
        return before[-1] if before and line[-1]["duration_days"] >= years * 365.25 else None

    def cell(milestone: str, years: int) -> str:
        row = at(milestone, "PUNTUAL", years)
        if row is None:
            return say("site.no_data")
        return say(
            "figures.survival.cell", share=say.percent(row["waiting_frac"]), low=say.percent(row["waiting_low_frac"]),
            high=say.percent(row["waiting_high_frac"]), at_risk=say.number(row["at_risk_count"]),
        )  # fmt: skip

    def bounds(milestone: str, years: int) -> str:
        low, high = at(milestone, "INFERIOR", years), at(milestone, "SUPERIOR", years)
        if low is None or high is None:
            return say("site.no_data")
        return say("words.from_to", low=say.percent(low["waiting_frac"]), high=say.percent(high["waiting_frac"]))

    table = Table(
        [
            say("words.milestone"),
            *(say("figures.survival.after", years=y) for y in _YEARS),
            say("figures.survival.bounds", years=5),
        ],
        [[say.coded("milestones", code), *(cell(code, y) for y in _YEARS), bounds(code, 5)] for code in milestones],
    )
    drawn = [code for code in _DRAWN if code in milestones] or milestones[:3]
    names = [say.coded("milestones", code) for code in drawn]
    # On the day of its inscription every registration still waits.
    points = [{"name": name, "x": 0.0, "y": 100.0, "low": 100.0, "high": 100.0} for name in names] + [
        {"name": say.coded("milestones", code), "x": row["duration_days"] / 365.25, "y": _pct(row, "waiting_frac"),
         "low": _pct(row, "waiting_low_frac"), "high": _pct(row, "waiting_high_frac")}
        for code in drawn for row in steps[code, "PUNTUAL"] if row["waiting_low_frac"] is not None and row["waiting_high_frac"] is not None
    ]  # fmt: skip
    parts = [
        say("figures.survival.part", value=say.of_hundred(row["waiting_frac"]), milestone=say.coded("milestones_in_a_sentence", code))
        for code in drawn if code != "IGAFOM_APROBADO" and (row := at(code, "PUNTUAL", 5))
    ]  # fmt: skip
    title = say("figures.survival.title", parts=say.listed(parts)) if parts else say("figures.survival.question")
    if len(points) == len(names):
        return desk.figure("survival", SURVIVAL, title=title, note=say("figures.survival.note"), table=table)
    chart = charts.curves(
        points, x_title=say("figures.survival.x_axis"), y_title=say("figures.survival.y_axis"), form=",.0f", names=names
    )
    return desk.figure(
        "survival",
        SURVIVAL,
        title=title,
        note=say("figures.survival.note"),
        table=table,
        picture=desk.drawing(chart, title),
    )


def flows(desk: Desk) -> Figure | None:
    """What moved the registry's count in a period, for the country, or the department shown where the country is hidden."""
    say = desk.say
    rows = [row for row in desk.rows(FLOWS) if row["place_level_code"] in _DEPARTMENTS]
    period = period_to_show(rows, str(desk.edition.year))
    if period is None:
        return None
    rows = [row for row in rows if row["period_code"] == period]
    places, of = _national_first(rows), _by(rows, "place_code", "flow_code")
    codes = [code for code in say.get("codes.flows") if any(row["flow_code"] == code for row in rows)]
    table = Table(
        [say("words.place"), *(say.coded("flows", code) for code in codes)],
        [[desk.place(place), *(desk.cell(of.get((p, code)), lambda r: say.number(r["registration_count"])) for code in codes)]
         for p, place in places.items()],
    )  # fmt: skip
    note = f"{desk.when(period)} {say('figures.flows.note')}"
    shown = [code for code in places if any(is_shown(of[code, flow]) for flow in codes if (code, flow) in of)]
    if not shown:
        return desk.reserved("flows", FLOWS, period, table)
    place = shown[0]
    drawn = [
        {"label": say.coded("flows", code), "value": row["registration_count"] if is_shown(row) else None,
         "text": desk.cell(row, lambda r: say.number(r["registration_count"]))}
        for code in codes if (row := of.get((place, code)))
    ]  # fmt: skip
    counts = {
        code: of[place, code]["registration_count"]
        for code in codes
        if (place, code) in of and is_shown(of[place, code])
    }
    title = say(
        "figures.flows.title", place=desk.place(places[place]), period=say.period(period),
        new=say.number(counts["NEW"]) if "NEW" in counts else say("site.hidden"),
        excluded=say.number(counts["EXCLUDED"]) if "EXCLUDED" in counts else say("site.hidden"),
        absent=say.number(counts["ABSENT"]) if "ABSENT" in counts else say("site.hidden"),
    )  # fmt: skip
    chart = charts.bars(drawn, title=say("words.registrations"), form=",.0f")
    return desk.figure("flows", FLOWS, title=title, note=note, table=table, picture=desk.drawing(chart, title))


# --- custody ------------------------------------------------------------------------------------


def custody(desk: Desk) -> Figure | None:
    """How much of the copper that plants fed leads to producers, and in which standing, by place."""
    say = desk.say
    rows = [row for row in desk.rows(CUSTODY) if row["place_level_code"] in _DEPARTMENTS]
    period = period_to_show(rows, str(desk.edition.year))
    if period is None:
        return None
    rows = [row for row in rows if row["period_code"] == period]
    places, of = _national_first(rows), _by(rows, "place_code", "class_code")
    classes = list(say.get("codes.classes"))
    names = [say.coded("classes", code) for code in classes]
    table = Table(
        [say("words.place"), *names, say("words.copper_t")],
        [[desk.place(place),
          *(desk.cell(of.get((p, code)), lambda r: say.percent(r["share_frac"], 1)) for code in classes),
          _total(desk, [of.get((p, code)) for code in classes])] for p, place in places.items()],
    )  # fmt: skip
    note = f"{desk.when(period)} {say('figures.custody.note')}"
    drawn = [
        {"label": desk.place(place), "part": say.coded("classes", code),
         "value": _pct(row, "share_frac"),
         "text": desk.cell(row, lambda r: say.percent(r["share_frac"]))}
        for p, place in places.items() for code in classes if (row := of.get((p, code)))
    ]  # fmt: skip
    good = [
        row for p in places if (row := of.get((p, "GOOD_STANDING"))) and is_shown(row) and row["share_frac"] is not None
    ]
    if not good:
        return desk.reserved("custody", CUSTODY, period, table)
    title = say(
        "figures.custody.title",
        place=desk.place(good[0]),
        period=say.period(period),
        share=say.percent(good[0]["share_frac"]),
    )
    chart = charts.shares(drawn, title=say("figures.custody.axis"), form=",.0f", names=names)
    national = good[0]["place_code"] == NATION
    return desk.figure(
        "custody", CUSTODY, title=title, period=period if national else str(desk.edition.year),
        note=note, table=table, picture=desk.drawing(chart, title), headline=say.percent(good[0]["share_frac"]) if national else "",
    )  # fmt: skip


def _total(desk: Desk, rows: list[Row | None]) -> str:
    """Copper of all classes of a place, told only where none of them is hidden."""
    held = [row for row in rows if row is not None]
    if not all(is_shown(row) for row in held):
        return desk.say("site.hidden")
    return desk.say.number(sum((row["copper_t"] or Decimal(0) for row in held), Decimal(0)), 1)


# --- invisible copper ---------------------------------------------------------------------------


def _bounds(desk: Desk, row: Row) -> str:
    """Copper of a view as a table or a chart tells it: a figure, its bounds, or that none was declared."""
    say = desk.say
    if not is_shown(row):
        return say("site.hidden")
    low, value, high = row["copper_low_t"], row["copper_t"], row["copper_high_t"]
    if row["basis_code"] == "NOT_REPORTED":
        return say("words.not_reported")
    decimals = 1 if high is not None and high < 1000 else 0  # bounds of few tonnes would fall together
    if low == high:
        return say.tonnes(high, decimals)
    between = {"low": say.number(low, decimals), "high": say.number(high, decimals)}
    if value is None:
        return say("words.tonnes_from_to", **between)
    return say("words.tonnes_with_bounds", value=say.number(value, decimals), **between)


def _view(desk: Desk, row: Row) -> str:
    """What a view of the copper is called."""
    say = desk.say
    name = (
        say.coded("claims", row["claim_code"])
        if row["claim_code"] != "--"
        else say.coded("measures", row["measure_code"])
    )
    return say("words.in_year", what=name, year=row["production_year"])


def invisible(desk: Desk) -> Figure | None:
    """Official copper of small producers beside published claims (measured), or the copper on waybills by department (simulated)."""
    say = desk.say
    rows = desk.rows(INVISIBLE)
    if not rows:
        return None
    return _waybills(desk, rows) if desk.is_synthetic else _official_and_claims(desk, say, rows)


def _official_and_claims(desk: Desk, say: Language, rows: list[Row]) -> Figure:
    official = [row for row in rows if row["place_code"] == NATION and row["measure_code"].startswith("OFFICIAL")]
    others = [
        row
        for row in rows
        if not row["measure_code"].startswith("OFFICIAL") and (row["place_code"] == NATION or row["claim_code"] != "--")
    ]
    year = max((row["production_year"] for row in official), default=None)
    told = [row for row in official if row["production_year"] == year] + others
    table = Table(
        [say("words.view"), say("words.basis"), say("words.copper")],
        [[_view(desk, row), say.coded("bases", row["basis_code"]), _bounds(desk, row)] for row in official + others],
    )
    # The general regime is hundreds of times larger: beside it nothing else could be seen. It stands in the table and the note.
    small = [row for row in told if row["measure_code"] != "OFFICIAL_RG"]
    large = next((row for row in told if row["measure_code"] == "OFFICIAL_RG" and row["copper_t"] is not None), None)
    strata = [row for row in told if row["measure_code"] in say.get("codes.strata_in_a_sentence")]
    declared = sum((row["copper_t"] or Decimal(0) for row in strata), Decimal(0))
    who, silent = _who_declared(say, strata)
    claims = [
        row for row in others if row["basis_code"] == "CLAIMED" and row["place_code"] == NATION and row["copper_low_t"]
    ]
    of_year = [row for row in claims if row["production_year"] == year] or claims
    claim = max(of_year, key=lambda row: (row["copper_low_t"], row["claim_code"]), default=None)
    official_year = {"who": who[:1].upper() + who[1:], "silent": silent, "year": year, "declared": say.tonnes(declared)}
    if claim is not None and declared:
        low, high = claim["copper_low_t"], claim["copper_high_t"]
        title = say(
            "figures.invisible.title", **official_year, times=say.number(low / declared), claim_year=claim["production_year"],
            claimed=say.tonnes(low) if low == high else say("figures.invisible.or_more", copper=say.tonnes(low)),
        )  # fmt: skip
    elif who:
        title = say("figures.invisible.title_official", **official_year)
    elif year is not None:
        title = say("figures.invisible.title_none", year=year)
    else:
        title = say("figures.invisible.question")
    note = say("figures.invisible.note") + (
        " " + say("figures.invisible.large", copper=say.tonnes(large["copper_t"]), year=year) if large else ""
    )
    drawn = [
        {"label": _view(desk, row), "text": _bounds(desk, row),
         **{key: None if row[f"copper{part}_t"] is None else float(row[f"copper{part}_t"])
            for key, part in (("low", "_low"), ("value", ""), ("high", "_high"))},
         "colour": charts.SERIES[0] if row["measure_code"].startswith("OFFICIAL") else charts.SERIES[4]}
        for row in small
    ]  # fmt: skip
    chart = charts.ranges(drawn, title=say("words.copper_axis"), form=",.0f") if drawn else None
    return desk.figure(
        "invisible", INVISIBLE, title=title, note=note, table=table, picture=desk.drawing(chart, title) if chart else "",
        sources=("minem_production",), **({"more": say("figures.invisible.claims_source"), "badge": say("site.claimed")} if claims else {}),
        period=str(year or ""), headline=say.tonnes(declared) if declared else "",
        headline_text=say("figures.invisible.number", who=who, silent=silent),
    )  # fmt: skip


def _who_declared(say: Language, strata: list[Row]) -> tuple[str, str]:
    """The strata that declared copper, and that the others declared none, as a sentence tells them; empty for no strata."""
    declared = [row["copper_t"] is not None for row in strata]
    names = [say.coded("strata_in_a_sentence", row["measure_code"]) for row in strata]
    who = [name for name, did in zip(names, declared, strict=True) if did]
    others = [name for name, did in zip(names, declared, strict=True) if not did]
    silent = say("figures.invisible.silent", strata=say.listed(others)) if who and others else ""
    return say.listed(who) if who else "", silent


def _waybills(desk: Desk, rows: list[Row]) -> Figure:
    say = desk.say
    year = period_to_show(rows, str(desk.edition.year), "production_year")
    assert year is not None  # there are rows
    places = _national_first(
        [row for row in rows if str(row["production_year"]) == year and row["measure_code"] == "WAYBILL_ORE_CONTAINED"]
    )
    table = Table(
        [say("words.place"), say("words.copper_in_ore")],
        [[desk.place(row), _bounds(desk, row)] for row in places.values()],
    )
    note = f"{desk.when(year)} {say('figures.waybills.note')}"
    nation = places.get(NATION)
    shown = [row for row in places.values() if is_shown(row) and row["copper_t"] is not None]
    if not shown:
        return desk.reserved("waybills", INVISIBLE, year, table)
    first = nation if nation is not None and is_shown(nation) else shown[0]
    title = say("figures.waybills.title", place=desk.place(first), copper=_bounds(desk, first), year=year)
    drawn = [
        {"label": desk.place(row), "text": desk.cell(row, lambda r: say.number(r["copper_t"])), "colour": charts.SERIES[0],
         **{key: float(row[f"copper{part}_t"]) if row in shown else None for key, part in (("low", "_low"), ("value", ""), ("high", "_high"))}}
        for row in places.values()
    ]  # fmt: skip
    chart = charts.ranges(drawn, title=say("words.copper_axis"), form=",.0f")
    return desk.figure("waybills", INVISIBLE, title=title, note=note, table=table, picture=desk.drawing(chart, title))


def production(desk: Desk) -> Figure | None:
    """Small producers' copper at concentration by year and department, in fine tonnes."""
    say = desk.say
    sums: dict[tuple[int, str, str], Decimal] = {}
    for row in desk.rows(PRODUCTION, stratum_code="PPM", stage_code="CONCENTRACION"):
        key = (row["month"].year, row["department_code"], row["department_name"])
        sums[key] = sums.get(key, Decimal(0)) + (row["fine_copper_t"] or 0)
    yearly = {key: tonnes for key, tonnes in sums.items() if tonnes > 0}
    if not yearly:
        return None
    years = sorted({year for year, _, _ in yearly})
    # The department with most of all years stands at the bottom of the columns and first in the table.
    weight: dict[tuple[str, str], Decimal] = {}
    for (_, code, name), tonnes in yearly.items():
        weight[code, name] = weight.get((code, name), Decimal(0)) + tonnes
    departments = sorted(weight, key=lambda place: (-weight[place], place))
    totals = {year: sum((t for (y, _, _), t in yearly.items() if y == year), Decimal(0)) for year in years}
    names = [say.place(*place) for place in departments]
    last = years[-1]
    top = max(departments, key=lambda place: (yearly.get((last, *place), Decimal(0)), place))
    title = say(
        "figures.production.title", year=last, total=say.number(totals[last], 1), place=say.place(*top),
        share=say.percent(yearly[(last, *top)] / totals[last]),
    )  # fmt: skip
    drawn = [
        {"year": str(year), "part": names[i], "value": float(yearly[(year, *place)]), "order": i}
        for year in years for i, place in enumerate(departments) if (year, *place) in yearly
    ]  # fmt: skip
    chart = charts.columns(drawn, y_title=say("words.fine_copper_axis"), form=",.0f", names=names)
    table = Table(
        [say("words.department"), *map(str, years)],
        [*([names[i], *(say.number(yearly[(y, *p)], 1) if (y, *p) in yearly else say("site.no_data") for y in years)]
           for i, p in enumerate(departments)),
         [say("words.total"), *(say.number(totals[year], 1) for year in years)]],
    )  # fmt: skip
    return desk.figure(
        "production",
        PRODUCTION,
        title=title,
        note=say("figures.production.note"),
        table=table,
        picture=desk.drawing(chart, title),
    )


def production_map(desk: Desk) -> Figure | None:
    """Where small producers declared copper in the last year of the official statistics."""
    say = desk.say
    rows = desk.rows(INVISIBLE, place_level_code="DEPARTMENT", measure_code="OFFICIAL_PPM")
    year = max((row["production_year"] for row in rows), default=None)
    rows = [row for row in rows if row["production_year"] == year]
    declared = {row["place_code"]: row for row in rows if row["copper_t"]}
    if not declared:
        return None
    order = sorted(declared.values(), key=lambda row: (-row["copper_t"], row["place_code"]))
    title = say(
        "figures.production_map.title" if len(order) > 1 else "figures.production_map.title_one", count=say.number(len(order)),
        year=year, place=desk.place(order[0]), copper=say.tonnes(order[0]["copper_t"]),
    )  # fmt: skip
    picture = peru.draw(
        f"production_map-{desk.is_synthetic:d}",
        {code: (float(row["copper_t"]), say.number(row["copper_t"])) for code, row in declared.items()},
        classes=[*((float(most), say("words.tonnes_from_to", low=say.number(least), high=say.number(most)))
                   for least, most in ((0, 10), (10, 100), (100, 1000))),
                 (float("inf"), say("words.more_than", value=say.tonnes(1000)))],
        label=title, hidden=say("site.hidden"), absent=say("words.not_reported"), watermark=desk.watermark,
    )  # fmt: skip
    table = Table(
        [say("words.department"), say("words.copper")],
        [[desk.place(row), say.tonnes(row["copper_t"], 1)] for row in order],
    )
    return desk.figure(
        "production_map", INVISIBLE, title=title, note=say("figures.production_map.note"), table=table, picture=picture,
        sources=("minem_production",), more=peru.attribution(),
    )  # fmt: skip
