"""The whole road on the committed sample, as a person walks it: one house, built once, asked in many ways."""

import json
import re
import shutil
from decimal import Decimal

import duckdb
import polars as pl
import pytest

from pipelines import contracts, files, lake, landing, summary
from pipelines.settings import SAMPLE_DIR, Settings
from tests.conftest import antawasi


@pytest.fixture(scope="module")
def ask(house):
    connection = duckdb.connect(str(house / "warehouse" / "antawasi.duckdb"), read_only=True)
    yield lambda sql: connection.execute(sql).fetchall()
    connection.close()


@pytest.fixture(scope="module")
def latest(house):
    return house / "releases" / "latest"


def test_the_summary_tells_files_rows_checks_places_and_queries(house):
    text = (house / "run.out").read_text(encoding="utf-8")
    for slug in (
        "minem_production",
        "worldbank_pinksheet",
        "bcrp_series",
        "ubigeo",
        "reinfo",
        "sunat_documents",
        "sunat_ruc",
    ):
        assert slug in text
    assert re.search(r"Checks passed: \d+ expectations on \d+ lake files, (\d+) of \1 dbt tests", text)
    assert (
        text.count('antawasi query "') == 3
        and "antawasi.duckdb" in text
        and "index.html" in text
        and "report.html" in text
    )


def test_every_file_is_in_the_lake_and_every_row_accounted_for(house):
    receipts = lake.receipts(house / "lake")
    (sector,) = (house / "simulated").glob("tiny-*/files")
    dropped = [d for folder in (SAMPLE_DIR, sector) for d in landing.dropped(folder)]
    wanted = {(d.source.slug, files.sha256_file(d.path), d.path.is_relative_to(sector)) for d in dropped}
    assert {(r.source, r.sha256, r.is_synthetic) for r in receipts} == wanted and len(receipts) == len(wanted)
    assert {r.status for r in receipts} == {"accepted"}
    for r in receipts:
        first = contracts.tables_of(r.source)
        for table in first:
            out = r.out_of_scope if table.name == next(iter(r.rows_in)) else 0
            assert r.rows_in[table.name] == r.accepted[table.name] + r.rejected[table.name] + out, (
                r.filename,
                table.name,
            )


def test_anchors_of_small_producers_copper(ask):
    rows = ask(
        "SELECT year(month), round(sum(fine_copper_t), 1) FROM publish.pub_copper_production "
        "WHERE stratum_code = 'PPM' AND stage_code = 'CONCENTRACION' GROUP BY 1 ORDER BY 1"
    )
    assert rows == [
        (2021, Decimal("3269.5")),
        (2022, Decimal("5588.8")),
        (2023, Decimal("5843.9")),
        (2024, Decimal("5263.2")),
    ]


def test_anchors_of_the_general_regime_and_the_empty_artisanal_stratum(ask):
    rows = ask(
        "SELECT year(month), round(sum(fine_copper_t), 0) FROM publish.pub_copper_production "
        "WHERE stratum_code = 'RG' AND stage_code = 'CONCENTRACION' GROUP BY 1 ORDER BY 1"
    )
    assert [int(t) for _, t in rows] == [2322766, 2439682, 2749400, 2730974]
    assert ask("SELECT count(*) FROM publish.pub_copper_production WHERE stratum_code = 'PMA'") == [(0,)]


def test_published_totals_equal_an_independent_sum_of_the_source_files(ask):
    frames = [
        pl.read_csv(p, schema_overrides={"Valor": pl.String})
        for p in sorted((SAMPLE_DIR / "minem_production").glob("*.csv"))
    ]
    copper = pl.concat(frames, how="vertical").filter(pl.col("MINERAL") == "COBRE")
    expected = copper.select(pl.col("Valor").cast(pl.Decimal(38, 12)).sum()).item()
    ((total,),) = ask("SELECT sum(fine_copper_t) FROM publish.pub_copper_production")
    assert abs(total - expected) < Decimal("0.001")


def test_prices_in_both_units_and_vintages(ask):
    ((usd, cents, as_of),) = ask(
        "SELECT copper_usd_per_t, copper_usd_cents_per_lb, source_as_of FROM publish.pub_copper_price WHERE month = '2024-05-01'"
    )
    assert str(as_of) == "2025-12-02" and abs(float(cents) * 22.0462262185 - float(usd)) < 1e-4
    revised = ask(
        "SELECT count(*), count(*) FILTER (revision_usd_per_t <> 0) FROM marts.mart_copper_price_revision "
        "WHERE NOT is_current OR revision_usd_per_t IS NOT NULL"
    )
    assert revised[0][0] > 0
    assert ask("SELECT month FROM publish.pub_copper_price GROUP BY month, is_synthetic HAVING count(*) > 1") == []


def test_the_central_banks_copper_agrees_with_the_world_bank(ask):
    # January 2015 is only excerpted, so days are compared with the month's band, not averages with averages.
    ((low, high),) = ask(
        "SELECT min(value), max(value) FROM staging.stg_bcrp_series__observations "
        "WHERE series_code = 'PD04701XD' AND period_date BETWEEN '2015-01-01' AND '2015-01-31'"
    )
    ((cents,),) = ask("SELECT copper_usd_cents_per_lb FROM publish.pub_copper_price WHERE month = '2015-01-01'")
    assert low <= cents <= high


def test_no_identity_leaves_the_vault(house):
    identities = pl.concat([pl.read_parquet(p) for p in (house / "vault" / "identities").rglob("*.parquet")]).unique()
    secrets = set(
        identities.filter(pl.col("identity_kind").is_in(["RUC", "DNI", "PLATE", "LICENCE", "REINFO"]))["identity"]
    )
    persons = set(identities.filter(pl.col("identity_kind") == "DNI")["name"].drop_nulls())
    assert len(secrets) > 40 and persons
    hunted = sorted(s for s in secrets | persons if len(s) >= 6)
    texts = []
    for path in (house / "lake").rglob("*"):
        if path.is_file():
            texts.append(
                (
                    path,
                    pl.read_parquet(path).write_json()
                    if path.suffix == ".parquet"
                    else path.read_text(encoding="utf-8"),
                )
            )
    connection = duckdb.connect(str(house / "warehouse" / "antawasi.duckdb"), read_only=True)
    for schema, table in connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables"
    ).fetchall():
        rows = connection.execute(f'SELECT * FROM "{schema}"."{table}"').to_arrow_table()
        texts.append((f"{schema}.{table}", pl.from_arrow(rows).write_json()))
    connection.close()
    for path in (house / "releases" / "latest").rglob("*"):
        if path.suffix in (".csv", ".html", ".json", ".md", ".txt"):
            texts.append((path, path.read_text(encoding="utf-8-sig")))
    for where, text in texts:
        found = told(re.sub(r"[0-9a-f]{32,64}", "", text), hunted)
        assert found is None, f"{where} holds {found!r}"


def told(text: str, secrets: list[str]) -> str | None:
    """The first secret that stands in a text, and not inside a longer number or behind a decimal point.

    One pass for all secrets: a pattern of thousands of alternatives would try each of them at every character.
    """
    written = text.encode()
    hits = pl.DataFrame({"text": [text]}).select(
        secret=pl.col("text").str.extract_many(secrets, overlapping=True),
        at=pl.col("text").str.find_many(secrets, overlapping=True),
    )
    for secret, at in hits.explode("secret", "at").drop_nulls().iter_rows():
        before, after = written[max(at - 1, 0) : at], written[at + len(secret.encode()) :][:1]
        if not (before.isdigit() or before == b".") and not after.isdigit():
            return secret
    return None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": "20131312955"}', "20131312955"),
        ("doña JOSÉ QUISPE, y más", "JOSÉ QUISPE"),
        ("12013131295520131312955,20131312955", "20131312955"),
        ("120131312955 0.20131312955 201313129551", None),
        ("", None),
    ],
)
def test_the_hunt_for_identities_can_find(text, found):
    assert told(text, ["20131312955", "JOSÉ QUISPE"]) == found


def test_the_analysts_copy_holds_tables_only_and_opens_with_duckdb_1_2(house, ask):
    kinds = ask("SELECT DISTINCT table_type FROM information_schema.tables")
    assert kinds == [("BASE TABLE",)]
    head = (house / "warehouse" / "antawasi.duckdb").resolve().read_bytes()[:64]
    # Bytes 12 to 19 are the storage version: 64 is the format that DuckDB 1.0 to 1.2 wrote, 65 that of 1.2.0.
    assert head[8:12] == b"DUCK" and int.from_bytes(head[12:20], "little") <= 65


def test_place_names_are_matched(ask):
    rows = ask("SELECT count(*), count(*) FILTER (department_code IS NULL) FROM marts.fct_metal_production")
    assert rows[0][0] == 37452 and rows[0][1] == 0


def test_query_formats(house):
    sql = "SELECT department_code, sum(fine_copper_t) AS t FROM publish.pub_copper_production GROUP BY 1 ORDER BY 1"
    csv = antawasi("query", sql, "--format", "csv", home=house).stdout.splitlines()
    rows = json.loads(antawasi("query", sql, "--format", "json", home=house).stdout)
    assert (
        csv[0] == "department_code,t"
        and csv[1].startswith("02,")
        and rows[0]["department_code"] == "02"
        and len(rows) == len(csv) - 1
    )
    table = antawasi("query", sql, home=house).stdout
    assert "department_code" in table and "02" in table


@pytest.mark.parametrize(
    "sql",
    ["DROP TABLE publish.pub_copper_price", "SELECT * FROM read_csv('/etc/passwd')", "SELECT nothing FROM nowhere"],
)
def test_a_query_can_neither_write_nor_read_other_files_and_a_wrong_one_is_told(house, sql):
    done = antawasi("query", sql, home=house, check=False)
    assert done.returncode == 1 and "What to do" in done.stderr and "Traceback" not in done.stderr


def test_trace_walks_to_the_landing_file_and_row(house):
    text = antawasi("trace", "pub_copper_price", "month=2024-05-01", home=house).stdout
    assert "CMO-Historical-Data-Monthly_2025-12-02.xlsx" in text and "rows 780" in text and "10139.33" in text
    key = "month=2024-03-01,department_name=ICA,stratum_code=PPM,stage_code=CONCENTRACION"
    text = antawasi("trace", "pub_copper_production", key, home=house).stdout
    assert "PRODUCCION METALICA 2024.csv" in text and "made from" in text and "CC BY 4.0" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("trace", "pub_copper_price", "month=1066-01-01"), "No row of pub_copper_price"),
        (("trace", "pub_copper_price", "mes=1"), "has no column mes"),
        (("trace", "nothing", "a=1"), "no table 'nothing'"),
        (("trace", "pub_copper_price", "2024"), "column=value"),
        (("contracts", "show", "nothing"), "No contract"),
        (("ingest", "nothing"), "is not a source"),
        (("identity", "find", "20131312954"), "check digit"),
        (("identity", "reveal", "0" * 32), "No identity is known"),
    ],
)
def test_mistakes_are_told_and_end_with_1(house, arguments, told):
    done = antawasi(*arguments, home=house, check=False)
    assert done.returncode == 1 and told in done.stderr and "Traceback" not in done.stderr


def test_identity_goes_to_the_key_and_back_and_is_audited(house):
    line = antawasi("identity", "find", "20606433094", home=house).stdout
    key = line.split()[0]
    assert re.fullmatch("[0-9a-f]{32}", key) and "known to the house" in line
    assert "20606433094" in antawasi("identity", "reveal", key, home=house).stdout
    lines = [json.loads(x) for x in (house / "vault" / "audit.jsonl").read_text().splitlines()]
    assert {"find", "reveal"} <= {x["action"] for x in lines if x["party_key"] == key}
    assert "20606433094" not in (house / "vault" / "audit.jsonl").read_text()


def test_status_contracts_and_doctor(house):
    status = antawasi("status", home=house).stdout
    assert "stale" in status and "measured" in status and "2025-12-02" in status
    assert "fine_copper_t" in antawasi("contracts", "show", "pub_copper_production", home=house).stdout
    assert "no fault" not in antawasi("doctor", home=house).stdout


def test_the_report_names_sources_and_match_rates(house):
    text = (house / "reports" / "report.html").read_text(encoding="utf-8")
    assert "minem_production" in text and "Lugares reconocidos" in text


def test_the_report_says_that_data_are_simulated_only_when_they_are(house, settings):
    assert "SIMULADOS" in (house / "reports" / "report.html").read_text(encoding="utf-8")
    for receipt in lake.receipts(house / "lake"):
        if not receipt.is_synthetic:
            lake.write_receipt(settings.lake, receipt)
    text = summary.write_report(settings).read_text(encoding="utf-8")
    assert "minem_production" in text and "SIMULADOS" not in text


def test_the_site_and_package_of_the_release(latest):
    page = (latest / "invisible.html").read_text(encoding="utf-8")
    assert page.count('role="img" aria-label=') >= 3 and "3\u00a0269,5" in page and "<script src" not in page
    assert "3,269.5" in (latest / "en" / "invisible.html").read_text(encoding="utf-8")
    assert json.loads((latest / "datapackage.json").read_text())["version"] == latest.resolve().name.removeprefix("v")


def test_a_second_run_does_nothing_and_says_so(house, tmp_path):
    before = {
        p: p.stat().st_mtime_ns
        for zone in ("landing", "lake", "warehouse", "releases")
        for p in (house / zone).rglob("*")
    }
    done = antawasi("run", "--sample", home=house)
    assert "Nothing new" in done.stdout
    after = {
        p: p.stat().st_mtime_ns
        for zone in ("landing", "lake", "warehouse", "releases")
        for p in (house / zone).rglob("*")
    }
    assert before == after


def test_a_corrected_year_replaces_it_a_wrong_file_is_refused_and_the_rest_goes_on(small_house, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(small_house, home, symlinks=True)
    original = next((SAMPLE_DIR / "minem_production").glob("*2023.csv")).read_text(encoding="utf-8-sig")
    lines = original.splitlines()
    at = next(
        i
        for i, line in enumerate(lines)
        if ",COBRE," in line and ",PEQUEÑO PRODUCTOR MINERO," in line and ",0,0" not in line
    )
    fields = lines[at].split(",TMF,")
    lines[at] = f"{fields[0]},TMF,{float(fields[1].split(',')[0]) + 1000:.3f},0"
    corrected = tmp_path / "PRODUCCION METALICA 2023 corregida.csv"
    corrected.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    antawasi("ingest", "minem_production", "--file", str(corrected), "--as-of", "2024-06-30", home=home)

    inbox = home / "inbox" / "minem_production" / "2022"
    inbox.mkdir(parents=True)
    text = next((SAMPLE_DIR / "minem_production").glob("*2021.csv")).read_text(encoding="utf-8-sig")
    (inbox / "otro.csv").write_text(text + "\n", encoding="utf-8-sig")  # other bytes than the sample's
    done = antawasi("run", home=home, check=False)
    assert done.returncode == 3 and "the folder says 2022" in done.stdout and "Traceback" not in done.stderr
    assert "v2025.12.2" in done.stdout

    settings = Settings(home=home)
    with duckdb.connect(str(settings.analysts_db.resolve()), read_only=True) as connection:
        totals = dict(connection.execute(
            "SELECT year(month), sum(fine_copper_t) FROM publish.pub_copper_production "
            "WHERE stratum_code = 'PPM' AND stage_code = 'CONCENTRACION' GROUP BY 1").fetchall())  # fmt: skip
        kept = connection.execute(
            "SELECT is_current, count(*) FROM staging.stg_minem_production__quantities WHERE year(month) = 2023 GROUP BY 1 ORDER BY 1"
        ).fetchall()
        refused = connection.execute("SELECT filename FROM meta.landing_files WHERE status = 'refused'").fetchall()
    # Published 2023 is 5,843.9 t; the correction adds 1,000 t to one row, and every other year stays.
    assert totals[2023] == pytest.approx(Decimal("6843.858"), abs=Decimal("0.01")) and totals[2024] == pytest.approx(
        Decimal("5263.2"), abs=Decimal("0.1")
    )
    assert kept == [(False, 9444), (True, 9444)] and refused == [("otro.csv",)]
    changed = pl.read_csv(settings.releases / "latest" / "changes.csv", infer_schema=False)
    revised = changed.filter(pl.col("column") == "fine_copper_t")
    assert revised.height == 1 and Decimal(revised["after"][0]) - Decimal(revised["before"][0]) == 1000
    assert revised["reason"].to_list() == ["minem_production 2024-12-31 > 2024-12-31: 1 revised"]
    assert "`minem_production` (medido / measured): 2024-12-31 → 2024-12-31; 1 revisados" in (
        settings.releases / "latest" / "CHANGELOG.md"
    ).read_text(encoding="utf-8")
    assert (settings.releases / "v2025.12.1" / "index.html").exists()


def test_an_operators_history_is_readable(house, ask):
    ((party, registration),) = ask(
        "SELECT party_key, registration_key FROM marts.dim_registration WHERE change_type = 'vanished' AND is_synthetic "
        "AND registration_key IN (SELECT reinfo_key FROM staging.stg_partner_step_events__events "
        "WHERE step_code = 'INSCRIPCION_REINFO') ORDER BY 2 LIMIT 1"
    )
    for key in (party, registration):
        text = antawasi("operator", key, home=house).stdout
        assert registration in text and "SIMULATED" in text
        assert "AUSENTE" in text and "no longer listed" in text and "INSCRIPCION_REINFO" in text
    failed = antawasi("operator", "0" * 32, home=house, check=False)
    assert failed.returncode == 1 and "identity find" in failed.stderr
