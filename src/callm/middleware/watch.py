"""A clock that ends a wait: it cancels the task that waits, and turns the cancellation into an error of ours.

1. One timer for a call, not one for each wait.
2. The task is cancelled only while it waits, never while the consumer works.
3. What was cancelled here is turned into an error here; a cancellation from outside passes through unchanged.

The waiting itself is written out where it happens, since this is done for every batch of events:

    watch.begin()
    try:
        batch = await batches.__anext__()
    except asyncio.CancelledError as cancelled:
        watch.translate(cancelled)
        raise
    watch.waiting = False
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from callm.errors import CallmError

NEVER = float("inf")


class Watch:
    """A clock for one wait after another, that rings once, at a moment on the loop's clock.

    Attributes:
        waiting: whether the task waits just now.
        error: why the waiting has ended, or None.
        on_close: called when the clock is closed.
    """

    __slots__ = ("_cancelling", "_handle", "_make", "_task", "error", "loop", "on_close", "waiting")

    def __init__(self, moment: float, make: Callable[[], CallmError]) -> None:
        """Ring at `moment`; `make` makes the error."""
        self.loop = asyncio.get_running_loop()
        self.waiting = False
        self.error: CallmError | None = None
        self.on_close: Callable[[], object] | None = None
        self._make = make
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._handle = self.loop.call_at(moment, self._tick) if moment != NEVER else None

    def begin(self) -> None:
        """Begin a wait in the current task.

        Raises:
            CallmError: the time is over already.
        """
        if self.error is not None:
            raise self.error
        self._task = current_task()
        self.waiting = True

    def translate(self, cancelled: asyncio.CancelledError) -> None:
        """Raise the watch's own error if it was the watch that cancelled."""
        self.waiting = False
        if self.error is None or self._task is None:
            return
        if self._task.uncancel() <= self._cancelling:
            raise self.error from cancelled

    def interrupt(self, error: CallmError) -> None:
        """End the wait, or the next one, with `error`."""
        if self.error is not None:
            return
        self.error = error
        if self.waiting and self._task is not None:
            self._cancelling = self._task.cancelling()
            self._task.cancel()

    def close(self) -> None:
        """Stop the clock."""
        self.waiting = False
        if self._handle is not None:
            self._handle.cancel()
        if self.on_close is not None:
            self.on_close()

    def _tick(self) -> None:
        self._handle = None
        self.interrupt(self._make())
