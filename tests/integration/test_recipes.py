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


FIRST = {
    "es": PROJECT_ROOT / "docs" / "es" / "primeros_diez_minutos.md",
    "en": PROJECT_ROOT / "docs" / "en" / "first_ten_minutes.md",
}


def blocks(language: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.+?)^```$", FIRST[language].read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_first_ten_minutes_are_the_same_in_both_languages() -> None:
    for kind in ("sh", "sql", "python", "r"):
        assert blocks("es", kind) == blocks("en", kind)
        assert blocks("en", kind)


def test_the_first_ten_minutes_run(house: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch) -> None:
    (tmp_path / "data").symlink_to(house, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    for block in blocks("en", "python"):
        exec(compile(block, "first_ten_minutes", "exec"), {})
    shown = capsys.readouterr().out
    assert "OPERATOR" in shown
    assert "literal" not in shown
    with duckdb.connect("data/warehouse/antawasi.duckdb", read_only=True) as connection:
        for block in blocks("en", "sql"):
            for statement in block.strip().removesuffix(";").split(";\n"):
                told = connection.sql(statement).fetchall()
                assert told
                assert all(comment for _, comment in told), statement
