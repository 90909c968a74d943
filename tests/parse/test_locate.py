"""Where in a text may the answer be?"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.parse.locate import locate, unwrap_value
from callm.parse.output import Output
from callm.parse.tree import Open, unwrap

WRAPPINGS = [
    "{}",
    "  {}\n",
    "```json\n{}\n```",
    "```\n{}\n```",
    "Sure! Here it is:\n```json\n{}\n```\nHope it helps.",
    "Here you are: {}",
    "{} is the answer.",
    "<think>hm, let me see</think>\n{}",
    "Line one.\n\nLine two: {}\n\nLine three.",
    "**Answer**\n\n~~~\n{}\n~~~",
]


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_an_object_is_found_in_every_wrapping(wrapping):
    value = {"a": [1, {"b": "x, y: z"}], "c": None}
    reading = Output(dict[str, object]).read(wrapping.replace("{}", json.dumps(value)))
    assert reading.value == value
    assert reading.repairs == ()


@given(
    st.dictionaries(
        st.text(alphabet="abc", min_size=1), st.integers() | st.booleans() | st.text(alphabet="xyz ,:'`"), min_size=1
    ),
    st.sampled_from(WRAPPINGS),
)
def test_any_object_is_found_in_any_wrapping(value, wrapping):
    value = {name: item for name, item in value.items() if not isinstance(item, int) or abs(item) < 2**53}
    assert Output(dict[str, object]).parse(wrapping.replace("{}", json.dumps(value))) == value


def test_plain_text_is_itself():
    assert unwrap(locate("nothing here")) == "nothing here"
    assert locate("nothing here", done=False) == Open("nothing here")


def test_a_number_at_the_end_may_go_on():
    assert unwrap(locate("12", done=False)) == 12


def test_of_several_objects_the_one_that_fits_is_taken():
    reading = Output(dict[str, int]).read('{"a": "x"} then {"b": 3}')
    assert reading.value == {"b": 3}


@pytest.mark.parametrize(("text", "inner"), [('{"value": [1]}', [1]), ('x {"value": null} y', None)])
def test_the_wrapper_of_providers_comes_off(text, inner):
    node = unwrap_value(locate(text), "value")
    assert node is not None
    assert unwrap(node) == inner


@pytest.mark.parametrize("text", ["[1]", '{"value": 1, "x": 2}', "5"])
def test_other_objects_are_no_wrapper(text):
    assert unwrap_value(locate(text), "value") is None
