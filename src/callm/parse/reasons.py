"""How the reason for a miss names types and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from callm.parse.tree import pairs, show, unwrap
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
    StringType,
    TupleType,
    UnionType,
)

_NAMES: Final[Mapping[type, str]] = {
    AnyType: "any value",
    BoolType: "true or false",
    FloatType: "a number",
    IntType: "a whole number",
    MapType: "an object",
    NullType: "null",
    StringType: "text",
    TupleType: "a list",
}
_QUOTED: Final = 60
"""How much of a text a reason quotes: enough to find it by."""


def name_of(kind: Any) -> str:
    """Return how a reason names a type."""
    match kind:
        case ClassType() | EnumType():
            return kind.name
        case LiteralType(value=value):
            return repr(value)
        case ListType(item=item):
            return f"a list of {name_of(item)}"
        case UnionType(members=members):
            return " or ".join(name_of(member) for member in members)
        case _:
            return _NAMES.get(type(kind)) or str(kind.name)


def described(node: Any) -> str:
    """Return how a reason names what came."""
    value = unwrap(node)
    if value is None:
        return "null"
    if isinstance(value, str):
        return repr(value if len(value) <= _QUOTED else value[: _QUOTED - 3] + "...")
    if pairs(value) is not None:
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    return show(value)
