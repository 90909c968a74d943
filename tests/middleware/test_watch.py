"""A clock that ends a wait, on a loop whose clock jumps."""

from __future__ import annotations

import asyncio

import pytest

from callm.errors import CallTimeout
from callm.middleware.watch import NEVER, Watch
from tests.support import run_jumping


def late() -> CallTimeout:
    return CallTimeout("late")


async def wait(watch: Watch, seconds: float) -> None:
    watch.begin()
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError as cancelled:
        watch.translate(cancelled)
        raise
    watch.waiting = False


def test_a_wait_beyond_the_moment_ends_in_the_error_and_the_task_is_not_left_cancelled() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        began, watch = loop.time(), Watch(loop.time() + 5, late)
        with pytest.raises(CallTimeout):
            await wait(watch, 10)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        return loop.time() - began

    assert run_jumping(main()) == pytest.approx(5)


def test_nothing_is_cancelled_between_two_waits_but_the_next_one_does_not_begin() -> None:
    async def main() -> None:
        watch = Watch(asyncio.get_running_loop().time() + 5, late)
        await wait(watch, 1)
        await asyncio.sleep(10)
        with pytest.raises(CallTimeout):
            watch.begin()

    run_jumping(main())


def test_the_first_reason_to_interrupt_counts() -> None:
    async def main() -> None:
        watch = Watch(NEVER, late)
        watch.interrupt(CallTimeout("first"))
        watch.interrupt(CallTimeout("second"))
        with pytest.raises(CallTimeout, match="first"):
            watch.begin()

    run_jumping(main())


def test_a_cancellation_from_outside_passes_through() -> None:
    async def main() -> None:
        task = asyncio.ensure_future(wait(Watch(asyncio.get_running_loop().time() + 5, late), 3))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_jumping(main())


def test_a_cancellation_from_outside_together_with_ours_stays_a_cancellation() -> None:
    async def main() -> None:
        watch = Watch(NEVER, late)
        task = asyncio.ensure_future(wait(watch, 3))
        await asyncio.sleep(1)
        watch.interrupt(late())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_jumping(main())


def test_a_closed_watch_rings_no_more_and_lets_go_of_what_it_holds() -> None:
    async def main() -> list[str]:
        watch, told = Watch(asyncio.get_running_loop().time() + 5, late), list[str]()
        watch.on_close = lambda: told.append("closed")
        watch.close()
        await wait(watch, 10)
        return told

    assert run_jumping(main()) == ["closed"]
