"""How long to wait before the next attempt. Pure: the caller sleeps, and brings the dice.

1. Only what may succeed when it is sent again is tried again; the error says so itself.
2. What the provider asks for (`Retry-After`, in any spelling) is waited, unless it is more than the cap: then there is no use.
3. Otherwise the wait is drawn from 0 to a limit that doubles ("full jitter"), so that callers which failed together do
   not come back together. See https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import msgspec

from callm.errors import CallmError, ConfigError

_MOST_DOUBLINGS: Final = 64


class Random(Protocol):
    """What is needed of `random.Random`."""

    def uniform(self, a: float, b: float, /) -> float:
        """Return a number between `a` and `b`."""
        ...


class Backoff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often to try again, and how long to wait before. Times are seconds.

    Attributes:
        retries: how many attempts may follow the first.
        initial: the limit of the first wait.
        maximum: the limit that doubling stops at.
        factor: by how much the limit grows with each attempt; 1 keeps it.
        jitter: whether the wait is drawn between 0 and the limit; without, it is the limit.
        max_retry_after: the longest wait a provider may ask for; more ends the call with the provider's error.
    """

    retries: int = 2
    initial: float = 0.5
    maximum: float = 8.0
    factor: float = 2.0
    jitter: bool = True
    max_retry_after: float = 60.0

    def __post_init__(self) -> None:
        retries: Any = self.retries
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise ConfigError(f"'retries' must be a whole number, 0 or more, not {retries!r}")
        for name in ("initial", "maximum", "max_retry_after"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name!r} must be a number of seconds, 0 or more, not {getattr(self, name)!r}")
        if not self.factor >= 1:
            raise ConfigError(f"'factor' must be 1 or more, not {self.factor!r}")

    @classmethod
    def constant(cls, seconds: float, *, retries: int = 2) -> Backoff:
        """Return a backoff that always waits `seconds`."""
        return cls(retries=retries, initial=seconds, maximum=seconds, factor=1.0, jitter=False)

    def delay(self, attempt: int, error: CallmError, random: Random) -> float | None:
        """Return the seconds to wait after failed attempt `attempt` (the first is 1), or None to give up."""
        if attempt > self.retries or not error.retryable:
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= self.max_retry_after else None
        limit = min(self.maximum, self.initial * self.factor ** min(attempt - 1, _MOST_DOUBLINGS))
        return random.uniform(0.0, limit) if self.jitter else limit
