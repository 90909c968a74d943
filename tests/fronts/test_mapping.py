"""A function over many inputs."""

import asyncio
import gc
import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from callm.client import Client
from callm.errors import CallmError, ConfigError, OutputError, RateLimitError, ServerError
from callm.fronts.function import function
from callm.fronts.mapping import Results
from callm.testing import Fault, FaultServer
from tests.support import busy, client_of


class Work:
    """Answers `item * 2` after a turn of the loop, and counts. Negative items fail; zero breaks."""

    def __init__(self, seconds: Callable[[int], float] = lambda item: 0.0) -> None:
        self.seconds = seconds
        self.running = self.most = self.begun = 0

    async def __call__(self, item: int) -> int:
        self.begun += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.seconds(item))
            if item == 0:
                raise ZeroDivisionError
            if item < 0:
                raise RateLimitError(f"no {item}")
            return item * 2
        finally:
            self.running -= 1

    def over(self, inputs: Any, concurrency: int = 4) -> Results[int]:
        return Results(self, inputs, concurrency=concurrency, progress=False)


def test_results_are_in_the_order_of_the_inputs_however_long_each_takes() -> None:
    work = Work(lambda item: 0.02 if item % 5 == 1 else 0.001 * (item % 3))
    assert work.over(range(1, 60), 8).result() == [item * 2 for item in range(1, 60)]
    assert work.most == 8


async def test_async_code_has_the_same_three_ways() -> None:
    work = Work()
    assert await work.over([1, 2, 3]) == [2, 4, 6]
    assert [result async for result in work.over([1, 2, 3])] == [2, 4, 6]
    assert sorted([pair async for pair in work.over([1, 2, 3]).as_completed()]) == [(0, 2), (1, 4), (2, 6)]


def test_as_completed_gives_what_is_ready_first() -> None:
    work = Work(lambda item: {1: 0.1, 2: 0.05, 3: 0.0}[item])
    assert list(work.over([1, 2, 3]).as_completed()) == [(2, 6), (1, 4), (0, 2)]


def test_a_failed_call_is_its_item_and_the_others_go_on() -> None:
    results = Work().over([1, -2, 3]).result()
    assert (results[0], results[2]) == (2, 6)
    assert isinstance(results[1], RateLimitError)
    assert str(results[1]) == "no -2"


@pytest.mark.parametrize("inputs", [[], (), iter([]), {}, range(0)])
def test_no_inputs_no_results(inputs: Any) -> None:
    assert Work().over(inputs).result() == []


@pytest.mark.parametrize("concurrency", [1, 3, 64, 500])
def test_no_more_calls_run_at_once_than_wanted(concurrency: int) -> None:
    work = Work()
    assert len(work.over(range(1, 200), concurrency).result()) == 199
    assert work.most == min(concurrency, 199)


def test_inputs_are_taken_as_they_are_needed() -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        item = 0
        while True:
            item += 1
            taken.append(item)
            yield item

    work = Work()
    results = work.over(endless(), 4)
    assert not taken
    for _, result in zip(range(100), results, strict=False):
        assert isinstance(result, int)
    results.close()
    time.sleep(0.02)
    assert 100 <= len(taken) <= 100 + 4 * 5 + 1
    assert work.running == 0


def test_inputs_are_taken_in_the_thread_of_the_reader() -> None:
    threads: set[int] = set()

    def inputs() -> Iterator[int]:
        for item in range(1, 30):
            threads.add(threading.get_ident())
            yield item

    assert len(Work().over(inputs()).result()) == 29
    assert len(asyncio.run(Work().over(inputs())._all())) == 29
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_slow_inputs_do_not_hold_up_the_calls_that_could_begin(colour: str) -> None:
    begun: list[float] = []

    async def call(item: int) -> int:
        begun.append(time.monotonic())
        return item

    def slow() -> Iterator[int]:
        for item in range(5):
            time.sleep(0.05)
            yield item

    results = Results(call, slow(), concurrency=64, progress=False)
    started = time.monotonic()
    assert (list(results) if colour == "sync" else asyncio.run(results._all())) == list(range(5))
    assert begun[0] - started < 0.2  # of the 0.25 that the inputs take
    assert begun[-1] - begun[0] > 0.1


def test_one_slow_call_does_not_let_the_others_run_ahead_without_end() -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        for item in range(1, 10**9):
            taken.append(item)
            yield item

    work = Work(lambda item: 0.15 if item == 1 else 0.0)
    with work.over(endless(), 4) as results:
        assert next(iter(results)) == 2
        assert len(taken) <= 4 * 5


def test_a_slow_reader_does_not_let_the_calls_run_ahead_without_end() -> None:
    work = Work()
    with work.over(iter(range(1, 10**9)), 4).as_completed() as results:
        for _ in zip(range(3), results, strict=False):
            time.sleep(0.02)
        assert work.begun <= 3 + 4 * 5


@pytest.mark.parametrize("leave", ["break", "close", "raise", "drop"])
def test_leaving_early_leaves_no_call_running(leave: str) -> None:
    work = Work(lambda item: 0.0 if item < 3 else 60.0)
    threads = threading.active_count()
    if leave == "break":
        for _ in work.over(range(1, 100)):
            break
    elif leave == "close":
        results = work.over(range(1, 100))
        next(iter(results))
        results.close()
    elif leave == "raise":
        with pytest.raises(ZeroDivisionError), work.over(range(1, 100)) as results:
            for _ in results:
                1 / 0  # noqa: B018
    else:
        one = work.over(range(1, 100))
        next(iter(one))
        del one
    assert work.running == 0
    assert threading.active_count() <= threads + 1


async def test_leaving_early_in_async_code_leaves_no_task() -> None:
    work = Work(lambda item: 0.0 if item < 3 else 60.0)
    gc.disable()
    try:
        async for _ in work.over(range(1, 100)):
            break
        async for _ in work.over(range(1, 100)).as_completed():
            break
        for _ in range(10):
            await asyncio.sleep(0)
    finally:
        gc.enable()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    task = asyncio.create_task(work.over(range(1, 100))._all())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (task.cancelled(), work.running) == (True, 0)


@pytest.mark.parametrize("way", ["result", "iterate", "completed"])
def test_what_is_no_failed_call_ends_the_map(way: str) -> None:
    work = Work(lambda item: 0.0 if item == 0 else 0.01)
    results = work.over([1, 0, 2, *range(3, 50)], 2)
    with pytest.raises(ZeroDivisionError):
        _ = {
            "result": results.result,
            "iterate": lambda: list(results),
            "completed": lambda: list(results.as_completed()),
        }[way]()
    assert work.running == 0


def test_an_input_that_can_not_be_had_ends_the_map() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    work = Work()
    with pytest.raises(LookupError, match="no more"):
        work.over(broken()).result()
    assert work.running == 0


def test_a_call_that_is_cancelled_from_elsewhere_is_not_lost_in_silence() -> None:
    async def cancelled(item: int) -> int:
        if item == 2:
            raise asyncio.CancelledError
        return item

    with pytest.raises(RuntimeError, match="was cancelled"):
        Results(cancelled, [1, 2, 3], concurrency=2, progress=False).result()


def test_a_map_runs_once() -> None:
    work = Work()
    results = work.over([1, 2])
    assert results.result() == [2, 4]
    for again in (results.result, lambda: list(results.as_completed()), lambda: asyncio.run(results._all())):
        with pytest.raises(RuntimeError, match="begun already"):
            again()
    completed = work.over([1, 2]).as_completed()
    assert len(list(completed)) == 2
    assert list(completed) == []
    assert work.begun == 4


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, "8", None, True])
def test_a_wrong_concurrency_is_refused(concurrency: Any) -> None:
    with pytest.raises(ConfigError, match="concurrency must be a whole number of 1 or more, not"):
        Work().over([1], concurrency)


@pytest.mark.parametrize(("inputs", "words"), [("text", "str"), (b"x", "bytes"), (7, "int"), (None, "null")])
def test_inputs_that_are_none_are_refused(inputs: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=f"must be a list or another iterable, not {words}"):
        Work().over(inputs)


def test_a_progress_bar_goes_to_stderr_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, results = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(sys, "stdout", results)
    assert Results(Work(), [1, 2, 3], concurrency=2, progress=True).result() == [2, 4, 6]
    assert Results(Work(), iter([1]), concurrency=2, progress=True).result() == [2]
    assert "100%" in shown.getvalue()
    assert results.getvalue() == ""


def test_without_rich_a_progress_bar_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("rich", "rich.progress", "rich.console"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"pip install 'callm\[rich\]'"):
        Results(Work(), [1], concurrency=1, progress=True).result()


@pytest.fixture
def client(fault_server: FaultServer) -> Iterator[Client]:
    with client_of(fault_server) as client:
        yield client


def test_a_function_maps_over_what_a_call_takes(client: Client, fault_server: FaultServer) -> None:
    @function(client=client)
    def one(text: str, tone: str = "calm") -> str:
        """{{ text }} {{ tone }}"""
        ...

    @function(client=client)
    async def two(text: str, count: int) -> str:
        """{{ text }} {{ count }}"""
        ...

    @function(client=client)
    def named(*, text: str) -> str:
        """{{ text }}"""
        ...

    assert one.map(["a", "b"]).result() == ["a calm", "b calm"]
    assert named.map(item for item in "ab").result() == ["a", "b"]
    assert asyncio.run(_awaited(two.map([("a", 1), {"count": 2, "text": "b"}]))) == ["a 1", "b 2"]
    wrong = two.map(["a"]).result()
    assert isinstance(wrong[0], ConfigError)
    assert "each input must be a tuple or a dictionary of its arguments, not str" in str(wrong[0])
    with pytest.raises(TypeError, match="missing 'count'"):
        two.map([("a",)]).result()
    fault_server.plan(Fault(status=500))
    failed, fine = one.map(["a", "b"], concurrency=1).result()
    assert isinstance(failed, ServerError)
    assert fine == "b calm"


async def _awaited(results: Results[str]) -> list[str | CallmError]:
    return await results


def test_the_inputs_may_be_calls_of_another_function(client: Client) -> None:
    @function(client=client)
    def shout(text: str) -> str:
        """{{ text }}!"""
        ...

    assert shout.map(shout(text) for text in "ab").result() == ["a!!", "b!!"]
    assert shout.map(shout.map(["a", "b"])).result() == ["a!!", "b!!"]


def test_the_server_sees_no_more_at_once_than_wanted_and_leaving_reaches_it(
    client: Client, fault_server: FaultServer
) -> None:
    @function(client=client)
    def count(text: str) -> int:
        """{{ text }}"""
        ...

    fault_server.always(Fault(delay=0.01))
    results = count.map([str(number) for number in range(40)], concurrency=5).result()
    assert results == list(range(40))
    assert fault_server.connections <= 5
    assert isinstance(count.map(["no"]).result()[0], OutputError)
    fault_server.always(Fault(delay=9.0))
    fault_server.plan(Fault())
    for _ in count.map([str(number) for number in range(40)], concurrency=5):
        break
    left = time.monotonic()
    time.sleep(0.02)  # the server's thread may be about to note that it has answered the first
    assert all(request.wait_closed(1.0) - left < 0.1 for request in fault_server.requests if not request.finished)
    assert busy(client) == 0
