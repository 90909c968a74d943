"""The transport of local models, with the real model. What it writes is never asserted: it may change with the processor."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from callm.errors import ConfigError, ContextTooLongError, NotFoundError, TransportError
from callm.io.endpoint import Endpoint
from callm.io.local import LocalTransport
from callm.types import Message, Request, Response, Settings, Timeouts
from callm.wire.codec import HTTPRequest, Target
from callm.wire.providers import PROVIDERS, codec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.local

CHAT = "local:/chat/completions"
STORY = ({"role": "user", "content": "Write a very long story."},)
ENDLESS: dict[str, Any] = {"messages": STORY, "max_tokens": 4000}  # takes half a minute, at least
SOON = 5.0  # seconds: what a call takes that need not wait for an endless one, with room for a busy machine


@pytest.fixture
async def transport() -> AsyncIterator[LocalTransport]:
    transport = LocalTransport()
    yield transport
    await transport.aclose()


def request(url: str = CHAT, **body: Any) -> HTTPRequest:
    return HTTPRequest(url, {"content-type": "application/json"}, json.dumps({"model": "smollm2", **body}).encode())


async def pieces(transport: LocalTransport, wire: HTTPRequest, most: int = 10**6) -> tuple[int, list[bytes]]:
    read: list[bytes] = []
    async with transport.send(wire, Timeouts()) as answer:
        while len(read) < most and (data := await answer.read()):
            read.append(data)
    return answer.status, read


async def ask(transport: LocalTransport, **body: Any) -> dict[str, Any]:
    status, read = await pieces(transport, request(messages=STORY, max_tokens=2, **body))
    assert status == 200
    answer: dict[str, Any] = json.loads(b"".join(read))
    return answer


def endpoint(provider: str, transport: LocalTransport, base_url: str = "local:") -> Endpoint:
    row = PROVIDERS[provider]
    target = Target("smollm2", base_url, provider=row.name, quirks=row.quirks)
    return Endpoint(codec(row.format), target, transport)


async def test_a_chat_is_answered(transport: LocalTransport) -> None:
    answer = await ask(transport)
    assert answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] == 2
    assert answer["model"] == "smollm2"


async def test_a_stream_arrives_while_it_is_written(transport: LocalTransport) -> None:
    status, read = await pieces(transport, request(messages=STORY, max_tokens=20, stream=True))
    assert status == 200
    assert len(read) > 5
    assert b"".join(read).endswith(b"data: [DONE]\n\n")


async def test_a_schema_is_enforced(transport: LocalTransport) -> None:
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["calm", "angry"]}, "stars": {"type": "integer"}},
        "required": ["mood", "stars"],
    }
    form = {"type": "json_schema", "json_schema": {"name": "mood", "schema": schema, "strict": True}}
    wire = request(messages=STORY, max_tokens=60, temperature=0, response_format=form)
    answer = json.loads(b"".join((await pieces(transport, wire))[1]))
    value = json.loads(answer["choices"][0]["message"]["content"])
    assert value["mood"] in {"calm", "angry"}
    assert isinstance(value["stars"], int)


@pytest.mark.parametrize("provider", ["local", "local-anthropic"])
@pytest.mark.parametrize("stream", [False, True])
async def test_both_formats_come_through_their_codecs(
    transport: LocalTransport, provider: str, *, stream: bool
) -> None:
    asked = Request((Message.user("Say hello."),), settings=Settings(max_tokens=8), stream=stream)
    response = Response()
    async for batch in endpoint(provider, transport).stream(asked):
        response.add(batch)
    assert response.is_done
    assert response.text
    assert response.model in {"smollm2", ""}  # it leaves message_start out when the first token is half a character
    assert response.usage.output_tokens is not None
    assert 0 < response.usage.output_tokens <= 8


async def test_leaving_a_stream_stops_the_generation(transport: LocalTransport) -> None:
    await pieces(transport, request(**ENDLESS, stream=True), most=1)
    started = time.monotonic()
    await ask(transport)
    assert time.monotonic() - started < SOON


async def test_cancelling_a_call_that_does_not_stream_stops_the_generation(transport: LocalTransport) -> None:
    await ask(transport)  # so that the time below is not spent on loading
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await pieces(transport, request(**ENDLESS))
    started = time.monotonic()
    await ask(transport)
    assert time.monotonic() - started < SOON


async def test_concurrent_calls_wait_for_each_other(transport: LocalTransport) -> None:
    answers = await asyncio.gather(*(ask(transport) for _ in range(12)))
    assert {answer["object"] for answer in answers} == {"chat.completion"}
    assert len({answer["id"] for answer in answers}) == 12


async def test_loading_and_generating_leave_the_loop_free(transport: LocalTransport) -> None:
    longest, last = 0.0, time.monotonic()
    done = asyncio.Event()

    async def watch() -> None:
        nonlocal longest, last
        while not done.is_set():
            await asyncio.sleep(0.01)
            now = time.monotonic()
            longest, last = max(longest, now - last), now

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        other = LocalTransport(context=512)  # a server of its own, which is loaded now
        await pieces(other, request(messages=STORY, max_tokens=20, stream=True))
        done.set()
        await other.aclose()
    assert longest < 0.25  # loading in this process stops every thread for 0.5 to 1 s


def test_threads_with_loops_of_their_own_share_a_transport() -> None:
    transport = LocalTransport()
    answers: list[dict[str, Any]] = []

    def work() -> None:
        answers.append(asyncio.run(ask(transport)))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 3


async def test_what_the_server_refuses_is_an_error_of_its_format(transport: LocalTransport) -> None:
    status, read = await pieces(transport, request(messages="no list"))
    assert status == 400
    assert b"messages" in b"".join(read)


async def test_a_path_the_server_does_not_know_is_not_found(transport: LocalTransport) -> None:
    with pytest.raises(NotFoundError):
        async for _ in endpoint("local", transport, base_url="local:/nowhere").stream(Request((Message.user("hi"),))):
            pass


async def test_a_prompt_beyond_the_context_is_refused(transport: LocalTransport) -> None:
    asked = Request((Message.user("word " * 9000),))
    with pytest.raises(ContextTooLongError):
        async for _ in endpoint("local", transport).stream(asked):
            pass


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("smollm3", "unknown local model 'smollm3': use local/smollm2"),
        ("nowhere/model.gguf", "there is no model file nowhere/model.gguf"),
        ("/nowhere.gguf", "there is no model file /nowhere.gguf"),
    ],
)
async def test_a_wrong_model_is_refused_before_anything_starts(
    transport: LocalTransport, model: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        await pieces(transport, request(model=model))


@pytest.mark.parametrize("body", [b"no json", b'{"model": 3}', b"[]"])
async def test_a_body_without_a_model_is_refused(transport: LocalTransport, body: bytes) -> None:
    with pytest.raises(ConfigError, match="needs a JSON body with a text as 'model'"):
        await pieces(transport, HTTPRequest(CHAT, {}, body))


async def test_a_request_without_a_body_asks_the_default_model(transport: LocalTransport) -> None:
    status, read = await pieces(transport, HTTPRequest("local:/models", {}, method="GET"))
    assert status == 200
    assert b"smollm2" in b"".join(read)


async def test_the_key_of_the_server_is_no_ones_but_ours(transport: LocalTransport) -> None:
    urls: list[HTTPRequest] = []

    class Spy:
        @asynccontextmanager
        async def send(self, wire: HTTPRequest, timeouts: Timeouts) -> AsyncIterator[Any]:
            urls.append(wire)
            raise TransportError("no further")
            yield  # type: ignore[unreachable]  # it makes this a generator

        async def aclose(self) -> None:
            pass

    with pytest.raises(TransportError):
        await pieces(LocalTransport(Spy()), request(messages=STORY))
    assert urls[0].url.startswith("http://127.0.0.1:")
    assert urls[0].url.endswith("/v1/chat/completions")
    assert "Bearer ***" in urls[0].curl()
    async with aiohttp.ClientSession() as session, session.post(urls[0].url, json={"messages": STORY}) as answer:
        assert answer.status == 401
