"""Which definitions refer to which, and which of them contain themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from callm.schema.model import (
    AliasType,
    ClassType,
    Definition,
    ListType,
    MapType,
    RefType,
    Schema,
    SchemaType,
    TupleType,
    UnionType,
)


def children(of: SchemaType) -> tuple[SchemaType, ...]:
    """Return the types that `of` is made of, in the order in which they were written."""
    match of:
        case ListType():
            return (of.item,)
        case MapType():
            return (of.key, of.value)
        case TupleType():
            return of.items
        case UnionType():
            return of.members
        case _:
            return ()


def parts(definition: Definition) -> tuple[SchemaType, ...]:
    """Return the types that `definition` is made of."""
    match definition:
        case ClassType():
            return tuple(field.type for field in definition.fields)
        case AliasType():
            return (definition.type,)
        case _:
            return ()


def references(of: SchemaType) -> Iterator[str]:
    """Yield the names in `of`, each time they occur, without following them."""
    if isinstance(of, RefType):
        yield of.name
    for child in children(of):
        yield from references(child)


def reachable(schema: Schema) -> dict[str, Definition]:
    """Return the definitions that the root needs, those it names first."""
    found: dict[str, Definition] = {}
    waiting = list(references(schema.root))
    for name in waiting:
        if name not in found:
            found[name] = schema.definitions[name]
            waiting += _names(found[name])
    return found


def recursive(schema: Schema) -> frozenset[str]:
    """Return the names of the definitions that the root needs and that contain themselves, by whatever way."""
    edges = {name: _names(definition) for name, definition in reachable(schema).items()}
    return frozenset(name for cycle in _cycles(edges) for name in cycle)


def alias_cycles(schema: Schema) -> list[list[str]]:
    """Return the aliases that contain themselves without a class between, in groups that contain one another."""
    aliases = {name: definition for name, definition in schema.definitions.items() if isinstance(definition, AliasType)}
    edges = {name: [other for other in _names(alias) if other in aliases] for name, alias in aliases.items()}
    return _cycles(edges)


def class_cycles(schema: Schema) -> list[list[str]]:
    """Return the classes that contain themselves, in groups that contain one another; other names are looked through."""
    classes = [name for name, definition in schema.definitions.items() if isinstance(definition, ClassType)]
    return _cycles({name: _classes(schema, name) for name in classes})


def _names(definition: Definition) -> list[str]:
    return [name for part in parts(definition) for name in references(part)]


def _classes(schema: Schema, name: str) -> list[str]:
    """Return the classes that class `name` refers to, by itself or by aliases."""
    found: list[str] = []
    seen = set[str]()
    waiting = _names(schema.definitions[name])
    while waiting:
        other = waiting.pop()
        if other not in seen:
            seen.add(other)
            definition = schema.definitions[other]
            if isinstance(definition, ClassType):
                found.append(other)
            else:
                waiting += _names(definition)
    return found


class _Search:
    """Tarjan's strongly connected components, in the order of definition, without recursion of Python's own."""

    def __init__(self, edges: Mapping[str, list[str]]) -> None:
        self.order = {name: position for position, name in enumerate(edges)}
        self.edges = {name: sorted(set(others), key=self.order.__getitem__) for name, others in edges.items()}
        self.index: dict[str, int] = {}
        self.low: dict[str, int] = {}
        self.stack: list[str] = []
        self.cycles: list[list[str]] = []

    def visit(self, root: str) -> None:
        work = [(root, iter(self.edges[root]))]
        self._enter(root)
        while work:
            name, others = work[-1]
            for other in others:
                if other not in self.index:
                    self._enter(other)
                    work.append((other, iter(self.edges[other])))
                    break
                if other in self.stack:
                    self.low[name] = min(self.low[name], self.index[other])
            else:
                work.pop()
                if work:
                    self.low[work[-1][0]] = min(self.low[work[-1][0]], self.low[name])
                self._leave(name)

    def _enter(self, name: str) -> None:
        self.index[name] = self.low[name] = len(self.index)
        self.stack.append(name)

    def _leave(self, name: str) -> None:
        if self.low[name] != self.index[name]:
            return
        start = self.stack.index(name)
        group = self.stack[start:]
        del self.stack[start:]
        if len(group) > 1 or name in self.edges[name]:
            self.cycles.append(_rotated(group, self.order))


def _rotated(group: list[str], order: Mapping[str, int]) -> list[str]:
    """Return `group` turned so that the name defined first comes first: prompts name them in this order."""
    first = group.index(min(group, key=order.__getitem__))
    return group[first:] + group[:first]


def _cycles(edges: Mapping[str, list[str]]) -> list[list[str]]:
    search = _Search(edges)
    for name in edges:
        if name not in search.index:
            search.visit(name)
    return search.cycles
