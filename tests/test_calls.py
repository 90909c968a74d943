"""One call under way, of any Model: events to a response. What goes over HTTP is tested with the client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from callm.calls import ResponseStream, run
from callm.errors import CallmError, ServerError
from callm.parse.output import Output
from callm.testing import ScriptedModel
from callm.types import CallOptions, Collect, Finish, Message, Request, Response, TextDelta
from tests.middleware.playing import HELLO, HI


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
