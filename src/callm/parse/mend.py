"""Damaged JSON of which nothing can be doubted, rewritten as JSON: native decoders read that at once.

Quotes that are single or missing, commas that are one too many, comments, brackets that are missing at the end: each is put
right where the reader would read it so, whatever came before. Anything else is left to the reader, and so is all of a text
that holds it.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

import msgspec

from callm.parse.tree import WORDS, Open

MAX_DEPTH: Final = 200
"""How deep objects and arrays may be nested."""

_PLAIN: Final = r'[^"\\\x00-\x1f]*+'
_ESCAPE: Final = r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'
_SPACE: Final = r"[ \t\r\n]*+"
_COMMENT: Final = r"//[^\n]*+(?:\n|\Z)|/\*(?:[^*]|\*(?!/))*+\*/"
_TOKEN: Final = re.compile(
    rf"((?:[ \t\r\n{{\[}}\]:0-9.+-]++|\"{_PLAIN}(?:{_ESCAPE}{_PLAIN})*+\"|,(?={_SPACE}[\"{{\[0-9a-zA-Z_'-])"
    rf"|(?:true|false|null)(?![\w-])|(?<=[0-9])[eE](?=[-+0-9]))++)"  # as it stands
    rf"|'([^'\\\x00-\x1f]*+)'"
    rf"|([A-Za-z_][\w-]*+)(?={_SPACE}:)"
    rf"|(True|False|None|undefined)(?={_SPACE}[,}}\]])"
    rf"|((?:[ \t\r\n,]|{_COMMENT})++)",
    re.ASCII,
)
_LONG: Final = 18
_COMMENTS: Final = re.compile(_COMMENT)
_NO_BRACKETS: Final = re.compile(rf'(?:"{_PLAIN}(?:{_ESCAPE}{_PLAIN})*+"|[^"{{}}\[\]]++)++')
_WORDS: Final = {word: json.dumps(WORDS[word]) for word in ("True", "False", "None", "undefined")}
_CLOSER: Final = {"{": "}", "[": "]"}


class Mended(msgspec.Struct, frozen=True):
    """JSON, and what it was made of.

    Attributes:
        text: the JSON.
        value: what it says.
        end: where in the damaged text its last token ends.
        missing: how many brackets were missing at its end.
        words: whether constants of Python or JavaScript were read as those of JSON.
    """

    text: str
    value: Any
    end: int
    missing: int = 0
    words: bool = False

    @property
    def node(self) -> Any:
        """What the reader would have read: what is not closed is open."""
        return _opened(self.value, self.missing) if self.missing else self.value


def mend(text: str, start: int = 0, *, words: bool = False) -> Mended | int:
    """Return the damaged JSON that begins at `start` as JSON, or where in the text it can be doubted.

    Args:
        text: the text.
        start: where in it the object or array begins.
        words: whether `True`, `None`, `undefined` are constants. Else they are in doubt.
    """
    pieces: list[str] = []
    at = start
    has_words = False
    while found := _TOKEN.match(text, at):
        group = found.lastindex
        piece = found[group]  # type: ignore[index]  # one of them has matched
        at = found.end()
        if group == 2:  # noqa: PLR2004  # what stood in single quotes
            piece = f'"{piece}"' if '"' not in piece else json.dumps(piece, ensure_ascii=False)
        elif group == 3:  # noqa: PLR2004  # a key without quotes
            piece = f'"{piece}"'
        elif group == 4:  # noqa: PLR2004  # a constant
            if not words:
                return at
            has_words = True
            piece = _WORDS[piece]
        elif group == 5:  # noqa: PLR2004  # what stands between two values
            piece = _comma(piece, text[at : at + 1])
        pieces.append(piece)
    mended = "".join(pieces)
    missing = ""
    if mended.count("{") + mended.count("[") != mended.count("}") + mended.count("]"):
        missing = _missing(mended) if at == len(text) and not _may_go_on(text) else ""
        mended = mended.removesuffix(",") + missing if missing else mended
    try:
        value = _JSON.decode(mended)
    except (ValueError, RecursionError):
        return at
    return Mended(mended, value, at, len(missing), has_words)


def _comma(between: str, follow: str) -> str:
    """Return the comma that `between` stands for, if it is not one too many before `follow`."""
    if follow and follow in "}]":
        return ""
    before, slash, _ = between.partition("/")
    return "," if "," in before or (slash and "," in _COMMENTS.sub("", between)) else ""


def _may_go_on(text: str) -> bool:
    """Whether a text may end within a number."""
    return (text[-_LONG:].rstrip()[-1:] or "0") in "0123456789.+-"


def _missing(mended: str) -> str:
    """Return the brackets that are missing at the end; none if others are wrong."""
    stack: list[str] = []
    for bracket in _NO_BRACKETS.sub("", mended):
        if bracket in "{[":
            stack.append(_CLOSER[bracket])
        elif not stack or stack.pop() != bracket:
            return ""
    return "".join(reversed(stack)) if len(stack) <= MAX_DEPTH else ""


def _opened(value: Any, depth: int) -> Open:
    """Mark the containers that are open: `value`, and the last one in it as long as there are `depth`."""
    if depth > 1:
        key = len(value) - 1 if isinstance(value, list) else next(reversed(value))
        value[key] = _opened(value[key], depth - 1)
    return Open(value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, in which each key must come once."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _int(text: str) -> int:
    if len(text) > _LONG:
        raise ValueError("it may be too large for 64 bits")
    return int(text)


def _float(text: str) -> float:
    if len(text) > _LONG:
        raise ValueError("it may be a text")
    number = float(text)
    if math.isinf(number):
        raise ValueError("it has no value as a number")
    return number


_JSON: Final = json.JSONDecoder(object_pairs_hook=_object, parse_int=_int, parse_float=_float)
