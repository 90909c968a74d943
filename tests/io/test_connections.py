import asyncio
import os
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from callm.io.aiohttp_transport import AiohttpTransport
from callm.io.connections import Line
from callm.io.transport_config import TransportConfig
from callm.testing import Fault, FaultServer
from tests.io.exchanges import TIMEOUTS, chat, fetch

ROOT = Path(__file__).parent.parent.parent


def _script(body: str, url: str) -> subprocess.CompletedProcess[str]:
    code = "import asyncio, os, sys, threading, time\n" + textwrap.dedent(
        """
        from callm.io import portal
        from callm.io.aiohttp_transport import AiohttpTransport
        from tests.io.exchanges import TIMEOUTS, chat, fetch
        url = sys.argv[1]
        transport = AiohttpTransport()

        async def items(stream=True):
            async with transport.send(chat(url, stream=stream), TIMEOUTS) as response:
                while data := await response.read():
                    yield data
        """
    )
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code + textwrap.dedent(body), url],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=ROOT,
    )


def _quiet(body: str, url: str) -> str:
    done = _script(body, url)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


async def test_an_old_connection_takes_no_new_request(fault_server: FaultServer) -> None:
    transport = AiohttpTransport(TransportConfig(lifetime=0.05))
    for _ in range(2):
        await fetch(transport, chat(fault_server.url))
    assert fault_server.connections == 1
    await asyncio.sleep(0.06)
    await fetch(transport, chat(fault_server.url))
    assert fault_server.connections == 2
    await asyncio.to_thread(fault_server.requests[0].wait_closed)
    await transport.aclose()


async def test_an_idle_connection_is_closed_after_its_time(fault_server: FaultServer) -> None:
    transport = AiohttpTransport(TransportConfig(idle=0.05))
    await fetch(transport, chat(fault_server.url))
    started = time.monotonic()
    closed = await asyncio.to_thread(fault_server.requests[0].wait_closed)
    assert 0.03 < closed - started < 0.5
    await transport.aclose()


async def test_a_connection_that_the_server_closed_in_the_idle_time_is_not_used(fault_server: FaultServer) -> None:
    transport = AiohttpTransport()
    fault_server.plan(Fault(close_idle=0.01))
    await fetch(transport, chat(fault_server.url))
    await asyncio.to_thread(fault_server.requests[0].wait_closed)
    await asyncio.sleep(0.05)
    await fetch(transport, chat(fault_server.url))
    assert [request.connection for request in fault_server.requests] == [1, 2]
    await transport.aclose()


async def test_what_a_server_says_in_the_idle_time_is_not_taken_for_an_answer() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    goodbye = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"

    def serve(listening: socket.socket) -> None:
        first, _ = listening.accept()
        first.recv(65536)
        first.sendall(answer)
        spoke.wait(5)
        first.sendall(goodbye)  # and leave the connection open
        second, _ = listening.accept()
        second.recv(65536)
        second.sendall(answer)
        first.close()
        second.close()

    spoke = threading.Event()
    transport = AiohttpTransport()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = asyncio.create_task(asyncio.to_thread(serve, listening))
        assert await fetch(transport, chat(url)) == (200, b"ok")
        spoke.set()
        await asyncio.sleep(0.05)
        assert await fetch(transport, chat(url)) == (200, b"ok")
        await server
    await transport.aclose()


async def test_tcp_keep_alive_is_on(fault_server: FaultServer) -> None:
    transport = AiohttpTransport()
    async with transport.send(chat(fault_server.url), TIMEOUTS) as response:
        line = response.line
        assert line is not None
        assert line.transport is not None
        sock = line.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    await transport.aclose()


async def test_no_read_is_so_large_that_memory_is_mapped_for_it(
    fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 128 KiB on glibc's malloc asks the kernel for pages, and gives them back, each time: M_MMAP_THRESHOLD."""
    sizes: list[int] = []
    received = Line.data_received

    def measured(line: Line, data: bytes) -> None:
        sizes.append(len(data))
        received(line, data)

    monkeypatch.setattr(Line, "data_received", measured)
    fault_server.plan(Fault(data=b"x" * 5_000_000, framing="length"))
    transport = AiohttpTransport()
    _, body = await fetch(transport, chat(fault_server.url))
    assert len(body) == 5_000_000
    assert 1000 < max(sizes) < 128 * 1024
    await transport.aclose()


async def test_time_limits_are_made_once() -> None:
    transport = AiohttpTransport()
    connections = transport._connections()
    assert connections.timeout(5.0) is connections.timeout(5.0)
    assert connections.timeout(None).connect is None
    for number in range(500):
        connections.timeout(float(number + 1))
    assert len(connections._timeouts) <= 101
    await transport.aclose()


def test_three_event_loops_in_a_row_use_one_transport(fault_server: FaultServer) -> None:
    transport = AiohttpTransport()
    for _ in range(3):
        assert asyncio.run(fetch(transport, chat(fault_server.url)))[0] == 200
    assert fault_server.connections == 3
    for request in fault_server.requests:
        request.wait_closed()  # with its loop
    assert len(transport._loops) <= 1


def test_eight_threads_with_a_loop_each_use_one_transport(fault_server: FaultServer) -> None:
    transport = AiohttpTransport()
    statuses: list[int] = []

    async def work() -> None:
        results = await asyncio.gather(*(fetch(transport, chat(fault_server.url)) for _ in range(5)))
        statuses.extend(status for status, _ in results)

    threads = [threading.Thread(target=lambda: asyncio.run(work())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert statuses == [200] * 40


def _close_only(loop: asyncio.AbstractEventLoop) -> None:
    loop.close()


def _shut_down(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


# With warnings as errors, uvloop hangs in the close of a loop that has open connections and was not shut down.
@pytest.mark.parametrize(("end", "uvloop"), [(_close_only, False), (_shut_down, False), (_shut_down, True)])
def test_a_loop_that_ends_takes_its_connections_along_in_silence(
    end: Callable[[asyncio.AbstractEventLoop], None], *, uvloop: bool, fault_server: FaultServer
) -> None:
    make = pytest.importorskip("uvloop").new_event_loop if uvloop else asyncio.new_event_loop
    transport = AiohttpTransport()
    for _ in range(2):
        loop = make()
        assert loop.run_until_complete(fetch(transport, chat(fault_server.url)))[0] == 200
        end(loop)
    asyncio.run(fetch(transport, chat(fault_server.url)))
    for request in fault_server.requests:
        request.wait_closed()


def test_a_closed_loop_takes_its_tls_connections_along_in_silence() -> None:
    authority, server_side, client_side = (
        trustme.CA(),
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        ssl.create_default_context(),
    )
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    authority.configure_trust(client_side)
    transport = AiohttpTransport(TransportConfig(ssl_context=client_side))
    with FaultServer(ssl_context=server_side) as server:
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(fetch(transport, chat(server.url)))[0] == 200
        loop.close()
        asyncio.run(fetch(transport, chat(server.url)))
        for request in server.requests:
            request.wait_closed()


def test_closing_the_transport_in_one_loop_closes_the_connections_of_the_others(fault_server: FaultServer) -> None:
    transport = AiohttpTransport()
    other = asyncio.new_event_loop()
    thread = threading.Thread(target=other.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(fetch(transport, chat(fault_server.url)), other).result(5)
    asyncio.run(transport.aclose())
    fault_server.requests[0].wait_closed()
    other.call_soon_threadsafe(other.stop)
    thread.join(5)
    other.close()


def test_the_interpreter_exits_in_silence_with_an_open_sync_stream(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(), Fault(at=400, then="stall"))
    _quiet(
        """
        list(portal.iterate(items()))
        stream = portal.iterate(items())
        assert next(stream)
        """,
        fault_server.url,
    )
    assert len(fault_server.requests) == 2


def test_the_interpreter_exits_in_silence_with_an_open_async_stream(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(), Fault(at=400, then="stall"))
    _quiet(
        """
        kept = []
        async def main():
            await fetch(transport, chat(url))
            stream = items()
            kept.append(stream)
            assert await anext(stream)
        asyncio.run(main())
        """,
        fault_server.url,
    )
    fault_server.requests[1].wait_closed()


def test_the_interpreter_exits_in_silence_with_connections_in_a_running_thread(fault_server: FaultServer) -> None:
    _quiet(
        """
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(fetch(transport, chat(url)), loop).result()
        """,
        fault_server.url,
    )


def test_the_interpreter_exits_in_silence_after_a_loop_that_was_only_closed(fault_server: FaultServer) -> None:
    _quiet(
        """
        loop = asyncio.new_event_loop()
        loop.run_until_complete(fetch(transport, chat(url)))
        loop.close()
        """,
        fault_server.url,
    )


FORK = """
    {uvloop}
    async def two():
        await asyncio.gather(fetch(transport, chat(url)), fetch(transport, chat(url)))
    portal.run(two())
    stream = portal.iterate(items())
    got = next(stream)
    pid = os.fork()
    if pid == 0:
        assert portal.run(fetch(transport, chat(url)))[0] == 200
        assert asyncio.run(fetch(transport, chat(url)))[0] == 200
        {leave}
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
    got += b"".join(stream)  # the parent's stream goes on
    assert got.endswith(b"[DONE]\\n\\n"), got
    assert portal.run(fetch(transport, chat(url)))[0] == 200
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("leave", ["os._exit(0)", "sys.exit(0)", "del transport, stream; sys.exit(0)"])
@pytest.mark.parametrize("uvloop", ["", "sys.modules['uvloop'] = None"])
def test_a_forked_child_connects_anew_and_leaves_the_parents_connections_alone(
    leave: str, uvloop: str, fault_server: FaultServer
) -> None:
    fault_server.plan(Fault(delay=0.1), Fault(delay=0.1), Fault(at=400, then="stall", seconds=0.7))
    _quiet(FORK.format(leave=leave, uvloop=uvloop), fault_server.url)
    connections = [request.connection for request in fault_server.requests]
    assert set(connections[:3]) == {1, 2}
    assert connections[3:5] == [3, 4]
    assert connections[5] in {1, 2}


def test_a_thousand_cancelled_requests_leave_nothing_open(fault_server: FaultServer) -> None:
    async def storm() -> int:
        transport = AiohttpTransport(TransportConfig(pool_size=50))
        for _ in range(5):
            tasks = [asyncio.create_task(fetch(transport, chat(fault_server.url, stream=True))) for _ in range(200)]
            await asyncio.sleep(0.02)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        connections = transport._connections()
        assert (connections.slots._used, connections.slots._waiters) == (0, {})
        assert not connections._connector._acquired
        assert (await fetch(transport, chat(fault_server.url)))[0] == 200
        await transport.aclose()
        return len(asyncio.all_tasks())

    assert asyncio.run(storm()) == 1
