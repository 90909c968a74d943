"""What a user may decide about connections: pool, proxy, certificates, caps."""

from __future__ import annotations

import ssl
from typing import Final

import msgspec

from callm.errors import ConfigError
from callm.types import Secret

MEGABYTE: Final = 1024 * 1024

_POSITIVE: Final = ("pool_size", "idle", "lifetime", "max_body", "max_ratio", "max_header")


class TransportConfig(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """How a transport connects. Sizes are bytes, times are seconds.

    Attributes:
        pool_size: the most requests under way at once, in each event loop; more wait their turn.
        pool_size_per_host: likewise for one host; 0 sets no limit beside `pool_size`.
        idle: how long an unused connection is kept.
        lifetime: the age beyond which a connection takes no new request, so that changes in DNS are seen.
        proxy: `http://user:password@host:port`; it wins over the environment.
        trust_env: whether HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are read, when an address is first used.
        ca_file: a PEM file of authorities to trust instead of the system's. SSL_CERT_FILE does it for the whole process.
        client_certificate: a PEM file with the certificate to show to servers, and its key unless `client_key` has it.
        client_key: a PEM file with the certificate's key.
        client_key_password: what opens `client_key`.
        ssl_context: used as it is, instead of all of the above about certificates.
        insecure_skip_verify: accept any certificate: whoever sits on the line can read the keys. For tests only.
        max_body: the most bytes an answer may have, unpacked.
        max_ratio: the most times a packed answer may grow, once it has grown beyond 8 MB.
        max_header: the most bytes one line of an answer's head may have.
        user_agent: sent unless the request names another.
    """

    pool_size: int = 512
    pool_size_per_host: int = 0
    idle: float = 50.0  # load balancers commonly drop a connection after 60
    lifetime: float = 600.0
    proxy: Secret | str | None = None
    trust_env: bool = True
    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    client_key_password: Secret | None = None
    ssl_context: ssl.SSLContext | None = None
    insecure_skip_verify: bool = False
    max_body: int = 256 * MEGABYTE
    max_ratio: int = 200
    max_header: int = 16 * 1024
    user_agent: str = "callm"

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name!r} must be above 0, not {getattr(self, name)!r}")
        if self.pool_size_per_host < 0:
            raise ConfigError(f"'pool_size_per_host' must be 0 (no limit) or above, not {self.pool_size_per_host!r}")
        own = self.ca_file or self.client_certificate or self.client_key or self.insecure_skip_verify
        if self.ssl_context is not None and own:
            raise ConfigError(
                "'ssl_context' already says what to trust: leave out ca_file, client_* and insecure_skip_verify"
            )
        if self.client_key is not None and self.client_certificate is None:
            raise ConfigError("'client_key' needs 'client_certificate', the certificate that belongs to it")
