"""Reference data: places, taxpayers."""

from pipelines.assets.raw import raw_assets, raw_checks
from pipelines.sources import get_source

SOURCES = (get_source("ubigeo"), get_source("sunat_ruc"))
ASSETS = [raw_assets(source) for source in SOURCES]
CHECKS = [check for source in SOURCES for check in raw_checks(source)]
