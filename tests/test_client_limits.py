"""Rate limits end to end: a server that limits each key as real providers do, and a client that learns from what it says."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from callm.client import Client
from callm.config.entries import RateLimits
from callm.errors import QueueTimeout
from callm.policy.backoff import Backoff
from callm.testing import Answer, FaultServer, KeyLimit
from callm.testing.answers import Format
from callm.types import Response
from tests.support import FORMATS, client_of

LEARN = RateLimits(learn=True)


@pytest.mark.parametrize(("wire", "window"), [("openai_chat", 0.4), ("anthropic", 0.5)])
def test_who_learns_what_is_left_is_never_refused(wire: Format, window: float) -> None:
    with (
        FaultServer(Answer(text="hi"), rate_limit=KeyLimit(5, seconds=window)) as server,
        client_of(server, wire, rate_limit=LEARN) as client,
    ):
        responses = [client.call("hi").result() for _ in range(8)]
        times = [request.time for request in server.requests]
    assert len(times) == 8
    took = times[-1] - times[0]
    assert all(late - early >= window for early, late in zip(times, times[5:], strict=False))
    assert sum(response.waited for response in responses) == pytest.approx(took, abs=0.5)
    assert took < window + 1.5  # the reset of Anthropic is in whole seconds


@pytest.mark.parametrize("wire", FORMATS)
def test_many_at_once_all_get_their_answers_and_few_are_refused(wire: Format) -> None:
    async def main(server: FaultServer) -> list[Response]:
        client = client_of(server, wire, rate_limit=LEARN, retries=Backoff(retries=4, initial=0.05))
        async with client:
            return await asyncio.gather(*(client.call(f"hi {number}") for number in range(20)))

    with FaultServer(Answer(text="hi"), rate_limit=KeyLimit(10, seconds=0.5)) as server:
        responses = asyncio.run(main(server))
        seen = len(server.requests)
    assert Counter(response.text for response in responses) == {"hi": 20}
    refused = [failed for response in responses for failed in response.attempts]
    assert {failed.status for failed in refused} == {429}
    assert seen == 20 + len(refused)
    assert len(refused) <= 14  # ten of the first twenty, who could not know, and few again


def test_the_limits_of_our_own_keep_within_those_of_the_provider() -> None:
    """More than the window is used up at once, so the second half would wait a minute: nobody is sent to be refused."""
    with (
        FaultServer(Answer(text="hi"), rate_limit=KeyLimit(5)) as server,
        client_of(server, rate_limit=RateLimits(requests_per_minute=5, max_wait=0.0)) as client,
    ):
        outcomes = Counter(_outcome(client) for _ in range(12))
        assert len(server.requests) == 5
    assert outcomes == {"ok": 5, "queue_timeout": 7}


def _outcome(client: Client) -> str:
    try:
        client.call("hi").result()
    except QueueTimeout as error:
        return error.kind
    return "ok"
