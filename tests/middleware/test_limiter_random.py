"""The limiter against whoever comes whenever and leaves whenever: within its limits in any minute, in order, nothing lost."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from callm.middleware.limiter import Limiter
from callm.policy.window import SPAN
from tests.support import run_jumping

ARRIVALS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.5, 7.0, 31.0]),  # seconds after the one before
        st.integers(1, 3),  # requests
        st.integers(0, 60),  # tokens by estimate
        st.floats(0, 1),  # which part of them it really costs
        st.none() | st.sampled_from([0.0, 1.0, 40.0, 90.0]),  # seconds after which it gives up, in line or under way
        st.sampled_from([0.0, 3.0, 20.0]),  # seconds it takes
    ),
    max_size=30,
)


class Caller:
    """One of those that arrive, and what came of it."""

    def __init__(self, requests: int, tokens: int, part: float, hold: float) -> None:
        self.requests, self.tokens, self.hold = requests, tokens, hold
        self.cost = tokens * part
        self.arrived = self.admitted = -1.0
        self.spent: tuple[float, float] = (0, 0)

    async def run(self, limiter: Limiter) -> None:
        loop = asyncio.get_running_loop()
        self.arrived = loop.time()
        admission, waited = await limiter.acquire(self.requests, self.tokens)
        self.admitted = loop.time()
        assert abs(waited - (self.admitted - self.arrived)) < 1e-6
        self.spent = (admission.requests, self.cost)
        try:
            await asyncio.sleep(self.hold)
        finally:
            await limiter.release(admission, self.cost)


async def _play(limiter: Limiter, arrivals: list[tuple[float, int, int, float, float | None, float]]) -> list[Caller]:
    loop, callers, tasks = asyncio.get_running_loop(), [], []
    for gap, requests, tokens, part, gives_up, hold in arrivals:
        await asyncio.sleep(gap)
        caller = Caller(requests, tokens, part, hold)
        task = asyncio.ensure_future(caller.run(limiter))
        if gives_up is not None:
            loop.call_later(gives_up, task.cancel)
        callers.append(caller)
        tasks.append(task)
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        assert outcome is None or isinstance(outcome, asyncio.CancelledError), outcome
    assert (limiter.busy, limiter.waiting, limiter._line.requests, limiter._line.tokens) == (0, 0, 0, 0)
    await asyncio.sleep(SPAN)
    began = loop.time()
    await limiter.release((await limiter.acquire(1, 50))[0], 0)
    assert loop.time() == began  # after a minute everything is there again
    return callers


@settings(max_examples=200, deadline=None)
@given(arrivals=ARRIVALS, requests=st.integers(3, 8), tokens=st.integers(60, 100), slots=st.none() | st.integers(1, 4))
def test_whoever_comes_and_leaves_whenever_no_minute_sees_more_than_the_limits(
    arrivals: list[tuple[float, int, int, float, float | None, float]], requests: int, tokens: int, slots: int | None
) -> None:
    limiter = Limiter(requests_per_minute=requests, tokens_per_minute=tokens, concurrency=slots)
    admitted = [caller for caller in run_jumping(_play(limiter, arrivals)) if caller.admitted >= 0]
    times = [caller.admitted for caller in admitted]
    assert times == sorted(times)  # first come, first served
    for begin in times:
        inside = [caller.spent for caller in admitted if begin <= caller.admitted < begin + SPAN]
        assert sum(spent[0] for spent in inside) <= requests + 1e-6
        assert sum(spent[1] for spent in inside) <= tokens + 1e-6
