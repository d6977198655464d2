"""The formalization funnel at a glance: who has reached each milestone, drawn for the asset's page in Dagster."""

from __future__ import annotations

import base64
from typing import Any

import duckdb
import polars as pl

_MEASURED, _SIMULATED = "Datos medidos", "Datos simulados, no medidos"
_COPPER, _PALE = "#a8521f", "#d9a47f"
c = pl.col


def last_shares(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Shares reached at the last month of the funnel, measured and simulated apart, in the order of the milestones.

    Columns: kind, month (text), milestone, eligible and reached (registrations), share_frac (null where no office reported
    anything: what nobody tells is not zero).
    """
    found = pl.from_arrow(
        connection.execute(
            f"""
            WITH last_months AS (
                SELECT is_synthetic, max(month) AS month FROM marts.mart_formalization_funnel GROUP BY is_synthetic
            )
            SELECT
                CASE WHEN is_synthetic THEN '{_SIMULATED}' ELSE '{_MEASURED}' END AS kind,
                strftime(month, '%Y-%m') AS month,
                milestones.name_es AS milestone,
                CAST(sum(eligible_registration_count) AS BIGINT) AS eligible,
                CAST(sum(reached_registration_count) AS BIGINT) AS reached,
                sum(reached_registration_count) FILTER (has_reports)
                / nullif(sum(eligible_registration_count) FILTER (has_reports), 0) AS share_frac
            FROM marts.mart_formalization_funnel AS funnel
            JOIN last_months USING (is_synthetic, month)
            JOIN reference.formalization_milestones AS milestones USING (milestone_code)
            GROUP BY is_synthetic, month, milestones.name_es, milestones.milestone_order, milestones.blocking_order
            ORDER BY is_synthetic, milestones.milestone_order, milestones.blocking_order
            """
        ).to_arrow_table()
    )
    assert isinstance(found, pl.DataFrame)
    return found


def markdown(shares: pl.DataFrame) -> str:
    """A picture of `last_shares` and the same numbers as a table, in Markdown that needs no other file."""
    if not shares.height:
        return "Sin inscripciones: no hay archivos del registro."
    lines = ["| | mes | hito | inscripciones elegibles | lo alcanzaron | % |", "|---|---|---|---:|---:|---:|"]
    for kind, month, milestone, eligible, reached, share in shares.iter_rows():
        percent = "sin informes" if share is None else f"{share * 100:.1f}"
        lines.append(f"| {kind} | {month} | {milestone} | {eligible:,} | {reached:,} | {percent} |")
    picture = base64.b64encode(_svg(shares).encode()).decode()
    return f"![Inscripciones que alcanzaron cada hito](data:image/svg+xml;base64,{picture})\n\n" + "\n".join(lines)


def _svg(shares: pl.DataFrame) -> str:
    """Bars by milestone, one panel for measured and one for simulated data."""
    import altair as alt
    import vl_convert

    panel = pl.format(
        "{}, {}{}",
        "kind",
        "month",
        pl.when(c("share_frac").is_null()).then(pl.lit(", sin informes")).otherwise(pl.lit("")),
    )
    drawn = shares.with_columns(panel.alias("panel"))
    bars = (
        alt.Chart(width=260, height=150)
        .mark_bar()
        .encode(
            x=alt.X("share_frac:Q", title="elegibles que lo alcanzaron", scale=alt.Scale(domain=[0, 1])).axis(
                format="%"
            ),
            y=alt.Y("milestone:N", title=None, sort=drawn["milestone"].unique(maintain_order=True).to_list()),
            color=alt.Color("kind:N", legend=None).scale(domain=[_MEASURED, _SIMULATED], range=[_COPPER, _PALE]),
        )
    )
    data: Any = alt.Data(values=drawn.to_dicts())
    chart = bars.facet(row=alt.Row("panel:N", title=None), data=data).configure_axisY(labelLimit=260)
    return vl_convert.vegalite_to_svg(chart.to_dict(), vl_version="6.4")
