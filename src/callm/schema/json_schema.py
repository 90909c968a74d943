"""A schema as JSON Schema, in a dialect that its provider accepts.

1. What the dialect has no keyword for goes into the description, so the model still reads it.
2. A class or enum that is used once stands where it is used; one used more often, or within itself, goes to `$defs`.
3. A type that the dialect can't say at all gives None: the caller then describes it in the prompt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from callm.errors import ConfigError
from callm.schema.dialects import DIALECTS, Dialect
from callm.schema.first_keys import first_keys
from callm.schema.graph import children, parts, reachable, recursive, references
from callm.schema.hints import DECIMAL_PATTERN, hints, value_note
from callm.schema.model import (
    AnyType,
    BoolType,
    ClassType,
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
    optional,
)

WRAPPER: Final = "value"
"""The property that holds a value that is no object, where the root must be one."""

JSONSchema: TypeAlias = dict[str, Any]
_Scalar: TypeAlias = str | int | float | bool


def json_schema(schema: Schema, dialect: str) -> JSONSchema | None:
    """Return `schema` in `dialect`, or None if the dialect can't say it.

    Raises:
        ConfigError: there is no such dialect.
    """
    rules = DIALECTS.get(dialect)
    if rules is None:
        raise ConfigError(f"there is no JSON Schema dialect {dialect!r}: it is one of {', '.join(DIALECTS)}")
    try:
        return _Writer(schema, rules).document()
    except _CannotSay:
        return None


class _CannotSay(Exception):  # it never leaves this module
    pass


class _Writer:
    def __init__(self, schema: Schema, rules: Dialect) -> None:
        self.schema = schema
        self.rules = rules
        self.first = self._first_keys()
        self.apart = recursive(schema)
        if self.apart and not rules.recursion:
            raise _CannotSay
        self.used = reachable(schema)
        uses = Counter(references(schema.root))
        for definition in self.used.values():
            uses.update(name for part in parts(definition) for name in references(part))
        self.apart |= {name for name, count in uses.items() if count > 1}
        self.depths: dict[str, int] = {}
        self.properties = self.enum_values = 0

    def document(self) -> JSONSchema:
        root = self.schema.resolve(self.schema.root)
        if isinstance(root, ClassType):
            document = self._class(root)
        elif self.rules.root_object:
            document = self._object({WRAPPER: self.schema_of(self.schema.root)}, [WRAPPER])
        else:
            document = self.schema_of(self.schema.root)
        apart = {name: self._definition(definition) for name, definition in self.used.items() if name in self.apart}
        self._check_size()
        return document | ({"$defs": apart} if apart else {})

    def schema_of(self, of: SchemaType, description: str | None = None) -> JSONSchema:
        """Return the schema of `of`. `description` is that of the field it stands in."""
        name = _PLAIN.get(type(of))
        written = _WRITERS[type(of)](self, of) if name is None else {"type": name}
        limits = {keyword: value for keyword, value in of.limits.items() if self._allows(of, keyword, value)}
        words = ", ".join(hints(of, said=limits.keys() | _said(written)))
        texts = [text for text in (description, of.description, written.pop("description", None)) if text]
        text = "\n".join(texts)
        return self._described(written | limits, f"{text} ({words})" if text and words else text or words)

    def _described(self, written: JSONSchema, text: str) -> JSONSchema:
        if not text:
            return written
        if "$ref" in written and not self.rules.ref_siblings:
            written = {"anyOf": [written]}
        return {**written, "description": text}

    def _allows(self, of: SchemaType, keyword: str, value: Any) -> bool:
        if keyword not in self.rules.keywords or keyword not in _APPLICABLE.get(type(of), ()):
            return False
        if keyword == "minItems" and self.rules.max_min_items is not None:
            return bool(value <= self.rules.max_min_items)
        return not (keyword == "pattern" and "(?" in value and self.rules.root_object)  # no look-around in grammars

    # Definitions.

    def _definition(self, definition: Definition) -> JSONSchema:
        match definition:
            case ClassType():
                return self._class(definition)
            case EnumType():
                return self._enum(definition)
            case _:
                return self.schema_of(definition.type)

    def reference_schema(self, of: RefType) -> JSONSchema:
        if of.name in self.apart:
            return {"$ref": f"#/$defs/{of.name}"}
        return self._definition(self.schema.definitions[of.name])

    def _class(self, definition: ClassType) -> JSONSchema:
        fields = sorted(definition.fields, key=lambda field: field.wire != self.first.get(definition.name))
        properties = {field.wire: self._field(field) for field in fields}
        required = [field.wire for field in fields if field.required or self.rules.all_required]
        return self._object(properties, required, definition.description, is_open=definition.is_open)

    def _field(self, field: Field) -> JSONSchema:
        if field.required:
            return self.schema_of(field.type, field.description)
        if self.rules.all_required:
            return self.schema_of(optional(field.type), field.description)
        written = self.schema_of(field.type, field.description)
        if self.rules.defaults and isinstance(field.default, _Scalar | None):
            written = {**written, "default": field.default}
        return written

    def _object(
        self, properties: JSONSchema, required: list[str], description: str | None = None, *, is_open: bool = False
    ) -> JSONSchema:
        self.properties += len(properties)
        written: JSONSchema = {"type": "object", "properties": properties, "required": required}
        if not is_open or not self.rules.free_form:
            written["additionalProperties"] = False
        return self._described(written, description or "")

    def _enum(self, definition: EnumType) -> JSONSchema:
        lines = [definition.description] if definition.description else []
        lines += [f"{value.wire}: {note}" for value in definition.values if (note := value_note(value))]
        return self._described(self.values_schema([value.wire for value in definition.values]), "\n".join(lines))

    # Types.

    def string_schema(self, of: StringType) -> JSONSchema:
        if of.format == "decimal" and "pattern" in self.rules.keywords:
            return {"type": "string", "pattern": DECIMAL_PATTERN}
        formats = self.rules.formats
        known = of.format is not None and of.format != "decimal" and (formats is None or of.format in formats)
        return {"type": "string", "format": of.format} if known else {"type": "string"}

    def any_schema(self, _: AnyType) -> JSONSchema:
        if not self.rules.free_form:
            raise _CannotSay
        return {}

    def values_schema(self, values: list[_Scalar]) -> JSONSchema:
        """Return the schema of one of `values`."""
        self.enum_values += len(values)
        groups: dict[str, list[_Scalar]] = {}
        for value in values:
            groups.setdefault(_JSON_TYPES[type(value)], []).append(value)
        return _any_of(
            {"type": name, "const": group[0]} if len(group) == 1 else {"type": name, "enum": group}
            for name, group in groups.items()
        )

    def list_schema(self, of: ListType) -> JSONSchema:
        written: JSONSchema = {"type": "array", "items": self.schema_of(of.item)}
        if of.is_unique and "uniqueItems" in self.rules.keywords:
            written["uniqueItems"] = True
        return written

    def tuple_schema(self, of: TupleType) -> JSONSchema:
        count = len(of.items)
        items = [self.schema_of(item) for item in of.items]
        if self.rules.prefix_items:
            ends = {"items": False, "minItems": count, "maxItems": count}
            return {"type": "array", **({"prefixItems": items} if items else {}), **ends}
        if not items:
            raise _CannotSay
        limits = {"minItems": count, "maxItems": count}
        said = {keyword: count for keyword in limits if self._allows(ListType(AnyType()), keyword, count)}
        return {"type": "array", "items": _any_of(items), **said, "description": f"exactly {count} items, in order"}

    def map_schema(self, of: MapType) -> JSONSchema:
        if not self.rules.free_form:
            raise _CannotSay
        written: JSONSchema = {"type": "object", "additionalProperties": self.schema_of(of.value)}
        key = self.schema_of(of.key)
        return written if key == {"type": "string"} else {**written, "propertyNames": key}

    def union_schema(self, of: UnionType) -> JSONSchema:
        literals = [member for member in of.members if isinstance(member, LiteralType)]
        values = self.values_schema([literal.value for literal in literals]) if literals else {}
        written: list[JSONSchema] = []
        for member in of.members:
            if member is literals[0] if literals else False:
                written += values.get("anyOf", [values])
            elif not isinstance(member, LiteralType):
                written.append(self.schema_of(member))
        return _any_of(written)

    # Limits of size.

    def _first_keys(self) -> dict[str, str]:
        if not self.rules.distinct_first_keys:
            return {}
        keys = first_keys(self.schema)
        if keys is None:
            raise _CannotSay
        return keys

    def _check_size(self) -> None:
        sizes = [
            (self.properties, self.rules.max_properties),
            (self.enum_values, self.rules.max_enum_values),
            (self._depth(self.schema.root), self.rules.max_depth),
        ]
        if any(limit is not None and size > limit for size, limit in sizes):
            raise _CannotSay

    def _depth(self, of: SchemaType) -> int:
        """Return how many objects stand in one another; one that contains itself counts once."""
        if not isinstance(of, RefType):
            return max((self._depth(child) for child in children(of)), default=0)
        if of.name not in self.depths:
            self.depths[of.name] = 0
            definition = self.schema.definitions[of.name]
            deepest = max((self._depth(part) for part in parts(definition)), default=0)
            self.depths[of.name] = deepest + isinstance(definition, ClassType)
        return self.depths[of.name]


def _said(written: JSONSchema) -> set[str]:
    """Return what `written` already says of a format, which for decimals is a pattern."""
    return {"format" if keyword == "pattern" else keyword for keyword in written}


def _any_of(written: Iterable[JSONSchema]) -> JSONSchema:
    unique: list[JSONSchema] = []
    for one in written:
        if one not in unique:
            unique.append(one)
    return unique[0] if len(unique) == 1 else {"anyOf": unique}


_JSON_TYPES: Final[dict[type, str]] = {str: "string", bool: "boolean", int: "integer", float: "number"}
_NUMBER: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_APPLICABLE: Final[dict[type, frozenset[str]]] = {
    IntType: _NUMBER,
    FloatType: _NUMBER,
    StringType: frozenset({"minLength", "maxLength", "pattern"}),
    ListType: frozenset({"minItems", "maxItems"}),
    MapType: frozenset({"minProperties", "maxProperties"}),
}
_PLAIN: Final[dict[type, str]] = {
    IntType: "integer",
    FloatType: "number",
    BoolType: "boolean",
    NullType: "null",
}
_WRITERS: Final[dict[type, Callable[[_Writer, Any], JSONSchema]]] = {
    StringType: _Writer.string_schema,
    AnyType: _Writer.any_schema,
    LiteralType: lambda writer, of: writer.values_schema([of.value]),
    RefType: _Writer.reference_schema,
    ListType: _Writer.list_schema,
    TupleType: _Writer.tuple_schema,
    MapType: _Writer.map_schema,
    UnionType: _Writer.union_schema,
}
