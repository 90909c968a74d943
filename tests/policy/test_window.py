"""The sliding window, against one that keeps everything and counts anew."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callm.errors import ConfigError
from callm.policy.window import SPAN, Admission, Limits, Window
from callm.types.limits import Remaining


def window(**limits):
    return Window(Limits(**limits))


def take(window, now, requests=1.0, tokens=0):
    return window.take(now, Admission(requests, tokens))


def test_as_many_as_the_limit_go_at_once_and_the_next_when_the_first_has_left():
    limited = window(requests=2)
    assert [take(limited, 100), take(limited, 110), take(limited, 130)] == [0, 0, 30]
    assert take(limited, 159.999) == pytest.approx(0.001)
    assert take(limited, 160) == 0
    assert take(limited, 160) == 10


def test_requests_and_tokens_must_both_fit_and_the_longer_wait_counts():
    limited = window(requests=2, tokens=100)
    assert [take(limited, 0, 1, 60), take(limited, 10, 1, 60)] == [0, 50]
    assert take(limited, 20, 1, 40) == 0
    assert take(limited, 30, 1, 10) == 30
    assert take(limited, 30, 1, 100) == 50


def test_what_was_refused_takes_nothing():
    limited = window(tokens=100)
    take(limited, 0, 1, 90)
    assert [take(limited, 1, 1, 20) for _ in range(50)] == [59] * 50
    assert take(limited, 1, 1, 10) == 0


def test_a_request_larger_than_a_limit_takes_the_whole_of_it():
    limited = window(requests=3, tokens=100)
    assert take(limited, 0, 5, 1000) == 0
    assert take(limited, 30, 1, 1) == 30
    assert take(limited, 60, 3, 1000) == 0


def test_without_limits_everything_goes_and_nothing_is_kept():
    free = window()
    assert {take(free, 0, 1000, 10**9) for _ in range(10)} == {0}
    assert not free._log


def test_a_settled_admission_counts_for_what_it_was():
    limited = window(tokens=100)
    one, two = Admission(1, 90), Admission(1, 60)
    limited.take(0, one)
    limited.settle(one, 40)
    assert limited.take(1, two) == 0
    limited.settle(two, 100)
    assert take(limited, 2, 1, 1) == pytest.approx(59)  # both must leave: 140 were used
    assert take(limited, 60, 1, 1) == 1
    assert take(limited, 61, 1, 100) == 0


def test_settling_after_the_window_is_over_changes_nothing():
    limited = window(tokens=100)
    old = Admission(1, 50)
    limited.take(0, old)
    limited.settle(old, 1000)
    assert take(limited, 60, 1, 100) == 0


def test_a_refund_leaves_no_trace_even_twice():
    limited = window(requests=1, tokens=10, burst=1)
    gone = Admission(1, 10)
    limited.take(0, gone)
    limited.refund(gone)
    limited.refund(gone)
    assert take(limited, 1, 1, 10) == 0
    assert take(limited, 1) == 60


def test_a_burst_goes_at_once_and_the_rest_evenly():
    limited = window(requests=60, burst=3)
    assert [take(limited, 0) for _ in range(4)] == pytest.approx([0, 0, 0, 1], abs=1e-5)
    assert take(limited, 0.5) == pytest.approx(0.5, abs=1e-5)
    assert take(limited, 1) == 0
    assert [take(limited, 3.0) for _ in range(3)] == pytest.approx([0, 0, 1], abs=1e-5)


def test_a_pause_holds_everybody_and_the_longest_counts():
    limited = window(requests=10)
    limited.pause(0, 20)
    limited.pause(1, 5)
    assert take(limited, 5) == 15
    assert take(limited, 20) == 0


def test_what_the_provider_says_is_left_lowers_what_is_allowed_until_it_comes_back():
    limited = window(requests=100, tokens=1000)
    limited.learn(0, Remaining(2, 10.0, 500, 20.0))
    assert [take(limited, 1, 1, 100), take(limited, 1, 1, 100), take(limited, 1, 1, 100)] == [0, 0, 9]
    assert take(limited, 10, 1, 400) == 10
    assert take(limited, 10, 1, 300) == 0
    assert take(limited, 20, 1, 500) == 0
    limited.learn(21, Remaining(50))
    assert take(limited, 21) == 0
    limited.learn(22, Remaining(0))
    assert take(limited, 22) == 60


def test_what_is_told_never_allows_more_than_the_limit():
    limited = window(requests=1)
    limited.learn(0, Remaining(1000, 60.0))
    assert [take(limited, 0), take(limited, 0)] == [0, 60]


def test_fractions_of_requests_add_up():
    limited = window(requests=1)
    assert [take(limited, 0, 0.1) for _ in range(11)] == [0] * 10 + [60]


def test_a_clock_read_by_another_thread_a_moment_earlier_does_no_harm():
    limited = window(requests=2)
    assert [take(limited, 10), take(limited, 9.9), take(limited, 69.95), take(limited, 70)] == [
        0,
        0,
        pytest.approx(0.05),
        0,
    ]


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), True, "10"])
def test_limits_are_numbers_above_zero(value):
    with pytest.raises(ConfigError, match="'requests' must be a number above 0"):
        Limits(requests=value)
    with pytest.raises(ConfigError, match="needs a limit of requests"):
        Limits(burst=1)


def test_the_wait_of_a_line_is_foreseen():
    limited = window(requests=2)
    assert [take(limited, 0), take(limited, 10)] == [0, 0]
    foreseen = [limited.late(20, line, 0, 0) for line in range(1, 7)]
    assert foreseen == [40, 50, 100, 110, 160, 170]
    assert [limited.late(20, line, 0, 110) for line in range(1, 7)] == [0, 0, 0, 0, 160, 170]
    assert limited.late(20, 2, 0, 10**6) == 0


def test_the_wait_of_a_line_behind_a_burst_is_foreseen():
    limited = window(requests=60, burst=2)
    assert [take(limited, 0), take(limited, 0)] == [0, 0]
    assert [limited.late(0, line, 0, 0) for line in (1, 5, 30)] == pytest.approx([1, 5, 30], abs=1e-5)


def test_a_foreseen_wait_is_up_to_date():
    limited = window(tokens=100)
    one = Admission(1, 100)
    limited.take(0, one)
    assert limited.late(1, 1, 50, 0) == 59
    limited.settle(one, 20)
    assert limited.late(1, 1, 50, 0) == 0
    limited.pause(1, 7)
    assert limited.late(1, 1, 50, 0) == 7


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take"] * 6 + ["settle", "refund"]),
        st.floats(0, 40) | st.just(0.0) | st.just(SPAN),  # seconds until the step
        st.floats(0, 4),
        st.integers(0, 60),
    ),
    max_size=60,
)


class Naive:
    """Everything that was ever admitted, counted anew each time."""

    def __init__(self, requests, tokens):
        self.most = (requests, tokens)
        self.all = []

    def used(self, now):
        inside = [entry for entry in self.all if entry[0] + SPAN > now]
        return sum(entry[1] for entry in inside), sum(entry[2] for entry in inside)

    def fits(self, now, requests, tokens):
        used = self.used(now)
        return used[0] + min(requests, self.most[0]) <= self.most[0] + 1e-6 and (
            used[1] + min(tokens, self.most[1]) <= self.most[1]
        )

    def take(self, now, requests, tokens):
        entry = [now, min(requests, self.most[0]), min(tokens, self.most[1])]
        self.all.append(entry)
        return entry


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, requests=st.integers(1, 6), tokens=st.integers(1, 100))
def test_the_window_admits_exactly_what_a_naive_one_admits(steps, requests, tokens):
    limited, naive = window(requests=requests, tokens=tokens), Naive(requests, tokens)
    now, taken = 0.0, []
    for step, seconds, weight, cost in steps:
        now += seconds
        if step == "take":
            fits = naive.fits(now, weight, cost)
            admission = Admission(weight, cost)
            wait = limited.take(now, admission)
            assert (wait == 0) == fits
            if fits:
                taken.append((admission, naive.take(now, weight, cost)))
            else:  # and after the wait it goes, if nothing else comes between; a moment earlier it does not
                assert naive.fits(now + wait + 1e-6, weight, cost)
                assert not naive.fits(now + wait * (1 - 1e-6) - 1e-5, weight, cost)
        elif taken:
            admission, entry = taken[cost % len(taken)]
            inside = entry[0] + SPAN > now
            if step == "settle":
                limited.settle(admission, cost)
                entry[2] = cost if inside else entry[2]
            else:
                limited.refund(admission)
                entry[1:] = [0, 0] if inside else entry[1:]
    limited._forget(now)
    assert (limited._requests, limited._tokens) == pytest.approx(naive.used(now))


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(st.tuples(st.floats(0, 30), st.floats(0, 5), st.integers(0, 80)), max_size=80),
    requests=st.integers(1, 6),
    tokens=st.integers(1, 100),
    burst=st.none() | st.integers(1, 4),
)
def test_no_60_seconds_see_more_than_the_limits(steps, requests, tokens, burst):
    limited = window(requests=requests, tokens=tokens, burst=burst)
    now, admitted = 0.0, []
    for seconds, weight, cost in steps:
        now += seconds
        admission = Admission(weight, cost)
        for _ in range(1000):
            now += limited.take(now, admission)
            if admission.counted:
                break
        assert admission.counted
        admitted.append((now, admission.requests, admission.tokens))
    for begin, _, _ in admitted:
        inside = [entry for entry in admitted if begin <= entry[0] < begin + SPAN]
        assert sum(entry[1] for entry in inside) <= requests + 1e-5
        assert sum(entry[2] for entry in inside) <= tokens
        if burst is not None:
            at_once = sum(entry[1] for entry in admitted if entry[0] == begin)
            assert at_once <= max(burst, *(entry[1] for entry in admitted)) + 1e-4
