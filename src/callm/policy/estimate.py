"""How many tokens a request may cost, before anybody counted. Pure, and quick: it is done for every call of a limiter.

1. Four bytes of UTF-8 are a token: right within a fifth for English prose and code, and close for most other scripts.
2. An image, a recording, a file has a flat figure: its size in bytes says little about its tokens.
3. The answer may be as long as `max_tokens` allows; where nothing is said, `DEFAULT_OUTPUT`.

An estimate is never the truth: what is reserved by it is settled by the usage that the provider reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from callm.types import Audio, File, Image, Reasoning, Text, ToolCall, ToolResult

if TYPE_CHECKING:
    from callm.types import Part, Request, Tool

BYTES_PER_TOKEN: Final = 4
DEFAULT_OUTPUT: Final = 1000
"""The tokens of an answer for which no limit was set."""

_PER_MESSAGE: Final = 4  # the role and the marks around it
_MEDIA: Final[Mapping[type, int]] = {Image: 1000, Audio: 2000, File: 3000}
_OUTPUT_LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")


def estimate(request: Request) -> int:
    """Return the tokens that `request` and its answer may cost together."""
    return estimate_input(request) + estimate_output(request)


def estimate_input(request: Request) -> int:
    """Return the tokens of the messages, the tools and the schema."""
    size = 0
    tokens = _PER_MESSAGE * len(request.messages)
    for message in request.messages:
        for part in message.parts:
            if type(part) is Text:
                size += size_of(part.text)
            else:
                more, flat = _part(part)
                size += more
                tokens += flat
    for tool in request.tools:
        size += _tool(tool)
    if request.output is not None and not request.described:
        size += _json(request.output.json_schema("json"))
    return tokens + -(-size // BYTES_PER_TOKEN)


def estimate_output(request: Request) -> int:
    """Return the tokens that the answer may have."""
    settings = request.settings
    if settings.extra:
        for name in _OUTPUT_LIMITS:
            limit = settings.extra.get(name)
            if isinstance(limit, int) and limit > 0:
                return limit
    return DEFAULT_OUTPUT if settings.max_tokens is None else settings.max_tokens


def size_of(text: str) -> int:
    """Return the bytes of `text` as UTF-8. Python knows at once of most texts that they are their length."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _part(part: Part) -> tuple[int, int]:
    """Return the bytes of a part, and its flat figure."""
    match part:
        case ToolCall():
            return size_of(part.name) + size_of(part.arguments), 0
        case ToolResult():
            if isinstance(part.content, str):
                return size_of(part.content), 0
            inside = [_part(piece) for piece in part.content]
            return sum(size for size, _ in inside), sum(flat for _, flat in inside)
        case Text() | Reasoning():
            return size_of(part.text), 0
        case Image() | Audio() | File():
            return 0, _MEDIA[type(part)]
        case _:
            return _json(part.block), 0


def _tool(tool: Tool) -> int:
    return size_of(tool.name) + size_of(tool.description) + _json(tool.parameters)


def _json(value: Any) -> int:
    return 0 if value is None else len(msgspec.json.encode(value, enc_hook=_plain))


def _plain(value: Any) -> str:
    """Take whatever stands in a schema that is no JSON, be it another kind of mapping: its length is near enough."""
    return str(value)
