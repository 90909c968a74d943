"""The transport of the provider `local`: models that run on this machine, in a process of their own.

The request's path chooses the format and its `model` the file, so codecs and everything above them see an HTTP server like any
other. The server starts with the first request and ends with this process.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from callm.errors import ConfigError
from callm.io.aiohttp_transport import AiohttpTransport
from callm.io.local_server import CONTEXT, SERVERS, Settings
from callm.io.local_weights import MODELS, find_library, find_model
from callm.io.transport_config import TransportConfig

if TYPE_CHECKING:
    from callm.io.transport import HTTPResponse, Transport
    from callm.types import Timeouts
    from callm.wire.codec import HTTPRequest

SCHEME: Final = "local:"
"""How the URLs begin that are for this transport."""

_DIRECT: Final = TransportConfig(trust_env=False)  # no proxy of the environment lies between
# The server drops an idle connection after 5 seconds; a new one to this machine costs less than to be wrong about that.
_CLOSE: Final = {"connection": "close"}


class _Body(msgspec.Struct):
    model: str = next(iter(MODELS))


class LocalTransport:
    """Sends requests to models on this machine, and starts their servers when they are first needed."""

    def __init__(self, http: Transport | None = None, *, context: int = CONTEXT, threads: int | None = None) -> None:
        """Make a transport; nothing is started before the first request.

        Args:
            http: what reaches the servers, through no proxy.
            context: how many tokens prompt and answer may have together.
            threads: how many threads compute; one less than there are cores when not given.
        """
        self._http: Transport = http or AiohttpTransport(_DIRECT)
        self._context = context
        self._threads = threads or max(1, (os.cpu_count() or 1) - 1)  # one more and a busy neighbour stalls them all

    @asynccontextmanager
    async def send(self, request: HTTPRequest, timeouts: Timeouts) -> AsyncGenerator[HTTPResponse, None]:
        """Send `request` to the server of its model. See `Transport.send`.

        Raises:
            ConfigError: the runtime or the model's file is missing or can't be loaded.
        """
        address = await asyncio.wrap_future(SERVERS.start(self._settings(_model(request))))
        headers = {**request.headers, **_CLOSE, "authorization": address.key.prefixed("Bearer ")}
        url = address.url + _path(request.url)
        async with self._http.send(msgspec.structs.replace(request, url=url, headers=headers), timeouts) as response:
            yield response

    async def aclose(self) -> None:
        """Close every connection. The servers stay, for other transports of this process use them too."""
        await self._http.aclose()

    def _settings(self, model: str) -> Settings:
        path, library = find_model(model), find_library()
        return Settings(
            path=str(path),
            alias=model if model in MODELS else path.stem,
            library=str(library),
            context=self._context,
            answer=MODELS[model].answer if model in MODELS else -1,
            threads=self._threads,
        )


def _model(request: HTTPRequest) -> str:
    try:
        return msgspec.json.decode(request.body or b"{}", type=_Body).model
    except msgspec.MsgspecError as error:
        raise ConfigError(f"a request to a local model needs a JSON body with a text as 'model': {error}") from error


def _path(url: str) -> str:
    """Return the server's path for a URL: codecs differ in whether `v1` is theirs or the base URL's."""
    return "/v1/" + url.removeprefix(SCHEME).lstrip("/").removeprefix("v1/")
