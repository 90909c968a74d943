"""`@callm.function`: a `def` or `async def` with type hints becomes a call to a model.

The docstring, or `prompt=`, is the template; the arguments fill it as data; the return annotation is the type of the answer.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import secrets
import sys
from collections.abc import Callable, Coroutine, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from callm.client import Client, default_client
from callm.errors import ConfigError, describe_type
from callm.fronts.mapping import Results
from callm.fronts.values import ValueStream
from callm.io import portal
from callm.parse.output import Output
from callm.parse.policies import FAITHFUL, Policy
from callm.prompt.signature import Signature
from callm.prompt.template import Template
from callm.types import CallOptions, Model, Request, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from callm.wire.codec import HTTPRequest

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Function(Generic[P, R, T]):
    """A function that a model answers. Made by `callm.function`; call it like the function it decorates.

    `P` are its parameters, `T` the type of its value, and `R` what a call returns: `T`, or a coroutine of it.
    """

    def __init__(  # noqa: PLR0913  # made by the decorator alone
        self,
        python: Callable[P, R],
        *,
        model: str | Model | None,
        prompt: str | None,
        client: Client | None,
        settings: Settings,
        options: CallOptions | None,
        policy: Policy,
    ) -> None:
        """Read the signature and compile the template.

        Raises:
            ConfigError: the annotation is no type a model can answer in, or the template is wrong.
        """
        self._python = python
        self._signature = Signature(python, prompt)
        self._template = Template(self._signature.template, self._signature.parameters, name=self._signature.name)
        self._output: Output[T] = Output(self._signature.returns, name=self._signature.name, policy=policy)
        self._model = model
        self._given = client
        self._settings = settings
        self._options = options
        functools.update_wrapper(self, python)
        if self._signature.is_async:
            _mark_async(self)
        if model is not None:
            self._client.check(model)

    def __repr__(self) -> str:
        return f"<callm function {self._signature.name}>"

    def __reduce__(self) -> str:
        """Pickle by name, as functions do: another process has its own client and keys."""
        name: str = self.__dict__["__qualname__"]
        return name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the model and return the value, or a coroutine of it for an `async def`. See `Client.call` for errors."""
        value = self._value(self.build(*args, **kwargs))
        if self._signature.is_async:
            return cast("R", value)
        return cast("R", portal.run(value))

    def stream(self, *args: P.args, **kwargs: P.kwargs) -> ValueStream[T]:
        """Call the model and return the value as it grows: iterate the partial values, then take `.result`."""
        return ValueStream(self._client.stream(self.build(*args, **kwargs), self._options), self._output)

    def request(self, *args: P.args, **kwargs: P.kwargs) -> HTTPRequest:
        """Return the HTTP request that a call would send; its `curl()` is the same as a command line, keys masked."""
        return self._client.build_request(self.build(*args, **kwargs))

    def build(self, *args: P.args, **kwargs: P.kwargs) -> Request:
        """Return the request that a call with these arguments makes, before any provider's format."""
        arguments = self._signature.bind(args, kwargs)
        prompt = self._template.render(
            arguments,
            nonce=secrets.token_hex(8),
            describe=self._output.describe,
            tags=self._options.tags if self._options is not None else None,
        )
        return Request(
            prompt.messages,
            model=cast("str", self._model or ""),
            output=self._output,
            settings=self._settings,
            described=prompt.described,
        )

    def parse(self, text: str) -> T:
        """Turn a model's text into the value, as a call does.

        Raises:
            OutputError: the text does not hold a value of the declared type.
        """
        return self._output.parse(text)

    def map(self, inputs: Iterable[Any], *, concurrency: int = 64, progress: bool = False) -> Results[T]:
        """Call the model for many inputs.

        Args:
            inputs: the arguments of one call each: the argument itself where the function has one parameter, else a
                tuple by position or a dictionary by name. May be a generator; it is read as calls begin.
            concurrency: how many calls may run at once.
            progress: whether to show a progress bar (needs `rich`).
        """
        return Results(self._one, inputs, concurrency=concurrency, progress=progress)

    def with_options(
        self,
        *,
        model: str | Model | None = None,
        client: Client | None = None,
        settings: Settings | None = None,
        options: CallOptions | None = None,
    ) -> Function[P, R, T]:
        """Return a copy with something changed. `settings` are laid over those of the function.

        Raises:
            ConfigError: the model's name has no known provider.
        """
        copy = cast("Function[P, R, T]", object.__new__(Function))
        copy.__dict__.update(self.__dict__)
        copy._model = self._model if model is None else model
        copy._given = self._given if client is None else client
        copy._settings = self._settings if settings is None else settings.over(self._settings)
        copy._options = self._options if options is None else options
        if model is not None:
            copy.client.check(model)
        return copy

    @property
    def client(self) -> Client:
        """Who calls."""
        return self._client

    @property
    def options(self) -> CallOptions | None:
        """What belongs to every call of the function; the client's own when None."""
        return self._options

    @property
    def _client(self) -> Client:
        return self._given or default_client()

    async def _value(self, request: Request) -> T:
        response = await self._client.call(request, self._options)
        value: T = response.output
        return value

    async def _one(self, item: Any) -> T:
        args, named = self._arguments(item)
        build: Callable[..., Request] = self.build
        return await self._value(build(*args, **named))

    def _arguments(self, item: Any) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Return the arguments that an input of `map` stands for, by position and by name."""
        if self._signature.takes_one:
            first = next(iter(self._signature.parameters.values()))
            return ((item,), {}) if first.positional else ((), {first.name: item})
        if isinstance(item, Mapping):
            return (), cast("Mapping[str, Any]", item)
        if isinstance(item, tuple):
            return cast("Any", item), {}
        raise ConfigError(
            f"{self._signature.name}.map: each input must be a tuple or a dictionary of its arguments, "
            f"not {describe_type(item)}"
        )


def _mark_async(function: Function[..., Any, Any]) -> None:
    """Make frameworks that ask `iscoroutinefunction` await what a call returns."""
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(function)
    else:
        function.__dict__["_is_coroutine"] = vars(asyncio.coroutines)["_is_coroutine"]  # there is no public way


class _Decorator(Protocol):
    """What `function(...)` returns: it keeps the colour of what it decorates."""

    @overload
    def __call__(self, python: Callable[P, Coroutine[Any, Any, T]]) -> Function[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def __call__(self, python: Callable[P, T]) -> Function[P, T, T]: ...


def function(
    model: str | Model | None = None,
    *,
    prompt: str | None = None,
    client: Client | None = None,
    settings: Settings = Settings(),  # noqa: B008  # immutable
    options: CallOptions | None = None,
    policy: Policy = FAITHFUL,
) -> _Decorator:
    """Make a function that a model answers.

        @callm.function("openai/gpt-5-mini")
        def sentiment(review: str) -> Literal["good", "bad"]:
            \"\"\"Classify this review: {{ review }}\"\"\"

    Args:
        model: `provider/model`, or any `Model`; the client's own model when not given.
        prompt: the template, instead of the docstring.
        client: who calls; one shared by all functions when not given.
        settings: temperature, limits and the like.
        options: tags, timeouts, collectors for every call of the function.
        policy: which repairs of the model's answer are allowed.

    Raises:
        ConfigError: when the function is declared: the model's name, the template or the annotation is wrong.
    """
    given: Any = model
    if isinstance(given, FunctionType):
        raise ConfigError(f"write @callm.function('provider/model') above {given.__name__}(), with parentheses")

    def decorate(python: Callable[..., Any]) -> Function[..., Any, Any]:
        return Function(
            python, model=model, prompt=prompt, client=client, settings=settings, options=options, policy=policy
        )

    return cast("_Decorator", decorate)
