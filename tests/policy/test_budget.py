from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import ConfigError
from callm.policy.budget import Ledger, end_of


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_what_would_pass_the_cap_is_refused_and_takes_nothing():
    ledger = Ledger(100)
    one = ledger.reserve(0, None, 60)
    assert one is not None
    assert ledger.reserve(0, None, 41) is None
    assert ledger.reserve(0, None, 40) is one
    ledger.settle(one, 60, 10)
    ledger.settle(one, 40, 100)
    assert (one.used, one.reserved, ledger.holds(one)) == (110, 0, False)
    assert ledger.reserve(0, None, 0) is None


def test_a_cap_that_is_just_reached_holds():
    ledger = Ledger(1.0)
    accounts = [ledger.reserve(0, None, 0.01) for _ in range(100)]
    assert accounts[-1] is not None
    assert ledger.holds(accounts[-1])


def test_every_key_has_the_cap_for_itself():
    ledger = Ledger(1)
    assert ledger.reserve(0, "a", 1) is not ledger.reserve(0, "b", 1)
    assert ledger.reserve(0, "a", 1) is None


def test_cents_add_up_to_dollars():
    ledger = Ledger(1.0)
    assert [ledger.reserve(0, None, 0.01) is None for _ in range(101)] == [False] * 100 + [True]


@pytest.mark.parametrize(
    ("period", "now", "end"),
    [
        ("hour", "2026-11-21T13:59:59.9", "2026-11-21T14:00"),
        ("hour", "2026-11-21T14:00", "2026-11-21T15:00"),
        ("day", "2026-02-28T23:59", "2026-03-01T00:00"),
        ("month", "2026-01-31T12:00", "2026-02-01T00:00"),
        ("month", "2026-12-31T23:59:59", "2027-01-01T00:00"),
    ],
)
def test_periods_end_with_the_hour_the_day_the_month_of_utc(period, now, end):
    assert end_of(period, at(now)) == at(end)
    assert Ledger(1, period).resets(at(now)) == at(end)
    assert Ledger(1).resets(at(now)) is None


def test_a_call_counts_for_the_period_in_which_it_was_reserved():
    ledger = Ledger(10, "hour")
    late = ledger.reserve(3599, None, 10)
    assert late is not None
    assert ledger.reserve(3599.9, None, 1) is None
    assert ledger.reserve(3600, None, 10) is not None
    ledger.settle(late, 10, 10)
    assert ledger.account(3600, None).used == 0


def test_keys_of_past_periods_are_forgotten():
    ledger = Ledger(10, "hour")
    for key in range(100):
        ledger.reserve(0, key, 1)
    ledger.reserve(3600, "new", 1)
    assert list(ledger._accounts) == ["new"]


def test_a_budget_of_nonsense_is_refused():
    with pytest.raises(ConfigError, match="the cap of a budget"):
        Ledger(-1)
    with pytest.raises(ConfigError, match="the period of a budget"):
        Ledger(1, "week")  # type: ignore[arg-type]


@given(
    steps=st.lists(st.tuples(st.floats(0, 2000), st.integers(0, 2), st.integers(0, 40), st.integers(0, 60))),
    cap=st.integers(0, 100),
)
def test_it_refuses_exactly_what_a_naive_ledger_refuses(steps, cap):
    ledger, now = Ledger(cap, "hour"), 0.0
    calls: list[dict[str, Any]] = []
    for seconds, key, amount, real in steps:
        now += seconds
        same = [call for call in calls if (call["key"], call["hour"]) == (key, now // 3600)]
        account = ledger.reserve(now, key, amount)
        assert (account is not None) == (sum(call["cost"] for call in same) + amount <= cap)
        if account is not None:
            calls.append({"key": key, "hour": now // 3600, "cost": amount, "account": account, "under_way": True})
        under_way = [call for call in calls if call["under_way"]]
        if under_way and real % 2:
            call = under_way[real % len(under_way)]
            ledger.settle(call["account"], call["cost"], real)
            call.update(cost=real, under_way=False)
