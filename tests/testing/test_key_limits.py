"""Limits for each key, in the words of the real providers."""

from __future__ import annotations

import pytest

from callm.errors import ConfigError
from callm.testing.answers import Answer, Format
from callm.testing.fault import Fault
from callm.testing.key_limits import KeyLimit, KeyLimits
from callm.wire.rate_limits import remaining
from callm.wire.retry_after import retry_after
from tests.support import FORMATS

WALL = 1_800_000_000.0


def ask(limits: KeyLimits, now: float, key: str = "a", wire: Format = "openai_chat") -> Fault:
    name = "x-api-key" if wire == "anthropic" else "authorization"
    return limits.apply(wire, {name: key}, Fault, now, WALL + now)


@pytest.mark.parametrize("wire", FORMATS)
def test_so_many_requests_go_in_any_window_of_that_length(wire: Format) -> None:
    limits = KeyLimits(KeyLimit(2, seconds=10))
    statuses = {now: ask(limits, now, wire=wire).status for now in (0.0, 9.0, 9.5, 10.0, 18.9, 19.0)}
    assert statuses == {0.0: 200, 9.0: 200, 9.5: 429, 10.0: 200, 18.9: 429, 19.0: 200}


def test_each_key_has_its_own() -> None:
    limits = KeyLimits(KeyLimit(1))
    assert [ask(limits, 0.0, key).status for key in ("a", "b", "a", "c")] == [200, 200, 429, 200]
    limits.clear()
    assert ask(limits, 0.0, "a").status == 200


@pytest.mark.parametrize("wire", FORMATS)
def test_we_read_from_its_headers_what_is_left(wire: Format) -> None:
    limits = KeyLimits(KeyLimit(3, seconds=90))
    for now, left in ((0.0, 2), (1.0, 1), (4.5, 0), (5.0, 0)):
        told = remaining(ask(limits, now, wire=wire).headers, WALL + now)
        assert told is not None
        assert told.requests == left
        assert told.requests_reset is not None
        assert 90 - now <= told.requests_reset <= 90 - now + (1 if wire == "anthropic" else 0.5)


@pytest.mark.parametrize("wire", FORMATS)
def test_a_refusal_says_how_long_to_wait_and_takes_nothing_from_the_plan(wire: Format) -> None:
    limits = KeyLimits(KeyLimit(1, seconds=0.5))
    planned = iter([Fault(answer=Answer(text="1")), Fault(answer=Answer(text="2"), headers={"x-own": "yes"})])
    faults = [limits.apply(wire, {}, lambda: next(planned), now, WALL) for now in (0.0, 0.1, 0.5)]
    assert [fault.status for fault in faults] == [200, 429, 200]
    assert retry_after(faults[1].headers, {"error": faults[1].error}, "", WALL) == 1.0
    assert faults[2].headers["x-own"] == "yes"
    assert len(faults[2].headers) == 4


@pytest.mark.parametrize(("reset", "text"), [(0.85, "850ms"), (1.45, "1.45s"), (360, "6m0s"), (62.5, "1m2.5s")])
def test_durations_are_written_as_openai_writes_them(reset: float, text: str) -> None:
    limits = KeyLimits(KeyLimit(1, seconds=reset))
    assert ask(limits, 0.0).headers["x-ratelimit-reset-requests"] == text


@pytest.mark.parametrize(("requests", "seconds"), [(0, 60), (-1, 60), (1, 0), (1, -1), (1, float("nan"))])
def test_a_limit_that_allows_nothing_is_refused(requests: int, seconds: float) -> None:
    with pytest.raises(ConfigError, match="a rate limit needs"):
        KeyLimit(requests, seconds)
