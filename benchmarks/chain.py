"""The whole warehouse from simulated papers: what dbt with all its tests, and Dagster, cost beside the plain statements.

A sector of `lots` lots is simulated as tables; its other sources (registry, roll, prices) are taken in as files. `statements`
runs the very SQL of the models, in dbt's order, in one DuckDB process with nothing around it. `dbt build` is dbt with seeds,
models and every test. `antawasi build` runs the same through Dagster, and writes the analysts' copy; it is measured on the
committed sample, where what it adds is not lost in the size of the rest, beside dbt on the same files.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks._dbt_statements import replay, sent
from benchmarks._measure import alone, measure, ratio, run_once, this
from benchmarks._results import Outcome, Target, command_line, grown, show

_HOUSE, _LOTS = "house", "lots.txt"
_ANTAWASI = (sys.executable, "-m", "pipelines")


def prepare_sector(folder: Path) -> None:
    sector(folder, int((folder / _LOTS).read_text()))


def prepare(folder: Path) -> None:
    """A sector, and the statements that dbt sends for all models."""
    prepare_sector(folder)
    (folder / "statements.json").write_text(json.dumps(sent(build_file(folder), folder, ["*"])))


def build_file(folder: Path) -> Path:
    return folder / _HOUSE / "warehouse" / "build.duckdb"


def sector(folder: Path, lots: int) -> None:
    """Simulate, take in, put the chain's tables in the place of the (empty) lake tables; `before` is the build file then."""
    from pipelines.simulator.plan import load, make_plan
    from pipelines.simulator.sector import simulate

    whole = make_plan(load(), "large", seed=1)
    share = dataclasses.replace(whole, lots=lots, registrations=max(whole.registrations * lots // whole.lots, 300))
    simulated = folder / "simulated"
    simulate(share, simulated, workers=2)
    # ends with 1: without official production and prices there is nothing to publish; the build file is what counts
    subprocess.run([*_ANTAWASI, "run", "--landing", str(simulated / "files")], env=_env(folder), check=False)
    _mount(build_file(folder), simulated / "tables")
    shutil.copyfile(build_file(folder), folder / "before")


def _mount(build_db: Path, tables: Path) -> None:
    import duckdb

    with duckdb.connect(str(build_db)) as connection:
        for table in sorted(tables.iterdir()):
            connection.execute(
                f"CREATE OR REPLACE VIEW raw.\"{table.name}\" AS SELECT * FROM read_parquet('{table}/*.parquet')"
            )


def _env(folder: Path) -> dict[str, str]:
    return os.environ | {"ANTAWASI_HOME": str(folder / _HOUSE)}


def statements(folder: Path) -> None:
    replay(folder / "statements.json", folder / "before", folder / "statements" / "build.duckdb")


def dbt_build(folder: Path, *selected: str) -> None:
    """Seeds, models and tests on a copy of the build file; with dbt's own words for a selection, what they select."""
    from pipelines import dbt_docs
    from pipelines.settings import DBT_DIR

    build_db = folder / "dbt" / "build.duckdb"
    build_db.parent.mkdir(exist_ok=True)
    shutil.copyfile(folder / "before", build_db)
    done = subprocess.run(
        [
            str(dbt_docs.executable()), "--quiet", "build", "--exclude-resource-type", "unit_test", *selected,
            "--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR),
            "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"),
        ],
        env=os.environ | {"ANTAWASI_BUILD_DB": str(build_db)}, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:])


def prepare_sample(folder: Path) -> None:
    subprocess.run([*_ANTAWASI, "run", "--sample"], env=_env(folder), check=True)
    shutil.copyfile(build_file(folder), folder / "before")


def antawasi_build(folder: Path) -> None:
    """A build of everything: as if a model had changed, nothing of the last one counts."""
    warehouse = folder / _HOUSE / "warehouse"
    (warehouse / "antawasi.duckdb").unlink()
    (warehouse / "build.json").unlink()
    subprocess.run([*_ANTAWASI, "build"], env=_env(folder), check=True)


def _candidate(name: str, folder: str) -> list[str]:
    return this("chain", "--candidate", name, folder)


def run(lots: int, rounds: int) -> Outcome:
    """Simulate, measure, print."""
    with tempfile.TemporaryDirectory(prefix="antawasi-bench-") as folder:
        (Path(folder) / _LOTS).write_text(str(lots))
        run_once(_candidate("prepare", folder))
        names = {"statements": "statements", "dbt build": "dbt"}
        figures = measure({name: _candidate(value, folder) for name, value in names.items()}, rounds)
    return show(
        Outcome(
            f"Warehouse of {lots:,} lots",
            figures,
            [
                Target(
                    "CPU of dbt with all tests / its statements",
                    ratio(figures["dbt build"], figures["statements"]),
                    most=1.35,
                )
            ],
            baseline="statements",
        )
    )


def run_sample(rounds: int) -> Outcome:
    """What Dagster adds to dbt, on the sample."""
    with tempfile.TemporaryDirectory(prefix="antawasi-bench-") as folder:
        run_once(_candidate("prepare-sample", folder))
        names = {"dbt build": "dbt", "antawasi build": "antawasi"}
        figures = measure({name: _candidate(value, folder) for name, value in names.items()}, rounds)
    more = figures["antawasi build"].cpu_s - figures["dbt build"].cpu_s
    return show(
        Outcome(
            "Warehouse of the sample through Dagster",
            figures,
            [Target("seconds of CPU that Dagster and the analysts' copy add", more, most=3)],
            baseline="dbt build",
        )
    )


def growth(sizes: tuple[int, ...]) -> Outcome:
    """dbt with all tests, at several numbers of lots."""
    seen = {lots: alone("chain", lots, "dbt", prepare="prepare-sector") for lots in sizes}
    return show(grown("Warehouse as lots grow", "lots, dbt with all tests", seen))


if __name__ == "__main__":
    command_line(
        __doc__,
        "lots",
        50_000,
        {
            "prepare": prepare,
            "prepare-sector": prepare_sector,
            "prepare-sample": prepare_sample,
            "statements": statements,
            "dbt": dbt_build,
            "antawasi": antawasi_build,
        },
        run,
    )
