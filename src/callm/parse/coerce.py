"""A node and a type to a value, or the reasons why there is none.

1. What has its type already is taken as it stands (`cast`).
2. Else every way of reading it is tried, and the cheapest wins (`choose`, the table in `found`).
3. Then the type's constraints are put to the value: an assert that fails makes it a miss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from callm.errors import OutputError
from callm.parse import scalars
from callm.parse.cast import Cast
from callm.parse.choose import FIRST, pick_best, pick_item
from callm.parse.classes import KeyFinder, read_class
from callm.parse.constraints import holds
from callm.parse.containers import read_list, read_map, read_tuple, read_union
from callm.parse.found import UNFINISHED, Found, Miss, Result
from callm.parse.fuzzy import Name
from callm.parse.reasons import described, name_of
from callm.parse.tree import Fenced, Fixed, Open, Readings, Word, depth, is_open, pairs, plain, unwrap
from callm.schema.model import (
    AnyType,
    BoolType,
    ClassType,
    EnumType,
    Field,
    FloatType,
    IntType,
    ListType,
    LiteralType,
    MapType,
    NullType,
    RefType,
    Schema,
    SchemaType,
    StringType,
    TupleType,
    UnionType,
)

__all__ = ["Coercion", "name_of"]


MAX_STEPS: Final = 250_000
"""How many steps may be taken to find the best reading of an answer, or a quarter of its characters, if they are more."""


class Reads(Protocol):
    """Coerces a node to one kind of type; `in_union` says that the type is one of several that are tried."""

    def __call__(self, coercion: Any, kind: Any, node: Any, /, *, in_union: bool) -> Result:
        """Return the value, or why there is none."""
        ...


class Coercion:
    """Coerces the nodes of one text to the types of one schema.

    Attributes:
        schema: the types.
        streaming: whether the text may go on, so that the types' rules for streams hold.
        constants: whether `None` without quotes is null, and no text.
        known: what the classes met so far have become, by class, whether in a union, and node.
        path: the classes and lists that are being read, each with its node.
    """

    def __init__(
        self, schema: Schema, *, streaming: bool = False, constants: bool = False, steps: int = MAX_STEPS
    ) -> None:
        """Take the schema; `streaming` reads what a text holds so far, `constants` takes a `Word` for what it means.

        A node that takes more than `steps` steps is refused.
        """
        self.schema = schema
        self.streaming = streaming
        self.constants = constants
        self.known: dict[tuple[int, bool], dict[int, Result]] = {}
        self.path: set[tuple[int, int]] = set()
        self._steps = self._left = steps
        self._cast = Cast(schema, constants=constants)
        self._names: dict[int, tuple[Name, ...]] = {}
        self._keys: dict[int, KeyFinder] = {}
        self._plain: dict[int, tuple[SchemaType, SchemaType]] = {}

    def root(self, node: Any) -> Result:
        """Coerce a whole text's node to the schema's root.

        Raises:
            OutputError: it takes too many steps.
        """
        try:
            result = self.coerce(self.schema.root, node)
        except RecursionError:  # a type that looks into all of it needs more of the stack than there is
            self.path.clear()
            return Miss(f"the answer is nested {depth(node)} deep, more than there is room for: ask for less")
        if isinstance(result, Found) and any(
            r.kind == "inferred_object" and r.detail == "text" for r in result.repairs
        ):
            return Miss(f"expected {name_of(self.schema.root)}, got {described(node)}")
        return result

    def coerce(self, kind: SchemaType, node: Any) -> Result:
        """Coerce `node` to `kind`, constraints and all. Raises as `root`."""
        self._left = self._steps
        self.known.clear()
        self._cast.forget()
        return self.value(kind, node)

    def value(self, kind: SchemaType, node: Any, *, in_union: bool = False) -> Result:
        """Coerce a part of what `coerce` was given. `in_union`: `kind` is one of several that are tried."""
        if self.streaming and kind.stream.done and is_open(node):
            return Miss(UNFINISHED)
        resolved = self.schema.resolve(kind) if type(kind) is RefType else kind
        result = self.read(resolved, node, in_union=in_union)
        if isinstance(result, Miss):
            return result
        if self.streaming and kind.stream.with_state:
            result.state = "incomplete" if is_open(node) else "complete"
        return holds(result, kind.constraints) if kind.constraints else result

    def read(self, kind: Any, node: Any, *, in_union: bool = False) -> Result:
        """Coerce to a resolved type; of constraints, only those of a class or enum hold."""
        self._left -= 1
        if self._left < 0:
            raise OutputError(
                f"the answer can be read in too many ways: its best is not found in {self._steps} steps: ask for one value"
            )
        if type(node) in _WRAPPED:
            return self._wrapped(kind, node, in_union=in_union)
        if type(node) is Word and type(kind) is not AnyType:
            return self._word(kind, node, in_union=in_union)
        exact = self._cast.cast(kind, node)
        result = _COERCIONS[type(kind)](self, kind, node, in_union=in_union) if exact is None else exact
        if type(kind) in _DEFINED and kind.constraints and isinstance(result, Found):
            return holds(result, kind.constraints)
        return result

    def _word(self, kind: Any, node: Word, *, in_union: bool) -> Result:
        if self.constants:
            exact = self._cast.cast(kind, node.value)
            if exact is not None:
                return exact.note("constant", detail=node)
            if type(kind) is UnionType:
                return read_union(self, kind, node, in_union=in_union)
            if node.value is None and type(kind) not in (EnumType, LiteralType):
                return self.read(kind, None, in_union=in_union)
        return self.read(kind, str(node), in_union=in_union)

    def _wrapped(self, kind: Any, node: Any, *, in_union: bool) -> Result:
        match node:
            case Readings():
                return self._readings(kind, node, in_union=in_union)
            case Open():
                return self._open(kind, node, in_union=in_union)
            case Fixed(value, mended):
                result = self.read(kind, value, in_union=in_union)
                fresh = mended and isinstance(result, Found) and not result.has("mended_json")
                return result.note("mended_json") if fresh and isinstance(result, Found) else result
            case _:
                result = self.read(kind, node.value, in_union=in_union)
                text = isinstance(kind, StringType)
                return result.note("fenced", int(text)) if isinstance(result, Found) else result

    def _open(self, kind: Any, node: Open, *, in_union: bool) -> Result:
        if self.streaming and _waits_for_end(kind):
            return Miss(UNFINISHED)
        exact = None if self.streaming else self._cast.cast(kind, node.value)
        result = _COERCIONS[type(kind)](self, kind, node, in_union=in_union) if exact is None else exact
        if isinstance(result, Miss):
            return result
        result.note("unclosed" if isinstance(node.value, list) or pairs(node.value) is not None else "unfinished")
        return holds(result, kind.constraints) if type(kind) in _DEFINED else result

    def _readings(self, kind: Any, node: Readings, *, in_union: bool) -> Result:
        if isinstance(kind, StringType | EnumType) or (isinstance(kind, LiteralType) and isinstance(kind.value, str)):
            if self._cast.cast(kind, node.text) is not None:
                return self.read(kind, node.text, in_union=in_union)
            result = _COERCIONS[type(kind)](self, kind, node, in_union=in_union)
            if isinstance(result, Miss) or type(kind) not in _DEFINED:
                return result
            return holds(result, kind.constraints)
        options = (self.read(kind, option, in_union=in_union) for option in node.options)
        best = pick_best(options, name_of(kind), in_union=in_union)
        if isinstance(best, Miss) or (len(node.options) == 1 and best.has(*FIRST)):
            return best
        return best.note("several_readings")

    def fits(self, kind: SchemaType, node: Any) -> bool:
        """Whether a node is a value of `kind` as it stands."""
        value = node.value if type(node) is Open and not self.streaming else node
        return self._cast.inner(kind, value) is not None

    def waits(self, kind: UnionType) -> bool:
        """Whether no member of a union may be shown before it is complete."""
        return all(_waits_for_end(self.schema.resolve(member)) for member in kind.non_null)

    def is_null(self, node: Any) -> bool:
        """Whether a node is null, in whatever word."""
        value = unwrap(node)
        return (value.value if self.constants and type(value) is Word else value) is None

    def names(self, kind: EnumType) -> tuple[Name, ...]:
        """Return what means the values of an enum."""
        names = self._names.get(id(kind))
        if names is None:
            names = self._names[id(kind)] = scalars.names_of(kind)
        return names

    def field(self, kind: ClassType, key: str) -> Field | None:
        """Return the field that a key means."""
        finder = self._keys.get(id(kind))
        if finder is None:
            finder = self._keys[id(kind)] = KeyFinder(kind)
        return finder.find(key)

    def without_asserts(self, kind: SchemaType) -> SchemaType:
        """Return a type with its checks, but without its asserts."""
        _, bare = self._plain.get(id(kind), (None, None))
        if bare is None:
            checks = tuple(constraint for constraint in kind.constraints if constraint.kind == "check")
            bare = msgspec.structs.replace(kind, constraints=checks)
            self._plain[id(kind)] = (kind, bare)  # both live as long as this, so that no other takes their ids
        return bare

    # -- numbers and booleans, which may stand in a list; null; anything

    def _number(self, kind: Any, node: Any, *, in_union: bool) -> Result:
        value = unwrap(node)
        if not isinstance(value, list):
            return _SCALARS[type(kind)](kind, node)
        if not value:
            return Miss(f"expected {name_of(kind)}, got an empty list")
        results = (self.read(kind, item, in_union=in_union) for item in value)
        return pick_item(results, name_of(kind), value, in_union=in_union)

    def _literal(self, kind: LiteralType, node: Any, *, in_union: bool) -> Result:
        inner, unwrapped = scalars.only_value(kind, node)
        if isinstance(kind.value, str):
            result = scalars.to_literal(kind, inner)
        else:
            result = self._number(BoolType() if isinstance(kind.value, bool) else IntType(), inner, in_union=in_union)
            if isinstance(result, Found) and result.value != kind.value:
                return Miss(f"expected {kind.value!r}, got {result.value!r}")
        if isinstance(result, Miss):
            return result
        result.value, result.type = kind.value, kind
        return result.note("object_to_scalar") if unwrapped else result

    def _enum(self, kind: EnumType, node: Any, *, in_union: bool) -> Result:
        del in_union
        return scalars.to_enum(kind, self.names(kind), node)

    def _string(self, kind: Any, node: Any, *, in_union: bool) -> Result:
        del in_union
        return scalars.to_text(kind, node)

    def _null(self, kind: Any, node: Any, *, in_union: bool) -> Result:
        del in_union
        found = Found(None, kind)
        return found if unwrap(node) is None else found.note("null_for_value", detail=described(node))

    def _any(self, kind: Any, node: Any, *, in_union: bool) -> Result:
        del in_union
        words: list[str] | None = [] if self.constants else None
        found = Found(plain(node, words), kind)
        return found.note("constant", detail=", ".join(words)) if words else found


def _waits_for_end(kind: Any) -> bool:
    """Whether an unfinished value must not appear in a stream: it could still become another one."""
    return isinstance(kind, _AT_ONCE) or (isinstance(kind, ClassType) and kind.stream.done)


_WRAPPED: Final = frozenset((Fenced, Fixed, Open, Readings))
_DEFINED: Final = frozenset((ClassType, EnumType))
_AT_ONCE: Final = (BoolType, EnumType, FloatType, IntType, LiteralType, NullType)
_SCALARS: Final[Mapping[type, Callable[[Any, Any], Result]]] = {
    BoolType: scalars.to_bool,
    FloatType: scalars.to_float,
    IntType: scalars.to_int,
}
_COERCIONS: Final[Mapping[type, Reads]] = {
    AnyType: Coercion._any,
    BoolType: Coercion._number,
    ClassType: read_class,
    EnumType: Coercion._enum,
    FloatType: Coercion._number,
    IntType: Coercion._number,
    ListType: read_list,
    LiteralType: Coercion._literal,
    MapType: read_map,
    NullType: Coercion._null,
    StringType: Coercion._string,
    TupleType: read_tuple,
    UnionType: read_union,
}
