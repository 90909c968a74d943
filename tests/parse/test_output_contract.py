"""What whoever declares a function may rely on, whatever reads the text: each kind of type, each way to wrap its JSON."""

import dataclasses
import enum
import json
import pickle
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, HttpUrl, RootModel, TypeAdapter, field_validator
from typing_extensions import TypeAliasType

from callm.errors import OutputError
from callm.parse.output import Output


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Rating(enum.IntEnum):
    BAD = 1
    GOOD = 2


class Address(TypedDict):
    """Of `typing`, which pydantic refuses before Python 3.12."""

    street: str
    floor: NotRequired[int]


class Item(BaseModel):
    name: str = Field(alias="itemName")
    price: Decimal
    quantity: int = 1
    bought: date
    colour: Colour | None = None


class Invoice(BaseModel):
    items: list[Item]
    note: str | None = None

    @field_validator("note")
    @classmethod
    def _upper(cls, note: str | None) -> str | None:
        return note and note.upper()


@dataclasses.dataclass
class Customer:
    address: Address
    invoice: Invoice | None = None
    tags: set[str] = dataclasses.field(default_factory=set)
    pair: tuple[int, str] = (1, "a")


class Point(NamedTuple):
    x: int
    y: str = "q"


class Struct(msgspec.Struct, rename="camel"):
    first_name: str
    born: date
    address: Address | None = None


class StructOfModel(msgspec.Struct):
    item: Item


class Cat(BaseModel):
    kind: Literal["cat"]
    age: int


class Dog(BaseModel):
    kind: Literal["dog"]
    age: int


class Node(BaseModel):
    value: int
    kids: list["Node"] = []


class Numbers(RootModel[list[int]]):
    pass


@dataclasses.dataclass
class Limited:
    stars: Annotated[int, Field(ge=1, le=5, alias="Stars")]


Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | str | int | None")
Tree = TypeAliasType("Tree", "list[Tree] | Address")
Stars = Annotated[int, Field(ge=1)]

ITEM = {"itemName": "n", "price": "1.50", "bought": "2026-01-02"}
BOUGHT = Item.model_validate(ITEM)
STRUCT = {"firstName": "a", "born": "2026-01-02", "address": {"street": "s"}}
BORN = Struct("a", date(2026, 1, 2), {"street": "s"})
IDENTITY = "12345678-1234-5678-1234-567812345678"
text_of = json.dumps


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        (str, ' as "is" ', ' as "is" '),
        (int, " 42\n", 42),
        (int, '{"value": 42}', 42),
        (bool, "true", True),
        (None, "null", None),
        (int | None, "null", None),
        (str | None, "hello", "hello"),
        (str | None, '{"value": "hello"}', "hello"),
        (Colour, "red", Colour.RED),
        (Colour, '"red"', Colour.RED),
        (Colour, "RED", Colour.RED),
        (Colour, '{"value": "red"}', Colour.RED),
        (Rating, "2", Rating.GOOD),
        (Literal["good", "bad"], "good", "good"),
        (Literal["good", "bad"], '"good"', "good"),
        (date, "2026-01-02", date(2026, 1, 2)),
        (Decimal, "1.50", Decimal("1.50")),
        (timedelta, '"P1D"', timedelta(days=1)),
        (UUID, f'"{IDENTITY}"', UUID(IDENTITY)),
        (list[int], "[1, 2]", [1, 2]),
        (list[int], '{"value": [1, 2]}', [1, 2]),
        (set[int], "[1, 2]", {1, 2}),
        (frozenset[str], '["a"]', frozenset("a")),
        (tuple[int, str], '[1, "a"]', (1, "a")),
        (tuple[int, ...], "[1]", (1,)),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (dict[Colour, int], '{"red": 1}', {Colour.RED: 1}),
        (Any, '{"a": 1}', {"a": 1}),
        (Json, '{"a": [1, null]}', {"a": [1, None]}),
        (Tree, '[[{"street": "s"}]]', [[{"street": "s"}]]),
        (Item, text_of(ITEM), BOUGHT),
        (Item, f"```json\n{text_of(ITEM)}\n```", BOUGHT),
        (Item, f"```\n{text_of(ITEM)}\n```", BOUGHT),
        (Item, f"Sure! Here:\n{text_of(ITEM)}\nBye.", BOUGHT),
        (Invoice, text_of({"items": [ITEM], "note": "x"}), Invoice(items=[BOUGHT], note="X")),
        (Invoice, "so: " + text_of({"items": [ITEM], "note": "x"}), Invoice(items=[BOUGHT], note="X")),
        (Address, '{"street": "s"}', {"street": "s"}),
        (list[Address], '[{"street": "s", "floor": 1}]', [{"street": "s", "floor": 1}]),
        (Customer, '{"address": {"street": "s"}}', Customer({"street": "s"})),
        (
            Customer,
            text_of({"address": {"street": "s"}, "invoice": {"items": [ITEM]}, "tags": ["a"], "pair": [2, "b"]}),
            Customer({"street": "s"}, Invoice(items=[BOUGHT]), {"a"}, (2, "b")),
        ),
        (Point, '{"x": 1}', Point(1)),
        (list[Point], '[{"x": 1, "y": "z"}]', [Point(1, "z")]),
        (Struct, text_of(STRUCT), BORN),
        (list[Struct], text_of([STRUCT]), [BORN]),
        (StructOfModel, text_of({"item": ITEM}), StructOfModel(BOUGHT)),
        (Struct | Item, text_of(ITEM), BOUGHT),
        (Cat | Dog, '{"kind": "dog", "age": 1}', Dog(kind="dog", age=1)),
        (Cat | Dog, '{"value": {"kind": "dog", "age": 1}}', Dog(kind="dog", age=1)),
        (Node, '{"value": 1, "kids": [{"value": 2}]}', Node(value=1, kids=[Node(value=2)])),
        (Stars, "3", 3),
        (Limited, '{"Stars": 5}', Limited(5)),
    ],
)
def test_every_kind_of_type_is_read(annotation: Any, text: str, expected: Any) -> None:
    found = Output(annotation).parse(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        pytest.param(Rating, "GOOD", Rating.GOOD, id="the name of an enum's value"),
        pytest.param(int | None, '{"value": null}', None, id="a wrapped null"),
        pytest.param(Item, text_of({**ITEM, "quantity": None}), BOUGHT, id="null for a default of a model"),
        pytest.param(
            Address, '{"street": "s", "floor": null}', {"street": "s"}, id="null for a key that may be missing"
        ),
        pytest.param(Numbers, "[1]", Numbers([1]), id="a root model"),
        pytest.param(HttpUrl, '"http://a.b/"', HttpUrl("http://a.b/"), id="a type of pydantic's own"),
    ],
)
def test_what_a_provider_was_asked_for_is_read(annotation: Any, text: str, expected: Any) -> None:
    """OpenAI's schemas require every property, so what may be missing comes as null, and what is no object is wrapped."""
    found = Output(annotation).parse(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "text", "place"),
    [
        (int, "x", "'x'"),
        (bool, "maybe", "'maybe'"),
        (Colour, "green", "'green'"),
        (Literal["a"], "b", "'b'"),
        (Decimal, "abc", ""),
        (Item, "", "Item"),
        (Item, "no JSON", "Item"),
        (Item, "{}", "itemName"),
        (Item, text_of({**ITEM, "price": "abc"}), "price"),
        (Item, text_of(ITEM)[:-5], "bought"),
        (Invoice, text_of({"items": [ITEM, {**ITEM, "bought": "x"}]}), "items[1].bought"),
        (list[int], '[1, "x"]', "[1]"),
        (Cat | Dog, '{"kind": "fox", "age": 1}', "kind"),
        (Node, '{"kids": [{"value": 2}]}', "value"),
        pytest.param(Stars, "0", ""),
        (Limited, '{"Stars": 9}', ""),
        pytest.param(list[Stars], "[1, 0]", ""),
        (Annotated[str, Field(min_length=3)], "ab", ""),
    ],
)
def test_what_is_not_the_type_is_refused_with_its_place(annotation: Any, text: str, place: str) -> None:
    with pytest.raises(OutputError) as caught:
        Output(annotation).parse(text)
    assert place in str(caught.value)
    assert caught.value.text == text[:500]
    assert len(str(caught.value)) < 2000


def test_depth_is_no_danger() -> None:
    with pytest.raises(OutputError, match="200 deep"):
        Output(Item).parse("[" * 100_000)


def test_an_output_survives_pickle() -> None:
    output: Output[Item] = pickle.loads(pickle.dumps(Output(Item)))
    assert output.parse(text_of(ITEM)) == BOUGHT


def test_what_providers_and_prompts_are_told_comes_from_the_schema() -> None:
    output = Output[list[int]](list[int], name="my numbers")
    assert output.name == "my_numbers"
    assert output.describe() == "Answer with a JSON Array using this schema:\nint[]"
    assert output.json_schema("json") == {"type": "array", "items": {"type": "integer"}}
    assert (output.json_schema("openai") or {})["required"] == ["value"]
    assert Output(str).json_schema("openai") is None
    assert Output(str).describe() == ""


SCALARS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, st.text(max_size=8)),
    (int, st.integers(-(2**60), 2**60)),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (bool, st.booleans()),
    (Colour, st.sampled_from(Colour)),
    (Item, st.builds(lambda n: BOUGHT.model_copy(update={"quantity": n}), st.integers(0, 9))),
    (Cat, st.builds(Cat, kind=st.just("cat"), age=st.integers(0, 9))),
]


def generic(origin: Any, *arguments: Any) -> Any:
    return origin[arguments]


def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        inner.map(lambda pair: (generic(list, pair[0]), st.lists(pair[1], max_size=3))),
        inner.map(lambda pair: (generic(list, pair[0] | None), st.lists(st.none() | pair[1], max_size=3))),
        inner.map(
            lambda pair: (generic(dict, str, pair[0]), st.dictionaries(st.text(max_size=4), pair[1], max_size=3))
        ),
        st.tuples(inner, inner).map(
            lambda two: (generic(tuple, two[0][0], two[1][0]), st.tuples(two[0][1], two[1][1]))
        ),
    )


def _pairs() -> st.SearchStrategy[tuple[Any, st.SearchStrategy[Any]]]:
    """Return lists of generated types, each with the strategy of its values."""
    nested = st.recursive(st.sampled_from(SCALARS), larger, max_leaves=4)
    return nested.map(lambda pair: (generic(list, pair[0]), st.lists(pair[1], max_size=3)))


CASES = _pairs().flatmap(lambda pair: st.tuples(st.just(pair[0]), pair[1]))
AS_OBJECT = '{{"value": {}}}'
WRAPPINGS = st.sampled_from(
    ["{}", "\n {} \n", "```json\n{}\n```", "```\n{}\n```", "Here it is:\n```json\n{}\n```\nDone.", AS_OBJECT]
)
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(CASES, WRAPPINGS)
@quick
def test_the_json_of_any_value_in_any_wrapping_gives_the_value(case: tuple[Any, Any], wrapping: str) -> None:
    annotation, value = case
    text = TypeAdapter(annotation).dump_json(value, by_alias=True).decode()
    output = Output[Any](annotation)
    if wrapping == AS_OBJECT and output.json_schema("openai") is None:
        wrapping = "{}"  # no provider was asked to wrap it
    assert output.parse(wrapping.format(text)) == value


@given(CASES, WRAPPINGS)
@quick
def test_no_prefix_of_an_answer_raises(case: tuple[Any, Any], wrapping: str) -> None:
    annotation, value = case
    text = wrapping.format(TypeAdapter(annotation).dump_json(value, by_alias=True).decode())
    partial = Output(annotation).partial()
    for character in text:
        partial.feed(character)
