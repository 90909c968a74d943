"""Classes out of objects; where a class has one field, out of its value; out of a list, the item that fits best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from callm.parse.choose import pick_best, pick_item
from callm.parse.constraints import holds
from callm.parse.found import UNFINISHED, Found, Miss, Result, joined
from callm.parse.fuzzy import key_forms
from callm.parse.reasons import described, name_of
from callm.parse.tree import Fenced, Fixed, Pairs, Readings, is_small, pairs, plain, unwrap
from callm.schema.model import (
    AnyType,
    ClassType,
    Field,
    ListType,
    MapType,
    NullType,
    SchemaType,
    UnionType,
)

if TYPE_CHECKING:
    from callm.parse.coerce import Coercion


_KEPT: Final = 1000
"""How many results keep the reasons why there is no value."""

_FAILED: Final = Miss("failed before")


def read_class(coercion: Coercion, kind: ClassType, node: Any, *, in_union: bool) -> Result:
    """Read a class. The same node may be tried often, so what became of it is kept."""
    value = unwrap(node)
    is_kept = type(value) in (list, dict, Pairs) and not is_small(value)
    known = coercion.known.setdefault((id(kind), in_union), {}) if is_kept else {}
    result = known.get(id(value))
    if result is None:
        step = (id(kind), id(value))
        if step in coercion.path:
            return Miss(f"{kind.name} would contain itself for ever")
        coercion.path.add(step)
        result = _Reading(coercion, kind, in_union).any(node, value)
        coercion.path.discard(step)
        known[id(value)] = _FAILED if isinstance(result, Miss) and len(known) > _KEPT else result
    return result.copy() if isinstance(result, Found) else result


class KeyFinder:
    """Finds the field that a key means: the one of that name, else one that is the same but for case, spaces, accents."""

    def __init__(self, kind: ClassType) -> None:
        """Know the fields of `kind`."""
        self._fields = kind.fields
        self._exact = {field.wire: field for field in kind.fields}
        self._loose: dict[str, Field] | None = None

    def find(self, key: str) -> Field | None:
        """Return the field, or None."""
        found = self._exact.get(key)
        if found is not None:
            return found
        if self._loose is None:
            self._loose = {}
            for field in reversed(self._fields):
                self._loose |= dict.fromkeys(key_forms(field.wire), field)
        return next((self._loose[form] for form in key_forms(key) if form in self._loose), None)


class _Reading:
    """One node that is read as one class."""

    def __init__(self, coercion: Coercion, kind: ClassType, in_union: bool) -> None:  # noqa: FBT001  # from a keyword
        self._coercion = coercion
        self._kind = kind
        self._in_union = in_union

    def any(self, node: Any, value: Any) -> Result:
        entries = pairs(value)
        if entries is not None:
            return self._from_object(node, entries)
        if isinstance(value, list):
            return self._from_list(node, value)
        return self._from_scalar(node, value)

    def _from_list(self, node: Any, items: list[Any]) -> Result:
        kind, results = self._kind, list[Result]()
        if len(kind.fields) == 1:
            results.append(self._implied(node))
        if items:
            read = (self._item(item) for item in items)
            results.append(pick_item(read, kind.name, items, in_union=self._in_union))
        if any(isinstance(result, Found) for result in results):
            return pick_best(results, kind.name, in_union=self._in_union)
        filled = self._fill({}, {})
        return filled if isinstance(filled, Found) else pick_best([*results, filled], kind.name)

    def _item(self, item: Any) -> Result:
        if type(item) in (Readings, Fenced, Fixed):  # one of several answers: a class of one field takes its text
            return self._from_scalar(item, None)
        return self._coercion.read(self._kind, item, in_union=self._in_union)

    def _from_scalar(self, node: Any, value: Any) -> Result:
        kind = self._kind
        if len(kind.fields) != 1:
            filled = self._fill({}, {})
            return filled if isinstance(filled, Found) else Miss(f"expected {kind.name}, got {described(node)}")
        result = self._implied(node)
        field = kind.fields[0]
        is_empty = field.required and self._empty(field.type) is not None  # it stands for nothing, not for the value
        if isinstance(result, Found) and (result.has("implied_key") or not is_empty):
            return result.note("inferred_object", detail="text" if isinstance(value, str) else "")
        return result

    def _implied(self, node: Any) -> Result:
        """Take the whole node as the value of the one field."""
        field = self._kind.fields[0]
        result = self._coercion.value(field.type, node)
        if isinstance(result, Miss):
            is_needed = field.required and self._empty(field.type) is None
            is_wrong = self._coercion.streaming and is_needed and UNFINISHED not in result.lines()
            return result if is_wrong else self._fill({}, {field.name: result})
        found = self._fill({field.name: result}, {})
        return found.note("implied_key") if isinstance(found, Found) else found

    def _from_object(self, node: Any, entries: Iterable[tuple[str, Any]]) -> Result:
        values: dict[str, Found] = {}
        misses: dict[str, Miss] = {}
        extra: dict[str, Any] = {}
        for key, item in entries:
            field = self._coercion.field(self._kind, key)
            if field is None:
                extra[key] = item
            elif field.name not in values and field.name not in misses and not self._is_left_out(field, item):
                result = self._coercion.value(self._type(field), item)
                if isinstance(result, Miss):
                    misses[field.name] = result
                else:
                    values[field.name] = result if key == field.wire else result.note("key_match", detail=key)
        if len(self._kind.fields) == 1 and extra and not values and not misses:
            implied = self._implied(node)
            if isinstance(implied, Found) and implied.has("implied_key"):
                return implied
        found = self._fill(values, misses)
        return self._with_extra(found, extra) if isinstance(found, Found) else found

    def _is_left_out(self, field: Field, item: Any) -> bool:
        """Whether null stands for nothing: providers want every field to be there, and null for what may be missing."""
        if field.required or self._coercion.streaming or not self._coercion.is_null(item):
            return False
        if unwrap(item) is not None:  # `None`, which may be a name here
            named = self._coercion.value(field.type, item)
            if isinstance(named, Found) and isinstance(named.value, str):
                return False
        return not (isinstance(field.type, UnionType) and field.type.is_nullable)

    def _with_extra(self, found: Found, extra: Mapping[str, Any]) -> Found:
        if self._kind.is_open and isinstance(found.parts, dict):
            found.parts.update({key: Found(plain(item), AnyType()) for key, item in extra.items()})
            return found
        for key in extra:
            found.note("extra_key", detail=key)
        return found

    def _type(self, field: Field) -> SchemaType:
        """Return the type of a field: in a stream its asserts wait for the end, but those of lists and maps."""
        if not self._coercion.streaming or not field.type.constraints or isinstance(field.type, ListType | MapType):
            return field.type
        return self._coercion.without_asserts(field.type)

    # -- what is missing

    def _fill(self, values: Mapping[str, Found], misses: Mapping[str, Miss]) -> Result:
        """Return the class with `values`, and defaults for what is missing or missed."""
        parts: dict[str, Found] = {}
        wrong: list[Miss] = []
        for field in self._kind.fields:
            value: Result | None = values.get(field.name)
            if isinstance(value, Found) and self._coercion.streaming and _needs_value(field) and value.is_null:
                value = None
            if value is None:
                value = self._default(field, misses.get(field.name))
            if isinstance(value, Found):
                parts[field.name] = value
            else:
                wrong.append(value)
        if wrong:
            return Miss(f"{self._kind.name} has fields missing or wrong", tuple(wrong))
        return Found(None, self._kind, parts=parts, cost=sum(part.cost for part in parts.values()))

    def _default(self, field: Field, miss: Miss | None) -> Result:
        if self._coercion.streaming:
            return self._default_so_far(field, miss)
        if not field.required:
            value = None if field.default is msgspec.UNSET else field.default
            found = Found(value, NullType() if value is None else None)
            if miss is None:
                return found.note("default_for_missing_optional", detail=field.wire)
            return found.note("default_for_bad_value", detail=next(miss.lines()))
        empty = self._empty(field.type)
        if empty is not None and not (miss is not None and miss.asserted):
            kept = holds(empty, field.type.constraints)
            if isinstance(kept, Found):
                if miss is None:
                    return kept.note("default_for_missing", detail=field.wire)
                return kept.note("default_for_bad_value", detail=next(miss.lines()))
        if miss is not None:
            return msgspec.structs.replace(miss, path=joined(field.wire, miss.path))
        return Miss(f"required field is missing, expected {name_of(field.type)}", path=field.wire)

    def _default_so_far(self, field: Field, miss: Miss | None) -> Result:
        """Return what stands for a field that has not come, or is not finished."""
        if _needs_value(field):
            return miss or Miss(f"{field.wire} has not come yet", path=field.wire)
        kind = self._coercion.schema.resolve(field.type)
        is_container = isinstance(kind, ListType | MapType)
        if self._kind.stream.done and field.required and not is_container:
            return miss or Miss(f"{field.wire} is missing", path=field.wire)  # the class is complete: no more will come
        found = Found(None, NullType())
        if is_container and not (field.type.stream.done and miss is None) and not self._kind.stream.done:
            found = Found(None, kind, parts=[] if isinstance(kind, ListType) else {})
        if field.type.stream.with_state:
            found.state = "pending" if miss is None else "incomplete"
        if is_container:
            found.note("default_for_missing" if miss is None else "default_for_bad_value")
            return holds(found, field.type.constraints)
        return found.note("default_for_missing_optional" if miss is None else "null_for_value")

    def _empty(self, kind: SchemaType) -> Found | None:
        """Return the value that stands for nothing at all, for the types that have one."""
        resolved = self._coercion.schema.resolve(kind)
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


def _needs_value(field: Field) -> bool:
    """Whether the object appears in a stream only once this field has a value."""
    return field.type.stream.not_null and field.required
