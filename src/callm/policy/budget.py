"""A hard cap on what is spent in a period. Pure: the time is an argument, in seconds since 1970.

1. Before a call, what it may cost is reserved; where used, reserved and that together pass the cap, it is refused.
2. After it, the reservation becomes what the call really cost, which may be more: then the next ones are refused earlier.
3. Periods begin at the full hour, day or month of UTC. A call counts for the period in which it was reserved.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from callm.errors import ConfigError

Period: TypeAlias = Literal["hour", "day", "month"]

_SECONDS: Final = {"hour": 3600.0, "day": 86400.0}
_DECEMBER: Final = 12
_SLACK: Final = 1e-9  # cents do not add up to dollars exactly


class Account:
    """What one key has used in one period, and what its calls under way have reserved."""

    __slots__ = ("reserved", "used")

    def __init__(self) -> None:
        self.used: float = 0
        self.reserved: float = 0


class Ledger:
    """One account for each key. `cap` is for each of them and each period; None never begins anew."""

    __slots__ = ("_accounts", "_ends", "cap", "period")

    def __init__(self, cap: float, period: Period | None = None) -> None:
        """Begin with nothing used.

        Raises:
            ConfigError: the cap is no amount, or the period is none that is known.
        """
        if isinstance(cap, bool) or not 0 <= cap < float("inf"):
            raise ConfigError(f"the cap of a budget must be a number, 0 or more, not {cap!r}")
        if period not in {None, "hour", "day", "month"}:
            raise ConfigError(f"the period of a budget must be 'hour', 'day', 'month' or None, not {period!r}")
        self.cap = cap
        self.period: Period | None = period
        self._accounts: dict[Hashable, Account] = {}
        self._ends = float("-inf")

    def reserve(self, now: float, key: Hashable, amount: float) -> Account | None:
        """Reserve `amount` of what `key` may use, and return its account; None if that would pass the cap."""
        account = self.account(now, key)
        if account.used + account.reserved + amount > self.cap + _SLACK:
            return None
        account.reserved += amount
        self._accounts[key] = account
        return account

    @staticmethod
    def settle(account: Account, reserved: float, used: float) -> None:
        """Replace a reservation by what was used."""
        account.reserved = max(0, account.reserved - reserved)
        account.used += used

    def holds(self, account: Account) -> bool:
        """Return whether what is used and reserved is within the cap."""
        return account.used + account.reserved <= self.cap + _SLACK

    def account(self, now: float, key: Hashable) -> Account:
        """Return the account of `key` in the period of `now`, to be read."""
        if now >= self._ends:
            self._accounts = {}  # the old ones are kept by the calls under way
            self._ends = float("inf") if self.period is None else end_of(self.period, now)
        return self._accounts.get(key) or Account()

    def resets(self, now: float) -> float | None:
        """Return when the period of `now` ends, or None if it never does."""
        return None if self.period is None else end_of(self.period, now)


def end_of(period: Period, now: float) -> float:
    """Return the moment at which the period of `now` ends, both in seconds since 1970."""
    if period != "month":
        return (now // _SECONDS[period] + 1) * _SECONDS[period]
    date = datetime.fromtimestamp(now, UTC)
    year, month = (date.year + 1, 1) if date.month == _DECEMBER else (date.year, date.month + 1)
    return datetime(year, month, 1, tzinfo=UTC).timestamp()
