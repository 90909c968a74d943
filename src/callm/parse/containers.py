"""Lists, tuples, maps and unions out of a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from callm.parse.choose import pick_best
from callm.parse.found import UNFINISHED, Found, Miss, Result
from callm.parse.fuzzy import Match, Name, find
from callm.parse.reasons import described, name_of
from callm.parse.tree import Open, is_open, pairs, unwrap
from callm.schema.model import EnumType, ListType, LiteralType, MapType, NullType, SchemaType, TupleType, UnionType

if TYPE_CHECKING:
    from callm.parse.coerce import Coercion


class Keys(msgspec.Struct, frozen=True):
    """What the keys of a map may be: their names, and what each stands for in Python."""

    names: tuple[Name, ...]
    values: Mapping[str, Any]


def read_list(coercion: Coercion, kind: ListType, node: Any, *, in_union: bool) -> Result:
    """Read a list. It never fails: what does not fit is dropped, and what is no list becomes its only item."""
    del in_union  # an item's type is its own
    value = unwrap(node)
    if not isinstance(value, list):
        return _single(coercion, kind, node)
    parts: list[Found] = []
    found = Found(None, kind, parts=parts)
    for number, item in enumerate(value):
        result = coercion.value(kind.item, item)
        if isinstance(result, Found):
            parts.append(result)
            found.cost += result.cost
        else:
            found.note("dropped_item", number, f"[{number}] {described(item)}: {next(result.lines())}")
    return found


def _single(coercion: Coercion, kind: ListType, node: Any) -> Result:
    step = (id(kind), id(node))
    if step in coercion.path:
        return Miss("a list would contain itself for ever")
    coercion.path.add(step)
    result = coercion.value(kind.item, node)
    coercion.path.discard(step)
    if isinstance(result, Found):
        return Found(None, kind, parts=[result], cost=result.cost).note("single_to_list")
    found = Found(None, kind, parts=[]).note("single_to_list")
    return found.note("dropped_item", 0, f"{described(node)}: {next(result.lines())}")


def read_tuple(coercion: Coercion, kind: TupleType, node: Any, *, in_union: bool) -> Result:
    """Read a list that has a type for each of its items."""
    del in_union
    value = unwrap(node)
    if not isinstance(value, list) or len(value) != len(kind.items):
        return Miss(f"expected a list of {len(kind.items)}, got {described(node)}")
    parts: list[Found] = []
    for number, (of, item) in enumerate(zip(kind.items, value, strict=True)):
        result = coercion.value(of, item)
        if isinstance(result, Miss):
            return Miss("a wrong item", (msgspec.structs.replace(result, path=f"[{number}]"),))
        parts.append(result)
    return Found(None, kind, parts=parts, cost=sum(part.cost for part in parts))


def read_union(coercion: Coercion, kind: UnionType, node: Any, *, in_union: bool) -> Result:
    """Read whichever member reads best."""
    del in_union
    if coercion.streaming and type(node) is Open and _may_go_on(coercion, kind, node.value):
        return Miss(UNFINISHED)
    results = [coercion.value(member, node, in_union=True) for member in kind.members]
    is_begun = coercion.streaming and is_open(node) and kind.is_nullable and not coercion.waits(kind)
    if is_begun and not any(isinstance(result, Found) for result in results):
        return Found(None, NullType()).note("null_for_value")  # nothing yet, where nothing may be
    return pick_best(results, name_of(kind), in_union=True)


def _may_go_on(coercion: Coercion, kind: UnionType, value: Any) -> bool:
    """Whether the beginning of a number is a number already: it must not appear as text instead."""
    return isinstance(value, int | float) and any(coercion.fits(member, value) for member in kind.non_null)


def read_map(coercion: Coercion, kind: MapType, node: Any, *, in_union: bool) -> Result:
    """Read an object of any keys. Entries that do not fit are dropped."""
    del in_union
    entries = pairs(unwrap(node))
    if entries is None:
        return Miss(f"expected an object, got {described(node)}")
    parts: dict[str, Found] = {}
    found = Found(None, kind, parts=parts).note("object_to_map")
    for key, item in entries:
        result = coercion.value(kind.value, item)
        if isinstance(result, Found):
            parts[key] = result
        else:
            found.note("dropped_entry", 0, f"{key}: {described(item)}: {next(result.lines())}")
    keys = _keys(coercion, kind.key)
    if keys is not None:
        is_exact = all(coercion.fits(kind.value, item) for _, item in entries)
        _name_keys(found, parts, keys, is_exact=is_exact)
    found.cost += sum(part.cost for part in parts.values())
    return found


def _name_keys(found: Found, parts: dict[str, Found], keys: Keys, *, is_exact: bool) -> None:
    """Look up the keys of a map. One that means none is dropped, unless all the values are as they should be."""
    named: dict[str, Any] = {}
    for key in list(parts):
        match = find(key, keys.names)
        if isinstance(match, Match):
            if match.name in keys.values:  # an enum of BAML's leaves its keys as they are written
                named[key] = keys.values[match.name]
            if match.stripped or match.substring:
                found.note("key_match", detail=key)
        elif is_exact:
            found.note("unknown_key", detail=key)
        else:
            del parts[key]
            found.note("dropped_entry", detail=f"{key}: no such key")
    found.keys = named


def _keys(coercion: Coercion, kind: SchemaType) -> Keys | None:
    """Return what the keys of a map may be; None for any text."""
    names: list[Name] = []
    values: dict[str, Any] = {}
    for member in kind.members if isinstance(kind, UnionType) else (kind,):
        resolved = coercion.schema.resolve(member)
        if isinstance(resolved, EnumType):
            names += coercion.names(resolved)
            if resolved.python is not None:
                values |= {value.name: resolved.python[value.name] for value in resolved.values}
        elif isinstance(resolved, LiteralType):
            names.append(Name(str(resolved.value), (str(resolved.value),)))
            values[str(resolved.value)] = resolved.value if resolved.python is None else resolved.python
        else:
            return None
    return Keys(tuple(names), values)
