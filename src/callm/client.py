"""The surface: a client turns a model's name into an endpoint, and a request into a response, for sync and async code."""

from __future__ import annotations

from contextlib import aclosing
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from callm.calls import ResponseStream, run
from callm.errors import ConfigError, LengthError, OutputError, RefusalError, describe_type
from callm.io import portal
from callm.io.call import Call
from callm.io.credentials import check_address, check_key, find_target
from callm.io.endpoint import Endpoint
from callm.io.transports import Transports
from callm.middleware.retry import Retry
from callm.middleware.timeout import Timeout
from callm.policy.backoff import Backoff
from callm.policy.retry_budget import RetryBudget
from callm.prompt.reask import reask
from callm.types import CallOptions, Message, Request, Response, Secret, Settings, Usage
from callm.wire.providers import PROVIDERS, Provider, codec, split_model

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from callm.io.transport import Transport
    from callm.types import Model
    from callm.wire.codec import HTTPRequest

_SETTINGS: Final = Settings()
_OPTIONS: Final = CallOptions()
_BACKOFF: Final = Backoff()

ENTRY_POINTS: Final = "callm.providers"
"""The entry point group in which an installed package may offer `Provider` rows."""


class Client:
    """Calls models. It owns the connections; close it, or use it in a `with` block, to close them.

    One client serves sync and async code, threads and several event loops at once:

        response = client.call("Why is the sky blue?").result()   # sync
        response = await client.call("Why is the sky blue?")      # async
        for event in client.stream("Why is the sky blue?"): ...   # or `async for`
    """

    def __init__(  # noqa: PLR0913  # the one place where a user sets everything
        self,
        model: str | Model | None = None,
        *,
        api_key: str | Secret | None = None,
        base_url: str | None = None,
        settings: Settings = _SETTINGS,
        options: CallOptions = _OPTIONS,
        retries: int | Backoff = _BACKOFF,
        transport: Transport | None = None,
        providers: Iterable[Provider] = (),
    ) -> None:
        """Make a client. Nothing is opened before the first call.

        Args:
            model: `provider/model` for requests that name none, or any `Model` object.
            api_key: the key for the provider of `model`; the provider's environment variable when not given.
            base_url: another address for the provider of `model`, for example a proxy or a server of your own.
            settings: defaults for what a request leaves open.
            options: tags, timeouts, collectors for calls that bring no options of their own.
            retries: how often a failed attempt is followed by another, or a `Backoff` that also says how long to wait.
                Holds for models that are named; a `Model` object is taken as it is.
            transport: what sends the requests, for tests, recording or another HTTP library.
            providers: more providers, or other rows for known ones; their names win.

        Raises:
            ConfigError: the model's name has no known provider, or a key or address has no model to belong to.
        """
        if (api_key is not None or base_url is not None) and not isinstance(model, str):
            raise ConfigError(
                "api_key and base_url belong to one provider: write Client('provider/model', api_key=...)"
            )
        self._model = model
        self._api_key = check_key(api_key)
        self._base_url = check_address(base_url)
        self._settings = settings
        self._options = options
        self._backoff = retries if isinstance(retries, Backoff) else Backoff(retries=retries)
        self._retry_budget = RetryBudget()
        self._transports = Transports(transport)
        self._providers: dict[str, Provider] = {**PROVIDERS, **{row.name: row for row in providers}}
        self._models: dict[str, Model] = {}
        if model is not None:
            self.check(model)

    def __repr__(self) -> str:
        return f"Client({self._model!r})" if self._model is not None else "Client()"

    def with_options(
        self,
        *,
        model: str | Model | None = None,
        api_key: str | Secret | None = None,
        base_url: str | None = None,
        settings: Settings | None = None,
        options: CallOptions | None = None,
    ) -> Client:
        """Return a copy with something changed. It shares the connections; what is not given stays.

        `settings` are laid over the client's, `options` replace them. A key or address of the client goes along only
        while the provider stays the same.
        """
        changed = self._model if model is None else model
        same = isinstance(changed, str) and isinstance(self._model, str) and self._same_provider(changed, self._model)
        copy = Client(
            changed,
            api_key=api_key if api_key is not None else self._api_key if same else None,
            base_url=base_url if base_url is not None else self._base_url if same else None,
            settings=self._settings if settings is None else settings.over(self._settings),
            options=self._options if options is None else options,
            retries=self._backoff,
            providers=self._providers.values(),
        )
        copy._transports = self._transports  # its own class
        copy._retry_budget = self._retry_budget
        return copy

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
        """Return the HTTP request that would be sent, without sending it.

        Raises:
            ConfigError: the request can't be sent.
        """
        ready = self._ready(request, None)
        model = self.model(ready.model)
        while not isinstance(model, Endpoint):
            inner = getattr(model, "inner", None)
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
        if not isinstance(chosen, str):
            self.check(chosen)
            return chosen if hasattr(chosen, "inner") or hasattr(chosen, "models") else Timeout(chosen)
        return self._models.get(chosen) or self._models.setdefault(chosen, self._build(chosen))

    def _build(self, name: str) -> Model:
        return Retry(Timeout(self._endpoint(name)), self._backoff, self._retry_budget)

    def check(self, model: str | Model) -> None:
        """Raise `ConfigError` unless `model` is `provider/model` with a provider known here, or a `Model`. Asks for no key."""
        if isinstance(model, str):
            self._split(model)
        elif isinstance(model, type) or not hasattr(model, "stream"):
            raise ConfigError(f"a model must be 'provider/model' or an object with a stream method, not {model!r:.80}")

    async def aclose(self) -> None:
        """Close the connections, from async code."""
        await self._transports.aclose()

    def close(self) -> None:
        """Close the connections, from sync code."""
        portal.run(self.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _call(self, request: Request) -> Response:
        used, started, total = Usage(), perf_counter(), request.options.timeouts.total
        if request.stream and request.options.on_tick is None:  # nobody sees what came before a break
            request = _with_options(request, on_break="restart")
        for left in range(request.options.retry_output, -1, -1):
            response = Response()
            try:
                async with aclosing(run(self.model(request.model), request, response)) as batches:
                    async for _ in batches:
                        pass
            except (LengthError, RefusalError):
                raise
            except OutputError as error:
                if not left:
                    raise
                used += response.usage
                request = reask(request, response.text, error)
                if total is not None:
                    request = _within(request, total - (perf_counter() - started))
                continue
            if used == Usage():
                return response
            return msgspec.structs.replace(response, usage=used + response.usage)  # collectors keep that of the attempt
        raise AssertionError("the loop above returns or raises")  # pragma: no cover

    def _ready(self, given: Any, options: Any) -> Request:
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

    def _split(self, name: str) -> tuple[Provider, str]:
        try:
            provider, model = split_model(name, self._providers)
        except ConfigError:
            if not self._load_entry_points():
                raise
            provider, model = split_model(name, self._providers)
        return self._providers[provider], model

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

    def _same_provider(self, one: str, other: str) -> bool:
        return self._split(one)[0].name == self._split(other)[0].name

    def _endpoint(self, name: str) -> Endpoint:
        row, model = self._split(name)
        own = isinstance(self._model, str) and self._same_provider(name, self._model)
        target = find_target(row, model, self._api_key if own else None, self._base_url if own else None)
        return Endpoint(codec(row.format), target, self._transports.get(target.base_url))


def _within(request: Request, seconds: float) -> Request:
    """Return the request with another total time: what is asked again has no deadline of its own."""
    rest = msgspec.structs.replace(request.options.timeouts, total=max(seconds, 0.001))
    return _with_options(request, timeouts=rest)


def _with_options(request: Request, **changed: Any) -> Request:
    return msgspec.structs.replace(request, options=msgspec.structs.replace(request.options, **changed))


_default: Client | None = None


def default_client() -> Client:
    """Return the client of functions that were given none: one for the process, made when first needed."""
    global _default  # noqa: PLW0603  # one pool of connections for all functions of a process
    if _default is None:
        _default = Client()  # no lock, which a fork could leave behind held: a second client would do no harm
    return _default
