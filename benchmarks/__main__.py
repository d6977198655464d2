"""All benchmarks, one table each: `make bench` at reduced sizes, `make bench-full` at those that the promises name."""

from __future__ import annotations

import argparse
import sys

from benchmarks import disclosure, registry_history, simulator, sunat_documents, sunat_ruc, unchanged_run


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--full",
        action="store_true",
        help="5 million lines, 20,000 documents, 2 million lots, 36 files of 90,000 registrations, 1,000 districts; about 45 minutes",
    )
    full = arguments.parse_args().full
    kept = [
        sunat_ruc.run(lines=5_000_000 if full else 500_000, rounds=3),
        sunat_documents.run(documents=20_000 if full else 2_000, rounds=3),
        simulator.run(lots=2_000_000 if full else 100_000, rounds=1),
        registry_history.run(rows=90_000 if full else 9_000, rounds=3),
        unchanged_run.run(rounds=3),
        disclosure.run(districts=1_000 if full else 100),
    ]
    if not full:
        print(
            "Reduced sizes: starting the programs weighs more here than in the promises; `make bench-full` judges them."
        )
        return
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
