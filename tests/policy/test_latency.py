"""The window of latencies, against sorting all of it."""

from collections import deque
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import ConfigError
from callm.policy.latency import Latency


def test_too_few_times_tell_nothing():
    latency = Latency(0.5, minimum=3)
    latency.add(1.0)
    latency.add(2.0)
    assert latency.percentile() is None
    latency.add(9.0)
    assert latency.percentile() == 2.0


def test_the_percentile_is_a_time_that_was_measured():
    latency = Latency(0.95, minimum=1)
    for number in range(1, 101):
        latency.add(float(number))
    assert (latency.percentile(), latency.percentile(1.0), latency.percentile(0.5)) == (95.0, 100.0, 50.0)


@given(
    st.lists(st.floats(0, 100), max_size=60),
    st.integers(1, 20),
    st.sampled_from([0.01, 0.5, 0.9, 1.0]),
)
def test_it_is_what_sorting_the_last_times_gives(times, size, q):
    latency, kept = Latency(q, minimum=1, size=size), deque[float](maxlen=size)
    for time in times:
        latency.add(time)
        kept.append(time)
        assert latency.percentile() == sorted(kept)[ceil(q * len(kept)) - 1]


@pytest.mark.parametrize(
    "options", [{"percentile": 0}, {"percentile": 95}, {"minimum": 0}, {"size": True}, {"minimum": 9, "size": 8}]
)
def test_settings_that_cannot_work_are_refused(options):
    with pytest.raises(ConfigError):
        Latency(**options)


def test_it_says_what_it_is():
    assert repr(Latency()) == "Latency(0.95, minimum=20, size=200)"
