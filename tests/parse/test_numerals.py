"""Numbers as they are written."""

import math

import pytest

from callm.parse.numerals import find_number, parse_float, parse_fraction, parse_int, round_half_away, wrap


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("-12", -12), ("+4", 4), ("18446744073709551615", 2**64 - 1), ("5.", None), ("1_000", None),
     ("0x10", None), ("", None), ("99999999999999999999999", None), ("9" * 500, None)],
)  # fmt: skip
def test_whole_numbers(text, value):
    assert parse_int(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("-inf", -math.inf), ("Infinity", math.inf),
     ("1,5", None), ("x", None), ("--inf", None), ("1" * 500, None)],
)  # fmt: skip
def test_numbers(text, value):
    assert parse_float(text) == value


def test_not_a_number_is_one():
    assert str(parse_float("NaN")) == "nan"


@pytest.mark.parametrize(
    ("text", "value"), [("1/4", 0.25), (" 7 / 2 ", 3.5), ("10/0", None), ("1/x", None), ("1", None), ("1/2/3", None)]
)
def test_fractions(text, value):
    assert parse_fraction(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("1,234", 1234.0), ("$1,234.56", 1234.56), ("12%", 12.0), ("about 9 apples", 9.0), ("-$5", -5.0),
     ("The answer is: 41.", 41.0), ("between 3 and 4", None), ("none", None)],
)  # fmt: skip
def test_the_one_number_of_a_text(text, value):
    assert find_number(text) == value


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(2.5, 3), (-2.5, -3), (0.4999, 0), (1e30, 2**63 - 1), (-1e30, -(2**63)), (math.nan, 0)],
)
def test_halves_round_away_from_zero_and_stay_in_64_bits(value, rounded):
    assert round_half_away(value) == rounded


def test_what_is_above_64_signed_bits_wraps():
    assert (wrap(5), wrap(2**64 - 1)) == (5, -1)
