"""Whatever ends a call in one and the same moment: the outermost is heard, nothing is swallowed, and nothing is left.

All happens at multiples of half a second on a clock that jumps, so clocks, handles and cancellations meet in one turn of the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from callm.calls import collect, run
from callm.errors import CallmError
from callm.middleware.deadline import Deadline
from callm.middleware.fallback import Fallback
from callm.middleware.hedge import Hedge
from callm.middleware.retry import Retry
from callm.middleware.timeout import Timeout
from callm.policy.backoff import Backoff
from callm.types import (
    CallOptions,
    Cancel,
    Events,
    Finish,
    Message,
    Model,
    Request,
    Response,
    TextDelta,
    Timeouts,
    Usage,
    UsageReport,
)
from tests.support import run_jumping

AROUND: dict[str, Callable[[Model], Model]] = {
    "timeout": Timeout,
    "retry": lambda model: Retry(Timeout(model), Backoff(retries=1, initial=0.5, maximum=0.5)),
    "fallback": lambda model: Fallback((Timeout(model), Timeout(model))),
    "hedge": lambda model: Hedge((Timeout(model),), delay=1.0),
    "deadline": lambda model: Retry(Deadline(Timeout(model)), Backoff(retries=1, initial=0.5, maximum=0.5)),
}


class Waiting:
    """A model that waits so long before each of its batches, the last of which ends the answer, and when it is closed."""

    name = "waiting"

    def __init__(self, waits: list[float], goodbye: float) -> None:
        self._waits = waits
        self._goodbye = goodbye
        self.open = 0

    async def stream(self, request: Request) -> Events:
        self.open += 1
        try:
            for number, wait in enumerate(self._waits):
                await asyncio.sleep(wait)
                yield [TextDelta("hi") if number % 2 else UsageReport(Usage(1, 1))]
            yield [TextDelta("hi"), Finish("stop")]
        finally:
            try:
                await asyncio.sleep(self._goodbye)
            finally:
                self.open -= 1


halves = st.sampled_from([0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
moments = st.none() | halves


@dataclass
class Plan:
    """What happens when. Of None nothing happens."""

    waits: list[float]
    goodbye: float
    around: str
    streamed: bool
    leaves: bool
    total: float | None
    silence: float | None
    handle: float | None
    outside: float | None
    outer: float | None
    busy: bool
    told: list[int] = field(default_factory=list)
    """How often the task was being cancelled when the call had ended."""


plans = st.builds(
    Plan,
    waits=st.lists(st.just(0.0) | halves, max_size=3),
    goodbye=st.sampled_from([0.0, 0.0, 0.5]),
    around=st.sampled_from(list(AROUND)),
    streamed=st.booleans(),
    leaves=st.booleans(),
    total=moments,
    silence=moments,
    handle=moments,
    outside=moments,
    outer=moments,
    busy=st.booleans(),
    told=st.builds(list),
)


async def ask(plan: Plan, model: Model, cancel: Cancel) -> None:
    """Make the call, as the plan says."""
    timeouts = Timeouts(first_content=plan.silence, between_content=plan.silence, total=plan.total)
    request = Request((Message.user("x"),), options=CallOptions(cancel=cancel, timeouts=timeouts))
    if not plan.streamed:
        await collect(lambda _: model, request, Response())
        return
    request = msgspec.structs.replace(request, stream=True)
    async with aclosing(run(model, request, Response())) as batches:
        async for _ in batches:
            if plan.leaves:
                break
            await asyncio.sleep(0.5)


async def play(plan: Plan) -> tuple[str, int]:
    """Return how the call ended, and how often it was cancelled from outside before that."""
    loop: Any = asyncio.get_running_loop()
    cancel, waiting = Cancel(), Waiting(plan.waits, plan.goodbye)
    model = AROUND[plan.around](waiting)
    outside: list[float] = []

    async def call() -> None:
        me: Any = asyncio.current_task()
        try:
            async with asyncio.timeout(plan.outer) if plan.outer is not None else nullcontext():
                await ask(plan, model, cancel)
        finally:
            plan.told.append(me.cancelling())

    def from_outside() -> None:
        if not plan.told:
            outside.append(loop.time())
            task.cancel()
        loop.now += 0.5 * plan.busy  # so that what was to come later is due in the same turn

    task = asyncio.create_task(call())
    if plan.handle is not None:
        loop.call_later(plan.handle, cancel.cancel)
    if plan.outside is not None:
        loop.call_later(plan.outside, from_outside)
    [ended] = await asyncio.gather(task, return_exceptions=True)
    assert waiting.open == 0
    assert not cancel._watchers
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return "ok" if ended is None else _word(ended), len(outside)


def _word(ended: BaseException) -> str:
    return "ours" if isinstance(ended, CallmError) else type(ended).__name__


@settings(max_examples=1500, deadline=None)
@given(plans)
def test_whatever_ends_a_call_in_one_moment_is_heard_in_order_and_leaves_nothing(plan: Plan) -> None:
    ended, cancelled = run_jumping(play(plan))
    assert ended in {"ok", "ours", "TimeoutError", "CancelledError"}
    assert plan.told == [cancelled], "a cancellation was taken back that was not ours, or one of ours was not"
    assert (ended == "CancelledError") == bool(cancelled)
    if plan.outer is None:
        assert ended != "TimeoutError"
