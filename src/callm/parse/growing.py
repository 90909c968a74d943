"""A reader that knows the type of what it reads, so that the typed value is there at any time.

1. A finished value is coerced once, and never looked at again (`frames`).
2. Only what is open is rebuilt: one shallow copy for each level, so a delta costs the depth, not the size.
3. Where the type can't be told yet (a union of several classes, say) the engine coerces all of the open value, and ever
   more seldom the larger it is.
"""

from __future__ import annotations

from typing import Any, Final

from callm.parse.coerce import Coercion
from callm.parse.frames import ClassFrame, Frame, ListFrame, MapFrame, RawFrame, SkipFrame, WrapperFrame, fit, grows
from callm.parse.partial_value import NOTHING, coerced
from callm.parse.reader import Reader, bare
from callm.parse.tree import Open, show
from callm.schema.model import Schema, SchemaType

_UNTYPED: Final = (RawFrame, SkipFrame)


class GrowingReader(Reader):
    """A reader that knows the type of what it reads. `so_far()` is the typed value at any time."""

    def __init__(self, schema: Schema, wrapper: str | None) -> None:
        """Expect the schema's root, or an object that wraps it under the key `wrapper`."""
        super().__init__()
        self._schema = schema
        self._wrapper = wrapper
        self._coercion = Coercion(schema, streaming=True)
        self._frames: list[Frame] = []
        self._value: Any = NOTHING
        self._read = 0
        self._begun = 0
        self._shown = ""  # the unfinished string that was shown last
        self._growing: dict[int, bool] = {}
        self._raws = 0  # how many open frames are `RawFrame`s
        self.changed = False

    def feed(self, text: str) -> None:
        """See `Reader.feed`."""
        self._read += len(text)
        super().feed(text)

    @property
    def is_whole(self) -> bool:
        """Whether the value has ended."""
        return bool(self._done)

    def so_far(self) -> Any:
        """Return the value so far, or NOTHING."""
        self.changed = False
        if not self._frames:
            return self._value
        child, top = self._scalar_so_far(), len(self._frames) - 1
        for depth in range(top, -1, -1):
            frame = self._frames[depth]
            if type(frame) is RawFrame:
                child = frame.renew(self._open_value(depth), self._read - self._begun, self._coercion)
            else:
                child = frame.so_far(child)
        return child

    def _scalar_so_far(self) -> Any:
        """Return the open string where one is wanted and may be shown unfinished."""
        if self._stack[-1].place == "key":
            return NOTHING
        kind = self._frames[-1].wanted()
        if self._ended_if_nothing_comes():
            return NOTHING if kind is None else coerced(self._coercion, kind, bare("".join(self._pieces).strip()))
        if not self._grows(kind):
            return NOTHING
        if self._scalar == "":
            return "" if self._begins_string() else NOTHING
        if len(self._pieces) > 1:
            self._pieces[:] = ["".join(self._pieces)]
        value = self._open_scalar()
        value = value.value if type(value) is Open else value
        if not isinstance(value, str):
            return NOTHING
        self._shown = value
        return value

    def _ended_if_nothing_comes(self) -> bool:
        """Whether a comma stands behind a value without quotes: it ends it, unless a number goes on behind it."""
        return self._scalar == "bare" and self._buffer[self._at :] == ","

    def _begins_string(self) -> bool:
        return self._buffer[self._at :] in ('"', '""')

    def _open_value(self, depth: int) -> Any:
        """Return what the reader holds from `depth` on, untyped."""
        value: Any = self.values[-1]
        for _ in range(depth):
            value = _last(value.value if type(value) is Open else value)
        return value

    # -- what the reader tells

    def _run(self) -> None:
        before = self._at
        super()._run()
        if self.changed or not self._frames or self._done or self._scalar in ("//", "/*"):
            return
        if self._scalar == "":
            self.changed = self._begins_string() and self._shows_scalar()
        elif self._ended_if_nothing_comes():
            self.changed = True
        elif self._at > before:
            self.changed = self._shows_scalar()

    def _shows_scalar(self) -> bool:
        if self._raws:
            return True
        return self._stack[-1].place != "key" and self._grows(self._frames[-1].wanted())

    def _grows(self, kind: SchemaType | None) -> bool:
        if kind is None:
            return False
        known = self._growing.get(id(kind))
        if known is None:
            known = self._growing[id(kind)] = grows(self._schema, kind)
        return known

    def _push(self, frame: Any) -> bool:
        if not self._frames:
            self._begun = self._read - len(self._buffer) + self._at
        opened = super()._push(frame)
        new = self._frame_for(frame)
        parent = self._frames[-1] if self._frames else None
        if type(new) is SkipFrame and type(parent) is ClassFrame:
            parent.begin(self._schema)
        if type(parent) is not ClassFrame or type(new) not in (ListFrame, MapFrame) or parent.is_null:
            self.changed = True  # else an empty list or map takes the place of one
        self._frames.append(new)
        self._raws += type(new) is RawFrame
        return opened

    def _frame_for(self, frame: Any) -> Frame:
        is_object = hasattr(frame, "keys")
        if not self._frames:
            if is_object and self._wrapper is not None and fit(self._schema, self._schema.root, is_object=False):
                return WrapperFrame(self._schema.root, self._wrapper)
            kind: SchemaType | None = self._schema.root
        else:
            kind = self._frames[-1].wanted()
        if kind is None or kind.stream.done:
            return SkipFrame()
        return fit(self._schema, kind, is_object=is_object) or RawFrame(kind)

    def _put(self, value: Any) -> None:
        frame = self._frames[-1] if self._stack else None
        is_key = frame is not None and self._stack[-1].place == "key"
        super()._put(value)
        if frame is None:
            return
        if is_key:
            frame.key(value if isinstance(value, str) else show(value))
            return
        kind = frame.wanted()
        if kind is None:
            self.changed = self.changed or self._raws > 0
            return
        accepted = coerced(self._coercion, kind, value)
        frame.accept(accepted)
        if accepted is not NOTHING and not (accepted == self._shown and self._grows(kind)):
            self.changed = True
        self._shown = ""

    def _pop(self) -> bool:
        frame = self._frames.pop()
        self._raws -= type(frame) is RawFrame
        value = frame.so_far(NOTHING) if type(frame) not in _UNTYPED else NOTHING
        self._at += 1
        raw = self._stack.pop().value()
        if type(frame) is RawFrame:
            value = coerced(self._coercion, frame.kind, raw)
        if not self._stack:
            self.changed = self.changed or type(frame) in _UNTYPED
            self._value = value
            self._done.append(raw)
            return True
        parent = self._frames[-1]
        if type(frame) is SkipFrame and (kind := parent.wanted()) is not None:
            value = coerced(self._coercion, kind, raw)
        self.changed = self.changed or (type(frame) in _UNTYPED and value is not NOTHING)
        self._stack[-1].add(raw)
        parent.accept(value)
        return True


def _last(value: list[Any] | dict[str, Any]) -> Any:
    return value[-1] if isinstance(value, list) else list(value.values())[-1]
