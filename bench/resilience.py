"""The work of the case `resilience`: what the middlewares of a call cost over the bare endpoint, and some of them alone.

1. `PLACE-WORK-STACK`: in memory or through the mock server; a whole call, a stream of which a read brings many events
   (`stream`), or a stream that brings each event in a read of its own (`reads`); the default client, or one with a fallback,
   retries, a rate limit, a circuit breaker and a cache (`full`).
2. Each round does the same with the bare endpoint, too, whose events are added up to a response: the difference is the stack's.
3. Every prompt is new, so the cache finds nothing, asks, and keeps the answer. That of the hits is always the same.
4. The transport in memory lets the event loop turn once for each answer, as a network does: that is where timers are swept.
"""

# ruff: noqa: PLC0415  # callm is imported inside the functions, as a peer does it: see bench/peer.py

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self

from bench import payload
from bench.reading import WrongAnswer

_EVENTS: Final = 2000
_IN_A_READ: Final = 100
_TIMES: Final = 100
"""How often a limiter is passed in one piece of work, so that the loop around it does not count."""

_Work = Callable[[], Awaitable[object]]


class Stack:
    """Work that is ready to be repeated; the attributes are those of `bench.reading.Reading`.

    Attributes:
        bare: the same work without any middleware, or None.
        half: the same work for half as many, or None.
    """

    concurrency = 1
    pieces: int | None = None

    def __init__(self, work: _Work, expected: object, *, units: int = 1) -> None:
        """Repeat `work`, which returns `expected`, and divide its time by `units`."""
        self.units = units
        self.bare: Stack | None = None
        self.half: Stack | None = None
        self.loop = asyncio.new_event_loop()
        self.at_end: list[Callable[[], object]] = []
        self._work = work
        self._expected = expected
        self._last: object = None

    def run(self, times: int) -> None:
        """Do the work `times` times."""
        self.loop.run_until_complete(self._run(times))

    async def _run(self, times: int) -> None:
        for _ in range(times):
            self._last = await self._work()

    def check(self) -> None:
        """Compare the last answer with what it should be.

        Raises:
            WrongAnswer: they differ.
        """
        if self._last != self._expected:
            raise WrongAnswer(f"expected {str(self._expected)[:80]!r}, got {str(self._last)[:80]!r}")

    def close(self) -> None:
        """Close what was opened."""
        for end in self.at_end:
            end()
        self.loop.close()


def open_stack(name: str, url: str) -> Stack:
    """Prepare a row of the case; `url` is that of the mock server."""
    first, *rest = name.split("-")
    if first == "limiter":
        return Stack(_pass_a_limiter, None, units=_TIMES)
    if first == "waiters":
        whole, half = [Stack(lambda each=each: _wait_in_line(each), each) for each in (int(rest[0]), int(rest[0]) // 2)]  # type: ignore[misc]  # mypy does not infer defaults of lambdas
        whole.half = half
        whole.at_end.append(half.close)
        return whole
    return _hits(first) if rest == ["hit"] else _stack(first, *rest, url=url)


def _stack(place: str, work: str, stack: str, *, url: str) -> Stack:
    import callm

    arguments: dict[str, Any] = {}
    if stack == "full":
        limits = callm.RateLimits(requests_per_minute=1e9, tokens_per_minute=1e12)
        arguments = {"fallback": ["openai/other"], "rate_limit": limits, "breaker": True, "cache": True}
    if place == "memory":
        arguments["transport"] = _Memory(work)
    else:
        arguments["base_url"] = f"{url}/{'text' if work == 'call' else f'stream{_EVENTS}'}/v1"
    client = callm.Client(f"openai/{payload.MODEL}", api_key="x", **arguments)
    endpoint: Any = client.model(f"openai/{payload.MODEL}")
    while hasattr(endpoint, "inner"):
        endpoint = endpoint.inner
    if work == "call":
        done = Stack(_calls(client), payload.text())
        done.bare = Stack(_bare_calls(endpoint), payload.text())
    else:
        length = len(payload.text(_EVENTS))
        done = Stack(_streams(client), length, units=_EVENTS)
        done.bare = Stack(_bare_streams(endpoint), length, units=_EVENTS)
    done.bare.loop.close()
    done.bare.loop = done.loop  # where the client's connections are
    done.at_end.append(lambda: done.loop.run_until_complete(client.aclose()))
    return done


def _hits(place: str) -> Stack:
    import callm

    folder = TemporaryDirectory()
    cache: Any = True if place == "memory" else Path(folder.name) / "answers.sqlite"
    store = callm.MemoryStore() if cache is True else callm.SQLiteStore(cache)
    memory: Any = _Memory("call")
    client = callm.Client(f"openai/{payload.MODEL}", api_key="x", cache=store, transport=memory)

    async def hit() -> object:
        return (await client.call(payload.PROMPT)).text

    done = Stack(hit, payload.text())
    done.at_end += [store.close, folder.cleanup]
    return done


def _prompts() -> Callable[[], str]:
    numbers = count()
    return lambda: f"{payload.PROMPT} ({next(numbers)})"


def _calls(client: Any) -> _Work:
    prompt = _prompts()

    async def call() -> object:
        return (await client.call(prompt())).text

    return call


def _bare_calls(endpoint: Any) -> _Work:
    from callm import Message, Request, Response

    prompt = _prompts()

    async def call() -> object:
        response = Response()
        async with aclosing(endpoint.stream(Request((Message.user(prompt()),)))) as batches:
            async for batch in batches:
                response.add(batch)
        return response.text

    return call


def _streams(client: Any) -> _Work:
    from callm import TextDelta

    prompt = _prompts()

    async def stream() -> object:
        characters = 0
        async for event in client.stream(prompt()):
            if isinstance(event, TextDelta):
                characters += len(event.text)
        return characters

    return stream


def _bare_streams(endpoint: Any) -> _Work:
    from callm import Message, Request, Response, TextDelta

    prompt = _prompts()

    async def stream() -> object:
        response, characters = Response(), 0
        async with aclosing(endpoint.stream(Request((Message.user(prompt()),), stream=True))) as batches:
            async for batch in batches:
                response.add(batch)
                for event in batch:
                    if isinstance(event, TextDelta):
                        characters += len(event.text)
        return characters

    return stream


async def _pass_a_limiter() -> object:
    import callm

    limiter = callm.Limiter(requests_per_minute=1e9, tokens_per_minute=1e12)
    for _ in range(_TIMES):
        admission, _waited = await limiter.acquire(1.0, 100)
        await limiter.release(admission, 50)
    return None


async def _wait_in_line(callers: int) -> object:
    """Let so many callers come at once where one may go at a time, and return how many passed."""
    import callm

    limiter = callm.Limiter(requests_per_minute=1e9, concurrency=1)

    async def one() -> int:
        admission, _waited = await limiter.acquire()
        await asyncio.sleep(0)
        await limiter.release(admission, 0)
        return 1

    return sum(await asyncio.gather(*(one() for _ in range(callers))))


class _Memory:
    """A transport that always gives the same answer."""

    def __init__(self, work: str) -> None:
        if work == "call":
            self._headers, self._reads = (
                {"content-type": "application/json"},
                [payload.openai_body(payload.text(), payload.TOKENS)],
            )
            return
        events = payload.openai_events(payload.deltas(_EVENTS))
        size = _IN_A_READ if work == "stream" else 1
        self._headers = {"content-type": "text/event-stream"}
        self._reads = [b"".join(events[at : at + size]) for at in range(0, len(events), size)]

    def send(self, request: object, timeouts: object) -> _Answer:
        """Answer."""
        del request, timeouts
        return _Answer(self._headers, self._reads)

    async def aclose(self) -> None:
        """Do nothing: nothing is open."""


class _Answer:
    status = 200

    def __init__(self, headers: dict[str, str], reads: list[bytes]) -> None:
        self.headers = headers
        self._reads = iter(reads)
        self._begun = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def read(self) -> bytes:
        if not self._begun:
            self._begun = True
            await asyncio.sleep(0)
        return next(self._reads, b"")
