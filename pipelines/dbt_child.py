"""dbt as the house starts it: a process that ends with the one that started it.

Left alone after a run that was killed, dbt would open the build file under the next run. Installed as `antawasi-dbt`.
"""

from __future__ import annotations

import os
import threading
import time

#: How often it is looked whether the parent is still there. The next run takes longer to start.
_LOOK_S = 0.2


def main() -> None:
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    from dbt.cli.main import cli

    cli()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os._exit(1)
