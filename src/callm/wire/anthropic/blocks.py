"""One part of a message to one content block. What the format has no place for raises or leaves a notice."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from callm.errors import ConfigError, OutputError, UnsupportedError
from callm.types import File, Image, Opaque, Part, Reasoning, Text, ToolCall, ToolResult

FORMAT: Final = "anthropic"

Block: TypeAlias = dict[str, Any]
Notices: TypeAlias = dict[str, None]
"""What the provider could not be given, each once, in order."""

_Table: TypeAlias = Mapping[type, Callable[[Any, Notices], Block | None]]

_IMAGE_TYPES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")


def user_block(part: Part, notices: Notices) -> Block | None:
    """Return the block of a user's part, or None if it is left out.

    Raises:
        ConfigError: a user's turn has no place for it.
    """
    return _block(part, "user", _USER, notices)


def assistant_block(part: Part, notices: Notices) -> Block | None:
    """Return the block of a part that the model said, or None if it is left out.

    Raises:
        ConfigError: the model's turn has no place for it.
    """
    return _block(part, "assistant", _ASSISTANT, notices)


def text_block(part: Text, notices: Notices) -> Block | None:
    """Return the block of a text; the API refuses empty ones, so they are left out."""
    del notices
    return {"type": "text", "text": part.text, **part.extra} if part.text else None


def _block(part: Part, role: str, table: _Table, notices: Notices) -> Block | None:
    make = table.get(type(part))
    if make is None:
        raise UnsupportedError(
            f"the anthropic format has no place for a part of type {type(part).__name__} in a message of role {role}"
        )
    return make(part, notices)


def _image(part: Image, notices: Notices) -> Block:
    if part.detail is not None:
        notices["the detail of an image was left out: the anthropic format has no place for it"] = None
    if part.data is not None and part.media_type not in _IMAGE_TYPES:
        raise UnsupportedError(f"an image of type {part.media_type} can't be sent: use {', '.join(_IMAGE_TYPES)}")
    return {"type": "image", "source": _source(part), **part.extra}


def _document(part: File, notices: Notices) -> Block:
    del notices
    title = {"title": part.name} if part.name is not None else {}
    return {"type": "document", "source": _source(part), **title, **part.extra}


def _source(part: Image | File) -> Block:
    if part.url is not None:
        return {"type": "url", "url": part.url}
    if part.data is None:
        return {"type": "file", "file_id": part.file_id}
    media_type = part.media_type or ""
    if media_type.startswith("text/") or media_type == "application/json":
        return {"type": "text", "media_type": "text/plain", "data": _decoded(part.data)}
    if isinstance(part, File) and media_type != "application/pdf":
        raise UnsupportedError(f"a file of type {media_type} can't be sent: use application/pdf or a type of text")
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(part.data).decode()}


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"a file of a text type must be UTF-8: {error.reason} at byte {error.start}") from error


def _tool_result(part: ToolResult, notices: Notices) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": part.id}
    if isinstance(part.content, str):
        content: str | list[Block] = part.content
    else:
        blocks = [_block(item, "tool", _RESULT, notices) for item in part.content]
        content = [item for item in blocks if item is not None]
    if content:
        block["content"] = content
    if part.is_error:
        block["is_error"] = True
    return block | part.extra


def _tool_use(part: ToolCall, notices: Notices) -> Block:
    try:
        part.parse()
        arguments: Any = msgspec.Raw(part.arguments.encode())  # as the model wrote it, so that prompt caches match
    except (OutputError, ValueError):
        notices[f"the arguments of tool call {part.name!r} are no JSON object: they were sent inside one"] = None
        arguments = {"invalid_json": part.arguments}
    return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments, **part.extra}


def _thinking(part: Reasoning, notices: Notices) -> Block | None:
    """Return earlier thoughts unchanged: the API refuses blocks that are not byte for byte what it gave."""
    if part.format != FORMAT:
        notices["reasoning of another format was left out"] = None
        return None
    if part.redacted is not None:
        return {"type": "redacted_thinking", "data": part.redacted, **part.extra}
    if not part.signature:
        notices["reasoning without a signature was left out: the provider would refuse it"] = None
        return None
    return {"type": "thinking", "thinking": part.text, "signature": part.signature, **part.extra}


def _opaque(part: Opaque, notices: Notices) -> Block | None:
    if part.format == FORMAT:
        return part.block
    notices[f"a block of the format {part.format} was left out"] = None
    return None


_RESULT: Final[_Table] = {Text: text_block, Image: _image, File: _document}
_USER: Final[_Table] = {**_RESULT, ToolResult: _tool_result, Opaque: _opaque}
_ASSISTANT: Final[_Table] = {Text: text_block, ToolCall: _tool_use, Reasoning: _thinking, Opaque: _opaque}
