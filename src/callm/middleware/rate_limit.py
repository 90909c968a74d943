"""Keep within the provider's rate limits, by waiting in line before sending."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callm.errors import CallmError, ConfigError, LimitError, RateLimitError
from callm.middleware.limiter import Limiter
from callm.middleware.meter import Meter
from callm.policy.estimate import estimate_input, estimate_output
from callm.types import ResponseHeaders, Waited
from callm.wire.rate_limits import remaining

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callm.types import Event, Events, Model, Request


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Send a request when the limits allow it. A wait shows as a `Waited` event.

    The tokens are reserved by estimate and settled by the usage. A request that the provider refused stays counted, without
    its tokens; one that was never sent, because something of ours refused it, is not counted.

    Attributes:
        inner: the model.
        limiter: the limits, and who waits for them.
    """

    inner: Model
    limiter: Limiter

    @property
    def name(self) -> str:
        """The name of the model inside."""
        return self.inner.name

    async def stream(self, request: Request) -> Events:
        """See `Model.stream`.

        Raises:
            QueueTimeout: the wait would be too long. Nothing was sent.
        """
        limiter, options = self.limiter, request.options
        prompt = tokens = 0
        if limiter.tokens_per_minute is not None or limiter.learn:
            prompt = estimate_input(request)
            tokens = prompt + estimate_output(request)
        admission, waited = await limiter.acquire(options.weight, tokens, options.deadline)
        meter, error, left = Meter(prompt), None, True
        try:
            if waited:
                yield [Waited(limiter.name, waited)]
            batches = self.inner.stream(request)
            try:
                async for batch in batches:
                    meter.see(batch)
                    if limiter.learn:
                        await self._learn(batch)
                    yield batch
            finally:
                await batches.aclose()
            left = False
        except CallmError as failure:
            error, left = failure, False
            if isinstance(failure, RateLimitError) and failure.retry_after:
                await limiter.pause(failure.retry_after)
            raise
        finally:
            spent = meter.tokens(error, left=left)
            if meter.cached or (not spent and isinstance(error, LimitError | ConfigError)):
                await limiter.refund(admission)
            else:
                await limiter.release(admission, spent)
            del error  # its traceback holds this frame

    async def _learn(self, batch: Sequence[Event]) -> None:
        for event in batch:
            if isinstance(event, ResponseHeaders):
                told = remaining(event.headers, time.time())
                if told is not None:
                    await self.limiter.told(told)
