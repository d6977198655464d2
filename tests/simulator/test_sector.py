"""A whole simulation on disk: the same bytes every time, marked as simulated everywhere, its defects really in the files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path

import polars as pl
import pytest
import yaml
from lxml import etree

from pipelines import contracts, landing
from pipelines.errors import AntawasiError
from pipelines.identity import Keyer
from pipelines.simulator import defects, partner_rows, picture
from pipelines.simulator.directory import Directory
from pipelines.simulator.documents import make_documents
from pipelines.simulator.flow import make_flow
from pipelines.simulator.money import make_money
from pipelines.simulator.papers import document_frames, document_tables
from pipelines.simulator.plan import PARAMETERS_FILE, Parameters, load, make_plan
from pipelines.simulator.sector import WATERMARK, simulate
from pipelines.simulator.ubl import write_zip
from pipelines.simulator.world import make_world
from pipelines.sources import Context, sunat_documents
from tests.conftest import antawasi

c = pl.col


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# --- the same bytes -----------------------------------------------------------------------------------


def test_processes_change_nothing_and_seeds_everything(tiny, plan, tmp_path):
    size = make_plan(load(), "tiny", seed=7)
    again = simulate(size, tmp_path / "again", workers=2)
    assert digests(again.folder) == digests(tiny.folder)
    assert again.counts == tiny.counts
    other = digests(simulate(dataclasses.replace(size, seed=8), tmp_path / "other").folder)
    same = {name for name, digest in digests(tiny.folder).items() if other.get(name) == digest}
    assert {Path(name).name for name in same} == {"LEEME.txt", "origin.yaml"}


def test_an_existing_simulation_is_kept_and_other_files_are_not_touched(tiny, tmp_path):
    before = digests(tiny.folder)
    again = simulate(make_plan(load(), "tiny", seed=7), tiny.folder)
    assert not again.is_new
    assert digests(tiny.folder) == before
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(AntawasiError, match="already holds other files"):
        simulate(make_plan(load(), "tiny", seed=7), tmp_path)
    with pytest.raises(AntawasiError, match="already holds other files"):
        simulate(make_plan(load(), "tiny", seed=8), tiny.folder)
    assert (tmp_path / "notes.txt").read_text() == "mine"


# --- marked as simulated ------------------------------------------------------------------------------


def test_every_file_is_handed_over_as_simulated(tiny):
    dropped = list(landing.dropped(tiny.files))
    assert len(dropped) > 150
    assert {d.source.slug for d in dropped} >= {"reinfo", "sunat_ruc", "sunat_documents", "bcrp_series"} | {
        f"partner_{name}" for name in ("weigh_tickets", "assays", "settlements", "campaigns", "exports", "step_events")
    }
    assert all(d.origin["is_synthetic"] is True for d in dropped)
    assert json.loads((tiny.folder / "simulation.json").read_text())["watermark"] == WATERMARK


def test_the_house_takes_every_file_and_keeps_the_mark(house):
    """`antawasi run --sample` takes the sector in beside the real sample."""
    receipts = [json.loads(p.read_text()) for p in (house / "lake" / "receipts").glob("*/*.json")]
    simulated = [r for r in receipts if r["is_synthetic"]]
    assert len(simulated) > 150
    for receipt in simulated:
        assert receipt["status"] == "accepted", receipt["message"]
        assert sum(receipt["rejected"].values()) == 0, receipt
    for table in (t for t in contracts.all_contracts().values() if t.source.startswith("partner_")):
        rows = pl.read_parquet(house / "lake" / "raw" / table.name / "*.parquet", columns=["_is_synthetic"])
        assert rows.height > 0, table.name
        assert rows["_is_synthetic"].all()


# --- defects ------------------------------------------------------------------------------------------


def rows_of(rate: float):
    world = make_world(make_plan(load(), "6000", seed=4, months="2025-01..2026-03", defects=rate), load())
    flow = make_flow(world, 1)
    money = make_money(world, flow, 1)
    papers = make_documents(world, money, 1)
    clean = partner_rows.partner_rows(world, flow, money, papers, 1)
    clean = {table: frame.filter(c("month") <= world.plan.months[-1]) for table, frame in clean.items()}
    return clean, *defects.inject(world, clean, 1)


def test_no_defects_at_rate_zero():
    clean, written, labels = rows_of(0)
    assert labels.height == 0
    for table, frame in clean.items():
        shown = [col for col in frame.columns if col != "month"]
        assert written[table].select(shown).equals(frame.select(shown)), table


def test_labels_say_what_is_in_the_files():
    clean, written, labels = rows_of(4)
    assert set(labels["defect_code"]) == {
        "DUPLICATE_TICKET", "IMPOSSIBLE_SPEED", "ROUND_NUMBERS", "CLOCK_ERROR", "OCR_TYPO", "MASS_BALANCE_BREAK", "LENT_REGISTRATION",
        "SALE_AFTER_EXCLUSION", "ASSAY_BIAS", "LATE_DEPOSIT", "REFERENCE_MISSING",
    }  # fmt: skip
    tickets, before = written[partner_rows.TICKETS], clean[partner_rows.TICKETS]
    of = {code: labels.filter(c("defect_code") == code) for code in labels["defect_code"].unique()}
    p = load().defects.times(4)
    assert tickets.filter(c("ticket").str.ends_with("D")).height == of["DUPLICATE_TICKET"].height
    assert of["DUPLICATE_TICKET"].height / tickets.height == pytest.approx(p.duplicate_ticket, rel=0.25)
    assert tickets["ticket"].n_unique() == tickets.height
    fast = tickets.filter(c("ticket").is_in(of["IMPOSSIBLE_SPEED"]["row_key"].implode()))
    hours = (fast["fecha_hora_entrada"] - fast["departed_at"]).dt.total_minutes() / 60
    assert fast.height > 20
    assert (fast["straight_km"] / hours).min() > 80
    wrong = tickets.filter(c("ticket").is_in(of["CLOCK_ERROR"]["row_key"].implode()))
    assert (wrong["fecha_hora_entrada"] < wrong["departed_at"]).all()
    round_ones = tickets.filter(c("ticket").is_in(of["ROUND_NUMBERS"]["row_key"].implode()))
    assert (round_ones["neto_kg"].cast(pl.Float64) % 5000 == 0).all()
    # weights still add up, and nothing but the labelled rows has changed
    assert (tickets["bruto_kg"] == tickets["tara_kg"] + tickets["neto_kg"]).all()
    marked = labels.filter(
        (c("table_name") == partner_rows.TICKETS)
        & ~c("defect_code").is_in(["LENT_REGISTRATION", "SALE_AFTER_EXCLUSION"])
    )
    columns = ["ticket", "fecha_hora_entrada", "neto_kg", "placa", "derecho_minero", "guia_remitente"]
    sound = tickets.join(marked, left_on="ticket", right_on="row_key", how="anti").select(columns)
    assert sound.height > 0.5 * tickets.height
    assert sound.equals(
        before.join(sound.select("ticket"), on="ticket", how="semi", maintain_order="left").select(columns)
    )
    lines = written[partner_rows.CAMPAIGNS].group_by("campana", "ruc_planta").agg(
        c("fino_kg").filter(c("tipo_linea") == "ALIMENTACION").sum().alias("fed"),
        c("fino_kg").filter(c("tipo_linea") != "ALIMENTACION").sum().alias("out"),
    )  # fmt: skip
    broken = set(lines.filter((c("out") - c("fed")).abs() > 0.001)["campana"])
    assert broken == {key.split("/")[0] for key in of["MASS_BALANCE_BREAK"]["row_key"]}


def test_every_label_names_a_row_of_the_files(tiny, truth):
    """A detector that is scored against labels must be able to find every one of them."""
    labels = pl.concat([truth("defects"), truth("office_defects")])
    assert labels["table_name"].n_unique() >= 5
    for table, key in (
        (partner_rows.TICKETS, "ticket"), (partner_rows.ASSAYS, "certificado"), (partner_rows.SETTLEMENTS, "liquidacion"),
    ):  # fmt: skip
        slug = contracts.contract(table).source
        files = [pl.read_csv(p, infer_schema=False) for p in sorted((tiny.files / slug).rglob("*.csv"))]
        there = set(pl.concat(files)[key])
        assert set(labels.filter(c("table_name") == table)["row_key"]) <= there, table
    names = {
        name.removesuffix(".xml")
        for path in (tiny.files / "sunat_documents").rglob("*.zip")
        for name in zipfile.ZipFile(path).namelist()
    }
    assert set(labels.filter(c("table_name") == "sunat_documents__documents")["row_key"]) <= names
    documents = truth("documents")
    assert set(documents.filter("is_in_files")["document"]) == names


def test_declarations_over_capacity_are_labelled():
    world = make_world(make_plan(load(), "small", seed=3, defects=1), load())
    events, labels = defects.over_capacity(world, world.registry.events)
    declared = events.filter(c("step_code") == "DECLARACION_SEMESTRAL")
    assert labels.height / declared.height == pytest.approx(load().defects.over_capacity, rel=0.15)
    people = world.people.registrations.join(
        world.people.operators.select("operator_id", "stratum_code"), on="operator_id"
    )
    cap = declared.join(people.select("registration_id", "stratum_code"), on="registration_id").with_columns(
        (c("stratum_code").replace_strict(load().defects.capacity_t_per_day, return_dtype=pl.Float64) * 184).alias("cap_t")
    )  # fmt: skip
    over = cap.filter(c("declared_t") > c("cap_t"))
    assert set(over["event_id"].cast(pl.String)) == set(labels["row_key"])


# --- pictures and parameters --------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_picture_carries_the_mark_and_all_the_money(tiny, language):
    root = etree.parse(tiny.folder / f"flow_{language}.svg").getroot()
    text = " ".join(root.itertext())
    assert ("DATOS SIMULADOS" if language == "es" else "SIMULATED DATA") in text
    assert root.get("role") == "img"
    margins = picture.margins_of_fob(tiny.folder / "truth")
    assert margins["of_fob_pct"].sum() == pytest.approx(100)


def test_copper_of_the_picture_is_that_of_the_truth(tiny, truth):
    flows = picture.copper_flows(tiny.folder / "truth")
    mined = truth("pit_lots")["copper_g"].sum() / 1e6
    for column in (0, 1, 2):
        assert flows.filter(c("column") == column)["copper_t"].sum() == pytest.approx(mined)
    assert flows.filter(c("column") == 3)["copper_t"].sum() == pytest.approx(truth("products")["copper_g"].sum() / 1e6)


def test_parameters_that_make_no_sense_are_named(tmp_path):
    text = PARAMETERS_FILE.read_text(encoding="utf-8")
    bad = tmp_path / "parameters.yaml"
    bad.write_text(text.replace("quotational_periods: {M: 0.30", "quotational_periods: {M: 0.60"), encoding="utf-8")
    with pytest.raises(AntawasiError, match=r"quotational_periods sums to 1\.3, expected 1"):
        load.__wrapped__(bad)
    raw = yaml.safe_load(text)
    raw["trade"]["surprise"] = 1
    with pytest.raises(ValueError, match="surprise"):
        Parameters.model_validate(raw)


@pytest.mark.parametrize(
    ("scale", "months", "rate", "told"),
    [("huge", None, 1.0, "no size"), ("tiny", "2025-01", 1.0, "no months"), ("tiny", "2026-01..2025-01", 1.0, "must begin"),
     ("tiny", None, -1.0, "no meaning")],
)  # fmt: skip
def test_a_plan_that_cannot_be_is_refused(scale, months, rate, told):
    with pytest.raises(AntawasiError, match=told):
        make_plan(load(), scale, 1, months, rate)


# --- tables instead of files --------------------------------------------------------------------------


def test_large_sizes_write_tables_as_the_lake_has_them(tmp_path):
    plan = dataclasses.replace(make_plan(load(), "tiny", seed=5), xml=False)
    done = simulate(plan, tmp_path / "tables")
    for table in (*partner_rows.TABLES, "sunat_documents__documents", "sunat_documents__lines"):
        frame = pl.read_parquet(done.folder / "tables" / table / "*.parquet")
        assert frame.schema == contracts.contract(table).schema(), table
        assert frame["_is_synthetic"].all()
        accepted, rejected = contracts.check_rows(
            contracts.contract(table), frame.drop("_row_number").with_row_index("_row_number")
        )
        assert rejected.height == 0, (table, rejected.head(2).to_dicts())
        assert accepted.height == frame.height
    assert not (done.folder / "files" / "sunat_documents").exists()


def test_the_command_simulates(tmp_path):
    done = antawasi(
        "simulate",
        "--seed",
        "7",
        "--months",
        "2025-06..2025-08",
        "--out",
        str(tmp_path / "out"),
        home=tmp_path / "home",
    )
    assert "Simulated" in done.stdout
    assert (tmp_path / "out" / "files" / "sunat_documents" / "2025-07" / "cpe_2025-07.zip").exists()
    failed = antawasi("simulate", "--scale", "huge", "--out", str(tmp_path / "no"), home=tmp_path / "home", check=False)
    assert failed.returncode == 1
    assert "What to do" in failed.stderr
    assert not (tmp_path / "no").exists()


def test_documents_name_waybills_that_exist(tiny):
    """Every reference between simulated documents leads somewhere."""
    batches = [
        batch.tables[sunat_documents.DOCUMENTS]
        for path in sorted((tiny.files / "sunat_documents").rglob("*.zip"))
        for batch in sunat_documents.parse(path, Context(keyer=Keyer(b"k" * 32), filename=path.name))
    ]
    documents = pl.concat(batches)
    assert documents["_problem"].null_count() == documents.height
    carried = documents.filter(c("document_type_code") == "31")
    related = carried.select(
        c("related_documents").str.json_path_match("$[0].id").alias("document_id_sunat"), "sender_key"
    )
    sent = documents.filter(c("document_type_code") == "09").select(
        "document_id_sunat", c("issuer_key").alias("sender_key")
    )
    assert carried.height > 200
    assert related.join(sent, on=["document_id_sunat", "sender_key"], how="anti").height == 0


def test_document_tables_are_what_the_documents_would_become(tmp_path):
    """Rows made directly as the lake's equal those of the XML, parsed: keys, amounts, references, codes."""
    world = make_world(make_plan(load(), "tiny", seed=11), load())
    flow = make_flow(world, 1)
    papers = make_documents(world, make_money(world, flow, 1), 1)
    keyer = Keyer(b"simulated sector")
    book = Directory(world, keyer)
    spelled = papers.frame.with_columns(book.documents(papers.frame).alias("document"))
    made = document_tables(world, spelled, 1, book)
    documents, lines = document_frames(world, papers.frame.filter(c("day") <= (world.plan.end - world.epoch).days), 1)
    write_zip(tmp_path / "cpe.zip", documents.drop("month"), lines.drop("month"), world.seed)
    (batch,) = sunat_documents.parse(tmp_path / "cpe.zip", Context(keyer=keyer, filename="cpe.zip"))
    for table, key, left_out in (
        (
            "sunat_documents__documents",
            ["document_key"],
            {"member_name", "note", "driver_key", "licence_key", "detraction_account_key"},
        ),
        ("sunat_documents__lines", ["document_key", "line_ordinal"], {"item_description", "item_properties"}),
    ):
        parsed, rejected = contracts.check_rows(contracts.contract(table), batch.tables[table])
        assert rejected.height == 0
        schema = contracts.contract(table).schema(lineage=False)
        direct = made[table].cast(dict(schema)).sort(key)
        parsed = parsed.select(schema.names()).sort(key)
        assert direct.height == parsed.height > 400
        differing = [n for n in schema.names() if n not in left_out and not direct[n].equals(parsed[n])]
        assert differing == [], [(n, direct[n].head(3), parsed[n].head(3)) for n in differing]
