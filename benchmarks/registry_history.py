"""The registry's history from monthly files: built anew and appended, against a hand-written query and pandas.

`ours rebuilt` and `ours appended` run, in the order in which dbt sends them, the very statements that dbt sends for the
registry's models (its look-ups, transactions and hooks too), on a build file like a house's; dbt's own start, the same few
seconds whatever the size, is left out. `ours appended` takes one file more into the tables of those before; copying these
is counted as its own. `duckdb query` is one script by hand (registry_history.sql), `bare load` reads one file into a table.
All candidates' histories have to be the same, row by row, before and after the append.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks._dbt_statements import replay, sent
from benchmarks._measure import Runs, measure, ratio, run_once, this
from benchmarks._results import Outcome, Target, command_line, grown, show

MODELS = (
    "stg_reinfo__registrations", "int_registry__file_contents", "int_registry__files", "int_registry__inputs",
    "int_registry__codes", "int_registry__listings_keyed", "int_registry__runs", "int_registry__files_judged", "dim_registration",
)  # fmt: skip
FILES = 36
#: How the columns of a history are compared: pandas has no dates and counts with gaps in DOUBLE.
_CASTS = dict.fromkeys(("valid_from", "valid_to", "changed_after", "source_as_of"), "DATE") | {
    "row_number": "BIGINT", "inscription_year": "SMALLINT",
}  # fmt: skip


def _snapshots(folder: Path, count: int) -> list[Path]:
    return [folder / f"{i:03d}.parquet" for i in range(count)]


def _mount(build_db: Path, folder: Path, count: int) -> None:
    """What stands before the registry's models in a house with `count` files of the registry."""
    import duckdb

    from pipelines import contracts
    from pipelines.settings import DBT_DIR

    listed = ", ".join(f"'{path}'" for path in _snapshots(folder, count))
    with duckdb.connect(str(build_db)) as connection:
        for schema in ("raw", "staging", "intermediate", "marts", "reference"):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        table = contracts.contract("reinfo__registrations").name
        connection.execute(f"CREATE OR REPLACE VIEW raw.{table} AS SELECT * FROM read_parquet([{listed}])")
        connection.execute(
            f"CREATE OR REPLACE TABLE raw.lake_files AS SELECT DISTINCT '{table}' AS table_name, "
            f"_landing_sha256 AS landing_sha256, '1' AS fingerprint FROM raw.{table}"
        )
        connection.execute(
            f"CREATE OR REPLACE TABLE intermediate.int_places__names_matched AS FROM '{folder}/places.parquet'"
        )
        seed = DBT_DIR / "seeds" / "registry_snapshot_rules.csv"
        connection.execute(f"CREATE TABLE IF NOT EXISTS reference.{seed.stem} AS FROM read_csv('{seed}')")


def prepare(folder: Path) -> None:
    """Build files to start from, and the statements that dbt sends on them: rebuilt on FILES files, appended one more."""
    prepare_rebuilt(folder, FILES)
    build_db = folder / "build.duckdb"
    _mount(build_db, folder, FILES + 1)
    shutil.copyfile(build_db, folder / "appended.before")
    (folder / "appended.json").write_text(json.dumps(sent(build_db, folder, MODELS)))


def prepare_rebuilt(folder: Path, count: int) -> None:
    """The build file before `count` files were read, and the statements that read them."""
    build_db = folder / "build.duckdb"
    _mount(build_db, folder, count)
    shutil.copyfile(build_db, folder / "rebuilt.before")
    (folder / "rebuilt.json").write_text(json.dumps(sent(build_db, folder, MODELS)))


def ours(folder: Path, what: str) -> None:
    """Replay what dbt sent, on a copy of the build file from which it started."""
    replay(folder / f"{what}.json", folder / f"{what}.before", folder / what / "build.duckdb")


def duckdb_query(folder: Path, count: int) -> None:
    import duckdb

    listed = ", ".join(f"'{path}'" for path in _snapshots(folder, count))
    script = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    out = folder / f"query{count}.duckdb"
    out.unlink(missing_ok=True)
    with duckdb.connect(str(out)) as connection:
        connection.execute(script.replace("$paths", f"[{listed}]").replace("$places", f"'{folder}/places.parquet'"))


def pandas_history(folder: Path) -> None:
    from benchmarks import _registry_pandas

    _registry_pandas.history(_snapshots(folder, FILES), folder / "places.parquet", folder / "pandas.parquet")


def bare_load(folder: Path) -> None:
    import duckdb

    out = folder / "load.duckdb"
    out.unlink(missing_ok=True)
    with duckdb.connect(str(out)) as connection:
        connection.execute(f"CREATE TABLE loaded AS FROM '{_snapshots(folder, FILES + 1)[-1]}'")


def compare(folder: Path) -> None:
    """Every history against the hand-written query's over the same files.

    Raises:
        AssertionError: they differ; by how many rows.
    """
    import duckdb

    with duckdb.connect(":memory:") as connection:
        for name, path in (
            ("rebuilt", folder / "rebuilt" / "build.duckdb"), ("appended", folder / "appended" / "build.duckdb"),
            ("query", folder / f"query{FILES}.duckdb"), ("query_after", folder / f"query{FILES + 1}.duckdb"),
        ):  # fmt: skip
            connection.execute(f"ATTACH '{path}' AS {name} (READ_ONLY)")
        found = connection.execute("DESCRIBE query.main.history").fetchall()
        columns = ", ".join(f"CAST({c} AS {_CASTS.get(c, kind)}) AS {c}" for c, kind, *_ in found)
        for theirs, mine in (
            ("query.main.history", "rebuilt.marts.dim_registration"),
            ("query_after.main.history", "appended.marts.dim_registration"),
            ("query.main.history", f"'{folder}/pandas.parquet'"),
        ):
            differing = connection.execute(
                f"SELECT (SELECT count(*) FROM (SELECT {columns} FROM {theirs} EXCEPT ALL SELECT {columns} FROM {mine})) + "
                f"(SELECT count(*) FROM (SELECT {columns} FROM {mine} EXCEPT ALL SELECT {columns} FROM {theirs}))"
            ).fetchall()[0][0]
            assert differing == 0, f"{mine} differs from {theirs} in {differing} rows"


def run(rows: int, rounds: int) -> Outcome:
    """Generate, measure, compare the results, print."""
    with tempfile.TemporaryDirectory(prefix="antawasi-bench-") as folder:

        def candidate(name: str) -> list[str]:
            return this("registry_history", "--candidate", name, folder)

        # in processes of their own: this one is to stay small
        subprocess.run(this("_registry_generator", folder, str(rows), str(FILES)), check=True)
        subprocess.run(candidate("prepare"), check=True)
        figures = measure(
            {
                "ours rebuilt": candidate("rebuilt"),
                "ours appended": candidate("appended"),
                "duckdb query": candidate("query"),
                "pandas": candidate("pandas"),
                "bare load": candidate("load"),
            },
            rounds,
        )
        subprocess.run(candidate("query-after"), check=True)
        subprocess.run(candidate("compare"), check=True)
    rebuilt, appended = figures["ours rebuilt"], figures["ours appended"]
    return show(
        Outcome(
            f"History of {FILES} files of the registry, {rows:,} rows each",
            figures,
            [
                Target("CPU rebuilt / hand-written query", ratio(rebuilt, figures["duckdb query"]), most=1.3),
                Target("wall of pandas / rebuilt", ratio(figures["pandas"], rebuilt, "wall_s"), least=3),
                Target("CPU appended / rebuilt", ratio(appended, rebuilt), most=0.2),
                Target("CPU appended / bare load of that file", ratio(appended, figures["bare load"]), most=3),
            ],
            baseline="duckdb query",
        )
    )


def growth(files: tuple[int, ...], rows: int) -> Outcome:
    """Ours rebuilt, over several numbers of files."""
    seen: dict[int, Runs] = {}
    for count in files:
        with tempfile.TemporaryDirectory(prefix="antawasi-bench-") as folder:
            subprocess.run(this("_registry_generator", folder, str(rows), str(count)), check=True)
            subprocess.run(this("registry_history", "--candidate", "prepare-rebuilt", folder), check=True)
            seen[count] = Runs((run_once(this("registry_history", "--candidate", "rebuilt", folder)),))
    return show(grown("The registry's history as files grow", f"files of {rows:,} rows", seen))


if __name__ == "__main__":
    command_line(
        __doc__,
        "rows",
        9_000,
        {
            "prepare": prepare,
            # the generator wrote one file more, to be appended
            "prepare-rebuilt": lambda p: prepare_rebuilt(p, len(list(p.glob("[0-9]*.parquet"))) - 1),
            "rebuilt": lambda p: ours(p, "rebuilt"),
            "appended": lambda p: ours(p, "appended"),
            "query": lambda p: duckdb_query(p, FILES),
            "query-after": lambda p: duckdb_query(p, FILES + 1),
            "pandas": pandas_history,
            "load": bare_load,
            "compare": compare,
        },
        run,
    )
