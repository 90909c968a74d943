"""What a cache keeps of an answer: its events as they came, and when.

1. What belongs to the first call alone is left out: lines stood in, attempts that failed, and what came of those. Of the models
   that were selected the last one stays, for it answered. Cookies are left out, too.
2. Only a whole answer is kept: ended by its own marker, neither cut nor refused nor withheld, and of the declared type.
3. As bytes it is msgpack. What can't be read, or is of another version, is no entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from callm.errors import ConfigError, OutputError
from callm.types import (
    AttemptFailed,
    CacheHit,
    ChoiceEvent,
    Continued,
    Event,
    Finish,
    OutputSpec,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    Response,
    ResponseHeaders,
    ResponseStart,
    Restarted,
    Selected,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageReport,
    Waited,
)

FORMAT: Final = 1
"""The version of the format of entries."""

_PLAIN: Final = frozenset({TextDelta, ReasoningDelta, ReasoningEnd, ToolCallDelta, UsageReport, ResponseStart})
"""The types of event that are kept as they are and say nothing else: nearly all. Batches of them are not looked into."""

_TELLING: Final = frozenset({RefusalDelta, ToolCallStart, ToolCallEnd, ChoiceEvent, Continued, Finish})
"""The types of event that say whether an answer is whole."""

_COOKIE: Final = "set-cookie"
_WHOLE: Final = frozenset({"stop", "tool_calls"})


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An answer that may be played again.

    Attributes:
        version: that of the format.
        created: when it was given, in seconds since 1970.
        batches: its events, each batch with the seconds after which it came.
    """

    version: int
    created: float
    batches: list[tuple[float, list[Event]]]


class Recording:
    """An answer as it comes. `age` is how old it was, should it come from a cache itself."""

    __slots__ = ("_batches", "_begin", "_selected", "_telling", "_torn", "age")

    def __init__(self) -> None:
        self.age = 0.0
        self._begin = 0.0
        self._torn = False  # whether what is discarded had parts that stay: those before it was continued
        self._selected: Selected | None = None
        self._telling: list[Event] = []
        self._batches: list[tuple[float, list[Event]]] = []

    def add(self, offset: float, batch: Sequence[Event]) -> None:
        """Take a batch that came `offset` seconds after the question."""
        kept = list(batch) if _PLAIN.issuperset(map(type, batch)) else self._without_first_call(offset, batch)
        if kept:
            self._batches.append((max(0.0, offset - self._begin), kept))

    def _without_first_call(self, offset: float, batch: Sequence[Event]) -> list[Event]:
        kept: list[Event] = []
        for event in batch:
            kind = type(event)
            if kind in _PLAIN:
                kept.append(event)
            elif kind in _TELLING:
                self._telling.append(event)
                kept.append(event)
            elif not isinstance(event, ResponseHeaders):
                self._note(event, offset, kept)
            elif _COOKIE not in event.headers:
                kept.append(event)
            else:
                headers = {name: value for name, value in event.headers.items() if name != _COOKIE}
                kept.append(msgspec.structs.replace(event, headers=headers))
        return kept

    def _note(self, event: Event, offset: float, kept: list[Event]) -> None:
        """Take an event that is of the first call alone, or a rare one."""
        match event:
            case Selected():
                self._selected = event
            case Waited():
                self._begin += event.seconds
            case CacheHit():
                self.age = event.age
            case AttemptFailed() | Restarted():
                self._torn = self._torn or any(type(told) is Continued for told in self._telling)
                self._begin = max(self._begin, offset + getattr(event, "wait", 0.0))
                self._batches.clear()
                self._telling.clear()
                kept.clear()
            case _:
                kept.append(event)

    def entry(self, now: float, output: OutputSpec | None) -> Entry | None:
        """Return what is to be kept of the finished answer, or None if it must not be.

        Args:
            now: the seconds since 1970.
            output: the type that was asked for.
        """
        if self._torn or not self._is_whole(output):
            return None
        batches = self._batches
        if self._selected is not None:
            (offset, first), *rest = batches
            batches = [(offset, [self._selected, *first]), *rest]
        return Entry(FORMAT, now - self.age, batches)

    def _is_whole(self, output: OutputSpec | None) -> bool:
        if output is None and len(self._telling) == 1 and isinstance(finish := self._telling[0], Finish):
            return finish.reason in _WHOLE  # as nearly always: nothing to add up
        response = Response()
        for _, batch in self._batches:
            response.add(batch)
        if not (_is_whole(response) and all(map(_is_whole, response.choices.values()))):
            return False
        if output is not None:
            try:
                output.parse(response.text)
            except OutputError:
                return False
        return True


def _is_whole(response: Response) -> bool:
    return response.finish_reason in _WHOLE and not response.refusal and not response.incomplete_tool_calls


def dump(entry: Entry) -> bytes | None:
    """Return `entry` as bytes, or None if the provider sent something that can't be written."""
    try:
        return _encode(entry)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def load(data: bytes) -> Entry | None:
    """Return the entry that `data` holds, or None if it can't be read or is of another version."""
    try:
        entry = _decode(data)
    except (ValueError, RecursionError, ConfigError):  # msgspec's errors are ValueErrors; the last is our own types'
        return None
    return entry if entry.version == FORMAT and entry.batches else None


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Entry).decode
