"""What bounds are worth when papers are missing: withhold some of a simulated sector, rebuild the chain, look at the truth.

Papers are withheld at random but for a seed: electronic documents alone, or every paper (documents, weigh tickets, assay
certificates, settlement sheets, campaign and mixing sheets, versions of export declarations, contracts). The models of the
chain are then built anew in a copy of the warehouse, and every published margin and FOB is compared with what the
simulator knows was paid, shared over the same lots as with all papers. `python -m benchmarks.withheld_papers` simulates
size `small`, takes it in and prints a table; the house that it needs stays in `--home` for the next time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import duckdb
import polars as pl

from pipelines.settings import DBT_DIR, PROJECT_ROOT, SAMPLE_DIR, get_settings

DOCUMENTS = {"stg_sunat_documents__documents": ("document_key",), "stg_sunat_documents__lines": ("document_key",)}
#: Staging table → columns that make one paper of its rows.
PAPERS = DOCUMENTS | {
    "stg_partner_weigh_tickets__tickets": ("weighing_party_key", "ticket_id"),
    "stg_partner_assays__certificates": ("laboratory_key", "certificate_id"),
    "stg_partner_settlements__settlements": ("buyer_key", "settlement_id"),
    "stg_partner_campaigns__lines": ("plant_key", "campaign_id"),
    "stg_partner_exports__lines": ("declaration_id", "version_code"),
    "stg_partner_contracts__contracts": ("contract_id",),
}
MARGINS, BRIDGE = "fct_lot_link_margin", "fct_lot_value_bridge"
WANTED = (MARGINS, BRIDGE, "mart_value_chain_margin", "mart_lot_completeness")
#: Roles of the truth's agents that own goods; the payee of a service has the role of the service.
_SERVICE_ROLES = {
    "HAULAGE": "HAULIER", "BILLER_FEE": "BILLER", "LABORATORY": "LABORATORY", "CONCESSION_FEE": "CONCESSION_HOLDER",
    "MILLING": "PLANT",
}  # fmt: skip

c = pl.col


# --- the chain without some of its papers --------------------------------------------------------------


class Chain:
    """The models between partners' papers and the margins, built anew by dbt in a copy of a house's warehouse."""

    def __init__(self, folder: Path, analysts_db: Path, wanted: Iterable[str] = WANTED):
        """`folder` takes the copy, one at a time, and what dbt writes; `wanted` are the marts that are built anew."""
        self._folder, self._analysts_db, self._wanted = folder, analysts_db, tuple(wanted)

    def without(self, papers: Mapping[str, Iterable[str]], share: float, seed: int) -> duckdb.DuckDBPyConnection:
        """The warehouse as it would be if `share` of the papers had never come in.

        Raises:
            RuntimeError: dbt failed; with what it printed.
        """
        return self.changed(lambda connection: withhold(connection, papers, share, seed))

    def changed(self, change: Callable[[duckdb.DuckDBPyConnection], object]) -> duckdb.DuckDBPyConnection:
        """The warehouse as it would be if `change` had been made to the tables of staging.

        Raises:
            RuntimeError: dbt failed; with what it printed.
        """
        build_db = self._folder / "build.duckdb"
        shutil.copyfile(self._analysts_db, build_db)
        with duckdb.connect(str(build_db)) as connection:
            change(connection)
        self._build(build_db)
        return duckdb.connect(str(build_db), read_only=True)

    def _build(self, build_db: Path) -> None:
        changed = [f"+{wanted},{table}+" for wanted in self._wanted for table in PAPERS]
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("dbt")), "--quiet", "run", "--select", *changed, "--exclude", "path:models/staging",
                "--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR), "--target-path", str(self._folder / "target"),
                "--log-path", str(self._folder / "logs"),
            ],
            env=os.environ | {"ANTAWASI_BUILD_DB": str(build_db)}, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)


def withhold(
    connection: duckdb.DuckDBPyConnection, papers: Mapping[str, Iterable[str]], share: float, seed: int
) -> int:
    """Delete `share` of the papers, chosen by a hash of what names them and the seed; how many rows went."""
    bound = f"{int(share * 0xFFFFFFFF):08x}"
    gone = 0
    for table, key in papers.items():
        paper = ", ' ', ".join(f"CAST({column} AS VARCHAR)" for column in key)
        gone += connection.execute(
            f"DELETE FROM staging.{table} WHERE left(md5(concat('{seed} ', {paper})), 8) < '{bound}'"
        ).fetchall()[0][0]
    return gone


# --- the truth ----------------------------------------------------------------------------------------


def shares_of(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Over which origin lots amounts on a lot are shared: lot_key, basis_code, origin_lot_key, copper_g."""
    return _frame(
        connection,
        "SELECT lot_key, basis_code, origin_lot_key, copper_g FROM intermediate.int_lot__shares WHERE is_synthetic",
    )


def true_margins(truth: Path, shares: pl.DataFrame) -> pl.DataFrame:
    """lot_key, link_code, true_cents of every origin lot and link, from the simulator's payments.

    Each payment is shared over `shares` by copper in whole cents, cut towards zero, the rest to the largest share, on ties
    the first by its code. `is_in_files`: whether all payments of the lot fall within the simulated months.
    """
    agents = _truth(truth, "agents").select("agent_id", c("role").str.to_uppercase())
    roles = dict(agents.iter_rows())
    paid = _truth(truth, "transfers").with_columns(
        c("kind").replace_strict(_SERVICE_ROLES, default=c("payee_id").replace_strict(roles, default=None)).alias("payee"),
        c("payer_id").replace_strict(roles, default="ABROAD", return_dtype=pl.String).alias("payer"),
        pl.when(c("kind") == "MILLING").then(pl.lit("FEED")).otherwise(pl.lit("LOT")).alias("basis_code"),
    )  # fmt: skip
    parts = (
        paid.join(shares, left_on=["lot_id", "basis_code"], right_on=["lot_key", "basis_code"], suffix="_share")
        .sort("transfer", "copper_g_share", "origin_lot_key", descending=[False, True, False])
        .with_columns(
            (c("usd_cents").cast(pl.Int128) * c("copper_g_share") // c("copper_g_share").sum().over("transfer")).alias("cut")
        )
        .with_columns(
            pl.when(pl.int_range(pl.len()).over("transfer") == 0)
            .then(c("cut") + c("usd_cents") - c("cut").sum().over("transfer"))
            .otherwise("cut").cast(pl.Int64).alias("cents")
        )
    )  # fmt: skip
    flows = parts.select(c("origin_lot_key").alias("lot_key"), "payee", "payer", "cents", "is_in_files")
    sides = pl.concat(
        [
            flows.select("lot_key", c("payee").alias("link_code"), "cents", "is_in_files"),
            flows.filter(c("payer") != "ABROAD").select("lot_key", c("payer").alias("link_code"), -c("cents"), "is_in_files"),
        ]
    )  # fmt: skip
    return (
        sides.group_by("lot_key", "link_code")
        .agg(c("cents").sum().alias("true_cents"), c("is_in_files").all())
        .with_columns(c("is_in_files").all().over("lot_key"))
        .sort("lot_key", "link_code")
    )


def true_parts(truth: Path, origins: pl.Series) -> pl.DataFrame:
    """lot_key, origin_lot_key, part_frac: which of `origins` a lot is made of, by the copper that truly went into it.

    No paper tells that of a blend: each ore of a campaign gives up another part of its copper than the rule says.
    """
    edges = _truth(truth, "copper").with_columns((c("copper_g") / c("copper_g").sum().over("to_lot_id")).alias("part"))
    edges = edges.filter(~c("to_lot_id").is_in(origins.implode()))
    reached = pl.DataFrame({"lot_key": origins, "origin_lot_key": origins, "part_frac": 1.0})
    levels = []
    while reached.height:
        levels.append(reached)
        reached = (
            edges.join(reached, left_on="from_lot_id", right_on="lot_key")
            .group_by(c("to_lot_id").alias("lot_key"), "origin_lot_key")
            .agg((c("part") * c("part_frac")).sum().alias("part_frac"))
        )
    return pl.concat(levels).group_by("lot_key", "origin_lot_key").agg(c("part_frac").sum())


def true_fobs(truth: Path, origins: pl.Series) -> pl.DataFrame:
    """lot_key, true_cents: what was paid abroad for the true part of every one of `origins` (see `true_parts`)."""
    paid = _truth(truth, "transfers").filter(c("kind") == "EXPORT")
    return (
        paid.join(true_parts(truth, origins), left_on="lot_id", right_on="lot_key")
        .group_by(c("origin_lot_key").alias("lot_key"))
        .agg((c("usd_cents") * c("part_frac")).sum().round().cast(pl.Int64).alias("true_cents"))
    )


def comparable(connection: duckdb.DuckDBPyConnection, truth: Path) -> pl.DataFrame:
    """`true_margins` of lots that a chain with all papers follows to final exports: what bounds can be held against."""
    whole = _frame(
        connection,
        f"SELECT lot_key FROM marts.{BRIDGE} WHERE is_synthetic AND is_complete AND is_fob_final ORDER BY lot_key",
    )
    return true_margins(truth, shares_of(connection)).filter("is_in_files").join(whole, on="lot_key", how="semi")


def _truth(truth: Path, table: str) -> pl.DataFrame:
    return pl.read_parquet(truth / table / "*.parquet")


def _frame(connection: duckdb.DuckDBPyConnection, sql: str) -> pl.DataFrame:
    frame = pl.from_arrow(connection.execute(sql).to_arrow_table())
    assert isinstance(frame, pl.DataFrame)
    return frame


# --- the comparison -----------------------------------------------------------------------------------


def judged_margins(connection: duckdb.DuckDBPyConnection, true: pl.DataFrame) -> pl.DataFrame:
    """True margins of lots that some paper still tells, beside what is published; a link that is not has none, from 0 to 0."""
    published = _frame(
        connection,
        f"""
        SELECT lot_key, link_code, value_basis_code, is_complete,
            CAST(gross_margin_usd * 100 AS BIGINT) AS cents, CAST(gross_margin_low_usd * 100 AS BIGINT) AS low_cents,
            CAST(gross_margin_high_usd * 100 AS BIGINT) AS high_cents
        FROM marts.{MARGINS} WHERE is_synthetic
        """,
    )
    known = true.join(published, on="lot_key", how="semi")
    return _judged(known.join(published, on=["lot_key", "link_code"], how="left"))


def judged_fobs(connection: duckdb.DuckDBPyConnection, true: pl.DataFrame) -> pl.DataFrame:
    """Every lot's true FOB, the sum of its links' margins, beside what is published of it."""
    published = _frame(
        connection,
        f"""
        SELECT lot_key, CASE WHEN fob_imputed_usd = 0 THEN 'observed' ELSE 'imputed' END AS value_basis_code, is_complete,
            CAST((fob_usd + fob_imputed_usd) * 100 AS BIGINT) AS cents, CAST(fob_low_usd * 100 AS BIGINT) AS low_cents,
            CAST(fob_high_usd * 100 AS BIGINT) AS high_cents
        FROM marts.{BRIDGE} WHERE is_synthetic
        """,
    )
    lots = true.group_by("lot_key").agg(c("true_cents").sum()).with_columns(pl.lit("FOB").alias("link_code"))
    return _judged(lots.join(published, on="lot_key"))


def _judged(beside: pl.DataFrame) -> pl.DataFrame:
    told = beside.with_columns(
        c("cents", "low_cents", "high_cents").fill_null(0), c("value_basis_code").fill_null("none")
    )
    return told.with_columns(
        c("true_cents").is_between("low_cents", "high_cents").alias("is_inside"),
        (c("high_cents") - c("low_cents")).alias("width_cents"),
    )


def all_links(judged: pl.DataFrame) -> pl.DataFrame:
    """Lots in the place of their margins: within bounds where all of their links are at once."""
    is_observed = (c("value_basis_code") == "observed").all()
    return judged.group_by("lot_key").agg(
        pl.lit("ALL OF A LOT").alias("link_code"),
        c("is_inside").all(),
        pl.when(is_observed).then(pl.lit("observed")).otherwise(pl.lit("imputed")).alias("value_basis_code"),
        c("width_cents", "true_cents", "cents").sum(),
    )


def summed_up(judged: pl.DataFrame) -> pl.DataFrame:
    """By link: how many, the share within bounds, and of those that are not wholly observed the share and the mean width."""
    imputed = c("value_basis_code") != "observed"
    return (
        judged.group_by("link_code")
        .agg(
            pl.len().alias("margins"),
            c("is_inside").mean().alias("inside"),
            imputed.mean().alias("imputed"),
            c("is_inside").filter(imputed).mean().alias("imputed_inside"),
            (c("width_cents").filter(imputed).mean() / 100).alias("imputed_width_usd"),
            (c("true_cents").abs().filter(imputed).mean() / 100).alias("imputed_size_usd"),
            (c("true_cents").sum() / 100).alias("true_usd"),
            (c("cents").sum() / 100).alias("published_usd"),
        )
        .sort("link_code")
    )


def measure(chain: Chain, truth: Path, share: float, seeds: Iterable[int]) -> pl.DataFrame:
    """The summary of every variant and seed: margins by link, all of them, all links of a lot at once, and FOB by lot."""
    with chain.without({}, 0, 0) as connection:
        true = comparable(connection, truth)
    told = []
    for variant, papers in (("none", {}), ("documents", DOCUMENTS), ("papers", PAPERS)):
        for seed in seeds if papers else (0,):
            with chain.without(papers, share, seed) as connection:
                margins, fobs = judged_margins(connection, true), judged_fobs(connection, true)
            everything = margins.with_columns(pl.lit("ALL").alias("link_code"))
            summary = [summed_up(frame) for frame in (margins, everything, all_links(margins), fobs)]
            told.append(
                pl.concat(summary).select(pl.lit(variant).alias("withheld"), pl.lit(seed).alias("seed"), pl.all())
            )
    return pl.concat(told)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--scale", default="small")
    arguments.add_argument("--share", type=float, default=0.3)
    arguments.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "antawasi-withheld")
    asked = arguments.parse_args()
    sector = asked.home / "sector"
    command = [sys.executable, "-m", "pipelines"]
    environment = os.environ | {"ANTAWASI_HOME": str(asked.home / "house"), "ANTAWASI_COLUMN_LINEAGE": "false"}
    for slug in ("minem_production", "ubigeo", "worldbank_pinksheet"):  # what a house needs to build and publish
        shutil.copytree(SAMPLE_DIR / slug, asked.home / "house" / "inbox" / slug, dirs_exist_ok=True)
    for words in (
        ["simulate", "--scale", asked.scale, "--out", str(sector)],
        ["run", "--landing", str(sector / "files")],
    ):
        subprocess.run([*command, *words], check=True, cwd=PROJECT_ROOT, env=environment)
    os.environ["ANTAWASI_HOME"] = environment["ANTAWASI_HOME"]
    with tempfile.TemporaryDirectory() as target:
        told = measure(Chain(Path(target), get_settings().analysts_db), sector / "truth", asked.share, (1,))
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_width_chars=200):
        print(told)


if __name__ == "__main__":
    main()
