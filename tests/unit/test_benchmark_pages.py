"""The pages of the measurements say what docs/benchmarks.json holds, and why what is missed is missed."""

from __future__ import annotations

import json

import pytest

from benchmarks._results import CAUSES, DOCS, missed, pages

HELD = json.loads((DOCS / "benchmarks.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", ["en/benchmarks.md", "es/mediciones.md"])
def test_a_page_is_written_from_the_figures(page):
    assert (DOCS / page).read_text(encoding="utf-8") == pages(HELD)[page]


def test_every_missed_promise_has_a_cause_and_no_other_has_one():
    assert set(missed(HELD)) == set(CAUSES)


def test_a_verdict_follows_from_its_number():
    for outcome in HELD.values():
        for promise in outcome["promises"]:
            bound, wanted = promise["wanted"].split()
            is_kept = promise["reached"] <= float(wanted) if bound == "<=" else promise["reached"] >= float(wanted)
            assert promise["kept"] == is_kept, (outcome["title"], promise)
