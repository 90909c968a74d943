"""Join a text that was cut and its continuation. Pure.

In go the text so far and the pieces of what follows; out come the characters to append. What may yet turn out to be a
repetition stays inside: it comes out with the next piece, or with `close`.

1. A model that is asked to go on may first repeat the end of its text, or all of it. The longest beginning of the continuation
   that is also an end of the text is the overlap.
2. Real text repeats itself, too, and to lose some of it is worse than to have some twice. So an overlap is removed only if it
   has at least 12 characters, 8 of them letters or digits; if it does not repeat itself (a third of it or more is both its
   beginning and its end, as in "really, really"); and if it is nowhere else in the text, as an equal row of a table is.
3. With `echo`, only a repetition of the whole text is looked for: a model that goes on from its own last turn repeats nothing, but
   some servers send that turn again.
4. White space at the end of the text is left out when it is sent back (some providers refuse it), so the continuation may begin
   with it again. What both have of it is kept once.
"""

from __future__ import annotations

from typing import Final

_SHORTEST: Final = 12
_LETTERS: Final = 8
_REPETITIVE: Final = 3


class Seam:
    """The place where a continuation is joined to the text before it. Any split of the continuation gives the same text."""

    def __init__(self, before: str, *, echo: bool = False) -> None:
        """Join to `before`. With `echo`, remove only a repetition of all of it."""
        self.prefix = before.rstrip()  # what is to be sent back
        self._space = before[len(self.prefix) :]
        self._echo = echo
        self._held = ""
        self._at = 0  # where in the prefix the repetition may have begun; nowhere before
        self._decided = not self.prefix

    def feed(self, text: str) -> str:
        """Take the next piece of the continuation; return what can be appended now."""
        if self._decided:
            return self._join(text) if self._space else text
        fits = self.prefix.startswith(text, self._at + len(self._held))
        self._held += text
        if not fits:
            self._at = -1 if self._echo else self.prefix.find(self._held, self._at)
        return self._decide() if self._at < 0 or self._at + len(self._held) == len(self.prefix) else ""

    def close(self) -> str:
        """End the continuation; return what was held."""
        return "" if self._decided else self._decide()

    def _decide(self) -> str:
        self._decided = True
        held, self._held = self._held, ""
        return self._join(held[self._overlap(held) :])

    def _overlap(self, held: str) -> int:
        """Return how many characters of `held` are a repetition."""
        if self._echo:
            repeated = self.prefix if held.startswith(self.prefix) else ""
        else:
            repeated = held[: longest_overlap(self.prefix, held)]
        return len(repeated) if self._is_convincing(repeated) else 0

    def _is_convincing(self, repeated: str) -> bool:
        if len(repeated) < _SHORTEST or sum(map(str.isalnum, repeated)) < _LETTERS:
            return False
        if _borders(repeated)[-1] * _REPETITIVE >= len(repeated):
            return False
        return self.prefix.find(repeated) == len(self.prefix) - len(repeated)

    def _join(self, text: str) -> str:
        """Return `text` without the white space that it has in common with the end of the text before."""
        same = 0
        while same < min(len(text), len(self._space)) and text[same] == self._space[same]:
            same += 1
        if same < len(text):
            self._space = ""
        else:
            self._space = self._space[same:]
        return text[same:]


def longest_overlap(before: str, after: str) -> int:
    """Return the length of the longest beginning of `after` that is an end of `before`, in time linear in `after`."""
    if not after:
        return 0
    borders, matched = _borders(after), 0
    for character in before[-len(after) :]:
        while matched and after[matched] != character:
            matched = borders[matched - 1]
        matched += after[matched] == character
    return matched


def _borders(text: str) -> list[int]:
    """Return for each beginning of `text` the length of the longest shorter text that both begins and ends it."""
    borders = [0] * len(text)
    length = 0
    for at in range(1, len(text)):
        while length and text[at] != text[length]:
            length = borders[length - 1]
        length += text[at] == text[length]
        borders[at] = length
    return borders
