"""All benchmarks: `make bench` at reduced sizes, `make bench-full` at those that the promises name, kept in the docs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from benchmarks import (
    chain,
    disclosure,
    genealogy,
    ledger,
    new_month,
    registry_history,
    simulator,
    sunat_documents,
    sunat_ruc,
    unchanged_run,
)
from benchmarks._results import Outcome, record

_Benchmark = Callable[[], Outcome]
_REDUCED: dict[str, _Benchmark] = {
    "roll": lambda: sunat_ruc.run(lines=500_000, rounds=3),
    "documents": lambda: sunat_documents.run(documents=2_000, rounds=3),
    "simulator": lambda: simulator.run(lots=100_000, rounds=1),
    "registry": lambda: registry_history.run(rows=9_000, rounds=3),
    "genealogy": lambda: genealogy.run(lots=100_000, rounds=3),
    "ledger": lambda: ledger.run(lots=25_000, rounds=3),
    "unchanged": lambda: unchanged_run.run(rounds=3),
    "disclosure": lambda: disclosure.run(districts=100),
}
_FULL: dict[str, _Benchmark] = {
    "roll": lambda: sunat_ruc.run(lines=5_000_000, rounds=5),
    "documents": lambda: sunat_documents.run(documents=20_000, rounds=5),
    "documents-growth": lambda: sunat_documents.growth((10_000, 100_000, 400_000)),
    "simulator": lambda: simulator.run(lots=2_000_000, rounds=1),
    "registry": lambda: registry_history.run(rows=90_000, rounds=5),
    "registry-growth": lambda: registry_history.growth((1, 12, 36), rows=90_000),
    "genealogy-1-million": lambda: genealogy.run(lots=1_000_000, rounds=5),
    # pandas, SQLite and scipy at a million: they would take an hour more at ten
    "genealogy": lambda: genealogy.run(lots=10_000_000, rounds=5, others=("polars",)),
    "genealogy-growth": lambda: genealogy.growth((1_000_000, 3_000_000, 10_000_000), in_little_memory=50_000_000),
    "ledger": lambda: ledger.run(lots=200_000, rounds=5),
    # needs 85 GB of disk; frames would need more memory than a small machine has
    "ledger-10-million": lambda: ledger.run(lots=10_000_000, rounds=1, others=("by hand",)),
    "ledger-growth": lambda: ledger.growth((25_000, 100_000, 400_000), in_little_memory=2_000_000),
    "chain": lambda: chain.run(lots=50_000, rounds=5),
    "chain-growth": lambda: chain.growth((20_000, 60_000, 200_000)),
    "dagster": lambda: chain.run_sample(rounds=5),
    "unchanged": lambda: unchanged_run.run(rounds=5),
    "new-month": lambda: new_month.run(lots=20_000, rounds=1),
    "disclosure": lambda: disclosure.run(districts=1_000),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("only", nargs="*", help=f"some of them: {', '.join(_FULL)}; all by default")
    arguments.add_argument(
        "--full",
        action="store_true",
        help="the sizes of the promises (about four hours and 85 GB of disk), kept in docs/",
    )
    given = arguments.parse_args()
    chosen = _FULL if given.full else _REDUCED
    unknown = set(given.only) - set(chosen)
    if unknown:
        arguments.error(f"no such benchmark at this size: {', '.join(sorted(unknown))}; use {', '.join(chosen)}")
    kept = True
    for name, benchmark in chosen.items():
        if name in given.only or not given.only:
            outcome = benchmark()
            kept &= outcome.kept
            if given.full:  # one by one, so that an interrupted evening is not lost
                record(name, outcome)
    if not given.full:
        print(
            "Reduced sizes: starting the programs weighs more here than in the promises; `make bench-full` judges them."
        )
        return
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
