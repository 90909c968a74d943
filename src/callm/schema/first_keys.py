"""Which property each class must begin with, where the objects of an `anyOf` may not begin alike.

OpenAI answers 400 to such a schema: "Objects provided via 'anyOf' must not share identical first keys. Consider adding a
discriminator key or rearranging the properties to ensure the first key is unique." So we rearrange the properties.
"""

from __future__ import annotations

from collections.abc import Iterator

from callm.schema.graph import children, parts, reachable
from callm.schema.model import (
    AliasType,
    ClassType,
    LiteralType,
    RefType,
    Schema,
    SchemaType,
    UnionType,
)


def first_keys(schema: Schema) -> dict[str, str] | None:
    """Return the first key of every class that is an alternative to another, or None if they can't be told apart."""
    chosen: dict[str, str] = {}
    for group in _groups(schema):
        tag = _tag(group)
        taken = set[str]()
        for definition in group:
            wires = [field.wire for field in definition.fields]
            allowed = [tag] if tag else [wire for wire in wires if wire not in taken]
            if definition.name in chosen:
                allowed = [wire for wire in allowed if wire == chosen[definition.name]]
            if wires and not allowed:
                return None
            if allowed:
                chosen[definition.name] = allowed[0]
                taken.add(allowed[0])
    return chosen


def _groups(schema: Schema) -> Iterator[list[ClassType]]:
    """Yield the classes of each union that has several."""
    types = [schema.root, *(part for definition in reachable(schema).values() for part in parts(definition))]
    while types:
        of = types.pop()
        types += children(of)
        if isinstance(of, UnionType):
            classes = list(dict.fromkeys(_classes(schema, of, set())))
            if len(classes) > 1:
                yield [definition for name in classes if isinstance(definition := schema.definitions[name], ClassType)]


def _classes(schema: Schema, of: SchemaType, seen: set[str]) -> Iterator[str]:
    if isinstance(of, UnionType):
        for member in of.members:
            yield from _classes(schema, member, seen)
    elif isinstance(of, RefType) and of.name not in seen:
        seen.add(of.name)
        definition = schema.definitions[of.name]
        if isinstance(definition, ClassType):
            yield of.name
        elif isinstance(definition, AliasType):
            yield from _classes(schema, definition.type, seen)


def _tag(group: list[ClassType]) -> str | None:
    """Return the key that holds another literal in each class of `group`: a discriminator."""
    for field in group[0].fields:
        values = [_literal(definition, field.wire) for definition in group]
        if None not in values and len(set(values)) == len(values):
            return field.wire
    return None


def _literal(definition: ClassType, wire: str) -> str | int | None:
    for field in definition.fields:
        if field.wire == wire and isinstance(field.type, LiteralType):
            return field.type.value
    return None
