"""A local Spark session: no server, no metastore, no pages; tables are Parquet files under one folder."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

#: What makes Spark count as DuckDB does, wherever it runs. `docs/en/operating.md` says the same of clusters.
MEANING = {
    # An error instead of a null where a number does not fit or a text is no number.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.timeType.enabled": "true",
    # A product of decimals keeps all its digits or is an error; by default Spark rounds it.
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
}

#: Spark 4.3 breaks a union in which a branch names one column twice (PLAN_VALIDATION_FAILED_RULE_IN_BATCH).
AROUND = {"spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.RemoveRedundantAliases"}

LOCAL = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "100000",
    "spark.sql.parquet.compression.codec": "zstd",
    # Hundreds of small queries: code compiled for each, and compiled again for speed, costs more than it gains.
    "spark.sql.codegen.wholeStage": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=512m -XX:+UseSerialGC",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


def local(warehouse: Path, cores: int = 2, memory: str = "3g") -> SparkSession:
    """Open the session whose tables lie under `warehouse`, as `<schema>.db/<table>/*.parquet`."""
    builder = SparkSession.builder.master(f"local[{cores}]").appName("antawasi")
    settings = (
        MEANING
        | AROUND
        | LOCAL
        | {"spark.driver.memory": memory, "spark.sql.warehouse.dir": warehouse.resolve().as_uri()}
    )
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
