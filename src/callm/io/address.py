"""Where a URL leads: origin, proxy, certificates. Worked out once for each URL."""

from __future__ import annotations

import base64
from urllib.request import getproxies, proxy_bypass

import msgspec
from yarl import URL

from callm.errors import ConfigError
from callm.io.tls import ssl_context
from callm.io.transport_config import TransportConfig
from callm.types import reveal


class Address(msgspec.Struct, frozen=True):
    """What sending to one URL takes.

    Attributes:
        url: without credentials.
        origin: scheme, host and port, as messages name it and as connections are counted.
        headers: those for credentials that stood in the URL, and for a proxy that sees the whole request.
        proxy: the proxy's URL without credentials, or None.
        options: aiohttp's keyword arguments for TLS and proxy.
    """

    url: URL
    origin: str
    headers: dict[str, str]
    proxy: URL | None
    options: dict[str, object]

    @property
    def proxy_origin(self) -> str:
        """The proxy as messages name it, or an empty string."""
        return origin(self.proxy) if self.proxy is not None else ""


def resolve(text: str, config: TransportConfig) -> Address:
    """Return the address of the URL `text`.

    Raises:
        ConfigError: it is no URL, or the proxy for it is none, or a certificate file can't be read.
    """
    url = parse(text)
    proxy = _proxy(url, config)
    options: dict[str, object] = {"ssl": True}
    headers = _basic("authorization", url)
    if url.scheme == "https" or (proxy is not None and proxy.scheme == "https"):
        options["ssl"] = ssl_context(config)
    if proxy is not None:
        credentials, proxy = _basic("proxy-authorization", proxy), _bare(proxy)
        options["proxy"] = proxy
        if url.scheme == "https":
            options["proxy_headers"] = credentials  # go with CONNECT, so the tunnel's other end does not see them
        else:
            headers |= credentials
    return Address(_bare(url), origin(url), headers, proxy, options)


def parse(text: str) -> URL:
    """Return `text` as a URL, which it must be."""
    try:
        url = URL(text, encoded=text.isascii())  # encoding an encoded URL again would change it
        usable = url.scheme in {"http", "https"} and bool(url.host) and url.port is not None
    except ValueError:
        usable = False
        url = URL()
    if not usable:
        raise ConfigError(f"{text[:100]!r} is no http:// or https:// address: check the base URL")
    return url


def origin(url: URL) -> str:
    """Return scheme, host and port; the port only where it is not the scheme's."""
    return f"{url.scheme}://{url.host_port_subcomponent}"


def _proxy(url: URL, config: TransportConfig) -> URL | None:
    """Return the proxy that the settings or the environment name for `url`."""
    text = reveal(config.proxy) if config.proxy is not None else ""
    if not text and config.trust_env:
        proxies = getproxies()
        named = proxies.get(url.scheme) or proxies.get("all")
        if named and not proxy_bypass(f"{url.host}:{url.port}") and not proxy_bypass(url.host or ""):
            text = named if "://" in named else f"http://{named}"
    if not text:
        return None
    try:
        proxy = URL(text)
        if proxy.scheme in {"http", "https"} and proxy.host:
            return proxy
    except ValueError:
        pass
    shown = text.rpartition("@")[2][:100]
    raise ConfigError(f"the proxy {shown!r} can't be used: write http://host:port (SOCKS proxies are not supported)")


def _bare(url: URL) -> URL:
    return url.with_user(None) if url.raw_user is not None or url.raw_password is not None else url


def _basic(name: str, url: URL) -> dict[str, str]:
    """Return the header `name` for the credentials in `url`, if there are any (RFC 7617)."""
    if url.user is None and url.password is None:
        return {}
    pair = f"{url.user or ''}:{url.password or ''}"
    return {name: "Basic " + base64.b64encode(pair.encode()).decode()}
