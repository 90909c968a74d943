"""The parts that `Client` is made of, for those who compose their own loop.

    request = client.build_request(callm.Request("hi", stream=True))
    accumulator = callm.Accumulator("openai_chat")
    async with callm.open_sse(request) as stream:
        while events := await stream.next():
            accumulator.add(events)
    accumulator.close()

`open_sse` sends any HTTP request and gives the server-sent events as they arrive; `Accumulator` adds the events of one
provider's format up. Both serve sync code too: `with`, and `stream.next().result()`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from callm.errors import CallmError, ConfigError, ProtocolError, quote
from callm.io import portal
from callm.io.call import Call, Closing
from callm.io.endpoint import error_body
from callm.types import Response, Timeouts
from callm.wire.api_error import api_error
from callm.wire.codec import HTTPRequest, Target
from callm.wire.providers import FORMATS, PROVIDERS, codec
from callm.wire.sse import ServerSentEvent, SSEDecoder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from callm.io.transport import HTTPResponse, Transport
    from callm.types import Event, FinishReason, Usage


class SSEStream(Closing):
    """A stream of server-sent events over HTTP. Made by `open_sse`; use it in the loop, or the thread, it was opened in."""

    def __init__(self, request: HTTPRequest, transport: Transport, timeouts: Timeouts, *, owned: bool) -> None:
        """Prepare; nothing is sent before the first `next`. An `owned` transport is closed with the stream."""
        # A generator, because the event loop closes one that nobody holds any more.
        self._connection = _connect(request, transport, timeouts, owned=owned)
        self._answer: HTTPResponse | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._decoder = SSEDecoder()
        self._ended = False

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer, names in lower case; empty before the first `next`."""
        return {} if self._answer is None else dict(self._answer.headers)

    def next(self) -> Call[list[ServerSentEvent] | None]:
        """Return the events that have arrived, waiting for the first; None at the end.

        Raises:
            APIError: the server refused; the class says why.
            ProtocolError: the answer is no event stream.
            TransportError: the connection failed.
        """
        return Call(self._next)

    async def _next(self) -> list[ServerSentEvent] | None:
        if self._ended:
            return None
        try:
            answer = self._answer or await self._open()
            self._check_loop()
            while data := await answer.read():
                if events := self._decoder.feed(data):
                    return events
            events = self._decoder.close()
        except CallmError:
            await self.aclose()
            raise
        await self.aclose()
        return events or None

    async def _open(self) -> HTTPResponse:
        self._loop = asyncio.get_running_loop()
        try:
            answer = await anext(self._connection)
        except BaseException:
            self._ended = True
            raise
        self._answer = answer
        content_type = answer.headers.get("content-type", "")
        if not 200 <= answer.status < 300:  # noqa: PLR2004  # the success statuses of RFC 9110, 15.3
            raise api_error(answer.status, answer.headers, await error_body(answer))
        if content_type and not content_type.lower().startswith("text/event-stream"):
            body = quote(await error_body(answer))
            message = f"expected an event stream, but the answer is {content_type[:80]}: {body}"
            raise ProtocolError(message, status=answer.status, body=body)
        return answer

    def _check_loop(self) -> None:
        if self._loop is not None and self._loop is not asyncio.get_running_loop() and not self._loop.is_closed():
            raise ConfigError("this stream was opened in another event loop: use it where it was opened")

    async def aclose(self) -> None:
        """Close the connection, from async code. A second time does nothing."""
        if not self._ended:
            self._check_loop()
            self._ended = True
            await self._connection.aclose()

    def close(self) -> None:
        """Close the connection, from sync code."""
        portal.run(self.aclose())


async def _connect(
    request: HTTPRequest, transport: Transport, timeouts: Timeouts, *, owned: bool
) -> AsyncGenerator[HTTPResponse, None]:
    try:
        async with transport.send(request, timeouts) as answer:
            yield answer
    finally:
        if owned:
            await transport.aclose()


def open_sse(
    request: HTTPRequest, *, transport: Transport | None = None, timeouts: Timeouts | None = None
) -> SSEStream:
    """Open a stream of server-sent events on any HTTP request.

    Args:
        request: what to send; `client.build_request(...)` makes one, or write your own `HTTPRequest`.
        transport: what sends it; one of its own, closed with the stream, when not given.
        timeouts: how long to wait for the connection; the content timeouts are the caller's own business here.
    """
    if transport is not None:
        return SSEStream(request, transport, timeouts or Timeouts(), owned=False)
    from callm.io.aiohttp_transport import AiohttpTransport  # noqa: PLC0415  # aiohttp is imported by who needs it

    return SSEStream(request, AiohttpTransport(), timeouts or Timeouts(), owned=True)


class Accumulator:
    """Adds the server-sent events of one answer up. `response` has all of it; the properties are its short names."""

    def __init__(self, format: str) -> None:  # noqa: A002  # the field's word for it
        """Take the name of a wire format (`openai_chat`, `anthropic`) or of a provider that speaks one.

        Raises:
            ConfigError: no format or provider has this name.
        """
        row = PROVIDERS.get(format)
        if row is None and format not in FORMATS:
            known = ", ".join(sorted({*FORMATS, *PROVIDERS}))
            raise ConfigError(f"unknown format {format!r}: use one of {known}")
        spoken = codec(row.format if row is not None else format)
        target = Target("", "") if row is None else Target("", "", provider=row.name, quirks=row.quirks)
        self._frames: Any = spoken.frames(target)
        self.response = Response()

    def add(self, events: Iterable[ServerSentEvent]) -> list[Event]:
        """Take server-sent events and return what they mean.

        Raises:
            CallmError: the stream reports an error, or is not of the format; `error.response` has what came before.
        """
        out: list[Event] = []
        try:
            for event in events:
                if self._frames.is_done:
                    break
                self._frames.add(event, out)
        except CallmError as error:
            error.response = self.response
            raise
        finally:
            self.response.add(out)
        return out

    def close(self) -> Response:
        """Say that the stream has ended, and return the response.

        Raises:
            TruncatedStream: the terminal marker never came.
        """
        out: list[Event] = []
        try:
            if not self._frames.is_done:
                self._frames.close(out)
        except CallmError as error:
            error.response = self.response
            raise
        finally:
            self.response.add(out)
        return self.response

    @property
    def content(self) -> str:
        """The text so far."""
        return self.response.text

    @property
    def is_done(self) -> bool:
        """Whether the provider's terminal marker came."""
        return bool(self._frames.is_done)

    @property
    def model(self) -> str:
        """The model that answers, in the provider's words."""
        return self.response.model

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the answer ended; None until it has."""
        return self.response.finish_reason

    @property
    def usage(self) -> Usage:
        """The tokens; fields are None while unknown."""
        return self.response.usage
