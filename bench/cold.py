"""What a fresh process costs: a peer's import and first call, and `callm --help`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

from bench import payload
from bench.environments import ROOT
from bench.peer import load
from bench.processes import PATIENCE, WorkerFailed, environment

if TYPE_CHECKING:
    from bench.environments import Installed

_SCRIPT: Final = """
import resource, sys, time
_modules, _start = len(sys.modules), time.perf_counter()
{imports}
_imported, _modules = time.perf_counter(), len(sys.modules) - _modules
{first_call}
_end, _used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
assert answer == {expected!r}, answer
with open("/proc/self/status") as _status:
    _peak = next(int(line.split()[1]) for line in _status if line.startswith("VmHWM"))
print('{{"import": %f, "total": %f, "modules": %d, "megabytes": %f, "cpu": %f}}' % (
    (_imported - _start) * 1e3, (_end - _start) * 1e3, _modules, _peak * 1024 / 1e6,
    (_used.ru_utime + _used.ru_stime) * 1e3))
"""


def cold_start(peer: str, installed: Installed, url: str, core: int | None) -> dict[str, float]:
    """Return milliseconds and megabytes of a process that imports the peer and makes its first call.

    Raises:
        WorkerFailed: it did not get the right answer.
    """
    module = load(peer)
    script = _SCRIPT.format(imports=module.IMPORT, first_call=module.FIRST_CALL, expected=payload.text())
    wall, said = _timed([str(installed.python), "-c", script, f"{url}/text"], core)
    facts: dict[str, float] = json.loads(said.splitlines()[-1])
    return {**facts, "process": wall}


def help_start(core: int | None) -> dict[str, float]:
    """Return the milliseconds of `callm --help`.

    Raises:
        WorkerFailed: the command failed.
    """
    wall, _ = _timed([str(Path(sys.executable).parent / "callm"), "--help"], core)
    return {"wall": wall}


def _timed(command: list[str], core: int | None) -> tuple[float, str]:
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})  # a child inherits it from its first instruction on
    started = perf_counter()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, env=environment(), timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WorkerFailed(str(error)[:200]) from error
    finally:
        os.sched_setaffinity(0, before)
    wall = (perf_counter() - started) * 1e3
    if done.returncode != 0:
        raise WorkerFailed((done.stderr.strip().splitlines() or ["failed without a word"])[-1][:200])
    return wall, done.stdout
