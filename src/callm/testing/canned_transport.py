"""A transport that gives what it was given."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

from callm.errors import CallmError
from callm.io.transport import HTTPResponse
from callm.types import Timeouts
from callm.wire.codec import HTTPRequest

Chunk: TypeAlias = bytes | CallmError
Answer: TypeAlias = tuple[int, Mapping[str, str], Sequence[Chunk]] | CallmError
"""Status, headers and the chunks of the body, with an error where the connection breaks; or an error before all that."""


class CannedResponse:
    """An HTTP answer out of a list of chunks."""

    def __init__(self, status: int, headers: Mapping[str, str], chunks: Sequence[Chunk]) -> None:
        """Answer with `status` and `headers`, and give one of `chunks` a read."""
        self.status = status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in headers.items()}
        self._chunks = iter(chunks)

    async def read(self) -> bytes:
        """See `HTTPResponse.read`."""
        for chunk in self._chunks:
            if isinstance(chunk, CallmError):
                raise chunk.with_traceback(None)
            if chunk:
                return chunk
        return b""


class CannedTransport:
    """Give one answer a request, the last one again when they are used up.

        transport = CannedTransport((200, {"content-type": "text/event-stream"}, [b"data: ...", TruncatedStream("cut")]))

    Attributes:
        sent: the requests it was given, oldest first.
        open_responses: how many answers were begun and not left.
        closed: whether `aclose` was called.
    """

    def __init__(self, *answers: Answer) -> None:
        """Give `answers`; with none, every answer is 200 with an empty body."""
        self._answers: tuple[Answer, ...] = answers or ((200, {}, ()),)
        self.sent: list[HTTPRequest] = []
        self.open_responses = 0
        self.closed = False

    def send(self, request: HTTPRequest, timeouts: Timeouts) -> AbstractAsyncContextManager[HTTPResponse]:
        """See `Transport.send`."""
        del timeouts
        return self._exchange(request)

    async def aclose(self) -> None:
        """See `Transport.aclose`."""
        self.closed = True

    @asynccontextmanager
    async def _exchange(self, request: HTTPRequest) -> AsyncGenerator[HTTPResponse, None]:
        answer = self._answers[min(len(self.sent), len(self._answers) - 1)]
        self.sent.append(request)
        if isinstance(answer, CallmError):
            raise answer.with_traceback(None)
        self.open_responses += 1
        try:
            yield CannedResponse(*answer)
        finally:
            self.open_responses -= 1
