"""Who goes when, on a clock that jumps."""

import asyncio
import cProfile
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from callm.errors import ConfigError, QueueTimeout
from callm.middleware.limit_store import ProcessStore
from callm.middleware.limiter import Limiter
from callm.policy import window
from callm.types.limits import Remaining
from tests.support import run_jumping


def arrivals(limiter, *amounts, hold=0.0, deadline=None):
    """Send all at once; return when each was admitted, or its error."""

    async def one(requests, tokens):
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            admission, waited = await limiter.acquire(requests, tokens, None if deadline is None else began + deadline)
        except QueueTimeout as error:
            return error
        assert waited == pytest.approx(loop.time() - began)
        await asyncio.sleep(hold)
        await limiter.release(admission, tokens)
        return round(waited, 3)

    async def main():
        got = await asyncio.gather(*(one(*amount) for amount in amounts))
        assert (limiter.busy, limiter.waiting, list(limiter._line.places)) == (0, 0, [])
        return got

    return run_jumping(_listed(main()))


async def _listed(coroutine):
    return list(await coroutine)


def test_requests_go_as_the_minute_allows_first_come_first_served():
    assert arrivals(Limiter(requests_per_minute=2), *[(1, 0)] * 5) == [0, 0, 60, 60, 120]


def test_nobody_overtakes_a_large_request():
    assert arrivals(Limiter(tokens_per_minute=100), (1, 90), (1, 50), (1, 5)) == [0, 60, 60]


def test_a_heavy_request_counts_for_several():
    assert arrivals(Limiter(requests_per_minute=10), (8, 0), (8, 0), (1, 0)) == [0, 60, 60]


def test_a_burst_spreads_the_rest():
    assert arrivals(Limiter(requests_per_minute=60, burst=2), *[(1, 0)] * 5) == pytest.approx([0, 0, 1, 2, 3], abs=0.01)


def test_only_so_many_are_under_way_at_once():
    assert arrivals(Limiter(concurrency=2), *[(1, 0)] * 5, hold=10) == [0, 0, 10, 10, 20]


def test_real_usage_below_the_estimate_lets_the_next_go_at_once():
    async def main():
        limiter = Limiter(tokens_per_minute=100)
        one, _ = await limiter.acquire(1, 100)
        second = asyncio.create_task(limiter.acquire(1, 60))
        await asyncio.sleep(5)
        await limiter.release(one, 40)
        _, waited = await second
        assert waited == 5

    run_jumping(main())


def test_a_wait_beyond_max_wait_ends_at_once_and_says_how_long_it_would_be():
    limiter = Limiter(requests_per_minute=1, max_wait=90)
    first, second, third, fourth = arrivals(limiter, *[(1, 0)] * 4)
    assert (first, second) == (0, 60)
    assert [error.retry_after for error in (third, fourth)] == [120, 120]
    assert "max_wait of 90 s" in str(third)


def test_a_wait_beyond_the_deadline_ends_at_once():
    first, second = arrivals(Limiter(requests_per_minute=1), (1, 0), (1, 0), deadline=30)
    assert (first, second.retry_after) == (0, 60)
    assert "deadline" in str(second)


def test_max_wait_ends_a_wait_for_a_slot_of_which_nobody_knows_when_it_comes():
    limiter = Limiter(concurrency=1, max_wait=5)
    first, second, third = arrivals(limiter, *[(1, 0)] * 3, hold=10)
    assert first == 0
    assert [error.retry_after for error in (second, third)] == [None, None]


def test_what_was_refused_costs_nothing():
    limiter = Limiter(requests_per_minute=1, max_wait=1)
    got = arrivals(limiter, *[(1, 0)] * 100)
    assert [type(each) for each in got] == [float] + [QueueTimeout] * 99
    assert limiter.store._windows["rate limit"]._requests == 1  # type: ignore[attr-defined]  # the store of the process


def test_a_pause_holds_the_line_and_what_the_provider_says_lowers_the_limit():
    async def main():
        limiter = Limiter(requests_per_minute=100)
        await limiter.pause(7)
        assert (await limiter.acquire())[1] == 7
        await limiter.told(Remaining(1, 20.0))
        assert [(await limiter.acquire())[1] for _ in range(2)] == [0, 20]

    run_jumping(main())


def test_a_refund_leaves_no_trace():
    async def main():
        limiter = Limiter(requests_per_minute=1, concurrency=1)
        admission, _ = await limiter.acquire()
        await limiter.refund(admission)
        assert (await limiter.acquire())[1] == 0

    run_jumping(main())


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("victim", range(4))
def test_whoever_is_cancelled_in_line_gives_everything_back(victim, twice):
    async def main():
        limiter = Limiter(requests_per_minute=1, concurrency=1)
        tasks = [asyncio.create_task(limiter.acquire(1, 0)) for _ in range(4)]
        await asyncio.sleep(0.5)
        admission = (await tasks[0])[0]
        if victim:
            tasks[victim].cancel()
            if twice:
                await asyncio.sleep(0)
                tasks[victim].cancel()
        await limiter.release(admission, 0)
        waits = [0.0]
        for number in (1, 2, 3):
            if number != victim:
                admission, waited = await tasks[number]
                waits.append(waited)
                await limiter.release(admission, 0)
        assert waits == [0, 60, 120, 180][: 3 if victim else 4]
        assert (limiter.busy, limiter.waiting, limiter._line.requests) == (0, 0, 0)

    run_jumping(main())


@pytest.mark.parametrize("step", range(8))
def test_cancelling_at_any_step_of_a_slow_store_leaves_nothing(step):
    class Slow(ProcessStore):
        async def take(self, key, limits, admission):
            await asyncio.sleep(0)
            return await super().take(key, limits, admission)

        async def settle(self, key, admission, tokens):
            await asyncio.sleep(0)
            await super().settle(key, admission, tokens)

    async def main():
        limiter = Limiter(tokens_per_minute=100, concurrency=1, store=Slow())

        async def one():
            admission, _ = await limiter.acquire(1, 100)
            try:
                await asyncio.sleep(0)
            finally:
                await limiter.release(admission, 1)

        tasks = [asyncio.create_task(one()) for _ in range(3)]
        for _ in range(step):
            await asyncio.sleep(0)
        for task in tasks[:2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (limiter.busy, limiter.waiting) == (0, 0)
        assert tasks[2].exception() is None

    run_jumping(main())


def test_in_no_window_more_is_admitted_than_allowed_whatever_thread_it_comes_from(monkeypatch):
    monkeypatch.setattr(window, "SPAN", span := 0.05)
    limiter = Limiter(requests_per_minute=20, tokens_per_minute=100)

    async def many():
        async def one(number):
            admission, _ = await limiter.acquire(1, 5 + number % 20)
            await limiter.release(admission, tokens := 1 + number % 20)  # mostly fewer, never more
            return admission.at, tokens

        return await asyncio.gather(*map(one, range(30)))

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(asyncio.run, many()) for _ in range(4)]
        admitted = sorted(pair for job in jobs for pair in job.result(30))
    assert len(admitted) == 120
    for began, _ in admitted:
        inside = [tokens for at, tokens in admitted if began <= at < began + span]
        assert (len(inside) <= 20, sum(inside) <= 100) == (True, True)
    assert limiter.waiting == 0


def test_threads_with_loops_of_their_own_share_the_limits():
    limiter = Limiter(requests_per_minute=10_000, concurrency=3)
    under_way, most, lock = 0, 0, threading.Lock()

    async def one():
        nonlocal under_way, most
        admission, _ = await limiter.acquire()
        with lock:
            under_way += 1
            most = max(most, under_way)
        await asyncio.sleep(0)
        with lock:
            under_way -= 1
        await limiter.release(admission, 0)

    async def many():
        await asyncio.gather(*(one() for _ in range(200)))

    threads = [threading.Thread(target=asyncio.run, args=(many(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (limiter.busy, limiter.waiting, under_way, most) == (0, 0, 0, 3)
    assert limiter.store._windows["rate limit"]._requests == 800  # type: ignore[attr-defined]  # likewise


def test_ten_thousand_in_line_cost_each_what_a_thousand_cost():
    def work(number):
        async def main():
            limiter = Limiter(requests_per_minute=number / 4, max_wait=1000)

            async def one():
                admission, _ = await limiter.acquire()
                await limiter.release(admission, 0)

            tasks = [asyncio.create_task(one()) for _ in range(number)]
            await asyncio.sleep(1)
            for task in tasks[1::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert limiter.waiting == 0

        profile = cProfile.Profile()
        profile.runcall(run_jumping, main())
        return sum(entry.callcount for entry in profile.getstats())

    assert work(10_000) < 10 * work(1_000) * 1.15


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"concurrency": 0}, "'concurrency' must be"),
        ({"concurrency": True}, "'concurrency' must be"),
        ({"max_wait": -1}, "'max_wait' must be"),
        ({"requests_per_minute": 0}, "'requests' must be"),
    ],
)
def test_limits_of_nonsense_are_refused_when_built(fields, words):
    with pytest.raises(ConfigError, match=words):
        Limiter(**fields)


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf")])
def test_a_weight_of_nonsense_is_refused(weight):
    with pytest.raises(ConfigError, match="'weight' must be"):
        run_jumping(Limiter().acquire(weight))


def test_printing_it_explains_the_plan():
    assert repr(Limiter(requests_per_minute=5, name="openai")) == (
        "Limiter(requests_per_minute=5, tokens_per_minute=None, burst=None, concurrency=None, max_wait=None, "
        "learn=False, name='openai')"
    )
