"""Every recipe of the analysts' page runs on the house of the sample, answers something, and says what is simulated."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from pipelines.settings import PROJECT_ROOT

PAGES = {"es": PROJECT_ROOT / "docs" / "es" / "recetas.md", "en": PROJECT_ROOT / "docs" / "en" / "recipes.md"}


def recipes(language: str) -> list[tuple[str, str]]:
    """Question and SQL of every recipe of a page, in its order."""
    page = PAGES[language].read_text(encoding="utf-8")
    return re.findall(r"^### (\d+\. .+?)$.*?^```sql\n(.+?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def analysts(house: Path):
    with duckdb.connect(str(house / "warehouse" / "antawasi.duckdb"), read_only=True) as connection:
        yield connection


def test_both_pages_ask_the_same_in_the_same_order() -> None:
    spanish, english = recipes("es"), recipes("en")
    assert [sql for _, sql in spanish] == [sql for _, sql in english]
    assert [int(title.split(".")[0]) for title, _ in spanish] == list(range(1, len(spanish) + 1))


@pytest.mark.parametrize(("question", "sql"), recipes("en"), ids=[title.split(".")[0] for title, _ in recipes("en")])
def test_the_recipe_answers(analysts: duckdb.DuckDBPyConnection, question: str, sql: str) -> None:
    answer = analysts.sql(sql)
    assert "is_synthetic" in answer.columns, f"{question} does not say what is simulated"
    assert answer.fetchall(), f"{question} answers nothing"
