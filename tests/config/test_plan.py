"""A tree in words, and that what it says is what happens."""

from __future__ import annotations

from typing import Any

import pytest

from callm.config.plan import CLASSES, outcomes, tree
from callm.errors import CallmError
from callm.io.endpoints import Outline
from callm.middleware.breaker import Breaker
from callm.middleware.fallback import Fallback
from callm.middleware.retry import Retry
from callm.middleware.round_robin import RoundRobin
from callm.middleware.timeout import Timeout
from callm.policy.backoff import Backoff
from callm.testing import ScriptedModel
from callm.wire.codec import Target
from tests.middleware.playing import HELLO, play

BACKOFF = Backoff(retries=2, initial=0.0, jitter=False)


def plan(*leaves: Any) -> Fallback:
    return Fallback(tuple(Retry(Breaker(Timeout(leaf)), BACKOFF) for leaf in leaves))


def test_a_tree_is_drawn() -> None:
    outline = Outline("openai/gpt-x", Target("gpt-x", "https://example.com/v1", provider="openai"))
    lines = tree(
        Fallback((Retry(Timeout(outline), BACKOFF), RoundRobin.of(ScriptedModel(name="b"), ScriptedModel(name="c"))))
    )
    assert lines[0] == "Fallback"
    assert lines[1].startswith("├─ Retry(backoff=Backoff(retries=2, initial=0.0")
    assert lines[2:4] == ["│  └─ Timeout", "│     └─ openai/gpt-x at https://example.com/v1"]
    assert lines[4:] == ["└─ RoundRobin(rotation=Rotation([1.0, 1.0]))", "   ├─ b", "   └─ c"]


@pytest.mark.parametrize(("words", "kind"), CLASSES, ids=lambda value: value if isinstance(value, str) else "")
def test_what_the_plan_says_is_what_happens(words: str, kind: type[CallmError]) -> None:
    first, second = ScriptedModel([kind("no")], name="p/a"), ScriptedModel(HELLO, name="p/b")
    said = dict(outcomes(plan(first, second)))[words]
    played = play(plan(first, second))
    assert (f"p/a again {len(first.requests) - 1} x" in said) == (len(first.requests) > 1)
    assert ("then p/b" in said) == bool(second.requests) == (played.error is None)
    circuit = Breaker(Timeout(first))
    play(circuit)
    assert ("counted by the circuit" in said) == (circuit.circuit.failures > 0)


def test_a_retry_around_a_round_robin_goes_to_the_next_model() -> None:
    model = Retry(RoundRobin.of(ScriptedModel(name="b"), ScriptedModel(name="c")), BACKOFF)
    assert dict(outcomes(model))["server error (5xx)"].startswith("the next model in turn again 2 x")
