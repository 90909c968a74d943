"""json-repair: damaged JSON, without types; variant `typed` lets pydantic validate what it found."""

# ruff: noqa: PLC0415  # a peer imports its library inside its functions: see bench/peer.py

# mypy: disable-error-code=import-not-found

from __future__ import annotations

from typing import Any


class Reader:
    """The function."""

    def __init__(self, variant: str) -> None:
        """Take the function."""
        from json_repair import loads

        from bench.order import Order

        self._loads: Any = loads
        self._type = Order if variant == "typed" else None

    def repair(self, text: str) -> Any:
        """Repair a text."""
        value = self._loads(text)
        return value if self._type is None else self._type.model_validate(value)
