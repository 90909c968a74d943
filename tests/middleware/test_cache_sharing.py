"""Equal calls at the same time ask once: who leads, who follows, and what is left when some of them are cancelled."""

import asyncio
import itertools
import threading
from contextlib import aclosing

import pytest

from callm.errors import CallmError, ServerError
from callm.io.stores import MemoryStore
from callm.middleware.cache import Cache
from callm.types import CacheHit, CallOptions, Finish, Message, Request, TextDelta
from tests.support import run_jumping

STOP = Finish("stop")
ANSWER = [[TextDelta("a")], [TextDelta("b"), STOP]]
HIT = [[CacheHit(0.0)], *ANSWER]
ASK = Request((Message.user("hi"),))


class Line:
    """Answers each call after a second; plays an error for those of the calls, by number, that shall fail."""

    name = "line"

    def __init__(self, *failing, answer=ANSWER, seconds=1.0):
        self.failing, self.answer, self.seconds = failing, answer, seconds
        self.calls = self.open = self.most = 0

    async def stream(self, request):
        number, self.calls, self.open = self.calls, self.calls + 1, self.open + 1
        self.most = max(self.most, self.open)
        try:
            for batch in self.answer:
                await asyncio.sleep(self.seconds / len(self.answer))
                if number in self.failing:
                    raise ServerError("down")
                yield batch
        finally:
            self.open -= 1


async def collect(model, request=ASK, pause=0.0):
    async with aclosing(model.stream(request)) as batches:
        got = []
        async for batch in batches:
            got.append(batch)
            if pause:
                await asyncio.sleep(pause)
        return got


def cached(inner):
    return Cache(inner, MemoryStore(), clock=lambda: 0.0)


def together(model, *requests):
    """Return what came of each of the calls, made at the same time, and the seconds it took."""

    async def main():
        loop = asyncio.get_running_loop()
        began = loop.time()
        got = await asyncio.gather(*(collect(model, request) for request in requests), return_exceptions=True)
        return got, loop.time() - began

    return run_jumping(main())


def test_a_hundred_equal_calls_ask_once():
    inner = Line()
    model = cached(inner)
    got, took = together(model, *[ASK] * 100)
    assert got == [ANSWER, *[HIT] * 99]
    assert (inner.calls, took, len(model.flights)) == (1, 1.0, 0)


def test_streams_and_calls_share_and_different_requests_do_not():
    inner = Line()
    other = Request((Message.user("ho"),))
    got, took = together(cached(inner), ASK, Request(ASK.messages, stream=True), other, other)
    assert got == [ANSWER, HIT, ANSWER, HIT]
    assert (inner.calls, took) == (2, 1.0)


def test_a_call_past_the_cache_and_a_refresh_share_nothing():
    inner = Line()
    past, fresh = (Request(ASK.messages, options=CallOptions(cache=cache)) for cache in (False, "refresh"))
    got, _ = together(cached(inner), ASK, past, past, fresh, fresh)
    assert got == [ANSWER] * 5
    assert inner.calls == 5


def test_followers_get_the_answer_though_nothing_can_be_stored():
    class Full(MemoryStore):
        def set(self, key, value, now, ttl):
            pass

    inner = Line()
    got, _ = together(Cache(inner, Full(), clock=lambda: 0.0), ASK, ASK)
    assert got == [ANSWER, HIT]
    assert inner.calls == 1


def test_a_leader_that_fails_hands_over_to_the_next_one():
    inner = Line(0, 1)
    got, took = together(cached(inner), *[ASK] * 5)
    assert [type(one) for one in got[:2]] == [ServerError] * 2
    assert got[2:] == [ANSWER, HIT, HIT]
    assert (inner.calls, inner.most, took) == (3, 1, 2.0)


def test_when_all_fail_each_has_asked_once():
    inner = Line(*range(5))
    model = cached(inner)
    got, _ = together(model, *[ASK] * 5)
    assert [type(one) for one in got] == [ServerError] * 5
    assert (inner.calls, inner.most, len(model.flights)) == (5, 1, 0)


def test_an_answer_that_may_not_be_stored_is_not_shared_and_the_others_ask_at_once():
    cut = [[TextDelta("a"), Finish("length")]]
    inner = Line(answer=cut)
    got, took = together(cached(inner), *[ASK] * 5)
    assert got == [cut] * 5
    assert (inner.calls, inner.most, took) == (5, 4, 2.0)


def test_a_leader_whose_consumer_leaves_hands_over():
    async def main():
        followers = []
        async with aclosing(model.stream(ASK)) as batches:
            async for _ in batches:
                followers.append(asyncio.create_task(collect(model)))
                await asyncio.sleep(0)
                break
        return await followers[0]

    inner = Line()
    model = cached(inner)
    assert run_jumping(main()) == ANSWER
    assert (inner.calls, inner.open) == (2, 0)


def test_nobody_hangs_behind_a_leader_whose_consumer_does_not_read():
    async def main():
        loop = asyncio.get_running_loop()
        leader = asyncio.create_task(collect(model, pause=1000))
        await asyncio.sleep(0.6)
        began = loop.time()
        got = await collect(model)
        return got, loop.time() - began, await leader

    inner = Line()
    model = cached(inner)
    got, took, leader = run_jumping(main())
    assert got == leader == ANSWER
    assert took < 4


def test_followers_that_are_cancelled_disturb_nobody():
    async def main():
        tasks = [asyncio.create_task(collect(model)) for _ in range(5)]
        await asyncio.sleep(0.5)
        for task in tasks[1:4]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    inner = Line()
    model = cached(inner)
    first, *cancelled, last = run_jumping(main())
    assert (first, last) == (ANSWER, HIT)
    assert {type(one) for one in cancelled} == {asyncio.CancelledError}
    assert inner.calls == 1


STEPS = range(12)
PAIRS = [*itertools.product(range(3), repeat=2)]


@pytest.mark.parametrize("failing", [(), (0,), (0, 1)], ids=str)
@pytest.mark.parametrize("answer", [ANSWER, [[Finish("length")]]], ids=["kept", "unkept"])
def test_cancelling_any_two_callers_at_any_two_steps_leaves_nothing_behind(failing, answer):
    """Whoever was not cancelled has its answer or its error; no caller, stream, line or task is left."""

    async def main(first, second, victims):
        inner = Line(*failing, answer=answer, seconds=0.0)
        model = cached(inner)
        tasks = [asyncio.create_task(collect(model)) for _ in range(3)]
        for step in range(second + 1):
            if step == first:
                tasks[victims[0]].cancel()
            if step == second:
                tasks[victims[1]].cancel()
            await asyncio.sleep(0)
        async with asyncio.timeout(100):
            got = await asyncio.gather(*tasks, return_exceptions=True)
        spared = [one for number, one in enumerate(got) if number not in victims]
        assert all(isinstance(one, list | ServerError) for one in spared)
        assert sum(isinstance(one, CallmError) for one in got) <= len(failing)
        assert (inner.open, len(model.flights)) == (0, 0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def every():
        for first, second in itertools.combinations_with_replacement(STEPS, 2):
            for victims in PAIRS:
                await main(first, second, victims)

    run_jumping(every())


def test_calls_in_other_threads_ask_for_themselves():
    both = threading.Barrier(2, timeout=10)

    class Meeting(Line):
        async def stream(self, request):
            both.wait()  # passes only when both threads have asked
            async for batch in super().stream(request):
                yield batch

    model = cached(Meeting(seconds=0.0))
    got = []
    threads = [threading.Thread(target=lambda: got.append(asyncio.run(collect(model)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [ANSWER] * 2
    assert len(model.flights) == 0
