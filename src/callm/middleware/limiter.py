"""So many requests and tokens a minute, so many calls at once; whoever does not fit waits in line.

1. A request takes its place in the line, and the head of the line takes a slot and its part of the window, together.
2. A wait that is longer than the request may last ends at once: what can't succeed should fail now.
3. A slot is held until the stream has ended. Then the estimate is settled, and the head of the line looks again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from callm.errors import ConfigError, QueueTimeout
from callm.middleware.limit_store import LimitStore, ProcessStore
from callm.middleware.line import Line, Place
from callm.policy.window import NEVER, Admission, Limits
from callm.types.limits import Remaining
from callm.types.locks import lock_across_forks

_LOCK: Final = lock_across_forks()


@dataclass(eq=False, kw_only=True)
class Limiter:
    """The state of a rate limit, shared by all that hold it: by endpoints of one account, threads, event loops.

    Attributes:
        requests_per_minute: how many requests in any 60 seconds; None sets no limit.
        tokens_per_minute: how many tokens of prompts and answers; None sets no limit.
        burst: how many requests may go at once; None allows a whole minute's.
        concurrency: how many calls may be under way at once; None sets no limit.
        max_wait: the seconds a request may wait; None leaves it to the call's deadline.
        learn: whether to lower the limits to what the provider's headers say is left.
        name: what events and errors call the line, and the key in the store.
        store: where the windows are kept.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    burst: float | None = None
    concurrency: int | None = None
    max_wait: float | None = None
    learn: bool = False
    name: str = "rate limit"
    store: LimitStore = field(default_factory=ProcessStore, repr=False)

    def __post_init__(self) -> None:
        concurrency: Any = self.concurrency
        whole = isinstance(concurrency, int) and not isinstance(concurrency, bool)
        if concurrency is not None and not (whole and concurrency >= 1):
            raise ConfigError(f"'concurrency' must be a whole number, 1 or more, or None, not {concurrency!r}")
        if self.max_wait is not None and not self.max_wait >= 0:
            raise ConfigError(f"'max_wait' must be a number of seconds, 0 or more, or None, not {self.max_wait!r}")
        self._limits = Limits(requests=self.requests_per_minute, tokens=self.tokens_per_minute, burst=self.burst)
        self._slots = NEVER if self.concurrency is None else self.concurrency
        self._busy = 0
        self._line = Line()

    @property
    def busy(self) -> int:
        """How many calls are under way. Counted only where `concurrency` limits them."""
        return self._busy

    @property
    def waiting(self) -> int:
        """How many requests stand in line."""
        return len(self._line)

    async def acquire(
        self, requests: float = 1.0, tokens: float = 0, deadline: float | None = None
    ) -> tuple[Admission, float]:
        """Wait for a slot and for so many requests and tokens; return the admission and the seconds it took.

        Raises:
            QueueTimeout: it would take longer than `max_wait`, or than until `deadline`, a time of the loop's clock.
        """
        if not 0 <= requests < NEVER:
            raise ConfigError(f"'weight' must be a number of requests, 0 or more, not {requests!r}")
        admission = Admission(requests, tokens)
        if not self._line.places:  # nobody is there to be overtaken
            free = self._slots == NEVER
            take = self.store.take(self.name, self._limits, admission) if free else self._try(admission)
            if await take == 0.0:
                return admission, 0.0
        place = self._line.enter(requests, tokens)
        try:
            return admission, await self._queue(place, admission, NEVER if deadline is None else deadline)
        finally:
            self._line.leave(place)

    async def release(self, admission: Admission, tokens: float) -> None:
        """Give the slot back, and settle: the request cost so many tokens."""
        try:
            if tokens != admission.tokens and self._limits.tokens is not None:
                await self.store.settle(self.name, admission, tokens)
        finally:
            self._free()

    async def refund(self, admission: Admission) -> None:
        """Give everything back: the request was never sent."""
        try:
            await self.store.refund(self.name, admission)
        finally:
            self._free()

    async def pause(self, seconds: float) -> None:
        """Admit nothing for so long: the provider asked for it."""
        await self.store.pause(self.name, self._limits, seconds)

    async def told(self, remaining: Remaining) -> None:
        """Admit no more than the provider says is left."""
        await self.store.learn(self.name, self._limits, remaining)
        self._line.call()

    async def _try(self, admission: Admission) -> float:
        """Return 0.0 if admitted, the seconds to wait, or NEVER: until a slot is given back."""
        if self._slots == NEVER:
            return await self.store.take(self.name, self._limits, admission)
        with _LOCK:
            if self._busy >= self._slots:
                return NEVER
            self._busy += 1
        wait = NEVER
        try:
            wait = await self.store.take(self.name, self._limits, admission)
        finally:
            if wait:
                with _LOCK:
                    self._busy -= 1
        return wait

    def _free(self) -> None:
        if self._slots != NEVER:
            with _LOCK:
                self._busy -= 1
        if self._line.places:
            self._line.call()

    async def _queue(self, place: Place, admission: Admission, deadline: float) -> float:
        """Wait for one's turn; return how many seconds it took."""
        loop = place.loop
        began = loop.time()
        end = NEVER if self.max_wait is None else began + self.max_wait
        patience = min(end, deadline)
        if not place.head and patience != NEVER:
            ahead = (self._line.requests, self._line.tokens)
            late = await self.store.late(self.name, self._limits, ahead, patience - began)
            if late:
                raise self._too_long(late)
        while True:
            until, wait = end, None
            if place.head:
                wait = await self._try(admission)
                now = loop.time()
                if wait == 0.0:
                    return now - began
                if wait != NEVER:
                    if now + wait > patience:
                        raise self._too_long(wait)
                    until = now + wait
            if loop.time() >= end:
                raise self._too_long(None if wait == NEVER else wait)
            await self._line.wait(place, until)

    def _too_long(self, wait: float | None) -> QueueTimeout:
        seconds = "" if wait is None else f" for {wait:.3g} s more"
        limit = "the call's deadline allows" if self.max_wait is None else f"max_wait of {self.max_wait:g} s allows"
        return QueueTimeout(
            f"the line of {self.name!r} is too long: the request would wait{seconds}, longer than {limit}. "
            f"{self.waiting} stand in it, {self._busy} calls are under way",
            retry_after=wait,
        )
