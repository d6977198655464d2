"""Whole-or-nothing writes and advisory locks: the two things every zone needs from the file system."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.errors import AntawasiError, Busy

TMP_PREFIX = ".tmp-"


def _prefix() -> str:
    """Temporary names carry the writer's process number, so that a sweep leaves living writers alone."""
    return f"{TMP_PREFIX}{os.getpid()}-"


def is_abandoned(leftover: Path) -> bool:
    """Whether the writer of a temporary file or folder is dead."""
    try:
        os.kill(int(leftover.name.split("-")[1]), 0)
    except (ProcessLookupError, ValueError, IndexError):
        return True
    except PermissionError:
        return False
    return False


#: How DuckDB, SQLite and the kernel tell a full disk or a file beyond the limit of the process.
_FULL = (
    "no space left on device",
    "disk quota exceeded",
    "file too large",
    "database or disk is full",
    "disk i/o error",
)


def is_full_disk(error: BaseException) -> bool:
    """Whether an error, of whichever library, says that the disk is full."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return any(told in str(error).lower() for told in _FULL)


@contextlib.contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn a full disk into a message that says what was being written and that nothing was lost."""
    try:
        yield
    except AntawasiError:
        raise
    except Exception as error:
        if is_full_disk(error):
            raise AntawasiError(
                f"No space left while writing {what}. The previous files are intact. "
                "What to do: free disk space and run the same command again; it continues where it stopped."
            ) from error
        raise


@contextlib.contextmanager
def atomic_path(target: Path, mode: int = 0o644) -> Iterator[Path]:
    """Yield a temporary path beside `target`; it becomes `target` only if the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=_prefix(), suffix=target.suffix, dir=target.parent)
    os.close(handle)
    tmp = Path(name)
    try:
        with disk_errors(str(target)):
            yield tmp
            replace(tmp, target, mode)
    except BaseException:
        tmp.unlink(missing_ok=True)
        raise


def replace(tmp: Path, target: Path, mode: int = 0o644) -> None:
    """Make `tmp` durable, then let it take the place of `target` in one step."""
    os.chmod(tmp, mode)
    with open(tmp, "rb") as handle:
        os.fsync(handle.fileno())
    os.replace(tmp, target)


@contextlib.contextmanager
def atomic_dir(target: Path) -> Iterator[Path]:
    """Yield a temporary directory; it becomes `target` only if the block ends well. `target` must not exist."""
    target.parent.mkdir(parents=True, exist_ok=True)
    tmp = Path(tempfile.mkdtemp(prefix=_prefix(), dir=target.parent))
    os.chmod(tmp, 0o755)
    try:
        with disk_errors(str(target)):
            yield tmp
            os.rename(tmp, target)
    except BaseException:
        shutil.rmtree(tmp, ignore_errors=True)
        raise


def close_to_others(folder: Path) -> None:
    """Make a folder that its owner alone may enter, whatever the umask; one that stands open is closed, and no more."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if is_open_to_others(folder):
        os.chmod(folder, folder.stat().st_mode & 0o700)


def is_open_to_others(folder: Path) -> bool:
    return bool(folder.stat().st_mode & 0o077)


def swap_symlink(link: Path, target_name: str) -> None:
    """Point `link` at `target_name` (a name in the same directory) in one step."""
    tmp = link.with_name(f"{_prefix()}{link.name}")
    tmp.unlink(missing_ok=True)
    tmp.symlink_to(target_name)
    os.replace(tmp, link)


def write_json(target: Path, value: Any, mode: int = 0o644) -> None:
    with atomic_path(target, mode) as tmp:
        tmp.write_text(json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file of ours; a damaged one is reported by name instead of a traceback."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AntawasiError(
            f"{path} is not valid JSON ({error}). What to do: restore it from a backup, "
            "or delete it if it stands in lake/ or warehouse/ and run again; those are rebuilt from landing."
        ) from error


def sha256_file(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sweep_temporaries(root: Path) -> int:
    """Remove what killed processes left half-written below `root`; returns how many files and folders."""
    swept = 0
    for leftover in list(root.rglob(f"{TMP_PREFIX}*")) if root.exists() else []:
        if not is_abandoned(leftover):
            continue
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
        swept += 1
    return swept


@contextlib.contextmanager
def lock(path: Path, what: str, wait_s: float = 0.0, shared: bool = False) -> Iterator[None]:
    """Hold an advisory lock. It is the kernel's: a killed holder releases it.

    A shared lock is held by any number of processes and keeps out those that want it for themselves alone.

    Raises:
        Busy: another process holds it and still did after `wait_s` seconds; the message names the process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as handle:
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                if time.monotonic() >= deadline:
                    handle.seek(0)
                    holder = handle.read().strip() or "another process"
                    raise Busy(
                        f"{what} is in use by {holder}. What to do: wait for it to end, "
                        "or run again with --wait SECONDS."
                    ) from None
                time.sleep(0.2)
        if shared:
            yield
            return
        handle.seek(0)
        handle.truncate()
        handle.write(f"process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S %z')}")
        handle.flush()
        try:
            yield
        finally:
            handle.seek(0)
            handle.truncate()
