import asyncio
import gzip
import json
import socket
import time
from collections.abc import AsyncIterator

import pytest

from callm.errors import (
    CallmError,
    CallTimeout,
    ConfigError,
    PoolTimeout,
    ProtocolError,
    TransportError,
    TruncatedStream,
)
from callm.io.aiohttp_transport import AiohttpTransport
from callm.io.transport_config import TransportConfig
from callm.testing import Answer, Fault, FaultServer
from callm.types import Timeouts
from callm.wire.codec import HTTPRequest
from tests.io.exchanges import TIMEOUTS, chat, fetch


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport()
    yield transport
    await transport.aclose()


async def _error(transport: AiohttpTransport, request: HTTPRequest, timeouts: Timeouts = TIMEOUTS) -> CallmError:
    with pytest.raises(CallmError) as caught:
        await fetch(transport, request, timeouts)
    assert caught.value.__cause__ is not None or isinstance(caught.value, ConfigError | ProtocolError | TruncatedStream)
    assert "canary" not in str(caught.value)
    return caught.value


async def test_status_headers_and_body_arrive(transport: AiohttpTransport, fault_server: FaultServer) -> None:
    fault_server.plan(Fault(status=418, headers={"X-Some-Thing": "value"}, body="teapot"))
    async with transport.send(chat(fault_server.url), TIMEOUTS) as response:
        assert (response.status, response.headers["x-some-thing"]) == (418, "value")
        assert (await response.read(), await response.read(), await response.read()) == (b"teapot", b"", b"")


async def test_the_request_is_sent_as_it_was_made(transport: AiohttpTransport, fault_server: FaultServer) -> None:
    request = chat(fault_server.url, x_extra="1")
    await fetch(transport, request)
    received = fault_server.requests[0]
    assert (received.method, received.path, received.body) == ("POST", "/v1/chat/completions", request.body)
    assert received.headers == {
        "host": fault_server.url.removeprefix("http://"),
        "user-agent": "callm",
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "content-type": "application/json",
        "content-length": str(len(request.body)),
        "authorization": "Bearer sk-canary",
        "x-extra": "1",
    }


async def test_a_stream_is_not_asked_to_be_packed(transport: AiohttpTransport, fault_server: FaultServer) -> None:
    await fetch(transport, chat(fault_server.url, stream=True))
    await fetch(transport, chat(fault_server.url, stream=True, accept_encoding="gzip", user_agent="me/1"))
    first, second = (request.headers for request in fault_server.requests)
    assert (first["accept-encoding"], second["accept-encoding"], second["user-agent"]) == ("identity", "gzip", "me/1")


async def test_a_get_has_no_body(transport: AiohttpTransport, fault_server: FaultServer) -> None:
    fault_server.plan(Fault(body="{}"))
    assert await fetch(transport, HTTPRequest(f"{fault_server.url}/v1/models", {}, method="GET")) == (200, b"{}")
    assert (fault_server.requests[0].method, fault_server.requests[0].body) == ("GET", b"")


async def test_a_body_of_megabytes_goes_out_whole(transport: AiohttpTransport, fault_server: FaultServer) -> None:
    request = chat(fault_server.url, "x" * 5_000_000)
    await fetch(transport, request)
    assert fault_server.requests[0].body == request.body


async def test_reads_give_what_has_arrived(transport: AiohttpTransport, fault_server: FaultServer) -> None:
    fault_server.plan(Fault(answer=Answer(text="one two three"), pause=0.02))
    pieces: list[bytes] = []
    async with transport.send(chat(fault_server.url, stream=True), TIMEOUTS) as response:
        while piece := await response.read():
            pieces.append(piece)
    assert len(pieces) >= 4
    assert pieces[1].startswith(b"data: ")


async def test_a_connection_is_used_again_after_a_body_was_read(
    transport: AiohttpTransport, fault_server: FaultServer
) -> None:
    for stream in (False, True, False):
        await fetch(transport, chat(fault_server.url, stream=stream))
    assert (fault_server.connections, len(fault_server.requests)) == (1, 3)


async def test_leaving_early_closes_the_connection_at_once(
    transport: AiohttpTransport, fault_server: FaultServer
) -> None:
    fault_server.plan(Fault(at=500, then="stall", seconds=30))
    async with transport.send(chat(fault_server.url, stream=True), TIMEOUTS) as response:
        await response.read()
        left = time.monotonic()
    closed = await asyncio.to_thread(fault_server.requests[0].wait_closed)
    assert closed - left < 0.1
    await fetch(transport, chat(fault_server.url))
    assert fault_server.connections == 2


@pytest.mark.parametrize("fault", [Fault(at=500, then="stall"), Fault(at=-1, then="stall")])
async def test_cancelling_closes_the_connection_at_once(
    fault: Fault, transport: AiohttpTransport, fault_server: FaultServer
) -> None:
    fault_server.plan(fault)
    task = asyncio.create_task(fetch(transport, chat(fault_server.url, stream=True)))
    await asyncio.sleep(0.1)
    task.cancel()
    left = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    closed = await asyncio.to_thread(fault_server.requests[0].wait_closed)
    assert closed - left < 0.1
    assert transport._connections().slots._used == 0


@pytest.mark.parametrize("then", ["cut", "reset"])
@pytest.mark.parametrize("stream", [False, True])
async def test_what_arrived_before_the_connection_broke_is_given_first(
    then: str, transport: AiohttpTransport, fault_server: FaultServer, *, stream: bool
) -> None:
    fault_server.plan(Fault(at=200, then="cut" if then == "cut" else "reset"))
    pieces: list[bytes] = []
    async with transport.send(chat(fault_server.url, stream=stream), TIMEOUTS) as response:
        with pytest.raises(TruncatedStream, match="broke in the middle of the answer, after 200 bytes") as caught:
            while piece := await response.read():
                pieces.append(piece)
    assert len(b"".join(pieces)) == 200
    assert caught.value.retryable
    assert ("reset by peer" if then == "reset" else "the server closed it") in str(caught.value)
    assert len(fault_server.requests) == 1


async def test_a_reset_of_a_body_that_ends_with_its_connection_is_no_end(
    transport: AiohttpTransport, fault_server: FaultServer
) -> None:
    fault_server.plan(Fault(framing="close"), Fault(framing="close", at=100, then="reset"))
    status, body = await fetch(transport, chat(fault_server.url))
    assert (status, json.loads(body)["object"]) == (200, "chat.completion")
    assert isinstance(await _error(transport, chat(fault_server.url)), TruncatedStream)


async def test_broken_framing_is_an_error_and_not_an_endless_wait(
    transport: AiohttpTransport, fault_server: FaultServer
) -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"
    fault_server.plan(Fault(raw=head + b"not hex\r\n"))
    assert isinstance(await _error(transport, chat(fault_server.url)), ProtocolError)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(fetch(transport, chat(f"http://127.0.0.1:{listening.getsockname()[1]}")))
        connection, _ = await asyncio.to_thread(listening.accept)
        with connection:
            connection.sendall(head)
            await asyncio.sleep(0.05)
            connection.sendall(b"not hex\r\n")
            with pytest.raises(ProtocolError, match="breaks the rules of HTTP"):
                await asyncio.wait_for(task, 2)


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\x00\x12\x04\x00\x00\x00",
        b"HTTP/1.1 200 OK\r\ncontent-length: ten\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-long: " + b"a" * 20_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: a\r\n" % number for number in range(500)) + b"\r\n",
    ],
)
async def test_an_answer_that_is_no_http_says_so(
    raw: bytes, transport: AiohttpTransport, fault_server: FaultServer
) -> None:
    fault_server.plan(Fault(raw=raw))
    error = await _error(transport, chat(fault_server.url))
    assert isinstance(error, ProtocolError)
    assert fault_server.url in str(error)
    assert len(str(error)) < 400


async def test_a_packed_answer_is_unpacked(transport: AiohttpTransport, fault_server: FaultServer) -> None:
    fault_server.plan(Fault(gzip=True), Fault(gzip=True, answer=Answer(text="a b c"), size=7))
    status, body = await fetch(transport, chat(fault_server.url))
    assert (status, json.loads(body)["object"]) == (200, "chat.completion")
    _, body = await fetch(transport, chat(fault_server.url, stream=True))
    assert body.startswith(b"data: ")
    assert body.endswith(b"data: [DONE]\n\n")


async def test_a_bomb_is_refused(transport: AiohttpTransport, fault_server: FaultServer) -> None:
    fault_server.plan(Fault(bomb=64 * 1024 * 1024))
    error = await _error(transport, chat(fault_server.url))
    assert isinstance(error, ProtocolError)
    assert "refused" in str(error)
    assert (await fetch(transport, chat(fault_server.url)))[0] == 200


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(headers={"content-encoding": "br"}, body="x"), ProtocolError),
        (Fault(headers={"content-encoding": "gzip"}, body="not packed"), ProtocolError),
        (Fault(headers={"content-encoding": "gzip"}, data=gzip.compress(b"whole")[:-4]), TruncatedStream),
    ],
)
async def test_a_body_that_cant_be_unpacked_is_an_error(
    fault: Fault, kind: type[CallmError], transport: AiohttpTransport, fault_server: FaultServer
) -> None:
    fault_server.plan(fault)
    assert isinstance(await _error(transport, chat(fault_server.url)), kind)
    assert transport._connections().slots._used == 0


async def test_a_body_over_the_cap_is_refused(fault_server: FaultServer) -> None:
    transport = AiohttpTransport(TransportConfig(max_body=1000))
    fault_server.plan(Fault(body="x" * 1000), Fault(body="x" * 1001))
    assert (await fetch(transport, chat(fault_server.url)))[1] == b"x" * 1000
    with pytest.raises(ProtocolError, match="more than 1000 bytes"):
        await fetch(transport, chat(fault_server.url))
    await transport.aclose()


@pytest.mark.parametrize("then", ["cut", "reset"])
async def test_a_request_that_died_on_an_idle_connection_is_sent_again_once(
    then: str, transport: AiohttpTransport, fault_server: FaultServer
) -> None:
    dead = Fault(at=-1, then="cut" if then == "cut" else "reset")
    await fetch(transport, chat(fault_server.url))
    fault_server.plan(dead)
    assert (await fetch(transport, chat(fault_server.url)))[0] == 200
    assert [request.connection for request in fault_server.requests] == [1, 1, 2]
    fault_server.plan(dead, dead)
    error = await _error(transport, chat(fault_server.url))
    assert type(error) is TransportError
    assert [request.connection for request in fault_server.requests] == [1, 1, 2, 2, 3]


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_request_that_died_on_a_new_connection_is_not_sent_again(
    method: str, transport: AiohttpTransport, fault_server: FaultServer
) -> None:
    fault_server.plan(Fault(at=-1))
    error = await _error(transport, HTTPRequest(f"{fault_server.url}/v1/chat/completions", {}, method=method))
    assert (type(error), error.retryable, len(fault_server.requests)) == (TransportError, True, 1)
    assert str(error) == f"{fault_server.url} closed the connection before it answered"


@pytest.mark.parametrize("raw", [b"H", b"HTTP/1.1 200 OK\r\ncontent-"])
async def test_a_request_whose_answer_had_begun_is_not_sent_again(
    raw: bytes, transport: AiohttpTransport, fault_server: FaultServer
) -> None:
    await fetch(transport, chat(fault_server.url))
    fault_server.plan(Fault(raw=raw))
    await _error(transport, chat(fault_server.url))
    fault_server.plan(Fault(), Fault(at=10))
    await fetch(transport, chat(fault_server.url))
    await _error(transport, chat(fault_server.url))
    assert len(fault_server.requests) == 4


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_within_the_origin_is_followed_with_headers_and_body(
    status: int, transport: AiohttpTransport, fault_server: FaultServer
) -> None:
    fault_server.plan(Fault(status=status, headers={"location": "/v2/chat/completions?a=%2F"}, body=""))
    request = chat(fault_server.url)
    assert (await fetch(transport, request))[0] == 200
    second = fault_server.requests[1]
    assert (second.method, second.path, second.body) == ("POST", "/v2/chat/completions?a=%2F", request.body)
    assert second.headers["authorization"] == "Bearer sk-canary"


async def test_see_other_is_followed_with_a_get(transport: AiohttpTransport, fault_server: FaultServer) -> None:
    fault_server.plan(Fault(status=303, headers={"location": "../result"}, body=""), Fault(body="done"))
    assert await fetch(transport, chat(fault_server.url)) == (200, b"done")
    second = fault_server.requests[1]
    assert (second.method, second.path, second.body) == ("GET", "/v1/result", b"")


async def test_a_redirect_to_another_origin_carries_nothing_there(
    transport: AiohttpTransport, fault_server: FaultServer
) -> None:
    with FaultServer() as other:
        for location in (f"{other.url}/v1/chat/completions", other.url.replace("http://", "//"), "https://127.0.0.1/"):
            fault_server.plan(Fault(status=307, headers={"location": location}))
            error = await _error(transport, chat(fault_server.url))
            assert isinstance(error, ConfigError)
            assert not error.retryable
            assert "make it the base URL" in str(error)
        assert (other.connections, len(fault_server.requests)) == (0, 3)
    assert transport._connections().slots._used == 0


async def test_redirects_without_end_are_given_up(transport: AiohttpTransport, fault_server: FaultServer) -> None:
    fault_server.always(Fault(status=307, headers={"location": "/v1/chat/completions"}))
    assert "more than 3 times" in str(await _error(transport, chat(fault_server.url)))
    assert len(fault_server.requests) == 4
    fault_server.plan(Fault(status=307, headers={"location": "http://[::1"}))
    assert "no address" in str(await _error(transport, chat(fault_server.url)))


async def test_a_redirect_that_leads_nowhere_is_an_answer(
    transport: AiohttpTransport, fault_server: FaultServer
) -> None:
    fault_server.plan(
        Fault(status=307, body="where?"), Fault(status=304, headers={"location": "/x"}, framing="close", body="")
    )
    assert await fetch(transport, chat(fault_server.url)) == (307, b"where?")
    assert (await fetch(transport, chat(fault_server.url)))[0] == 304


async def test_a_full_pool_has_an_error_of_its_own(fault_server: FaultServer) -> None:
    transport = AiohttpTransport(TransportConfig(pool_size=1))
    async with transport.send(chat(fault_server.url), TIMEOUTS):
        started = time.monotonic()
        error = await _error(transport, chat(fault_server.url), Timeouts(pool=0.05))
        assert 0.04 < time.monotonic() - started < 0.2
    assert isinstance(error, PoolTimeout)
    assert "Raise pool_size" in str(error)
    assert (await fetch(transport, chat(fault_server.url)))[0] == 200
    await transport.aclose()


async def test_requests_beyond_the_pool_wait_their_turn(fault_server: FaultServer) -> None:
    transport = AiohttpTransport(TransportConfig(pool_size_per_host=4))
    results = await asyncio.gather(*(fetch(transport, chat(fault_server.url)) for _ in range(40)))
    assert {status for status, _ in results} == {200}
    assert fault_server.connections <= 4
    await transport.aclose()


async def test_connecting_has_a_time_limit(transport: AiohttpTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers the TLS handshake
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        error = await _error(transport, chat(url), Timeouts(connect=0.1))
        assert 0.09 < time.monotonic() - started < 0.3
    assert isinstance(error, CallTimeout)
    assert not isinstance(error, PoolTimeout)
    assert (error.phase, error.seconds, error.retryable) == ("connect", 0.1, True)
    assert str(error).startswith(f"no connection to {url} in 0.1 s")
