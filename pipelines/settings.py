"""Where the house stands and how it runs: read once from the environment (`ANTAWASI_*`)."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipelines.errors import AntawasiError

PROJECT_ROOT = Path(__file__).resolve().parents[1]
DBT_DIR = PROJECT_ROOT / "dbt_project"
SAMPLE_DIR = PROJECT_ROOT / "sample"


#: A size of memory: number, unit.
SIZE = re.compile(r"([1-9][0-9]*(?:\.[0-9]+)?) ?([KMGT]i?B)")


def size(told: str) -> str:
    """A size as DuckDB reads it.

    Raises:
        ValueError: `told` is none; what is expected.
    """
    if not SIZE.fullmatch(told):
        raise ValueError(f"{told!r} is no size. What to do: give a number and its unit, such as 2GB or 500MB.")
    return told


class Settings(BaseSettings):
    """All settings. Paths of the zones follow from `home`.

    `schedules` lists the schedules that this environment opts into; `webhook_url` and the `smtp_*` fields switch the failure notice on.
    """

    model_config = SettingsConfigDict(env_prefix="ANTAWASI_", extra="forbid", frozen=True)

    home: Path = PROJECT_ROOT / "data"
    workers: int = Field(default=2, ge=1, le=64, description="processes that parse files side by side")
    schedules: tuple[str, ...] = Field(default=(), description="schedules switched on here, by name")
    webhook_url: str | None = None
    smtp_host: str | None = None
    smtp_port: int = 25
    smtp_from: str = "antawasi@localhost"
    smtp_to: tuple[str, ...] = ()
    http_politeness_s: float = Field(default=1.0, ge=0, description="pause between two requests to one publisher")
    analysts_copies_kept: int = Field(default=2, ge=1)
    memory_limit: Annotated[str, AfterValidator(size)] | None = Field(
        default=None, description="what DuckDB may take, such as 2GB; the rest goes to disk"
    )
    column_lineage: bool = Field(
        default=True, description="columns and their lineage on Dagster's pages; seconds a build"
    )

    @property
    def inbox(self) -> Path:
        return self.home / "inbox"

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def vault(self) -> Path:
        return self.home / "vault"

    @property
    def lake(self) -> Path:
        return self.home / "lake"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse"

    @property
    def releases(self) -> Path:
        return self.home / "releases"

    @property
    def ledger(self) -> Path:
        """What each release hid and what it was made of: for the pipeline alone, as the vault."""
        return self.home / "ledger"

    @property
    def reports(self) -> Path:
        return self.home / "reports"

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"

    @property
    def closed(self) -> tuple[Path, ...]:
        """Zones that hold identities, or tell of persons what no release may: the pipeline's own user alone enters them."""
        inner = (self.landing, self.lake, self.vault, self.ledger, self.dagster_home)
        return (*inner, *(self.home / name for name in ("logs", "simulated")))

    @property
    def swept(self) -> tuple[Path, ...]:
        """Zones in which a killed run may leave something half-written."""
        return (*self.closed, self.warehouse, self.releases, self.reports)

    @property
    def build_db(self) -> Path:
        return self.warehouse / "build.duckdb"

    @property
    def analysts_db(self) -> Path:
        return self.warehouse / "antawasi.duckdb"


@functools.lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings; an invalid environment is reported with the variable's name."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"ANTAWASI_{'_'.join(map(str, e['loc'])).upper()}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        ]
        raise AntawasiError("The environment's settings are not valid. " + "; ".join(lines)) from None
