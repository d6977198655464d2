"""`make dev`: Dagster's pages and daemon on loopback, with the house's own instance."""

import os
import sys
from pathlib import Path

from pipelines.house import prepare_dagster_home
from pipelines.settings import PROJECT_ROOT, get_settings

if __name__ == "__main__":
    prepare_dagster_home(get_settings())
    os.chdir(PROJECT_ROOT)
    dagster = Path(sys.executable).with_name("dagster")
    os.execv(dagster, [str(dagster), "dev", "--host", "127.0.0.1", "--port", "3000", "--workspace", "workspace.yaml"])
