"""One call under way: from a model's events to the response, and the stream that hands them out."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING

from callm.errors import CallmError, ConfigError
from callm.io.call import Dual
from callm.middleware.deadline import CallWatch
from callm.middleware.timeout import has_content
from callm.parse.finish import check_finish
from callm.types import Event, Response, TextDelta

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from callm.types import Model, Request


class ResponseStream(Dual[Event]):
    """The events of one answer as they come. Iterate it, then read `response`; `text_stream` gives the text alone."""

    def __init__(self, find: Callable[[], Model], request: Request) -> None:
        """Prepare the stream; it begins when it is first iterated, and then asks `find` for the model."""
        super().__init__()
        self._find = find
        self._request = request
        self._begun = False
        self._text: Dual[str] | None = None
        self.response = Response()

    @property
    def request(self) -> Request:
        """What is asked."""
        return self._request

    def batches(self) -> AsyncGenerator[list[Event], None]:
        """Return the events in the lists in which they arrive."""
        if self._begun:
            raise RuntimeError("this stream is being read already, as events or as text: make a new one to read again")
        self._begun = True
        return run(self._find(), self._request, self.response)

    @property
    def text_stream(self) -> Dual[str]:
        """The text deltas alone. Iterate this or the stream, not both.

        Raises:
            ConfigError: with `on_break="restart"`: text alone can't say that what came is to be discarded.
        """
        if self._request.options.on_break == "restart":
            raise ConfigError('with on_break="restart" read the events: text alone can\'t say that it begins anew')
        if self._text is None:
            self._text = _TextStream(self.batches())
        return self._text

    def close(self) -> None:
        """See `Dual.close`."""
        if self._text is not None:
            self._text.close()
        else:
            super().close()

    async def aclose(self) -> None:
        """See `Dual.aclose`."""
        if self._text is not None:
            await self._text.aclose()
        else:
            await super().aclose()


class _TextStream(Dual[str]):
    def __init__(self, events: AsyncGenerator[list[Event], None]) -> None:
        super().__init__()
        self._events = events

    def batches(self) -> AsyncGenerator[list[str], None]:
        return _texts(self._events)


async def _texts(events: AsyncGenerator[list[Event], None]) -> AsyncGenerator[list[str], None]:
    try:
        async for batch in events:
            if texts := [event.text for event in batch if type(event) is TextDelta]:
                yield texts
    finally:
        await events.aclose()


async def run(model: Model, request: Request, response: Response) -> AsyncGenerator[list[Event], None]:
    """Yield the batches of events of a call while `response` adds them up."""
    running = _Running(request, response)
    try:
        running.begin()
        batches = model.stream(running.limit(request))
        try:
            async for batch in batches:
                running.waiting = False
                running.take(batch)
                yield batch
                running.begin()
        except asyncio.CancelledError as cancelled:
            running.translate(cancelled)
            raise
        finally:
            running.waiting = False
            await batches.aclose()
        running.finish()
    except CallmError as error:
        running.fail(error)
        raise
    finally:
        running.close()


async def collect(find: Callable[[str], Model], request: Request, response: Response) -> Response:
    """Run a call to its end and return `response`, which adds its events up. `find` returns the model of a name.

    Like `run`, without the generator that nobody reads; and as no consumer works in between, all of it is one wait.
    """
    model = find(request.model)
    running = _Running(request, response)
    try:
        running.begin()
        batches = model.stream(running.limit(request))
        try:
            async for batch in batches:
                if running.error is not None:  # somebody inside has used the cancellation up
                    raise running.error
                running.take(batch)
        except asyncio.CancelledError as cancelled:
            running.translate(cancelled)
            raise
        finally:
            running.waiting = False
            await batches.aclose()
        running.finish()
    except CallmError as error:
        running.fail(error)
        raise
    finally:
        running.close()
    return response


class _Running(CallWatch):
    """A call under way: its clock, and the response that adds its events up."""

    __slots__ = ("_options", "_output", "_response", "_started")

    def __init__(self, request: Request, response: Response) -> None:
        self._started = perf_counter()
        self._options = request.options
        self._output = request.output
        self._response = response
        CallWatch.__init__(self, request.options)  # `super` costs more

    def take(self, batch: list[Event]) -> None:
        """Add a batch to the response, and tell who wants to know."""
        response = self._response
        response.add(batch)
        if response.time_to_first_content is None and has_content(batch):
            response.time_to_first_content = perf_counter() - self._started
        if self._options.on_tick is not None:
            self._options.on_tick(batch)

    def finish(self) -> None:
        """Read the type that was wanted."""
        if self._output is not None:
            check_finish(self._response)
            self._response.output = self._output.parse(self._response.text)

    def fail(self, error: CallmError) -> None:
        """Let error and response know each other."""
        error.response, self._response.error = self._response, error

    def close(self) -> None:
        """Stop the clock, and tell those who want to know."""
        CallWatch.close(self)
        self._response.duration = perf_counter() - self._started
        for collector in self._options.collectors:
            collector.collect(self._response, self._options)
