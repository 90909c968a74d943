from contextlib import aclosing

import pytest

from callm.errors import RateLimitError
from callm.testing import ScriptedModel
from callm.types import Event, Finish, Message, Request, TextDelta

REQUEST = Request((Message.user("hi"),))


async def _batches(model: ScriptedModel, request: Request = REQUEST) -> list[list[Event]]:
    return [batch async for batch in model.stream(request)]


async def test_each_call_plays_the_next_attempt_and_the_last_one_again() -> None:
    error = RateLimitError("slow down")
    model = ScriptedModel([error], [TextDelta("hi"), Finish("stop")])
    with pytest.raises(RateLimitError) as caught:
        await _batches(model)
    assert caught.value is error
    for _ in range(2):
        assert await _batches(model) == [[TextDelta("hi")], [Finish("stop")]]


async def test_a_list_is_a_batch() -> None:
    model = ScriptedModel([[TextDelta("a"), TextDelta("b")], Finish("stop")])
    assert await _batches(model) == [[TextDelta("a"), TextDelta("b")], [Finish("stop")]]


async def test_an_error_can_come_behind_events() -> None:
    model, got = ScriptedModel([TextDelta("a"), RateLimitError("no")]), list[list[Event]]()
    with pytest.raises(RateLimitError):
        async for batch in model.stream(REQUEST):
            got.append(batch)
    assert got == [[TextDelta("a")]]


async def test_it_keeps_the_requests_and_counts_the_open_streams() -> None:
    model = ScriptedModel([TextDelta("a"), Finish("stop")], name="left")
    async with aclosing(model.stream(REQUEST)) as stream:
        await anext(stream)
        assert (model.open_streams, model.requests) == (1, [REQUEST])
    assert model.open_streams == 0
    assert (model.name, repr(model)) == ("left", "ScriptedModel(name='left', attempts=1)")


async def test_without_attempts_every_answer_is_empty() -> None:
    assert await _batches(ScriptedModel()) == []
