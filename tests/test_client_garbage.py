"""A call that succeeds leaves nothing for the garbage collector: no object of it refers to itself in a circle."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from callm.client import Client
from callm.errors import ServerError
from callm.io.stores import MemoryStore
from callm.middleware.breaker import Breaker
from callm.middleware.budget import Budget, Cap
from callm.middleware.cache import Cache
from callm.middleware.continuation import Continuation
from callm.middleware.deadline import Deadline
from callm.middleware.fallback import Fallback
from callm.middleware.limiter import Limiter
from callm.middleware.rate_limit import RateLimit
from callm.middleware.retry import Retry
from callm.middleware.round_robin import RoundRobin
from callm.middleware.timeout import Timeout
from callm.policy.backoff import Backoff
from callm.types import Events, Finish, Model, Request, TextDelta

CALLS = 10

AROUND: dict[str, Callable[[Any], Model]] = {
    "nothing": lambda model: model,
    "time limits": lambda model: Deadline(Timeout(model)),
    "retry": lambda model: Retry(model, Backoff(retries=3, initial=0.0)),
    "fallback": lambda model: Fallback((model, model)),
    "round-robin": lambda model: RoundRobin.of(model, model),
    "breaker": Breaker,
    "rate limit": lambda model: RateLimit(model, Limiter(requests_per_minute=1e9, tokens_per_minute=1e12)),
    "cache": lambda model: Cache(model, MemoryStore()),
    "budget": lambda model: Budget(model, (Cap(tokens=1e12),)),
    "continuation": lambda model: Continuation(model, 2),
}


class Answers:
    """Answers in two batches, after so many failures for each success."""

    name = "test/model"

    def __init__(self, failures: int) -> None:
        self._failures, self._calls = failures, 0

    async def stream(self, request: Request) -> Events:
        del request
        self._calls += 1
        if self._calls % (self._failures + 1):
            raise ServerError("down")
        yield [TextDelta("a")]
        yield [TextDelta("b"), Finish("stop")]


async def ask(client: Client, prompt: str, how: str) -> None:
    if how == "call":
        assert (await client.call(prompt)).text == "ab"
        return
    async with client.stream(prompt) as events:
        async for _ in events:
            if how == "left":
                break


def of_a_call(thing: object) -> bool:
    """Return whether `thing` is one of callm's."""
    code = getattr(thing, "ag_code", None) or getattr(thing, "cr_code", None)
    return type(thing).__module__.startswith("callm") or (code is not None and "callm" in code.co_filename)


@pytest.mark.parametrize("how", ["call", "stream", "left"])
@pytest.mark.parametrize(
    ("name", "failures"), [*((name, 0) for name in AROUND), ("retry", 1), ("retry", 2), ("fallback", 1)]
)
def test_a_call_that_succeeds_leaves_nothing_to_collect(name: str, failures: int, how: str) -> None:
    async def main() -> Counter[str]:
        client = Client(AROUND[name](Answers(failures)))
        for number in range(3):  # whatever is made once
            await ask(client, f"before {number}", how)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for number in range(CALLS):
                await ask(client, f"{number}", how)
            gc.collect()
            return Counter(type(thing).__name__ for thing in gc.garbage if of_a_call(thing))
        finally:
            gc.set_debug(0)
            gc.enable()
            gc.garbage.clear()

    left = asyncio.run(main())
    assert {kind: count for kind, count in left.items() if count >= CALLS} == {}  # other threads may leave one or two
