"""Calls spread over several models."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from callm.errors import ConfigError, ServerError
from callm.middleware.fallback import Fallback
from callm.middleware.retry import Retry
from callm.middleware.round_robin import RoundRobin
from callm.policy.backoff import Backoff
from callm.testing import ScriptedModel
from callm.types import Finish, Request, Selected, TextDelta
from tests.middleware.playing import HELLO, HI, play

A, B, C = (ScriptedModel([HELLO], name=f"p/{name}") for name in "abc")


def answers(subject: RoundRobin, calls: int) -> list[str]:
    return [play(subject).response.answered_by for _ in range(calls)]


def test_models_take_turns() -> None:
    assert answers(RoundRobin.of(A, B, C), 5) == ["p/a", "p/b", "p/c", "p/a", "p/b"]


def test_the_first_turn_may_be_anybodys() -> None:
    assert answers(RoundRobin.of(A, B, C, start=7), 3) == ["p/b", "p/c", "p/a"]


def test_weights_decide_how_often() -> None:
    assert Counter(answers(RoundRobin.of(A, B, weights=[3, 1]), 8)) == {"p/a": 6, "p/b": 2}


def test_threads_share_the_turns_fairly() -> None:
    subject = RoundRobin.of(A, B, C)
    with ThreadPoolExecutor(8) as threads:
        counted = Counter(name for names in threads.map(lambda _: answers(subject, 30), range(10)) for name in names)
    assert counted == {"p/a": 100, "p/b": 100, "p/c": 100}


def test_a_retry_around_it_goes_to_the_next_model() -> None:
    down = ScriptedModel([ServerError("down")], name="p/down")
    played = play(Retry(RoundRobin.of(down, A), Backoff(retries=1, initial=0)))
    assert (played.error, played.response.answered_by) == (None, "p/a")


@pytest.mark.parametrize("stream", [False, True])
def test_who_answered_is_said_once_before_what_the_model_inside_says(stream: bool) -> None:
    down = ScriptedModel([ServerError("down")], name="p/down")
    several = ScriptedModel([[TextDelta("a")], [TextDelta("b")], [Finish("stop")]], name="p/several")
    inside = Fallback((down, several))
    played = play(RoundRobin.of(inside, inside), Request(HI.messages, stream=stream))
    assert [event.model for event in played.of(Selected)] == ["p/down | p/several", "p/several"]
    assert played.response.answered_by == "p/several"


def test_it_nests_in_a_fallback() -> None:
    down = ScriptedModel([ServerError("down")], name="p/down")
    subject = Fallback((RoundRobin.of(down, down), RoundRobin.of(A, B)))
    assert [play(subject).response.answered_by for _ in range(3)] == ["p/a", "p/b", "p/a"]


@pytest.mark.parametrize(
    ("models", "options"),
    [
        ((), {}),
        ((A,), {"weights": [1, 2]}),
        ((A, B), {"weights": [0, 0]}),
        ((A, B), {"weights": [-1, 1]}),
        ((A,), {"start": -1}),
        (("openai/x",), {}),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_built(models: Any, options: Any) -> None:
    with pytest.raises(ConfigError):
        RoundRobin.of(*models, **options)
