"""`antawasi run` when nothing changed: what an hourly schedule pays. The first run, which does everything, stands beside it."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks._measure import Runs, measure, run_once
from benchmarks._results import Outcome, Target, show


def run(rounds: int) -> Outcome:
    """Build a house from the sample, then measure runs over it."""
    command = [sys.executable, "-m", "pipelines", "run", "--sample"]
    with tempfile.TemporaryDirectory(prefix="antawasi-bench-") as root:
        os.environ["ANTAWASI_HOME"] = str(Path(root) / "data")
        first = Runs((run_once(command),))
        figures = {"first run": first} | measure({"nothing changed": command}, rounds)
    return show(
        Outcome(
            "antawasi run on the sample",
            figures,
            [Target("CPU seconds when nothing changed", figures["nothing changed"].cpu_s, most=5)],
            baseline="nothing changed",
        )
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    sys.exit(0 if run(arguments.parse_args().rounds).kept else 1)


if __name__ == "__main__":
    main()
