"""Lists, tuples, maps, unions."""

from typing import Literal

import pytest

from callm.errors import OutputError
from callm.parse.output import Output
from callm.parse.policies import LENIENT


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (list[int], "[1, x, 3]", [1, 3]),
        (list[list[str]], "[[a], b]", [["a"], ["b"]]),
        (tuple[int, str], "[1, a]", (1, "a")),
        (dict[str, list[int]], "{a: [1], b: 2}", {"a": [1], "b": [2]}),
        (int | list[int], "[1, 2]", [1, 2]),
        (Literal["x"] | int, "7", 7),
        (dict[Literal["a", "b"], int], '{"a": 1}', {"a": 1}),
    ],
)
def test_containers_are_read(annotation, text, value):
    assert Output(annotation, policy=LENIENT).parse(text) == value


@pytest.mark.parametrize(
    ("annotation", "text"), [(tuple[int, str], "[1]"), (dict[str, int], "[1]"), (dict[str, int], "words")]
)
def test_what_is_no_such_container_is_refused(annotation, text):
    with pytest.raises(OutputError):
        Output(annotation, policy=LENIENT).parse(text)
