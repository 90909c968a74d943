"""The recorded answers of the Messages API, whole, cut and split; and bytes that are no answer at all."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callm.errors import (
    APIError,
    CallmError,
    ContentFilterError,
    OverloadedError,
    ProtocolError,
    ServerError,
    TruncatedStream,
)
from callm.types import (
    Event,
    Finish,
    ResponseStart,
    TextDelta,
)
from callm.wire.codec import Quirks
from tests.transcripts import Case, fold, load, read, read_case
from tests.wire.anthropic.payloads import (
    CODEC,
    START,
    STOP,
    TARGET,
    arguments,
    body,
    closed,
    delta,
    ended,
    frames,
    opened,
    run,
)

CASES = load("anthropic")
BODIES = [case for case in CASES if case.status == 200]


def decode(case: Case, pieces: Iterable[bytes]) -> tuple[list[Event], CallmError | None]:
    return read(CODEC.decoder(TARGET, stream=case.stream), pieces)


def same(error: CallmError | None) -> object:
    return None if error is None else (type(error), str(error), error.retryable)


def fail(*payloads: dict[str, Any] | str) -> CallmError:
    _, error = read(CODEC.decoder(TARGET, stream=True), [frames(*payloads)])
    assert error is not None
    return error


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_transcript_gives_its_result(case: Case) -> None:
    case.check(*read_case(CODEC, case, TARGET))


@pytest.mark.parametrize("case", BODIES, ids=str)
def test_a_split_at_any_byte_changes_nothing(case: Case) -> None:
    events, error = decode(case, [case.body])
    for cut, (head, tail) in enumerate(case.cuts):
        split = decode(case, [head, tail])
        assert (split[0], same(split[1])) == (events, same(error)), f"split at byte {cut}"


@pytest.mark.parametrize("case", BODIES, ids=str)
def test_byte_by_byte_and_in_the_splits_of_the_transcript_changes_nothing(case: Case) -> None:
    events, error = decode(case, [case.body])
    single = decode(case, (case.body[at : at + 1] for at in range(len(case.body))))
    ends = (0, *case.splits, len(case.body))
    marked = decode(case, (case.body[start:end] for start, end in itertools.pairwise(ends)))
    for found in (single, marked):
        assert (found[0], same(found[1])) == (events, same(error))


@pytest.mark.parametrize("case", BODIES, ids=str)
def test_a_cut_at_any_byte_is_never_a_success(case: Case) -> None:
    events, error = decode(case, [case.body])
    end = len(case.body.rstrip()) + (2 if case.stream else 0)  # the marker needs its empty line
    for cut in range(end if error is None else len(case.body)):
        got, problem = decode(case, [case.body[:cut]])
        assert isinstance(problem, TruncatedStream | ProtocolError), f"cut at byte {cut}: {problem!r}"
        assert case.stream is False or isinstance(problem, TruncatedStream)
        assert got == events[: len(got)], f"cut at byte {cut}"
        assert not any(isinstance(event, Finish) for event in got)
        assert fold(got).tool_calls == fold(events).tool_calls[: len(fold(got).tool_calls)]
    if error is None:
        assert decode(case, [case.body[:end]]) == (events, None)


def test_events_and_deltas_that_are_not_known_are_skipped_and_known_only_by_their_data() -> None:
    events = run(
        START,
        {"type": "ping"},
        {"type": "future", "delta": 5, "index": [], "message": None},
        '{"x": 1}',
        delta(7, type="future_delta", text=1),
        delta(0, type="text_delta", text=5),
        delta(0, text="without a type"),
        {"type": "content_block_delta", "delta": {"type": "future_delta"}},
        {"type": 5, "content_block": 6},
        delta(0, type="text_delta", text="Hi"),
        delta(0, type="text_delta", text=""),
        delta(0, type="thinking_delta", thinking=""),
        {"type": "message_delta", "delta": None},
        STOP,
        START,
    )
    assert events == [ResponseStart("msg_1", "m"), TextDelta("Hi"), Finish("other")]


def test_an_event_whose_data_has_no_type_goes_by_its_name() -> None:
    decoder = CODEC.decoder(TARGET, stream=True)
    events = decoder.feed(
        frames({"index": 0, "delta": {"type": "text_delta", "text": "Hi"}}, event="content_block_delta")
    )
    assert events == [TextDelta("Hi")]
    assert decoder.feed(frames({}, event="message_stop")) == [Finish("other")]
    assert decoder.is_done


@pytest.mark.parametrize(
    "payload",
    [
        "no JSON",
        "[]",
        "5",
        '{"type": "message_start", "message": ' + "[" * 100_000,
        {"type": "message_start", "message": 5},
        {"type": "message_start"},
        {"type": "content_block_start", "index": 0},
        {"type": "content_block_start", "index": "0", "content_block": {"type": "text"}},
        {"type": "content_block_delta", "index": 0, "delta": "text"},
        {"type": "content_block_delta", "index": 0},
        opened(0, type="tool_use", id=5, name="add"),
        opened(0, type="tool_use", id="toolu_1"),
        arguments(3, "{}"),
        delta(3, type="signature_delta", signature="s"),
        closed(3),
        {"type": "content_block_stop", "index": [1]},
    ],
    ids=lambda payload: str(payload)[:60],
)
def test_what_is_not_of_the_format_is_a_protocol_error_behind_the_good_events(payload: dict[str, Any] | str) -> None:
    decoder = CODEC.decoder(TARGET, stream=True)
    good = decoder.feed(frames(START, delta(0, type="text_delta", text="Hi"), payload, STOP))
    assert good == [ResponseStart("msg_1", "m"), TextDelta("Hi")]
    assert isinstance(decoder.error, ProtocolError)
    assert len(str(decoder.error)) < 400
    with pytest.raises(ProtocolError):
        decoder.close()


@pytest.mark.parametrize(
    ("text", "event", "message", "kind"),
    [
        (
            '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
            "error",
            "Overloaded",
            "overloaded",
        ),
        ('{"type":"error","error":{"type":"api_error","message":"Oops"}}', "message", "Oops", "server_error"),
        ('{"error":{"message":"upstream","code":503}}', "message", "upstream", "overloaded"),
        ("upstream connect error", "error", "upstream connect error", "server_error"),
        ('{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}', "error", "slow", "rate_limit"),
        (
            '{"type":"error","error":{"type":"rate_limit_error","message":"s","details":{"error_code":"enforced_spend_limit_reached"}}}',
            "error",
            "s",
            "quota_exhausted",
        ),
        (
            '{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}',
            "error",
            "Output blocked by content filtering policy",
            "content_filter",
        ),
    ],
)
def test_an_error_inside_the_stream_is_the_providers(text: str, event: str, message: str, kind: str) -> None:
    decoder = CODEC.decoder(TARGET, stream=True)
    with pytest.raises(APIError) as caught:
        decoder.feed(frames(text, event=event))
    assert (caught.value.message, caught.value.kind, caught.value.status) == (message, kind, None)
    assert caught.value.provider == "anthropic"


def test_the_key_is_masked_in_an_error_that_repeats_it() -> None:
    payload = {
        "type": "error",
        "error": {"type": "authentication_error", "message": "bad key sk-ant-canary-0123456789"},
    }
    assert "sk-ant-canary-0123456789" not in str(fail(payload))
    status = CODEC.error(401, {}, json.dumps(payload).encode(), TARGET)
    assert "sk-ant-canary-0123456789" not in str(status) + status.body


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (b"", ProtocolError, "empty body"),
        (b"<html><title>502 Bad Gateway</title></html>", ProtocolError, "502 Bad Gateway"),
        (b"upstream connect error", ProtocolError, "upstream connect error"),
        (b"[]", ProtocolError, "no object"),
        (b'"x"', ProtocolError, "no object"),
        (b"{}", ProtocolError, "no message"),
        (b'{"content": "Hi"}', ProtocolError, "no message"),
        (b'{"content": ["Hi"]}', ProtocolError, "content block"),
        (b'{"content": [', TruncatedStream, "before the end"),
        (b'{"content": [' * 100_000, ProtocolError, "no JSON"),
        (b'{"content": []}}', ProtocolError, "no JSON"),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', OverloadedError, "Overloaded"),
        (b'{"error":"nope"}', ServerError, "nope"),
        (b'{"type":"error","error":{"message":"blocked by content filtering policy"}}', ContentFilterError, "blocked"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_body_that_is_no_message_gets_its_own_error(data: bytes, kind: type[CallmError], text: str) -> None:
    for stream in (False, True) if data else (False,):
        _, error = read(CODEC.decoder(TARGET, stream=stream), [data])
        assert type(error) is kind
        assert text in str(error)
        assert len(str(error)) < 400


def test_an_empty_stream_is_truncated() -> None:
    _, error = read(CODEC.decoder(TARGET, stream=True), [])
    assert isinstance(error, TruncatedStream)
    assert error.retryable


def test_a_whole_message_where_a_stream_was_asked_for_is_read() -> None:
    data = body(content=[{"type": "text", "text": "Hi"}])
    events, error = read(CODEC.decoder(TARGET, stream=True), [data[:20], data[20:]])
    assert (fold(events).text, error) == ("Hi", None)


def test_a_server_that_never_sends_the_marker_is_believed_once_it_gave_a_reason() -> None:
    lenient = msgspec.structs.replace(TARGET, quirks=Quirks(marker_required=False))
    whole = frames(START, delta(0, type="text_delta", text="Hi"), ended("end_turn"))
    events, error = read(CODEC.decoder(lenient, stream=True), [whole])
    assert (events[-1], error) == (Finish("stop", "end_turn"), None)
    assert isinstance(read(CODEC.decoder(lenient, stream=True), [frames(START)])[1], TruncatedStream)
    assert isinstance(read(CODEC.decoder(TARGET, stream=True), [whole])[1], TruncatedStream)


def test_nothing_is_read_behind_the_marker() -> None:
    decoder = CODEC.decoder(TARGET, stream=True)
    assert decoder.feed(frames(START, ended(), STOP, "garbage"))[-1] == Finish("stop", "end_turn")
    assert decoder.is_done
    assert decoder.feed(b"event: error\ndata: {}\n\n") == decoder.close() == []


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
NAMES = [
    "type",
    "index",
    "delta",
    "content_block",
    "message",
    "usage",
    "error",
    "content",
    "text",
    "id",
    "input",
    "partial_json",
]
EVENTS = ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "error"]
DELTAS = ["text_delta", "input_json_delta", "thinking_delta", "signature_delta", "citations_delta"]
BLOCKS = ["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use"]
WORDS = st.sampled_from(EVENTS + DELTAS + BLOCKS)
PAYLOADS = st.recursive(
    JSON | WORDS | st.integers(0, 2),
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner | WORDS, max_size=6),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PAYLOADS, max_size=6))
def test_no_payload_raises_anything_but_a_callm_error(payloads: list[Any]) -> None:
    stream = frames(*(json.dumps(payload) for payload in payloads), event="x")
    for data, streamed in [(stream, True), *((json.dumps(payload).encode(), False) for payload in payloads)]:
        events, error = read(CODEC.decoder(TARGET, stream=streamed), [data])
        assert (error is None) is fold(events).is_done


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_mutation_of_a_transcript_raises_anything_but_a_callm_error(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(BODIES))
    blocks = case.body.split(b"\n\n")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(blocks) - 1))
        block = blocks[at]
        match data.draw(st.sampled_from(["drop", "repeat", "swap", "flip", "insert", "replace"])):
            case "drop":
                blocks[at] = b""
            case "repeat":
                blocks.insert(at, block)
            case "swap":
                other = data.draw(st.integers(0, len(blocks) - 1))
                blocks[at], blocks[other] = blocks[other], blocks[at]
            case "flip" if block:
                byte = data.draw(st.integers(0, len(block) - 1))
                blocks[at] = block[:byte] + bytes([block[byte] ^ 1 << data.draw(st.integers(0, 7))]) + block[byte + 1 :]
            case "insert":
                byte = data.draw(st.integers(0, len(block)))
                junk = data.draw(
                    st.sampled_from([b"\xff", b"null", b"1e400", b"NaN", b'"\\ud800"', b"9" * 400, b"[" * 9999])
                )
                blocks[at] = block[:byte] + junk + block[byte:]
            case _:
                old = data.draw(st.sampled_from([b'"', b"{", b"0", b":", b"text", b"[]", b"null"]))
                blocks[at] = block.replace(
                    old, data.draw(st.sampled_from([b"", b"null", b"[]", b'{"a":1}', b"-5", b'"x"'])), 1
                )
    events, error = decode(case, [b"\n\n".join(blocks)])
    response = fold(events)
    assert (error is None) is response.is_done
    assert isinstance(response.text, str)
