"""Calls that stay calm, over real HTTP: how many requests a server sees, what is delivered, and what is left behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from pydantic import BaseModel

from callm.client import Client
from callm.errors import CallmError, ConfigError, DeadlineExceeded, RateLimitError, TruncatedStream
from callm.fronts.function import function
from callm.policy.backoff import Backoff
from callm.testing import Answer, Fault, FaultServer
from callm.types import (
    AttemptFailed,
    CallOptions,
    Finish,
    Message,
    Request,
    Response,
    Restarted,
    TextDelta,
    Timeouts,
)
from tests.support import FORMATS, busy, client_of

AT_ONCE = Backoff(retries=2, initial=0.0)


@pytest.fixture(scope="module")
def shared() -> Iterator[FaultServer]:
    with FaultServer(Answer(text="hello there")) as server:
        yield server


@pytest.fixture
def server(shared: FaultServer) -> FaultServer:
    shared.clear()
    return shared


def ask(client: Client, *, stream: bool, **options: Any) -> tuple[Response, CallmError | None]:
    """Return what came, and the error that ended it."""
    asked = CallOptions(**options)
    if not stream:
        try:
            return client.call("hi", asked).result(), None
        except CallmError as error:
            return error.response or Response(), error
    events = client.stream("hi", asked)
    try:
        for _ in events:
            pass
    except CallmError as error:
        return events.response, error
    return events.response, None


RETRIED = [408, 409, 425, 429, 500, 502, 503, 504, 520, 529]
FINAL = [400, 401, 402, 403, 404, 405, 413, 422, 501]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize(("status", "retries"), [*product(RETRIED, (0, 1, 3)), *product(FINAL, (0, 3))])
def test_the_server_counts_exactly_the_attempts_that_were_promised(
    server: FaultServer, wire: str, status: int, retries: int, stream: bool
) -> None:
    server.always(Fault(status=status))
    with client_of(server, wire, retries=Backoff(retries=retries, initial=0.0)) as client:
        response, error = ask(client, stream=stream)
    expected = retries + 1 if status in RETRIED else 1
    assert len(server.requests) == expected
    assert error is not None
    assert (error.attempts, len(response.attempts)) == (expected, expected - 1)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(at=-1), 3),
        (Fault(at=-1, then="reset"), 3),
        (Fault(at=0), 3),
        (Fault(body="not json"), 3),
        (Fault(body="", content_type="text/event-stream"), 3),
        (Fault(status=429, body='{"error":{"message":"x","code":"insufficient_quota"}}'), 1),
        (Fault(status=503, headers={"x-should-retry": "false"}), 1),
        (Fault(status=400, headers={"x-should-retry": "true"}), 3),
        (Fault(error={"message": "busy", "code": "server_is_overloaded"}, error_after=1), 3),
    ],
)
def test_what_breaks_before_content_is_tried_again(server: FaultServer, fault: Fault, expected: int) -> None:
    server.always(fault)
    with client_of(server, retries=AT_ONCE) as client:
        _, error = ask(client, stream=True)
    assert (len(server.requests), error is None) == (expected, False)


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_gets_its_answer_in_the_end_and_says_what_it_took(server: FaultServer, stream: bool) -> None:
    server.plan(Fault(status=500), Fault(at=0))
    with client_of(server, retries=AT_ONCE) as client:
        response, error = ask(client, stream=stream)
    assert (response.text, error, response.answered_by) == ("hello there", None, "openai/gpt-x")
    assert [failed.kind for failed in response.attempts] == ["server_error", "truncated_stream"]
    assert response.attempts[0].status == 500


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"retry-after": "0.2"}, 0.2, 0.5),
        ({"retry-after-ms": "150"}, 0.15, 0.45),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0, 0.2),
        ({"retry-after": "soon"}, 0.0, 0.2),
    ],
)
def test_the_wait_that_the_provider_asks_for_is_kept(
    server: FaultServer, headers: dict[str, str], low: float, high: float
) -> None:
    server.plan(Fault(status=429, headers=headers))
    with client_of(server, retries=Backoff(retries=1, initial=0.0)) as client:
        began = time.perf_counter()
        response, error = ask(client, stream=False)
        took = time.perf_counter() - began
    assert error is None
    assert low <= response.attempts[0].wait <= max(low, 0.001)
    assert low <= took <= high


def test_a_provider_that_asks_for_an_hour_is_not_waited_for(server: FaultServer) -> None:
    server.always(Fault(status=429, headers={"retry-after": "3600"}))
    with client_of(server, retries=AT_ONCE) as client:
        _, error = ask(client, stream=False)
    assert isinstance(error, RateLimitError)
    assert (error.retry_after, len(server.requests)) == (3600.0, 1)


def cut(server: FaultServer) -> Fault:
    """Return a fault that cuts the stream behind its first content."""
    return Fault(error={"message": "busy", "code": "server_is_overloaded"}, error_after=4)


def test_a_stream_that_breaks_after_content_is_never_repeated_unasked(server: FaultServer) -> None:
    server.plan(cut(server))
    with client_of(server, retries=AT_ONCE) as client:
        response, error = ask(client, stream=True)
    assert error is not None
    assert response.text
    assert "hello there".startswith(response.text)
    assert len(server.requests) == 1


def test_where_it_was_asked_for_the_events_say_that_it_begins_anew(server: FaultServer) -> None:
    server.plan(cut(server))
    with client_of(server, retries=AT_ONCE) as client:
        stream = client.stream("hi", CallOptions(on_break="restart"))
        shown = ""
        kinds = set[type]()
        for event in stream:
            kinds.add(type(event))
            shown = "" if isinstance(event, Restarted) else shown + (event.text if isinstance(event, TextDelta) else "")
    assert shown == stream.response.text == "hello there"
    assert {AttemptFailed, Restarted, Finish} <= kinds


def test_text_alone_can_not_begin_anew(server: FaultServer) -> None:
    with client_of(server) as client, pytest.raises(ConfigError, match="read the events"):
        _ = client.stream("hi", CallOptions(on_break="restart")).text_stream


def test_a_call_whose_answer_is_streamed_behind_the_scenes_may_begin_anew(server: FaultServer) -> None:
    server.plan(cut(server))
    with client_of(server, retries=AT_ONCE) as client:
        response = client.call(Request((Message.user("hi"),), stream=True)).result()
    assert (response.text, len(response.attempts)) == ("hello there", 1)


class City(BaseModel):
    name: str
    people: int


def test_typed_partial_values_begin_anew_too() -> None:
    text = '{"name": "Rome", "people": 2748109}'
    with FaultServer(Answer(text=text)) as server, client_of(server, retries=AT_ONCE) as client:
        server.plan(cut(server))

        @function(client=client, options=CallOptions(on_break="restart"))
        def city() -> City:
            """Name a city."""
            raise NotImplementedError

        stream = city.stream()
        values = [value.name for value in stream]
        assert stream.result == City(name="Rome", people=2748109)
    assert values[-1] == "Rome"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "fault", [Fault(status=429, headers={"retry-after": "0.1"}), Fault(at=-1, then="stall"), Fault(pings=0.02)]
)
def test_one_deadline_is_over_all_attempts_and_waits(server: FaultServer, fault: Fault, stream: bool) -> None:
    server.always(fault)
    with client_of(server, retries=Backoff(retries=50)) as client:
        client.build_request("hi")
        began = time.perf_counter()
        _, error = ask(client, stream=stream, timeouts=Timeouts(total=0.5))
        took = time.perf_counter() - began
    assert isinstance(error, DeadlineExceeded | RateLimitError)
    assert took < 1.0  # the deadline is kept to the millisecond; the machine may be busy


def test_a_stalled_attempt_is_given_up_and_made_again(server: FaultServer) -> None:
    server.plan(Fault(at=0, then="stall"))
    with client_of(server, retries=AT_ONCE) as client:
        response, error = ask(client, stream=True, timeouts=Timeouts(first_content=0.1))
    assert (error, response.text) == (None, "hello there")
    assert response.attempts[0].kind == "timeout"


def test_an_outage_never_becomes_a_storm(server: FaultServer) -> None:
    server.always(Fault(status=503))

    async def main() -> None:
        client = client_of(server, retries=Backoff(retries=5, initial=0.01, maximum=0.02))
        calls = [client.call("hi") for _ in range(1000)]
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(error, CallmError) for error in done)
        await client.aclose()

    asyncio.run(main())
    assert 1000 <= len(server.requests) <= 1220


def test_cancelling_at_any_time_leaves_no_connection_in_use(server: FaultServer) -> None:
    server.always(Fault(status=503, pause=0.001))

    async def main() -> None:
        client = client_of(server, retries=Backoff(retries=3, initial=0.002))
        for turn in range(60):
            task = asyncio.ensure_future(_answer(client))
            await asyncio.sleep(turn * 0.0003)
            task.cancel()
            if turn % 2:
                await asyncio.sleep(0)
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert busy(client) == 0
        assert len(asyncio.all_tasks()) == 1
        await client.aclose()

    asyncio.run(main())


async def _answer(client: Client) -> Response:
    return await client.call("hi")


def test_a_truncated_answer_is_an_error_whatever_is_retried(server: FaultServer) -> None:
    server.always(Fault(marker=False))
    with client_of(server, retries=AT_ONCE) as client:
        _, error = ask(client, stream=True)
    assert isinstance(error, TruncatedStream)
    assert len(server.requests) == 1
