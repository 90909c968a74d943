"""TLS settings to contexts. A context costs 15-20 ms to make, so each is made late and shared by the whole process."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache

from callm.errors import ConfigError
from callm.io.transport_config import TransportConfig
from callm.types import Secret


def ssl_context(config: TransportConfig) -> ssl.SSLContext:
    """Return the context for `config`: the same one for the same settings.

    Raises:
        ConfigError: a file can't be read or is no certificate or key.
    """
    if config.ssl_context is not None:
        return config.ssl_context
    environment = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))  # OpenSSL reads them itself
    return _make(
        config.ca_file,
        (config.client_certificate, config.client_key, config.client_key_password),
        config.insecure_skip_verify,
        environment,
    )


@lru_cache(maxsize=32)
def _make(
    ca_file: str | None,
    client: tuple[str | None, str | None, Secret | None],
    insecure: bool,  # noqa: FBT001  # a cache key
    environment: tuple[str | None, str | None],
) -> ssl.SSLContext:
    del environment  # part of the cache key: another environment, another context
    certificate, key, password = client
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # `ssl.SSLError` is one
        raise ConfigError(f"ca_file {ca_file!r} can't be read as PEM certificates: {error}") from error
    if certificate is not None:
        # Without a callback OpenSSL would ask for a missing password on the terminal.
        asked = password.reveal if password is not None else lambda: ""
        try:
            context.load_cert_chain(certificate, key, asked)
        except OSError as error:
            raise ConfigError(f"client_certificate {certificate!r} or its key can't be loaded: {error}") from error
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
