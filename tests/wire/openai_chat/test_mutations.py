"""Whatever a server sends, the decoder gives events, or an error of ours; never another exception, never a hang."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import CallmError
from callm.types import Event, ToolCallEnd, ToolCallStart
from callm.wire.codec import StreamDecoder
from callm.wire.framing import EventFraming
from callm.wire.openai_chat import OpenAIChat
from callm.wire.openai_chat.decode import ChatFrames
from tests.transcripts import fold, load, read
from tests.wire.openai_chat.chunks import TARGET, message, sse

CASES = [case for case in load("openai-chat", "dialects", "azure") if case.status == 200]
STREAMS = [case for case in CASES if case.stream]
CODEC = OpenAIChat()

ODD: list[Any] = [
    None,
    True,
    -1,
    1.5,
    10**40,
    10**400,
    "",
    "x",
    "\ud800",
    [],
    [[]],
    [None],
    {},
    {"x": {}},
    [{"index": 0}],
]


def survive(data: bytes, *, stream: bool = True, cut: int = 0) -> tuple[list[Event], CallmError | None]:
    events, error = read(CODEC.decoder(TARGET, stream=stream), [data[:cut], data[cut:]])
    response = fold(events)
    assert error is not None or response.finish_reason is not None
    assert isinstance(response.text, str)
    started = {event.index for event in events if isinstance(event, ToolCallStart)}
    assert started >= {event.index for event in events if isinstance(event, ToolCallEnd)}
    return events, error


def blocks(data: bytes) -> list[bytes]:
    return [block + b"\n\n" for block in data.split(b"\n\n") if block]


@given(st.sampled_from(STREAMS), st.data())
def test_events_may_be_dropped_repeated_and_reordered(case: Any, data: st.DataObject) -> None:
    pieces = blocks(case.body)
    picked = data.draw(st.lists(st.sampled_from(pieces), max_size=len(pieces) + 3))
    survive(b"".join(picked))


@given(st.sampled_from(CASES), st.data())
def test_bits_may_flip_and_bytes_may_be_anything(case: Any, data: st.DataObject) -> None:
    body = bytearray(case.body)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place] = data.draw(
            st.one_of(st.integers(0, 255), st.just(body[place] ^ 0x20), st.sampled_from(b'"{}[],:0\\\n'))
        )
    survive(bytes(body), stream=case.stream, cut=data.draw(st.integers(0, len(body))))


@given(st.sampled_from(CASES), st.integers(0, 3000), st.binary(max_size=8))
def test_bytes_may_be_put_in_and_cut_out(case: Any, place: int, more: bytes) -> None:
    survive(case.body[:place] + more + case.body[place:], stream=case.stream)
    survive(case.body[:place] + case.body[place + 3 :], stream=case.stream)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_end_in_events_or_an_error(data: bytes, stream: bool) -> None:
    survive(data, stream=stream)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for key, item in items for inner in paths(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_value_may_be_of_every_type(case: Any) -> None:
    if not case.stream:
        payload = json.loads(case.body)
        for path in paths(payload):
            for value in ODD:
                survive(json.dumps(replaced(payload, path, value)).encode(), stream=False)
        return
    payloads = [json.loads(block[6:]) for block in blocks(case.body) if b"[DONE]" not in block]
    for number, payload in enumerate(payloads):
        for path in paths(payload):
            for value in ODD:
                survive(sse(*payloads[:number], replaced(payload, path, value), *payloads[number + 1 :]))


@pytest.mark.parametrize("field", ["choices", "usage", "error", "x_groq", "id"])
def test_deep_nesting_is_refused_or_ignored(field: str) -> None:
    deep = "[" * 10_000 + "]" * 10_000
    events, error = survive(sse({"choices": [{"delta": {"content": "a"}}]}, f'{{"{field}": {deep}}}'))
    assert isinstance(error, CallmError)
    assert fold(events).text == "a"
    survive(f'{{"{field}": {deep}}}'.encode(), stream=False)


def test_nan_and_numbers_without_end_are_no_json() -> None:
    for odd in ("NaN", "Infinity", "1e999", "9" * 5000):
        _, error = survive(f'{{"choices":[{{"delta":{{}},"x":{odd}}}]}}'.encode(), stream=False)
        assert isinstance(error, CallmError)


def test_bad_utf_8_is_replaced_and_the_rest_is_read() -> None:
    raw = json.dumps(message("a?b")).encode().replace(b"?", b"\xff")
    events, error = survive(raw, stream=False)
    assert error is None
    assert fold(events).text == "a\ufffdb"


class LongWay(ChatFrames):
    """The frames without their short way."""

    def _add_delta(self, delta: Any, out: list[Event]) -> bool:
        return False


WORDS = st.sampled_from([None, "", "a", "b", 7, [], [{"type": "text", "text": "t"}]])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["content", "reasoning", "reasoning_content", "refusal", "thinking"], WORDS),
        "tool_calls": st.sampled_from(
            [None, [], "x", [{"index": 0, "id": "i", "function": {"name": "f", "arguments": "{}"}}]]
        ),
    },
)
ENTRY = st.fixed_dictionaries(
    {"delta": FIELDS},
    optional={
        "index": st.sampled_from([0, 1, None, "0", -1, True]),
        "finish_reason": st.sampled_from([None, "", "stop", "error", 7]),
        "content_filter_results": st.sampled_from([None, {}, {"hate": {"filtered": False}}, "x"]),
        "logprobs": st.sampled_from([None, {"content": [{"token": "a"}]}]),
        "error": st.sampled_from([None, "", "no"]),
    },
)
CHUNK = st.fixed_dictionaries(
    {"choices": st.lists(ENTRY, max_size=2)},
    optional={
        "usage": st.sampled_from([None, {}, {"prompt_tokens": 1}]),
        "error": st.sampled_from([None, False, "no"]),
        "x_groq": st.sampled_from([None, {"id": "r"}, {"error": "no"}]),
    },
)


@given(st.lists(CHUNK, max_size=6))
def test_the_short_way_and_the_long_way_lead_to_the_same_events(chunks: list[Any]) -> None:
    results = []
    for frames in (ChatFrames(TARGET), LongWay(TARGET)):
        events, error = read(StreamDecoder(EventFraming(), frames), [sse(*chunks)])
        results.append((events, repr(error)))
    assert results[0] == results[1]
