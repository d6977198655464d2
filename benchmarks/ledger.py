"""The ledger of the chain: dbt with its tests against a hand-written DuckDB script, over the same matched papers.

The ledger is what is made once papers are read, tied to lots and matched, and lots are followed (int_transfer__vouchers,
int_transfer__implied, int_lot__genealogy, ...; see `_INPUTS`): fct_transfer, fct_lot_value_bridge, fct_lot_link_margin and
mart_value_chain_margin. A sector of at most 25,000 lots is simulated and taken through the models up to there; more lots
are copies of it under other lot codes and paper numbers, with the same parties, prices and days. Registrations of the
registry's files are given the keys of those on the papers, so that every lot has a state to be looked up on its day.

`dbt` builds the ledger's models with all tests that these and their inputs suffice for; `statements` runs the very SQL of
the models in one DuckDB process; `by hand` (ledger.sql) makes the four tables alone, and so do `polars` and `pandas`, from its
inputs as Parquet and to Parquet. All have to give the same rows.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import chain
from benchmarks._dbt_statements import replay, sent
from benchmarks._measure import alone, measure, ratio, run_once, this
from benchmarks._results import Outcome, Target, command_line, grown, show

_MEMORY_LIMIT = "2GB"

#: Lots that are simulated; more are copies.
_SIMULATED = 25_000

#: The same format for all, that of the house's own files.
_FORMAT = {"storage_compatibility_version": "v1.5.0"}

TABLES = ("fct_transfer", "fct_lot_value_bridge", "fct_lot_link_margin", "mart_value_chain_margin")
#: Candidates that write Parquet.
_FRAMES = ("polars", "pandas")
_DATABASES = {"by hand": "hand.duckdb", "statements": "statements/build.duckdb"}
#: What dbt is set beside; the script by hand is in every run.
OTHERS = (*_DATABASES, *_FRAMES)
_MODELS = (
    "int_transfer__observed", "int_transfer__expected", "int_transfer__unobserved", "int_lot__measures",
    "int_transfer__based", "int_transfer__ratios", "int_transfer__imputed", "int_lot__shares",
    "int_transfer__lots_allocated", "int_lot__ends", "int_lot__origins", "int_lot__missing", "int_lot__situations",
    "int_lot__profiles", "int_lot__flows_imputed", "int_lot__flows_allocated", "int_lot__exports_allocated", *TABLES,
)  # fmt: skip

#: What the ledger is made from. Copied with the lots:
_INPUTS = (
    "intermediate.int_transfer__vouchers", "intermediate.int_transfer__implied", "intermediate.int_lot__batch_lines",
    "intermediate.int_haul__documents", "intermediate.int_settlement__sales", "intermediate.int_lot__arrivals",
    "intermediate.int_lot__codes", "intermediate.int_campaign__milled", "intermediate.int_lot__edges",
    "intermediate.int_lot__genealogy", "intermediate.int_lot__origin_ranges", "intermediate.int_lot__unbalanced",
    "intermediate.int_lot__balances", "intermediate.int_campaign__origins_fed",
    "intermediate.int_export__lots_valued", "intermediate.int_export__lots", "marts.dim_lot",
    "staging.stg_partner_settlements__settlements", "staging.stg_partner_exports__lines",
    "staging.stg_partner_campaigns__lines",
)  # fmt: skip
#: the same however many lots there are:
_SECTOR = (
    "intermediate.int_party__roles", "intermediate.int_price__daily", "intermediate.int_contract__fees",
    "intermediate.int_document__named",
)  # fmt: skip
#: and in these columns, as numbers of lots or of papers, which a copy has of its own:
_NUMBERS = (
    "lot_key", "origin_lot_key", "from_lot_key", "to_lot_key", "lot_id", "document_key", "haul_key", "invoice_key",
    "sheet_id", "ticket_id", "settlement_id", "campaign_key", "campaign_id", "campaign_lot_key", "rest_lot_key",
    "detraction_deposit_id",
)  # fmt: skip


def prepare(folder: Path) -> None:
    """The build file with what the ledger is made from, and the statements that dbt sends for its models."""
    lots = int((folder / "lots.txt").read_text())
    chain.sector(folder, min(lots, _SIMULATED))
    build_db = chain.build_file(folder)
    sent(build_db, folder, ["+mart_value_chain_margin"])
    (folder / "before").unlink()
    built = build_db.rename(folder / "built")
    # the statements are the same however many lots there are
    _copy_lots(built, folder / "before", 1)
    (folder / "before").rename(build_db)
    (folder / "statements.json").write_text(json.dumps(sent(build_db, folder, _MODELS)))
    build_db.unlink()
    _copy_lots(built, folder / "before", max(lots // _SIMULATED, 1))
    built.unlink()


def _copy_lots(built: Path, before: Path, copies: int) -> None:
    """Write `before` from the tables of a built sector, all that is of a lot `copies` times."""
    import duckdb

    with duckdb.connect(str(before), config=_FORMAT) as connection:
        connection.execute("SET preserve_insertion_order = false")
        # the views of staging name the database that they were made in, whatever its file is called
        connection.execute(f"ATTACH '{built}' AS build (READ_ONLY)")
        for schema in ("staging", "intermediate", "marts", "reference"):
            connection.execute(f"CREATE SCHEMA {schema}")
        # a lot's code is a letter and nine digits, of which the simulated ones use the last five
        connection.execute(
            "CREATE TEMP MACRO of_copy(number, copy) AS CASE WHEN regexp_matches(number, '^[A-Z][0-9]{9}$') "
            "THEN left(number, 1) || lpad((substr(number, 2)::INT + copy * 100_000)::VARCHAR, 9, '0') "
            "ELSE number || '-' || copy END"
        )
        for table in _INPUTS:
            columns = _columns(connection, table)
            own = [f"of_copy({name}, copy) AS {name}" for name in columns if name in _NUMBERS]
            rows = f"SELECT t.* REPLACE ({', '.join(own)}) FROM build.{table} AS t, range({copies}) AS r(copy)"
            if "transfer_key" in columns:
                rows = f"SELECT * REPLACE ({_TRANSFER_KEY} AS transfer_key) FROM ({rows})"
            connection.execute(f"CREATE TABLE {table} AS {rows}")
        seeds = "SELECT 'reference.' || table_name FROM duckdb_tables() WHERE database_name = 'build' AND schema_name = 'reference'"
        for table in (*_SECTOR, *(name for (name,) in connection.execute(seeds).fetchall())):
            connection.execute(f"CREATE TABLE {table} AS FROM build.{table}")
        connection.execute(_REGISTRATIONS)


def as_parquet(folder: Path) -> None:
    """Every table of `before` as a file of its name: what frames read is not part of their time."""
    import duckdb

    inputs = folder / "inputs"
    inputs.mkdir(exist_ok=True)
    with duckdb.connect(str(folder / "before"), read_only=True) as connection:
        tables = connection.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()").fetchall()
        for (table,) in tables:
            connection.execute(f"COPY {table} TO '{inputs}/{table}.parquet'")


def _columns(connection, table: str) -> list[str]:
    return [row[0] for row in connection.execute(f"DESCRIBE build.{table}").fetchall()]


_TRANSFER_KEY = "md5(concat(kind_code, ' ', lot_key, ' ', payee_key, ' ', coalesce(payer_key, '-'), ' ', is_synthetic))"
_REGISTRATIONS = """
CREATE TABLE intermediate.int_registration__standing AS
WITH listed AS (
    SELECT registration_key, row_number() OVER (ORDER BY registration_key) AS nth
    FROM (SELECT DISTINCT registration_key FROM build.intermediate.int_registration__standing)
),
on_papers AS (
    SELECT reinfo_key, row_number() OVER (ORDER BY reinfo_key) AS nth
    FROM (SELECT DISTINCT reinfo_key FROM build.marts.dim_lot WHERE reinfo_key IS NOT NULL)
)
SELECT r.* REPLACE (coalesce(p.reinfo_key, r.registration_key) AS registration_key)
FROM build.intermediate.int_registration__standing AS r
JOIN listed USING (registration_key)
LEFT JOIN on_papers AS p USING (nth)
"""


def statements(folder: Path) -> None:
    replay(folder / "statements.json", folder / "before", folder / _DATABASES["statements"])


def statements_in_little_memory(folder: Path) -> None:
    replay(folder / "statements.json", folder / "before", folder / "little" / "build.duckdb", _MEMORY_LIMIT)


def dbt_build(folder: Path) -> None:
    chain.dbt_build(folder, "--select", *_MODELS, "--indirect-selection", "buildable")


def by_hand(folder: Path) -> None:
    import duckdb

    out = folder / _DATABASES["by hand"]
    out.unlink(missing_ok=True)
    with duckdb.connect(str(out), config=_FORMAT) as connection:
        script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
        connection.execute(script.replace("$before", str(folder / "before")))


def in_polars(folder: Path) -> None:
    # only where it is wanted: polars and pandas take most of a second to import
    from benchmarks._ledger_polars.ledger import polars_ledger

    polars_ledger(folder)


def in_pandas(folder: Path) -> None:
    from benchmarks._ledger_pandas.ledger import pandas_ledger

    pandas_ledger(folder)


def compare(folder: Path) -> None:
    """The four tables of all that ran: number of rows, and per column sum and exclusive or of the values' hashes.

    Raises:
        AssertionError: a candidate's table differs from dbt's; which columns.
    """
    import duckdb

    with duckdb.connect(":memory:") as connection:
        others = json.loads((folder / "others.json").read_text())
        made: dict[str, str] = {}
        connection.execute(f"ATTACH '{folder}/dbt/build.duckdb' AS build (READ_ONLY)")
        for candidate in others:
            if candidate in _FRAMES:
                made[candidate] = f"'{folder}/{candidate}/{{}}.parquet'"
            else:
                connection.execute(f"ATTACH '{folder}/{_DATABASES[candidate]}' AS \"{candidate}\" (READ_ONLY)")
                made[candidate] = f'"{candidate}".marts.{{}}'
        for table in TABLES:
            rows = f"build.marts.{table}"
            types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {rows}").fetchall()}
            ours = _sums(connection, rows, types)
            for candidate in others:
                theirs = _sums(connection, made[candidate].format(table), types)
                differing = [column for column in ours if ours[column] != theirs[column]]
                assert not differing, f"{table} of {candidate} differs in {', '.join(differing)}"


def _sums(connection, rows: str, types: dict[str, str]) -> dict[str, tuple]:
    # by name and as dbt's type: others have codes as ENUM, wider decimals, and columns in an order of their own
    values = {column: f"hash({column}::{type_})" for column, type_ in types.items()}
    values["whole rows"] = f"hash({', '.join(f'{column}::{type_}' for column, type_ in types.items())})"
    sums = ", ".join(f"(count(*), sum({value}::HUGEINT), bit_xor({value}))" for value in values.values())
    found = connection.execute(f"SELECT {sums} FROM {rows}").fetchall()[0]
    return dict(zip(values, found, strict=True))


def _candidate(name: str, folder: Path) -> list[str]:
    return this("ledger", "--candidate", name, str(folder))


def run(lots: int, rounds: int, others: Sequence[str] = OTHERS) -> Outcome:
    """Make the papers, measure dbt and `others`, compare the results, print."""
    with tempfile.TemporaryDirectory(prefix="antawasi-bench-") as root:
        folder = Path(root)
        (folder / "lots.txt").write_text(str(lots))
        (folder / "others.json").write_text(json.dumps(others))
        run_once(_candidate("prepare", folder))
        frames = [name for name in _FRAMES if name in others]
        if frames:
            run_once(_candidate("parquet", folder))
        names = [*others, "dbt build"]
        figures = measure({name: _candidate(name, folder) for name in names}, rounds)
        run_once(_candidate("compare", folder))
    dbt = figures["dbt build"]
    promised = {"polars": 1, "pandas": 2.5}
    return show(
        Outcome(
            f"Ledger of {lots:,} lots",
            figures,
            [
                Target("CPU of dbt with its tests / the script by hand", ratio(dbt, figures["by hand"]), most=1.35),
                *(
                    Target(f"wall of {name} / ours", ratio(figures[name], dbt, "wall_s"), least=promised[name])
                    for name in frames
                ),
            ],
            baseline="by hand",
        )
    )


def growth(sizes: tuple[int, ...], in_little_memory: int) -> Outcome:
    """dbt with its tests at several numbers of lots, and its statements at one under a limit of DuckDB's memory."""
    seen = {lots: alone("ledger", lots, "dbt build") for lots in sizes}
    little = alone("ledger", in_little_memory, "little")
    outcome = grown("Ledger as lots grow", "lots, dbt with its tests", seen)
    limited = {f"{in_little_memory:,} lots, statements under memory_limit {_MEMORY_LIMIT}": little}
    return show(dataclasses.replace(outcome, figures={**outcome.figures, **limited}))


if __name__ == "__main__":
    command_line(
        __doc__,
        "lots",
        200_000,
        {
            "prepare": prepare,
            "parquet": as_parquet,
            "statements": statements,
            "little": statements_in_little_memory,
            "dbt build": dbt_build,
            "by hand": by_hand,
            "polars": in_polars,
            "pandas": in_pandas,
            "compare": compare,
        },
        run,
    )
