"""The parts for a loop of one's own: open, next, close; and adding up."""

import asyncio
import gc
import time
from typing import Any

import pytest

from callm.client import Client
from callm.errors import (
    APIError,
    ConfigError,
    NotFoundError,
    OverloadedError,
    ProtocolError,
    RateLimitError,
    TransportError,
    TruncatedStream,
)
from callm.io.aiohttp_transport import AiohttpTransport
from callm.streaming import Accumulator, SSEStream, open_sse
from callm.testing import Answer, CannedTransport, Fault, FaultServer
from callm.types import Finish, Message, Request, Settings, TextDelta, Timeouts, Usage
from callm.wire.codec import HTTPRequest
from callm.wire.providers import PROVIDERS
from callm.wire.sse import ServerSentEvent
from tests.support import FORMATS, client_of

ENDLESS = Fault(answer=Answer(text="word " * 2000), pause=0.002)
ASKED = Request((Message.user("one two three"),), stream=True)


def _build(server: FaultServer, wire: str = "openai_chat") -> HTTPRequest:
    return client_of(server, wire).build_request(ASKED)


@pytest.mark.parametrize("wire", FORMATS)
def test_a_loop_of_ones_own_gives_what_the_client_gives(fault_server: FaultServer, wire: str) -> None:
    fault_server.always(Fault(answer=Answer(text="one two three", tools=(("add", '{"a": 1}'),), reasoning="hm")))
    with client_of(fault_server, wire) as client:
        reading = client.stream(ASKED)
        expected = list(reading)[1:]  # the headers are no server-sent event
    sync, awaited = Accumulator(wire), Accumulator(wire)
    events = []
    with open_sse(_build(fault_server, wire)) as stream:
        assert stream.headers == {}
        while batch := stream.next().result():
            events += sync.add(batch)
        assert stream.headers["x-request-id" if wire == "openai_chat" else "request-id"] == "req_1"

    async def main() -> None:
        async with open_sse(_build(fault_server, wire)) as stream:
            while batch := await stream.next():
                awaited.add(batch)
            assert await stream.next() is None

    asyncio.run(main())
    assert events == expected
    for accumulator in (sync, awaited):
        assert accumulator.close() is accumulator.response
        assert accumulator.is_done
        assert accumulator.content == reading.response.text
        assert accumulator.model == reading.response.model
        assert accumulator.finish_reason == "tool_calls"
        assert accumulator.usage == reading.response.usage != Usage()
        assert accumulator.response.parts == reading.response.parts


def test_nothing_is_sent_before_the_first_next(fault_server: FaultServer) -> None:
    with open_sse(_build(fault_server)):
        pass
    assert fault_server.connections == 0


def test_next_gives_what_has_arrived(fault_server: FaultServer) -> None:
    fault_server.always(Fault(answer=Answer(text="a b c"), pause=0.02))
    with open_sse(_build(fault_server)) as stream:
        assert len(stream.next().result() or ()) == 1
        time.sleep(0.1)
        assert len(stream.next().result() or ()) > 1


@pytest.mark.parametrize("way", ["close", "block", "drop"])
def test_leaving_early_closes_the_connection_at_once(fault_server: FaultServer, way: str) -> None:
    fault_server.always(ENDLESS)
    stream: SSEStream | None = open_sse(_build(fault_server))
    assert stream is not None
    assert stream.next().result()
    if way == "close":
        stream.close()
        stream.close()
        assert stream.next().result() is None
    elif way == "block":
        with stream:
            pass
    stream = None
    left = time.monotonic()
    assert fault_server.requests[0].wait_closed(2.0) - left < 0.1


async def test_leaving_early_in_async_code_closes_the_connection_at_once(fault_server: FaultServer) -> None:
    fault_server.always(ENDLESS)
    for way in ("close", "cancel", "drop"):
        stream: SSEStream | None = open_sse(_build(fault_server))
        assert stream is not None
        assert await stream.next()
        if way == "close":
            await stream.aclose()
        elif way == "cancel":
            task = asyncio.create_task(_read(stream))
            await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        stream = None
        left = time.monotonic()
        assert await asyncio.to_thread(fault_server.requests[-1].wait_closed, 2.0) - left < 0.1
    gc.collect()


async def _read(stream: SSEStream) -> None:
    async with stream:
        while await stream.next():
            pass


async def test_a_cancelled_next_loses_nothing(fault_server: FaultServer) -> None:
    fault_server.always(Fault(answer=Answer(text="a b c d"), pause=0.01))
    accumulator = Accumulator("openai")
    async with open_sse(_build(fault_server)) as stream:
        accumulator.add(await stream.next() or ())
        for _ in range(200):
            try:
                batch = await asyncio.wait_for(stream.next(), 0.003)
            except TimeoutError:
                continue
            if batch is None:
                break
            accumulator.add(batch)
    assert accumulator.close().text == "a b c d"


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (Fault(status=404), NotFoundError, "the server was told to answer 404"),
        (Fault(status=429), RateLimitError, "429"),
        (Fault(status=529, size=3), OverloadedError, "the server was told to answer 529"),
        (Fault(body="{}"), ProtocolError, "expected an event stream, but the answer is application/json: {}"),
        (Fault(body="<html>hi", content_type="text/html", size=2), ProtocolError, "text/html: <html>hi"),
        (Fault(at=-1), TransportError, ""),
    ],
)
def test_what_is_no_stream_is_a_clear_error_and_the_end(
    fault_server: FaultServer, fault: Fault, error: type[Exception], words: str
) -> None:
    fault_server.always(fault)
    transport = AiohttpTransport()
    with open_sse(_build(fault_server), transport=transport) as stream:
        with pytest.raises(error) as caught:
            stream.next().result()
        assert words in str(caught.value)
        assert stream.next().result() is None
        if isinstance(caught.value, APIError):
            assert caught.value.request_id == "req_1"
    assert [connections.slots._used for connections in transport._loops.values()] == [0]


def test_a_broken_connection_is_an_error_and_a_clean_end_is_found_by_the_accumulator(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(at=600, then="reset"), Fault(at=600, then="end"))
    accumulator = Accumulator("openai_chat")
    with open_sse(_build(fault_server)) as stream, pytest.raises(TransportError):
        while stream.next().result():
            pass
    with open_sse(_build(fault_server)) as stream:
        while batch := stream.next().result():
            accumulator.add(batch)
    with pytest.raises(TruncatedStream) as caught:
        accumulator.close()
    assert caught.value.response is accumulator.response
    assert accumulator.content
    assert (accumulator.is_done, accumulator.finish_reason) == (False, None)


def test_a_stream_belongs_to_its_loop(fault_server: FaultServer) -> None:
    fault_server.always(ENDLESS)

    async def main() -> None:
        stream = open_sse(_build(fault_server))
        assert await stream.next()
        for elsewhere in (lambda: stream.next().result(), stream.close):
            with pytest.raises(ConfigError, match="opened in another event loop"):
                await asyncio.to_thread(elsewhere)
        assert await stream.next()
        await stream.aclose()

    asyncio.run(main())


def test_a_stream_whose_loop_has_ended_is_closed(fault_server: FaultServer) -> None:
    fault_server.always(ENDLESS)
    stream = open_sse(_build(fault_server))

    async def main() -> None:
        assert await stream.next()

    asyncio.run(main())
    stream.close()
    fault_server.requests[0].wait_closed(1.0)


def test_a_given_transport_stays_open_and_an_own_one_is_closed(fault_server: FaultServer) -> None:
    transport = CannedTransport((200, {"content-type": "text/event-stream"}, [b"data: 1\n\n"]))
    request = HTTPRequest("http://anywhere/", {}, method="GET")
    with open_sse(request, transport=transport) as stream:
        assert stream.next().result() == [ServerSentEvent("1")]
        assert transport.open_responses == 1
    assert (transport.open_responses, transport.closed) == (0, False)
    with open_sse(_build(fault_server)) as own:
        while own.next().result():
            pass
    fault_server.requests[0].wait_closed(1.0)


def test_the_timeouts_are_the_transport_s_business() -> None:
    given: list[Timeouts] = []

    class Noting(CannedTransport):
        def send(self, request: HTTPRequest, timeouts: Timeouts) -> Any:
            given.append(timeouts)
            return super().send(request, timeouts)

    for timeouts in (Timeouts(connect=0.5), None):
        with open_sse(HTTPRequest("http://any/", {}), transport=Noting(), timeouts=timeouts) as stream:
            assert stream.next().result() is None
    assert given == [Timeouts(connect=0.5), Timeouts()]


def test_any_server_of_events_will_do() -> None:
    body = b"event: a\nid: 1\ndata: x\ndata: y\n\n: comment\n\ndata: last\n\ndata: unfinished"
    transport = CannedTransport((200, {}, [body[:9], body[9:]]))
    with open_sse(HTTPRequest("http://any/", {}, method="GET"), transport=transport) as stream:
        events = []
        while batch := stream.next().result():
            events += batch
    assert [(event.event, event.data) for event in events] == [("a", "x\ny"), ("", "last")]


@pytest.mark.parametrize("name", ["", "soap", "OpenAI", "openai/gpt-5"])
def test_an_unknown_format_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown format '{name}': use one of anthropic, "):
        Accumulator(name)


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_each_provider_names_its_format(name: str) -> None:
    accumulator = Accumulator(name)
    assert (accumulator.content, accumulator.is_done, accumulator.usage) == ("", False, Usage())


def _event(data: str) -> ServerSentEvent:
    return ServerSentEvent(data)


CHUNK = '{"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}'
STOP = '{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'


def test_events_may_come_in_any_batches_and_nothing_counts_behind_the_end() -> None:
    accumulator = Accumulator("openai_chat")
    assert accumulator.add([]) == []
    assert TextDelta("a") in accumulator.add(iter([_event(CHUNK), _event(CHUNK)]))
    assert accumulator.content == "aa"
    ends = accumulator.add([_event(STOP), _event("[DONE]"), _event("garbage")])
    assert isinstance(ends[-1], Finish)
    assert accumulator.add([_event("garbage")]) == []
    assert accumulator.close() is accumulator.close()


def test_an_error_in_the_stream_keeps_what_came() -> None:
    accumulator = Accumulator("openai_chat")
    with pytest.raises(RateLimitError) as caught:
        accumulator.add([_event(CHUNK), _event('{"error":{"code":"rate_limit_exceeded","message":"slow"}}')])
    assert caught.value.response is accumulator.response
    assert accumulator.content == "a"
    with pytest.raises(ProtocolError):
        Accumulator("anthropic").add([_event("{")])


def test_the_parts_work_with_any_settings(fault_server: FaultServer) -> None:
    client: Any = Client("openai/x", api_key="k", base_url=f"{fault_server.url}/v1")
    built = client.build_request(Request((Message.user("x"),), stream=True, settings=Settings(extra={"n": 1})))
    with open_sse(built) as stream:
        assert stream.next().result()
    assert fault_server.requests[0].json["n"] == 1
