"""Classes: keys, extra keys, defaults, implied fields."""

import dataclasses

import pytest

from callm.errors import OutputError
from callm.parse.output import Output
from callm.parse.policies import LENIENT


@dataclasses.dataclass
class Person:
    first_name: str
    age: int = 30


@dataclasses.dataclass
class Box:
    items: list[int]


def story(annotation, text):
    reading = Output(annotation, policy=LENIENT).read(text)
    return reading.value, {repair.kind for repair in reading.repairs}


def test_keys_are_known_whatever_their_case():
    assert story(Person, '{"FIRST_NAME": "a", "age": 5}') == (Person("a", 5), {"key_match"})


def test_extra_keys_are_dropped_and_listed():
    assert story(Person, '{"first_name": "a", "pet": "cat"}') == (Person("a"), {"extra_key"})


def test_null_for_what_has_a_default_is_the_default():
    assert story(Person, '{"first_name": "a", "age": null}') == (Person("a"), set())


def test_a_class_of_one_field_is_made_of_its_value():
    value, kinds = story(Box, "[1, 2]")
    assert value == Box([1, 2])
    assert "implied_key" in kinds


def test_the_first_of_two_equal_keys_counts():
    assert story(Person, "{first_name: a, first_name: b}")[0] == Person("a")


def test_a_class_of_one_text_is_not_made_of_prose():
    @dataclasses.dataclass
    class Text:
        text: str

    with pytest.raises(OutputError):
        Output(Text, policy=LENIENT).parse("some words")
