"""The texts that are parsed: orders of any size, whole, damaged and in pieces, and texts that want to be slow.

A text has a name with its size in KB: `whole-10` is an order as JSON in a fence within prose, `damaged-10` the same
written as models do at their worst, `plain-8` bare JSON; the names of `HOSTILE` are those that try to be expensive.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any, Final

from bench import payload

KB: Final = 1024
DELTA: Final = 4
"""Characters of a delta: about a token."""

_HEAD: Final = 190
_LINE: Final = 145
"""About how long the JSON of an order without lines is, and that of a line."""


@cache
def order(size: int) -> dict[str, Any]:
    """Return an order whose JSON has about `size` KB."""
    return payload.order(max(1, round((size * KB - _HEAD) / _LINE)))


@cache
def text(name: str) -> str:
    """Return the text called `name`."""
    kind, _, size = name.rpartition("-")
    return _TEXTS[kind](int(size))


def value(name: str) -> dict[str, Any] | None:
    """Return what the text called `name` says, or None if it says nothing."""
    kind, _, size = name.rpartition("-")
    return None if kind in HOSTILE else order(int(size))


def deltas(whole: str) -> Iterator[str]:
    """Yield the pieces in which a model would send a text."""
    return (whole[start : start + DELTA] for start in range(0, len(whole), DELTA))


def count(name: str) -> int:
    """Return how many deltas the text called `name` has."""
    return -(-len(text(name)) // DELTA)


def samples(whole: str, number: int) -> list[str]:
    """Return `whole` in `number` pieces that end in the middle of each of its `number` parts; what is behind is left out.

    Who reads all of the text again at each delta has costs that depend on its length only: their mean over these ends is
    the mean over all deltas.
    """
    step = len(whole) / number
    ends = [0, *(round((part + 0.5) * step) for part in range(number))]
    return [whole[start:end] for start, end in pairwise(ends)]


def matches(answer: object, expected: object) -> bool:
    """Return whether a peer's value, made of its own classes, says what `expected` does."""
    if isinstance(expected, dict):
        parts = answer if isinstance(answer, dict) else {name: getattr(answer, name, None) for name in expected}
        return all(matches(parts.get(name), part) for name, part in expected.items())
    if isinstance(expected, list):
        if not isinstance(answer, list) or len(answer) != len(expected):
            return False
        return all(map(matches, answer, expected))
    return type(answer) is type(expected) and answer == expected


def _whole(size: int) -> str:
    prose = "Here is the order you asked for, with all of its lines:\n\n"
    return f"{prose}```json\n{json.dumps(order(size))}\n```\n\nTell me if anything is missing!"


def _damaged(size: int) -> str:
    """Write an order with single quotes, bare keys, trailing commas, comments and no end."""
    head, _, _ = json.dumps(order(size)).partition(', "lines": [')
    lines = [_damaged_line(number, line) for number, line in enumerate(order(size)["lines"])]
    return f"Sure!\n{head}, // as asked\n  lines: [\n" + "\n".join(lines)


def _damaged_line(number: int, line: dict[str, Any]) -> str:
    match number % 4:
        case 0:
            return str(line).replace("True", "true").replace("False", "false") + ","
        case 1:
            return "{" + ", ".join(f"{key}: {json.dumps(part)}" for key, part in line.items()) + ",},"
        case 2:
            return json.dumps(line).replace("]", ",]") + ","
        case _:
            return json.dumps(line) + ", // line"


def _repeated(piece: str, *, start: str = "") -> Callable[[int], str]:
    return lambda size: start + piece * (size * KB // len(piece))


HOSTILE: Final = ("brackets", "quotes", "backslashes", "fences", "unclosed", "commas")
TITLES: Final = {
    "damaged": "damaged JSON, untyped",
    "brackets": "`[` only",
    "quotes": "an unclosed string of quotes",
    "backslashes": "an unclosed string of backslashes",
    "fences": "fences that open",
    "unclosed": "objects, strings and lists, none closed",
    "commas": "a list of commas",
    "plain": "partial values, one for each delta of 4 characters",
}
"""What a report calls the texts whose growth is measured."""

_TEXTS: Final[dict[str, Callable[[int], str]]] = {
    "plain": lambda size: json.dumps(order(size)),
    "whole": _whole,
    "damaged": _damaged,
    "brackets": _repeated("["),
    "quotes": _repeated("'\"", start='{"a": "'),
    "backslashes": _repeated("\\", start='{"a": "'),
    "fences": _repeated("```json\n"),
    "unclosed": _repeated('{"a": "b, [ c: {'),
    "commas": _repeated(",", start="["),
}
