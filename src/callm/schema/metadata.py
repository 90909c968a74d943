"""What stands beside a type in an annotation: descriptions, names, limits, and callm's own `Constraint` and `Stream`.

Those of others are read by the attributes that pydantic's `Field`, annotated-types, `typing_extensions.Doc` and `msgspec.Meta` have in common,
so none of them is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, cast

import msgspec

from callm.schema.model import (
    Constraint,
    FloatType,
    IntType,
    ListType,
    MapType,
    SchemaType,
    Stream,
    StringType,
    TupleType,
    UnionType,
)


class Notes(msgspec.Struct, frozen=True):
    """What the metadata of one annotation says. `limits` are by attribute: `ge`, `min_length`, ..."""

    description: str | None = None
    alias: str | None = None
    limits: Mapping[str, Any] = {}
    constraints: tuple[Constraint, ...] = ()
    stream: Stream | None = None


def read_notes(metadata: Iterable[Any]) -> Notes:
    """Return what `metadata` says; where two say the same, the later one wins."""
    notes = Notes()
    for item in metadata:
        notes = _over(_read(item), notes)
    return notes


def noted(of: SchemaType, notes: Notes) -> SchemaType:
    """Return `of` with the limits, constraints and stream rules of `notes`."""
    of = _limited(of, notes.limits) if notes.limits else of
    if notes.constraints:
        of = msgspec.structs.replace(of, constraints=of.constraints + notes.constraints)
    return of if notes.stream is None else msgspec.structs.replace(of, stream=notes.stream)


def _limited(of: SchemaType, limits: Mapping[str, Any]) -> SchemaType:
    # Those that apply; in a union, each member takes its own.
    if isinstance(of, UnionType):
        return msgspec.structs.replace(of, members=tuple(_limited(member, limits) for member in of.members))
    keywords = _KEYWORDS.get(type(of), {})
    found = {keywords[name]: value for name, value in limits.items() if name in keywords}
    if isinstance(of, StringType) and of.format == "decimal":
        found = {_NUMBER[name]: value for name, value in limits.items() if name in _NUMBER}
    return msgspec.structs.replace(of, limits={**of.limits, **found}) if found else of


def _read(item: Any) -> Notes:
    if isinstance(item, str):
        return Notes(item)
    if isinstance(item, Constraint):
        return Notes(constraints=(item,))
    if isinstance(item, Stream):
        return Notes(stream=item)
    if isinstance(item, type):
        return Notes()
    notes = read_notes(getattr(item, "metadata", None) or ()) if type(item).__name__ == "FieldInfo" else Notes()
    description = _text(item, "description") or _text(item, "documentation")
    found = {name: limit for name in _NAMES if (limit := _limit(getattr(item, name, None))) is not None}
    return _over(Notes(description, _text(item, "validation_alias") or _text(item, "alias"), found), notes)


def _over(later: Notes, earlier: Notes) -> Notes:
    return Notes(
        earlier.description if later.description is None else later.description,
        earlier.alias if later.alias is None else later.alias,
        {**earlier.limits, **later.limits},
        earlier.constraints + later.constraints,
        earlier.stream if later.stream is None else later.stream,
    )


def _text(item: Any, name: str) -> str | None:
    value = getattr(item, name, None)
    return value if isinstance(value, str) else None


def _limit(value: Any) -> int | float | str | None:
    if isinstance(value, re.Pattern):
        return str(cast("re.Pattern[str]", value).pattern)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if isinstance(value, int | float | str) and not isinstance(value, bool) else None


_NUMBER: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}
_ITEMS: Final = {"min_length": "minItems", "max_length": "maxItems"}
_KEYWORDS: Final[dict[type, dict[str, str]]] = {
    IntType: _NUMBER,
    FloatType: _NUMBER,
    StringType: {"min_length": "minLength", "max_length": "maxLength", "pattern": "pattern"},
    ListType: _ITEMS,
    TupleType: _ITEMS,
    MapType: {"min_length": "minProperties", "max_length": "maxProperties"},
}
_NAMES: Final = (*_NUMBER, *_ITEMS, "pattern")
