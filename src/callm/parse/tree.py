"""What a text was read as, before a type is laid on it.

A complete value is plain Python: None, bool, int, float, str, list, dict. The classes here stand for what plain Python can't
say: that more may come, that a key came twice, where in the text a value stood, and that a text can be read in several ways.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

import msgspec


class Open(msgspec.Struct, frozen=True):
    """A value that the text has not finished: a string, number, list or dict so far."""

    value: Any


class Pairs(msgspec.Struct, frozen=True):
    """An object in which a key came more than once."""

    items: Sequence[tuple[str, Any]]


class Fenced(msgspec.Struct, frozen=True):
    """A value that stood in a fenced block of markdown."""

    label: str
    value: Any


class Fixed(msgspec.Struct, frozen=True):
    """A value that had to be looked for. `mended` says that it is no JSON as it stands."""

    value: Any
    mended: bool = False


class Readings(msgspec.Struct, frozen=True):
    """The ways in which a text can be read, and the text itself."""

    options: Sequence[Any]
    text: str


class Word(str):
    """A text without quotes that is a constant in Python or JavaScript: whether it means that, a policy says."""

    __slots__ = ()

    @property
    def value(self) -> bool | float | None:
        """The constant."""
        return WORDS[self]


WORDS: Final[dict[str, bool | float | None]] = {
    "True": True,
    "False": False,
    "None": None,
    "undefined": None,
    "NaN": math.nan,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
}
"""The constants that JSON has not, or in other words. For numbers that are none there must be a number declared."""

Node: TypeAlias = Any
"""A plain Python value, or one of the classes above."""


def pairs(value: Any) -> Iterable[tuple[str, Any]] | None:
    """Return the entries of an object in order, or None for what is no object."""
    if type(value) is dict:
        return value.items()
    return value.items if type(value) is Pairs else None


def unwrap(node: Node) -> Any:
    """Return the value without its wrappers; of several readings the first."""
    while True:
        match node:
            case Open(value) | Fixed(value, _) | Fenced(_, value):
                node = value
            case Readings(options, text):
                node = options[0] if options else text
            case _:
                return node


def is_open(node: Node) -> bool:
    """Whether more of the value may come."""
    while type(node) is Fixed or type(node) is Fenced:
        node = node.value
    return type(node) is Open


def is_small(value: Any) -> bool:
    """Whether an object or list is as quickly read again as looked up: a few scalars."""
    if type(value) is Pairs or len(value) > _FEW:
        return False
    return all(type(item) in _SCALARS for item in (value.values() if type(value) is dict else value))


def depth(node: Node) -> int:
    """Return how deep objects and lists are nested in a node."""
    deepest, stack = 0, [(node, 0)]
    while stack:
        value, level = stack.pop()
        if type(value) is Readings:
            stack += [(option, level) for option in value.options]
            continue
        value = unwrap(value)
        entries = pairs(value)
        if entries is not None or isinstance(value, list):
            deepest = max(deepest, level + 1)
            stack += [(item, level + 1) for item in (value if entries is None else (item for _, item in entries))]
    return deepest


def show(node: Node) -> str:
    """Return a value as plain text: objects as `{k: v}`, lists as `[a, b]`, strings without quotes."""
    if type(node) is Readings:
        return node.text
    value = unwrap(node)
    if isinstance(value, str):
        return str(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return show_float(value)
    if isinstance(value, list):
        return f"[{', '.join(map(show, value))}]"
    entries = pairs(value)
    if entries is not None:
        return f"{{{', '.join(f'{key}: {show(item)}' for key, item in entries)}}}"
    return str(value)


def show_float(value: float) -> str:
    """Return a float in its shortest form without an exponent, and with a fraction: `100.0`."""
    if not math.isfinite(value):
        return {math.inf: "inf", -math.inf: "-inf"}.get(value, "NaN")
    text = repr(value)
    return text if "e" not in text else f"{value:.1f}" if abs(value) >= 1 else f"{value:.20f}".rstrip("0")


def plain(node: Node, words: list[str] | None = None) -> Any:
    """Return a node as plain data, whatever it holds. Constants among its words are added to `words`, or are texts."""
    value = unwrap(node)
    if type(value) is Word:
        if words is None or isinstance(value.value, float):
            return str(value)
        words.append(value)
        return value.value
    if isinstance(value, list):
        return [plain(item, words) for item in value]
    entries = pairs(value)
    return value if entries is None else {key: plain(item, words) for key, item in entries}


_FEW: Final = 2
_SCALARS: Final = frozenset((type(None), bool, int, float, str, Word))
WRAPPERS: Final = frozenset((Fenced, Fixed, Open, Pairs, Readings))
"""The classes that stand for what plain Python can't say."""
