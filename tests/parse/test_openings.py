"""Which frame for what begins at a place?"""

import pytest

from callm.baml.lower import read_types
from callm.parse.frames import ClassFrame, ListFrame, MapFrame, RawFrame
from callm.parse.openings import open_frame
from callm.parse.places import Places

TYPES = read_types("class A {\n x int\n}\nclass B {\n y int\n}")


@pytest.mark.parametrize(
    ("kind", "is_object", "frame"),
    [
        ("A", True, ClassFrame),
        ("A?", True, ClassFrame),
        ("A[]", False, ListFrame),
        ("map<string, int>", True, MapFrame),
        ("A | int[]", True, ClassFrame),
        ("A | int[]", False, ListFrame),
        ("A | B", True, RawFrame),
    ],
)
def test_the_only_type_that_fits_is_expected(kind, is_object, frame):
    schema = TYPES.schema(kind)
    assert type(open_frame(Places(schema).of(schema.root), 0, is_object=is_object)) is frame
