"""Values that have their type already: no leniency, no repair. What fits here is never touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from callm.parse.choose import pick_best
from callm.parse.found import Found, Miss
from callm.parse.numerals import to_float
from callm.parse.tree import WRAPPERS, Word, is_small, plain
from callm.schema.model import (
    AnyType,
    BoolType,
    ClassType,
    EnumType,
    FloatType,
    IntType,
    ListType,
    LiteralType,
    MapType,
    NullType,
    RefType,
    Schema,
    StringType,
    TupleType,
    UnionType,
)

_LOW, _HIGH = -(2**63), 2**63 - 1


class Cast:
    """Takes values of one schema as they stand. It remembers what failed, so that trying again costs nothing."""

    def __init__(self, schema: Schema, *, constants: bool = False) -> None:
        """Know the definitions of `schema`. `constants`: a `Word` is no text."""
        self._schema = schema
        self._texts = (str,) if constants else (str, Word)
        self._failed: dict[int, set[int]] = {}

    def forget(self) -> None:
        """Forget what failed: the nodes may be others now."""
        self._failed.clear()

    def cast(self, kind: Any, node: Any) -> Found | None:
        """Return `node` as a value of the resolved type `kind`, if it is one as it stands."""
        return _CASTS[type(kind)](self, kind, node)

    def inner(self, kind: Any, node: Any) -> Found | None:
        """Return `node` as a value of any type; types with rules of their own are left to `coerce`."""
        if kind.constraints or kind.stream.with_state:
            return None
        if type(kind) is RefType:
            kind = self._schema.resolve(kind)
            if getattr(kind, "constraints", ()):
                return None
        return _CASTS[type(kind)](self, kind, node)

    def _remembered(self, kind: Any, node: Any, how: Callable[[Any, Any], Found | None]) -> Found | None:
        if is_small(node):
            return how(kind, node)
        failed = self._failed.setdefault(id(kind), set())
        if id(node) in failed:
            return None
        found = how(kind, node)
        if found is None:
            failed.add(id(node))
        return found

    def _list(self, kind: ListType, node: Any) -> Found | None:
        return self._remembered(kind, node, self._items) if type(node) is list else None

    def _map(self, kind: MapType, node: Any) -> Found | None:
        return self._remembered(kind, node, self._entries) if type(node) is dict else None

    def _class(self, kind: ClassType, node: Any) -> Found | None:
        return self._remembered(kind, node, self._fields) if type(node) is dict else None

    def _items(self, kind: ListType, node: list[Any]) -> Found | None:
        items: list[Found] = []
        cost = 0
        for item in node:
            found = self.inner(kind.item, item)
            if found is None:
                return None
            items.append(found)
            cost += found.cost
        return Found(None, kind, parts=items, cost=cost)

    def _entries(self, kind: MapType, node: dict[str, Any]) -> Found | None:
        if type(kind.key) is not StringType:
            return None
        entries: dict[str, Found] = {}
        cost = 0
        for key, item in node.items():
            found = self.inner(kind.value, item)
            if found is None:
                return None
            entries[key] = found
            cost += found.cost
        return Found(None, kind, parts=entries, cost=cost).note("object_to_map")

    def _fields(self, kind: ClassType, node: dict[str, Any]) -> Found | None:
        parts: dict[str, Found] = {}
        cost = taken = 0
        for field in kind.fields:
            if field.wire in node:
                found = self.inner(field.type, node[field.wire])
                if found is None:
                    return None
                taken += 1
            elif not field.required:
                found = Found(None, field.type).note("default_for_missing_optional")
            else:
                return None
            parts[field.name] = found
            cost += found.cost
        return Found(None, kind, parts=parts, cost=cost) if taken == len(node) else None

    def _union(self, kind: UnionType, node: Any) -> Found | None:
        if node is None and kind.is_nullable:
            return Found(None, NullType())
        found = [result for member in kind.non_null if (result := self.inner(member, node)) is not None]
        best = pick_best(found, "", in_union=True) if found else None
        return None if isinstance(best, Miss) else best

    def _enum(self, kind: EnumType, node: Any) -> Found | None:
        if type(node) not in (int, float, *self._texts):
            return None
        name = next((value.name for value in kind.values if value.wire == node), None)
        return None if name is None else Found(name, kind)

    def _literal(self, kind: LiteralType, node: Any) -> Found | None:
        if node != kind.value or not (type(node) is type(kind.value) or type(node) in self._texts):
            return None
        return Found(kind.value, kind)

    def _string(self, kind: Any, node: Any) -> Found | None:
        return Found(str(node), kind) if type(node) in self._texts else None

    def _any(self, kind: Any, node: Any) -> Found | None:
        if type(node) in WRAPPERS:
            return None
        words: list[str] | None = [] if Word not in self._texts else None
        found = Found(plain(node, words), kind)
        return found.note("constant", detail=", ".join(words)) if words else found


def _bool(_: Cast, kind: Any, node: Any) -> Found | None:
    return Found(node, kind) if type(node) is bool else None


def _int(_: Cast, kind: Any, node: Any) -> Found | None:
    return Found(node, kind) if type(node) is int and _LOW <= node <= _HIGH else None


def _float(_: Cast, kind: Any, node: Any) -> Found | None:
    return Found(to_float(node), kind) if type(node) in (int, float) else None


def _null(_: Cast, kind: Any, node: Any) -> Found | None:
    return Found(None, kind) if node is None else None


def _never(_: Cast, kind: Any, node: Any) -> Found | None:
    del kind, node  # a tuple's items have a type each: `coerce` reads them
    return None


_CASTS: Final[Mapping[type, Callable[[Cast, Any, Any], Found | None]]] = {
    AnyType: Cast._any,
    BoolType: _bool,
    ClassType: Cast._class,
    EnumType: Cast._enum,
    FloatType: _float,
    IntType: _int,
    ListType: Cast._list,
    LiteralType: Cast._literal,
    MapType: Cast._map,
    NullType: _null,
    StringType: Cast._string,
    TupleType: _never,
    UnionType: Cast._union,
}
