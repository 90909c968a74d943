"""Values out of nodes: containers, unions, classes, and how far it goes."""

from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import callm
from callm.baml.lower import read_types
from callm.errors import OutputError
from callm.parse.coerce import Coercion
from callm.parse.constraints import data
from callm.parse.found import Found, Miss
from callm.parse.locate import locate
from callm.parse.output import Output
from callm.parse.policies import FAITHFUL, LENIENT, STRICT

TYPES = read_types(
    "class Point {\n x int\n y int?\n tag string\n}\nclass One {\n name string\n}\nclass Wrap {\n inner One\n}\n"
    "class Node {\n v int\n kids Node[]\n}\ntype Tree = int | Tree[]\nenum Mood {\n HAPPY\n SAD\n}\n"
    "class Both {\n name string\n}\nclass Cat {\n name string\n meow bool\n}"
)


def read(kind, text, policy=LENIENT):
    return Output(TYPES.schema(kind), policy=policy).parse(text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("Point", "{X: '1', tag: t, other: 5}", {"x": 1, "y": None, "tag": "t"}),
        ("Point[]", '{"x":1,"tag":"a"}\n{"x":2,"tag":"b"}', [{"x": 1, "y": None, "tag": "a"}, {"x": 2, "y": None, "tag": "b"}]),
        ("Wrap", '{"inner":"a"}', {"inner": {"name": "a"}}),
        ("Node", '{"v":1,"kids":[{"v":2}]}', {"v": 1, "kids": [{"v": 2, "kids": []}]}),
        ("Tree", '[1,[2,[3,"4"]]]', [1, [2, [3, 4]]]),
        ("int[]", '[1, "x", 3]', [1, 3]),
        ("int[]", "5", [5]),
        ("map<string, int>", '{"a": 1, "b": "x"}', {"a": 1}),
        ("int?", "x", None),
        ("int | string", "5", 5),
        ("int | string", "5 apples", "5 apples"),
        ("Both | Cat", '{"name":"a","meow":true}', {"name": "a", "meow": True}),
        ("Mood[]", '["happy", "Sad!"]', ["HAPPY", "SAD"]),
    ],
)  # fmt: skip
def test_leniently_much_is_read(kind, text, value):
    assert read(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int[]", '[1, "x", 3]'),  # an item would be lost
        ("int[]", "no list at all"),
        ("Node", '{"v":1}'),  # a list would be invented
        ("int", "3.5"),
        ("map<string, int>", '{"a": "x"}'),
        ("Point", '{"x": 1, "y": "no number", "tag": "t"}'),
    ],
)
def test_faithfully_nothing_is_lost_or_invented(kind, text):
    read(kind, text)
    with pytest.raises(OutputError, match="not allowed by the policy 'faithful'"):
        read(kind, text, FAITHFUL)


@pytest.mark.parametrize(
    ("kind", "text"), [("Point", '{"x": "1", "tag": "t"}'), ("Point", "{x: 1, tag: t}"), ("Mood", '"happy"')]
)
def test_strictly_nothing_is_repaired(kind, text):
    read(kind, text, FAITHFUL)
    with pytest.raises(OutputError, match="'strict'"):
        read(kind, text, STRICT)


def test_what_is_missing_is_named_with_its_path():
    with pytest.raises(OutputError) as raised:
        read("Node", '{"v": 1, "kids": [{"v": "x"}]}', FAITHFUL)
    assert "kids" in str(raised.value)
    with pytest.raises(OutputError) as raised:
        read("Point", "{}", FAITHFUL)
    assert [problem.split(":")[0] for problem in raised.value.problems] == ["x", "tag"]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=4),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)))  # fmt: skip
@settings(max_examples=200)
def test_every_node_is_coerced_or_missed(node):
    for kind in ("Point", "Tree", "Node[]", "Mood | int[] | Cat", "map<string, One>"):
        assert isinstance(Coercion(TYPES.schema(kind)).root(node), Found | Miss)


MORE = read_types(
    "class Chain {\n next Chain?\n}\nclass Entries {\n m map<string, int>\n}\n"
    'enum Only {\n AA\n BB\n @@assert(only_aa, {{ this == "AA" }})\n}\n'
)


@pytest.mark.parametrize("text", ["BB", '"BB"', '["BB"]', "{BB}", '```json\n"BB"\n```'])
def test_an_assert_of_an_enum_holds_however_the_value_is_written(text):
    with pytest.raises(OutputError, match="only_aa"):
        Output(MORE.schema("Only"), policy=LENIENT).parse(text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("Chain", '{"next": {"next": 5}}', {"next": {"next": None}}),
        ("Chain", '{"next": "nobody"}', {"next": None}),
        ("(int | string)[]", '{"a": ["12', ["{a: [12]}"]),
        ("map<string, int | string>", '{"a": "12', {"a": "12"}),
        ("map<Only, int>", '{"n": 4', {"n": 4}),
        ("Entries", "", {"m": {}}),
        ("map<string, int>", '```json\n{"f": 1, "g": "q"}\n```\nfoo {"r": 1} bar', {"r": 1}),
        ("int[]", "```json\n5\n```\n[7]", [7]),
        ("float", '```json\n{"x": 1}', 1.0),
        ("string[]", "```json\n{x: 1", ["{x: 1"]),
    ],
)
def test_what_is_hard_to_read_is_read_as_the_reference_reads_it(kind, text, value):
    assert Output(MORE.schema(kind), policy=LENIENT).parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("bool[]", "[true", [True]),
        ("(int?)[]", "[1, null", [1, None]),
        ("map<string, string>?", "n", None),
    ],
)
def test_constants_and_nothing_are_shown_as_soon_as_they_may_be(kind, text, value):
    found = Coercion(MORE.schema(kind), streaming=True).root(locate(text, done=False))
    assert isinstance(found, Found)
    assert data(found) == value


# -- the constants of Python and JavaScript


class Told(BaseModel):
    note: str | None
    count: int = 5
    ratio: float = 0.0
    flag: str | bool = ""
    name: Literal["None", "x"] = "x"


CONSTANTS: list[tuple[Any, str, Any]] = [
    (Any, "So: {'a': [None, True, 'None', NaN, word]}", {"a": [None, True, "None", "NaN", "word"]}),
    (dict[str, str | None], "{'a': None, b: 'None', c: undefined}", {"a": None, "b": "None", "c": None}),
    (dict[str, int | None], "{'a': None, 'b': 3}", {"a": None, "b": 3}),
    (list[str | bool], "[True, 'True', False,]", [True, "True", False]),
    (list[float | str], "[-Infinity, 'NaN']", [float("-inf"), "NaN"]),
    (dict[str, str], "{'a': True}", {"a": "True"}),
]


@pytest.mark.parametrize(("kind", "text", "value"), CONSTANTS)
def test_a_constant_without_quotes_is_read_as_one_and_listed(kind: Any, text: str, value: Any) -> None:
    output = Output(kind)
    reading = output.read(text)
    assert output.parse(text) == reading.value == value
    assert any(repair.kind == "constant" for repair in reading.repairs) == (value != {"a": "True"})
    if text[0] in "{[":
        assert [*callm.parse_partial(kind, text)][-1] == value


def test_a_field_that_is_none_in_python_is_null_unless_that_is_a_name() -> None:
    reading = Output(Told).read("{'note': None, 'count': None, 'ratio': NaN, 'flag': True, 'name': None}")
    told = reading.value
    assert (told.note, told.count, told.flag, told.name) == (None, 5, True, "None")
    assert told.ratio != told.ratio
    assert [repair.path for repair in reading.repairs if repair.kind == "constant"] == ["note", "ratio", "flag"]


def test_no_text_is_made_of_none() -> None:
    with pytest.raises(OutputError, match="expected text, got null"):
        callm.parse(dict[str, str], "{'a': None}")


def test_lenient_takes_none_for_a_text_as_baml_does() -> None:
    output = Output(dict[str, str | None], policy=LENIENT)
    for text in ("{'a': None}", "So: {a: None, }"):
        assert output.parse(text) == output.read(text).value == {"a": "None"}
