"""Where a codec meets a transport."""

import asyncio
import time
from contextlib import aclosing
from email.utils import formatdate

import pytest

from callm.errors import (
    APIError,
    CallmError,
    NotFoundError,
    OverloadedError,
    ProtocolError,
    RateLimitError,
    TransportError,
    TruncatedStream,
)
from callm.io.endpoint import Endpoint
from callm.testing import CannedTransport
from callm.types import Finish, Message, Request, Response, ResponseHeaders, Secret, TextDelta
from callm.wire.codec import Target
from callm.wire.providers import codec

SSE = {"content-type": "text/event-stream", "x-request-id": "req_1"}
JSON = {"content-type": "application/json"}
CHUNK = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n'
STOP = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
BODY = b'{"id":"c","model":"m","choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]}'
HI = Request((Message.user("hi"),))
STREAMED = Request((Message.user("hi"),), stream=True)


def endpoint(*answers, key="sk-canary-12345"):
    target = Target("m", "http://127.0.0.1:1/v1", Secret(key), provider="openai")
    return Endpoint(codec("openai_chat"), target, CannedTransport(*answers))


def collect(model, request):
    """Return the response, the batches, and the error or None."""

    async def main():
        response, batches, error = Response(), [], None
        try:
            async with aclosing(model.stream(request)) as source:
                async for batch in source:
                    batches.append(batch)
                    response.add(batch)
        except Exception as raised:
            error = raised
        return response, batches, error

    return asyncio.run(main())


def test_a_stream_becomes_events_and_the_first_are_the_headers():
    response, batches, error = collect(endpoint((200, SSE, [CHUNK % b"He", CHUNK % b"llo" + STOP, DONE])), STREAMED)
    assert error is None
    assert response.text == "Hello"
    assert response.finish_reason == "stop"
    assert isinstance(batches[0][0], ResponseHeaders)
    assert (response.status, response.request_id, response.model) == (200, "req_1", "m")


def test_each_network_read_is_one_batch_and_no_batch_is_empty():
    reads = [CHUNK % b"a" + CHUNK % b"b", b": ping\n\n", CHUNK % b"c", STOP + DONE]
    _, batches, _ = collect(endpoint((200, SSE, reads)), STREAMED)
    texts = [[event.text for event in batch if isinstance(event, TextDelta)] for batch in batches]
    assert [text for text in texts if text] == [["a", "b"], ["c"]]
    assert all(batches)


def test_a_whole_body_becomes_the_same_events():
    response, _, error = collect(endpoint((200, JSON, [BODY[:20], BODY[20:]])), HI)
    assert error is None
    assert (response.text, response.finish_reason) == ("Hello", "stop")


def test_a_json_body_in_answer_to_a_stream_is_read_as_what_it_is():
    response, _, error = collect(endpoint((200, JSON, [BODY])), STREAMED)
    assert error is None
    assert response.text == "Hello"


def test_a_stream_that_ends_early_is_truncated_and_keeps_what_came():
    response, _, error = collect(endpoint((200, SSE, [CHUNK % b"Hel"])), STREAMED)
    assert isinstance(error, TruncatedStream)
    assert response.text == "Hel"
    assert response.finish_reason is None


def test_an_error_behind_content_in_one_read_comes_after_the_content():
    read = CHUNK % b"Hel" + b'data: {"error":{"message":"slow down","code":"rate_limit_exceeded"}}\n\n'
    response, _, error = collect(endpoint((200, SSE, [read])), STREAMED)
    assert isinstance(error, RateLimitError)
    assert response.text == "Hel"


@pytest.mark.parametrize(("status", "kind"), [(404, NotFoundError), (429, RateLimitError)])
def test_a_status_that_is_no_success_becomes_its_error(status, kind):
    _, batches, error = collect(endpoint((status, {**JSON, "x-request-id": "r"}, [b'{"error":{"message":"no"}}'])), HI)
    assert isinstance(error, kind)
    assert batches == [[ResponseHeaders(status, {**JSON, "x-request-id": "r"}, "r", "openai/m")]]


@pytest.mark.parametrize(("date", "low", "high"), [({}, 25, 30), ({"date": "Mon, 21 Sep 2026 14:13:20 GMT"}, 0, 0)])
def test_a_wait_until_a_time_counts_from_the_servers_clock_or_else_from_ours(date, low, high):
    until = formatdate(time.time() + 30, usegmt=True) if not date else "Mon, 21 Sep 2026 14:13:10 GMT"
    _, batches, error = collect(endpoint((429, {**JSON, **date, "retry-after": until}, [b"{}"])), HI)
    assert low <= error.retry_after <= high
    assert batches[0][0].headers == {**JSON, **date, "retry-after": until}  # as they came


def test_a_page_of_a_proxy_is_a_protocol_error_that_quotes_it():
    _, _, error = collect(endpoint((200, {"content-type": "text/html"}, [b"<html>Sign in</html>"])), STREAMED)
    assert isinstance(error, ProtocolError)
    assert "Sign in" in str(error)


def test_what_comes_behind_the_terminal_marker_is_not_read_as_events():
    response, batches, error = collect(endpoint((200, SSE, [CHUNK % b"a" + STOP + DONE, CHUNK % b"never"])), STREAMED)
    assert (error, response.text) == (None, "a")
    assert isinstance(batches[-1][-1], Finish)


def test_the_plan_shows_no_key():
    model = endpoint((200, JSON, [BODY]))
    assert "sk-canary" not in repr(model)
    assert model.name == "openai/m"


BROKEN = b'data: {"error":{"message":"your key sk-canary-12345 is bad","code":"server_error"}}\n\n'


@pytest.mark.parametrize("reads", [[BROKEN], [CHUNK % b"a" + BROKEN], [CHUNK % b"a", BROKEN], [b"no event"], []])
def test_an_error_inside_the_stream_knows_the_request_and_comes_after_the_headers(reads):
    response, batches, error = collect(endpoint((200, SSE, reads)), STREAMED)
    assert isinstance(error, CallmError)
    assert isinstance(batches[0][0], ResponseHeaders)
    assert sum(isinstance(event, ResponseHeaders) for batch in batches for event in batch) == 1
    assert all(batches)
    assert response.request_id == "req_1"
    if BROKEN in b"".join(reads):
        assert isinstance(error, APIError)
        assert error.request_id == "req_1"


@pytest.mark.parametrize(
    "answer",
    [
        (401, JSON, [b'{"error":{"message":"Incorrect API key provided: sk-canary-12345"}}']),
        (500, {"content-type": "text/html"}, [b"<html>Authorization: Bearer sk-canary-12345</html>"]),
        (200, {"content-type": "text/html"}, [b"<html>Authorization: Bearer sk-canary-12345</html>"]),
        (200, SSE, [BROKEN]),
    ],
)
def test_a_key_that_the_server_repeats_is_taken_out_of_the_error(answer):
    _, _, error = collect(endpoint(answer), STREAMED)
    assert isinstance(error, CallmError)
    assert "sk-canary" not in repr(error) + str(error) + repr(vars(error))
    assert "***" in str(error)


def test_a_dummy_key_is_not_looked_for():
    model = endpoint((401, JSON, [b'{"error":{"message":"a none entity"}}']), key="none")
    assert "a none entity" in str(collect(model, HI)[2])


@pytest.mark.parametrize("kind", ["text/event-stream", "Text/Event-Stream; charset=utf-8"])
def test_a_stream_that_was_not_asked_for_is_read_as_what_it_is(kind):
    response, _, error = collect(endpoint((200, {"content-type": kind}, [CHUNK % b"Hello" + STOP + DONE])), HI)
    assert (error, response.text) == (None, "Hello")


def test_an_error_body_that_breaks_off_or_never_ends_is_an_error_all_the_same():
    _, _, broken = collect(endpoint((503, JSON, [b'{"error":', TransportError("gone")])), HI)
    _, _, endless = collect(endpoint((503, JSON, [b"x" * 2_000_000, b"never read"])), HI)
    assert isinstance(broken, OverloadedError)
    assert isinstance(endless, OverloadedError)
    assert len(str(endless)) < 400


def test_leaving_early_closes_the_answer():
    async def main():
        model = endpoint((200, SSE, [CHUNK % b"a", CHUNK % b"b"]))
        async with aclosing(model.stream(STREAMED)) as source:
            async for _ in source:
                break
        return model.transport.open_responses

    assert asyncio.run(main()) == 0
