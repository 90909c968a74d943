"""Two attempts at one answer: which of them wins, what is told of the other, and that nothing of it is left."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import AuthError, CallTimeout, CircuitOpen, ConfigError, DeadlineExceeded, RateLimitError, ServerError
from callm.middleware.deadline import Deadline
from callm.middleware.hedge import Hedge
from callm.middleware.timeout import Timeout
from callm.policy.latency import Latency
from callm.policy.retry_budget import RetryBudget
from callm.testing.fault import PRESETS
from callm.types import (
    AttemptFailed,
    Event,
    Finish,
    Message,
    Request,
    Response,
    ResponseHeaders,
    Selected,
    TextDelta,
    Usage,
    UsageReport,
)
from tests.middleware.racing import REQUEST, Paced, cancel_everywhere, play, read, response_of
from tests.middleware.slow import request
from tests.support import FORMATS, busy, client_of, run_jumping

DONE = Finish("stop")


def hedging(*arguments, **options):
    return Hedge(*arguments, **options)


def answer(seconds, text="x", name="m", usage=None):
    """Say how much it costs at once, the text after `seconds`, and a second later the end."""
    head: list[Event] = [ResponseHeaders(200, endpoint=name)]
    if usage is not None:
        head.append(UsageReport(usage))
    return Paced([(0, head), (seconds, [TextDelta(text)]), (1, [TextDelta("!"), DONE])], name=name)


def broken(seconds, error=None, name="m"):
    return Paced([(seconds, error or ServerError("down", status=500))], name=name)


def timed(model, asked=REQUEST):
    """Return the response, and the seconds it took."""

    async def main():
        loop = asyncio.get_running_loop()
        began = loop.time()
        response = await response_of(model, asked)
        return response, loop.time() - began

    return run_jumping(main())


def test_an_answer_in_time_is_not_hedged():
    first, second = answer(2, "a", "a/a"), answer(0, "b", "b/b")
    response, took = timed(hedging((first, second), 3.0))
    assert (response.text, response.answered_by, response.attempts) == ("a!", "a/a", [])
    assert (took, second.begun) == (3, 0)


def test_a_late_one_is_hedged_and_the_first_content_wins():
    first, second = answer(60, "a", "a/a", usage=Usage(100, 0)), answer(1, "b", "b/b")
    response, took = timed(hedging((first, second), 3.0))
    assert (response.text, response.answered_by, took) == ("b!", "b/b", 5)
    assert response.attempts == [
        AttemptFailed("a/a", "", "hedged", "cancelled: b/b had content first", usage=Usage(100, 0))
    ]
    assert (first.open, second.open) == (0, 0)


def test_the_first_one_may_still_win():
    first, second = answer(4, "a", "a/a"), answer(60, "b", "b/b")
    response, took = timed(hedging((first, second), 3.0))
    assert (response.text, took) == ("a!", 5)
    assert [attempt.model for attempt in response.attempts] == ["b/b"]


def test_the_loser_is_closed_before_the_answer_is_seen():
    first, second = answer(60, "a", "a/a"), answer(1, "b", "b/b")

    async def main():
        async with aclosing(hedging((first, second), 3.0).stream(REQUEST)) as batches:
            return [first.open async for _ in batches]

    assert set(run_jumping(main())) == {0}


def test_the_events_are_those_of_the_winner_in_order():
    first, second = answer(60, "a", "a/a"), answer(1, "b", "b/b")
    assert run_jumping(read(hedging((first, second), 3.0))) == [
        AttemptFailed("a/a", "", "hedged", "cancelled: b/b had content first"),
        Selected("b/b"),
        ResponseHeaders(200, endpoint="b/b"),
        TextDelta("b"),
        TextDelta("!"),
        DONE,
    ]


def test_both_at_the_same_moment_is_one_answer_and_the_preferred_one():
    first, second = answer(4, "a", "a/a"), answer(1, "b", "b/b")
    response, _ = timed(hedging((first, second), 3.0))
    assert response.text == "a!"
    assert (first.open, second.open) == (0, 0)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_the_answer_begins_when_the_first_of_both_has_content(first, second, delay):
    models = answer(first, "a", "a/a"), answer(second, "b", "b/b")
    response, took = timed(hedging(models, float(delay)))
    assert took == min(first, delay + second) + 1
    assert response.text in {"a!", "b!"}
    if first != delay + second:
        assert response.text == ("a!" if first < delay + second else "b!")
    if first != delay:
        assert models[1].begun == (first > delay)
    assert (models[0].open, models[1].open) == (0, 0)


def test_one_model_may_be_asked_twice():
    model = Paced([(60, [TextDelta("slow")])], [(0, [TextDelta("fast"), DONE])], name="a/a")
    response, took = timed(hedging((model,), 3.0))
    assert (response.text, took, model.begun, model.open) == ("fast", 3, 2, 0)
    assert hedging((model, model)).name == "a/a"


def test_more_than_one_hedge_where_asked_for():
    models = answer(60, "a"), answer(60, "b"), answer(0, "c")
    response, took = timed(hedging(models, 3.0, max_hedges=2))
    assert (response.text, took) == ("c!", 7)
    response, _ = timed(hedging((answer(60, "a"), answer(60, "b"), answer(0, "c")), 3.0))
    assert response.text == "a!"


def test_a_first_one_that_fails_is_replaced_at_once():
    first, second = broken(1, name="a/a"), answer(1, "b", "b/b")
    response, took = timed(hedging((first, second), 30.0))
    assert (response.text, took) == ("b!", 3)
    assert [(attempt.model, attempt.kind, attempt.status) for attempt in response.attempts] == [
        ("a/a", "server_error", 500)
    ]


def test_a_failure_beside_a_running_one_waits_for_that():
    first, second = answer(60, "a", "a/a"), broken(1, name="b/b")
    response, took = timed(hedging((first, second), 3.0))
    assert (response.text, took) == ("a!", 61)
    assert [attempt.kind for attempt in response.attempts] == ["server_error"]


def test_a_failure_beside_a_running_one_does_not_hurry_the_next():
    response, took = timed(hedging((answer(60, "a"), broken(1), answer(0, "c")), 3.0, max_hedges=2))
    assert (response.text, took) == ("c!", 7)


def test_if_all_fail_the_last_error_is_raised_and_the_others_are_told():
    events: list[Any] = []

    async def main():
        tree = hedging((broken(5, AuthError("no key", status=401), "a/a"), broken(4, name="b/b")), 3.0)
        async with aclosing(tree.stream(REQUEST)) as batches:
            async for batch in batches:
                events.extend(batch)

    with pytest.raises(ServerError) as caught:
        run_jumping(main())
    assert caught.value.model == "b/b"
    assert [(event.model, event.kind) for event in events] == [("a/a", "auth")]


@pytest.mark.parametrize(
    ("error", "begun"),
    [
        (ServerError("down", status=500), 2),
        (RateLimitError("slow down", status=429, retry_after=5.0), 1),
        (AuthError("no key", status=401), 1),
    ],
)
def test_the_same_model_is_not_pressed_when_that_is_no_use(error, begun):
    error.retry_after = getattr(error, "retry_after", None)
    model = broken(1, error)
    with pytest.raises(type(error)):
        play(hedging((model,), 30.0))
    assert model.begun == begun


def test_an_error_no_model_can_help_with_ends_the_race():
    first, second = answer(60, "a", "a/a"), broken(1, ConfigError("no such thing"), "b/b")
    with pytest.raises(ConfigError):
        play(hedging((first, second), 3.0))
    assert (first.open, second.open) == (0, 0)


def test_an_error_after_content_is_nobodys_business_here():
    first = Paced([(1, [TextDelta("a")]), (1, ServerError("down", status=500))])
    second = answer(0, "b")
    with pytest.raises(ServerError):
        play(hedging((first, second), 3.0))
    assert second.begun == 0


def test_an_answer_without_content_is_an_answer():
    response = play(hedging((Paced([(1, [DONE])], name="a/a"), answer(0, "b")), 3.0))
    assert (response.text, response.answered_by) == ("", "a/a")
    assert play(hedging((Paced([]),), 3.0)).text == ""


def test_the_delay_is_learned_and_without_enough_times_there_is_no_hedge():
    latency = Latency(0.9, minimum=10)

    async def main():
        for seconds in range(1, 11):
            second = answer(0, "b")
            await response_of(hedging((answer(seconds, "a"), second), latency))
            assert second.begun == 0
        return await response_of(hedging((answer(60, "a"), answer(0, "b")), latency))

    assert run_jumping(main()).text == "b!"
    assert latency.percentile() == 9
    assert latency.percentile(1.0) == 10  # of the one that lost, as long as it was waited for: no less


def test_the_time_of_a_failed_attempt_teaches_nothing():
    latency = Latency(0.9, minimum=1)
    play(hedging((broken(1), answer(5, "b")), latency))
    assert latency.percentile() is None


def test_hedges_are_a_tenth_of_the_traffic_and_a_floor():
    tree = hedging((answer(60, "a"), answer(0, "b")), 3.0)

    async def main():
        for _ in range(200):
            await response_of(tree)

    run_jumping(main())
    assert tree.models[0].begun == 200
    assert 25 <= tree.models[1].begun <= 10 + 20


def test_what_was_not_sent_costs_no_budget():
    budget = RetryBudget(ratio=0, floor=0, per_second=0)
    response = play(hedging((broken(0, CircuitOpen("open"), "a/a"), answer(0, "b", "b/b")), 3.0, budget=budget))
    assert response.text == "b!"


def test_without_budget_a_failure_is_raised():
    second = answer(0, "b")
    with pytest.raises(ServerError):
        play(hedging((broken(1), second), 3.0, budget=RetryBudget(ratio=0, floor=0, per_second=0)))
    assert second.begun == 0


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize(
    "make",
    [
        lambda: hedging((answer(60, "a"), answer(1, "b")), 3.0),
        lambda: hedging((answer(4, "a"), answer(1, "b")), 3.0),
        lambda: hedging((answer(2, "a"), answer(1, "b")), 3.0),
        lambda: hedging((broken(1), answer(1, "b")), 3.0),
        lambda: hedging((answer(60, "a"), answer(60, "b"), answer(1, "c")), 3.0, max_hedges=2),
    ],
)
def test_cancelled_at_any_step_it_leaves_nothing(make, times):
    def check(hedge):
        assert [model.open for model in hedge.models] == [0] * len(hedge.models)

    assert cancel_everywhere(make, check, times=times) > 5


@pytest.mark.parametrize("left_after", [1, 2, 3])
def test_left_early_it_leaves_nothing(left_after):
    tree = hedging((answer(60, "a"), answer(1, "b")), 3.0)

    async def main():
        async with aclosing(tree.stream(REQUEST)) as batches:
            for _ in range(left_after):
                await anext(batches)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_jumping(main())
    assert [model.open for model in tree.models] == [0, 0]


class Lingers(Paced):
    """Takes its time to close."""

    async def stream(self, request):
        async with aclosing(super().stream(request)) as batches:
            try:
                async for batch in batches:
                    yield batch
            finally:
                await asyncio.sleep(2)


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_loser_that_closes_slowly_is_waited_for_however_often_the_call_is_cancelled(times):
    def make():
        lingers = Lingers([(60, [TextDelta("a")])])
        return hedging((lingers, answer(1, "b")), 3.0)

    def check(hedge):
        assert [model.open for model in hedge.models] == [0, 0]

    assert cancel_everywhere(make, check, times=times) > 5


def test_time_limits_inside_go_on_with_the_winner_in_its_consumers_task():
    stalls = Paced([(1, [TextDelta("b")]), (100, [DONE])])
    tree = hedging((Timeout(answer(60, "a")), Timeout(stalls)), 3.0)
    with pytest.raises(CallTimeout) as caught:
        timed(tree, request(first_content=50, between_content=10))
    assert caught.value.phase == "between_content"
    assert stalls.open == 0


def test_a_silent_first_one_is_a_failure_when_its_own_time_is_over():
    tree = hedging((Timeout(answer(60, "a")), Timeout(answer(4, "b"))), 3.0)
    response, took = timed(tree, request(first_content=5.0))
    assert (response.text, took) == ("b!", 8)
    assert [attempt.kind for attempt in response.attempts] == ["timeout"]


def test_the_deadline_outside_ends_the_race_and_the_answer():
    racing = hedging((answer(60, "a"), answer(60, "b")), 3.0)
    with pytest.raises(DeadlineExceeded):
        timed(Deadline(racing), request(total=10))
    assert [model.open for model in racing.models] == [0, 0]
    won = hedging((answer(60, "a"), Paced([(1, [TextDelta("b")]), (100, [DONE])])), 3.0)
    with pytest.raises(DeadlineExceeded):
        timed(Deadline(won), request(total=10))
    assert [model.open for model in won.models] == [0, 0]


@pytest.mark.parametrize(
    "options", [{"delay": -1.0}, {"delay": float("nan")}, {"max_hedges": 0}, {"max_hedges": True}, {"models": ()}]
)
def test_settings_that_cannot_work_are_refused(options):
    with pytest.raises(ConfigError):
        hedging(**{"models": (answer(0),), "delay": 1.0, **options})


def test_printing_it_explains_it():
    text = repr(hedging((answer(0, name="a/a"), answer(0, name="b/b")), 2.0))
    assert text.endswith("delay=2.0, max_hedges=1, budget=RetryBudget(ratio=0.1, floor=10, per_second=0))")
    assert hedging((answer(0, name="a/a"), answer(0, name="b/b"))).name == "a/a & b/b"


@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize("stream", [True, False])
def test_over_the_network_the_losers_connection_closes_at_once(fault_server, wire, stream):
    fault_server.plan(PRESETS["silent"], PRESETS["drip"])

    async def main():
        async with client_of(fault_server, wire) as client:
            tree = hedging((client.model(),), 0.05)
            events = await read(tree, Request((Message.user("hi"),), stream=stream))
            await asyncio.sleep(0.1)
            assert busy(client) == 0
            return events

    response = Response()
    response.add(asyncio.run(main()))
    assert response.is_done
    assert response.text
    assert [attempt.kind for attempt in response.attempts] == ["hedged"]
    assert len(fault_server.requests) == 2
    assert fault_server.requests[0].closed_at is not None
    assert not fault_server.requests[0].finished
