"""Defects that are written into the files on purpose, each with a label in the truth.

A label names the defect, the table and the row's key as the file shows it, the lot, and what was true and written.
Some defects are the sector's own deeds (sales on an excluded or a lent registration, a laboratory that reads low):
they happen in the truth and are only labelled here.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipelines.simulator.dice import stream
from pipelines.simulator.directory import Directory
from pipelines.simulator.documents import Documents
from pipelines.simulator.money import biased_plants
from pipelines.simulator.parameters import DefectParameters
from pipelines.simulator.partner_rows import ASSAYS, CAMPAIGNS, TICKETS
from pipelines.simulator.world import World

LABELS = pl.Schema(
    {
        "defect_code": pl.String,
        "table_name": pl.String,
        "row_key": pl.String,
        "lot_id": pl.String,
        "true_value": pl.String,
        "written_value": pl.String,
    }
)

c = pl.col


def inject(
    world: World, rows: dict[str, pl.DataFrame], papers: Documents, chunk: int
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """(rows with defects, labels) of one chunk."""
    p = world.parameters.defects.times(world.plan.defects)
    tickets, ticket_labels = _tickets(world, p, rows[TICKETS], chunk)
    campaigns, campaign_labels = _campaigns(world, p, rows[CAMPAIGNS], chunk)
    labels = [*ticket_labels, *campaign_labels, *_deeds(world, papers), _biased(world, p, rows[ASSAYS])]
    return rows | {TICKETS: tickets, CAMPAIGNS: campaigns}, pl.concat(labels)


def label(
    frame: pl.DataFrame, code: str, table: str, key: pl.Expr, lot: pl.Expr, true: pl.Expr, written: pl.Expr
) -> pl.DataFrame:
    """A label for every row of `frame`."""
    return frame.select(
        pl.lit(code).alias("defect_code"), pl.lit(table).alias("table_name"), key.cast(pl.String).alias("row_key"),
        lot.cast(pl.String).alias("lot_id"), true.cast(pl.String).alias("true_value"), written.cast(pl.String).alias("written_value"),
    )  # fmt: skip


def misread(text: pl.Expr) -> pl.Expr:
    """A text with the digits that scanners mistake."""
    return text.str.replace_many(["0", "1", "8", "5"], ["O", "I", "B", "S"])


# --- weigh tickets ------------------------------------------------------------------------------------


def _tickets(
    world: World, p: DefectParameters, tickets: pl.DataFrame, chunk: int
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """At most one defect a ticket."""
    rng = stream(world.seed, "ticket defects", chunk)
    n, made = tickets.height, []
    fate = rng.random(n)
    edges = np.cumsum([p.duplicate_ticket, p.impossible_speed, p.round_numbers, p.clock_error, p.ocr_typo])
    kind = np.searchsorted(edges, fate, side="right")
    entered, key, lot = c("fecha_hora_entrada"), c("ticket"), c("lote")
    hours = rng.integers(3, 12, n) * np.where(rng.random(n) < 0.5, -1, 1)
    km_per_h = rng.uniform(90, 160, n)
    frame = tickets.with_columns(
        pl.Series("defect", kind),
        pl.Series("shift_min", hours * 60),
        pl.Series("km_per_h", km_per_h),
        (c("fecha_hora_salida") - entered).alias("stay"),
    )
    # too fast: on paper the truck is there sooner than any truck can be
    fast = (c("defect") == 1) & c("departs").is_not_null()
    soon = c("departed_at") + pl.duration(minutes=(c("distance_km") / c("km_per_h") * 60).cast(pl.Int64))
    late = c("defect") == 3
    shifted = entered + pl.duration(minutes="shift_min")
    rounded = c("defect") == 2
    tonnes = (c("net_g") / 1e6).round().clip(lower_bound=1) * 1000
    has_right, has_plate = c("derecho_minero").is_not_null(), c("placa").is_not_null()
    wrong_right = (c("defect") == 4) & has_right & (~has_plate | (c("shift_min") > 0))
    wrong_plate = (c("defect") == 4) & has_plate & ~wrong_right
    written = frame.with_columns(
        pl.when(fast).then(soon).when(late).then(shifted).otherwise(entered).alias("fecha_hora_entrada"),
        pl.when(rounded).then(tonnes.cast(pl.Decimal(20, 1))).otherwise("neto_kg").alias("neto_kg"),
        pl.when(rounded).then(tonnes.cast(pl.Decimal(20, 1)) + c("tara_kg")).otherwise("bruto_kg").alias("bruto_kg"),
        pl.when(wrong_right).then(misread(c("derecho_minero"))).otherwise("derecho_minero").alias("derecho_minero"),
        pl.when(wrong_plate).then(c("placa") + Directory(world).misread_from).otherwise("placa").alias("placa"),
    )
    written = written.with_columns((c("fecha_hora_entrada") + c("stay")).alias("fecha_hora_salida"))
    both = frame.with_columns(written.select(pl.all().name.prefix("new_")).get_columns())
    for code, chosen, column in (
        ("IMPOSSIBLE_SPEED", fast, "fecha_hora_entrada"),
        ("ROUND_NUMBERS", rounded, "neto_kg"),
        ("CLOCK_ERROR", late, "fecha_hora_entrada"),
        ("OCR_TYPO", wrong_right, "derecho_minero"),
        ("OCR_TYPO", wrong_plate, "placa"),
    ):
        told = both.filter(chosen & (c(column) != c(f"new_{column}")))
        made.append(label(told, code, TICKETS, key, lot, c(column), c(f"new_{column}")))
    again = written.filter(c("defect") == 0).with_columns(
        pl.format("{}D", key).alias("ticket"),
        entered + pl.duration(minutes=7),
        c("fecha_hora_salida") + pl.duration(minutes=7),
    )
    made.append(label(again, "DUPLICATE_TICKET", TICKETS, key, lot, key.str.strip_suffix("D"), key))
    written = pl.concat([written, again]).with_columns(
        c("fecha_hora_entrada").cast(pl.Date).dt.truncate("1mo").alias("month")
    )
    return written, made


# --- documents ----------------------------------------------------------------------------------------


def misread_names(world: World, documents: pl.DataFrame, chunk: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Counterparties' names that a scanner misread, in a few vouchers; (documents, labels)."""
    p = world.parameters.defects.times(world.plan.defects)
    drawn = stream(world.seed, "name defects", chunk).random(documents.height) < p.ocr_typo / 4
    name = c("counterparty_name")
    wrong = name.str.replace_many(["O", "I", "B", "S"], ["0", "1", "8", "5"])
    chosen = pl.lit(pl.Series(drawn)) & (name != wrong)
    key = pl.concat_str("issuer_id", "type_code", "series", c("number").cast(pl.String), separator="-")
    told = label(documents.filter(chosen), "OCR_TYPO", "sunat_documents__documents", key, pl.lit(None), name, wrong)
    return documents.with_columns(pl.when(chosen).then(wrong).otherwise(name).alias("counterparty_name")), told


# --- declarations -------------------------------------------------------------------------------------


def over_capacity(world: World, events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Half-yearly declarations of more ore than the stratum may mine; (events, labels)."""
    p = world.parameters.defects.times(world.plan.defects)
    rng = stream(world.seed, "declaration defects")
    of = world.people.registrations["operator_id"].gather(events["registration_id"])
    per_day = (
        world.people.operators["stratum_code"].gather(of).replace_strict(p.capacity_t_per_day, return_dtype=pl.Float64)
    )
    chosen = pl.Series(rng.random(events.height) < p.over_capacity) & (events["step_code"] == "DECLARACION_SEMESTRAL")
    written = (per_day * 183 * pl.Series(rng.uniform(1.1, 2.0, events.height))).round(0)
    marked = events.with_columns(written.alias("written"), chosen.alias("chosen"))
    told = marked.filter("chosen")
    labels = label(
        told, "OVER_CAPACITY", "partner_step_events__events", c("event_id"), pl.lit(None), c("declared_t"), c("written")
    )
    declared = pl.when("chosen").then(c("written")).otherwise("declared_t").cast(events.schema["declared_t"])
    return marked.with_columns(declared.alias("declared_t")).drop("written", "chosen"), labels


# --- plants -------------------------------------------------------------------------------------------


def _campaigns(
    world: World, p: DefectParameters, lines: pl.DataFrame, chunk: int
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Some campaigns report more copper in their product than the ore can have given."""
    rng = stream(world.seed, "campaign defects", chunk)
    plants = lines.filter(c("modalidad") != "MEZCLA").select("ruc_planta", "campana").unique(maintain_order=True)
    chosen = plants.filter(pl.Series(rng.random(plants.height) < p.mass_balance_break))
    chosen = chosen.with_columns(pl.Series("factor", rng.uniform(1.12, 1.30, chosen.height)))
    marked = lines.join(chosen, on=["ruc_planta", "campana"], how="left", maintain_order="left")
    is_broken = c("factor").is_not_null() & (c("tipo_linea") == "PRODUCTO")
    more = (c("copper_g") * c("factor") / 1000).round(3).cast(pl.Decimal(20, 3))
    written = marked.with_columns(
        pl.when(is_broken).then(more).otherwise("fino_kg").alias("fino_kg"),
        pl.when(is_broken)
        .then((c("copper_g") * c("factor") / c("dry_g") * 100).round(4))
        .otherwise("cu_pct")
        .alias("cu_pct"),
    )
    told = marked.filter(is_broken).with_columns(more.alias("more"))
    key = pl.format("{}/{}", c("campana"), c("linea"))
    return written.drop("factor"), [
        label(told, "MASS_BALANCE_BREAK", CAMPAIGNS, key, c("lote"), c("fino_kg"), c("more"))
    ]


# --- deeds --------------------------------------------------------------------------------------------


def _deeds(world: World, papers: Documents) -> list[pl.DataFrame]:
    """Loads sold openly on an excluded registration, and loads on a registration that somebody lent."""
    ore = papers.ore.with_columns(
        _code(world, papers.ore["registration_id"]).alias("own"), _code(world, papers.ore["used_registration_id"]).alias("used")
    )  # fmt: skip
    own = c("used_registration_id") == c("registration_id")
    table, key = "partner_settlements__settlements", pl.format("LQ{}", "load_id")
    return [
        label(ore.filter(own & (c("status") == "EXCLUIDO")), "SALE_AFTER_EXCLUSION", table, key, c("load_id"), c("own"), c("used")),
        label(ore.filter(~own), "LENT_REGISTRATION", table, key, c("load_id"), c("own"), c("used")),
    ]  # fmt: skip


def _code(world: World, registrations: pl.Series) -> pl.Series:
    return world.people.registrations["reinfo_id"].gather(registrations.cast(pl.Int64))


def _biased(world: World, p: DefectParameters, assays: pl.DataFrame) -> pl.DataFrame:
    """Certificates of plants whose laboratory reads low."""
    first = world.first_firm + world.firms.first["plant"]
    low = first + np.flatnonzero(biased_plants(world))
    told = assays.filter((c("solicitado_por") == "COMPRADOR") & c("ruc_laboratorio").is_in(low))
    return label(
        told, "ASSAY_BIAS", ASSAYS, c("certificado"), c("lote"), pl.lit(None), pl.lit(f"{-p.assay_bias_frac:.3f}")
    )
