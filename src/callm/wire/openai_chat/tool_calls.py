"""Tool calls from fragments, as carelessly as servers send them.

1. A new id that is not the current call's begins a call, whatever its index says (some servers always say 0, or nothing).
2. Without an id the index finds the call; without an index the fragment belongs to the call that was last.
3. A name in a later fragment is a repetition, unless the arguments so far are whole: then it is the next call.
4. A call is announced when its first arguments come, so a name that comes in pieces is whole by then.
5. Calls end when the answer does, and not at all if it was cut: what was begun only looks like a call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from callm.types import Event, ToolCallDelta, ToolCallEnd, ToolCallStart
from callm.wire.untyped import NO_JSON, as_object

_KNOWN: Final = frozenset({"index", "id", "type", "function", "custom", "name", "arguments", "input"})
_MINTED: Final = 9  # Mistral takes back ids of nine letters and digits, and nothing else


class _Call:
    def __init__(self, number: int, index: int | None) -> None:
        self.number = number
        self.index = index
        self.id = ""
        self.name = ""
        self.pieces: list[str] = []
        self.started = False
        self.extra: dict[str, Any] = {}

    def goes_on_with(self, name: str) -> bool:
        """Whether a fragment with this name can be of this call: it repeats the name in the middle of the arguments."""
        if not name or not self.started:
            return True
        return name == self.name and not _is_json("".join(self.pieces))


class _Fragment(msgspec.Struct):
    id: str
    index: int | None
    name: str
    arguments: str
    extra: dict[str, Any]


class ToolCalls:
    """The tool calls of one choice."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, data: Mapping[str, Any], seed: str, out: list[Event]) -> None:
        """Take one entry of `tool_calls`; `seed` is what an id is made from where the server gives none."""
        fragment = _read(data)
        if fragment is None:
            return
        call = self._find(fragment) or self._new(fragment.index)
        call.id = call.id or fragment.id
        call.extra.update(fragment.extra)
        if not call.started and fragment.name != call.name:
            call.name += fragment.name
        if fragment.arguments:
            call.pieces.append(fragment.arguments)
            if call.started:
                out.append(ToolCallDelta(call.number, fragment.arguments))
            elif call.name:
                _start(call, seed, out)

    def end(self, seed: str, out: list[Event], *, complete: bool) -> None:
        """Announce the calls that had no arguments, and end all of them if the answer is `complete`."""
        for call in self._calls:
            if not call.started:
                _start(call, seed, out)
            if complete:
                out.append(ToolCallEnd(call.number, call.extra))

    def _new(self, index: int | None) -> _Call:
        call = _Call(len(self._calls), index)
        self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        return call

    def _find(self, fragment: _Fragment) -> _Call | None:
        """Return the call that `fragment` continues, or None if it begins one."""
        current = self._current(fragment.index)
        if fragment.id:
            return self._find_by_id(fragment, current)
        if current is None:
            return self._calls[-1] if self._calls and not fragment.name else None
        return current if current.goes_on_with(fragment.name) else None

    def _find_by_id(self, fragment: _Fragment, current: _Call | None) -> _Call | None:
        for call in reversed(self._calls):
            moved = None not in (fragment.index, call.index) and fragment.index != call.index
            if call.id == fragment.id and not (moved and fragment.name):
                return call
        is_late = current is not None and not current.id and current.goes_on_with(fragment.name)
        return current if is_late else None

    def _current(self, index: int | None) -> _Call | None:
        if index is not None:
            return self._by_index.get(index)
        return self._calls[-1] if self._calls else None


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except NO_JSON:
        return False
    return True


def _start(call: _Call, seed: str, out: list[Event]) -> None:
    call.started = True
    out.append(ToolCallStart(call.number, call.id or _mint(seed, call.number), call.name))
    if call.pieces:
        out.append(ToolCallDelta(call.number, "".join(call.pieces)))


def _mint(seed: str, number: int) -> str:
    return hashlib.blake2s(f"{seed}/{number}".encode("utf-8", "replace")).hexdigest()[:_MINTED]


def _read(data: Mapping[str, Any]) -> _Fragment | None:
    """Return a fragment's fields, or None if it says nothing."""
    body = as_object(data.get("function")) or as_object(data.get("custom")) or data
    index = data.get("index")
    fragment = _Fragment(
        id=_text(data.get("id")),
        index=index if isinstance(index, int) and not isinstance(index, bool) else None,
        name=_text(body.get("name")),
        arguments=_arguments(body.get("arguments", body.get("input"))),
        extra={name: value for name, value in data.items() if name not in _KNOWN and value is not None},
    )
    return fragment if fragment.id or fragment.name or fragment.arguments else None


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _arguments(value: Any) -> str:
    """Return the arguments as text: some servers send them as an object."""
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.encode(value).decode()
