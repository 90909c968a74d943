"""The breaker around a model: who may ask, what it is told, and that a probe that ends in any way is over."""

import asyncio
import threading
from contextlib import aclosing
from typing import Any

import pytest

from callm.errors import CircuitOpen, RateLimitError, ServerError, TruncatedStream
from callm.middleware.breaker import Breaker
from callm.middleware.fallback import Fallback
from callm.middleware.timeout import Timeout
from callm.policy.breaker import Circuit
from callm.testing import ScriptedModel
from callm.types import Event, Finish, ResponseHeaders, TextDelta
from tests.middleware.racing import REQUEST, cancel_everywhere, play, read
from tests.middleware.slow import Slow, request
from tests.support import run_jumping

DOWN = ServerError("down", status=500)
GOOD: list[Event] = [TextDelta("hi"), Finish("stop")]


def broken(circuit, *then):
    return Breaker(ScriptedModel(*([[DOWN]] * 2), *then, name="a/b"), circuit)


async def fails(model, error, times=1):
    for _ in range(times):
        with pytest.raises(error):
            await read(model)


def test_an_open_circuit_refuses_at_once_and_says_why_and_until_when():
    model = broken(Circuit(failures=2), GOOD)

    async def main():
        await fails(model, ServerError, 2)
        await asyncio.sleep(12)
        with pytest.raises(CircuitOpen) as caught:
            await read(model)
        return caught.value

    error = run_jumping(main())
    assert len(model.inner.requests) == 2
    assert str(error) == (
        "the circuit of a/b is open for 12 s, tried again in 18 s; the last failure was ServerError: down (HTTP 500)"
    )
    assert (error.retry_after, error.model, error.retryable) == (18, "a/b", False)


def test_after_the_cooldown_a_probe_closes_it():
    model = broken(Circuit(failures=2), GOOD)

    async def main():
        await fails(model, ServerError, 2)
        await asyncio.sleep(30)
        return await read(model)

    assert run_jumping(main()) == GOOD
    assert model.circuit.state == "closed"


def test_a_rate_limit_does_not_open_it():
    model = Breaker(ScriptedModel([RateLimitError("slow", status=429)]), Circuit(failures=2))
    run_jumping(fails(model, RateLimitError, 5))
    assert (model.circuit.state, model.circuit.failures) == ("closed", 0)


def test_silence_counts_where_the_time_limit_is_inside():
    model = Breaker(Timeout(Slow((100, []))), Circuit(failures=1))

    async def main():
        with pytest.raises(Exception, match="no content came"):
            await read(model, request(first_content=5))

    run_jumping(main())
    assert model.circuit.state == "open"
    assert "CallTimeout" in model.circuit.last_error


def test_of_many_calls_exactly_one_probes():
    circuit = Circuit(failures=2)
    model = Breaker(Slow((1, [TextDelta("x")]), (1, [Finish("stop")])), circuit)

    async def main():
        await fails(broken(circuit), ServerError, 2)
        await asyncio.sleep(31)
        return await asyncio.gather(*(read(model) for _ in range(50)), return_exceptions=True)

    results = run_jumping(main())
    assert sum(isinstance(result, list) for result in results) == 1
    assert sum(isinstance(result, CircuitOpen) for result in results) == 49


def test_a_probe_with_content_lets_others_in_before_its_answer_ends():
    circuit = Circuit(failures=2)
    model = Breaker(ScriptedModel([[ResponseHeaders(200)], *GOOD]), circuit)

    async def main():
        await fails(broken(circuit), ServerError, 2)
        await asyncio.sleep(31)
        return [circuit.state async for _ in model.stream(REQUEST)]

    assert run_jumping(main()) == ["half_open", "closed", "closed"]


def test_a_probe_that_breaks_after_content_counts_as_a_failure():
    circuit = Circuit(failures=2)
    model = Breaker(ScriptedModel([TextDelta("h"), TruncatedStream("cut")]), circuit)

    async def main():
        await fails(broken(circuit), ServerError, 2)
        await asyncio.sleep(31)
        await fails(model, TruncatedStream)

    run_jumping(main())
    assert (circuit.state, circuit.failures) == ("closed", 1)


def test_a_late_answer_of_a_call_from_before_does_not_close_it():
    circuit = Circuit(failures=2)
    slow = Breaker(Slow((5, [TextDelta("x")]), (1, [Finish("stop")])), circuit)

    async def main():
        late = asyncio.create_task(read(slow))
        await asyncio.sleep(1)
        await fails(broken(circuit), ServerError, 2)
        await late

    run_jumping(main())
    assert circuit.state == "open"


def test_a_fallback_skips_an_open_circuit():
    circuit = Circuit(failures=1)
    down, second = ScriptedModel([DOWN], name="a/a"), ScriptedModel(GOOD, name="b/b")
    first = Breaker(down, circuit)
    run_jumping(fails(first, ServerError))
    response = play(Fallback((first, second)))
    assert (response.text, response.answered_by) == ("hi", "b/b")
    assert [attempt.kind for attempt in response.attempts] == ["circuit_open"]
    assert len(down.requests) == 1


def half_open(model):
    circuit: Any = Circuit(failures=1, cooldown=1)
    circuit.fail(circuit.enter(0.0), 0.0, DOWN)
    return Breaker(model, circuit)


@pytest.mark.parametrize("times", [1, 2])
def test_a_probe_cancelled_anywhere_leaves_room_for_the_next(times):
    def check(model):
        assert model.circuit.state in {"open", "closed"}
        assert model.circuit.enter(5000.0) is not None

    def make():
        return half_open(Slow((0, [ResponseHeaders(200)]), (1, [TextDelta("x")]), (0, [Finish("stop")])))

    assert cancel_everywhere(make, check, times=times) >= 3


def test_a_probe_that_is_left_early_leaves_room_for_the_next():
    model = half_open(ScriptedModel([[ResponseHeaders(200)], *GOOD]))

    async def main():
        async with aclosing(model.stream(REQUEST)) as batches:
            async for _ in batches:
                assert model.circuit.state == "half_open"
                break

    run_jumping(main())
    assert model.circuit.state == "open"


class Waits:
    """Answers when all other calls were refused, in whatever thread they are."""

    name = "waits"

    def __init__(self, others):
        self.others = others
        self.refused = []
        self.begun = 0

    async def stream(self, request):
        self.begun += 1
        while len(self.refused) < self.others:  # noqa: ASYNC110
            await asyncio.sleep(0)
        yield GOOD


def test_threads_send_one_probe_together():
    model = half_open(Waits(8 * 20 - 1))

    async def one():
        try:
            await read(model)
        except CircuitOpen as error:
            model.inner.refused.append(error)

    async def main():
        await asyncio.gather(*(one() for _ in range(20)))

    threads = [threading.Thread(target=run_jumping, args=(main(),), daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (model.inner.begun, model.circuit.state) == (1, "closed")
