"""A picture of one simulation: copper from the pits to the port, and who keeps what of its export value."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

import jinja2
import polars as pl

Language = Literal["es", "en"]

_WIDTH, _TOP, _FLOW_HEIGHT, _GAP, _NODE = 1080, 76, 360, 12, 14
_HEIGHT = 620
_COLUMNS = 5
_COLOURS = {
    "pit": "#8c5a2b", "collectors": "#b5763a", "direct": "#caa472", "bought": "#47708c", "toll": "#7fa3b8",
    "CONCENTRADO": "#2f7f6f", "CEMENTO": "#63a08f", "RELAVE": "#a8a8a8", "CN": "#a33b20", "other": "#c98d7c",
}  # fmt: skip
_ROLE_COLOURS = {
    "operator": "#8c5a2b", "concession_holder": "#caa472", "collector": "#b5763a", "biller": "#a33b20",
    "haulier": "#6d6d9c", "plant": "#47708c", "laboratory": "#a8a8a8", "trader": "#2f7f6f",
}  # fmt: skip
#: Names as people write them, where the registry's capitals lack the accent.
_ACCENTED = {
    "APURIMAC": "Apurímac",
    "ANCASH": "Áncash",
    "JUNIN": "Junín",
    "HUANUCO": "Huánuco",
    "SAN MARTIN": "San Martín",
}
_TEXTS: dict[Language, dict[str, str]] = {
    "es": {
        "title": "El sector simulado: por dónde va el cobre y quién se queda con qué",
        "subtitle": "Cobre contenido, toneladas. De los lotes en bocamina al puerto, según la verdad de la simulación",
        "money": "De cada 100 US$ de valor FOB, margen bruto de cada eslabón",
        "watermark": "DATOS SIMULADOS: no son mediciones", "collectors": "Acopiadores", "direct": "Venta directa",
        "bought": "Plantas: compra", "toll": "Plantas: maquila", "CONCENTRADO": "Concentrado", "CEMENTO": "Cemento",
        "RELAVE": "Relaves", "CN": "Exportado a China", "other": "Exportado a otros", "rest": "Otros departamentos",
        "operator": "Operadores", "concession_holder": "Titulares de concesión", "collector": "Acopiadores",
        "biller": "Facturadores", "haulier": "Transportistas", "plant": "Plantas", "laboratory": "Laboratorios",
        "trader": "Comercializadoras",
    },
    "en": {
        "title": "The simulated sector: where the copper goes and who keeps what",
        "subtitle": "Contained copper, tonnes. From lots at the pit to the port, by the truth of the simulation",
        "money": "Of every US$ 100 of FOB value, gross margin of each link",
        "watermark": "SIMULATED DATA: not measured", "collectors": "Collectors", "direct": "Direct sale",
        "bought": "Plants: purchase", "toll": "Plants: toll milling", "CONCENTRADO": "Concentrate", "CEMENTO": "Cement",
        "RELAVE": "Tailings", "CN": "Exported to China", "other": "Exported elsewhere", "rest": "Other departments",
        "operator": "Operators", "concession_holder": "Concession holders", "collector": "Collectors", "biller": "Billers",
        "haulier": "Hauliers", "plant": "Plants", "laboratory": "Laboratories", "trader": "Traders",
    },
}  # fmt: skip

c = pl.col


@dataclasses.dataclass
class _Node:
    column: int
    code: str
    label: str
    copper_t: float
    y: float = 0.0
    height: float = 0.0
    left: float = 0.0  # how far ribbons have filled its left side
    right: float = 0.0


def write_pictures(folder: Path) -> None:
    """`flow_es.svg` and `flow_en.svg` in a simulation's folder, from its truth."""
    flows, margins = copper_flows(folder / "truth"), margins_of_fob(folder / "truth")
    for language in ("es", "en"):
        (folder / f"flow_{language}.svg").write_text(drawn(flows, margins, language), encoding="utf-8")


def copper_flows(truth: Path) -> pl.DataFrame:
    """Copper between the stages: column (0 to 3), from_code, to_code, copper_t."""

    def read(name: str) -> pl.LazyFrame:
        return pl.scan_parquet(truth / name / "*.parquet")

    names = read("registrations").select("department_code", "department_name").unique()
    pits = read("pit_lots").join(names, on="department_code", how="left")
    big = (
        pits.group_by("department_name").agg(c("copper_g").sum()).sort("copper_g", "department_name").tail(5).collect()
    )
    where = (
        pl.when(c("department_name").is_in(big["department_name"].implode()))
        .then("department_name")
        .otherwise(pl.lit("rest"))
    )
    way = pl.when(c("collector_id").is_null()).then(pl.lit("direct")).otherwise(pl.lit("collectors"))
    plants = pl.when("toll").then(pl.lit("toll")).otherwise(pl.lit("bought"))
    loads = read("loads").select(c("load_id"), plants.alias("plant_way"))
    ore = read("copper").filter(c("from_lot_id").str.starts_with("M"))
    from_pit = ore.join(pits.select("lot_id", where.alias("where"), way.alias("way")), left_on="from_lot_id", right_on="lot_id").join(
        loads, left_on="to_lot_id", right_on="load_id"
    )  # fmt: skip
    shipments = read("shipments").select("shipment", "destination")
    products = read("products").join(shipments, on="shipment", how="left").select("lot_id", "form", "destination")
    won = (
        read("copper").filter(c("from_lot_id").str.starts_with("L"))
        .join(loads, left_on="from_lot_id", right_on="load_id")
        .join(products, left_on="to_lot_id", right_on="lot_id", how="left")
        .with_columns(c("form").fill_null("RELAVE"))
    )  # fmt: skip
    port = pl.when(c("destination") == "CN").then(pl.lit("CN")).otherwise(pl.lit("other"))
    steps = (
        (0, from_pit.select(c("where").alias("from_code"), c("way").alias("to_code"), "copper_g")),
        (1, from_pit.select(c("way").alias("from_code"), c("plant_way").alias("to_code"), "copper_g")),
        (2, won.select(c("plant_way").alias("from_code"), c("form").alias("to_code"), "copper_g")),
        (3, won.filter(c("form") != "RELAVE").select(c("form").alias("from_code"), port.alias("to_code"), "copper_g")),
    )
    made = [
        frame.group_by("from_code", "to_code").agg((c("copper_g").sum() / 1e6).alias("copper_t"))
        .with_columns(pl.lit(column).alias("column")).collect()
        for column, frame in steps
    ]  # fmt: skip
    return pl.concat(made).sort("column", "from_code", "to_code")


def margins_of_fob(truth: Path) -> pl.DataFrame:
    """Gross margin (received less paid) of each role: role, margin_usd, of_fob_pct."""
    paid = pl.read_parquet(truth / "transfers" / "*.parquet")
    agents = pl.read_parquet(truth / "agents" / "*.parquet").select("agent_id", "role")
    kept = (
        pl.concat([
            paid.select(c("payee_id").alias("agent_id"), c("usd_cents")),
            paid.select(c("payer_id").alias("agent_id"), -c("usd_cents")),
        ])
        .join(agents, on="agent_id")
        .group_by("role").agg((c("usd_cents").sum() / 100).alias("margin_usd"))
    )  # fmt: skip
    return kept.with_columns((c("margin_usd") / c("margin_usd").sum() * 100).alias("of_fob_pct")).sort(
        "of_fob_pct", "role", descending=True
    )


def drawn(flows: pl.DataFrame, margins: pl.DataFrame, language: Language) -> str:
    """The picture as SVG."""
    texts = _TEXTS[language]
    nodes = _nodes(flows, texts)
    at = {(n.column, n.code): n for n in nodes}
    scale = nodes[0].height / max(nodes[0].copper_t, 1e-9)
    ribbons = []
    for column, source, target, copper_t in flows.select("column", "from_code", "to_code", "copper_t").iter_rows():
        a, b, h = at[column, source], at[column + 1, target], copper_t * scale
        x0, x1 = _x(column) + _NODE, _x(column + 1)
        y0, y1, middle = a.y + a.right, b.y + b.left, (x0 + x1) / 2
        a.right, b.left = a.right + h, b.left + h
        ribbons.append(
            {
                "path": f"M{x0:.1f},{y0:.1f} C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f} "
                f"L{x1:.1f},{y1 + h:.1f} C{middle:.1f},{y1 + h:.1f} {middle:.1f},{y0 + h:.1f} {x0:.1f},{y0 + h:.1f} Z",
                "colour": _COLOURS.get(a.code, _COLOURS["pit"]),
                "label": f"{a.label} → {b.label}: {_number(copper_t)} t",
            }
        )
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipelines.simulator"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("flow.svg.j2").render(
        width=_WIDTH, height=_HEIGHT, title=texts["title"], subtitle=texts["subtitle"], money_title=texts["money"],
        watermark=texts["watermark"], ribbons=ribbons, nodes=[_shown(n) for n in nodes], bar_y=_TOP + _FLOW_HEIGHT + 60,
        parts=_parts(margins, texts),
    )  # fmt: skip


def _nodes(flows: pl.DataFrame, texts: dict[str, str]) -> list[_Node]:
    """Boxes of every stage, the largest first, stacked so that one scale holds for all."""
    left = flows.group_by("column", c("from_code").alias("code")).agg(c("copper_t").sum())
    right = flows.group_by(c("column") + 1, c("to_code").alias("code")).agg(c("copper_t").sum())
    sums = (
        pl.concat([left, right.cast({"column": left.schema["column"]})])
        .group_by("column", "code").agg(c("copper_t").max())
        .sort("column", "copper_t", "code", descending=[False, True, False])
    )  # fmt: skip
    most = max(len(part) for part in sums.partition_by("column"))
    scale = (_FLOW_HEIGHT - _GAP * (most - 1)) / sums.filter(c("column") == 0)["copper_t"].sum()
    nodes, y, last = [], float(_TOP), -1
    for column, code, copper_t in sums.iter_rows():
        y = float(_TOP) if column != last else y
        node = _Node(column, code, texts.get(code) or _ACCENTED.get(code, code.title()), copper_t, y, copper_t * scale)
        y, last = y + node.height + _GAP, column
        nodes.append(node)
    return nodes


def _x(column: int) -> float:
    return 170 + column * (_WIDTH - 340 - _NODE) / (_COLUMNS - 1)


def _shown(node: _Node) -> dict[str, object]:
    at_left, at_right = node.column == 0, node.column == _COLUMNS - 1
    x = _x(node.column)
    return {
        "x": round(x, 1), "y": round(node.y, 1), "height": max(round(node.height, 1), 1),
        "text_x": round(x - 8 if at_left else x + _NODE + 8, 1), "text_y": round(node.y + node.height / 2 + 4, 1),
        "anchor": "end" if at_left else "start", "colour": _COLOURS.get(node.code, _COLOURS["pit"]),
        "label": f"{node.label} {_number(node.copper_t)}" if not at_right else f"{node.label} {_number(node.copper_t)} t",
    }  # fmt: skip


def _parts(margins: pl.DataFrame, texts: dict[str, str]) -> list[dict[str, object]]:
    """The bar of money, a part for each role that keeps anything, and its key in two rows."""
    parts, x = [], 24.0
    bar_y, scale = _TOP + _FLOW_HEIGHT + 60, (_WIDTH - 48) / 100
    for i, (role, pct) in enumerate(margins.filter(c("of_fob_pct") > 0).select("role", "of_fob_pct").iter_rows()):
        parts.append(
            {
                "x": round(x, 1), "width": round(pct * scale, 1), "colour": _ROLE_COLOURS[role], "key_x": 24 + i % 4 * 262,
                "key_y": bar_y + 58 + i // 4 * 22, "label": f"{texts[role]} {_number(pct, 1)}",
            }
        )  # fmt: skip
        x += pct * scale
    return parts


def _number(value: float, digits: int = 0) -> str:
    """As Peru and English write it: 1,234.5."""
    return f"{value:,.{digits}f}"
