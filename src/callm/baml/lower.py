"""Declarations to the nodes of `callm.schema`: names are resolved, attributes read, and what can't be is noted.

    schemas = read_types('class Point { x int  y int }')
    schema = schemas.schema("Point[]")

The rules are those of the BAML compiler (docs/parsing.md); the messages say the same in our words.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from callm.baml.cycles import check_cycles
from callm.baml.parser import parse, parse_type
from callm.baml.source import BamlError, Problem, Source, Span
from callm.baml.syntax import (
    AliasNode,
    Attribute,
    BlockNode,
    ClassNode,
    Declaration,
    EnumNode,
    FieldNode,
    ListOf,
    LiteralValue,
    MapOf,
    NamedType,
    OptionalOf,
    TypeNode,
    UnionOf,
    ValueNode,
)
from callm.prompt.template import dedent
from callm.schema.model import (
    AliasType,
    BoolType,
    ClassType,
    Constraint,
    Definition,
    EnumType,
    EnumValue,
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
    Stream,
    StringType,
    UnionType,
    optional,
    union,
)

_PRIMITIVES: Final[Mapping[str, SchemaType]] = {
    "string": StringType(),
    "int": IntType(),
    "float": FloatType(),
    "bool": BoolType(),
    "null": NullType(),
}
_MEDIA: Final = ("image", "audio", "pdf", "video")
_STREAM: Final = {"stream.done": "done", "stream.not_null": "not_null", "stream.with_state": "with_state"}
_FIELD_ATTRIBUTES: Final = ("alias", "description", "skip", "assert", "check", *_STREAM)
_BLOCK_ATTRIBUTES: Final = ("alias", "description", "assert", "check", "dynamic", "stream.done")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


class Types:
    """The types of a project, by name."""

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        """Hold `definitions`, in the order of their declaration."""
        self.definitions = dict(definitions)

    def schema(self, text: str, path: str = "type") -> Schema:
        """Return the schema of a type as it is written behind `->`: a name, `int[]`, `Point?`, ...

        Raises:
            BamlError: the type is wrong, or names something that is not declared.
        """
        problems: list[Problem] = []
        source = Source(text, path)
        node = parse_type(source, problems)
        root = _Lowering(problems, self.definitions).type(node, source) if node is not None else NullType()
        if problems:
            raise BamlError.of(problems)
        return Schema(root, self.definitions)


def read_types(*sources: Source | str) -> Types:
    """Return the types that the sources declare. They share one namespace; their order does not matter.

    Raises:
        BamlError: a source is wrong; the message shows every problem.
    """
    problems: list[Problem] = []
    texts = [Source(source) if isinstance(source, str) else source for source in sources]
    nodes = [node for source in texts for node in parse(source, problems)]
    definitions = lower(nodes, problems)
    if problems:
        raise BamlError.of(problems)
    return Types(definitions)


def lower(nodes: Iterable[Declaration], problems: list[Problem]) -> dict[str, Definition]:
    """Return the definitions of `nodes` by name; note in `problems` what is wrong."""
    names: dict[str, Declaration] = {}
    for node in nodes:
        if isinstance(node, BlockNode):
            continue
        if node.name in names:
            message = f"{node.name!r} is declared already; a class, enum or type can't be declared again"
            problems.append(Problem(node.source, node.span, message))
        else:
            names[node.name] = node
    lowering = _Lowering(problems, names)
    found = {name: lowering.declaration(node) for name, node in names.items()}
    if not problems:
        problems += check_cycles(names)
    return {name: definition for name, definition in found.items() if definition is not None}


class _Lowering:
    """Lowers one project; `known` are the names that types may mention."""

    def __init__(self, problems: list[Problem], known: Mapping[str, Any]) -> None:
        self._problems = problems
        self._known = known

    def _note(self, source: Source, span: Span, message: str) -> None:
        self._problems.append(Problem(source, span, message))

    def declaration(self, node: Declaration) -> Definition | None:
        if node.name[:1] and not node.name[0].isupper():
            self._note(node.source, node.span, f"{node.name!r} must begin with an upper-case letter")
        match node:
            case ClassNode():
                return self._class(node)
            case EnumNode():
                return self._enum(node)
            case AliasNode():
                return AliasType(node.name, self.type(node.type, node.source))
            case BlockNode():
                return None

    def _class(self, node: ClassNode) -> ClassType:
        facts = self._facts(node.attributes, node.source, _BLOCK_ATTRIBUTES)
        self._once([(item.name, item.span) for item in node.fields], node, "field")
        fields = [self._field(item, node.source) for item in node.fields]
        return ClassType(
            node.name,
            tuple(item for item in fields if item is not None),
            description=facts.description,
            constraints=facts.constraints,
            stream=facts.stream,
        )

    def _field(self, node: FieldNode, source: Source) -> Field | None:
        facts = self._facts(node.attributes, source, _FIELD_ATTRIBUTES)
        if not _NAME.match(node.name):
            self._note(source, node.span, f"{node.name!r} can't be a field: a name begins with a letter and has no '-'")
        kind = _decorate(self.type(node.type, source), facts)
        nullable = isinstance(kind, UnionType) and kind.is_nullable
        if facts.skip:
            if not nullable:
                self._note(source, node.span, "a class field with @skip must be optional")
            return None
        field = Field(node.name, kind, alias=facts.alias, description=facts.description)
        return msgspec.structs.replace(field, required=False, default=None) if nullable else field

    def _enum(self, node: EnumNode) -> EnumType:
        facts = self._facts(node.attributes, node.source, _BLOCK_ATTRIBUTES)
        self._once([(item.name, item.span) for item in node.values], node, "value")
        values = [self._value(item, node.source) for item in node.values]
        return EnumType(
            node.name,
            tuple(value for value in values if value is not None),
            alias=facts.alias,
            description=facts.description,
            constraints=facts.constraints,
        )

    def _value(self, node: ValueNode, source: Source) -> EnumValue | None:
        facts = self._facts(node.attributes, source, ("alias", "description", "skip"))
        if not node.name[0].isupper():
            self._note(source, node.span, f"the enum value {node.name!r} must begin with an upper-case letter")
        return None if facts.skip else EnumValue(node.name, facts.alias, facts.description)

    def _once(self, names: list[tuple[str, Span]], node: ClassNode | EnumNode, what: str) -> None:
        seen: set[str] = set()
        for name, span in names:
            if name in seen:
                self._note(node.source, span, f"{what} {name!r} is declared already on {node.name!r}")
            seen.add(name)

    # -- types

    def type(self, node: TypeNode, source: Source) -> SchemaType:
        """Return the type of `node`, with its attributes."""
        kind = self._plain(node, source)
        if not node.attributes:
            return kind
        return _decorate(kind, self._facts(node.attributes, source, _FIELD_ATTRIBUTES))

    def _plain(self, node: TypeNode, source: Source) -> SchemaType:
        match node:
            case NamedType():
                return self._named(node, source)
            case LiteralValue(value):
                return LiteralType(value)
            case ListOf(item):
                return ListType(self.type(item, source))
            case OptionalOf(of):
                return optional(self.type(of, source))
            case UnionOf(members):
                return union(*(self.type(member, source) for member in members))
            case MapOf(key, value):
                return MapType(self._key(key, source), self.type(value, source))

    def _named(self, node: NamedType, source: Source) -> SchemaType:
        if node.name in _PRIMITIVES:
            return _PRIMITIVES[node.name]
        if node.name in _MEDIA:
            self._note(source, node.span, f"{node.name} can't be what a model answers: it is for arguments")
        elif node.name not in self._known:
            close = difflib.get_close_matches(node.name, [*_PRIMITIVES, *self._known], 3, 0.5)
            hint = f": did you mean {' or '.join(map(repr, close))}?" if close else ""
            self._note(source, node.span, f"the type {node.name!r} does not exist{hint}")
        return RefType(node.name)

    def _key(self, node: TypeNode, source: Source) -> SchemaType:
        kind = self.type(node, source)
        members = kind.members if isinstance(kind, UnionType) else (kind,)
        for member in members:
            text = isinstance(member, StringType | RefType)
            if not text and not (isinstance(member, LiteralType) and isinstance(member.value, str)):
                self._note(source, node.span, "the keys of a map are string, an enum, or literal strings")
                break
        return kind

    # -- attributes

    def _facts(self, attributes: tuple[Attribute, ...], source: Source, allowed: tuple[str, ...]) -> _Facts:
        facts = _Facts()
        seen: set[str] = set()
        for attribute in attributes:
            if attribute.name not in allowed:
                self._note(source, attribute.span, f"the attribute {attribute.name!r} is not known here")
                continue
            if attribute.name in seen and attribute.name not in ("assert", "check"):
                self._note(source, attribute.span, f"@{attribute.name} can be given once only")
            seen.add(attribute.name)
            self._fact(facts, attribute, source)
        return facts

    def _fact(self, facts: _Facts, attribute: Attribute, source: Source) -> None:
        match attribute.name:
            case "alias" | "description":
                setattr(facts, attribute.name, self._text(attribute, source))
            case "skip":
                facts.skip = True
            case "assert" | "check":
                if (constraint := self._constraint(attribute, source)) is not None:
                    facts.constraints += (constraint,)
            case "dynamic":
                pass
            case name:
                facts.stream = msgspec.structs.replace(facts.stream, **{_STREAM[name]: True})

    def _text(self, attribute: Attribute, source: Source) -> str | None:
        kinds = ("string", "raw", "word") if attribute.name == "alias" else ("string", "raw")
        if len(attribute.arguments) != 1 or attribute.arguments[0].kind not in kinds:
            self._note(source, attribute.span, f"@{attribute.name} takes one string")
            return None
        argument = attribute.arguments[0]
        return dedent(argument.text) if argument.kind == "raw" else argument.text

    def _constraint(self, attribute: Attribute, source: Source) -> Constraint | None:
        arguments = list(attribute.arguments)
        if not arguments or arguments[-1].kind != "expression" or len(arguments) > 2:  # noqa: PLR2004  # label, expression
            self._note(source, attribute.span, f"@{attribute.name} takes a label and an expression {{{{ ... }}}}")
            return None
        label = arguments[0].text if len(arguments) > 1 else None
        if attribute.name == "check":
            if label is None:
                self._note(source, attribute.span, "@check needs a label before its expression")
                return None
            return Constraint("check", arguments[-1].text.strip(), label)
        return Constraint("assert", arguments[-1].text.strip(), label)


class _Facts:
    """What attributes say."""

    def __init__(self) -> None:
        self.alias: str | None = None
        self.description: str | None = None
        self.skip = False
        self.constraints: tuple[Constraint, ...] = ()
        self.stream = Stream()


def _decorate(kind: SchemaType, facts: _Facts) -> SchemaType:
    if not facts.constraints and facts.stream == Stream():
        return kind
    return msgspec.structs.replace(kind, constraints=kind.constraints + facts.constraints, stream=facts.stream)
