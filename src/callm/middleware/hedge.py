"""Ask a second time when an answer takes unusually long, and take what comes first.

1. The first attempt is given its time. If it has no content by then, or fails, the next one starts beside it.
2. The first content wins. Until then all events are held, so nothing is delivered twice.
3. The others are cancelled, and closed before the answer goes on. What they cost is told by their `AttemptFailed` events.
4. A budget caps how many attempts are added to those of all calls: when everything is slow, more traffic is no help.

The first content of each attempt is waited for in a task of its own; from there on the winner runs in its consumer's task.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from callm.errors import CallmError, ConfigError, LimitError
from callm.middleware.attempt import Attempt
from callm.middleware.fallback import check_models, falls_back
from callm.middleware.timeout import has_content
from callm.policy.latency import Latency
from callm.policy.retry_budget import RetryBudget
from callm.types import AttemptFailed, Selected
from callm.types.locks import lock_across_forks

if TYPE_CHECKING:
    from callm.types import Event, Events, Model, Request

_LOCK: Final = lock_across_forks()  # for the budgets and the latencies, which threads may share


def _tenth() -> RetryBudget:
    return RetryBudget(ratio=0.1, floor=10.0, per_second=0.0)


@dataclass(frozen=True, slots=True)
class Hedge:
    """Start another attempt when one takes long; the first content wins. `Response.answered_by` says whose it was.

    Attributes:
        models: the models, the preferred one first; attempts go round them, so one alone is asked twice.
        delay: the seconds after which the next attempt starts, or the `Latency` that measures them.
        max_hedges: how many attempts may follow the first.
        budget: how many attempts all calls may add; a tenth of the calls, and ten.
    """

    models: tuple[Model, ...]
    delay: float | Latency = field(default_factory=Latency)
    max_hedges: int = 1
    budget: RetryBudget = field(default_factory=_tenth)

    def __post_init__(self) -> None:
        check_models(self.models, "a hedge")
        most: Any = self.max_hedges
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise ConfigError(f"'max_hedges' must be a whole number, 1 or more, not {most!r}")
        if not isinstance(self.delay, Latency) and not self.delay >= 0:
            raise ConfigError(f"the 'delay' of a hedge must be a number of seconds, 0 or more, not {self.delay!r}")

    @property
    def name(self) -> str:
        """The names of the models, each once."""
        return " & ".join(dict.fromkeys(model.name for model in self.models))

    async def stream(self, request: Request) -> Events:
        """See `Model.stream`.

        Raises:
            CallmError: all attempts failed; it is the error of the last.
        """
        race = _Race(self, request)
        try:
            winner = await race.run()
            await race.close(but=winner)
            if told := race.told(winner):
                yield told
            if winner is None:
                raise race.failures[-1][1]
            winner.is_closed = True  # it will be
            batches = winner.batches
            try:
                for batch in winner.held:
                    yield batch
                winner.held.clear()
                async for batch in batches:
                    yield batch
            finally:
                await batches.aclose()
        finally:
            await race.close()


class _Racer:
    """One attempt, until its first content or its end. `held` is what came until then."""

    __slots__ = ("attempt", "batches", "began", "held", "is_closed", "model", "task")

    def __init__(self, model: Model, request: Request, now: float) -> None:
        self.model = model
        self.attempt = Attempt(request)
        self.held: list[list[Event]] = []
        self.batches = model.stream(request)
        self.began = now
        self.is_closed = False
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for batch in self.batches:
            self.attempt.see(batch)
            self.held.append(batch)
            if has_content(batch):
                return


class _Race:
    """The attempts of one call."""

    def __init__(self, hedge: Hedge, request: Request) -> None:
        self._hedge = hedge
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._racers: list[_Racer] = []
        self._left = hedge.max_hedges
        self.failures: list[tuple[_Racer, CallmError]] = []
        with _LOCK:
            hedge.budget.deposit()
            delay = hedge.delay
            self._delay = delay.percentile() if isinstance(delay, Latency) else delay

    async def run(self) -> _Racer | None:
        """Return the attempt whose content came first, or None if all failed."""
        self._start()
        while running := self._running():
            late = None if self._delay is None or not self._left else self._racers[-1].began + self._delay
            wait = None if late is None else max(0.0, late - self._loop.time())
            done, _ = await asyncio.wait(
                [racer.task for racer in running], timeout=wait, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                self._start_another()
            for racer in running:
                if racer.task in done and self._has_won(racer):
                    self._measure()
                    return racer
            if done and not self._running() and self._may_follow():
                self._start_another(free=isinstance(self.failures[-1][1], LimitError))  # which was not sent
        return None

    def told(self, winner: _Racer | None) -> list[Event]:
        """Return the events that say who was asked besides the winner, and what came of it."""
        failed = self.failures if winner is not None else self.failures[:-1]
        events = [event for racer, error in failed for event in racer.attempt.failed(error, racer.model.name)]
        if winner is None:
            return events
        lost = [racer for racer in self._racers if racer is not winner and racer not in [racer for racer, _ in failed]]
        return [*events, *(_hedged(racer, winner) for racer in lost), Selected(winner.model.name)]

    async def close(self, but: _Racer | None = None) -> None:
        """Cancel all attempts but one, and close them: to the end, also when the call is cancelled meanwhile."""
        others = [racer for racer in self._racers if racer is not but and not racer.is_closed]
        if others:
            await _to_the_end(asyncio.create_task(_close(others)))

    def _running(self) -> list[_Racer]:
        failed = [racer for racer, _ in self.failures]
        return [racer for racer in self._racers if racer not in failed]

    def _start(self) -> None:
        models = self._hedge.models
        model = models[len(self._racers) % len(models)]
        self._racers.append(_Racer(model, self._request, self._loop.time()))

    def _start_another(self, *, free: bool = False) -> None:
        with _LOCK:
            allowed = free or self._hedge.budget.withdraw(self._loop.time())
        self._left = self._left - 1 if allowed else 0
        if allowed:
            self._start()

    def _has_won(self, racer: _Racer) -> bool:
        """Return whether the attempt has content, or is whole without; note its error if it has failed."""
        try:
            racer.task.result()
        except CallmError as error:
            if not falls_back(error):
                raise
            error.model = error.model or racer.model.name
            self.failures.append((racer, error))
            return False
        return True

    def _may_follow(self) -> bool:
        """Return whether another attempt may do what the last one failed to do. The same model is not pressed."""
        racer, error = self.failures[-1]
        models = self._hedge.models
        if not self._left:
            return False
        return models[len(self._racers) % len(models)] is not racer.model or (
            error.retryable and error.retry_after is None
        )

    def _measure(self) -> None:
        """Note how long the first attempt took. If it lost, that is at least how long it has taken."""
        first, delay = self._racers[0], self._hedge.delay
        if isinstance(delay, Latency) and first not in [racer for racer, _ in self.failures]:
            with _LOCK:
                delay.add(self._loop.time() - first.began)


def _hedged(racer: _Racer, winner: _Racer) -> AttemptFailed:
    message = f"cancelled: {winner.model.name} had content first"
    return AttemptFailed(racer.model.name, "", "hedged", message, usage=racer.attempt.usage)


async def _close(racers: list[_Racer]) -> None:
    # Their errors are of no interest any more, whatever they are.
    for racer in racers:
        racer.task.cancel()
    await asyncio.gather(*(racer.task for racer in racers), return_exceptions=True)
    await asyncio.gather(*(racer.batches.aclose() for racer in racers), return_exceptions=True)
    for racer in racers:
        racer.is_closed = True


async def _to_the_end(task: asyncio.Task[None]) -> None:
    """Wait for the end of `task` whoever cancels meanwhile; the cancellation goes on afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
