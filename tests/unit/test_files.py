import errno
import os
import subprocess
import sys
import textwrap

import pytest

from pipelines import files
from pipelines.errors import AntawasiError, Busy


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "x.json"
    files.write_json(target, 1)
    with pytest.raises(RuntimeError), files.atomic_path(target) as tmp:
        tmp.write_text("half")
        raise RuntimeError
    assert files.read_json(target) == 1 and list(tmp_path.iterdir()) == [target]


def test_a_full_disk_says_so_and_keeps_the_old_file(tmp_path):
    target = tmp_path / "x.json"
    files.write_json(target, 1)
    with pytest.raises(AntawasiError, match=r"No space left.*previous files are intact"), files.atomic_path(target):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert files.read_json(target) == 1


def test_a_really_full_device_is_told_too():
    with (
        pytest.raises(AntawasiError, match="No space left"),
        files.disk_errors("/dev/full"),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        full.write(b"x")


def test_damaged_json_names_the_file(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(AntawasiError, match=r"x\.json is not valid JSON"):
        files.read_json(tmp_path / "x.json")


def hold(path):
    program = f"""
        import sys
        from pathlib import Path
        from pipelines import files
        with files.lock(Path({str(path)!r}), "it"):
            print("held", flush=True)
            sys.stdin.read()
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    return holder


def test_a_held_lock_is_refused_by_name_and_free_after_a_kill(tmp_path):
    path = tmp_path / "run.lock"
    holder = hold(path)
    with pytest.raises(Busy, match=f"in use by process {holder.pid}.*--wait"), files.lock(path, "The house"):
        pass
    holder.kill()
    holder.wait()
    with files.lock(path, "The house"):
        assert f"process {os.getpid()}" in path.read_text()


def test_a_waiting_process_gets_the_lock_when_it_is_freed(tmp_path):
    path = tmp_path / "run.lock"
    holder = hold(path)
    holder.stdin.close()
    with files.lock(path, "The house", wait_s=30):
        pass
    holder.wait()


def test_a_shared_lock_is_held_by_many_and_keeps_out_who_wants_it_alone(tmp_path):
    path = tmp_path / "x.lock"
    with files.lock(path, "it", shared=True), files.lock(path, "it", shared=True):
        with pytest.raises(Busy), files.lock(path, "it"):
            pass
        assert path.read_text() == ""
    with files.lock(path, "it"), pytest.raises(Busy), files.lock(path, "it", shared=True):
        pass


def test_the_sweep_takes_leftovers_of_the_dead_and_spares_the_living(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / f".tmp-{dead.pid}-a.parquet").write_text("half")
    (tmp_path / f".tmp-{dead.pid}-b").mkdir()
    living = tmp_path / f".tmp-{os.getpid()}-c.parquet"
    living.write_text("writing")
    kept = tmp_path / "x.parquet"
    kept.write_text("whole")
    assert files.sweep_temporaries(tmp_path) == 2
    assert sorted(tmp_path.iterdir()) == sorted([living, kept])


def test_the_link_moves_in_one_step(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
        files.swap_symlink(tmp_path / "current", name)
        assert (tmp_path / "current").read_text() == name
