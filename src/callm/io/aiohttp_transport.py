"""The `Transport` that the library uses: HTTP/1.1 on aiohttp, from any event loop, thread and process."""

from __future__ import annotations

import asyncio
import os
import warnings
import weakref
from typing import Final

from callm.errors import ConfigError
from callm.io.address import Address, resolve
from callm.io.connections import Connections
from callm.io.exchange import Exchange
from callm.io.transport_config import TransportConfig
from callm.types import Timeouts
from callm.wire.codec import HTTPRequest

_MANY_ADDRESSES: Final = 1000


class AiohttpTransport:
    """Sends requests. Each event loop has its own connections, so one transport serves all loops, threads and forks."""

    def __init__(self, config: TransportConfig | None = None) -> None:
        """Make a transport; nothing is opened before the first request."""
        self.config = config or TransportConfig()
        if self.config.insecure_skip_verify:
            warnings.warn(
                "insecure_skip_verify is on: TLS certificates are not checked, so anybody on the line can read the keys",
                RuntimeWarning,
                stacklevel=2,
            )
        self._addresses: dict[str, Address] = {}
        self._loops: dict[asyncio.AbstractEventLoop, Connections] = {}
        self._closed = False
        self._own()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.config!r})"

    def send(self, request: HTTPRequest, timeouts: Timeouts) -> Exchange:
        """See `Transport.send`."""
        return Exchange(request, timeouts, self._address(request.url), self._connections(), self.config)

    async def aclose(self) -> None:
        """Close every connection, those of other loops too. The transport can't be used any more."""
        self._closed = True
        here = self._loops.pop(asyncio.get_running_loop(), None)
        _close_all(self._loops, self._pid)
        if here is not None:
            await here.close()

    def _address(self, url: str) -> Address:
        address = self._addresses.get(url)
        if address is None:
            if len(self._addresses) >= _MANY_ADDRESSES:
                self._addresses.clear()
            address = self._addresses[url] = resolve(url, self.config)
        return address

    def _connections(self) -> Connections:
        loop = asyncio.get_running_loop()
        connections = self._loops.get(loop)
        if connections is None or connections.closed or self._pid != os.getpid():
            connections = self._connect(loop)
        return connections

    def _connect(self, loop: asyncio.AbstractEventLoop) -> Connections:
        if self._closed:
            raise ConfigError("this client was closed: make a new one")
        if self._pid != os.getpid():
            _close_all(self._loops, self._pid)
            self._own()
        for other in [other for other in self._loops if other.is_closed()]:
            self._loops.pop(other).abandon()
        connections = self._loops[loop] = Connections(self.config, loop)
        return connections

    def _own(self) -> None:
        """Note that the connections to come are this process's; close them when the transport is dropped."""
        self._pid = os.getpid()
        weakref.finalize(self, _close_all, self._loops, self._pid)


def _close_all(loops: dict[asyncio.AbstractEventLoop, Connections], pid: int) -> None:
    """Close the connections of every loop as well as can be done from here."""
    while loops:
        _, connections = loops.popitem()
        if pid == os.getpid():
            connections.close_soon()
        else:
            connections.inherit()
