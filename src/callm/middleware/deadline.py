"""One deadline over everything: queue, pool, retries, fallbacks; and the handle that cancels a call from anywhere."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from operator import methodcaller
from typing import TYPE_CHECKING, Final

import msgspec

from callm.errors import CallCancelled, DeadlineExceeded
from callm.middleware.watch import NEVER, Watch

if TYPE_CHECKING:
    from callm.types import CallOptions, Events, Model, Request

_copy: Final = methodcaller("__copy__")  # what `copy.copy` looks up first


@dataclass(frozen=True, slots=True)
class Deadline:
    """End a call when its total time is over or its `Cancel` handle was used. The outermost middleware."""

    inner: Model

    @property
    def name(self) -> str:
        """The name of the model inside."""
        return self.inner.name

    async def stream(self, request: Request) -> Events:
        """See `Model.stream`.

        Raises:
            DeadlineExceeded: the total time ran out.
            CallCancelled: the options' cancel handle was used.
        """
        watch = CallWatch(request.options)
        try:
            watch.begin()
            batches = self.inner.stream(watch.limit(request))
            try:
                async for batch in batches:
                    watch.waiting = False
                    yield batch
                    watch.begin()
            except asyncio.CancelledError as cancelled:
                watch.translate(cancelled)
                raise
            finally:
                watch.waiting = False
                await batches.aclose()
        finally:
            watch.close()


def _cancelled() -> CallCancelled:
    return CallCancelled("the call was cancelled by its Cancel handle")


class CallWatch(Watch):
    """The clock of a whole call, which begins now."""

    __slots__ = ("_end", "_seconds")

    def __init__(self, options: CallOptions) -> None:
        """Watch the total time and the cancel handle of `options`."""
        Watch.__init__(self)  # `super` costs more, and this is done in every call
        total, now = options.timeouts.total, self.loop.time()
        self._end = NEVER if total is None else now + total
        if options.deadline is not None and options.deadline < self._end:
            self._end, total = options.deadline, max(0.0, options.deadline - now)
        self._seconds = total
        if total is not None:
            self.expect(total)
        if options.cancel is not None:
            if options.cancel.cancelled:
                self.error = _cancelled()  # now, not in the loop's next turn: nothing is to be sent
            self.on_close = options.cancel.watch(self._from_anywhere)

    def left(self, now: float) -> float:
        """See `Watch.left`."""
        return self._end - now

    def limit(self, request: Request) -> Request:
        """Return the request with its deadline. By copying, which checks nothing again: this is done at every call."""
        if self._end == NEVER:
            return request
        request, options = _copy(request), _copy(request.options)
        msgspec.structs.force_setattr(options, "deadline", self._end)
        msgspec.structs.force_setattr(request, "options", options)
        return request

    def _from_anywhere(self) -> None:
        self.loop.call_soon_threadsafe(self.interrupt, _cancelled())

    def late(self) -> DeadlineExceeded:
        """See `Watch.late`."""
        return DeadlineExceeded(f"the call took longer than its total of {self._seconds:g} s", seconds=self._seconds)
