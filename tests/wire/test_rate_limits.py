"""What is left, in every provider's spelling."""

import pytest

from callm.types.limits import Remaining
from callm.wire.rate_limits import remaining

NOW = 1_790_000_000.0

CASES = [
    ({}, None),
    ({"content-type": "text/html", "retry-after": "3"}, None),
    (
        {  # OpenAI, Groq
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-reset-tokens": "6m0s",
        },
        Remaining(59, 1.0, 149984, 360.0),
    ),
    (
        {  # OpenAI with a tighter limit of the project
            "x-ratelimit-remaining-tokens": "1000",
            "x-ratelimit-reset-tokens": "1s",
            "x-ratelimit-remaining-project-tokens": "10",
            "x-ratelimit-reset-project-tokens": "850ms",
        },
        Remaining(None, None, 10, 0.85),
    ),
    (
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12"},  # Azure
        Remaining(0, 12.0),
    ),
    (
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2026-09-21T14:13:21Z",
            "anthropic-ratelimit-tokens-remaining": "9000",
            "anthropic-ratelimit-tokens-reset": "2026-09-21T14:13:50Z",
            "anthropic-ratelimit-output-tokens-remaining": "0",
            "date": "Mon, 21 Sep 2026 14:13:20 GMT",
        },
        Remaining(49, 1.0, 9000, 30.0),
    ),
    (
        {"anthropic-ratelimit-input-tokens-remaining": "5", "anthropic-ratelimit-input-tokens-reset": "x"},
        Remaining(None, None, 5, None),
    ),
    (
        {  # OpenRouter: milliseconds since 1970
            "x-ratelimit-limit": "20",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": "1790000007500",
        },
        Remaining(0, 7.5),
    ),
    ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "1"}, Remaining(3, 1.0)),  # Together
    ({"x-ratelimit-remaining-tokens-minute": "77", "x-ratelimit-remaining-tokens-month": "1"}, Remaining(tokens=77)),
    ({"x-ratelimit-remaining-tokens-month": "0"}, None),
    ({"x-ratelimit-remaining-requests": "many"}, None),
    ({"x-ratelimit-remaining-requests": "-1"}, None),
]


@pytest.mark.parametrize(("headers", "expected"), CASES)
def test_what_is_left_is_read(headers, expected):
    assert remaining(headers, NOW) == expected
