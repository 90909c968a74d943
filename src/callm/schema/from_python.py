"""A Python annotation as a `Schema`, or a `ConfigError` that names the place where it can't be one.

1. What an annotation means is read here and nowhere else; what is not understood is refused when a function is declared.
2. pydantic is asked only about types of its own, so a program that uses none does not pay for its import here.
3. Classes and enums become definitions, named once; an alias becomes one only where it contains itself.
"""

from __future__ import annotations

import enum
import re
import types
from collections import abc
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, NewType, TypeVar, Union, get_args, get_origin

import msgspec

from callm.errors import ConfigError
from callm.schema.fields import (
    Declared,
    UnsupportedType,
    class_description,
    class_fields,
    class_kind,
    is_open,
    type_hints,
)
from callm.schema.leaves import enum_type, foreign_type, instead_of, literal_type
from callm.schema.metadata import noted, read_notes
from callm.schema.model import (
    AliasType,
    AnyType,
    BoolType,
    ClassType,
    Collection,
    Definition,
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
    union,
)


def from_python(annotation: Any, where: str = "output type") -> Schema:
    """Return what values of `annotation` look like as JSON. `where` begins the message of an error.

    Raises:
        ConfigError: some part of it can't come from JSON. The message names the part, and what to write instead.
    """
    reader = _Reader()
    try:
        root = reader.read(annotation)
    except UnsupportedType as error:
        place = f"field {reader.place}: " if reader.path else ""
        raise ConfigError(f"{where}: {place}{error}") from error.__cause__
    return Schema(root, reader.finished())


class _Reader:
    """One walk through an annotation. `path` is where it is, and stays there when it fails."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.names: dict[Any, str] = {}
        self.definitions: dict[str, Definition | None] = {}
        self.open: list[type] = []
        self.met = set[str]()

    @property
    def place(self) -> str:
        return "".join(self.path).removeprefix(".")

    def finished(self) -> dict[str, Definition]:
        return {name: definition for name, definition in self.definitions.items() if definition is not None}

    def read(self, annotation: Any) -> SchemaType:
        """Return the schema of `annotation`."""
        origin = get_origin(annotation)
        if origin is None:
            return self._plain(annotation)
        if origin is Annotated:
            return self._annotated(annotation)
        arguments = get_args(annotation)
        if origin in _BARE and not arguments and not isinstance(annotation, types.GenericAlias):
            return self.read(_BARE[origin])  # `List` without arguments; `tuple[()]` is another thing
        if origin in _GENERICS:
            return _GENERICS[origin](self, arguments, origin)
        if _is_alias(origin):
            return self._alias(annotation, origin, arguments)
        if isinstance(origin, type) and class_kind(origin) is not None:
            return self._class(annotation, origin, arguments)
        raise UnsupportedType(instead_of(annotation))

    def _plain(self, annotation: Any) -> SchemaType:
        """Read an annotation without arguments."""
        if annotation is None:
            return NullType()
        if isinstance(annotation, NewType):
            return self.read(annotation.__supertype__)
        if _is_alias(annotation) or getattr(annotation, "__pydantic_root_model__", False):
            return self._alias(annotation, annotation, ())
        if not isinstance(annotation, type):
            raise UnsupportedType(instead_of(annotation))
        return self._named(annotation)

    def _named(self, annotation: Any) -> SchemaType:
        if annotation in _SIMPLE:
            return _SIMPLE[annotation]
        if annotation in _BARE:
            return self.read(_BARE[annotation])
        text_format = _FORMATS.get(f"{annotation.__module__}.{annotation.__qualname__}")
        if text_format is not None:
            return StringType(format=text_format, python=annotation)
        if issubclass(annotation, enum.Enum):
            return self._enum(annotation)
        if class_kind(annotation) is not None:
            return self._class(annotation, annotation, ())
        if hasattr(annotation, "__get_pydantic_core_schema__"):
            return foreign_type(annotation)
        raise UnsupportedType(instead_of(annotation))

    def _annotated(self, annotation: Any) -> SchemaType:
        notes = read_notes(annotation.__metadata__)
        of = noted(self.read(annotation.__origin__), notes)
        return of if notes.description is None else msgspec.structs.replace(of, description=notes.description)

    def _within(self, step: str, annotation: Any) -> SchemaType:
        self.path.append(step)
        of = self.read(annotation)
        self.path.pop()
        return of

    # Generics: each takes the arguments and the origin.

    def read_union(self, members: tuple[Any, ...], _: Any) -> SchemaType:
        return union(*(self.read(member) for member in members))

    def read_literal(self, values: tuple[Any, ...], _: Any) -> SchemaType:
        return union(*(literal_type(value) for value in values))

    def read_list(self, arguments: tuple[Any, ...], origin: Any) -> SchemaType:
        return ListType(self._within("[]", arguments[0]), _COLLECTIONS[origin])

    def read_tuple(self, arguments: tuple[Any, ...], _: Any) -> SchemaType:
        if len(arguments) == 2 and arguments[1] is Ellipsis:  # noqa: PLR2004  # tuple[T, ...]
            return ListType(self._within("[]", arguments[0]), "tuple")
        return TupleType(tuple(self._within(f"[{index}]", item) for index, item in enumerate(arguments)))

    def read_map(self, arguments: tuple[Any, ...], _: Any) -> SchemaType:
        key = self.read(arguments[0])
        if not self._is_key(key):
            raise UnsupportedType(
                "the keys of JSON objects are text: use str, an enum of str or a Literal of str as key"
            )
        return MapType(key, self._within("{}", arguments[1]))

    def _is_key(self, key: SchemaType) -> bool:
        match key:
            case StringType():
                return True
            case LiteralType():
                return isinstance(key.value, str)
            case UnionType():
                return all(self._is_key(member) for member in key.members)
            case RefType():
                found = self.definitions[key.name]
                return isinstance(found, EnumType) and all(isinstance(value.wire, str) for value in found.values)
            case _:
                return False

    # Definitions.

    def _enum(self, cls: type[enum.Enum]) -> RefType:
        if cls not in self.names:
            name = self._name(cls, cls.__name__)
            self.definitions[name] = enum_type(cls, name)
        return RefType(self.names[cls])

    def _alias(self, annotation: Any, alias: Any, arguments: tuple[Any, ...]) -> SchemaType:
        """Read an alias in place. Only if that meets the alias again does it become a definition."""
        if annotation in self.names:
            self.met.add(self.names[annotation])
            return RefType(self.names[annotation])
        name = self._name(annotation, _generic_name(alias, arguments))
        of = self._target(alias, arguments)
        if name not in self.met:
            del self.names[annotation], self.definitions[name]
            return of
        if RefType(name) in (of.members if isinstance(of, UnionType) else (of,)):
            raise UnsupportedType(f"the alias {alias.__name__} stands for itself: put a list or dict between")
        self.definitions[name] = AliasType(name, of)
        return RefType(name)

    def _target(self, alias: Any, arguments: tuple[Any, ...]) -> SchemaType:
        if not _is_alias(alias):  # a pydantic RootModel
            (root,) = class_fields(alias, "pydantic", self._scope(alias))
            return self._field(root, {}).type
        value = alias.__value__
        if isinstance(value, str):  # a forward reference, before Python 3.12
            holder = type(alias.__name__, (), {"__annotations__": {"value": value}, "__module__": alias.__module__})
            value = type_hints(holder, {alias.__name__: alias})["value"]
        return self.read(_substituted(value, dict(zip(alias.__type_params__, arguments, strict=False))))

    def _class(self, annotation: Any, cls: type, arguments: tuple[Any, ...]) -> SchemaType:
        if self.open and class_kind(self.open[-1]) == "pydantic" and class_kind(cls) == "struct":
            raise UnsupportedType(
                f"pydantic can't read the msgspec.Struct {cls.__name__}: make it a pydantic model or a dataclass"
            )
        if annotation in self.names:
            return RefType(self.names[annotation])
        kind = class_kind(cls)
        assert kind is not None  # noqa: S101  # whoever calls has looked
        name = self._name(annotation, _generic_name(cls, arguments))
        start = [] if self.path else [cls.__name__]
        self.path += start
        types = dict(zip(getattr(cls, "__parameters__", ()), arguments, strict=False))
        fields = tuple(self._field(declared, types) for declared in class_fields(cls, kind, self._scope(cls)))
        _check_names(fields)
        del self.path[len(self.path) - len(start) :]
        self.open.remove(cls)
        self.definitions[name] = ClassType(name, fields, class_description(cls), cls, kind, is_open(cls))
        return RefType(name)

    def _field(self, declared: Declared, types: dict[Any, Any]) -> Field:
        self.path.append(f".{declared.name}")
        annotation, metadata = _substituted(declared.annotation, types), declared.metadata
        if get_origin(annotation) is Annotated:
            annotation, metadata = annotation.__origin__, (*annotation.__metadata__, *metadata)
        notes = read_notes(metadata)
        of = noted(self.read(annotation), notes)
        self.path.pop()
        alias = notes.alias if declared.alias is None else declared.alias
        description = notes.description if declared.description is None else declared.description
        alias = None if alias == declared.name else alias
        return Field(declared.name, of, alias, description, declared.required, declared.default)

    def _scope(self, cls: type) -> dict[str, type]:
        """Open `cls`, and return the names that its forward references may use beside those of its module."""
        self.open.append(cls)
        return {opened.__name__: opened for opened in self.open}

    def _name(self, annotation: Any, wanted: str) -> str:
        """Return a name for the definition of `annotation` that no other has, and keep its place."""
        base = re.sub(r"\W+", "_", wanted, flags=re.ASCII).strip("_") or "Type"
        name, number = base, 2
        while name in self.definitions:
            name, number = f"{base}{number}", number + 1
        self.names[annotation] = name
        self.definitions[name] = None
        return name


def _check_names(fields: tuple[Field, ...]) -> None:
    wires = [field.wire for field in fields]
    for wire in wires:
        if wires.count(wire) > 1:
            raise UnsupportedType(f"two of its fields are called {wire!r} in JSON: change an alias")


def _is_alias(annotation: Any) -> bool:
    # `type X = ...`, or the same class from typing_extensions before Python 3.12.
    return type(annotation).__name__ == "TypeAliasType"


def _generic_name(cls: Any, arguments: tuple[Any, ...]) -> str:
    return "_".join([cls.__name__, *(getattr(argument, "__name__", str(argument)) for argument in arguments)])


def _substituted(annotation: Any, types: dict[Any, Any]) -> Any:
    """Return `annotation` with the type variables in it replaced."""
    if isinstance(annotation, TypeVar):
        return types.get(annotation, annotation)
    if isinstance(annotation, type) or not types:
        return annotation
    parameters = getattr(annotation, "__parameters__", ())
    return annotation[tuple(types.get(one, one) for one in parameters)] if parameters else annotation


_SIMPLE: Final[dict[Any, SchemaType]] = {
    str: StringType(),
    int: IntType(),
    float: FloatType(),
    bool: BoolType(),
    types.NoneType: NullType(),
    Any: AnyType(),
    object: AnyType(),
}
_FORMATS: Final = {
    "datetime.datetime": "date-time",
    "datetime.date": "date",
    "datetime.time": "time",
    "datetime.timedelta": "duration",
    "decimal.Decimal": "decimal",
    "uuid.UUID": "uuid",
    "ipaddress.IPv4Address": "ipv4",
    "ipaddress.IPv6Address": "ipv6",
    "pathlib.Path": "path",
}
"""By qualified name, so that none of these modules has to be imported."""

_COLLECTIONS: Final[dict[Any, Collection]] = {
    list: "list",
    abc.Sequence: "list",
    abc.MutableSequence: "list",
    set: "set",
    abc.Set: "set",
    abc.MutableSet: "set",
    frozenset: "frozenset",
}
_MAPS: Final = (dict, abc.Mapping, abc.MutableMapping)
_BARE: Final[dict[Any, Any]] = {
    **dict.fromkeys((list, abc.Sequence, abc.MutableSequence), list[Any]),
    **dict.fromkeys((set, abc.Set, abc.MutableSet), set[Any]),
    **dict.fromkeys(_MAPS, dict[str, Any]),
    frozenset: frozenset[Any],
    tuple: tuple[Any, ...],
}
"""What a collection without arguments means."""

_GENERICS: Final[dict[Any, Callable[[_Reader, tuple[Any, ...], Any], SchemaType]]] = {
    Union: _Reader.read_union,
    types.UnionType: _Reader.read_union,
    Literal: _Reader.read_literal,
    tuple: _Reader.read_tuple,
    **dict.fromkeys(_COLLECTIONS, _Reader.read_list),
    **dict.fromkeys(_MAPS, _Reader.read_map),
}
