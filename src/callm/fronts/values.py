"""The typed value of a call, growing while the model writes."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from callm.io.call import Dual
from callm.types import TextDelta

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from callm.client import ResponseStream
    from callm.parse.output import Output
    from callm.types import Response

T = TypeVar("T")


class ValueStream(Dual[T], Generic[T]):
    """Partial values of type `T`, then the whole one.

        with extract.stream(text) as stream:
            for partial in stream: ...
        stream.result

    A partial value has the fields that have come so far; the others are None. In async code use `async for`, and
    `await stream` for the result.
    """

    def __init__(self, events: ResponseStream, output: Output[T]) -> None:
        """Read `events` as values of `output`."""
        super().__init__()
        self._events = events
        self._output = output

    @property
    def response(self) -> Response:
        """What has come so far: text, usage, times."""
        return self._events.response

    @property
    def result(self) -> T:
        """The whole value. In sync code it reads what is left of the stream first.

        Raises:
            CallmError: the call failed; the same error that iterating raises.
            RuntimeError: the stream is read by async code and has not ended: use `await stream`.
        """
        response = self.response
        if response.error is not None:
            raise response.error
        if not self._finished:
            if self._async is not None:
                raise RuntimeError("the stream has not ended: iterate it to its end, or use `await stream`")
            for _ in self:
                pass
        return self._value()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._rest().__await__()

    async def _rest(self) -> T:
        if self.response.error is not None:
            raise self.response.error
        async for _ in self:
            pass
        return self._value()

    def _value(self) -> T:
        if not self._finished:
            raise RuntimeError("the stream was closed before its end: there is no result")
        value: T = self.response.output
        return value

    @property
    def _finished(self) -> bool:
        return self.response.is_done and self.response.duration is not None and self.response.error is None

    async def batches(self) -> AsyncGenerator[list[T], None]:
        """Return the partial values in the lists in which they arrive."""
        options = self._events.request.options
        tell = options.on_partial
        values = self._values() if options.min_interval <= 0 else _spaced(self._values(), options.min_interval)
        async with aclosing(values) as batches:
            async for batch in batches:
                if tell is not None:
                    for value in batch:
                        tell(value)
                yield batch

    async def _values(self) -> AsyncGenerator[list[T], None]:
        partial = self._output.partial()
        async with aclosing(self._events.batches()) as batches:
            async for batch in batches:
                texts = [event.text for event in batch if type(event) is TextDelta]
                values = [value for text in texts if (value := partial.feed(text)) is not None]
                if values:
                    yield values


async def _spaced(batches: AsyncGenerator[list[T], None], interval: float) -> AsyncGenerator[list[T], None]:
    """Yield the newest value at most once in `interval` seconds, and the last one always."""
    loop = asyncio.get_running_loop()
    newest: list[T] = []
    due = loop.time()
    coming = asyncio.ensure_future(anext(batches, None))
    try:
        while True:
            await asyncio.wait({coming}, timeout=max(0.0, due - loop.time()) if newest else None)
            if coming.done():
                batch = coming.result()
                if batch is None:
                    break
                newest = batch[-1:]
                coming = asyncio.ensure_future(anext(batches, None))
            if newest and loop.time() >= due:
                yield newest
                newest, due = [], loop.time() + interval
        if newest:
            yield newest
    finally:
        coming.cancel()
        await asyncio.wait({coming})
        await batches.aclose()
