"""The check that every test has must be able to fail."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest

from callm.io import portal
from callm.middleware.budget import Cap
from callm.middleware.limiter import Limiter
from callm.testing import Fault, FaultServer
from tests import leaks
from tests.support import client_of


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(leaks, "PATIENCE", 0.03)
    yield
    monkeypatch.undo()


def test_nothing_is_found_where_nothing_is_left() -> None:
    assert leaks.left_behind(leaks.snapshot()) == []


def test_a_task_on_the_portals_loop_is_found() -> None:
    async def begin() -> asyncio.Task[None]:
        return asyncio.create_task(asyncio.sleep(60))

    before = leaks.snapshot()
    task = portal.run(begin())
    (found,) = leaks.left_behind(before)
    assert "a task on the portal's loop" in found
    assert portal._portal.loop is not None
    portal._portal.loop.call_soon_threadsafe(task.cancel)


def test_a_connection_in_use_is_found(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(at=300, then="stall"))
    with client_of(fault_server) as client, client.stream("hi") as stream:
        before = leaks.snapshot()
        leaks._made.add(client)
        next(iter(stream))
        assert any("connections of" in line for line in leaks.left_behind(before))


def test_a_thread_is_found_until_it_ends() -> None:
    before, stop = leaks.snapshot(), threading.Event()
    thread = threading.Thread(target=stop.wait, name="straggler")
    thread.start()
    assert leaks.left_behind(before) == ["the thread 'straggler'"]
    stop.set()
    thread.join()
    assert leaks.left_behind(before) == []


@pytest.mark.skipif(not leaks.DESCRIPTORS.is_dir(), reason="this system does not tell")
def test_descriptors_are_counted() -> None:
    before = leaks.snapshot()
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(leaks.MOST_DESCRIPTORS + 3)]
    found = leaks.left_behind(before)
    for descriptor in opened:
        os.close(descriptor)
    assert found == [f"{leaks.MOST_DESCRIPTORS + 3} descriptors more than before"]


async def test_what_is_reserved_or_under_way_is_found() -> None:
    before = leaks.snapshot()
    cap, limiter = Cap(tokens=100), Limiter(concurrency=1)
    account = cap.reserve(7, {})
    admission, _ = await limiter.acquire()
    reserved, under_way = sorted(leaks.left_behind(before), key=len, reverse=True)
    assert "7 reserved" in reserved
    assert under_way == "1 calls under way at 'rate limit'"
    cap.settle(account, 7, 7)
    await limiter.release(admission, 0)
    assert leaks.left_behind(before) == []
