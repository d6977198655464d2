"""The dbt that a run starts ends with the run, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from pipelines.assets import warehouse

CHILD = """
import sys, time, types
stub = types.ModuleType("dbt.cli.main")
stub.cli = lambda: (print("up", flush=True), time.sleep(120))
sys.modules["dbt.cli.main"] = stub
from pipelines import dbt_child
dbt_child.main()
"""
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline(), flush=True)
child.wait()
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_of_a_run_that_is_killed_no_dbt_is_left():
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid, up = parent.stdout.readline().split()
    assert up == "up" and is_alive(int(pid))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    for _ in range(300):
        if not is_alive(int(pid)):
            break
        time.sleep(0.1)
    else:
        os.kill(int(pid), signal.SIGKILL)
        raise AssertionError("dbt outlived its run")


def test_a_failure_of_no_model_says_where_to_look(tmp_path):
    results = tmp_path / "run_results.json"
    log = str(tmp_path / "dbt.log")
    assert "before it ran anything" in warehouse.failure(results) and log in warehouse.failure(results)
    results.write_text('{"results": [{"unique_id": "model.antawasi.dim_lot", "status": "success", "message": "OK"}]}')
    assert "at none of its models" in warehouse.failure(results) and log in warehouse.failure(results)
