"""Drawings: rows of plain values to one static SVG each. Nothing here knows a product or a language.

A value of None is not drawn; its text (as «reservado») stands where the bar would begin.
"""

from __future__ import annotations

import dataclasses
import html
import re
import textwrap
from typing import Any

PAPER, INK, SOFT, GRID = "#fffdfb", "#2b2320", "#5f524b", "#ece4dd"
#: Colours of series, each 4.5 to 1 or more against the paper.
SERIES = ("#8f4116", "#1b6a6a", "#7d5a00", "#6b3d6e", "#2a5b93", "#56651c", "#a5375a", "#4a5560", "#7a3410", "#0f5132")
#: Colours of a map's classes from least to most.
CLASSES = ("#f6e3d5", "#e3b08d", "#c07845", "#8f4116")
#: Width of the plot in CSS pixels at its drawn size; labels come beside it. Small, so that letters can be read on a telephone.
_WIDTH = 200
_FONT = 12
FACE = "Arial, Helvetica, sans-serif"
VEGA_LITE = "6.4"


def bars(
    rows: list[dict[str, Any]], *, title: str, form: str, is_share: bool = False, mark: float | None = None
) -> Any:
    """Horizontal bars in the order of the rows.

    Args:
        rows: label, value (or None), text beside the bar, and optionally group: a panel for each.
        form: d3 format of the axis.
        is_share: values are shares of 100.
        mark: where a line is drawn across, such as 100 for a share in %.
    """
    import altair as alt

    rows = [row | {"label": wrapped(row["label"])} for row in rows]
    least = min(0, *(row["value"] or 0 for row in rows))
    far = max(_far([(row["value"], row["text"]) for row in rows]), mark or 0)
    axis = alt.Axis(format=form, values=[0, 25, 50, 75, 100]) if is_share else alt.Axis(format=form, tickCount=4)
    x = alt.X("value:Q", title=title, scale=alt.Scale(domain=[least, far], nice=False), axis=axis)
    y = _names(rows)
    base = alt.Chart(width=_WIDTH, height=_step(rows))
    colour = alt.Color("colour:N", scale=None) if "colour" in rows[0] else alt.value(SERIES[0])
    told = base.transform_calculate(at="isValid(datum.value) ? max(datum.value, 0) : 0").encode(
        x="at:Q", y=y, text="text:N"
    )
    text = {"align": "left", "dx": 4, "fontSize": _FONT}
    layers = [base.mark_bar(size=18).encode(x=x, y=y, color=colour)]
    if mark:
        layers.insert(0, base.mark_rule(color=INK, strokeDash=[4, 3]).encode(x=alt.datum(mark)))
        # the line stops at a text that it would run through
        layers.append(told.mark_text(**text, color=PAPER, stroke=PAPER, strokeWidth=5, strokeJoin="round", aria=False))
    drawn = alt.layer(*layers, told.mark_text(**text, color=INK))
    if "group" not in rows[0]:
        return drawn.properties(data=_data(rows))
    groups = list(dict.fromkeys(row["group"] for row in rows))
    header = alt.Header(
        labelAngle=0, labelOrient="top", labelAnchor="start", labelFontSize=_FONT + 1, labelFontWeight="bold", labelColor=INK,
        labelLimit=400,
    )  # fmt: skip
    return drawn.facet(row=alt.Row("group:N", title=None, sort=groups, header=header), data=_data(rows), spacing=8)


def waterfall(rows: list[dict[str, Any]], *, title: str, form: str) -> Any:
    """Horizontal steps, each from `start` to `end`, in the order of the rows: label, start, end, text, colour."""
    import altair as alt

    rows = [row | {"label": wrapped(row["label"]), "right": max(row["start"], row["end"])} for row in rows]
    y = _names(rows)
    least = min(0, *(min(row["start"], row["end"]) for row in rows))
    scale = alt.Scale(domain=[least, _far([(row["right"], row["text"]) for row in rows])], nice=False)
    base = alt.Chart(_data(rows), width=_WIDTH, height=_step(rows))
    return base.mark_bar(size=18).encode(
        x=alt.X("start:Q", title=title, scale=scale).axis(format=form, tickCount=4), x2="end:Q", y=y, color=alt.Color("colour:N", scale=None)
    ) + base.mark_text(align="left", dx=4, fontSize=_FONT, color=INK).encode(x="right:Q", y=y, text="text:N")  # fmt: skip


def shares(rows: list[dict[str, Any]], *, title: str, form: str, names: list[str]) -> Any:
    """Bars of a whole of 100, cut in parts: label, part (one of `names`), value, text in the part. Where parts of a label are
    None, the text of the first of them stands once, after its bar."""
    import altair as alt

    drawn: list[dict[str, Any]] = []
    for label in dict.fromkeys(row["label"] for row in rows):
        parts, end = [row | {"label": wrapped(label)} for row in rows if row["label"] == label], 0.0
        for part in (part for part in parts if part["value"] is not None):
            start, end = end, end + part["value"]
            # A part too thin for its text is told by the table.
            text = part["text"] if part["value"] >= 8.5 else ""
            drawn.append(
                part
                | {"start": start, "end": end, "at": (start + end) / 2, "text": text, "ink": PAPER, "align": "center"}
            )
        for part in [part for part in parts if part["value"] is None][:1]:
            drawn.append(part | {"start": end, "end": None, "at": end + 1, "ink": INK, "align": "left"})
    y = _names(drawn)
    base = alt.Chart(_data(drawn), width=_WIDTH + 20, height=_step(drawn))
    colour = alt.Color("part:N", title=None, scale=alt.Scale(domain=names, range=list(SERIES[: len(names)])))
    legend = alt.Legend(orient="bottom", columns=2, labelLimit=260, columnPadding=24)
    return base.mark_bar(size=22, stroke=PAPER).encode(
        x=alt.X("start:Q", title=title, scale=alt.Scale(domain=[0, 100])).axis(format=form, tickCount=5), x2="end:Q", y=y, color=colour.legend(legend)
    ) + alt.layer(*(
        base.transform_filter(f"datum.align == '{align}'").mark_text(align=align, fontSize=_FONT).encode(
            x="at:Q", y=y, text="text:N", color=alt.Color("ink:N", scale=None)
        ) for align in ("left", "center")
    ))  # fmt: skip


def curves(rows: list[dict[str, Any]], *, x_title: str, y_title: str, form: str, names: list[str]) -> Any:
    """Steps that fall with time, each with its band: name (one of `names`), x, y, low, high."""
    import altair as alt

    base = alt.Chart(_data(rows), width=_WIDTH + 110, height=230)
    x = alt.X("x:Q", title=x_title, scale=alt.Scale(nice=False)).axis(tickCount=6)
    legend = alt.Legend(
        orient="bottom", columns=1, labelLimit=400, symbolType="stroke", symbolOpacity=1, symbolSize=300
    )
    colour = alt.Color(
        "name:N", title=None, scale=alt.Scale(domain=names, range=list(SERIES[: len(names)])), legend=legend
    )
    dashes = alt.Scale(domain=names, range=[[1, 0], [6, 3], [2, 2]][: len(names)])
    band = base.mark_area(interpolate="step-after", opacity=0.2).encode(
        x=x, y=alt.Y("low:Q", title=y_title, scale=alt.Scale(domain=[0, 100])).axis(format=form), y2="high:Q", color=colour
    )  # fmt: skip
    middle = base.mark_line(interpolate="step-after", strokeWidth=2).encode(
        x=x, y="y:Q", color=colour, strokeDash=alt.StrokeDash("name:N", title=None, scale=dashes, legend=legend)
    )
    return band + middle


def ranges(rows: list[dict[str, Any]], *, title: str, form: str) -> Any:
    """What lies between two bounds, or stands at a point: label, low, value, high (or None), text, colour."""
    import altair as alt

    rows = [
        row | {"label": wrapped(row["label"], 25), "at": row["high"] if row["high"] is not None else 0} for row in rows
    ]
    scale = alt.Scale(domain=[0, _far([(row["high"], row["text"]) for row in rows])], nice=False)
    y = _names(rows)
    x = alt.X("low:Q", title=title, scale=scale).axis(format=form, tickCount=4)
    base = alt.Chart(_data(rows), width=_WIDTH, height=_step(rows))
    colour = alt.Color("colour:N", scale=None)
    return (
        base.mark_bar(size=7, opacity=0.55).encode(x=x, x2="high:Q", y=y, color=colour)
        + base.transform_fold(["low", "value", "high"], as_=["which", "point"])
        .mark_point(filled=True, size=60, opacity=1)
        .encode(x="point:Q", y=y, color=colour)
        + base.mark_text(align="left", dx=8, fontSize=_FONT, color=INK).encode(x="at:Q", y=y, text="text:N")
    )


def line(rows: list[dict[str, Any]], *, y_title: str, form: str) -> Any:
    """A line over years: x (a year with its part), y."""
    import altair as alt

    return (
        alt.Chart(_data(rows), width=_WIDTH + 110, height=220)
        .mark_line(color=SERIES[0], strokeWidth=1.6)
        .encode(
            x=alt.X("x:Q", title=None, scale=alt.Scale(zero=False, nice=False)).axis(format="d", tickCount=6),
            y=alt.Y("y:Q", title=y_title).axis(format=form, tickCount=5),
        )
    )


def columns(rows: list[dict[str, Any]], *, y_title: str, form: str, names: list[str]) -> Any:
    """Columns by year in parts: year, part (one of `names`), value, order (from the bottom)."""
    import altair as alt

    return (
        alt.Chart(_data(rows), width=_WIDTH + 110, height=230)
        .mark_bar(stroke=PAPER)
        .encode(
            x=alt.X("year:N", title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("value:Q", title=y_title).axis(format=form, tickCount=5),
            order="order:Q",
            color=alt.Color("part:N", title=None, scale=alt.Scale(domain=names, range=_colours(len(names)))).legend(
                alt.Legend(orient="bottom", columns=3, labelLimit=200, columnPadding=24)
            ),
        )
    )


def _colours(count: int) -> list[str]:
    return [SERIES[i % len(SERIES)] for i in range(count)]


def wrapped(label: str, width: int = 22) -> str:
    return "\n".join(textwrap.wrap(label, width, break_long_words=False)) or label


def _step(rows: list[dict[str, Any]]) -> Any:
    """Height of a row that holds the lines of the longest name."""
    import altair as alt

    return alt.Step(max(30, max(row["label"].count("\n") + 1 for row in rows) * (_FONT + 2) + 4))


def _far(ends: list[tuple[float | None, str]]) -> float:
    """End of an axis that leaves room for the text at the end of every bar; 1 where no bar has a length."""
    room = [(end, _WIDTH - len(text) * _FONT * 0.56 - 10) for end, text in ends if end is not None and end > 0]
    return max((end * _WIDTH / max(left, _WIDTH / 4) for end, left in room), default=1.0)


def _names(rows: list[dict[str, Any]]) -> Any:
    """An axis of names in the order of the rows, one line under the other where a name is long. Hidden rows keep their place."""
    import altair as alt

    axis = alt.Axis(labelExpr="split(datum.value, '\\n')", labelLimit=190, ticks=False, domain=False, labelPadding=6)
    return alt.Y(
        "label:N", title=None, scale=alt.Scale(domain=list(dict.fromkeys(row["label"] for row in rows))), axis=axis
    )


def _data(rows: list[dict[str, Any]]) -> Any:
    import altair as alt

    return alt.Data(values=rows)


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A chart as static SVG, and the Vega-Lite that draws it anew with what it tells under the pointer."""

    svg: str
    spec: dict[str, Any]


def drawing(chart: Any, label: str, d3: dict[str, Any], watermark: str) -> Drawing:
    """A chart as one image with a label: the inner ARIA roles of the drawing would be read out one by one.

    Args:
        d3: how axes write numbers.
        watermark: a word across the picture, which stays when the picture alone is copied; empty for none.
    """
    styled = (
        chart.configure(background=PAPER, font=FACE, padding={"left": 14, "right": 6, "top": 5, "bottom": 5})
        .configure_axis(labelColor=INK, titleColor=INK, gridColor=GRID, labelFontSize=_FONT, titleFontSize=_FONT, titleFontWeight="normal")
        .configure_axisY(titlePadding=12)
        .configure_legend(labelColor=INK, labelFontSize=_FONT, symbolStrokeWidth=2)
        .configure_view(stroke=None)
    )  # fmt: skip
    spec = styled.to_dict()
    return Drawing(_svg(spec, label, d3, watermark), _told(spec, _first_row(spec)))


def _first_row(spec: Any) -> dict[str, Any]:
    """The first row of a chart's data, wherever in it they stand."""
    if isinstance(spec, dict):
        if "values" in spec.get("data", {}):
            return spec["data"]["values"][0]
        return next((row for part in spec.values() if (row := _first_row(part))), {})
    return next((row for part in spec if (row := _first_row(part))), {}) if isinstance(spec, list) else {}


def _told(spec: Any, row: dict[str, Any]) -> Any:
    """A chart whose marks tell what they stand for: the names of a row, then its text, else its number. A line tells it at its
    points, which are not seen; a band tells nothing."""
    if isinstance(spec, list):
        return [_told(part, row) for part in spec]
    if not isinstance(spec, dict):
        return spec
    if "mark" not in spec or "encoding" not in spec:
        return {key: _told(part, row) for key, part in spec.items()}
    kind, telling = spec["mark"]["type"], {"tooltip": {"value": {"expr": _sentence(row)}}}
    if kind == "area":
        return spec
    if kind == "line":
        points = {
            "mark": {"type": "point", "opacity": 0, "size": 150},
            "encoding": {k: spec["encoding"][k] for k in ("x", "y")} | telling,
        }
        return {key: part for key, part in spec.items() if key not in ("mark", "encoding")} | {
            "layer": [{"mark": spec["mark"], "encoding": spec["encoding"]}, points]
        }
    return spec | {"encoding": spec["encoding"] | telling}


def _sentence(row: dict[str, Any]) -> str:
    """What a mark tells, as an expression on its row, of which `row` is one like it."""
    parts = [f"replace(datum.{key}, /\\n/g, ' ')" for key in ("group", "label", "name", "part") if key in row]
    parts += ["datum.year"] * ("year" in row) + [f"format(datum.x, '.{int('name' in row)}f')"] * ("x" in row)
    number = "format(datum.y, ',.1f')" if "y" in row else "format(datum.value, ',.1f')"
    if "part" in row:  # parts that are too thin for their text have none
        parts.append(f"isValid(datum.value) ? {number} : datum.text" if "text" in row else number)
    else:
        parts.append("datum.text" if "text" in row else number)
    return " + ' · ' + ".join(f"({part})" for part in parts)


def _svg(spec: dict[str, Any], label: str, d3: dict[str, Any], watermark: str) -> str:
    import vl_convert

    drawn = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE, format_locale=d3)
    drawn = re.sub(r'<path class="(?:back|fore)ground"[^>]*/>', "", drawn)
    drawn = re.sub(r"<[^>]+>", lambda tag: _lean(tag[0]), drawn)
    drawn = re.sub(r"<text[^>]*>(?:<tspan[^>]*>[^<]*</tspan>)+", lambda text: _centred(text[0]), drawn)
    width, height = (float(n) for n in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn).groups())  # type: ignore[union-attr]
    return image(drawn[drawn.index(">") + 1 : drawn.rindex("</svg>")], width, height, label, watermark)


def image(inner: str, width: float, height: float, label: str, watermark: str, kind: str = "chart") -> str:
    """An SVG of what is drawn in `inner`, named by `label`; `kind` is its class in the style sheet."""
    mark = (
        f'<text x="{width / 2:g}" y="{height / 2:g}" text-anchor="middle" font-size="{width / 9:.0f}" fill="{SOFT}" fill-opacity=".16" '
        f'font-family="{FACE}" font-weight="bold" transform="rotate(-20 {width / 2:g} {height / 2:g})">{html.escape(watermark)}</text>'
        if watermark
        else ""
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{kind}" role="img" aria-label="{html.escape(label, quote=True)}" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">{inner}{mark}</svg>'
    )


def _centred(text: str) -> str:
    """A name of several lines, moved up so that its middle, not its first line, stands at its bar."""
    up = (text.count("<tspan") - 1) * (_FONT + 2) / 2
    return re.sub(
        r"translate\(([-\d.]+),([-\d.]+)\)", lambda at: f"translate({at[1]},{float(at[2]) - up:g})", text, count=1
    )


def _lean(tag: str) -> str:
    """A tag without what a picture does not need: roles, classes, more decimals than a screen has."""
    tag = re.sub(r'\s(?:role|class|aria-[a-z]+|pointer-events|stroke-miterlimit)="[^"]*"', "", tag)
    return re.sub(r"-?\d+\.\d{2,}", lambda n: f"{float(n[0]):.1f}".removesuffix(".0"), tag)
