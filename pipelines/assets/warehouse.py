"""The warehouse: dbt models as assets over the pinned lake, and the analysts' copy swapped in after a green build."""

import contextlib
import gc
import importlib.metadata
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import dagster as dg
import duckdb
import polars as pl
from dagster_dbt import (
    DagsterDbtTranslator,
    DbtCliInvocation,
    DbtCliResource,
    DbtProject,
    dbt_assets,
    get_asset_key_for_model,
)
from packaging.version import Version

from pipelines import chain_chart, contracts, dbt_docs, files, funnel_chart, ingest, lake, quality, warehouse
from pipelines.column_lineage import unique_id, with_lineage
from pipelines.contracts import TableContract
from pipelines.errors import AntawasiError
from pipelines.reporting import Reporter
from pipelines.settings import DBT_DIR, Settings

POOL = "duckdb_write"
TARGET = DBT_DIR / "target"
ANALYSTS_COPY = dg.AssetKey(["warehouse", "analysts_copy"])


class Translator(DagsterDbtTranslator):
    """Models belong to group `warehouse`; raw sources keep the keys of the raw assets."""

    def get_group_name(self, dbt_resource_props: Any) -> str:
        return "warehouse"


def prepared_manifest(settings: Settings) -> Path:
    """dbt's manifest, parsed anew only when a file of the dbt project changed since; houses that share it take turns."""
    # dbt's profile attaches the file that this names.
    os.environ["ANTAWASI_BUILD_DB"] = str(settings.build_db)
    manifest, stamp = TARGET / "manifest.json", TARGET / "manifest.digest"
    wanted = "\n".join(f"{p.relative_to(DBT_DIR)} {files.sha256_file(p)}" for p in warehouse.dbt_inputs())
    with files.lock(TARGET / "manifest.lock", "The parsed dbt project", wait_s=300):
        if not (manifest.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted):
            _parse()
            stamp.write_text(wanted, encoding="utf-8")
    return manifest


def _parse() -> None:
    from dbt.cli.main import dbtRunner

    folders = ["--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR), "--target-path", str(TARGET)]
    result = dbtRunner().invoke(["--quiet", "parse", *folders])
    if not result.success:
        raise AntawasiError(
            f"The dbt project cannot be parsed: {result.exception}. What to do: mend the file that it names."
        )


class InstalledDbt(DbtCliResource):
    """The locked dbt. The library asks `dbt --version`, which looks on the network for a newer one, at every build."""

    @property
    def _cli_version(self) -> Version:
        return Version(importlib.metadata.version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
        """None: what the library reads columns with takes three seconds to make, and most builds read none."""

    def open_adapter(self, run: DbtCliInvocation) -> None:
        """Let `run` read columns. The library takes the profile's database for a file and opens it read-only: here that is
        the attached one."""
        adapter = super()._initialize_dbt_core_adapter([])
        credentials = cast(Any, adapter.config.credentials)
        credentials.path = ":memory:"
        credentials.config_options.pop("access_mode", None)
        for attachment in credentials.attach:
            attachment.read_only = True
        run.adapter = adapter


def dbt_resource() -> InstalledDbt:
    return InstalledDbt(project_dir=str(DBT_DIR), profiles_dir=str(DBT_DIR), dbt_executable=str(dbt_docs.executable()))


def dbt_models(manifest: Path) -> dg.AssetsDefinition:
    """Every model, seed and test of the dbt project over one pin of the lake."""
    project = DbtProject(project_dir=DBT_DIR, profiles_dir=DBT_DIR, target_path=TARGET)

    @dbt_assets(manifest=manifest, project=project, dagster_dbt_translator=Translator(), name="dbt_models", pool=POOL)
    def models(
        context: dg.AssetExecutionContext,
        dbt: InstalledDbt,
        settings: dg.ResourceParam[Settings],
        reporter: dg.ResourceParam[Reporter],
    ) -> Iterator[Any]:
        pinned = warehouse.pin(settings.lake)
        if damaged := lake.damaged(settings.lake, pinned.receipts):
            reporter.step(f"{len(damaged)} damaged lake file(s): read again from landing")
            ingest.restore(ingest.Zones.of(settings), damaged)
            pinned = warehouse.pin(settings.lake)
        require_checked(settings, pinned)
        with files.lock(settings.home / "locks" / "build.lock", "The build file", wait_s=600):
            warehouse.mount(settings, pinned)
            results = settings.warehouse / "dbt" / "run_results.json"
            results.unlink(missing_ok=True)  # of an earlier run
            reporter.step("dbt: models and their tests")
            # Unit tests try the models on rows of their own: they belong to the project's tests, not to every build.
            arguments = ["build", "--exclude-resource-type", "unit_test"]
            run = dbt.cli(arguments, context=context, target_path=settings.warehouse / "dbt", raise_on_error=False)
            try:
                # All of dbt's events first: read as they come, the metadata threads would spin until dbt ends.
                told = list(run.stream())
                if run.is_successful():
                    told = with_charts(settings, told)
                if settings.column_lineage:
                    told = with_lineage(told, run, TARGET / "columns.json", lambda: dbt.open_adapter(run))
                yield from told
            finally:
                release_build_file(run)
            if not run.is_successful():
                told = failure(results)
                if warehouse.tells_damage(told):
                    warehouse.discard_build(settings)
                raise AntawasiError(told)
            if not context.is_subset:
                warehouse.mark_built(settings, pinned, outcomes(run.get_artifact("run_results.json")))

    return models


#: Model → name and maker of the picture that its asset shows.
CHARTS: dict[str, tuple[str, Callable[[duckdb.DuckDBPyConnection], str]]] = {
    "mart_formalization_funnel": ("last_month", lambda c: funnel_chart.markdown(funnel_chart.last_shares(c))),
    "fct_lot_value_bridge": (
        "lme_to_fob",
        lambda c: chain_chart.markdown(c, chain_chart.bridge(c), "valor LME contenido"),
    ),
    "mart_value_chain_margin": ("links", lambda c: chain_chart.markdown(c, chain_chart.links(c), "FOB")),
}


def with_charts(settings: Settings, events: list[Any]) -> list[Any]:
    """The events of a build; those of the models that have a picture show it, if they were built."""
    return [_with_chart(settings, event) if isinstance(event, dg.Output) else event for event in events]


def _with_chart(settings: Settings, event: dg.Output) -> dg.Output:
    name, chart = CHARTS.get(unique_id(event).rpartition(".")[2], (None, None))
    if name is None or chart is None:
        return event
    with warehouse.connect(settings.build_db, read_only=True) as connection:
        return event.with_metadata({**event.metadata, name: dg.MetadataValue.md(chart(connection))})


def release_build_file(run: DbtCliInvocation) -> None:
    """Reading column metadata leaves dbt's connection open in this process, and with it the file's lock."""
    if run.adapter is None:
        return
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    run.adapter.cleanup_connections()
    with contextlib.suppress(Exception):  # nothing was opened: then there is nothing to close
        DuckDBConnectionManager.env().close()
    DuckDBConnectionManager.close_all_connections()
    gc.collect()  # cursors of finished threads hold the file until they are collected


def failure(run_results: Path) -> str:
    """Which models and tests failed and why, from dbt's own results, beside which it writes its log."""
    log = run_results.with_name("dbt.log")
    if not run_results.exists():
        return f"dbt ended before it ran anything. What to do: look at {log}."
    bad = [r for r in files.read_json(run_results)["results"] if r["status"] in ("error", "fail", "runtime error")]
    if not bad:
        return f"dbt failed at none of its models and tests. What to do: look at the end of {log}."
    told = [f"{r['unique_id'].split('.')[2]}: {' '.join(str(r['message']).split())[:400]}" for r in bad[:5]]
    more = f" (and {len(bad) - 5} more)" if len(bad) > 5 else ""
    return (
        f"The warehouse was not built: {'; '.join(told)}{more}. The previous analysts' copy is untouched. "
        "What to do: mend the data or the model named here and run again."
    )


def outcomes(run_results: dict[str, Any]) -> dict[str, int]:
    """How many models, seeds, unit tests and data tests ended how, such as {"test pass": 12, "model success": 9}."""
    counts: dict[str, int] = {}
    for result in run_results["results"]:
        kind = result["unique_id"].split(".", 1)[0]
        counts[f"{kind} {result['status']}"] = counts.get(f"{kind} {result['status']}", 0) + 1
    return counts


def require_checked(settings: Settings, pinned: warehouse.Pin) -> None:
    """A lake file whose contract check has not passed stops the build, in whatever run it came."""
    receipts = list(pinned.receipts)
    for table in contracts.all_contracts().values():
        if table.layer == "raw" and (unchecked := quality.pending(settings.lake, table, receipts)):
            raise AntawasiError(
                f"{len(unchecked)} lake file(s) of {table.name} have not passed their contract check "
                f"(first: {unchecked[0].filename}). What to do: run `antawasi check` and look at what it says."
            )


@dg.asset(
    key=ANALYSTS_COPY,
    group_name="warehouse",
    pool=POOL,
    kinds={"duckdb"},
    description="The file that analysts open read-only.",
)
def analysts_copy(settings: dg.ResourceParam[Settings], reporter: dg.ResourceParam[Reporter]) -> dg.MaterializeResult:
    reporter.step("analysts' copy")
    pinned = warehouse.pin(settings.lake)
    with files.lock(settings.home / "locks" / "build.lock", "The build file", wait_s=600):
        path = warehouse.write_analysts_copy(settings, pinned, warehouse.manifest(TARGET / "manifest.json"))
    return dg.MaterializeResult(metadata={"file": dg.MetadataValue.path(str(path)), "bytes": path.stat().st_size})


def published_check(models: dg.AssetsDefinition, table: TableContract) -> dg.AssetChecksDefinition:
    """Blocking Great Expectations check of one published table, read from the build file."""

    @dg.asset_check(
        name="published_contract", asset=get_asset_key_for_model([models], table.name), blocking=True, pool=POOL
    )
    def check(settings: dg.ResourceParam[Settings], reporter: dg.ResourceParam[Reporter]) -> dg.AssetCheckResult:
        with warehouse.connect(settings.build_db, read_only=True) as connection:
            frame = pl.from_arrow(connection.execute(f'SELECT * FROM publish."{table.name}"').to_arrow_table())
        assert isinstance(frame, pl.DataFrame)
        result = quality.check_frame(table, frame, table.name)
        reporter.checked(table.name, [result])
        return dg.AssetCheckResult(
            passed=result.passed, metadata={"failures": list(result.failures), "expectations": result.expectations}
        )

    return check
