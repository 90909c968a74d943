"""One connection of a `FaultServer`: reads requests, and writes, cuts, stalls and resets as it was told."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from callm.errors import ConfigError
from callm.testing.answers import Answer, Format, ping
from callm.testing.delivery import Delivery, deliver, head_of
from callm.testing.fault import Fault, parse_fault

PREFIX: Final = "/fault/"
"""Begins a path that carries its fault: `/fault/<name or JSON, percent-encoded>/v1/...`."""

_HEAD_END: Final = b"\r\n\r\n"
_LINGER: Final = struct.pack("ii", 1, 0)


class ReceivedRequest:
    """A request as the server saw it.

    Attributes:
        method, path, headers, body: of the request; names of headers in lower case, the path without a fault's prefix.
        connection: the number of the connection it came on, from 1.
        time: when it was complete, by `time.monotonic`.
        closed_at: when the end of its connection was seen, if before or after the answer's end; None until then.
        finished: whether the answer was written to its end.
    """

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes, connection: int) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.connection = connection
        self.time = time.monotonic()
        self.closed_at: float | None = None
        self.finished = False
        self._closed = threading.Event()

    @property
    def json(self) -> Any:
        """The body as Python data."""
        return msgspec.json.decode(self.body)

    @property
    def wire(self) -> Format:
        """The format that its path speaks."""
        return "anthropic" if self.path.partition("?")[0].endswith("/messages") else "openai_chat"

    def wait_closed(self, seconds: float = 5.0) -> float:
        """Wait until the connection's end was seen and return when that was, by `time.monotonic`.

        Raises:
            TimeoutError: it was not, in `seconds`.
        """
        if not self._closed.wait(seconds) or self.closed_at is None:
            raise TimeoutError(f"connection {self.connection} is still open after {seconds:g} s")
        return self.closed_at

    def close(self) -> None:
        """Note that the connection has ended."""
        if self.closed_at is None:
            self.closed_at = time.monotonic()
            self._closed.set()


class Log:
    """What a server keeps: the requests it received, oldest first, and its open connections."""

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self.open: set[Connection] = set()


class Connection(asyncio.Protocol):
    """One connection: requests one after the other."""

    _transport: asyncio.Transport

    def __init__(self, number: int, answer: Answer, choose: Callable[[ReceivedRequest], Fault], log: Log) -> None:
        """Answer as `choose` says, and note in `log`; `answer` is what a fault without one of its own says."""
        self._number = number
        self._answer = answer
        self._choose = choose
        self._log = log
        self._buffer = bytearray()
        self._requests: list[ReceivedRequest] = []
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # asyncio says so
        self._transport = transport
        self._log.open.add(self)
        # Or a second small write would wait for the acknowledgement of the first, up to 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the time."""
        del exc
        self._log.open.discard(self)
        for request in self._requests:
            request.close()
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """See asyncio."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """See asyncio."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Take bytes of requests."""
        self._buffer += data
        self._next()

    def abort(self) -> None:
        """Drop the connection."""
        self._transport.abort()

    def _next(self) -> None:
        """Begin to answer the next request, if it is there and none is being answered."""
        if self._task is not None and not self._task.done():
            return
        request = self._parse()
        if request is not None:
            self._requests.append(request)
            self._log.requests.append(request)
            self._task = asyncio.get_running_loop().create_task(self._respond(request))
            self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.result()  # a bug of ours shows in the loop's exception handler
            if self._buffer and not self._transport.is_closing():
                self._next()

    def _parse(self) -> ReceivedRequest | None:
        head, found, rest = bytes(self._buffer).partition(_HEAD_END)
        if not found:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body, left = _body(headers, rest)
        if body is None:
            if headers.get("expect") == "100-continue" and not rest:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        self._buffer[:] = left
        method, path, _ = f"{first}  ".split(" ", 2)
        return ReceivedRequest(method, path, headers, body, self._number)

    async def _respond(self, request: ReceivedRequest) -> None:
        try:
            fault = _own_fault(request) or self._choose(request)
        except ConfigError as error:
            self._refuse(400, str(error))
            return
        wire = request.wire
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.at is not None and fault.at < 0:
            await self._happen(fault)
        if self._transport.is_closing():
            return
        if fault.raw is not None:
            self._transport.write(fault.raw)
            self._transport.close()
        elif fault.pings is not None:
            await self._ping(fault, wire)
        elif not _known(request, fault):
            self._refuse(404, f"nothing is served at {request.path[:100]}")
        else:
            await self._deliver(deliver(fault, self._answer, wire, request.body), fault, request)

    async def _deliver(self, delivery: Delivery, fault: Fault, request: ReceivedRequest) -> None:
        # Head and first piece in one write, as real servers do it: a client must not rely on a pause between them.
        first = delivery.before[0] if delivery.before and not fault.pause else b""
        self._transport.write(delivery.head + first)
        await self._write(delivery.before[1 if first else 0 :], fault)
        if fault.at is not None and fault.at >= 0 and fault.then != "end":
            await self._happen(fault)
        await self._write(delivery.after, fault)
        if self._transport.is_closing():
            return
        request.finished = True
        self._transport.write(delivery.end)
        if not delivery.keeps or request.headers.get("connection") == "close":
            self._transport.close()
        elif fault.close_idle is not None:
            await asyncio.sleep(fault.close_idle)
            self._transport.close()

    async def _write(self, pieces: list[bytes], fault: Fault) -> None:
        for piece in pieces:
            if self._transport.is_closing():
                return
            if fault.pause:
                await asyncio.sleep(fault.pause)
            elif fault.size:
                await asyncio.sleep(0)
            self._transport.write(piece)
            await self._writable.wait()

    async def _happen(self, fault: Fault) -> None:
        """Do what the fault says for its position."""
        if fault.then == "stall":
            await asyncio.sleep(fault.seconds)
            return
        if fault.then == "reset":
            # A socket closed with a linger time of zero sends RST instead of FIN.
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
            self._transport.abort()
        elif self._transport.get_extra_info("sslcontext") is not None:
            self._transport.abort()  # without the goodbye of TLS
        else:
            self._transport.close()

    async def _ping(self, fault: Fault, wire: Format) -> None:
        self._transport.write(head_of(200, {"content-type": "text/event-stream", "connection": "close"}))
        while not self._transport.is_closing():
            self._transport.write(ping(wire))
            await asyncio.sleep(fault.pings or 0.0)

    def _refuse(self, status: int, message: str) -> None:
        body = msgspec.json.encode({"error": {"message": message, "type": "fault_server", "param": None, "code": None}})
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        self._transport.write(head_of(status, headers) + body)


def _own_fault(request: ReceivedRequest) -> Fault | None:
    """Return the fault that the request itself asks for, and take it out of its path."""
    if request.path.startswith(PREFIX):
        text, _, path = request.path.removeprefix(PREFIX).partition("/")
        request.path = f"/{path}"
        return parse_fault(unquote(text))
    text = request.headers.get("x-fault", "")
    return parse_fault(text) if text else None


def _known(request: ReceivedRequest, fault: Fault) -> bool:
    """Return whether there is an answer for the path; a fault with a body of its own has one for any."""
    given = fault.body is not None or fault.data is not None or fault.bomb is not None
    path = request.path.partition("?")[0]
    return given or fault.status != HTTPStatus.OK or path.endswith(("/chat/completions", "/messages"))


def _body(headers: dict[str, str], rest: bytes) -> tuple[bytes | None, bytes]:
    """Return the body of a request, or None while it is not complete, and what follows it."""
    if "chunked" not in headers.get("transfer-encoding", ""):
        length = int(headers.get("content-length", "0"))
        return (rest[:length], rest[length:]) if len(rest) >= length else (None, b"")
    body = b""
    while True:
        line, found, rest = rest.partition(b"\r\n")
        size = int(line.partition(b";")[0] or b"0", 16)
        if not found or len(rest) < size + 2:
            return None, b""
        if not size:
            return body, rest[2:]
        body, rest = body + rest[:size], rest[size + 2 :]
