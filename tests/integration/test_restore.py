"""The restore drill: everything but the backup is lost, and the house that comes back is the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from pipelines import files
from pipelines.settings import PROJECT_ROOT
from tests.conftest import antawasi

pytestmark = pytest.mark.long
DRILL = PROJECT_ROOT / "packaging" / "restore_drill.sh"


def drill(house: Path, data: Path, sealed: Path, new: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(DRILL), str(data), str(sealed), str(new)],
        env=os.environ
        | {
            "ANTAWASI": f"{sys.executable} -m pipelines", "ANTAWASI_HOME": str(house), "PYTHONPATH": str(PROJECT_ROOT),
            "ANTAWASI_COLUMN_LINEAGE": "false",
        },
        cwd=PROJECT_ROOT, capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def lost(small_house: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path, Path, str]:
    """(house, data, vault, new house, what the drill said) of a drill into a folder that knows nothing of the old one."""
    folder = tmp_path_factory.mktemp("drill")
    house = folder / "house"
    shutil.copytree(small_house, house, symlinks=True)
    antawasi("backup", str(folder / "disk"), str(folder / "safe"), home=house)
    done = drill(house, folder / "disk", folder / "safe", folder / "new")
    assert done.returncode == 0, done.stdout + done.stderr
    return house, folder / "disk", folder / "safe", folder / "new", done.stdout


def tables(home: Path) -> dict[str, list[tuple]]:
    """Every row of every table of the analysts' copy."""
    with duckdb.connect(str((home / "warehouse" / "antawasi.duckdb").resolve()), read_only=True) as connection:
        names = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal ORDER BY ALL"
        ).fetchall()
        return {f"{s}.{t}": connection.execute(f'FROM "{s}"."{t}" ORDER BY ALL').fetchall() for s, t in names}


def digests(home: Path) -> dict[str, str]:
    found = (p for zone in ("releases", "landing") for p in (home / zone).rglob("*"))
    return {str(p.relative_to(home)): files.sha256_file(p) for p in found if p.is_file() and p.name[0] != "."}


def test_the_drill_finds_the_same_house(lost):
    assert "The restored house is the same" in lost[4]


def test_every_table_has_the_same_rows_and_every_release_the_same_bytes(lost):
    house, _, _, new, _ = lost
    before, after = tables(house), tables(new)
    assert before == after and sum(map(len, before.values())) > 10_000
    listed = [digests(home) for home in (house, new)]
    assert listed[0] == listed[1]


def test_the_restored_house_works_on(lost):
    new = lost[3]
    assert "Nothing new" in antawasi("run", home=new).stdout
    assert antawasi("doctor", home=new).returncode == 0


@pytest.mark.faults  # another build of everything
def test_the_drill_fails_when_the_house_has_moved_on(lost, tmp_path: Path):
    house, disk, safe, _, _ = lost
    other = tmp_path / "house"
    shutil.copytree(house, other, symlinks=True)
    (other / "releases" / "latest").unlink()
    (other / "releases" / "latest").symlink_to("v1999.01.1")
    (other / "warehouse" / "antawasi.duckdb").unlink()
    (other / "warehouse" / "antawasi.duckdb").symlink_to("antawasi-other.duckdb")
    done = drill(other, disk, safe, tmp_path / "new")
    assert done.returncode == 1
    assert "warehouse: antawasi-other.duckdb in the house" in done.stdout and "release: v1999.01.1" in done.stdout
    assert "What to do" in done.stderr


def test_the_drill_fails_on_a_rotten_backup_before_it_restores_anything(lost, tmp_path: Path):
    house, disk, safe, _, _ = lost
    shutil.copytree(disk, tmp_path / "disk")
    rotten = next((tmp_path / "disk").glob("*/landing/*/*/*.csv"))
    rotten.chmod(0o644)
    rotten.write_text("x")
    done = drill(house, tmp_path / "disk", safe, tmp_path / "new")
    assert done.returncode != 0 and rotten.name in done.stdout + done.stderr and not (tmp_path / "new").exists()
