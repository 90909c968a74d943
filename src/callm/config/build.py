"""From names to trees of Models: what is put around a model, and in which order.

    Budget(Fallback((Preset(Continuation(Retry(Cache(Hedge(RateLimit(Breaker(Timeout(endpoint)))))))), ...)))

From the inside out: each attempt has its limits on silence, and the circuit counts it; an open circuit takes no place in the
rate limiter's line for long; a hit of the cache takes none at all; the one layer of retries is around all that an attempt is; a
strategy is around whole models. What calls share (circuits, limiters, caches, turns) belongs to the client, by endpoint.
"""

# ruff: noqa: PLC0415  # what only some clients have is imported for these: all of it would take longer than the rest

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callm.config.entries import Breaking, Caching, Config, Entry, Hedging, RateLimits, settings, suggestion
from callm.errors import ConfigError
from callm.middleware.fallback import Fallback
from callm.middleware.retry import Retry
from callm.middleware.timeout import Timeout
from callm.policy.backoff import Backoff
from callm.policy.retry_budget import RetryBudget

if TYPE_CHECKING:
    from callm.middleware.budget import Cap
    from callm.middleware.cache import CacheStore
    from callm.middleware.flights import Flights
    from callm.middleware.limiter import Limiter
    from callm.policy.breaker import Circuit
    from callm.policy.rotation import Rotation
    from callm.types import Model

EndpointOf = Callable[[str, str | None, str | None], Any]
"""Makes the endpoint of `provider/model`, given the variable that holds its key and its address, where they are its own."""


@dataclass(frozen=True, slots=True)
class Builder:
    """Makes the Models of one client.

    Attributes:
        config: the named entries.
        usual: what is put around a model that is named as `provider/model`; its `model` does not count.
        endpoint: makes an endpoint.
        store: makes the store of a cache.
        retry_budget: shared by all retries.
        caps: the budgets, around every tree.
        circuits: the circuits by endpoint, to be looked at and reset.
        limiters: the rate limiters by endpoint.
        rotations: whose turn it is, by the name of the round-robin.
    """

    config: Config
    usual: Entry
    endpoint: EndpointOf
    store: Callable[[str], CacheStore]
    retry_budget: RetryBudget
    caps: tuple[Cap, ...] = ()
    circuits: dict[str, Circuit] = field(default_factory=dict)  # pyright: ignore[reportUnknownVariableType]  # the name is not there at run time
    limiters: dict[str, Limiter] = field(default_factory=dict)  # pyright: ignore[reportUnknownVariableType]  # likewise
    rotations: dict[str, Rotation] = field(default_factory=dict)  # pyright: ignore[reportUnknownVariableType]  # likewise
    _stores: dict[Caching, CacheStore] = field(default_factory=dict)  # pyright: ignore[reportUnknownVariableType]  # likewise
    _flights: dict[tuple[str, Caching], Flights] = field(default_factory=dict)  # pyright: ignore[reportUnknownVariableType]  # likewise

    def at(self, endpoint: EndpointOf, *, apart: bool) -> Builder:
        """Return a builder that makes its endpoints with `endpoint`; `apart`, with circuits and limiters of its own."""
        changed = replace(self, endpoint=endpoint)
        return replace(changed, circuits={}, limiters={}, rotations={}, _flights={}) if apart else changed

    def build(self, name: str, *, within: tuple[str, ...] = (), retried: bool = False) -> Model:
        """Return the tree for the name of an entry, or for `provider/model`.

        There is one layer of retries: where a strategy retries (`retried`), what it is over does not.

        Raises:
            ConfigError: there is no such entry or provider, a key is missing, or entries lead in a circle.
        """
        if name in within:
            raise ConfigError(f"{self.config.name}: clients lead in a circle: {' -> '.join((*within, name))}")
        entry = self.config.clients.get(name)
        if entry is None:
            self.check(name)
            return self._model(name, self.usual, name, retried=retried)
        if retried and entry.retry is not None and _backoff(entry.retry).retries:
            raise ConfigError(f"{self.config.name}: clients.{name}.retry: {within[-1]} is over it and retries already")
        if entry.model is not None:
            return self._model(entry.model, entry, name, retried=retried)
        retried = retried or entry.retry is not None
        children = tuple(
            self.build(child, within=(*within, name), retried=retried) for child in entry.fallback or entry.round_robin
        )
        return self._strategy(entry, children, name)

    def check(self, name: str) -> bool:
        """Return whether `name` is an entry; raise `ConfigError` if it must be one and is not."""
        if name in self.config.clients:
            return True
        if self.config.clients and "/" not in name and ":" not in name:
            raise ConfigError(f"{self.config.name}: no client {name!r}{suggestion(name, self.config.clients)}")
        return False

    def _strategy(self, entry: Entry, children: tuple[Model, ...], name: str) -> Model:
        """Return the strategy of `entry` over `children`."""
        if entry.check_output:
            from callm.middleware.checked import Checked

            children = tuple(map(Checked, children))
        try:
            model: Model
            if entry.fallback:
                model = Fallback(children)
            else:
                from callm.middleware.round_robin import RoundRobin

                model = RoundRobin.of(*children, weights=entry.weights, start=entry.start)
                model = replace(model, rotation=self.rotations.setdefault(name, model.rotation))
        except ConfigError as error:
            raise ConfigError(f"{self.config.name}: clients.{name}: {error}") from error
        if entry.retry is not None:
            model = Retry(model, _backoff(entry.retry), self.retry_budget)
        return self._outside(model, entry)

    def around(self, model: Model) -> Model:
        """Return `model` within the budgets."""
        if not self.caps:
            return model
        from callm.middleware.budget import Budget

        return Budget(model, self.caps)

    def _model(self, model_name: str, entry: Entry, name: str, *, retried: bool) -> Model:
        """Return the tree of one endpoint."""
        try:
            model: Model = Timeout(self.endpoint(model_name, entry.api_key_env, entry.base_url))
        except ConfigError as error:
            if name == model_name:
                raise
            raise ConfigError(f"{self.config.name}: clients.{name}: {error}") from error
        if entry.breaker:
            model = self._guarded(model, name, Breaking() if entry.breaker is True else entry.breaker)
        if entry.rate_limit is not None:
            model = self._limited(model, name, entry.rate_limit)
        if entry.hedge:
            model = _hedge(model, Hedging() if entry.hedge is True else entry.hedge)
        if entry.cache:
            model = self._cached(model, name, Caching() if entry.cache is True else entry.cache)
        if not retried:
            backoff = _backoff(self.usual.retry if entry.retry is None else entry.retry)
            model = Retry(model, backoff, self.retry_budget)
        return self._outside(model, entry)

    def _outside(self, model: Model, entry: Entry) -> Model:
        if entry.continue_length:
            from callm.middleware.continuation import Continuation

            model = Continuation(model, entry.continue_length, prefill=entry.prefill)
        if entry.settings or entry.timeouts:
            from callm.middleware.preset import Preset

            seconds = {key: None if value is False else value for key, value in entry.timeouts.items()}
            model = Preset(model, settings(entry.settings, "settings"), seconds)
        return model

    def _guarded(self, model: Model, name: str, breaking: Breaking) -> Model:
        from callm.middleware.breaker import Breaker
        from callm.policy.breaker import Circuit

        return Breaker(model, self.circuits.setdefault(name, Circuit(**_fields(breaking))))

    def _limited(self, model: Model, name: str, limits: RateLimits) -> Model:
        from callm.middleware.limiter import Limiter
        from callm.middleware.rate_limit import RateLimit

        limiter = self.limiters.setdefault(name, Limiter(**_fields(limits), name=f"rate limit of {name}"))
        return RateLimit(model, limiter)

    def _cached(self, model: Model, name: str, caching: Caching) -> Model:
        from callm.middleware.cache import Cache
        from callm.middleware.flights import Flights

        store = self._stores.get(caching) or self._stores.setdefault(caching, self.store(caching.path))
        flights = self._flights.setdefault((name, caching), Flights())
        return Cache(model, store, salt=caching.salt, ttl=caching.ttl, timing=caching.timing, flights=flights)


def usual_entry(  # what `Client` takes for a model
    retries: int | Backoff,
    rate_limit: RateLimits | None,
    breaker: bool | Breaking,  # noqa: FBT001  # as `Client` has it
    cache: Any,
    hedge: bool | float | Hedging,  # noqa: FBT001  # as `Client` has it
    continue_length: int,
) -> Entry:
    """Return the arguments of a client as what an entry of a config would say."""
    if not isinstance(hedge, bool | Hedging):
        hedge = Hedging(after=float(hedge))
    caching = (
        cache
        if isinstance(cache, bool | Caching)
        else Caching(path=str(cache) if isinstance(cache, str | Path) else "")
    )
    return Entry(
        retry=_backoff(retries),
        rate_limit=rate_limit,
        breaker=breaker,
        cache=caching,
        hedge=hedge,
        continue_length=continue_length,
    )


def caps_of(config: Config) -> tuple[Cap, ...]:
    """Return the budgets of a config."""
    if not config.budgets:
        return ()
    from callm.middleware.budget import Cap

    caps: list[Cap] = []
    for number, spending in enumerate(config.budgets):
        try:
            caps.append(Cap(**_fields(spending), prices=config.prices))
        except ConfigError as error:
            raise ConfigError(f"{config.name}: budgets[{number}]: {error}") from error
    return tuple(caps)


def _hedge(model: Model, hedging: Hedging) -> Model:
    from callm.middleware.hedge import Hedge
    from callm.policy.latency import Latency

    delay = Latency(hedging.percentile) if hedging.after is None else hedging.after
    return Hedge((model, model), delay)


def _backoff(retry: int | Backoff | None) -> Backoff:
    if retry is None:
        return Backoff()
    return retry if isinstance(retry, Backoff) else Backoff(retries=retry)


def _fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}
