"""One thing, two colours: what is written once as a coroutine or generator is used from async code and from sync code.

`Call` is awaited, or asked for `.result()`. `Dual` is iterated with `async for`, or with `for`. The sync side runs on the
portal's loop, so it works in threads, in notebooks and beneath a running loop.
"""

from __future__ import annotations

import warnings
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from callm.io import portal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
    from types import TracebackType

T = TypeVar("T")


class Call(Generic[T]):
    """A call that has not begun. `await call` or `call.result()` runs it; nothing happens before."""

    __slots__ = ("_begun", "_make")

    def __init__(self, make: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Wrap `make`, which makes the coroutine that does the work."""
        self._make = make
        self._begun = False

    def __await__(self) -> Generator[Any, Any, T]:
        return self._start().__await__()

    def result(self) -> T:
        """Run the call from sync code and return what it returns. Ctrl-C cancels it."""
        return portal.run(self._start())

    def _start(self) -> Coroutine[Any, Any, T]:
        if self._begun:
            raise RuntimeError("this call has been run: make a new one to run it again")
        self._begun = True
        return self._make()

    def __del__(self) -> None:
        if not self._begun:
            self._begun = True
            warnings.warn("a callm call was made but never run: `await` it, or use `.result()`", RuntimeWarning, 2)


class Dual(Generic[T]):
    """Items that come over time. Iterate it once, with `for` or `async for`; leave a `with` block to stop early."""

    def __init__(self) -> None:
        """Make a stream that begins when it is first iterated."""
        self._sync: Generator[T, None, None] | None = None
        self._async: AsyncGenerator[T, None] | None = None

    def batches(self) -> AsyncGenerator[list[T], None]:
        """Return the generator of lists of items behind this stream."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[T]:
        if self._async is not None:
            raise RuntimeError("this stream is being read by async code")
        if self._sync is None:
            self._sync = _flatten_sync(self.batches)
        return self._sync

    def __aiter__(self) -> AsyncIterator[T]:
        if self._sync is not None:
            raise RuntimeError("this stream is being read by sync code")
        if self._async is None:
            self._async = _flatten_async(self.batches)
        return self._async

    def close(self) -> None:
        """Stop reading, from sync code: the connection is closed at once."""
        if self._async is not None:
            raise RuntimeError("this stream is being read by async code: use `await stream.aclose()`")
        if self._sync is not None:
            self._sync.close()

    async def aclose(self) -> None:
        """Stop reading, from async code: the connection is closed at once."""
        if self._async is not None:
            await self._async.aclose()

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


async def _flatten_async(batches: Callable[[], AsyncGenerator[list[T], None]]) -> AsyncGenerator[T, None]:
    async with aclosing(batches()) as source:
        async for batch in source:
            for item in batch:
                yield item


def _flatten_sync(batches: Callable[[], AsyncGenerator[list[T], None]]) -> Generator[T, None, None]:
    with closing(portal.iterate(batches())) as source:
        for batch in source:
            yield from batch
