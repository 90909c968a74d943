"""The contract of a wire format: requests to bytes, bytes to events. Pure: a codec never does I/O.

1. `Codec.encode` turns a `Request` for a `Target` into an `HTTPRequest`, or raises `ConfigError` before anything is sent.
2. `Codec.decoder` takes the answer's bytes and gives events: `feed(bytes)`, `close()`.
3. A decoder returns what was good before it complains: an error found behind good events is kept in `error` and raised
   by the next call, so no event is lost and splitting the input anywhere changes nothing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

import msgspec

from callm.errors import APIError, CallmError, ConfigError, TruncatedStream, describe_type, quote
from callm.types import Event, Request, Secret, reveal

_FORBIDDEN: Final = re.compile(r"[\r\n\0]")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110, 5.6.2: token
_TEXT: Final = (str, Secret)  # a union would be made anew at each look


class HTTPRequest(msgspec.Struct, frozen=True):
    """A request that is ready to be sent. Secrets among the headers stay masked in `repr` and in `curl()`.

    Attributes:
        url: the whole address.
        headers: names in lower case.
        body: the bytes of the body.
        method: the HTTP method.
        notices: what of the request this provider could not be given, in words.
    """

    url: str
    headers: Mapping[str, str | Secret]
    body: bytes = b""
    method: str = "POST"
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_url(self.url)
        headers: Mapping[Any, Any] = self.headers
        for name, value in headers.items():
            if not isinstance(value, _TEXT):
                raise ConfigError(f"the value of header {name!r} must be a text, not {describe_type(value)}")
            _check_header(name, value)

    @property
    def json(self) -> Any:
        """The body as Python data."""
        return msgspec.json.decode(self.body)

    def curl(self) -> str:
        """Return the command line that sends this request, with the secrets masked."""
        words = ["curl", "-X", self.method, self.url]
        for name, value in self.headers.items():
            words += ["-H", f"{name}: {value}"]
        if self.body:
            words += ["--data-raw", self.body.decode("utf-8", "replace")]
        return " ".join(shlex.quote(word) for word in words)


@lru_cache(maxsize=1024)
def _check_url(url: str) -> None:
    if not url.startswith(("http://", "https://", "local:")):
        raise ConfigError(f"the base URL must begin with https:// or http://, not {url[:60]!r}")
    if _FORBIDDEN.search(url) or " " in url:
        raise ConfigError("the URL has a space or control character in it: check the base URL and the model name")


@lru_cache(maxsize=1024)
def _check_header(name: Any, value: str | Secret) -> None:
    if not isinstance(name, str) or not _HEADER_NAME.match(name):
        raise ConfigError(f"{quote(repr(name), 60)} can't be the name of an HTTP header")
    if _FORBIDDEN.search(reveal(value)):
        raise ConfigError(f"the value of header {name!r} has a line break or NUL in it: check the key or setting")


class Quirks(msgspec.Struct, frozen=True, kw_only=True):
    """Where a vendor differs from the format it speaks. A row of `providers.py` names only what differs.

    Attributes:
        max_tokens: the body's name for the limit of tokens.
        structured: how the vendor enforces a schema: by `json_schema`, only as `json_object`, or `none`.
        stream_options: whether `stream_options.include_usage` may be sent.
        seed: the body's name for the seed; None where there is none.
        stop: whether stop texts may be sent.
        parallel_tool_calls: whether `parallel_tool_calls` may be sent.
        required: the vendor's word for `tool_choice` required.
        effort: the body's name for the reasoning effort; None where there is none.
        echo_reasoning: the message field in which earlier reasoning must be sent back; None where it must not.
        system: the role for instructions: `system` or `developer`.
        auth: `bearer`, or the name of the header that carries the key.
        marker_required: whether an answer without its terminal marker is truncated. Only for servers known not to send one.
    """

    max_tokens: str = "max_completion_tokens"
    structured: Literal["json_schema", "json_object", "none"] = "json_schema"
    stream_options: bool = True
    seed: str | None = "seed"
    stop: bool = True
    parallel_tool_calls: bool = True
    required: str = "required"
    effort: str | None = "reasoning_effort"
    echo_reasoning: str | None = None
    system: str = "system"
    auth: str = "bearer"
    marker_required: bool = True


class Target(msgspec.Struct, frozen=True):
    """Which model at which address, with which key.

    Attributes:
        model: the model's id, in the provider's words.
        base_url: where the API begins, for example `https://api.openai.com/v1`.
        api_key: the key, or None for a server without one.
        provider: the provider's name.
        headers: more headers of the provider or the user.
        quirks: where the vendor differs from the format.
    """

    model: str
    base_url: str
    api_key: Secret | None = None
    provider: str = ""
    headers: Mapping[str, str | Secret] = {}
    quirks: Quirks = Quirks()


class Decoder(Protocol):
    """Bytes in, finished events out; what is unfinished stays inside."""

    error: CallmError | None
    """An error found behind the events returned last; the next call raises it."""
    is_done: bool
    """Whether the terminal marker came: what follows is of no interest."""

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes and return the events they complete, possibly none."""
        ...

    def close(self) -> list[Event]:
        """Take the end of the bytes and return the last events.

        Raises:
            TruncatedStream: the terminal marker never came.
        """
        ...


class Codec(Protocol):
    """One wire format."""

    format: str
    """Its name, for example `openai_chat`."""

    def encode(self, request: Request, target: Target) -> HTTPRequest:
        """Return what to send.

        Raises:
            ConfigError: the format has no place for a part, tool or setting of the request.
        """
        ...

    def decoder(self, target: Target, *, stream: bool) -> Decoder:
        """Return a decoder for one answer: of a stream, or of a whole body."""
        ...

    def frames(self, target: Target) -> Frames[Any]:
        """Return the part of the stream decoder behind the framing: for the public accumulator."""
        ...

    def error(self, status: int, headers: Mapping[str, str], body: bytes, target: Target) -> APIError:
        """Turn an HTTP answer that is no success into the error to raise."""
        ...


FrameT_contra = TypeVar("FrameT_contra", contravariant=True)
AnyFrame = TypeVar("AnyFrame")


class Frames(Protocol[FrameT_contra]):
    """A format's frames (server-sent events, say) to events. `add` appends to `out`, and raises at the first bad frame."""

    is_done: bool

    def add(self, frame: FrameT_contra, out: list[Event]) -> None:
        """Append the events of `frame` to `out`.

        Raises:
            CallmError: the frame is an error, or is not of the format. What it appended before is good.
        """
        ...

    def close(self, out: list[Event]) -> None:
        """Append the events that only the end makes certain.

        Raises:
            TruncatedStream: the terminal marker never came.
        """
        ...


class Framing(Protocol[AnyFrame]):
    """Bytes to frames."""

    def feed(self, data: bytes) -> list[AnyFrame]:
        """Return the frames that `data` completes."""
        ...

    def close(self) -> list[AnyFrame]:
        """Return what the end of the bytes completes."""
        ...


class StreamDecoder(Generic[AnyFrame]):
    """A decoder made of a framing and a format's frames."""

    def __init__(self, framing: Framing[AnyFrame], frames: Frames[AnyFrame]) -> None:
        self._framing = framing
        self._frames = frames
        self.error: CallmError | None = None
        self.is_done = False

    def feed(self, data: bytes) -> list[Event]:
        """See `Decoder.feed`."""
        return self._take(data)

    def close(self) -> list[Event]:
        """See `Decoder.close`."""
        return self._take(None)

    def _take(self, data: bytes | None) -> list[Event]:
        """Take the next bytes, or the end of them for None."""
        if self.error is not None:
            raise self.error
        out: list[Event] = []
        if self.is_done:
            return out
        add, state = self._frames.add, self._frames
        try:
            for frame in self._framing.close() if data is None else self._framing.feed(data):
                add(frame, out)
                if state.is_done:
                    break
            if data is None and not state.is_done:
                state.close(out)
        except CallmError as error:
            self.error = error
            if not out:
                raise
        self.is_done = state.is_done
        return out


def truncated(format_name: str, expected: str) -> TruncatedStream:
    """Return the error for an answer that ended before its terminal marker."""
    return TruncatedStream(f"the {format_name} stream ended before {expected}: what arrived is not the whole answer")
