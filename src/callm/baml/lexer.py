"""`.baml` text to tokens. Line breaks are tokens, because the language is line oriented; comments are dropped.

Strings come decoded: `"..."` with its escapes, raw `#"..."#` as it stands. `{{ ... }}` in an attribute is one token.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias, cast

import msgspec

from callm.baml.source import Problem, Source, Span

Kind: TypeAlias = Literal["name", "number", "string", "raw", "expression", "punctuation", "newline", "other", "end"]

_TOKEN: Final = re.compile(
    r"""
      (?P<space>[ \t\r\f]+ | //[^\n]* )
    | (?P<block>\{//)
    | (?P<newline>\n)
    | (?P<expression>\{\{)
    | (?P<raw>\#+")
    | (?P<string>")
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*)
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<punctuation>->|@@|[@{}()\[\]<>,:?|=.])
    | (?P<other>.)
    """,
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_STRING_END: Final = re.compile(r'(?:[^"\\]|\\.)*"', re.DOTALL)


class Token(msgspec.Struct, frozen=True):
    """A piece of the source. `text` is the decoded string for strings, the expression without its braces for those."""

    kind: Kind
    text: str
    span: Span


def tokenize(source: Source, problems: list[Problem]) -> list[Token]:
    """Return the tokens of `source`, the last of kind `end`; note in `problems` what can't be read."""
    text, at = source.text, 0
    tokens: list[Token] = []
    while match := _TOKEN.match(text, at):
        kind, start, at = match.lastgroup or "other", at, match.end()
        if kind == "space":
            continue
        if kind in _ENDS:
            value, at = _ENDS[kind](text, match)
            if at < 0:
                problems.append(Problem(source, Span(start, match.end()), f"this {_NAMES[kind]} has no end"))
                value, at = text[match.end() :], len(text)
            if kind == "block":
                continue
        else:
            value = match.group()
        tokens.append(Token(cast("Kind", kind), value, Span(start, at)))  # the groups are the kinds
    tokens.append(Token("end", "", Span(len(text), len(text))))
    return tokens


def _until(mark: str, text: str, start: int) -> tuple[str, int]:
    end = text.find(mark, start)
    return (text[start:end], end + len(mark)) if end >= 0 else ("", -1)


def _raw(text: str, match: re.Match[str]) -> tuple[str, int]:
    return _until('"' + "#" * (len(match.group()) - 1), text, match.end())


def _string(text: str, match: re.Match[str]) -> tuple[str, int]:
    found = _STRING_END.match(text, match.end())
    if found is None:
        return "", -1
    body = found.group()[:-1]
    return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[0]), body), found.end()


def _block(text: str, match: re.Match[str]) -> tuple[str, int]:
    return _until("//}", text, match.end())


def _expression(text: str, match: re.Match[str]) -> tuple[str, int]:
    return _until("}}", text, match.end())


_ENDS: Final[Mapping[str, Callable[[str, re.Match[str]], tuple[str, int]]]] = {
    "block": _block,
    "expression": _expression,
    "raw": _raw,
    "string": _string,
}
_NAMES: Final = {"block": "comment", "expression": "expression", "raw": "raw string", "string": "string"}
