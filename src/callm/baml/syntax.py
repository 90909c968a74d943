"""The syntax tree of `.baml` declarations. Every node knows its place."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from callm.baml.source import Source, Span


class Argument(msgspec.Struct, frozen=True):
    """An argument of an attribute: a string, a bare word, a number, or an expression `{{ ... }}`."""

    kind: str
    text: str
    span: Span


class Attribute(msgspec.Struct, frozen=True):
    """`@name(arguments)` behind a field or type, or `@@name(arguments)` on a line of its own in a block."""

    name: str
    arguments: tuple[Argument, ...]
    span: Span


class NamedType(msgspec.Struct, frozen=True):
    """A primitive, or the name of a declaration."""

    name: str
    span: Span
    attributes: tuple[Attribute, ...] = ()


class LiteralValue(msgspec.Struct, frozen=True):
    """A value as a type."""

    value: str | int | bool
    span: Span
    attributes: tuple[Attribute, ...] = ()


class ListOf(msgspec.Struct, frozen=True):
    """`item[]`."""

    item: TypeNode
    span: Span
    attributes: tuple[Attribute, ...] = ()


class OptionalOf(msgspec.Struct, frozen=True):
    """`of?`."""

    of: TypeNode
    span: Span
    attributes: tuple[Attribute, ...] = ()


class MapOf(msgspec.Struct, frozen=True):
    """`map<key, value>`."""

    key: TypeNode
    value: TypeNode
    span: Span
    attributes: tuple[Attribute, ...] = ()


class UnionOf(msgspec.Struct, frozen=True):
    """`one | other`."""

    members: tuple[TypeNode, ...]
    span: Span
    attributes: tuple[Attribute, ...] = ()


TypeNode: TypeAlias = NamedType | LiteralValue | ListOf | OptionalOf | MapOf | UnionOf


class FieldNode(msgspec.Struct, frozen=True):
    """A line of a class: a name, a type, attributes."""

    name: str
    type: TypeNode
    attributes: tuple[Attribute, ...]
    span: Span


class ClassNode(msgspec.Struct, frozen=True):
    """`class Name { ... }`."""

    name: str
    fields: tuple[FieldNode, ...]
    attributes: tuple[Attribute, ...]
    span: Span
    source: Source


class ValueNode(msgspec.Struct, frozen=True):
    """A line of an enum: a name and attributes."""

    name: str
    attributes: tuple[Attribute, ...]
    span: Span


class EnumNode(msgspec.Struct, frozen=True):
    """`enum Name { ... }`."""

    name: str
    values: tuple[ValueNode, ...]
    attributes: tuple[Attribute, ...]
    span: Span
    source: Source


class AliasNode(msgspec.Struct, frozen=True):
    """`type Name = ...`."""

    name: str
    type: TypeNode
    span: Span
    source: Source


class BlockNode(msgspec.Struct, frozen=True):
    """A block of another kind (function, client, test, ...): its body is kept as text."""

    kind: str
    name: str
    span: Span
    source: Source


Declaration: TypeAlias = ClassNode | EnumNode | AliasNode | BlockNode
