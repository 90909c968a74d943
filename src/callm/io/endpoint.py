"""The one place where a codec meets a transport. An endpoint is a `Model`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from callm.errors import TransportError
from callm.types import Event, Notice, ResponseHeaders
from callm.wire.error_body import request_id

if TYPE_CHECKING:
    from callm.io.transport import HTTPResponse, Transport
    from callm.types import Events, Request
    from callm.wire.codec import Codec, Target

MAX_ERROR_BODY: Final = 1024 * 1024
"""How many bytes of an error's body are read, at most."""

_LINGER: Final = 0.25
"""How many seconds to wait, behind the terminal marker, for the end of the body that lets the connection be used again."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model at one address."""

    codec: Codec
    target: Target
    transport: Transport

    @property
    def name(self) -> str:
        """The provider and the model."""
        return f"{self.target.provider}/{self.target.model}"

    async def stream(self, request: Request) -> Events:
        """Send `request` and yield its events. See `Model.stream`."""
        wire = self.codec.encode(request, self.target)
        async with self.transport.send(wire, request.options.timeouts) as answer:
            if not 200 <= answer.status < 300:  # noqa: PLR2004  # the success statuses of RFC 9110, 15.3
                raise self.codec.error(answer.status, answer.headers, await _error_body(answer), self.target)
            head: list[Event] = [_headers(answer), *map(Notice, wire.notices)]
            decoder = self.codec.decoder(self.target, stream=_is_stream(answer, request))
            while data := await answer.read():
                events = decoder.feed(data)
                if events:
                    yield head + events if head else events
                    head = []
                if decoder.error is not None:
                    raise decoder.error
                if decoder.is_done:
                    break
            else:
                events = head + decoder.close()
                if events:
                    yield events
                if decoder.error is not None:
                    raise decoder.error
                return
            await _drain(answer)


def _headers(answer: HTTPResponse) -> ResponseHeaders:
    headers = answer.headers
    return ResponseHeaders(answer.status, dict(headers), request_id(headers))


def _is_stream(answer: HTTPResponse, request: Request) -> bool:
    """Decide by what came, not by what was asked: servers answer a stream with a JSON body, mostly to say what is wrong."""
    if not request.stream:
        return False
    content_type = answer.headers.get("content-type", "")
    return not content_type.startswith(("application/json", "text/html", "text/plain"))


async def _error_body(answer: HTTPResponse) -> bytes:
    body = bytearray()
    with suppress(TransportError):  # the status is the news; half a body is better than none
        while len(body) < MAX_ERROR_BODY and (data := await answer.read()):
            body += data
    return bytes(body[:MAX_ERROR_BODY])


async def _drain(answer: HTTPResponse) -> None:
    with suppress(TransportError, TimeoutError):  # the answer is whole: how its connection ends does not matter
        async with asyncio.timeout(_LINGER):
            while await answer.read():
                pass
