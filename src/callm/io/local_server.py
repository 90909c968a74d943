"""Child processes that serve local models, one for each model file, shared by all calls of this process.

The runtime runs in a process of its own because inside ours, with xllamacpp 2026.10:
1. loading holds the interpreter's lock: every thread and loop stood still for its whole time;
2. leaving the interpreter after a stopped stream ended in a segmentation fault, and a failed assertion of the runtime aborts;
3. it opens its port all the same, and only there speaks the Anthropic format and notices that a caller has left;
4. its threads do not survive a fork.

A child lives as long as the pipe to its standard input, which the kernel closes when this process ends in whatever way.
"""

from __future__ import annotations

import atexit
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Final

import msgspec

from callm.errors import CallmError, ConfigError, TransportError, quote
from callm.types import Secret

CONTEXT: Final = 8192
"""How many tokens prompt and answer may have together, where the model was trained for as many."""

_CHILD: Final = Path(__file__).with_name("local_child.py")
_PATIENCE: Final = 2.0  # seconds a child gets to end by itself


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How to serve a model.

    Attributes:
        path: the GGUF file.
        alias: what the server calls the model.
        library: the directory that holds the runtime's package.
        context: how many tokens prompt and answer may have together.
        answer: how many tokens an answer may have when the request sets no limit; -1 for as many as fit.
        threads: how many threads compute.
    """

    path: str
    alias: str
    library: str
    context: int = CONTEXT
    answer: int = -1
    threads: int = 1


class Address(msgspec.Struct, frozen=True):
    """Where a model is served, and the key that its server asks for."""

    url: str
    key: Secret


class LocalServers:
    """The servers of one process. Every method is safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: dict[Settings, _Server] = {}
        self._hooked = False

    def start(self, settings: Settings) -> Future[Address]:
        """Return the address of the server, which is started unless it runs; the future can't be cancelled.

        Raises:
            ConfigError: (in the future) the model can't be loaded.
        """
        with self._lock:
            self._hook()
            server = self._servers.get(settings)
            if server is None or server.has_ended():
                server = self._servers[settings] = _Server(settings)
            return server.address

    def stop(self) -> None:
        """Stop all servers and wait until they have ended. A later `start` starts anew."""
        with self._lock:
            servers = list(self._servers.values())
            self._servers.clear()
        for server in servers:
            server.stop()

    def _hook(self) -> None:
        if not self._hooked:
            self._hooked = True
            atexit.register(self.stop)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=self._abandon)

    def _abandon(self) -> None:
        """Leave the servers to the parent: this process is its fork, whose lock may be held by a thread that is not here."""
        self._lock = threading.Lock()
        for server in self._servers.values():
            server.abandon()
        self._servers = {}


class _Server:
    """One child process. It is started by a thread, because reading what it says blocks."""

    def __init__(self, settings: Settings) -> None:
        self.address: Future[Address] = Future()
        self.address.set_running_or_notify_cancel()  # shared by callers: none of them may cancel it
        self._path = settings.path
        self._key = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None
        self._stdin, self._pipe = os.pipe()  # the ends for the child and for us
        os.write(self._pipe, json.dumps({**msgspec.structs.asdict(settings), "key": self._key}).encode() + b"\n")
        threading.Thread(target=self._start, name="callm-local", daemon=True).start()

    def has_ended(self) -> bool:
        """Tell whether a call needs another server: this one could not start, or its process is gone."""
        if not self.address.done():
            return False
        return self.address.exception() is not None or self._process is None or self._process.poll() is not None

    def stop(self) -> None:
        """End the child, and wait for it."""
        self._close()
        process = self._process
        if process is None:
            return
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def abandon(self) -> None:
        """Let go of the child, which is another process's."""
        self._close()
        self._close_stdin()
        if self._process is not None:
            self._process.returncode = 0  # nobody may wait for it here

    def _close(self) -> None:
        pipe, self._pipe = self._pipe, -1
        if pipe >= 0:
            os.close(pipe)

    def _close_stdin(self) -> None:
        stdin, self._stdin = self._stdin, -1
        if stdin >= 0:
            os.close(stdin)

    def _start(self) -> None:
        try:
            self.address.set_result(self._load())
        except CallmError as error:
            self._close()
            self.address.set_exception(error)
        except OSError as error:
            self._close()
            self.address.set_exception(TransportError(f"the local model's process can't be started: {error}"))

    def _load(self) -> Address:
        with tempfile.TemporaryFile() as errors:
            process = self._process = self._spawn(errors)
            assert process.stdout is not None  # noqa: S101  # it was asked for
            with process.stdout as stdout:
                answer = stdout.readline()
            if not answer:
                process.wait()
                errors.seek(0)
                raise ConfigError(f"{self._path} can't be loaded: {_reason(errors.read(), process.returncode)}")
        if self._pipe < 0:
            process.wait()
            raise TransportError(f"the server of {self._path} was stopped while it loaded")
        return Address(json.loads(answer)["address"], Secret(self._key))

    def _spawn(self, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603  # this interpreter, and a file beside this one
                [sys.executable, "-I", "-S", str(_CHILD)],
                stdin=self._stdin,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # a terminal's Ctrl-C is not for it
            )
        finally:
            self._close_stdin()


def _reason(log: bytes, returncode: int) -> str:
    """Return what the runtime said first, or at least how its process ended."""
    lines = [line for line in log.decode("utf-8", "replace").splitlines() if "error" in line.lower()]
    return quote(lines[0].partition(": ")[2] or lines[0]) if lines else f"its process ended with {returncode}"


SERVERS: Final = LocalServers()
"""The servers of this process. Nothing is started before the first call needs it."""
