"""Where the value of the ore's copper goes: the bridge from LME to FOB and the links' shares, for the assets' pages in Dagster."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import duckdb

from pipelines.chain_words import LANGUAGES, LINKS, STEPS

_MEASURED, _SIMULATED = "Datos medidos", "Datos simulados, no medidos"
_COPPER, _PALE = "#a8521f", "#d9a47f"
_SPANISH = LANGUAGES.index("es")
_EMPTY = "Sin lotes seguidos hasta el puerto: faltan documentos de la cadena."

#: (measured or simulated, what, US$, share of the whole from 0 to 1)
Row = tuple[str, str, Decimal, float]


def bridge(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """The steps from LME contained to FOB of all lots that the papers follow to the port; shares of LME contained."""
    rows = connection.execute(
        f"""
        SELECT is_synthetic, {", ".join(f"sum({name}_usd)" for name in STEPS)}
        FROM marts.fct_lot_value_bridge WHERE is_complete GROUP BY is_synthetic ORDER BY is_synthetic
        """
    ).fetchall()
    return [
        (_kind(is_synthetic), names[_SPANISH], sign * value, float(sign * value / values[0]))
        for is_synthetic, *values in rows
        for (step, (sign, names)), value in zip(STEPS.items(), values, strict=True)
        if values[0] and (value or step == "fob")
    ]


def links(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """Gross margins of the links over all lots that the papers follow to the port; shares of FOB."""
    rows = connection.execute(
        """
        SELECT is_synthetic, link_code, sum(complete_gross_margin_usd) AS margin,
            sum(sum(complete_gross_margin_usd)) OVER (PARTITION BY is_synthetic) AS whole
        FROM marts.mart_value_chain_margin GROUP BY is_synthetic, link_code ORDER BY is_synthetic, margin DESC, link_code
        """
    ).fetchall()
    return [
        (_kind(is_synthetic), LINKS[link][_SPANISH], margin, float(margin / whole)) for is_synthetic, link, margin, whole in rows if whole
    ]  # fmt: skip


def markdown(connection: duckdb.DuckDBPyConnection, rows: list[Row], of_what: str) -> str:
    """A picture of the rows, the same numbers as a table and what of them is provisional, in Markdown that needs no other file."""
    if not rows:
        return _EMPTY
    lines = [f"| | | US$ | % del {of_what} |", "|---|---|---:|---:|"]
    lines += [f"| {kind} | {what} | {usd:,.2f} | {share * 100:.1f} |" for kind, what, usd, share in rows]
    picture = base64.b64encode(_svg(rows, of_what).encode()).decode()
    parts = [
        f"![Partes del {of_what}](data:image/svg+xml;base64,{picture})",
        "\n".join(lines),
        _provisional(connection),
    ]
    return "\n\n".join(part for part in parts if part)


def _provisional(connection: duckdb.DuckDBPyConnection) -> str:
    """How many of the lots that are shown have an export whose declaration is not regularised; nothing where none has."""
    counted = connection.execute(
        """
        SELECT is_synthetic, count(*), count(*) FILTER (WHERE NOT is_fob_final) AS provisional
        FROM marts.fct_lot_value_bridge WHERE is_complete GROUP BY is_synthetic HAVING provisional > 0 ORDER BY is_synthetic
        """
    ).fetchall()
    told = [f"{_kind(is_synthetic).lower()}, {open_} de {lots}" for is_synthetic, lots, open_ in counted]
    return f"Con lotes todavía provisionales, su DAM sin regularizar: {'; '.join(told)}." if told else ""


def _kind(is_synthetic: bool) -> str:
    return _SIMULATED if is_synthetic else _MEASURED


def _svg(rows: list[Row], of_what: str) -> str:
    """Bars in the rows' order, one panel for measured and one for simulated data."""
    import altair as alt
    import vl_convert

    order = list(dict.fromkeys(what for _, what, _, _ in rows))
    bars = (
        alt.Chart(width=320, height=alt.Step(18))
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title=f"parte del {of_what}").axis(format="%"),
            y=alt.Y("what:N", title=None, sort=order),
            color=alt.Color("kind:N", legend=None).scale(domain=[_MEASURED, _SIMULATED], range=[_COPPER, _PALE]),
        )
    )
    data: Any = alt.Data(values=[{"kind": k, "what": w, "share": s} for k, w, _, s in rows])
    chart = (
        bars.facet(row=alt.Row("kind:N", title=None), data=data)
        .resolve_scale(y="independent")
        .configure_axisY(labelLimit=260)
    )
    return vl_convert.vegalite_to_svg(chart.to_dict(), vl_version="6.4")
