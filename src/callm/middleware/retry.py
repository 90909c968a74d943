"""Try the same model again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from callm.errors import CallmError
from callm.middleware.attempt import Attempt
from callm.middleware.relay import Relay
from callm.policy.backoff import Backoff
from callm.policy.retry_budget import RetryBudget

if TYPE_CHECKING:
    from callm.types import Events, Model, Request


@dataclass(frozen=True, slots=True)
class Retry:
    """Try the same model again while its errors say that this may help. The one layer of retries there should be.

    Every failed attempt but the last is announced by an `AttemptFailed` event; the last one raises its error, whose
    `attempts` says how many there were.

    Attributes:
        inner: the model.
        backoff: how often, and how long to wait.
        budget: how many retries all calls that share it may make; None sets no limit.
        random: the dice of the jitter.
    """

    inner: Model
    backoff: Backoff = Backoff()  # noqa: RUF009  # it is frozen
    budget: RetryBudget | None = None
    random: Random = field(default_factory=Random, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name of the model inside."""
        return self.inner.name

    def stream(self, request: Request) -> Events:
        """See `Model.stream`."""
        if request.stream:
            return Relay(lambda relay: self._stream(request, relay))
        return self._stream(request, None)

    async def _stream(self, request: Request, relay: Relay | None) -> Events:
        if self.budget is not None:
            self.budget.deposit()
        number = 0
        while True:
            number += 1
            attempt = Attempt(request, number)
            try:
                batches = self.inner.stream(request)
                try:
                    async for batch in batches:
                        # Of a later attempt, an error has still to learn its number.
                        if attempt.see(batch) and number == 1 and relay is not None:
                            relay.rest = batches
                        yield batch
                finally:
                    await batches.aclose()
            except CallmError as error:
                failure = error
            else:
                return
            wait = self._wait(failure, number, attempt, request)
            if wait is None:
                failure.attempts, failure.model = number, failure.model or self.name
                raise failure
            announcement = attempt.failed(failure, self.name, wait)
            failure = None  # type: ignore[assignment]  # its traceback holds this frame
            yield announcement
            await asyncio.sleep(wait)

    def _wait(self, error: CallmError, number: int, attempt: Attempt, request: Request) -> float | None:
        """Return how long to wait before the next attempt, or None to give up."""
        wait = self.backoff.delay(number, error, self.random) if attempt.replaceable else None
        if wait is None:
            return None
        now, deadline = asyncio.get_running_loop().time(), request.options.deadline
        if deadline is not None and now + wait >= deadline:
            error.add_note(f"not tried again: the wait of {wait:.3g} s would pass the call's deadline")
            return None
        if self.budget is not None and not self.budget.withdraw(now):
            error.add_note("not tried again: the retry budget of the client is used up")
            return None
        return wait
