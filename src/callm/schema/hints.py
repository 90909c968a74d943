"""What a type's format and limits say, in words: for prompts, and for providers whose schemas have no keyword for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from callm.schema.model import EnumValue, ListType, SchemaType, StringType

DECIMAL_PATTERN: Final = r"^-?\d+(\.\d+)?$"

_FORMATS: Final = {
    "date": "ISO 8601 date",
    "date-time": "ISO 8601 date and time",
    "time": "ISO 8601 time",
    "duration": "ISO 8601 duration",
    "uuid": "UUID",
    "decimal": "decimal number",
    "uri": "URL",
    "ipv4": "IPv4 address",
    "ipv6": "IPv6 address",
}
_LIMITS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "matching the regular expression {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minProperties": "at least {} entries",
    "maxProperties": "at most {} entries",
}


def hints(of: SchemaType, *, said: Collection[str] = ()) -> list[str]:
    """Return in words what narrows `of`, but for the keywords in `said`."""
    words: list[str] = []
    if isinstance(of, StringType) and of.format is not None and "format" not in said:
        words.append(_FORMATS.get(of.format, of.format))
    words += _limits(of.limits, said)
    if isinstance(of, ListType) and of.is_unique and "uniqueItems" not in said:
        words.append("no duplicates")
    return words


def value_note(value: EnumValue) -> str | None:
    """Return what must be said of an enum's value: its description, and its name where the value is a number."""
    if isinstance(value.wire, str):
        return value.description
    return f"{value.name}, {value.description}" if value.description else value.name


def _limits(limits: Mapping[str, Any], said: Collection[str]) -> list[str]:
    return [_LIMITS[keyword].format(value) for keyword, value in limits.items() if keyword not in said]
