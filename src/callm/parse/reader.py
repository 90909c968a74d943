"""JSON as models write it, read as it comes: `feed(text)`, `close()`; `values` at any time.

1. A stack of open objects and arrays, and at most one open scalar. What is finished is never looked at again.
2. A quote ends a string only if what follows agrees (`,`, `}`, a key's colon ...), so quotes inside strings survive. Where
   what follows has not come yet, the reader waits at the quote; `values` shows what would be if nothing came.
3. What has no quotes ends where its place says it must: a key at `:`, an item at `,` or `]`, a value at `}` or at a comma
   behind which something new begins.
4. Runs of ordinary characters are skipped by one regular expression each, so the cost follows the text's length.
5. The leniencies are those of the BAML runtime, and where it loses what the model wrote, better ones (docs/parsing.md).
"""

from __future__ import annotations

import re
from typing import Any, Final

from callm.errors import OutputError
from callm.parse import tokens
from callm.parse.mend import MAX_DEPTH
from callm.parse.numerals import MAX_DIGITS
from callm.parse.tokens import MISSING, OpenArray, OpenObject, bare
from callm.parse.tree import Open

_SPACE: Final = re.compile(r"\s*")
_SEPARATORS: Final = re.compile(r"[\s,]*")
_BLANK, _INLINE_BLANK = " \t\n\r", " \t\r"


class Reader:
    """Reads one text. `values` are the top-level values so far; those still open are `Open`."""

    def __init__(self, *, max_depth: int = MAX_DEPTH) -> None:
        """Refuse nesting deeper than `max_depth`."""
        self._buffer = ""
        self._at: int = 0
        self._stack: list[OpenObject | OpenArray] = []
        self._scalar = ""  # "", '"', "'", "`", '"""', "```", "bare", "//", "/*"
        self._pieces: list[str] = []
        self._size = 0  # how many characters the pieces of a scalar without quotes have
        self._skipped: str | None = ""  # the characters that decide nothing where the reader waits; None for any space
        self._held: list[str] = []  # what has come since, which is nothing else
        self._quotes = 0
        self._looked = 0
        self._final = False
        self._max_depth = max_depth
        self._done: list[Any] = []

    def feed(self, text: str) -> None:
        """Take the next piece of the text.

        Raises:
            OutputError: it is nested too deep.
        """
        if self._skipped != "" and not text.strip(self._skipped):
            self._held.append(text)
        else:
            self._resume(text)

    def close(self) -> list[Any]:
        """Take the end of the text and return the top-level values."""
        self._final = True
        self._resume("")
        return self.values

    @property
    def values(self) -> list[Any]:
        """The top-level values so far, the open one among them."""
        value = self._open_scalar()
        for frame in reversed(self._stack):
            if value is not MISSING and frame.place == "key":
                value = MISSING
            value = Open(frame.value(value))
        return self._done if value is MISSING else [*self._done, value]

    def _open_scalar(self) -> Any:
        kind = self._scalar
        if kind in ("", "//", "/*"):
            return MISSING
        rest = self._buffer[self._at :]
        if kind == "bare":
            text = ("".join(self._pieces) + rest).strip()
            if not text:
                return MISSING
            value = bare(text)
            return value if text in tokens.CONSTANTS else Open(value)  # no more letters come behind `true`
        if len(kind) == 1 and rest[:1] == kind:
            return "".join(self._pieces)  # its quote has come, and nothing behind it says otherwise
        if kind == '"' and rest[:1] == "\\":
            rest = ""  # half an escape
        text = "".join(self._pieces) + rest
        return Open(text if len(kind) == 1 else tokens.block(kind, text if self._final else text.rstrip(kind[0])))

    # -- the loop

    def _resume(self, text: str) -> None:
        """Read on: what was left, what was held, and `text`."""
        self._looked -= self._at
        self._buffer = "".join((self._buffer[self._at :], *self._held, text))
        self._held.clear()
        self._skipped = ""
        self._at = 0
        self._run()

    def _run(self) -> None:
        while self._at < len(self._buffer):
            step = _SCALARS[self._scalar] if self._scalar else Reader._between
            if not step(self):
                return
        if self._final and self._scalar == "bare":
            self._looked = self._at

    def _between(self) -> bool:
        buffer = self._buffer
        at = self._at = _SPACE.match(buffer, self._at).end()  # type: ignore[union-attr]  # it matches always
        if at == len(buffer):
            return True
        top = self._stack[-1] if self._stack else None
        if top is not None and len(buffer) - at > tokens.LONG and self._hurry(top):
            return True
        character = buffer[at]
        if top is not None:
            if character == ",":
                self._at += 1
                return True
            if type(top) is OpenObject:
                if character == ":":
                    self._at += 1
                    return True
                if character == "}":
                    return self._pop()
            elif character == "]":
                return self._pop()
        if character in "{[":
            return self._push(OpenObject() if character == "{" else OpenArray())
        return self._begin(character)

    def _hurry(self, top: OpenObject | OpenArray) -> bool:
        """Take whole members or items at once, as long as nothing about them is in doubt. Say whether there was any."""
        start = self._at
        at = self._skip(start)
        if type(top) is OpenArray:
            while found := tokens.ITEM.match(self._buffer, at):
                self._put(tokens.clear(*found.groups()))
                at = self._skip(found.end())
            return at > start
        while top.place == "key" and (found := tokens.MEMBER.match(self._buffer, at)):
            key, word, text, other = found.groups()
            self._put(tokens.clear(key, None) if word is None else word)
            if text is not None or other is not None:
                self._put(tokens.clear(text, other))
            at = self._skip(found.end())
        return at > start

    def _skip(self, at: int) -> int:
        at = self._at = _SEPARATORS.match(self._buffer, at).end()  # type: ignore[union-attr]  # it matches always
        return at

    def _push(self, frame: OpenObject | OpenArray) -> bool:
        if len(self._stack) >= self._max_depth:
            raise OutputError(
                f"the answer is nested more than {self._max_depth} deep, the most that is read: ask for less"
            )
        self._stack.append(frame)
        self._at += 1
        return True

    def _pop(self) -> bool:
        self._at += 1
        self._put(self._stack.pop().value())
        return True

    def _put(self, value: Any) -> None:
        if self._stack:
            self._stack[-1].add(value)
        else:
            self._done.append(value)

    def _begin(self, character: str) -> bool:
        """Begin a scalar or a comment."""
        buffer, at = self._buffer, self._at
        mark = character
        if character in '"`':
            triple = buffer[at : at + 3]
            if len(triple) < 3 and triple == character * len(triple) and not self._final:  # noqa: PLR2004  # three quotes
                return False
            mark = triple if triple == character * 3 else character
        elif character == "/":
            follow = buffer[at + 1 : at + 2]
            if not follow and not self._final:
                return False
            mark = "/" + follow if follow in ("/", "*") and follow else "bare"
            if mark == "bare" and not (self._stack and type(self._stack[-1]) is OpenObject):
                self._at += 1
                return True
        elif character != "'":
            mark = "bare"
        self._scalar = mark
        self._quotes = self._size = 0
        self._at += 0 if mark == "bare" else len(mark)
        self._looked = self._at
        return True

    def _end(self, value: Any) -> bool:
        self._scalar = ""
        self._pieces = []
        self._put(value)
        return True

    # -- quoted strings

    def _quoted(self) -> bool:
        quote = self._scalar
        match = tokens.RUN[quote].match(self._buffer, self._at)
        if match is not None:
            self._pieces.append(match.group())
            self._at = self._looked = match.end()
            return True
        if self._buffer[self._at] == "\\":
            end = tokens.unescape(self._buffer, self._at, self._pieces, final=self._final)
            self._at = end or self._at
            return end > 0
        closes = self._closes()
        if closes is None:
            return False
        self._at += 1
        if closes:
            return self._end("".join(self._pieces))
        self._pieces.append(quote)
        self._quotes += quote == '"'
        self._looked = self._at
        return True

    def _closes(self) -> bool | None:
        """Say whether the quote here ends its string; None while that can't be said."""
        buffer, at = self._buffer, self._at + 1
        place = self._stack[-1].place if self._stack else "top"
        if at >= len(buffer):
            return self._final or None
        follow = buffer[at]
        if follow in _BLANK or follow == "/":
            at = self._looked = _SPACE.match(buffer, max(at, self._looked)).end()  # type: ignore[union-attr]  # it matches always
            if at >= len(buffer):
                return self._awaits(None)
            return self._closes_before(buffer[at], at, place)
        if follow == ",":
            return place in ("value", "item") and self._quotes % 2 == 0
        if place == "top":
            return follow in "{\"'["
        return follow in _CLOSERS[place]

    def _awaits(self, skipped: str | None) -> bool | None:
        """Wait for something other than `skipped` (None: any space); at the end of the text, say yes."""
        self._skipped = "" if self._final else skipped
        return True if self._final else None

    def _closes_before(self, follow: str, at: int, place: str) -> bool | None:
        if follow == "/":
            second = self._buffer[at + 1 : at + 2]
            if not second and not self._final:
                return None
            return second in ("/", "*")
        if follow in _CLOSERS[place] or (follow == "," and place in ("value", "item")):
            return True
        if follow == '"' and place == "value" and self._quotes % 2 == 0:  # the comma before the next key is missing
            found = tokens.NEXT_QUOTED_KEY.match(self._buffer, at)
            if found is None and not self._final and len(self._buffer) - at < tokens.LOOK:
                return None if '"' not in self._buffer[at + 1 :].rstrip()[:-1] else False
            return found is not None
        return False

    # -- blocks: triple quotes and comments

    def _triple(self) -> bool:
        mark = self._scalar
        end = self._buffer.find(mark, self._at)
        if end < 0:
            return self._keep(len(mark) - 1)
        self._pieces.append(self._buffer[self._at : end])
        self._at = end + len(mark)
        return self._end(tokens.block(mark, "".join(self._pieces)))

    def _keep(self, held: int) -> bool:
        """Put aside all but the last `held` characters, which may be the beginning of the end."""
        at = len(self._buffer) if self._final else max(self._at, len(self._buffer) - held)
        self._pieces.append(self._buffer[self._at : at])
        self._at = at
        return self._final

    def _comment(self) -> bool:
        mark = "\n" if self._scalar == "//" else "*/"
        end = self._buffer.find(mark, self._at)
        if end < 0:
            self._at = len(self._buffer) if self._final else max(self._at, len(self._buffer) - len(mark) + 1)
            return self._final
        self._at = end + len(mark)
        self._scalar = ""
        return True

    # -- without quotes

    def _unquoted(self) -> bool:
        place = self._stack[-1].place if self._stack else "top"
        match = tokens.UNQUOTED_END[place].search(self._buffer, self._at)
        at = len(self._buffer) if match is None else match.start()
        self._pieces.append(self._buffer[self._at : at])
        self._size += at - self._at
        self._at = at
        if match is None:
            return True
        mark = match.group()
        ends: bool | None = True
        if mark[0] == "/":
            ends = self._comment_ends(mark)
        elif place == "value" and mark == ",":
            ends = self._comma_ends()
        if ends is None:
            return False
        if not ends:
            self._pieces.append(mark)
            self._size += len(mark)
            self._at += len(mark)
            return True
        return self._end(bare("".join(self._pieces).strip()))

    def _comment_ends(self, mark: str) -> bool | None:
        """Say whether a comment here ends a value without quotes, which is a number or constant; None as `_comma_ends`."""
        if mark == "/" and not self._final:
            return None
        if mark == "/" or self._size > MAX_DIGITS:
            return False
        self._pieces = ["".join(self._pieces)]
        return type(bare(self._pieces[0].strip())) is not str

    def _comma_ends(self) -> bool | None:
        """Say whether the comma here ends a value without quotes; None while that can't be said."""
        buffer, at = self._buffer, self._at + 1
        if at >= len(buffer):
            return True if self._final else None
        if buffer[at] == "\n":
            return True
        text = "( "
        if self._size <= 4 * MAX_DIGITS:
            self._pieces = ["".join(self._pieces)]
            text = self._pieces[0].strip()
        plain = bare(text)
        constant = not isinstance(plain, str) or text.lower() in tokens.CONSTANTS
        if buffer[at] not in _INLINE_BLANK:
            return self._starts_anew(at, number=constant and isinstance(plain, int | float))
        if constant or (" " not in text and "(" not in text):
            return True
        at = tokens.INLINE.match(buffer, at).end()  # type: ignore[union-attr]  # it matches always
        if at >= len(buffer):
            return self._awaits(_INLINE_BLANK)
        if buffer[at:] == "/" and not self._final:
            return None
        return buffer[at] in '\n"}' or buffer.startswith(("//", "/*"), at)

    def _starts_anew(self, at: int, *, number: bool) -> bool | None:
        """Say whether what stands right behind a comma is the next key, not more of the text."""
        buffer = self._buffer
        if buffer[at] == "}":
            return True
        if number and not buffer[at].isdigit():
            return True
        if tokens.NEXT_KEY.match(buffer, at):
            return True
        waits = not self._final and len(buffer) - at < tokens.LOOK and not re.search(r"[:,}\n]", buffer[at:])
        return None if waits else False


_CLOSERS: Final = {"key": ":}", "value": "}]", "item": "]", "top": ""}
_SCALARS: Final = {
    **dict.fromkeys(("'", '"', "`"), Reader._quoted),
    **dict.fromkeys(('"""', "```"), Reader._triple),
    **dict.fromkeys(("//", "/*"), Reader._comment),
    "bare": Reader._unquoted,
}


def read(text: str) -> list[Any]:
    """Return the top-level values of a whole text; those it does not finish are `Open`."""
    reader = Reader()
    reader.feed(text)
    return reader.close()
