"""What a peer is: one file in `peers/` with two snippets and a `Client`.

`IMPORT` and `FIRST_CALL` are the source of a cold start; the address of the mock server is `sys.argv[1]`, and
`FIRST_CALL` must leave the answer's text in `answer`. `Client` has a method for each kind of case that the peer can do;
what it lacks is left out of the tables. A `Reader` does the cases that need no server: a peer has one of the two, or both.
A peer imports its library inside its functions, so that a cold start sees it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol, cast


class Streamed(NamedTuple):
    """What one stream delivered.

    Attributes:
        pieces: how many times the consumer's loop ran with something to show.
        characters: how long the text was; None where the peer does not decode it.
    """

    pieces: int
    characters: int | None


class Grown(NamedTuple):
    """What the partial values of one answer were.

    Attributes:
        pieces: how many there were.
        value: the last one.
    """

    pieces: int
    value: Any


class Client(Protocol):
    """A peer with its client open. Only what the peer can do is there."""

    async def call(self) -> str:
        """Make a call that does not stream and return the text."""

    def sync_call(self) -> str:
        """Make the same call without a loop of one's own."""

    async def stream(self) -> Streamed:
        """Read a stream, piece by piece."""

    async def typed(self) -> Any:
        """Make a call that returns an `Order`."""

    async def partials(self) -> Grown:
        """Read a stream as an `Order` that grows, with a value for every delta that brings something."""

    async def aclose(self) -> None:
        """Close the client."""


class Reader(Protocol):
    """A peer that reads text. Only what the peer can do is there."""

    def read(self, text: str) -> Any:
        """Return the `Order` that stands in a text, as JSON in a fence."""

    def repair(self, text: str) -> Any:
        """Return the value that a damaged text means."""

    def grow(self, pieces: Iterable[str]) -> Iterator[Any]:
        """Yield the `Order` so far, as the text comes."""


class Peer(Protocol):
    """The module of a peer. One that only reads has a `Reader` alone."""

    IMPORT: str
    FIRST_CALL: str

    def Client(self, url: str, variant: str) -> Client:  # noqa: N802  # it is the module's class
        """Open a client for the mock server at `url`, without the path of the API."""

    def Reader(self, variant: str) -> Reader:  # noqa: N802  # likewise
        """Make what reads text."""


def load(name: str) -> Peer:
    """Return the module of the peer called `name`, for example `baml-py`."""
    return cast("Peer", importlib.import_module(f"bench.peers.{name.replace('-', '_')}"))
