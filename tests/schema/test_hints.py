import pytest

from callm.schema import EnumValue, FloatType, IntType, ListType, SchemaType, StringType
from callm.schema.hints import hints, value_note


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (StringType(), []),
        (StringType(format="date-time"), ["ISO 8601 date and time"]),
        (StringType(format="email"), ["email"]),
        (IntType(limits={"minimum": 1, "exclusiveMaximum": 5}), ["at least 1", "less than 5"]),
        (FloatType(limits={"exclusiveMinimum": 0.5, "maximum": 2, "multipleOf": 0.5}), [
            "more than 0.5", "at most 2", "a multiple of 0.5",
        ]),
        (StringType(limits={"minLength": 1, "maxLength": 9, "pattern": "^a"}), [
            "at least 1 characters", "at most 9 characters", "matching the regular expression ^a",
        ]),
        (ListType(IntType(), "set", limits={"minItems": 1}), ["at least 1 items", "no duplicates"]),
    ],
)  # fmt: skip
def test_formats_and_limits_are_said_in_words(of: SchemaType, expected: list[str]) -> None:
    assert hints(of) == expected


def test_what_has_been_said_is_not_said_again() -> None:
    assert hints(StringType(format="date", limits={"minLength": 1, "maxLength": 9}), said={"format", "minLength"}) == [
        "at most 9 characters"
    ]
    assert hints(ListType(IntType(), "set"), said={"uniqueItems"}) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (EnumValue("A"), None),
        (EnumValue("A", "a", "first"), "first"),
        (EnumValue("A", 1), "A"),
        (EnumValue("A", 1, "first"), "A, first"),
    ],
)
def test_a_number_is_noted_with_its_name(value: EnumValue, expected: str | None) -> None:
    assert value_note(value) == expected
