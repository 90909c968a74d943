"""What the reader's scalars mean, and the objects and arrays that it has open."""

from __future__ import annotations

from typing import Any, Final

from callm.parse.numerals import parse_float, parse_int
from callm.parse.tree import Pairs, show

CONSTANTS: Final = {"true": True, "false": False, "null": None}
MISSING: Final = object()
"""Stands for no value."""


class OpenObject:
    """An object that is being read."""

    __slots__ = ("keys", "values")

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.values: list[Any] = []

    def add(self, value: Any) -> None:
        """Take a finished key or value."""
        if len(self.keys) == len(self.values):
            self.keys.append(value if isinstance(value, str) else show(value))
        else:
            self.values.append(value)

    @property
    def place(self) -> str:
        """Whether a key or a value comes next."""
        return "key" if len(self.keys) == len(self.values) else "value"

    def value(self, last: Any = MISSING) -> dict[str, Any] | Pairs:
        """Return the object; `last` is a value still being written. A key without a value is dropped."""
        values = self.values if last is MISSING else [*self.values, last]
        found = dict(zip(self.keys, values, strict=False))
        if len(found) == len(values):
            return found
        return Pairs(tuple(zip(self.keys, values, strict=False)))


class OpenArray:
    """An array that is being read."""

    __slots__ = ("items",)
    place = "item"

    def __init__(self) -> None:
        self.items: list[Any] = []

    def add(self, value: Any) -> None:
        """Take a finished key or value."""
        self.items.append(value)

    def value(self, last: Any = MISSING) -> list[Any]:
        """Return the array; `last` is an item still being written."""
        return self.items if last is MISSING else [*self.items, last]


def bare(text: str) -> Any:
    """Return what a text without quotes means: a constant, a number, or the text."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    whole = parse_int(text)
    if whole is not None:
        return whole
    number = parse_float(text)
    if number is not None and number - number == 0:  # finite
        return number
    return text


def block(mark: str, text: str) -> str:
    """Return a triple-quoted text without its common indentation; of a fenced one, without its first line too."""
    if mark == "```" and "\n" in text:
        text = text.partition("\n")[2]
    lines = text.split("\n")
    if lines and not lines[0].strip():
        lines = lines[1:]
    if lines and not lines[-1].strip():
        lines = lines[:-1]
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines)
