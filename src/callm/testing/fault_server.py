"""A real HTTP server on this machine that speaks OpenAI Chat and Anthropic Messages, and fails on command.

    with FaultServer(Answer(text="Hello")) as server:
        server.plan(Fault(status=429), Fault(at=120, then="reset"))
        ...  # the first request gets a 429, the second dies at byte 120 of its answer, the third gets "Hello"

A request can bring its own fault, so clients in any language can be tested: in the header `x-fault`, or in the path
(`{server.url}/fault/{name or JSON, percent-encoded}/v1/...`). That goes before the plan, the plan before `always`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections import deque
from types import TracebackType
from typing import Self

from callm.testing.answers import Answer
from callm.testing.fault import Fault
from callm.testing.fault_connection import Connection, Log, ReceivedRequest
from callm.testing.key_limits import KeyLimit, KeyLimits


class FaultServer:
    """The server, in its own thread with its own event loop.

    `connections` counts the connections that were opened so far.
    """

    def __init__(
        self,
        answer: Answer | None = None,
        *,
        ssl_context: ssl.SSLContext | None = None,
        port: int = 0,
        rate_limit: KeyLimit | None = None,
    ) -> None:
        """Answer with `answer` where nothing else is said; `ssl_context` makes it speak TLS; port 0 takes a free one.

        `rate_limit` is for each key; what it refuses takes nothing from the plan.
        """
        self.connections = 0
        self._log = Log()
        self._answer = answer or Answer()
        self._ssl = ssl_context
        self._port = port
        self._limits = None if rate_limit is None else KeyLimits(rate_limit)
        self._plan: deque[Fault] = deque()
        self._always = Fault()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def requests(self) -> list[ReceivedRequest]:
        """What was received, oldest first."""
        return self._log.requests

    @property
    def url(self) -> str:
        """The address, without a path. OpenAI's base URL is `{url}/v1`, Anthropic's `{url}`."""
        return f"{'http' if self._ssl is None else 'https'}://127.0.0.1:{self._port}"

    def plan(self, *faults: Fault) -> None:
        """Use each of `faults` for one request, in order, behind those planned before."""
        self._plan.extend(faults)

    def always(self, fault: Fault) -> None:
        """Use `fault` for every request for which nothing is planned."""
        self._always = fault

    def clear(self) -> None:
        """Forget what was planned and received, and drop the connections."""
        self._plan.clear()
        self._always = Fault()
        if self._limits is not None:
            self._limits.clear()
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(5)
        self.requests.clear()
        self.connections = 0

    def start(self) -> Self:
        """Listen. Returns when connections are accepted."""
        listening = socket.create_server(("127.0.0.1", self._port), backlog=1024)
        self._port = listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        arguments = (self._loop, listening, ready)
        self._thread = threading.Thread(target=self._serve, args=arguments, name="fault-server", daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def stop(self) -> None:
        """Stop listening and drop every connection."""
        loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _connect(self) -> Connection:
        self.connections += 1
        return Connection(self.connections, self._answer, self._choose, self._log)

    def _choose(self, request: ReceivedRequest) -> Fault:
        if self._limits is None:
            return self._planned()
        return self._limits.apply(request.wire, request.headers, self._planned, request.time, time.time())

    def _planned(self) -> Fault:
        return self._plan.popleft() if self._plan else self._always

    def _serve(self, loop: asyncio.AbstractEventLoop, listening: socket.socket, ready: threading.Event) -> None:
        try:
            server = loop.run_until_complete(loop.create_server(self._connect, sock=listening, ssl=self._ssl))
            ready.set()
            loop.run_forever()
            server.close()
            loop.run_until_complete(self._drop())
        finally:
            loop.close()

    async def _drop(self) -> None:
        for connection in list(self._log.open):
            connection.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)  # the sockets are closed in the loop's next turn
        await asyncio.gather(*tasks, return_exceptions=True)
