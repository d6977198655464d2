"""Jobs: one per source to ingest it, and one from the lake to a release."""

from __future__ import annotations

import dagster as dg

from pipelines.sources import Source, all_sources


def ingest_job_name(slug: str) -> str:
    return f"ingest_{slug}"


def ingest_jobs() -> list[dg.UnresolvedAssetJobDefinition]:
    """A job per source: its raw assets and their checks. Partitioned sources backfill over their own periods."""
    return [_ingest_job(source) for source in all_sources().values()]


def _ingest_job(source: Source) -> dg.UnresolvedAssetJobDefinition:
    keys = [dg.AssetKey(["raw", table]) for table in source.tables]
    return dg.define_asset_job(
        ingest_job_name(source.slug),
        selection=dg.AssetSelection.assets(*keys),
        description=f"Take in and check the files of {source.slug}.",
    )


def build_job() -> dg.UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        "build",
        selection=dg.AssetSelection.groups("warehouse"),
        description="dbt models, their tests, and the analysts' copy.",
    )


def publish_job() -> dg.UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        "publish",
        selection=dg.AssetSelection.groups("releases"),
        description="A release from the analysts' copy.",
    )


def build_and_publish_job() -> dg.UnresolvedAssetJobDefinition:
    return dg.define_asset_job(
        "build_and_publish",
        selection=dg.AssetSelection.groups("warehouse", "releases"),
        description="From the lake to a release.",
    )
