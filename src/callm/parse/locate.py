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

import re
from typing import Final

import msgspec

from callm.parse.reader import read
from callm.parse.tree import Fenced, Fixed, Node, Open, Pairs, Readings, unwrap

_OPENING: Final = re.compile(r"^[ \t]*```([a-zA-Z0-9 ]+)(?:\n|$)", re.MULTILINE)
_CLOSING: Final = re.compile(r"^[ \t]*```(?:\n|$)", re.MULTILINE)
_BRACKET: Final = re.compile(r"[{}\[\]]")
_PARTNER: Final = {"}": "{", "]": "["}
_NOTHING: Final = object()
_AGAIN: Final = 8
"""How many times the length of a text may be read again, where it can't be told what ends a piece of it."""

_FREE: Final = 4096
"""How many characters may be read again in any text."""


class _Allowance:
    """How many characters may still be read again."""

    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        self._left = _FREE + _AGAIN * length

    def covers(self, length: int) -> bool:
        """Take `length` characters from what is left, if it is enough."""
        if length > self._left:
            return False
        self._left -= length
        return True


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


def _block(text: str, allowance: _Allowance, *, as_text: bool = False) -> Node:
    """Read what stands in a fence, or behind the last one."""
    node = _whole(text, done=True)
    if node is _NOTHING:
        node = _brackets(text, allowance)
    if node is _NOTHING:
        node = _lenient(text)
    return text if node is _NOTHING and as_text else node


def _fences(text: str, allowance: _Allowance, *, done: bool) -> Node:
    found: list[Node] = []
    at = 0
    while opening := _OPENING.search(text, at):
        label = opening[1].strip()
        node, at = _fence(text, opening.end(), allowance)
        if node is not _NOTHING:
            found.append(Fenced(label, node))
    if not found:
        return _NOTHING
    rest = text[at:]
    if not rest.strip():
        return Readings(tuple(found if len(found) == 1 else [*found, found]), text)
    remainder = _block(rest, allowance, as_text=True)
    if not done and isinstance(remainder, str):
        remainder = Open(remainder)
    return Readings((*found, found, remainder), text)


def _fence(text: str, start: int, allowance: _Allowance) -> tuple[Node, int]:
    """Read the block that begins at `start`, up to the first closing fence before which it can be read.

    Return it and where it ends.
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
    return _block(text[start:].strip(), allowance), len(text)


def _brackets(text: str, allowance: _Allowance) -> Node:
    stack: list[str] = []
    found: list[Node] = []
    start = 0
    for match in _BRACKET.finditer(text):
        mark = match.group()
        if mark in "{[":
            if not stack:
                start = match.start()
            stack.append(mark)
            continue
        if not stack:
            if allowance.covers(match.end() - start):  # a closer too many may belong to what stands before it
                _add(found, text[start : match.end()])
            continue
        if stack[-1] != _PARTNER[mark]:
            return _NOTHING
        stack.pop()
        if not stack:
            _add(found, text[start : match.end()])
    if stack:
        _add(found, text[start:])
    return _several(found, text)


def _add(found: list[Node], piece: str) -> None:
    node = _whole(piece, done=True)
    if node is _NOTHING:
        node = _lenient(piece)
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


def _lenient(text: str) -> Node:
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
