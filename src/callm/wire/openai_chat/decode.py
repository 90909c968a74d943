"""Answers of the Chat Completions format to events: streams and whole bodies.

1. Nearly every frame is one more piece of text or thought of the only choice: it takes the short way through `add`.
2. Everything else is read as plain JSON, by the rules that servers keep in practice: no field is sure to be there.
3. A finish reason is held until `[DONE]` or the end of the bytes, for the usage comes after it.
4. An end without a finish reason is a truncated stream, whether `[DONE]` came or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from callm.errors import APIError, ProtocolError, describe_type, quote
from callm.types import (
    ChoiceEvent,
    Event,
    Finish,
    Metadata,
    ReasoningDelta,
    ResponseStart,
    TextDelta,
    Usage,
    UsageReport,
)
from callm.wire.api_error import error_from_payload
from callm.wire.codec import Target, truncated
from callm.wire.error_body import describe_body
from callm.wire.framing import BODY
from callm.wire.openai_chat.choice import Choice
from callm.wire.openai_chat.reasoning import FORMAT
from callm.wire.openai_chat.usage import read_facts, read_usage
from callm.wire.openai_chat.whole import FACTS, read_whole
from callm.wire.sse import ServerSentEvent
from callm.wire.untyped import NO_JSON, as_object, count, objects, text

_FACTS: Final = frozenset(FACTS)
_NO_ERROR: Final = frozenset({"choices", "usage", "id", "model", "created", "system_fingerprint", "service_tier"})
_ERROR_TEXTS: Final = ("message", "detail", "errors")


class _Delta(msgspec.Struct, gc=False):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: Any = None
    refusal: Any = None
    thinking: Any = None
    reasoning_details: Any = None
    function_call: Any = None
    audio: Any = None
    annotations: Any = None


class _Entry(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    index: Any = 0
    finish_reason: Any = None
    logprobs: Any = None
    content_filter_results: Any = None
    error: Any = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Entry] | None = None
    usage: Any = None
    error: Any = None
    x_groq: Any = None


_NO_START: Final = ResponseStart()
_NO_USAGE: Final = Usage()
_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_any = msgspec.json.Decoder().decode


class ChatFrames:
    """The frames of one answer to events."""

    def __init__(self, target: Target) -> None:
        self.is_done = False
        self._target = target
        self._first = Choice()
        self._choices: dict[int, Choice] = {}
        self._start = _NO_START
        self._facts: dict[str, Any] = {}
        self._usage = _NO_USAGE
        self._seed = ""

    def add(self, frame: ServerSentEvent, out: list[Event]) -> None:
        """Append the events of `frame` to `out`.

        Raises:
            APIError: the frame holds an error of the provider.
            ProtocolError: the frame is not of this format.
            TruncatedStream: the frame ends the stream, and no finish reason came before it.
        """
        if frame.event == BODY:
            self._add_body(frame, out)
            return
        try:
            chunk = _decode_chunk(frame.data)
        except NO_JSON:
            self._add_other(frame, out)
            return
        delta = _only_delta(chunk, self._first)
        if delta is None or not self._choices or not self._add_delta(delta, out):
            self._add_other(frame, out)

    def _add_body(self, frame: ServerSentEvent, out: list[Event]) -> None:
        events = read_whole(frame.data)
        if events is None:
            self._add_other(frame, out)
            return
        out += events
        self.is_done = True

    def _add_delta(self, delta: _Delta, out: list[Event]) -> bool:
        """Take the short way, if what came is the same kind of thing that came last."""
        content, thought, calls = delta.content, delta.reasoning_content or delta.reasoning, delta.tool_calls
        if thought or self._first.thinking:
            same = thought == (delta.reasoning or thought)
            if not same or content or calls or type(thought) is not str or not self._first.thinking:
                return False
            out.append(ReasoningDelta(thought))
        elif calls and not content:
            self._first.add_calls(calls, self._seed, out)
        elif content and not calls and type(content) is str:
            out.append(TextDelta(content))
        else:
            return False
        return True

    def close(self, out: list[Event]) -> None:
        """Append the events that only the end makes certain.

        Raises:
            TruncatedStream: no finish reason came.
        """
        self._finish(out)

    def _add_other(self, frame: ServerSentEvent, out: list[Event]) -> None:
        data = frame.data.strip()
        whole = frame.event == BODY
        if data.startswith("[DONE]"):
            self._finish(out)
        elif data or whole:
            payload = _parse(data, whole=whole, is_error=frame.event == "error")
            self._take(payload, out, whole=whole)
            self._check(payload, out, is_error=frame.event == "error")
            if whole:
                self._finish(out)

    def _take(self, payload: dict[str, Any], out: list[Event], *, whole: bool) -> None:
        self._add_start(payload, out)
        for entry in objects(payload.get("choices")):
            if index := count(entry, "index"):
                events: list[Event] = []
                self._choice(index).add(entry, f"{self._seed}/{index}", events, whole=whole)
                out += [ChoiceEvent(index, event) for event in events]
            else:
                self._choice(0).add(entry, self._seed, out, whole=whole)
        self._add_usage(payload, out)

    def _choice(self, index: int) -> Choice:
        if index not in self._choices:
            self._choices[index] = Choice() if index else self._first
        return self._choices[index]

    def _add_start(self, payload: Mapping[str, Any], out: list[Event]) -> None:
        id_ = text(payload, "id")
        start = ResponseStart(self._start.id or id_, self._start.model or text(payload, "model"))
        if start != self._start:
            self._start = start
            out.append(start)
        self._seed = self._seed or id_ or str(payload.get("created") or "")
        self._add_facts({name: value for name, value in payload.items() if name in _FACTS}, out)

    def _add_facts(self, facts: dict[str, Any], out: list[Event]) -> None:
        told = self._facts
        if news := {name: value for name, value in facts.items() if value is not None and told.get(name) != value}:
            told.update(news)
            out.append(Metadata(news))

    def _add_usage(self, payload: Mapping[str, Any], out: list[Event]) -> None:
        data = as_object(payload.get("usage")) or as_object((as_object(payload.get("x_groq")) or {}).get("usage"))
        if data is None:
            return
        usage = read_usage(data)
        if usage != self._usage:  # every report is of the whole: the last one counts
            self._usage = usage
            out.append(UsageReport(usage))
        self._add_facts(read_facts(data), out)

    def _check(self, payload: Mapping[str, Any], out: list[Event], *, is_error: bool) -> None:
        """Raise the error that `payload` holds, if one; a finish reason that says the same comes before it."""
        error = self._error(payload, is_error=is_error)
        if error is None:
            return
        if self._first.native is not None and self._first.reason == "error":
            out.append(Finish("error", self._first.native))
        raise error

    def _error(self, payload: Mapping[str, Any], *, is_error: bool) -> APIError | None:
        if payload.get("error") or is_error or _is_flat_error(payload):
            return self._api_error({name: value for name, value in payload.items() if name not in _NO_ERROR})
        groq = as_object(payload.get("x_groq"))
        if groq and groq.get("error"):  # why Groq stopped
            return self._api_error({"error": groq["error"]})
        for choice in self._choices.values():
            if choice.error:
                return self._api_error({"error": choice.error})
            if choice.native is not None and choice.reason == "error":
                error = self._api_error({"message": choice.native, "code": choice.native})
                error.add_note("the provider gave this as the finish_reason of the answer, without more words")
                return error
        return None

    def _api_error(self, payload: dict[str, Any]) -> APIError:
        return error_from_payload(payload, status=None, provider=self._target.provider, secret=self._target.api_key)

    def _finish(self, out: list[Event]) -> None:
        choices = sorted(self._choices.items(), reverse=True)
        open_ended = 0 not in self._choices or any(choice.native is None for _, choice in choices)
        if open_ended and (self._target.quirks.marker_required or not choices):
            raise truncated(FORMAT, "a finish_reason")
        for index, choice in choices:
            if index:
                events: list[Event] = []
                end = choice.finish(f"{self._seed}/{index}", events)
                out += [ChoiceEvent(index, event) for event in (*events, end)]
            else:
                out.append(choice.finish(self._seed, out))
        self.is_done = True


def _only_delta(chunk: _Chunk, first: Choice) -> _Delta | None:
    """Return the delta of a chunk that holds nothing but some text, thought or tool call of the first choice."""
    choices = chunk.choices
    if not choices or len(choices) != 1 or chunk.usage or chunk.error or chunk.x_groq:
        return None
    entry = choices[0]
    if entry.finish_reason or entry.index != 0 or entry.logprobs or entry.error:
        return None
    delta, filters = entry.delta, entry.content_filter_results
    if delta is None or (filters and filters != first.facts.get("content_filter_results")):
        return None
    rare = (
        delta.refusal
        or delta.thinking
        or delta.reasoning_details
        or delta.function_call
        or delta.audio
        or delta.annotations
    )
    return None if rare else delta


def _parse(data: str, *, whole: bool, is_error: bool) -> dict[str, Any]:
    try:
        payload = _decode_any(data)
    except NO_JSON as error:
        if is_error:
            return {"message": data}
        raise _no_json(data, whole=whole) from error
    wrapped = next((item for item in objects(payload)[:1] if "error" in item), None)
    answer = wrapped or as_object(payload)
    if answer is None and is_error:
        return {"message": data}
    if answer is None:
        raise ProtocolError(f"expected a JSON object, not {describe_type(payload)}: {quote(data)}", body=quote(data))
    if whole and "choices" not in answer and not answer.get("error") and not _is_flat_error(answer):
        raise ProtocolError(f"the answer is JSON without choices: {quote(data)}", body=quote(data))
    return answer


def _no_json(data: str, *, whole: bool) -> ProtocolError:
    what = "the answer is no JSON" if whole else "a chunk of the stream is no JSON"
    return ProtocolError(f"{what}: {describe_body(data.encode('utf-8', 'replace'))}", body=quote(data))


def _is_flat_error(payload: Mapping[str, Any]) -> bool:
    """Return whether the payload itself is an error: `{"object": "error", "message"}`, `{"detail"}`."""
    if "choices" in payload:
        return False
    return payload.get("object") == "error" or any(payload.get(name) for name in _ERROR_TEXTS)
