"""The open objects and arrays of a text, each with the type that is expected there.

A finished value is coerced once, when its frame takes it. `so_far` makes one shallow copy of its own level and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, cast

import msgspec

from callm.parse.coerce import Coercion
from callm.parse.fuzzy import same_key
from callm.parse.partial_value import NOTHING, coerced, is_object, partial_type
from callm.schema.model import (
    BoolType,
    ClassType,
    Field,
    FloatType,
    IntType,
    ListType,
    MapType,
    Schema,
    SchemaType,
    StringType,
    UnionType,
)

ALWAYS: Final = 1024
"""Up to how many characters a value of unknown type is coerced at every delta; beyond, when it has grown by a tenth."""


class Frame(Protocol):
    """An open object or array, with what is expected in it."""

    def key(self, name: str) -> None:
        """Take the key of the next value."""

    def wanted(self) -> SchemaType | None:
        """Return the type of the next value; None to leave it out."""

    def accept(self, value: Any) -> None:
        """Take a finished value."""

    def so_far(self, child: Any) -> Any:
        """Return the value with `child`, the unfinished one, in its place; NOTHING while it must not be shown."""


class ClassFrame:
    """An object that is a class."""

    __slots__ = ("_base", "_field", "_fields", "_needed", "_schema", "_seen")

    def __init__(self, kind: ClassType, schema: Schema) -> None:
        self._fields = _fields(kind)
        self._base = _empty(kind, schema)
        self._needed = _needed(kind)
        self._field: Field | None = None
        self._seen: set[str] = set()

    def key(self, name: str) -> None:
        """See `Frame.key`."""
        field = self._fields.get(name) or next((f for w, f in self._fields.items() if same_key(name, w)), None)
        self._field = None if field is None or field.name in self._seen else field

    def wanted(self) -> SchemaType | None:
        """See `Frame.wanted`."""
        return None if self._field is None else self._field.type

    def begin(self, schema: Schema) -> None:
        """Note that a list or map has begun that is shown only when it is complete: until then it is empty."""
        of = None if self._field is None else schema.resolve(self._field.type)
        if self._field is not None and isinstance(of, ListType | MapType):
            self._base = _with(self._base, self._field.name, [] if isinstance(of, ListType) else {})

    @property
    def is_null(self) -> bool:
        """Whether the field whose value comes next has none yet."""
        if self._field is None:
            return False
        name = self._field.name
        return _get(self._base, name) is None

    def accept(self, value: Any) -> None:
        """See `Frame.accept`."""
        field = self._field
        if field is None:
            return
        self._seen.add(field.name)
        if value is not NOTHING:
            self._base = _with(self._base, field.name, value)
            if value is not None:
                self._needed = self._needed - {field.name}

    def so_far(self, child: Any) -> Any:
        """See `Frame.so_far`."""
        if child is NOTHING or self._field is None:
            return NOTHING if self._needed else self._base
        name = self._field.name
        if self._needed and (self._needed - {name} or child is None):
            return NOTHING
        return _with(self._base, name, child)


class ListFrame:
    """An array of one type of item."""

    __slots__ = ("_item", "_items")

    def __init__(self, item: SchemaType) -> None:
        self._item = item
        self._items: list[Any] = []

    def key(self, name: str) -> None:
        """See `Frame.key`."""

    def wanted(self) -> SchemaType | None:
        """See `Frame.wanted`."""
        return self._item

    def accept(self, value: Any) -> None:
        """See `Frame.accept`."""
        if value is not NOTHING:
            self._items.append(value)

    def so_far(self, child: Any) -> Any:
        """See `Frame.so_far`."""
        return self._items[:] if child is NOTHING else [*self._items, child]


class MapFrame:
    """An object with any keys."""

    __slots__ = ("_entries", "_key", "_value")

    def __init__(self, value: SchemaType) -> None:
        self._value = value
        self._key = ""
        self._entries: dict[str, Any] = {}

    def key(self, name: str) -> None:
        """See `Frame.key`."""
        self._key = name

    def wanted(self) -> SchemaType | None:
        """See `Frame.wanted`."""
        return self._value

    def accept(self, value: Any) -> None:
        """See `Frame.accept`."""
        if value is not NOTHING:
            self._entries[self._key] = value

    def so_far(self, child: Any) -> Any:
        """See `Frame.so_far`."""
        return dict(self._entries) if child is NOTHING else {**self._entries, self._key: child}


class WrapperFrame:
    """The object `{"value": ...}` that providers are asked for where the value itself is no object."""

    __slots__ = ("_is_value", "_key", "_of", "_value")

    def __init__(self, of: SchemaType, key: str) -> None:
        self._of = of
        self._key = key
        self._is_value = False
        self._value: Any = NOTHING

    def key(self, name: str) -> None:
        """See `Frame.key`."""
        self._is_value = name == self._key

    def wanted(self) -> SchemaType | None:
        """See `Frame.wanted`."""
        return self._of if self._is_value else None

    def accept(self, value: Any) -> None:
        """See `Frame.accept`."""
        if self._is_value:
            self._value = value

    def so_far(self, child: Any) -> Any:
        """See `Frame.so_far`."""
        return self._value if child is NOTHING else child


class SkipFrame:
    """Something whose type is not known yet, or that is left out."""

    __slots__ = ()

    def key(self, name: str) -> None:
        """See `Frame.key`."""

    def wanted(self) -> SchemaType | None:
        """See `Frame.wanted`."""
        return None

    def accept(self, value: Any) -> None:
        """See `Frame.accept`."""

    def so_far(self, child: Any) -> Any:
        """See `Frame.so_far`."""
        del child
        return NOTHING


class RawFrame(SkipFrame):
    """Something of which several types are possible: the engine coerces all of it."""

    __slots__ = ("_kind", "_last", "_size")

    def __init__(self, kind: SchemaType) -> None:
        self._kind = kind
        self._last: Any = NOTHING
        self._size = 0

    @property
    def kind(self) -> SchemaType:
        """The type that is expected."""
        return self._kind

    def renew(self, value: Any, size: int, coercion: Coercion) -> Any:
        """Return the value so far of the untyped `value`, read from `size` characters."""
        if size <= ALWAYS or size >= self._size * 1.1:
            self._size = size
            self._last = coerced(coercion, self._kind, value)
        return self._last


_NO_TEXT: Final = (BoolType, FloatType, IntType)


def _get(base: Any, name: str) -> Any:
    return cast("dict[str, Any]", base)[name] if type(base) is dict else getattr(base, name)


def _with(base: Any, name: str, value: Any) -> Any:
    if type(base) is dict:
        return {**cast("dict[str, Any]", base), name: value}
    changed = base.__copy__()
    setattr(changed, name, value)
    return changed


def _fields(kind: ClassType) -> Mapping[str, Field]:
    return {field.wire: _without_asserts(field) if field.type.constraints else field for field in kind.fields}


def _without_asserts(field: Field) -> Field:
    """Return the field as it is in a stream: its asserts are put to the whole value only."""
    checks = tuple(constraint for constraint in field.type.constraints if constraint.kind == "check")
    return msgspec.structs.replace(field, type=msgspec.structs.replace(field.type, constraints=checks))


def _needed(kind: ClassType) -> frozenset[str]:
    return frozenset(field.name for field in kind.fields if field.type.stream.not_null and field.required)


def _empty(kind: ClassType, schema: Schema) -> Any:
    """Return a class of which nothing has come: lists and maps are empty, all else is None."""
    start: dict[str, Any] = {}
    for field in kind.fields:
        of = schema.resolve(field.type)
        makes: Callable[[], Any] | None = (
            list if isinstance(of, ListType) else dict if isinstance(of, MapType) else None
        )
        start[field.name] = None if makes is None or field.type.stream.done else makes()
    return partial_type(kind)(**start) if is_object(kind) else start


def fit(schema: Schema, kind: SchemaType, *, is_object: bool) -> Frame | None:
    """Return the frame for the one type among those of `kind` that an object, or an array, can be; else None."""
    if kind.constraints or kind.stream.with_state:
        return None
    resolved = schema.resolve(kind)
    if isinstance(resolved, UnionType):
        options = [frame for member in resolved.non_null if (frame := fit(schema, member, is_object=is_object))]
        composite = [
            member for member in resolved.non_null if isinstance(schema.resolve(member), ClassType | ListType | MapType)
        ]
        fitting = [member for member in composite if isinstance(schema.resolve(member), ListType) != is_object]
        return options[0] if len(options) == 1 == len(fitting) else None
    if resolved.constraints or resolved.stream.done:
        return None
    match resolved:
        case ClassType() if is_object and not any(field.type.stream.with_state for field in resolved.fields):
            return ClassFrame(resolved, schema)
        case MapType() if is_object:
            return MapFrame(resolved.value)
        case ListType() if not is_object and resolved.collection == "list":
            return ListFrame(resolved.item)
        case _:
            return None


def grows(schema: Schema, kind: SchemaType) -> bool:
    """Whether an unfinished text may be shown as a value of `kind`."""
    if kind.stream.done or kind.stream.with_state:
        return False
    resolved = schema.resolve(kind)
    if isinstance(resolved, UnionType):
        members = [schema.resolve(member) for member in resolved.non_null]
        texts = [member for member in resolved.non_null if grows(schema, member)]
        return bool(texts) and len(texts) + sum(isinstance(member, _NO_TEXT) for member in members) == len(members)
    return isinstance(resolved, StringType) and resolved.format is None and resolved.python is None
