"""Numbers as people and models write them: `1,234`, `$5.20`, `12%`, `3/4`, `about 9 apples`."""

from __future__ import annotations

import math
import re
from itertools import islice
from typing import Final

_NUMERAL: Final = re.compile(r"([-+]?)\$?(?:\d+(?:,\d+)*(?:\.\d+)?|\d+\.\d+|\d+|\.\d+)(?:e[-+]?\d+)?")
_INT: Final = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE: Final = {"inf": math.inf, "infinity": math.inf, "nan": math.nan}
_FRACTION: Final = re.compile(r"\s*([-+]?[0-9.]+)\s*/\s*([-+]?[0-9.]+)\s*\Z")
_LOW, _HIGH, _UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1
MAX_DIGITS: Final = 400
"""Texts longer than this are no numbers."""


def parse_int(text: str) -> int | None:
    """Return a whole number of at most 64 bits, written as digits with a sign, or None."""
    if len(text) > MAX_DIGITS or not _INT.match(text):
        return None
    value = int(text)
    return value if _LOW <= value <= _UNSIGNED else None


def parse_float(text: str) -> float | None:
    """Return a number written with a point or an exponent, or `inf`, `nan`, or None."""
    if len(text) > MAX_DIGITS:
        return None
    if _FLOAT.match(text):
        return float(text)
    sign = -1.0 if text[:1] == "-" else 1.0
    value = _NOT_FINITE.get(text.lstrip("+-").lower()) if len(text) - len(text.lstrip("+-")) <= 1 else None
    return None if value is None else sign * value


def parse_fraction(text: str) -> float | None:
    """Return `a/b` as a number, or None."""
    match = _FRACTION.match(text) if len(text) <= MAX_DIGITS else None
    if match is None:
        return None
    over, under = parse_float(match[1]), parse_float(match[2])
    return over / under if over is not None and under else None


def find_number(text: str) -> float | None:
    """Return the one number that a text holds, thousands separators and currency signs dropped; None for several."""
    matches = list(islice(_NUMERAL.finditer(text), 2))
    if len(matches) != 1:
        return None
    return parse_float(matches[0].group().replace(",", "").replace("$", ""))


def wrap(value: int) -> int:
    """Return a whole number in 64 signed bits: of 64 unsigned bits, the same bits; beyond, the last one there is."""
    if _HIGH < value <= _UNSIGNED:
        return value - 2**64
    return min(max(value, _LOW), _HIGH)


def to_float(value: float) -> float:
    """Return a number as a float; one that is too large is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def round_half_away(value: float) -> int:
    """Return the nearest whole number, halves away from zero, held within 64 signed bits."""
    if math.isnan(value):
        return 0
    if not _LOW < value < _HIGH:
        return _LOW if value < 0 else _HIGH
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)
