"""Which frame for the object or array that begins at a place?

1. The one for the only type that it can be.
2. Where several classes are possible, a `RawFrame` that knows by which text of which field they can be told.
3. `SKIP` for what is shown only when it is complete, and `ODD` for what should not stand there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from callm.parse.frames import ODD, SKIP, ClassFrame, Frame, ListFrame, MapFrame, RawFrame
from callm.parse.places import Place, Places, Shape, asserts
from callm.schema.model import AnyType, ClassType, EnumType, ListType, LiteralType, MapType, TupleType, UnionType

Tags: TypeAlias = Mapping[str, Mapping[str, Shape]]
"""Key to text to class: where an object has that text under that key, it is that class."""

_OBJECTS = (AnyType, ClassType, MapType)
_ARRAYS = (AnyType, ListType, TupleType)


def open_frame(place: Place, start: int, *, is_object: bool) -> Frame:
    """Return the frame for what begins at `place`, and in the text at `start`."""
    opener = place.openers[is_object]
    if opener is None:
        opener = place.openers[is_object] = _opener(place, is_object=is_object)
    frame: Frame = opener(start)
    return frame


def _opener(place: Place, *, is_object: bool) -> Callable[[int], Frame]:
    if place.waits:
        return lambda _: SKIP
    places, kind = place.places, place.kind
    options = _options(places, kind, is_object=is_object)
    if not options:
        return lambda _: ODD
    if len(options) == 1:
        (only,) = options
        if only.stream.done:
            return lambda _: SKIP
        make = _maker(places, only, is_object=is_object)
        if make is not None and not _is_asked_of(places, kind):
            return lambda _: make()
    return partial(RawFrame, kind, _tags(places, options) if is_object else {})


def _options(places: Places, kind: Any, *, is_object: bool) -> list[Any]:
    """Return the types that an object, or an array, can be there. None of them is told by its place in a union."""
    resolved = places.schema.resolve(kind)
    if isinstance(resolved, UnionType):
        return [option for member in resolved.non_null for option in _options(places, member, is_object=is_object)]
    return [resolved] if isinstance(resolved, _OBJECTS if is_object else _ARRAYS) else []


def _is_asked_of(places: Places, kind: Any) -> bool:
    """Whether asserts or states are asked of a value of `kind` as a whole, or as a member of a union."""
    resolved = places.schema.resolve(kind)
    members = resolved.members if isinstance(resolved, UnionType) else ()
    return asserts(kind) or asserts(resolved) or any(asserts(member) or member.stream.with_state for member in members)


def _maker(places: Places, kind: Any, *, is_object: bool) -> Callable[[], Frame] | None:
    """Return what makes the frame of one type, or None where only the engine knows how."""
    match kind:
        case ClassType():
            return partial(ClassFrame, places.shape(kind))
        case MapType() if not kind.value.stream.with_state:
            return partial(MapFrame, places.of(kind.value))
        case ListType(collection="list") if not kind.item.stream.with_state:
            return partial(ListFrame, places.of(kind.item))
        case AnyType():
            return partial(MapFrame if is_object else ListFrame, places.of(kind))
        case _:
            return None


def _tags(places: Places, options: list[Any]) -> Tags:
    """Return by which texts the classes among `options` can be told, if that is all they are."""
    if not all(isinstance(option, ClassType) and not asserts(option) and not option.stream.done for option in options):
        return {}
    told: list[dict[str, tuple[str, ...]]] = [_texts(places, option) for option in options]
    tags: dict[str, dict[str, Shape]] = {}
    for key in told[0] if told else ():
        if not all(key in texts for texts in told):
            continue
        pairs = [(text, option) for texts, option in zip(told, options, strict=True) for text in texts[key]]
        table = {text: places.shape(option) for text, option in pairs}
        if len(table) == len(pairs):
            tags[key] = table
    return tags


def _texts(places: Places, kind: ClassType) -> dict[str, tuple[str, ...]]:
    """Return the keys of a class under which only certain texts may stand, and these."""
    found = {field.wire: _names(places, field.type) for field in kind.fields}
    return {key: texts for key, texts in found.items() if texts}


def _names(places: Places, kind: Any) -> tuple[str, ...]:
    resolved = places.schema.resolve(kind)
    match resolved:
        case LiteralType(value=str(text)):
            return (text,)
        case EnumType():
            return tuple(value.wire for value in resolved.values if isinstance(value.wire, str))
        case UnionType():
            parts = [_names(places, member) for member in resolved.members]
            return tuple(text for part in parts for text in part) if all(parts) else ()
        case _:
            return ()
