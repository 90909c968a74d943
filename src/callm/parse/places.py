"""What a type lets stand at one place of a value: worked out once for each type, used at every delta.

1. A `Place` is a type with what a stream must know of it: does its text grow, what is there before it comes, is it taken as
   it stands.
2. A `Shape` is a class with the places of its fields.
3. Of constraints a stream knows the asserts of list items, map entries and roots; those of fields wait for the end, and
   checks change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, Final, cast

import msgspec

from callm.parse.coerce import Coercion
from callm.parse.fuzzy import same_key
from callm.parse.partial_value import NOTHING, StreamState, coerced, has_default, is_object, may_lack, partial_type
from callm.schema.model import (
    AnyType,
    BoolType,
    ClassType,
    EnumType,
    Field,
    FloatType,
    IntType,
    ListType,
    LiteralType,
    MapType,
    Schema,
    SchemaType,
    StringType,
    UnionType,
)

_LOW: Final = -(2**63)
_HIGH: Final = 2**63 - 1
_EXACT: Final[Mapping[object, type]] = {StringType: str, IntType: int, FloatType: float, BoolType: bool}


class Place:
    """A type, and how what comes at its place is taken and shown.

    Attributes:
        kind: the type, without the rules of a stream that the place itself keeps.
        grows: whether an unfinished text may be shown.
        waits: whether nothing may be shown before it is complete.
        stateful: whether it is shown with its state.
        empty: makes what stands there before anything has come: an empty list or map, or None.
        openers: what makes the frame for an array and for an object, once it is known.
    """

    __slots__ = ("_exact", "_names", "_nullable", "empty", "grows", "kind", "openers", "places", "stateful", "waits")

    def __init__(self, places: Places, kind: SchemaType) -> None:
        """Work out what `kind` lets stand there."""
        self.stateful = kind.stream.with_state
        if self.stateful:
            kind = msgspec.structs.replace(kind, stream=msgspec.structs.replace(kind.stream, with_state=False))
        resolved = places.schema.resolve(kind)
        members = _members(places.schema, resolved)
        self.places = places
        self.kind = kind
        self.waits = kind.stream.done or (not isinstance(resolved, UnionType) and resolved.stream.done)
        free = not asserts(kind) and not asserts(resolved)
        self.grows = free and not self.waits and _grows(members)
        self.empty = _EMPTY.get(type(resolved), _none)
        self._nullable = free and isinstance(resolved, UnionType) and resolved.is_nullable
        only: object = members[0] if free and len(members) == 1 else None
        self._exact = None if _is_narrow(only) else _EXACT.get(type(only))
        self._names = _names(members) if free else {}
        self.openers: list[Callable[[int], Any] | None] = [None, None]

    def take(self, value: Any, coercion: Coercion) -> Any:
        """Return a finished value as it is shown, or NOTHING."""
        of = value.__class__
        if of is self._exact and (of is not int or _LOW <= value <= _HIGH):
            return value
        if value is None and self._nullable:
            return None
        if of is str and value in self._names:
            return self._names[value]
        return coerced(coercion, self.kind, value, is_whole=True)

    def blank(self) -> Any:
        """Return what stands there before anything has come."""
        empty = None if self.kind.stream.done else self.empty()
        return StreamState(empty, "pending") if self.stateful else empty


class Shape:
    """A class, as its values are shown while they come.

    Attributes:
        fields: the names and places of its fields, by how they are written.
        needed: the fields without which nothing is shown.
        required: the fields without which there is no whole value.
        defaults: what the fields are that do not come, where that is not None.
        is_object: whether it is shown as an object with attributes, not as a dictionary.
    """

    __slots__ = ("_blanks", "_start", "defaults", "fields", "is_object", "needed", "required")

    def __init__(self, places: Places, kind: ClassType) -> None:
        """Work out what `kind` looks like."""
        self.fields = {field.wire: (field.name, places.of_field(field)) for field in kind.fields}
        self.needed = frozenset(field.name for field in kind.fields if field.type.stream.not_null and field.required)
        self.required = frozenset(field.name for field in kind.fields if field.required)
        self.defaults = [(field.name, field.default) for field in kind.fields if has_default(field)]
        self.is_object = is_object(kind)
        start = {name: place.blank() for name, place in self.fields.values() if not may_lack(kind, name)}
        self._start: Any = partial_type(kind)(**start) if self.is_object else start
        self._blanks = [(name, place) for name, place in self.fields.values() if start.get(name) is not None]

    def begin(self) -> Any:
        """Return a value of which nothing has come: its lists and maps are empty, all else is None."""
        value = copy(self._start)
        for name, place in self._blanks:
            value = self.put(value, name, place.blank())  # no two values share a list
        return value

    def get(self, value: Any, name: str) -> Any:
        """Return a field of a value."""
        return getattr(value, name) if self.is_object else value.get(name, NOTHING)

    def put(self, value: Any, name: str, part: Any) -> Any:
        """Return a copy of a value with another part."""
        if self.is_object:
            value = value.__copy__()
            setattr(value, name, part)
            return value
        return {**cast("dict[str, Any]", value), name: part}

    def find(self, key: str) -> tuple[str, Place] | None:
        """Return the name and place of the field that a key means."""
        return self.fields.get(key) or next((of for wire, of in self.fields.items() if same_key(key, wire)), None)


class Places:
    """The places of one schema."""

    def __init__(self, schema: Schema, *, constants: bool = False) -> None:
        """Serve the types of `schema`; `constants` are as for `Coercion`."""
        self.schema = schema
        self.constants = constants
        self._places: dict[int, Place] = {}
        self._shapes: dict[str, Shape] = {}
        self._kept: list[SchemaType] = []  # what is known by its `id` must stay

    def of(self, kind: SchemaType) -> Place:
        """Return the place for a value of `kind`."""
        place = self._places.get(id(kind))
        if place is None:
            self._kept.append(kind)
            place = self._places[id(kind)] = Place(self, kind)
        return place

    def of_field(self, field: Field) -> Place:
        """Return the place of a field's value: its own asserts are put to the whole value only."""
        kind = field.type
        return self.of(msgspec.structs.replace(kind, constraints=()) if kind.constraints else kind)

    def shape(self, kind: ClassType) -> Shape:
        """Return the shape of a class."""
        shape = self._shapes.get(kind.name)
        if shape is None:
            shape = self._shapes[kind.name] = Shape(self, kind)
        return shape


def asserts(kind: Any) -> bool:
    """Whether a type refuses values by an expression."""
    return any(constraint.kind == "assert" for constraint in kind.constraints)


def _none() -> Any:
    return None


_EMPTY: Final[Mapping[object, Callable[[], Any]]] = {ListType: list, MapType: dict}


def _members(schema: Schema, resolved: Any) -> list[Any]:
    """Return the types that a value other than null may have."""
    if not isinstance(resolved, UnionType):
        return [resolved]
    return [leaf for member in resolved.non_null for leaf in _members(schema, schema.resolve(member))]


def _is_narrow(kind: object) -> bool:
    """Whether not all values of a scalar's Python type will do, or they become something else."""
    return any(getattr(kind, name, None) for name in ("constraints", "format", "limits", "python"))


def _is_text(kind: Any) -> bool:
    """Whether a type is any text, shown as it comes."""
    plain = isinstance(kind, AnyType) or (isinstance(kind, StringType) and kind.format is None and kind.python is None)
    return plain and not (kind.stream.done or kind.stream.with_state or asserts(kind))


def _grows(members: list[Any]) -> bool:
    """Whether a text is shown as it grows: no other type of `members` could take it when it is whole."""
    return any(map(_is_text, members)) and all(_is_text(member) or not _takes_text(member) for member in members)


def _takes_text(kind: Any) -> bool:
    return isinstance(kind, EnumType | StringType) or (isinstance(kind, LiteralType) and isinstance(kind.value, str))


def _names(members: list[Any]) -> dict[str, Any]:
    """Return what texts mean where only names may stand: one enum, or literals."""
    if len(members) == 1 and isinstance(members[0], EnumType):
        (enum,) = members
        values = [value for value in enum.values if isinstance(value.wire, str)]
        return {value.wire: value.name if enum.python is None else enum.python[value.name] for value in values}
    if not all(isinstance(member, LiteralType) for member in members):
        return {}
    texts = [member for member in members if isinstance(member.value, str)]
    return {text.value: text.value if text.python is None else text.python for text in reversed(texts)}
