"""Partial values: what stands for a class, a state or a leaf while the model still writes it."""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from typing import Any, Final, cast

import msgspec

from callm.errors import OutputError
from callm.parse.build import NotBuilt, build
from callm.parse.coerce import Coercion
from callm.parse.found import Found, Kind
from callm.schema.model import ClassType, Field, SchemaType

NOTHING: Final = object()
"""Stands for a value that must not be shown yet."""


_MISSING: Final[tuple[Kind, ...]] = ("default_for_missing", "default_for_missing_optional")


def coerced(coercion: Coercion, kind: SchemaType, value: Any, *, is_whole: bool) -> Any:
    """Return a value of `kind` for a stream, or NOTHING. `is_whole` says that no more of it will come."""
    try:
        found = coercion.coerce(kind, value)
    except (OutputError, RecursionError):  # too many steps; or as deep as may be, of a type that looks into all of it
        return NOTHING
    return shown(found, is_whole=is_whole) if isinstance(found, Found) else NOTHING


def shown(found: Found, *, is_whole: bool) -> Any:
    """Return a value for a stream: classes as their partial types, what can't be built yet as None."""
    value: Any
    if isinstance(found.parts, dict):
        parts = {name: shown(part, is_whole=is_whole) for name, part in found.parts.items()}
        value = _object(found, parts, is_whole=is_whole) if isinstance(found.type, ClassType) else parts
    elif found.parts is not None:
        value = [shown(part, is_whole=is_whole) for part in found.parts]
    else:
        try:
            value = build(found)
        except NotBuilt:
            value = None
    return value if found.state is None else StreamState(value, found.state)


def _object(found: Found, parts: dict[str, Any], *, is_whole: bool) -> Any:
    kind: ClassType = found.type
    missing = {name for name, part in found.parts.items() if part.has(*_MISSING)}  # type: ignore[union-attr]  # an object has them by name
    if is_whole:
        parts |= {
            field.name: copy(field.default) for field in kind.fields if field.name in missing and has_default(field)
        }
    if is_object(kind):
        return partial_type(kind)(**parts)
    return {name: part for name, part in parts.items() if name not in missing or not may_lack(kind, name)}


def has_default(field: Field) -> bool:
    """Whether a field that does not come has a value other than None."""
    return not field.required and field.default is not msgspec.UNSET and field.default is not None


def may_lack(kind: ClassType, name: str) -> bool:
    """Whether a dictionary of a class has no entry for a field that does not come."""
    return kind.kind == "typed_dict" and any(field.name == name and not field.required for field in kind.fields)


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same: 1, 1.0 and true are not."""
    return type(one) is type(other) and bool(one == other)


def keeps(new: Any, old: Any) -> bool:
    """Whether nothing that `old` shows is gone or other in `new`: texts and lists may have grown."""
    if old is None or (not old and isinstance(old, list | dict)):
        return True
    if isinstance(old, str):
        return isinstance(new, str) and new.startswith(old)
    if isinstance(old, list):
        return isinstance(new, list) and _keeps_items(cast("list[object]", new), cast("list[object]", old))
    if isinstance(old, StreamState):
        return isinstance(new, StreamState) and keeps(new.value, old.value)
    parts = _parts(old)
    if parts is None:
        return equal(new, old)
    others = _parts(new)
    return others is not None and all(keeps(others.get(name), part) for name, part in parts.items())


def _keeps_items(new: list[object], old: list[object]) -> bool:
    return len(new) >= len(old) and all(map(keeps, new, old))


def is_blank(value: Any) -> bool:
    """Whether a value shows nothing yet: None, an empty list or map, or such things only."""
    if value is None or value is NOTHING:
        return True
    if isinstance(value, list):
        return all(map(is_blank, cast("list[object]", value)))
    parts = _parts(value)
    return parts is not None and all(map(is_blank, parts.values()))


def _parts(value: Any) -> dict[str, Any] | None:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    return None


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
