"""A real HTTP proxy of sixty lines: forwards `GET http://...` requests, and opens tunnels for `CONNECT`."""

import asyncio
import threading
from typing import Self
from urllib.parse import urlsplit


class TinyProxy:
    """In a thread of its own. `seen` holds the first line and the headers of each request; `status` makes it refuse tunnels."""

    def __init__(self, status: int = 200) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.url = ""
        self._status = status
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _serve(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._cancel())
        self._loop.close()

    async def _cancel(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            self.seen.append((first, {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}))
            method, target, _ = first.split(" ")
            if method == "CONNECT" and self._status != 200:
                writer.write(f"HTTP/1.1 {self._status} Refused\r\ncontent-length: 0\r\n\r\n".encode())
                return
            parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
            upstream, sink = await asyncio.open_connection(parts.hostname, parts.port)
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                sink.write(head.replace(target, parts.path, 1).encode())
            try:
                await asyncio.gather(self._pump(reader, sink), self._pump(upstream, writer))
            finally:
                sink.transport.abort()
        finally:
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()
