"""So many requests and tokens in any 60 seconds. Pure: the time is an argument, and the caller waits.

1. The log holds what was admitted in the last 60 seconds, oldest first, and two running sums of it. So the limit holds for
   every window of that length, wherever it begins; a counter for each minute lets twice as much pass around the turn.
2. An admission is booked with an estimate and corrected later, in either direction, as long as it is in the log.
3. What alone is more than a limit is booked as the whole limit: it waits until nothing else is in the window.
4. `burst` is a bucket of tokens beside the window: how many requests may go at once, when the limit would allow all of them.
5. What the provider says is left (`learn`) and asks to wait (`pause`) can only lower what is allowed.

`take` costs the same however long the log is. Where it says how long to wait, it reads the admissions that have to leave
before, and all of those will have left when the wait is over.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from itertools import accumulate
from math import ceil
from typing import Any, Final

import msgspec

from callm.errors import ConfigError
from callm.types.limits import Remaining

SPAN: Final = 60.0
"""The seconds of a window."""

NEVER: Final = float("inf")

_SHORTEST: Final = 1e-6  # a wait that adds nothing to a large clock would be over before it began
_SLACK: Final = 1e-6  # fractions of requests do not add up to whole ones exactly


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What may go in a minute. None sets no limit.

    Attributes:
        requests: how many requests in any 60 seconds.
        tokens: how many tokens, of prompts and answers together, in any 60 seconds.
        burst: how many requests at once; after them, one comes each time its part of the minute is over.
    """

    requests: float | None = None
    tokens: float | None = None
    burst: float | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value: Any = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < NEVER:
                raise ConfigError(f"the limit {name!r} must be a number above 0, or None, not {value!r}")
        if self.burst is not None and self.requests is None:
            raise ConfigError("'burst' says how many requests may go at once: it needs a limit of requests per minute")


class Admission:
    """One request's part of the limits: an estimate that `Window.settle` corrects. `id` is for stores elsewhere."""

    __slots__ = ("at", "counted", "id", "requests", "tokens")

    def __init__(self, requests: float = 1.0, tokens: float = 0) -> None:
        """Ask for so many requests and tokens."""
        self.requests = requests
        self.tokens = tokens
        self.at = 0.0
        self.counted = False
        self.id = ""


class Window:
    """The admissions of the last 60 seconds. Times are seconds of a monotonic clock."""

    __slots__ = (
        "_burst", "_guarded", "_keeps", "_level", "_level_at", "_log", "_now", "_paused", "_requests", "_requests_most",
        "_sums", "_tokens", "_tokens_most", "_told_requests", "_told_requests_until", "_told_tokens", "_told_tokens_until",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        """Begin empty."""
        self._requests_most = NEVER if limits.requests is None else limits.requests
        self._tokens_most = NEVER if limits.tokens is None else limits.tokens
        self._burst = NEVER if limits.burst is None else limits.burst
        self._guarded = limits.burst is not None  # or paused or told, once
        self._keeps = limits.requests is not None or limits.tokens is not None
        self._log: deque[Admission] = deque()
        self._requests: float = 0
        self._tokens: float = 0
        self._level = self._burst
        self._level_at = self._now = self._paused = -NEVER
        self._told_requests = self._told_tokens = NEVER
        self._told_requests_until = self._told_tokens_until = -NEVER
        self._sums: tuple[list[float], list[float]] | None = None

    def take(self, now: float, admission: Admission) -> float:
        """Admit, and return 0.0; or return the seconds after which it may be admitted if nothing else comes between."""
        self._forget(now)
        requests, tokens = min(admission.requests, self._requests_most), min(admission.tokens, self._tokens_most)
        wait = self._other_wait(min(requests, self._burst), tokens) if self._guarded else 0.0
        over = self._requests + requests > self._requests_most + _SLACK or self._tokens + tokens > self._tokens_most
        if over or wait > 0:
            return max(wait, self._log_wait(requests, tokens), _SHORTEST)
        if self._guarded:
            self._level -= requests
            self._told_requests -= requests
            self._told_tokens -= tokens
        if self._keeps:
            admission.at, admission.counted = self._now, True
            admission.requests, admission.tokens = requests, tokens
            self._requests += requests
            self._tokens += tokens
            self._log.append(admission)
            self._sums = None
        return 0.0

    def settle(self, admission: Admission, tokens: float) -> None:
        """Replace the estimate by the tokens that it really was, more or fewer."""
        if admission.counted:
            self._tokens += tokens - admission.tokens
            admission.tokens = tokens
            self._sums = None

    def refund(self, admission: Admission) -> None:
        """Give everything back: the request was never sent."""
        self._level = min(self._burst, self._level + admission.requests)
        self._told_requests += admission.requests
        self._told_tokens += admission.tokens
        self.settle(admission, 0)
        if admission.counted:
            self._requests -= admission.requests
        admission.requests = admission.tokens = 0

    def pause(self, now: float, seconds: float) -> None:
        """Admit nothing for so long."""
        self._forget(now)
        self._paused = max(self._paused, self._now + seconds)
        self._guarded = True

    def learn(self, now: float, remaining: Remaining) -> None:
        """Admit no more than the provider says is left, until it comes back. Its newest word replaces the one before."""
        self._forget(now)
        self._guarded = True
        if remaining.requests is not None:
            reset = SPAN if remaining.requests_reset is None else remaining.requests_reset
            self._told_requests, self._told_requests_until = remaining.requests, self._now + reset
        if remaining.tokens is not None:
            reset = SPAN if remaining.tokens_reset is None else remaining.tokens_reset
            self._told_tokens, self._told_tokens_until = remaining.tokens, self._now + reset

    def late(self, now: float, requests: float, tokens: float, patience: float) -> float:
        """Return 0.0 if the last of a line that asks for so much in all will be admitted in time; else in how many seconds.

        It would be exact if everybody were tiny and kept to the estimates: after a full span, everything comes again.
        """
        self._forget(now)
        other = self._other_wait(requests, tokens)
        rounds = max(_rounds(requests, self._requests_most), _rounds(tokens, self._tokens_most))
        if (rounds + 1) * SPAN <= patience and other <= patience:
            return 0.0  # in time whatever the log holds, so it need not be read
        if self._sums is None:
            self._sums = (
                list(accumulate(entry.requests for entry in self._log)),
                list(accumulate(entry.tokens for entry in self._log)),
            )
        wait = max(
            self._line_wait(requests, self._requests, self._requests_most, self._sums[0]),
            self._line_wait(tokens, self._tokens, self._tokens_most, self._sums[1]),
            other,
        )
        return wait if wait > patience else 0.0

    def _forget(self, now: float) -> None:
        """Move the clock, never back (two threads may read it in one order and come in the other)."""
        if now <= self._now:
            return
        self._now = now
        log = self._log
        while log and log[0].at + SPAN <= now:
            old = log.popleft()
            old.counted = False
            self._requests -= old.requests
            self._tokens -= old.tokens
            self._sums = None
        if not log:
            self._requests = self._tokens = 0

    def _other_wait(self, requests: float, tokens: float) -> float:
        """Return how long the pause, the bucket and the provider's word make one wait; 0 or less for not at all."""
        now = self._now
        wait = self._paused - now
        if self._burst != NEVER:
            rate = self._requests_most / SPAN
            self._level = min(self._burst, self._level + (now - self._level_at) * rate)
            self._level_at = now
            wait = max(wait, (requests - self._level - _SLACK) / rate)
        if requests > self._told_requests and now < self._told_requests_until:
            wait = max(wait, self._told_requests_until - now)
        if tokens > self._told_tokens and now < self._told_tokens_until:
            wait = max(wait, self._told_tokens_until - now)
        return wait

    def _log_wait(self, requests: float, tokens: float) -> float:
        """Return how long until enough admissions have left the window."""
        requests += self._requests - self._requests_most - _SLACK
        tokens += self._tokens - self._tokens_most
        until = self._now
        for old in self._log:
            if requests <= 0 and tokens <= 0:
                break
            requests -= old.requests
            tokens -= old.tokens
            until = old.at + SPAN
        return until - self._now

    def _line_wait(self, amount: float, used: float, most: float, sums: list[float]) -> float:
        if most == NEVER or amount + used <= most + _SLACK:
            return 0.0
        rounds = _rounds(amount, most)
        missing = amount - rounds * most - (most - used) - _SLACK
        if missing <= 0:
            return rounds * SPAN
        index = min(bisect_left(sums, missing), len(self._log) - 1)
        return rounds * SPAN + self._log[index].at + SPAN - self._now


def _rounds(amount: float, most: float) -> int:
    """Return how many whole windows are filled before the last of `amount`."""
    return 0 if most == NEVER else max(0, ceil((amount - _SLACK) / most) - 1)
