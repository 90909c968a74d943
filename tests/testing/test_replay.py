import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from callm.errors import CallTimeout, ConfigError, TransportError, TruncatedStream
from callm.io.aiohttp_transport import AiohttpTransport
from callm.io.transport import Transport
from callm.testing import CannedTransport, Fault, FaultServer, RecordingTransport, ReplayTransport
from callm.types import Secret, Timeouts
from callm.wire.codec import HTTPRequest
from tests.io.exchanges import TIMEOUTS, chat, fetch

CANARY = "sk-canary-0123456789"


def _request(body: bytes = b"{}", url: str = "http://host/v1", **headers: str | Secret) -> HTTPRequest:
    return HTTPRequest(url, {name.replace("_", "-"): value for name, value in headers.items()}, body)


async def _record(inner: Transport, path: Path, *requests: HTTPRequest) -> None:
    recording = RecordingTransport(inner, path)
    for request in requests:
        await fetch(recording, request)
    await recording.aclose()


async def test_a_real_exchange_can_be_played_without_its_server(tmp_path: Path, fault_server: FaultServer) -> None:
    path, requests = tmp_path / "record.jsonl", [chat(fault_server.url, stream=stream) for stream in (False, True)]
    recording = RecordingTransport(AiohttpTransport(), path)
    real = [await fetch(recording, request) for request in requests]
    await recording.aclose()
    fault_server.stop()
    replay = ReplayTransport(path)
    assert [await fetch(replay, request) for request in requests] == real
    await replay.aclose()


async def test_pieces_and_headers_come_as_they_came(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    await _record(CannedTransport((201, {"X-A": "1"}, ["ü".encode(), b"\xff\x00", b"c"])), path, _request())
    async with ReplayTransport(path).send(_request(), Timeouts()) as response:
        assert (response.status, response.headers["x-a"]) == (201, "1")
        assert [await response.read() for _ in range(4)] == ["ü".encode(), b"\xff\x00", b"c", b""]


async def test_equal_requests_are_answered_in_order_and_not_more_often(tmp_path: Path) -> None:
    path, other = tmp_path / "record.jsonl", _request(b'{"other": 1}')
    inner = CannedTransport((200, {}, [b"1"]), (200, {}, [b"other"]), (200, {}, [b"2"]))
    await _record(inner, path, _request(), other, _request())
    replay = ReplayTransport(path)
    assert [(await fetch(replay, request))[1] for request in (_request(), _request(), other)] == [b"1", b"2", b"other"]
    with pytest.raises(ConfigError, match="was asked for more often than it is in the recording"):
        await fetch(replay, _request())


async def test_a_request_that_was_not_recorded_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    await _record(CannedTransport(), path, _request())
    for request in (_request(b"x"), _request(url="http://other/v1"), HTTPRequest("http://host/v1", {}, b"{}", "PUT")):
        with pytest.raises(ConfigError, match="is not in the recording"):
            await fetch(ReplayTransport(path), request)


async def test_a_new_recording_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    for _ in range(2):
        await _record(CannedTransport(), path, _request(), _request())
    assert len(path.read_bytes().splitlines()) == 2


async def test_no_key_reaches_the_file(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    requests = [
        _request(authorization=Secret(CANARY, "Bearer ")),
        _request(x_api_key=Secret(CANARY)),
        _request(x_own_header=Secret(CANARY)),
        _request(authorization=f"Bearer {CANARY}"),
        _request(api_key=CANARY, cookie=f"session={CANARY}"),
        _request(url=f"http://host/v1?key={CANARY}&a=1"),
        _request(b'{"key": "%b"}' % CANARY.encode(), authorization=Secret(CANARY, "Bearer ")),
    ]
    echo = [f"your key {CANARY} ".encode(), CANARY[:9].encode(), CANARY[9:].encode()]
    headers = {"set-cookie": f"a={CANARY}", "x-echo": CANARY}
    for request in requests:
        answer: Any = (
            (200, headers, echo) if request.headers and "cookie" not in request.headers else (200, {}, [b"ok"])
        )
        await _record(CannedTransport(answer), path, request)
        assert CANARY not in path.read_text()
        assert "***" in path.read_text()
        other_key = {name: Secret("sk-another-key") for name in request.headers}
        url, body = request.url.replace(CANARY, "other"), request.body.replace(CANARY.encode(), b"sk-another-key")
        assert (await fetch(ReplayTransport(path), HTTPRequest(url, other_key, body)))[0] == 200


async def test_failures_are_recorded_and_come_again(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    timeout = CallTimeout("too slow", phase="connect", seconds=2.0)
    recording = RecordingTransport(CannedTransport(timeout, (200, {}, [b"a", TruncatedStream("cut")])), path)
    with pytest.raises(CallTimeout):
        await fetch(recording, _request())
    with pytest.raises(TruncatedStream):
        await fetch(recording, _request())
    replay = ReplayTransport(path)
    with pytest.raises(CallTimeout, match="too slow") as caught:
        await fetch(replay, _request())
    assert (caught.value.phase, caught.value.seconds, caught.value.retryable) == ("connect", 2.0, True)
    async with replay.send(_request(), Timeouts()) as response:
        assert await response.read() == b"a"
        with pytest.raises(TruncatedStream, match="cut"):
            await response.read()


async def test_an_error_that_is_not_retried_stays_so(tmp_path: Path) -> None:
    path, error = tmp_path / "record.jsonl", TransportError("bad certificate")
    error.retryable = False
    with pytest.raises(TransportError):
        await _record(CannedTransport(error), path, _request())
    with pytest.raises(TransportError, match="bad certificate") as caught:
        await fetch(ReplayTransport(path), _request())
    assert not caught.value.retryable


async def test_an_answer_that_was_left_early_ends_in_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    async with RecordingTransport(CannedTransport((200, {}, [b"a", b"b"])), path).send(
        _request(), TIMEOUTS
    ) as response:
        await response.read()
    async with ReplayTransport(path).send(_request(), TIMEOUTS) as response:
        assert await response.read() == b"a"
        with pytest.raises(ConfigError, match="stopped reading here"):
            await response.read()


async def test_timing_can_be_played_too(tmp_path: Path, fault_server: FaultServer) -> None:
    path, request = tmp_path / "record.jsonl", chat(fault_server.url, stream=True)
    fault_server.plan(Fault(delay=0.05, at=400, then="stall", seconds=0.05))
    await _record(AiohttpTransport(), path, request)
    for timing, low, high in ((False, 0.0, 0.08), (True, 0.09, 1.0)):
        started = time.monotonic()
        await fetch(ReplayTransport(path, timing=timing), request)
        assert low <= time.monotonic() - started < high


async def test_a_recording_is_a_line_of_json_for_each_exchange(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    await _record(CannedTransport((200, {}, [b"hi"])), path, _request(b'{"a": 1}', x_api_key=Secret(CANARY)))
    line = msgspec.json.decode(path.read_bytes())
    assert (line["method"], line["url"], line["body"]["text"]) == ("POST", "http://host/v1", '{"a": 1}')
    assert (line["headers"], line["status"], line["ended"]) == ({"x-api-key": "***"}, 200, True)
    assert line["pieces"][0]["text"] == "hi"


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"can't be read \(No such file"):
        ReplayTransport(tmp_path / "missing.jsonl")
    (tmp_path / "wrong.jsonl").write_text("text\n")
    with pytest.raises(ConfigError, match="is no recording"):
        ReplayTransport(tmp_path / "wrong.jsonl")
