"""Ask once what several want to know at the same time.

1. The first who asks leads; who comes while the question is under way waits in line.
2. When the leader has the answer, all in line get it. If its answer is not fit to be shared, each of them asks for itself.
3. When the leader fails or is cancelled, the first in line leads. Who gave up waiting is passed over.
4. Nobody waits for a leader whose consumer has stopped reading: after a while of that they ask for themselves.

A line belongs to one event loop; calls in other loops ask for themselves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum
from typing import Final, TypeAlias

from callm.policy.cache_entry import Entry

PATIENCE: Final = 1.0
"""How many seconds a leader's consumer may take for one batch while others wait."""


class Turn(Enum):
    """What comes of waiting when it is no answer."""

    LEAD = "lead"
    ALONE = "alone"


_Key: TypeAlias = "tuple[asyncio.AbstractEventLoop, str]"
_Waiter: TypeAlias = "asyncio.Future[Entry | Turn]"


class Flight:
    """A question under way and the line behind it. Its leader must `land` it, or `fail`.

    Attributes:
        paused: since when, by the loop's clock, the leader's consumer has a batch; None while it waits for one.
    """

    __slots__ = ("_among", "_key", "_line", "_loop", "paused")

    def __init__(self, loop: asyncio.AbstractEventLoop, among: dict[_Key, Flight] | None = None, key: str = "") -> None:
        """Begin; when nobody is to join any more, it leaves its place `among` others."""
        self._loop = loop
        self._among = among
        self._key = key
        self._line: deque[_Waiter] | None = None  # most have none, and it is larger than all the rest
        self.paused: float | None = None

    def land(self, entry: Entry | None) -> None:
        """Give all in line the answer, or None: each of them asks for itself."""
        self._forget()
        while self._line:
            waiter = self._line.popleft()
            if not waiter.done():
                waiter.set_result(Turn.ALONE if entry is None else entry)

    def fail(self) -> None:
        """Let the first in line lead."""
        self.paused = None
        while self._line:
            waiter = self._line.popleft()
            if not waiter.done():
                waiter.set_result(Turn.LEAD)
                return
        self._forget()

    async def wait(self) -> Entry | Turn:
        """Stand in line; return the answer, or how to go on without one."""
        waiter: _Waiter = self._loop.create_future()
        if self._line is None:
            self._line = deque()
        self._line.append(waiter)
        told = False
        try:
            while not waiter.done():
                await asyncio.wait((waiter,), timeout=PATIENCE)
                if not waiter.done() and self._is_idle():
                    return Turn.ALONE
            told = True
            return waiter.result()
        finally:
            if not told and not waiter.cancel() and waiter.result() is Turn.LEAD:
                self.fail()  # cancelled just when it was to lead

    def _forget(self) -> None:
        if self._among is not None:
            self._among.pop((self._loop, self._key), None)

    def _is_idle(self) -> bool:
        return self.paused is not None and self._loop.time() - self.paused >= PATIENCE


class Flights:
    """The questions under way, in all event loops."""

    def __init__(self) -> None:
        # No lock: each step is one operation on the dictionary, and no two loops share a key.
        self._flights: dict[_Key, Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def __reduce__(self) -> tuple[type[Flights], tuple[()]]:
        return (Flights, ())  # a copy asks for itself

    def join(self, key: str, loop: asyncio.AbstractEventLoop) -> tuple[Flight, bool]:
        """Return the flight of `key` in the event loop, and whether it has just begun, so that the caller leads."""
        place = (loop, key)
        flight = self._flights.get(place)
        if flight is not None:
            return flight, False
        flight = self._flights[place] = Flight(loop, self._flights, key)
        return flight, True
