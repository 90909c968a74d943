"""Partial values: what stands for a class, a state or a leaf while the model still writes it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from callm.parse.build import NotBuilt, build
from callm.parse.coerce import Coercion
from callm.parse.found import Found
from callm.schema.model import ClassType, SchemaType, StringType

NOTHING: Final = object()
"""Stands for a value that must not be shown yet."""


def coerced(coercion: Coercion, kind: SchemaType, value: Any) -> Any:
    """Return a value of `kind` for a stream, or NOTHING."""
    if type(value) is str and type(kind) is StringType and kind.python is None and not kind.constraints:
        return value
    found = coercion.coerce(kind, value)
    return shown(found) if isinstance(found, Found) else NOTHING


def shown(found: Found) -> Any:
    """Return a value for a stream: classes as their partial types, what can't be built yet as None."""
    kind = found.type
    value: Any
    if isinstance(found.parts, dict):
        parts = {name: shown(part) for name, part in found.parts.items()}
        value = partial_type(kind)(**parts) if isinstance(kind, ClassType) and is_object(kind) else parts
    elif found.parts is not None:
        value = [shown(part) for part in found.parts]
    else:
        try:
            value = build(found)
        except NotBuilt:
            value = None
    return value if found.state is None else StreamState(value, found.state)


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same: 1, 1.0 and true are not."""
    return type(one) is type(other) and bool(one == other)


class StreamState(msgspec.Struct, frozen=True):
    """A value that was asked for with its state: `pending` (not begun), `incomplete` or `complete`."""

    value: Any
    state: str


def is_object(kind: ClassType) -> bool:
    """Whether partial values of a class are objects with attributes: dictionaries stay dictionaries."""
    return kind.python is not None and kind.kind != "typed_dict"


@lru_cache(maxsize=1024)
def _partial_type(name: str, fields: tuple[str, ...]) -> type[Any]:
    return msgspec.defstruct(f"Partial{name}", [(field, Any, None) for field in fields])


def partial_type(kind: ClassType) -> type[Any]:
    """Return the type of a class's partial values: the same fields, each None until it has come."""
    return _partial_type(kind.name, tuple(field.name for field in kind.fields))
