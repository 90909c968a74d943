"""Time limits and cancelling, around any model.

1. One timer for a call, not one for each wait: it looks at `deadline`, which moving costs an assignment.
2. The timer cancels the task only while the task waits inside `__anext__`, never while the consumer works.
3. What was cancelled here is turned into an error here; a cancellation from outside passes through unchanged.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callm.errors import CallCancelled, CallmError, CallTimeout, DeadlineExceeded
from callm.types import CONTENT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from callm.types import CallOptions, Event, Events, Model, Request


@dataclass(frozen=True, slots=True)
class Timeout:
    """End a call that takes too long or is cancelled by its handle, as the request's options say."""

    inner: Model

    @property
    def name(self) -> str:
        """The name of the model inside."""
        return self.inner.name

    async def stream(self, request: Request) -> Events:
        """See `Model.stream`.

        Raises:
            CallTimeout: no content came in time.
            DeadlineExceeded: the total time ran out.
            CallCancelled: the options' cancel handle was used.
        """
        watch = _Watch(request.options)
        try:
            async with aclosing(self.inner.stream(request)) as batches:
                while True:
                    watch.arm()
                    try:
                        batch = await batches.__anext__()
                    except StopAsyncIteration:
                        return
                    except asyncio.CancelledError as cancelled:
                        watch.translate(cancelled)
                        raise
                    finally:
                        watch.disarm()
                    if has_content(batch):
                        watch.content()
                    yield batch
        finally:
            watch.close()


def has_content(batch: Sequence[Event]) -> bool:
    """Return whether a batch of events delivers content."""
    for event in batch:  # noqa: SIM110  # a generator would cost more than the whole test
        if type(event) in CONTENT:
            return True
    return False


class _Watch:
    """The clock of one call."""

    __slots__ = (
        "_armed",
        "_cancelling",
        "_end",
        "_handle",
        "_limit",
        "_loop",
        "_options",
        "_paused",
        "_started",
        "_task",
        "_unwatch",
        "error",
    )

    def __init__(self, options: CallOptions) -> None:
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._handle: asyncio.TimerHandle | None = None
        self._started = False
        self._armed = False
        self.error: CallmError | None = None
        now = self._paused = self._loop.time()
        total, first = options.timeouts.total, options.timeouts.first_content
        self._end = float("inf") if total is None else now + total
        self._limit = float("inf") if first is None else now + first
        self._unwatch: Callable[[], object] | None = None
        if options.cancel is not None:
            self._unwatch = options.cancel.watch(self._cancel_from_anywhere)
        self._schedule()

    def arm(self) -> None:
        """Begin a wait in the current task."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a model can only be streamed inside an asyncio task")
        self._task, self._cancelling = task, task.cancelling()
        if self.error is not None:
            raise self.error
        now = self._loop.time()
        if now >= self._end:
            raise self._deadline_error()
        self._limit += now - self._paused  # the time the consumer took is not the server's silence
        self._armed = True
        if self._handle is None:
            self._schedule()

    def disarm(self) -> None:
        """End the wait."""
        self._armed = False
        self._paused = self._loop.time()

    def content(self) -> None:
        """Note that content came just now."""
        self._started = True
        between = self._options.timeouts.between_content
        if between is None:
            self._limit = float("inf")
            return
        self._limit = self._paused + between
        if self._handle is None or self._handle.when() > self._limit:
            self._schedule()

    def translate(self, cancelled: asyncio.CancelledError) -> None:
        """Raise the watch's own error if it was the watch that cancelled."""
        if self.error is None or self._task is None:
            return
        if self._task.uncancel() <= self._cancelling:
            raise self.error from cancelled

    def close(self) -> None:
        """Stop the clock."""
        if self._handle is not None:
            self._handle.cancel()
        if self._unwatch is not None:
            self._unwatch()

    def _schedule(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        when = min(self._end, self._limit)
        if when != float("inf"):
            self._handle = self._loop.call_at(when, self._tick)

    def _tick(self) -> None:
        self._handle = None
        now = self._loop.time()
        if now >= self._end:
            self._interrupt(self._deadline_error())
        elif now < self._limit:
            self._schedule()
        elif self._armed:
            self._interrupt(self._content_error())

    def _interrupt(self, error: CallmError) -> None:
        self.error = error
        if self._armed and self._task is not None:
            self._task.cancel()

    def _cancel_from_anywhere(self) -> None:
        self._loop.call_soon_threadsafe(self._interrupt, CallCancelled("the call was cancelled by its Cancel handle"))

    def _deadline_error(self) -> CallmError:
        total = self._options.timeouts.total
        return DeadlineExceeded(f"the call took longer than its total of {total:g} s", seconds=total)

    def _content_error(self) -> CallmError:
        timeouts = self._options.timeouts
        started = self._started
        phase = "between_content" if started else "first_content"
        seconds = timeouts.between_content if started else timeouts.first_content
        words = "no more content came" if started else "no content came"
        return CallTimeout(f"{words} for {seconds:g} s (timeout {phase!r})", phase=phase, seconds=seconds)
