"""Lenient JSON, as it comes."""

import json
from contextlib import suppress
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import OutputError
from callm.parse.reader import Reader, read
from callm.parse.tree import Open, Pairs

EXAMPLES = [
    ('{"a": "He said: "ok", then left", "b": "z"}', [{"a": 'He said: "ok", then left', "b": "z"}]),
    ('["he said "hi" to me", "b"]', [['he said "hi" to me', "b"]]),
    ('["a" "b"]', [['a" "b']]),
    ('{"a":"x"\n"b":"y"}', [{"a": "x", "b": "y"}]),
    ("{a: x, b: z}", [{"a": "x", "b": "z"}]),
    ("{a: x y, b: z}", [{"a": "x y, b: z"}]),
    ('{a: x y, "b": z}', [{"a": "x y", "b": "z"}]),
    ("{a: x,b: z}", [{"a": "x", "b": "z"}]),
    ('{"x":1,"tag":"t",}', [{"x": 1, "tag": "t"}]),
    ("{k: v // c\n}", [{"k": "v // c"}]),
    ("{'x': 'it''s'}", [{"x": "it''s"}]),
    ("['it's', 'ok']", [["it's", "ok"]]),
    ('{k: "a\\u0041\\ud83d\\ude00\\n\\q"}', [{"k": "aA\U0001f600\n\\q"}]),
    ('{"a": 1, // hi\n "b": /* x */ [true, null, 1.5, 1e3]}', [{"a": 1, "b": [True, None, 1.5, 1000.0]}]),
    ('{a: """\n  x\n   y\n""", b: 2}', [{"a": "x\n y", "b": 2}]),
    ("{a: ```js\n x\n```}", [{"a": "x"}]),
    ("{a: `t`}", [{"a": "t"}]),
    ('{"price": 1,234}', [{"price": "1,234"}]),
    ("{a: 日本語, b: 12345}", [{"a": "日本語", "b": 12345}]),
    ("{a:}", [{}]),
    ('{"a": 1, "a": 2}', [Pairs((("a", 1), ("a", 2)))]),
    ("{1: 2}", [{"1": 2}]),
    ("[1][2]", [[1], [2]]),
    ("{a: http://x/y}", [{"a": "http://x/y"}]),
    ("", []),
    ("  ", []),
]


@pytest.mark.parametrize(("text", "values"), EXAMPLES, ids=[text for text, _ in EXAMPLES])
def test_what_models_write_is_read(text, values):
    assert read(text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"a": "x', [Open({"a": Open("x")})]),
        ('{"a": "x"', [Open({"a": "x"})]),
        ("[1, [2, 3", [Open([1, Open([2, Open(3)])])]),
        ('{"a":"x","b"', [Open({"a": "x"})]),
        ('{"a": """x', [Open({"a": Open("x")})]),
        ("[tru", [Open([Open("tru")])]),
        ('{"a": "x\\', [Open({"a": Open("x\\")})]),
        ("{ // c", [Open({})]),
        ("[ /* c", [Open([])]),
    ],
)
def test_what_is_not_finished_is_open(text, values):
    assert read(text) == values


@pytest.mark.parametrize("text", [text for text, _ in EXAMPLES])
def test_splitting_an_example_anywhere_changes_nothing(text):
    whole = read(text)
    for cut in range(len(text) + 1):
        reader = Reader()
        reader.feed(text[:cut])
        reader.feed(text[cut:])
        assert reader.close() == whole


@given(st.lists(st.text(alphabet="{}[]\"'`:,/*\\ntu0a1 \n", max_size=12), max_size=8))
def test_splitting_any_text_anywhere_changes_nothing(pieces):
    reader = Reader()
    for piece in pieces:
        reader.feed(piece)
        assert isinstance(reader.values, list)
    assert reader.close() == read("".join(pieces))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4) | st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_valid_json_is_read_as_it_is(value):
    text = json.dumps(value)
    assert read(text) == [json.loads(text)]


@pytest.mark.parametrize("text", ["[" * 10_000, '{"a":' * 10_000])
def test_nesting_has_an_end_that_says_so(text):
    with pytest.raises(OutputError, match="nested more than"):
        read(text)


@pytest.mark.parametrize(
    "unit", ['"a",', "'", '"', "\\", "{} ", ",", "a b ", "``` ", "/* ", '{"a": "b" ', "1,", "[1] "], ids=repr
)
def test_time_follows_the_length(unit):
    def seconds(count):
        begun = process_time()
        with suppress(OutputError):
            read("[" + unit * count)
        return process_time() - begun

    small = min(seconds(20_000) for _ in range(3))
    large = min(seconds(80_000) for _ in range(3))
    assert large < 12 * small + 0.05  # four times the text; a square would be sixteen times the time
