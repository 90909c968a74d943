"""Places in a source, and errors that point at them."""

import pickle

import pytest

from callm.baml.source import BamlError, Problem, Source, Span
from callm.errors import ConfigError


@pytest.mark.parametrize(("offset", "position"), [(0, (1, 1)), (2, (1, 3)), (3, (2, 1)), (4, (3, 1)), (6, (3, 3))])
def test_an_offset_becomes_a_line_and_a_column(offset, position):
    assert Source("ab\n\ncd").position(offset) == position


def test_a_problem_shows_file_line_column_and_a_caret_under_the_place():
    source = Source("class A {\n\tx Nope\n}", "a.baml")
    assert str(Problem(source, Span(13, 17), "no such type")) == ("a.baml:2:4: no such type\n  \tx Nope\n  \t  ^^^^")


def test_a_place_over_several_lines_is_shown_on_its_first():
    source = Source("abc\ndef", "a.baml")
    assert str(Problem(source, Span(1, 7), "m")).splitlines()[-1] == "   ^^"


def test_an_error_names_every_problem_and_is_a_configuration_error():
    source = Source("ab", "a.baml")
    error = BamlError.of([Problem(source, Span(0, 1), "one"), Problem(source, Span(1, 2), "two")])
    assert isinstance(error, ConfigError)
    assert "one" in str(error)
    assert "a.baml:1:2: two" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_spans_join():
    assert Span(1, 2).to(Span(5, 9)) == Span(1, 9)
