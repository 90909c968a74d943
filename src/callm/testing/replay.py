"""Record what a real transport sent and got, and play it again: bytes and timing, a JSON line for each exchange.

Keys never reach the file: headers that carry them, cookies, keys in the query, and every other place where a `Secret` of the
request shows up, the answer included, hold `***` instead.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Final

import msgspec

from callm import errors
from callm.errors import CallmError, ConfigError
from callm.io.transport import HTTPResponse, Transport
from callm.types import Secret, Timeouts, reveal
from callm.wire.codec import HTTPRequest

MASK: Final = "***"

_SECRET_HEADERS: Final = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "set-cookie"}
)
_SECRET_QUERY: Final = re.compile(r"(?i)([?&](?:key|api[-_]?key|access_token|token|sig)=)[^&#]*")
_SHORTEST_SECRET: Final = 6  # shorter ones would be found, and masked, in ordinary words


class Piece(msgspec.Struct, frozen=True, omit_defaults=True):
    """Bytes that arrived together, `at` so many seconds after sending; as text where they are text."""

    at: float
    text: str | None = None
    data: bytes | None = None

    @property
    def content(self) -> bytes:
        """The bytes."""
        return self.data if self.data is not None else (self.text or "").encode()


class RecordedError(msgspec.Struct, frozen=True):
    """An error that ended an exchange: the name of its class, its message, and its other facts."""

    type: str
    message: str
    facts: dict[str, Any] = {}

    def restore(self) -> CallmError:
        """Return the error to raise."""
        kind = getattr(errors, self.type, CallmError)
        error: CallmError = kind(self.message)
        vars(error).update(self.facts)
        return error


class Exchange(msgspec.Struct, omit_defaults=True):
    """One request and what came of it. `ended` says whether the body was read to its end."""

    method: str
    url: str
    body: Piece
    headers: dict[str, str] = {}
    status: int = 0
    answer_headers: dict[str, str] = {}
    head_at: float = 0.0
    pieces: list[Piece] = []
    ended: bool = False
    error: RecordedError | None = None

    @property
    def key(self) -> tuple[str, str, bytes]:
        """What a request must have in common with this one to be given its answer."""
        return (self.method, self.url, self.body.content)


class RecordingTransport:
    """Send through another transport and write everything into a file."""

    def __init__(self, inner: Transport, path: str | Path) -> None:
        """Record what `inner` does in the file at `path`, in place of what was there."""
        self._inner = inner
        self._path = Path(path)
        self._lock = threading.Lock()
        self._begun = False

    def send(self, request: HTTPRequest, timeouts: Timeouts) -> AbstractAsyncContextManager[HTTPResponse]:
        """See `Transport.send`."""
        return self._exchange(request, timeouts)

    async def aclose(self) -> None:
        """See `Transport.aclose`."""
        await self._inner.aclose()

    @asynccontextmanager
    async def _exchange(self, request: HTTPRequest, timeouts: Timeouts) -> AsyncGenerator[HTTPResponse, None]:
        scrub = _Scrub(request)
        exchange, start = scrub.request(request), monotonic()
        try:
            async with self._inner.send(request, timeouts) as response:
                exchange.status = response.status
                exchange.answer_headers = scrub.headers(response.headers)
                exchange.head_at = monotonic() - start
                yield _Recorded(response, exchange, start)
        except CallmError as error:
            if exchange.error is None and not exchange.status:
                exchange.error = _recorded(error)
            raise
        finally:
            self._write(scrub.answer(exchange))

    def _write(self, exchange: Exchange) -> None:
        line = msgspec.json.encode(exchange) + b"\n"
        with self._lock, self._path.open("ab" if self._begun else "wb") as file:
            file.write(line)
            self._begun = True


class ReplayTransport:
    """Give the recorded answers again. A request is known by method, URL and body; equal ones are answered in order."""

    def __init__(self, path: str | Path, *, timing: bool = False) -> None:
        """Play the file at `path`; `timing` waits as long as the recorded server let one wait.

        Raises:
            ConfigError: the file can't be read, or is no recording.
        """
        self._path = Path(path)
        self._timing = timing
        self._exchanges: dict[tuple[str, str, bytes], deque[Exchange]] = {}
        try:
            for line in self._path.read_bytes().splitlines():
                exchange = msgspec.json.decode(line, type=Exchange)
                self._exchanges.setdefault(exchange.key, deque()).append(exchange)
        except OSError as error:
            raise ConfigError(
                f"the recording {str(self._path)!r} can't be read ({error.strerror}): record it first"
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{str(self._path)!r} is no recording: {error}") from error

    def send(self, request: HTTPRequest, timeouts: Timeouts) -> AbstractAsyncContextManager[HTTPResponse]:
        """See `Transport.send`.

        Raises:
            ConfigError: the request is not in the recording, or not that often.
        """
        del timeouts
        return self._exchange(request)

    async def aclose(self) -> None:
        """See `Transport.aclose`."""

    @asynccontextmanager
    async def _exchange(self, request: HTTPRequest) -> AsyncGenerator[HTTPResponse, None]:
        wanted = _Scrub(request).request(request)
        recorded = self._exchanges.get(wanted.key)
        if not recorded:
            often = "is not" if recorded is None else "was asked for more often than it is"
            raise ConfigError(
                f"{wanted.method} {wanted.url} with a body of {len(wanted.body.content)} bytes {often} in the recording "
                f"{str(self._path)!r}: record it again"
            )
        replayed = _Replayed(recorded.popleft(), timing=self._timing)
        await replayed.begin()
        yield replayed


class _Recorded:
    """The answer of the inner transport, with a note of everything it gives."""

    def __init__(self, response: HTTPResponse, exchange: Exchange, start: float) -> None:
        self.status = response.status
        self.headers = response.headers
        self._response = response
        self._exchange = exchange
        self._start = start
        self._exchange.pieces = []

    async def read(self) -> bytes:
        try:
            data = await self._response.read()
        except CallmError as error:
            self._exchange.error = _recorded(error)
            raise
        if data:
            self._exchange.pieces.append(_piece(data, monotonic() - self._start))
        else:
            self._exchange.ended = True
        return data


class _Replayed:
    """The answer of an exchange in the file."""

    def __init__(self, exchange: Exchange, *, timing: bool) -> None:
        self.status = exchange.status
        self.headers: Mapping[str, str] = exchange.answer_headers
        self._exchange = exchange
        self._pieces = iter(exchange.pieces)
        self._timing = timing
        self._start = monotonic()

    async def begin(self) -> None:
        """Wait for the head, or fail as the recorded request failed."""
        await self._wait(self._exchange.head_at)
        if self._exchange.error is not None and not self.status:
            raise self._exchange.error.restore()

    async def read(self) -> bytes:
        for piece in self._pieces:
            await self._wait(piece.at)
            return piece.content
        if self._exchange.error is not None:
            raise self._exchange.error.restore()
        if not self._exchange.ended:
            raise ConfigError(
                f"whoever recorded the answer of {self._exchange.url} stopped reading here: record it again"
            )
        return b""

    async def _wait(self, at: float) -> None:
        if self._timing:
            await asyncio.sleep(max(0.0, self._start + at - monotonic()))


class _Scrub:
    """Knows the secrets of one request and masks them."""

    def __init__(self, request: HTTPRequest) -> None:
        values = [
            value.prefixed("").reveal() if isinstance(value, Secret) else value.rpartition(" ")[2]
            for name, value in request.headers.items()
            if isinstance(value, Secret) or name in _SECRET_HEADERS
        ]
        self._secrets = [value.encode() for value in values if len(value) >= _SHORTEST_SECRET]

    def request(self, request: HTTPRequest) -> Exchange:
        """Return an exchange with only the request in it."""
        url = _SECRET_QUERY.sub(rf"\g<1>{MASK}", self._mask(request.url.encode()).decode())
        headers = {name: MASK if isinstance(value, Secret) else value for name, value in request.headers.items()}
        return Exchange(request.method, url, _piece(self._mask(request.body), 0.0), self.headers(headers))

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return `headers` with the values of secret ones masked."""
        return {
            name: MASK if name.lower() in _SECRET_HEADERS else self._mask(reveal(value).encode()).decode()
            for name, value in headers.items()
        }

    def answer(self, exchange: Exchange) -> Exchange:
        """Mask the pieces of the answer; a secret that lies across two of them is masked by joining all."""
        if not self._secrets:
            return exchange
        pieces = [_piece(self._mask(piece.content), piece.at) for piece in exchange.pieces]
        whole = b"".join(piece.content for piece in pieces)
        if any(secret in whole for secret in self._secrets):
            pieces = [_piece(self._mask(whole), pieces[-1].at)]
        exchange.pieces = pieces
        return exchange

    def _mask(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, MASK.encode())
        return data


def _piece(data: bytes, at: float) -> Piece:
    try:
        return Piece(round(at, 6), data.decode())
    except UnicodeDecodeError:
        return Piece(round(at, 6), None, data)


def _recorded(error: CallmError) -> RecordedError:
    facts = {name: value for name, value in vars(error).items() if isinstance(value, str | int | float | None)}
    return RecordedError(type(error).__name__, error.message, facts)
