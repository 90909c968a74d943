"""Reading JSON that may be anything: what is not of the type that is asked for counts as absent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import msgspec

NO_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises when it is given no JSON, or JSON too deep to hold."""


def as_object(value: Any) -> dict[str, Any] | None:
    """Return `value` if it is a JSON object."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_list(value: Any) -> list[Any] | None:
    """Return `value` if it is a JSON array."""
    return [*cast("Iterable[Any]", value)] if isinstance(value, list) else None


def text(source: Mapping[str, Any], name: str) -> str:
    """Return the string `name` of `source`, or an empty one."""
    value = source.get(name)
    return value if isinstance(value, str) else ""


def count(source: Mapping[str, Any], name: str) -> int | None:
    """Return the number `name` of `source` if it is a whole number of 0 or more."""
    value = source.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
