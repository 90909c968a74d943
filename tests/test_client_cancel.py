"""Cancelling a call through everything that callm puts around a model, at every step and also twice: nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from callm.client import Client
from callm.errors import ServerError
from callm.middleware.budget import Cap
from callm.testing import Answer, Fault, FaultServer
from callm.types import Finish, Response, TextDelta, Usage, UsageReport
from tests.middleware.racing import Paced, _steps
from tests.soak.stack import full_stack, held
from tests.support import run_jumping

pytestmark = pytest.mark.usefixtures("key")

TIMES = pytest.mark.parametrize("times", [1, 2])
FORMS = pytest.mark.parametrize(("stream", "times"), [(False, 1), (True, 2)])


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAK_KEY", "sk-test")


async def ask(client: Client, *, stream: bool, text: str = "hi") -> Response:
    """Return the whole answer."""
    if not stream:
        return await client.call(text)
    async with client.stream(text) as events:
        async for _ in events:
            pass
    return events.response


# A model that is played, on a clock that jumps: each turn of the loop is a step.

GOOD = [
    (0.1, [TextDelta("hel")]),
    (0.1, [TextDelta("lo")]),
    (0.0, [UsageReport(Usage(3, 2)), Finish("stop")]),
]
CUT = [(0.1, [TextDelta("hel")]), (0.0, [UsageReport(Usage(3, 1)), Finish("length")])]
REST = [(0.1, [TextDelta("lo")]), (0.0, [UsageReport(Usage(4, 1)), Finish("stop")])]
FAILS = [(0.1, ServerError("no"))]
SLOW = [(0.9, [TextDelta("late")]), (5.0, [Finish("stop")])]

SCRIPTS = {
    "good": ([GOOD], [GOOD]),
    "retried": ([FAILS, FAILS, GOOD], [GOOD]),
    "fallback": ([FAILS], [FAILS, GOOD]),
    "hedged": ([SLOW, GOOD], [GOOD]),
    "continued": ([CUT, REST], [GOOD]),
    "fails": ([FAILS], [FAILS]),
}


class Played:
    """A client with the full stack over two models that are played."""

    def __init__(self, name: str, **entry: Any) -> None:
        names = ("openai/gpt-x", "anthropic/claude-x")
        scripts: Any = SCRIPTS[name]
        self.models = {name: Paced(*script, name=name) for name, script in zip(names, scripts, strict=True)}
        self.cap = Cap(tokens=1e9)
        retry = {"retries": 2 if name == "retried" else 1, "initial": 0.002}
        usual = {"hedge": {"after": 0.3}, "retry": retry}
        self.client = full_stack("http://127.0.0.1:1", cap=self.cap, **{**usual, **entry})
        self.client._builder = replace(self.client._builder, endpoint=lambda name, *_: self.models[name])

    def left(self) -> dict[str, float]:
        """Return what is held after the call: nothing, if all is well."""
        others = len(asyncio.all_tasks()) - 1
        found = {**held(self.client), "tasks": others, "streams": sum(model.open for model in self.models.values())}
        return {what: count for what, count in found.items() if count}


async def _cancelled_at(step: int, times: int, task: asyncio.Task[Any]) -> bool:
    """Cancel `task` at its `step`-th turn, and return whether it was over before."""
    over = await _steps(task, step)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.gather(task, return_exceptions=True)
    return bool(over)


def at_every_step(one: Callable[[int], Coroutine[Any, Any, bool]], least: int) -> None:
    """Run `one` for each step until it says that it is too late, which may not be before `least`."""
    step = 0
    while not run_jumping(one(step)):
        step += 1
        assert step < 500
    assert step > least


@FORMS
@pytest.mark.parametrize("name", SCRIPTS)
def test_nothing_is_left_wherever_a_call_is_cancelled(name: str, stream: bool, times: int) -> None:
    async def one(step: int) -> bool:
        played = Played(name)
        over = await _cancelled_at(step, times, asyncio.ensure_future(ask(played.client, stream=stream)))
        assert played.left() == {}, f"cancelled at step {step}"
        return over

    at_every_step(one, 3)


@TIMES
@pytest.mark.parametrize("victim", [0, 1, 2])
def test_others_in_line_go_on_whoever_is_cancelled(victim: int, times: int) -> None:
    async def one(step: int) -> bool:
        limits = {"concurrency": 1, "requests_per_minute": 2, "tokens_per_minute": 1e9}
        played = Played("good", rate_limit=limits, hedge=False)
        tasks = [asyncio.ensure_future(ask(played.client, stream=False, text=f"{number}")) for number in range(3)]
        over = await _cancelled_at(step, times, tasks.pop(victim))
        assert [response.text for response in await asyncio.gather(*tasks)] == ["hello", "hello"]
        assert played.left() == {}, f"cancelled at step {step}"
        limiter = played.client.limiters["first"]
        assert limiter.store._windows[limiter.name]._requests <= played.models["openai/gpt-x"].begun  # type: ignore[attr-defined]
        return over

    at_every_step(one, 3)


@TIMES
@pytest.mark.parametrize("victim", [0, 1])
def test_who_asked_the_same_gets_the_answer_whoever_is_cancelled(victim: int, times: int) -> None:
    async def one(step: int) -> bool:
        played = Played("good")
        tasks = [asyncio.ensure_future(ask(played.client, stream=True)) for _ in range(2)]
        over = await _cancelled_at(step, times, tasks[victim])
        assert (await tasks[1 - victim]).text == "hello"
        assert played.left() == {}, f"cancelled at step {step}"
        return over

    at_every_step(one, 3)


@TIMES
def test_a_probe_that_is_cancelled_leaves_the_probe_to_the_next_call(times: int) -> None:
    async def one(step: int) -> bool:
        played = Played("good", breaker={"failures": 1, "cooldown": 10}, cache=False)
        model = played.models["openai/gpt-x"]
        model.attempts = (FAILS, GOOD)
        await ask(played.client, stream=False)
        circuit = played.client.circuits["first"]
        assert (circuit.state, model.begun) == ("open", 1)
        await asyncio.sleep(20)
        over = await _cancelled_at(step, times, asyncio.ensure_future(ask(played.client, stream=False)))
        assert played.left() == {}, f"cancelled at step {step}"
        response = await ask(played.client, stream=False)
        assert (response.text, response.answered_by, circuit.state) == ("hello", "openai/gpt-x", "closed")
        return over

    at_every_step(one, 3)


# A real server, on the real clock: each time the call's task waits is a step.


class CancelledAt(Awaitable[Any]):
    """Runs a coroutine in its task, and cancels the task as soon as it waits for the `step`-th time."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], step: int, times: int) -> None:
        self._coroutine = coroutine
        self._step = step
        self._times = times
        self.reached = False

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = 0
        send: Callable[[Any], Any] = self._coroutine.send
        value: Any = None
        while True:
            try:
                waits_for = send(value)
            except StopIteration as end:
                return end.value
            if steps == self._step:
                self._cancel()
            steps += 1
            send, value = self._coroutine.send, None
            try:
                yield waits_for
            except BaseException as error:
                send, value = self._coroutine.throw, error

    def _cancel(self) -> None:
        self.reached = True
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        loop.call_soon(task.cancel)
        if self._times > 1:
            loop.call_soon(lambda: loop.call_soon(task.cancel))


@pytest.fixture(scope="module")
def shared() -> Iterator[FaultServer]:
    with FaultServer(Answer(text="hello there")) as server:
        yield server


LENGTH = Fault(answer=Answer(text="hello ", finish_reason="length"))
FAULTS: dict[str, tuple[Fault, ...]] = {
    "good": (Fault(size=90, pause=0.0003),),
    "retried": (Fault(status=500), Fault(at=-1)),
    "fallback": (Fault(status=401),),
    "hedged": (Fault(at=-1, then="stall"),),
    "stalled": (Fault(at=-1, then="stall"), Fault(at=-1, then="stall"), Fault(at=-1, then="stall")),
    "broken": (Fault(at=150, then="reset"),),
    "continued": (LENGTH,),
}


@FORMS
@pytest.mark.parametrize("name", FAULTS)
def test_no_connection_is_in_use_wherever_a_call_is_cancelled(
    shared: FaultServer, name: str, stream: bool, times: int
) -> None:
    async def main() -> int:
        for step in range(200):
            shared._plan.clear()
            shared.plan(*FAULTS[name])
            call = CancelledAt(ask(client, stream=stream, text=f"{name} {step}"), step, times)
            with suppress(Exception, asyncio.CancelledError):
                await asyncio.ensure_future(_run(call))
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert (held(client), others) == ({}, set()), f"cancelled at step {step}"
            if not call.reached:
                return step
        raise AssertionError("the call has no end")

    # Beside a hedge the call's task waits for nothing but its attempts.
    hedge = {"after": 0.01} if name == "hedged" else False
    with full_stack(shared.url, hedge=hedge, timeouts={"first_content": 0.05}, wait=0.0) as client:
        assert asyncio.run(main()) >= 2


async def _run(call: CancelledAt) -> Any:
    return await call
