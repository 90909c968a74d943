"""Where a client may be used: sync and async code, loops, threads, forks; and that leaving early reaches the server."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from callm.client import Client
from callm.testing import Answer, Fault, FaultServer
from callm.types import CallOptions, Event, TextDelta
from tests.support import FORMATS, busy, client_of

AT_ONCE = 0.1
"""Within how many seconds the server must see that somebody left."""

ENDLESS = Fault(answer=Answer(text="word " * 2000), pause=0.002)


@pytest.fixture
def client(fault_server: FaultServer) -> Iterator[Client]:
    with client_of(fault_server) as client:
        yield client


def _left_at_once(server: FaultServer, left: float) -> bool:
    return server.requests[-1].wait_closed(2.0) - left < AT_ONCE


@pytest.mark.parametrize("wire", FORMATS)
def test_one_client_serves_sync_and_async_code(fault_server: FaultServer, wire: str) -> None:
    client = client_of(fault_server, wire)

    async def main() -> list[str]:
        texts = [(await client.call("awaited")).text]
        texts += [event.text async for event in client.stream("streamed async") if isinstance(event, TextDelta)]
        texts.append(client.call("sync inside a loop").result().text)
        return texts

    assert client.call("sync").result().text == "sync"
    assert asyncio.run(main()) == ["awaited", "streamed", " async", "sync inside a loop"]
    assert list(client.stream("streamed sync").text_stream) == ["streamed", " sync"]
    client.close()


def test_three_loops_in_a_row_and_a_sync_call_between_them(client: Client) -> None:
    async def main(text: str) -> str:
        async with client.stream(text) as stream:
            async for _ in stream:
                pass
        return stream.response.text + (await client.call(text)).text

    for turn in "abc":
        assert asyncio.run(main(turn)) == turn * 2
        assert client.call("between").result().text == "between"


def test_eight_threads_with_a_loop_each_and_eight_without(client: Client) -> None:
    async def main(text: str) -> list[str]:
        return [response.text for response in await asyncio.gather(*(client.call(text) for _ in range(5)))]

    with ThreadPoolExecutor(16) as threads:
        loops = [threads.submit(asyncio.run, main(f"loop {number}")) for number in range(8)]
        plain = [threads.submit(lambda text: client.call(text).result().text, f"plain {number}") for number in range(8)]
        assert [job.result() for job in loops] == [[f"loop {number}"] * 5 for number in range(8)]
        assert [job.result() for job in plain] == [f"plain {number}" for number in range(8)]
    assert busy(client) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # from 3.12 on
def test_a_fork_after_use_has_connections_of_its_own(client: Client, fault_server: FaultServer) -> None:
    client.call("parent").result()
    asyncio.run(_ask(client, "parent"))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover  # another process
        texts = client.call("child").result().text + asyncio.run(_ask(client, " and loop"))
        os.write(writing, texts.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == "child and loop"
    assert os.waitpid(child, 0)[1] == 0
    assert client.call("parent again").result().text == "parent again"
    connections = {request.connection for request in fault_server.requests if b"child" in request.body}
    assert connections.isdisjoint(
        {request.connection for request in fault_server.requests if b"parent" in request.body}
    )


async def _ask(client: Client, text: str) -> str:
    return (await client.call(text)).text


def _break(client: Client) -> None:
    for event in client.stream("x"):
        if isinstance(event, TextDelta):
            break


def _break_text(client: Client) -> None:
    for _ in client.stream("x").text_stream:
        break


def _raise(client: Client) -> None:
    with pytest.raises(ZeroDivisionError), client.stream("x") as stream:
        for event in stream:
            if isinstance(event, TextDelta):
                1 / 0  # noqa: B018


def _with_text(client: Client) -> None:
    with client.stream("x") as stream:
        for _ in stream.text_stream:
            break


def _drop(client: Client) -> None:
    stream = client.stream("x")
    next(iter(stream))
    del stream


def _collect(client: Client) -> None:
    stream = client.stream("x")
    next(iter(stream))
    cycle: list[object] = [stream]
    cycle.append(cycle)
    del stream, cycle
    gc.collect()


@pytest.mark.parametrize("leave", [_break, _break_text, _raise, _with_text, _drop, _collect])
def test_leaving_a_sync_stream_closes_its_connection_at_once(
    client: Client, fault_server: FaultServer, leave: Callable[[Client], None]
) -> None:
    fault_server.always(ENDLESS)
    gc.disable()  # what is dropped must be closed without its help, unless the test calls it
    try:
        leave(client)
        left = time.monotonic()
        assert _left_at_once(fault_server, left)
    finally:
        gc.enable()
    assert not fault_server.requests[-1].finished
    assert busy(client) == 0


async def _async_break(client: Client) -> None:
    async for _ in client.stream("x"):
        break


async def _async_break_text(client: Client) -> None:
    async for _ in client.stream("x").text_stream:
        break


async def _async_raise(client: Client) -> None:
    with pytest.raises(ZeroDivisionError):
        async with client.stream("x") as stream:
            async for _ in stream:
                1 / 0  # noqa: B018


async def _async_with_text(client: Client) -> None:
    async with client.stream("x") as stream:
        async for _ in stream.text_stream:
            break


async def _async_close(client: Client) -> None:
    stream = client.stream("x")
    await anext(aiter(stream))
    await stream.aclose()
    assert [event async for event in stream] == []


async def _async_cancel(client: Client) -> None:
    async def read() -> None:
        async for _ in client.stream("x"):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _async_timeout(client: Client) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            async for _ in client.stream("x"):
                pass


@pytest.mark.parametrize(
    "leave",
    [_async_break, _async_break_text, _async_raise, _async_with_text, _async_close, _async_cancel, _async_timeout],
)
def test_leaving_an_async_stream_closes_its_connection_at_once(
    client: Client, fault_server: FaultServer, leave: Callable[[Client], object]
) -> None:
    fault_server.always(ENDLESS)

    async def main() -> None:
        await leave(client)  # type: ignore[misc]
        left = time.monotonic()
        assert await asyncio.to_thread(_left_at_once, fault_server, left)
        await asyncio.sleep(0)
        assert busy(client) == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()


def test_a_loop_that_ends_with_an_open_stream_closes_it(client: Client, fault_server: FaultServer) -> None:
    fault_server.always(ENDLESS)
    streams: list[object] = []

    async def main() -> None:
        stream = client.stream("x")
        streams.append(stream)  # so that it outlives the loop
        await anext(aiter(stream))

    asyncio.run(main())
    assert _left_at_once(fault_server, time.monotonic())


@pytest.fixture
def ctrl_c() -> Iterator[Callable[[], None]]:
    """What presses Ctrl-C in a moment; who runs the tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_a_waiting_call(client: Client, fault_server: FaultServer, ctrl_c: Callable[[], None]) -> None:
    fault_server.always(Fault(delay=5.0))
    ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        client.call("x").result()
    assert _left_at_once(fault_server, time.monotonic())
    fault_server.always(Fault())
    assert client.call("and on").result().text == "and on"
    assert busy(client) == 0


def test_ctrl_c_ends_a_stream(client: Client, fault_server: FaultServer, ctrl_c: Callable[[], None]) -> None:
    fault_server.always(ENDLESS)
    ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        for _ in client.stream("x"):
            pass
    assert _left_at_once(fault_server, time.monotonic())


def test_events_come_one_by_one_as_they_are_sent(client: Client, fault_server: FaultServer) -> None:
    fault_server.always(Fault(answer=Answer(text="a b c d e f"), pause=0.02))
    times = [time.monotonic() for event in client.stream("x") if isinstance(event, TextDelta)]
    assert len(times) == 6
    assert all(later - sooner > 0.01 for sooner, later in pairwise(times))


EXIT = """
import asyncio, sys, callm
client = callm.Client("openai/x", api_key="k", base_url=sys.argv[1] + "/v1")
stream = client.stream("x")
next(iter(stream))
other = client.stream("x").text_stream
next(iter(other))
client.call("y").result()
async def main():
    global left
    left = client.stream("z")
    await anext(aiter(left))
    await client.call("y")
asyncio.run(main())
print("end")
"""


def test_a_program_may_end_with_streams_open(fault_server: FaultServer) -> None:
    fault_server.plan(ENDLESS, ENDLESS, Fault(), ENDLESS)
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", EXIT, fault_server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_a_sync_call_from_a_callback_on_our_own_loop_says_so_and_does_not_hang(client: Client) -> None:
    errors: list[str] = []

    def tick(events: object) -> None:
        try:
            client.call("inside").result()
        except Exception as error:
            errors.append(str(error))

    client.call("outside", CallOptions(on_tick=tick)).result()
    assert errors
    assert "Await the async form" in errors[0]


def test_a_stream_is_read_once_and_in_one_colour(client: Client) -> None:
    stream = client.stream("some words")
    events: list[Event] = list(stream)
    assert events
    assert list(stream) == []
    with pytest.raises(RuntimeError, match="read by sync code"):
        aiter(stream)
    with pytest.raises(RuntimeError, match="as events or as text"):
        list(stream.text_stream)


def test_a_stream_that_was_closed_before_it_began_sends_nothing(client: Client, fault_server: FaultServer) -> None:
    with client.stream("x") as stream:
        pass
    assert list(stream) == []
    assert fault_server.requests == []


def test_the_text_and_its_stream_are_the_same_reading(client: Client, fault_server: FaultServer) -> None:
    stream = client.stream("one two three")
    first = next(iter(stream.text_stream))
    assert [first, *stream.text_stream] == ["one", " two", " three"]
    assert stream.response.text == "one two three"
    assert len(fault_server.requests) == 1
    with pytest.raises(RuntimeError, match="make a new one"):
        list(stream)
