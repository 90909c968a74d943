"""The limiter around a model, on a clock that jumps."""

import asyncio
from contextlib import aclosing

import pytest

from callm.errors import (
    AuthError,
    CallmError,
    CallTimeout,
    CircuitOpen,
    ProtocolError,
    QueueTimeout,
    RateLimitError,
    TransportError,
)
from callm.middleware.limiter import Limiter
from callm.middleware.rate_limit import RateLimit
from callm.testing import ScriptedModel
from callm.testing.scripted_model import Step
from callm.types import (
    CacheHit,
    CallOptions,
    Finish,
    Message,
    Request,
    Response,
    ResponseHeaders,
    Settings,
    TextDelta,
    Usage,
    UsageReport,
    Waited,
)
from tests.support import run_jumping

ANSWER: list[Step] = [TextDelta("hello"), [UsageReport(Usage(7, 3)), Finish("stop")]]
REQUEST = Request((Message.user("x" * 384),), settings=Settings(max_tokens=100))  # 96 + 4 + 100 tokens


def used(limiter):
    window = limiter.store._windows["rate limit"]
    return window._requests, window._tokens


async def play(model, request=REQUEST):
    response = Response()
    async with aclosing(model.stream(request)) as batches:
        async for batch in batches:
            response.add(batch)
    return response


def test_the_estimate_becomes_the_real_usage():
    limiter = Limiter(tokens_per_minute=1000, concurrency=1)
    model = RateLimit(ScriptedModel(ANSWER), limiter)

    async def main():
        async with aclosing(model.stream(REQUEST)) as batches:
            await anext(batches)
            assert (used(limiter), limiter.busy) == ((1, 200), 1)
        return await play(model)

    assert run_jumping(main()).text == "hello"
    assert limiter.busy == 0
    assert used(limiter) == (2, 102 + 10)  # the first was left: its prompt, and what came


def test_a_wait_is_an_event_and_part_of_the_response():
    async def main():
        model = RateLimit(ScriptedModel(ANSWER), Limiter(requests_per_minute=1, name="openai"))
        assert (await play(model)).waited == 0
        async with aclosing(model.stream(REQUEST)) as batches:
            assert await anext(batches) == [Waited("openai", 60.0)]
        assert model.name == "scripted"

    run_jumping(main())


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (AuthError("no", status=401), (1, 0)),
        (TransportError("refused"), (1, 0)),
        (ProtocolError("garbage"), (1, 0)),
        (CallTimeout("silence"), (1, 100)),
        (CircuitOpen("open"), (0, 0)),
    ],
)
def test_a_failure_keeps_what_the_provider_counted(error, left):
    limiter = Limiter(requests_per_minute=5, tokens_per_minute=1000, concurrency=1)

    async def main():
        with pytest.raises(CallmError):
            await play(RateLimit(ScriptedModel([error]), limiter))

    run_jumping(main())
    assert (used(limiter), limiter.busy, limiter.waiting) == (left, 0, 0)


def test_a_429_pauses_everybody_for_as_long_as_the_provider_asks():
    async def main():
        model = RateLimit(ScriptedModel([RateLimitError("slow down", retry_after=17.0)], ANSWER), Limiter())
        with pytest.raises(RateLimitError):
            await play(model)
        assert (await play(model)).waited == 17

    run_jumping(main())


def test_the_headers_lower_the_limit_where_that_was_asked_for():
    head = ResponseHeaders(200, {"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "30s"})

    async def main(*, learn):
        model = RateLimit(ScriptedModel([head, *ANSWER], ANSWER), Limiter(learn=learn))
        return [(await play(model)).waited for _ in range(3)]

    assert run_jumping(main(learn=True)) == [0, 0, 30]
    assert run_jumping(main(learn=False)) == [0, 0, 0]


def test_an_answer_from_a_cache_inside_counts_for_nothing():
    limiter = Limiter(requests_per_minute=5, tokens_per_minute=1000)
    run_jumping(play(RateLimit(ScriptedModel([CacheHit(1.0), *ANSWER]), limiter)))
    assert used(limiter) == (0, 0)


def test_weight_and_deadline_of_the_call_count():
    async def main():
        inner, now = ScriptedModel(ANSWER), asyncio.get_running_loop().time()
        model = RateLimit(inner, Limiter(requests_per_minute=10))
        await play(model, Request(REQUEST.messages, options=CallOptions(weight=9.0)))
        with pytest.raises(QueueTimeout) as caught:
            await play(model, Request(REQUEST.messages, options=CallOptions(weight=2.0, deadline=now + 59)))
        assert (caught.value.retry_after, len(inner.requests)) == (60, 1)

    run_jumping(main())


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("step", range(12))
def test_cancelling_at_any_step_leaves_nothing(step, twice):
    class Slow(ScriptedModel):
        async def stream(self, request):
            async with aclosing(super().stream(request)) as batches:
                async for batch in batches:
                    await asyncio.sleep(0)
                    yield batch

    async def main():
        limiter = Limiter(tokens_per_minute=10_000, concurrency=1)
        inner = Slow(ANSWER)
        tasks = [asyncio.create_task(play(RateLimit(inner, limiter))) for _ in range(3)]
        for _ in range(step):
            await asyncio.sleep(0)
        for _ in range(1 + twice):
            tasks[0].cancel()
            tasks[1].cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert tasks[2].result().text == "hello"
        assert (limiter.busy, limiter.waiting, inner.open_streams) == (0, 0, 0)
        assert used(limiter)[1] <= 10 + 2 * 102
        assert len(asyncio.all_tasks()) == 1

    run_jumping(main())


def test_printing_it_explains_the_plan():
    text = repr(RateLimit(ScriptedModel(ANSWER), Limiter(requests_per_minute=5)))
    assert text.startswith("RateLimit(inner=ScriptedModel(")
    assert "limiter=Limiter(requests_per_minute=5," in text
