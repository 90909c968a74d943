"""What the tests of breaker, continuation and hedge share: reading a stream, and cancelling it at each of its steps."""

import asyncio
from contextlib import aclosing, suppress

from callm.types import Message, Request, Response
from tests.support import run_jumping

REQUEST = Request((Message.user("hi"),))


async def read(model, request=REQUEST):
    """Return all events of a stream."""
    async with aclosing(model.stream(request)) as batches:
        return [event async for batch in batches for event in batch]


async def response_of(model, request=REQUEST):
    response = Response()
    response.add(await read(model, request))
    return response


def play(model, request=REQUEST):
    """Return the response of a call, on a clock that jumps."""
    return run_jumping(response_of(model, request))


async def _steps(task, most):
    """Let `task` run for so many turns of the loop; return whether it is done."""
    for _ in range(most):
        if task.done():
            return True
        await (asyncio.sleep(0) if _ready() else _next_timer())
    return task.done()


def _ready():
    return bool(asyncio.get_running_loop()._ready)  # type: ignore[attr-defined]


async def _next_timer():
    loop = asyncio.get_running_loop()
    timers = [handle.when() for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
    if timers:
        await asyncio.sleep(max(0.0, min(timers) - loop.time()))


def cancel_everywhere(make, check, *, times=1, most=200):
    """Cancel a call at step 0, 1, 2, ... until it is too late, `times` times in a row; return at how many it was hit.

    `make` makes the model anew; `check(model)` looks at it afterwards. No task may be left.
    """

    async def one(step):
        model = make()
        task = asyncio.create_task(read(model))
        done = await _steps(task, step)
        cancelled = False
        for _ in range(times):
            cancelled |= task.cancel()
            await asyncio.sleep(0)
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled() == cancelled, f"cancelled at step {step}: it went on"
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others, f"cancelled at step {step}: {others}"
        check(model)
        return done

    for step in range(most):
        if run_jumping(one(step)):
            return step
    raise AssertionError("the call has no end")


class Paced:
    """Plays attempts of steps: seconds to wait, and a batch to yield or an error to raise; the last one again and again.

    Attributes:
        begun: how many of its streams were begun. `open` is how many of them are neither over nor closed.
    """

    def __init__(self, *attempts, name="paced"):
        self.attempts = attempts
        self.name = name
        self.begun = self.open = 0

    async def stream(self, request):
        attempt = self.attempts[min(self.begun, len(self.attempts) - 1)]
        self.begun += 1
        self.open += 1
        try:
            for seconds, step in attempt:
                await asyncio.sleep(seconds)
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            self.open -= 1
