"""The typed value so far, while the model still writes it: `feed(delta)`, `close()`.

1. Prose is skipped until something begins that can be the value: an object, an array. What stands in `<think>` is never
   looked at.
2. From there a `GrowingReader` reads, at a cost that follows the new text.
3. A fenced block with a label wins over what began in the prose before it, as it does when the whole text is read. So does
   whatever begins behind a value that can't be the one that is meant.
4. Where the type allows plain text, prose is shown as it grows. Words and numbers are shown when they are complete.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

import msgspec

from callm.errors import OutputError
from callm.parse.coerce import Coercion
from callm.parse.frames import ALWAYS, GROWTH
from callm.parse.growing import FREE, PACE, GrowingReader, is_settled
from callm.parse.locate import check_size
from callm.parse.partial_value import NOTHING, equal, is_blank
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
_OBJECT: Final = re.compile(r"\[|\{\s*(?:[\"'`}/]|[\w .$-]{1,80}:)")
"""How an object, or an array, begins in prose, where `{x}` is none."""

_HALF_OBJECT: Final = re.compile(r"\{\s{0,200}[\w .$-]{0,80}")
_END_OF_THOUGHT: Final = "</think>"
_HALF_MARK: Final = len(_END_OF_THOUGHT) - 1
_BLOCK: Final = 4096
"""How many characters are read at a time: what is cut off and kept costs no more than this."""

_SHORT: Final = 200
"""Up to how many characters a word or a number is looked for before the end of the text."""

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
        self._output = output
        self._places = _places(output)
        self._wrapper = WRAPPER if output.wrapped else None
        self._root = self._places.of(root)
        self._may_hold = may_hold(schema, root)
        self._mark = _MARKS["{[" if _may_be_array(schema, root) else "{"]
        self._step: Callable[[str], Any] = self._search
        self._is_short = not schema.is_text and not is_composite(schema, root)
        if schema.is_text:
            self._step = self._grow
        elif self._is_short:
            self._step = self._decide
        self._text = "\n"  # what is kept back; a fence begins behind the end of a line
        self._more: str | None = None  # what another step has to read
        self._all: list[str] = []  # all the text, where the value may be short
        self._pieces: list[str] = []  # the text that is the value
        self._length = 0
        self._fed = 0
        self._due = 0
        self._in_fence = False
        self._was_fenced = False  # whether the last value stood in a fence
        self._is_sought = True  # whether a bracket may begin the value
        self._is_new = False  # whether a reader has begun of which nothing was shown
        self._had_prose = False
        self._is_doubtful = False  # whether it began in prose, and nothing in it says yet that it is the value
        self._doubted = 0  # how many characters have been read since
        self._asked = 0  # how many they were when the value was last looked into
        self._is_shown = True  # whether a value that grows is shown: not in the midst of a long piece
        self._reader: GrowingReader | None = None
        self._last: Any = NOTHING

    def feed(self, delta: str) -> T | None:
        """Take the next piece of the text.

        Raises:
            OutputError: it is too long, or nested too deep.
        """
        if len(delta) > _BLOCK:
            return self._feed_blocks(delta)
        if not delta:
            return None
        self._fed += len(delta)
        check_size(self._fed)
        if self._is_short:
            self._all.append(delta)
        value = self._step(delta)
        while self._more is not None:
            more, self._more = self._more, None
            later = self._step(more)
            value = value if later is NOTHING else later
        return self._shown(value)

    def _feed_blocks(self, text: str) -> T | None:
        """Take a long text: only what has come at its end is shown, and what is whole."""
        found: T | None = None
        end = (len(text) - 1) // _BLOCK * _BLOCK
        for at in range(0, len(text), _BLOCK):
            self._is_shown = at == end
            value = self.feed(text[at : at + _BLOCK])
            found = found if value is None else value
        return found

    def close(self) -> T | None:
        """Take the end of the text: return the value so far if `feed` has not."""
        value = NOTHING
        if self._step in (self._grow, self._prose):
            self._pieces.append(self._text if self._step == self._prose else "")
            value = self._new(self._join())
        elif self._reader is None:
            value = self._whole() if self._is_short else NOTHING
        elif self._step == self._read:
            value = self._reader.end()
        return self._shown(value)

    def _shown(self, value: Any) -> T | None:
        if value is NOTHING:
            return None
        if self._is_new and self._reader is not None:
            self._is_new = self._reader.shown is NOTHING
            if equal(value, self._last):
                return None
        self._last = value
        return cast("T | None", value)  # a partial value stands for T

    # -- where the value begins

    def _search(self, delta: str) -> Any:
        """Look for where the value begins, or begins anew."""
        text, at = self._text + delta, 0
        while found := self._mark.search(text, at):
            at = found.end()
            if found["thought"]:
                return self._go(self._think, text[at:])
            if found["bracket"]:
                if not self._is_sought:
                    continue
                start = found.start()
                self._had_prose = self._had_prose or bool(text[:start].strip())
                if not self._had_prose or self._in_fence or _OBJECT.match(text, start):
                    return self._begin(text[start:])
                if _HALF_OBJECT.fullmatch(text, start):
                    self._text = text[start:]
                    return NOTHING
            else:
                at -= 1  # the end of this line is what the next one may begin with
                self._meet(found["label"])
        kept = _kept(text, at)
        self._had_prose = self._had_prose or bool(text[:kept].strip())
        self._text = text[kept:]
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
            self._had_prose = False
            return self._go(self._search, text[end + len(_END_OF_THOUGHT) :])
        self._text = text[-_HALF_MARK:]
        return NOTHING

    def _begin(self, text: str) -> Any:
        self._reader = GrowingReader(self._places, self._wrapper)
        self._is_new = True
        self._was_fenced = self._in_fence
        self._is_doubtful = self._had_prose and not self._in_fence
        self._doubted = self._asked = 0
        return self._go(self._read, text)

    # -- an object or array

    def _read(self, delta: str) -> Any:
        return self._read_lines(delta) if self._text or "\n" in delta else self._take(delta)

    def _take(self, text: str) -> Any:
        reader = self._reader
        assert reader is not None  # noqa: S101  # this step follows `_begin`
        self._doubted += len(text)
        try:
            reader.feed(text)
        except (OutputError, RecursionError):  # nested too deep: the answer may still come, in a fence
            self._is_sought = False
            return self._go(self._search, "")
        value = reader.so_far() if self._is_shown or reader.is_whole else NOTHING
        if reader.is_whole:
            self._is_sought = not reader.fits
            self._go(self._search, reader.rest)
            if self._is_doubtful:
                value = reader.shown if reader.fits else NOTHING
        elif self._is_doubtful and (value is NOTHING or not self._is_told(value)):
            return NOTHING
        self._is_doubtful = self._is_doubtful and value is NOTHING
        return value

    def _is_told(self, value: Any) -> bool:
        """Whether something in a value says that it is the one that is meant. The longer it is the seldomer it is asked."""
        if self._doubted > ALWAYS and self._doubted < self._asked * GROWTH:
            return False
        self._asked = self._doubted
        return not is_blank(value)

    def _read_lines(self, delta: str) -> Any:
        """Read on, but stop at the end of the fence, and outside of one at its beginning."""
        text, self._text = self._text + delta, ""
        at = 0
        while fence := _FENCES.search(text, at):
            at = fence.end() - 1
            if bool(fence["label"].strip()) != self._in_fence:
                value = self._take(text[: fence.start()])
                self._is_sought = self._reader is not None and not self._reader.fits
                self._go(self._search, (self._more or "") + text[fence.start() :])
                return value
        line = text.rfind("\n")
        if len(text) - line <= _HELD and _HALF_FENCE.fullmatch(text, line):
            text, self._text = text[:line], text[line:]
        return self._take(text)

    # -- anything else

    def _decide(self, delta: str) -> Any:
        """See whether it begins as an object, as a text that grows, or as something short."""
        if not delta.strip():
            return NOTHING
        text = self._seen()
        start = text.lstrip()
        if start[0] in ("{[`<" if self._may_hold else "{`<" if self._wrapper else ""):
            return self._go(self._search, "\n" + start)
        if not self._root.grows or start[0] in "\"'" or len(start) > _SHORT:
            return self._go(self._short, delta)
        return self._go(self._prose, text) if is_settled(start) else NOTHING

    def _short(self, delta: str) -> Any:
        """Read a word or a number: before the end it is shown only if it is complete as JSON."""
        self._length += len(delta)
        if delta.isspace() or self._length > _SHORT:
            return NOTHING
        try:
            value = msgspec.json.decode(self._seen())
        except ValueError:
            return NOTHING
        if isinstance(value, int | float) and not isinstance(value, bool):
            return NOTHING  # more digits may come
        return self._new(self._root.take(value, Coercion(self._output.schema, streaming=True)))

    def _seen(self) -> str:
        self._all = ["".join(self._all)]
        return self._all[0]

    def _whole(self) -> Any:
        """Return the value of all the text."""
        try:
            return self._new(self._output.parse(self._seen()))
        except OutputError:
            return NOTHING

    def _new(self, value: Any) -> Any:
        return NOTHING if equal(value, self._last) else value

    def _prose(self, delta: str) -> Any:
        """Take the text as it stands, until a fence with a label says that it is not the value."""
        text, self._text = self._text + delta, ""
        if self._may_hold and "\n" in text:
            fence = next((fence for fence in _FENCES.finditer(text) if fence["label"].strip()), None)
            if fence is not None:
                return self._go(self._search, text[fence.start() :])
            line = _kept(text, 0)
            if text[line : line + 1] == "\n":
                text, self._text = text[:line], text[line:]
        return self._grow(text)

    def _grow(self, delta: str) -> Any:
        self._pieces.append(delta)
        self._length += len(delta)
        weight = self._length >> 4
        if not self._is_shown or (weight > FREE and self._length < self._due):
            return NOTHING
        self._due = self._length + weight // PACE
        return self._join() if delta else NOTHING

    def _join(self) -> str:
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]


@lru_cache(maxsize=256)
def _places(output: Output[Any]) -> Places:
    """Return the places of an output's schema, worked out once for all its answers."""
    return Places(output.schema, constants="constant" in output.policy.allowed)


def _kept(text: str, at: int) -> int:
    """Return from where on a text must be kept, because a mark may be cut in two at its end."""
    line = text.rfind("\n", at)
    if line >= 0 and len(text) - line <= _HELD and _HALF_FENCE.fullmatch(text, line):
        return line
    return max(at, len(text) - _HALF_MARK)


def may_hold(schema: Schema, kind: SchemaType) -> bool:
    """Whether a value of `kind` may be written as an object or array."""
    resolved = schema.resolve(kind)
    if isinstance(resolved, UnionType):
        return any(may_hold(schema, member) for member in resolved.non_null)
    return isinstance(resolved, AnyType | ClassType | ListType | MapType | TupleType)


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
