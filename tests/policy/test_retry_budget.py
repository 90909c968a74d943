"""A budget shared by all retries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import ConfigError
from callm.policy.retry_budget import RetryBudget


def test_an_outage_may_only_add_a_fifth_and_the_floor() -> None:
    budget = RetryBudget(ratio=0.2, floor=10, per_second=0)
    granted = 0
    for _ in range(1000):
        budget.deposit()
        granted += sum(budget.withdraw(1.0) for _ in range(2))
    assert 200 <= granted <= 210


def test_a_client_that_calls_seldom_may_retry_again_after_a_while() -> None:
    budget = RetryBudget(ratio=0, floor=2, per_second=0.5)
    assert [budget.withdraw(0.0) for _ in range(3)] == [True, True, False]
    assert not budget.withdraw(1.0)
    assert budget.withdraw(3.0)
    assert not budget.withdraw(3.0)
    assert [budget.withdraw(1000.0) for _ in range(3)] == [True, True, False]


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 10)), max_size=200))
def test_never_more_than_the_deposits_the_floor_and_the_time_allow(steps: list[tuple[bool, float]]) -> None:
    budget = RetryBudget(ratio=0.2, floor=3, per_second=0.5)
    now, deposits, granted = 0.0, 0, 0
    for is_call, passed in steps:
        now += passed
        if is_call:
            budget.deposit()
            deposits += 1
        else:
            granted += budget.withdraw(now)
        assert granted <= 3 + 0.2 * deposits + 0.5 * now + 1e-6


def test_a_negative_budget_is_refused() -> None:
    with pytest.raises(ConfigError, match="retry budget"):
        RetryBudget(ratio=-0.1)
