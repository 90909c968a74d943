"""What is measured: a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["call", "sync_call", "stream", "typed", "partials", "read", "repair", "grow", "growth", "resilience"]

OFFLINE: Final = ("read", "repair", "grow", "growth")
"""Kinds of cases that need no server: a text is parsed."""

LONG: Final = (*OFFLINE, "partials")
"""Kinds of cases that take some peers seconds."""

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
        scenario: which scenario of the mock server answers it, or which of `bench/texts.py` is read.
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
    """A peer, and in which way: `callm:sync` calls without a loop, `callm:uvloop` runs on uvloop.

    Where growth is measured, it is the text, and how many KB of it: `callm:quotes-1024`; in `resilience`, what stands
    around what: `callm:memory-call-full`.
    """

    peer: str
    variant: str

    @classmethod
    def parse(cls, text: str) -> Entry:
        """Read `peer` or `peer:variant`."""
        peer, _, variant = text.partition(":")
        return cls(peer, variant)


_READERS: Final = ("pydantic", "callm", "instructor", "baml-py")
_GROWERS: Final = ("callm", "jiter", "pydantic", "instructor", "partial-json-parser", "baml-py")
_STACKS: Final = tuple(
    f"{work}-{stack}"
    for work in ("memory-call", "server-call", "memory-stream", "server-stream", "memory-reads")
    for stack in ("default", "full")
)
_HOSTILE: Final = ("damaged", "brackets", "quotes", "backslashes", "fences", "unclosed", "commas")

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
    *(
        Case(
            f"read-{size}",
            f"Parse {size} KB of JSON in a fence within prose",
            "read",
            f"whole-{size}",
            1,
            "text",
            _READERS,
        )
        for size in (1, 10, 100)
    ),
    Case(
        "repair-10",
        "Parse 10 KB of damaged JSON",
        "repair",
        "damaged-10",
        1,
        "text",
        ("callm", "callm:typed", "json-repair", "json-repair:typed"),
    ),
    *(
        Case(
            f"grow-{size}",
            f"Partial values of {size} KB, one for each delta",
            "grow",
            f"plain-{size}",
            1,
            "delta",
            _GROWERS,
        )
        for size in (2, 8, 32, 128)
    ),
    Case(
        "partials-32",
        "Typed stream: partial values of 32 KB from a server, one for each delta",
        "partials",
        "plain-32",
        1,
        "delta",
        ("callm", "instructor", "pydantic-ai", "baml-py"),
    ),
    Case(
        "growth",
        "What twice the text costs",
        "growth",
        "",
        1,
        "text",
        (*(f"callm:{text}-1024" for text in _HOSTILE), "callm:plain-5120"),
    ),
    Case(
        "resilience",
        "What stands around a call",
        "resilience",
        "",
        1,
        "call or event",
        tuple(f"callm:{row}" for row in (*_STACKS, "memory-hit", "sqlite-hit", "limiter", "waiters-10000")),
    ),
)

COLD: Final = "cold"
"""The case of a fresh process: import, client, first call."""

COLD_PEERS: Final = _TYPED
HELP: Final = "help"
"""The case of `callm --help`."""

INSTALL: Final = "install"
"""The case of the core's distributions."""
