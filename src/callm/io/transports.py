"""Which transport serves which address."""

from __future__ import annotations

from callm.errors import ConfigError
from callm.io.transport import Transport
from callm.version import __version__


class Transports:
    """The transports of a client and its copies: one for each kind of address, made when it is first needed.

    No lock: making one opens nothing, so one too many does no harm, and a fork can't leave a lock behind that is held.
    """

    def __init__(self, given: Transport | None = None) -> None:
        """Use `given` for every address, or make what each of them takes."""
        self._given = given
        self._made: dict[str, Transport] = {}
        self._closed = False

    def get(self, url: str) -> Transport:
        """Return the transport for `url`.

        Raises:
            ConfigError: they were closed.
        """
        if self._closed:
            raise ConfigError("this client was closed: make a new one")
        if self._given is not None:
            return self._given
        scheme = url.partition(":")[0]
        return self._made.get(scheme) or self._made.setdefault(scheme, _transport(scheme))

    async def aclose(self) -> None:
        """Close all of them, for good."""
        self._closed = True
        given = [] if self._given is None else [self._given]
        for transport in (*self._made.values(), *given):
            await transport.aclose()


def _transport(scheme: str) -> Transport:
    if scheme == "local":
        from callm.io.local import LocalTransport  # noqa: PLC0415  # loads the runtime of an extra

        return LocalTransport()
    from callm.io.aiohttp_transport import AiohttpTransport  # noqa: PLC0415  # 100 ms of import, for who needs it
    from callm.io.transport_config import TransportConfig  # noqa: PLC0415  # likewise

    return AiohttpTransport(TransportConfig(user_agent=f"callm/{__version__}"))
