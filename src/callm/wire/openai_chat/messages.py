"""Our messages to those of the Chat Completions format."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from callm.errors import UnsupportedError
from callm.types import Audio, File, Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from callm.wire.codec import Quirks
from callm.wire.openai_chat.reasoning import DETAILS, FORMAT

_AUDIO_FORMATS: Final = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}
_INSTRUCTIONS: Final = frozenset({"system", "developer"})
_FILE_NAMES: Final = {"application/pdf": "document.pdf"}


def encode_messages(
    messages: Iterable[Message], quirks: Quirks, custom: frozenset[str], notices: list[str]
) -> list[dict[str, Any]]:
    """Return the wire messages.

    Args:
        messages: the conversation.
        quirks: where the vendor differs.
        custom: the names of the tools whose input is free text.
        notices: takes what could not be sent, in words.
    """
    wire: list[dict[str, Any]] = []
    for message in messages:
        if (text := _only_text(message)) is not None:
            wire.append({"role": quirks.system if message.role in _INSTRUCTIONS else message.role, "content": text})
        elif message.role == "assistant":
            wire.append(_assistant(message, quirks, custom, notices))
        elif message.role in _INSTRUCTIONS:
            wire.append(_turn(message, quirks.system, _content(message.parts, message.role, notices)))
        else:
            wire += _user(message, notices)
    return wire


def _only_text(message: Message) -> str | None:
    """Return the text of a message that is nothing else, as most are."""
    parts = message.parts
    if len(parts) != 1 or message.name is not None or message.extra or message.role == "tool":
        return None
    part = parts[0]
    return part.text if type(part) is Text and not part.extra else None


def _turn(message: Message, role: str, content: Any) -> dict[str, Any]:
    name = {"name": message.name} if message.name is not None else {}
    return {"role": role, "content": content, **name, **message.extra}


def _user(message: Message, notices: list[str]) -> list[dict[str, Any]]:
    """Return one message for each tool result, then one for the rest: the format has no tool results in user turns."""
    results = [part for part in message.parts if isinstance(part, ToolResult)]
    rest = [part for part in message.parts if not isinstance(part, ToolResult)]
    extra = message.extra if message.role == "tool" else {}
    wire = [{**_tool_result(result), **extra, **result.extra} for result in results]
    if message.role == "tool" and rest:
        raise UnsupportedError(f"a tool message has a part of type {_name(rest[0])}: it takes ToolResult parts only")
    if message.role == "user" and (rest or not results):
        wire.append(_turn(message, "user", _content(rest, "user", notices)))
    return wire


def _tool_result(result: ToolResult) -> dict[str, Any]:
    if isinstance(result.content, str):
        content: Any = result.content
    else:
        for part in result.content:
            if not isinstance(part, Text):
                raise UnsupportedError(
                    f"a tool result has a part of type {_name(part)}, which Chat Completions can't take there: "
                    "answer the call with text and send the part in a user message after it"
                )
        content = _content(result.content, "tool", [])
    if result.is_error:  # the format has no mark for it
        content = f"Error: {result.text}"
    return {"role": "tool", "tool_call_id": result.id, "content": content}


def _assistant(message: Message, quirks: Quirks, custom: frozenset[str], notices: list[str]) -> dict[str, Any]:
    calls = [_tool_call(part, custom) for part in message.parts if isinstance(part, ToolCall)]
    thoughts = _own_thoughts(message.parts, notices)
    rest = [part for part in message.parts if not isinstance(part, ToolCall | Reasoning)]
    content = _content(rest, "assistant", notices) if rest else None if calls else ""
    if quirks.echo_reasoning == "content" and thoughts:  # Mistral
        texts = [{"type": "text", "text": content}] if isinstance(content, str) and content else content or []
        content = [*map(_thinking_part, thoughts), *texts]
    echo = _echo(thoughts, quirks.echo_reasoning)
    tool_calls = {"tool_calls": calls} if calls else {}
    return {**_turn(message, "assistant", content), **echo, **tool_calls, **message.extra}


def _own_thoughts(parts: Sequence[Part], notices: list[str]) -> list[Reasoning]:
    """Return the thoughts that this format may send back; those that another format sealed mean nothing here."""
    thoughts = [part for part in parts if isinstance(part, Reasoning)]
    for part in thoughts:
        if part.format not in {"", FORMAT}:
            _notice(notices, f"reasoning made by the format {part.format} was left out: Chat Completions can't take it")
    return [part for part in thoughts if part.format in {"", FORMAT}]


def _echo(thoughts: list[Reasoning], field: str | None) -> dict[str, Any]:
    text = "".join(part.text for part in thoughts)
    details = [detail for part in thoughts for detail in part.extra.get(DETAILS, ())]
    if field == DETAILS:
        return {DETAILS: details} if details else {"reasoning": text} if text else {}
    return {field: text} if field is not None and field != "content" and text else {}


def _thinking_part(part: Reasoning) -> dict[str, Any]:
    signature = {"signature": part.signature} if part.signature is not None else {}
    return {"type": "thinking", "thinking": [{"type": "text", "text": part.text}], **signature}


def _tool_call(call: ToolCall, custom: frozenset[str]) -> dict[str, Any]:
    if call.name in custom:
        body: dict[str, Any] = {"type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    else:
        body = {"type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    return {"id": call.id, **body, **call.extra}


def _content(parts: Sequence[Part], role: str, notices: list[str]) -> str | list[dict[str, Any]]:
    """Return a plain text as a string, which every server takes, and all else as a list of parts."""
    match parts:
        case []:
            return ""
        case [Text(text=text, extra=extra)] if not extra:
            return text
        case _:
            return [wire for part in parts if (wire := _part(part, role, notices)) is not None]


def _part(part: Part, role: str, notices: list[str]) -> dict[str, Any] | None:
    match part:
        case Text():
            return {"type": "text", "text": part.text, **part.extra}
        case Opaque() if part.format == FORMAT:
            return part.block
        case Opaque() | Reasoning():
            what = f"{_name(part)} of the format {part.format or 'unknown'}"
            _notice(notices, f"a part of type {what} was left out: Chat Completions can't take it in a {role} message")
            return None
        case Image() | Audio() | File() if role == "user":
            return {**_MEDIA[type(part)](part), **part.extra}
        case _:
            raise UnsupportedError(
                f"a {role} message has a part of type {_name(part)}, which Chat Completions takes only in "
                f"{'assistant' if isinstance(part, ToolCall) else 'user'} messages: move it there"
            )


def _image(part: Image) -> dict[str, Any]:
    if part.file_id is not None:
        raise UnsupportedError("an Image has file_id=, which Chat Completions can't take: use data= or url=")
    detail = {"detail": part.detail} if part.detail is not None else {}
    return {"type": "image_url", "image_url": {"url": part.url or _data_url(part), **detail}}


def _audio(part: Audio) -> dict[str, Any]:
    if part.data is None:
        raise UnsupportedError("an Audio has url= or file_id=, which Chat Completions can't take: use data=")
    name = _AUDIO_FORMATS.get(part.media_type or "")
    if name is None:
        raise UnsupportedError(f"an Audio is {part.media_type}, but Chat Completions takes WAV and MP3: convert it")
    return {"type": "input_audio", "input_audio": {"data": _base64(part.data), "format": name}}


def _file(part: File) -> dict[str, Any]:
    if part.url is not None:
        raise UnsupportedError("a File has url=, which Chat Completions can't take: download it and pass data=")
    if part.file_id is not None:
        return {"type": "file", "file": {"file_id": part.file_id}}
    name = part.name or _FILE_NAMES.get(part.media_type or "", "document")
    return {"type": "file", "file": {"filename": name, "file_data": _data_url(part)}}


_MEDIA: Final[Mapping[type[Part], Callable[[Any], dict[str, Any]]]] = {Image: _image, Audio: _audio, File: _file}


def _data_url(part: Image | File) -> str:
    return f"data:{part.media_type};base64,{_base64(part.data or b'')}"


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


def _notice(notices: list[str], text: str) -> None:
    if text not in notices:
        notices.append(text)


def _name(part: object) -> str:
    return type(part).__name__


def add_text(messages: list[dict[str, Any]], text: str) -> None:
    """Add `text` to the end of the last user message, or as one if there is none."""
    last = next((message for message in reversed(messages) if message["role"] == "user"), None)
    if last is None:
        messages.append({"role": "user", "content": text})
    elif isinstance(last["content"], str):
        last["content"] = f"{last['content']}\n\n{text}" if last["content"] else text
    else:
        last["content"] = [*last["content"], {"type": "text", "text": text}]
