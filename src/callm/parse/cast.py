"""Values that have their type already: no leniency, no repair. What fits here is never touched."""

from __future__ import annotations

from typing import Any

from callm.parse.choose import pick_best
from callm.parse.found import Found
from callm.parse.tree import Open
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
    Schema,
    StringType,
    TupleType,
    UnionType,
)

_LOW, _HIGH = -(2**63), 2**63 - 1


def cast(schema: Schema, kind: Any, node: Any) -> Found | None:
    """Return `node` as a value of the resolved type `kind`, if it is one as it stands."""
    if type(node) is Open:
        return None
    match kind:
        case StringType():
            return Found(node, kind) if isinstance(node, str) else None
        case BoolType():
            return Found(node, kind) if isinstance(node, bool) else None
        case IntType():
            good = type(node) is int and _LOW <= node <= _HIGH
            return Found(node, kind) if good else None
        case FloatType():
            return Found(float(node), kind) if type(node) in (int, float) else None
        case NullType():
            return Found(None, kind) if node is None else None
        case AnyType():
            return Found(node, kind)
        case LiteralType(value=value):
            return Found(value, kind) if type(node) is type(value) and node == value else None
        case EnumType():
            return _enum(kind, node)
        case _:
            return _composite(schema, kind, node)


def _enum(kind: EnumType, node: Any) -> Found | None:
    if not isinstance(node, str):
        return None
    name = next((value.name for value in kind.values if value.wire == node), None)
    return None if name is None else Found(name, kind)


def _composite(schema: Schema, kind: Any, node: Any) -> Found | None:
    match kind:
        case ListType():
            return _list(schema, kind, node)
        case TupleType():
            return None
        case MapType():
            return _map(schema, kind, node)
        case UnionType():
            return _union(schema, kind, node)
        case ClassType():
            return _class(schema, kind, node)
        case _:
            return None


def _inner(schema: Schema, kind: Any, node: Any) -> Found | None:
    if kind.constraints or kind.stream.with_state:
        return None
    resolved = schema.resolve(kind)
    if resolved.constraints:
        return None
    return cast(schema, resolved, node)


def _list(schema: Schema, kind: ListType, node: Any) -> Found | None:
    if type(node) is not list:
        return None
    items: list[Found] = []
    for item in node:
        found = _inner(schema, kind.item, item)
        if found is None:
            return None
        items.append(found)
    return Found(None, kind, parts=items, cost=sum(item.cost for item in items))


def _map(schema: Schema, kind: MapType, node: Any) -> Found | None:
    if type(node) is not dict:
        return None
    entries: dict[str, Found] = {}
    for key, item in node.items():
        found = _inner(schema, kind.value, item)
        if found is None:
            return None
        entries[key] = found
    return Found(None, kind, parts=entries)


def _union(schema: Schema, kind: UnionType, node: Any) -> Found | None:
    if node is None and kind.is_nullable:
        return Found(None, NullType())
    found = [result for member in kind.non_null if (result := _inner(schema, member, node)) is not None]
    if not found:
        return None
    best = pick_best(found, "union", in_union=True)
    return best if isinstance(best, Found) else None


def _class(schema: Schema, kind: ClassType, node: Any) -> Found | None:
    if type(node) is not dict:
        return None
    wires = {field.wire: field for field in kind.fields}
    if any(key not in wires for key in node):
        return None
    parts: dict[str, Found] = {}
    cost = 0
    for wire, field in wires.items():
        if wire in node:
            found = _inner(schema, field.type, node[wire])
            if found is None:
                return None
        elif not field.required:
            found = Found(None, field.type).note("default_for_missing_optional")
        else:
            return None
        parts[field.name] = found
        cost += found.cost
    return Found(None, kind, parts=parts, cost=cost)


