"""A real HTTP proxy of sixty lines: forwards `POST http://...` requests, and opens tunnels for `CONNECT`."""

import contextlib
import socket
import threading
from typing import Self
from urllib.parse import urlsplit


class TinyProxy:
    """In threads of its own. `seen` holds the first line and the headers of each request; `status` makes it refuse tunnels."""

    def __init__(self, status: int = 200) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        self._status = status
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listening]
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for sock in self._sockets:
            sock.close()

    def _run(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._sockets.append(client)
                self._run(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(65536)
        first, *lines = head.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        self.seen.append((first, {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}))
        method, target, _ = first.split(" ")
        if method == "CONNECT" and self._status != 200:
            client.sendall(f"HTTP/1.1 {self._status} Refused\r\ncontent-length: 0\r\n\r\n".encode())
            return
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        server = socket.create_connection((parts.hostname or "", parts.port or 80))
        self._sockets.append(server)
        if method == "CONNECT":
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            server.sendall(head.replace(target.encode(), parts.path.encode(), 1))
        self._run(self._pump, client, server)
        self._run(self._pump, server, client)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
