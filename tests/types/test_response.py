"""`Response` is the sum of the events of a call, whatever batches they came in."""

from __future__ import annotations

import copy
import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import TruncatedStream
from callm.types import (
    AttemptFailed,
    AudioDelta,
    ChoiceEvent,
    Citation,
    Continued,
    Event,
    Finish,
    LogProbs,
    Message,
    Metadata,
    Notice,
    Opaque,
    PartAdded,
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    Response,
    ResponseHeaders,
    ResponseStart,
    Restarted,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageReport,
)

OPAQUE = Opaque("anthropic", {"type": "x"})


def fold(*events: Event) -> Response:
    response = Response()
    response.add(events)
    return response


def test_nothing_is_an_empty_answer_that_is_not_done() -> None:
    response = Response()
    assert (response.text, response.reasoning, response.parts, response.tool_calls) == ("", "", (), ())
    assert not response.is_done
    assert response.usage == Usage()
    assert response.message == Message("assistant", ())


def test_every_event_has_its_place() -> None:
    response = fold(
        ResponseHeaders(200, {"a": "b"}, "req_1"),
        ResponseStart("msg_1", ""),
        ResponseStart("", "m"),
        Metadata({"tier": "a", "x": 1}),
        Metadata({"tier": "b"}),
        Citation({"url": "u"}),
        LogProbs([1]),
        LogProbs([2, 3]),
        AudioDelta("AA", "hel"),
        AudioDelta("", "lo", "a_1"),
        AudioDelta("BB"),
        RefusalDelta("I "),
        RefusalDelta("won't"),
        Notice("seed"),
        UsageReport(Usage(1, 1)),
        UsageReport(Usage(1, 5)),
        Finish("stop", "stop_sequence", "END"),
    )
    assert (response.status, response.headers, response.request_id) == (200, {"a": "b"}, "req_1")
    assert (response.id, response.model) == ("msg_1", "m")
    assert response.metadata == {"tier": "b", "x": 1}
    assert (response.citations, response.logprobs) == ([{"url": "u"}], [1, 2, 3])
    assert (response.audio, response.transcript, response.audio_id) == (["AA", "BB"], "hello", "a_1")
    assert (response.refusal, response.notices) == ("I won't", ["seed"])
    assert response.usage == Usage(1, 5)
    assert (response.finish_reason, response.native_finish_reason) == ("stop", "stop_sequence")
    assert response.stop_sequence == "END"
    assert response.is_done


def test_parts_stand_in_the_order_they_began() -> None:
    response = fold(
        ReasoningDelta("a"),
        ReasoningDelta("b"),
        ReasoningEnd("s", "anthropic", "r_1", {"x": 1}),
        TextDelta("c"),
        TextDelta("d"),
        ToolCallStart(0, "1", "f"),
        ToolCallStart(1, "2", "g"),
        TextDelta("e"),
        ToolCallDelta(1, '{"a"'),
        ToolCallDelta(0, " "),
        ToolCallDelta(1, ":1}"),
        PartAdded(OPAQUE),
        ToolCallEnd(1),
        ToolCallEnd(0),
        ReasoningDelta("f"),
        TextDelta("g"),
        ReasoningDelta("h"),
        ReasoningEnd(),
    )
    calls = (ToolCall("1", "f", "{}"), ToolCall("2", "g", '{"a":1}'))
    assert response.parts == (
        Reasoning("ab", "s", format="anthropic", id="r_1", extra={"x": 1}),
        Text("cd"),
        *calls,
        Text("e"),
        OPAQUE,
        Reasoning("f"),
        Text("g"),
        Reasoning("h"),
    )
    assert response.tool_calls == calls
    assert (response.text, response.reasoning) == ("cdeg", "abfh")
    assert response.message == Message("assistant", response.parts)


@pytest.mark.parametrize("begun", [ToolCallStart(0, "1", "f"), PartAdded(OPAQUE)])
def test_thoughts_without_an_end_are_ended_by_what_follows(begun: Event) -> None:
    assert fold(ReasoningDelta("a"), begun).parts[0] == Reasoning("a")


def test_an_answer_can_be_read_while_it_grows() -> None:
    response = Response()
    response.add([ReasoningDelta("a")])
    assert (response.reasoning, response.parts) == ("a", (Reasoning("a"),))
    response.add([TextDelta("b")])
    assert (response.text, response.parts) == ("b", (Reasoning("a"), Text("b")))
    response.add([ToolCallStart(0, "1", "f"), ToolCallDelta(0, '{"a": 1')])
    assert (response.tool_calls, response.incomplete_tool_calls) == ((), (ToolCall("1", "f", '{"a": 1'),))
    assert response.parts == (Reasoning("a"), Text("b"))
    response.add([ToolCallDelta(0, "}"), ToolCallEnd(0)])
    assert (response.tool_calls, response.incomplete_tool_calls) == ((ToolCall("1", "f", '{"a": 1}'),), ())


def test_thoughts_that_are_only_a_seal_are_kept() -> None:
    assert fold(ReasoningEnd("s", "anthropic"), TextDelta("a")).parts == (
        Reasoning("", "s", format="anthropic"),
        Text("a"),
    )


def test_other_choices_are_answers_of_their_own() -> None:
    response = fold(
        TextDelta("a"),
        ChoiceEvent(1, TextDelta("b")),
        ChoiceEvent(2, TextDelta("c")),
        ChoiceEvent(1, TextDelta("d")),
        ChoiceEvent(1, Finish("length", "length")),
        Finish("stop", "stop"),
    )
    assert (response.text, response.finish_reason) == ("a", "stop")
    assert {index: (choice.text, choice.finish_reason) for index, choice in response.choices.items()} == {
        1: ("bd", "length"),
        2: ("c", None),
    }


def test_two_responses_share_nothing() -> None:
    one, two = Response(), Response()
    one.add([Metadata({"a": 1}), TextDelta("x"), Notice("n"), Citation({}), ChoiceEvent(1, TextDelta("y"))])
    assert two == Response()


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_an_answer_survives_pickle_and_copy_and_grows_on(protocol: int) -> None:
    response = fold(ReasoningDelta("a"), TextDelta("b"), ToolCallStart(0, "1", "f"), ToolCallDelta(0, "{"))
    response.error = TruncatedStream("cut")
    for other in (pickle.loads(pickle.dumps(response, protocol)), copy.deepcopy(response)):
        other.add([ToolCallDelta(0, "}"), ToolCallEnd(0), TextDelta("c"), Finish("stop")])
        assert (other.text, len(other.tool_calls), other.is_done, str(other.error)) == ("bc", 1, True, "cut")
    assert response.text == "b"
    assert not response.is_done


EVENTS: st.SearchStrategy[Event] = st.sampled_from(
    [
        TextDelta("a"),
        TextDelta(""),
        ReasoningDelta("b"),
        ReasoningEnd("s", "f"),
        RefusalDelta("c"),
        PartAdded(OPAQUE),
        Metadata({"a": 1}),
        ToolCallStart(0, "1", "f"),
        ChoiceEvent(1, TextDelta("d")),
        Finish("stop"),
    ]
)


@given(st.lists(EVENTS, max_size=20), st.integers(1, 5))
def test_batches_change_nothing(events: list[Event], size: int) -> None:
    batched = Response()
    for at in range(0, len(events), size):
        batched.add(events[at : at + size])
    assert batched == fold(*events)
    assert batched.text == "".join(part.text for part in batched.parts if isinstance(part, Text))


def test_adding_costs_in_proportion_to_what_is_added() -> None:
    response = Response()
    began = time.process_time()
    for _ in range(200_000):
        response.add([TextDelta("word "), ReasoningDelta("x"), ReasoningEnd()])
    assert time.process_time() - began < 10  # about 0.4; copying the text each time would take an hour
    assert len(response.text) == 1_000_000


def test_an_attempt_that_fails_after_the_answer_went_on_discards_nothing_of_the_parts_before():
    response = Response()
    response.add([TextDelta("a"), UsageReport(Usage(5, 2)), Continued(1, Usage(5, 2)), UsageReport(Usage(100, 0))])
    response.add([AttemptFailed("m", "ServerError", "server_error", "down")])
    assert (response.text, response.usage, response.continued) == ("a", Usage(5, 2), 1)
    response.add([Restarted("m")])
    assert (response.text, response.usage, response.continued) == ("", Usage(), 0)
    assert len(response.attempts) == 1
