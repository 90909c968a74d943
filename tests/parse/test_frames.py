"""Open objects and arrays."""

from callm.baml.lower import read_types
from callm.parse.frames import ClassFrame, Frame, ListFrame
from callm.parse.openings import open_frame
from callm.parse.partial_value import NOTHING
from callm.parse.places import Places

TYPES = read_types("class A {\n x int\n t string\n}")


def frame(kind, *, is_object):
    schema = TYPES.schema(kind)
    return open_frame(Places(schema).of(schema.root), 0, is_object=is_object)


def test_a_class_takes_values_by_key_and_shows_the_unfinished_one():
    one = frame("A", is_object=True)
    assert isinstance(one, ClassFrame)
    one.key("x")
    one.begin()
    one.accept(5)
    one.key("t")
    one.begin()
    assert one.so_far("ab") == {"x": 5, "t": "ab"}
    assert one.so_far(NOTHING) == {"x": 5, "t": None}


def test_a_list_shows_copies():
    one = frame("int[]", is_object=False)
    assert isinstance(one, ListFrame)
    one.begin()
    one.accept(1)
    first = one.so_far(NOTHING)
    one.begin()
    one.accept(2)
    assert (first, one.so_far(NOTHING)) == ([1], [1, 2])


def test_what_is_left_out_shows_nothing():
    assert Frame().so_far("x") is NOTHING
