"""From `provider/model` to an endpoint: who the provider is, its key, its address, its connections."""

from __future__ import annotations

import os
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from callm.errors import ConfigError
from callm.io.credentials import find_target
from callm.io.endpoint import Endpoint
from callm.types import Secret
from callm.wire.providers import PROVIDERS, Provider, codec, split_model

if TYPE_CHECKING:
    from callm.io.transports import Transports
    from callm.types import Events, Request
    from callm.wire.codec import Target

ENTRY_POINTS: Final = "callm.providers"
"""The entry point group in which an installed package may offer `Provider` rows."""


class Endpoints:
    """Makes the endpoints of a client and its copies."""

    def __init__(self, transports: Transports, providers: Iterable[Provider] = ()) -> None:
        """Know `providers` beside the table's; their names win."""
        self.transports = transports
        self._providers: dict[str, Provider] = {**PROVIDERS, **{row.name: row for row in providers}}
        self._own = ""
        self._key: Secret | None = None
        self._base_url: str | None = None

    def at(self, own: str, key: Secret | None, base_url: str | None) -> Endpoints:
        """Return a copy whose `key` and address are for the provider of the model `own`.

        What is not given stays, where the provider does.
        """
        same = bool(own) and self._is_own(own)
        changed = copy(self)
        changed._own = own
        changed._key = key or (self._key if same else None)
        changed._base_url = base_url or (self._base_url if same else None)
        return changed

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

    def make(self, name: str, variable: str | None = None, base_url: str | None = None) -> Endpoint:
        """Return the endpoint of `provider/model`.

        Args:
            name: the model.
            variable: the environment variable that holds its key, where it has one of its own.
            base_url: its address, where it has one of its own.

        Raises:
            ConfigError: no provider of that name, or no key or address for it.
        """
        row, model = self.split(name)
        own = variable is None and base_url is None and self._is_own(name)
        key = key_of(variable) if variable is not None else self._key if own else None
        target = find_target(row, model, key, self._base_url if own else base_url)
        return Endpoint(codec(row.format), target, self.transports.get(target.base_url))

    def outline(self, name: str, variable: str | None = None, base_url: str | None = None) -> Outline:
        """Return what stands for an endpoint where nothing is sent; see `make`. Needs no key."""
        row, model = self.split(name)
        own = variable is None and base_url is None and self._is_own(name)
        target = find_target(row, model, Secret("-"), self._base_url if own else base_url)
        return Outline(f"{target.provider}/{target.model}", target)

    def _is_own(self, name: str) -> bool:
        return bool(self._own) and self.split(name)[0].name == self.split(self._own)[0].name

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


@dataclass(frozen=True)
class Outline:
    """Stands for an endpoint in a plan."""

    name: str
    target: Target

    def stream(self, request: Request) -> Events:
        """Refuse."""
        del request
        raise ConfigError(f"{self.name} is only drawn here")
