"""`SSEDecoder` against the HTML standard, section 9.2, whatever the cuts."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import ProtocolError
from callm.wire.sse import ServerSentEvent, SSEDecoder


def decode(*chunks: bytes) -> list[ServerSentEvent]:
    decoder = SSEDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.close()


def reference(body: bytes) -> list[ServerSentEvent]:
    """Decode the way the standard's steps are written: the whole text, line by line, strings as buffers."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    *lines, _unfinished = re.split("\r\n|\r|\n", text)
    events = []
    data = event_type = last_id = ""
    retry = None
    for line in lines:
        if not line:
            if data:
                events.append(ServerSentEvent(data.removesuffix("\n"), event_type, last_id, retry))
            data, event_type, retry = "", "", None
            continue
        field, colon, value = line.partition(":")
        if colon and not field:
            continue
        value = value.removeprefix(" ")
        if field == "event":
            event_type = value
        elif field == "data":
            data += value + "\n"
        elif field == "id" and "\0" not in value:
            last_id = value
        elif field == "retry" and re.fullmatch("[0-9]+", value):
            retry = int(value)
    return events


E = ServerSentEvent
CASES = [
    (b"data: hello\n\n", [E("hello")]),
    (b"data: a\r\n\r\ndata: b\r\n\r\n", [E("a"), E("b")]),
    (b"data: a\r\rdata: b\r\r", [E("a"), E("b")]),
    (b"data: a\r\n\ndata: b\n\r\n", [E("a"), E("b")]),
    (b"data: a\n\r", [E("a")]),
    (b"\xef\xbb\xbfdata: a\n\n", [E("a")]),
    (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
    (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [E("a")]),
    (b"\xef\xbbdata: a\n\n", []),
    (b": a comment\ndata: a\n:\n\n", [E("a")]),
    (b":\n\n: ping\n\n", []),
    (b"data:a\n\n", [E("a")]),
    (b"data:  a\n\n", [E(" a")]),
    (b"data:\ta \n\n", [E("\ta ")]),
    (b"data\n\n", [E("")]),
    (b"data:\n\n", [E("")]),
    (b"data: \n\n", [E("")]),
    (b"data\ndata\n\n", [E("\n")]),
    (b"data: a\ndata: b\ndata:c\n\n", [E("a\nb\nc")]),
    (b"data: a: b\n\n", [E("a: b")]),
    (b" data: a\n\n", []),
    (b"DATA: a\n\n", []),
    (b"foo: bar\nwithout colon\ndata: a\n\n", [E("a")]),
    (b"event: add\ndata: 73\n\ndata: 74\n\n", [E("73", "add"), E("74")]),
    (b"event:add\ndata: 73\n\n", [E("73", "add")]),
    (b"event\ndata: 73\n\n", [E("73")]),
    (b"event: one\nevent: two\ndata: 1\n\n", [E("1", "two")]),
    (b"event: lost\n\ndata: 1\n\n", [E("1")]),
    (b"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", [E("a", id="1"), E("b", id="1"), E("c")]),
    (b"id: 1\n\ndata: b\n\n", [E("b", id="1")]),
    (b"id: 1\nid: 2\x003\ndata: a\n\n", [E("a", id="1")]),
    (b"retry: 250\ndata: a\n\ndata: b\n\n", [E("a", retry=250), E("b")]),
    (b"retry: 2x\nretry:\nretry: -1\nretry: \xd9\xa1\ndata: a\n\n", [E("a")]),
    (b"retry: 9999999999999999999999999\ndata: a\n\n", [E("a")]),
    ("data: a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\n\n".encode(), [E("a\u2028b\u2029c\x85d\x0be\x0cf\x1cg")]),
    ("data: 👩‍🔬é\nevent: é\n\n".encode(), [E("👩‍🔬é", "é")]),
    (b"data: \xff\xc3\n\n", [E("\ufffd\ufffd")]),
    (b"data: \xf0\x9f\x98\n\n", [E("\ufffd")]),
    (b"data: cut", []),
    (b"data: cut\n", []),
    (b"data: a\n\ndata: cut\nevent: x\n", [E("a")]),
    (b"", []),
    (b"\n\n\n", []),
    (b"\xef\xbb", []),
]
IDS = [repr(body[:30]) for body, _ in CASES]


@pytest.mark.parametrize(("body", "events"), CASES, ids=IDS)
def test_each_rule_of_the_standard(body: bytes, events: list[ServerSentEvent]) -> None:
    assert decode(body) == events
    if b"9999999" not in body:
        assert reference(body) == events


@pytest.mark.parametrize("body", [body for body, _ in CASES], ids=IDS)
def test_every_cut_in_two_and_every_byte_alone_give_the_same_events(body: bytes) -> None:
    whole = decode(body)
    assert decode(*(body[at : at + 1] for at in range(len(body)))) == whole
    assert decode(*(piece for at in range(len(body)) for piece in (b"", body[at : at + 1]))) == whole
    for cut in range(len(body) + 1):
        assert decode(body[:cut], body[cut:]) == whole


ENDS = [b"\n", b"\n\n", b"\r", b"\r\n", b"\r\n\r\n"]
FIELDS = [b"data: ", b"event: ", b"data", b"event", b"id", b"retry", b":", b": ", b" ", b"12", b"a", b"\0"]
UNICODE = [b"\xef\xbb\xbf", b"\xef", b"\xbb", b"\xbf", b"\xf0\x9f\x98\x80", b"\xe2\x80\xa8", b"\xc2\x85"]
PIECES = st.sampled_from(ENDS + FIELDS + UNICODE)
STREAMS = st.one_of(st.lists(PIECES, max_size=40).map(b"".join), st.binary(max_size=60))


@given(STREAMS, st.lists(st.integers(0, 200), max_size=6))
def test_any_bytes_in_any_pieces_are_decoded_as_the_standard_says(body: bytes, cuts: list[int]) -> None:
    ends = sorted(min(cut, len(body)) for cut in cuts)
    chunks = [body[start:end] for start, end in zip([0, *ends], [*ends, len(body)], strict=True)]
    assert decode(*chunks) == reference(body)


def test_a_mixed_stream_in_random_pieces_equals_the_whole() -> None:
    body = "".join(f"event: e{i}\r\ndata: é👩‍🔬{i}\rdata:{'x' * i}\n: ping\n\nid: {i}\r\n" for i in range(60)).encode()
    whole = decode(body)
    assert len(whole) == 60
    assert whole == reference(body)
    dice = random.Random(7)
    for _ in range(100):
        ends = sorted(dice.sample(range(len(body)), 50))
        assert decode(*(body[start:end] for start, end in zip([0, *ends], [*ends, len(body)], strict=True))) == whole


def test_an_event_is_given_as_soon_as_its_empty_line_has_come() -> None:
    for end in (b"\n\n", b"\r\r", b"\r\n\r\n", b"\r\n\r", b"\n\r"):
        decoder = SSEDecoder()
        assert decoder.feed(b"data: a") == []
        assert decoder.feed(end) == [E("a")]


@pytest.mark.parametrize(
    "chunks",
    [
        [b"data: 0123456789"],
        [b"data: 012", b"345", b"6789"],
        [b"data: 01234\n", b"data: 456\n", b"data: 7890\n"],
        [b"data:0\n", *[b"data\n"] * 13],
        [b": a long comment"],
        [b"event: a long name"],
    ],
)
def test_an_unfinished_event_beyond_the_cap_is_refused_now_and_ever_after(chunks: list[bytes]) -> None:
    decoder = SSEDecoder(max_event=14)
    for chunk in chunks[:-1]:
        assert decoder.feed(chunk) == []
    for _ in range(2):
        with pytest.raises(ProtocolError, match="larger than 14 bytes"):
            decoder.feed(chunks[-1])
    with pytest.raises(ProtocolError):
        decoder.close()


def test_good_events_before_one_beyond_the_cap_are_given_first() -> None:
    decoder = SSEDecoder(max_event=14)
    assert decoder.feed(b"data: a\n\ndata: 0123456789") == [E("a")]
    with pytest.raises(ProtocolError):
        decoder.close()


def test_a_line_in_pieces_counts_once_and_finished_events_do_not_count() -> None:
    decoder = SSEDecoder(max_event=20)
    for _ in range(50):
        for byte in b"data: 0123\ndata: 45":
            assert decoder.feed(bytes([byte])) == []
        assert decoder.feed(b"6\n") == []
        assert decoder.feed(b"\n") == [E("0123\n456")]


@pytest.mark.parametrize(
    "pieces",
    [[b"data: ", *[b"0123456789abcdef"] * 100_000, b"\n\n"], [*[b"data: 0123456789\n"] * 100_000, b"\n"]],
    ids=["one long line", "many lines"],
)
def test_an_event_that_comes_in_tiny_pieces_costs_its_length(pieces: list[bytes]) -> None:
    began = time.process_time()
    events = decode(*pieces)
    assert time.process_time() - began < 3  # about 0.1; copying what came before at each piece would take minutes
    assert [len(event.data) for event in events] == [1_600_000 if len(pieces) == 100_002 else 1_099_999]
