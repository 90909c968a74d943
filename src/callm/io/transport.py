"""The seam to the network: what a transport must do. It knows no provider, and codecs know no transport."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from callm.types import Timeouts
from callm.wire.codec import HTTPRequest


class HTTPResponse(Protocol):
    """An HTTP answer whose body is read as it comes."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""

    async def read(self) -> bytes:
        """Return the bytes that have arrived, waiting for the first; empty at the end of the body.

        Raises:
            TransportError: the connection broke.
        """
        ...


class Transport(Protocol):
    """Sends requests. Leaving the context closes or releases the connection, whatever was read."""

    def send(self, request: HTTPRequest, timeouts: Timeouts) -> AbstractAsyncContextManager[HTTPResponse]:
        """Send `request`; entering the context waits for status and headers.

        Raises:
            TransportError: the server can't be reached or the connection broke.
            CallTimeout: connecting, or waiting for a free connection, took too long.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...
