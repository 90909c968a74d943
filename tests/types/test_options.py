"""What belongs to one call: time limits, and the handle that ends it from anywhere."""

from __future__ import annotations

import copy
import pickle
import signal
import threading
from typing import Any

import pytest

from callm.errors import ConfigError
from callm.types import CallOptions, Cancel, Collect, Request, Response, Timeouts


@pytest.mark.parametrize("name", Timeouts.__struct_fields__)
@pytest.mark.parametrize("value", [0, -1, float("nan"), "5", [1]])
def test_a_timeout_that_is_none_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"timeout '{name}' must be a number of seconds above 0"):
        Timeouts(**{name: value})


def test_a_timeout_may_be_of_any_length_or_none() -> None:
    assert Timeouts(connect=1, total=None, between_content=float("inf")).total is None


def test_a_handle_calls_its_watchers_once() -> None:
    cancel, calls = Cancel(), []
    cancel.watch(lambda: calls.append(1))
    unwatch = cancel.watch(lambda: calls.append(2))
    unwatch()
    unwatch()
    before = cancel.cancelled
    cancel.cancel()
    cancel.cancel()
    assert (before, cancel.cancelled) == (False, True)
    assert calls == [1]
    unwatch = cancel.watch(lambda: calls.append(3))
    unwatch()
    assert calls == [1, 3]


def test_a_watcher_that_raises_does_not_keep_the_others_from_being_called() -> None:
    cancel, calls = Cancel(), []

    def fail() -> None:
        raise RuntimeError("the loop is closed")

    for watcher in (lambda: calls.append(1), fail, lambda: calls.append(2)):
        cancel.watch(watcher)
    with pytest.raises(RuntimeError, match="the loop is closed"):
        cancel.cancel()
    assert sorted(calls) == [1, 2]


def test_threads_that_watch_while_others_cancel_are_each_told_exactly_once() -> None:
    for _ in range(200):
        cancel, told = Cancel(), [0] * 8
        start = threading.Barrier(10)

        def watch(
            number: int, cancel: Cancel = cancel, told: list[int] = told, start: threading.Barrier = start
        ) -> None:
            def tell() -> None:
                told[number] += 1

            start.wait()
            cancel.watch(tell)

        def end(cancel: Cancel = cancel, start: threading.Barrier = start) -> None:
            start.wait()
            cancel.cancel()

        threads = [threading.Thread(target=watch, args=(number,)) for number in range(8)]
        threads += [threading.Thread(target=end) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert told == [1] * 8


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
def test_a_signal_handler_that_interrupts_watching_can_cancel() -> None:
    told = 0

    def tell() -> None:
        nonlocal told
        told += 1

    cancel = Cancel()
    before = signal.signal(signal.SIGALRM, lambda *_: cancel.cancel())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        watched = 0
        while not cancel.cancelled:
            cancel.watch(tell)
            watched += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert told == watched


def test_a_copied_request_has_the_same_handle_and_a_pickled_one_its_own() -> None:
    cancel = Cancel()
    request = Request("hi", options=CallOptions(tags={"a": "b"}, cancel=cancel))  # type: ignore[arg-type]
    assert copy.deepcopy(request).options.cancel is cancel
    assert copy.copy(cancel) is cancel
    arrived = pickle.loads(pickle.dumps(request))
    cancel.cancel()
    assert arrived.options.tags == {"a": "b"}
    assert not arrived.options.cancel.cancelled


def test_a_collector_keeps_what_ended() -> None:
    collect, first, second = Collect(), Response("1"), Response("2")
    with pytest.raises(IndexError):
        _ = collect.last
    collect.collect(first, CallOptions())
    collect.collect(second, CallOptions())
    assert collect.responses == [first, second]
    assert collect.last is second
