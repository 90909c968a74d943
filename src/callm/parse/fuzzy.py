"""Which of several names does a text mean? For enums, literals, booleans and the keys of objects.

Three rounds: as it stands; without what is no letter, digit, `-` or `_`; and that in lower case. In each round first equal,
then equal without accents, then, where allowed, the name that the text holds most often. A tie means none.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

_NO_WORD: Final = re.compile(r"[^\w-]", re.UNICODE)
_LIGATURES: Final = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "OE"})


class Name(msgspec.Struct, frozen=True):
    """Something that may be meant, and the texts that mean it."""

    name: str
    texts: tuple[str, ...]


class Match(msgspec.Struct, frozen=True):
    """The name that is meant.

    Attributes:
        name: which one.
        stripped: whether punctuation or case had to be overlooked.
        substring: whether the text held more than the name.
        others: how often the text held any name, if it held several.
    """

    name: str
    stripped: bool = False
    substring: bool = False
    others: int = 0


class Tie(msgspec.Struct, frozen=True):
    """Several names that the text means equally."""

    counts: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return ", ".join(f"{name} ({count} times)" for name, count in self.counts)


def find(text: str, names: Sequence[Name], *, substrings: bool = True) -> Match | Tie | None:
    """Return the name that `text` means, a tie, or None."""
    text = text.strip()
    for number, strip in enumerate((_same, _bare, _lower)):
        wanted = strip(text)
        options = [(name.name, strip(option)) for name in names for option in name.texts]
        found = _equal(wanted, options)
        if found is not None:
            return Match(found, stripped=number > 0)
        if substrings:
            result = _inside(wanted, options, stripped=number > 0)
            if result is not None:
                return result
    return None


def key_forms(key: str) -> tuple[str, str]:
    """Return what two keys that mean the same have in common, one or the other: case, spaces, accents do not matter."""
    key = key.strip()
    return _plain(key), _plain(_lower(key))


def same_key(key: str, name: str) -> bool:
    """Whether a key of an object means a field: case, spaces, punctuation and accents aside."""
    return key == name or not set(key_forms(key)).isdisjoint(key_forms(name))


def _same(text: str) -> str:
    return text


def _bare(text: str) -> str:
    return _NO_WORD.sub("", text)


def _lower(text: str) -> str:
    return _bare(text).lower()


def _plain(text: str) -> str:
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text.translate(_LIGATURES))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _equal(text: str, options: Sequence[tuple[str, str]]) -> str | None:
    for change in (_same, _plain):
        wanted = change(text)
        found = next((name for name, option in options if change(option) == wanted), None)
        if found is not None:
            return found
    return None


def _inside(text: str, options: Sequence[tuple[str, str]], *, stripped: bool) -> Match | Tie | None:
    spots = _spots(text, options, _same) or _spots(text, options, _plain)
    if not spots:
        return None
    counts: Counter[str] = Counter()
    end = -1
    for start, length, name in spots:
        if start >= end:
            counts[name] += 1
            end = start + length
    ranked = counts.most_common()
    best = ranked[0][1]
    leaders = [(name, count) for name, count in ranked if count == best]
    if len(leaders) > 1:
        return Tie(tuple(leaders))
    others = sum(counts.values()) if len(counts) > 1 else 0
    return Match(leaders[0][0], stripped, substring=True, others=others)


def _spots(text: str, options: Sequence[tuple[str, str]], change: Callable[[str], str]) -> list[tuple[int, int, str]]:
    """Return where the options stand in the text: the first first, and of those that begin together the longest."""
    text = change(text)
    spots: list[tuple[int, int, str]] = []
    for name, option in options:
        wanted = change(option)
        if not wanted:
            continue
        start = text.find(wanted)
        while start >= 0:
            spots.append((start, len(wanted), name))
            start = text.find(wanted, start + len(wanted))
    spots.sort(key=lambda spot: (spot[0], -spot[1]))
    return spots
