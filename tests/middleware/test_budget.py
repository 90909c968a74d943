"""No cap is ever passed by what is reserved, and what is used is what was spent."""

import asyncio
from contextlib import aclosing

import pytest

from callm.errors import BudgetExceeded, CallmError, ConfigError, ServerError
from callm.middleware.budget import Budget, Cap
from callm.middleware.fallback import Fallback
from callm.middleware.preset import Preset
from callm.middleware.retry import Retry
from callm.policy.backoff import Backoff
from callm.policy.price import Price
from callm.testing import ScriptedModel
from callm.testing.scripted_model import Step
from callm.types import (
    CallOptions,
    Continued,
    Finish,
    Message,
    Request,
    Response,
    Settings,
    TextDelta,
    Usage,
    UsageReport,
)
from tests.support import run_jumping

ANSWER: list[Step] = [TextDelta("hello"), [UsageReport(Usage(7, 3)), Finish("stop")]]
REQUEST = Request((Message.user("x" * 384),), settings=Settings(max_tokens=100))  # 96 + 4 + 100 tokens
PRICES = {"openai/cheap": Price(1.0, 2.0), "dear": Price(10.0, 20.0)}


async def play(model, request=REQUEST):
    response = Response()
    async with aclosing(model.stream(request)) as batches:
        async for batch in batches:
            response.add(batch)
    return response


def tagged(**tags):
    return Request(REQUEST.messages, settings=REQUEST.settings, options=CallOptions(tags=tags))


def test_it_refuses_before_sending_and_says_what_when_and_how_much():
    inner, now = ScriptedModel(ANSWER), [1_795_269_600.0]  # 2026-11-21 14:00 UTC
    cap = Cap(tokens=210, period="day", clock=lambda: now[0])
    model = Budget(inner, (cap,))

    async def main():
        await play(model)
        await play(model)
        with pytest.raises(BudgetExceeded) as caught:
            await play(model)
        assert str(caught.value) == (
            "the budget of 210 tokens per day does not allow this call: 20 tokens used, 0 tokens reserved by calls under "
            "way, and the next request may cost 200 tokens. It resets at 2026-11-22 00:00 UTC"
        )
        assert (caught.value.retry_after, caught.value.retryable, len(inner.requests)) == (36000, False, 2)
        now[0] += 36000
        assert (await play(model)).text == "hello"
        assert (cap.used(), cap.reserved()) == (10, 0)

    run_jumping(main())


def test_a_hundred_calls_at_once_never_pass_the_cap():
    class Busy(ScriptedModel):
        most = 0

        async def stream(self, request):
            async with aclosing(super().stream(request)) as batches:
                async for batch in batches:
                    Busy.most = max(Busy.most, self.open_streams)
                    await asyncio.sleep(1)
                    yield batch

    async def main():
        cap = Cap(tokens=1000)
        inner = Busy(ANSWER)
        got = await asyncio.gather(*(play(Budget(inner, (cap,))) for _ in range(100)), return_exceptions=True)
        assert [type(each) for each in got].count(BudgetExceeded) == 95
        assert (Busy.most, len(inner.requests), cap.used(), cap.reserved()) == (5, 5, 50, 0)

    run_jumping(main())


def test_each_value_of_a_tag_has_the_cap_for_itself_and_untagged_calls_share_one():
    async def main():
        cap = Cap(tokens=205, tag="user")
        model = Budget(ScriptedModel(ANSWER), (cap, Cap(tokens=10_000)))
        for tags in ({"user": "ann"}, {"user": "bob"}, {}):
            await play(model, tagged(**tags))
            with pytest.raises(BudgetExceeded, match="user"):
                await play(model, tagged(**tags))
        assert (cap.used("ann"), cap.used("bob"), cap.used()) == (10, 10, 10)
        assert [other.used() for other in model.caps[1:]] == [30]

    run_jumping(main())


def test_a_cap_that_refuses_takes_nothing_of_the_others():
    first, second = Cap(tokens=1000), Cap(tokens=100)

    async def main():
        with pytest.raises(BudgetExceeded, match="It never resets"):
            await play(Budget(ScriptedModel(ANSWER), (first, second)))

    run_jumping(main())
    assert (first.used(), first.reserved()) == (0, 0)


def test_money_is_counted_at_the_price_of_who_answered_failed_attempts_too():
    cheap = ScriptedModel([UsageReport(Usage(100, 0)), ServerError("no")], name="openai/cheap")
    dear = ScriptedModel(ANSWER, name="other/dear")
    cap = Cap(dollars=0.01, prices=PRICES)
    tree = Fallback((Retry(cheap, Backoff.constant(1.0, retries=1)), dear))

    async def main():
        assert (await play(Budget(tree, (cap,)))).answered_by == "other/dear"

    run_jumping(main())
    assert cap.used() == pytest.approx((2 * 100 * 1 + 7 * 10 + 3 * 20) / 1e6)


def test_the_reservation_is_at_the_dearest_price():
    tree = Fallback((ScriptedModel(ANSWER, name="openai/cheap"), ScriptedModel(ANSWER, name="dear")))
    with pytest.raises(BudgetExceeded, match=r"\$0.002 does not allow this call: .* may cost \$0.003"):
        run_jumping(play(Budget(tree, (Cap(dollars=0.002, prices=PRICES),))))


def test_a_model_without_a_price_is_refused_when_built():
    with pytest.raises(ConfigError, match="needs the price of 'openai/new'"):
        Budget(Retry(ScriptedModel(name="openai/new")), (Cap(dollars=1, prices=PRICES),))
    Budget(ScriptedModel(name="openai/new"), (Cap(tokens=1),))


@pytest.mark.parametrize("fields", [{}, {"tokens": 1, "dollars": 1}])
def test_a_cap_is_in_tokens_or_in_dollars(fields):
    with pytest.raises(ConfigError, match="exactly one"):
        Cap(**fields)


@pytest.mark.parametrize(
    ("script", "tokens"),
    [
        ([TextDelta("x" * 40), UsageReport(Usage(7, 3)), Finish("stop")], 110),
        ([[UsageReport(Usage(7, 1)), TextDelta("x" * 40)], Finish("stop")], 17),
    ],
)
def test_a_stream_that_was_left_is_settled_by_estimate(script, tokens):
    cap = Cap(tokens=1000)

    async def main():
        async with aclosing(Budget(ScriptedModel(script), (cap,)).stream(REQUEST)) as batches:
            await anext(batches)
            assert cap.reserved() == 200

    run_jumping(main())
    assert (cap.used(), cap.reserved()) == (tokens, 0)


def test_no_retry_passes_the_cap():
    failing = ScriptedModel([UsageReport(Usage(100, 50)), ServerError("no")])
    cap = Cap(tokens=500)

    async def main():
        with pytest.raises(BudgetExceeded, match="450 tokens used, 200 tokens reserved"):
            await play(Budget(Retry(failing, Backoff.constant(1.0, retries=9)), (cap, Cap(tokens=10_000))))

    run_jumping(main())
    assert (len(failing.requests), failing.open_streams, cap.used(), cap.reserved()) == (3, 0, 450, 0)


def test_every_part_of_a_long_answer_is_charged_once():
    script: list[Step] = [
        UsageReport(Usage(7, 3)),
        Continued(1, Usage(7, 3)),
        UsageReport(Usage(10, 5)),
        Finish("stop"),
    ]
    cap = Cap(tokens=1000)
    run_jumping(play(Budget(ScriptedModel(script), (cap,))))
    assert (cap.used(), cap.reserved()) == (25, 0)


def test_what_a_model_s_own_settings_allow_is_reserved_and_the_most_of_several():
    def short(tokens, model):
        return Preset(model, Settings(max_tokens=tokens), {})

    request = Request(REQUEST.messages)  # 100 tokens, and a length that is left to the models
    inner = ScriptedModel(ANSWER)
    for model, most in [
        (short(50, inner), 50),
        (Retry(short(50, inner)), 50),
        (short(50, short(70, inner)), 50),  # the outer one is asked first
        (Fallback((short(50, inner), short(70, inner))), 70),
        (Fallback((short(50, inner), inner)), 1000),
    ]:
        play_it = Budget(model, (Cap(tokens=100 + most),))
        assert asyncio.run(play(play_it, request)).text == "hello"
        with pytest.raises(BudgetExceeded, match=f"may cost {100 + most:,} tokens"):
            asyncio.run(play(Budget(model, (Cap(tokens=100 + most - 1),)), request))


def test_the_reservation_is_what_one_model_may_cost_with_its_own_settings_not_the_most_of_each():
    cheap, dear = ScriptedModel(ANSWER, name="openai/cheap"), ScriptedModel(ANSWER, name="dear")
    long = Preset(cheap, Settings(max_tokens=10_000), {})
    short = Preset(dear, Settings(max_tokens=100), {})
    request = Request(REQUEST.messages)
    cost = max(100 * 1.0 + 10_000 * 2.0, 100 * 10.0 + 100 * 20.0) / 1e6
    model = Budget(Fallback((long, short)), (Cap(dollars=cost * 1.001, prices=PRICES),))
    assert asyncio.run(play(model, request)).text == "hello"
    with pytest.raises(BudgetExceeded):
        asyncio.run(play(Budget(Fallback((long, short)), (Cap(dollars=cost * 0.999, prices=PRICES),)), request))


def test_a_model_of_models_that_has_none_yet_costs_nothing_known():
    class Router(ScriptedModel):
        models = ()

    assert asyncio.run(play(Budget(Router(ANSWER), (Cap(tokens=100),)))).text == "hello"


def test_a_refused_call_costs_nothing():
    cap = Cap(tokens=1000)

    async def main():
        with pytest.raises(CallmError):
            await play(Budget(ScriptedModel([ServerError("no")]), (cap,)))

    run_jumping(main())
    assert (cap.used(), cap.reserved()) == (0, 0)


def test_printing_it_explains_the_plan():
    text = repr(
        Budget(ScriptedModel(ANSWER), (Cap(dollars=5, period="day", prices=PRICES | {"scripted": Price(1, 1)}),))
    )
    assert text.endswith("caps=(Cap(tokens=None, dollars=5, period='day', tag=None),))")
    assert Budget(ScriptedModel(), ()).name == "scripted"
