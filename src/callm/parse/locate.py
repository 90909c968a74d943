"""Where in a text may the answer be? The ways to read it, cheapest first; the first that gives anything wins.

1. The whole text is JSON.
2. Fenced blocks of markdown, at the start of a line and with a label.
3. What stands between balanced brackets, anywhere in prose.
4. The whole text, read leniently.
5. The text itself.

What may be read more than once is read so only as long as an allowance lasts that follows the length of the text, so that no
text costs more than a multiple of its length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container
from typing import Final

import msgspec

from callm.errors import OutputError
from callm.parse.found import Kind
from callm.parse.mend import Mended, mend
from callm.parse.reader import read
from callm.parse.tree import Fenced, Fixed, Node, Open, Pairs, Readings, unwrap

MAX_TEXT: Final = 16 * 1024 * 1024
"""How many characters an answer may have."""

_OPENING: Final = re.compile(r"^[ \t]*```([a-zA-Z0-9 ]+)\r?(?:\n|$)", re.MULTILINE)
_CLOSING: Final = re.compile(r"^[ \t]*```\r?(?:\n|$)", re.MULTILINE)
_BRACKET: Final = re.compile(r"[{}\[\]]")
_PARTNER: Final = {"}": "{", "]": "["}
_JSON: Final = json.JSONDecoder()
_NOTHING: Final = object()
_AGAIN: Final = 8
"""How many times the length of a text may be read again, where it can't be told what ends a piece of it."""

_PIECE: Final = 100
"""How many characters more a piece costs, however short it is."""

_FREE: Final = 4096
"""How many characters may be read again in any text."""


_SCANS: Final = 8
"""How many times as much may be scanned in vain."""

_BEGINNING: Final = re.compile(r"\{\s{0,99}[\"}]|\[\s{0,99}[\"\[\]{tfn0-9-]")
"""How JSON can begin."""


class _Allowance:
    """How many characters may still be read again, and how many may be scanned in vain, which costs far less."""

    __slots__ = ("_left", "_scans")

    def __init__(self, length: int) -> None:
        self._left = _FREE + _AGAIN * length
        self._scans = _SCANS * self._left

    def covers(self, length: int) -> bool:
        """Take `length` characters from what is left, if it is enough."""
        cost = length + _PIECE
        if cost > self._left:
            return False
        self._left -= cost
        return True

    def spend(self, length: int) -> None:
        """Take `length` characters that were scanned in vain."""
        self._scans -= length

    @property
    def is_spent(self) -> bool:
        """Whether nothing may be scanned any more."""
        return self._scans <= 0


def check_size(length: int) -> None:
    """Refuse an answer of more characters than are read.

    Raises:
        OutputError: it is longer.
    """
    if length > MAX_TEXT:
        raise OutputError(f"the answer has {length} characters; at most {MAX_TEXT} are read: ask for a shorter one")


def locate(text: str, *, done: bool = True) -> Node:
    """Return the ways in which `text` can be read. `done` says that no more of it will come."""
    node = _whole(text, done=done)
    if node is not _NOTHING:
        return node
    allowance = _Allowance(len(text))
    node = _fences(text, allowance, done=done)
    if node is _NOTHING:
        node = _brackets(text, allowance)
    if node is _NOTHING:
        node = _lenient(text)
    if node is _NOTHING:
        return text if done else Open(text)
    return node


def _whole(text: str, *, done: bool) -> Node:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return _NOTHING
    if not done and isinstance(value, int | float) and not isinstance(value, bool):
        value = Open(value)  # more digits may come
    return Readings((value,), text)


def clear_json(text: str, allowed: Container[Kind]) -> str | None:
    """Return the one piece of JSON in a text, damage of the `allowed` kinds mended, if nothing about it is in doubt."""
    if "```" in text or "mended_json" not in allowed:
        return None
    first = _BRACKET.search(text)
    if first is None or first.group() in "}]":
        return None
    mended = mend(text, first.start(), words="constant" in allowed)
    if isinstance(mended, int) or _BRACKET.search(text, mended.end):
        return None
    is_allowed = "unclosed" in allowed or not mended.missing
    is_same = _is_counted(text[first.start() : mended.end], mended.missing)
    return mended.text if is_allowed and is_same else None


def _block(text: str, allowance: _Allowance, *, as_text: bool = False) -> Node:
    """Read what stands in a fence, or behind the last one."""
    node = _whole(text, done=True)
    if node is not _NOTHING:
        return node
    node = _readable(text)
    if as_text:
        return text if node is _NOTHING else node
    if node is _NOTHING or isinstance(unwrap(node), str):
        inside = _brackets(text, allowance)
        return node if inside is _NOTHING else inside
    return node


def _fences(text: str, allowance: _Allowance, *, done: bool) -> Node:
    found: list[Node] = []
    at = 0
    while opening := _OPENING.search(text, at):
        label = opening[1].strip()
        node, end = _fence(text, opening.end(), allowance)
        if node is not _NOTHING:
            found.append(Fenced(label, node))
        if end < 0:
            break
        at = end
    if not found:
        return _NOTHING
    options = found if len(found) == 1 else [*found, found]
    rest = text[at:]  # with the opening of a fence that nothing closes
    if not rest.strip():
        return Readings(tuple(options), text)
    remainder = _block(rest, allowance, as_text=True)
    if not done and isinstance(remainder, str):
        remainder = Open(remainder)
    return Readings((*options, remainder), text)


def _fence(text: str, start: int, allowance: _Allowance) -> tuple[Node, int]:
    """Read the block that begins at `start`, up to the first closing fence before which it can be read.

    Return it and where it ends: -1 if nothing closes it.
    """
    first = None
    for closing in _CLOSING.finditer(text, start):
        if first is not None and not allowance.covers(closing.start() - start):
            break
        node = _block(text[start : closing.start()].strip(), allowance)
        if node is not _NOTHING:
            return node, closing.end()
        first = first or closing
    if first is not None:
        return _NOTHING, first.end()
    return _block(text[start:].strip(), allowance), -1


def _brackets(text: str, allowance: _Allowance) -> Node:
    stack: list[str] = []
    found: list[Node] = []
    start = at = 0
    while match := _BRACKET.search(text, at):
        mark, at = match.group(), match.end()
        if mark in "{[":
            if not stack:
                start = match.start()
                if end := _add_valid(found, text, start, allowance) or _add_mended(found, text, start, allowance):
                    at = end
                    continue
            stack.append(mark)
        elif stack:
            if stack.pop() != _PARTNER[mark]:
                return _NOTHING
            if not stack:
                _add(found, text[start:at])
        elif allowance.covers(at - start):  # a closer too many may belong to what stands before it
            _add(found, text[start:at])
    if stack:
        _add(found, text[start:])
    return _several(found, text)


def _add_valid(found: list[Node], text: str, start: int, allowance: _Allowance) -> int:
    """Add the valid JSON that begins at `start`, if it is: brackets in its strings are none. Return where it ends, or 0."""
    if allowance.is_spent or not _BEGINNING.match(text, start):
        return 0
    try:
        _, end = _JSON.raw_decode(text, start)
        node = _whole(text[start:end], done=True)
    except json.JSONDecodeError as error:
        allowance.spend(len(text) if error.msg.startswith("Unterminated") else error.pos)  # it has counted the lines
        return 0
    except (ValueError, RecursionError):  # a number of thousands of digits, or too deep
        allowance.spend(len(text))
        return 0
    if node is _NOTHING:
        allowance.spend(end - start)
        return 0
    found.append(Fixed(node))
    return end


def _add_mended(found: list[Node], text: str, start: int, allowance: _Allowance) -> int:
    """Add the damaged JSON that begins at `start`, if nothing about it is in doubt. Return where it ends, or 0."""
    if allowance.is_spent:
        return 0
    mended = mend(text, start)
    if isinstance(mended, int):
        allowance.spend(mended - start)
        return 0
    if not _is_counted(text[start : mended.end], mended.missing):  # BAML counts the brackets in strings, too
        allowance.spend(mended.end - start)
        return 0
    found.append(Fixed(mended.node, mended=True))
    return mended.end


def _is_counted(piece: str, missing: int) -> bool:
    """Whether as many brackets open as close in a text, but for those that are missing at its end."""
    return piece.count("{") + piece.count("[") == piece.count("}") + piece.count("]") + missing


def _add(found: list[Node], piece: str) -> None:
    node = _whole(piece, done=True)
    if node is _NOTHING:
        node = _readable(piece)
        if node is not _NOTHING:
            found.append(Fixed(node, mended=True))
        return
    found.append(Fixed(node))


def _several(found: list[Node], text: str) -> Node:
    if not found:
        return _NOTHING
    if len(found) == 1:
        return _NOTHING if unwrap(found[0]) == text else Readings((found[0],), text)
    return Readings((*found, Fixed(list(found))), text)


def _readable(text: str) -> Node:
    """Read a piece of a text, which is nothing if it is nested too deep: prose may be."""
    try:
        return _lenient(text)
    except OutputError:
        return _NOTHING


def _lenient(text: str) -> Node:
    mended = mend(text) if text[:1] in ("{", "[") else 0
    if isinstance(mended, Mended) and mended.end == len(text):
        return _several([Fixed(mended.node, mended=True)], text)
    values = read(text)
    if len(values) > 1:
        values = [value for value in values if isinstance(unwrap(value), dict | list | Pairs)]
    if not values:
        return _NOTHING
    return _several([Fixed(value, mended=True) for value in values], text)


def unwrap_value(node: Node, key: str) -> Fixed | None:
    """Return what an object of the one key `key` holds, where that is all the text says."""
    inner = unwrap(node) if type(node) is not Readings or len(node.options) == 1 else None
    if type(inner) is dict and len(inner) == 1 and key in inner:
        return Fixed(inner[key])
    return None
