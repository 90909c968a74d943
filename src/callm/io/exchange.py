"""One HTTP request and its answer.

1. It takes one slot of the pool, then one connection. A body read to its end gives the connection back; leaving earlier
   closes it at once.
2. A request that died on a connection that had been idle, before a byte of the answer came, is sent again, once: the server
   had closed that connection, and no client can know it sooner. Nothing else is ever sent twice here.
3. Keys and prompts go to the origin they are addressed to: redirects are followed there and nowhere else.
4. How long content may take is the business of others: here only connecting and waiting for the pool have limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from callm.errors import ConfigError, ProtocolError
from callm.io.address import Address, origin
from callm.io.connections import ATTEMPT, Connections, Line
from callm.io.inflate import Inflate
from callm.io.network_errors import Route, broken_body, unanswered
from callm.io.transport_config import TransportConfig
from callm.types import Timeouts
from callm.wire.codec import HTTPRequest

if TYPE_CHECKING:
    from aiohttp import ClientResponse, StreamReader

MAX_REDIRECTS: Final = 3
"""How many redirects within one origin are followed."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SEE_OTHER: Final = 303
_LARGE: Final = 1024 * 1024  # bytes beyond which aiohttp wants a file, to let the loop breathe between its pieces
_BROKEN: Final = (aiohttp.ClientError, HttpProcessingError, OSError)
_FAILED: Final = (*_BROKEN, ValueError)


class Exchange:
    """The context that `Transport.send` returns, and the `HTTPResponse` that entering it gives."""

    __slots__ = (
        "_address",
        "_config",
        "_connections",
        "_content",
        "_inflate",
        "_received",
        "_request",
        "_response",
        "_timeouts",
        "fresh",
        "headers",
        "line",
        "status",
    )
    status: int
    headers: Mapping[str, str]
    _response: ClientResponse
    _content: StreamReader

    def __init__(
        self,
        request: HTTPRequest,
        timeouts: Timeouts,
        address: Address,
        connections: Connections,
        config: TransportConfig,
    ) -> None:
        self._request = request
        self._timeouts = timeouts
        self._address = address
        self._connections = connections
        self._config = config
        self._inflate: Inflate | None = None
        self._received = 0
        self.fresh = False
        self.line: Line | None = None

    async def __aenter__(self) -> Self:
        slots, host = self._connections.slots, self._address.origin
        if not slots.take(host):
            await slots.wait(host, self._timeouts.pool)
        try:
            response = await self._open()
            try:
                self._begin(response)
            except BaseException:
                response.close()
                raise
        except BaseException:
            slots.give(host)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            connection = self._response.connection
            if connection is not None and connection.transport is not None and not self._content.is_eof():
                # At once: `close` would wait for the peer's goodbye under TLS, and for bytes that were not sent yet.
                connection.transport.abort()
            self._response.release()
        finally:
            self._connections.slots.give(self._address.origin)

    async def read(self) -> bytes:
        """See `HTTPResponse.read`."""
        while True:
            try:
                data = await self._content.readany()
            except _BROKEN as error:
                data = self._content._read_nowait(-1)  # pyright: ignore[reportPrivateUsage]  # `read_nowait` raises, though something had come
                if not data:
                    raise broken_body(error, self._lost, self._address.origin, self._received) from error
            if not data:
                self._check_end()
                return data
            if self._inflate is not None:
                data = self._inflate.feed(data)
            self._received += len(data)
            if self._received > self._config.max_body:
                raise ProtocolError(
                    f"{self._address.origin} sends more than {self._config.max_body} bytes: refused (see max_body)"
                )
            if data:
                return data

    def _begin(self, response: ClientResponse) -> None:
        self._response = response
        self._content = response.content
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        encoding = self.headers.get("content-encoding", "").lower()
        if encoding not in {"", "identity"}:
            self._inflate = Inflate(encoding, limit=self._config.max_body, ratio=self._config.max_ratio)

    def _check_end(self) -> None:
        if self._inflate is not None:
            self._inflate.close()
        lost = self._lost
        if lost is not None and "content-length" not in self.headers and "transfer-encoding" not in self.headers:
            # Such a body ends where its connection ends (RFC 9112, 6.3); this one did not end, it broke.
            raise broken_body(lost, lost, self._address.origin, self._received) from lost

    @property
    def _lost(self) -> BaseException | None:
        return self.line.lost if self.line is not None else None

    async def _open(self) -> ClientResponse:
        """Send the request, follow redirects, and return the answer."""
        method, body, url, headers = self._request.method, self._request.body, self._address.url, self._headers()
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._send(method, url, headers, body)
            location = response.headers.get("location")
            if response.status not in _REDIRECTS or location is None:
                return response
            response.close()
            url = self._redirected(url, location)
            if response.status == _SEE_OTHER:
                method, body = "GET", b""
                headers.pop("content-type", None)
        raise ConfigError(f"{self._address.origin} redirects more than {MAX_REDIRECTS} times: check the base URL")

    async def _send(self, method: str, url: URL, headers: dict[str, str], body: bytes) -> ClientResponse:
        """Send once, or once more if the connection had died while it was idle."""
        options: dict[str, Any] = self._address.options
        timeout = self._connections.timeout(self._timeouts.connect)
        request = self._connections.session.request
        self.fresh = False
        token = ATTEMPT.set(self)
        try:
            while True:
                self.line = None
                data = body if len(body) < _LARGE else BytesIO(body)
                try:
                    return await request(
                        method,
                        url,
                        data=data or None,
                        headers=headers,
                        timeout=timeout,
                        allow_redirects=False,
                        **options,
                    )
                except _FAILED as error:
                    if not self._died_idle(error):
                        raise unanswered(error, self._route()) from error
                    self.fresh = True
                except RuntimeError as error:
                    if not self._connections.session.closed:
                        raise
                    raise ConfigError("this client was closed, in another thread, before the call was sent") from error
        finally:
            ATTEMPT.reset(token)

    def _died_idle(self, error: Exception) -> bool:
        if self.line is None or self.line.uses < 2 or self.line.received:  # noqa: PLR2004  # its first use was another's
            return False
        return isinstance(error, aiohttp.ServerDisconnectedError | OSError)

    def _route(self) -> Route:
        return Route(self._address.origin, self._address.proxy_origin, self._timeouts.connect)

    def _headers(self) -> dict[str, str]:
        # All that aiohttp would add by itself is here: telling it to leave something out costs 10 us a request.
        headers = {"user-agent": self._config.user_agent, "accept": "*/*"}
        for name, value in self._request.headers.items():
            headers[name] = value if isinstance(value, str) else value.reveal()
        if "accept-encoding" not in headers:
            # Proxies that pack a stream hold it back until a block is full, and events are too small to gain by it.
            stream = headers["accept"] == "text/event-stream"
            headers["accept-encoding"] = "identity" if stream else "gzip, deflate"
        return {**self._address.headers, **headers} if self._address.headers else headers

    def _redirected(self, url: URL, location: str) -> URL:
        """Return where a redirect leads.

        Raises:
            ConfigError: to another origin.
        """
        try:
            target = url.join(URL(location, encoded=location.isascii()))
        except ValueError as error:
            raise ProtocolError(f"{self._address.origin} redirects to something that is no address") from error
        if origin(target) != self._address.origin:
            raise ConfigError(
                f"{self._address.origin} redirects to {origin(target)}, where keys and prompts are not sent unasked: "
                "if that is right, make it the base URL"
            )
        return target
