"""A reader that knows the type of what it reads, so that the typed value is there at any time.

1. A finished value is coerced once, and never looked at again.
2. Only what is open is rebuilt: one shallow copy for each level (`frames`), so a delta costs the depth, not the size.
3. Where the type can't be told yet (a union of several classes, say) the engine coerces all of the open value, and ever
   more seldom the larger it is.
4. A list of thousands of items and a text of tens of thousands of characters are copied ever more seldom too: a snapshot
   has to be paid for by the text that came since the last one, so the whole cost follows the text.
"""

from __future__ import annotations

import re
from typing import Any, Final

from callm.parse.coerce import Coercion
from callm.parse.frames import ODD, SKIP, ClassFrame, Frame, RawFrame, WrapperFrame
from callm.parse.numerals import MAX_DIGITS
from callm.parse.openings import open_frame
from callm.parse.partial_value import NOTHING
from callm.parse.places import Place, Places
from callm.parse.reader import Reader
from callm.parse.tokens import bare
from callm.parse.tree import Open, show

FREE: Final = 2048
"""Up to which weight a snapshot is made at every delta: so many items, or sixteen times as many characters of one text."""

PACE: Final = 128
"""Above, how much weight each new character pays for."""

_QUOTES: Final = ('"', "'", "`")
_CONSTANTS: Final = ("true", "false", "null", "none", "nan", "undefined", "infinity")
_WORD: Final = re.compile(r"[^\W\d_eE]")
_SOON: Final = 80
_LONGEST: Final = max(map(len, _CONSTANTS))


class GrowingReader(Reader):
    """A reader that knows the type of what it reads. `so_far()` is the typed value at any time.

    Attributes:
        is_whole: whether the value has ended.
        shown: what `so_far` has returned last, or NOTHING.
    """

    def __init__(self, places: Places, wrapper: str | None) -> None:
        """Expect the schema's root, or an object that wraps it under the key `wrapper`."""
        super().__init__()
        self.is_whole = False
        self._schema = places.schema
        self._root = places.of(places.schema.root)
        self._wrapper = wrapper
        self._coercion = Coercion(places.schema, streaming=True, constants=places.constants)
        self._frames: list[Frame] = []
        self._value: Any = NOTHING
        self.shown: Any = NOTHING
        self._read = 0
        self._paid = 0  # how far must be read before the next snapshot of something heavy
        self._width = 0  # how many items and entries the open lists and maps have
        self._raws = 0  # how many open frames are `RawFrame`s
        self._fits = False

    def feed(self, text: str) -> None:
        """See `Reader.feed`."""
        self._read += len(text)
        if self._scalar == '"' and self._at == len(self._buffer) and '"' not in text and "\\" not in text:
            self._pieces.append(text)  # inside a string there is nothing to decide
        else:
            super().feed(text)

    @property
    def rest(self) -> str:
        """What was fed beyond the end of the value."""
        return self._buffer[self._at :] if self.is_whole else ""

    @property
    def fits(self) -> bool:
        """Whether what has come may be the value that is meant."""
        return self._frames[0].fits if self._frames else self._fits

    def so_far(self) -> Any:
        """Return the value so far; NOTHING if it is the one that was returned before."""
        frames = self._frames
        if not frames:
            value = self._value
        elif self._is_too_soon():
            return NOTHING
        elif self._raws:
            value = self._raw_so_far()
        else:
            value = self._scalar_so_far()
            for frame in reversed(frames):
                value = frame.so_far(value)
        if value is self.shown:
            return NOTHING
        self.shown = value
        return value

    def end(self) -> Any:
        """Take the end of the text and return what `so_far` does."""
        self._final = True
        self._paid = 0
        self._resume("")
        return self.so_far()

    def _is_too_soon(self) -> bool:
        weight = self._width
        if self._pieces:
            weight += len(self._pieces[0]) >> 4
        if weight > FREE:
            if self._read < self._paid:
                return True
            self._paid = self._read + weight // PACE
        return False

    def _raw_so_far(self) -> Any:
        """Return the value so far where the engine coerces part of it: the outermost such part has all that is in it."""
        depth, raw = next((depth, frame) for depth, frame in enumerate(self._frames) if isinstance(frame, RawFrame))
        size = self._read - raw.start
        value = raw.show(self._open_value(depth), size, self._coercion) if raw.is_due(size) else raw.last
        for frame in reversed(self._frames[:depth]):
            value = frame.so_far(value)
        return value

    def _scalar_so_far(self) -> Any:
        """Return the open string where one is wanted and may be shown unfinished."""
        frame = self._frames[-1]
        place = frame.expected
        if place is None:
            return NOTHING
        if place.stateful and (self._scalar not in ("", "//", "/*") or self._begins_string()):
            frame.begin()
        if self._scalar == "bare" and self._buffer[self._at : self._at + 1] == ",":
            return self._number_so_far(place)
        return self._open_text() if place.grows else NOTHING

    def _number_so_far(self, place: Place) -> Any:
        """Return the number or constant that the comma ends, unless digits behind it say otherwise."""
        value = bare("".join(self._pieces).strip()) if self._size <= MAX_DIGITS else ""
        return NOTHING if isinstance(value, str) else place.take(value, self._coercion)

    def _open_text(self) -> Any:
        """Return the open scalar if it is a text whatever comes, else NOTHING."""
        scalar = self._scalar
        if scalar in _QUOTES:
            return self._joined()
        if scalar == "":
            return "" if self._begins_string() else NOTHING
        if scalar == "bare":
            text = self._joined().strip()
            return text if is_settled(text) else NOTHING
        return NOTHING

    def _joined(self) -> str:
        """Return what has been read of a text, as one piece, but for half a character at its end."""
        pieces = self._pieces
        if len(pieces) == 1 and not _is_half(pieces[0]):
            return pieces[0]
        last = pieces.pop() if pieces and _is_first_half(pieces[-1]) else ""
        text = "".join(pieces)
        if any(map(_is_half, pieces)):
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        pieces[:] = [text, last] if last else [text]
        return text

    def _begins_string(self) -> bool:
        return self._scalar == "" and self._buffer[self._at :] in ('"', '""')

    def _open_value(self, depth: int) -> Any:
        """Return what the reader holds from `depth` on, untyped."""
        text = self._open_text()
        value: Any = text if text is NOTHING else Open(text)
        for frame in reversed(self._stack[depth:]):
            hidden = value is NOTHING or (frame.place == "key")
            value = Open(frame.value() if hidden else frame.value(value))
        return value

    # -- what the reader tells

    def _push(self, frame: Any) -> bool:
        start = self._read - len(self._buffer) + self._at
        opened = super()._push(frame)
        new = self._opened(start, is_object=hasattr(frame, "keys"))
        self._frames.append(new)
        self._raws += type(new) is RawFrame
        return opened

    def _opened(self, start: int, *, is_object: bool) -> Frame:
        if not self._frames:
            if is_object and self._wrapper is not None:
                return WrapperFrame(self._root, self._wrapper)
            return self._opened_root(start, is_object=is_object)
        parent = self._frames[-1]
        place = parent.expected
        if place is None:
            return SKIP
        if place.waits or place.stateful:
            parent.begin()
        return open_frame(place, start, is_object=is_object)

    def _opened_root(self, start: int, *, is_object: bool) -> Frame:
        if self._root.stateful:
            return RawFrame(self._schema.root, {}, start)
        return open_frame(self._root, start, is_object=is_object)

    def _put(self, value: Any) -> None:
        if not self._stack:
            return  # what stands outside is no part of the value
        top, frame = self._stack[-1], self._frames[-1]
        is_key = top.place == "key"
        top.add(value)
        if is_key:
            self._key(frame, value if isinstance(value, str) else show(value))
        elif frame.expected is not None:
            self._width += frame.accept(frame.expected.take(value, self._coercion))
        elif type(frame) is RawFrame and frame.tags and type(value) is str:
            self._tell(frame, top.keys, top.values)  # type: ignore[union-attr]  # only objects have tags

    def _key(self, frame: Frame, name: str) -> None:
        if type(frame) is WrapperFrame and frame.is_unlike(name):
            frame = self._frames[0] = self._opened_root(0, is_object=True)
            self._raws += type(frame) is RawFrame
        frame.key(name)

    def _tell(self, frame: RawFrame, keys: list[str], values: list[Any]) -> None:
        """Give the object its class if what came last is its tag."""
        shape = frame.tags.get(keys[-1], {}).get(values[-1])
        if shape is None:
            return
        told = ClassFrame(shape)
        for key, value in zip(keys, values, strict=True):
            told.key(key)
            if told.expected is not None:
                told.accept(told.expected.take(value, self._coercion))
        self._frames[-1] = told
        self._raws -= 1

    def _pop(self) -> bool:
        frame = self._frames.pop()
        closed = self._stack.pop()
        self._at += 1
        self._width -= frame.width
        place = self._frames[-1].expected if self._frames else self._root
        raw: Any = None  # nobody asks for what has its type
        if frame is SKIP or frame is ODD:
            raw = closed.value()
            value = NOTHING if place is None else place.take(raw, self._coercion)
        elif type(frame) is RawFrame:
            self._raws -= 1
            raw = closed.value()
            value = frame.finish(raw, self._coercion)
        else:
            value = frame.close()
        if self._stack:
            self._stack[-1].add(raw)
            self._width += self._frames[-1].accept(value)
            return True
        self._value = value
        self._fits = value is not NOTHING and frame.fits
        self.is_whole = True
        return False  # the reader stops here


def _is_half(piece: str) -> bool:
    """Whether a piece is half of a character beyond 16 bits, as it stands in an escape."""
    return len(piece) == 1 and "\ud800" <= piece <= "\udfff"


def _is_first_half(piece: str) -> bool:
    return len(piece) == 1 and "\ud800" <= piece < "\udc00"


def is_settled(text: str) -> bool:
    """Whether a text without quotes stays one: it can't become a number or a constant."""
    if text[:1].isalpha() or text[:1] == "_":
        return len(text) > _LONGEST or not any(constant.startswith(text.lower()) for constant in _CONSTANTS)
    return _WORD.search(text, 0, _SOON) is not None
