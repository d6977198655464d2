"""What integration tests share: a small house, and the SQL of dbt models for tests that run it on data of their own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from pipelines import files
from pipelines.settings import SAMPLE_DIR
from tests.conftest import antawasi
from tests.dbt_runs import dbt


@pytest.fixture(scope="session")
def small_house(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A house of three sources, what a release needs, so that runs over it are short. Copy it before you change it."""
    root = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    home = root / "small"
    with files.lock(root / "small.lock", "The small house that tests share", wait_s=600):
        if not (home / "releases").exists():
            for slug in ("minem_production", "ubigeo", "worldbank_pinksheet"):
                shutil.copytree(SAMPLE_DIR / slug, root / "drop" / slug, dirs_exist_ok=True)
            antawasi("run", "--landing", str(root / "drop"), home=home)
    return home


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Iterable[str]], dict[str, str]]:
    """A function from models' names to their SQL as dbt compiles it for a database in memory, in the same order."""

    def compile_models(names: Iterable[str]) -> dict[str, str]:
        target, wanted = tmp_path_factory.mktemp("dbt"), list(names)
        dbt_compile(target, "--select", *wanted)
        found = {name: next((target / "compiled").rglob(f"{name}.sql")).read_text(encoding="utf-8") for name in wanted}
        return {name: _in_memory(sql) for name, sql in found.items()}

    return compile_models


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, str]], dict[str, str]]:
    """A function from names and expressions that call dbt macros to their SQL as dbt renders it."""

    def render(expressions: dict[str, str]) -> dict[str, str]:
        text = "\n".join(f"--@{name}\n{{{{ {expression} }}}}" for name, expression in expressions.items())
        told = dbt_compile(tmp_path_factory.mktemp("dbt"), "--inline", text).split("--@")[1:]
        return {name: sql.strip() for name, _, sql in (part.partition("\n") for part in told)}

    return render


def dbt_compile(target: Path, *arguments: str) -> str:
    """What `dbt compile` prints, for a database in memory."""
    return _in_memory(dbt("--quiet", "compile", "--no-introspect", *arguments, target=target))


def _in_memory(sql: str) -> str:
    """With relations of the database that DuckDB has when none is opened, in the place of dbt's."""
    return sql.replace('"build".', '"memory".')
