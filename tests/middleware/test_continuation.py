"""Answers that the token limit cut and that go on: joined, counted, given up."""

from contextlib import aclosing
from dataclasses import dataclass

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from callm.errors import AllFailed, ConfigError, InvalidRequestError, ServerError, TruncatedStream
from callm.middleware.continuation import Continuation
from callm.middleware.fallback import Fallback
from callm.middleware.retry import Retry
from callm.parse.output import Output
from callm.policy.backoff import Backoff
from callm.testing import ScriptedModel
from callm.types import (
    AttemptFailed,
    CallOptions,
    Continued,
    Event,
    Finish,
    Message,
    Notice,
    PartAdded,
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    Request,
    Restarted,
    Text,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageReport,
)
from tests.middleware.racing import REQUEST, Paced, cancel_everywhere, play, read
from tests.support import run_jumping

CUT, DONE = Finish("length", "max_tokens"), Finish("stop")
BROKEN = ServerError("down", status=500)
STORY = "Once upon a time there was a fox"


def part(*texts, end=CUT, tokens=(5, 2)):
    return [*map(TextDelta, texts), UsageReport(Usage(*tokens)), end]


def test_a_cut_answer_goes_on_and_is_one_answer():
    model = ScriptedModel(
        part(STORY, " who"), part(" could", " talk", tokens=(9, 3)), part(".", end=DONE, tokens=(12, 1))
    )
    response = play(Continuation(model))
    assert response.text == STORY + " who could talk."
    assert (response.finish_reason, response.continued) == ("stop", 2)
    assert response.usage == Usage(26, 6)
    assert model.requests[2].messages == (*REQUEST.messages, Message.assistant(STORY + " who could talk"))


def test_the_events_tell_where_it_went_on_and_no_finish_comes_before_the_last():
    model = ScriptedModel(part("a"), part("b", end=DONE))
    assert run_jumping(read(Continuation(model))) == [
        TextDelta("a"),
        UsageReport(Usage(5, 2)),
        Continued(1, Usage(5, 2)),
        TextDelta("b"),
        UsageReport(Usage(5, 2)),
        DONE,
    ]


def test_usage_that_comes_after_the_finish_is_counted():
    model = ScriptedModel([TextDelta("a"), CUT, UsageReport(Usage(7, 7))], part("b", end=DONE))
    assert play(Continuation(model)).usage == Usage(12, 9)


def test_it_goes_on_so_often_and_then_is_cut():
    model = ScriptedModel(*(part(text) for text in "abcdef"))
    response = play(Continuation(model, times=2))
    assert (response.text, response.finish_reason, response.continued) == ("abc", "length", 2)
    assert response.native_finish_reason == "max_tokens"


@pytest.mark.parametrize("nothing", [part(), part(""), part(" \n"), part(STORY)])
def test_it_stops_when_the_model_adds_nothing(nothing):
    model = ScriptedModel(part(STORY), nothing, part("never asked for"))
    response = play(Continuation(model, times=9))
    assert (response.text.rstrip(), response.finish_reason) == (STORY, "length")
    assert len(model.requests) == 2


def test_a_model_that_refuses_a_last_turn_of_its_own_is_told_to_go_on():
    model = ScriptedModel(part(STORY), part("there was a fox who", " could talk.", end=DONE))
    assert play(Continuation(model, prefill=False)).text == STORY + " who could talk."
    *_, said, told = model.requests[1].messages
    assert said == Message.assistant(STORY)
    assert told.role == "user"
    assert "Go on exactly where it stopped" in told.text


def test_white_space_at_the_end_is_not_sent_back_and_stands_once():
    model = ScriptedModel(part("One.\n\n"), part("\n\nTwo.", end=DONE))
    assert play(Continuation(model)).text == "One.\n\nTwo."
    assert model.requests[1].messages[-1] == Message.assistant("One.")


def test_what_may_be_a_repetition_is_held_and_given_out_in_the_end():
    model = ScriptedModel(part(STORY), part("there", " was", end=DONE))
    events = run_jumping(read(Continuation(model, prefill=False)))
    assert [event.text for event in events if isinstance(event, TextDelta)] == [STORY, "there was"]
    assert events[-1] == DONE


UNFIT = {
    "a tool call": [ToolCallStart(0, "1", "f"), ToolCallDelta(0, '{"a'), CUT],
    "text and a whole tool call": [TextDelta("x"), ToolCallStart(0, "1", "f"), ToolCallEnd(0), CUT],
    "a refusal": [RefusalDelta("I can't"), CUT],
    "thoughts alone": [ReasoningDelta("hm"), CUT],
    "an image": [TextDelta("x"), PartAdded(Text("whole")), CUT],
    "nothing": [CUT],
    "white space": [TextDelta(" \n"), CUT],
    "another end": [TextDelta("x"), Finish("content_filter")],
}


@pytest.mark.parametrize("script", UNFIT.values(), ids=UNFIT)
def test_what_is_no_cut_text_passes_unchanged(script):
    model = ScriptedModel(script)
    assert run_jumping(read(Continuation(model))) == script
    assert len(model.requests) == 1


def test_of_an_answer_with_thoughts_only_the_text_goes_back():
    thoughts: list[Event] = [ReasoningDelta("hm"), ReasoningEnd("seal"), PartAdded(Reasoning(redacted="x"))]
    model = ScriptedModel([*thoughts, TextDelta("a"), CUT], part("b", end=DONE))
    assert play(Continuation(model)).text == "ab"
    assert model.requests[1].messages[-1] == Message.assistant("a")


def test_a_turn_that_the_caller_had_begun_goes_on():
    begun = Request((Message.user("A list"), Message.assistant("1. ")))
    model = ScriptedModel(part("One\n2. T"), part("wo", end=DONE))
    assert play(Continuation(model), begun).text == "One\n2. Two"
    assert model.requests[1].messages == (begun.messages[0], Message.assistant("1. One\n2. T"))


def test_a_turn_begun_with_a_marked_part_gets_another_part():
    begun = Request((Message.user("A list"), Message.assistant(Text("1.", {"cache": True}))))
    model = ScriptedModel(part(" One"), part("!", end=DONE))
    play(Continuation(model), begun)
    assert model.requests[1].messages[-1] == Message.assistant(Text("1.", {"cache": True}), Text(" One"))


def test_notices_are_given_once():
    model = ScriptedModel([Notice("no seed"), *part("a")], [Notice("no seed"), Notice("new"), *part("b", end=DONE)])
    assert play(Continuation(model)).notices == ["no seed", "new"]


def test_notices_of_an_attempt_that_failed_are_given_again():
    model = ScriptedModel([Notice("no seed"), BROKEN], [Notice("no seed"), *part("a", end=DONE)])
    assert play(Continuation(Retry(model))).notices == ["no seed"]


@dataclass
class Person:
    name: str
    age: int
    friends: list[str]


DOCUMENT = '{"name": "Ada Lovelace", "age": 36, "friends": ["Charles Babbage", "Mary Somerville"]}'


@pytest.mark.parametrize("prefill", [True, False])
@pytest.mark.parametrize("described", [True, False])
@given(cuts=st.lists(st.integers(1, len(DOCUMENT) - 1), max_size=3, unique=True))
def test_a_typed_answer_cut_anywhere_is_the_same_value(prefill, described, cuts):
    output = Output(Person)
    ends = [*sorted(cuts), len(DOCUMENT)]
    pieces = [DOCUMENT[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assume(all(piece.strip() for piece in pieces))  # a part of nothing but white space adds nothing
    # Without prefill, models like to begin with their last words.
    again = [DOCUMENT[max(0, start - 20) : start] if start > 40 and not prefill else "" for start in [0, *ends[:-1]]]
    parts = [part(words + piece) for words, piece in zip(again, pieces, strict=True)]
    parts[-1][-1] = DONE
    model = ScriptedModel(*parts)
    request = Request((Message.user("Who?"),), output=output, described=described)
    text = play(Continuation(model, prefill=prefill), request).text
    assert output.parse(text) == Person("Ada Lovelace", 36, ["Charles Babbage", "Mary Somerville"])
    assert all(asked.output is None for asked in model.requests[1:])
    words = [output.describe() in message.text for asked in model.requests[1:] for message in asked.messages]
    assert any(words) == (not described and len(parts) > 1)


def test_an_error_before_the_content_of_a_part_is_retried_and_the_answer_stays():
    model = ScriptedModel(part("a"), [UsageReport(Usage(100, 0)), BROKEN], part("b", end=DONE))
    response = play(Continuation(Retry(model)))
    assert (response.text, response.continued, response.usage) == ("ab", 1, Usage(10, 4))
    assert [attempt.usage for attempt in response.attempts] == [Usage(100, 0)]


def test_a_retry_within_the_first_part_is_no_part_of_the_answer():
    model = ScriptedModel([UsageReport(Usage(100, 0)), BROKEN], part("a"), part("b", end=DONE))
    response = play(Continuation(Retry(model)))
    assert (response.text, response.usage) == ("ab", Usage(10, 4))


def restarting(model):
    request = Request(REQUEST.messages, options=CallOptions(on_break="restart"))
    return play(model, request)


def test_a_restart_within_the_first_part_begins_the_answer_anew():
    model = ScriptedModel([TextDelta("lost"), BROKEN], part("a"), part("b", end=DONE))
    response = restarting(Continuation(Retry(model)))
    assert response.text == "ab"
    assert model.requests[2].messages[-1] == Message.assistant("a")


def test_what_a_replaced_attempt_was_and_cost_does_not_count():
    call: list[Event] = [ToolCallStart(0, "1", "f"), UsageReport(Usage(100, 0))]
    model = ScriptedModel([*call, BROKEN], [TextDelta("a"), CUT], part("b", end=DONE))
    response = restarting(Continuation(Retry(model)))
    assert (response.text, response.usage) == ("ab", Usage(5, 2))


def test_an_error_after_content_of_a_part_is_not_retried_alone_even_where_restarts_were_asked_for():
    model = ScriptedModel(part("a"), [TextDelta("b"), BROKEN], part("c", end=DONE))
    with pytest.raises(ServerError):
        restarting(Continuation(Retry(model)))
    assert len(model.requests) == 2


def test_an_error_after_content_of_a_part_raises_and_what_came_is_kept():
    model = ScriptedModel(part(STORY), part("there was", end=TruncatedStream("cut")))
    events = []

    async def main():
        async with aclosing(Continuation(Retry(model), prefill=False).stream(REQUEST)) as batches:
            async for batch in batches:
                events.extend(batch)

    with pytest.raises(TruncatedStream) as caught:
        run_jumping(main())
    assert TextDelta("there was") in events
    assert caught.value.__notes__ == ["this was request 1 for the rest of an answer that the token limit had cut"]
    assert len(model.requests) == 2


def test_an_error_of_the_first_part_is_raised_as_it_is():
    with pytest.raises(ServerError) as caught:
        play(Continuation(ScriptedModel([ServerError("down", status=500)])))
    assert not hasattr(caught.value, "__notes__")


def test_a_provider_that_refuses_prefill_is_told_about_in_a_note():
    model = ScriptedModel(part("a"), [InvalidRequestError("no prefill", status=400)])
    with pytest.raises(InvalidRequestError) as caught:
        play(Continuation(model))
    assert "use prefill=False" in caught.value.__notes__[0]


def test_outside_of_it_another_model_may_begin_anew_but_only_where_that_was_asked_for():
    def tree():
        first = ScriptedModel(part("a"), [BROKEN], name="a/a")
        return Fallback(
            (Continuation(Retry(first, Backoff(retries=1))), ScriptedModel(part("z", end=DONE), name="z/z"))
        )

    with pytest.raises(ServerError):
        play(tree())
    response = restarting(tree())
    assert (response.text, response.continued, response.usage) == ("z", 0, Usage(5, 2))
    assert [attempt.usage for attempt in response.attempts] == [Usage(), Usage(5, 2)]


def test_who_looks_at_the_events_is_told_to_discard_a_continued_answer():
    first = ScriptedModel(part("a"), [BROKEN], name="a/a")
    tree = Fallback((Continuation(Retry(first, Backoff(retries=1))), ScriptedModel([BROKEN], name="z/z")))
    events = []

    async def main():
        request = Request(REQUEST.messages, options=CallOptions(on_break="restart"))
        async with aclosing(tree.stream(request)) as batches:
            async for batch in batches:
                events.extend(batch)

    with pytest.raises(AllFailed):
        run_jumping(main())
    kinds = [type(event) for event in events if isinstance(event, AttemptFailed | Restarted)]
    assert kinds == [AttemptFailed, AttemptFailed, Restarted]


def test_an_inner_attempt_that_fails_while_text_is_held_is_forgotten():
    failed = AttemptFailed("m", "ServerError", "server_error", "down")
    model = ScriptedModel(part(STORY), [TextDelta("there was"), failed, *part("there was a fox!", end=DONE)])
    assert play(Continuation(model, prefill=False)).text == STORY + "!"


@pytest.mark.parametrize("times", [1, 2])
def test_cancelled_anywhere_it_leaves_nothing(times):
    def make():
        return Continuation(Paced([(0, [TextDelta("a")]), (1, [CUT])], [(1, [TextDelta("b")]), (0, [DONE])]))

    def check(model):
        assert model.inner.open == 0

    assert cancel_everywhere(make, check, times=times) > 3


@pytest.mark.parametrize("times", [0, True, 1.5])
def test_times_that_cannot_work_are_refused(times):
    with pytest.raises(ConfigError, match="times"):
        Continuation(ScriptedModel(), times=times)


def test_printing_it_explains_it():
    assert repr(Continuation(ScriptedModel(name="m"), times=2)) == (
        "Continuation(inner=ScriptedModel(name='m', attempts=0), times=2, prefill=True)"
    )
    assert Continuation(ScriptedModel(name="m")).name == "m"
