import gzip
import json

import pytest

from callm.testing.answers import Answer
from callm.testing.delivery import Delivery, deliver
from callm.testing.fault import PRESETS, Fault

WHOLE = b'{"model":"m","messages":[{"role":"user","content":"one two three"}]}'
STREAM = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"one two three"}]}'


def _deliver(fault: Fault, body: bytes = STREAM) -> Delivery:
    return deliver(fault, Answer(), "openai_chat", body)


def _body(delivery: Delivery) -> bytes:
    """Return the body that a client would read, by the framing that the head names."""
    data = b"".join([*delivery.before, *delivery.after, delivery.end])
    if b"transfer-encoding: chunked" not in delivery.head:
        return data
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        out, data = out + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return out


def test_a_whole_answer_has_its_length_in_the_head() -> None:
    delivery = _deliver(Fault(), WHOLE)
    body = _body(delivery)
    assert f"\r\ncontent-length: {len(body)}\r\n".encode() in delivery.head
    assert delivery.head.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
    assert json.loads(body)["choices"][0]["message"]["content"] == "one two three"


def test_a_stream_comes_frame_by_frame_in_chunks() -> None:
    delivery = _deliver(Fault())
    assert b"content-type: text/event-stream" in delivery.head
    assert len(delivery.before) == 6
    assert _body(delivery).endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("body", [WHOLE, STREAM])
def test_framing_changes_nothing_but_the_framing(framing: str, body: bytes) -> None:
    fault = {"chunked": Fault(framing="chunked"), "length": Fault(framing="length"), "close": Fault(framing="close")}[
        framing
    ]
    delivery = _deliver(fault, body)
    assert _body(delivery) == _body(_deliver(Fault(), body))
    assert delivery.keeps is (framing != "close")


@pytest.mark.parametrize("fault", [Fault(size=1), Fault(size=7), Fault(size=40, seed=1), Fault(size=40, seed=2)])
def test_sizes_change_nothing_but_the_writes(fault: Fault) -> None:
    assert _body(_deliver(fault)) == _body(_deliver(Fault()))


def test_a_seed_gives_the_same_sizes_again() -> None:
    def sizes(seed: int) -> list[int]:
        return [len(piece) for piece in _deliver(Fault(size=40, seed=seed)).before]

    assert sizes(1) == sizes(1) != sizes(2)


def test_a_position_splits_the_body_at_that_byte() -> None:
    body = _body(_deliver(Fault(framing="close")))
    for at in range(len(body) + 2):
        delivery = _deliver(Fault(framing="close", at=at))
        assert b"".join(delivery.before) == body[:at]
        assert b"".join(delivery.after) == body[at:]


def test_an_early_end_is_no_visible_fault() -> None:
    delivery = _deliver(Fault(at=10, then="end"), WHOLE)
    assert (b"content-length: 10\r\n" in delivery.head, len(_body(delivery))) == (True, 10)


def test_a_missing_marker_leaves_out_the_finish_reason_too() -> None:
    body = _body(_deliver(PRESETS["no_marker"]))
    assert b"three" in body
    assert b"[DONE]" not in body
    assert b'"finish_reason":"stop"' not in body


def test_an_error_comes_after_so_many_frames() -> None:
    frames = _body(_deliver(Fault(error={"message": "busy"}, error_after=3))).split(b"\n\n")
    assert len(frames) == 5
    assert b'"busy"' in frames[3]
    whole = json.loads(_body(_deliver(Fault(error={"message": "busy"}), WHOLE)))
    assert whole["error"]["message"] == "busy"


def test_a_failure_has_the_providers_error_as_its_body() -> None:
    delivery = _deliver(Fault(status=429, headers={"retry-after": "3"}))
    assert delivery.head.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert b"\r\nretry-after: 3\r\n" in delivery.head
    assert json.loads(_body(delivery))["error"]["type"] == "rate_limit_error"
    assert _deliver(Fault(status=599)).head.startswith(b"HTTP/1.1 599 Unknown\r\n")


def test_a_packed_body_unpacks_to_the_plain_one() -> None:
    delivery = _deliver(Fault(gzip=True))
    assert b"\r\ncontent-encoding: gzip\r\n" in delivery.head
    assert gzip.decompress(_body(delivery)) == _body(_deliver(Fault()))


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b'"text"', b"\xff"])
def test_a_request_that_is_no_object_gets_an_empty_echo(body: bytes) -> None:
    assert json.loads(_body(_deliver(Fault(), body)))["model"] == ""
