import pickle
import socket
from typing import Any

import aiohttp
import pytest

from callm.errors import CallTimeout, ConfigError, TransportError, TruncatedStream
from callm.io.aiohttp_transport import AiohttpTransport
from callm.io.network_errors import Route, broken_body, unanswered
from tests.io.exchanges import chat, fetch

ROUTE = Route("https://host", "", 5.0)


async def _real(url: str) -> TransportError:
    transport = AiohttpTransport()
    with pytest.raises(TransportError) as caught:
        await fetch(transport, chat(url))
    await transport.aclose()
    assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args
    return caught.value


async def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    error = await _real(url)
    assert str(error) == f"nothing listens at {url} (connection refused): check the address, start the server"
    assert error.retryable
    assert isinstance(error.__cause__, aiohttp.ClientConnectorError)


async def test_no_way_leads_there() -> None:
    error = await _real("http://255.255.255.255")
    assert str(error).startswith("no connection to http://255.255.255.255 (")
    assert "Errno" not in str(error)


async def test_a_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error = await _real("http://no.such.host.invalid")
    expected = "can't be resolved (Name or service not known): check the address, and DNS"
    assert str(error) == f"the name of http://no.such.host.invalid {expected}"
    assert error.retryable


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            aiohttp.ConnectionTimeoutError("slow"),
            CallTimeout,
            "no connection to https://host in 5 s: check the address",
        ),
        (aiohttp.ClientOSError(32, "Broken pipe"), TransportError, "was lost before it answered"),
        (aiohttp.InvalidURL("http://"), ConfigError, "the request to https://host can't be sent"),
        (ValueError("no good"), ConfigError, "the request to https://host can't be sent: no good"),
        (
            ConnectionResetError(104, "Connection reset by peer"),
            TransportError,
            "before it answered (Connection reset by peer)",
        ),
        (aiohttp.ClientError(), TransportError, "was lost before it answered (ClientError)"),
    ],
)
def test_what_aiohttp_raises_becomes_an_error_of_ours(error: Exception, kind: type[Exception], message: str) -> None:
    translated = unanswered(error, ROUTE)
    assert type(translated) is kind
    assert message in str(translated)


def test_a_slow_proxy_is_named() -> None:
    error = unanswered(aiohttp.ConnectionTimeoutError("slow"), Route("https://host", "http://proxy:3128"))
    assert "no connection to https://host through the proxy http://proxy:3128: " in str(error)


def test_a_broken_body_says_how_far_it_came_and_why() -> None:
    error = broken_body(aiohttp.ClientPayloadError("x"), None, "https://host", 7)
    assert type(error) is TruncatedStream
    assert (
        str(error)
        == "the connection to https://host broke in the middle of the answer, after 7 bytes (the server closed it)"
    )
