"""How many retries all calls of a client may make together, so that an outage never becomes a storm.

A bucket of tokens: each call puts a fraction of one in, each retry takes a whole one out, and some come with time, for
clients that call seldom. Pure: the time is an argument.
"""

from __future__ import annotations

from typing import Final

from callm.errors import ConfigError

_MOST: Final = 1000.0


class RetryBudget:
    """Shared by the calls that may retry. `tokens` is how many retries are allowed just now."""

    def __init__(self, *, ratio: float = 0.2, floor: float = 10.0, per_second: float = 0.5) -> None:
        """Make a budget.

        Args:
            ratio: how many retries each call adds; 0.2 allows a fifth of the traffic.
            floor: how many retries are allowed from the beginning.
            per_second: how many are added each second, up to the floor.
        """
        if ratio < 0 or floor < 0 or per_second < 0:
            raise ConfigError("'ratio', 'floor' and 'per_second' of a retry budget must be 0 or more")
        self._ratio = ratio
        self._floor = floor
        self._per_second = per_second
        self._at: float | None = None
        self.tokens = floor

    def __repr__(self) -> str:
        return f"RetryBudget(ratio={self._ratio:g}, floor={self._floor:g}, per_second={self._per_second:g})"

    def deposit(self) -> None:
        """Note that a call began."""
        self.tokens = min(_MOST, self.tokens + self._ratio)

    def withdraw(self, now: float) -> bool:
        """Take one retry at time `now` (seconds, monotonic); return whether there was one."""
        if self._at is not None and self.tokens < self._floor:
            self.tokens = min(self._floor, self.tokens + max(0.0, now - self._at) * self._per_second)
        self._at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
