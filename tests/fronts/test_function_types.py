"""Every kind of return type, through a real server, in both formats, whole and streamed."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, NotRequired, Optional, TypedDict, Union
from uuid import UUID

import msgspec
import pytest
from pydantic import BaseModel, Field, RootModel

from callm.client import Client
from callm.errors import ConfigError, OutputError
from callm.fronts.function import Function, function
from callm.testing import Answer, Fault, FaultServer
from tests.support import FORMATS, client_of


class Tone(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Address(BaseModel):
    street: str
    floor: int | None = None


class Person(BaseModel):
    name: str
    born: date
    home: Address
    tone: Tone = Tone.GOOD


class Aliased(BaseModel):
    first: str = Field(alias="firstName", description="the given name")


class Node(BaseModel):
    value: int
    children: list[Node] = []


class Words(RootModel[list[str]]):
    pass


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


@dataclasses.dataclass(frozen=True)
class Tree:
    name: str
    left: Tree | None = None
    right: Tree | None = None


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Pair(NamedTuple):
    first: str
    second: int


class Struct(msgspec.Struct):
    a: int
    b: list[str] = []


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str]


Name = NewType("Name", str)
Positive = Annotated[int, Field(gt=0)]

ADA = Person(name="Ada", born=date(1815, 12, 10), home=Address(street="A", floor=2))

CASES: list[tuple[Any, str, Any]] = [
    (str, 'any text, {even} "this"', 'any text, {even} "this"'),
    (int, "42", 42),
    (float, "1.5", 1.5),
    (float, "2", 2.0),
    (bool, "true", True),
    (None, "null", None),
    (Tone, '"good"', Tone.GOOD),
    (Level, "2", Level.HIGH),
    (Literal["yes", "no"], '"no"', "no"),
    (Literal[1, 2], "2", 2),
    (Name, "a name", "a name"),
    (Positive, "3", 3),
    (date, '"2024-02-29"', date(2024, 2, 29)),
    (datetime, '"2024-02-29T01:02:03Z"', datetime(2024, 2, 29, 1, 2, 3, tzinfo=timezone.utc)),  # noqa: UP017
    (Decimal, '"1.10"', Decimal("1.10")),
    (UUID, f'"{UUID(int=7)}"', UUID(int=7)),
    (Address, '{"street": "A"}', Address(street="A")),
    (Person, ADA.model_dump_json(), ADA),
    (Aliased, '{"firstName": "Ada"}', Aliased(firstName="Ada")),
    (Words, '["a", "b"]', Words(["a", "b"])),
    (Point, '{"x": 1, "y": 2.5}', Point(1.0, 2.5)),
    (Point, '{"x": 1}', Point(1.0)),
    (Movie, '{"title": "M", "year": 1931}', {"title": "M", "year": 1931}),
    (Movie, '{"title": "M"}', {"title": "M"}),
    (Pair, '["a", 1]', Pair("a", 1)),
    (Struct, '{"a": 1, "b": ["c"]}', Struct(1, ["c"])),
    (list[int], "[1, 2]", [1, 2]),
    (list[Point], '[{"x": 1}]', [Point(1.0)]),
    (list[list[str]], '[["a"], []]', [["a"], []]),
    (Sequence[int], "[1]", [1]),
    (tuple[int, ...], "[1, 2]", (1, 2)),
    (tuple[str, int], '["a", 1]', ("a", 1)),
    (set[str], '["a", "b"]', {"a", "b"}),
    (dict[str, int], '{"a": 1}', {"a": 1}),
    (dict[str, list[Point]], '{"a": [{"x": 1}]}', {"a": [Point(1.0)]}),
    (Mapping[str, int], '{"a": 1}', {"a": 1}),
    (dict[str, Any], '{"a": [1, null, {"b": "c"}]}', {"a": [1, None, {"b": "c"}]}),
    (Optional[int], "null", None),  # noqa: UP045
    (int | None, "7", 7),
    (Person | None, "null", None),
    (Union[int, str], "7", 7),  # noqa: UP007
    (Cat | Dog, '{"kind": "dog", "tricks": ["sit"]}', Dog(tricks=["sit"])),
    (list[Cat | Dog], '[{"kind": "cat", "lives": 9}]', [Cat(lives=9)]),
    (Annotated[Cat | Dog, Field(discriminator="kind")], '{"kind": "cat", "lives": 9}', Cat(lives=9)),
    (Node, '{"value": 1, "children": [{"value": 2, "children": []}]}', Node(value=1, children=[Node(value=2)])),
    (Tree, '{"name": "a", "left": {"name": "b"}}', Tree("a", Tree("b"))),
    (list[Tree], '[{"name": "a"}]', [Tree("a")]),
]


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture(scope="module", params=FORMATS)
def client(request: pytest.FixtureRequest, server: FaultServer) -> Client:
    return client_of(server, request.param)


def _returning(annotation: Any, client: Client) -> Function[[str], Any, Any]:
    def ask(text: str) -> Any:
        """{{ text }}"""

    ask.__annotations__["return"] = annotation
    return function(client=client)(ask)


@pytest.mark.parametrize(("annotation", "said", "expected"), CASES, ids=lambda value: str(value)[:40])
def test_each_kind_of_type_comes_back(
    server: FaultServer, client: Client, annotation: Any, said: str, expected: Any
) -> None:
    ask = _returning(annotation, client)
    wrapped = json.dumps({"value": json.loads(said)}) if ask._output.wrapped else said
    fenced = said if ask._output.schema.is_text else f"Here it is:\n```json\n{said}\n```\n"
    for text in {said, wrapped, fenced}:
        server.always(Fault(answer=Answer(text=text, deltas=5)))
        for value in (ask("x"), ask.stream("x").result, ask.parse(text), ask.map(["x"]).result()[0]):
            assert value == expected if text != fenced or annotation is not str else value == text
            assert type(value) is type(expected)


def _sent(client: Client, annotation: Any) -> dict[str, Any]:
    body: dict[str, Any] = _returning(annotation, client).request("x").json
    return body


def _schema(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema that the provider is to enforce, wherever the format has it."""
    if "response_format" in body:
        schema: dict[str, Any] = body["response_format"]["json_schema"]["schema"]
        return schema
    return body["output_config"]["format"]["schema"] if "output_config" in body else None


@pytest.mark.parametrize("annotation", [Person, Point, Movie, Struct, Cat | Dog, list[int], int, Tone, Pair])
def test_the_schema_is_enforced_by_who_can(client: Client, annotation: Any) -> None:
    body = _sent(client, annotation)
    schema = _schema(body)
    assert schema is not None
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert "JSON" not in json.dumps(body["messages"])  # the prompt needs no words about it


@pytest.mark.parametrize("annotation", [Node, Tree, list[Tree]])
def test_a_recursive_type_is_enforced_or_described(client: Client, annotation: Any) -> None:
    body = _sent(client, annotation)
    if "response_format" in body:
        assert "$ref" in json.dumps(_schema(body))
    else:  # Anthropic refuses such schemas
        assert _schema(body) is None
        assert "JSON" in json.dumps([body["messages"], body.get("system", "")])


def test_plain_text_asks_for_nothing(client: Client) -> None:
    assert _schema(_sent(client, str)) is None


@pytest.mark.parametrize("model", ["deepseek/m", "local-anthropic/m"])
def test_the_prompt_describes_the_type_to_who_can_not_enforce_it(model: str) -> None:
    body = _sent(Client(model, api_key="k") if model.startswith("deepseek") else Client(model), Person)
    assert "json_schema" not in json.dumps(body)
    said = json.dumps([body["messages"], body.get("system", "")])
    assert all(word in said for word in ("JSON", "street", "born", "floor"))
    assert (body.get("response_format") == {"type": "json_object"}) is model.startswith("deepseek")


def test_a_prompt_that_shows_the_type_is_not_given_it_twice() -> None:
    @function("deepseek/m", client=Client("deepseek/m", api_key="k"))
    def ask(text: str) -> Person:
        """{{ text }}

        {{ ctx.output_format }}
        """
        ...

    body = ask.request("x").json
    assert json.dumps(body).count("street") == 1
    assert len(body["messages"]) == 1


def test_a_map_with_any_keys_that_openai_can_not_enforce_is_described(client: Client) -> None:
    body = _sent(client, dict[str, int])
    if _schema(body) is None:
        assert "JSON" in json.dumps(body["messages"])


class Custom:
    pass


class Cyclic:
    def __init__(self, other: Cyclic) -> None:
        self.other = other


@pytest.mark.parametrize(
    "annotation",
    [
        Custom,
        list[Custom],
        dict[str, Custom],
        Custom | None,
        dict[int, Custom],
        type,
        Iterator[int],
        NotImplemented,
        complex,
        Cyclic,
        Annotated[Custom, "x"],
        "NoSuchType",
        "list[",
        enum.Enum("Empty", ()),
        Path | Custom,
    ],
    ids=str,
)
def test_what_no_model_can_answer_fails_when_it_is_declared(annotation: Any, client: Client) -> None:
    with pytest.raises(ConfigError) as caught:
        _returning(annotation, client)
    assert "ask" in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_field_that_no_model_can_answer_is_named() -> None:
    @dataclasses.dataclass
    class Holder:
        fine: int
        wrong: list[Custom]

    with pytest.raises(ConfigError, match=r"wrong.*Custom"):
        _returning(Holder, Client())


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (int, "no number"),
        (Person, '{"name": "Ada"}'),
        (Positive, "-3"),
        (Tone, '"middling"'),
        (list[int], '["a"]'),
        (Literal["yes"], "no"),
        (bool, "perhaps"),
    ],
)
def test_what_is_not_of_the_type_is_an_error_that_quotes_it(
    server: FaultServer, client: Client, annotation: Any, said: str
) -> None:
    server.always(Fault(answer=Answer(text=said)))
    ask = _returning(annotation, client)
    for call in (lambda: ask("x"), lambda: ask.stream("x").result, lambda: ask.parse(said)):
        with pytest.raises(OutputError) as caught:
            call()
        assert said in str(caught.value)
        assert caught.value.text == said
        assert caught.value.problems
