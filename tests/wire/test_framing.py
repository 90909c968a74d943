from __future__ import annotations

import pytest

from callm.errors import ProtocolError
from callm.wire.framing import BODY, BodyFraming, EventFraming
from callm.wire.sse import ServerSentEvent


def test_a_body_is_one_frame_at_the_end() -> None:
    framing = BodyFraming()
    assert framing.feed(b"\xef\xbb\xbf{") == []
    assert framing.feed(b"\xc3") == []
    assert framing.feed(b"\xa9}") == []
    assert framing.close() == [ServerSentEvent("{é}", BODY)]


def test_bytes_that_are_no_utf_8_are_replaced() -> None:
    framing = BodyFraming()
    framing.feed(b"\xff")
    assert framing.close() == [ServerSentEvent("\ufffd", BODY)]


def test_events_pass_as_they_come() -> None:
    framing = EventFraming()
    assert framing.feed(b"data: a\n\ndata: b") == [ServerSentEvent("a")]
    assert framing.feed(b"\n\n") == [ServerSentEvent("b")]
    assert framing.feed(b"data: half") == []
    assert framing.close() == []


@pytest.mark.parametrize(
    "body", [b'{"error":"no"}', b"<html>\n\n</html>", b"busy", b"\r\n\n{}\n", b"\xef\xbb\xbf{}", b"dates: x\n\n"]
)
def test_a_body_that_is_no_stream_is_given_whole(body: bytes) -> None:
    for cut in range(len(body) + 1):
        framing = EventFraming()
        assert framing.feed(body[:cut]) + framing.feed(body[cut:]) == []
        [frame] = framing.close()
        text = body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").lstrip().decode()
        assert (frame.event, frame.data) == (BODY, text)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"d",
        b"dat",
        b"data",
        b"data: half",
        b": ping\n\n",
        b"\xef\xbb\xbfdata: x",
        b"event: x\n\n",
        b"id",
        b"data\rx",
    ],
)
def test_the_beginning_of_a_stream_is_no_body(body: bytes) -> None:
    framing = EventFraming()
    assert framing.feed(body) == []
    assert framing.close() == []


def test_a_body_that_is_no_stream_may_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callm.wire.framing.MAX_EVENT", 100)
    framing = EventFraming()
    for _ in range(10):
        framing.feed(b"<p>\n1234\n\n")
    with pytest.raises(ProtocolError, match="no stream of events"):
        framing.feed(b"<p>")
