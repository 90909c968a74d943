"""The description of a type that a prompt shows: what `{{ ctx.output_format }}` stands for.

1. Enums with many values or with descriptions, classes that contain themselves and aliases that do are defined first.
2. Then a sentence says what to answer with, and the type follows, in a notation close to TypeScript.
3. What that notation can't say (a format, a limit) stands in parentheses behind the type.

The layout is that of BAML's `ctx.output_format` (https://docs.boundaryml.com/ref/prompt-syntax/ctx-output-format), with
its options, so a prompt that was tuned there reads the same here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final, Literal

import msgspec

from callm.errors import ConfigError
from callm.schema.graph import alias_cycles, children, class_cycles, parts
from callm.schema.hints import hints, value_note
from callm.schema.model import (
    AliasType,
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
    NullType,
    RefType,
    Schema,
    SchemaType,
    StringType,
    TupleType,
    UnionType,
    optional,
    union,
)

INLINE_VALUES: Final = 6
"""An enum with more values is listed by itself."""

INLINE_LENGTH: Final = 15
"""A list of an enum whose text is longer takes several lines."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How a description looks.

    Attributes:
        prefix: the sentence before the type. Unset chooses one; None or an empty text leaves it out.
        or_splitter: what stands between alternatives.
        enum_value_prefix: what stands before each value of a listed enum.
        always_hoist_enums: whether every enum is listed by itself.
        hoist_classes: which classes are defined by name: those that must (False), all (True), or also those named.
        hoisted_class_prefix: a word before each definition, also used in the sentence.
        map_style: `angle` for `map<K, V>`, `object` for `{K: V}`.
        quote_class_fields: whether field names stand in quotes.
    """

    prefix: str | msgspec.UnsetType | None = msgspec.UNSET
    or_splitter: str = " or "
    enum_value_prefix: str | None = "- "
    always_hoist_enums: bool = False
    hoist_classes: bool | tuple[str, ...] = False
    hoisted_class_prefix: str | None = None
    map_style: Literal["angle", "object"] = "angle"
    quote_class_fields: bool = False


def describe(schema: Schema, layout: Layout | None = None) -> str:
    """Return the instructions that ask for `schema`: empty for plain text, unless the layout has a prefix.

    Raises:
        ConfigError: the layout names a class that is not there.
    """
    return _Description(schema, layout or Layout()).text()


class _Description:
    def __init__(self, schema: Schema, layout: Layout) -> None:
        self.schema = schema
        self.layout = layout
        self.alias_cycles = alias_cycles(schema)
        self.aliases = {name for cycle in self.alias_cycles for name in cycle}
        self.found = self._find()
        self.classes = dict.fromkeys(chain(self._recursive(), self._chosen()))

    def text(self) -> str:
        root = self._expand(self.schema.root)
        if isinstance(root, StringType) and not self.layout.prefix and not _notes(root):
            return ""
        sections = [self._enum_block(enum) for enum in self._enums() if not _is_reference(root, enum.name)]
        sections += [self._named(f"{name} {self._body(name)}") for name in self.classes]
        lines = [self._named(f"{name} = {self._type(self._target(name))}") for name in self._recursive_aliases()]
        if lines:
            sections.append("\n".join(lines))
        return "\n\n".join([*sections, self._answer(root)])

    def _answer(self, root: SchemaType) -> str:
        """Return the sentence and the type."""
        if self.layout.prefix is not msgspec.UNSET:
            return (self.layout.prefix or "") + self._root_text(root)
        if type(root) in _SCALARS:
            return f"Answer as {_SCALARS[type(root)]}{_parenthesis(_notes(root))}"
        return self._sentence(root) + self._root_text(root)

    def _root_text(self, root: SchemaType) -> str:
        if isinstance(root, RefType):
            definition = self.schema.definitions[root.name]
            if isinstance(definition, EnumType):
                return self._enum_block(definition)
        return self._type(root)

    def _sentence(self, root: SchemaType) -> str:
        match root:
            case RefType() if isinstance(self.schema.definitions[root.name], EnumType):
                return "Answer with any of the categories:\n"
            case RefType():
                end = " " if root.name in self.classes or root.name in self.aliases else "\n"
                return f"Answer in JSON using this {self.layout.hoisted_class_prefix or 'schema'}:{end}"
            case UnionType() if len(root.non_null) > 1:
                return "Answer in JSON using any of these schemas:\n"
            case _:
                return _SENTENCES.get(type(root), "Answer in JSON using this schema:\n")

    # What is defined by name.

    def _find(self) -> dict[str, ClassType | EnumType | AliasType]:
        """Return the definitions in use. The order is the reference's: what was written last is looked at first."""
        found: dict[str, ClassType | EnumType | AliasType] = {}
        waiting = [self.schema.root]
        while waiting:
            current = waiting.pop()
            if isinstance(current, RefType):
                if current.name in found:
                    continue
                found[current.name] = self.schema.definitions[current.name]
                waiting += parts(found[current.name])
            else:
                waiting += children(current)
        return found

    def _recursive(self) -> Iterable[str]:
        cycles = class_cycles(self.schema)
        for name in self.found:
            for cycle in cycles:
                if name in cycle:
                    yield from cycle

    def _chosen(self) -> Iterable[str]:
        names = [name for name, found in self.found.items() if isinstance(found, ClassType)]
        chosen = self.layout.hoist_classes
        if isinstance(chosen, bool):
            return names if chosen else []
        for name in chosen:
            if name not in names:
                raise ConfigError(f'Cannot hoist class "{name}" because it does not exist')
        return [name for name in names if name in chosen]

    def _recursive_aliases(self) -> Iterable[str]:
        cycles = [cycle for name in self.found for cycle in self.alias_cycles if name in cycle]
        return dict.fromkeys(chain.from_iterable(cycles))

    def _enums(self) -> list[EnumType]:
        return [found for found in self.found.values() if isinstance(found, EnumType) and self._is_listed(found)]

    def _is_listed(self, enum: EnumType) -> bool:
        described = any(value_note(value) is not None for value in enum.values)
        return self.layout.always_hoist_enums or described or len(enum.values) > INLINE_VALUES

    def _target(self, name: str) -> SchemaType:
        definition = self.schema.definitions[name]
        assert isinstance(definition, AliasType)  # noqa: S101  # only aliases are asked for
        return definition.type

    def _expand(self, of: SchemaType) -> SchemaType:
        """Look through aliases that have an end."""
        while isinstance(of, RefType) and of.name not in self.aliases:
            definition = self.schema.definitions[of.name]
            if not isinstance(definition, AliasType):
                break
            of = definition.type
        if isinstance(of, UnionType):
            return msgspec.structs.replace(of, members=self._members(of))
        return of

    def _members(self, of: UnionType) -> tuple[SchemaType, ...]:
        """Return the alternatives, flat, with null last."""
        flat = union(*(self._expand(member) for member in of.members))
        members = flat.members if isinstance(flat, UnionType) else (flat,)
        return tuple(sorted(members, key=lambda member: isinstance(member, NullType)))

    # The text of a type. A type over several lines is indented by whoever it stands in.

    def _named(self, text: str) -> str:
        prefix = self.layout.hoisted_class_prefix
        return f"{prefix} {text}" if prefix else text

    def _type(self, of: SchemaType) -> str:
        of = self._expand(of)
        name = _NAMES.get(type(of))
        return (_TEXTS[type(of)](self, of) if name is None else name) + _parenthesis(_notes(of))

    def reference_text(self, of: RefType) -> str:
        definition = self.schema.definitions[of.name]
        match definition:
            case EnumType() if not self._is_listed(definition):
                return self.layout.or_splitter.join(f"'{value.wire}'" for value in definition.values)
            case EnumType():
                return definition.alias or definition.name
            case ClassType() if of.name not in self.classes:
                return self._body(of.name)
            case _:
                return of.name

    def union_text(self, of: UnionType) -> str:
        return self.layout.or_splitter.join(self._type(member) for member in of.members)

    def list_text(self, of: ListType) -> str:
        item = self._expand(of.item)
        text = self._type(item)
        if isinstance(item, UnionType) and any(_is_scalar(member) for member in item.members):
            return f"({text})[]"
        return f"[\n  {_indent(text)}\n]" if self._is_long(item, text) else f"{text}[]"

    def _is_long(self, of: SchemaType, text: str) -> bool:
        if isinstance(of, RefType):
            is_enum = isinstance(self.schema.definitions[of.name], EnumType)
            return len(text) > INLINE_LENGTH if is_enum else text != of.name
        return isinstance(of, UnionType | ListType | MapType | TupleType | LiteralType) or bool(_notes(of))

    def tuple_text(self, of: TupleType) -> str:
        return f"[{', '.join(self._type(item) for item in of.items)}]"

    def map_text(self, of: MapType) -> str:
        key, value = self._type(of.key), self._type(of.value)
        return f"map<{key}, {value}>" if self.layout.map_style == "angle" else f"{{{key}: {value}}}"

    def _body(self, name: str) -> str:
        definition = self.schema.definitions[name]
        assert isinstance(definition, ClassType)  # noqa: S101  # only classes are asked for
        lines = ["{"]
        if definition.description is not None:
            lines += [*_comment(definition.description), ""]
        for field in definition.fields:
            lines += self._field(field)
        return "\n".join([*lines, "}"])

    def _field(self, field: Field) -> list[str]:
        name = f'"{field.wire}"' if self.layout.quote_class_fields else field.wire
        text = self._type(field.type if field.required else optional(field.type))
        comment = [] if field.description is None else _comment(field.description)
        return [*comment, f"  {name}: {_indent(text)},"]

    def _enum_block(self, enum: EnumType) -> str:
        mark = self.layout.enum_value_prefix or ""
        lines = [enum.alias or enum.name, "----"]
        for value in enum.values:
            note = value_note(value)
            lines.append(f"{mark}{value.wire}" if note is None else f"{mark}{value.wire}: {_indent(note)}")
        return "\n".join(lines)


def _is_reference(root: SchemaType, name: str) -> bool:
    return isinstance(root, RefType) and root.name == name


def _is_scalar(of: SchemaType) -> bool:
    """Whether `of` is a scalar or a list of scalars: a list of alternatives then takes parentheses and one line."""
    while isinstance(of, ListType):
        of = of.item
    return isinstance(of, StringType | IntType | FloatType | BoolType | NullType | AnyType)


def _notes(of: SchemaType) -> list[str]:
    return hints(of) if of.description is None else [*hints(of), " ".join(of.description.split())]


def _parenthesis(notes: list[str]) -> str:
    return f" ({', '.join(notes)})" if notes else ""


def _indent(text: str) -> str:
    return text.replace("\n", "\n  ")


def _comment(text: str) -> list[str]:
    return [f"  // {line}" for line in text.split("\n")]


def _literal(_: _Description, of: LiteralType) -> str:
    return msgspec.json.encode(of.value).decode()


_SCALARS: Final[dict[type, str]] = {
    StringType: "a string",
    IntType: "an int",
    FloatType: "a float",
    BoolType: "a bool",
}
_SENTENCES: Final[dict[type, str]] = {
    NullType: "Answer ONLY with null:\n",
    LiteralType: "Answer using this specific value:\n",
    ListType: "Answer with a JSON Array using this schema:\n",
    TupleType: "Answer with a JSON Array using this schema:\n",
}
_NAMES: Final[dict[type, str]] = {
    StringType: "string",
    IntType: "int",
    FloatType: "float",
    BoolType: "bool",
    NullType: "null",
    AnyType: "any",
}
_TEXTS: Final[dict[type, Callable[[_Description, Any], str]]] = {
    LiteralType: _literal,
    RefType: _Description.reference_text,
    ListType: _Description.list_text,
    TupleType: _Description.tuple_text,
    MapType: _Description.map_text,
    UnionType: _Description.union_text,
}
