"""Shared fixtures: zones in a temporary folder, and one whole house built once from the committed sample."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import files, landing
from pipelines.identity import Keyer
from pipelines.ingest import Zones, ingest_all, pending
from pipelines.lake import Receipt
from pipelines.settings import PROJECT_ROOT, SAMPLE_DIR, Settings
from pipelines.sources import Context, get_source
from tests.servers import Hook, MailServer, running

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.hookimpl(trylast=True)  # of what is run
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in another order: one that needs the house, then those that do not, which another process tests meanwhile."""
    housed = {item.path: False for item in items}
    for item in items:
        housed[item.path] |= "house" in getattr(item, "fixturenames", ())
    first = next((path for path, is_housed in housed.items() if is_housed), None)
    items.sort(key=lambda item: (item.path != first, housed[item.path]))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", workers=1, http_politeness_s=0)


@pytest.fixture
def zones(settings: Settings) -> Zones:
    return Zones.of(settings)


@pytest.fixture
def context() -> Context:
    return Context(keyer=Keyer(b"k" * 32), filename="test")


@pytest.fixture
def take(zones: Zones):
    """Land and ingest one file; its receipt."""

    def _take(slug: str, path: Path, *, as_of: str | None = None, period: str | None = None, **origin) -> Receipt:
        source = get_source(slug)
        stated = {"source_as_of": as_of} if as_of else {}
        card, _ = landing.land(zones.landing, source, path, period=period, origin=stated | origin)
        list(ingest_all(pending(zones, source)))
        from pipelines import lake

        receipt = lake.read_receipt(zones.lake, slug, card.sha256)
        assert receipt is not None
        return receipt

    return _take


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield from running(Hook())


@pytest.fixture
def mail() -> Iterator[MailServer]:
    yield from running(MailServer())


def break_file(path: Path, how: str) -> None:
    """Cut a file in the middle, flip one bit there, or take the file away: `how` is cut, flipped or gone."""
    data = path.read_bytes()
    at = len(data) // 2
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:at] if how == "cut" else data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def antawasi(*arguments: str, home: Path, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person would, with its data in `home`; without column lineage, which costs seconds a build."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", *arguments],
        cwd=PROJECT_ROOT,
        env=os.environ | {"ANTAWASI_HOME": str(home), "ANTAWASI_COLUMN_LINEAGE": "false"} | environment,
        capture_output=True,
        text=True,
    )
    if check and done.returncode != 0:
        raise AssertionError(
            f"antawasi {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
    return done


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The home of a house built from the sample with `antawasi run --sample`. Read it, do not change it.

    Test processes that run side by side share one; so do those that run one after the other with ANTAWASI_TEST_HOUSE, a
    folder.
    """
    own = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    root = Path(os.environ.get("ANTAWASI_TEST_HOUSE") or own)
    home = root / "house"
    with files.lock(root / "house.lock", "The house that tests share", wait_s=600):
        if not (home / "run.out").exists():
            done = antawasi("run", "--sample", home=home, ANTAWASI_COLUMN_LINEAGE="true")
            (home / "run.out").write_text(done.stdout, encoding="utf-8")
    return home


@pytest.fixture(scope="session")
def sample() -> Path:
    return SAMPLE_DIR


TODAY = dt.date(2026, 11, 23)
