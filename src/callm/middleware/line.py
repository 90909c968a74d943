"""A line of callers, first come, first served, over all threads and event loops of the process.

1. Only the head of the line decides and sets a timer; the others sleep until they are the head. So each caller costs the
   same however long the line is.
2. Whoever leaves from the middle is only marked, and dropped when the line gets there, or with others when they are many.
3. A call that comes while nobody listens is kept: it ends the next wait at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from callm.policy.window import NEVER
from callm.types.locks import lock_across_forks

_FEW: Final = 32
_LOCK: Final = lock_across_forks()


class Place:
    """A caller's place in the line, and how much it asks for."""

    __slots__ = ("called", "future", "gone", "head", "loop", "requests", "tokens")

    def __init__(self, requests: float, tokens: float) -> None:
        """Begin outside of any line."""
        self.requests = requests
        self.tokens = tokens
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] | None = None
        self.head = False
        self.called = False
        self.gone = False

    def call(self) -> bool:
        """Wake who waits here, from any thread; return whether its event loop still runs."""
        self.called = True
        future = self.future
        if future is None or future.done():
            return not self.loop.is_closed()
        try:
            self.loop.call_soon_threadsafe(_wake, future)
        except RuntimeError:  # the loop was closed with the caller in it
            return False
        return True


class Line:
    """The places, the head first, and the sums of what they ask for."""

    def __init__(self) -> None:
        self.places: deque[Place] = deque()
        self._gone = 0
        self.requests: float = 0
        self.tokens: float = 0

    def __len__(self) -> int:
        return len(self.places) - self._gone

    def enter(self, requests: float, tokens: float) -> Place:
        """Step in behind everybody. `Place.head` says whether nobody is there."""
        place = Place(requests, tokens)
        with _LOCK:
            place.head = not self.places
            self.places.append(place)
            self.requests += requests
            self.tokens += tokens
        return place

    def leave(self, place: Place) -> None:
        """Step out; the next one becomes the head."""
        with _LOCK:
            if place.gone:
                return
            self.requests -= place.requests
            self.tokens -= place.tokens
            if place.head:
                self.places.popleft()
                self._next()
                return
            place.gone = True
            self._gone += 1
            if self._gone > _FEW and self._gone * 2 > len(self.places):
                self.places = deque(place for place in self.places if not place.gone)
                self._gone = 0

    def call(self) -> None:
        """Let the head look again: something was given back."""
        if not self.places:
            return
        with _LOCK:
            if self.places and not self.places[0].call():
                self._drop()
                self._next()

    async def wait(self, place: Place, until: float) -> None:
        """Sleep until called, or until a time of the loop's clock."""
        loop = place.loop
        with _LOCK:
            if place.called:
                place.called = False
                return
            place.future = future = loop.create_future()
        timer = None if until == NEVER else loop.call_at(until, _wake, future)
        try:
            await future
        finally:
            place.future = None
            place.called = False
            if timer is not None:
                timer.cancel()

    def _next(self) -> None:
        """Make the first that is still there the head, and call it."""
        while self.places:
            first = self.places[0]
            if first.gone:
                self.places.popleft()
                self._gone -= 1
                continue
            first.head = True
            if first.call():
                return
            self._drop()
        self.requests = self.tokens = 0  # fractions do not add up to nothing exactly

    def _drop(self) -> None:
        """Forget the head, whose event loop is closed. Should it be collected one day, it has left already."""
        dead = self.places.popleft()
        dead.gone = True
        self.requests -= dead.requests
        self.tokens -= dead.tokens


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
