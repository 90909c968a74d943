"""The short way for whole bodies gives what the long way gives."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import CallmError
from callm.wire.codec import Target
from callm.wire.openai_chat import OpenAIChat
from callm.wire.openai_chat.whole import read_whole

TARGET = Target("m", "https://127.0.0.1/v1")
PLAIN = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hi", "refusal": None}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    "service_tier": "default",
}


def read(body, *, long, monkeypatch):
    with monkeypatch.context() as patch:
        if long:
            patch.setattr("callm.wire.openai_chat.decode.read_whole", lambda data: None)
        decoder = OpenAIChat().decoder(TARGET, stream=False)
        events, error = [], None
        try:
            events += decoder.feed(msgspec.json.encode(body))
            events += decoder.close()
        except CallmError as raised:
            error = raised
        error = error or decoder.error
        return events, type(error), str(error)


def test_a_plain_body_takes_the_short_way():
    assert read_whole(msgspec.json.encode(PLAIN).decode()) is not None


ODD = st.sampled_from([None, "", "x", 0, 1, 1.5, True, [], [1], {}, {"a": 1}, {"content": [{"token": "x"}]}])


@given(
    place=st.sampled_from(["body", "choice", "message", "usage"]),
    name=st.sampled_from(
        [
            "id",
            "model",
            "choices",
            "usage",
            "error",
            "x_groq",
            "object",
            "service_tier",
            "provider",
            "index",
            "message",
            "finish_reason",
            "logprobs",
            "error",
            "stop_reason",
            "content",
            "refusal",
            "reasoning",
            "tool_calls",
            "function_call",
            "audio",
            "annotations",
            "prompt_tokens",
            "cost",
        ]
    ),
    value=ODD,
)
def test_both_ways_give_the_same_events(place, name, value):
    body = msgspec.json.decode(msgspec.json.encode(PLAIN))
    choice = body["choices"][0]
    {"body": body, "choice": choice, "message": choice["message"], "usage": body["usage"]}[place][name] = value
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert read(body, long=False, monkeypatch=monkeypatch) == read(body, long=True, monkeypatch=monkeypatch)


@pytest.mark.parametrize("name", ["usage", "id", "model", "choices"])
def test_a_body_without_a_field_takes_the_long_way(name):
    assert read_whole(msgspec.json.encode({key: value for key, value in PLAIN.items() if key != name}).decode()) is None
