"""Attempts, waits and what is delivered, on a clock that jumps."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import (
    AuthError,
    CallmError,
    ContextTooLongError,
    OverloadedError,
    QuotaError,
    RateLimitError,
    ServerError,
    TransportError,
    TruncatedStream,
)
from callm.middleware.deadline import Deadline
from callm.middleware.retry import Retry
from callm.policy.backoff import Backoff
from callm.policy.retry_budget import RetryBudget
from callm.testing import ScriptedModel
from callm.types import (
    AttemptFailed,
    Finish,
    Request,
    ResponseHeaders,
    ResponseStart,
    Restarted,
    TextDelta,
    Timeouts,
    Usage,
    UsageReport,
)
from tests.middleware.playing import HELLO, HI, aplay, asking, cancel_at, play
from tests.support import run_jumping

SLOW = RateLimitError("slow down", retry_after=2.0, status=429, request_id="req_1")
LOST = TransportError("lost")


def retry(*attempts: Any, **options: Any) -> tuple[Retry, ScriptedModel]:
    model = ScriptedModel(*attempts, name="openai/gpt-x")
    return Retry(model, Backoff(**options), random=Random(1)), model


def test_a_good_answer_is_left_alone() -> None:
    subject, model = retry([HELLO])
    played = play(subject)
    assert (played.batches, played.error, len(model.requests)) == ([HELLO], None, 1)


def test_a_failed_attempt_is_announced_and_made_again_after_the_wait_the_provider_asks_for() -> None:
    subject, model = retry([SLOW], [HELLO])
    played = play(subject)
    assert played.events[0] == AttemptFailed(
        "openai/gpt-x", "RateLimitError", "rate_limit", str(SLOW), 1, 2.0, 429, "req_1"
    )
    assert (played.response.text, played.seconds, len(model.requests)) == ("hello", 2.0, 2)
    assert played.response.attempts == played.of(AttemptFailed)


@pytest.mark.parametrize("retries", [0, 1, 2, 5])
def test_whoever_gives_up_raises_and_does_not_announce(retries: int) -> None:
    subject, model = retry([LOST], retries=retries)
    played = play(subject)
    assert played.error is LOST
    assert (LOST.attempts, LOST.model) == (retries + 1, "openai/gpt-x")
    assert len(played.of(AttemptFailed)) == retries
    assert len(model.requests) == retries + 1
    assert model.open_streams == 0


@pytest.mark.parametrize("error", [AuthError("x"), QuotaError("x"), ContextTooLongError("x")], ids=repr)
def test_what_can_not_succeed_is_tried_once(error: CallmError) -> None:
    subject, model = retry([error])
    assert play(subject).error is error
    assert len(model.requests) == 1


def test_what_came_before_the_content_does_not_stop_a_retry_and_is_forgotten() -> None:
    head = [ResponseHeaders(200, {"a": "old"}, "old"), ResponseStart("old", "old"), UsageReport(Usage(7, 0))]
    subject, _ = retry([head, OverloadedError("busy")], [HELLO], initial=0)
    played = play(subject)
    assert played.error is None
    assert (played.response.id, played.response.headers, played.response.usage) == ("", {}, Usage(3, 1))
    assert played.of(AttemptFailed)[0].usage == Usage(7, 0)


def test_a_stream_that_breaks_after_content_raises_and_is_not_repeated() -> None:
    broken = TruncatedStream("cut")
    subject, model = retry([TextDelta("hel"), broken], [HELLO])
    played = play(subject)
    assert played.error is broken
    assert (played.response.text, len(model.requests)) == ("hel", 1)


def test_a_stream_begins_anew_where_that_was_asked_for() -> None:
    subject, _ = retry([TextDelta("hel"), TruncatedStream("cut")], [HELLO])
    played = play(subject, asking(on_break="restart"))
    assert [type(event) for event in played.events[:3]] == [TextDelta, AttemptFailed, Restarted]
    assert (played.response.text, played.error) == ("hello", None)


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    subject, model = retry([RateLimitError("slow", retry_after=30.0)], [HELLO])
    played = play(Deadline(subject), asking(timeouts=Timeouts(total=10)))
    assert isinstance(played.error, RateLimitError)
    assert played.error.retry_after == 30.0
    assert "deadline" in played.error.__notes__[0]
    assert (played.seconds, len(model.requests)) == (0.0, 1)


def test_a_provider_that_asks_for_more_than_the_cap_ends_the_call_at_once() -> None:
    subject, model = retry([RateLimitError("slow", retry_after=61.0)], [HELLO])
    played = play(subject)
    assert isinstance(played.error, RateLimitError)
    assert (played.seconds, len(model.requests)) == (0.0, 1)


def test_a_shared_budget_ends_the_retries_of_all() -> None:
    budget = RetryBudget(ratio=0, floor=3, per_second=0)
    models = [ScriptedModel([ServerError("down")], name=f"m{number}") for number in range(4)]
    errors = [play(Retry(model, Backoff(retries=2), budget)).error for model in models]
    assert [len(model.requests) for model in models] == [3, 2, 1, 1]
    assert [error is not None and "retry budget" in "".join(getattr(error, "__notes__", ())) for error in errors] == [
        *(False, True, True, True)
    ]


def test_an_outage_with_1000_callers_stays_below_the_budget() -> None:
    model = ScriptedModel([ServerError("down")])
    subject = Retry(model, Backoff(retries=5), RetryBudget(floor=10, per_second=0))

    async def main() -> None:
        await asyncio.gather(*(aplay(subject) for _ in range(1000)))

    run_jumping(main())
    assert 1100 <= len(model.requests) <= 1210


def test_the_waits_grow_and_are_drawn_by_the_dice() -> None:
    subject, _ = retry([LOST], retries=6)
    waits = [event.wait for event in play(subject).of(AttemptFailed)]
    again = [event.wait for event in play(retry([LOST], retries=6)[0]).of(AttemptFailed)]
    assert waits == again
    assert all(wait <= 0.5 * 2**number for number, wait in enumerate(waits))
    assert max(waits) > 2


@given(st.lists(st.sampled_from(["retryable", "final", "ok", "broken"]), min_size=1, max_size=6), st.integers(0, 4))
def test_the_attempts_are_exactly_those_that_a_naive_count_gives(script: list[str], retries: int) -> None:
    steps: dict[str, list[Any]] = {
        "retryable": [ServerError("x")],
        "final": [AuthError("x")],
        "ok": [HELLO],
        "broken": [TextDelta("a"), TruncatedStream("x")],
    }
    subject, model = retry(*(steps[name] for name in script), retries=retries)
    expected = 0
    for number in range(retries + 1):
        expected += 1
        if script[min(number, len(script) - 1)] != "retryable":
            break
    played = play(subject)
    assert len(model.requests) == expected
    assert (played.error is None) == (script[min(expected, len(script)) - 1] == "ok")


@pytest.mark.parametrize("twice", [False, True])
def test_a_cancellation_at_any_step_leaves_nothing_open(twice: bool) -> None:
    for step in range(30):
        subject, model = retry([TextDelta("a"), LOST], [LOST], [TextDelta("a"), Finish("stop")], initial=0)
        request = asking(on_break="restart")

        async def main(subject: Retry = subject, request: Request = request, step: int = step) -> int:
            await cancel_at(subject, request, step, twice=twice)
            return len(asyncio.all_tasks())

        assert run_jumping(main()) == 1
        assert model.open_streams == 0


def test_closing_early_reaches_the_model() -> None:
    subject, model = retry([TextDelta("a"), TextDelta("b"), Finish("stop")])

    async def main() -> None:
        stream = subject.stream(HI)
        await anext(stream)
        assert model.open_streams == 1
        await stream.aclose()

    run_jumping(main())
    assert model.open_streams == 0


def test_printing_it_shows_the_plan() -> None:
    subject, _ = retry([HELLO])
    assert repr(subject).startswith("Retry(inner=ScriptedModel(name='openai/gpt-x', attempts=1), backoff=Backoff(")
    assert "Random" not in repr(subject)
