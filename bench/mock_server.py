"""A mock of the OpenAI and Anthropic APIs that costs its clients nothing to wait for.

1. A raw asyncio protocol; every answer is bytes made at the start and looked up by path.
2. Every event of a stream is an HTTP chunk of its own, as real providers send it. The scenario `paced` writes one event
   at a time with a gap between; every other stream is written at once.
3. It runs in its own process on its own core: `python -m bench.mock_server --core 1` prints its port, and ends with the
   end of its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Coroutine
from typing import Any, Final, cast

from bench import payload, texts
from bench.cases import CASES

_HEADERS: Final = (
    b"date: Fri, 21 Nov 2025 10:00:00 GMT\r\n"
    b"x-request-id: req_7c1f0a55b1d34b6f8f1c\r\n"
    b"openai-processing-ms: 312\r\n"
    b"x-ratelimit-limit-requests: 10000\r\n"
    b"x-ratelimit-remaining-requests: 9999\r\n"
    b"x-ratelimit-reset-requests: 6ms\r\n"
    b"server: mock\r\n"
)
_STREAMING: Final = (b'"stream":true', b'"stream": true')
_NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
_NOT_STREAMING: Final = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"


class Answer:
    """What one path answers with: `pieces` are written with `gap` seconds between them."""

    def __init__(self, *pieces: bytes, stream: bool = False, gap: float = 0.0) -> None:
        """Keep the pieces; `stream` says that the request must ask for a stream."""
        self.pieces = pieces
        self.stream = stream
        self.gap = gap


def answers() -> dict[bytes, Answer]:
    """Return what every path answers with."""
    found: dict[bytes, Answer] = {}
    whole = {"text": (payload.text(), payload.TOKENS), "typed": (payload.order_json(), 2400)}
    for scenario, (content, tokens) in whole.items():
        found[_openai(scenario)] = Answer(_whole(payload.openai_body(content, tokens)))
        found[_anthropic(scenario)] = Answer(_whole(payload.anthropic_body(content, tokens)))
    for scenario, count in payload.STREAMS.items():
        pieces = payload.deltas(count)
        gap = payload.GAP if scenario == "paced" else 0.0
        found[_openai(scenario)] = _stream(payload.openai_events(pieces), gap)
        found[_anthropic(scenario)] = _stream(payload.anthropic_events(pieces), gap)
    for case in CASES:
        if case.kind == "partials":
            found[_openai(case.scenario)] = _stream(
                payload.openai_events(list(texts.deltas(texts.text(case.scenario)))), 0.0
            )
    return found


def _openai(scenario: str) -> bytes:
    return f"/{scenario}/v1/chat/completions".encode()


def _anthropic(scenario: str) -> bytes:
    return f"/{scenario}/v1/messages".encode()


def _whole(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + _HEADERS
    return head + f"content-length: {len(body)}\r\n\r\n".encode() + body


def _stream(events: list[bytes], gap: float) -> Answer:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n"
    head += b"cache-control: no-cache\r\n" + _HEADERS + b"\r\n"
    chunks = [f"{len(event):x}\r\n".encode() + event + b"\r\n" for event in events]
    end = b"0\r\n\r\n"
    if gap:
        return Answer(head, *chunks[:-1], chunks[-1] + end, stream=True, gap=gap)
    return Answer(head + b"".join(chunks) + end, stream=True)


class MockServer(asyncio.Protocol):
    """One connection. Requests may come in pieces, and several after one another."""

    def __init__(self, table: dict[bytes, Answer]) -> None:
        """Answer from `table`, whose keys are paths."""
        self._table = table
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop writing."""
        del exc
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            total = end + 4 + _content_length(head)
            if len(self._buffer) < total:
                return
            body = self._buffer[end + 4 : total]
            self._buffer = self._buffer[total:]
            self._answer(head.split(b" ", 2)[1].partition(b"?")[0], body)

    def _answer(self, path: bytes, body: bytes) -> None:
        answer = self._table.get(path)
        if answer is None:
            self._write(_NOT_FOUND)
        elif answer.stream != any(mark in body for mark in _STREAMING):
            self._write(_NOT_STREAMING)
        elif answer.gap:
            self._pace(answer, 0)
        else:
            self._write(answer.pieces[0])

    def _pace(self, answer: Answer, position: int) -> None:
        self._write(answer.pieces[position])
        if position + 1 < len(answer.pieces) and self._transport is not None:
            asyncio.get_running_loop().call_later(answer.gap, self._pace, answer, position + 1)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n")[1:]:
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    table = answers()
    server = await loop.create_server(lambda: MockServer(table), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await loop.run_in_executor(None, sys.stdin.read)


def _run(main: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop  # noqa: PLC0415  # optional: the mock also runs without it
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--core", type=int, default=None, help="the CPU core to stay on")
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    with contextlib.suppress(KeyboardInterrupt):
        _run(_serve())
