"""What a well-behaved provider answers: OpenAI Chat Completions and Anthropic Messages, whole or as a stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final, Literal, TypeAlias, cast

import msgspec

Format: TypeAlias = Literal["openai_chat", "anthropic"]
Json: TypeAlias = dict[str, Any]

_CREATED: Final = 1790000000
_WORDS: Final = re.compile(r"\s*\S+|\s+$")
_ENCODE: Final = msgspec.json.encode

_ANTHROPIC_REASONS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_ERROR_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class Answer(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, repr_omit_defaults=True, forbid_unknown_fields=True
):
    """What the model says.

    Attributes:
        text: the answer's text; None repeats the last user message.
        deltas: into how many pieces a stream cuts the text; 0 sends it word by word.
        reasoning: visible thoughts that go before the text.
        tools: the calls the model makes: pairs of a name and the JSON text of the arguments.
        finish_reason: stop, length, tool_calls or content_filter; empty chooses by whether there are tool calls.
        input_tokens: as reported; None counts the words of the messages.
        output_tokens: as reported; None counts the pieces.
    """

    text: str | None = None
    deltas: int = 0
    reasoning: str = ""
    tools: tuple[tuple[str, str], ...] = ()
    finish_reason: Literal["", "stop", "length", "tool_calls", "content_filter"] = ""
    input_tokens: int | None = None
    output_tokens: int | None = None


class Script(msgspec.Struct, frozen=True):
    """An answer to one request, worked out.

    Attributes:
        pieces: the deltas of the text.
        reasoning: visible thoughts.
        tools: id, name and arguments of each call.
        finish_reason: one of those of `Answer`.
        usage: input and output tokens.
        model: as the request named it.
        report_usage: whether a stream of OpenAI's format reports usage.
    """

    pieces: list[str]
    reasoning: str
    tools: list[tuple[str, str, str]]
    finish_reason: str
    usage: tuple[int, int]
    model: str
    report_usage: bool

    @property
    def text(self) -> str:
        """All of the text."""
        return "".join(self.pieces)


def script(answer: Answer, request: Json) -> Script:
    """Work out what `answer` means for the JSON body of a request."""
    texts = _texts(request.get("messages"))
    text = answer.text if answer.text is not None else (texts or [""])[-1]
    pieces = _cut(text, answer.deltas)
    words = sum(len(said.split()) for said in texts)
    usage = (
        answer.input_tokens if answer.input_tokens is not None else words,
        answer.output_tokens if answer.output_tokens is not None else len(pieces) + len(answer.tools),
    )
    return Script(
        pieces,
        answer.reasoning,
        [(f"call_{number}", name, arguments) for number, (name, arguments) in enumerate(answer.tools)],
        answer.finish_reason or ("tool_calls" if answer.tools else "stop"),
        usage,
        str(request.get("model", "")),
        _field(request.get("stream_options"), "include_usage") is True,
    )


def whole(wire: Format, said: Script) -> bytes:
    """Return the body of an answer that is not streamed."""
    return _ENCODE((_openai_body if wire == "openai_chat" else _anthropic_body)(said))


def frames(wire: Format, said: Script) -> tuple[list[bytes], list[bytes]]:
    """Return the frames of a stream: those with content, and those that end it."""
    make: Callable[[Script], tuple[list[bytes], list[bytes]]] = (
        _openai_frames if wire == "openai_chat" else _anthropic_frames
    )
    return make(said)


def ping(wire: Format) -> bytes:
    """Return what keeps a stream alive without saying anything."""
    return b": ping\n\n" if wire == "openai_chat" else _named({"type": "ping"})


def error_body(wire: Format, status: int, error: Json | None = None) -> bytes:
    """Return the body of an error."""
    kind = _ERROR_TYPES.get(status, "api_error" if wire == "anthropic" else "server_error")
    default: Json = {"message": f"the server was told to answer {status}", "type": kind}
    if wire == "openai_chat":
        return _ENCODE({"error": {"param": None, "code": None, **default, **(error or {})}})
    return _ENCODE({"type": "error", "error": {**default, **(error or {})}, "request_id": "req_1"})


def error_frame(wire: Format, error: Json) -> bytes:
    """Return the frame of an error in the middle of a stream."""
    body = error_body(wire, 500, error)
    return b"data: %b\n\n" % body if wire == "openai_chat" else b"event: error\ndata: %b\n\n" % body


def _texts(messages: Any) -> list[str]:
    """Return the text of each message."""
    contents = [_field(message, "content") for message in _items(messages)]
    return [content if isinstance(content, str) else _joined(content) for content in contents]


def _joined(parts: Any) -> str:
    return "".join(str(_field(part, "text") or "") for part in _items(parts))


def _field(value: Any, name: str) -> Any:
    return cast("Json", value).get(name) if isinstance(value, dict) else None


def _items(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []  # type: ignore[redundant-cast]  # pyright needs it


def _cut(text: str, count: int) -> list[str]:
    if not count:
        return _WORDS.findall(text)
    edges = [len(text) * number // count for number in range(count + 1)]
    return [text[start:end] for start, end in pairwise(edges)]


def _openai_body(said: Script) -> Json:
    message: Json = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.reasoning:
        message["reasoning_content"] = said.reasoning
    if said.tools:
        message["tool_calls"] = [_openai_call(*tool) for tool in said.tools]
    choice: Json = {"index": 0, "message": message, "logprobs": None, "finish_reason": said.finish_reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": _CREATED,
        "model": said.model,
        "choices": [choice],
        "usage": _openai_usage(said),
    }


def _openai_usage(said: Script) -> Json:
    given, made = said.usage
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}


def _openai_call(identity: str, name: str, arguments: str) -> Json:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def _openai_frames(said: Script) -> tuple[list[bytes], list[bytes]]:
    def chunk(choices: Sequence[Json], usage: Json | None = None) -> bytes:
        body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": _CREATED, "model": said.model}
        return b"data: %b\n\n" % _ENCODE({**body, "choices": choices, "usage": usage})

    def delta(fields: Json, reason: str | None = None) -> bytes:
        return chunk([{"index": 0, "delta": fields, "logprobs": None, "finish_reason": reason}])

    content = [delta({"role": "assistant", "content": ""})]
    if said.reasoning:
        content.append(delta({"reasoning_content": said.reasoning}))
    content += [delta({"content": piece}) for piece in said.pieces]
    for index, (identity, name, arguments) in enumerate(said.tools):
        content.append(delta({"tool_calls": [{"index": index, **_openai_call(identity, name, "")}]}))
        content += [
            delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}) for piece in _cut(arguments, 2)
        ]
    end = [delta({}, said.finish_reason)]
    if said.report_usage:
        end.append(chunk([], _openai_usage(said)))
    return content, [*end, b"data: [DONE]\n\n"]


def _anthropic_body(said: Script) -> Json:
    content: list[Json] = []
    if said.reasoning:
        content.append({"type": "thinking", "thinking": said.reasoning, "signature": "c2lnbmVk"})
    if said.pieces:
        content.append({"type": "text", "text": said.text})
    content += [
        {"type": "tool_use", "id": identity, "name": name, "input": msgspec.json.decode(arguments)}
        for identity, name, arguments in said.tools
    ]
    return {
        **_anthropic_message(said),
        "content": content,
        "stop_reason": _ANTHROPIC_REASONS[said.finish_reason],
        "usage": {"input_tokens": said.usage[0], "output_tokens": said.usage[1]},
    }


def _anthropic_message(said: Script) -> Json:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": said.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": said.usage[0], "output_tokens": 1},
    }


def _anthropic_frames(said: Script) -> tuple[list[bytes], list[bytes]]:
    content = [_named({"type": "message_start", "message": _anthropic_message(said)})]
    blocks: list[tuple[Json, list[Json]]] = []
    if said.reasoning:
        thoughts: list[Json] = [{"type": "thinking_delta", "thinking": said.reasoning}]
        thoughts.append({"type": "signature_delta", "signature": "c2lnbmVk"})
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, thoughts))
    if said.pieces:
        blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in said.pieces]))
    for identity, name, arguments in said.tools:
        pieces: list[Json] = [{"type": "input_json_delta", "partial_json": piece} for piece in _cut(arguments, 2)]
        blocks.append(({"type": "tool_use", "id": identity, "name": name, "input": {}}, pieces))
    for index, (start, deltas) in enumerate(blocks):
        content.append(_named({"type": "content_block_start", "index": index, "content_block": start}))
        content += [_named({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas]
        content.append(_named({"type": "content_block_stop", "index": index}))
    reason = {"stop_reason": _ANTHROPIC_REASONS[said.finish_reason], "stop_sequence": None}
    end = {"type": "message_delta", "delta": reason, "usage": {"output_tokens": said.usage[1]}}
    return content, [_named(end), _named({"type": "message_stop"})]


def _named(event: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), _ENCODE(event))
