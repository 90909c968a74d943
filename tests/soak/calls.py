"""So many calls through everything callm has, one in ten with a fault, one in twenty cancelled: nothing may grow.

python -m tests.soak.calls 400000

It runs itself again with one allocator for everything, the C library's, that keeps nothing of what was given back. Python's own
never gives back a page of which a byte is in use, so memory shows the most that was ever held in one moment: it stands still for
100,000 calls and then takes a step of 100 KB, while what is in use is the same all the time. The same goes for glibc's caches and
for its arenas of each thread: with them the process grows by 10 KB for each 1,000 calls in the first 50,000, and ever less behind.

Where the C library is glibc, what is in use is looked at too. It wanders with the idle connections, each of which holds 14 KB.
"""

import asyncio
import ctypes
import gc
import os
import random
import resource
import statistics
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from callm.client import Client
from callm.errors import CallmError
from callm.io.stores import MemoryStore
from callm.policy import window
from callm.types import Message, Request
from tests.soak.server import ServerProcess
from tests.soak.stack import full_stack, held

WORKERS = 32
THREADS = 2
EVERY = 2000  # calls, and then a look
WARM = 0.3  # the part of the calls in which what is kept on purpose fills up
KEPT = 500  # answers in the cache
MINUTE = 2.0  # seconds that the rate limiter remembers: its log is as long as calls are many, which would hide the rest
ALLOCATOR = {
    "PYTHONMALLOC": "malloc",
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0:glibc.malloc.arena_max=1",
}
MOST_SLOPE = 1024.0  # bytes of memory for each thousand calls


class _Malloc(ctypes.Structure):
    """What glibc's `mallinfo2` returns."""

    _names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = tuple((name, ctypes.c_size_t) for name in _names.split())


class Sample:
    """What the process holds in one moment."""

    __slots__ = ("calls", "descriptors", "rss", "seconds", "threads", "used")  # small: they are held, too

    def __init__(self, calls: int, seconds: float) -> None:
        gc.collect()
        _trim()
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
        self.rss = int(pages) * resource.getpagesize()
        self.calls = calls
        self.seconds = seconds
        self.descriptors = sum(1 for _ in Path("/proc/self/fd").iterdir())
        self.threads = threading.active_count()
        self.used = _in_use()

    def __str__(self) -> str:
        return (
            f"{self.seconds:6.0f} s {self.calls:8} calls  {self.rss / 2**20:7.2f} MiB, {self.used / 2**20:7.2f} in use  "
            f"{self.descriptors:4} descriptors  {self.threads:3} threads"
        )


def _keep_nothing() -> None:
    """Begin again with an allocator that keeps nothing in reserve, if this is not that yet."""
    if "SOAK_AGAIN" not in os.environ:
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **ALLOCATOR, "SOAK_AGAIN": "yes"})


def _trim() -> None:
    """Have the allocator return what is free: memory that is held is to be measured, not how it is kept in reserve."""
    with suppress(AttributeError, OSError):  # not this C library
        ctypes.CDLL(None).malloc_trim(0)


def _in_use() -> int:
    """Return the bytes that are allocated, by Python and by C; 0 where the C library does not tell."""
    try:
        tell = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return 0
    tell.restype = _Malloc
    told = tell()
    return int(told.uordblks + told.hblkhd)


class Soak:
    """The calls of one run."""

    def __init__(self, client: Client, total: int) -> None:
        self._client = client
        self._left = total
        self._now = 0
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._dice = [random.Random() for _ in range(WORKERS + THREADS)]  # made once: they are large
        self.done = 0
        self.outcomes = Counter[str]()
        self.samples: list[Sample] = []

    def run(self) -> None:
        """Make all of the calls, so many at a time, and look at what is held when none is under way."""
        with asyncio.Runner() as runner, ThreadPoolExecutor(THREADS) as pool:
            while self._left:
                self._round(runner, pool)
                self.samples.append(Sample(self.done, time.monotonic() - self._began))
                print(self.samples[-1], flush=True)

    def _round(self, runner: asyncio.Runner, pool: ThreadPoolExecutor) -> None:
        """Make calls from async workers, and from threads."""
        self._now = min(EVERY, self._left)
        threads = [pool.submit(self._sync, dice) for dice in self._dice[WORKERS:]]
        runner.run(self._async())
        for thread in threads:
            thread.result()
        left = held(self._client)
        assert not left, left

    def _next(self) -> int | None:
        with self._lock:
            if not self._now:
                return None
            self._now -= 1
            self._left -= 1
            return self._left

    def _end(self, outcome: str) -> None:
        with self._lock:
            self.done += 1
            self.outcomes[outcome] += 1

    @staticmethod
    def _request(number: int) -> Request:
        return Request((Message.user(f"again {number % 50}" if number % 10 == 0 else f"call {number}"),))

    async def _async(self) -> None:
        await asyncio.gather(*(self._worker(dice) for dice in self._dice[:WORKERS]))
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    async def _worker(self, dice: random.Random) -> None:
        while (number := self._next()) is not None:
            one = self._call if dice.random() < 0.5 else self._stream
            task = asyncio.ensure_future(one(self._request(number), dice))
            if dice.random() < 0.05:
                await asyncio.sleep(dice.random() * 0.02)
                task.cancel()
                if dice.random() < 0.3:
                    await asyncio.sleep(0)
                    task.cancel()
            try:
                self._end(await task)
            except CallmError as error:
                self._end(error.kind)
            except asyncio.CancelledError:
                self._end("cancelled")

    async def _call(self, request: Request, dice: random.Random) -> str:
        response = await self._client.call(request)
        return "cached" if response.cached else "ok"

    async def _stream(self, request: Request, dice: random.Random) -> str:
        leaves = dice.random() < 0.05
        async with self._client.stream(request) as events:
            async for _ in events:
                if leaves and dice.random() < 0.3:
                    return "left"
        return "ok"

    def _sync(self, dice: random.Random) -> None:
        while (number := self._next()) is not None:
            outcome = "ok"
            try:
                if dice.random() < 0.5:
                    self._client.call(self._request(number)).result()
                else:
                    with self._client.stream(self._request(number)) as events:
                        for _ in events:
                            if dice.random() < 0.01:
                                outcome = "left"
                                break
            except CallmError as error:
                outcome = error.kind
            self._end(outcome)


def slope(samples: list[Sample], what: str) -> float:
    """Return by how many bytes `what` grew for each thousand calls."""
    return statistics.linear_regression(
        [sample.calls / 1000 for sample in samples], [getattr(sample, what) for sample in samples]
    ).slope


def report(soak: Soak) -> list[str]:
    """Print what was measured, and return what is wrong with it."""
    warm = soak.samples[int(len(soak.samples) * WARM) :]
    assert len(warm) > 1, f"make more than {2 * EVERY} calls"
    grown = {"memory": slope(warm, "rss"), "what is in use": slope(warm, "used")}
    descriptors = [sample.descriptors for sample in warm]
    threads = {sample.threads for sample in warm}
    print(dict(soak.outcomes.most_common()))
    print(f"after warm-up, {len(warm)} samples, for each 1,000 calls:")
    print(", ".join(f"{what} grows by {much:.0f} bytes" for what, much in grown.items()))
    print(f"descriptors {min(descriptors)} to {max(descriptors)}, threads {sorted(threads)}")
    half = len(warm) // 2
    wrong = [
        f"{what} grows by {much:.0f} bytes for each 1,000 calls" for what, much in grown.items() if much > MOST_SLOPE
    ]
    if statistics.fmean(descriptors[half:]) > statistics.fmean(descriptors[:half]) + 4:
        wrong.append("descriptors grow")
    if len(threads) > 1:
        wrong.append(f"threads are not flat: {threads}")
    return wrong


def main(total: int) -> int:
    os.environ["SOAK_KEY"] = "sk-soak"
    vars(window)["SPAN"] = MINUTE
    began = Sample(0, 0.0)
    with ServerProcess() as server:
        server.tell("mix")
        with full_stack(server.url) as client:
            client._builder = replace(client._builder, store=lambda _: MemoryStore(max_entries=KEPT))
            soak = Soak(client, total)
            soak.run()
            wrong = report(soak)
            left = held(client)
        print(f"{server.tell('good')} requests")
    if left:
        wrong.append(f"held at the end: {left}")
    ended = Sample(soak.done, 0.0)
    print(f"before {began}\nafter  {ended}")
    for line in wrong:
        print("WRONG:", line)
    return len(wrong)


if __name__ == "__main__":
    _keep_nothing()
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 400_000))
