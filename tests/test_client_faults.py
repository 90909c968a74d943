"""What a server may do to a call: bodies that are none, errors of all kinds, and a cut at every byte."""

import asyncio
import json
import pickle
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import msgspec
import pytest

from callm.client import Client
from callm.errors import (
    APIError,
    AuthError,
    CallmError,
    ContextTooLongError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProtocolError,
    QuotaError,
    RateLimitError,
    ServerError,
    TransportError,
    TruncatedStream,
)
from callm.testing import Answer, Fault, FaultServer
from callm.types import Message, Request, Settings
from tests.support import FORMATS, busy, client_of

HTML = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>" + "proxy " * 500 + "</body></html>"


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def _fails(client: Client, *, stream: bool, text: str = "x") -> CallmError:
    with pytest.raises(CallmError) as caught:
        _ = list(client.stream(text)) if stream else client.call(text).result()
    return caught.value


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(body=""), "empty"),
        (Fault(body="", content_type="text/event-stream"), ""),
        (Fault(body="not json"), "not json"),
        (Fault(body=HTML, content_type="text/html; charset=utf-8"), "Sign in"),
        (Fault(body="[]"), ""),
        (Fault(body="null"), ""),
        (Fault(body='"text"'), ""),
        (Fault(body="{}"), ""),
        (Fault(body='{"choices": []}'), ""),
        (Fault(body='{"a":' * 20000), ""),
        (Fault(data=bytes(range(256)) * 8, content_type="application/octet-stream"), ""),
        (Fault(body="data: {\n\n", content_type="text/event-stream"), ""),
        (Fault(body="data: [1]\n\n", content_type="text/event-stream"), ""),
        (Fault(status=502, body=HTML, content_type="text/html"), "Sign in"),
        (Fault(status=500, body=""), "empty"),
        (Fault(status=429, body="slow down", content_type="text/plain"), "slow down"),
        (Fault(status=204, body=""), ""),
        (Fault(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}"), ""),
        (Fault(raw=b"SSH-2.0-OpenSSH_9.9\r\n"), ""),
        (Fault(at=-1), ""),
        (Fault(bomb=64 * 1024 * 1024), ""),
    ],
)
def test_a_body_that_is_no_answer_is_a_clear_error(
    server: FaultServer, wire: str, fault: Fault, words: str, stream: bool
) -> None:
    server.always(fault)
    with client_of(server, wire) as client:
        error = _fails(client, stream=stream)
        assert busy(client) == 0
    assert isinstance(error, ProtocolError | APIError | TransportError)
    assert words in str(error)
    assert len(str(error)) < 500
    assert len(getattr(error, "body", "")) <= 200
    assert "\n" not in str(error)
    assert pickle.loads(pickle.dumps(error)).args == error.args


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize(
    ("kind", "code", "expected"),
    [
        ("rate_limit_error", "rate_limit_exceeded", RateLimitError),
        ("overloaded_error", "overloaded", OverloadedError),
        ("authentication_error", "invalid_api_key", AuthError),
        ("server_error", "server_error", ServerError),
        ("insufficient_quota", "insufficient_quota", QuotaError),
        ("invalid_request_error", "context_length_exceeded", ContextTooLongError),
    ],
)
def test_an_error_inside_a_success_is_the_same_error(
    server: FaultServer, wire: str, kind: str, code: str, expected: type, stream: bool
) -> None:
    server.always(Fault(error={"type": kind, "code": code, "message": "so it is"}, error_after=2 if stream else 0))
    with client_of(server, wire) as client:
        error = _fails(client, stream=stream, text="one two three")
    assert isinstance(error, expected)
    assert isinstance(error, APIError)
    assert "so it is" in str(error)
    assert error.request_id == "req_1"
    assert error.response is not None
    assert error.response.request_id == "req_1"


@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize(
    ("status", "expected", "retryable"),
    [
        (400, InvalidRequestError, False),
        (401, AuthError, False),
        (403, PermissionDeniedError, False),
        (404, NotFoundError, False),
        (429, RateLimitError, True),
        (500, ServerError, True),
        (529, OverloadedError, True),
    ],
)
def test_a_status_is_its_error_and_is_asked_once(
    server: FaultServer, wire: str, status: int, expected: type, retryable: bool
) -> None:
    server.clear()
    server.always(Fault(status=status, headers={"retry-after": "7"}))
    with client_of(server, wire) as client:
        error = _fails(client, stream=False)
    assert isinstance(error, APIError)
    assert type(error) is expected
    assert (error.status, error.request_id, error.retryable) == (status, "req_1", retryable)
    assert error.provider in {"openai", "anthropic"}
    assert error.retry_after == (7.0 if status in {429, 500, 529} else error.retry_after)
    assert len(server.requests) == 1


SAID = "Ünïcødé “text” and 30"


@pytest.mark.parametrize("then", ["end", "cut", "reset"])
@pytest.mark.parametrize("wire", FORMATS)
async def test_a_stream_cut_at_any_byte_is_never_a_success(server: FaultServer, wire: str, then: str) -> None:
    server.clear()
    server.always(Fault(answer=Answer(text=SAID, deltas=3)))
    async with client_of(server, wire) as client:
        whole, length = await _whole(client), await _length(client)
        room = asyncio.Semaphore(8)
        step = 1 if then == "end" else 7
        results = await asyncio.gather(*(_cut(client, at, then, room) for at in range(0, length, step)))
        assert busy(client) == 0
    texts = [text for text, error in results if error is None]
    assert set(texts) <= {whole}  # what comes behind the terminal marker may be missing
    assert len(texts) * step < 250  # usage and `[DONE]` come behind it
    errors = [(text, error) for text, error in results if error is not None]
    assert all(isinstance(error, TransportError) for _, error in errors)
    if then == "end":
        assert all(type(error) is TruncatedStream for _, error in errors)
    assert all(whole.startswith(text) for text, _ in errors)
    assert all(len(sooner) <= len(later) for (sooner, _), (later, _) in pairwise(errors))


async def _whole(client: Client) -> str:
    return "".join([text async for text in client.stream("x").text_stream])


async def _length(client: Client) -> int:
    """Return how many bytes the body of a stream has."""
    wire = client.build_request(Request((Message.user("x"),), stream=True))
    transport = client._endpoints.transports.get(wire.url)
    length = 0
    async with transport.send(wire, Request((Message.user("x"),)).options.timeouts) as answer:
        while data := await answer.read():
            length += len(data)
    return length


async def _cut(client: Client, at: int, then: str, room: asyncio.Semaphore) -> tuple[str, CallmError | None]:
    fault = json.dumps({"at": at, "then": then, "answer": {"text": SAID, "deltas": 3}})
    request = Request((Message.user("x"),), settings=Settings(headers={"x-fault": fault}))
    stream = client.stream(request)
    async with room:
        with suppress(CallmError):
            async for _ in stream:
                pass
    response = stream.response
    assert response.finish_reason == (None if response.error else "stop")
    return response.text, response.error


@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize("stream", [False, True])
def test_any_split_gives_the_same_answer(server: FaultServer, wire: str, stream: bool) -> None:
    answer = Answer(text=SAID, tools=(("add", '{"a": 1, "b": [2]}'),), reasoning="hm", deltas=5)
    server.always(Fault(answer=answer))
    with client_of(server, wire) as client:
        whole = _collected(client, stream)
        for fault in (
            Fault(size=1),
            Fault(size=9, seed=1),
            Fault(size=60, seed=2),
            Fault(gzip=True),
            Fault(framing="close"),
        ):
            server.always(msgspec.structs.replace(fault, answer=answer))
            assert _collected(client, stream) == whole
    text, reasoning, calls, *_ = whole
    assert (text, reasoning) == (SAID, "hm")
    assert json.loads(calls[0][1]) == {"a": 1, "b": [2]}


def _collected(client: Client, stream: bool) -> tuple[str, str, tuple[tuple[str, str], ...], object, object]:
    if stream:
        reading = client.stream("x")
        list(reading)
        response = reading.response
    else:
        response = client.call("x").result()
    calls = tuple((call.name, call.arguments) for call in response.tool_calls)
    return response.text, response.reasoning, calls, response.usage, response.finish_reason


@pytest.mark.parametrize("wire", FORMATS)
def test_tool_calls_that_were_cut_off_are_not_among_the_calls(server: FaultServer, wire: str) -> None:
    answer = Answer(text="", tools=(("add", '{"a": 1, "b": "' + "x" * 400 + '"}'),))
    server.always(Fault(answer=answer, at=1000, then="end"))
    with client_of(server, wire) as client:
        error = _fails(client, stream=True)
    assert isinstance(error, TruncatedStream)
    assert error.response is not None
    assert error.response.tool_calls == ()
    assert [call.name for call in error.response.incomplete_tool_calls] == ["add"]
