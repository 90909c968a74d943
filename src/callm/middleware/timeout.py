"""The limits on silence, around one attempt: until the first content, and from one piece of content to the next.

Silence is the time spent waiting since the last content. What the consumer spends on a batch is not the server's silence, and
pings and empty deltas do not end it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callm.errors import CallTimeout
from callm.middleware.watch import NEVER, SOON, Watch
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
        batches = self.inner.stream(request)
        watch = _Silence(request.options.timeouts)
        try:
            watch.begin()
            async for batch in batches:
                watch.waiting = False
                if has_content(batch):
                    watch.content()
                else:
                    watch.silence()
                yield batch
                watch.begin()
        except asyncio.CancelledError as cancelled:
            watch.translate(cancelled)
            raise
        finally:
            watch.close()
            await batches.aclose()


def has_content(batch: Sequence[Event]) -> bool:
    """Return whether a batch of events delivers content."""
    for event in batch:  # noqa: SIM110  # a generator would cost more than the whole test
        if type(event) in CONTENT:
            return True
    return False


class _Silence(Watch):
    """A clock that content sets back, and that stands still while the consumer works."""

    __slots__ = ("_allowed", "_began", "_spent", "_started", "_timeouts")

    def __init__(self, timeouts: Timeouts) -> None:
        Watch.__init__(self)  # `super` costs more, and this is done in every call
        self._timeouts = timeouts
        self._started = False
        self._allowed = NEVER if timeouts.first_content is None else timeouts.first_content
        self._spent = self._began = 0.0

    def begin(self) -> None:
        Watch.begin(self)
        self._began = self.loop.time()
        if self._handle is None and self._sweep is None and self._allowed != NEVER:
            self.expect(self._allowed - self._spent)

    def left(self, now: float) -> float:
        if not self.waiting:
            return NEVER
        return self._allowed - self._spent - (now - self._began)

    def content(self) -> None:
        """Note that content came just now."""
        self._spent = 0.0
        if not self._started:
            self._start()

    def silence(self) -> None:
        """Note that what came just now was no content."""
        self._spent += self.loop.time() - self._began

    def _start(self) -> None:
        self._started = True
        between = self._timeouts.between_content
        allowed = NEVER if between is None else between
        if allowed < self._allowed:  # nobody may look in time
            if self._handle is not None:
                self._handle.cancel()
                self._handle = None
            if allowed < SOON:
                self._unsweep()
        self._allowed = allowed

    def late(self) -> CallTimeout:
        phase = "between_content" if self._started else "first_content"
        words = "no more content came" if self._started else "no content came"
        return CallTimeout(f"{words} for {self._allowed:g} s (timeout {phase!r})", phase=phase, seconds=self._allowed)
