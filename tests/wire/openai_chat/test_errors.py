"""Errors inside an answer that began with 200, and values of types that nobody promised."""

from __future__ import annotations

from typing import Any

import pytest

from callm.errors import APIError, OverloadedError, ProtocolError, RateLimitError, ServerError
from callm.types import (
    Finish,
    Secret,
)
from callm.wire.codec import Target
from callm.wire.openai_chat import OpenAIChat
from tests.transcripts import fold, read
from tests.wire.openai_chat.chunks import (
    TARGET,
    chunk,
    good,
    sse,
    stream,
)

CODEC = OpenAIChat()


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        ({"error": {"message": "no", "type": "server_error"}}, ServerError, "no"),
        ({"error": "no"}, ServerError, "no"),
        ({"object": "error", "message": "no", "code": 503}, OverloadedError, "no"),
        ({"message": "no", "code": 429}, RateLimitError, "no"),
        ({"detail": "no"}, ServerError, "no"),
        ([{"error": {"message": "no", "code": 429}}], RateLimitError, "no"),
        ({"code": "rate_limit_exceeded", "error": "no"}, RateLimitError, "no"),
        (chunk({"content": ""}, error={"message": "no", "code": 502}), ServerError, "no"),
        (chunk({}, choice={"error": {"message": "no", "code": 429}}), RateLimitError, "no"),
        (chunk({}, x_groq={"id": "req_1", "error": "no"}), ServerError, "no"),
        ({"error": {"code": 500}}, ServerError, 'the provider reported an error without a message: {"error":{"code":500}}'),
        ({"error": True}, ServerError, 'the provider reported an error without a message: {"error":true}'),
    ],
)  # fmt: skip
def test_every_form_of_error_in_the_stream_is_raised(error: Any, kind: type[APIError], text: str) -> None:
    for done in (True, False):
        events, raised = stream(chunk({"content": "Par"}), error, done=done)
        assert type(raised) is kind
        assert (raised.status, raised.provider, raised.message) == (None, "p", text)
        assert fold(events).text == "Par"
        assert not fold(events).is_done


@pytest.mark.parametrize(
    "data",
    ['{"error":{"message":"no"}}', '{"message":"no"}', '{"whatever":"no"}', "no", '"no"', '[1, "no"]'],
)
def test_an_event_named_error_is_an_error_whatever_it_holds(data: str) -> None:
    raw = sse(chunk({"content": "Par"}), done=False) + f"event: error\ndata: {data}\n\n".encode()
    events, error = read(CODEC.decoder(TARGET, stream=True), [raw])
    assert isinstance(error, APIError)
    assert "no" in error.message
    assert fold(events).text == "Par"


@pytest.mark.parametrize(
    ("native", "kind"),
    [
        ("error", "server_error"),
        ("abort", "server_error"),
        ("time_limit", "timeout"),
        ("insufficient_system_resource", "overloaded"),
    ],
)
def test_a_finish_reason_that_is_an_error_is_raised_behind_the_finish(native: str, kind: str) -> None:
    events, error = stream(chunk({"content": "Par"}), chunk({}, native))
    assert isinstance(error, APIError)
    assert (error.kind, error.retryable, error.message) == (kind, True, native)
    assert events[-1] == Finish("error", native)


def test_usage_on_the_chunk_of_an_error_is_kept() -> None:
    events, error = stream(chunk({}, "error", error={"message": "no"}, usage={"prompt_tokens": 7}))
    assert isinstance(error, APIError)
    assert fold(events).usage.input_tokens == 7


def test_falsy_errors_are_no_errors() -> None:
    falsy: list[Any] = [None, "", {}, [], False]
    for nothing in falsy:
        assert good(stream(chunk({"content": "a"}, error=nothing), chunk({}, "stop", error=nothing))).text == "a"


def test_the_key_is_masked_in_an_error_of_the_stream() -> None:
    key = "sk-" + "a" * 30
    target = Target(model="m", base_url="https://x", api_key=Secret(key))
    _, error = stream({"error": {"message": f"bad key {key}"}}, target=target)
    assert error is not None
    assert "bad key ***" in str(error)


@pytest.mark.parametrize(
    "data",
    [
        "oops",
        "17",
        "null",
        '"text"',
        "[]",
        "[1]",
        '{"choices":[{"delta":{"content":"x"',
        '{"choices":NaN}',
        "[" * 10_000,
        '{"a":' * 10_000 + "1" + "}" * 10_000,
    ],
)
def test_a_chunk_that_is_no_json_object_is_a_protocol_error(data: str) -> None:
    events, error = stream(chunk({"content": "Par"}), data)
    assert isinstance(error, ProtocolError)
    assert len(error.body) <= 200
    assert len(str(error)) <= 300
    assert fold(events).text == "Par"


ODD: list[Any] = [None, 17, -1, 1.5, True, "", "text", [], [1], [[]], {}, {"a": 1}, 10**30]


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize("key", ["choices", "usage", "id", "model", "created", "x_groq", "service_tier", "provider"])
def test_no_type_of_a_field_of_the_chunk_is_trusted(key: str, value: Any) -> None:
    odd = {**chunk({"content": ""}), key: value}
    assert good(stream(odd, chunk({"content": "a"}), odd, chunk({}, "stop"))).text == "a"
    assert good(stream(chunk({"content": "a"}), odd, chunk({}, "stop"))).text == "a"


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize(
    "key", ["index", "delta", "finish_reason", "logprobs", "content_filter_results", "stop_reason", "message"]
)
def test_no_type_of_a_field_of_a_choice_is_trusted(key: str, value: Any) -> None:
    if key == "index" and value in (17, 10**30):
        return  # a choice of its own
    odd = chunk({"content": ""}, choice={key: value})
    response = good(stream(chunk({"content": "a"}), odd, chunk({}, "stop")))
    assert (response.text, response.finish_reason) == ("a", "stop")


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize(
    "key",
    ["refusal", "tool_calls", "function_call", "reasoning", "reasoning_content", "thinking", "reasoning_details",
     "audio", "annotations", "role"],
)  # fmt: skip
def test_no_type_of_a_field_of_a_delta_is_trusted(key: str, value: Any) -> None:
    for content in ({}, {"content": None}, {"content": "a"}):
        result = stream(
            chunk({"content": "a"}), chunk({**content, key: value}), chunk({"content": "b"}), chunk({}, "stop")
        )
        assert good(result).text in {"ab", "aab"}


def test_http_errors_carry_status_and_provider() -> None:
    error = CODEC.error(429, {"retry-after": "2"}, b'{"error":{"message":"slow"}}', TARGET)
    assert (type(error), error.status, error.provider, error.retry_after) == (RateLimitError, 429, "p", 2.0)
