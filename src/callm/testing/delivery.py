"""A fault and a request to the bytes of an answer: head, pieces, and what happens at which position. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from http import HTTPStatus
from random import Random
from typing import Any, Final, Literal, TypeAlias

import msgspec

from callm.testing.answers import Answer, Format, Json, error_body, error_frame, frames, script, whole
from callm.testing.fault import Fault, bomb

Framing: TypeAlias = Literal["chunked", "length", "close"]

_PACKED: Final = {"content-encoding": "gzip"}


class Delivery(msgspec.Struct, frozen=True):
    """An answer ready to be written.

    Attributes:
        head: status line and headers.
        before: the pieces up to the position of the fault, framed.
        after: the pieces behind it, framed.
        end: what tells the end of the body.
        keeps: whether the connection may be used again.
    """

    head: bytes
    before: list[bytes]
    after: list[bytes]
    end: bytes
    keeps: bool


def deliver(fault: Fault, default: Answer, wire: Format, body: bytes) -> Delivery:
    """Return what to write for a request with `body`."""
    request = _object(body)
    stream = request.get("stream") is True and fault.status < HTTPStatus.BAD_REQUEST
    pieces, headers = _pieces(fault, default, wire, request, stream=stream)
    framing: Framing = fault.framing or ("chunked" if stream or fault.size else "length")
    before, after = _split(list(_resize(pieces, fault)), fault.at)
    if fault.then == "end" and fault.at is not None:
        after = []
    length = sum(map(len, before)) + sum(map(len, after))
    head = _head(fault, {**headers, **_framing_header(framing, length)}, stream=stream, wire=wire)
    if framing != "chunked":
        return Delivery(head, before, after, b"", framing == "length")
    return Delivery(head, _chunks(before), _chunks(after), b"0\r\n\r\n", keeps=True)


def head_of(status: int, headers: dict[str, str]) -> bytes:
    """Return a status line and headers."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _object(body: bytes) -> Json:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _pieces(
    fault: Fault, default: Answer, wire: Format, request: Json, *, stream: bool
) -> tuple[list[bytes], dict[str, str]]:
    """Return the body in pieces, and the headers that describe it."""
    if fault.bomb is not None:
        return [bomb(fault.bomb)], _PACKED
    given = fault.data if fault.data is not None else fault.body.encode() if fault.body is not None else None
    if given is not None:
        pieces = [given]
    elif stream:
        content, end = frames(wire, script(fault.answer or default, request))
        pieces = [*content, *(end if fault.marker else ())]
        if fault.error is not None:
            pieces = [*pieces[: fault.error_after], error_frame(wire, fault.error)]
    elif fault.status >= HTTPStatus.BAD_REQUEST or fault.error is not None:
        pieces = [error_body(wire, fault.status, fault.error)]
    else:
        pieces = [whole(wire, script(fault.answer or default, request))]
    return (_pack(pieces), _PACKED) if fault.gzip else (pieces, {})


def _pack(pieces: list[bytes]) -> list[bytes]:
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    return [*(packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH) for piece in pieces), packer.flush()]


def _resize(pieces: list[bytes], fault: Fault) -> Iterator[bytes]:
    if not fault.size:
        yield from (piece for piece in pieces if piece)
        return
    random = Random(fault.seed)  # noqa: S311  # for tests
    body, start = b"".join(pieces), 0
    while start < len(body):
        end = start + (fault.size if fault.seed is None else random.randint(1, fault.size))
        yield body[start:end]
        start = end


def _split(pieces: list[bytes], at: int | None) -> tuple[list[bytes], list[bytes]]:
    """Return the pieces before position `at` and those behind it."""
    if at is None:
        return pieces, []
    before: list[bytes] = []
    for number, piece in enumerate(pieces):
        if len(piece) > at:
            head = [piece[:at]] if at > 0 else []
            return [*before, *head], [piece[max(0, at) :], *pieces[number + 1 :]]
        before.append(piece)
        at -= len(piece)
    return before, []


def _chunks(pieces: list[bytes]) -> list[bytes]:
    return [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]


def _framing_header(framing: Framing, length: int) -> dict[str, str]:
    if framing == "chunked":
        return {"transfer-encoding": "chunked"}
    return {"content-length": str(length)} if framing == "length" else {"connection": "close"}


def _head(fault: Fault, headers: dict[str, str], *, stream: bool, wire: Format) -> bytes:
    given = fault.body is not None or fault.data is not None
    kind = fault.content_type or ("text/event-stream" if stream and not given else "application/json")
    own = {"content-type": kind, "x-request-id" if wire == "openai_chat" else "request-id": "req_1"}
    return head_of(fault.status, {**own, **headers, **fault.headers})
