"""From documents to transfers: against the simulated truth, to the cent, and how good the matching is."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
import yaml

from pipelines import contracts, vault
from pipelines.identity import Keyer, canonical
from pipelines.settings import DBT_DIR
from pipelines.simulator.plan import load, make_plan
from pipelines.simulator.sector import simulate
from pipelines.sources import Context, get_source

#: The secret under which the simulator keys the tables that it writes itself.
KEYER = Keyer(b"simulated sector")
STAGING = (
    "stg_bcrp_series__observations", "stg_worldbank_pinksheet__prices", "stg_sunat_documents__documents",
    "stg_sunat_documents__lines", "stg_sunat_documents__receipts", "stg_partner_weigh_tickets__tickets", "stg_partner_assays__certificates",
    "stg_partner_settlements__settlements", "stg_partner_campaigns__lines", "stg_partner_exports__lines",
    "stg_partner_contracts__contracts",
)  # fmt: skip
#: In the order in which they are built.
INTERMEDIATE = (
    "int_fx__monthly", "int_price__daily", "int_document__texts", "int_lot__code_forms", "int_document__read",
    "int_document__references", "int_party__roles", "int_document__classified", "int_haul__documents", "int_haul__lots",
    "int_ticket__hauls", "int_lot__codes", "int_lot__batch_lines", "int_lot__arrivals", "int_campaign__milled",
    "int_settlement__sheets_held", "int_settlement__sales", "int_document__keyed", "int_transfer__resales",
    "int_export__lines", "int_export__lots", "int_transfer__implied_goods", "int_contract__fees",
    "int_transfer__implied_services", "int_transfer__implied", "int_document__candidates", "int_document__matched",
    "int_transfer__vouchers",
    "int_transfer__observed", "int_transfer__expected",
)  # fmt: skip
SEEDS = ("document_patterns", "lot_code_patterns", "match_rules", "ref_price_rule", "ref_receipt_outcome")
#: What is told of a payment, but for its papers.
TOLD = (
    "kind_code", "lot_key", "payee_key", "payer_key", "value_usd", "value_pen", "is_provisional", "difference_usd",
    "voucher_count",
)  # fmt: skip
#: Transfers are told apart by what is paid, for which lot, to whom and by whom.
SIDES = ["kind", "lot_id", "payee", "payer"]

c = pl.col
Ask = Callable[[str], pl.DataFrame]


def _frame(connection: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    frame = pl.from_arrow(connection.execute(query).to_arrow_table())
    assert isinstance(frame, pl.DataFrame)
    return frame


def _paid(truth: Ask, keyer: Keyer) -> pl.DataFrame:
    """The truth's transfers with parties as keys, dollars, and what of their papers is in the files.

    Columns: SIDES, day, usd, dry_g, copper_g, is_in_files, is_vouched (a voucher is in the files), first_day.
    """
    agents = truth("agents")
    keys = agents.select(
        "agent_id", pl.Series("key", [keyer.digest(*canonical("RUC", ruc)) for ruc in agents["identity"]])
    )
    vouchers = (
        truth("documents")
        .filter("is_in_files")
        .with_columns(c("kind").str.strip_suffix("_FINAL"))
        .group_by("kind", "lot_id")
        .agg(c("day").min().alias("first_day"), c("issuer").first().alias("issuer_id"))
    )
    paid = truth("transfers").join(vouchers, on=["kind", "lot_id"], how="left")
    for side in ("payee", "payer", "issuer"):
        paid = paid.join(keys.rename({"agent_id": f"{side}_id", "key": side}), on=f"{side}_id", how="left")
    return paid.with_columns(
        (c("usd_cents").cast(pl.Decimal(18, 2)) / 100).cast(pl.Decimal(18, 2)).alias("usd"),
        c("first_day").is_not_null().alias("is_vouched"),
    )


def _transfers(ask: Ask, table: str) -> pl.DataFrame:
    return ask(
        "SELECT * RENAME (kind_code AS kind, lot_key AS lot_id, payee_key AS payee, payer_key AS payer) "
        f"FROM {table} WHERE is_synthetic"
    )


# --- a whole house of the sample and the tiny sector --------------------------------------------------


@pytest.fixture(scope="module")
def ask(house: Path) -> Iterator[Ask]:
    with duckdb.connect(str(house / "warehouse" / "antawasi.duckdb"), read_only=True) as connection:
        yield lambda query: _frame(connection, query)


@pytest.fixture(scope="module")
def truth(house: Path) -> Ask:
    (folder,) = (house / "simulated").glob("tiny-*/truth")
    return lambda name: pl.read_parquet(folder / name / "*.parquet")


@pytest.fixture(scope="module")
def keyer(house: Path) -> Keyer:
    return vault.open_keyer(house / "vault", house / "lake")


@pytest.fixture(scope="module")
def paid(truth: Ask, keyer: Keyer) -> pl.DataFrame:
    return _paid(truth, keyer)


@pytest.fixture(scope="module")
def transfers(ask: Ask) -> pl.DataFrame:
    return _transfers(ask, "marts.fct_transfer").filter(c("value_basis_code") == "observed")


@pytest.fixture(scope="module")
def unmatched(ask: Ask, truth: Ask, keyer: Keyer) -> pl.DataFrame:
    """Documents that evidence nothing, with the lot and kind that they truly are about."""
    documents = truth("documents").filter("is_in_files")
    named = documents.with_columns(
        pl.Series("document_key", [keyer.digest("DOCUMENT", d) for d in documents["document"]])
    )
    return ask("SELECT * FROM marts.mart_unmatched_document WHERE is_synthetic").join(
        named, on="document_key", how="left"
    )


def _is_same(other: pl.DataFrame, how: str) -> dict:
    return {"other": other, "on": SIDES, "how": how, "nulls_equal": True, "suffix": "_told"}


def test_every_payment_on_paper_is_there_once_to_the_cent_between_the_right_parties(paid, transfers, unmatched):
    assert transfers.height == transfers.select(SIDES).unique().height
    due = paid.filter("is_in_files", "is_vouched")
    assert due.height > 1000
    missing = due.join(**_is_same(transfers, "anti"))
    # what is not there is listed as unmatched, and nothing else is
    sales = unmatched.filter(c("part_code") == "SALE")
    assert (
        missing.select("kind", "lot_id")
        .sort("kind", "lot_id")
        .equals(sales.select("kind", "lot_id").sort("kind", "lot_id"))
    )
    found = due.join(**_is_same(transfers, "inner"))
    assert found.height == due.height - missing.height
    assert (found["usd"] == found["value_usd"]).all()
    assert (found["day"] == found["transfer_date"]).all()
    assert not found["is_provisional"].any()


def test_what_is_unmatched_was_weighed_in_round_numbers(unmatched, truth):
    """A pit voucher that names no lot is found by its mass: not where the ticket was rounded to five tonnes."""
    rounded = truth("defects").filter(c("defect_code") == "ROUND_NUMBERS")["lot_id"]
    assert set(unmatched["kind"]) <= {"ORE_AT_PIT"}
    assert set(unmatched["lot_id"]) <= set(rounded)
    assert set(unmatched["why_code"]) <= {"NO_CANDIDATE", "TAKEN"}


def test_nothing_is_there_that_was_not_paid(paid, transfers, truth):
    """Beyond the payments in the files there are only sales of which a sheet or a first voucher is in them already."""
    due = paid.filter("is_in_files")
    beyond = transfers.join(**_is_same(due, "anti"))
    later = beyond.join(**_is_same(paid.filter(~c("is_in_files")), "inner"))
    assert later.height == beyond.height
    assert (later["value_evidence_code"] == "SHEET").all()
    assert set(later["kind"]) <= {"ORE_AT_PLANT", "CONCENTRATE", "EXPORT"}
    of_goods = later.filter("is_provisional")
    assert set(of_goods["kind"]) == {"CONCENTRATE", "EXPORT"}
    assert of_goods["is_vouched"].all()
    stages = {"CONCENTRATE": truth("product_sales"), "EXPORT": truth("export_sales")}
    for kind, sales in stages.items():
        told = of_goods.filter(c("kind") == kind).join(sales, on="lot_id")
        assert (
            (told["value_usd"].cast(pl.Float64) * 100)
            .round()
            .cast(pl.Int64)
            .equals(told["provisional_value_cents"], check_names=False)
        )
    rest = later.filter(~c("is_provisional"))
    assert set(rest["kind"]) <= {"ORE_AT_PLANT"}
    assert not rest["is_vouched"].any()
    assert (rest["usd"] == rest["value_usd"]).all()


def test_totals_by_kind_are_the_truths(paid, transfers, unmatched):
    def by_kind(frame: pl.DataFrame, value: str) -> dict:
        return dict(frame.group_by("kind").agg(c(value).sum()).iter_rows())

    due = by_kind(paid.filter("is_in_files", "is_vouched"), "usd")
    final = transfers.filter(~c("is_provisional"), c("voucher_count") > 0)
    told, left = by_kind(final, "value_usd"), by_kind(unmatched.filter(c("part_code") == "SALE"), "value_usd")
    assert {kind: told[kind] + left.get(kind, 0) for kind in due} == due


def test_who_invoices_is_whose_voucher_it_is(paid, transfers):
    """A purchase settlement is the collector's; a biller's invoice is not the seller's."""
    found = paid.filter("is_vouched").join(**_is_same(transfers, "inner"))
    assert (found["issuer"] == found["invoicing_party_key"]).all()
    billed = found.filter((c("kind") == "ORE_AT_PLANT") & (c("issuer") != c("payee")))
    assert billed.height > 20
    assert found.filter((c("kind") == "ORE_AT_PIT") & (c("issuer") == c("payer"))).height > 5


def test_roles_are_what_the_parties_are(transfers, truth, keyer):
    agents = truth("agents")
    roles = {
        keyer.digest(*canonical("RUC", ruc)): role.upper()
        for ruc, role in agents.select("identity", "role").iter_rows()
    }
    for side in ("payee", "payer"):
        told = transfers.filter(c(side).is_not_null()).select(side, f"{side}_role_code").unique()
        assert all(roles[key] == role for key, role in told.iter_rows())
    assert set(transfers.filter(c("payer").is_null())["payer_role_code"]) == {"ABROAD"}


def test_masses_are_the_lots_own(paid, transfers):
    """Sheets are weighed and assayed anew: dry mass within a hundredth, copper within a tenth, on average nearer."""
    goods = paid.filter(c("dry_g") > 0).join(**_is_same(transfers, "inner"))
    dry = goods.select(((c("mass_dmt").cast(pl.Float64) * 1e6 / c("dry_g")) - 1).abs()).to_series()
    copper = goods.select(((c("copper_g_told") / c("copper_g")) - 1).abs()).to_series()
    assert dry.null_count() == 0
    assert copper.null_count() == 0
    assert dry.max() < 0.01
    assert copper.mean() < 0.02
    services = transfers.join(goods.select("kind").unique(), on="kind", how="anti")
    assert services.select("mass_wmt", "mass_dmt", "copper_g").null_count().row(0) == (services.height,) * 3


def test_soles_are_the_vouchers_own_and_rates_stand_on_the_row(ask, transfers):
    told = transfers.filter(c("value_pen").is_not_null())
    assert told.height == transfers.height
    assert told["fx_series_code"].null_count() == 0
    apart = (told["value_pen"].cast(pl.Float64) / told["pen_per_usd"].cast(pl.Float64)).round(2)
    assert ((apart - told["value_usd"].cast(pl.Float64)).abs() < 0.011).all()
    vouchers = ask("SELECT sum(net_amount) FROM intermediate.int_transfer__vouchers WHERE kind_code = 'HAULAGE'").item()
    assert transfers.filter(c("kind") == "HAULAGE")["value_pen"].sum() == vouchers


def test_documents_of_other_trades_pass_through_and_are_counted(ask):
    told = ask("SELECT is_synthetic, kind_code, count(*) AS n FROM intermediate.int_document__classified GROUP BY ALL")
    in_use = ask("SELECT count(*) FROM staging.stg_sunat_documents__documents WHERE is_current").item()
    assert told["n"].sum() == in_use
    real = told.filter(~c("is_synthetic"))
    assert real["kind_code"].to_list() == ["OTHER"]
    assert real["n"].item() > 10
    assert told.filter("is_synthetic", c("kind_code") == "OTHER").height == 0


def test_what_papers_imply_and_no_voucher_shows_is_expected(ask, paid, transfers):
    """Sales at the pit without a voucher are expected from the collector's ticket; nothing is that never happened."""
    expected = _transfers(ask, "intermediate.int_transfer__expected")
    assert expected.join(paid, on=["kind", "lot_id"], how="anti").height == 0
    silent = paid.filter("is_in_files", ~c("is_vouched"))
    assert set(silent["kind"]) == {"ORE_AT_PIT"}
    told = silent.join(**_is_same(expected, "inner"))
    assert told.height == silent.height
    assert not told["is_observed"].any()
    assert told["mass_wmt"].null_count() == 0
    implied = paid.filter("is_in_files").join(expected, on=["kind", "lot_id"], how="semi")
    assert implied.height / paid.filter("is_in_files").height > 0.99
    observed = expected.filter("is_observed").join(transfers, on=["kind", "lot_id"], how="semi")
    assert observed.height == expected["is_observed"].sum()


# --- a larger sector, straight from the simulator's tables --------------------------------------------


@dataclasses.dataclass(frozen=True)
class Sector:
    """A simulated sector of which some plants number lots anew; `raw` fills a database with its raw tables."""

    folder: Path
    offices: dict[str, pl.DataFrame]

    def truth(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / "truth" / name / "*.parquet")

    def raw(self, connection: duckdb.DuckDBPyConnection, order: str = "") -> None:
        for name, contract in contracts.all_contracts().items():
            if contract.layer == "raw":
                parts = self.folder / "tables" / name
                if parts.exists():
                    connection.execute(
                        f"CREATE TABLE raw.{name} AS SELECT * FROM read_parquet('{parts}/*.parquet') {order}"
                    )
                else:
                    frame = self.offices.get(name, pl.DataFrame(schema=contract.schema()))
                    connection.register("given", frame.to_arrow())
                    connection.execute(f"CREATE TABLE raw.{name} AS SELECT * FROM given")
                    connection.unregister("given")

    def documents(self) -> pl.DataFrame:
        """The truth's documents in the files with their keys: tables hold them in the truth's order."""
        parts = []
        for path in sorted((self.folder / "truth" / "documents").glob("*.parquet")):
            told = pl.read_parquet(path).filter("is_in_files")
            keys = pl.read_parquet(self.folder / "tables" / "sunat_documents__documents" / path.name)
            assert keys["issue_date"].equals(told["day"], check_names=False)
            parts.append(told.with_columns(keys["document_key"]))
        return pl.concat(parts)


@pytest.fixture(scope="module")
def sector(tmp_path_factory: pytest.TempPathFactory) -> Sector:
    plan = dataclasses.replace(make_plan(load(), "2000", seed=2), xml=False)
    made = simulate(plan, tmp_path_factory.mktemp("sector") / "2000")
    constants = {
        "_landing_sha256": pl.lit("0" * 64), "_ingested_at": pl.lit(dt.datetime(2000, 1, 1)),
        "_source_as_of": pl.lit(dt.date(2000, 1, 1)), "_is_synthetic": pl.lit(True),
    }  # fmt: skip
    frames: dict[str, list[pl.DataFrame]] = {}
    for slug in ("bcrp_series", "partner_contracts"):
        source = get_source(slug)
        for path in sorted(p for p in (made.files / slug).rglob("*") if p.is_file() and p.suffix != ".yaml"):
            for batch in source.parse(path, Context(keyer=KEYER, filename=path.name)):
                for table, frame in batch.tables.items():
                    rows, rejected = contracts.check_rows(contracts.contract(table), frame, path.name)
                    assert rejected.height == 0
                    names = list(contracts.contract(table).schema())
                    given = {k: v for k, v in constants.items() if k in names}
                    frames.setdefault(table, []).append(rows.with_columns(**given).select(names))
    return Sector(made.folder, {table: pl.concat(parts) for table, parts in frames.items()})


def built(models: dict[str, str], sector: Sector, order: str = "", change: str = "") -> duckdb.DuckDBPyConnection:
    """All models in memory over the sector's raw tables, their rows in `order`, after the statement `change`."""
    connection = duckdb.connect(":memory:")
    for schema in ("raw", "staging", "intermediate", "reference"):
        connection.execute(f"CREATE SCHEMA {schema}")
    sector.raw(connection, order)
    if change:
        connection.execute(change)
    for seed in yaml.safe_load((DBT_DIR / "seeds" / "_seeds.yml").read_text(encoding="utf-8"))["seeds"]:
        if seed["name"] in SEEDS:
            path, types = DBT_DIR / "seeds" / f"{seed['name']}.csv", seed.get("config", {}).get("column_types")
            connection.execute(
                f"CREATE TABLE reference.{seed['name']} AS SELECT * FROM read_csv('{path}'{f', types={types}' if types else ''})"
            )
    for name in STAGING:
        connection.execute(f"CREATE VIEW staging.{name} AS {models[name]}")
    for name in INTERMEDIATE:
        connection.execute(f"CREATE TABLE intermediate.{name} AS {models[name]}")
    return connection


@pytest.fixture(scope="module")
def models(compiled) -> dict[str, str]:
    return compiled((*STAGING, *INTERMEDIATE))


@pytest.fixture(scope="module")
def chain(models, sector) -> duckdb.DuckDBPyConnection:
    return built(models, sector)


#: Least share of matched documents that are right, and of all documents that are matched rightly, by kind. By name or
#: key none may be wrong, so what is left is who is found by likeness. Laboratories and billers charge several lots of
#: one client on one day, and then nothing tells whose is whose (of 2,000 lots about four pairs); a pit voucher without
#: a lot whose ticket was rounded to five tonnes is not found (0.3 % of pit tickets).
FLOORS = {"LABORATORY": (0.985, 0.985), "BILLER_FEE": (0.99, 0.99), "ORE_AT_PIT": (1.0, 0.99)}


def _scored(connection: duckdb.DuckDBPyConnection, sector: Sector) -> pl.DataFrame:
    """By true kind: documents, how many were matched, and how many to their own lot and kind."""
    told = _frame(
        connection, "SELECT document_key, kind_code, lot_key, method_code FROM intermediate.int_document__matched"
    )
    codes = sector.truth("loads").select("plant_lot_id", c("load_id").alias("own_of"))
    joined = (
        sector.documents()
        .with_columns(c("kind").str.strip_suffix("_FINAL"))
        .join(told, on="document_key", how="left")
        # a code that nothing maps still is the lot's own
        .join(codes, left_on=c("lot_key").str.slice(33), right_on="plant_lot_id", how="left")
    )
    is_right = (c("kind") == c("kind_code")) & (
        (c("lot_id") == c("lot_key")) | (c("lot_id") == c("own_of")).fill_null(False)
    )
    return joined.group_by("kind").agg(
        pl.len().alias("n"), c("lot_key").count().alias("matched"), is_right.fill_null(False).sum().alias("right"),
        (is_right | c("method_code").is_in(["SCORED"]) | c("lot_key").is_null()).all().alias("keys_are_right"),
    )  # fmt: skip


def test_documents_find_their_lot(chain, sector):
    for kind, n, matched, right, keys_are_right in _scored(chain, sector).iter_rows():
        precision, recall = FLOORS.get(kind, (1.0, 1.0))
        assert keys_are_right, f"{kind}: a document with a name or a key is at another lot"
        assert right / matched >= precision, f"{kind}: {right} of {matched} matched documents are right"
        assert right / n >= recall, f"{kind}: {right} of {n} documents are matched rightly"


def test_tickets_find_their_waybills(chain, sector):
    told = _frame(
        chain,
        "SELECT links.method_code, tickets.lot_id, links.haul_key FROM intermediate.int_ticket__hauls AS links "
        "JOIN staging.stg_partner_weigh_tickets__tickets AS tickets USING (weighing_party_key, ticket_id)",
    )
    hauls = (
        sector.documents()
        .filter(c("kind") == "WAYBILL_SENDER")
        .select(c("document_key").alias("haul_key"), c("lot_id").alias("true_lot_id"))
    )
    codes = sector.truth("loads").select(c("load_id").alias("true_lot_id"), "plant_lot_id")
    joined = told.join(hauls, on="haul_key", how="left").join(codes, on="true_lot_id", how="left")
    right = (c("lot_id") == c("true_lot_id")) | (c("lot_id") == c("plant_lot_id")).fill_null(False)
    assert joined.filter(right.fill_null(False)).height == told.height
    assert set(told["method_code"]) == {"KEY", "NAMED", "SCORED"}
    weighed = _frame(
        chain, "SELECT count(*) FROM staging.stg_partner_weigh_tickets__tickets WHERE lot_id NOT LIKE 'M%'"
    ).item()
    assert told.height == weighed


def test_codes_of_plants_that_number_anew(chain, sector):
    """Every mapped code is right; what stays its own is named by no paper of its haul, sale or services."""
    loads = sector.truth("loads").filter(c("plant_lot_id") != c("load_id"))
    assert loads.height > 100
    codes = _frame(chain, "SELECT lot_id AS plant_lot_id, lot_key, method_code FROM intermediate.int_lot__codes")
    told = codes.join(loads.select("plant_lot_id", "load_id"), on="plant_lot_id")
    mapped = told.filter(c("method_code") != "OWN")
    assert (mapped["lot_key"] == mapped["load_id"]).all()
    assert set(mapped["method_code"]) == {"WAYBILL", "SCORED"}
    named = _frame(
        chain, "SELECT DISTINCT lot_key AS load_id FROM intermediate.int_document__classified WHERE lot_key IS NOT NULL"
    )
    assert told.filter(c("method_code") == "OWN").join(named, on="load_id", how="semi").height == 0


def test_every_payment_of_the_larger_sector(chain, sector):
    """All money is there or unmatched; parties and values are right but for lots that cannot be told apart."""
    paid = _paid(sector.truth, KEYER).filter("is_in_files", "is_vouched")
    observed = _transfers(lambda q: _frame(chain, q), "intermediate.int_transfer__observed")
    found = paid.join(**_is_same(observed, "inner"))
    assert found.height / paid.height > 0.995
    assert (found["usd"] == found["value_usd"]).mean() > 0.999
    beyond = observed.filter(~c("is_provisional"), c("voucher_count") > 0).join(**_is_same(paid, "anti"))
    swapped = beyond.filter(~c("lot_id").str.contains("-P"))  # a code that nothing maps is no other lot's
    assert set(swapped["kind"]) <= {"LABORATORY", "BILLER_FEE", "CONCESSION_FEE"}
    in_vouchers = _frame(
        chain,
        "SELECT sum(value_usd) FROM intermediate.int_document__classified WHERE part_code IN ('SALE', 'ADJUSTMENT')",
    ).item()
    lost = _frame(
        chain,
        "SELECT coalesce(sum(documents.value_usd), 0) FROM intermediate.int_document__matched AS matched "
        "JOIN intermediate.int_document__classified AS documents USING (document_key) "
        "WHERE matched.lot_key IS NULL AND matched.part_code <> 'WAYBILL'",
    ).item()
    assert observed["voucher_value_usd"].sum() + lost == in_vouchers


def test_the_order_of_rows_changes_nothing(models, sector, chain):
    query = "SELECT * FROM intermediate.int_transfer__observed ORDER BY transfer_key"
    again = built(models, sector, order="ORDER BY md5(CAST(_row_number AS VARCHAR))")
    assert _frame(again, query).equals(_frame(chain, query))


#: Other papers that say the same of what was paid.
SAYING_THE_SAME = {
    "another plant weighs every load on its way": """
        INSERT INTO raw.partner_weigh_tickets__tickets
        SELECT tickets.* REPLACE (
            CASE WHEN weighing_party_key = one_key THEN other_key ELSE one_key END AS weighing_party_key,
            'W' || ticket_id AS ticket_id, weighed_in_at - INTERVAL 1 DAY AS weighed_in_at,
            NULL AS sender_waybill_key, NULL AS carrier_waybill_key
        )
        FROM raw.partner_weigh_tickets__tickets AS tickets, (
            SELECT min(plant_key) AS one_key, max(plant_key) AS other_key
            FROM raw.partner_campaigns__lines WHERE contract_kind_code = 'COMPRA'
        ) AS plants
        WHERE lot_id LIKE 'L%'
    """,
    "plants weigh their concentrate when it leaves": """
        INSERT INTO raw.partner_weigh_tickets__tickets
        SELECT tickets.* REPLACE (
            supplier_key AS weighing_party_key, 'W' || ticket_id AS ticket_id,
            weighed_in_at - INTERVAL 1 DAY AS weighed_in_at
        )
        FROM raw.partner_weigh_tickets__tickets AS tickets
        WHERE lot_id LIKE 'K%'
    """,
    "credit notes name their voucher alone": """
        UPDATE raw.sunat_documents__lines SET item_description = 'AJUSTE'
        WHERE document_key IN (
            SELECT document_key FROM raw.sunat_documents__documents WHERE document_type_code = '07'
        )
    """,
    "invoices are refused and issued again": """
        INSERT INTO raw.sunat_documents__receipts BY NAME
        SELECT
            document_key, 'R' || document_id_sunat AS receipt_id_sunat, '2335' AS response_code,
            issue_date AS response_date, _landing_sha256, _source_as_of, _row_number, _is_synthetic
        FROM raw.sunat_documents__documents WHERE document_type_code = '01' AND document_id_sunat LIKE '%-1';
        INSERT INTO raw.sunat_documents__lines
        SELECT lines.* REPLACE (md5(document_key) AS document_key)
        FROM raw.sunat_documents__lines AS lines JOIN raw.sunat_documents__receipts USING (document_key);
        INSERT INTO raw.sunat_documents__documents
        SELECT documents.* REPLACE (md5(document_key) AS document_key)
        FROM raw.sunat_documents__documents AS documents JOIN raw.sunat_documents__receipts USING (document_key)
    """,
}


@pytest.mark.parametrize("change", SAYING_THE_SAME.values(), ids=SAYING_THE_SAME)
def test_other_papers_that_say_the_same_change_no_payment(models, sector, chain, change):
    query = (
        f"SELECT {', '.join(TOLD)} FROM intermediate.int_transfer__observed "
        "UNION ALL SELECT kind_code, lot_key, payee_key, payer_key, NULL, NULL, NULL, NULL, NULL "
        "FROM intermediate.int_transfer__expected WHERE NOT is_observed ORDER BY ALL"
    )
    other = built(models, sector, change=change)
    assert _frame(other, query).equals(_frame(chain, query))


def test_a_sheet_holds_where_its_voucher_is_not_there(models, sector):
    """Half of all vouchers are lost: settlement sheets, declarations and campaigns still tell what was paid."""
    lost = built(
        models,
        sector,
        change="DELETE FROM raw.sunat_documents__documents WHERE document_type_code IN ('01', '04', '07') "
        "AND md5(document_key) < '8'",
    )
    observed = _transfers(lambda q: _frame(lost, q), "intermediate.int_transfer__observed")
    with_sheets = ["ORE_AT_PLANT", "CONCENTRATE", "EXPORT", "MILLING"]
    own = _frame(lost, "SELECT lot_id AS plant_lot_id FROM intermediate.int_lot__codes WHERE method_code = 'OWN'")
    lots = sector.truth("loads").join(
        own, on="plant_lot_id", how="semi"
    )  # which travelled under a code that is lost too
    sold = _paid(sector.truth, KEYER).filter(
        "is_in_files", c("kind").is_in(with_sheets), ~c("lot_id").is_in(lots["load_id"].implode())
    )
    found = sold.join(**_is_same(observed, "inner"))
    assert found.height == sold.height
    assert (found["usd"] == found["value_usd"]).all()
    assert found.filter(c("value_evidence_code") == "SHEET").height > sold.height / 4
