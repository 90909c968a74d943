"""The limits on silence, on a clock that jumps: nothing here waits."""

import pytest

from tests.middleware.slow import FINISH, PING, TEXT, Slow, play, request


def test_a_call_in_time_is_left_alone():
    got, error, _ = play(Slow((1, TEXT), (1, FINISH)), request(first_content=2, between_content=2, total=3))
    assert (got, error) == ([TEXT, FINISH], None)


def test_no_first_content_in_time_ends_the_call():
    model = Slow((61, TEXT))
    got, error, took = play(model, request(first_content=60))
    assert (got, error.phase, error.seconds) == ([], "first_content", 60)
    assert took == pytest.approx(60)
    assert error.retryable
    assert model.closed


def test_events_without_content_do_not_stretch_the_wait_for_the_first_content():
    _, error, took = play(Slow(*[(1, PING)] * 100), request(first_content=10, between_content=5))
    assert error.phase == "first_content"
    assert took == pytest.approx(10)


def test_silence_between_content_ends_the_call_and_what_came_is_kept():
    got, error, took = play(Slow((1, TEXT), (31, TEXT)), request(first_content=60, between_content=30))
    assert (got, error.phase) == ([TEXT], "between_content")
    assert took == pytest.approx(31)
    assert str(error) == "no more content came for 30 s (timeout 'between_content')"


def test_events_without_content_do_not_stretch_the_wait_between_content():
    _, error, took = play(Slow((1, TEXT), *[(1, PING)] * 100), request(between_content=10))
    assert error.phase == "between_content"
    assert took == pytest.approx(11)


def test_a_shorter_wait_between_content_than_for_the_first_is_kept():
    _, error, took = play(Slow((1, TEXT), (50, TEXT)), request(first_content=60, between_content=2))
    assert error.phase == "between_content"
    assert took == pytest.approx(3)


def test_a_slow_consumer_is_not_the_servers_silence():
    script = [(1, TEXT)] * 5 + [(1, FINISH)]
    got, error, _ = play(Slow(*script), request(first_content=60, between_content=2), pause=100)
    assert error is None
    assert len(got) == 6
