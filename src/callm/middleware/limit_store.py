"""Where the windows of rate limits are kept: in this process, or, behind the same four verbs, somewhere shared.

A store elsewhere (a script in Redis, say) keeps the same log for each key by its own clock, gives each admission an `id`, and
takes back by it. Lines, slots and timers stay in the process: a store only decides.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from callm.policy.window import Admission, Limits, Window
from callm.types.limits import Remaining
from callm.types.locks import lock_across_forks

_LOCK: Final = lock_across_forks()


class LimitStore(Protocol):
    """Keeps a window for each key. Whatever raises has changed nothing, cancellation included."""

    async def take(self, key: str, limits: Limits, admission: Admission) -> float:
        """Admit, and return 0.0; or return the seconds after which to ask again."""
        ...

    async def settle(self, key: str, admission: Admission, tokens: float) -> None:
        """Replace the estimated tokens of an admission by the real ones."""
        ...

    async def refund(self, key: str, admission: Admission) -> None:
        """Give an admission back whole."""
        ...

    async def pause(self, key: str, limits: Limits, seconds: float) -> None:
        """Admit nothing for so long."""
        ...

    async def learn(self, key: str, limits: Limits, remaining: Remaining) -> None:
        """Admit no more than the provider says is left."""
        ...

    async def late(self, key: str, limits: Limits, amount: tuple[float, float], patience: float) -> float:
        """Return 0.0 if so many requests and tokens will all be admitted in time, or if it can't tell; else the seconds."""
        ...


class ProcessStore:
    """Keeps the windows in this process, for all of its threads and event loops."""

    def __init__(self) -> None:
        self._windows: dict[str, Window] = {}

    def __repr__(self) -> str:
        return "ProcessStore()"

    async def take(self, key: str, limits: Limits, admission: Admission) -> float:
        """See `LimitStore.take`. The limits of a key are those it was first asked with."""
        now = asyncio.get_running_loop().time()
        with _LOCK:
            window = self._windows.get(key)
            if window is None:
                window = self._window(key, limits)
            return window.take(now, admission)

    async def settle(self, key: str, admission: Admission, tokens: float) -> None:
        """See `LimitStore.settle`."""
        with _LOCK:
            self._windows[key].settle(admission, tokens)

    async def refund(self, key: str, admission: Admission) -> None:
        """See `LimitStore.refund`."""
        with _LOCK:
            self._windows[key].refund(admission)

    async def pause(self, key: str, limits: Limits, seconds: float) -> None:
        """See `LimitStore.pause`."""
        now = asyncio.get_running_loop().time()
        with _LOCK:
            self._window(key, limits).pause(now, seconds)

    async def learn(self, key: str, limits: Limits, remaining: Remaining) -> None:
        """See `LimitStore.learn`."""
        now = asyncio.get_running_loop().time()
        with _LOCK:
            self._window(key, limits).learn(now, remaining)

    async def late(self, key: str, limits: Limits, amount: tuple[float, float], patience: float) -> float:
        """See `LimitStore.late`."""
        now = asyncio.get_running_loop().time()
        with _LOCK:
            return self._window(key, limits).late(now, *amount, patience)

    def _window(self, key: str, limits: Limits) -> Window:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = Window(limits)
        return window
