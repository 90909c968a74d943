import collections
import dataclasses
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, Required, TypedDict, TypeVar

import msgspec
import pydantic
import pytest
import typing_extensions
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from callm.schema import NO_DEFAULT
from callm.schema.fields import (
    Declared,
    UnsupportedType,
    class_description,
    class_fields,
    class_kind,
    is_open,
    type_hints,
)

T = TypeVar("T")


class Model(BaseModel):
    """A model."""

    a: int
    b: int = 5
    c: list[int] = Field(default_factory=list, description="the c")
    d: int = Field(alias="dd", ge=1)
    e: int = Field(alias="x", validation_alias="ee")
    f: int = Field(validation_alias=AliasChoices(AliasPath("p", 0), "ff", "gg"))


class Generic_(BaseModel, Generic[T]):  # noqa: N801  # named for what it is
    """A generic model."""

    a: T


@pydantic_dataclass
class PydanticDataclass:
    a: int
    b: int = Field(default=1, alias="bb")
    c: int = Field(default=2, init=False)


@dataclasses.dataclass
class Data:
    a: int
    b: int = 5
    c: list[int] = dataclasses.field(default_factory=list)
    d: int = dataclasses.field(default=1, metadata={"description": "the d"})
    e: int = dataclasses.field(default=0, init=False)
    f: Annotated[int, Field(ge=1)] = Field(default=3, alias="ff", description="the f")


class Dict(TypedDict):
    """A typed dict."""

    a: int
    b: NotRequired[int]
    c: Annotated[NotRequired[int], "the c"]
    d: NotRequired[Annotated[int, "the d"]]
    e: typing_extensions.ReadOnly[int]


class Partial(Dict, total=False):
    f: int
    g: Required[list[int]]


class OtherDict(typing_extensions.TypedDict):
    a: int


class Point(NamedTuple):
    a: int
    b: int = 5


class Struct(msgspec.Struct, rename="upper", tag="s", tag_field="kind"):
    a: Annotated[int, "the a"]
    b: int = 5
    c: list[int] = []


def names(cls: Any) -> dict[str, tuple[Any, ...]]:
    kind = class_kind(cls)
    assert kind is not None
    return {one.name: (one.alias, one.required, one.default) for one in class_fields(cls, kind, {})}


@pytest.mark.parametrize(
    ("cls", "kind"),
    [
        (Model, "pydantic"),
        (Generic_[int], "pydantic"),
        (PydanticDataclass, "pydantic"),
        (Data, "dataclass"),
        (Dict, "typed_dict"),
        (OtherDict, "typed_dict"),
        (Point, "named_tuple"),
        (Struct, "struct"),
        (int, None),
        (object, None),
        (dict, None),
    ],
)
def test_a_class_is_known_by_how_it_was_declared(cls: type, kind: str | None) -> None:
    assert class_kind(cls) == kind


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (Model, {
            "a": (None, True, NO_DEFAULT),
            "b": (None, False, 5),
            "c": (None, False, NO_DEFAULT),
            "d": ("dd", True, NO_DEFAULT),
            "e": ("ee", True, NO_DEFAULT),
            "f": ("ff", True, NO_DEFAULT),
        }),
        (PydanticDataclass, {"a": (None, True, NO_DEFAULT), "b": ("bb", False, 1)}),
        (Data, {
            "a": (None, True, NO_DEFAULT),
            "b": (None, False, 5),
            "c": (None, False, NO_DEFAULT),
            "d": (None, False, 1),
            "f": ("ff", False, 3),
        }),
        (Dict, {
            "a": (None, True, NO_DEFAULT),
            "b": (None, False, NO_DEFAULT),
            "c": (None, False, NO_DEFAULT),
            "d": (None, False, NO_DEFAULT),
            "e": (None, True, NO_DEFAULT),
        }),
        (Point, {"a": (None, True, NO_DEFAULT), "b": (None, False, 5)}),
        (Struct, {
            "kind": (None, True, NO_DEFAULT),
            "a": ("A", True, NO_DEFAULT),
            "b": ("B", False, 5),
            "c": ("C", False, NO_DEFAULT),
        }),
    ],
)  # fmt: skip
def test_fields_have_their_names_and_defaults(cls: type, expected: dict[str, tuple[Any, ...]]) -> None:
    assert names(cls) == expected


def test_a_typed_dict_that_is_not_total() -> None:
    required = {name: facts[1] for name, facts in names(Partial).items()}
    assert required == {"a": True, "b": False, "c": False, "d": False, "e": True, "f": False, "g": True}


def test_qualifiers_are_read_where_annotations_are_strings() -> None:
    """`__required_keys__` would say otherwise."""

    class Strings(TypedDict):
        a: "NotRequired[int]"
        b: "int"
        c: "Annotated[NotRequired[str], 'the c']"

    fields = class_fields(Strings, "typed_dict", {"NotRequired": NotRequired, "Annotated": Annotated})
    assert [(one.annotation, one.required, one.metadata) for one in fields] == [
        (int, False, ()),
        (int, True, ()),
        (str, False, ("the c",)),
    ]


def test_what_stands_beside_a_type_is_kept() -> None:
    _, _, c, d, *_ = class_fields(Model, "pydantic", {})
    assert (c.description, d.metadata[0].ge) == ("the c", 1)
    *_, f = class_fields(Data, "dataclass", {})
    assert (f.description, f.annotation) == ("the f", Data.__annotations__["f"])
    assert class_fields(Data, "dataclass", {})[3].description == "the d"
    tag, a, *_ = class_fields(Struct, "struct", {})
    assert tag == Declared("kind", Literal["s"])
    assert a.annotation == Annotated[int, "the a"]


def test_names_instead_of_aliases_where_pydantic_is_told_so() -> None:
    class ByName(BaseModel):
        model_config = ConfigDict(validate_by_alias=False, validate_by_name=True)
        a: int = Field(alias="b")

    assert names(ByName) == {"a": (None, True, NO_DEFAULT)}


def test_open_models_are_known() -> None:
    class Open(BaseModel, extra="allow"):
        pass

    @pydantic_dataclass(config=ConfigDict(extra="allow"))
    class OpenData:
        pass

    assert [is_open(cls) for cls in (Open, OpenData, Model, Data)] == [True, True, False, False]


class Undocumented(BaseModel):
    a: int


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (Model, "A model."),
        (Dict, "A typed dict."),
        (Generic_[int], "A generic model."),
        (Undocumented, None),
        (Data, None),
        (Point, None),
        (Struct, None),
    ],
)
def test_only_a_docstring_that_somebody_wrote_describes(cls: type, expected: str | None) -> None:
    assert class_description(cls) == expected


def test_a_pydantic_class_that_waited_for_another_is_completed() -> None:
    class Early(BaseModel):
        late: "Late"  # type: ignore[name-defined]  # noqa: F821  # resolved below

    @pydantic_dataclass
    class EarlyData:
        late: "Late"  # type: ignore[name-defined]  # noqa: F821  # resolved below

    for cls in (Early, EarlyData):
        with pytest.raises(UnsupportedType, match=f"{cls.__name__} is not fully defined .*'Late'.*at the top of its"):
            class_fields(cls, "pydantic", {})
    module_level = globals()
    module_level["Late"] = int
    try:
        assert [one.annotation for one in class_fields(Early, "pydantic", {})] == [int]
        assert [one.annotation for one in class_fields(EarlyData, "pydantic", {})] == [int]
    finally:
        del module_level["Late"]


def test_what_cant_be_read_is_refused_with_advice() -> None:
    class Path(BaseModel):
        a: int = Field(validation_alias=AliasPath("p", 0))

    @dataclasses.dataclass
    class Init:
        a: dataclasses.InitVar[int]

    class Array(msgspec.Struct, array_like=True):
        a: int

    class Lost(msgspec.Struct):
        a: "Nowhere"  # type: ignore[name-defined]  # noqa: F821  # that is the point

    @dataclasses.dataclass
    class LostData:
        a: "Nowhere"  # type: ignore[name-defined]  # noqa: F821  # that is the point

    untyped = collections.namedtuple("untyped", "a b")  # noqa: PYI024  # that is the point
    refused: list[tuple[Any, str]] = [
        (Path, "the alias path of 'a' can't be shown to a model"),
        (Init, "the InitVar 'a' can't be read from JSON: make it a field"),
        (Array, "Array is array_like"),
        (Lost, "can't be resolved .*Nowhere.*: declare the types it uses at the top of its module"),
        (LostData, "can't be resolved .*Nowhere.*: declare the types it uses at the top of its module"),
        (untyped, "the fields of untyped have no types: make it a typing.NamedTuple"),
    ]
    for cls, message in refused:
        with pytest.raises(UnsupportedType, match=message):
            names(cls)


def test_forward_references_may_use_given_names() -> None:
    class Holder:
        a: "Given"  # type: ignore[name-defined]  # noqa: F821  # given below

    assert type_hints(Holder, {"Given": int}) == {"a": int}


def test_pydantic_aliases_are_what_pydantic_reads() -> None:
    wires = {one.alias or one.name: one.name for one in class_fields(Model, "pydantic", {}) if one.required}
    assert pydantic.TypeAdapter(Model).validate_python(dict.fromkeys(wires, 1)).model_dump(exclude={"b", "c"}) == (
        dict.fromkeys(wires.values(), 1)
    )
