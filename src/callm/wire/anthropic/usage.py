"""Anthropic's token counts to ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from callm.types import Usage
from callm.wire.untyped import as_object, count

_CACHE_WRITE: Final = "cache_creation_input_tokens"
_CACHE_READ: Final = "cache_read_input_tokens"
_NAMES: Final = ("input_tokens", "output_tokens", _CACHE_WRITE, _CACHE_READ)
_NESTED: Final = (("cache_creation", "ephemeral_1h_input_tokens"), ("output_tokens_details", "thinking_tokens"))


class Tokens:
    """The counts so far. Those of `message_delta` are running totals, not increments; absent and null change nothing."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def update(self, usage: Mapping[str, Any]) -> bool:
        """Take the next `usage` object; return whether any count is known."""
        sources = dict.fromkeys(_NAMES, usage) | {name: as_object(usage.get(outer)) or {} for outer, name in _NESTED}
        found = {name: count(source, name) for name, source in sources.items()}
        self._counts |= {name: number for name, number in found.items() if number is not None}
        return bool(self._counts)

    @property
    def usage(self) -> Usage:
        """The counts in our words: their `input_tokens` leaves out what was read from or written to the cache."""
        get = self._counts.get
        fresh = get("input_tokens")
        return Usage(
            input_tokens=None if fresh is None else fresh + get(_CACHE_WRITE, 0) + get(_CACHE_READ, 0),
            output_tokens=get("output_tokens"),
            cache_read_tokens=get(_CACHE_READ),
            cache_write_tokens=get(_CACHE_WRITE),
            cache_write_1h_tokens=get("ephemeral_1h_input_tokens"),
            reasoning_tokens=get("thinking_tokens"),
        )
