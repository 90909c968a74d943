"""A value that was found, as the Python objects that were declared: models, dataclasses, enums, dates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from callm.parse.found import Found
from callm.schema.model import ClassType, EnumType, Field, ListType, LiteralType, TupleType

_KNOWN: Final = ("builtins", "datetime", "decimal", "uuid")
"""The modules whose types msgspec converts; others describe themselves to pydantic."""

_COLLECTIONS: Final[Mapping[str, Callable[[list[Any]], Any]]] = {
    "list": list,
    "set": set,
    "frozenset": frozenset,
    "tuple": tuple,
}


class NotBuilt(Exception):  # it becomes an OutputError where the text is known
    """A declared class refuses its values: the problems, a line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def build(found: Found, path: str = "") -> Any:
    """Return the Python value.

    Raises:
        NotBuilt: a class's own validation, a limit or a format refuses what was found.
    """
    kind = found.type
    if isinstance(found.parts, dict):
        parts = {name: build(part, f"{path}.{name}" if path else name) for name, part in _present(found)}
        return parts if not isinstance(kind, ClassType) else _class(kind, parts, path)
    if found.parts is not None:
        items = [build(part, f"{path}[{number}]") for number, part in enumerate(found.parts)]
        _check(kind, items, path)
        if isinstance(kind, TupleType):
            return tuple(items)
        return _COLLECTIONS[kind.collection](items) if isinstance(kind, ListType) else items
    return _leaf(kind, found.value, path)


def _present(found: Found) -> list[tuple[str, Found]]:
    """Return the parts that came, or must be there: a class fills in its own defaults."""
    parts: dict[str, Found] = found.parts  # type: ignore[assignment]  # the caller asked
    if not isinstance(found.type, ClassType) or found.type.python is None:
        return list(parts.items())
    return [
        (name, part)
        for name, part in parts.items()
        if not part.has("default_for_missing_optional", "default_for_bad_value") or part.parts is not None
    ]


def _class(kind: ClassType, parts: dict[str, Any], path: str) -> Any:
    python = kind.python
    if python is None or kind.kind == "typed_dict":
        return parts
    try:
        if kind.kind == "pydantic":
            return python.model_validate({_wire(kind.fields, name): value for name, value in parts.items()})
        return python(**parts)
    except ValueError as error:
        raise NotBuilt(_problems(error, path)) from error
    except TypeError as error:
        raise NotBuilt([f"{path or kind.name}: {error}"]) from error


def _wire(fields: tuple[Field, ...], name: str) -> str:
    return next((field.wire for field in fields if field.name == name), name)


def _problems(error: ValueError, path: str) -> list[str]:
    errors = getattr(error, "errors", None)
    if errors is None:
        return [f"{path}: {error}" if path else str(error)]
    lines: list[str] = []
    for one in errors(include_url=False, include_input=False):
        place = ".".join([path, *map(str, one["loc"])] if path else map(str, one["loc"]))
        lines.append(f"{place}: {one['msg']}" if place else one["msg"])
    return lines


def _leaf(kind: Any, value: Any, path: str) -> Any:
    if value is None or kind is None:
        return value
    if isinstance(kind, EnumType):
        return value if kind.python is None else kind.python[value]
    python = getattr(kind, "python", None)
    if isinstance(kind, LiteralType):
        return value if python is None else python
    if python is not None:
        value = _convert(python, value, path)
    _check(kind, value, path)
    return value


def _convert(python: Any, value: Any, path: str) -> Any:
    try:
        if getattr(python, "__module__", "") in _KNOWN:
            return msgspec.convert(value, python, strict=False)
        from pydantic import TypeAdapter  # noqa: PLC0415  # only where a type of its own is declared

        return TypeAdapter(python).validate_python(value)
    except ValueError as error:  # msgspec's ValidationError and pydantic's are both
        raise NotBuilt(_problems(error, path)) from error


def _check(kind: Any, value: Any, path: str) -> None:
    limits = getattr(kind, "limits", None)
    if not limits:
        return
    for keyword, limit in limits.items():
        test = _LIMITS.get(keyword)
        if test is not None and not test(value, limit):
            raise NotBuilt([f"{path or 'the value'}: {value!r} breaks {keyword} {limit!r}"[:300]])


_LIMITS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "minimum": lambda value, limit: bool(value >= limit),
    "maximum": lambda value, limit: bool(value <= limit),
    "exclusiveMinimum": lambda value, limit: bool(value > limit),
    "exclusiveMaximum": lambda value, limit: bool(value < limit),
    "multipleOf": lambda value, limit: bool(value % limit == 0),
    "minLength": lambda value, limit: len(value) >= limit,
    "maxLength": lambda value, limit: len(value) <= limit,
    "minItems": lambda value, limit: len(value) >= limit,
    "maxItems": lambda value, limit: len(value) <= limit,
    "pattern": lambda value, limit: re.search(limit, value) is not None,
}
