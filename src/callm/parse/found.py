"""What coercing gives: a value with the story of how it was read, or the reason why there is none.

The costs decide between readings: the cheapest wins, the earlier of two equals. They are those of the BAML runtime, so that
the same text gives the same value; a list's or a class's own cost counts once, that of what is in it ten times.
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
    "first_item",
    "most_frequent",
    "unfinished",
    "unclosed",
    "mended_json",
    "number_from_text",
    "text_to_number",
    "text_to_bool",
    "value_to_text",
    "object_to_text",
    "object_to_scalar",
    "object_to_map",
    "single_to_list",
    "implied_key",
    "inferred_object",
    "extra_key",
    "key_match",
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
    "first_item": 1,
    "most_frequent": 0,
    "unfinished": 0,
    "unclosed": 0,
    "mended_json": 0,
    "number_from_text": 0,
    "text_to_number": 1,
    "text_to_bool": 1,
    "value_to_text": 2,
    "object_to_text": 2,
    "object_to_scalar": 2,
    "object_to_map": 1,
    "single_to_list": 1,
    "implied_key": 2,
    "inferred_object": 0,
    "extra_key": 1,
    "key_match": 0,
    "loose_match": 3,
    "substring": 2,
    "several_readings": 1,
    "fenced": 0,
}
"""What each kind costs. An item dropped from place n costs n more, a most frequent name how often any name came."""

SILENT: Final[frozenset[Kind]] = frozenset({"default_for_missing_optional", "object_to_map", "several_readings", "fenced"})
"""What only helps to compare readings: nothing was changed."""


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
        cost: its own repairs and ten times those of its parts.
        checks: the checks that it was put to, and whether it passed.
        state: how much of it has come, for a type that asks for it.
    """

    value: Any
    type: Any
    repairs: list[Repair] = []
    parts: list[Found] | dict[str, Found] | None = None
    cost: int = 0
    checks: list[tuple[Any, bool]] = []
    state: Literal["pending", "incomplete", "complete"] | None = None

    def note(self, kind: Kind, extra: int = 0, detail: str = "") -> Found:
        """Add a repair; return the same value."""
        repair = Repair(kind, COSTS[kind] + extra, detail)
        self.repairs.append(repair)
        self.cost += repair.cost
        return self

    def has(self, *kinds: Kind) -> bool:
        """Whether one of the repairs of the value itself is of these kinds."""
        return any(repair.kind in kinds for repair in self.repairs)

    def walk(self, path: str = "") -> Iterator[tuple[str, Found]]:
        """Yield the value and all that is in it, with their paths."""
        yield path, self
        if isinstance(self.parts, dict):
            for name, part in self.parts.items():
                yield from part.walk(f"{path}.{name}" if path else name)
        elif self.parts is not None:
            for number, part in enumerate(self.parts):
                yield from part.walk(f"{path}[{number}]")


class Miss(msgspec.Struct, frozen=True):
    """Why there is no value: what was expected and what came; `causes` say it of what is in it."""

    message: str
    causes: tuple[Miss, ...] = ()
    path: str = ""

    def lines(self, path: str = "") -> Iterator[str]:
        """Yield the deepest reasons with their paths."""
        here = f"{path}{'.' if path and self.path and not self.path.startswith('[') else ''}{self.path}"
        if not self.causes:
            yield f"{here}: {self.message}" if here else self.message
        for cause in self.causes:
            yield from cause.lines(here)


Result: TypeAlias = Found | Miss


def is_composite(found: Found) -> bool:
    """Whether a value has values in it."""
    return found.parts is not None
