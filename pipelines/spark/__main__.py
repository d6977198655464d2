"""dbt with the house's way of writing for Spark: `python -m pipelines.spark build --target spark …`.

For clusters, where schema `raw` stands in a catalog already: by Thrift, or as the program of `spark-submit`.
`antawasi build --engine spark` does all by itself on one machine.
"""

from __future__ import annotations

import sys

from pipelines.settings import DBT_DIR
from pipelines.spark import build

build.require_spark()

from dbt.cli.main import cli  # noqa: E402

from pipelines.spark import plugin  # noqa: E402

plugin.install()
cli([*sys.argv[1:], "--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR)])
