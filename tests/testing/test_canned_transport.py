import pytest

from callm.errors import TransportError, TruncatedStream
from callm.testing import CannedTransport
from callm.types import Timeouts
from callm.wire.codec import HTTPRequest
from tests.io.exchanges import fetch

REQUEST = HTTPRequest("http://host/v1", {})


async def test_each_request_gets_the_next_answer_and_the_last_one_again() -> None:
    transport = CannedTransport((500, {}, [b"no"]), (200, {}, [b"a", b"", b"b"]))
    assert [await fetch(transport, REQUEST) for _ in range(3)] == [(500, b"no"), (200, b"ab"), (200, b"ab")]
    assert transport.sent == [REQUEST] * 3


async def test_headers_have_lower_case_names() -> None:
    async with CannedTransport((200, {"X-Request-Id": "1"}, [])).send(REQUEST, Timeouts()) as response:
        assert response.headers == {"x-request-id": "1"}
        assert (await response.read(), await response.read()) == (b"", b"")


async def test_an_error_can_come_before_or_within_an_answer() -> None:
    transport = CannedTransport(TransportError("refused"), (200, {}, [b"a", TruncatedStream("cut")]))
    with pytest.raises(TransportError, match="refused"):
        await fetch(transport, REQUEST)
    async with transport.send(REQUEST, Timeouts()) as response:
        assert transport.open_responses == 1
        assert await response.read() == b"a"
        with pytest.raises(TruncatedStream, match="cut"):
            await response.read()
    assert transport.open_responses == 0


async def test_without_answers_it_says_200_and_nothing() -> None:
    transport = CannedTransport()
    assert await fetch(transport, REQUEST) == (200, b"")
    assert not transport.closed
    await transport.aclose()
    assert transport.closed
