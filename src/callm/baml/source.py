"""Text of a `.baml` file, places in it, and the errors that point at them."""

from __future__ import annotations

import bisect

import msgspec

from callm.errors import ConfigError


class Span(msgspec.Struct, frozen=True):
    """A stretch of a source: offsets of its first character and of the one behind its last."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        """Return the stretch from the start of this to the end of `other`."""
        return Span(self.start, other.end)


class Source:
    """A file's name and text. Lines and columns count from 1."""

    def __init__(self, text: str, path: str = "input.baml") -> None:
        """Take the text; `path` is what errors call it."""
        self.text = text
        self.path = path
        self._starts = [0, *(place + 1 for place, character in enumerate(text) if character == "\n")]

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and the column of an offset."""
        line = bisect.bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def point(self, span: Span, message: str) -> str:
        """Return `message` behind the place, above the line with a caret under the place."""
        line, column = self.position(span.start)
        begin = self._starts[line - 1]
        text = self.text[begin : self._starts[line] - 1 if line < len(self._starts) else len(self.text)].rstrip("\r")
        width = max(1, min(span.end, begin + len(text)) - span.start)
        padding = "".join("\t" if character == "\t" else " " for character in text[: column - 1])
        return f"{self.path}:{line}:{column}: {message}\n  {text}\n  {padding}{'^' * width}"


class Problem(msgspec.Struct, frozen=True):
    """Something wrong at a place."""

    source: Source
    span: Span
    message: str

    def __str__(self) -> str:
        return self.source.point(self.span, self.message)


class BamlError(ConfigError):
    """A `.baml` source is wrong. The message shows every problem with file, line, column and a caret."""

    kind = "baml"

    @classmethod
    def of(cls, problems: list[Problem]) -> BamlError:
        """Make the error for all of `problems`."""
        return cls("\n".join(map(str, problems)))
