"""Hypothesis strategies: declarations in BAML, values of them, and the ways in which a model writes them wrongly."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st

Draw = Callable[[Any], Any]


class Kind(NamedTuple):
    """A type: how it is spelled, and what makes a value of it as JSON has it, given how deep it stands."""

    spelling: str
    value: Callable[[Draw, int], Any]
    takes_text: bool = False


class World(NamedTuple):
    """Declarations, the type that is asked for, and a value of it."""

    source: str
    kind: str
    value: Any


WORDS = (
    "red",
    "Ada Lovelace",
    "so so",
    "x-ray",
    "it's",
    'a "b" c',
    "x, y",
    "",
    "12",
    "true",
    "née",
    "a: b",
    "line\nbreak",
    "(z)",
)
NUMBERS = (0, 1, -5, 42, 1200, 10**12)
FLOATS = (0.5, -2.25, 3.0, 1200.75, 1e-3)
NAMES = ("name", "total", "full_name", "kids", "Mood", "itemCount", "ok")
MEMBERS = ("RED", "DarkGreen", "SO_SO", "BLUE")
ALIASES = (None, None, None, "key one", "k-2", "Größe")
LITERALS = ("circle", "left side", 3, True)
DEEP = 3


def _scalar(spelling: str, values: tuple[Any, ...], *, takes_text: bool = False) -> Kind:
    return Kind(spelling, lambda draw, _: draw(st.sampled_from(values)), takes_text)


SCALARS = (
    _scalar("string", WORDS, takes_text=True),
    _scalar("int", NUMBERS),
    _scalar("float", FLOATS),
    _scalar("bool", (True, False)),
)


def _literal(value: Any) -> Kind:
    spelling = f'"{value}"' if isinstance(value, str) else str(value).lower()
    return Kind(f"({spelling})", lambda *_: value)  # BAML refuses `"x"[]`


def _list(item: Kind) -> Kind:
    def value(draw: Draw, depth: int) -> Any:
        return [item.value(draw, depth + 1) for _ in range(draw(st.integers(0, 0 if depth > DEEP else 2)))]

    return Kind(f"({item.spelling})[]" if " " in item.spelling or "?" in item.spelling else f"{item.spelling}[]", value)


def _map(item: Kind) -> Kind:
    def value(draw: Draw, depth: int) -> Any:
        keys = draw(st.lists(st.sampled_from(("k", "two words", "x1")), max_size=0 if depth > DEEP else 2, unique=True))
        return {key: item.value(draw, depth + 1) for key in keys}

    return Kind(f"map<string, {item.spelling}>", value)


def _optional(of: Kind) -> Kind:
    def value(draw: Draw, depth: int) -> Any:
        return None if depth > DEEP or draw(st.integers(0, 3)) == 0 else of.value(draw, depth)

    return Kind(f"({of.spelling})?" if "|" in of.spelling else f"{of.spelling.rstrip('?')}?", value, of.takes_text)


def _union(members: list[Kind]) -> Kind:
    takes_text = any(member.takes_text for member in members)
    return Kind(
        " | ".join(f"({member.spelling})" if "?" in member.spelling else member.spelling for member in members),
        lambda draw, depth: draw(st.sampled_from(members)).value(draw, depth),
        takes_text,
    )


def _kind(draw: Draw, known: list[Kind], depth: int, *, unions: bool) -> Kind:
    """Return some type made of the scalars and of what is `known`."""
    what = draw(st.integers(0, 9 if unions else 7)) if depth < DEEP else 0
    if what <= 2 or (what == 3 and not known):
        scalar: Kind = draw(st.sampled_from(SCALARS))
        return scalar
    if what == 3:
        other: Kind = draw(st.sampled_from(known))
        return other
    if what == 4:
        return _literal(draw(st.sampled_from(LITERALS)))
    inner = _kind(draw, known, depth + 1, unions=unions)
    if what == 5:
        return _list(inner)
    if what == 6:
        return _map(inner)
    if what == 7:
        return _optional(inner)
    return _union([inner, _kind(draw, known, depth + 1, unions=unions)])


def _enum(draw: Draw, name: str) -> tuple[str, Kind]:
    members = draw(st.lists(st.sampled_from(MEMBERS), min_size=1, max_size=3, unique=True))
    lines, wires = [], []
    for number, member in enumerate(members):
        alias = draw(st.sampled_from((None, None, f"colour {number}")))
        description = draw(st.sampled_from((None, None, f"the {member[::-1].lower()} one")))
        lines.append(f"  {member}{_attribute('alias', alias)}{_attribute('description', description)}\n")
        wires.append(alias or member)
    return f"enum {name} {{\n{''.join(lines)}}}\n", _scalar(name, tuple(wires))


def _attribute(name: str, value: str | None) -> str:
    return "" if value is None else f' @{name}("{value}")'


def _class(draw: Draw, name: str, known: list[Kind], *, unions: bool) -> tuple[str, Kind]:
    fields: list[tuple[str, str, Kind]] = []
    lines: list[str] = []
    kind = Kind(name, lambda draw, depth: {wire: of.value(draw, depth + 1) for _, wire, of in fields})
    used: set[str] = set()
    for field in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)):
        alias = draw(st.sampled_from(ALIASES))
        alias = None if alias in used else alias
        used.add(alias or field)
        is_recursive = draw(st.integers(0, 7)) == 0
        of = draw(st.sampled_from((_list, _optional)))(kind) if is_recursive else _kind(draw, known, 1, unions=unions)
        fields.append((field, alias or field, of))
        spelling = f"({of.spelling})" if "|" in of.spelling else of.spelling
        lines.append(f"  {field} {spelling}{_attribute('alias', alias)}\n")
    return f"class {name} {{\n{''.join(lines)}}}\n", kind


@st.composite
def worlds(draw: Draw, *, unions: bool = True) -> World:
    """Draw declarations: enums, classes that may hold themselves and each other, an alias; a type, and a value of it."""
    source = ""
    known: list[Kind] = []
    for number in range(draw(st.integers(0, 3))):
        is_enum = draw(st.integers(0, 2)) == 0
        text, kind = _enum(draw, f"E{number}") if is_enum else _class(draw, f"C{number}", known, unions=unions)
        source += text
        known.append(kind)
    root = _kind(draw, known, 0, unions=unions) if draw(st.booleans()) or not known else known[-1]
    if draw(st.integers(0, 5)) == 0:
        source += f"type Alias = {root.spelling}\n"
        root = root._replace(spelling="Alias")
    return World(source, root.spelling, root.value(draw, 0))


# -- what a model makes of a value


def changed(draw: Draw, value: Any) -> Any:
    """Return a value in which some parts are of another kind than declared, or gone, or more."""
    if isinstance(value, dict):
        return _changed_object(draw, value)
    if isinstance(value, list):
        items = [changed(draw, item) for item in value]
        return items[0] if len(items) == 1 and draw(st.integers(0, 5)) == 0 else items
    how = draw(st.integers(0, 11))
    if how == 0:
        return [value]
    if how == 1 and isinstance(value, int | float) and not isinstance(value, bool):
        return draw(st.sampled_from(("{}", "${:,}", "{:,}", "{}%", "about {}", "{}."))).format(value)
    if how == 1 and isinstance(value, str):
        return draw(st.sampled_from((value.lower(), value.upper(), f" {value}.", f"It is {value}")))
    if how == 2:
        return draw(st.sampled_from((None, "none", str(value), {"it": value}, 3.5, "3/4", [])))
    return value


def _changed_object(draw: Draw, value: dict[str, Any]) -> Any:
    found: dict[str, Any] = {}
    for key, item in value.items():
        how = draw(st.integers(0, 15))
        if how != 0:
            found[key.upper() if how == 1 else f" {key} " if how == 2 else key] = changed(draw, item)
    if draw(st.integers(0, 9)) == 0:
        found["extra"] = draw(st.sampled_from((1, "more", None, [], {"a": 1})))
    return found


class Style(NamedTuple):
    """How sloppily JSON is written."""

    key: str
    text: str
    comma: str
    colon: str
    end: str
    is_python: bool


STYLES = st.builds(
    Style,
    st.sampled_from(('"', '"', '"', "'", "`", "")),
    st.sampled_from(('"', '"', '"', '"', "'", "`", "")),
    st.sampled_from((", ", ", ", ",\n  ", ",", " , ", ", // note\n", "\n")),
    st.sampled_from((": ", ": ", ":", " : ")),
    st.sampled_from(("", "", "", ",", ", ", "\n", " /* end */ ")),
    st.booleans(),
)


def written(value: Any, style: Style) -> str:
    """Return the text of a value."""
    if isinstance(value, dict):
        entries = [f"{style.key}{key}{style.key}{style.colon}{written(item, style)}" for key, item in value.items()]
        return f"{{{style.comma.join(entries)}{style.end if entries else ''}}}"
    if isinstance(value, list):
        return f"[{style.comma.join(written(item, style) for item in value)}{style.end if value else ''}]"
    if isinstance(value, str):
        escaped = value.replace("\n", "\\n") if style.text == '"' and not style.is_python else value
        return f"{style.text}{escaped}{style.text}"
    constant = (
        {None: "None", True: "True", False: "False"}
        if style.is_python
        else {None: "null", True: "true", False: "false"}
    )
    return constant[value] if value is None or isinstance(value, bool) else str(value)


DRESSES = (
    "{}",
    "{}",
    "{}",
    "```json\n{}\n```",
    "Here you are:\n```json\n{}\n```\nBye!",
    "```\n{}\n```",
    "Sure: {} Is that what you need?",
    "<think>Is it {{a: 1}}? Or [2]?</think>\n{}",
    "```json\n{{}}\n```\nNo:\n```json\n{}\n```",
    "```json\n{}",
    "I thought of {{x}} first.\n\n{}",
    "[{}]",
)
"""What stands around it."""

SPLINTERS = ('"', "'", ",", ":", "{", "}", "[", "]", "\n", " ", "// so\n", "/* so */", "\\", "`", '"""', "null", "7")


def broken(draw: Draw, text: str) -> str:
    """Return a text that is cut, or in which something is lost or more."""
    at: int = draw(st.integers(0, len(text)))
    how = draw(st.integers(0, 9))
    if how == 0:
        return text[:at]
    if how == 1:
        return text[:at] + text[at + 1 :]
    if how == 2:
        splinter: str = draw(st.sampled_from(SPLINTERS))
        return text[:at] + splinter + text[at:]
    return text


@st.composite
def answers(draw: Draw) -> tuple[World, str]:
    """Draw declarations, and a text that a model may have written for a value of them."""
    world = draw(worlds())
    text = written(changed(draw, world.value), draw(STYLES))
    dress = draw(st.sampled_from(DRESSES))
    return world, broken(draw, dress.format(text))


@st.composite
def beginnings(draw: Draw) -> tuple[World, str]:
    """Draw declarations without unions, and the beginning of a value of them in JSON, not cut in a word or number."""
    world = draw(worlds(unions=False))
    text = (
        json.dumps(world.value, ensure_ascii=False)
        if draw(st.booleans())
        else written(world.value, Style('"', '"', ", ", ": ", "", is_python=False))
    )
    text = text[: draw(st.integers(0, len(text)))]
    return world, text if text.count('"') % 2 else re.sub(r"[\w.+-]+$", "", text)
