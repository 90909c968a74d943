from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.wire.retry_after import parse_duration, parse_time, retry_after

NOW = 1_790_000_000.0  # Mon, 21 Sep 2026 14:13:20 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0),
        ("0", 0.0),
        (" 1.5 ", 1.5),
        ("1.45s", 1.45),
        ("850ms", 0.85),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("10h17m5.7s", 37025.7),
        ("2m59.56s", 179.56),
        ("17s", 17.0),
        ("1d", 86400.0),
        ("250µs", 0.00025),
        ("90 seconds", 90.0),
        ("2 Minutes", 120.0),
        ("123456789012", 123456789012.0),
        ("-1", None),
        ("", None),
        ("soon", None),
        ("1e9", 1e9),
        ("1e999", None),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("9" * 400, None),
        ("5 requests", None),
        ("1\u017f", None),  # a long s
        ("\u0663", None),
    ],
)
def test_every_spelling_of_a_duration_is_read(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Mon, 21 Sep 2026 14:13:20 GMT", NOW),
        ("Monday, 21-Sep-26 14:13:20 GMT", NOW),
        ("Mon Sep 21 14:13:20 2026", NOW),
        ("Sun Nov  6 08:49:37 1994", 784111777.0),
        ("2026-09-21T14:13:20Z", NOW),
        ("2026-09-21T14:13:20.5Z", NOW + 0.5),
        ("2026-09-21T16:13:20+02:00", NOW),
        ("2026-09-21T14:13:20", NOW),
        ("Mon, 21 Abc 2026 14:13:20 GMT", None),
        ("Mon, 99 Sep 2026 14:13:20 GMT", None),
        ("2026-13-01T00:00:00Z", None),
        ("2026-09-21", None),
        ("20260921", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_every_spelling_of_a_time_is_read(text: str, seconds: float | None) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1450", "retry-after": "2"}, 1.45),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
        ({"retry-after-ms": "-5", "retry-after": "2"}, 2.0),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "86400000"}, 86_400_000.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "NaN"}, None),
        ({"retry-after": "Mon, 21 Sep 2026 14:13:50 GMT"}, 30.0),
        ({"retry-after": "Mon, 21 Sep 2026 14:13:00 GMT"}, 0.0),
        ({"retry-after": "2026-09-21T14:13:50Z"}, 30.0),
        # the limit that is used up counts, and of two the later
        ({"x-ratelimit-reset-tokens": "1.45s", "x-ratelimit-remaining-tokens": "100"}, None),
        ({"x-ratelimit-reset-tokens": "7.66s", "x-ratelimit-remaining-tokens": "0"}, 7.66),
        (
            {
                "x-ratelimit-reset-tokens": "7.66s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-requests": "2m59.56s",
                "x-ratelimit-remaining-requests": "0",
            },
            179.56,
        ),
        (
            {
                "x-ratelimit-reset-tokens": "6",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-requests": "60",
                "x-ratelimit-remaining-requests": "12",
            },
            6.0,
        ),
        ({"x-ratelimit-reset": "1790000012000"}, 12.0),  # OpenRouter: milliseconds since 1970
        ({"x-ratelimit-reset": "1790000012"}, 12.0),
        ({"x-ratelimit-reset": "12"}, 12.0),  # Together: seconds
        ({"x-ratelimit-reset-requests": "9", "x-ratelimit-reset-tokens": "3"}, 3.0),
        ({"x-ratelimit-reset": "later"}, None),
        (
            {
                "anthropic-ratelimit-requests-reset": "2026-09-21T14:14:00Z",
                "anthropic-ratelimit-requests-remaining": "0",
            },
            40.0,
        ),
        ({}, None),
    ],
)
def test_every_header_is_read_in_the_order_of_trust(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("payload", "seconds"),
    [
        ({"error": {"details": [{"@type": "x"}, {"@type": "google.rpc.RetryInfo", "retryDelay": "17s"}]}}, 17.0),
        ([{"error": {"details": [{"retryDelay": "0.5s"}]}}], 0.5),
        ({"retry_after": 3}, 3.0),
        ({"retry_after": "3"}, 3.0),
        ({"error": {"retry_after_ms": 1500}}, 1.5),
        ({"error": {"metadata": {"retry_after_seconds": 4.5}}}, 4.5),
        (
            {"error": {"metadata": {"headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1790000005000"}}}},
            5.0,
        ),
        ({"error": {"error": {"error": {"retry_after": 3}}}}, 3.0),
        ({"error": {"error": {"error": {"error": {"retry_after": 3}}}}}, None),
        ({"retry_after": True}, None),
        ({"retry_after": [1]}, None),
        ({"retry_after": float("inf")}, None),
        ({"retry_after": -2}, None),
        ({"retry_after": 10**400}, None),
        ({"error": "text"}, None),
        ("text", None),
        (None, None),
    ],
)
def test_every_place_in_the_body_is_read(payload: Any, seconds: float | None) -> None:
    assert retry_after({}, payload, now=NOW) == seconds


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached. Please try again in 41.724s. Visit ...", 41.724),
        ("Please retry after 6 seconds.", 6.0),
        ("Please retry in 17.4s", 17.4),
        ("Please try again in 10h17m5.7s.", 37025.7),
        ("try again in 6m0s", 360.0),
        ("Try again in 850ms", 0.85),
        ("try again in 1 minute and 5 seconds", 65.0),
        ("try again in about 2 hours", 7200.0),
        ("wait 3 requests", None),
        ("try again in a while", None),
        ("try again later", None),
        ("x" * 5000 + "try again in 1s", None),
    ],
)
def test_a_hint_in_the_message_is_the_last_resort_before_the_limits(message: str, seconds: float | None) -> None:
    assert retry_after({}, None, message) == pytest.approx(seconds)
    assert retry_after({"retry-after": "1"}, None, message) == 1.0


def test_the_date_header_stands_in_for_the_time() -> None:
    headers = {"date": "Mon, 21 Sep 2026 14:13:20 GMT", "retry-after": "Mon, 21 Sep 2026 14:13:30 GMT"}
    assert retry_after(headers) == 10.0
    assert retry_after(headers, now=NOW + 8) == 2.0


def test_a_time_without_a_clock_says_nothing() -> None:
    assert retry_after({"retry-after": "Mon, 21 Sep 2026 14:13:30 GMT"}) is None
    assert retry_after({"x-ratelimit-reset": "1790000012000"}) is None


def test_the_limits_count_only_where_they_are_asked_for() -> None:
    headers = {"x-ratelimit-reset-tokens": "7s", "x-ratelimit-remaining-tokens": "0"}
    assert retry_after(headers, limits=False) is None
    assert retry_after({**headers, "retry-after": "1"}, limits=False) == 1.0


HEADER = st.one_of(
    st.text(max_size=40),
    st.from_regex(r"[+-]?[0-9]{0,400}(\.[0-9]+)?(ms|s|m|h|e400)?", fullmatch=True),
    st.sampled_from(["nan", "-inf", "Infinity", "1_000", "0x10", "1790000012000", "9999-12-31T23:59:59Z"]),
)


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date", "x-ratelimit-reset"]), HEADER), HEADER)
def test_no_header_or_message_gives_a_negative_or_endless_wait(headers: dict[str, str], message: str) -> None:
    for now in (None, 0.0, NOW):
        wait = retry_after(headers, {"error": {"retryDelay": message}}, f"try again in {message}", now)
        assert wait is None or (wait >= 0 and math.isfinite(wait))
