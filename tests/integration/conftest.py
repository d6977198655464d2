"""The SQL of dbt models, for tests that run it on data of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from pipelines.settings import DBT_DIR


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
