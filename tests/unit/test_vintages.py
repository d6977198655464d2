"""Which files moved between two releases, and which product's changes that explains."""

import datetime as dt

import polars as pl
import pytest

from pipelines import contracts
from pipelines.publish import changes, vintages

PRODUCTION = contracts.contract("pub_copper_production")


def held(*rows: tuple[str, bool, str, str | None, str]) -> pl.DataFrame:
    """Files: source, is_synthetic, name (for the hash), period, date."""
    return pl.DataFrame(
        [(*row[:4], dt.date.fromisoformat(row[4])) for row in rows], schema=vintages.FILES, orient="row"
    )


FIRST = held(
    ("minem_production", False, "a", "2023", "2023-12-31"),
    ("minem_production", False, "b", "2024", "2024-12-31"),
    ("ubigeo", False, "u", None, "2022-12-31"),
)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (("minem_production", False, "c", "2025", "2025-12-31"), "new"),
        (("minem_production", False, "c", "2023", "2023-12-31"), "revised"),
        (("minem_production", False, "c", "2021", "2021-12-31"), "late"),
        (("minem_production", False, "c", None, "2025-12-31"), "new"),
        (("ubigeo", False, "c", None, "2022-12-31"), "revised"),
    ],
)
def test_a_file_is_new_revised_or_late_beside_those_that_were_there(file, kind):
    (row,) = vintages.moves(FIRST, pl.concat([FIRST, held(file)])).to_dicts()
    assert row["source"] == file[0] and [name for name in vintages.KINDS if row[f"{name}_files"]] == [kind]


def test_what_no_longer_counts_is_withdrawn_and_what_stays_is_not_told():
    (row,) = vintages.moves(FIRST, FIRST.filter(pl.col("landing_sha256") != "b")).to_dicts()
    assert row["withdrawn_files"] == 1 and (row["as_of_before"], row["as_of_after"]) == (
        dt.date(2024, 12, 31),
        dt.date(2023, 12, 31),
    )
    assert vintages.moves(FIRST, FIRST.sort("landing_sha256", descending=True)).is_empty()


def test_a_reason_is_of_the_products_sources_and_of_the_kind_of_its_rows():
    both = held(("minem_production", True, "s", "2024", "2024-12-31"), ("reinfo", False, "r", None, "2026-01-31"))
    moved = vintages.moves(FIRST, pl.concat([FIRST, both]))
    rows = [
        (PRODUCTION.name, "added", f"month=2024-01-01,is_synthetic={mark}", None, None, None, None)
        for mark in ("true", "false")
    ]
    told = vintages.reasoned(PRODUCTION, pl.DataFrame(rows, schema=changes.CHANGE_SCHEMA, orient="row"), moved)
    assert told["reason"].to_list() == ["minem_production - > 2024-12-31: 1 new", vintages.OWN]
    assert vintages.reason(PRODUCTION, False, None) == vintages.NOT_RECORDED
