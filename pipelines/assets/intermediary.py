"""Documents of the chain between pit and port."""

from pipelines.assets.raw import raw_assets, raw_checks
from pipelines.sources import all_sources

SOURCES = tuple(source for source in all_sources().values() if source.group == "intermediary")
ASSETS = [raw_assets(source) for source in SOURCES]
CHECKS = [check for source in SOURCES for check in raw_checks(source)]
