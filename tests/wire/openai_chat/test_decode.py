from __future__ import annotations

import json
from typing import Any

import pytest

from callm.errors import TruncatedStream
from callm.types import (
    ChoiceEvent,
    Event,
    Finish,
    Metadata,
    ReasoningDelta,
    ReasoningEnd,
    ResponseStart,
    TextDelta,
    Usage,
    UsageReport,
)
from callm.wire.openai_chat import OpenAIChat
from callm.wire.openai_chat.decode import ChatFrames
from callm.wire.sse import ServerSentEvent
from tests.transcripts import Case, fold, load, read, read_case
from tests.wire.openai_chat.chunks import (
    DONE,
    TARGET,
    calls,
    chunk,
    fragment,
    good,
    plain,
    quirky,
    sse,
    stream,
)

CODEC = OpenAIChat()
CASES = load("openai-chat", "dialects", "azure")
STREAMS = [case for case in CASES if case.stream and case.status == 200]
BODIES = [case for case in CASES if not case.stream and case.status == 200]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_transcript_gives_its_result(case: Case) -> None:
    case.check(*read_case(CODEC, case, TARGET))


@pytest.mark.parametrize("case", STREAMS + BODIES, ids=str)
def test_any_split_gives_the_same_events(case: Case) -> None:
    whole = read_case(CODEC, case, TARGET)
    for first, second in case.cuts:
        events, error = read(CODEC.decoder(TARGET, stream=case.stream), [first, second])
        assert (events, repr(error)) == (whole[0], repr(whole[1]))
    bytewise = read(CODEC.decoder(TARGET, stream=case.stream), [bytes([byte]) for byte in case.body])
    assert (bytewise[0], repr(bytewise[1])) == (whole[0], repr(whole[1]))


@pytest.mark.parametrize("case", STREAMS, ids=str)
def test_a_cut_stream_is_never_a_success(case: Case) -> None:
    for first, _ in case.cuts:
        events, error = read(CODEC.decoder(TARGET, stream=True), [first])
        if _is_marked(first) and case.expected["error"] is None:  # only [DONE], or the usage, is missing
            assert error is None
            assert fold(events).text == case.expected["text"]
        else:
            assert error is not None
            assert error.kind in {"truncated_stream", (case.expected["error"] or {}).get("kind")}


def _is_marked(data: bytes) -> bool:
    reasons: dict[int, Any] = {}
    for block in data.split(b"\n\n")[:-1]:
        if block == DONE.strip():
            continue
        payload = json.loads(block.removeprefix(b"data: "))
        for choice in payload.get("choices", ()):
            reasons[choice["index"]] = choice["finish_reason"] or reasons.get(choice["index"])
    return bool(reasons) and None not in reasons.values()


@pytest.mark.parametrize("case", BODIES, ids=str)
def test_a_cut_body_is_never_a_success(case: Case) -> None:
    for first, _ in case.cuts:
        _, error = read(CODEC.decoder(TARGET, stream=False), [first])
        assert (error is None) == (first == case.body)


def test_a_stream_gives_its_events_in_order() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    events, error = stream(
        chunk({"role": "assistant", "content": ""}, system_fingerprint="fp"),
        chunk({"content": "Hel"}),
        chunk({"content": ""}),
        chunk({"content": "lo"}, system_fingerprint="fp"),
        chunk({}, "stop"),
        {"id": "c1", "choices": [], "usage": usage},
    )
    assert error is None
    assert events == [
        ResponseStart("c1", "m1"),
        Metadata({"system_fingerprint": "fp"}),
        TextDelta("Hel"),
        TextDelta("lo"),
        UsageReport(Usage(input_tokens=3, output_tokens=2)),
        Finish("stop", "stop"),
    ]


def test_events_come_with_the_bytes_that_complete_them() -> None:
    decoder = CODEC.decoder(TARGET, stream=True)
    assert decoder.feed(sse(chunk({"content": "a"}), done=False)) == [ResponseStart("c1", "m1"), TextDelta("a")]
    assert decoder.feed(sse(chunk({"content": "b"}), done=False)) == [TextDelta("b")]
    assert decoder.feed(sse(chunk({}, "stop"), done=False)) == []
    assert decoder.feed(DONE) == [Finish("stop", "stop")]
    assert decoder.is_done
    assert decoder.feed(sse(chunk({"content": "c"}))) == []
    assert decoder.close() == []


def test_the_frames_alone_do_the_same() -> None:
    frames = CODEC.frames(TARGET)
    out: list[Event] = []
    for data in ('{"choices":[{"delta":{"content":"a"}}]}', '{"choices":[{"finish_reason":"stop"}]}'):
        frames.add(ServerSentEvent(data), out)
    assert _closed(frames, out) == [TextDelta("a"), Finish("stop", "stop")]


def _closed(frames: ChatFrames, out: list[Event]) -> list[Event]:
    frames.close(out)
    assert frames.is_done
    return out


@pytest.mark.parametrize("end", ["done", "eof"])
def test_an_end_without_a_finish_reason_is_truncated(end: str) -> None:
    events, error = stream(chunk({"content": "half"}), done=end == "done")
    assert isinstance(error, TruncatedStream)
    assert error.retryable
    assert fold(events).text == "half"
    assert not fold(events).is_done


def test_a_finish_reason_without_done_is_an_end() -> None:
    assert good(stream(chunk({"content": "all"}), chunk({}, "stop"), done=False)).finish_reason == "stop"


@pytest.mark.parametrize("chunks", [(), ({"choices": []},), (chunk({"content": "b"}, "stop", choice={"index": 1}),)])
def test_an_answer_without_its_first_choice_is_truncated(chunks: tuple[Any, ...]) -> None:
    assert isinstance(stream(*chunks)[1], TruncatedStream)


def test_one_choice_without_its_end_makes_the_stream_truncated() -> None:
    _, error = stream(chunk({"content": "a"}, "stop"), chunk({"content": "b"}, choice={"index": 1}))
    assert isinstance(error, TruncatedStream)


def test_a_server_known_to_send_no_marker_is_trusted_once_it_said_something() -> None:
    target = quirky(marker_required=False)
    response = good(stream(chunk({"content": "all"}), done=False, target=target))
    assert (response.text, response.finish_reason, response.native_finish_reason) == ("all", "stop", None)
    assert isinstance(stream(done=False, target=target)[1], TruncatedStream)


def test_servers_that_leave_out_nearly_everything_are_understood() -> None:
    events, error = stream({"choices": [{"delta": {"content": "a"}}]}, {"choices": [{"finish_reason": "eos"}]})
    assert error is None
    assert events == [TextDelta("a"), Finish("stop", "eos")]


def test_the_first_name_of_answer_and_model_is_kept() -> None:
    first = {"id": "", "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    other = {**chunk({"content": "a"}, "stop"), "id": "c2", "model": "m2"}
    response = good(stream(first, chunk({}), other))
    assert (response.id, response.model) == ("c1", "m1")
    assert response.metadata["prompt_filter_results"] == [{"prompt_index": 0}]


def test_comments_and_empty_data_are_nothing() -> None:
    raw = b": OPENROUTER PROCESSING\n\ndata: \n\ndata:   \n\n" + sse(chunk({"content": "a"}), chunk({}, "stop"))
    assert good(read(CODEC.decoder(TARGET, stream=True), [raw])).text == "a"


def test_choices_interleave_and_end_each_for_itself() -> None:
    events, error = stream(
        chunk({"content": "A"}),
        chunk({"content": "B"}, choice={"index": 1}),
        chunk({"tool_calls": [fragment("f", "{}")]}, "tool_calls", choice={"index": 1}),
        chunk({}, "stop"),
    )
    assert error is None
    assert ChoiceEvent(1, TextDelta("B")) in events
    assert events[-1] == Finish("stop", "stop")
    response = fold(events)
    assert response.text == "A"
    assert (response.choices[1].text, response.choices[1].finish_reason) == ("B", "tool_calls")
    assert [call.name for call in response.choices[1].tool_calls] == ["f"]


def test_the_last_usage_counts_and_is_reported_when_it_changes() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 1}
    events, _ = stream(
        chunk({"content": "a"}, usage=usage),
        chunk({"content": "b"}, usage=usage),
        chunk({}, "stop", x_groq={"usage": {**usage, "completion_tokens": 2, "total_time": 0.5}}),
    )
    reports = [event.usage.output_tokens for event in events if isinstance(event, UsageReport)]
    assert reports == [1, 2]
    assert fold(events).metadata["total_time"] == 0.5


def test_thoughts_take_the_short_way_too() -> None:
    events, _ = stream(
        chunk({"content": None, "reasoning_content": "a"}),
        chunk({"content": None, "reasoning_content": "b"}),
        chunk({"content": "", "reasoning": "c"}),
        chunk({"reasoning": "d", "reasoning_content": "d"}),
        chunk({"reasoning": "e", "reasoning_content": ""}),
        chunk({"content": "A", "reasoning": ""}),
        chunk({"content": "B", "reasoning": None}),
        chunk({}, "stop"),
    )
    thoughts = [ReasoningDelta(letter) for letter in "abcde"]
    end = ReasoningEnd(format="openai_chat")
    assert plain(events) == [*thoughts, end, TextDelta("A"), TextDelta("B"), Finish("stop", "stop")]


def test_a_stream_ignores_the_whole_message_that_some_servers_repeat() -> None:
    last = chunk({}, "stop", choice={"message": {"content": "ab"}})
    assert good(stream(chunk({"content": "a"}), chunk({"content": "b"}), last)).text == "ab"


def test_an_index_that_is_no_number_is_the_first_choice() -> None:
    assert (
        good(stream(chunk({"content": "a"}, choice={"index": "0"}), chunk({}, "stop", choice={"index": None}))).text
        == "a"
    )


def test_a_late_fragment_behind_the_finish_reason_still_counts() -> None:
    late = calls(fragment(None, "1}", index=0))
    response = good(stream(calls(fragment("f", '{"a":', index=0, id="x"), finish="tool_calls"), late))
    assert response.tool_calls[0].arguments == '{"a":1}'
