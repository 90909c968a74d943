"""JSON that has its type as it stands: one pass, natively, and strictly, so that what needs a repair is refused here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from callm.schema import ClassType, Schema


def strict_decoder(annotation: Any, schema: Schema) -> Callable[[str], Any]:
    """Return a function from JSON text to the value. It raises ValueError for what is not the type as it stands."""
    kinds = {found.kind for found in schema.definitions.values() if isinstance(found, ClassType)}
    if "pydantic" in kinds:
        if kinds <= {"pydantic", "dataclass"}:
            return _pydantic(annotation)
        return _refuse
    try:
        return msgspec.json.Decoder(annotation).decode
    except (TypeError, ValueError):
        return _pydantic(annotation)


def _pydantic(annotation: Any) -> Callable[[str], Any]:
    try:
        from pydantic import PydanticUserError, TypeAdapter  # noqa: PLC0415  # 100 ms, for those who declare its types
    except ImportError:  # an extra: what it would decode natively, the engine reads
        return _refuse
    try:
        adapter = TypeAdapter[Any](annotation)
    except (PydanticUserError, TypeError):
        return _refuse

    def decode(text: str) -> Any:
        return adapter.validate_json(text, strict=True)

    return decode


def _refuse(text: str) -> Any:
    raise ValueError(f"no native decoder for this type ({len(text)} characters)")
