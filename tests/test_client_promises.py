"""What a client promises of calls that fail: who is asked how often, when, for how long, and what is delivered and kept."""

from __future__ import annotations

import asyncio
import copy
import email.utils
import json
import pickle
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from callm.client import Client
from callm.config.entries import Breaking, Caching, Entry, Hedging, RateLimits, load
from callm.errors import AllFailed, CallmError, CallTimeout, DeadlineExceeded, QueueTimeout, RateLimitError
from callm.io.aiohttp_transport import AiohttpTransport
from callm.io.transport_config import TransportConfig
from callm.policy.backoff import Backoff
from callm.testing import Answer, CannedTransport, Fault, FaultServer
from callm.types import CallOptions, Restarted, TextDelta, Timeouts
from tests.soak.stack import full_stack, held
from tests.support import KEY, client_of, run_jumping

TEXT = "one two three four five six seven eight nine ten"


@pytest.fixture(scope="module")
def shared() -> Iterator[FaultServer]:
    with FaultServer(Answer(text=TEXT)) as server:
        yield server


@pytest.fixture
def server(shared: FaultServer, monkeypatch: pytest.MonkeyPatch) -> FaultServer:
    monkeypatch.setenv("SOAK_KEY", KEY)
    shared.clear()
    return shared


# P5: output is never duplicated

POLICIES: dict[str, dict[str, Any]] = {
    "neither": {"retry": 0, "hedge": False, "continue_length": 0},
    "retry": {"hedge": False},
    "everything": {},
}


@pytest.mark.parametrize("then", ["cut", "reset", "end"])
@pytest.mark.parametrize("name", POLICIES)
def test_what_was_delivered_is_never_delivered_again(server: FaultServer, name: str, then: Any) -> None:
    with full_stack(server.url, wait=0.0, **POLICIES[name]) as client:
        outcomes = Counter[str]()
        for at in range(-1, 2400, 97):
            server._plan.clear()
            server.plan(Fault(at=at, then=then))
            shown, error = _shown(client, f"{name} {at} {then}")
            assert TEXT.startswith(shown), f"broken at {at}"
            assert (shown == TEXT) or error is not None
            outcomes["whole" if error is None else "before" if not shown else "after"] += 1
    assert outcomes["whole"] > 0
    assert (outcomes["after"] > 3, outcomes["before"] > 0) == (True, False)  # the other model answers


def _shown(client: Client, text: str, **options: Any) -> tuple[str, CallmError | None]:
    shown = ""
    try:
        for event in client.stream(text, CallOptions(**options)):
            if isinstance(event, Restarted):
                shown = ""
            elif isinstance(event, TextDelta):
                shown += event.text
    except CallmError as error:
        return shown, error
    return shown, None


@pytest.mark.parametrize("at", [0, 300, 700, 1100])
def test_where_it_was_asked_for_what_begins_anew_is_whole(server: FaultServer, at: int) -> None:
    server.plan(Fault(at=at), Fault(at=at, then="reset"), Fault(marker=False))
    with full_stack(server.url, wait=0.0, hedge=False) as client:
        assert _shown(client, f"anew {at}", on_break="restart") == (TEXT, None)
    assert len(server.requests) == 4


# P8: exact counts, through strategies

STRATEGIES: dict[str, dict[str, Any]] = {
    "fallback": {"fallback": ["a", "b"]},
    "spread": {"round_robin": ["a", "b"], "retry": {"retries": 3, "initial": 0.0}},
    "nested": {"fallback": ["spread", "c"]},
}


def strategies(server: FaultServer, retries: int) -> Client:
    """Return a client with strategies over three models, which retry so often in a fallback and never in turns."""
    one = {"api_key_env": "SOAK_KEY", "base_url": f"{server.url}/v1", "retry": {"retries": retries, "initial": 0.0}}
    models: dict[str, dict[str, Any]] = {name: {"model": f"openai/{name}", **one} for name in "abc"}
    return Client(config={"clients": {**models, **STRATEGIES}, "retry_budget": {"floor": 1000}})


@pytest.mark.parametrize("status", [401, 429, 503])
@pytest.mark.parametrize(
    ("name", "retries", "retried", "final"),
    [
        ("fallback", 0, {"a": 1, "b": 1}, {"a": 1, "b": 1}),
        ("fallback", 2, {"a": 3, "b": 3}, {"a": 1, "b": 1}),
        ("spread", 0, {"a": 2, "b": 2}, {"a": 1}),
        ("nested", 0, {"a": 2, "b": 2, "c": 1}, {"a": 1, "c": 1}),
    ],
)
def test_each_model_is_asked_exactly_as_often_as_was_said(
    server: FaultServer, name: str, retries: int, status: int, retried: dict[str, int], final: dict[str, int]
) -> None:
    server.always(Fault(status=status))
    with strategies(server, retries) as client:
        error = _shown(client.with_options(model=name), "hi")[1]
    assert error is not None
    asked = Counter(request.json["model"] for request in server.requests)
    assert asked == (final if status == 401 else retried)
    assert error.response is not None
    failed = Counter(attempt.model.partition("/")[2] for attempt in error.response.attempts)
    assert sum(failed.values()) == sum(asked.values()) - 1  # the last one is the error itself


# P9: every spelling of the wait, to the end, on a clock that jumps

GOOD = json.dumps(
    {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()


def _date(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


RETRY_INFO = {"error": {"message": "slow", "details": [{"@type": "x/google.rpc.RetryInfo", "retryDelay": "17s"}]}}

SPELLINGS: list[tuple[dict[str, str], Any, float | None]] = [
    ({"retry-after": "7"}, {}, 7.0),
    ({"retry-after": "1.5"}, {}, 1.5),
    ({"retry-after": "0"}, {}, 0.0),
    ({"retry-after-ms": "2500"}, {}, 2.5),
    ({"retry-after-ms": "2500", "retry-after": "9"}, {}, 2.5),
    ({"retry-after": "Mon, 21 Sep 2026 14:13:50 GMT", "date": "Mon, 21 Sep 2026 14:13:20 GMT"}, {}, 30.0),
    ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, {}, 0.0),
    ({"retry-after": "1e9"}, {}, None),
    ({"retry-after": "1000000000"}, {}, None),
    ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, {}, None),
    ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1.45s"}, {}, 1.45),
    ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "850ms"}, {}, 0.85),
    ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}, {}, 12.0),
    ({}, RETRY_INFO, 17.0),
    ({}, {"error": {"message": "Rate limit reached. Please try again in 41.724s."}}, 41.724),
    ({"retry-after": "soon"}, {}, 0.25),
    ({"retry-after": "-5"}, {}, 0.25),
    ({"retry-after": ""}, {}, 0.25),
    ({}, {}, 0.25),
]


@pytest.mark.parametrize(("headers", "body", "wait"), SPELLINGS)
def test_every_spelling_of_the_wait_is_kept_to_the_end(headers: dict[str, str], body: Any, wait: float | None) -> None:
    """None: longer than anybody waits. The backoff of our own is 0.25 s."""
    said = json.dumps(body or {"error": {"message": "no"}}).encode()
    transport = CannedTransport((429, {"content-type": "application/json", **headers}, [said]), (200, {}, [GOOD]))

    async def main() -> float:
        client = Client("openai/gpt-x", api_key=KEY, transport=transport, retries=Backoff.constant(0.25, retries=1))
        began = asyncio.get_running_loop().time()
        if wait is None:
            with pytest.raises(RateLimitError):
                await client.call("hi")
        else:
            assert (await client.call("hi")).text == "ok"
        return asyncio.get_running_loop().time() - began

    assert run_jumping(main()) == pytest.approx(wait or 0.0, abs=1e-6)
    assert len(transport.sent) == (1 if wait is None else 2)


def test_a_date_in_the_future_is_waited_for() -> None:
    answers: Any = (429, {"retry-after": _date(9)}, [b"{}"]), (200, {}, [GOOD])

    async def main() -> float:
        client = Client("openai/gpt-x", api_key=KEY, transport=CannedTransport(*answers))
        return (await client.call("hi")).attempts[0].wait

    assert 7 <= run_jumping(main()) <= 9


# P10: exactly one probe


@pytest.mark.parametrize("recovers", [False, True])
def test_of_a_hundred_callers_exactly_one_probes(server: FaultServer, recovers: bool) -> None:
    breaking = Breaking(failures=1, cooldown=0.05)
    server.plan(Fault(status=500))
    server.always(Fault(delay=0.05) if recovers else Fault(status=503, delay=0.05))

    async def main() -> Counter[str]:
        async with client_of(server, breaker=breaking) as client:
            await asyncio.gather(client.call("hi"), return_exceptions=True)
            await asyncio.sleep(0.06)
            done = await asyncio.gather(*(client.call(f"{n}") for n in range(100)), return_exceptions=True)
            assert client.circuits["openai/gpt-x"].state == ("closed" if recovers else "open")
            assert held(client) == {}
            return Counter(error.kind if isinstance(error, CallmError) else "ok" for error in done)

    assert asyncio.run(main()) == {"circuit_open": 99, "ok" if recovers else "overloaded": 1}
    assert len(server.requests) == 2


# P11: one deadline over everything

WAITS: dict[str, tuple[dict[str, Any], tuple[Fault, ...], Fault]] = {
    "line": ({"rate_limit": {"requests_per_minute": 1}}, (), Fault()),
    "slot": ({"rate_limit": {"concurrency": 1}}, (), Fault(at=-1, then="stall")),
    "retries": ({"retry": {"retries": 1000, "initial": 0.02, "jitter": False}}, (), Fault(status=500)),
    "fallback": ({"retry": 0}, (Fault(status=500, delay=0.2),), Fault(at=-1, then="stall")),
    "stream": ({}, (), Fault(at=300, then="stall")),
    "pings": ({}, (), Fault(pings=0.02)),
}


@pytest.mark.parametrize("name", WAITS)
def test_one_deadline_is_over_everything(server: FaultServer, name: str) -> None:
    entry, faults, always = WAITS[name]
    server.plan(*faults)
    server.always(always)

    async def main() -> list[BaseException | None]:
        async with full_stack(server.url, **{"hedge": False, "timeouts": {}, **entry}) as client:
            client.model()
            calls = [_in_time(client, f"{name} {number}", 0.4) for number in range(3)]
            return await asyncio.gather(*calls)

    errors = asyncio.run(main())
    kinds = (DeadlineExceeded, QueueTimeout, AllFailed)
    assert all(isinstance(error, kinds) for error in errors if error is not None)
    assert sum(error is None for error in errors) <= (2 if name == "line" else 0)  # one in each line


async def _in_time(client: Client, text: str, seconds: float) -> BaseException | None:
    began, error = time.perf_counter(), None
    try:
        async with client.stream(text, CallOptions(timeouts=Timeouts(total=seconds))) as events:
            async for _ in events:
                pass
    except CallmError as failure:
        error = failure
    assert time.perf_counter() - began < seconds + 0.5  # the machine may be busy; alone it is 0.1
    return error


def test_the_deadline_is_over_the_wait_for_a_connection_too(server: FaultServer) -> None:
    server.always(Fault(at=-1, then="stall"))

    async def main() -> list[BaseException | None]:
        transport = AiohttpTransport(TransportConfig(pool_size=1))
        async with client_of(server, transport=transport) as client:
            return await asyncio.gather(*(_in_time(client, f"{number}", 0.3) for number in range(3)))

    assert {type(error) for error in asyncio.run(main())} <= {DeadlineExceeded, CallTimeout}


# P16: errors, results and configuration survive pickle and copy


def _copies(value: Any) -> list[Any]:
    pickled = [pickle.loads(pickle.dumps(value, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    return [*pickled, copy.copy(value), copy.deepcopy(value)]


@pytest.mark.parametrize(
    "value",
    [
        Backoff(retries=4, initial=0.1),
        Breaking(rate=0.5),
        Caching(path="x.db", salt="s"),
        Hedging(after=1.0),
        RateLimits(requests_per_minute=5),
        Entry(model="openai/x", retry=Backoff(retries=1), breaker=Breaking(), cache=Caching(), hedge=Hedging()),
        load({"default": "a", "clients": {"a": {"model": "openai/x", "retry": 3}}, "budgets": [{"tokens": 5}]}),
        TransportConfig(pool_size=3),
        CallOptions(tags={"user": "ada"}, timeouts=Timeouts(total=3)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_configuration_survives_pickle_and_copy(value: Any) -> None:
    for other in _copies(value):
        assert type(other) is type(value)
        assert other == value


def test_what_a_call_gave_survives_pickle_and_copy(server: FaultServer) -> None:
    server.plan(Fault(status=500), Fault(at=0))
    with full_stack(server.url, wait=0.0, hedge=False) as client:
        response = client.call("hi").result()
        assert [failed.kind for failed in response.attempts] == ["server_error", "truncated_stream"]
        for other in _copies(response):
            assert other == response
            assert (other.attempts, other.answered_by) == (response.attempts, response.answered_by)


def test_what_a_call_failed_with_survives_pickle_and_copy(server: FaultServer) -> None:
    server.always(Fault(status=500))
    with full_stack(server.url, wait=0.0, hedge=False) as client:
        error = _shown(client, "hi")[1]
    assert isinstance(error, AllFailed)
    for other in _copies(error):
        assert (type(other), str(other), other.attempts) == (AllFailed, str(error), error.attempts)
        assert [vars(one) for one in other.exceptions] == [vars(one) for one in error.exceptions]
        assert other.response is not None
        assert error.response is not None
        assert other.response.attempts == error.response.attempts


# P17: an answer is kept under who gave it


def test_the_answer_of_a_fallback_is_kept_under_the_one_that_answered(server: FaultServer) -> None:
    first, second = Answer(text="from the first"), Answer(text="from the second")
    down = Fault(status=401)
    server.plan(down, Fault(answer=second), down, Fault(answer=first))
    with full_stack(server.url) as client:
        responses = [client.call("hi").result() for _ in range(4)]
    assert [(response.text, response.cached) for response in responses] == [
        ("from the second", False),
        ("from the second", True),  # the first was asked again, and failed again
        ("from the first", False),
        ("from the first", True),
    ]
    assert [response.answered_by for response in responses] == [
        *["anthropic/claude-x"] * 2,
        *["openai/gpt-x"] * 2,
    ]
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "fault",
    [
        Fault(answer=Answer(text="half", finish_reason="length")),
        Fault(answer=Answer(text="", finish_reason="content_filter")),
        Fault(at=700),
        Fault(marker=False),
        Fault(status=500),
    ],
)
def test_what_did_not_end_well_is_never_kept(server: FaultServer, fault: Fault) -> None:
    server.always(fault)
    with full_stack(server.url, retry=0, continue_length=0, hedge=False) as client:
        _shown(client, "hi")
        server.always(Fault())
        assert _shown(client, "hi") == (TEXT, None)
        before = len(server.requests)
        assert _shown(client, "hi") == (TEXT, None)
        assert len(server.requests) == before
