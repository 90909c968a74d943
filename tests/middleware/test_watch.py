"""A clock that ends a wait, on a loop whose clock jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import CallTimeout
from callm.middleware.watch import NEVER, Watch
from tests.support import run_jumping


class In(Watch):
    """Rings in so many seconds."""

    def __init__(self, seconds: float, name: str = "late") -> None:
        super().__init__()
        self._name = name
        self._moment = self.loop.time() + seconds
        self.expect(seconds)

    def left(self, now: float) -> float:
        return self._moment - now

    def late(self) -> CallTimeout:
        return CallTimeout(self._name)


async def wait(watch: Watch, seconds: float) -> None:
    await heard(watch, asyncio.sleep(seconds))


async def heard(watch: Watch, work: Awaitable[None]) -> None:
    watch.begin()
    try:
        await work
    except asyncio.CancelledError as cancelled:
        watch.translate(cancelled)
        raise
    watch.waiting = False


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.5, 1.999, 2.0, 2.5, 5.0, 60.0, 3600.5])
def test_a_wait_beyond_the_moment_ends_in_the_error_and_the_task_is_not_left_cancelled(seconds: float) -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        began, watch = loop.time(), In(seconds)
        with pytest.raises(CallTimeout):
            await wait(watch, seconds + 10)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        return loop.time() - began

    assert run_jumping(main()) == pytest.approx(seconds, abs=1e-6)


def test_nothing_is_cancelled_between_two_waits_but_the_next_one_does_not_begin() -> None:
    async def main() -> None:
        watch = In(5)
        await wait(watch, 1)
        await asyncio.sleep(10)
        with pytest.raises(CallTimeout):
            watch.begin()

    run_jumping(main())


def test_the_first_reason_to_interrupt_counts() -> None:
    async def main() -> None:
        watch = In(NEVER)
        watch.interrupt(CallTimeout("first"))
        watch.interrupt(CallTimeout("second"))
        with pytest.raises(CallTimeout, match="first"):
            watch.begin()

    run_jumping(main())


def test_a_cancellation_from_outside_passes_through() -> None:
    async def main() -> None:
        task = asyncio.ensure_future(wait(In(5), 3))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_jumping(main())


def test_a_cancellation_from_outside_together_with_ours_stays_a_cancellation() -> None:
    async def main() -> None:
        watch = In(NEVER)
        task = asyncio.ensure_future(wait(watch, 3))
        await asyncio.sleep(1)
        watch.interrupt(watch.late())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_jumping(main())


@pytest.mark.parametrize("first", ["outer", "inner"])
def test_of_two_clocks_that_ring_in_the_same_moment_the_outer_is_heard_and_no_cancellation_is_left(first: str) -> None:
    async def main() -> int:
        clocks = [In(1, name) for name in ("outer", "inner")[:: 1 if first == "outer" else -1]]
        outer, inner = clocks if first == "outer" else clocks[::-1]
        task = asyncio.current_task()
        assert task is not None
        outer.begin()
        try:
            with pytest.raises(CallTimeout, match="outer"):
                await heard(outer, wait(inner, 10))
        finally:
            inner.close()
            outer.close()
        return task.cancelling()

    assert run_jumping(main()) == 0


def test_a_clock_takes_its_cancellation_back_when_the_wait_ends_with_another_error() -> None:
    async def main() -> int:
        watch, task = In(1), asyncio.current_task()
        assert task is not None
        watch.begin()
        try:
            with pytest.raises(OSError, match="model"):
                await failing()
        finally:
            watch.close()
        return task.cancelling()

    async def failing() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            raise OSError("model") from None

    assert run_jumping(main()) == 0


@pytest.mark.parametrize("before", [True, False])
def test_a_cancellation_from_outside_in_the_same_moment_passes_through(before: bool) -> None:
    async def main() -> int:
        watch = In(1)
        task = asyncio.create_task(heard(watch, asyncio.sleep(10)))
        await asyncio.sleep(0.5)
        if before:
            task.cancel()
        watch.interrupt(watch.late())
        if not before:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        watch.close()
        return task.cancelling()

    assert run_jumping(main()) == 1


def test_a_timeout_of_asyncio_around_it_with_the_same_limit_is_heard() -> None:
    async def main() -> None:
        watch = In(1)
        try:
            async with asyncio.timeout(1):
                await wait(watch, 10)
        finally:
            watch.close()

    with pytest.raises(TimeoutError):
        run_jumping(main())


def test_a_closed_watch_rings_no_more_and_lets_go_of_what_it_holds() -> None:
    async def main() -> list[str]:
        watch, told = In(5), list[str]()
        watch.on_close = lambda: told.append("closed")
        watch.close()
        await wait(watch, 10)
        return told

    assert run_jumping(main()) == ["closed"]


def test_clocks_that_ring_late_share_one_timer() -> None:
    async def main() -> int:
        loop: Any = asyncio.get_running_loop()
        watches = [In(60 + number) for number in range(100)]
        timers = [handle for handle in loop._scheduled if not handle.cancelled()]
        for watch in watches:
            watch.close()
        await asyncio.sleep(1.5)
        assert [handle for handle in loop._scheduled if not handle.cancelled()] == []
        return len(timers)

    assert run_jumping(main()) == 1


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 120)), min_size=1, max_size=8))
def test_each_of_many_clocks_rings_in_time(waits: list[tuple[float, float]]) -> None:
    async def one(allowed: float, needed: float) -> None:
        loop = asyncio.get_running_loop()
        began, watch = loop.time(), In(allowed)
        try:
            await wait(watch, needed)
        except CallTimeout:
            assert loop.time() - began == pytest.approx(allowed, abs=1e-6)
            assert allowed <= needed + 1e-6
        else:
            assert needed <= allowed + 1e-6
        watch.close()

    async def main() -> None:
        await asyncio.gather(*(one(*pair) for pair in waits))

    run_jumping(main())


def test_threads_with_loops_of_their_own_do_not_disturb_each_other() -> None:
    def one(number: int) -> int:
        for _ in range(20):
            run_jumping(wait_for_a_late_clock())
        return number

    async def wait_for_a_late_clock() -> None:
        watch = In(60)
        await wait(watch, 0)
        watch.close()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(one, range(8))) == list(range(8))
