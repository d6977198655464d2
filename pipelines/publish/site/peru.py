"""A map of Peru's departments or provinces, shaded by a value; drawn from boundaries in this folder's map/ without a projection library."""

from __future__ import annotations

import functools
import html
import itertools
import json
from pathlib import Path
from typing import Any

import yaml

from pipelines.publish.site import charts

_MAP = Path(__file__).parent / "map"
_NAMES = _MAP / "province_names.yaml"
_DEPARTMENTS, _PROVINCES = _MAP / "pe_departamentos_2022.topo.json", _MAP / "pe_provincias_2022.topo.json"
#: Size of the picture and its scale. So near the equator a degree is as wide as it is high; whole units simplify the coast.
_WIDTH, _HEIGHT, _PER_DEGREE, _MARGIN = 340, 470, 25.0, 8
_NO_DATA = "#fffdfb"

Point = tuple[int, int]


def attribution() -> str:
    """Who the boundaries are from."""
    return str(yaml.safe_load((_MAP / "origin.yaml").read_text(encoding="utf-8"))["attribution"])


def draw(
    name: str, values: dict[str, tuple[float | None, str]], *, classes: list[tuple[float, str]], label: str, hidden: str, absent: str,
    watermark: str,
) -> str:  # fmt: skip
    """The map as SVG. A department of whose provinces some value is shown is drawn as its provinces; one all of whose provinces are
    hidden is hidden as a whole.

    Args:
        name: of the picture within its page.
        values: by code of department or province, its value (None: hidden) and the text that stands on it (departments alone); no
            entry: no data.
        classes: up to four, from the least: the value up to which each goes, and its text in the legend.
        hidden: how the legend names hidden places; absent: those without data.
    """
    hatch = f"url(#{name}-hatch)"
    split = {code[:2] for code, (value, _) in values.items() if len(code) == 4 and value is not None}
    told = {code[:2]: (None, "") for code in values if code[:2] not in split} | values
    drawn = {code: rings for code, rings in departments().items() if code not in split} | {
        code: rings for code, rings in provinces().items() if code[:2] in split
    }
    shapes = [_shape(code, rings, told.get(code), classes, hatch) for code, rings in drawn.items()]
    shapes += [
        f'<path fill="none" stroke-width="1.4" d="{"".join(map(_path, rings))}"/>'
        for code, rings in departments().items()
        if code in split
    ]
    texts = [
        f'<text x="{x}" y="{y}" text-anchor="middle">{html.escape(values[code][1])}</text>'
        for code, rings in departments().items()
        if code in values and values[code][0] is not None
        for x, y in [_centre(max(rings, key=lambda ring: abs(_area(ring))))]
    ]
    used = [
        text for (value, _) in values.values() if value is not None for text in [classes[_class(value, classes)][1]]
    ]
    legend = [(charts.CLASSES[i], text) for i, (_, text) in enumerate(classes) if text in used]
    legend += [(hatch, hidden)] if any(value is None for value, _ in values.values()) else []
    legend += [(_NO_DATA, absent)] if not drawn.keys() <= told.keys() else []
    top = _HEIGHT - 20 * len(legend)
    keys = "".join(
        f'<rect x="4" y="{top + 20 * i}" width="16" height="13" fill="{fill}" stroke="{charts.SOFT}"/>'
        f'<text x="26" y="{top + 20 * i + 11}">{html.escape(text)}</text>'
        for i, (fill, text) in enumerate(legend)
    )
    return charts.image(
        f'<defs><pattern id="{name}-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<rect width="6" height="6" fill="{_NO_DATA}"/><rect width="2" height="6" fill="{charts.SOFT}"/></pattern></defs>'
        f'<g stroke="{charts.SOFT}" stroke-width=".7" stroke-linejoin="round">{"".join(shapes)}</g>'
        f'<g font-family="{charts.FACE}" font-size="12" fill="{charts.INK}" stroke="{charts.PAPER}" stroke-width="3" paint-order="stroke">'
        f'{"".join(texts)}</g><g font-family="{charts.FACE}" font-size="12" fill="{charts.INK}">{keys}</g>',
        _WIDTH, _HEIGHT + 4, label, watermark, "map",
    )  # fmt: skip


def _shape(
    code: str,
    rings: list[list[Point]],
    told: tuple[float | None, str] | None,
    classes: list[tuple[float, str]],
    hatch: str,
) -> str:
    if told is None:
        fill = _NO_DATA
    elif told[0] is None:
        fill = hatch
    else:
        fill = charts.CLASSES[_class(told[0], classes)]
    return f'<path data-place="{code}" fill="{fill}" d="{"".join(map(_path, rings))}"/>'


def _class(value: float, classes: list[tuple[float, str]]) -> int:
    return next((i for i, (most, _) in enumerate(classes) if value <= most), len(classes) - 1)


def _path(ring: list[Point]) -> str:
    """A closed ring as an SVG path in few characters: steps of one direction are one, a minus sign parts numbers."""
    steps: list[Point] = []
    for (a, b), (x, y) in itertools.pairwise(ring):
        step = (x - a, y - b)
        if (
            steps
            and steps[-1][0] * step[1] == steps[-1][1] * step[0]
            and steps[-1][0] * step[0] + steps[-1][1] * step[1] > 0
        ):
            steps[-1] = (steps[-1][0] + step[0], steps[-1][1] + step[1])
        else:
            steps.append(step)
    numbers = itertools.chain.from_iterable(steps[:-1])
    return f"M{ring[0][0]},{ring[0][1]}l{' '.join(map(str, numbers)).replace(' -', '-')}z"


def _area(ring: list[Point]) -> float:
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in itertools.pairwise(ring)) / 2


def _centre(ring: list[Point]) -> Point:
    pairs = list(itertools.pairwise(ring))
    six = 6 * _area(ring)
    x = sum((x0 + x1) * (x0 * y1 - x1 * y0) for (x0, y0), (x1, y1) in pairs) / six
    y = sum((y0 + y1) * (x0 * y1 - x1 * y0) for (x0, y0), (x1, y1) in pairs) / six
    return round(x), round(y)


Rings = dict[str, list[list[Point]]]


@functools.cache
def departments() -> Rings:
    """Rings of every department by ubigeo code, in units of the picture, each closed."""
    return _rings(_DEPARTMENTS)


@functools.cache
def provinces() -> Rings:
    """The same of every province."""
    return _rings(_PROVINCES)


@functools.cache
def province_names() -> dict[str, str]:
    """Names of the provinces by ubigeo code as they are written, with accents."""
    return yaml.safe_load(_NAMES.read_text(encoding="utf-8"))


def _rings(path: Path) -> Rings:
    topology = json.loads(path.read_text(encoding="utf-8"))
    arcs = [_arc(arc, topology) for arc in topology["arcs"]]
    (layer,) = topology["objects"].values()
    found = {}
    for geometry in sorted(layer["geometries"], key=lambda g: g["id"]):
        polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
        rings = [_ring(ring, arcs) for polygon in polygons for ring in polygon]
        found[geometry["id"]] = [ring for ring in rings if len(ring) > 3]
    return found


def _arc(arc: list[list[int]], topology: dict[str, Any]) -> list[Point]:
    """An arc's differences as points of the picture."""
    (scale_x, scale_y), (from_x, from_y) = topology["transform"]["scale"], topology["transform"]["translate"]
    west, _, _, north = topology["bbox"]
    x = y = 0
    points = []
    for dx, dy in arc:
        x, y = x + dx, y + dy
        longitude, latitude = x * scale_x + from_x, y * scale_y + from_y
        points.append(
            (round((longitude - west) * _PER_DEGREE) + _MARGIN, round((north - latitude) * _PER_DEGREE) + _MARGIN)
        )
    return points


def _ring(indexes: list[int], arcs: list[list[Point]]) -> list[Point]:
    """One closed ring of arcs put end to end (~i: arc i backwards), without points that fall together."""
    points = [point for i in indexes for point in (arcs[i] if i >= 0 else reversed(arcs[~i]))]
    return [point for i, point in enumerate(points) if i == 0 or point != points[i - 1]]
