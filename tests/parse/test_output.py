"""`Output`: what a reading tells besides the value, what a policy refuses, and what providers and prompts are told."""

import json
import pickle
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

import callm
from callm.errors import ConfigError, OutputError
from callm.parse.locate import MAX_TEXT
from callm.parse.output import Output, Reading, output_of, parse_partial
from callm.parse.policies import FAITHFUL, LENIENT, STRICT, Policy


@dataclass
class Order:
    item: str
    count: int = 1


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Picky(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name == "nobody":
            raise ValueError("nobody is nobody")
        return name


TEA = Order("tea", 2)
SAID = '{"item": "tea", "count": 2}'


@pytest.mark.parametrize("text", [SAID, f"\n {SAID} \n", f"```json\n{SAID}\n```", f"```\n{SAID}\n```"])
def test_what_was_written_as_declared_needs_no_repair(text: str) -> None:
    reading = Output(Order).read(text)
    assert (reading.value, reading.repairs) == (TEA, ())
    assert Output(Order, policy=STRICT).parse(text) == TEA


@pytest.mark.parametrize(
    "text",
    [
        '{"item": "tea", "count": 2,}',
        "{'item': 'tea', 'count': 2}",
        '{item: "tea", count: 2}',
        '{"item": "tea", "count": "2"}',
        '{"item": "tea", "count": 2.0}',
        '{"Item": "tea", "COUNT": 2}',
        '{"item": "tea", // a drink\n "count": 2}',
        '{"item": "tea", "count": 2, "extra": [1]}',
        '{"count": 2, "item": "tea"',
        'Two teas, so {"item": "tea", "count": 2} it is.',
        '<think>{"item": "milk"}</think>{"item": "tea", "count": 2}',
    ],
)
def test_what_can_be_read_faithfully_is(text: str) -> None:
    assert Output(Order).parse(text) == TEA
    assert Output(Order).read(text).value == TEA


@pytest.mark.parametrize("text", ['{"item": "tea", "count": 2', '{"count": 2, "item": "te', "[1, 2"])
def test_what_may_be_half_of_something_is_no_value(text: str) -> None:
    """30 is no 3, even where the provider says that the answer is whole."""
    annotation: Any = Order if text[0] == "{" else list[int]
    with pytest.raises(OutputError):
        Output(annotation).parse(text)


@pytest.mark.parametrize(
    ("annotation", "text", "place"),
    [(Order, '{"item": "tea", "count": "2"}', "count"), (list[int], '[1, "2"]', "[1]"), (Size, '"Small"', "")],
)
def test_a_repair_says_what_and_where_and_the_strict_policy_refuses_it(annotation: Any, text: str, place: str) -> None:
    repairs = Output(annotation).read(text).repairs
    assert repairs
    assert place in {repair.path for repair in repairs}
    assert all(str(repair) for repair in repairs)
    with pytest.raises(OutputError, match="not allowed by the policy 'strict'") as caught:
        Output(annotation, policy=STRICT).parse(text)
    assert len(caught.value.problems) == len(repairs)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [(list[int], '[1, "x", 3]', [1, 3]), (Order, '{"item": "tea", "count": "many"}', Order("tea", 1)), (int, "3.5", 4)],
)
def test_what_would_lose_something_needs_the_lenient_policy(annotation: Any, text: str, value: Any) -> None:
    with pytest.raises(OutputError):
        Output(annotation).parse(text)
    reading = Output(annotation, policy=LENIENT).read(text)
    assert reading.value == value
    assert reading.repairs


def test_a_policy_of_ones_own_is_named_in_the_refusal() -> None:
    kinds = {repair.kind for repair in Output(Order).read('{"item": "tea", "count": "2"}').repairs}
    with pytest.raises(OutputError, match="the policy 'mine'"):
        Output(Order, policy=Policy("mine", FAITHFUL.allowed - kinds)).parse('{"item": "tea", "count": "2"}')


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=4))


@given(st.lists(VALUES, max_size=4))
def test_a_valid_value_is_never_altered(value: list[Any]) -> None:
    reading: Reading[Any] = Output(list[Any]).read(json.dumps(value))
    assert (reading.value, reading.repairs) == (value, ())
    assert Output(list[Any]).parse(json.dumps(value)) == value


def test_text_stays_as_it_came() -> None:
    for text in ("", ' {"a": 1} ', "```json\n1\n```"):
        assert Output(str).parse(text) == Output(str).read(text).value == text


def test_a_class_s_own_validation_has_the_last_word() -> None:
    assert Output(Picky).parse('{"name": "Ada"}') == Picky(name="Ada")
    for text in ('{"name": "nobody"}', 'so: {"name": "nobody",}'):
        with pytest.raises(OutputError, match="nobody is nobody"):
            Output(Picky).parse(text)


def test_an_error_quotes_little_and_names_the_problems() -> None:
    text = "x" * 5000 + '{"item": 1, "count": "many"}' + "y" * 5000
    with pytest.raises(OutputError) as caught:
        Output(Order).parse(text)
    assert len(str(caught.value)) < 1200
    assert len(caught.value.text) <= 500
    assert any("count" in problem for problem in caught.value.problems)
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems


def test_an_answer_of_any_size_ends() -> None:
    with pytest.raises(OutputError, match=f"at most {MAX_TEXT} are read"):
        Output(int).read(" " * (MAX_TEXT + 1))
    for text in ("[" * 100_000, '{"a":' * 50_000, "```\n" * 20_000, "{" + '"' * 50_000):
        with pytest.raises(OutputError):
            Output(Order).parse(text)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("sentiment", "sentiment"), ("größe", "gr_e"), ("a b.c", "a_b_c"), ("", "output"), ("x" * 99, "x" * 64)],
)
def test_a_name_is_made_fit_for_providers(name: str, shown: str) -> None:
    made = Output(int, name=name).name
    assert made.isascii()
    assert len(made) == len(shown) or name == "größe"


def test_what_is_no_object_is_wrapped_for_providers_and_read_either_way() -> None:
    for annotation in (int, list[int], Size, Literal["a"], int | None):
        output: Output[Any] = Output(annotation)
        schema = output.json_schema("openai")
        assert output.wrapped
        assert schema is not None
        assert list(schema["properties"]) == ["value"]
    assert not Output(Order).wrapped
    assert not Output(str).wrapped
    assert Output(str).json_schema("openai") is None
    assert Output(list[int]).parse('{"value": [1]}') == Output(list[int]).parse("[1]") == [1]
    assert Output(dict[str, int]).parse('{"value": 1}') == {"value": 1}


def test_a_schema_is_worked_out_once_for_each_dialect() -> None:
    output: Output[Order] = Output(Order)
    assert output.json_schema("openai") is output.json_schema("openai")
    assert output.json_schema("openai") != output.json_schema("json")
    with pytest.raises(ConfigError, match="no JSON Schema dialect 'xml'"):
        output.json_schema("xml")


def test_the_description_names_the_fields_and_takes_options() -> None:
    assert "item" in Output(Order).describe()
    assert Output(Order).describe(prefix="Like so:").startswith("Like so:")
    assert Output(str).describe() == ""
    assert repr(Output(Order)) == f"Output({Order!r})"


def test_a_schema_of_ones_own_is_an_annotation() -> None:
    output: Output[Any] = Output(Output(Order).schema)
    assert output.parse(SAID) == TEA
    assert output.json_schema("openai") == Output(Order).json_schema("openai")


@pytest.mark.parametrize("annotation", [object(), type, Output, complex])
def test_what_can_not_come_from_json_is_refused_at_once(annotation: Any) -> None:
    with pytest.raises(ConfigError, match="return type of f"):
        Output(annotation, name="f")


def test_the_value_grows_for_those_who_bring_their_own_client() -> None:
    values: list[Any] = list(parse_partial(list[int], ["[1, ", "2, 3", "4]", " and so on"]))
    assert values[-1] == [1, 2, 34]
    assert [1] in values
    assert list(parse_partial(str, ["a", "b"])) == ["a", "ab"]


def test_the_package_is_a_function_for_those_who_bring_their_own_client() -> None:
    assert callm.parse(Order, SAID) == TEA
    assert output_of(Order, FAITHFUL) is output_of(Order, FAITHFUL)
    assert output_of(Order, FAITHFUL) is not output_of(Order, LENIENT)
    with pytest.raises(OutputError):
        callm.parse(list[int], '[1, "x"]')
    assert callm.parse(list[int], '[1, "x"]', policy=LENIENT) == [1]
