"""From `provider/model` to an endpoint: who the provider is, its key, its address, its connections."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from callm.errors import ConfigError
from callm.io.credentials import find_target
from callm.io.endpoint import Endpoint
from callm.types import Secret
from callm.wire.providers import PROVIDERS, Provider, codec, split_model

if TYPE_CHECKING:
    from callm.io.transports import Transports
    from callm.wire.codec import Target

ENTRY_POINTS: Final = "callm.providers"
"""The entry point group in which an installed package may offer `Provider` rows."""


class Endpoints:
    """Makes the endpoints of a client and its copies."""

    def __init__(self, transports: Transports, providers: Iterable[Provider]) -> None:
        """Know `providers` beside the table's; their names win."""
        self.transports = transports
        self._providers: dict[str, Provider] = {**PROVIDERS, **{row.name: row for row in providers}}

    def split(self, name: str) -> tuple[Provider, str]:
        """Return the provider of `provider/model`, and the model.

        Raises:
            ConfigError: there is no such provider.
        """
        try:
            provider, model = split_model(name, self._providers)
        except ConfigError:
            if not self._load_entry_points():
                raise
            provider, model = split_model(name, self._providers)
        return self._providers[provider], model

    def target(self, name: str, key: Secret | None, base_url: str | None) -> Target:
        """Return where `name` is, with the environment's key and address where none are given.

        Raises:
            ConfigError: no provider of that name, or no key or address for it.
        """
        row, model = self.split(name)
        return find_target(row, model, key, base_url)

    def make(self, name: str, key: Secret | None, base_url: str | None) -> Endpoint:
        """Return the endpoint of `name`; see `target`."""
        target = self.target(name, key, base_url)
        return Endpoint(codec(self.split(name)[0].format), target, self.transports.get(target.base_url))

    def _load_entry_points(self) -> bool:
        from importlib.metadata import entry_points  # noqa: PLC0415  # only when a provider is not known here

        found: dict[str, Provider] = {}
        for point in entry_points(group=ENTRY_POINTS):
            try:
                row = point.load()
            except (ImportError, AttributeError) as error:
                raise ConfigError(
                    f"the provider {point.name!r} of an installed package can't be loaded: {error}"
                ) from error
            if isinstance(row, Provider):
                found[row.name] = row
        new = {name: row for name, row in found.items() if name not in self._providers}
        self._providers |= new
        return bool(new)


def key_of(variable: str) -> Secret:
    """Return the key that an environment variable holds.

    Raises:
        ConfigError: it holds none.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(f"the variable {variable} holds no key")
    return Secret(key)
