"""An answer as it is put together: what a stream and a whole body have in common.

1. A body's block is one that is whole when it begins, so both go through `open`, `add` and `close`.
2. Nothing is final before `finish`: the reason comes late, and a call whose arguments are no JSON is only then known to be
   cut (never to be run) or the model's mistake (to be shown).
3. What is not known here is skipped, as the API's versioning policy asks; a whole block that is not known is kept, to be
   sent back as it came (https://docs.anthropic.com/en/api/versioning).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from callm.errors import ProtocolError, quote
from callm.types import (
    Citation,
    Event,
    Finish,
    FinishReason,
    Metadata,
    Opaque,
    PartAdded,
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    ResponseStart,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageReport,
)
from callm.wire.anthropic.blocks import FORMAT
from callm.wire.anthropic.usage import Tokens
from callm.wire.untyped import NO_JSON, as_list, as_object, text

FINISH_REASONS: Final[Mapping[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
}
_METADATA: Final = (
    "stop_details",
    "container",
    "diagnostics",
    "service_tier",
    "speed",
    "inference_geo",
    "server_tool_use",
)


class Delta(msgspec.Struct):
    """A piece of a block. Only its shape is checked while decoding; its leaves are when they are used."""

    type: Any = None
    text: Any = None
    thinking: Any = None
    partial_json: Any = None
    signature: Any = None
    citation: Any = None


class _Block(msgspec.Struct):
    """A content block that has begun. `changed` says that a delta came which is not known here."""

    type: str
    wire: dict[str, Any]
    call: int | None = None
    arguments: list[str] = []
    signature: str = ""
    changed: bool = False


class Answer:
    """One answer so far. Every method appends the events it makes to `out`."""

    def __init__(self) -> None:
        self.is_done = False
        self.stop_reason: str | None = None
        self._stop_sequence: str | None = None
        self._explanation = ""
        self._tokens = Tokens()
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._doubtful: list[int] = []  # calls whose block is whole, but whose arguments are no JSON

    def start(self, message: Mapping[str, Any], out: list[Event]) -> None:
        """Take the head of the answer: its id, its model and what else is known."""
        out.append(ResponseStart(text(message, "id"), text(message, "model")))
        self.report(message, message.get("usage"), out)

    def report(self, facts: Mapping[str, Any], usage: Any, out: list[Event]) -> None:
        """Take facts beside the content; null and absent ones leave what was said before."""
        self.stop_reason = text(facts, "stop_reason") or self.stop_reason
        self._stop_sequence = text(facts, "stop_sequence") or self._stop_sequence
        if details := as_object(facts.get("stop_details")):
            self._explanation = text(details, "explanation")
        counts = as_object(usage) or {}
        known = {**facts, **counts}
        if fields := {name: known[name] for name in _METADATA if known.get(name) is not None}:
            out.append(Metadata(fields))
        if self._tokens.update(counts):
            out.append(UsageReport(self._tokens.usage))

    def open(self, index: Any, wire: dict[str, Any], out: list[Event]) -> None:
        """Take a block, with what of its content came with it."""
        if not isinstance(index, int):
            raise ProtocolError("the anthropic answer holds a content block without an index")
        block = self._blocks[index] = _Block(text(wire, "type"), wire)
        match block.type:
            case "text":
                self.add(index, Delta("text_delta", text=wire.get("text")), out)
                found = map(as_object, as_list(wire.get("citations")) or ())
                out += [Citation(citation) for citation in found if citation is not None]
            case "thinking":
                self.add(index, Delta("thinking_delta", thinking=wire.get("thinking")), out)
                block.signature = text(wire, "signature")
            case "redacted_thinking":
                out.append(PartAdded(Reasoning(redacted=text(wire, "data"), format=FORMAT)))
            case "tool_use":
                self._open_call(block, out)
            case _:
                pass

    def _open_call(self, block: _Block, out: list[Event]) -> None:
        call_id, name = text(block.wire, "id"), text(block.wire, "name")
        if not call_id or not name:
            raise ProtocolError("the anthropic answer holds a tool call without an id or a name")
        block.call, self._calls = self._calls, self._calls + 1
        out.append(ToolCallStart(block.call, call_id, name))

    def add(self, index: Any, delta: Delta, out: list[Event]) -> None:
        """Take the next piece of a block."""
        match delta.type:
            case "text_delta" if isinstance(delta.text, str):
                if delta.text:
                    out.append(TextDelta(delta.text))
            case "input_json_delta" if isinstance(delta.partial_json, str):
                self._add_arguments(index, delta.partial_json, out)
            case "thinking_delta" if isinstance(delta.thinking, str):
                if delta.thinking:
                    out.append(ReasoningDelta(delta.thinking))
            case "signature_delta" if isinstance(delta.signature, str):
                self._block(index).signature = delta.signature  # it comes once, whole: nothing to append to
            case "citations_delta" if citation := as_object(delta.citation):
                out.append(Citation(citation))
            case _:
                if (block := self._find(index)) is not None:
                    block.changed = True

    def _add_arguments(self, index: Any, piece: str, out: list[Event]) -> None:
        block = self._block(index)
        block.arguments.append(piece)
        if piece and block.call is not None:
            out.append(ToolCallDelta(block.call, piece))

    def close(self, index: Any, out: list[Event]) -> None:
        """Take the end of a block."""
        block = self._block(index)
        del self._blocks[index]
        arguments = "".join(block.arguments).strip()
        if block.type == "thinking":
            out.append(ReasoningEnd(block.signature or None, FORMAT))
        elif block.call is not None:
            self._close_call(block.call, arguments, block.wire.get("input"), out)
        elif block.type not in {"", "text", "redacted_thinking"} and not block.changed:
            self._keep(block.wire, arguments, out)

    def _close_call(self, call: int, arguments: str, whole: Any, out: list[Event]) -> None:
        try:
            if not arguments and whole:
                arguments = msgspec.json.encode(whole).decode()
                out.append(ToolCallDelta(call, arguments))
            msgspec.json.decode(arguments or "{}")
        except NO_JSON:
            self._doubtful.append(call)
        else:
            out.append(ToolCallEnd(call))

    def _keep(self, wire: dict[str, Any], arguments: str, out: list[Event]) -> None:
        """Keep a block that is the provider's own business, such as a search it made."""
        try:
            changed = {"input": msgspec.json.decode(arguments)} if arguments else {}
        except NO_JSON:
            return  # it was cut, and the provider would not take it back
        out.append(PartAdded(Opaque(FORMAT, wire | changed)))

    def _find(self, index: Any) -> _Block | None:
        return self._blocks.get(index) if isinstance(index, int) else None

    def _block(self, index: Any) -> _Block:
        block = self._find(index)
        if block is None:
            raise ProtocolError(f"the anthropic answer goes on with block {quote(repr(index), 20)}, which is not open")
        return block

    def finish(self, out: list[Event]) -> None:
        """Take the end of the answer."""
        reason: FinishReason = FINISH_REASONS.get(self.stop_reason or "", "other")
        if reason == "tool_calls":
            out += map(ToolCallEnd, self._doubtful)
        if reason == "refusal" and self._explanation:
            out.append(RefusalDelta(self._explanation))
        out.append(Finish(reason, self.stop_reason, self._stop_sequence))
        self.is_done = True
