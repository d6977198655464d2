"""What offices, associations and the bank would hand over: registry, roll, series, and partners' files by month.

The chain's own files (documents, tickets, settlements) are written by `sector.py` from its chunks; the truth about the
world (agents, registrations, their life, prices, terms) is written here beside the files.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import orjson
import polars as pl
import yaml

from pipelines import contracts, partner_files
from pipelines.simulator import community, defects, reinfo_files, roll
from pipelines.simulator.registry import snapshot_frame
from pipelines.simulator.world import World
from pipelines.sources import get_source

_MONTHS = ("Ene", "Feb", "Mar", "Abr", "May", "Jun", "Jul", "Ago", "Set", "Oct", "Nov", "Dic")
_LB_PER_T = 2204.622621849
#: Partners who keep their records in a spreadsheet hand that over; the rest export CSV.
_AS_WORKBOOK = ("partner_campaigns", "partner_contracts", "partner_grievances", "partner_trainings", "partner_surveys")

c = pl.col


def write(world: World, folder: Path) -> dict[str, int]:
    """Every file that is not of the chain, and the truth of the world; rows by kind."""
    events, over_capacity = defects.over_capacity(world, world.registry.events)
    counts, places = write_registry(world, folder)
    counts |= _write_roll(world, folder) | _write_series(world, folder) | _write_community(world, folder, events)
    reported = over_capacity.filter(
        c("row_key").is_in(events.filter("is_reported")["event_id"].cast(pl.String).implode())
    )
    _write_truth(world, folder, pl.concat([reported, places]))
    return counts


def write_partner(folder: Path, table: str, name: str, frame: pl.DataFrame, period: str = "") -> None:
    """One partner file called after `name`, in the folder of its period where all of its rows are of one month."""
    contract = contracts.contract(table)
    slug = contract.source
    home = home_of(folder, slug) / period
    home.mkdir(exist_ok=True)
    if slug in _AS_WORKBOOK:
        partner_files.write_partner_xlsx(contract, frame, home / f"{slug}_{name}.xlsx")
    else:
        partner_files.write_partner_csv(contract, frame, home / f"{slug}_{name}.csv")


def home_of(folder: Path, slug: str, files: dict[str, dict[str, str]] | None = None) -> Path:
    """A source's folder with its origin card: simulated, and by whom it would be handed over."""
    home = folder / "files" / slug
    if not home.exists() or files:
        home.mkdir(parents=True, exist_ok=True)
        card = {
            "producer": f"Simulación de Antawasi, en el formato de: {get_source(slug).producer}",
            "origin": "antawasi simulate",
            "licence": "CC BY 4.0",
            "attribution": "Antawasi, sector simulado (datos simulados, no medidos)",
            "is_synthetic": True,
        }
        card |= {"files": files} if files else {}
        (home / "origin.yaml").write_text(yaml.safe_dump(card, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return home


# --- the registry's public files ----------------------------------------------------------------------


def write_registry(world: World, folder: Path) -> tuple[dict[str, int], pl.DataFrame]:
    """Rows by kind, and the labels of misread places."""
    shown = world.registry.snapshots.filter(c("kind") != "MISSING")
    names = {
        row["month"]: f"reinfo_{row['month']:%Y-%m}_{row['layout'].lower()}.{row['format']}"
        for row in shown.iter_rows(named=True)
    }
    # the listing has no date of its own: whoever saves it notes the day; a map layer says its own
    stated = {
        names[row["month"]]: {"source_as_of": row["as_of"].isoformat()} if row["layout"] == "WEB" else {}
        for row in shown.iter_rows(named=True)
    }
    home = home_of(folder, "reinfo", {name: card for name, card in stated.items() if card})
    rows, labels = 0, [pl.DataFrame(schema=defects.LABELS)]
    for snapshot in shown.iter_rows(named=True):
        frame = snapshot_frame(world.registry, world.people, snapshot, world.seed)
        path = home / names[snapshot["month"]]
        if snapshot["kind"] == "STALE":  # the same extract, served in another order
            frame = frame.reverse()
        else:
            frame, misread = defects.misread_places(world, frame, path.name)
            labels.append(misread)
        if snapshot["format"] == "json":
            reinfo_files.write_map_json(frame, path, snapshot["as_of"])
        elif snapshot["format"] == "xlsx":
            reinfo_files.write_web_xlsx(frame, path)
        else:
            reinfo_files.write_web_csv(frame, path, shuffled=snapshot["is_shuffled"], renamed=snapshot["is_renamed"])
        rows += frame.height
    return {"registry_files": shown.height, "registry_rows": rows}, pl.concat(labels)


# --- the taxpayer roll and the bank's series ----------------------------------------------------------


def _write_roll(world: World, folder: Path) -> dict[str, int]:
    name = "padron_reducido_ruc.txt"
    home = home_of(folder, "sunat_ruc", {name: {"source_as_of": world.plan.end.isoformat()}})
    frame = community.roll_frame(world.people, world.firms.frame, world.registry, world.plan.end)
    roll.write_roll(frame, home / name)
    return {"roll_lines": frame.height}


def _write_series(world: World, folder: Path) -> dict[str, int]:
    """Daily copper (US cents per pound) and exchange rate, as the bank's service answers; every day of the calendar."""
    name = "bcrp_simulado_diario.json"
    home = home_of(folder, "bcrp_series", {name: {"source_as_of": world.plan.end.isoformat()}})
    days = world.prices.filter(c("date") <= world.plan.end)
    half = 0.003  # of the spread between buying and selling rates: their middle is the day's rate
    periods = [
        {"name": f"{d.day:02d}.{_MONTHS[d.month - 1]}.{d:%y}", "values": [f"{fx - half:.4f}", f"{fx + half:.4f}", f"{cu:.10f}"]}
        for d, fx, cu in zip(
            days["date"], days["pen_per_usd"], (days["copper_usd_per_t"] * 100 / _LB_PER_T).to_list(), strict=True
        )
    ]  # fmt: skip
    series = (
        ("TC Sistema bancario SBS (S/ por US$) - Compra", "4"),
        ("TC Sistema bancario SBS (S/ por US$) - Venta", "4"),
        ("Cotizaciones internacionales - Cobre (Londres, cUS$ por libras)", "10"),
    )
    answer = {
        "config": {"title": "Series simuladas", "series": [{"name": text, "dec": digits} for text, digits in series]},
        "periods": periods,
    }
    (home / name).write_bytes(orjson.dumps(answer))
    return {"price_days": days.height}


# --- partners around the chain ------------------------------------------------------------------------


def _write_community(world: World, folder: Path, events: pl.DataFrame) -> dict[str, int]:
    frames = community.partner_frames(world, events)
    counts = {}
    for table, frame in frames.items():
        seen = frame.filter(c("month").is_between(world.plan.months[0], world.plan.months[-1]))
        for (month,), rows in seen.partition_by("month", as_dict=True, maintain_order=True).items():
            assert isinstance(month, dt.date)
            # the first files also list what is older, so they stand in no month's folder
            write_partner(folder, table, f"{month:%Y-%m}", rows.drop("month"))
        counts[table] = seen.height
    return counts


# --- the truth of the world ---------------------------------------------------------------------------


def _write_truth(world: World, folder: Path, office_defects: pl.DataFrame) -> None:
    first = {role: world.first_firm + at for role, at in world.firms.first.items()}
    terms = {
        "plant_terms": pl.DataFrame(world.firms.plants).with_row_index("agent_id", first["plant"]),
        "trader_terms": pl.DataFrame(world.firms.traders).with_row_index("agent_id", first["trader"]),
    }
    tables = {
        "agents": world.agents,
        "operators": world.people.operators,
        "registrations": world.people.registrations,
        "registry_intervals": world.registry.intervals,
        "registry_conditions": world.registry.conditions,
        "registry_events": world.registry.events,
        "registry_snapshots": world.registry.snapshots,
        "prices": world.prices,
        "office_defects": office_defects,
        **terms,
    }
    for name, frame in tables.items():
        home = folder / "truth" / name
        home.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(home / "00000.parquet", compression="zstd", compression_level=1)
