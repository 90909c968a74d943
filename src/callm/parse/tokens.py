"""What the reader's scalars mean, and the objects and arrays that it has open."""

from __future__ import annotations

import re
from json import JSONDecoder
from typing import Any, Final

from callm.parse.numerals import parse_float, parse_int
from callm.parse.tree import WORDS, Pairs, Word, show

LONG: Final = 64
"""How much text must be there for more than one token to be read at once."""

LOOK: Final = 200
"""How far ahead a key is looked for."""

RUN: Final = {quote: re.compile(f"[^{quote}]+") for quote in "'`"} | {'"': re.compile(r'[^"\\]+')}
HEX: Final = re.compile(r"[0-9a-fA-F]{4}")
INLINE: Final = re.compile(r"[ \t\r]*")

CONSTANTS: Final = {"true": True, "false": False, "null": None}
_HIGH_SURROGATE, _LOW_SURROGATE, _SURROGATES_END = 0xD800, 0xDC00, 0xE000
_JSON: Final = JSONDecoder(strict=False)
_STRING: Final = r'"((?:[^"\\]+|\\["\\/bfnrt])*+)"'
_SHORT: Final = r"(-?[0-9]{1,15}(?:\.[0-9]{1,15})?|true|false|null)"
MEMBER: Final = re.compile(
    rf"(?:{_STRING}|([A-Za-z_][A-Za-z0-9_]*))[ \t\r\n]*:[ \t\r\n]*"
    rf"(?:{_STRING}(?=[ \t\r\n]*[,}}\]])|{_SHORT}(?=[ \t\r\n]*\}}|,[ \t\r\n]))?"
)
"""A key, and its value if that is a string, number or constant of which nothing can be doubted."""

ITEM: Final = re.compile(rf"(?:{_STRING}|{_SHORT})(?=[ \t\r\n]*[,\]])")
"""An item of an array that is a string, number or constant of which nothing can be doubted."""

UNQUOTED_END: Final = {
    "key": re.compile(":"),
    "item": re.compile(r"[,\]]|//|/\*|/\Z"),
    "value": re.compile(r"[,}]|//|/\*|/\Z"),
    "top": re.compile(r"[{\[]"),
}
ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", '"': '"', "/": "/"}
NEXT_KEY: Final = re.compile(r"""("[^"\n]{0,200}"|'[^'\n]{0,200}'|[A-Za-z_][\w-]{0,100})\s*:""")
NEXT_QUOTED_KEY: Final = re.compile(r'"[^"\n]{0,200}"\s*:')

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
            self.keys.append(value if type(value) is str else show(value))
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
    if text in WORDS:
        return Word(text)
    whole = parse_int(text)
    if whole is not None:
        return whole
    number = parse_float(text)
    if number is not None and number - number == 0:  # finite
        return number
    return text


def unescape(text: str, at: int, pieces: list[str], *, final: bool) -> int:
    """Add what the escape at `at` means. Return where it ends, or 0 while more of it may come."""
    follow = text[at + 1 : at + 2]
    if not follow and not final:
        return 0
    if follow == "u":
        digits = text[at + 2 : at + 6]
        if len(digits) < 4 and not final:  # noqa: PLR2004  # \uXXXX
            return 0
        if HEX.fullmatch(digits):
            add_unit(pieces, int(digits, 16))
            return at + 6
    plain = ESCAPES.get(follow)
    pieces.append("\\" if plain is None else plain)
    return at + (1 if plain is None else 2)


def add_unit(pieces: list[str], code: int) -> None:
    """Add the 16 bits of an escape: a character, or half of one, which joins the other half before it."""
    if _LOW_SURROGATE <= code < _SURROGATES_END and pieces and "\ud800" <= pieces[-1] < "\udc00":
        high = ord(pieces.pop())
        code = 0x10000 + ((high - _HIGH_SURROGATE) << 10) + code - _LOW_SURROGATE
    pieces.append(chr(code))


def clear(text: str | None, other: str | None) -> Any:
    """Return the string `text`, or the number or constant `other`, that `MEMBER` or `ITEM` has found."""
    if text is not None:
        return text if "\\" not in text else _JSON.decode(f'"{text}"')
    if other is None or other in CONSTANTS:
        return CONSTANTS[other or "null"]
    return float(other) if "." in other else int(other)


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
