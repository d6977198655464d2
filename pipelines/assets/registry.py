"""The mining registry and the steps of formalization."""

from pipelines.assets.raw import raw_assets, raw_checks
from pipelines.sources import get_source

SOURCES = (get_source("reinfo"), get_source("partner_step_events"))
ASSETS = [raw_assets(source) for source in SOURCES]
CHECKS = [check for source in SOURCES for check in raw_checks(source)]
