"""What the BAML runtime reads, the policy `lenient` reads likewise: random declarations, values and damage.

`CALLM_BAML_EXAMPLES=5000` looks further, at other examples each time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from callm.baml.lower import read_types
from callm.errors import OutputError
from callm.parse.coerce import Coercion
from callm.parse.found import Miss
from callm.parse.locate import locate
from callm.parse.output import Output
from callm.parse.policies import LENIENT
from tests.parse import baml_oracle, baml_worlds
from tests.parse.test_baml_cases import plain as with_states

EXAMPLES = int(os.environ.get("CALLM_BAML_EXAMPLES", "0"))
pytestmark = pytest.mark.timeout(0 if EXAMPLES else 60)
common = settings(
    max_examples=EXAMPLES or 350,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def ours(world: baml_worlds.World, text: str) -> Any:
    schema = read_types(world.source).schema(world.kind)
    try:
        return baml_oracle.plain(Output(schema, policy=LENIENT).parse(text))
    except OutputError:
        return baml_oracle.NO_ANSWER


def ours_so_far(world: baml_worlds.World, text: str) -> Any:
    schema = read_types(world.source).schema(world.kind)
    if schema.is_text:
        return text
    found = Coercion(schema, streaming=True).root(locate(text, done=False))
    return baml_oracle.NO_ANSWER if isinstance(found, Miss) else baml_oracle.plain(with_states(found))


def unordered(value: Any) -> Any:
    """Return a value whose fields have one order: the reference puts those first that have come."""
    if isinstance(value, list):
        return [unordered(item) for item in value]
    if isinstance(value, tuple) and value[0] == "object":
        return {key: unordered(item) for key, item in value[1]}
    return value


# -- deliberate differences (docs/parsing.md): what the reference does where it loses what the model wrote


def shows_its_insides(theirs: Any, _: Any) -> bool:
    """Several readings as text are a dump of the reference's own structures."""
    return "AnyOf[" in repr(theirs)


def is_less(theirs: Any, mine: Any) -> bool:
    """A list or map that a worse reading left empty wins; in a list, what came before makes a float of `7`."""
    if theirs == mine or theirs in ([], ("object", [])):
        return True
    if isinstance(theirs, tuple) and isinstance(mine, tuple) and (theirs[0], mine[0]) == ("float", "int"):
        return bool(theirs[1] == mine[1])
    if isinstance(theirs, tuple) and isinstance(mine, tuple) and theirs[0] == mine[0] == "object":
        here, there = dict(mine[1]), dict(theirs[1])
        return list(here) == list(there) and all(is_less(there[key], here[key]) for key in here)
    if isinstance(theirs, list) and isinstance(mine, list) and len(theirs) == len(mine):
        return all(map(is_less, theirs, mine))
    return False


def is_hidden(theirs: Any, mine: Any) -> bool:
    """A part that has come is not shown, of recursive classes above all."""
    if theirs == mine or theirs in (("NoneType", None), [], {}):
        return True
    if isinstance(theirs, dict) and isinstance(mine, dict):
        return theirs.keys() == mine.keys() and all(is_hidden(theirs[key], mine[key]) for key in mine)
    if isinstance(theirs, list) and isinstance(mine, list):
        return len(theirs) <= len(mine) and all(map(is_hidden, theirs, mine))
    return False


LOSES: dict[str, Callable[[str], str]] = {
    "a comma ends a value only where one space, and none before, stands beside it": lambda text: re.sub(
        r"[ \t]*,(?=\S)|[ \t]+,|, {2,}", ", ", text
    ),
    "a comma that is missing before a key makes one text of two fields": lambda text: re.sub(
        r"""([\w"'`\]}])(\s+)(["'`]?[A-Za-z][^"'`:\n]*["'`]?\s*:)""", r"\1, \3", text
    ),
    "a comma behind the last text, and the bracket, are text": lambda text: re.sub(r",\s*([}\]])", r"\1", text),
    "escapes other than the simplest stay as they are": lambda text: re.sub(r"\\u[0-9a-f]{4}|\\/", "u", text),
    "a comment behind what has no quotes is part of it": lambda text: re.sub(
        r"(?<=[\w.\-\"'`])\s*(?://[^\n]*|/\*.*?(?:\*/|\Z))", "", text, flags=re.DOTALL
    ),
    "a letter that is no ASCII makes it skip what follows": lambda text: re.sub(r"[^\x00-\x7f]", "e", text),
}
"""What the reference loses, and the text without what makes it lose: there both must agree."""


def tamed(text: str) -> str:
    for change in LOSES.values():
        text = change(text)
    return text


def is_deliberate(theirs: Any, mine: Any) -> bool:
    return shows_its_insides(theirs, mine) or is_less(theirs, mine)


@common
@given(baml_worlds.answers())
def test_what_baml_reads_is_read_likewise(case: tuple[baml_worlds.World, str]) -> None:
    world, text = case
    theirs, mine = baml_oracle.ask(world.source, world.kind, text), ours(world, text)
    if theirs is baml_oracle.NO_ANSWER or theirs == mine or is_deliberate(theirs, mine):
        return
    tame = world._replace(source=LOSES["a letter that is no ASCII makes it skip what follows"](world.source))
    theirs, mine = baml_oracle.ask(tame.source, tame.kind, tamed(text)), ours(tame, tamed(text))
    assert theirs is baml_oracle.NO_ANSWER or theirs == mine or is_deliberate(theirs, mine)


@common
@given(baml_worlds.beginnings())
def test_what_baml_shows_of_a_beginning_is_shown_likewise(case: tuple[baml_worlds.World, str]) -> None:
    world, text = case
    theirs = baml_oracle.ask(world.source, world.kind, text, streaming=True)
    assert theirs is baml_oracle.NO_ANSWER or is_hidden(unordered(theirs), unordered(ours_so_far(world, text)))


TABLE = [
    ("class P {\n x int\n tag string\n}\n", "P", '{"x":1,"tag":"t",}', {"x": 1, "tag": "t"}),
    ("class P {\n x int\n tag string\n}\n", "P", "{x: 1 ,tag: née , }", {"x": 1, "tag": "née"}),
    ("", "map<string,string>", '{"a": "x"\n"b": "y"}', {"a": "x", "b": "y"}),
    ("", "map<string,string>", r"{k: " + r'"a\/bA"}', {"k": "a/bA"}),
    ("", "map<string,string>", "{a: 日本語, b: 12345}", {"a": "日本語", "b": "12345"}),
    ("", "int[]", '```json\n{"q": "x"}\n```\n[1, "two"]', [1]),
    ("", "(int | float)[]", "[0.5, 7]", [0.5, 7]),
    ("", "map<string,string>", "{a: so so, }", {"a": "so so"}),
    ("class M {\n m map<string, int>\n}\n", "M", '[{"m": {"k": 1}}]', {"m": {"k": 1}}),
]


@pytest.mark.parametrize(("source", "kind", "text", "value"), TABLE)
def test_what_the_reference_loses_is_kept(source: str, kind: str, text: str, value: Any) -> None:
    world = baml_worlds.World(source, kind, value)
    assert ours(world, text) == baml_oracle.plain(value)
    assert baml_oracle.ask(source, kind, text) != baml_oracle.plain(value)
