"""A node and a type to a value, or the reasons why there is none.

1. What has its type already is taken as it stands (`cast`).
2. Else every way of reading it is tried, and the cheapest wins (`choose`, the table in `found`).
3. Then the type's constraints are put to the value: an assert that fails makes it a miss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from callm.parse import scalars
from callm.parse.cast import cast
from callm.parse.choose import pick_best
from callm.parse.constraints import holds
from callm.parse.found import Found, Miss, Result
from callm.parse.fuzzy import same_key
from callm.parse.scalars import described
from callm.parse.tree import Fenced, Fixed, Open, Readings, is_open, pairs, unwrap
from callm.schema.model import (
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
    Schema,
    SchemaType,
    StringType,
    TupleType,
    UnionType,
)

_MAX_DEPTH: Final = 400
"""How deep a value may be coerced: twice what the reader lets nest."""


class Coercion:
    """Coerces the nodes of one text to the types of one schema."""

    def __init__(self, schema: Schema, *, streaming: bool = False) -> None:
        """Take the schema; `streaming` reads what a text holds so far, by the types' rules for streams."""
        self._schema = schema
        self._streaming = streaming
        self._path: list[tuple[object, ...]] = []

    def root(self, node: Any) -> Result:
        """Coerce a whole text's node to the schema's root."""
        result = self.coerce(self._schema.root, node)
        if isinstance(result, Found) and self._inferred_from_text(result):
            return Miss(f"expected {name_of(self._schema.root)}, got {described(node)}")
        return result

    @staticmethod
    def _inferred_from_text(found: Found) -> bool:
        return found.has("inferred_object") and any(
            repair.kind == "inferred_object" and repair.detail == "text" for repair in found.repairs
        )

    def coerce(self, kind: SchemaType | ClassType | EnumType, node: Any) -> Result:
        """Coerce `node` to `kind`, constraints and all."""
        resolved = self._schema.resolve(kind) if not isinstance(kind, ClassType | EnumType) else kind
        constraints = getattr(kind, "constraints", ())
        if resolved is not kind:
            constraints = (*getattr(resolved, "constraints", ()), *constraints)
        if self._streaming and kind.stream.done and is_open(node):
            return Miss("not finished yet")
        result = self._unwrapped(resolved, node)
        if isinstance(result, Found):
            if self._streaming and kind.stream.with_state:
                result.state = "incomplete" if is_open(node) else "complete"
            if constraints:
                return holds(result, constraints)
        return result

    def _unwrapped(self, kind: Any, node: Any) -> Result:
        if type(node) is Readings:
            return self._readings(kind, node)
        if type(node) is Fixed:
            result = self._unwrapped(kind, node.value)
            if node.mended and isinstance(result, Found) and not result.has("mended_json"):
                result.note("mended_json")
            return result
        if type(node) is Fenced:
            result = self._unwrapped(kind, node.value)
            return result.note("fenced", isinstance(kind, StringType)) if isinstance(result, Found) else result
        if self._streaming and type(node) is Open and _waits_for_end(kind, node):
            return Miss("not finished yet")
        exact = cast(self._schema, kind, node)
        if exact is not None:
            return exact
        result = self._lenient(kind, node)
        if type(node) is Open and isinstance(result, Found):
            result.note("unclosed" if isinstance(unwrap(node), list | dict) or pairs(unwrap(node)) is not None else "unfinished")
        return result

    def _readings(self, kind: Any, node: Readings) -> Result:
        text = isinstance(kind, LiteralType) and isinstance(kind.value, str)
        if text or isinstance(kind, StringType | EnumType):
            exact = cast(self._schema, kind, node.text)
            return exact if exact is not None else self._lenient(kind, node)
        result = pick_best([self._unwrapped(kind, option) for option in node.options], name_of(kind))
        return result.note("several_readings") if isinstance(result, Found) else result

    def _lenient(self, kind: Any, node: Any) -> Result:
        if len(self._path) > _MAX_DEPTH:
            return Miss("the value is nested too deep")
        coerce = _COERCIONS[type(kind)]
        if isinstance(kind, IntType | FloatType | BoolType) and isinstance(unwrap(node), list):
            return self._first_item(kind, unwrap(node))
        return coerce(self, kind, node)

    def _first_item(self, kind: Any, items: list[Any]) -> Result:
        if not items:
            return Miss(f"expected {name_of(kind)}, got an empty list")
        result = pick_best([self._unwrapped(kind, item) for item in items], name_of(kind))
        return result.note("first_item", detail=described(items)) if isinstance(result, Found) else result

    def _null(self, kind: Any, node: Any) -> Result:
        found = Found(None, kind)
        return found if unwrap(node) is None else found.note("null_for_value", detail=described(node))

    def _any(self, kind: Any, node: Any) -> Result:
        return Found(plain(node), kind)

    # -- lists, maps, unions

    def _list(self, kind: ListType, node: Any) -> Result:
        value = unwrap(node)
        if not isinstance(value, list):
            return self._single(kind, node)
        found = Found(None, kind, parts=[])
        for number, item in enumerate(value):
            result = self.coerce(kind.item, item)
            if isinstance(result, Found):
                found.parts.append(result)  # type: ignore[union-attr]  # it is the list made above
                found.cost += result.cost
            else:
                found.note("dropped_item", number, f"[{number}] {described(item)}: {next(result.lines())}")
        return found

    def _single(self, kind: ListType, node: Any) -> Result:
        step = ("list", id(kind), id(node))
        if step in self._path:
            return Miss("a list would contain itself for ever")
        self._path.append(step)
        result = self.coerce(kind.item, node)
        self._path.pop()
        if isinstance(result, Found):
            return Found(None, kind, parts=[result], cost=result.cost).note("single_to_list")
        found = Found(None, kind, parts=[])
        found.note("single_to_list")
        return found.note("dropped_item", 0, f"{described(node)}: {next(result.lines())}")

    def _tuple(self, kind: TupleType, node: Any) -> Result:
        value = unwrap(node)
        if not isinstance(value, list) or len(value) != len(kind.items):
            return Miss(f"expected a list of {len(kind.items)}, got {described(node)}")
        found = Found(None, kind, parts=[])
        for number, (of, item) in enumerate(zip(kind.items, value, strict=True)):
            result = self.coerce(of, item)
            if isinstance(result, Miss):
                return Miss("a wrong item", (msgspec.structs.replace(result, path=f"[{number}]"),))
            found.parts.append(result)  # type: ignore[union-attr]  # it is the list made above
            found.cost += result.cost
        return found

    def _map(self, kind: MapType, node: Any) -> Result:
        entries = pairs(unwrap(node))
        if entries is None:
            return Miss(f"expected an object, got {described(node)}")
        parts: dict[str, Found] = {}
        found = Found(None, kind, parts=parts).note("object_to_map")
        for key, item in entries:
            result = self.coerce(kind.value, item)
            if isinstance(result, Found):
                parts[key] = result
            else:
                found.note("dropped_entry", 0, f"{key}: {described(item)}: {next(result.lines())}")
        return found

    def _union(self, kind: UnionType, node: Any) -> Result:
        results = [self.coerce(member, node) for member in kind.members]
        return pick_best(results, name_of(kind), in_union=True)

    # -- classes

    def _class(self, kind: ClassType, node: Any) -> Result:
        value = unwrap(node)
        step = (kind.name, id(value))
        if isinstance(value, list | dict) and step in self._path:
            return Miss(f"{kind.name} would contain itself for ever")
        self._path.append(step)
        try:
            entries = pairs(value)
            if entries is not None:
                return self._from_object(kind, node, list(entries))
            if isinstance(value, list):
                return self._from_list(kind, node, value)
            return self._from_scalar(kind, node, value)
        finally:
            self._path.pop()

    def _from_list(self, kind: ClassType, node: Any, items: list[Any]) -> Result:
        results: list[Result] = []
        if len(kind.fields) == 1:
            results.append(self._implied(kind, node))
        if items:
            best = pick_best([self._unwrapped(kind, item) for item in items], kind.name)
            results.append(best.note("first_item", detail=described(items)) if isinstance(best, Found) else best)
        if any(isinstance(result, Found) for result in results):
            return pick_best(results, kind.name)
        filled = self._fill(kind, {}, {})
        return filled if isinstance(filled, Found) else pick_best([*results, filled], kind.name)

    def _from_scalar(self, kind: ClassType, node: Any, value: Any) -> Result:
        if len(kind.fields) != 1:
            filled = self._fill(kind, {}, {})
            return filled if isinstance(filled, Found) else Miss(f"expected {kind.name}, got {described(node)}")
        result = self._implied(kind, node)
        if isinstance(result, Found):
            return result.note("inferred_object", detail="text" if isinstance(value, str) else "")
        return result

    def _implied(self, kind: ClassType, node: Any) -> Result:
        """Take the whole node as the value of the one field."""
        field = kind.fields[0]
        result = self.coerce(field.type, node)
        if isinstance(result, Miss):
            filled = self._fill(kind, {}, {field.name: result})
            return filled
        found = self._fill(kind, {field.name: result}, {})
        return found.note("implied_key") if isinstance(found, Found) else found

    def _from_object(self, kind: ClassType, node: Any, entries: list[tuple[str, Any]]) -> Result:
        values: dict[str, Found] = {}
        misses: dict[str, Miss] = {}
        extra: list[str] = []
        matched = False
        for key, item in entries:
            field = _field(kind, key)
            if field is None:
                extra.append(key)
                continue
            matched = True
            if field.name in values or field.name in misses:
                continue
            if unwrap(item) is None and not field.required and not self._streaming and not _nullable(field.type):
                continue  # providers want every field to be there, and null for what may be missing
            result = self.coerce(self._field_type(field), item)
            if isinstance(result, Found):
                values[field.name] = result.note("key_match", detail=key) if key != field.wire else result
            else:
                misses[field.name] = result
        if not matched and entries and len(kind.fields) == 1:
            implied = self._implied(kind, node)
            if isinstance(implied, Found) and kind.fields[0].name in (implied.parts or ()) and implied.has("implied_key"):
                return implied
        found = self._fill(kind, values, misses)
        if isinstance(found, Found):
            for key in extra:
                found.note("extra_key", detail=key)
        return found

    def _field_type(self, field: Field) -> SchemaType:
        """Return the type of a field: in a stream its asserts wait for the end."""
        constraints = field.type.constraints
        if not self._streaming or not constraints:
            return field.type
        checks = tuple(constraint for constraint in constraints if constraint.kind == "check")
        return msgspec.structs.replace(field.type, constraints=checks)

    def _fill(self, kind: ClassType, values: Mapping[str, Found], misses: Mapping[str, Miss]) -> Result:
        """Return the class with `values`, and defaults for what is missing or missed."""
        parts: dict[str, Found] = {}
        wrong: list[Miss] = []
        for field in kind.fields:
            value = values.get(field.name)
            if value is not None and self._streaming and _needs_value(field) and is_null(value):
                value = None
            if value is None:
                value = self._default(field, misses.get(field.name))
            if isinstance(value, Found):
                parts[field.name] = value
            else:
                wrong.append(value)
        if wrong:
            return Miss(f"{kind.name} has fields missing or wrong", tuple(wrong))
        return Found(None, kind, parts=parts, cost=sum(part.cost for part in parts.values()))

    def _default_so_far(self, field: Field, miss: Miss | None) -> Result:
        """Return what stands for a field that has not come, or is not finished."""
        if _needs_value(field):
            return miss or Miss(f"{field.wire} has not come yet", path=field.wire)
        kind = self._schema.resolve(field.type)
        found = Found(None, NullType())
        if isinstance(kind, ListType | MapType) and not (field.type.stream.done and miss is None):
            found = Found(None, kind, parts=[] if isinstance(kind, ListType) else {})
        if field.type.stream.with_state:
            found.state = "pending" if miss is None else "incomplete"
        return found.note("default_for_missing_optional" if miss is None else "default_for_bad_value")

    def _default(self, field: Field, miss: Miss | None) -> Result:
        if self._streaming:
            return self._default_so_far(field, miss)
        if not field.required:
            value = None if field.default is msgspec.UNSET else field.default
            found = Found(value, NullType() if value is None else None)
            if miss is None:
                return found.note("default_for_missing_optional", detail=field.wire)
            return found.note("default_for_bad_value", detail=next(miss.lines()))
        empty = self._empty(field.type)
        if empty is not None and not (miss is not None and miss.message.startswith("the assert")):
            kept = holds(empty, getattr(field.type, "constraints", ()))
            if isinstance(kept, Found):
                if miss is None:
                    return kept.note("default_for_missing", detail=field.wire)
                return kept.note("default_for_bad_value", detail=next(miss.lines()))
        if miss is not None:
            return msgspec.structs.replace(miss, path=field.wire if not miss.path else f"{field.wire}.{miss.path}")
        return Miss(f"required field is missing, expected {name_of(field.type)}", path=field.wire)

    def _empty(self, kind: Any) -> Found | None:
        """Return the value that stands for nothing at all, for the types that have one."""
        resolved = self._schema.resolve(kind) if not isinstance(kind, ClassType | EnumType) else kind
        match resolved:
            case ListType():
                return Found(None, resolved, parts=[])
            case MapType():
                return Found(None, resolved, parts={})
            case NullType():
                return Found(None, resolved)
            case UnionType():
                options = [self._empty(member) for member in resolved.members]
                return next((option for option in options if option is not None), None)
            case _:
                return None


def _nullable(kind: SchemaType) -> bool:
    return isinstance(kind, UnionType) and kind.is_nullable


def _field(kind: ClassType, key: str) -> Field | None:
    for field in kind.fields:
        if field.wire == key:
            return field
    return next((field for field in kind.fields if same_key(key, field.wire)), None)


def _waits_for_end(kind: Any, node: Open) -> bool:
    """Whether an unfinished value must not appear in a stream: it could still become another one."""
    if isinstance(kind, _AT_ONCE) or (isinstance(kind, ClassType) and kind.stream.done):
        return True
    return isinstance(kind, StringType) and isinstance(node.value, int | float)


def _needs_value(field: Field) -> bool:
    """Whether the object appears in a stream only once this field has a value."""
    return field.type.stream.not_null and field.required


def is_null(found: Found) -> bool:
    """Whether a value is null."""
    return found.parts is None and found.value is None


def plain(node: Any) -> Any:
    """Return a node as plain data, whatever it holds."""
    value = unwrap(node)
    if isinstance(value, list):
        return [plain(item) for item in value]
    entries = pairs(value)
    return value if entries is None else {key: plain(item) for key, item in entries}


def name_of(kind: Any) -> str:
    """Return how a reason names a type."""
    match kind:
        case ClassType() | EnumType():
            return kind.name
        case LiteralType(value=value):
            return repr(value)
        case ListType(item=item):
            return f"a list of {name_of(item)}"
        case UnionType(members=members):
            return " or ".join(name_of(member) for member in members)
        case _:
            return _NAMES.get(type(kind), "") or getattr(kind, "name", "a value")


_NAMES: Final[Mapping[type, str]] = {
    AnyType: "any value",
    BoolType: "true or false",
    FloatType: "a number",
    IntType: "a whole number",
    MapType: "an object",
    NullType: "null",
    StringType: "text",
    TupleType: "a list",
}
_AT_ONCE: Final = (BoolType, EnumType, FloatType, IntType, LiteralType, NullType)
_COERCIONS: Final[Mapping[type, Callable[[Coercion, Any, Any], Result]]] = {
    AnyType: Coercion._any,
    BoolType: lambda _, kind, node: scalars.to_bool(kind, node),
    ClassType: Coercion._class,
    EnumType: lambda _, kind, node: scalars.to_enum(kind, node),
    FloatType: lambda _, kind, node: scalars.to_float(kind, node),
    IntType: lambda _, kind, node: scalars.to_int(kind, node),
    ListType: Coercion._list,
    LiteralType: lambda _, kind, node: scalars.to_literal(kind, node),
    MapType: Coercion._map,
    NullType: Coercion._null,
    StringType: lambda _, kind, node: scalars.to_text(kind, node),
    TupleType: Coercion._tuple,
    UnionType: Coercion._union,
}
