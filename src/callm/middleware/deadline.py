"""One deadline over everything: queue, pool, retries, fallbacks; and the handle that cancels a call from anywhere."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from callm.errors import CallCancelled, DeadlineExceeded
from callm.middleware.watch import NEVER, Watch

if TYPE_CHECKING:
    from callm.types import Events, Model, Request


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
        options = request.options
        total, cancel = options.timeouts.total, options.cancel
        now = asyncio.get_running_loop().time()
        end = NEVER if total is None else now + total
        if options.deadline is not None:
            end = min(end, options.deadline)

        def late() -> DeadlineExceeded:
            seconds = max(0.0, end - now) if total is None else total
            return DeadlineExceeded(f"the call took longer than its total of {seconds:g} s", seconds=seconds)

        watch = Watch(end, late)
        unwatch = None if cancel is None else cancel.watch(lambda: _from_anywhere(watch))
        try:
            async with aclosing(self.inner.stream(_until(request, end))) as batches:
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
                    yield batch
        finally:
            watch.close()
            if unwatch is not None:
                unwatch()


def _from_anywhere(watch: Watch) -> None:
    error = CallCancelled("the call was cancelled by its Cancel handle")
    watch.loop.call_soon_threadsafe(watch.interrupt, error)


def _until(request: Request, end: float) -> Request:
    """Return the request with its deadline. By copying, which checks nothing again: this is done at every call."""
    if end == NEVER:
        return request
    request, options = copy(request), copy(request.options)
    msgspec.structs.force_setattr(options, "deadline", end)
    msgspec.structs.force_setattr(request, "options", options)
    return request
