"""Roles and media travel through the template engine as marks, and a mark can't be written by data.

1. A mark is one code point of plane 16, which Unicode leaves to private use. What it stands for (a role, a part) stays
   here, outside the text.
2. Only code points that occur in none of the render's data are handed out. So no argument, whole, cut, reversed or put
   together by filters, can hold a mark: one code point has no pieces from which it could be built.
3. The rendered text is cut at the marks that were handed out. Every other code point of that plane is data and stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final, TypeAlias
from zlib import crc32

from callm.errors import ConfigError, describe_type
from callm.types import Audio, File, Image, Message, Part, Role, Text

PROMPT_ROLES: Final[tuple[Role, ...]] = ("system", "developer", "user", "assistant")
"""The roles a template may use. A tool's answer needs the id of its call, so it has no place in a template."""

Media: TypeAlias = Image | Audio | File

_PLANE: Final = range(0x100000, 0x10FFFE)
_IN_PLANE: Final = re.compile("([\U00100000-\U0010fffd])")
_LEAD: Final = b"\xf4"  # the first UTF-8 byte of U+100000 to U+10FFFF, and of nothing else


class Marks:
    """The marks of one render."""

    def __init__(self, data: Iterable[str], nonce: str = "") -> None:
        """Take every string that the template can reach, and any text that decides which marks come first."""
        self._free = _free(data, crc32(nonce.encode()))
        self._meanings: dict[str, Role | Text | Media] = {}
        self._quoted: set[str] = set()

    def role(self, role: Role) -> str:
        """Return the mark after which `role` speaks."""
        return self._mark(role)

    def part(self, part: Text | Media) -> str:
        """Return the mark in whose place `part` stands."""
        return self._mark(part)

    def quoted(self, part: Media) -> str:
        """Return the mark for a `part` inside printed JSON: the quotes around it go away with it."""
        mark = self._mark(part)
        self._quoted.add(mark)
        return mark

    def shield(self, text: str) -> str:
        """Return `text` for use in the template: itself, or a mark that stands for it if it could hold marks."""
        return self.part(Text(text)) if _IN_PLANE.search(text) else text

    def split(self, text: str, default_role: Role) -> tuple[Message, ...]:
        """Cut rendered `text` into messages; what stands before the first role belongs to `default_role`.

        Texts are stripped, empty ones dropped, neighbours of one role merged. Text without any mark stays as it is.
        """
        pieces = _IN_PLANE.split(text) if self._meanings else [text]
        if not any(piece in self._meanings for piece in pieces[1::2]):
            return (Message(default_role, (Text(text),)),)
        messages = _Messages(default_role)
        for index, piece in enumerate(pieces):
            meaning = self._meanings.get(piece) if index % 2 else None
            if meaning is None:
                messages.add_text(_unquoted(pieces, index, self._quoted))
            elif isinstance(meaning, Text):
                messages.add_text(meaning.text)
            elif isinstance(meaning, str):
                messages.start(meaning)
            else:
                messages.add_part(meaning)
        return messages.close()

    def _mark(self, meaning: Role | Text | Media) -> str:
        mark = next(self._free, None)
        if mark is None:
            raise ConfigError("the prompt has too many roles and media values")
        self._meanings[mark] = meaning
        return mark


def _free(data: Iterable[str], start: int) -> Iterator[str]:
    """Yield private code points that occur nowhere in `data`."""
    start %= len(_PLANE)
    marks = map(chr, chain(_PLANE[start:], _PLANE[:start]))
    texts = [text for text in data if not text.isascii()]
    if not any(_LEAD in text.encode("utf-8", "surrogatepass") for text in texts):
        return marks
    used = set[str]().union(*texts)
    return (mark for mark in marks if mark not in used)


def _unquoted(pieces: list[str], index: int, quoted: set[str]) -> str:
    """Return piece `index` without the JSON quotes that stood around a mark beside it."""
    piece = pieces[index]
    if index and pieces[index - 1] in quoted:
        piece = piece.removeprefix('"')
    if index + 1 < len(pieces) and pieces[index + 1] in quoted:
        piece = piece.removesuffix('"')
    return piece


class _Messages:
    def __init__(self, default_role: Role) -> None:
        self._role: Role = default_role
        self._turns: list[tuple[Role, list[Part]]] = []
        self._texts: list[str] = []

    def add_text(self, text: str) -> None:
        self._texts.append(text)

    def add_part(self, part: Part) -> None:
        self._end_text()
        self._append(part)

    def start(self, role: Role) -> None:
        self._end_text()
        self._role = role

    def close(self) -> tuple[Message, ...]:
        self._end_text()
        return tuple(Message(role, tuple(parts)) for role, parts in self._turns)

    def _end_text(self) -> None:
        text = "".join(self._texts).strip()
        self._texts.clear()
        if text:
            self._append(Text(text))

    def _append(self, part: Part) -> None:
        if self._turns and self._turns[-1][0] == self._role:
            self._turns[-1][1].append(part)
        else:
            turn: tuple[Role, list[Part]] = (self._role, [part])
            self._turns.append(turn)


class Speaker:
    """What templates know as `_`: `{{ _.role("system") }}` begins a message."""

    __slots__ = ("_marks",)

    def __init__(self, marks: Marks) -> None:
        self._marks = marks

    def role(self, *roles: Any, **options: Any) -> str:
        """Begin a message of the role given by position or as `role=`."""
        return self._marks.role(check_role(_one_role(roles, options)))

    chat = role


def _one_role(roles: tuple[Any, ...], options: dict[str, Any]) -> Any:
    given = [*roles, *(value for name, value in options.items() if name == "role")]
    unknown = [name for name in options if name != "role"]
    if unknown:
        raise ConfigError(f"_.role() does not know {unknown[0]!r}: write {{{{ _.role('system') }}}}")
    if len(given) != 1:
        raise ConfigError(f"_.role() takes one role, not {len(given)}: write {{{{ _.role('system') }}}}")
    return given[0]


def check_role(role: Any) -> Role:
    """Return `role` if templates may use it.

    Raises:
        ConfigError: they may not.
    """
    for known in PROMPT_ROLES:
        if role == known:
            return known
    shown = repr(role[:40]) if isinstance(role, str) else describe_type(role)
    raise ConfigError(f"_.role() takes one of {', '.join(PROMPT_ROLES)}, not {shown}")
