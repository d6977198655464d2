"""A process that has everything imported and starts `antawasi` in forks of itself, with a fault in them.

A run takes seconds to import what it uses; forked, it has it. Each run is a process of its own, in a session of
its own, with its own home, and dies or ends like one that a person started.

    python -m tests.faults.worker < requests (one JSON object a line) > answers (one JSON object a line)
"""

from __future__ import annotations

import ctypes
import dataclasses
import datetime as dt
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: dbt's whole project takes most of a run. Where only production files hold anything that is published, one more of
#: them changes these models and no other; the rest of the build file stays as the first, whole build left it.
SMALL_SELECTION = (
    "stg_minem_production__quantities", "int_production__quantities_standardised", "int_production__copper",
    "int_copper__views", "fct_metal_production", "mart_invisible_copper", "pub_copper_production",
    "int_places__names_distinct", "int_places__names_matched", "mart_place_match_rate",
)  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR
_CHANGES = ("os.rename", "os.remove", "os.symlink", "os.mkdir", "os.rmdir", "os.chmod")


@dataclasses.dataclass(frozen=True)
class Fault:
    """What befalls one run; the defaults are an undisturbed one.

    Attributes:
        zone: where the fault is counted: a folder of the house, or `dbt` for the start of dbt.
        step: before this change (1, 2, …) of the file system in `zone` the run is killed; 0 for never.
        delay_s: the kill comes this much later than that.
        with_dbt: dbt, which is a process of its own, is killed too, as by a power cut; else it finds out by itself.
        watch: what a reader finds is noted before every change (see `houses.look`).
        file_bytes: a file that grows beyond this meets a full disk (RLIMIT_FSIZE); 0 for no limit.
        clock_s: the clock is this far off, and jumps back and forth by the same while the run goes on.
        bound_by_modes: files' modes count although the run may be root's.
    """

    zone: str = ""
    step: int = 0
    delay_s: float = 0.0
    with_dbt: bool = False
    watch: bool = False
    file_bytes: int = 0
    clock_s: float = 0.0
    bound_by_modes: bool = False


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a run ended. `status` is the exit code, negative for the signal that killed it."""

    status: int
    output: str
    steps: dict[str, int]
    seen: list[Any]
    pid: int


def install(fault: Fault, home: Path, notes: Path, whole_project: bool) -> Callable[[], None]:
    """Prepare this process for its fault; returns what is to be called when the run ends by itself."""
    steps: dict[str, int] = {}
    seen: list[Any] = []
    root, within = str(home) + os.sep, threading.local()

    def die() -> None:
        if fault.with_dbt:
            os.killpg(0, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def kill_later() -> None:
        time.sleep(fault.delay_s)
        die()

    def count(zone: str) -> None:
        steps[zone] = steps.get(zone, 0) + 1
        if zone == fault.zone and steps[zone] == fault.step:
            if not fault.delay_s:
                die()
            threading.Thread(target=kill_later, daemon=True).start()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen" and "build" in arguments[1]:
            count("dbt")
        elif event in _CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES):
            target = next((str(a) for a in reversed(arguments[:2]) if str(a).startswith(root)), None)
            if target is None or getattr(within, "looking", False):
                return
            if fault.watch:
                within.looking = True
                seen.append(houses.look(home))
                within.looking = False
            count(target.removeprefix(root).partition(os.sep)[0])

    # Opened now: another user may not, and a full disk would have no room for them.
    record = os.open(notes, os.O_WRONLY | os.O_CREAT, 0o666)

    def note() -> None:
        within.looking = True
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        os.write(record, json.dumps({"steps": steps, "seen": seen}).encode())
        os.close(record)

    if not whole_project:
        _select_small()
    if fault.clock_s:
        _shift_clock(fault.clock_s)
    if fault.file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (fault.file_bytes, resource.RLIM_INFINITY))
    if fault.bound_by_modes:
        _drop_capabilities()
    sys.addaudithook(hook)
    return note


def _select_small() -> None:
    plain = subprocess.Popen.__init__

    def start(self, args, *rest, **named):
        if isinstance(args, list) and "build" in args and "fqn:*" in args:
            at = args.index("fqn:*")
            args = [*args[:at], *SMALL_SELECTION, *args[at + 1 :]]
        return plain(self, args, *rest, **named)

    subprocess.Popen.__init__ = start


def _drop_capabilities() -> None:
    """Root without its capabilities (nor those that a program that it starts would get) is its files' owner and no more."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    if libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _shift_clock(offset_s: float) -> None:
    """Let the clock that the house and Dagster read stand off by `offset_s`, right and wrong in turns."""
    from pipelines import landing

    plain, asked = time.time, [0]

    def shifted() -> float:
        asked[0] += 1
        return plain() + (offset_s if asked[0] % 2 else -offset_s)

    def now() -> str:
        moved = dt.datetime.fromtimestamp(plain() + offset_s, dt.UTC)
        return moved.replace(tzinfo=None).isoformat(timespec="microseconds")

    landing.now_utc = now
    time.time = shifted


def run(arguments: list[str], home: Path, fault: Fault, folder: Path, whole_project: bool) -> int:
    """Fork, run `antawasi`, and wait. The wait status as `waitstatus_to_exitcode` tells it."""
    told, notes = folder / "output.txt", folder / "notes.json"
    for path in (told, notes):
        path.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        sink = os.open(told, os.O_WRONLY | os.O_CREAT, 0o666)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        code = 70
        try:
            os.environ["ANTAWASI_HOME"] = str(home)
            sys.argv = ["antawasi", *arguments]
            note = install(fault, home, notes, whole_project)
            try:
                cli.main()
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
            note()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    print(json.dumps({"pid": pid}), flush=True)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        status = run(
            asked["arguments"],
            Path(asked["home"]),
            Fault(**asked["fault"]),
            Path(asked["folder"]),
            asked["whole_project"],
        )
        print(json.dumps({"status": status}), flush=True)


class Worker:
    """The other end: starts the process and asks it for runs, one at a time."""

    def __init__(self, folder: Path, whole_project: bool):
        self._folder, self._whole_project = folder, whole_project
        folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
            env=os.environ | {
                "ANTAWASI_COLUMN_LINEAGE": "false", "ANTAWASI_WORKERS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
        )  # fmt: skip

    def start(
        self, home: Path, fault: Fault = Fault(), arguments: tuple[str, ...] = ("run",), whole_project: bool = False
    ) -> int:
        """Begin a run; its process number. `end` waits for it."""
        asked = {
            "arguments": list(arguments), "home": str(home), "fault": dataclasses.asdict(fault),
            "folder": str(self._folder), "whole_project": whole_project or self._whole_project,
        }  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        self._pid = int(self._answer()["pid"])
        return self._pid

    def end(self) -> Ended:
        status = int(self._answer()["status"])
        notes = self._folder / "notes.json"
        told = json.loads(text) if (text := notes.read_text() if notes.exists() else "") else {"steps": {}, "seen": []}
        output = (self._folder / "output.txt").read_text(encoding="utf-8", errors="replace")
        return Ended(status, output, told["steps"], told["seen"], self._pid)

    def run(self, home: Path, fault: Fault = Fault(), whole_project: bool = False) -> Ended:
        self.start(home, fault, whole_project=whole_project)
        return self.end()

    def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the worker ended; its own message stands above")
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


if __name__ == "__main__":
    # All that a run imports on its way.
    import dagster_dbt  # noqa: F401
    import dbt.adapters.duckdb.connections  # noqa: F401
    import great_expectations  # noqa: F401

    import pipelines.definitions
    import pipelines.house
    import pipelines.publish.release
    import pipelines.quality
    import pipelines.summary  # noqa: F401
    from pipelines import cli
    from tests.faults import houses

    main()
