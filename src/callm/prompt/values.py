"""Python values to what a template sees, and back to text when the template prints them.

1. Only plain data reaches the engine: strings, numbers, booleans, lists, dictionaries. Objects become dictionaries of
   their fields, so a template can't call into them, and containers are copied, so it can't change them.
2. Every string is noted on the way: marks must not occur in any of them.
3. Strings print as they are; everything else prints as JSON.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any, Final, TypeAlias, cast

from callm.errors import ConfigError, quote
from callm.prompt.roles import Marks, Media
from callm.types import Audio, File, Image, Text

MAX_DEPTH: Final = 64
"""How deeply an argument may be nested."""

_EXACT: Final = 2**127  # beyond it the engine counts in floats
_AS_TEXT: Final = frozenset(  # types whose text is what is meant, by name: importing them costs milliseconds
    {
        "decimal.Decimal",
        "fractions.Fraction",
        "uuid.UUID",
        "pathlib.PurePath",
        "datetime.timedelta",
        "ipaddress._BaseAddress",
        "ipaddress._BaseNetwork",
        "pydantic.networks._BaseUrl",
        "pydantic.types._SecretBase",
    }
)
_EMPTY: Final[dict[str, str]] = {}
_VIEWS: Final[tuple[type, ...]] = (type(_EMPTY.keys()), type(_EMPTY.values()), type(_EMPTY.items()))
_CONTAINERS: Final[tuple[type, ...]] = (dict, list, tuple, *_VIEWS)


class Null:
    """None in a template: prints as null, is false, `is none`.

    The engine hands its printer None for undefined values too, and those print as nothing.
    """

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return "null"

    __repr__ = __str__


NULL: Final = Null()


class Slot:
    """The place of a media value in the template: it can be printed and moved about, not looked into."""

    __slots__ = ("_part", "_reader")

    def __init__(self, part: Media, reader: Reader) -> None:
        self._part = part
        self._reader = reader

    def __str__(self) -> str:
        return self._reader.marks.part(self._part)

    def __format__(self, form: str) -> str:
        return self._reader.marks.quoted(self._part) if form == "json" else str(self)


class Reader:
    """Turns the arguments of one render into template values.

    Attributes:
        strings: every string that was read.
        marks: to be set when everything was read, and before the template prints anything.
    """

    __slots__ = ("marks", "strings")
    marks: Marks

    def __init__(self) -> None:
        self.strings: list[str] = []

    def read(self, value: Any, name: str) -> Any:
        """Return `value` as the template sees it; `name` is what an error calls it.

        Raises:
            ConfigError: a value that has no text.
        """
        try:
            return self.item(value, 0)
        except _NoText as error:
            raise ConfigError(f"argument {quote(name + ''.join(reversed(error.path)), 80)!r} {error}") from None

    def item(self, value: Any, depth: int) -> Any:
        """Return `value`, which stands `depth` levels inside an argument."""
        kind: Any = value.__class__
        if kind is str:
            self.strings.append(value)
            return value
        if kind is bool or kind is float:
            return value
        if value is None:
            return NULL
        if depth > MAX_DEPTH:
            raise _NoText(f"is nested more than {MAX_DEPTH} deep, or contains itself")
        method = _BY_TYPE.get(kind)
        if method is None:
            method = next((method for types, method in _BY_FAMILY if isinstance(value, types)), _object)
        return method(self, value, depth)


def _int(reader: Reader, value: int, depth: int) -> Any:
    number = int(value)
    return number if -_EXACT < number < _EXACT else reader.item(str(number), depth)


def _float(reader: Reader, value: float, depth: int) -> float:
    del reader, depth
    return float(value)


def _enum(reader: Reader, value: Enum, depth: int) -> Any:
    return reader.item(value.value, depth + 1)


def _text(reader: Reader, value: str | Text, depth: int) -> Any:
    return reader.item(value.text if isinstance(value, Text) else str.__str__(value), depth)


def _media(reader: Reader, value: Media, depth: int) -> Slot:
    del depth
    return Slot(value, reader)


def _mapping(reader: Reader, value: Mapping[Any, Any], depth: int) -> dict[Any, Any]:
    known: dict[Any, Any] = {}
    for key, item in value.items():
        try:
            known[_key(reader, key, depth)] = reader.item(item, depth + 1)
        except _NoText as error:
            error.path.append(f".{key}")
            raise
    return known


def _key(reader: Reader, key: Any, depth: int) -> str | int | float:
    known = reader.item(key, depth + 1)
    if isinstance(known, Null):
        return "null"
    if isinstance(known, str | int | float):
        return known
    raise _NoText(f"is a key of type {type(key).__name__}: keys must be text or numbers")


def _items(reader: Reader, value: Iterable[Any], depth: int) -> list[Any]:
    known: list[Any] = []
    for item in value:
        try:
            known.append(reader.item(item, depth + 1))
        except _NoText as error:
            error.path.append(f"[{len(known)}]")
            raise
    return known


def _set(reader: Reader, value: AbstractSet[Any], depth: int) -> list[Any]:
    # A set's order differs from process to process, and so would the prompt: caches would miss.
    return sorted(_items(reader, value, depth), key=to_json)


def _sequence(reader: Reader, value: Iterable[Any], depth: int) -> Any:
    names = getattr(value, "_fields", None)  # of a named tuple
    return _items(reader, value, depth) if names is None else _named(reader, value, names, depth)


def _named(reader: Reader, value: Any, names: Iterable[str], depth: int) -> dict[Any, Any]:
    return _mapping(reader, {name: getattr(value, name) for name in names}, depth)


def _object(reader: Reader, value: Any, depth: int) -> Any:
    if getattr(value, "__pydantic_root_model__", False):
        return reader.item(value.root, depth + 1)
    names = _field_names(value)
    if names is not None:
        return _named(reader, value, names, depth)
    if hasattr(value, "isoformat"):
        return reader.item(value.isoformat(), depth)
    if any(f"{base.__module__}.{base.__qualname__}" in _AS_TEXT for base in value.__class__.__mro__):
        return reader.item(str(value), depth)
    return _refuse(reader, value, depth)


def _field_names(value: Any) -> Iterable[str] | None:
    """Return the names of the fields of an object of a known family, or None."""
    if inspect.isclass(value):
        return None
    if hasattr(value, "__pydantic_fields__"):
        extra: Mapping[str, Any] = getattr(value, "__pydantic_extra__", None) or {}
        return [*(name for name, field in value.__pydantic_fields__.items() if not field.exclude), *extra]
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    return cast("Iterable[str] | None", getattr(value, "__struct_fields__", None))


def _refuse(reader: Reader, value: object, depth: int) -> Any:
    del reader, depth
    raise _NoText(
        f"of type {type(value).__name__} has no text: pass a string, a number, a list, a dictionary, "
        "a dataclass, a pydantic model, or an Image, Audio or File"
    )


class _NoText(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.path: list[str] = []


_Method: TypeAlias = Callable[[Reader, Any, int], Any]

_BY_TYPE: Final[dict[type, _Method]] = {int: _int, dict: _mapping, list: _items}
_BY_FAMILY: Final[tuple[tuple[Any, _Method], ...]] = (
    (Enum, _enum),
    (int, _int),
    ((str, Text), _text),
    (float, _float),
    ((Image, Audio, File), _media),
    (Mapping, _mapping),
    (list, _items),
    (AbstractSet, _set),
    ((bytes, bytearray, memoryview), _refuse),
    ((Sequence, deque), _sequence),
)


def show(value: Any) -> Any:
    """Return the text with which a template prints `value`; NotImplemented leaves it to the engine."""
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float) or value is None:
        return NotImplemented
    if isinstance(value, Slot | Null):
        return str(value)
    if isinstance(value, _CONTAINERS):
        return to_json(value)
    name = getattr(value, "__name__", type(value).__name__)
    raise ConfigError(f"the prompt prints the method {name!r}: call it with ()")


def to_json(value: Any, indent: int | None = None) -> str:
    """Return `value` as JSON: the filter `tojson` of templates."""
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_json_default)


def _json_default(value: Any) -> Any:
    if isinstance(value, Null):
        return None
    if isinstance(value, Slot):
        return f"{value:json}"
    if isinstance(value, _VIEWS):
        return [*cast("Iterable[Any]", value)]
    raise ConfigError(f"the prompt prints a value of type {type(value).__name__}, which has no text")


def is_none(value: Any) -> bool:
    """Tell whether `value` is None: the test `is none` of templates."""
    return value is None or value is NULL
