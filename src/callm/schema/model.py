"""The description of a type, whatever declared it: Python annotations, a `.baml` file, a builder.

1. A `Schema` is a root type and the definitions it refers to: classes, enums and aliases, always by name, so a type may
   contain itself.
2. A field or enum value has the name its program uses and, where they differ, the `alias` that the model sees and writes.
3. `python` says what to build where the natural type is not meant: a class, an enum, a `date` instead of text.
4. Everything is immutable and compares by value. `limits` are what JSON Schema can say of a value, by its keywords;
   `constraints` are expressions, for those who evaluate them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

ClassKind: TypeAlias = Literal["class", "pydantic", "dataclass", "typed_dict", "named_tuple", "struct"]
"""What a class was declared as; `class` has no Python counterpart."""

Collection: TypeAlias = Literal["list", "set", "frozenset", "tuple"]


class Constraint(msgspec.Struct, frozen=True):
    """An expression about a value: `assert` refuses a value that breaks it, `check` reports one."""

    kind: Literal["assert", "check"]
    expression: str
    label: str | None = None


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """How a value appears while the model still writes it.

    Attributes:
        done: only when it is complete.
        not_null: the object that has it appears only once it has a value.
        with_state: as a value and whether it is pending, incomplete or complete.
    """

    done: bool = False
    not_null: bool = False
    with_state: bool = False


class _Type(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    description: str | None = None
    limits: Mapping[str, Any] = {}
    constraints: tuple[Constraint, ...] = ()
    stream: Stream = Stream()


class StringType(_Type, frozen=True):
    """Text. `format` narrows it in the words of JSON Schema: `date`, `date-time`, `uuid`, ..., and `decimal`."""

    format: str | None = None
    python: Any = None


class IntType(_Type, frozen=True):
    """A whole number."""

    python: Any = None


class FloatType(_Type, frozen=True):
    """A number."""

    python: Any = None


class BoolType(_Type, frozen=True):
    """True or false."""


class NullType(_Type, frozen=True):
    """Nothing."""


class AnyType(_Type, frozen=True):
    """Any JSON value."""


class LiteralType(_Type, frozen=True):
    """One value. Several are a union of literals. `python` is the enum member meant by it, if one is."""

    value: str | int | bool
    python: Any = None


class RefType(_Type, frozen=True):
    """The class, enum or alias that is defined under `name`."""

    name: str


class ListType(_Type, frozen=True):
    """Any number of `item`. A set and a frozenset hold each value once."""

    item: SchemaType
    collection: Collection = "list"

    @property
    def is_unique(self) -> bool:
        """Whether each value may come once only."""
        return self.collection in ("set", "frozenset")


class TupleType(_Type, frozen=True):
    """One value for each of `items`, in order."""

    items: tuple[SchemaType, ...]


class MapType(_Type, frozen=True):
    """Any number of entries. `key` is text, an enum, text literals, or a union of these."""

    key: SchemaType
    value: SchemaType


class UnionType(_Type, frozen=True):
    """One of `members`; earlier ones win ties. An optional type is a union with null. Make it with `union`."""

    members: tuple[SchemaType, ...]

    @property
    def is_nullable(self) -> bool:
        """Whether null is a member."""
        return any(isinstance(member, NullType) for member in self.members)

    @property
    def non_null(self) -> tuple[SchemaType, ...]:
        """The members but null."""
        return tuple(member for member in self.members if not isinstance(member, NullType))


SchemaType: TypeAlias = (
    StringType
    | IntType
    | FloatType
    | BoolType
    | NullType
    | AnyType
    | LiteralType
    | RefType
    | ListType
    | TupleType
    | MapType
    | UnionType
)

NO_DEFAULT: Final = msgspec.UNSET
"""The `default` of a field that has none, or one that is made anew each time."""


class Field(msgspec.Struct, frozen=True):
    """A field of a class.

    Attributes:
        name: what the program calls it.
        type: what its value is; null is in it only where null is a value of its own.
        alias: what the model sees and writes, if not `name`.
        description: for the model. An empty one is still one.
        required: whether the class can't be built without it.
        default: its value when it is not required and not there, or `NO_DEFAULT`.
    """

    name: str
    type: SchemaType
    alias: str | None = None
    description: str | None = None
    required: bool = True
    default: Any = NO_DEFAULT

    @property
    def wire(self) -> str:
        """The name in JSON and in prompts."""
        return self.name if self.alias is None else self.alias


class EnumValue(msgspec.Struct, frozen=True):
    """A value of an enum. `alias` is what the model sees and writes, if not `name`."""

    name: str
    alias: str | int | float | None = None
    description: str | None = None

    @property
    def wire(self) -> str | int | float:
        """The value in JSON and in prompts."""
        return self.name if self.alias is None else self.alias


class EnumType(msgspec.Struct, frozen=True):
    """The definition of an enum. `alias` is the name that prompts show, if not `name`."""

    name: str
    values: tuple[EnumValue, ...]
    alias: str | None = None
    description: str | None = None
    python: Any = None
    constraints: tuple[Constraint, ...] = ()
    stream: Stream = Stream()


class ClassType(msgspec.Struct, frozen=True):
    """The definition of a class. `is_open` means that keys other than the fields' are kept."""

    name: str
    fields: tuple[Field, ...]
    description: str | None = None
    python: Any = None
    kind: ClassKind = "class"
    is_open: bool = False
    constraints: tuple[Constraint, ...] = ()
    stream: Stream = Stream()


class AliasType(msgspec.Struct, frozen=True):
    """The definition of a name for a type, needed where the type contains itself."""

    name: str
    type: SchemaType


Definition: TypeAlias = ClassType | EnumType | AliasType


class Schema(msgspec.Struct, frozen=True):
    """A type and all that it refers to, in the order in which it was declared or found."""

    root: SchemaType
    definitions: Mapping[str, Definition] = {}

    def resolve(self, of: SchemaType) -> SchemaType | ClassType | EnumType:
        """Follow names to what they stand for: never a `RefType` or an alias."""
        while isinstance(of, RefType):
            found = self.definitions[of.name]
            if not isinstance(found, AliasType):
                return found
            of = found.type
        return of

    @property
    def is_text(self) -> bool:
        """Whether the root is any text, so that an answer is the value as it stands."""
        root = self.root
        return isinstance(root, StringType) and root.format is None and root.python is None and not root.limits

    @property
    def is_object(self) -> bool:
        """Whether the root is a class."""
        return isinstance(self.resolve(self.root), ClassType)


def union(*members: SchemaType) -> SchemaType:
    """Return the type of a value that is one of `members`: flat, each once, and no union where one member is left."""
    flat = list(_flatten(members))
    unique = [one for position, one in enumerate(flat) if not any(_same(one, earlier) for earlier in flat[:position])]
    return unique[0] if len(unique) == 1 else UnionType(tuple(unique))


def optional(of: SchemaType) -> SchemaType:
    """Return `of` or null."""
    return union(of, NullType())


def _same(one: SchemaType, other: SchemaType) -> bool:
    if isinstance(one, LiteralType) and isinstance(other, LiteralType) and type(one.value) is not type(other.value):
        return False  # 1 and True are equal in Python
    return one == other


def _flatten(members: tuple[SchemaType, ...]) -> Iterator[SchemaType]:
    for member in members:
        if isinstance(member, UnionType) and not member.constraints and member.description is None:
            yield from _flatten(member.members)
        else:
            yield member
