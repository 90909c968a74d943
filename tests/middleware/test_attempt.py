"""The rule that everything that repeats shares."""

from __future__ import annotations

import pytest

from callm.errors import RateLimitError, TransportError
from callm.middleware.attempt import Attempt
from callm.types import (
    CONTENT,
    AttemptFailed,
    AudioDelta,
    ChoiceEvent,
    Event,
    Finish,
    Notice,
    PartAdded,
    ReasoningDelta,
    RefusalDelta,
    ResponseHeaders,
    ResponseStart,
    Restarted,
    Text,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    Usage,
    UsageReport,
    Waited,
)
from tests.middleware.playing import HI, asking

CONTENTS: list[Event] = [
    TextDelta("a"),
    ReasoningDelta("a"),
    RefusalDelta("a"),
    ToolCallStart(0, "1", "f"),
    ToolCallDelta(0, "{"),
    PartAdded(Text("a")),
    AudioDelta("AA"),
    ChoiceEvent(1, TextDelta("a")),
]
OTHERS: list[Event] = [ResponseHeaders(200), ResponseStart("1"), Notice("x"), Waited("x", 1.0), Finish("stop")]


def test_every_kind_of_content_is_tested_here() -> None:
    assert {type(event) for event in CONTENTS} == CONTENT


@pytest.mark.parametrize("event", CONTENTS, ids=lambda event: type(event).__name__)
def test_after_content_an_attempt_can_not_be_replaced(event: Event) -> None:
    attempt = Attempt(HI)
    assert attempt.see([Notice("x"), event])
    assert (attempt.delivered, attempt.replaceable) == (True, False)


@pytest.mark.parametrize("event", OTHERS, ids=lambda event: type(event).__name__)
def test_before_content_it_can(event: Event) -> None:
    attempt = Attempt(HI)
    assert not attempt.see([event])
    assert (attempt.delivered, attempt.replaceable) == (False, True)


def test_where_a_restart_is_allowed_it_always_can_and_is_seen_to_its_end() -> None:
    attempt = Attempt(asking(on_break="restart"))
    assert not attempt.see([TextDelta("a")])
    assert not attempt.see([UsageReport(Usage(1, 2))])
    events = attempt.failed(TransportError("lost"), "p/a")
    assert [type(event) for event in events] == [AttemptFailed, Restarted]
    assert isinstance(events[0], AttemptFailed)
    assert events[0].usage == Usage(1, 2)


def test_what_a_model_inside_discarded_was_not_delivered() -> None:
    attempt = Attempt(asking(on_break="restart"))
    attempt.see([TextDelta("a"), UsageReport(Usage(1, 2)), AttemptFailed("p/a", "E", "e", "m"), Restarted("p/a")])
    assert (attempt.delivered, attempt.usage) == (False, Usage())


def test_the_announcement_says_who_failed_how_and_what_follows() -> None:
    error = RateLimitError("slow", status=429, request_id="r")
    assert Attempt(HI, 3).failed(error, "p/a", 1.5) == [
        AttemptFailed("p/a", "RateLimitError", "rate_limit", str(error), 3, 1.5, 429, "r")
    ]
