"""The process that does one case with one peer: `python -m bench.worker CASE PEER URL --core 0 --seconds 0.3`.

1. It stays on one core, opens the peer's client, does the work once and checks what came.
2. It warms up, chooses how often to repeat the work so that a round lasts about `--seconds`, and prints `{"ready": ...}`.
   A text that takes long to read is not read twice for that: its first time is the first round.
3. For each line on standard input it does a round and prints what it cost as JSON: CPU by `getrusage`, user and system,
   of all threads of the process, from the first call's beginning to the last call's end.

Cases that need no server are in `bench/reading.py`.
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
from statistics import median
from time import perf_counter
from typing import Any, Final, TypeAlias

from bench import payload, texts
from bench.cases import CASES, LONG, OFFLINE, Case, Entry
from bench.peer import Client, Grown, Streamed, load
from bench.reading import Reading, WrongAnswer, open_reading
from bench.resilience import Stack, open_stack

WARM_UP: Final = 0.2
"""Seconds of work before anything is measured; at least one round for each task."""

TURNS: Final = 10
"""How often a stack and what is under it take turns in a round: what disturbs the machine is longer than one of them."""

SLOW: Final = 0.5
"""Seconds of a first time after which it is the first round: what a process does only once is little of it."""


def check(case: Case, answer: object) -> None:
    """Compare `answer` with what the scenario says.

    Raises:
        WrongAnswer: they differ.
    """
    if isinstance(answer, Grown):
        if not texts.matches(answer.value, texts.value(case.scenario)):
            raise WrongAnswer(f"the last value is not the order: {str(answer.value)[:80]!r}")
        return
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
        self.concurrency = case.concurrency
        self.units = texts.count(case.scenario) if case.kind == "partials" else payload.STREAMS.get(case.scenario, 1)
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

    @property
    def pieces(self) -> int | None:
        """How many pieces the last stream came in."""
        return self.last.pieces if isinstance(self.last, Streamed | Grown) else None

    def check(self) -> None:
        """Compare the last answer with what the scenario says.

        Raises:
            WrongAnswer: they differ.
        """
        check(self.case, self.last)

    def close(self) -> None:
        """Close the client and its loop."""
        self._loop.run_until_complete(self._client.aclose())
        self._loop.close()


Anything: TypeAlias = Work | Reading | Stack


async def _open(entry: Entry, url: str) -> Client:
    return load(entry.peer).Client(url, entry.variant)


def _new_loop(variant: str) -> asyncio.AbstractEventLoop:
    if variant != "uvloop":
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415  # only for the entries that ask for it

    return uvloop.new_event_loop()


def open_work(case: Case, entry: Entry, url: str, seconds: float) -> Anything:
    """Prepare a case of a peer: `url` is that of the mock server."""
    if case.kind in OFFLINE:
        return open_reading(case, entry, seconds)
    if case.kind == "resilience":
        return open_stack(entry.variant, url)
    return Work(case, entry, f"{url}/{case.scenario}")


def begin(work: Anything) -> tuple[dict[str, float], float]:
    """Do the work for the first time and check it; return what a round returns, and the seconds it took."""
    started = perf_counter()
    return measure(work, 1), perf_counter() - started


def calibrate(work: Anything, seconds: float) -> int:
    """Warm up, and return how often to do the work so that it takes about `seconds`."""
    step = work.concurrency
    times, spent = 0, 0.0
    started = perf_counter()
    while perf_counter() - started < WARM_UP or times < 2 * step:
        before = perf_counter()
        work.run(step)
        spent = perf_counter() - before
        times += step
    return step * max(1, round(seconds / spent))


def measure(work: Anything, times: int) -> dict[str, float]:
    """Do a round and return microseconds of CPU and of wall time for one unit of the work, and the peak memory."""
    gc.collect()
    units = times * work.units
    cpu_before, wall_before = cpu(), perf_counter()
    work.run(times)
    wall, used = perf_counter() - wall_before, cpu() - cpu_before
    work.check()
    facts = {"cpu": used / units * 1e6, "wall": wall / units * 1e6, "memory": peak_memory(), "units": work.units}
    half: Anything | None = getattr(work, "half", None)
    if half is not None:
        facts["half"] = measure(half, times)["cpu"]
    if isinstance(work, Stack) and work.bare is not None:
        facts["over"] = _over(work, work.bare, times)
    return facts


def _over(stack: Stack, bare: Stack, times: int) -> float:
    """Return how many microseconds a unit costs more than with `bare`: the median over short turns of both, one after the other."""
    each = max(1, times // TURNS)
    differences: list[float] = []
    for _ in range(TURNS):
        before = cpu()
        stack.run(each)
        between = cpu()
        bare.run(each)
        differences.append((2 * between - before - cpu()) / (each * stack.units) * 1e6)
    bare.check()
    return median(differences)


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
    work = open_work(case, Entry.parse(arguments.entry), arguments.url, arguments.seconds)
    first, spent = begin(work)
    is_round = spent > SLOW and case.kind in LONG
    times = 1 if is_round else calibrate(work, arguments.seconds)
    done = {"first": first if is_round else None, "spent": spent if is_round else 0.0}
    print(json.dumps({"ready": True, "times": times, "pieces": work.pieces, **done}), flush=True)
    for _ in sys.stdin:
        print(json.dumps(measure(work, times)), flush=True)
    work.close()


if __name__ == "__main__":
    main()
