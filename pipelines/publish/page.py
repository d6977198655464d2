"""The release's page: one self-contained HTML file, Spanish first, that opens from a disk or a server alike."""

from __future__ import annotations

import datetime as dt
import functools
import html
import re
from pathlib import Path
from typing import Any

import jinja2
import polars as pl

from pipelines import contracts

_TEMPLATES = Path(__file__).parent / "templates"
_COPPER, _INK, _PALE = "#a8521f", "#2b2320", "#d9a47f"


def render(version: str, as_of: dt.date, published: dict[str, pl.DataFrame], attributions: list[str]) -> str:
    """The page's HTML. Charts are inline SVG made here, so the page needs no script and no network."""
    products = [
        {
            "name": name,
            "contract": contracts.contract(name),
            "rows": frame.height,
            "is_synthetic": bool(frame["is_synthetic"].any()),
            "first": _span(frame, "min"),
            "last": _span(frame, "max"),
            "source_as_of": str(frame["source_as_of"].max()) if "source_as_of" in frame.columns else "",
        }
        for name, frame in published.items()
    ]
    figures = [figure for maker in (_production_figure, _price_figure) if (figure := maker(published))]
    return _environment().get_template("release.html.j2").render(
        version=version, as_of=as_of.isoformat(), products=products, figures=figures, attributions=attributions,
        any_synthetic=any(p["is_synthetic"] for p in products),
    )  # fmt: skip


def _span(frame: pl.DataFrame, end: str) -> str:
    """First or last month, period or year that a table tells of."""
    column = next((name for name in ("month", "period_code", "production_year") if name in frame.columns), None)
    return "" if column is None or not frame.height else str(getattr(frame[column].cast(pl.String), end)())[:7]


@functools.lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _production_figure(published: dict[str, pl.DataFrame]) -> dict[str, Any] | None:
    """Small producers' copper at concentration by year and department, in fine tonnes."""
    frame = published.get("pub_copper_production")
    if frame is None:
        return None
    yearly = (
        frame.filter(
            (pl.col("stratum_code") == "PPM") & (pl.col("stage_code") == "CONCENTRACION") & ~pl.col("is_synthetic")
        )
        .group_by(pl.col("month").dt.year().cast(pl.String).alias("year"), "department_name")
        .agg(pl.col("fine_copper_t").sum().cast(pl.Float64))
        .filter(pl.col("fine_copper_t") > 0)
        .sort("year", "department_name")
    )
    if not yearly.height:
        return None
    import altair as alt

    chart = (
        alt.Chart(_data(yearly), width=640, height=300)
        .mark_bar()
        .encode(
            x=alt.X("year:N", title="Año", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("fine_copper_t:Q", title="Cobre fino, t", axis=alt.Axis(format=",.0f")),
            color=alt.Color("department_name:N", title="Departamento", scale=alt.Scale(scheme="tableau10")),
        )
    )
    totals = yearly.group_by("year").agg(pl.col("fine_copper_t").sum()).sort("year")
    told = "; ".join(f"{year}: {t:,.1f} t" for year, t in totals.iter_rows())
    return {
        "title_es": "Cobre de pequeños productores (PPM) en concentración, por departamento",
        "title_en": "Copper of small producers (PPM) at concentration, by department",
        "note_es": f"{told}. El estrato artesanal (PMA) no declara cobre: la ausencia de fila no es cero.",
        "note_en": "The artisanal stratum (PMA) declares no copper: no row is not zero.",
        "svg": _svg(chart, "Barras por año: " + told),
    }


def _price_figure(published: dict[str, pl.DataFrame]) -> dict[str, Any] | None:
    """Monthly copper price in US$ per tonne since 2000."""
    frame = published.get("pub_copper_price")
    if frame is None:
        return None
    recent = frame.filter((pl.col("month") >= dt.date(2000, 1, 1)) & ~pl.col("is_synthetic")).select(
        pl.col("month").cast(pl.String), pl.col("copper_usd_per_t").cast(pl.Float64)
    )
    if not recent.height:
        return None
    import altair as alt

    chart = (
        alt.Chart(_data(recent), width=640, height=260)
        .mark_line(color=_COPPER, strokeWidth=1.6)
        .encode(
            x=alt.X("month:T", title="Mes", axis=alt.Axis(format="%Y")),
            y=alt.Y("copper_usd_per_t:Q", title="US$ por tonelada", axis=alt.Axis(format=",.0f")),
        )
    )
    month, price = recent.row(-1)
    return {
        "title_es": "Precio mundial del cobre, promedio mensual",
        "title_en": "World copper price, monthly average",
        "note_es": f"Último mes: {month[:7]}, US$ {price:,.0f} por tonelada.",
        "note_en": f"Last month: {month[:7]}, US$ {price:,.0f} per tonne.",
        "svg": _svg(
            chart, f"Línea de {recent['month'][0][:4]} a {month[:7]}; último valor US$ {price:,.0f} por tonelada."
        ),
    }


def _data(frame: pl.DataFrame) -> Any:
    import altair as alt

    return alt.Data(values=frame.to_dicts())


def _svg(chart: Any, label: str) -> str:
    """Static SVG of a chart as one image with a label: the inner ARIA roles of the drawing would be read out one by one."""
    import vl_convert

    styled = chart.configure_axis(labelColor=_INK, titleColor=_INK, gridColor="#ece4dd").configure_view(stroke=None)
    svg = vl_convert.vegalite_to_svg(styled.to_dict(), vl_version="6.4")
    svg = re.sub(r'\s(?:role|aria-[a-z]+)="[^"]*"', "", svg)
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{html.escape(label, quote=True)}" ', svg, count=1)
