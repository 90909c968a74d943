"""The open objects and arrays of a text, each with what is expected in it.

1. A finished value is coerced once, before its frame takes it.
2. `so_far` makes one shallow copy of its own level and nothing else. Where nothing has changed it returns the very value it
   returned before, so that whoever asks knows it by identity.
3. Where the type can't be told yet stands a `RawFrame`: the engine coerces all of it, until a tag tells the class.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, Final

from callm.parse.coerce import Coercion
from callm.parse.partial_value import NOTHING, StreamState, coerced, equal, is_blank, keeps
from callm.parse.places import Place, Shape
from callm.schema.model import SchemaType

ALWAYS: Final = 1024
"""Up to how many characters a value of unknown type is coerced at every delta; beyond, when it has grown by a tenth."""

GROWTH: Final = 1.1

_ENTRY: Final = 4
"""How many items of a list an entry of a map costs to copy."""

_SCALARS: Final = frozenset({str, int, float})
_STALE: Final = object()
"""A child that no frame has: what was shown last holds no more."""


class Frame:
    """An open object or array; this one is for what is left out.

    Attributes:
        expected: the place of the next value; None to leave it out.
    """

    __slots__ = ("expected",)

    def __init__(self) -> None:
        """Expect nothing."""
        self.expected: Place | None = None

    @property
    def fits(self) -> bool:
        """Whether what has come may be all of the value."""
        return True

    @property
    def width(self) -> int:
        """How many values a snapshot of this level copies, if that has no limit."""
        return 0

    def key(self, name: str) -> None:
        """Take the key of the next value."""

    def begin(self) -> None:
        """Note that the next value has begun."""

    def accept(self, value: Any) -> int:
        """Take a finished value; return by how much the width has grown."""
        del value
        return 0

    def so_far(self, child: Any) -> Any:
        """Return the value with `child`, the unfinished one, in its place; NOTHING while it must not be shown."""
        del child
        return NOTHING

    def close(self) -> Any:
        """Return the finished value."""
        return self.so_far(NOTHING)


class ClassFrame(Frame):
    """An object that is a class."""

    __slots__ = ("_begun", "_child", "_last", "_name", "_needed", "_seen", "_shape", "_value")

    def __init__(self, shape: Shape) -> None:
        """Begin a value of `shape`."""
        self.expected = None
        self._shape = shape
        self._value = shape.begin()
        self._needed = shape.needed
        self._name = ""
        self._begun = False
        self._seen: set[str] = set()
        self._child: Any = NOTHING
        self._last = NOTHING if self._needed else self._value

    @property
    def fits(self) -> bool:
        """See `Frame.fits`."""
        has_begun = self.expected is not None or bool(self._seen)
        return has_begun and self._shape.required <= self._seen | {self._name}

    def key(self, name: str) -> None:
        """See `Frame.key`. Of two equal keys the first counts."""
        found = self._shape.find(name)
        if found is None or found[0] in self._seen:
            self.expected = None
        else:
            self._name, self.expected = found
            self._begun = False

    def begin(self) -> None:
        """See `Frame.begin`. A list or map that is shown only when it is complete is empty until then."""
        place = self.expected
        if place is None or self._begun:
            return
        self._begun = True
        if place.stateful:
            self._put(StreamState(None if place.waits else place.empty(), "incomplete"))
        elif place.waits:
            self._put(place.empty())

    def accept(self, value: Any) -> int:
        """See `Frame.accept`."""
        place, self.expected = self.expected, None
        if place is None:
            return 0
        self._seen.add(self._name)
        child, self._child = self._child, NOTHING
        if value is not NOTHING:
            if self._needed and value is not None:
                self._needed -= {self._name}
            if place.stateful:
                self._put(StreamState(value, "complete"))
            elif _same(value, child) and self._last is not NOTHING:
                self._value = self._last
            else:
                self._put(value)
        self._last = NOTHING if self._needed else self._value
        return 0

    def _put(self, part: Any) -> None:
        if not part and equal(part, self._shape.get(self._value, self._name)):
            return  # still None, or still empty
        self._value = self._shape.put(self._value, self._name, part)
        self._last = NOTHING if self._needed else self._value

    def so_far(self, child: Any) -> Any:
        """See `Frame.so_far`."""
        if child is self._child or _same(child, self._child):
            return self._last
        self._child = child
        if child is NOTHING:
            self._last = NOTHING if self._needed else self._value
        elif self._needed and (child is None or self._needed - {self._name}):
            self._last = NOTHING
        elif child or not self._is_blank(child):
            place = self.expected
            part = StreamState(child, "incomplete") if place is not None and place.stateful else child
            self._last = self._shape.put(self._value, self._name, part)
        return self._last

    def _is_blank(self, child: Any) -> bool:
        """Whether `child` is the empty list or map that stands there anyway."""
        old = self._shape.get(self._value, self._name)
        return not self._needed and equal(old, child)

    def close(self) -> Any:
        """Return the finished value: what did not come has its default."""
        self._child = NOTHING
        for name, default in self._shape.defaults:
            if name not in self._seen:
                self._name = name
                self._put(copy(default))
        self._last = NOTHING if self._needed else self._value
        return self._last


class ListFrame(Frame):
    """An array of one type of item."""

    __slots__ = ("_child", "_dropped", "_items", "_last")

    def __init__(self, item: Place) -> None:
        """Begin a list."""
        self.expected = item
        self._items: list[Any] = []
        self._dropped = False
        self._child: Any = _STALE
        self._last: list[Any] = []

    @property
    def fits(self) -> bool:
        """See `Frame.fits`."""
        return bool(self._items) or not self._dropped

    @property
    def width(self) -> int:
        """See `Frame.width`."""
        return len(self._items)

    def accept(self, value: Any) -> int:
        """See `Frame.accept`."""
        if value is NOTHING:
            self._dropped = True
            if self._child is not NOTHING:
                self._child = _STALE
            return 0
        self._items.append(value)
        self._child = NOTHING if _same(value, self._child) else _STALE
        return 1

    def so_far(self, child: Any) -> Any:
        """See `Frame.so_far`."""
        if child is not self._child and not _same(child, self._child):
            self._child = child
            self._last = self._items[:] if child is NOTHING else [*self._items, child]
        return self._last


class MapFrame(Frame):
    """An object with any keys."""

    __slots__ = ("_child", "_dropped", "_entries", "_key", "_last", "_place")

    def __init__(self, value: Place) -> None:
        """Begin a map."""
        self.expected = None
        self._place = value
        self._key = ""
        self._entries: dict[str, Any] = {}
        self._dropped = False
        self._child: Any = _STALE
        self._last: dict[str, Any] = {}

    @property
    def fits(self) -> bool:
        """See `Frame.fits`."""
        return bool(self._entries) or not self._dropped

    @property
    def width(self) -> int:
        """See `Frame.width`."""
        return _ENTRY * len(self._entries)

    def key(self, name: str) -> None:
        """See `Frame.key`."""
        self._key = name
        self.expected = self._place

    def accept(self, value: Any) -> int:
        """See `Frame.accept`. Of two equal keys the last counts."""
        self.expected = None
        if value is NOTHING:
            self._dropped = True
            if self._child is not NOTHING:
                self._child = _STALE
            return 0
        before = len(self._entries)
        if before and self._entries.get(self._key, NOTHING) == value:
            self._child = NOTHING if self._child is NOTHING else _STALE
            return 0
        self._entries[self._key] = value
        self._child = NOTHING if _same(value, self._child) else _STALE
        return _ENTRY * (len(self._entries) - before)

    def so_far(self, child: Any) -> Any:
        """See `Frame.so_far`. The value of a key that has come before waits until it is whole."""
        if self._key in self._entries:
            child = NOTHING
        if not _same(child, self._child):
            self._child = child
            self._last = dict(self._entries) if child is NOTHING else {**self._entries, self._key: child}
        return self._last


class WrapperFrame(Frame):
    """The object `{"value": ...}` that providers are asked for where the value itself is no object."""

    __slots__ = ("_child", "_is_new", "_key", "_place", "_value")

    def __init__(self, place: Place, key: str) -> None:
        """Expect a value of `place` under `key`."""
        self.expected = None
        self._is_new = True
        self._place = place
        self._key = key
        self._child: Any = NOTHING
        self._value: Any = NOTHING

    @property
    def fits(self) -> bool:
        """See `Frame.fits`."""
        return self._value is not NOTHING

    def key(self, name: str) -> None:
        """See `Frame.key`."""
        self._is_new = False
        self.expected = self._place if name == self._key and self._value is NOTHING else None

    def is_unlike(self, name: str) -> bool:
        """Whether the first key, `name`, says that this is the value itself."""
        return self._is_new and name != self._key

    def accept(self, value: Any) -> int:
        """See `Frame.accept`."""
        if self.expected is not None:
            self._value = self._child if _same(value, self._child) else value
            self.expected = None
        return 0

    def so_far(self, child: Any) -> Any:
        """See `Frame.so_far`."""
        if self._value is not NOTHING or child is NOTHING:
            return self._value
        if not _same(child, self._child):
            self._child = child
        return self._child


class RawFrame(Frame):
    """Something of which several types are possible: the engine coerces all of it.

    Attributes:
        start: where in the text it begins.
        last: what was shown last.
        tags: the classes that it can be, by the text of a field that tells them: key to text to class.
    """

    __slots__ = ("_kind", "_size", "last", "start", "tags")

    def __init__(self, kind: SchemaType, tags: Mapping[str, Mapping[str, Shape]], start: int) -> None:
        """Begin a value of `kind` at `start`."""
        self.expected = None
        self._kind = kind
        self._size = 0
        self.start = start
        self.tags = tags
        self.last: Any = NOTHING

    @property
    def fits(self) -> bool:
        """See `Frame.fits`."""
        return not is_blank(self.last)

    def is_due(self, size: int) -> bool:
        """Whether it is worth the cost to coerce it again, now that it has `size` characters."""
        return size <= ALWAYS or size >= self._size * GROWTH

    def show(self, value: Any, size: int, coercion: Coercion) -> Any:
        """Return the value so far of the untyped `value`, read from `size` characters."""
        self._size = size
        shown = coerced(coercion, self._kind, value, is_whole=False)
        if shown is not NOTHING and not equal(shown, self.last) and (self.last is NOTHING or keeps(shown, self.last)):
            self.last = shown
        return self.last

    def finish(self, value: Any, coercion: Coercion) -> Any:
        """Return the finished value."""
        shown = coerced(coercion, self._kind, value, is_whole=True)
        if not equal(shown, self.last):
            self.last = shown
        return self.last


class OddFrame(Frame):
    """An object or array where the type has none: the engine may make something of it when it is complete."""

    __slots__ = ()

    @property
    def fits(self) -> bool:
        """See `Frame.fits`."""
        return False


SKIP: Final = Frame()
"""The frame of whatever is left out, or shown only when it is complete."""

ODD: Final = OddFrame()
"""The frame of an object or array where the type has none."""


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same one, or equal scalars. What holds others is not looked into."""
    return one is other or (type(one) is type(other) and type(one) in _SCALARS and one == other)
