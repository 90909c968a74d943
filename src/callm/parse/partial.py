"""The typed value so far, while the model still writes it: `feed(delta)`.

1. Prose is skipped until something begins that can be the value: a fenced block, an object, an array. A block that begins
   later wins over what stood in the prose before it, and what stands in `<think>` is never looked at.
2. From there a `GrowingReader` reads, at a cost that follows the new text.
3. A value that is neither object nor array is short: its text is coerced as a whole at each delta.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from callm.parse.coerce import Coercion
from callm.parse.found import Found
from callm.parse.growing import GrowingReader
from callm.parse.locate import locate, unwrap_value
from callm.parse.partial_value import NOTHING, shown
from callm.schema.json_schema import WRAPPER
from callm.schema.model import ClassType, ListType, MapType, Schema, SchemaType, UnionType

if TYPE_CHECKING:
    from callm.parse.output import Output

T = TypeVar("T")

_FENCE: Final = re.compile(r"^[ \t]*```[a-zA-Z0-9 ]*\n", re.MULTILINE)
_BEGIN: Final = {
    brackets: re.compile(rf"[{re.escape(brackets)}]|^[ \t]*```[a-zA-Z0-9 ]*\n|<think>", re.MULTILINE)
    for brackets in ("{", "{[")
}
_END_OF_THOUGHT: Final = "</think>"
_HELD: Final = 80
"""How many characters at the end of prose are kept, because a mark may be cut in two there."""

_SHORT: Final = 4000
"""Up to how many characters the text of a scalar is coerced at each delta."""


class Partial(Generic[T]):
    """Reads one answer as it comes. `feed(delta)` returns the value so far, or None where nothing is new."""

    def __init__(self, output: Output[T]) -> None:
        """Read values of `output`."""
        self._schema = output.schema
        self._wrapper = WRAPPER if output.wrapped else None
        self._composite = is_composite(output.schema, output.schema.root)
        self._mark = _BEGIN["{[" if _may_be_list(output.schema, output.schema.root) else "{"]
        self._text = ""
        self._thinking = False
        self._fenced = False
        self._reader: GrowingReader | None = None
        self._last: Any = NOTHING

    def feed(self, delta: str) -> T | None:
        """Take the next piece of the text."""
        if self._schema.is_text:
            self._text += delta
            return self._text  # type: ignore[return-value]  # T is str
        value = self._structured(delta) if self._composite else self._short(delta)
        if value is NOTHING or value is None:
            return None
        return value  # type: ignore[no-any-return]  # a partial value stands for T

    def _structured(self, delta: str) -> Any:
        reader = self._reader
        if reader is None:
            self._text += delta
            if not self._begin():
                return NOTHING
            reader = self._reader
            assert reader is not None  # noqa: S101  # `_begin` has just said so
        elif reader.is_whole:
            if self._fenced:
                return NOTHING
            self._text = (self._text + delta)[-_HELD * 50 :]
            again = _FENCE.search(self._text)
            if again is None:
                return NOTHING
            reader = self._start(self._text[again.end() :], fenced=True)
        else:
            reader.feed(delta)
        return reader.so_far() if reader.changed else NOTHING

    def _begin(self) -> bool:
        """Look in the prose for where the value begins."""
        while True:
            if self._thinking:
                end = self._text.find(_END_OF_THOUGHT)
                if end < 0:
                    self._text = self._text[-_HELD:]
                    return False
                self._text = self._text[end + len(_END_OF_THOUGHT) :]
                self._thinking = False
            found = self._mark.search(self._text)
            if found is None:
                line = self._text.rfind("\n") + 1
                self._text = self._text[max(line, len(self._text) - _HELD) :]
                return False
            mark = found.group()
            if mark == "<think>":
                self._thinking = True
                self._text = self._text[found.end() :]
                continue
            is_fence = "```" in mark
            self._start(self._text[found.end() if is_fence else found.start() :], fenced=is_fence)
            return True

    def _start(self, text: str, *, fenced: bool) -> GrowingReader:
        self._text = ""
        self._fenced = fenced
        self._reader = GrowingReader(self._schema, self._wrapper)
        self._reader.feed(text)
        return self._reader

    def _short(self, delta: str) -> Any:
        self._text += delta
        if len(self._text) > _SHORT:
            return NOTHING
        node = locate(self._text, done=False)
        inner = unwrap_value(node, WRAPPER) if self._wrapper is not None else None
        coercion = Coercion(self._schema, streaming=True)
        found = coercion.root(node if inner is None else inner)
        value = shown(found) if isinstance(found, Found) else NOTHING
        if value == self._last:
            return NOTHING
        self._last = value
        return value


def is_composite(schema: Schema, kind: SchemaType) -> bool:
    """Whether values of `kind` are written as objects or arrays, null aside."""
    resolved = schema.resolve(kind)
    if isinstance(resolved, UnionType):
        return all(is_composite(schema, member) for member in resolved.non_null)
    return isinstance(resolved, ClassType | ListType | MapType)


def _may_be_list(schema: Schema, kind: SchemaType) -> bool:
    resolved = schema.resolve(kind)
    if isinstance(resolved, UnionType):
        return any(_may_be_list(schema, member) for member in resolved.non_null)
    return isinstance(resolved, ListType)
