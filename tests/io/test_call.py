"""What is awaited or asked for a result, and what is iterated in either colour."""

import asyncio
import gc
import warnings
from collections.abc import AsyncGenerator

import pytest

from callm.io import call as module
from callm.io.call import Call, Dual


async def _add(one: int, other: int) -> int:
    await asyncio.sleep(0)
    return one + other


async def _fail() -> int:
    await asyncio.sleep(0)
    raise ZeroDivisionError


def _call(one: int = 1, other: int = 2) -> Call[int]:
    return Call(lambda: _add(one, other))


def test_a_call_is_awaited_or_asked_for_its_result() -> None:
    async def main() -> int:
        return await _call()

    assert _call().result() == asyncio.run(main()) == 3


async def test_asyncio_takes_a_call_as_a_coroutine() -> None:
    assert await asyncio.create_task(_call()) == 3
    assert list(await asyncio.gather(_call(), _call(3, 4))) == [3, 7]
    assert await asyncio.wait_for(_call(), 1) == 3
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_call(5, 6))
    assert task.result() == 11
    unused = _call()
    assert asyncio.iscoroutine(unused)
    unused.close()
    with pytest.raises(ZeroDivisionError):
        await asyncio.create_task(Call(_fail))


def test_asyncio_runs_a_call() -> None:
    assert asyncio.run(_call()) == 3


async def test_a_task_of_a_call_can_be_cancelled_before_and_in_the_middle() -> None:
    seen: list[str] = []

    async def work() -> None:
        seen.append("begun")
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("ended")

    for steps in (0, 1):
        task = asyncio.create_task(Call(work))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert seen == ["begun", "ended"]


async def test_a_call_runs_once() -> None:
    call = _call()
    assert await call == 3
    with pytest.raises(RuntimeError, match="has been run: make a new one"):
        await call
    with pytest.raises(RuntimeError, match="has been run"):
        call.result()
    with pytest.raises(RuntimeError, match="has been run"):
        await asyncio.create_task(call)


def test_a_call_that_is_never_run_warns_and_one_that_ran_or_was_closed_does_not() -> None:
    with pytest.warns(RuntimeWarning, match="a callm call was made but never run: `await` it, or use `.result\\(\\)`"):
        _call()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _call().result()
        _call().close()
        gc.collect()
    assert caught == []


def test_closing_a_begun_call_closes_its_work() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            seen.append("closed")

    call = Call(work)
    call.send(None)
    call.close()
    assert seen == ["closed"]


class Numbers(Dual[int]):
    """Counts in batches of two, and notes how it ended."""

    def __init__(self, count: int = 3) -> None:
        super().__init__()
        self.count = count
        self.log: list[str] = []

    def batches(self) -> AsyncGenerator[list[int], None]:
        return _numbers(self.count, self.log)


async def _numbers(count: int, log: list[str]) -> AsyncGenerator[list[int], None]:
    log.append("begun")
    try:
        for number in range(count):
            await asyncio.sleep(0)
            yield [2 * number, 2 * number + 1]
        log.append("whole")
    finally:
        await asyncio.sleep(0)
        log.append("closed")


async def _all(numbers: Numbers) -> list[int]:
    return [number async for number in numbers]


async def test_items_come_one_by_one_in_both_colours() -> None:
    one, other = Numbers(), Numbers()
    assert list(one) == await _all(other) == [0, 1, 2, 3, 4, 5]
    assert one.log == other.log == ["begun", "whole", "closed"]
    assert (list(one), await _all(other)) == ([], [])


def test_nothing_begins_before_the_first_item_is_wanted() -> None:
    numbers = Numbers()
    iter(numbers)
    assert numbers.log == []


def test_iterating_may_be_interrupted_and_taken_up_again() -> None:
    numbers = Numbers()
    for number in numbers:
        if number == 2:
            break
    assert list(numbers) == [3, 4, 5]


async def test_leaving_a_block_closes_in_both_colours() -> None:
    with Numbers() as one:
        next(iter(one))
    async with Numbers() as other:
        await anext(aiter(other))
    assert one.log == other.log == ["begun", "closed"]
    assert (list(one), await _all(other)) == ([], [])


async def test_what_was_closed_before_it_began_never_begins() -> None:
    one, other = Numbers(), Numbers()
    one.close()
    await other.aclose()
    assert (list(one), await _all(other), one.log, other.log) == ([], [], [], [])


async def test_one_colour_at_a_time() -> None:
    one, other = Numbers(), Numbers()
    next(iter(one))
    await anext(aiter(other))
    with pytest.raises(RuntimeError, match="is being read by sync code"):
        aiter(one)
    with pytest.raises(RuntimeError, match="is being read by async code"):
        iter(other)
    with pytest.raises(RuntimeError, match=r"use `await stream.aclose\(\)`"):
        other.close()
    await one.aclose()
    await other.aclose()
    assert one.log == other.log == ["begun", "closed"]


async def test_a_stream_that_is_dropped_closes_without_the_garbage_collector() -> None:
    one, other = Numbers(), Numbers()
    logs = one.log, other.log
    gc.disable()
    try:
        next(iter(one))
        await anext(aiter(other))
        del one, other
        for _ in range(10):
            await asyncio.sleep(0)
    finally:
        gc.enable()
    assert logs == (["begun", "closed"], ["begun", "closed"])


def test_a_stream_says_what_makes_it() -> None:
    with pytest.raises(NotImplementedError):
        iter(Dual[int]())
    assert module.__doc__
