"""What type checkers make of `Client`, its calls and its streams. Read by mypy and pyright, run by nobody."""

import asyncio
from typing import assert_type

import callm

client = callm.Client("openai/gpt-5-mini")


async def check_a_call_is_awaited_or_asked() -> None:
    assert_type(await client.call("Hello"), callm.Response)
    assert_type(client.call(callm.Request((callm.Message.user("Hello"),))).result(), callm.Response)


async def check_a_call_is_a_coroutine() -> None:
    assert_type(await asyncio.create_task(client.call("Hello")), callm.Response)
    one, other = await asyncio.gather(client.call("Hello"), client.call("Hi"))
    assert_type((one, other), tuple[callm.Response, callm.Response])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(client.call("Hello"))
    assert_type(task.result(), callm.Response)


def check_asyncio_runs_a_call() -> None:
    assert_type(asyncio.run(client.call("Hello")), callm.Response)


def check_headers_may_be_secret() -> None:
    callm.Settings(headers={"helicone-auth": callm.Secret("k"), "x-team": "a"})
    callm.Settings(headers={"x-team": 7})  # type: ignore[dict-item]


async def check_a_stream_gives_events() -> None:
    for event in client.stream("Hello"):
        assert_type(event, callm.Event)
    async with client.stream("Hello") as stream:
        async for text in stream.text_stream:
            assert_type(text, str)
    assert_type(stream.response, callm.Response)


def check_events_are_told_apart_by_their_class(event: callm.Event) -> str:
    match event:
        case callm.TextDelta(text):
            return assert_type(text, str)
        case callm.ToolCallStart(_, _, name):
            return assert_type(name, str)
        case callm.Finish():
            return assert_type(event.reason, callm.FinishReason)
        case _:
            return ""


def check_a_model_of_ones_own_is_a_model() -> None:
    class Echo:
        name = "echo"

        async def stream(self, request: callm.Request) -> callm.Events:
            yield [callm.TextDelta(request.messages[-1].text), callm.Finish("stop")]

    model: callm.Model = Echo()
    callm.Client(model)
    callm.Client(3)  # type: ignore[arg-type]


def check_the_parts_of_a_loop() -> None:
    request = client.build_request("Hello")
    assert_type(request, callm.HTTPRequest)
    accumulator = callm.Accumulator("openai_chat")
    assert_type(accumulator.content, str)
    assert_type(accumulator.usage, callm.Usage)
    assert_type(accumulator.finish_reason, callm.FinishReason | None)
