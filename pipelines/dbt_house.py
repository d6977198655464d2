"""Which file dbt builds in, told as dbt-duckdb connects: a plugin of it, named in dbt_project/profiles.yml.

The profile itself does not name the file. dbt parses the whole project anew, six seconds, for a profile that is not the last
one's, and every house has a file of its own.
"""

from __future__ import annotations

import os
from typing import Any

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin

from pipelines.memory import limits


class Plugin(BasePlugin):
    """Attaches the file that ANTAWASI_BUILD_DB names, or one in memory."""

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        build_db = os.environ.get("ANTAWASI_BUILD_DB", ":memory:")
        for attachment in creds.attach or []:
            attachment.path = build_db
        # What does not fit into memory is put beside the build file, not in the folder that dbt was started from.
        config["temp_directory"] = f"{build_db}.tmp"
        config.update(limits())
