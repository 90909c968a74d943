"""Leave a model alone that fails all the time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from callm.errors import CallmError, CircuitOpen
from callm.middleware.timeout import has_content
from callm.policy.breaker import Circuit
from callm.types.locks import lock_across_forks

if TYPE_CHECKING:
    from callm.types import Events, Model, Request

# One for all circuits, which may be shared by breakers: it is held for less than a microsecond.
_LOCK: Final = lock_across_forks()


@dataclass(frozen=True, slots=True)
class Breaker:
    """Refuse calls at once while the circuit is open, but for one that probes. Where the time limits are inside, silence counts.

    A probe has succeeded with its first content: others need not wait for the end of a long answer.

    Attributes:
        inner: the model.
        circuit: the state, shared by all calls of an endpoint and key.
    """

    inner: Model
    circuit: Circuit = field(default_factory=Circuit)

    @property
    def name(self) -> str:
        """The name of the model inside."""
        return self.inner.name

    async def stream(self, request: Request) -> Events:
        """See `Model.stream`.

        Raises:
            CircuitOpen: the model failed too often just now.
        """
        circuit, clock = self.circuit, asyncio.get_running_loop().time
        entry, probing = self._enter(clock())
        try:
            batches = self.inner.stream(request)
            try:
                async for batch in batches:
                    if probing and has_content(batch):
                        entry, probing = self._close(entry, clock()), False
                    yield batch
            finally:
                await batches.aclose()
        except CallmError as error:
            with _LOCK:
                circuit.fail(entry, clock(), error)
            raise
        except BaseException:
            with _LOCK:
                circuit.abandon(entry)
            raise
        with _LOCK:
            circuit.succeed(entry, clock())

    def _enter(self, now: float) -> tuple[int, bool]:
        """Return the number of the entry, and whether the call is the probe."""
        circuit = self.circuit
        with _LOCK:
            entry = circuit.enter(now)
            if entry is not None:
                return entry, circuit.state == "half_open"
            reason, wait = circuit.refusal(now)
        error = CircuitOpen(f"the circuit of {self.name} is {reason}", retry_after=wait)
        error.model = self.name
        raise error

    def _close(self, entry: int, now: float) -> int:
        """Report the probe's success, and return the number to report how its answer ends."""
        with _LOCK:
            self.circuit.succeed(entry, now)
            again = self.circuit.enter(now)
            return entry if again is None else again
