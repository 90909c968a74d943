"""When to stop asking a model that fails, and when to try it again. Pure: the time is an argument.

1. Closed: everybody may ask. So many failures in a row, or so large a part of the calls of a while, open the circuit.
2. Open: nobody may ask, until the cooldown is over. It doubles each time the probe fails.
3. Half open: exactly one call, the probe, may ask. If it succeeds the circuit closes; if it fails the circuit is open
   again; if it is given up, the next call is the probe.

A circuit counts its states, and a result counts only in the state that its call began in. So a late answer to a call from
before the failures does not close a circuit, and a late failure does not open one that was closed again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from callm.errors import (
    APIError,
    CallmError,
    ConfigError,
    OutputError,
    OverloadedError,
    PoolTimeout,
    ProtocolError,
    ProviderTimeoutError,
    ServerError,
    TransportError,
    quote,
)

State: TypeAlias = Literal["closed", "open", "half_open"]
Verdict: TypeAlias = Literal["failure", "alive", "neither"]

VERDICTS: Final[Mapping[type[CallmError], Verdict]] = {
    TransportError: "failure",
    ProtocolError: "failure",
    ServerError: "failure",
    OverloadedError: "failure",
    ProviderTimeoutError: "failure",
    APIError: "alive",  # it refuses this request, or says "slow down": nothing is broken
    OutputError: "alive",
    PoolTimeout: "neither",  # our own pool is too small
    CallmError: "neither",
}
"""What an error says of the model; the nearest class counts. `alive` closes the circuit when it comes from a probe."""

_PARTS: Final = 10  # in which the window is counted: it ends exact to a tenth, however many calls there are
_MOST_DOUBLINGS: Final = 64


def verdict(error: CallmError) -> Verdict:
    """Return what `error` says of the model that failed with it."""
    return next(VERDICTS[kind] for kind in type(error).__mro__ if kind in VERDICTS)


class Circuit:
    """The state of one model for all the calls that share it. Times are seconds.

    Attributes:
        state: closed, open or half_open. An open one becomes half open with the first call after `opens_until`.
        failures: how many calls failed in a row.
        opened: since when it is open; None while it is closed.
        opens_until: when the next probe may be sent; None while the circuit is closed.
        last_error: the failure that came last, in words.
    """

    def __init__(
        self,
        *,
        failures: int | None = 5,
        rate: float | None = None,
        minimum: int = 10,
        window: float = 60.0,
        cooldown: float = 30.0,
        maximum: float = 300.0,
    ) -> None:
        """Make a closed circuit.

        Args:
            failures: how many failures in a row open it; None for any number.
            rate: which part of the calls of a window opens it when it failed, above 0 and at most 1; None for none.
            minimum: how many calls the window needs before its rate counts.
            window: the length of the window.
            cooldown: how long it is open at first.
            maximum: the longest time it is open, also where the provider asks for more (`Retry-After`).
        """
        if failures is None and rate is None:
            raise ConfigError("a circuit needs 'failures' or 'rate': nothing would ever open it")
        for name, count in (("failures", 1 if failures is None else failures), ("minimum", minimum)):
            given: Any = count
            if isinstance(given, bool) or not isinstance(given, int) or given < 1:
                raise ConfigError(f"{name!r} of a circuit must be a whole number, 1 or more, not {given!r}")
        if rate is not None and not 0 < rate <= 1:
            raise ConfigError(f"'rate' of a circuit must be above 0 and at most 1, not {rate!r}")
        if not (window > 0 and 0 < cooldown <= maximum):
            raise ConfigError("'window', 'cooldown' and 'maximum' of a circuit must be above 0, 'maximum' the longest")
        self._most, self._rate, self._minimum = failures, rate, minimum
        self._part = window / _PARTS
        self._cooldown, self._maximum = cooldown, maximum
        self._number = 0  # of the state
        self.state: State = "closed"
        self.failures = 0
        self.opened: float | None = None
        self.opens_until: float | None = None
        self.last_error = ""
        self._doublings = 0
        self._window: deque[list[int]] = deque()  # of [which part of time, calls, failures]

    def __repr__(self) -> str:
        most = "" if self._most is None else f"failures={self._most}, "
        rate = "" if self._rate is None else f"rate={self._rate:g}, "
        return f"Circuit({most}{rate}cooldown={self._cooldown:g}, state={self.state!r})"

    def enter(self, now: float) -> int | None:
        """Return the number to report the call's end with, or None if it may not be sent."""
        if self.state == "closed":
            return self._number
        if self.state == "open" and self.opens_until is not None and now >= self.opens_until:
            self._become("half_open")
            return self._number
        return None

    def succeed(self, entry: int, now: float) -> None:
        """Report that the call was answered."""
        if entry != self._number:
            return
        if self.state == "half_open":
            self._close()
        else:
            self.failures = 0
            self._count(now, failed=0)

    def fail(self, entry: int, now: float, error: CallmError) -> None:
        """Report that the call failed; what that says of the model is decided here."""
        match verdict(error):
            case "failure" if entry == self._number:
                self._fail(now, error)
            case "alive" if self.state == "half_open":
                self.succeed(entry, now)
            case _:
                self.abandon(entry)

    def abandon(self, entry: int) -> None:
        """Report that the call was given up, without a result. If it was the probe, another call may be it."""
        if entry == self._number and self.state == "half_open":
            self._become("open")

    def reset(self) -> None:
        """Close the circuit. What calls under way report later is ignored."""
        self._close()

    def refusal(self, now: float) -> tuple[str, float]:
        """Return why no call may be sent, and the seconds until one may."""
        since = 0.0 if self.opened is None else max(0.0, now - self.opened)
        wait = 0.0 if self.opens_until is None or self.state == "half_open" else max(0.0, self.opens_until - now)
        again = "it is being tried just now" if self.state == "half_open" else f"tried again in {round(wait, 1):g} s"
        return f"open for {round(since, 1):g} s, {again}; the last failure was {self.last_error}", wait

    def _fail(self, now: float, error: CallmError) -> None:
        self.failures += 1
        self.last_error = quote(f"{type(error).__name__}: {error}")
        if self.state == "half_open":
            self._doublings += 1
            self._open(now, error)
        elif self._count(now, failed=1) or (self._most is not None and self.failures >= self._most):
            self.opened = now
            self._open(now, error)

    def _open(self, now: float, error: CallmError) -> None:
        wait = max(self._cooldown * 2 ** min(self._doublings, _MOST_DOUBLINGS), error.retry_after or 0.0)
        self.opens_until = now + min(wait, self._maximum)
        self._become("open")

    def _close(self) -> None:
        self.failures, self.last_error = 0, ""
        self.opened = self.opens_until = None
        self._doublings = 0
        self._window.clear()
        self._become("closed")

    def _become(self, state: State) -> None:
        self.state = state
        self._number += 1

    def _count(self, now: float, *, failed: int) -> bool:
        """Count a call in the window; return whether too many of its calls failed."""
        if self._rate is None:
            return False
        part = int(now / self._part)
        if not self._window or self._window[-1][0] != part:
            self._window.append([part, 0, 0])
        self._window[-1][1] += 1
        self._window[-1][2] += failed
        while self._window[0][0] <= part - _PARTS:
            self._window.popleft()
        calls = sum(part[1] for part in self._window)
        return calls >= self._minimum and sum(part[2] for part in self._window) >= self._rate * calls
