"""The typed value so far, while the model still writes it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

from callm.parse.build import NotBuilt, build
from callm.parse.coerce import Coercion
from callm.parse.found import Found
from callm.parse.locate import locate, unwrap_value
from callm.schema import WRAPPER, ClassType

if TYPE_CHECKING:
    from callm.parse.output import Output

T = TypeVar("T")

_NOTHING: Final = object()


class Partial(Generic[T]):
    """Reads one answer as it comes. `feed(delta)` returns the value so far, or None where nothing is new."""

    def __init__(self, output: Output[T]) -> None:
        """Read values of `output`."""
        self._output = output
        self._text = ""
        self._last: Any = _NOTHING

    def feed(self, delta: str) -> T | None:
        """Take the next piece of the text."""
        self._text += delta
        schema = self._output.schema
        if schema.is_text:
            return self._text  # type: ignore[return-value]  # T is str then
        node = locate(self._text, done=False)
        coercion = Coercion(schema, streaming=True)
        inner = unwrap_value(node, WRAPPER) if self._output.wrapped else None
        found = coercion.root(node if inner is None else inner)
        if not isinstance(found, Found):
            return None
        value = so_far(found)
        if value is None or value == self._last:
            return None
        self._last = value
        return value  # type: ignore[no-any-return]  # a partial value stands for T


def so_far(found: Found) -> Any:
    """Return a value so far: classes as their partial types, what can't be built yet as None."""
    kind = found.type
    if isinstance(found.parts, dict):
        parts = {name: so_far(part) for name, part in found.parts.items()}
        if isinstance(kind, ClassType) and kind.python is not None and kind.kind != "typed_dict":
            return partial_type(kind)(**parts)
        return parts
    if found.parts is not None:
        return [so_far(part) for part in found.parts]
    try:
        return build(found)
    except NotBuilt:
        return None


@lru_cache(maxsize=1024)
def _partial_type(name: str, fields: tuple[str, ...]) -> type[Any]:
    return msgspec.defstruct(f"Partial{name}", [(field, Any, None) for field in fields])


def partial_type(kind: ClassType) -> type[Any]:
    """Return the type of a class's partial values: the same fields, each None until it has come."""
    return _partial_type(kind.name, tuple(field.name for field in kind.fields))
