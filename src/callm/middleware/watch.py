"""A clock that ends a wait: it cancels the task that waits, and turns the cancellation into an error of ours.

1. A call has few clocks, not one for each wait, and most never ring. So a clock that would ring late has no timer of its own:
   one sweep a second, for all of an event loop, looks which of them are about to ring and gives those a timer.
2. The task is cancelled only while it waits, never while the consumer works.
3. What was cancelled here is turned into an error here; a cancellation from outside passes through unchanged, also one that
   comes in the same moment. Of two clocks that ring together, the outer one is heard.

Who waits calls `begin` before, sets `waiting` to False behind, and has `translate` look at what cancelled it in between.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from callm.errors import CallmError

NEVER: Final = float("inf")
SWEEP: Final = 1.0
"""Seconds between two sweeps."""

SOON: Final = 2.0
"""Seconds before it rings in which a clock has a timer of its own. More than a sweep apart, so that none is missed."""


class Watch:
    """A clock for one wait after another, that rings once.

    Attributes:
        waiting: whether the task waits just now.
        error: why the waiting has ended, or None.
        on_close: called when the clock is closed.
    """

    __slots__ = ("_cancelling", "_handle", "_owes", "_sweep", "_task", "error", "loop", "on_close", "waiting")

    def __init__(self) -> None:
        """Begin. Whoever knows when it is to ring calls `expect`."""
        self.loop = asyncio.get_running_loop()
        self.waiting = False
        self.error: CallmError | None = None
        self.on_close: Callable[[], object] | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._owes = False  # a cancellation that nobody has taken back
        self._handle: asyncio.TimerHandle | None = None
        self._sweep: _Sweep | None = None

    def late(self) -> CallmError:
        """Return the error with which it rings."""
        raise NotImplementedError

    def left(self, now: float) -> float:
        """Return the seconds until it rings, should nothing change; `NEVER` while it stands still."""
        raise NotImplementedError

    def expect(self, left: float) -> None:
        """See to it that somebody looks again when `left` seconds are over."""
        if left >= SOON:
            if self._sweep is None:
                sweep = self._sweep = _sweeps.get(self.loop) or _new_sweep(self.loop)
                sweep.watches.add(self)
                if not sweep.running:
                    sweep.run()
        elif self._handle is None:
            self._handle = self.loop.call_later(max(left, 0.0), self._tick)

    def begin(self) -> None:
        """Begin a wait in the current task.

        Raises:
            CallmError: the time is over already.
        """
        if self.error is not None:
            raise self.error
        task = self._task = current_task(self.loop)
        self._cancelling = 0 if task is None else task.cancelling()
        self.waiting = True

    def translate(self, cancelled: asyncio.CancelledError) -> None:
        """Raise the watch's own error if it was the watch that ended the wait."""
        waited, self.waiting = self.waiting, False
        if not waited or self.error is None or self._task is None:
            return
        self._owes = False
        if self._task.uncancel() <= self._cancelling:
            raise self.error from cancelled

    def interrupt(self, error: CallmError) -> None:
        """End the wait, or the next one, with `error`."""
        if self.error is not None:
            return
        self.error = error
        if self.waiting and self._task is not None:
            self._owes = self._task.cancel()

    def close(self) -> None:
        """Stop the clock."""
        self.waiting = False
        if self._owes and self._task is not None:  # the wait ended with another error in the same moment
            self._owes = False
            self._task.uncancel()
        if self._handle is not None:
            self._handle.cancel()
        self._unsweep()
        if self.on_close is not None:
            self.on_close()

    def _unsweep(self) -> None:
        if self._sweep is not None:
            self._sweep.watches.discard(self)
            self._sweep = None

    def _tick(self) -> None:
        self._handle = None
        left = self.left(self.loop.time())
        if left <= 0:
            self.interrupt(self.late())
        elif left != NEVER:
            self.expect(left)


class _Sweep:
    """The clocks of one event loop that would ring late. They come and leave by themselves."""

    __slots__ = ("_loop", "running", "watches")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.running = False
        self.watches: set[Watch] = set()

    def run(self) -> None:
        """Look at the watches every now and then, until there are none any more."""
        self.running = True
        self._loop.call_later(SWEEP, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        for watch in list(self.watches):
            left = watch.left(now)
            if left < SOON:
                watch.expect(left)
        self.running = False
        if self.watches:
            self.run()


_sweeps: Final[dict[asyncio.AbstractEventLoop, _Sweep]] = {}


def _new_sweep(loop: asyncio.AbstractEventLoop) -> _Sweep:
    for other in list(_sweeps):  # a copy: other threads add theirs meanwhile
        if other.is_closed():
            _sweeps.pop(other, None)
    sweep = _sweeps[loop] = _Sweep(loop)
    return sweep
