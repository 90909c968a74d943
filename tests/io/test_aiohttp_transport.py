import asyncio
import contextlib
import gc
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from callm.errors import ConfigError, TransportError, TruncatedStream
from callm.io.aiohttp_transport import AiohttpTransport
from callm.io.transport_config import TransportConfig
from callm.testing import Fault, FaultServer
from callm.types import Secret
from tests.io.exchanges import TIMEOUTS, chat, fetch
from tests.io.tiny_proxy import TinyProxy

AUTHORITY = trustme.CA()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    AUTHORITY.cert_pem.write_to_path(folder / "ca.pem")
    AUTHORITY.issue_cert("client@example.com").private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    return folder


def _context(*names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(*(names or ("127.0.0.1",))).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def secure() -> Iterator[FaultServer]:
    with FaultServer(ssl_context=_context()) as server:
        yield server


async def _fetch(config: TransportConfig, url: str, *, stream: bool = False) -> tuple[int, bytes]:
    transport = AiohttpTransport(config)
    try:
        return await fetch(transport, chat(url, stream=stream))
    finally:
        await transport.aclose()


async def _error(config: TransportConfig, url: str) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await _fetch(config, url)
    return caught.value


async def test_a_private_authority_is_trusted_by_its_file(secure: FaultServer, folder: Path) -> None:
    assert (await _fetch(TransportConfig(ca_file=str(folder / "ca.pem")), secure.url))[0] == 200


async def test_a_private_authority_is_trusted_by_the_environment(
    secure: FaultServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    assert (await _fetch(TransportConfig(), secure.url))[0] == 200


async def test_a_context_of_the_users_own_is_used(secure: FaultServer) -> None:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    assert (await _fetch(TransportConfig(ssl_context=context), secure.url))[0] == 200


async def test_an_unknown_authority_is_refused_for_good(secure: FaultServer) -> None:
    error = await _error(TransportConfig(), secure.url)
    assert str(error).startswith(f"the certificate of {secure.url} can't be verified (unable to get local issuer")
    assert "ca_file" in str(error)
    assert not error.retryable


async def test_a_certificate_for_another_name_is_refused(folder: Path) -> None:
    with FaultServer(ssl_context=_context("other.example.com")) as server:
        error = await _error(TransportConfig(ca_file=str(folder / "ca.pem")), server.url)
    assert "not valid for '127.0.0.1'" in str(error)
    assert server.requests == []


async def test_switching_verification_off_warns(secure: FaultServer) -> None:
    with pytest.warns(RuntimeWarning, match="TLS certificates are not checked"):
        assert (await _fetch(TransportConfig(insecure_skip_verify=True), secure.url))[0] == 200


async def test_a_client_certificate_is_shown_to_the_server(folder: Path) -> None:
    context = _context()
    context.verify_mode = ssl.CERT_REQUIRED
    AUTHORITY.configure_trust(context)
    ca_file, client = str(folder / "ca.pem"), str(folder / "client.pem")
    with FaultServer(ssl_context=context) as server:
        assert (await _fetch(TransportConfig(ca_file=ca_file, client_certificate=client), server.url))[0] == 200
        assert server.requests[0].headers["authorization"] == "Bearer sk-canary"


async def test_a_missing_client_certificate_is_named(folder: Path) -> None:
    context = _context()
    context.verify_mode = ssl.CERT_REQUIRED

    def refuse(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as secure:
            with contextlib.suppress(ssl.SSLError):
                secure.do_handshake()
            secure.settimeout(0.2)
            with contextlib.suppress(TimeoutError):  # the request: closing before it came would send a reset
                while socket.socket.recv(secure, 65536):
                    pass

    with socket.create_server(
        ("127.0.0.1", 0)
    ) as listening:  # asyncio's servers don't say why they hang up; this one does
        refused = asyncio.create_task(asyncio.to_thread(refuse, listening))
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        error = await _error(TransportConfig(ca_file=str(folder / "ca.pem")), url)
        await refused
    assert str(error) == f"no TLS connection to {url}: it asks for a client certificate: set client_certificate"
    assert not error.retryable


async def test_leaving_a_stream_early_closes_a_tls_connection_at_once(secure: FaultServer, folder: Path) -> None:
    secure.plan(Fault(at=300, then="stall"))
    transport = AiohttpTransport(TransportConfig(ca_file=str(folder / "ca.pem")))
    async with transport.send(chat(secure.url, stream=True), TIMEOUTS) as response:
        await response.read()
        left = asyncio.get_running_loop().time()
    closed = await asyncio.to_thread(secure.requests[-1].wait_closed)
    assert closed - left < 0.1
    await transport.aclose()


@pytest.mark.parametrize("then", ["cut", "reset"])
async def test_a_tls_stream_that_ends_without_a_goodbye_is_truncated(
    then: str, secure: FaultServer, folder: Path
) -> None:
    secure.plan(Fault(at=300, then="cut" if then == "cut" else "reset"))
    with pytest.raises(TruncatedStream):
        await _fetch(TransportConfig(ca_file=str(folder / "ca.pem")), secure.url, stream=True)


async def test_speaking_tls_to_a_plain_server_and_the_other_way_round(secure: FaultServer) -> None:
    def answer_in_plain(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        answered = asyncio.create_task(asyncio.to_thread(answer_in_plain, listening))
        error = await _error(TransportConfig(), f"https://127.0.0.1:{listening.getsockname()[1]}")
        await answered
    assert "should the address begin with http://" in str(error)
    error = await _error(TransportConfig(), secure.url.replace("https", "http"))
    assert "before it answered" in str(error)


async def test_a_plain_request_goes_through_a_proxy(fault_server: FaultServer) -> None:
    with TinyProxy() as proxy:
        config = TransportConfig(proxy=Secret(proxy.url.replace("//", "//me:pass@")))
        assert (await _fetch(config, fault_server.url))[0] == 200
        first, headers = proxy.seen[0]
    assert first == f"POST {fault_server.url}/v1/chat/completions HTTP/1.1"
    assert headers["proxy-authorization"] == "Basic bWU6cGFzcw=="


async def test_a_tls_request_goes_through_a_tunnel_that_sees_no_key(secure: FaultServer, folder: Path) -> None:
    with TinyProxy() as proxy:
        config = TransportConfig(proxy=proxy.url.replace("//", "//me:pass@"), ca_file=str(folder / "ca.pem"))
        assert (await _fetch(config, secure.url, stream=True))[0] == 200
        first, headers = proxy.seen[0]
    assert first == f"CONNECT {secure.url.removeprefix('https://')} HTTP/1.1"
    assert headers["proxy-authorization"] == "Basic bWU6cGFzcw=="
    assert "authorization" not in headers
    assert "proxy-authorization" not in secure.requests[-1].headers


async def test_the_environment_names_a_proxy_and_what_needs_none(
    fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TinyProxy() as proxy:
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        await _fetch(TransportConfig(), fault_server.url)
        assert len(proxy.seen) == 1
        await _fetch(TransportConfig(trust_env=False), fault_server.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        await _fetch(TransportConfig(), fault_server.url)
        assert len(proxy.seen) == 1


@pytest.mark.parametrize(
    ("status", "message", "retryable"), [(407, "wants credentials", False), (403, "HTTP 403", True)]
)
async def test_a_proxy_that_refuses_is_named(
    status: int, message: str, secure: FaultServer, *, retryable: bool
) -> None:
    with TinyProxy(status) as proxy:
        error = await _error(TransportConfig(proxy=proxy.url.replace("//", "//me:canary@")), secure.url)
    assert f"the proxy {proxy.url}" in str(error)
    assert message in str(error)
    assert "canary" not in str(error)
    assert error.retryable is retryable


async def test_a_proxy_that_is_not_there_is_named(fault_server: FaultServer) -> None:
    error = await _error(TransportConfig(proxy="http://127.0.0.1:9"), fault_server.url)
    assert str(error).startswith("the proxy http://127.0.0.1:9 can't be reached (Connect call failed")
    assert error.retryable


async def test_a_closed_transport_says_so(fault_server: FaultServer) -> None:
    transport = AiohttpTransport()
    await fetch(transport, chat(fault_server.url))
    await transport.aclose()
    await transport.aclose()
    fault_server.requests[0].wait_closed()
    with pytest.raises(ConfigError, match="was closed"):
        await fetch(transport, chat(fault_server.url))


async def test_a_dropped_transport_closes_its_connections_in_silence(fault_server: FaultServer) -> None:
    transport = AiohttpTransport()
    await fetch(transport, chat(fault_server.url))
    del transport
    gc.collect()
    await asyncio.to_thread(fault_server.requests[0].wait_closed)


async def test_many_addresses_do_not_fill_the_memory(fault_server: FaultServer) -> None:
    transport = AiohttpTransport()
    for number in range(2500):
        transport._address(f"{fault_server.url}/{number}")
    assert len(transport._addresses) <= 1000
    await transport.aclose()


def test_printing_a_transport_shows_its_settings() -> None:
    assert repr(AiohttpTransport(TransportConfig(pool_size=3))) == "AiohttpTransport(TransportConfig(pool_size=3))"
