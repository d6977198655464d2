"""The second engine: the same dbt project, built by Apache Spark over the same lake.

The local session needs no server. Its tables are Parquet files in a folder of their own, `warehouse/spark`, which is
swapped as a whole when the build is green; the DuckDB file and the analysts' copy are not touched.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import files, warehouse
from pipelines.errors import AntawasiError
from pipelines.settings import DBT_DIR, Settings
from pipelines.spark import dialect

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pipelines.reporting import Reporter

LINK = "spark"
SCHEMAS = (*warehouse.ANALYST_SCHEMAS, "raw", dialect.WORKING)


def folder(settings: Settings) -> Path:
    """Where the tables of the last green build lie, as `<schema>.db/<table>/*.parquet`."""
    return settings.warehouse / LINK


def digest(settings: Settings) -> str | None:
    """Names what the last green build was made from (`Pin.digest`), None before the first."""
    link = folder(settings)
    return link.resolve().name.removeprefix(f"{LINK}-") if link.is_symlink() and link.exists() else None


def require_spark() -> None:
    """
    Raises:
        AntawasiError: Spark is not installed, or there is no Java to run it.
    """
    try:
        import dbt.adapters.spark  # noqa: F401
        import pyspark  # noqa: F401
    except ImportError:
        raise AntawasiError(
            "Apache Spark is not installed here. What to do: `SPARK=1 make setup` adds it to the environment."
        ) from None
    if not os.environ.get("JAVA_HOME") and not shutil.which("java"):
        raise AntawasiError(
            "Spark needs Java 17 or later and there is no `java` here. What to do: install a Java runtime "
            "(such as openjdk-17-jre-headless) or set JAVA_HOME."
        )


def build(settings: Settings, reporter: Reporter) -> Path:
    """Build every seed and model on Spark and swap the folder of its tables in; returns the folder.

    Raises:
        AntawasiError: Spark or Java is missing, a lake file is not checked, or a model fails.
    """
    require_spark()
    from pipelines.assets.warehouse import require_checked
    from pipelines.spark import session

    pinned = warehouse.pin(settings.lake)
    require_checked(settings, pinned)
    made = settings.warehouse / f"{LINK}-{pinned.digest}"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    reporter.step("Spark: session and the lake's tables")
    spark = session.local(made)
    try:
        for schema in SCHEMAS:
            spark.sql(f"create schema if not exists {schema}")
        mount(spark, pinned, made / "lake_files.parquet")
        reporter.step("Spark: models")
        _run_dbt(settings)
        _keep_views(spark, made)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    finally:
        spark.stop()
    for leftover in ("raw.db", f"{dialect.WORKING}.db", "lake_files.parquet"):
        _remove(made / leftover)
    files.swap_symlink(folder(settings), made.name)
    for earlier in settings.warehouse.glob(f"{LINK}-*"):
        if earlier != made:
            shutil.rmtree(earlier)
    return made


def mount(spark: SparkSession, pinned: warehouse.Pin, lake_files: Path) -> None:
    """Schema `raw` over the pinned lake files, as `warehouse.mount` does it in DuckDB. `lake_files` is written."""
    for table, paths in pinned.tables.items():
        empty, *held = paths
        spark.sql(_external(f"raw.{table}", pq.read_schema(empty), held))
    listed = pinned.lake_files.to_arrow()
    pq.write_table(listed, lake_files)
    spark.sql(_external("raw.lake_files", listed.schema, [lake_files]))


def _external(table: str, schema: pa.Schema, held: list[Path]) -> str:
    """A table over Parquet files that stay where they are; Spark leaves files out whose name begins with `_`."""
    columns = ", ".join(f"`{field.name}` {_spark_type(field.type)}" for field in schema)
    if not held:
        return f"create table {table} ({columns}) using parquet"
    path = held[0].parent / (f"{{{','.join(p.name for p in held)}}}" if len(held) > 1 else held[0].name)
    return f"create table {table} ({columns}) using parquet options (path '{path}')"


def _spark_type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    if pa.types.is_timestamp(kind):
        return "timestamp_ntz"
    if pa.types.is_time(kind):
        return "time(6)"
    names = {
        pa.string(): "string", pa.large_string(): "string", pa.bool_(): "boolean", pa.date32(): "date",
        pa.float64(): "double", pa.int64(): "bigint", pa.int32(): "int", pa.int16(): "smallint",
    }  # fmt: skip
    return names[kind]


def _keep_views(spark: SparkSession, made: Path) -> None:
    """Write what is a view to the session as files too: a reader has no session, and in the analysts' copy it is a table."""
    for schema in warehouse.ANALYST_SCHEMAS:
        for view in spark.sql(f"show views in {schema}").collect():
            spark.table(f"{schema}.{view.viewName}").write.parquet(str(made / f"{schema}.db" / view.viewName))


def _run_dbt(settings: Settings) -> None:
    from dbt.cli.main import dbtRunner

    from pipelines.assets.warehouse import failure
    from pipelines.spark import plugin

    plugin.install()
    target = settings.warehouse / "dbt-spark"
    logging.getLogger("py4j").setLevel(logging.ERROR)
    arguments = ["--quiet", "build", "--target", "spark", "--resource-type", "model", "--resource-type", "seed"]
    places = {"project": DBT_DIR, "profiles": DBT_DIR, "target": target, "log": target}
    for name, path in places.items():
        arguments += [f"--{name}-{'dir' if path is DBT_DIR else 'path'}", str(path)]
    result = dbtRunner().invoke(arguments)
    if not result.success:
        if result.exception:
            raise AntawasiError(f"dbt could not run on Spark: {result.exception}. What to do: mend what it names.")
        raise AntawasiError(failure(target / "run_results.json"))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
