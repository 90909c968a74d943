"""The life of the processes that serve local models: who starts them, who shares them, and that they never outlive us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from callm.errors import ConfigError, TransportError
from callm.io import local_server
from callm.io.local_server import LocalServers, Settings
from callm.io.local_weights import SMOLLM2, find_library, find_model

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.local

PATIENCE = 10.0  # seconds

# Every script below begins with this. `pid()` is that of the process that serves the model.
PRELUDE = """
import os, signal, subprocess, sys, threading, time
from callm.io.local_server import SERVERS, Settings
from callm.io.local_weights import find_library, find_model

settings = Settings(path=str(find_model("smollm2")), alias="x", library=str(find_library()), context=512)

def pid():
    SERVERS.start(settings).result()
    return SERVERS._servers[settings]._process.pid

def say(*words):
    print(*words, flush=True)

def generate():
    import asyncio, json
    from callm.io.local import LocalTransport
    from callm.types import Timeouts
    from callm.wire.codec import HTTPRequest
    body = {"model": "smollm2", "stream": True, "messages": [{"role": "user", "content": "Write a long story."}]}
    async def main():
        transport = LocalTransport(context=512)
        async with transport.send(HTTPRequest("local:/chat/completions", {}, json.dumps(body).encode()), Timeouts()) as answer:
            while await answer.read():
                [server] = SERVERS._servers.values()
                say(server._process.pid)
    asyncio.run(main())
"""


class Script:
    """A program of its own, whose lines are numbers. The test leaves it when it has ended, or ends it."""

    def __init__(self, code: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def number(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def interrupt(self) -> None:
        """Do what Ctrl-C does in a terminal: signal the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors


def is_running(pid: int) -> bool:
    """A zombie, whose parent has not asked for its end yet, has ended."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def ends(pid: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(pid)


@pytest.fixture
def settings() -> Settings:
    return Settings(path=str(find_model("smollm2")), alias="x", library=str(find_library()), context=256)


@pytest.fixture
def servers() -> Iterator[LocalServers]:
    servers = LocalServers()
    yield servers
    servers.stop()


def pid_of(servers: LocalServers) -> int:
    [server] = servers._servers.values()
    assert server._process is not None
    return server._process.pid


def test_one_server_is_shared_and_stopped(servers: LocalServers, settings: Settings) -> None:
    first = servers.start(settings)
    assert servers.start(settings) is first
    assert first.result(PATIENCE).url.startswith("http://127.0.0.1:")
    pid = pid_of(servers)
    assert is_running(pid)
    servers.stop()
    assert not is_running(pid)


def test_a_caller_that_gives_up_does_not_cancel_the_start_for_others(servers: LocalServers, settings: Settings) -> None:
    assert not servers.start(settings).cancel()
    assert servers.start(settings).result(PATIENCE).url


def test_a_server_that_died_is_replaced(servers: LocalServers, settings: Settings) -> None:
    first = servers.start(settings).result(PATIENCE)
    os.kill(pid_of(servers), signal.SIGKILL)
    assert ends(pid_of(servers))
    deadline = time.monotonic() + PATIENCE
    while (again := servers.start(settings).result(PATIENCE)) == first and time.monotonic() < deadline:
        time.sleep(0.02)
    assert again != first


def test_stopping_a_server_that_is_loading_leaves_nothing(servers: LocalServers, settings: Settings) -> None:
    future = servers.start(settings)
    [server] = servers._servers.values()
    servers.stop()
    with pytest.raises((TransportError, ConfigError)):
        future.result(PATIENCE)
    assert server._process is not None
    assert ends(server._process.pid)


def test_a_server_that_does_not_end_by_itself_is_killed(
    servers: LocalServers, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_server, "_PATIENCE", 0.1)
    servers.start(settings).result(PATIENCE)
    pid = pid_of(servers)
    [server] = servers._servers.values()
    close = server._close
    monkeypatch.setattr(server, "_close", lambda: None)  # it is not told
    servers.stop()
    assert not is_running(pid)
    close()


def test_a_process_that_can_not_be_started_is_an_error_and_tried_anew(
    servers: LocalServers, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(TransportError, match=r"the local model's process can't be started: .*nowhere"):
            servers.start(settings).result(PATIENCE)
    assert servers.start(settings).result(PATIENCE).url


def test_a_fork_lets_go_of_what_is_its_parents(servers: LocalServers, settings: Settings) -> None:
    servers.start(settings).result(PATIENCE)
    pid = pid_of(servers)
    with servers._lock:  # held by a thread that the fork does not have
        servers._abandon()
    assert ends(pid)  # nothing of ours holds its pipe any more
    assert servers.start(settings).result(PATIENCE).url
    assert pid_of(servers) != pid
    os.waitpid(pid, 0)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"GGUF" + bytes(100), "can't be loaded"),
        (b"GGUF\x03\0\0\0" + b"\xff" * 64, "can't be loaded"),
        (None, "bounds"),
    ],
    ids=["zeros", "ones", "cut"],
)
def test_a_broken_file_is_named_with_the_reason(
    servers: LocalServers, settings: Settings, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "broken.gguf"
    if content is None:  # the download that stopped half way
        assert SMOLLM2.path is not None
        with SMOLLM2.path.open("rb") as whole:
            content = whole.read(8_000_000)
    path.write_bytes(content)
    broken = Settings(path=str(path), alias="x", library=settings.library)
    with pytest.raises(ConfigError, match=r"broken\.gguf can't be loaded") as caught:
        servers.start(broken).result(PATIENCE)
    assert reason in str(caught.value)
    path.write_bytes(b"")
    with pytest.raises(ConfigError):  # it is tried anew, not remembered
        servers.start(broken).result(PATIENCE)


def test_an_exit_stops_the_server_in_silence() -> None:
    with Script("say(pid())") as script:
        pid = script.number()
        assert script.end() == (0, "")
    assert not is_running(pid)


def test_nothing_outlives_a_parent_that_is_killed_while_generating() -> None:
    with Script("generate()") as script:
        pid = script.number()
        assert is_running(pid)
        script.process.kill()
        assert ends(pid)


LOADING = """
SERVERS.start(settings)
while (process := SERVERS._servers[settings]._process) is None:
    time.sleep(0.001)
say(process.pid)
time.sleep(60)
"""


def test_nothing_outlives_a_parent_that_is_killed_while_loading() -> None:
    with Script(LOADING) as script:
        pid = script.number()
        time.sleep(0.15)  # by now it holds the interpreter's lock and loads
        script.process.kill()
        assert ends(pid)


def test_ctrl_c_in_a_stream_leaves_nothing() -> None:
    with Script("generate()") as script:
        pid = script.number()
        script.interrupt()
        code, errors = script.end()
    assert code == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert not is_running(pid)


SURVIVES = """
try:
    say(pid())
    time.sleep(60)
except KeyboardInterrupt:
    say(pid())
"""


def test_a_program_that_survives_ctrl_c_keeps_its_server() -> None:
    with Script(SURVIVES) as script:
        pid = script.number()
        script.interrupt()
        assert script.number() == pid
        assert script.end() == (0, "")


FORKS = """
say(pid())
if os.fork() == 0:
    say(pid())
    say(os.getpid())
time.sleep(60)
"""


def test_a_fork_starts_a_server_of_its_own_and_keeps_ours_alive_no_longer_than_we_live() -> None:
    with Script(FORKS) as script:
        ours, theirs, fork = script.number(), script.number(), script.number()
        assert ours != theirs
        script.process.kill()
        assert ends(ours)
        assert is_running(theirs)
        os.kill(fork, signal.SIGKILL)
        assert ends(theirs)
