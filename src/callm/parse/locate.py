"""Where in a text may the answer be? The ways to read it, cheapest first; the first that gives anything wins.

1. The whole text is JSON.
2. Fenced blocks of markdown, at the start of a line and with a label.
3. What stands between balanced brackets, anywhere in prose.
4. The whole text, read leniently.
5. The text itself.
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


def locate(text: str, *, done: bool = True) -> Node:
    """Return the ways in which `text` can be read. `done` says that no more of it will come."""
    node = _whole(text, done=done)
    if node is _NOTHING:
        node = _fences(text, done=done)
    if node is _NOTHING:
        node = _brackets(text)
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


def _block(text: str, *, as_text: bool = False) -> Node:
    """Read what stands in a fence, or behind the last one."""
    node = _whole(text, done=True)
    if node is not _NOTHING:
        return node
    node = _lenient(text)
    if as_text:
        return text if node is _NOTHING else node
    if node is _NOTHING or isinstance(unwrap(node), str):
        inside = _brackets(text)
        return node if inside is _NOTHING else inside
    return node


def _fences(text: str, *, done: bool) -> Node:
    found: list[Node] = []
    at = 0
    while opening := _OPENING.search(text, at):
        label = opening[1].strip()
        node, end = _fence(text, opening.end())
        if node is not _NOTHING:
            found.append(Fenced(label, node))
        if end < 0:
            break
        at = end
    if not found:
        return _NOTHING
    rest = text[at:]  # with the opening of a fence that nothing closes
    if not rest.strip():
        return Readings(tuple(found if len(found) == 1 else [*found, found]), text)
    remainder = _block(rest, as_text=True)
    if not done and isinstance(remainder, str):
        remainder = Open(remainder)
    return Readings((*found, found, remainder), text)


def _fence(text: str, start: int) -> tuple[Node, int]:
    """Read the block that begins at `start`; return it and where it ends: -1 if nothing closes it."""
    closings = list(_CLOSING.finditer(text, start))
    for closing in closings:
        node = _block(text[start : closing.start()].strip())
        if node is not _NOTHING:
            return node, closing.end()
    if closings:
        return _NOTHING, closings[0].end()
    return _block(text[start:].strip()), -1


def _brackets(text: str) -> Node:
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
            _add(found, text[start : match.end()])  # a closer too many may belong to what stands before it
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
