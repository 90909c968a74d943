"""The typed value of a call, growing while the model writes."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from callm.io.call import Dual
from callm.types import Restarted, TextDelta

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from callm.calls import ResponseStream
    from callm.parse.output import Output
    from callm.types import Event, Response

T = TypeVar("T")


class ValueStream(Dual[T], Generic[T]):
    """Partial values of type `T`, then the whole one.

        with extract.stream(text) as stream:
            for partial in stream: ...
        stream.result

    A partial value has the fields that have come so far; the others are None. In async code use `async for`, and
    `await stream` for the result. Values only grow, but with `on_break="restart"`, where they may begin anew.
    """

    def __init__(self, events: ResponseStream, output: Output[T]) -> None:
        """Read `events` as values of `output`."""
        super().__init__()
        self._events = events
        self._output = output
        self._whole: list[T] = []

    @property
    def response(self) -> Response:
        """What has come so far: text, usage, times."""
        return self._events.response

    @property
    def result(self) -> T:
        """The whole value. In sync code it reads what is left of the stream first.

        Raises:
            CallmError: the call failed; the same error that iterating raises.
            RuntimeError: the stream was closed before its end, or is read by async code: use `await stream` there.
        """
        if not self._whole and self.response.error is None:
            if self._async is not None:
                raise RuntimeError("the stream has not ended: iterate it to its end, or use `await stream`")
            for _ in self:
                pass
        return self._value()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._rest().__await__()

    async def _rest(self) -> T:
        if not self._whole and self.response.error is None:
            async for _ in self:
                pass
        return self._value()

    def _value(self) -> T:
        if self.response.error is not None:
            raise self.response.error
        if not self._whole:
            raise RuntimeError("the stream was closed before its end: there is no result")
        return self._whole[0]

    def batches(self) -> AsyncGenerator[list[T], None]:
        """Return the partial values in the lists in which they arrive."""
        values = _values(self._events.batches(), self._events.response, self._output, self._whole)
        options = self._events.request.options
        if options.min_interval > 0:
            values = _spaced(values, options.min_interval)
        return values if options.on_partial is None else _shown(values, options.on_partial)


async def _values(
    events: AsyncGenerator[list[Event], None], response: Response, output: Output[T], whole: list[T]
) -> AsyncGenerator[list[T], None]:
    """Yield the partial values, and put the whole one into `whole` at the end, which is not reached by who leaves early."""
    partial = output.partial()
    async with aclosing(events) as batches:
        async for batch in batches:
            values: list[T] = []
            for event in batch:
                if type(event) is TextDelta:
                    value = partial.feed(event.text)
                    if value is not None:
                        values.append(value)
                elif type(event) is Restarted:
                    partial = output.partial()
            if values:
                yield values
    whole.append(response.output)


async def _shown(
    batches: AsyncGenerator[list[T], None], tell: Callable[[Any], object]
) -> AsyncGenerator[list[T], None]:
    async with aclosing(batches) as values:
        async for batch in values:
            for value in batch:
                tell(value)
            yield batch


async def _spaced(batches: AsyncGenerator[list[T], None], interval: float) -> AsyncGenerator[list[T], None]:
    """Yield the newest value at most once in `interval` seconds, and the last one always."""
    newest: list[T] = []
    news = asyncio.Event()

    async def read() -> None:
        async with aclosing(batches) as source:
            async for batch in source:
                newest[:] = batch[-1:]
                news.set()

    # A task of its own: it closes what it reads, however often whoever waits for it here is cancelled.
    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda _: news.set())
    try:
        while newest or not reading.done():
            await news.wait()
            news.clear()
            if newest:
                yield [newest.pop()]
                await asyncio.wait({reading}, timeout=interval)
        reading.result()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
