"""Answers that come as one body."""

from __future__ import annotations

import json
from typing import Any

import pytest

from callm.errors import ProtocolError, RateLimitError, TruncatedStream
from callm.types import (
    Finish,
    Metadata,
    ResponseStart,
    TextDelta,
    Usage,
    UsageReport,
)
from callm.wire.openai_chat import OpenAIChat
from tests.transcripts import read
from tests.wire.openai_chat.chunks import (
    TARGET,
    body,
    fragment,
    good,
    message,
    quirky,
)

CODEC = OpenAIChat()


def test_a_whole_body_gives_the_same_events_as_a_stream() -> None:
    data = message("Hi", usage=None, refusal=None)
    events, error = body({**data, "usage": {"prompt_tokens": 1, "completion_tokens": 2}, "service_tier": "flex"})
    assert error is None
    assert events == [
        ResponseStart("c1", "m1"),
        Metadata({"service_tier": "flex"}),
        TextDelta("Hi"),
        UsageReport(Usage(input_tokens=1, output_tokens=2)),
        Finish("stop", "stop"),
    ]


def test_blank_lines_and_a_byte_order_mark_before_a_body_are_nothing() -> None:
    raw = json.dumps(message("Hi")).encode()
    assert good(body(b"\n\r\n  \n" + raw + b"\n")).text == "Hi"
    assert good(body(b"\xef\xbb\xbf" + raw)).text == "Hi"


def test_a_body_may_have_several_choices() -> None:
    data = message("A")
    data["choices"].append({"index": 1, "message": {"content": "B"}, "finish_reason": "length"})
    response = good(body(data))
    assert (response.text, response.choices[1].text, response.choices[1].finish_reason) == ("A", "B", "length")


def test_a_body_that_uses_delta_is_read() -> None:
    assert good(body({"choices": [{"delta": {"content": "A"}, "finish_reason": "stop"}]})).text == "A"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "the answer is no JSON: the server answered with an empty body"),
        (b"\n\n", "the answer is no JSON: the server answered with an empty body"),
        (b"<html><title>Login</title></html>", "the answer is no JSON: the server answered with an HTML page: Login"),
        (b"busy", "the answer is no JSON: busy"),
        (b"17", "expected a JSON object, not int: 17"),
        (b"[]", "expected a JSON object, not list: []"),
        (b'{"ok":true}', 'the answer is JSON without choices: {"ok":true}'),
        (b"[" * 10_000, "the answer is no JSON: [[["),
        (b"\xff\xfe\x00", "the answer is no JSON: "),
    ],
)
def test_a_body_that_is_no_answer_gets_its_own_clear_error(raw: bytes, words: str) -> None:
    events, error = body(raw)
    assert isinstance(error, ProtocolError)
    assert str(error).startswith(words)
    assert len(str(error)) <= 300
    assert len(error.body) <= 200
    assert error.retryable
    assert events == []


@pytest.mark.parametrize(
    "data",
    [
        {"error": {"message": "no", "code": 429}},
        [{"error": {"message": "no", "code": 429}}],
        {"object": "error", "message": "no", "code": 429},
        {"error": "no", "code": "429"},
        {**message("x"), "error": {"message": "no", "code": 429}},
    ],
)
def test_an_error_in_a_body_of_status_200_is_raised(data: Any) -> None:
    _, error = body(data)
    assert isinstance(error, RateLimitError)
    assert (error.message, error.status, error.retryable) == ("no", None, True)


@pytest.mark.parametrize("finish", [None, ""])
def test_a_body_without_a_finish_reason_is_truncated(finish: Any) -> None:
    _, error = body(message("half", finish))
    assert isinstance(error, TruncatedStream)
    assert good(body(message("all", finish), quirky(marker_required=False))).text == "all"


def test_a_body_without_choices_is_truncated() -> None:
    odd: list[Any] = [None, [], "x"]
    for choices in odd:
        assert isinstance(body({"id": "c1", "choices": choices})[1], TruncatedStream)


def test_a_server_that_does_not_stream_is_read_all_the_same() -> None:
    raw = json.dumps(message("Hi")).encode()
    assert good(read(CODEC.decoder(TARGET, stream=True), [raw[:5], raw[5:]])).text == "Hi"
    _, error = read(CODEC.decoder(TARGET, stream=True), [b'{"error":{"message":"no","code":429}}'])
    assert isinstance(error, RateLimitError)
    _, error = read(CODEC.decoder(TARGET, stream=True), [b"<html><title>Blocked</title>"])
    assert isinstance(error, ProtocolError)
    assert "HTML page: Blocked" in str(error)


def test_tool_calls_of_a_body_come_whole() -> None:
    data = message(None, "tool_calls", tool_calls=[{"id": "a", **fragment("f", '{"x":1}')}])
    assert [(call.id, call.name, call.arguments) for call in good(body(data)).tool_calls] == [("a", "f", '{"x":1}')]
