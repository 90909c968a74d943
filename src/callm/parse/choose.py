"""Which of several readings of one text is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from callm.parse.found import Found, Kind, Miss, Result, is_composite
from callm.parse.reasons import described
from callm.schema.model import ClassType

FIRST: Final[tuple[Kind, ...]] = ("first_item", "only_item", "several_readings")
"""One of several values was taken."""


_REASONS: Final = 20
"""How many reasons are kept where many readings fail: as many as are told."""


def pick_best(results: Iterable[Result], what: str, *, in_union: bool = False) -> Result:
    """Return the best of `results`, or why there is none. `what` names the type in the reason.

    Only the best so far and the first reasons are kept: a text may hold very many readings.
    """
    best: Found | None = None
    best_number, number = 0, -1
    causes: list[Miss] = []
    for number, result in enumerate(results):  # the last one counts them
        if isinstance(result, Miss):
            if len(causes) < _REASONS:
                causes.append(result)
        elif best is None or _better(result, number, best, best_number, in_union=in_union):
            best_number, best = number, result
    if number == 0:
        return causes[0] if best is None else best
    if best is None:
        return Miss(f"none of {number + 1} readings is {what}", tuple(causes))
    if not in_union and not best.has(*FIRST):
        best.note("several_readings")
    return best


def pick_item(results: Iterable[Result], what: str, items: list[object], *, in_union: bool = False) -> Result:
    """Return the best of the results for `items`, one of which is meant."""
    best = pick_best(results, what, in_union=in_union)
    if isinstance(best, Miss):
        return best
    return best.note("only_item" if len(items) == 1 else "first_item", detail=described(items))


def _better(one: Found, number: int, other: Found, other_number: int, *, in_union: bool) -> bool:
    for rule in _RULES if in_union else _RULES[1:]:
        order = rule(one, other)
        if order:
            return order < 0
    return (one.cost, number) < (other.cost, other_number)


def _rank(one: bool, other: bool) -> int:  # noqa: FBT001  # two truths to compare
    """Return -1 if only `other` is true, so that one is better, 1 if only `one` is, else 0."""
    return int(one) - int(other)


def _lists(one: Found, other: Found) -> int:
    if not (isinstance(one.parts, list) and isinstance(other.parts, list)):
        return 0
    return (
        _rank(one.has("single_to_list"), other.has("single_to_list"))
        or _rank(_first_fenced(one), _first_fenced(other))
        or _rank(_empty_by_errors(one), _empty_by_errors(other))
    )


def _first_fenced(found: Found) -> bool:
    parts = found.parts
    return isinstance(parts, list) and bool(parts) and parts[0].has("fenced")


def _empty_by_errors(found: Found) -> bool:
    return not found.parts and found.has("dropped_item")


def _texts(one: Found, other: Found) -> int:
    """Of two classes in a union, one that has taken any text as its only field loses."""
    return _rank(_implied_text(one), _implied_text(other)) if _are_classes(one, other) else 0


def _defaults(one: Found, other: Found) -> int:
    """Of two classes, one in which nothing was found loses."""
    return _rank(_all_default(one), _all_default(other)) if _are_classes(one, other) else 0


def _are_classes(one: Found, other: Found) -> bool:
    return isinstance(one.type, ClassType) and isinstance(other.type, ClassType)


def _implied_text(found: Found) -> bool:
    parts = found.parts
    return (
        isinstance(parts, dict)
        and len(parts) == 1
        and found.has("implied_key")
        and all(isinstance(part.value, str) for part in parts.values())
    )


def _all_default(found: Found) -> bool:
    parts = found.parts
    return isinstance(parts, dict) and all(
        part.has("default_for_missing", "default_for_missing_optional", "default_for_bad_value")
        for part in parts.values()
    )


def _primitive(one: Found, other: Found) -> int:
    def loses(found: Found, to: Found) -> bool:
        return not is_composite(found) and found.has("value_to_text", *FIRST) and is_composite(to)

    return _rank(loses(one, other), loses(other, one))


def _empty(one: Found, other: Found) -> int:
    def empty(found: Found) -> bool:
        return isinstance(found.parts, list) and not found.parts and found.has("single_to_list")

    return _rank(empty(one), empty(other))


_RULES: Final[tuple[Callable[[Found, Found], int], ...]] = (_texts, _lists, _defaults, _primitive, _empty)
"""What is asked before the costs are, each only if those before it can't tell; the first one only in a union."""
