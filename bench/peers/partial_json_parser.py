"""partial-json-parser: partial JSON, read again at every delta, without types."""

# ruff: noqa: PLC0415  # a peer imports its library inside its functions: see bench/peer.py

# mypy: disable-error-code=import-not-found

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


class Reader:
    """The function."""

    def __init__(self, variant: str) -> None:
        """Take the function; it has no variants."""
        from partial_json_parser import loads

        del variant
        self._loads: Any = loads

    def grow(self, pieces: Iterable[str]) -> Iterator[Any]:
        """Read what has come, each time."""
        text = ""
        for piece in pieces:
            text += piece
            yield self._loads(text)
