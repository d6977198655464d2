"""What integration tests share: a small house, and the SQL of dbt models for tests that run it on data of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from pipelines import files
from pipelines.settings import DBT_DIR, SAMPLE_DIR
from tests.conftest import antawasi


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
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("dbt")), "--quiet", "compile", "--no-introspect", "--project-dir", str(DBT_DIR),
                "--profiles-dir", str(DBT_DIR), "--target-path", str(target), "--select", *wanted,
            ],
            env=os.environ | {"ANTAWASI_BUILD_DB": ":memory:"}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return {name: next((target / "compiled").rglob(f"{name}.sql")).read_text(encoding="utf-8") for name in wanted}

    return compile_models
