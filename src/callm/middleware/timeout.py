"""The limits on silence, around one attempt: until the first content, and from one piece of content to the next."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callm.errors import CallTimeout
from callm.middleware.watch import NEVER, Watch
from callm.types import CONTENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callm.types import Event, Events, Model, Request, Timeouts


@dataclass(frozen=True, slots=True)
class Timeout:
    """End an attempt in which no content comes for too long, as the request's options say."""

    inner: Model

    @property
    def name(self) -> str:
        """The name of the model inside."""
        return self.inner.name

    async def stream(self, request: Request) -> Events:
        """See `Model.stream`.

        Raises:
            CallTimeout: no content came in time.
        """
        watch = _Silence(request.options.timeouts)
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


class _Silence(Watch):
    """A watch whose limit moves with content, and does not move on while the consumer works."""

    __slots__ = ("_paused", "_started", "_timeouts")

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._started = False
        self._paused = now = asyncio.get_running_loop().time()
        first = timeouts.first_content
        super().__init__(NEVER if first is None else now + first, self._error)

    def arm(self) -> None:
        self.limit += self.loop.time() - self._paused  # the time the consumer took is not the server's silence
        super().arm()
        if self._handle is None:
            self.move(self.limit)

    def disarm(self) -> None:
        self._armed = False
        self._paused = self.loop.time()

    def content(self) -> None:
        """Note that content came just now."""
        self._started = True
        between = self._timeouts.between_content
        self.move(NEVER if between is None else self._paused + between)

    def _tick(self) -> None:
        if self._armed:
            super()._tick()
        else:
            self._handle = None  # the consumer works: the next wait sets the timer again

    def _error(self) -> CallTimeout:
        phase = "between_content" if self._started else "first_content"
        seconds = self._timeouts.between_content if self._started else self._timeouts.first_content
        words = "no more content came" if self._started else "no content came"
        return CallTimeout(f"{words} for {seconds:g} s (timeout {phase!r})", phase=phase, seconds=seconds)
