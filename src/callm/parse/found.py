"""What coercing gives: a value with the story of how it was read, or the reason why there is none.

The costs decide between readings: the cheapest wins, the earlier of two equals. They are those of the BAML runtime, so that
the same text gives the same value; a list, class or map costs what is in it, and what was done to itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal[
    "default_for_missing",
    "default_for_missing_optional",
    "default_for_bad_value",
    "null_for_value",
    "dropped_item",
    "dropped_entry",
    "rounded",
    "clamped",
    "integral",
    "first_item",
    "only_item",
    "most_frequent",
    "unfinished",
    "unclosed",
    "mended_json",
    "number_from_text",
    "text_to_number",
    "text_to_bool",
    "constant",
    "value_to_text",
    "object_to_text",
    "object_to_scalar",
    "object_to_map",
    "single_to_list",
    "implied_key",
    "inferred_object",
    "extra_key",
    "key_match",
    "unknown_key",
    "loose_match",
    "substring",
    "several_readings",
    "fenced",
]

COSTS: Final[Mapping[Kind, int]] = {
    "default_for_missing": 100,
    "default_for_missing_optional": 1,
    "default_for_bad_value": 2,
    "null_for_value": 110,
    "dropped_item": 1,
    "dropped_entry": 1,
    "rounded": 1,
    "clamped": 0,
    "integral": 1,
    "first_item": 1,
    "only_item": 1,
    "most_frequent": 0,
    "unfinished": 0,
    "unclosed": 0,
    "mended_json": 0,
    "number_from_text": 0,
    "text_to_number": 1,
    "text_to_bool": 1,
    "constant": 0,
    "value_to_text": 2,
    "object_to_text": 2,
    "object_to_scalar": 2,
    "object_to_map": 1,
    "single_to_list": 1,
    "implied_key": 2,
    "inferred_object": 0,
    "extra_key": 1,
    "key_match": 0,
    "unknown_key": 0,
    "loose_match": 0,
    "substring": 2,
    "several_readings": 1,
    "fenced": 0,
}
"""What each kind costs. An item dropped from place n costs n more, a whole number beyond 64 bits 1."""

SILENT: Final[frozenset[Kind]] = frozenset(
    {"default_for_missing_optional", "object_to_map", "several_readings", "fenced"}
)
"""What only helps to compare readings: nothing was changed."""


_BITS: Final[Mapping[Kind, int]] = {kind: 1 << number for number, kind in enumerate(COSTS)}
UNFINISHED: Final = "not finished yet"
"""The reason why a value of a stream that is there, but not all of it, is not shown."""

_DETAIL: Final = 200
"""How many characters of what stood in the text a repair keeps."""

_STEP: Final = 100
"""How many characters of a key a path keeps."""


class Repair(msgspec.Struct, frozen=True):
    """One thing that was done to read the value. `cost` counts when readings are compared."""

    kind: Kind
    cost: int
    detail: str = ""


class Found(msgspec.Struct):
    """A value.

    Attributes:
        value: plain data: classes are dictionaries by declared names, enums are names. Where `parts` holds what is in it,
            it is built from that.
        type: the schema node, or class or enum, that it was read as.
        repairs: what was done to it itself.
        parts: the values inside: the items of a list, the fields of a class by name, the entries of a map.
        cost: of its own repairs and those of its parts.
        kinds: which kinds of repair it has, a bit for each.
        checks: the checks that it was put to, and whether it passed.
        state: how much of it has come, for a type that asks for it.
        keys: for a map whose keys are more than text: what each key stands for.
    """

    value: Any
    type: Any
    repairs: list[Repair] = []
    parts: list[Found] | dict[str, Found] | None = None
    cost: int = 0
    kinds: int = 0
    checks: list[tuple[Any, bool]] = []
    state: Literal["pending", "incomplete", "complete"] | None = None
    keys: Mapping[str, Any] | None = None

    def note(self, kind: Kind, extra: int = 0, detail: str = "") -> Found:
        """Add a repair; return the same value."""
        repair = Repair(kind, COSTS[kind] + extra, detail[:_DETAIL])
        self.repairs.append(repair)
        self.kinds |= _BITS[kind]
        self.cost += repair.cost
        return self

    def has(self, *kinds: Kind) -> bool:
        """Whether one of the repairs of the value itself is of these kinds."""
        return any(self.kinds & _BITS[kind] for kind in kinds)

    @property
    def is_null(self) -> bool:
        """Whether the value is null."""
        return self.parts is None and self.value is None

    def copy(self) -> Found:
        """Return a value that can be noted upon without changing this one."""
        return msgspec.structs.replace(self, repairs=self.repairs.copy())

    def walk(self) -> Iterator[tuple[str, Found]]:
        """Yield the value and all that is in it, in order, with their paths."""
        stack = [("", self)]
        while stack:
            path, found = stack.pop()
            yield path, found
            if isinstance(found.parts, dict):
                stack += [(joined(path, _cut(name)), part) for name, part in reversed(found.parts.items())]
            elif found.parts is not None:
                stack += [(f"{path}[{number}]", part) for number, part in _backwards(found.parts)]


class Miss(msgspec.Struct, frozen=True):
    """Why there is no value: what was expected and what came; `causes` say it of what is in it.

    Attributes:
        asserted: whether an assert refused a value that was read.
    """

    message: str
    causes: tuple[Miss, ...] = ()
    path: str = ""
    asserted: bool = False

    def lines(self, limit: int = 20) -> Iterator[str]:
        """Yield the deepest reasons with their paths, at most `limit`."""
        stack = [("", self)]
        while stack and limit:
            path, miss = stack.pop()
            here = joined(path, miss.path)
            if miss.causes:
                stack += [(here, cause) for cause in reversed(miss.causes)]
            else:
                limit -= 1
                yield f"{here}: {miss.message}" if here else miss.message


Result: TypeAlias = Found | Miss


def joined(path: str, step: str) -> str:
    """Return the path to `step`, a name or an index, under `path`."""
    return f"{path}.{step}" if path and step and not step.startswith("[") else f"{path}{step}"


def _cut(key: str) -> str:
    return key if len(key) <= _STEP else key[: _STEP - 1] + "…"


def _backwards(items: list[Found]) -> Iterator[tuple[int, Found]]:
    return zip(range(len(items) - 1, -1, -1), reversed(items), strict=True)


def is_composite(found: Found) -> bool:
    """Whether a value has values in it."""
    return found.parts is not None
