"""What each kind of ending costs."""

import pytest

from callm.errors import AllFailed, AuthError, CallTimeout, PoolTimeout, ServerError, TruncatedStream
from callm.middleware.meter import Meter
from callm.types import (
    AttemptFailed,
    CacheHit,
    Continued,
    Finish,
    PartAdded,
    ReasoningDelta,
    ResponseHeaders,
    Selected,
    Text,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)

HEADERS = ResponseHeaders(200, endpoint="openai/a")
USAGE, TEXT, FINISH = UsageReport(Usage(7, 3)), TextDelta("x" * 40), Finish("stop")


def meter(*events):
    made = Meter(100)
    made.see(events)
    return made


@pytest.mark.parametrize(
    ("events", "usage"),
    [
        ([TEXT, USAGE, FINISH], Usage(7, 3)),
        ([TEXT, FINISH, USAGE], Usage(7, 3)),
        ([TEXT, FINISH], Usage(100, 10)),
        ([ReasoningDelta("x" * 4), ToolCallDelta(0, "x" * 5), FINISH], Usage(100, 3)),
        ([UsageReport(Usage(7, None)), TEXT, FINISH], Usage(7, 10)),
        ([UsageReport(Usage(7, 3, cache_read_tokens=5)), FINISH], Usage(7, 3, cache_read_tokens=5)),
    ],
)
def test_a_finished_answer_costs_what_was_reported_else_what_came(events, usage):
    assert meter(HEADERS, *events).end() == [("openai/a", usage)]


@pytest.mark.parametrize(
    ("events", "usage"),
    [
        ([], Usage(100, 0)),
        ([TEXT], Usage(100, 10)),
        ([UsageReport(Usage(7, 1)), TEXT], Usage(7, 10)),  # Anthropic's first report
        ([PartAdded(Text("x"))], Usage(100, 0)),
    ],
)
def test_an_answer_that_was_left_costs_the_prompt_and_what_came(events, usage):
    assert meter(HEADERS, *events).end(left=True) == [("openai/a", usage)]


@pytest.mark.parametrize(
    ("events", "error", "tokens"),
    [
        ([], AuthError("no"), 0),
        ([], ServerError("no"), 0),
        ([], PoolTimeout("full"), 0),
        ([], CallTimeout("silence"), 100),
        ([TEXT], TruncatedStream("cut"), 110),
        ([TEXT], ServerError("in the middle"), 110),
        ([USAGE], ServerError("after the report"), 10),
        ([], AllFailed("all", [AuthError("no"), CallTimeout("silence")]), 100),
    ],
)
def test_a_failure_costs_what_the_provider_did_before(events, error, tokens):
    assert meter(*events).tokens(error) == tokens


def test_failed_attempts_and_parts_of_a_long_answer_are_attempts_of_their_own():
    failed = AttemptFailed("openai/a", "ServerError", "server_error", "", usage=Usage(5, 1))
    silent = AttemptFailed("openai/b", "CallTimeout", "timeout", "")
    refused = AttemptFailed("openai/b", "RateLimitError", "rate_limit", "")
    part = Continued(1, Usage(10, 20))
    got = meter(failed, Selected("openai/b"), silent, TEXT, refused, TEXT, USAGE, part, HEADERS, USAGE, FINISH).end()
    assert got == [
        ("openai/a", Usage(5, 1)),
        ("openai/b", Usage(100, 0)),
        ("openai/b", Usage(100, 10)),
        ("openai/b", Usage(10, 20)),
        ("openai/a", Usage(7, 3)),
    ]


def test_the_loser_of_a_hedge_costs_its_prompt():
    lost = AttemptFailed("openai/a", "", "hedged", "")
    assert meter(lost, Selected("openai/b"), TEXT, USAGE, FINISH).tokens() == 100 + 10


def test_an_answer_from_a_cache_costs_nothing():
    assert meter(CacheHit(3.0), TEXT, USAGE, FINISH).end() == []
