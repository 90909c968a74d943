"""One deadline over everything, and cancelling, on a clock that jumps: nothing here waits."""

import asyncio
import gc
import threading
from contextlib import aclosing
from typing import Any

import pytest

from callm.errors import CallCancelled, DeadlineExceeded
from callm.middleware.deadline import Deadline
from callm.testing import ScriptedModel
from callm.types import Cancel
from tests.middleware.slow import FINISH, TEXT, Slow, play, request
from tests.support import run_jumping


def test_the_total_ends_a_call_that_always_has_content():
    got, error, took = play(Slow(*[(1, TEXT)] * 100), request(between_content=10, total=5.5))
    assert isinstance(error, DeadlineExceeded)
    assert error.seconds == 5.5
    assert len(got) == 5
    assert took == pytest.approx(5.5)


def test_the_total_also_counts_the_consumers_time():
    got, error, took = play(Slow(*[(1, TEXT)] * 100), request(total=5), pause=10)
    assert isinstance(error, DeadlineExceeded)
    assert len(got) == 1
    assert took == pytest.approx(11)


def test_without_limits_nothing_ends_a_call():
    _, error, took = play(Slow((1e6, TEXT), (1e6, FINISH)), request())
    assert error is None
    assert took == pytest.approx(2e6)


def test_cancel_from_another_thread_ends_the_call():
    cancel = Cancel()
    model = Slow((0, TEXT), (0, TEXT))

    async def never(self, asked):
        try:
            yield TEXT
            threading.Timer(0.01, cancel.cancel).start()
            await asyncio.Event().wait()
        finally:
            self.closed = True

    vars(model)["stream"] = never.__get__(model)
    got, error, _ = play(model, request(cancel=cancel))
    assert got == [TEXT]
    assert isinstance(error, CallCancelled)
    assert model.closed


def test_a_cancelled_handle_ends_calls_that_begin_later():
    cancel = Cancel()
    cancel.cancel()
    got, error, _ = play(Slow((1, TEXT)), request(cancel=cancel))
    assert got == []
    assert isinstance(error, CallCancelled)


def test_a_cancelled_handle_lets_nothing_begin():
    cancel = Cancel()
    cancel.cancel()
    model = ScriptedModel([TEXT])
    play(model, request(cancel=cancel))
    assert model.requests == []


def test_cancel_while_the_consumer_works_ends_the_call_at_its_next_step():
    cancel = Cancel()

    async def main():
        got = []
        with pytest.raises(CallCancelled):
            async with aclosing(Deadline(Slow((1, TEXT), (1, TEXT))).stream(request(cancel=cancel))) as batches:
                async for batch in batches:
                    got.append(batch)
                    cancel.cancel()
                    await asyncio.sleep(1)
        return got

    assert run_jumping(main()) == [TEXT]


def test_a_finished_call_lets_go_of_its_cancel_handle():
    cancel = Cancel()
    play(Slow((1, FINISH)), request(cancel=cancel))
    assert cancel._watchers == {}


@pytest.mark.parametrize("twice", [False, True])
def test_a_cancellation_from_outside_passes_through(twice):
    model = Slow((100, TEXT))

    async def main():
        async def consume():
            async with aclosing(Deadline(model).stream(request(first_content=50, total=60))) as batches:
                async for _ in batches:
                    pass

        task = asyncio.create_task(consume())
        await asyncio.sleep(1)
        task.cancel()
        if twice:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    run_jumping(main())
    assert model.closed


def test_an_outer_timeout_of_the_caller_still_works():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                async for _ in Deadline(Slow((100, TEXT))).stream(request(first_content=50)):
                    pass

    run_jumping(main())


def test_no_timer_is_left_behind():
    async def main():
        loop: Any = asyncio.get_running_loop()
        async for _ in Deadline(Slow((1, TEXT), (1, FINISH))).stream(
            request(first_content=9, between_content=9, total=99)
        ):
            pass
        gc.collect()
        await asyncio.sleep(1.5)  # the sweep of the loop's clocks ends by itself
        return [handle for handle in loop._scheduled if not handle.cancelled()]

    assert run_jumping(main()) == []
