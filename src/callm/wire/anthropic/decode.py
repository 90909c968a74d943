"""The frames of an answer to events: of a stream, or the one that is a whole body.

A frame's `data` names its type, as its `event` does. Nearly all frames are pieces of text, so these are decoded straight into
a struct; the few others are decoded again, as plain data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from callm.errors import APIError, CallmError, ProtocolError, quote
from callm.types import Event, TextDelta
from callm.wire.anthropic.answer import Answer, Delta
from callm.wire.api_error import error_from_payload
from callm.wire.codec import Target, truncated
from callm.wire.error_body import describe_body
from callm.wire.framing import BODY
from callm.wire.sse import ServerSentEvent
from callm.wire.untyped import NO_JSON, as_list, as_object

_Object: TypeAlias = dict[str, Any]


class _DeltaFrame(msgspec.Struct):
    type: str
    delta: Delta
    index: Any = None


_decode_delta: Final = msgspec.json.Decoder(_DeltaFrame).decode
_decode: Final = msgspec.json.Decoder().decode


class AnthropicFrames:
    """The server-sent events of one answer to events of ours. See `Frames`."""

    def __init__(self, target: Target) -> None:
        self.is_done = False
        self._target = target
        self._answer = Answer()

    def add(self, frame: ServerSentEvent, out: list[Event]) -> None:
        """See `Frames.add`."""
        try:
            piece = _decode_delta(frame.data)
        except NO_JSON:
            self._add_other(frame, out)
            return
        if piece.type != "content_block_delta":
            self._add_other(frame, out)
            return
        delta = piece.delta
        if delta.type == "text_delta" and type(delta.text) is str and delta.text:
            out.append(TextDelta(delta.text))
        else:
            self._answer.add(piece.index, delta, out)

    def close(self, out: list[Event]) -> None:
        """See `Frames.close`."""
        if self._target.quirks.marker_required or self._answer.stop_reason is None:
            raise truncated("anthropic", "message_stop")
        self._answer.finish(out)
        self.is_done = True

    def _add_other(self, frame: ServerSentEvent, out: list[Event]) -> None:
        try:
            event = as_object(_decode(frame.data))
        except NO_JSON as error:
            raise self._no_json(frame, error) from error
        if event is None:
            raise _malformed("is no object", frame)
        if frame.event == BODY:
            self._add_body(event, frame, out)
            return
        kind = event.get("type") or frame.event
        take = _TAKERS.get(kind) if isinstance(kind, str) else None
        if take is not None:
            take(self._answer, event, out)
            self.is_done = self._answer.is_done
        elif kind == "error" or event.get("error"):  # with any other type, it is a proxy's
            raise self._failed(event)

    def _add_body(self, message: _Object, frame: ServerSentEvent, out: list[Event]) -> None:
        if message.get("type") == "error" or message.get("error"):
            raise self._failed(message)
        content = as_list(message.get("content"))
        if content is None:
            raise _malformed("is no message", frame)
        self._answer.start(message, out)
        for index, block in enumerate(content):
            self._answer.open(index, _inner({"content block": block}, "content block"), out)
            self._answer.close(index, out)
        if self._answer.stop_reason is None:
            raise _malformed("has no stop_reason, so it is not whole", frame)
        self._answer.finish(out)
        self.is_done = True

    def _no_json(self, frame: ServerSentEvent, error: Exception) -> CallmError:
        if frame.event == "error":
            return self._failed({"message": frame.data})
        if frame.event == BODY and frame.data.lstrip().startswith("{") and "truncated" in str(error):
            return truncated("anthropic", "the end of its JSON")
        return _malformed("is no JSON", frame)

    def _failed(self, payload: _Object) -> APIError:
        return error_from_payload(payload, status=None, provider=self._target.provider, secret=self._target.api_key)


def _malformed(problem: str, frame: ServerSentEvent) -> ProtocolError:
    what = "the answer" if frame.event == BODY else "an event of the anthropic stream"
    shown = describe_body(frame.data.encode("utf-8", "replace"))
    return ProtocolError(f"{what} {problem}: {shown}", body=quote(frame.data))


def _start(answer: Answer, event: _Object, out: list[Event]) -> None:
    answer.start(_inner(event, "message"), out)


def _open(answer: Answer, event: _Object, out: list[Event]) -> None:
    answer.open(event.get("index"), _inner(event, "content_block"), out)


def _add(answer: Answer, event: _Object, out: list[Event]) -> None:
    answer.add(event.get("index"), msgspec.convert(_inner(event, "delta"), Delta), out)


def _close(answer: Answer, event: _Object, out: list[Event]) -> None:
    answer.close(event.get("index"), out)


def _report(answer: Answer, event: _Object, out: list[Event]) -> None:
    answer.report(as_object(event.get("delta")) or {}, event.get("usage"), out)


def _finish(answer: Answer, event: _Object, out: list[Event]) -> None:
    del event
    answer.finish(out)


_TAKERS: Final[Mapping[str, Callable[[Answer, _Object, list[Event]], None]]] = {
    "message_start": _start,
    "content_block_start": _open,
    "content_block_delta": _add,
    "content_block_stop": _close,
    "message_delta": _report,
    "message_stop": _finish,
}


def _inner(event: _Object, name: str) -> _Object:
    inner = as_object(event.get(name))
    if inner is None:
        raise ProtocolError(f"the anthropic answer holds something that is no object where its {name} should be")
    return inner
