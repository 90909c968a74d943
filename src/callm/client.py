"""The surface: a client turns a model's name into an endpoint, and a request into a response, for sync and async code."""

from __future__ import annotations

import asyncio
import os
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from callm.calls import ResponseStream, collect
from callm.config.build import Builder, caps_of, usual_entry
from callm.config.entries import open_config
from callm.errors import ConfigError, LengthError, OutputError, RefusalError, describe_type
from callm.io import portal
from callm.io.call import Call, Closing
from callm.io.credentials import check_address, check_key
from callm.io.endpoint import Endpoint
from callm.io.endpoints import Endpoints
from callm.io.transports import Transports
from callm.middleware.fallback import Fallback
from callm.middleware.preset import Preset
from callm.middleware.timeout import Timeout
from callm.policy.backoff import Backoff
from callm.policy.retry_budget import RetryBudget
from callm.types import CallOptions, Message, Request, Response, Secret, Settings, Timeouts, Usage

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping, Sequence
    from pathlib import Path

    from callm.config.entries import Breaking, Caching, Hedging, RateLimits
    from callm.config.source import Source
    from callm.io.transport import Transport
    from callm.middleware.budget import Cap
    from callm.middleware.cache import CacheStore
    from callm.middleware.limiter import Limiter
    from callm.policy.breaker import Circuit
    from callm.types import Model
    from callm.wire.codec import HTTPRequest
    from callm.wire.providers import Provider

_SETTINGS: Final = Settings()
_OPTIONS: Final = CallOptions()
_BACKOFF: Final = Backoff()
_NOTHING: Final = Usage()


class Client(Closing):
    """Calls models. It owns the connections; close it, or use it in a `with` block, to close them.

    One client serves sync and async code, threads and several event loops at once:

        response = client.call("Why is the sky blue?").result()   # sync
        response = await client.call("Why is the sky blue?")      # async
        for event in client.stream("Why is the sky blue?"): ...   # or `async for`

    What is put around a model (`retries` to `continue_length`) holds for models named as `provider/model`; a client
    of the config has its own, and a `Model` object is taken as it is.

    Args:
        model: `provider/model`, or a client of the config, for requests that name none; or any `Model` object.
        api_key: the key for the provider of `model`; the provider's environment variable when not given.
        base_url: another address for the provider of `model`, for example a proxy or a server of your own.
        settings: defaults for what a request leaves open.
        options: tags, timeouts, collectors for calls that bring no options of their own.
        retries: how often a failed attempt is followed by another, or a `Backoff` that also says how long to wait.
        fallback: who is asked, in turn, when `model` fails.
        rate_limit: how much is sent to each model; more stands in line.
        breaker: whether a model that fails all the time is left alone for a while, or when and how long.
        cache: whether answers are kept in memory, or the path of an SQLite file, or a store.
        hedge: whether a second attempt is made beside one that takes unusually long, or after how many seconds.
        continue_length: how often an answer that was cut by the token limit is asked to go on.
        budgets: caps in money or tokens that no call passes.
        config: clients by name: a dictionary, the path of a TOML file, or True for the nearest `callm.toml` or
            `pyproject.toml` with `[tool.callm]`, from the working directory upwards.
        transport: what sends the requests, for tests, recording or another HTTP library.
        providers: more providers, or other rows for known ones; their names win.

    Raises:
        ConfigError: the model's name has no known provider, a key or address has no model to belong to, or something
            in the config is wrong.
    """

    def __init__(  # noqa: PLR0913  # the one place where a user sets everything
        self,
        model: str | Model | None = None,
        *,
        api_key: str | Secret | None = None,
        base_url: str | None = None,
        settings: Settings | None = None,
        options: CallOptions | None = None,
        retries: int | Backoff = _BACKOFF,
        fallback: Sequence[str | Model] = (),
        rate_limit: RateLimits | None = None,
        breaker: bool | Breaking = False,
        cache: bool | str | Path | Caching | CacheStore = False,
        hedge: bool | float | Hedging = False,
        continue_length: int = 0,
        budgets: Sequence[Cap] = (),
        config: Source | bool | None = None,
        transport: Transport | None = None,
        providers: Iterable[Provider] = (),
    ) -> None:
        """Make a client. Nothing is opened before the first call."""
        self._config = open_config(config)
        self._model = self._config.default if model is None else model
        self._settings = settings or self._config.settings or _SETTINGS
        self._options = options or CallOptions(timeouts=self._config.timeouts or Timeouts())
        self._fallback = tuple(fallback)
        self._endpoints = self._own(Endpoints(Transports(transport), providers), api_key, base_url)
        self._builder = Builder(
            self._config,
            usual_entry(retries, rate_limit, breaker, cache, hedge, continue_length),
            self._endpoints.make,
            partial(_store, cache),
            RetryBudget(**self._config.retry_budget),
            (*budgets, *caps_of(self._config)),
        )
        self._models: dict[str, Model] = {}
        self._check_models()
        if self._fallback and self._model is None:
            raise ConfigError("fallback needs a model to fall back from: write Client('provider/model', fallback=...)")

    def __repr__(self) -> str:
        return f"Client({self._model!r})" if self._model is not None else "Client()"

    @property
    def circuits(self) -> Mapping[str, Circuit]:
        """The circuit breakers by model: their state may be looked at, and reset."""
        return self._builder.circuits

    @property
    def limiters(self) -> Mapping[str, Limiter]:
        """The rate limiters by model."""
        return self._builder.limiters

    def with_options(
        self,
        *,
        model: str | Model | None = None,
        api_key: str | Secret | None = None,
        base_url: str | None = None,
        settings: Settings | None = None,
        options: CallOptions | None = None,
    ) -> Client:
        """Return a copy with something changed. It shares connections, circuits, limiters, caches, turns, budgets.

        What is not given stays. `settings` are laid over the client's, `options` replace them. A key or address of the
        client goes along only while the provider stays the same.
        """
        changed = copy(self)
        changed._settings = self._settings if settings is None else settings.over(self._settings)
        changed._options = self._options if options is None else options
        if model is None and api_key is None and base_url is None:
            return changed
        changed._model = self._model if model is None else model
        changed._endpoints = changed._own(self._endpoints, api_key, base_url)
        apart = api_key is not None or base_url is not None
        changed._builder = self._builder.at(changed._endpoints.make, apart=apart)
        changed._models = {}
        changed._check_models()
        return changed

    def call(self, request: Request | str, options: CallOptions | None = None) -> Call[Response]:
        """Ask for a whole answer. `await` it, or take its `.result()`.

        Args:
            request: what to ask; a text is a request with one user message.
            options: what belongs to this call alone.

        Raises:
            ConfigError: the request can't be sent; nothing was.
            APIError: the provider refused or failed.
            TransportError: the network failed, or the answer was cut off.
            OutputError: the answer is not of the declared type.
        """
        ready = self._ready(request, options)
        return Call(lambda: self._call(ready))

    def stream(self, request: Request | str, options: CallOptions | None = None) -> ResponseStream:
        """Ask for an answer as it is written. Iterate the stream's events; see `call` for the errors."""
        ready = self._ready(request, options)
        return ResponseStream(lambda: self.model(ready.model), msgspec.structs.replace(ready, stream=True))

    def build_request(self, request: Request | str) -> HTTPRequest:
        """Return the HTTP request that would be sent, without sending it; of several models, to the first.

        Raises:
            ConfigError: the request can't be sent.
        """
        ready = self._ready(request, None)
        model = self.model(ready.model)
        while not isinstance(model, Endpoint):
            if isinstance(model, Preset):
                ready = model.apply(ready)
            inner = getattr(model, "inner", None) or next(iter(getattr(model, "models", ())), None)
            if inner is None:
                raise ConfigError(f"the model {model.name!r} sends no HTTP request of its own")
            model = inner
        return model.codec.encode(ready, model.target)

    def model(self, name: str | Model = "") -> Model:
        """Return the model of a name: what a middleware wraps, and what `call` streams.

        Raises:
            ConfigError: no provider of that name, no key for it, or no name at all.
        """
        chosen = name or self._model
        if chosen is None:
            raise ConfigError("no model: write Client('provider/model') or Request(..., model='provider/model')")
        key = "" if chosen is self._model else chosen
        found = self._models.get(key) if isinstance(key, str) else None
        if found is None:
            found = self._build(chosen, with_fallback=key == "")
            if isinstance(key, str):
                found = self._models.setdefault(key, found)
        return found

    def explain(self, name: str | Model = "") -> tuple[list[str], list[tuple[str, str]]]:
        """Return the plan of a model: the lines of a drawing, and what happens on each class of error. Needs no key.

        Raises:
            ConfigError: no provider or client of that name, or no name at all.
        """
        from callm.config.plan import outcomes, tree  # noqa: PLC0415  # imported by who asks

        outline = copy(self)
        outline._builder = self._builder.at(self._endpoints.outline, apart=True)
        outline._models = {}
        model = outline.model(name)
        return tree(model), outcomes(model)

    def _build(self, chosen: str | Model, *, with_fallback: bool) -> Model:
        models = [self._one(each) for each in (chosen, *(self._fallback if with_fallback else ()))]
        return self._builder.around(models[0] if len(models) == 1 else Fallback(tuple(models)))

    def _one(self, model: str | Model) -> Model:
        if isinstance(model, str):
            return self._builder.build(model)
        self.check(model)
        return model if hasattr(model, "inner") or hasattr(model, "models") else Timeout(model)

    def check(self, model: str | Model) -> None:
        """Raise `ConfigError` unless `model` is known here: `provider/model`, a client of the config, or a `Model`.

        Asks for no key.
        """
        if isinstance(model, str):
            if not self._builder.check(model):
                self._endpoints.split(model)
        elif isinstance(model, type) or not hasattr(model, "stream"):
            raise ConfigError(f"a model must be 'provider/model' or an object with a stream method, not {model!r:.80}")

    def _own(self, endpoints: Endpoints, api_key: str | Secret | None, base_url: str | None) -> Endpoints:
        """Return `endpoints` with the key and address of this client's model."""
        named = self._model if isinstance(self._model, str) and self._model not in self._config.clients else ""
        if (api_key is not None or base_url is not None) and not named:
            raise ConfigError(
                "api_key and base_url belong to one provider: write Client('provider/model', api_key=...)"
            )
        return endpoints.at(named, check_key(api_key), check_address(base_url))

    def _check_models(self) -> None:
        for each in (self._model, *self._fallback):
            if each is not None:
                self.check(each)

    async def aclose(self) -> None:
        """Close the connections, from async code."""
        await self._endpoints.transports.aclose()

    def close(self) -> None:
        """Close the connections, from sync code."""
        portal.run(self.aclose())

    def _call(self, request: Request) -> Coroutine[Any, Any, Response]:
        if request.stream and request.options.on_tick is None:  # nobody sees what came before a break
            request = _with_options(request, on_break="restart")
        if request.options.retry_output:
            return self._call_again(request)
        return collect(self.model, request, Response())

    async def _call_again(self, request: Request) -> Response:
        """Call, and ask again while the answer is not of the declared type."""
        used, deadline, total = _NOTHING, None, request.options.timeouts.total
        if total is not None:
            deadline = asyncio.get_running_loop().time() + total
        for left in range(request.options.retry_output, -1, -1):
            response = Response()
            try:
                await collect(self.model, request, response)
            except (LengthError, RefusalError):
                raise
            except OutputError as error:
                if not left:
                    raise
                from callm.prompt.reask import reask  # noqa: PLC0415  # with all of the prompts: 5 ms

                used += response.usage
                request = _with_options(reask(request, response.text, error), deadline=deadline)  # one for all of it
                continue
            if used == _NOTHING:
                return response
            return msgspec.structs.replace(response, usage=used + response.usage)  # collectors keep that of the attempt
        raise AssertionError("the loop above returns or raises")  # pragma: no cover

    def _ready(self, given: Any, options: Any) -> Request:
        if isinstance(given, str) and options is None:  # a request that leaves all to the client: nothing to compare
            return Request((Message.user(given),), settings=self._settings, options=self._options)
        request = Request((Message.user(given),)) if isinstance(given, str) else given
        if not isinstance(request, Request):
            raise ConfigError(f"a request must be a Request or a text, not {describe_type(request)}")
        settings = request.settings if self._settings is _SETTINGS else request.settings.over(self._settings)
        if options is None:
            options = self._options if request.options == _OPTIONS else request.options
        elif not isinstance(options, CallOptions):
            raise ConfigError(f"the options of a call must be CallOptions, not {describe_type(options)}")
        if settings is request.settings and options is request.options:
            return request
        return msgspec.structs.replace(request, settings=settings, options=options)


def _store(given: Any, path: str) -> CacheStore:
    from callm.io.stores import open_store  # noqa: PLC0415  # imported by who has a cache

    return open_store(given, path)


def _with_options(request: Request, **changed: Any) -> Request:
    return msgspec.structs.replace(request, options=msgspec.structs.replace(request.options, **changed))


CONFIG: Final = "CALLM_CONFIG"
"""The environment variable that may name the config of functions which were given no client."""

_default: Client | None = None


def default_client() -> Client:
    """Return the client of functions that were given none: one for the process, made when first needed."""
    global _default  # noqa: PLW0603  # one pool of connections for all functions of a process
    if _default is None:
        _default = Client(
            config=os.environ.get(CONFIG) or None
        )  # no lock, which a fork could leave behind held: a second client would do no harm
    return _default
