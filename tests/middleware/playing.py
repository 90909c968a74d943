"""How tests play a model on a clock that jumps, and see everything that came of it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from callm.errors import CallmError
from callm.types import CallOptions, Event, Finish, Message, Model, Request, Response, TextDelta, Usage, UsageReport
from tests.support import run_jumping

HI = Request((Message.user("hi"),))
HELLO: list[Event] = [TextDelta("hello"), UsageReport(Usage(3, 1)), Finish("stop")]


def asking(**options: Any) -> Request:
    """Return a request with options."""
    return Request((Message.user("hi"),), options=CallOptions(**options))


class Played:
    """What came of one call: batches, the sum of them, the error or None, and the seconds it took."""

    def __init__(self) -> None:
        self.batches: list[list[Event]] = []
        self.response = Response()
        self.error: CallmError | None = None
        self.seconds = 0.0

    @property
    def events(self) -> list[Event]:
        """All events in order."""
        return [event for batch in self.batches for event in batch]

    def of(self, kind: type) -> list[Any]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


async def aplay(model: Model, request: Request = HI) -> Played:
    """Play one call to its end."""
    played, loop = Played(), asyncio.get_running_loop()
    began = loop.time()
    try:
        async with aclosing(model.stream(request)) as batches:
            async for batch in batches:
                assert batch, "an empty batch"
                played.batches.append(batch)
                played.response.add(batch)
    except CallmError as error:
        played.error = error
    played.seconds = loop.time() - began
    return played


def play(model: Model, request: Request = HI) -> Played:
    """Play one call to its end, on a loop whose clock jumps."""
    return run_jumping(aplay(model, request))


async def cancel_at(model: Model, request: Request, step: int, *, twice: bool = False) -> bool:
    """Play a call and cancel it at its `step`-th turn of the loop; return whether it had ended before."""

    async def consume() -> None:
        async with aclosing(model.stream(request)) as batches:
            async for _ in batches:
                await asyncio.sleep(0)

    task = asyncio.ensure_future(consume())
    for _ in range(step):
        await asyncio.sleep(0)
        if task.done():
            break
    ended = task.done()
    task.cancel()
    if twice:
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return ended
