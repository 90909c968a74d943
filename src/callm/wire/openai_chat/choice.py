"""One choice of an answer: deltas, or the whole message, to events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from callm.types import (
    AudioDelta,
    Citation,
    Event,
    Finish,
    FinishReason,
    LogProbs,
    Metadata,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
)
from callm.wire.openai_chat.reasoning import DETAILS, FORMAT, merge_details, read_text, read_thoughts
from callm.wire.openai_chat.tool_calls import ToolCalls
from callm.wire.untyped import as_list, as_object, objects, text

FINISH_REASONS: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",  # Together
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",  # Cohere
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",  # Mistral: the context window
    "max_len": "length",  # xAI
    "max_context": "length",  # xAI
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "refusal": "refusal",
    "error": "error",
    "abort": "error",  # vLLM
    "time_limit": "error",  # xAI
    "insufficient_system_resource": "error",  # DeepSeek
}
"""The servers' words, in lower case, to ours."""

_CUT: Final = frozenset({"length", "content_filter", "error"})
"""How an answer ends that is not whole: its last tool call may be cut, and none of them may be run."""

_FACTS: Final = frozenset({"native_finish_reason", "content_filter_results", "content_filter_offsets"})


class Choice:
    """The state of one choice, fed with the entries of `choices` that have its index."""

    def __init__(self) -> None:
        self.native: str | None = None
        """The last finish reason that the server gave."""
        self.error: Any = None
        """What the entry itself says went wrong (OpenRouter)."""
        self.thinking = False
        """Whether thoughts came that no `ReasoningEnd` has closed."""
        self.facts: dict[str, Any] = {}
        """The last value of each fact beside the answer."""
        self._calls = ToolCalls()
        self._details: list[dict[str, Any]] = []
        self._signature: str | None = None
        self._refused = False
        self._matched: str | None = None

    def add(self, entry: Mapping[str, Any], seed: str, out: list[Event], *, whole: bool) -> None:
        """Take one entry: its message if the answer is `whole`, else its delta."""
        message = as_object(entry.get("message")) if whole else None
        message = message or as_object(entry.get("delta"))
        if message is None:
            message = {"content": entry.get("text")}  # the older completions form, still seen at Together
        self._add_thoughts(message, out, whole=whole)
        self._add_content(message.get("content"), out)
        if refusal := text(message, "refusal"):
            self._refused = True
            out.append(RefusalDelta(refusal))
        if calls := message.get("tool_calls") or message.get("function_call"):
            self.add_calls([calls] if as_object(calls) else calls, seed, out)
        if audio := as_object(message.get("audio")):
            _add_audio(audio, out)
        out += map(Citation, objects(message.get("annotations")))
        self.error = entry.get("error") or self.error
        self._add_end(entry)
        self._add_facts(entry, out)

    def add_calls(self, fragments: Any, seed: str, out: list[Event]) -> None:
        """Take the `tool_calls` of a delta."""
        for fragment in objects(fragments):
            self._end_thoughts(out)
            self._calls.add(fragment, seed, out)

    def finish(self, seed: str, out: list[Event]) -> Finish:
        """Append what the end of the answer makes certain, and return its end."""
        reason = self.reason
        self._end_thoughts(out, final=True)
        self._calls.end(seed, out, complete=reason not in _CUT)
        if reason == "stop" and self._refused:
            reason = "refusal"
        elif reason == "stop" and self._calls:
            reason = "tool_calls"
        return Finish(reason, self.native, self._matched)

    @property
    def reason(self) -> FinishReason:
        """Why the answer ended, in our words."""
        return "stop" if self.native is None else FINISH_REASONS.get(self.native.lower(), "other")

    def _add_thoughts(self, message: Mapping[str, Any], out: list[Event], *, whole: bool) -> None:
        if DETAILS in message:
            merge_details(self._details, message[DETAILS])
        self._think(read_thoughts(message), out)
        if whole:
            self._end_thoughts(out, final=True)

    def _think(self, thought: str, out: list[Event]) -> None:
        if thought:
            self.thinking = True
            out.append(ReasoningDelta(thought))

    def _end_thoughts(self, out: list[Event], *, final: bool = False) -> None:
        """Close the thoughts. Their details may still come after the text has begun: they go with the last end."""
        extra = {DETAILS: self._details} if final and self._details else {}
        if self.thinking or extra:
            out.append(ReasoningEnd(self._signature, FORMAT, extra=extra))
            self.thinking, self._signature = False, None
        if final:
            self._details = []

    def _add_content(self, content: Any, out: list[Event]) -> None:
        if isinstance(content, str) and content:
            self._end_thoughts(out)
            out.append(TextDelta(content))
        for part in objects(content):
            self._add_part(part, out)

    def _add_part(self, part: dict[str, Any], out: list[Event]) -> None:
        """Take a part of a content that is a list (Mistral)."""
        match part.get("type"):
            case "thinking":
                self._think(read_text(part.get("thinking")), out)
                self._signature = text(part, "signature") or self._signature
                if part.get("closed") is True:
                    self._end_thoughts(out)
            case "reference":
                out.append(Citation(part))
            case _:
                self._add_content(part.get("text"), out)

    def _add_end(self, entry: Mapping[str, Any]) -> None:
        self.native = text(entry, "finish_reason") or self.native
        self._matched = text(entry, "stop_reason") or self._matched  # vLLM: the stop text

    def _add_facts(self, entry: Mapping[str, Any], out: list[Event]) -> None:
        if tokens := _log_probs(as_object(entry.get("logprobs"))):
            out.append(LogProbs(tokens))
        told = self.facts
        if facts := {
            name: value for name, value in entry.items() if name in _FACTS and value and value != told.get(name)
        }:
            self.facts.update(facts)
            out.append(Metadata(facts))


def _add_audio(audio: Mapping[str, Any], out: list[Event]) -> None:
    data, transcript, id_ = (text(audio, name) for name in ("data", "transcript", "id"))
    if data or transcript or id_:
        out.append(AudioDelta(data, transcript, id_ or None))
    if audio.get("expires_at"):
        out.append(Metadata({"audio_expires_at": audio["expires_at"]}))


def _log_probs(log_probs: dict[str, Any] | None) -> list[Any]:
    """Return the tokens of a `logprobs` object; one of another shape than OpenAI's comes whole."""
    if not log_probs:
        return []
    if "content" not in log_probs and "refusal" not in log_probs:
        return [log_probs]
    return [*(as_list(log_probs.get("content")) or ()), *(as_list(log_probs.get("refusal")) or ())]
