"""Text, numbers, booleans, enums and literals out of whatever a model wrote for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callm.parse.found import Found, Miss, Result
from callm.parse.fuzzy import Match, Name, Tie, find
from callm.parse.numerals import find_number, parse_float, parse_fraction, parse_int, round_half_away, wrap
from callm.parse.numerals import to_float as as_float
from callm.parse.reasons import described
from callm.parse.tree import Readings, pairs, show, unwrap
from callm.schema.model import EnumType, EnumValue, LiteralType

_TRUE_FALSE = (Name("true", ("true", "True", "TRUE")), Name("false", ("false", "False", "FALSE")))
_TEXT_LIMIT = 100_000
"""Numbers, booleans and names are not looked for in texts longer than this many characters."""


def to_text(kind: Any, node: Any) -> Result:
    """Read text: anything but null has one."""
    if type(node) is Readings:
        return Found(node.text, kind)
    value = unwrap(node)
    if value is None:
        return Miss("expected text, got null")
    if isinstance(value, str):
        return Found(value, kind)
    return Found(show(value), kind).note("value_to_text")


def to_int(kind: Any, node: Any) -> Result:
    """Read a whole number."""
    value = unwrap(node)
    if type(value) is int:
        return _whole(kind, value)
    if isinstance(value, float):
        return _rounded(kind, value, show(value))
    if isinstance(value, str) and len(value) <= _TEXT_LIMIT:
        text = value.strip().rstrip(",")
        whole = parse_int(text)
        if whole is not None:
            return _whole(kind, whole).note("number_from_text", detail=value)
        number = _number(text)
        if number is not None:
            return _rounded(kind, number[0], value)
    return Miss(f"expected a whole number, got {described(node)}")


def _whole(kind: Any, value: int) -> Found:
    """Return a whole number in 64 signed bits, as BAML has them: one more bit wraps around, what is beyond is held."""
    kept = wrap(value)
    if kept == value:
        return Found(kept, kind)
    return Found(kept, kind).note("clamped", not -(2**64) < value < 2**64, str(value)[:100])


def _rounded(kind: Any, value: float, shown: str) -> Found:
    """Return the whole number next to `value`, which was written as `shown`."""
    whole = round_half_away(value)
    return Found(whole, kind).note("integral" if whole == value else "rounded", detail=shown)


def to_float(kind: Any, node: Any) -> Result:
    """Read a number."""
    value = unwrap(node)
    if type(value) in (int, float):
        return Found(as_float(value), kind)
    if isinstance(value, str) and len(value) <= _TEXT_LIMIT:
        text = value.strip().rstrip(",")
        number = _number(text)
        if number is not None:
            return Found(number[0], kind).note("text_to_number" if number[1] else "number_from_text", detail=value)
    return Miss(f"expected a number, got {described(node)}")


def _number(text: str) -> tuple[float, bool] | None:
    """Return the number that a text means, and whether it had to be looked for in it."""
    plain = parse_int(text)
    if plain is not None:
        return float(plain), False
    number = parse_float(text)
    if number is None:
        number = parse_fraction(text)
    if number is not None:
        return number, False
    number = find_number(text)
    return None if number is None else (number, True)


def to_bool(kind: Any, node: Any) -> Result:
    """Read true or false."""
    value = unwrap(node)
    if isinstance(value, bool):
        return Found(value, kind)
    if isinstance(value, str) and len(value) <= _TEXT_LIMIT:
        match = find(value, _TRUE_FALSE)
        if isinstance(match, Match):
            found = Found(match.name == "true", kind).note("text_to_bool", detail=value)
            return found.note("most_frequent", detail=value) if match.others else found
    return Miss(f"expected true or false, got {described(node)}")


def to_enum(kind: EnumType, names: Sequence[Name], node: Any) -> Result:
    """Read one of the values of an enum; `names` are what means them."""
    return _named(kind, node, names, "one of " + ", ".join(str(value.wire) for value in kind.values))


def names_of(kind: EnumType) -> tuple[Name, ...]:
    """Return what means the values of an enum: name or alias, and description."""
    return tuple(Name(value.name, _meanings(value, named=kind.python is not None)) for value in kind.values)


def _meanings(value: EnumValue, *, named: bool) -> tuple[str, ...]:
    """Return what means a value. BAML takes an alias instead of the name; a Python enum is known by both."""
    wire = str(value.wire)
    texts = (wire, value.name) if named and value.name != wire else (wire,)
    if not value.description:
        return texts
    description = value.description.strip()
    return (*texts, description, f"{wire}: {description}")


def _named(kind: Any, node: Any, names: Sequence[Name], expected: str) -> Result:
    text = show(node)
    if len(text) > _TEXT_LIMIT:
        return Miss(f"expected {expected}, got a text of {len(text)} characters")
    match = find(text, names)
    if isinstance(match, Tie):
        return Miss(f"expected {expected}, got several: {match}")
    if match is None:
        return Miss(f"expected {expected}, got {described(node)}")
    found = Found(match.name, kind)
    if type(node) is not Readings and not isinstance(unwrap(node), str):
        found.note("object_to_text")
    return _matched(found, match, text)


def _matched(found: Found, match: Match, text: str) -> Found:
    if match.stripped:
        found.note("loose_match", detail=text)
    if match.substring:
        found.note("substring", detail=text)
    if match.others:
        found.note("most_frequent", detail=text)
    return found


def to_literal(kind: LiteralType, node: Any) -> Result:
    """Read one text."""
    text = str(kind.value)
    return _named(kind, node, (Name(text, (text,)),), repr(text))


def only_value(kind: LiteralType, node: Any) -> tuple[Any, bool]:
    """Return what an object of one entry holds, if it is a scalar, and whether that was so; else the node."""
    if type(node) is Readings and isinstance(kind.value, str):
        return node, False
    values = [value for _, value in pairs(unwrap(node)) or ()]
    if len(values) == 1 and isinstance(unwrap(values[0]), bool | int | float | str):
        return values[0], True
    return node, False
