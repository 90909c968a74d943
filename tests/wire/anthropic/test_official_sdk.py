"""The same bytes through the official SDK and through ours: what both know must agree."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import ParsedMessage
from hypothesis import given, settings
from hypothesis import strategies as st

from callm.errors import APIError
from callm.types import Response
from callm.wire.anthropic import Anthropic
from tests.transcripts import Case, fold, load, read, read_case
from tests.wire.anthropic.payloads import CODEC, STOP, TARGET, frames

CASES = load("anthropic")
GOOD = [case for case in CASES if case.expected["error"] is None]
FAILED = [case for case in CASES if isinstance(case.expected["error"], dict) and case.expected["error"]["code"]]


def official(
    data: bytes, *, stream: bool, status: int = 200, headers: dict[str, str] | None = None
) -> ParsedMessage[None]:
    """Return what the official SDK makes of `data`."""
    kind = {"content-type": "text/event-stream" if stream else "application/json"}
    answer = httpx2.MockTransport(lambda _: httpx2.Response(status, headers=kind | (headers or {}), content=data))
    with anthropic.Anthropic(api_key="k", max_retries=0, http_client=httpx2.Client(transport=answer)) as client:
        asked: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
        if stream:
            with client.messages.stream(**asked) as events:
                return events.get_final_message()
        return client.messages.create(**asked)  # type: ignore[no-any-return]  # the arguments hide the overload


def ours(data: bytes, *, stream: bool) -> Response:
    events, error = read(CODEC.decoder(TARGET, stream=stream), [data])
    assert error is None
    return fold(events)


def agree(mine: Response, theirs: ParsedMessage[None]) -> None:
    """Assert that both tell the same of one answer."""
    blocks = theirs.content
    assert mine.text == "".join(block.text for block in blocks if block.type == "text")
    assert mine.reasoning == "".join(block.thinking for block in blocks if block.type == "thinking")
    assert [(call.id, call.name, call.parse()) for call in mine.tool_calls] == [
        (block.id, block.name, block.input) for block in blocks if block.type == "tool_use"
    ]
    assert (mine.id, mine.model, mine.native_finish_reason) == (theirs.id, theirs.model, theirs.stop_reason)
    assert mine.stop_sequence == theirs.stop_sequence
    counted = theirs.usage
    cached = (counted.cache_creation_input_tokens or 0) + (counted.cache_read_input_tokens or 0)
    details = counted.output_tokens_details
    assert mine.usage.input_tokens == counted.input_tokens + cached
    assert mine.usage.output_tokens == counted.output_tokens
    assert mine.usage.cache_read_tokens == counted.cache_read_input_tokens
    assert mine.usage.cache_write_tokens == counted.cache_creation_input_tokens
    assert mine.usage.reasoning_tokens == (details.thinking_tokens if details else None)


@pytest.mark.parametrize("case", GOOD, ids=str)
def test_every_good_transcript_says_the_same_to_both(case: Case) -> None:
    agree(ours(case.body, stream=case.stream), official(case.body, stream=case.stream))


@pytest.mark.parametrize("case", FAILED, ids=str)
def test_every_error_has_the_same_status_and_type_for_both(case: Case) -> None:
    _, mine = read_case(Anthropic(), case, TARGET)
    with pytest.raises(anthropic.APIStatusError) as caught:
        official(case.body, stream=case.stream, status=case.status, headers=case.headers)
    theirs: Any = caught.value.body
    assert isinstance(mine, APIError)
    assert mine.code == theirs["error"]["type"]
    assert mine.message == theirs["error"]["message"]
    assert mine.status == (case.status if case.status >= 400 else None)
    assert caught.value.status_code == case.status


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
BLOCKS = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, WORDS),
    st.builds(lambda text, seal: {"type": "thinking", "thinking": text, "signature": seal}, WORDS, WORDS),
    st.builds(
        lambda name, given_: {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": given_},
        WORDS.filter(bool),
        st.dictionaries(WORDS, VALUES, max_size=3),
    ),
)
COUNTS = st.integers(0, 10**6)
ANSWERS = st.fixed_dictionaries(
    {
        "content": st.lists(BLOCKS, max_size=4),
        "stop_reason": st.sampled_from(["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn"]),
        "stop_sequence": st.none() | WORDS.filter(bool),
        "usage": st.fixed_dictionaries(
            {"input_tokens": COUNTS, "output_tokens": COUNTS},
            optional={"cache_read_input_tokens": COUNTS, "cache_creation_input_tokens": COUNTS},
        ),
    }
)
PIECES = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}


def streamed(message: dict[str, Any], size: int) -> bytes:
    """Return `message` as the API streams it, its texts in pieces of `size` characters."""
    late: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None}
    payloads: list[dict[str, Any]] = [{"type": "message_start", "message": {**message, **late}}]
    for index, block in enumerate(message["content"]):
        kind, name = PIECES[block["type"]]
        empty = {"text": "", "thinking": "", "signature": "", "input": {}}
        whole = json.dumps(block["input"]) if "input" in block else block[name]
        deltas = [{"type": kind, name: whole[at : at + size]} for at in range(0, len(whole), size)]
        deltas += [{"type": "signature_delta", "signature": block["signature"]}] if "signature" in block else []
        start = {key: empty.get(key, value) for key, value in block.items()}
        payloads.append({"type": "content_block_start", "index": index, "content_block": start})
        payloads += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        payloads.append({"type": "content_block_stop", "index": index})
    end = {name: message[name] for name in ("stop_reason", "stop_sequence")}
    payloads.append({"type": "message_delta", "delta": end, "usage": message["usage"]})
    return frames(*payloads, STOP)


@settings(max_examples=60, deadline=None)
@given(ANSWERS, st.integers(1, 5))
def test_any_answer_says_the_same_to_both_streamed_or_whole(answer: dict[str, Any], size: int) -> None:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", **answer}
    whole, stream = json.dumps(message).encode(), streamed(message, size)
    agree(ours(whole, stream=False), official(whole, stream=False))
    agree(ours(stream, stream=True), official(stream, stream=True))
