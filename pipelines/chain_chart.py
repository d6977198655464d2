"""Where the value of the ore's copper goes: the bridge from LME to FOB and the links' shares, for the assets' pages in Dagster."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import duckdb

_MEASURED, _SIMULATED = "Datos medidos", "Datos simulados, no medidos"
_COPPER, _PALE = "#a8521f", "#d9a47f"
#: Column of the bridge and sign with which it goes from LME to FOB.
_STEPS = {
    "lme_contained": ("valor LME del cobre contenido", 1),
    "metallurgical_loss": ("pérdida metalúrgica", -1),
    "assay_difference": ("diferencia de ensaye", -1),
    "payability_loss": ("pérdida de pagabilidad", -1),
    "tc_rc": ("tratamiento y refinación", -1),
    "penalties": ("penalidades", -1),
    "credits": ("créditos por oro y plata", 1),
    "qp_effect": ("efecto del período cuotacional", 1),
    "unexplained": ("sin explicar", 1),
    "fob": ("FOB", 1),
}
_LINKS = {
    "OPERATOR": "operador", "CONCESSION_HOLDER": "titular", "COLLECTOR": "acopiador", "BILLER": "facturador",
    "HAULIER": "transportista", "LABORATORY": "laboratorio", "PLANT": "planta", "TRADER": "comercializadora",
}  # fmt: skip
_EMPTY = "Sin lotes seguidos hasta el puerto: faltan documentos de la cadena."

#: (measured or simulated, what, US$, share of the whole from 0 to 1)
Row = tuple[str, str, Decimal, float]


def bridge(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """The steps from LME contained to FOB of all lots that the papers follow to the port; shares of LME contained."""
    rows = connection.execute(
        f"""
        SELECT is_synthetic, {", ".join(f"sum({name}_usd)" for name in _STEPS)}
        FROM marts.fct_lot_value_bridge WHERE is_complete GROUP BY is_synthetic ORDER BY is_synthetic
        """
    ).fetchall()
    return [
        (_kind(is_synthetic), what, sign * value, float(sign * value / values[0]))
        for is_synthetic, *values in rows
        for (what, sign), value in zip(_STEPS.values(), values, strict=True)
        if values[0] and (value or what == "FOB")
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
        (_kind(is_synthetic), _LINKS[link], margin, float(margin / whole)) for is_synthetic, link, margin, whole in rows if whole
    ]  # fmt: skip


def markdown(rows: list[Row], of_what: str) -> str:
    """A picture of the rows and the same numbers as a table, in Markdown that needs no other file."""
    if not rows:
        return _EMPTY
    lines = [f"| | | US$ | % {of_what} |", "|---|---|---:|---:|"]
    lines += [f"| {kind} | {what} | {usd:,.2f} | {share * 100:.1f} |" for kind, what, usd, share in rows]
    picture = base64.b64encode(_svg(rows, of_what).encode()).decode()
    return f"![Partes de {of_what}](data:image/svg+xml;base64,{picture})\n\n" + "\n".join(lines)


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
            x=alt.X("share:Q", title=f"parte de {of_what}").axis(format="%"),
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
