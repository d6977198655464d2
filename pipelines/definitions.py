"""The whole house on one page: `build_defs(**overrides)` for tests and tools, `defs` for Dagster."""

from __future__ import annotations

from typing import Any

import dagster as dg

from pipelines import contracts, jobs, schedules, sensors
from pipelines.assets import intermediary, pricing, production, reference, registry, releases, warehouse
from pipelines.reporting import Reporter
from pipelines.settings import Settings, get_settings


def build_defs(settings: Settings | None = None, **overrides: Any) -> dg.Definitions:
    """All assets, checks, jobs, schedules and sensors.

    Args:
        settings: where the house stands; from the environment by default.
        overrides: resources by name (`reporter`, `dbt`), in place of the default ones.
    """
    settings = settings or get_settings()
    groups = (registry, production, pricing, intermediary, reference)
    models = warehouse.dbt_models(warehouse.prepared_manifest(settings))
    ingest_jobs = jobs.ingest_jobs()
    published = [c for c in contracts.all_contracts().values() if c.layer == "published" and c.disclosed_from is None]
    return dg.Definitions(
        assets=[
            *(asset for group in groups for asset in group.ASSETS),
            dg.AssetSpec(
                ["raw", "lake_files"], group_name="warehouse", description="The lake files that a build reads."
            ),
            models,
            _after(warehouse.analysts_copy, models),
            releases.release,
        ],
        asset_checks=[
            *(check for group in groups for check in group.CHECKS),
            *(warehouse.published_check(models, table) for table in published),
        ],
        jobs=[*ingest_jobs, jobs.build_job(), jobs.publish_job(), jobs.build_and_publish_job()],
        schedules=schedules.schedules(settings),
        sensors=sensors.sensors(settings, ingest_jobs),
        resources={"settings": settings, "reporter": Reporter(), "dbt": warehouse.dbt_resource(), **overrides},
    )


def _after(asset: dg.AssetsDefinition, models: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """The analysts' copy comes after every model: its upstream keys are known only once the manifest is read."""
    return asset.map_asset_specs(lambda spec: spec.merge_attributes(deps=list(models.keys)))


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads (workspace.yaml); made only when it asks, so importing this module costs nothing."""
    return build_defs()
