"""Rate limits of a `FaultServer`: so many requests in a while for each key, told and refused as the real providers do.

| | told in every answer | refused |
|---|---|---|
| OpenAI | `x-ratelimit-{limit,remaining,reset}-requests`, the reset a duration such as `1m2.5s` | 429, `rate_limit_exceeded` |
| Anthropic | `anthropic-ratelimit-requests-{limit,remaining,reset}`, the reset a time, in whole seconds | 429, `rate_limit_error` |

A refusal says `retry-after` in whole seconds besides.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Any, Final

import msgspec

from callm.errors import ConfigError
from callm.testing.answers import Format
from callm.testing.fault import Fault

_KEYS: Final = ("authorization", "x-api-key")
_MINUTE: Final = 60


class KeyLimit(msgspec.Struct, frozen=True):
    """So many requests for each key in any so many seconds."""

    requests: int
    seconds: float = 60.0

    def __post_init__(self) -> None:
        if not (self.requests >= 1 and self.seconds > 0):
            raise ConfigError(f"a rate limit needs 1 request or more in more than 0 seconds, not {self!r}")


class KeyLimits:
    """Who sent how much. What was refused does not count."""

    def __init__(self, limit: KeyLimit) -> None:
        """Begin with nothing sent."""
        self._limit = limit
        self._sent: dict[str, deque[float]] = {}

    def clear(self) -> None:
        """Forget what was sent."""
        self._sent.clear()

    def apply(
        self, wire: Format, headers: Mapping[str, str], choose: Callable[[], Fault], now: float, wall: float
    ) -> Fault:
        """Return how to answer: as `choose` says, with what is left in the headers, or with a refusal.

        Args:
            wire: the format of the request.
            headers: of the request, with lower-case names.
            choose: says how to answer a request within the limits.
            now: seconds of a monotonic clock.
            wall: seconds since 1970.
        """
        most, span = self._limit.requests, self._limit.seconds
        sent = self._sent.setdefault(next((headers[name] for name in _KEYS if name in headers), ""), deque())
        while sent and sent[0] + span <= now:
            sent.popleft()
        admitted = len(sent) < most
        if admitted:
            sent.append(now)
        reset = sent[0] + span - now
        told = _told(wire, most, most - len(sent), reset, wall)
        if not admitted:
            return _refusal(wire, most, reset, told)
        fault = choose()
        return msgspec.structs.replace(fault, headers={**told, **fault.headers})


def _told(wire: Format, most: int, left: int, reset: float, wall: float) -> dict[str, str]:
    if wire == "anthropic":
        when = datetime.fromtimestamp(ceil(wall + reset), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        facts = {"limit": str(most), "remaining": str(left), "reset": when}
        return {f"anthropic-ratelimit-requests-{name}": value for name, value in facts.items()}
    facts = {"limit": str(most), "remaining": str(left), "reset": _duration(reset)}
    return {f"x-ratelimit-{name}-requests": value for name, value in facts.items()}


def _refusal(wire: Format, most: int, reset: float, told: dict[str, str]) -> Fault:
    headers = {**told, "retry-after": str(ceil(reset))}
    if wire == "anthropic":
        error: dict[str, Any] = {
            "type": "rate_limit_error",
            "message": f"This request would exceed your organization's rate limit of {most} requests",
        }
    else:
        error = {
            "type": "requests",
            "code": "rate_limit_exceeded",
            "message": f"Rate limit reached on requests: Limit {most}, Used {most}, Requested 1. "
            f"Please try again in {_duration(reset)}.",
        }
    return Fault(status=429, headers=headers, error=error)


def _duration(seconds: float) -> str:
    """Return seconds as OpenAI writes them, rounded up: `850ms`, `1.45s`, `6m0s`."""
    milliseconds = ceil(seconds * 1000)
    if milliseconds < 1000:  # noqa: PLR2004  # a second
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds / 1000, _MINUTE)
    return f"{minutes:.0f}m{rest:.3g}s" if minutes else f"{rest:.5g}s"
