"""Several models in turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from callm.errors import (
    AllFailed,
    AuthError,
    CallCancelled,
    CallmError,
    CircuitOpen,
    ConfigError,
    ContentFilterError,
    ContextTooLongError,
    DeadlineExceeded,
    InvalidRequestError,
    OutputError,
    RateLimitError,
    ServerError,
    TransportError,
    TruncatedStream,
    UnsupportedError,
)
from callm.middleware.fallback import Fallback
from callm.middleware.retry import Retry
from callm.policy.backoff import Backoff
from callm.testing import ScriptedModel
from callm.types import AttemptFailed, Finish, Restarted, Selected, TextDelta
from tests.middleware.playing import HELLO, HI, asking, cancel_at, play
from tests.support import run_jumping

DOWN = ServerError("down")


def models(*scripts: list[Any]) -> tuple[ScriptedModel, ...]:
    return tuple(ScriptedModel(script, name=f"p/{name}") for name, script in zip("abcdef", scripts, strict=False))


def test_the_first_that_answers_is_named() -> None:
    subject = Fallback(models([DOWN], [HELLO], [HELLO]))
    played = play(subject)
    assert played.events[0] == AttemptFailed("p/a", "ServerError", "server_error", "down")
    assert played.events[1] == Selected("p/b")
    assert (played.response.text, played.response.answered_by) == ("hello", "p/b")
    assert [failed.model for failed in played.response.attempts] == ["p/a"]


def test_a_model_that_answers_at_once_is_named_too() -> None:
    assert play(Fallback(models([HELLO], [HELLO]))).response.answered_by == "p/a"


def test_the_failure_of_all_has_each_ones_error_and_attempts() -> None:
    first, second = models([DOWN], [AuthError("no key")])
    played = play(Fallback((Retry(first, Backoff(retries=2, initial=0)), second)))
    assert isinstance(played.error, AllFailed)
    assert [type(error) for error in played.error.exceptions] == [ServerError, AuthError]
    assert "- p/a, 3 attempts: ServerError: down" in str(played.error)
    assert "- p/b: AuthError: no key" in str(played.error)
    assert [(failed.model, failed.attempt) for failed in played.of(AttemptFailed)] == [
        ("p/a", 1),
        ("p/a", 2),
        ("p/a", 3),
    ]


def test_each_model_has_retries_of_its_own() -> None:
    first = ScriptedModel([DOWN], name="p/a")
    second = ScriptedModel([DOWN], [HELLO], name="p/b")
    backoff = Backoff(retries=1, initial=0)
    played = play(Fallback((Retry(first, backoff), Retry(second, backoff))))
    assert (played.response.answered_by, len(first.requests), len(second.requests)) == ("p/b", 2, 2)


def test_fallbacks_nest() -> None:
    a, b, c = models([DOWN], [DOWN], [HELLO])
    played = play(Fallback((Fallback((a, b)), c)))
    assert (played.response.answered_by, played.error) == ("p/c", None)
    assert [failed.kind for failed in played.response.attempts] == ["server_error", "all_failed"]


@pytest.mark.parametrize(
    ("error", "goes_on"),
    [
        (AuthError("x"), True),
        (RateLimitError("x"), True),
        (InvalidRequestError("x"), True),
        (ContextTooLongError("x"), True),
        (ContentFilterError("x"), True),
        (TransportError("x"), True),
        (CircuitOpen("x"), True),
        (OutputError("x"), True),
        (UnsupportedError("x"), True),
        (ConfigError("x"), False),
        (CallCancelled("x"), False),
        (DeadlineExceeded("x"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_no_model_can_help_with_ends_the_call(error: CallmError, goes_on: bool) -> None:
    played = play(Fallback(models([error], [HELLO])))
    assert played.error is (None if goes_on else error)


def test_what_has_delivered_content_is_not_replaced() -> None:
    first, second = models([TextDelta("hel"), TruncatedStream("cut")], [HELLO])
    played = play(Fallback((first, second)))
    assert isinstance(played.error, TruncatedStream)
    assert (played.response.text, second.requests) == ("hel", [])


def test_the_next_model_begins_anew_where_that_was_asked_for() -> None:
    played = play(Fallback(models([TextDelta("hel"), TruncatedStream("cut")], [HELLO])), asking(on_break="restart"))
    assert [type(event) for event in played.events] == [
        *(Selected, TextDelta, AttemptFailed, Restarted, Selected),
        *(type(event) for event in HELLO),
    ]
    assert (played.response.text, played.response.answered_by) == ("hello", "p/b")


def test_an_attempt_inside_that_was_discarded_does_not_count_as_delivered() -> None:
    inner = ScriptedModel([TextDelta("hel"), DOWN], [DOWN], name="p/a")
    subject = Fallback((Retry(inner, Backoff(retries=1, initial=0)), *models([HELLO])))
    played = play(subject, asking(on_break="restart"))
    assert (played.response.text, len(played.of(Restarted))) == ("hello", 1)


@pytest.mark.parametrize("given", [(), [ScriptedModel()], (ScriptedModel,), ("openai/x",)], ids=repr)
def test_what_is_no_tuple_of_models_is_refused_when_it_is_built(given: Any) -> None:
    with pytest.raises(ConfigError, match="fallback"):
        Fallback(given)


@pytest.mark.parametrize("twice", [False, True])
def test_a_cancellation_at_any_step_leaves_nothing_open(twice: bool) -> None:
    for step in range(20):
        first, second = models([TextDelta("a"), DOWN], [TextDelta("a"), Finish("stop")])

        async def main(step: int = step, subject: Fallback = Fallback((first, second))) -> int:  # noqa: B008
            await cancel_at(subject, asking(on_break="restart"), step, twice=twice)
            return len(asyncio.all_tasks())

        assert run_jumping(main()) == 1
        assert (first.open_streams, second.open_streams) == (0, 0)


def test_closing_early_reaches_the_model() -> None:
    (model,) = models([TextDelta("a"), TextDelta("b")])

    async def main() -> None:
        stream = Fallback((model,)).stream(HI)
        await anext(stream)
        await stream.aclose()

    run_jumping(main())
    assert model.open_streams == 0
