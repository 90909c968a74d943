"""How long to wait: a table of errors, and what must hold for every wait."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import AuthError, CallmError, ConfigError, OutputError, QuotaError, RateLimitError, TransportError
from callm.policy.backoff import Backoff

SLOW = RateLimitError("slow down", retry_after=2.0)


class Highest:
    """Dice that always show the most."""

    def uniform(self, a: float, b: float, /) -> float:
        assert a == 0.0
        return b


@pytest.mark.parametrize(
    ("attempt", "error", "expected"),
    [
        (1, TransportError("lost"), 0.5),
        (2, TransportError("lost"), 1.0),
        (3, TransportError("lost"), 2.0),
        (6, TransportError("lost"), 8.0),
        (10, TransportError("lost"), 8.0),
        (11, TransportError("lost"), None),
        (1, SLOW, 2.0),
        (1, RateLimitError("wait an hour", retry_after=3600.0), None),
        (1, RateLimitError("now", retry_after=0.0), 0.0),
        (1, AuthError("no"), None),
        (1, QuotaError("no money", retry_after=1.0), None),
        (1, OutputError("no JSON"), None),
        (1, RateLimitError("larger than a minute allows", retryable=False), None),
    ],
)
def test_the_limit_doubles_and_only_what_may_succeed_is_tried_again(
    attempt: int, error: CallmError, expected: float | None
) -> None:
    assert Backoff(retries=10).delay(attempt, error, Highest()) == expected


def test_a_constant_backoff_always_waits_the_same() -> None:
    backoff = Backoff.constant(0.25, retries=3)
    assert [backoff.delay(number, TransportError(), Random(1)) for number in (1, 2, 3, 4)] == [0.25, 0.25, 0.25, None]


@given(st.integers(1, 10_000), st.floats(0, 100), st.floats(0, 100), st.floats(1, 10), st.integers())
def test_no_wait_is_negative_or_above_the_maximum(
    attempt: int, initial: float, maximum: float, factor: float, seed: int
) -> None:
    backoff = Backoff(retries=10_000, initial=initial, maximum=maximum, factor=factor)
    wait = backoff.delay(attempt, TransportError(), Random(seed))
    assert wait is not None
    assert 0 <= wait <= maximum


def test_full_jitter_spreads_callers_that_failed_together_over_the_whole_wait() -> None:
    random = Random(0)
    waits = [Backoff(initial=1.0).delay(1, TransportError(), random) or 0.0 for _ in range(1000)]
    tenths = [sum(step / 10 <= wait < (step + 1) / 10 for wait in waits) for step in range(10)]
    assert min(tenths) > 60


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"retries": -1}, "'retries'"),
        ({"retries": True}, "'retries'"),
        ({"retries": 1.5}, "'retries'"),
        ({"initial": -1}, "'initial'"),
        ({"maximum": float("nan")}, "'maximum'"),
        ({"factor": 0.5}, "'factor'"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(options: dict[str, float], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        Backoff(**options)  # type: ignore[arg-type]
