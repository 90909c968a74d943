"""The process that does one case with one peer: `python -m bench.worker CASE PEER URL --core 0 --seconds 0.3`.

1. It stays on one core, opens the peer's client, does the work once and checks what came.
2. It warms up, chooses how often to repeat the work so that a round lasts about `--seconds`, and prints `{"ready": ...}`.
3. For each line on standard input it does a round and prints what it cost as JSON: CPU by `getrusage`, user and system,
   of all threads of the process, from the first call's beginning to the last call's end.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from bench import payload
from bench.cases import CASES, Case, Entry
from bench.peer import Client, Streamed, load

WARM_UP: Final = 0.2
"""Seconds of work before anything is measured; at least one round for each task."""


class WrongAnswer(Exception):
    """A peer did not return what the mock server said."""


def check(case: Case, answer: object) -> None:
    """Compare `answer` with what the scenario says.

    Raises:
        WrongAnswer: they differ.
    """
    if isinstance(answer, Streamed):
        expected: object = len(payload.text(payload.STREAMS[case.scenario]))
        answer = expected if answer.characters is None else answer.characters
    elif case.kind == "typed":
        expected, answer = payload.order(), answer.model_dump(mode="json")  # type: ignore[attr-defined]  # an `Order`
    else:
        expected = payload.text()
    if answer != expected:
        raise WrongAnswer(f"expected {str(expected)[:80]!r}, got {str(answer)[:80]!r}")


def cpu() -> float:
    """Return the CPU seconds that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_memory() -> int:
    """Return the most bytes this process has had in memory."""
    # Not `ru_maxrss`: it begins with what the parent had when it started this process.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


class Work:
    """A case of a peer, ready to be repeated."""

    def __init__(self, case: Case, entry: Entry, url: str) -> None:
        """Open the client on a loop of its own."""
        self.case = case
        self._sync = entry.variant == "sync"
        self._loop = _new_loop(entry.variant)
        asyncio.set_event_loop(self._loop)
        self._client: Client = self._loop.run_until_complete(_open(entry, url))
        self._work: Callable[[], Any] = getattr(self._client, "sync_call" if self._sync else case.kind)
        self.last: Any = None

    def run(self, times: int) -> None:
        """Do the work `times` times, divided among the case's tasks."""
        if self._sync:
            for _ in range(times):
                self.last = self._work()
        else:
            self._loop.run_until_complete(self._run(times))

    async def _run(self, times: int) -> None:
        if self.case.concurrency == 1:
            await self._repeat(times)
        else:
            each = max(1, times // self.case.concurrency)
            await asyncio.gather(*(self._repeat(each) for _ in range(self.case.concurrency)))

    async def _repeat(self, times: int) -> None:
        work: Callable[[], Awaitable[Any]] = self._work
        for _ in range(times):
            self.last = await work()

    def close(self) -> None:
        """Close the client and its loop."""
        self._loop.run_until_complete(self._client.aclose())
        self._loop.close()


async def _open(entry: Entry, url: str) -> Client:
    return load(entry.peer).Client(url, entry.variant)


def _new_loop(variant: str) -> asyncio.AbstractEventLoop:
    if variant != "uvloop":
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415  # only for the entries that ask for it

    return uvloop.new_event_loop()


def calibrate(work: Work, seconds: float) -> int:
    """Warm up, and return how often to do the work so that it takes about `seconds`."""
    step = work.case.concurrency
    times, spent = 0, 0.0
    started = perf_counter()
    while perf_counter() - started < WARM_UP or times < 2 * step:
        before = perf_counter()
        work.run(step)
        spent = perf_counter() - before
        times += step
    return step * max(1, round(seconds / spent))


def measure(work: Work, times: int) -> dict[str, float]:
    """Do a round and return microseconds of CPU and of wall time for one unit of the work, and the peak memory."""
    gc.collect()
    units = times * payload.STREAMS.get(work.case.scenario, 1)
    cpu_before, wall_before = cpu(), perf_counter()
    work.run(times)
    wall, used = perf_counter() - wall_before, cpu() - cpu_before
    check(work.case, work.last)
    return {"cpu": used / units * 1e6, "wall": wall / units * 1e6, "memory": peak_memory()}


def main() -> None:
    """Run as described above."""
    parser = argparse.ArgumentParser()
    parser.add_argument("case")
    parser.add_argument("entry")
    parser.add_argument("url")
    parser.add_argument("--core", type=int)
    parser.add_argument("--seconds", type=float, default=0.3)
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    case = next(case for case in CASES if case.name == arguments.case)
    work = Work(case, Entry.parse(arguments.entry), f"{arguments.url}/{case.scenario}")
    work.run(1)
    check(case, work.last)
    pieces = work.last.pieces if isinstance(work.last, Streamed) else None
    times = calibrate(work, arguments.seconds)
    print(json.dumps({"ready": True, "times": times, "pieces": pieces}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(measure(work, times)), flush=True)
    work.close()


if __name__ == "__main__":
    main()
