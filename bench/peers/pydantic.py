"""pydantic: a regular expression for the fence, then `model_validate_json`; and its validation of partial JSON.

Partial validation takes a dictionary's missing keys for keys to come, but not a model's: so it gets the order as
dictionaries.
"""

# ruff: noqa: PLC0415  # a peer imports its library inside its functions: see bench/peer.py

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

_FENCE: Final = re.compile(r"```(?:json)?\s*\n(.*?)\n```", re.DOTALL)


class Reader:
    """What one writes by hand."""

    def __init__(self, variant: str) -> None:
        """Prepare the types; it has no variants."""
        from pydantic import TypeAdapter

        from bench import dict_order
        from bench.order import Order

        del variant
        self._type = Order
        self._growing: Any = TypeAdapter(dict_order.Order)

    def read(self, text: str) -> Any:
        """Find the fence and validate what is in it."""
        found = _FENCE.search(text)
        return self._type.model_validate_json(found[1] if found is not None else text)

    def grow(self, pieces: Iterable[str]) -> Iterator[Any]:
        """Validate what has come, each time."""
        text = ""
        for piece in pieces:
            text += piece
            yield self._growing.validate_json(text, experimental_allow_partial="trailing-strings")
