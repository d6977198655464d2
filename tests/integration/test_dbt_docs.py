"""dbt's documentation for analysts: one file beside their copy, of a whole build, in no release."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines import dbt_docs
from pipelines.errors import AntawasiError
from pipelines.settings import Settings


@pytest.mark.long
def test_one_file_holds_every_model_with_its_sql_and_comment(house: Path) -> None:
    written = dbt_docs.write(Settings(home=house))
    assert written.parent == (house / "warehouse") and not list((house / "releases").rglob(dbt_docs.NAME))
    page = written.read_text(encoding="utf-8")
    margin = re.search(
        r'"model\.antawasi\.mart_value_chain_margin": (\{"database".*?"compiled_code": ".*?)"(?:, |\})', page
    )
    assert margin and "fct_lot_link_margin" in margin[1]
    assert "gross_margin_usd_per_t" in page and "Gross margin" in page
    assert not re.search(
        r'<(?:script|img|link|iframe)\b[^>]*(?:src|href)="?(?:https?:)?//', page
    )  # opens without a network
    assert '"send_anonymous_usage_stats": false' in page


def test_without_a_whole_build_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AntawasiError, match="antawasi build"):
        dbt_docs.write(Settings(home=tmp_path))
