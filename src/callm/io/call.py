"""One thing, two colours: what is written once as a coroutine or generator is used from async code and from sync code.

`Call` is awaited, or asked for `.result()`. `Dual` is iterated with `async for`, or with `for`. The sync side runs on the
portal's loop, so it works in threads, in notebooks and beneath a running loop.
"""

from __future__ import annotations

import warnings
from collections.abc import Coroutine
from contextlib import closing
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from callm.io import portal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
    from types import TracebackType

T = TypeVar("T")


class Call(Coroutine[Any, Any, T]):
    """A call that has not begun. `await call` or `call.result()` runs it; nothing happens before.

    It is a coroutine: `asyncio.create_task`, `gather`, `TaskGroup` and `asyncio.run` take it as it is.
    """

    __slots__ = ("_begun", "_make", "_running")

    def __init__(self, make: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Wrap `make`, which makes the coroutine that does the work."""
        self._make = make
        self._begun = False
        self._running: Coroutine[Any, Any, T] | None = None

    def __await__(self) -> Generator[Any, Any, T]:
        return self._start().__await__()

    def result(self) -> T:
        """Run the call from sync code and return what it returns. Ctrl-C cancels it."""
        return portal.run(self._start())

    def send(self, value: Any, /) -> Any:
        """See `Coroutine.send`."""
        return self._coroutine().send(value)

    def throw(self, *error: Any) -> Any:
        """See `Coroutine.throw`."""
        return self._coroutine().throw(*error)

    def close(self) -> None:
        """See `Coroutine.close`. A call that has not begun never will."""
        self._begun = True
        if self._running is not None:
            self._running.close()

    def _coroutine(self) -> Coroutine[Any, Any, T]:
        if self._running is None:
            self._running = self._start()
        return self._running

    def _start(self) -> Coroutine[Any, Any, T]:
        if self._begun:
            raise RuntimeError("this call has been run: make a new one to run it again")
        self._begun = True
        return self._make()

    def __del__(self) -> None:
        if not self._begun:
            self._begun = True
            warnings.warn("a callm call was made but never run: `await` it, or use `.result()`", RuntimeWarning, 2)


class Closing:
    """What is closed when its `with` or `async with` block is left."""

    def close(self) -> None:
        """Close, from sync code."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close, from async code."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class Dual(Closing, Generic[T]):
    """Items that come over time. Iterate it once, with `for` or `async for`; leave a `with` block to stop early."""

    def __init__(self) -> None:
        """Make a stream that begins when it is first iterated."""
        self._sync: Generator[T, None, None] | None = None
        self._async: AsyncGenerator[T, None] | None = None
        self._between: Callable[[], object] | None = None  # called by who reads, in their thread, behind each batch

    def batches(self) -> AsyncGenerator[list[T], None]:
        """Return the generator of lists of items behind this stream.

        It must not hold this object: nothing would then be closed when a loop is left early and the stream dropped.
        """
        raise NotImplementedError

    def __iter__(self) -> Iterator[T]:
        return self._items()

    def __aiter__(self) -> AsyncIterator[T]:
        return self._async_items()

    def close(self) -> None:
        """Stop reading, from sync code: the connection is closed at once. There is nothing to iterate afterwards."""
        if self._async is not None:
            raise RuntimeError("this stream is being read by async code: use `await stream.aclose()`")
        self._items().close()

    async def aclose(self) -> None:
        """Stop reading, from async code: the connection is closed at once. There is nothing to iterate afterwards."""
        if self._sync is not None:
            self._sync.close()
        else:
            await self._async_items().aclose()

    def _items(self) -> Generator[T, None, None]:
        if self._async is not None:
            raise RuntimeError("this stream is being read by async code")
        if self._sync is None:
            batches = self.batches()
            self._sync = _flatten_sync(batches, self._between)
        return self._sync

    def _async_items(self) -> AsyncGenerator[T, None]:
        if self._sync is not None:
            raise RuntimeError("this stream is being read by sync code")
        if self._async is None:
            batches = self.batches()
            self._async = _flatten_async(batches, self._between)
        return self._async


async def _flatten_async(
    batches: AsyncGenerator[list[T], None], between: Callable[[], object] | None
) -> AsyncGenerator[T, None]:
    try:
        async for batch in batches:
            for item in batch:
                yield item
            if between is not None:
                between()
    finally:
        await batches.aclose()


def _flatten_sync(
    batches: AsyncGenerator[list[T], None], between: Callable[[], object] | None
) -> Generator[T, None, None]:
    with closing(portal.iterate(batches)) as source:
        for batch in source:
            yield from batch
            if between is not None:
                between()
