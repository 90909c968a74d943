"""One call under way, of any Model: events to a response. What goes over HTTP is tested with the client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from callm.calls import ResponseStream, collect, run
from callm.client import Client
from callm.errors import CallCancelled, CallmError, DeadlineExceeded, ServerError
from callm.middleware.fallback import Fallback
from callm.middleware.retry import Retry
from callm.middleware.timeout import Timeout
from callm.parse.output import Output
from callm.testing import ScriptedModel
from callm.types import (
    CallOptions,
    Cancel,
    Collect,
    Events,
    Finish,
    Message,
    Request,
    Response,
    TextDelta,
    Timeouts,
)
from tests.middleware.playing import HELLO, HI
from tests.support import run_jumping


def collecting(model: ScriptedModel, **options: Any) -> tuple[Response, CallmError | None]:
    response = Response()
    request = Request((Message.user("hi"),), output=options.pop("output", None), options=CallOptions(**options))

    async def main() -> None:
        async for _ in run(model, request, response):
            pass

    try:
        asyncio.run(main())
    except CallmError as error:
        return response, error
    return response, None


def test_the_response_adds_the_events_up_and_knows_how_long_it_took() -> None:
    response, error = collecting(ScriptedModel(HELLO))
    assert (response.text, response.finish_reason, error) == ("hello", "stop", None)
    assert response.time_to_first_content is not None
    assert response.duration is not None
    assert 0 <= response.time_to_first_content <= response.duration


def test_whoever_wants_to_know_is_told_of_batches_and_of_the_end() -> None:
    seen: list[Any] = []
    collect = Collect()
    response, _ = collecting(ScriptedModel([HELLO[:1], HELLO[1:]]), on_tick=seen.append, collectors=(collect,))
    assert seen == [HELLO[:1], HELLO[1:]]
    assert collect.responses == [response]


def test_a_failed_call_has_its_error_in_the_response_and_the_response_in_its_error() -> None:
    collect = Collect()
    response, error = collecting(ScriptedModel([TextDelta("hel"), ServerError("down")]), collectors=(collect,))
    assert isinstance(error, ServerError)
    assert (error.response, response.error, response.text) == (response, error, "hel")
    assert collect.last is response


def test_the_type_is_read_at_the_end() -> None:
    response, _ = collecting(ScriptedModel([TextDelta("4"), TextDelta("2"), Finish("stop")]), output=Output(int))
    assert response.output == 42


def test_a_stream_is_read_once() -> None:
    stream = ResponseStream(lambda: ScriptedModel(HELLO), HI)
    assert list(stream) == HELLO
    assert stream.response.text == "hello"
    with pytest.raises(RuntimeError, match="read already"):
        stream.batches()


def test_the_text_alone_may_be_read_instead() -> None:
    stream = ResponseStream(lambda: ScriptedModel(HELLO), HI)
    assert list(stream.text_stream) == ["hello"]
    assert stream.request is HI


class Slow:
    """A model whose first attempt is silent, or that takes no cancellation for an answer."""

    name = "slow"

    def __init__(self, *, stubborn: bool = False) -> None:
        self._stubborn = stubborn
        self.asked = 0

    async def stream(self, request: Request) -> Events:
        self.asked += 1
        if self.asked == 1:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                if not self._stubborn:
                    raise
        yield [TextDelta("hi")]
        await asyncio.sleep(1000)
        yield [Finish("stop")]


@pytest.mark.parametrize("around", [Retry, lambda model: Fallback((model, model))], ids=["retry", "fallback"])
def test_a_cancelled_call_is_not_tried_again_because_its_attempt_timed_out_in_the_same_moment(around: Any) -> None:
    cancel, slow = Cancel(), Slow()
    options = CallOptions(cancel=cancel, timeouts=Timeouts(first_content=1.5, total=None))
    request = Request((Message.user("hi"),), options=options)

    async def main() -> None:
        loop: Any = asyncio.get_running_loop()

        def busy() -> None:
            cancel.cancel()
            loop.now += 1

        loop.call_later(1, busy)
        await collect(lambda _: around(Timeout(slow)), request, Response())

    with pytest.raises(CallCancelled):
        run_jumping(main())
    assert slow.asked == 1


def test_the_deadline_holds_for_a_model_that_goes_on_when_it_is_cancelled() -> None:
    request = Request((Message.user("hi"),), options=CallOptions(timeouts=Timeouts(total=5)))

    async def main() -> float:
        with pytest.raises(DeadlineExceeded):
            await collect(lambda _: Slow(stubborn=True), request, Response())
        return asyncio.get_running_loop().time()

    assert run_jumping(main()) == pytest.approx(1005)


def test_the_model_is_not_looked_for_before_the_call_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that is cancelled before its first step has not failed for want of a key."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(Client("openai/gpt-x").call("hi"), 0))

    async def cancelled() -> bool:
        task = asyncio.create_task(Client("openai/gpt-x").call("hi"))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return task.cancelled()

    assert asyncio.run(cancelled())
