"""The release: published tables past the disclosure gate, into an immutable folder."""

import datetime as dt

import dagster as dg

from pipelines.assets.warehouse import ANALYSTS_COPY, POOL
from pipelines.reporting import Reporter
from pipelines.settings import Settings


class ReleaseConfig(dg.Config):
    """`as_of`: the release's date (YYYY-MM-DD); the newest date that a published source carries by default."""

    as_of: str | None = None


@dg.asset(
    key=["releases", "release"],
    group_name="releases",
    deps=[ANALYSTS_COPY],
    pool=POOL,
    description="Published extracts and site.",
)
def release(
    config: ReleaseConfig, settings: dg.ResourceParam[Settings], reporter: dg.ResourceParam[Reporter]
) -> dg.MaterializeResult:
    from pipelines.publish.release import publish

    reporter.step("release")
    as_of = dt.date.fromisoformat(config.as_of) if config.as_of else None
    done = publish(settings, as_of, lambda product: reporter.step(f"release: cells of {product}"))
    return dg.MaterializeResult(
        metadata={
            "version": done.version,
            "is_new": done.is_new,
            "folder": dg.MetadataValue.path(str(done.path)),
            **done.rows,
        }
    )
