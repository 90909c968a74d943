"""aiohttp's errors to ours, once: each message names the host and says what to do."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp.http_exceptions import HttpProcessingError

from callm.errors import CallmError, CallTimeout, ConfigError, ProtocolError, TransportError, TruncatedStream, quote

_PROXY_WANTS_CREDENTIALS: Final = 407

_BROKEN_TLS: Final = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS there: should the address begin with http://?",
    "RECORD_LAYER_FAILURE": "it does not speak TLS there: should the address begin with http://?",
    "CERTIFICATE_REQUIRED": "it asks for a client certificate: set client_certificate",
    "ALERT_UNKNOWN_CA": "it does not accept our client certificate",
    "BAD_CERTIFICATE": "it does not accept our client certificate",
    "UNSUPPORTED_PROTOCOL": "it speaks only a version of TLS that is no longer safe",
}


class Route(msgspec.Struct, frozen=True):
    """Where the request went. `host` and `proxy` are origins; `connect` is the time limit for connecting."""

    host: str
    proxy: str = ""
    connect: float | None = None


def unanswered(error: Exception, route: Route) -> CallmError:
    """Return the error to raise for one that came before the answer began."""
    translate = next((translate for kinds, translate in _TABLE if isinstance(error, kinds)), _lost)
    return translate(error, route)


def broken_body(error: BaseException, lost: BaseException | None, host: str, received: int) -> CallmError:
    """Return the error to raise for a body that did not come to its end after `received` bytes.

    `lost` is what the system said when the connection ended, or None if the server closed it.
    """
    if isinstance(error, HttpProcessingError):
        return ProtocolError(f"{host} sent a body that breaks the rules of HTTP ({quote(error.message)})")
    reason = _reason(lost) if lost is not None else "the server closed it"
    return TruncatedStream(
        f"the connection to {host} broke in the middle of the answer, after {received} bytes ({reason})"
    )


def _too_slow(error: Exception, route: Route) -> CallmError:
    del error
    through = f" through the proxy {route.proxy}" if route.proxy else ""
    limit = f" in {route.connect:g} s" if route.connect is not None else ""
    message = f"no connection to {route.host}{through}{limit}: check the address, the network and the firewall"
    return CallTimeout(message, phase="connect", seconds=route.connect)


def _proxy_refused(error: aiohttp.ClientHttpProxyError, route: Route) -> CallmError:
    if error.status == _PROXY_WANTS_CREDENTIALS:
        return _final(
            f"the proxy {route.proxy} wants credentials: write them into its address, http://user:password@host"
        )
    reason = f"HTTP {error.status} {quote(error.message)}"
    return TransportError(f"the proxy {route.proxy} did not connect us to {route.host}: {reason}")


def _no_proxy(error: aiohttp.ClientProxyConnectionError, route: Route) -> CallmError:
    return TransportError(f"the proxy {route.proxy} can't be reached ({_reason(error)}): check its address")


def _untrusted(error: aiohttp.ClientConnectorCertificateError, route: Route) -> CallmError:
    reason = getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
    return _final(
        f"the certificate of {route.host} can't be verified ({quote(reason)}). Where a private authority signs it, "
        "name its file as ca_file, or in SSL_CERT_FILE"
    )


def _unknown_name(error: aiohttp.ClientConnectorDNSError, route: Route) -> CallmError:
    name = route.proxy or route.host
    return TransportError(f"the name of {name} can't be resolved ({_reason(error)}): check the address, and DNS")


def _refused(error: aiohttp.ClientConnectorError, route: Route) -> CallmError:
    cause = error.__cause__
    if isinstance(cause, ConnectionRefusedError):
        return TransportError(
            f"nothing listens at {route.host} (connection refused): check the address, start the server"
        )
    return TransportError(f"no connection to {route.host} ({_reason(error)})")


def _not_http(error: aiohttp.ClientResponseError, route: Route) -> CallmError:
    return ProtocolError(f"{route.host} answered with something that is not HTTP, or not ours: {quote(error.message)}")


def _disconnected(error: aiohttp.ServerDisconnectedError, route: Route) -> CallmError:
    del error
    return TransportError(f"{route.host} closed the connection before it answered")


def _unusable(error: Exception, route: Route) -> CallmError:
    return ConfigError(f"the request to {route.host} can't be sent: {quote(str(error))}")


def _tls(error: Exception, route: Route) -> CallmError:
    text = str(error.__cause__ or error)
    reason = next((reason for code, reason in _BROKEN_TLS.items() if code in text), quote(text))
    return _final(f"no TLS connection to {route.host}: {reason}")


def _lost(error: Exception, route: Route) -> CallmError:
    if any(code in str(error) for code in _BROKEN_TLS):  # TLS 1.3: the server refuses us when we think all is well
        return _tls(error, route)
    return TransportError(f"the connection to {route.host} was lost before it answered ({_reason(error)})")


_TABLE: Final[tuple[tuple[type[Exception], Callable[[Any, Route], CallmError]], ...]] = (
    (aiohttp.ConnectionTimeoutError, _too_slow),
    (aiohttp.ClientHttpProxyError, _proxy_refused),
    (aiohttp.ClientProxyConnectionError, _no_proxy),
    (aiohttp.ClientConnectorCertificateError, _untrusted),
    (aiohttp.ClientConnectorDNSError, _unknown_name),
    (aiohttp.ClientConnectorSSLError, _tls),
    (aiohttp.ClientConnectorError, _refused),
    (aiohttp.ServerDisconnectedError, _disconnected),
    (aiohttp.ClientResponseError, _not_http),
    (aiohttp.ClientOSError, _lost),  # before ValueError, which `ssl` mixes into some of them
    (ValueError, _unusable),
)


def _final(message: str) -> TransportError:
    """Return an error that another attempt can't mend."""
    error = TransportError(message)
    error.retryable = False
    return error


def _reason(error: BaseException) -> str:
    """Return the system's words for `error`, without aiohttp's dressing."""
    cause = error.__cause__ if isinstance(error, aiohttp.ClientError) else error
    if isinstance(cause, socket.gaierror | ssl.SSLError):
        return str(cause.strerror or cause)
    if isinstance(cause, OSError) and cause.strerror:
        return str(cause.strerror)
    return quote(str(cause or error) or type(error).__name__)
