"""A clock that ends a wait: it cancels the task that waits, and turns the cancellation into an error of ours.

1. One timer for a call, not one for each wait: it looks at `limit`, which moving costs an assignment.
2. The task is cancelled only while it waits between `arm` and `disarm`, never while the consumer works.
3. What was cancelled here is turned into an error here; a cancellation from outside passes through unchanged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from callm.errors import CallmError

NEVER = float("inf")


class Watch:
    """The clock of one wait after another. `limit` is the moment, on the loop's clock, at which the wait ends."""

    __slots__ = ("_armed", "_cancelling", "_handle", "_make", "_task", "error", "limit", "loop")

    def __init__(self, limit: float, make: Callable[[], CallmError]) -> None:
        """Watch until `limit`; `make` makes the error."""
        self.loop = asyncio.get_running_loop()
        self.limit = limit
        self.error: CallmError | None = None
        self._make = make
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._armed = False
        self._handle = self.loop.call_at(limit, self._tick) if limit != NEVER else None

    def arm(self) -> None:
        """Begin a wait in the current task.

        Raises:
            CallmError: the time is over already.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a model can only be streamed inside an asyncio task")
        self._task, self._cancelling = task, task.cancelling()
        if self.error is not None:
            raise self.error
        self._armed = True

    def disarm(self) -> None:
        """End the wait."""
        self._armed = False

    def move(self, limit: float) -> None:
        """Set another limit."""
        self.limit = limit
        if limit != NEVER and (self._handle is None or self._handle.when() > limit):
            if self._handle is not None:
                self._handle.cancel()
            self._handle = self.loop.call_at(limit, self._tick)

    def translate(self, cancelled: asyncio.CancelledError) -> None:
        """Raise the watch's own error if it was the watch that cancelled."""
        if self.error is None or self._task is None:
            return
        if self._task.uncancel() <= self._cancelling:
            raise self.error from cancelled

    def close(self) -> None:
        """Stop the clock."""
        self._armed = False
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def interrupt(self, error: CallmError) -> None:
        """End the wait, or the next one, with `error`."""
        if self.error is not None:
            return
        self.error = error
        if self._armed and self._task is not None:
            self._task.cancel()

    def _tick(self) -> None:
        self._handle = None
        if self.loop.time() >= self.limit:
            self.interrupt(self._make())
        elif self.limit != NEVER:
            self._handle = self.loop.call_at(self.limit, self._tick)
