"""What a Python function declares: its parameters, its prompt, its return type, its colour.

The docstring is the prompt, all of it and as written: sections like `Args:` are sent too. Who wants documentation apart
from the prompt gives the prompt by name.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from types import FrameType, FunctionType, SimpleNamespace
from typing import Any, Final

import msgspec

from callm.errors import ConfigError, describe_type

MISSING: Final = inspect.Parameter.empty
"""Stands for no default."""

_REFUSED: Final = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of a function.

    Attributes:
        name: its name, which is also the template's variable.
        annotation: its type; `Any` where there is none, or where it can't be resolved.
        default: the default value, or `MISSING`.
        positional: whether it may be given by position.
        named: whether it may be given by name.
    """

    name: str
    annotation: Any = Any
    default: Any = MISSING
    positional: bool = True
    named: bool = True

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return self.default is MISSING


class Signature:
    """What a function declares. It is read where the function is declared, so annotations may name what is local there.

    Attributes:
        name: the function's name.
        parameters: by name, in order.
        returns: the type of the answer; `str` where nothing is annotated.
        is_async: whether it was declared with `async def`.
        template: the prompt's source: what was given, or the docstring without its indentation.
    """

    def __init__(self, function: Callable[..., Any], prompt: str | None = None) -> None:
        """Read `function`.

        Raises:
            ConfigError: it is no plain function, has no prompt, takes `*args`, or its return type can't be resolved.
        """
        plain = _plain(function)
        signature = inspect.signature(plain)
        _refuse_method(plain, signature)
        resolve = _Resolver(plain, inspect.currentframe())
        self.name = plain.__name__
        self.is_async = inspect.iscoroutinefunction(plain)
        self.template = _prompt(self.name, plain, prompt)
        self.returns: Any = _returns(self.name, signature.return_annotation, resolve)
        self.parameters: Mapping[str, Parameter] = {
            name: _parameter(parameter, self.name, resolve) for name, parameter in signature.parameters.items()
        }
        self._ordered = tuple(self.parameters.values())
        self._positional = sum(parameter.positional for parameter in self._ordered)

    def __repr__(self) -> str:
        return f"Signature({self.name}({', '.join(self.parameters)}) -> {self.returns!r})"

    @property
    def takes_one(self) -> bool:
        """Whether one argument makes a call: there is one parameter, or only one without a default."""
        required = [parameter for parameter in self._ordered if parameter.required]
        return len(self._ordered) == 1 or (len(required) == 1 and required[0] is self._ordered[0])

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of every parameter, as Python would bind them.

        Raises:
            TypeError: an argument is missing, given twice, or unknown.
        """
        if len(args) > self._positional:
            raise TypeError(f"{self.name}() takes {self._positional} arguments by position, not {len(args)}")
        values = dict(zip(self.parameters, args, strict=False))
        for name, value in kwargs.items():
            if name in values:
                raise TypeError(f"{self.name}() got two values for the argument {name!r}")
            if name not in self.parameters or not self.parameters[name].named:
                known = ", ".join(parameter.name for parameter in self._ordered if parameter.named)
                raise TypeError(f"{self.name}() has no argument {name!r} to give by name; known are: {known or 'none'}")
            values[name] = value
        if len(values) < len(self._ordered):
            self._fill(values)
        return values

    def _fill(self, values: dict[str, Any]) -> None:
        missing = [parameter for parameter in self._ordered if parameter.name not in values]
        lacking = ", ".join(repr(parameter.name) for parameter in missing if parameter.required)
        if lacking:
            raise TypeError(f"{self.name}() is missing {lacking}")
        values.update((parameter.name, parameter.default) for parameter in missing)


class _Resolver:
    """Turns annotations, strings among them, into types."""

    def __init__(self, function: FunctionType, frame: FrameType | None) -> None:
        self._globals = function.__globals__
        self._locals = _enclosing(function, frame)

    def __call__(self, annotation: Any) -> Any:
        """Return the type.

        Raises:
            NameError: it names something that does not exist (yet).
        """
        holder = SimpleNamespace(__annotations__={"it": annotation})
        return typing.get_type_hints(holder, self._globals, self._locals, include_extras=True)["it"]


def _enclosing(function: FunctionType, frame: FrameType | None) -> dict[str, Any]:
    """Return the names of the functions and classes around the declaration, the innermost winning."""
    found: dict[str, Any] = {}
    while frame is not None and "." in function.__qualname__:
        if frame.f_globals is function.__globals__ and function.__qualname__.startswith(frame.f_code.co_qualname + "."):
            found = {**frame.f_locals, **found}
        frame = frame.f_back
    return found


def _plain(function: Any) -> FunctionType:
    if isinstance(function, staticmethod | classmethod):
        raise ConfigError("put the decorator below @staticmethod or @classmethod, next to the function")
    function = inspect.unwrap(function)
    if not isinstance(function, FunctionType):
        raise ConfigError(f"a prompt function must be declared with def or async def, not {describe_type(function)}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigError(f"{function.__name__}() has a yield: leave the body empty, and call .stream() to stream")
    return function


def _refuse_method(function: FunctionType, signature: inspect.Signature) -> None:
    first = next(iter(signature.parameters), "")
    holder = function.__qualname__.rpartition(".")[0]
    if first in {"self", "cls"} and holder and not holder.endswith("<locals>"):
        raise ConfigError(
            f"{function.__qualname__}() is a method, and no template can show {first!r}: put @staticmethod above the "
            "decorator, and make what the prompt shows its arguments"
        )


def _prompt(name: str, function: FunctionType, prompt: Any) -> str:
    text = inspect.cleandoc(function.__doc__ or "") if prompt is None else prompt
    if not isinstance(text, str):
        raise ConfigError(f"the prompt of {name}() must be a string, not {describe_type(prompt)}")
    if not text.strip():
        raise ConfigError(
            f"{name}() has no prompt: write it as the docstring or give prompt= (python -OO drops docstrings)"
        )
    return text


def _parameter(parameter: inspect.Parameter, function: str, resolve: _Resolver) -> Parameter:
    if parameter.kind in _REFUSED:
        stars = _REFUSED[parameter.kind]
        raise ConfigError(f"{function}() has {stars}{parameter.name}: give each argument of the prompt its own name")
    annotation: Any = Any
    if parameter.annotation is not MISSING:
        try:
            annotation = resolve(parameter.annotation)
        except (NameError, TypeError, SyntaxError, AttributeError):
            annotation = Any  # arguments are shown, not checked: only the command line wants their types
    return Parameter(
        name=parameter.name,
        annotation=annotation,
        default=parameter.default,
        positional=parameter.kind is not inspect.Parameter.KEYWORD_ONLY,
        named=parameter.kind is not inspect.Parameter.POSITIONAL_ONLY,
    )


def _returns(name: str, annotation: Any, resolve: _Resolver) -> Any:
    if annotation is MISSING:
        return str
    try:
        return resolve(annotation)
    except NameError as error:
        raise ConfigError(
            f"the return type {annotation!r} of {name}() can't be resolved: {error}. "
            "Declare it before the function, and import it outside `if TYPE_CHECKING`"
        ) from error
    except (TypeError, SyntaxError, AttributeError) as error:
        raise ConfigError(f"the return type {annotation!r} of {name}() is no type: {error}") from error
