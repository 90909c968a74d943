"""Asserts refuse, checks report."""

from typing import Annotated

import pytest

import callm
from callm.parse.constraints import data, holds
from callm.parse.found import Found, Miss
from callm.parse.output import Output
from callm.schema import Constraint, IntType

POSITIVE = Constraint("assert", "this > 0", "positive")


def test_an_assert_that_fails_is_a_miss_that_names_it():
    result = holds(Found(-1, IntType()), [POSITIVE])
    assert isinstance(result, Miss)
    assert "positive" in result.message
    assert "this > 0" in result.message


def test_an_assert_that_holds_and_a_check_that_fails_leave_the_value():
    check = Constraint("check", "this > 9", "big")
    result = holds(Found(5, IntType()), [POSITIVE, check])
    assert isinstance(result, Found)
    assert result.checks == [(check, False)]


@pytest.mark.parametrize("expression", ["this.x.y", "this >", "1 / 0", "this|regex_match('(')", "this|nofilter"])
def test_an_expression_that_can_t_be_put_to_the_value_does_not_hold(expression):
    assert isinstance(holds(Found(5, IntType()), [Constraint("assert", expression)]), Miss)


def test_expressions_see_plain_data():
    found = Found(None, None, parts={"a": Found(None, None, parts=[Found(1, IntType())])})
    assert data(found) == {"a": [1]}
    assert isinstance(holds(found, [Constraint("assert", "this.a|length == 1")]), Found)


def test_from_python_they_are_annotations():
    output = Output(Annotated[int, POSITIVE, Constraint("check", "this < 10", "small")])
    reading = output.read("12")
    assert (reading.value, [(check.label, check.passed) for check in reading.checks]) == (12, [("small", False)])
    with pytest.raises(callm.ConstraintError, match="positive"):
        output.parse("-1")
