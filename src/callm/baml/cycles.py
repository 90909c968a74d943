"""Declarations that can have no value: a class that requires itself, an alias that is nothing but itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from callm.baml.source import Problem
from callm.baml.syntax import AliasNode, ClassNode, Declaration, NamedType, OptionalOf, TypeNode, UnionOf


def check_cycles(declarations: Mapping[str, Declaration]) -> list[Problem]:
    """Return a problem for each cycle of classes through required fields, and of aliases through nothing."""
    problems: list[Problem] = []
    reported: set[str] = set()
    for name in declarations:
        cycle = _cycle(name, declarations, (name,))
        if cycle and reported.isdisjoint(cycle):
            reported |= set(cycle)
            node = declarations[name]
            problems.append(
                Problem(node.source, node.span, f"these declarations need each other: {' -> '.join(cycle)}")
            )
    return problems


def _cycle(name: str, declarations: Mapping[str, Declaration], path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first way from `name` back to the start of `path`, or nothing."""
    seen = {name}
    stack = [(name, path)]
    while stack:
        here, way = stack.pop()
        for needed in _needs(declarations.get(here)):
            if needed == path[0]:
                return (*way, needed)
            if needed not in seen:
                seen.add(needed)
                stack.append((needed, (*way, needed)))
    return ()


def _needs(node: Declaration | None) -> Iterator[str]:
    match node:
        case ClassNode(fields=fields):
            for item in fields:
                yield from _required(item.type)
        case AliasNode(type=kind):
            yield from _bare(kind)
        case _:
            return


def _required(kind: TypeNode) -> Iterator[str]:
    """Yield the names without whose value there is no value: not behind an optional, list, map or an alternative."""
    if isinstance(kind, NamedType):
        yield kind.name


def _bare(kind: TypeNode) -> Iterator[str]:
    """Yield the names that an alias stands for without a list or map between."""
    match kind:
        case NamedType(name=name):
            yield name
        case OptionalOf(of=of):
            yield from _bare(of)
        case UnionOf(members=members):
            for member in members:
                yield from _bare(member)
        case _:
            return
