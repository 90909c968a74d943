"""The types that are made of no others: enums, literals, and what only pydantic knows. And what to write instead of the rest."""

from __future__ import annotations

import enum
import inspect
from collections import OrderedDict, abc, defaultdict, deque
from typing import Any, Final, ForwardRef, TypeVar, get_origin

from callm.schema.fields import UnsupportedType
from callm.schema.model import (
    EnumType,
    EnumValue,
    FloatType,
    IntType,
    LiteralType,
    NullType,
    StringType,
)


def enum_type(cls: type[enum.Enum], name: str) -> EnumType:
    """Return the definition of `cls`. The model sees and writes the members' values.

    Raises:
        UnsupportedType: a value is neither text nor a number.
    """
    if issubclass(cls, enum.Flag):
        raise UnsupportedType(f"{cls.__name__} is a Flag: use a list of a plain Enum")
    if not len(cls):
        raise UnsupportedType(f"{cls.__name__} has no members: nothing could be answered")
    values: list[EnumValue] = []
    for member in cls:
        value = member.value
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise UnsupportedType(
                f"the value of {cls.__name__}.{member.name} is of type {type(value).__name__}: give it a text or a number"
            )
        values.append(EnumValue(member.name, None if value == member.name else value))
    text = cls.__dict__.get("__doc__")
    return EnumType(name, tuple(values), description=inspect.cleandoc(text) if text else None, python=cls)


def literal_type(value: Any) -> LiteralType | NullType:
    """Return the schema of one value of a `Literal`.

    Raises:
        UnsupportedType: JSON has no such value, or it does not say which one is meant.
    """
    if value is None:
        return NullType()
    if isinstance(value, enum.Enum):
        if not isinstance(value, str):
            raise UnsupportedType(f"Literal[{value}] can't be told from its value: make the enum a StrEnum")
        return LiteralType(str(value.value), python=value)
    if isinstance(value, bytes):
        raise UnsupportedType(f"Literal[{value!r}] can't come from JSON: use text")
    return LiteralType(value)


def foreign_type(annotation: Any) -> StringType | IntType | FloatType:
    """Return the schema of a type that describes itself to pydantic, as `HttpUrl` and `SecretStr` do.

    Raises:
        UnsupportedType: pydantic can't read it from JSON, or it is more than a text or number.
    """
    from pydantic import TypeAdapter  # noqa: PLC0415  # 100 ms, and only here is pydantic needed

    try:
        found = TypeAdapter[Any](annotation).json_schema()
    except (RuntimeError, TypeError, ImportError) as error:
        raise UnsupportedType(f"pydantic can't read {shown(annotation)} from JSON ({error})") from error
    limits = {keyword: value for keyword, value in found.items() if keyword in _LIMITS}
    match found.get("type"):
        case "string":
            return StringType(format=found.get("format"), python=annotation, limits=limits)
        case "integer":
            return IntType(python=annotation, limits=limits)
        case "number":
            return FloatType(python=annotation, limits=limits)
        case _:
            raise UnsupportedType(instead_of(annotation))


def instead_of(annotation: Any) -> str:
    """Return why `annotation` can't be read from JSON, and what to write instead."""
    origin = get_origin(annotation) or annotation
    for kinds, advice in _ADVICE:
        if origin in kinds:
            return f"{shown(annotation)} can't come from JSON: {advice}"
    if isinstance(origin, str | ForwardRef):
        return f"{shown(annotation)} is only a name here: write the type itself"
    if isinstance(origin, TypeVar):
        return f"{shown(annotation)} is left open: write which type it is, as in Box[int]"
    if isinstance(origin, type):
        return f"{shown(annotation)} can't come from JSON: make it a pydantic model, a dataclass or a TypedDict"
    return (
        f"{shown(annotation)} can't come from JSON: use a type of values, such as str, list[...] or a class with fields"
    )


def shown(annotation: Any) -> str:
    """Return how a message writes `annotation`."""
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


_LIMITS: Final = frozenset(
    {"minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)
_CALLABLE: Final[Any] = get_origin(abc.Callable[[], None])
_ADVICE: Final[tuple[tuple[tuple[Any, ...], str], ...]] = (
    ((bytes, bytearray, memoryview), "use str, with base64 text for data"),
    ((complex,), "use two floats"),
    ((_CALLABLE, type), "use an enum or a Literal of names"),
    ((deque, abc.Collection, abc.Iterable, range), "use list[...]"),
    ((OrderedDict, defaultdict), "use dict[str, ...]"),
    (
        (abc.AsyncIterable, abc.AsyncIterator, abc.AsyncGenerator, abc.Iterator, abc.Generator),
        "declare the value itself, for example list[...]; whoever calls may stream it",
    ),
    ((abc.Awaitable, abc.Coroutine), "declare the value itself"),
)
