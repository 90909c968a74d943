"""How long a model usually takes, to tell when it takes unusually long. Pure: the caller measures."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from math import ceil
from typing import Any

from callm.errors import ConfigError


class Latency:
    """The last times to the first content, and the percentile of them that is worth waiting for. Times are seconds."""

    def __init__(self, percentile: float = 0.95, *, minimum: int = 20, size: int = 200) -> None:
        """Make an empty window.

        Args:
            percentile: how many of the calls are not waited for longer than they take, from above 0 to 1: 0.95 waits
                as long as 95% of them need.
            minimum: how many times must be known before there is a limit.
            size: how many times are kept; older ones are forgotten.
        """
        if not 0 < percentile <= 1:
            raise ConfigError(f"'percentile' must be above 0 and at most 1, for example 0.95, not {percentile!r}")
        for name, given in (("minimum", minimum), ("size", size)):
            count: Any = given
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise ConfigError(f"{name!r} must be a whole number, 1 or more, not {count!r}")
        if minimum > size:
            raise ConfigError(f"a window of {size} times never has the 'minimum' of {minimum}")
        self._q = percentile
        self._minimum = minimum
        self._times: deque[float] = deque(maxlen=size)
        self._sorted: list[float] = []

    def __repr__(self) -> str:
        return f"Latency({self._q:g}, minimum={self._minimum}, size={self._times.maxlen})"

    def add(self, seconds: float) -> None:
        """Take the time of a call."""
        if len(self._times) == self._times.maxlen:
            del self._sorted[bisect_left(self._sorted, self._times[0])]
        self._times.append(seconds)
        insort(self._sorted, seconds)

    def percentile(self, q: float | None = None) -> float | None:
        """Return the time that a part `q` of the calls does not exceed, or None while too few are known."""
        if len(self._sorted) < self._minimum:
            return None
        rank = ceil((self._q if q is None else q) * len(self._sorted))
        return self._sorted[max(rank, 1) - 1]
