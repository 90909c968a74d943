"""Whose turn it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import ConfigError
from callm.policy.rotation import Rotation


def test_equal_weights_take_turns_in_order() -> None:
    rotation = Rotation([1, 1, 1])
    assert [rotation.next() for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_a_rotation_may_begin_anywhere() -> None:
    rotation = Rotation([1, 1, 1], start=2)
    assert [rotation.next() for _ in range(4)] == [2, 0, 1, 2]


def test_weights_are_spread_evenly() -> None:
    rotation = Rotation([3, 1])
    assert [rotation.next() for _ in range(8)] == [0, 0, 1, 0, 0, 0, 1, 0]


def test_a_weight_of_zero_never_has_a_turn() -> None:
    rotation = Rotation([0, 2, 0])
    assert {rotation.next() for _ in range(20)} == {1}


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any), st.integers(1, 300))
def test_nobody_is_ever_more_than_one_turn_from_a_fair_share(weights: list[int], turns: int) -> None:
    rotation = Rotation(weights)
    taken = [0] * len(weights)
    for number in range(1, turns + 1):
        taken[rotation.next()] += 1
        for weight, count in zip(weights, taken, strict=True):
            assert abs(count - number * weight / sum(weights)) <= len(weights)
    if turns % sum(weights) == 0:
        assert taken == [weight * turns // sum(weights) for weight in weights]


@pytest.mark.parametrize("weights", [[], [0, 0], [-1, 2], [float("nan")], [float("inf")]])
def test_weights_that_make_no_sense_are_refused(weights: list[float]) -> None:
    with pytest.raises(ConfigError):
        Rotation(weights)
