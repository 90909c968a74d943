"""JSON that has its type as it stands: one pass, natively, and strictly, so that what needs a repair is refused here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from callm.schema import ClassType, Schema
from callm.schema.graph import children, parts


def strict_decoder(annotation: Any, schema: Schema) -> Callable[[str], Any]:
    """Return a function from JSON text to the value. It raises ValueError for what is not the type as it stands."""
    kinds = {found.kind for found in schema.definitions.values() if isinstance(found, ClassType)}
    if "pydantic" in kinds or has_limits(schema):  # only pydantic checks limits in its own words
        return _pydantic(annotation) if kinds <= {"pydantic", "dataclass"} else _refuse
    try:
        return msgspec.json.Decoder(annotation).decode
    except (TypeError, ValueError):
        return _pydantic(annotation)


def has_limits(schema: Schema) -> bool:
    """Whether some value is limited: in size, length or form."""
    types = [schema.root, *(part for definition in schema.definitions.values() for part in parts(definition))]
    while types:
        of = types.pop()
        if of.limits:
            return True
        types += children(of)
    return False


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
