"""The one place where a codec meets a transport. An endpoint is a `Model`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from callm.errors import APIError, CallmError, TransportError
from callm.types import Event, Notice, ResponseHeaders
from callm.wire.error_body import request_id

if TYPE_CHECKING:
    from callm.io.transport import HTTPResponse, Transport
    from callm.types import Events, Request
    from callm.wire.codec import Codec, Decoder, Target

MAX_ERROR_BODY: Final = 1024 * 1024
"""How many bytes of an error's body are read, at most."""

_LINGER: Final = 0.25
"""How many seconds to wait, behind the terminal marker, for the end of the body that lets the connection be used again."""

_SHORTEST_KEY: Final = 8
"""How many characters a key has at least to be looked for in errors: a shorter one is a dummy, and may be a word."""


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
        """Send `request` and yield its events, those of the headers also before an error. See `Model.stream`."""
        wire = self.codec.encode(request, self.target)
        async with self.transport.send(wire, request.options.timeouts) as answer:
            head: list[Event] = [self._headers(answer), *map(Notice, wire.notices)]
            try:
                decoder = await self._decoder(answer, request)
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
                    head = []
                    if events:
                        yield events
                    if decoder.error is not None:
                        raise decoder.error
                    return
            except CallmError as error:
                if head:
                    yield head
                self._complete(error, answer)
                raise
            await _drain(answer)

    def _headers(self, answer: HTTPResponse) -> ResponseHeaders:
        return ResponseHeaders(answer.status, dict(answer.headers), request_id(answer.headers), self.name)

    async def _decoder(self, answer: HTTPResponse, request: Request) -> Decoder:
        if 200 <= answer.status < 300:  # noqa: PLR2004  # the success statuses of RFC 9110, 15.3
            return self.codec.decoder(self.target, stream=_is_stream(answer, request))
        headers = answer.headers
        if "date" not in headers:  # a wait until a time is counted from the server's clock, or else from ours
            headers = {**headers, "date": datetime.now(UTC).isoformat()}
        raise self.codec.error(answer.status, headers, await error_body(answer), self.target)

    def _complete(self, error: CallmError, answer: HTTPResponse) -> None:
        """Give `error` the model and the id of the request, and take the key out of it, should the server have repeated it."""
        error.model = self.name
        if isinstance(error, APIError) and error.request_id is None:
            error.request_id = request_id(answer.headers)
        key = self.target.api_key.reveal() if self.target.api_key is not None else ""
        if len(key) < _SHORTEST_KEY:
            return
        error.args = tuple(part.replace(key, "***") if isinstance(part, str) else part for part in error.args)
        for name, value in vars(error).items():
            if isinstance(value, str):
                vars(error)[name] = value.replace(key, "***")


def _is_stream(answer: HTTPResponse, request: Request) -> bool:
    """Decide by what came, not by what was asked: servers answer a stream with a JSON body, mostly to say what is wrong."""
    content_type = answer.headers.get("content-type", "").lower()
    if content_type.startswith("text/event-stream"):
        return True
    return request.stream and not content_type.startswith(("application/json", "text/html", "text/plain"))


async def error_body(answer: HTTPResponse) -> bytes:
    """Return the body of an answer that is no success, as much of it as comes and as an error may have."""
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
