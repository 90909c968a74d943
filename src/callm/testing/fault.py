"""How a `FaultServer` answers one request, for better or worse. Plain data, so that JSON from any language can say it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from callm.errors import ConfigError
from callm.testing.answers import Answer

_BLOCK: Final = b" " * 65536


class Fault(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, repr_omit_defaults=True, forbid_unknown_fields=True
):
    """One behaviour. The default is a good answer; positions count the bytes of the body as it goes over the wire.

    Attributes:
        answer: what the model says, instead of the server's own default.
        status: the HTTP status. From 400 on the body is an error in the format of the path, unless one is given.
        headers: more headers; they win over the server's own.
        body: the text of the body, instead of an answer.
        data: the bytes of the body, instead of an answer (base64 in JSON).
        raw: everything that is sent, head included (base64 in JSON); the connection is closed after it.
        content_type: what the head claims the body to be.
        error: the provider's error object, put into the stream after `error_after` frames, or into the whole body.
        error_after: how many frames of the stream go before `error`.
        marker: whether the stream ends with its terminal marker.
        pings: instead of content, a ping every so many seconds until the client leaves.
        delay: seconds before the head.
        at: the position at which `then` happens; -1 is before the head, beyond the end is before the end of the framing.
        then: end the body there as if that were all; cut the connection; reset it; or stall for `seconds` and go on.
        seconds: how long to stall.
        size: bytes to a write, each its own chunk; 0 writes frame by frame.
        seed: write sizes at random between 1 and `size`, the same ones for the same seed.
        pause: seconds between writes.
        gzip: pack the body.
        bomb: instead of an answer, packed spaces that unpack to so many bytes.
        framing: how the end of the body is told: `chunked`, its `length` in the head, or the `close` of the connection.
        close_idle: seconds after the answer at which the server closes the connection it had kept open.
    """

    answer: Answer | None = None
    status: int = 200
    headers: Mapping[str, str] = {}
    body: str | None = None
    data: bytes | None = None
    raw: bytes | None = None
    content_type: str | None = None
    error: dict[str, Any] | None = None
    error_after: int = 1
    marker: bool = True
    pings: float | None = None
    delay: float = 0.0
    at: int | None = None
    then: Literal["end", "cut", "reset", "stall"] = "cut"
    seconds: float = 60.0
    size: int = 0
    seed: int | None = None
    pause: float = 0.0
    gzip: bool = False
    bomb: int | None = None
    framing: Literal["chunked", "length", "close"] | None = None
    close_idle: float | None = None


PRESETS: Final[Mapping[str, Fault]] = {
    "bomb": Fault(bomb=64 * 1024 * 1024),
    "drip": Fault(size=16, pause=0.005),
    "empty": Fault(body=""),
    "garbage": Fault(data=bytes(range(256)) * 4, content_type="application/octet-stream"),
    "hang_up": Fault(at=-1),
    "html": Fault(
        status=502,
        body="<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
        content_type="text/html; charset=utf-8",
    ),
    "no_marker": Fault(marker=False),
    "one_byte": Fault(size=1),
    "overloaded": Fault(status=529),
    "pings": Fault(pings=0.02),
    "rate_limit": Fault(status=429, headers={"retry-after": "0"}),
    "silent": Fault(at=0, then="stall", seconds=3600),
}
"""Behaviours by name, as `x-fault` and the path prefix accept them."""


def parse_fault(text: str) -> Fault:
    """Return the fault that `text` names or, beginning with a brace, describes as JSON.

    Raises:
        ConfigError: there is no such name, or the JSON is not that of a `Fault`.
    """
    if not text.startswith("{"):
        if text not in PRESETS:
            raise ConfigError(f"no fault is called {text[:40]!r}: use one of {', '.join(PRESETS)}, or JSON")
        return PRESETS[text]
    try:
        return msgspec.json.decode(text, type=Fault)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise ConfigError(f"the fault is wrong: {error}") from error


@lru_cache(maxsize=4)
def bomb(size: int) -> bytes:
    """Return gzip data that unpacks to `size` spaces."""
    packer = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    whole, rest = divmod(size, len(_BLOCK))
    pieces = [packer.compress(_BLOCK) for _ in range(whole)]
    return b"".join([*pieces, packer.compress(_BLOCK[:rest]), packer.flush()])
