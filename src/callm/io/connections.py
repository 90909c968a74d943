"""The connections of one event loop, on aiohttp's connector.

1. Connections belong to the loop that made them, so every loop has its own. An async generator that the loop closes when it
   shuts down (`asyncio.run` does) closes them: nothing is left open, and nothing complains.
2. What can't be closed any more (the loop is closed, or is the parent process's after a fork) is let go without I/O.
3. A connection is used again only while it is connected, silent, and younger than its lifetime.
4. The total is not aiohttp's business but that of `Slots`, which serves in order and has an error of its own.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import weakref
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

import aiohttp
from aiohttp.client_proto import ResponseHandler

from callm.io.forked import keep
from callm.io.slots import Slots
from callm.io.transport_config import TransportConfig

if TYPE_CHECKING:
    from aiohttp.connector import Connection

_KEEPALIVE: Final = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4))
"""A model may think for minutes without a byte, and NAT gateways forget a connection silent for 350 s."""

_READ: Final = 64 * 1024
"""The most bytes of one read. asyncio's own 256 KiB are so many that malloc maps pages for each read and unmaps them again, which
takes about 10 us."""


class Attempt(Protocol):
    """One try to send a request, as the connector sees it."""

    fresh: bool
    """Whether only a new connection will do."""
    line: Line | None
    """The connection it got."""


ATTEMPT: Final[ContextVar[Attempt | None]] = ContextVar("callm_attempt", default=None)
"""The attempt that the running task makes: aiohttp has no other way to hand it through to the connector."""


class Line(ResponseHandler):
    """A connection that knows its age, how often it was used, and whether the answer has begun."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.born = monotonic()
        self.uses = 0
        self.received = False
        self.lost: BaseException | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read little at a time, and switch on TCP keep-alive, where the system has it."""
        super().connection_made(transport)
        if hasattr(transport, "max_size"):  # asyncio's for plain sockets; under TLS there is one buffer for all reads
            vars(transport)["max_size"] = _READ
        sock = transport.get_extra_info("socket")
        if sock is None:
            return
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE:
                if hasattr(socket, name):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def data_received(self, data: bytes) -> None:
        """Note that the answer has begun."""
        self.received = True
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Keep the error: for a body that ends with its connection, it alone tells a break from the end."""
        self.lost = exc
        super().connection_lost(exc)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """Pass an error of the framing on to whoever reads the body; aiohttp 3.14 would leave them waiting for ever."""
        super().set_exception(exc, *(() if exc_cause is None else (exc_cause,)))
        body = self._payload
        if body is not None and body.exception() is None and not body.is_eof():
            body.set_exception(exc)


class _Connector(aiohttp.TCPConnector):
    """aiohttp's connector, choosier about used connections."""

    def __init__(self, config: TransportConfig) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType]  # a tuple without its types, in theirs
            limit=0, keepalive_timeout=config.idle, timeout_ceil_threshold=sys.maxsize
        )
        self._lifetime = config.lifetime
        self._lines: weakref.WeakSet[Line] = weakref.WeakSet()
        self._factory: Callable[[], Line] = self._make_line  # type: ignore[assignment]  # theirs is a `partial`

    def _make_line(self) -> Line:
        line = Line(self._loop)
        self._lines.add(line)
        return line

    @property
    def closed(self) -> bool:
        """Whether no connection can be made any more. A loop that does not run makes none, and is no cause to complain."""
        return self._closed or not self._loop.is_running()

    def __del__(self, _: object = None) -> None:
        # aiohttp's would warn; but whoever drops a transport of ours need not close it first.
        if not self._closed:
            self.abandon()

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        """Return a connection for the current attempt."""
        attempt = ATTEMPT.get()
        while True:
            connection = await super().connect(*args, **kwargs)
            line = connection.protocol
            if attempt is None or not isinstance(line, Line):  # another aiohttp: without our extras
                return connection
            # A server may have said goodbye (a 408, say) in the silence: it would be taken for the next answer.
            stale = line.uses and (attempt.fresh or line.should_close or monotonic() - line.born > self._lifetime)
            if not stale:
                line.uses += 1
                line.received = False
                attempt.line = line
                return connection
            connection.close()

    def abandon(self) -> None:
        """Drop every connection without the loop, which has ended or will."""
        self._closed = True
        self._conns.clear()
        self._acquired.clear()
        for line in list(self._lines):
            transport, line.transport = line.transport, None
            if transport is not None:
                _drop(transport, ended=self._loop.is_closed())


def _drop(transport: asyncio.Transport, *, ended: bool) -> None:
    """Close `transport`, at once if its loop has `ended`: what asyncio would do in the loop's next turn is done here."""
    with suppress(RuntimeError):  # the loop is closed
        transport.abort()
    socket_transport = getattr(getattr(transport, "_ssl_protocol", None), "_transport", transport)
    finish = getattr(socket_transport, "_call_connection_lost", None)
    if ended and finish is not None:
        with suppress(RuntimeError):
            finish(None)


class Connections:
    """What one event loop needs to send requests."""

    def __init__(self, config: TransportConfig, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.closed = False
        self.slots = Slots(config.pool_size, config.pool_size_per_host)
        self._timeouts: dict[float | None, aiohttp.ClientTimeout] = {}
        self._connector = _Connector(config)
        self.session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # it has no caps
            max_line_size=config.max_header,
            max_field_size=config.max_header,
        )
        # aiohttp would send idempotent requests again, whatever had arrived of the answer.
        self.session._retry_connection = False  # pyright: ignore[reportPrivateUsage]  # its own test client sets it, too
        self._guard = _close_with_loop(self)
        _start_guard(self._guard)

    def timeout(self, connect: float | None) -> aiohttp.ClientTimeout:
        """Return aiohttp's form of the time limit for connecting, the only one that is its business."""
        timeout = self._timeouts.get(connect)
        if timeout is None:
            if len(self._timeouts) > 100:  # noqa: PLR2004  # somebody computes them
                self._timeouts.clear()
            timeout = aiohttp.ClientTimeout(total=None, connect=connect, ceil_threshold=sys.maxsize)
            self._timeouts[connect] = timeout
        return timeout

    async def close(self) -> None:
        """Close every connection. In the loop they belong to."""
        self.closed = True
        await self.session.close()

    def close_soon(self) -> None:
        """Close every connection, from any thread."""
        if self.loop.is_closed():
            self.abandon()
            return
        with suppress(RuntimeError):  # it was closed meanwhile
            self.loop.call_soon_threadsafe(self._close_in_task)

    def abandon(self) -> None:
        """Let go of everything without I/O and without a warning."""
        self.closed = True
        self.session.detach()
        self._connector.abandon()

    def inherit(self) -> None:
        """Leave everything as it is, for ever: it is the parent process's."""
        self.closed = True
        keep(self)

    def _close_in_task(self) -> None:
        self._closing = self.loop.create_task(self.close())


async def _close_with_loop(connections: Connections) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        try:
            in_loop = asyncio.get_running_loop() is connections.loop
        except RuntimeError:
            in_loop = False
        if in_loop:
            await connections.close()
        else:
            connections.abandon()


def _start_guard(guard: AsyncGenerator[None, None]) -> None:
    """Run `guard` to its yield, so that the loop knows it and closes it at `shutdown_asyncgens`.

    Without the finalizer hook, which would wake a loop (after a fork: the parent's) when the guard is collected.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(finalizer=None)
    try:
        with suppress(StopIteration):
            guard.__anext__().__await__().__next__()
    finally:
        sys.set_asyncgen_hooks(*hooks)
