"""What is measured: a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["call", "sync_call", "stream", "typed"]

_CALLERS: Final = ("aiohttp", "callm", "openai", "anthropic", "baml-py", "pydantic-ai", "litellm")
_TYPED: Final = (*_CALLERS[:5], "instructor", *_CALLERS[5:])
_STREAMERS: Final = (
    "aiohttp",
    "aiohttp:lines",
    "aiohttp:json",
    "callm",
    "aiohttp:anthropic",
    "callm:anthropic",
    "openai",
    "anthropic",
    "baml-py",
    "pydantic-ai",
    "litellm",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One piece of work that every peer does.

    Attributes:
        name: what `--only` calls it.
        title: what the report calls it.
        kind: which method of a peer does it.
        scenario: which scenario of the mock server answers it.
        concurrency: how many tasks repeat the work side by side.
        unit: what the microseconds are divided by.
        peers: who does it, as `peer` or `peer:variant`.
    """

    name: str
    title: str
    kind: Kind
    scenario: str
    concurrency: int
    unit: str
    peers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A peer, and in which way: `callm:sync` calls without a loop, `callm:uvloop` runs on uvloop."""

    peer: str
    variant: str

    @classmethod
    def parse(cls, text: str) -> Entry:
        """Read `peer` or `peer:variant`."""
        peer, _, variant = text.partition(":")
        return cls(peer, variant)


CASES: Final = (
    Case(
        "call-1",
        "Call of 200 tokens, one at a time",
        "call",
        "text",
        1,
        "call",
        ("aiohttp", "aiohttp:uvloop", "callm", "callm:uvloop", "callm:sync", *_CALLERS[2:], "openai:sync"),
    ),
    Case("call-64", "Call of 200 tokens, 64 at a time", "call", "text", 64, "call", _CALLERS),
    Case("call-512", "Call of 200 tokens, 512 at a time", "call", "text", 512, "call", _CALLERS),
    Case("stream-200", "Stream of 200 deltas, sent at once", "stream", "stream200", 1, "delta", _STREAMERS),
    Case("stream-2000", "Stream of 2,000 deltas, sent at once", "stream", "stream2000", 1, "delta", _STREAMERS),
    Case(
        "paced",
        "Stream, paced: every delta is a read of its own",
        "stream",
        "paced",
        1,
        "delta",
        ("aiohttp", "aiohttp:uvloop", "callm", "callm:uvloop", "callm:anthropic", *_CALLERS[2:]),
    ),
    Case(
        "typed-1",
        "Typed call: 8 KB of JSON into a pydantic model, one at a time",
        "typed",
        "typed",
        1,
        "call",
        _TYPED,
    ),
    Case(
        "typed-64",
        "Typed call: 8 KB of JSON into a pydantic model, 64 at a time",
        "typed",
        "typed",
        64,
        "call",
        _TYPED,
    ),
)

COLD: Final = "cold"
"""The case of a fresh process: import, client, first call."""

COLD_PEERS: Final = _TYPED
HELP: Final = "help"
"""The case of `callm --help`."""

INSTALL: Final = "install"
"""The case of the core's distributions."""
