"""Keys and addresses: what the caller gave, else what the environment has, else what the provider's row says."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import msgspec

from callm.errors import ConfigError, describe_type
from callm.types import Secret
from callm.wire.codec import Quirks, Target
from callm.wire.providers import Provider


def check_key(key: Any) -> Secret | None:
    """Return a key that a caller gave, so that nothing shows it.

    Raises:
        ConfigError: it is empty, or no text: most often a variable that is not set.
    """
    if key is None:
        return None
    if isinstance(key, str):
        key = Secret(key.strip())
    if not isinstance(key, Secret):
        raise ConfigError(f"api_key must be a text or a Secret, not {describe_type(key)}")
    if not key.reveal().strip():
        raise ConfigError("api_key is empty: leave it out to take the key of the environment")
    return key


def check_address(url: Any) -> str | None:
    """Return a base URL that a caller gave.

    Raises:
        ConfigError: it is empty, or no text: most often a variable that is not set.
    """
    if url is None:
        return None
    if not isinstance(url, str):
        raise ConfigError(f"base_url must be a text, not {describe_type(url)}")
    if not url.strip():
        raise ConfigError("base_url is empty: leave it out to use the provider's own address")
    return url.strip()


def find_target(row: Provider, model: str, key: Secret | None, base_url: str | None) -> Target:
    """Return where `model` is and how to get in.

    Args:
        row: the provider.
        model: the model's id, in the provider's words.
        key: the key that the caller gave for this provider.
        base_url: the address that the caller gave for this provider.

    Raises:
        ConfigError: there is no address, or no key where one is required.
    """
    address = base_url or _first(row.base_url_env) or row.base_url
    if not address:
        variables = " or ".join(row.base_url_env)
        hint = f"pass base_url=, or set {variables}" if variables else "pass base_url="
        raise ConfigError(f"provider {row.name!r} has no address: {hint}")
    found, quirks = (key, row.quirks) if key is not None else _key(row)
    own = {header: value for header, name in row.header_env.items() if (value := _first((name,)))}
    return Target(model, address.strip().rstrip("/"), found, row.name, {**row.headers, **own}, quirks)


def _key(row: Provider) -> tuple[Secret | None, Quirks]:
    """Return the key of the environment, and how it is sent."""
    if (key := _first(row.key_env)) is not None:
        return Secret(key), row.quirks
    if (token := _first(row.token_env)) is not None:
        return Secret(token), msgspec.structs.replace(row.quirks, auth="bearer")
    if row.key_required:
        variables = " or ".join((*row.key_env, *row.token_env))
        hint = f"set {variables}, or pass api_key=" if variables else "pass api_key="
        raise ConfigError(f"no key for provider {row.name!r}: {hint}")
    return None, row.quirks


def _first(variables: Iterable[str]) -> str | None:
    return next((value for name in variables if (value := os.environ.get(name, "").strip())), None)
