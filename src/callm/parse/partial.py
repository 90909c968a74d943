"""The typed value so far, while the model still writes it: `feed(delta)`, `close()`.

1. Prose is skipped until something begins that can be the value: an object, an array. What stands in `<think>` is never
   looked at.
2. From there a `GrowingReader` reads, at a cost that follows the new text.
3. A fenced block with a label wins over what began in the prose before it, as it does when the whole text is read. So does
   whatever begins behind a value that can't be the one that is meant.
4. A value that is neither object nor array is short: its text is coerced as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from callm.errors import OutputError
from callm.parse.coerce import Coercion
from callm.parse.found import Found
from callm.parse.frames import ALWAYS
from callm.parse.growing import FREE, PACE, GrowingReader
from callm.parse.locate import locate, unwrap_value
from callm.parse.partial_value import NOTHING, equal, shown
from callm.parse.places import Places
from callm.schema.json_schema import WRAPPER
from callm.schema.model import AnyType, ClassType, ListType, MapType, Schema, SchemaType, TupleType, UnionType

if TYPE_CHECKING:
    from callm.parse.output import Output

T = TypeVar("T")

_FENCE: Final = r"\n[ \t]*```(?P<label>[a-zA-Z0-9 ]*)\r?\n"
_FENCES: Final = re.compile(_FENCE)
_HALF_FENCE: Final = re.compile(r"\n[ \t]*(`{1,2}|```[a-zA-Z0-9 ]*\r?)?")
_MARKS: Final = {
    brackets: re.compile(rf"(?P<bracket>[{re.escape(brackets)}])|(?P<thought><think>)|(?P<fence>{_FENCE})")
    for brackets in ("{", "{[")
}
_END_OF_THOUGHT: Final = "</think>"
_HALF_MARK: Final = len(_END_OF_THOUGHT) - 1
_HELD: Final = 80
"""How many characters of a line are kept back at most, because a fence may be cut in two there."""


class Partial(Generic[T]):
    """Reads one answer as it comes. `feed(delta)` returns the value so far, or None where nothing is new.

    Each value is a snapshot: it stays as it is when more comes. What is finished is shared by all of them, so whoever
    wants to change one makes a copy.
    """

    def __init__(self, output: Output[T]) -> None:
        """Read values of `output`."""
        schema, root = output.schema, output.schema.root
        self._schema = schema
        self._places = _places(output)
        self._wrapper = WRAPPER if output.wrapped else None
        self._mark = _MARKS["{[" if _may_be_array(schema, root) else "{"]
        self._step: Callable[[str], Any] = self._search if is_composite(schema, root) else self._decide
        if schema.is_text:
            self._step = self._grow
        self._text = "\n"  # what is kept back; a fence begins behind the end of a line
        self._more: str | None = None  # what another step has to read
        self._pieces: list[str] = []
        self._length = 0
        self._due = 0
        self._in_fence = False
        self._was_fenced = False  # whether the last value stood in a fence
        self._is_sought = True  # whether a bracket may begin the value
        self._is_new = False  # whether a reader has begun of which nothing was shown
        self._reader: GrowingReader | None = None
        self._last: Any = NOTHING

    def feed(self, delta: str) -> T | None:
        """Take the next piece of the text."""
        if not delta:
            return None
        value = self._step(delta)
        while self._more is not None:
            more, self._more = self._more, None
            later = self._step(more)
            value = value if later is NOTHING else later
        return self._shown(value)

    def close(self) -> T | None:
        """Take the end of the text: return the value so far if `feed` has not."""
        value = NOTHING
        if self._step == self._grow:
            value = self._grown()
        elif self._step == self._short:
            value = self._coerced(done=True)
        elif self._step == self._read and self._reader is not None:
            value = self._reader.end()
        return self._shown(value)

    def _shown(self, value: Any) -> Any:
        if value is NOTHING:
            return None
        if self._is_new and self._reader is not None:
            self._is_new = self._reader.shown is NOTHING
            if equal(value, self._last):
                return None
        self._last = value
        return value

    # -- where the value begins

    def _search(self, delta: str) -> Any:
        """Look for where the value begins, or begins anew."""
        text, at = self._text + delta, 0
        while found := self._mark.search(text, at):
            at = found.end()
            if found["thought"]:
                return self._go(self._think, text[at:])
            if found["bracket"]:
                if self._is_sought:
                    return self._begin(text[found.start() :])
            else:
                at -= 1  # the end of this line is what the next one may begin with
                self._meet(found["label"])
        self._text = text[_kept(text, at) :]
        return NOTHING

    def _go(self, step: Callable[[str], Any], text: str) -> Any:
        """Let another step read `text`, and whatever comes."""
        self._step = step
        self._text = ""
        self._more = text
        return NOTHING

    def _meet(self, label: str) -> None:
        """Take note of a fence. Without a label it is the end of one."""
        self._in_fence = bool(label.strip())
        if self._in_fence and not self._was_fenced:
            self._is_sought = True

    def _think(self, delta: str) -> Any:
        text = self._text + delta
        end = text.find(_END_OF_THOUGHT)
        if end >= 0:
            return self._go(self._search, text[end + len(_END_OF_THOUGHT) :])
        self._text = text[-_HALF_MARK:]
        return NOTHING

    def _begin(self, text: str) -> Any:
        self._reader = GrowingReader(self._places, self._wrapper)
        self._is_new = True
        self._was_fenced = self._in_fence
        return self._go(self._read, text)

    # -- an object or array

    def _read(self, delta: str) -> Any:
        return self._read_lines(delta) if self._text or "\n" in delta else self._take(delta)

    def _take(self, text: str) -> Any:
        reader = self._reader
        assert reader is not None  # noqa: S101  # this step follows `_begin`
        try:
            reader.feed(text)
        except OutputError:  # nested too deep: the answer may still come
            self._is_sought = True
            return self._go(self._search, "")
        value = reader.so_far()
        if reader.is_whole:
            self._is_sought = not reader.fits
            self._go(self._search, reader.rest)
        return value

    def _read_lines(self, delta: str) -> Any:
        """Read on, but stop at the end of the fence, and outside of one at its beginning."""
        text, self._text = self._text + delta, ""
        at = 0
        while fence := _FENCES.search(text, at):
            at = fence.end() - 1
            if bool(fence["label"].strip()) != self._in_fence:
                value = self._take(text[: fence.start()])
                self._go(self._search, (self._more or "") + text[fence.start() :])
                return value
        line = text.rfind("\n")
        if len(text) - line <= _HELD and _HALF_FENCE.fullmatch(text, line):
            text, self._text = text[:line], text[line:]
        return self._take(text)

    # -- anything else

    def _decide(self, delta: str) -> Any:
        """See whether it is wrapped in an object."""
        text = self._text + delta
        start = text.lstrip()
        if not start:
            self._text = text[-_HELD:]
            return NOTHING
        return self._go(self._search if start[0] == "{" and self._wrapper is not None else self._short, start)

    def _short(self, delta: str) -> Any:
        self._pieces.append(delta)
        self._length += len(delta)
        if self._length > ALWAYS and self._length < self._due:
            return NOTHING
        self._due = self._length * 11 // 10
        return self._coerced(done=False)

    def _coerced(self, *, done: bool) -> Any:
        text = self._join()
        try:
            node = locate(text, done=done)
        except OutputError:
            return NOTHING
        inner = None if self._wrapper is None else unwrap_value(node, self._wrapper)
        found = Coercion(self._schema, streaming=True).root(node if inner is None else inner)
        value = shown(found) if isinstance(found, Found) else NOTHING
        return NOTHING if equal(value, self._last) else value

    def _grow(self, delta: str) -> Any:
        self._pieces.append(delta)
        self._length += len(delta)
        weight = self._length >> 4
        if weight > FREE and self._length < self._due:
            return NOTHING
        self._due = self._length + weight // PACE
        return self._grown()

    def _grown(self) -> Any:
        return NOTHING if len(self._pieces) <= 1 and self._last is not NOTHING else self._join()

    def _join(self) -> str:
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]


@lru_cache(maxsize=256)
def _places(output: Output[Any]) -> Places:
    """Return the places of an output's schema, worked out once for all its answers."""
    return Places(output.schema)


def _kept(text: str, at: int) -> int:
    """Return from where on a text must be kept, because a mark may be cut in two at its end."""
    line = text.rfind("\n", at)
    if line >= 0 and len(text) - line <= _HELD and _HALF_FENCE.fullmatch(text, line):
        return line
    return max(at, len(text) - _HALF_MARK)


def is_composite(schema: Schema, kind: SchemaType) -> bool:
    """Whether values of `kind` are written as objects or arrays, null aside."""
    resolved = schema.resolve(kind)
    if isinstance(resolved, UnionType):
        return all(is_composite(schema, member) for member in resolved.non_null)
    return isinstance(resolved, ClassType | ListType | MapType | TupleType)


def _may_be_array(schema: Schema, kind: SchemaType) -> bool:
    resolved = schema.resolve(kind)
    if isinstance(resolved, UnionType):
        return any(_may_be_array(schema, member) for member in resolved.non_null)
    return isinstance(resolved, AnyType | ListType | TupleType)
