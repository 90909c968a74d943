"""Text, numbers, booleans, enums and literals out of whatever a model wrote for them."""

from __future__ import annotations

from typing import Any

from callm.parse.found import Found, Miss, Result
from callm.parse.fuzzy import Name, Tie, find
from callm.parse.numerals import find_number, parse_float, parse_fraction, parse_int, round_half_away, wrap
from callm.parse.tree import Readings, pairs, show, unwrap
from callm.schema.model import EnumType, EnumValue, LiteralType

_TRUE_FALSE = (Name("true", ("true", "True", "TRUE")), Name("false", ("false", "False", "FALSE")))
_TEXT_LIMIT = 2000
"""Numbers, booleans and names are not looked for in texts longer than this many characters."""


def described(node: Any) -> str:
    """Return how a reason names what came."""
    value = unwrap(node)
    if value is None:
        return "null"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")  # noqa: PLR2004  # enough to find it by
    if pairs(value) is not None:
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    return show(value)


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
        return Found(wrap(value), kind)
    if isinstance(value, float):
        return Found(round_half_away(value), kind).note("rounded", detail=show(value))
    if isinstance(value, str) and len(value) <= _TEXT_LIMIT:
        text = value.strip().rstrip(",")
        whole = parse_int(text)
        if whole is not None:
            return Found(wrap(whole), kind).note("number_from_text", detail=value)
        number = _number(text)
        if number is not None:
            found = Found(round_half_away(number[0]), kind)
            if number[0] != found.value:
                return found.note("rounded", detail=value)
            return found.note("text_to_number" if number[1] else "number_from_text", detail=value)
    return Miss(f"expected a whole number, got {described(node)}")


def to_float(kind: Any, node: Any) -> Result:
    """Read a number."""
    value = unwrap(node)
    if type(value) in (int, float):
        return Found(float(value), kind)
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
        if value.lower() in ("true", "false"):
            return Found(value.lower() == "true", kind).note("text_to_bool", detail=value)
        match = find(value, _TRUE_FALSE)
        if match is not None and not isinstance(match, Tie):
            return _matched(Found(match.name == "true", kind).note("text_to_bool", detail=value), match, value)
    return Miss(f"expected true or false, got {described(node)}")


def to_enum(kind: EnumType, node: Any) -> Result:
    """Read one of the values of an enum, by name or alias, or by description."""
    names = [Name(value.name, _meanings(value, named=kind.python is not None)) for value in kind.values]
    expected = ", ".join(str(value.wire) for value in kind.values)
    return _named(kind, node, names, f"one of {expected}")


def _meanings(value: EnumValue, *, named: bool) -> tuple[str, ...]:
    """Return what means a value. BAML takes an alias instead of the name; a Python enum is known by both."""
    wire = str(value.wire)
    texts = (wire, value.name) if named and value.name != wire else (wire,)
    if not value.description:
        return texts
    description = value.description.strip()
    return (*texts, description, f"{wire}: {description}")


def _named(kind: Any, node: Any, names: list[Name], expected: str) -> Result:
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


def _matched(found: Found, match: Any, text: str) -> Found:
    if match.stripped:
        found.note("loose_match", detail=text)
    if match.substring:
        found.note("substring", detail=text)
    if match.others:
        found.note("most_frequent", match.others, detail=text)
    return found


def to_literal(kind: LiteralType, node: Any) -> Result:
    """Read one value."""
    inner = unwrap(node)
    entries = None if type(node) is Readings and isinstance(kind.value, str) else pairs(inner)
    unwrapped = False
    if entries is not None:
        values = [value for _, value in entries]
        if len(values) == 1 and isinstance(unwrap(values[0]), bool | int | float | str):
            node, unwrapped = values[0], True
    if isinstance(kind.value, str):
        result = _named(kind, node, [Name(kind.value, (kind.value,))], repr(kind.value))
    else:
        read = to_bool if isinstance(kind.value, bool) else to_int
        result = read(kind, node)
        if isinstance(result, Found) and result.value != kind.value:
            result = Miss(f"expected {show(kind.value)}, got {show(result.value)}")
    if isinstance(result, Found):
        result.value = kind.value
        if unwrapped:
            result.note("object_to_scalar")
    return result


