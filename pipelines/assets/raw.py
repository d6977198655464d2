"""The raw tables of one source as Dagster assets, with their checks. Every source module uses this one factory."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from pipelines import contracts, ingest, intake, lake, quality
from pipelines.contracts import LINEAGE, TableContract
from pipelines.freshness import freshness
from pipelines.ingest import Zones
from pipelines.lake import Receipt
from pipelines.reporting import Reporter
from pipelines.settings import Settings
from pipelines.sources import Source

#: A source's own period, not the clock's: a file of any of them can be asked for, also from the future month's end.
PARTITIONS: dict[str, dg.TimeWindowPartitionsDefinition] = {
    "year": dg.TimeWindowPartitionsDefinition(start="2001", fmt="%Y", cron_schedule="0 0 1 1 *", end_offset=1),
    "month": dg.TimeWindowPartitionsDefinition(start="2010-01", fmt="%Y-%m", cron_schedule="0 0 1 * *", end_offset=1),
}


class RawConfig(dg.Config):
    """`fetch`: get the newest file from the publisher first (needs the network)."""

    fetch: bool = False


def raw_assets(source: Source) -> dg.AssetsDefinition:
    """One multi-asset: takes the source's files from the inbox, ingests what is pending, reports every table."""
    specs = [
        dg.AssetSpec(
            key=["raw", table],
            group_name=source.group,
            partitions_def=PARTITIONS[source.period] if source.period else None,
            description=contracts.contract(table).description,
            kinds={"parquet", "polars"},
            metadata={"dagster/column_schema": _column_schema(contracts.contract(table))},
        )
        for table in source.tables
    ]

    @dg.multi_asset(
        name=f"raw_{source.slug}",
        specs=specs,
        backfill_policy=dg.BackfillPolicy.single_run() if source.period else None,
    )
    def ingest_source(
        context: dg.AssetExecutionContext,
        config: RawConfig,
        settings: dg.ResourceParam[Settings],
        reporter: dg.ResourceParam[Reporter],
    ) -> Iterator[dg.MaterializeResult]:
        if config.fetch:
            from pipelines import fetch

            fetch.fetch(source.slug, settings)
        asked = _partitions(context)
        receipts = ingest_pending(source, settings, reporter, asked)
        for table in source.tables:
            if source.period and asked is None:
                _tell_periods(context, source, table, receipts)
            yield dg.MaterializeResult(asset_key=["raw", table], metadata=_metadata(table, receipts, settings))

    return ingest_source


def ingest_pending(
    source: Source, settings: Settings, reporter: Reporter, partitions: set[str] | None
) -> list[Receipt]:
    """Land what waits in the inbox and ingest what is pending; receipts of the files worked on."""
    zones = Zones.of(settings)
    taken = list(intake.take_in(zones.landing, intake.waiting(zones.landing, settings.inbox, source.slug)))
    for item in taken:
        reporter.landed(item.card, item.is_new)
    jobs = ingest.pending(zones, source, partitions)
    done = []
    with reporter.task(f"{source.slug}: {source.title_es}", len(jobs)) as advance:
        for receipt in ingest.ingest_all(jobs, settings.workers):
            reporter.ingested(receipt)
            advance(1)
            done.append(receipt)
    return done


def _tell_periods(context: dg.AssetExecutionContext, source: Source, table: str, receipts: Sequence[Receipt]) -> None:
    """A run over all periods marks only those that had files, so that Dagster's calendar tells the truth."""
    assert source.period
    known = set(PARTITIONS[source.period].get_partition_keys())
    rows: dict[str, int] = {}
    for receipt in receipts:
        key = source.partition(receipt.period, receipt.source_as_of, receipt.landed_at)
        if receipt.status == "accepted" and key in known:
            rows[key] = rows.get(key, 0) + receipt.accepted.get(table, 0)
    for key in sorted(rows):
        context.log_event(
            dg.AssetMaterialization(dg.AssetKey(["raw", table]), partition=key, metadata={"rows_accepted": rows[key]})
        )


def _partitions(context: dg.AssetExecutionContext) -> set[str] | None:
    """Periods asked for. Files of a period that the calendar does not hold go with its newest partition."""
    if not context.has_partition_key_range and not context.has_partition_key:
        return None
    asked = set(context.partition_keys)
    definition = context.assets_def.partitions_def
    assert definition is not None
    if definition.get_last_partition_key() in asked:
        known = set(definition.get_partition_keys())
        settings: Settings = context.resources.settings
        from pipelines import landing

        slug = context.assets_def.op.name.removeprefix("raw_")
        asked |= {
            c.partition for c in landing.cards(settings.landing, slug) if c.partition and c.partition not in known
        }
    return asked


def _metadata(table: str, receipts: Sequence[Receipt], settings: Settings) -> dict[str, Any]:
    held = [r for r in lake.receipts(settings.lake) if r.status == "accepted" and r.accepted.get(table)]
    newest = max((r.source_as_of for r in held if r.source_as_of), default=None)
    return {
        "files_worked_on": len(receipts),
        "rows_accepted": sum(r.accepted.get(table, 0) for r in receipts),
        "rows_rejected": sum(r.rejected.get(table, 0) for r in receipts),
        "files_refused": sum(r.status == "refused" for r in receipts),
        "dagster/row_count": sum(r.accepted[table] for r in held),
        "source_as_of": newest or "no file yet",
        "lake": dg.MetadataValue.path(str(settings.lake / "raw" / table)),
    }


def _column_schema(table: TableContract) -> dg.TableSchema:
    columns = [
        dg.TableColumn(c.name, c.physical_type, c.description, tags={"classification": c.classification})
        for c in table.columns
    ]
    columns += [dg.TableColumn(name, spec[0], spec[1]) for name, spec in LINEAGE.items()]
    return dg.TableSchema(columns)


def raw_checks(source: Source) -> list[dg.AssetChecksDefinition]:
    """Blocking: the contract, by Great Expectations. Warnings: refused files, rejected rows, freshness."""
    checks = [_contract_check(contracts.contract(table)) for table in source.tables]
    return [*checks, _files_check(source), _freshness_check(source)]


def _contract_check(table: TableContract) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        name="contract", asset=dg.AssetKey(["raw", table.name]), blocking=True,
        description=f"{table.name} keeps its contract v{table.version} in every lake file (Great Expectations).",
    )  # fmt: skip
    def contract_check(
        settings: dg.ResourceParam[Settings], reporter: dg.ResourceParam[Reporter]
    ) -> dg.AssetCheckResult:
        receipts = lake.receipts(settings.lake)
        with reporter.task(f"{table.name}: contract", len(quality.pending(settings.lake, table, receipts))) as advance:
            results = []
            for result in quality.check_table(settings.lake, table, receipts):
                results.append(result)
                if not result.was_known:
                    advance(1)
        failures = [f for r in results for f in r.failures]
        reporter.checked(table.name, results)
        return dg.AssetCheckResult(
            passed=not failures,
            metadata={
                "files": len(results),
                "files_checked_now": sum(not r.was_known for r in results),
                "expectations": sum(r.expectations for r in results),
                "failures": dg.MetadataValue.md("\n".join(f"- {f}" for f in failures[:20]) or "none"),
            },
        )

    return contract_check


def _files_check(source: Source) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        name="files_accepted", asset=dg.AssetKey(["raw", source.tables[0]]),
        description="No file was refused, and rejected rows are shown with their reasons.",
    )  # fmt: skip
    def files_check(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
        receipts = [r for r in lake.receipts(settings.lake) if r.source == source.slug]
        refused = [r.message for r in receipts if r.status == "refused"]
        rejected = {f"{g.table}.{g.column} ({g.rule})": g.rows for r in receipts for g in r.rejections}
        return dg.AssetCheckResult(
            passed=not refused and not rejected,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "refused": dg.MetadataValue.md("\n".join(f"- {m}" for m in refused) or "none"),
                "rejected_rows": dg.MetadataValue.json(rejected),
            },
        )

    return files_check


def _freshness_check(source: Source) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        name="fresh", asset=dg.AssetKey(["raw", source.tables[0]]),
        description="The date that the source itself carries is within twice its expected cadence.",
    )  # fmt: skip
    def fresh_check(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
        newest, age, is_fresh = freshness(source, lake.receipts(settings.lake), dt.date.today())
        return dg.AssetCheckResult(
            passed=is_fresh is not False,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"source_as_of": str(newest), "age_days": age if age is not None else "unknown"},
        )

    return fresh_check
