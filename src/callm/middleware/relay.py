"""A stream that steps out of the way.

Every generator between the network and the caller costs each batch of events about 0.3 us. What only watches for the
beginning (a retry, a fallback) needs to be there no longer once the attempt can't be replaced any more: from then on the
batches of the model inside are handed through without it. Where nothing is streamed there are too few of them to gain by it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from callm.types import Event, Events


class Relay(AsyncGenerator["list[Event]", None]):
    """The stream of a middleware. Its generator may set `rest` to the stream inside, and is then asked no more."""

    __slots__ = ("_generator", "rest")

    def __init__(self, make: Callable[[Relay], Events]) -> None:
        """Relay what `make(self)`, a generator, yields."""
        self.rest: Events | None = None
        self._generator = make(self)

    def __anext__(self) -> Awaitable[list[Event]]:  # type: ignore[override]  # an awaitable is what the language asks for
        """Return the next batch."""
        return (self._generator if self.rest is None else self.rest).__anext__()

    async def asend(self, value: None, /) -> list[Event]:
        """See `AsyncGenerator.asend`."""
        del value
        return await self.__anext__()

    async def athrow(self, *error: Any) -> list[Event]:
        """See `AsyncGenerator.athrow`."""
        return await self._generator.athrow(*error)

    async def aclose(self) -> None:
        """Close the generator, which closes what it holds."""
        await self._generator.aclose()
