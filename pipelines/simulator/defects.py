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
from pipelines.simulator.flow import DAY
from pipelines.simulator.money import biased_plants
from pipelines.simulator.parameters import DefectParameters
from pipelines.simulator.partner_rows import ASSAYS, CAMPAIGNS, SETTLEMENTS, TICKETS
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

#: Trips shorter than this are too short to tell a wrong clock or a wrong speed.
_FAR_KM = 40
#: How labels name the rows of each table.
_KEYS = {
    TICKETS: c("ticket"),
    ASSAYS: c("certificado"),
    SETTLEMENTS: c("liquidacion"),
    CAMPAIGNS: pl.format("{}/{}", c("campana"), c("linea")),
}


def inject(world: World, rows: dict[str, pl.DataFrame], chunk: int) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """(rows with defects, labels) of one chunk; rows and labels of what happens after the last simulated day are left out."""
    p = world.parameters.defects.times(world.plan.defects)
    tickets, ticket_labels = _tickets(world, p, rows[TICKETS], chunk)
    campaigns, campaign_labels = _campaigns(world, p, rows[CAMPAIGNS], chunk)
    settlements, settlement_labels = _settlements(world, p, rows[SETTLEMENTS], chunk)
    written = rows | {TICKETS: tickets, CAMPAIGNS: campaigns, SETTLEMENTS: settlements}
    written = {table: frame.filter(c("month") <= world.plan.months[-1]) for table, frame in written.items()}
    labels = [*ticket_labels, *campaign_labels, *settlement_labels, _biased(world, p, rows[ASSAYS])]
    for table, key in ((TICKETS, c("ticket")), (SETTLEMENTS, c("liquidacion"))):
        labels += _deeds(world, table, written[table].with_columns(key.alias("key"), c("lote").alias("lot_id")))
    known = [
        frame.select(pl.lit(table).alias("table_name"), _KEYS[table].cast(pl.String).alias("row_key"))
        for table, frame in written.items()
        if table in _KEYS
    ]
    told = pl.concat(labels).join(pl.concat(known), on=["table_name", "row_key"], how="semi", maintain_order="left")
    return written, told


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
    edges = np.cumsum(
        [p.duplicate_ticket, p.impossible_speed, p.round_numbers, p.clock_error, p.ocr_typo, p.reference_missing]
    )
    kind = np.searchsorted(edges, fate, side="right")
    entered, key, lot = c("fecha_hora_entrada"), c("ticket"), c("lote")
    early_min = rng.integers(60, 600, n)
    is_plate = rng.random(n) < 0.5
    km_per_h = rng.uniform(90, 160, n)
    frame = tickets.with_columns(
        pl.Series("defect", kind),
        pl.Series("early_min", early_min),
        pl.Series("is_plate", is_plate),
        pl.Series("km_per_h", km_per_h),
        (c("fecha_hora_salida") - entered).alias("stay"),
    )
    # too fast: on paper the truck is there sooner than any truck can be, also in a straight line
    far = c("straight_km").fill_null(0) > _FAR_KM
    fast = (c("defect") == 1) & far
    soon = c("departed_at") + pl.duration(minutes=(c("straight_km") / c("km_per_h") * 60).cast(pl.Int64))
    # a clock that is wrong where the waybill can show it: the truck is weighed before it has left
    late = (c("defect") == 3) & far
    shifted = c("departed_at") - pl.duration(minutes="early_min")
    rounded = c("defect") == 2
    tonnes = (c("net_g") / 5e6).round().clip(lower_bound=1) * 5000  # heaped on fives
    has_right, has_plate = c("derecho_minero").is_not_null(), c("placa").is_not_null()
    wrong_right = (c("defect") == 4) & has_right & (~has_plate | ~c("is_plate"))
    wrong_plate = (c("defect") == 4) & has_plate & ~wrong_right
    blank = (c("defect") == 5) & c("guia_remitente").is_not_null()
    written = frame.with_columns(
        *(pl.when(~blank).then(name).alias(name) for name in ("guia_remitente", "guia_transportista")),
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
        ("REFERENCE_MISSING", blank, "guia_remitente"),
    ):
        told = both.filter(chosen & c(column).ne_missing(c(f"new_{column}")))
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
    in_files = documents.filter(chosen & (c("month") <= world.plan.months[-1]))
    told = label(in_files, "OCR_TYPO", "sunat_documents__documents", key, pl.lit(None), name, wrong)
    return documents.with_columns(pl.when(chosen).then(wrong).otherwise(name).alias("counterparty_name")), told


# --- the registry's files -----------------------------------------------------------------------------


def misread_places(world: World, frame: pl.DataFrame, file: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Districts that a scanner misread in one registry file; (rows, labels)."""
    p = world.parameters.defects.times(world.plan.defects)
    drawn = pl.lit(pl.Series(stream(world.seed, f"places {file}").random(frame.height) < p.place_typo))
    name = c("district_name")
    wrong = name.str.replace_many(["O", "I", "S"], ["0", "1", "5"])
    chosen = drawn & (name != wrong)
    key = pl.format("{}/{}", pl.lit(file), "reinfo_id")
    told = label(frame.filter(chosen), "OCR_TYPO", "reinfo__registrations", key, pl.lit(None), name, wrong)
    return frame.with_columns(pl.when(chosen).then(wrong).otherwise(name).alias("district_name")), told


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


# --- settlement sheets --------------------------------------------------------------------------------


def _settlements(
    world: World, p: DefectParameters, sheets: pl.DataFrame, chunk: int
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Sheets that do not say their voucher; and deposits after the transport, which happened so."""
    drawn = pl.lit(pl.Series(stream(world.seed, "sheet defects", chunk).random(sheets.height) < p.reference_missing))
    blank = drawn & c("comprobante").is_not_null()
    key, lot = c("liquidacion"), c("lote")
    late = sheets.filter(c("is_late_deposit").fill_null(False))
    labels = [
        label(sheets.filter(blank), "REFERENCE_MISSING", SETTLEMENTS, key, lot, c("comprobante"), pl.lit(None)),
        label(late, "LATE_DEPOSIT", SETTLEMENTS, key, lot, c("departs") // DAY, c("deposit_day")),
    ]
    return sheets.with_columns(pl.when(~blank).then("comprobante").alias("comprobante")), labels


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


def _deeds(world: World, table: str, rows: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows that show a sale on an excluded registration, or one that somebody lent.

    Args:
        rows: own_registration_id and status (whose ore it is, on the day of the deed), codigo_reinfo (on the paper), key,
            lot_id.
    """
    seen = rows.filter(c("own_registration_id").is_not_null() & c("codigo_reinfo").is_not_null())
    seen = seen.with_columns(
        _code(world, seen["own_registration_id"]).alias("own"), _code(world, seen["codigo_reinfo"]).alias("used")
    )
    same = c("own_registration_id") == c("codigo_reinfo")
    return [
        label(seen.filter(who), code, table, c("key"), c("lot_id"), c("own"), c("used"))
        for code, who in (("SALE_AFTER_EXCLUSION", same & (c("status") == "EXCLUIDO")), ("LENT_REGISTRATION", ~same))
    ]


def document_deeds(world: World, frame: pl.DataFrame) -> pl.DataFrame:
    """Labels of the vouchers and waybills that show such a deed; `frame` has `document`, their spelling."""
    seen = frame.filter(c("day") <= (world.plan.end - world.epoch).days)
    seen = seen.with_columns(c("registration_id").alias("codigo_reinfo"), c("document").alias("key"))
    return pl.concat(_deeds(world, "sunat_documents__documents", seen))


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
