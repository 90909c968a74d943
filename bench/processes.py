"""The processes of a run: the mock server, and workers that do rounds when told to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Self

from bench.environments import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE: Final = 60.0
"""Seconds that a worker may take to become ready or to do a round."""

_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
_SET: Final = {
    "BAML_LOG": "off",
    "BOUNDARY_TELEMETRY": "off",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # litellm's import downloads a price list otherwise
    "NO_PROXY": "*",
}


class WorkerFailed(Exception):
    """A worker ended or hung; the message is the last thing it said."""


def environment() -> dict[str, str]:
    """Return the environment of every process: no keys, no proxies, no settings of the user."""
    return {name: value for name, value in os.environ.items() if name in _KEPT} | _SET


def cores() -> tuple[int | None, int | None]:
    """Return the core of the client and that of the server; None, None where there are not two."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


class Child:
    """A Python process that is told things by lines and answers by lines. It ends when its input does."""

    def __init__(self, python: Path, module: str, *arguments: str) -> None:
        """Start `python -m module`."""
        self._process = subprocess.Popen(
            [str(python), "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
        )
        self._said: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            self._listener.join(1)
            if pipe is not None:
                pipe.close()

    def ask(self, line: str = "go") -> str:
        """Say `line` and return the answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None
        return self.hear()

    def hear(self) -> str:
        """Return the next line the process prints.

        Raises:
            WorkerFailed: it printed none in time.
        """
        assert self._process.stdout is not None
        timer = threading.Timer(PATIENCE, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise self._failure()
        return line

    def _failure(self) -> WorkerFailed:
        self._process.wait(PATIENCE)
        self._listener.join(1)
        said = [line for line in self._said if line.strip() and not line.startswith(" ")]
        return WorkerFailed(said[-1].strip()[:200] if said else f"took more than {PATIENCE:.0f} s")

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said = [*self._said[-50:], line]


class Worker(Child):
    """The process of one case and one peer.

    Attributes:
        spent: how many seconds its rounds took.
    """

    def __init__(self, python: Path, case: str, entry: str, url: str, *, core: int | None, seconds: float) -> None:
        """Start the process. `start` waits until it is warm."""
        pin = () if core is None else ("--core", str(core))
        super().__init__(python, "bench.worker", case, entry, url, "--seconds", str(seconds), *pin)
        self.spent = 0.0

    def start(self) -> dict[str, Any]:
        """Wait until the worker is warm and return what it says of itself."""
        ready: dict[str, Any] = json.loads(self.hear())
        self.spent = ready["spent"]
        return ready

    def round(self) -> dict[str, float]:
        """Let the worker do a round and return its facts."""
        started = perf_counter()
        facts: dict[str, float] = json.loads(self.ask())
        self.spent += perf_counter() - started
        return facts


@contextmanager
def mock_server(core: int | None) -> Iterator[str]:
    """Run the mock server and give its address."""
    pin = () if core is None else ("--core", str(core))
    with Child(Path(sys.executable), "bench.mock_server", *pin) as server:
        yield f"http://127.0.0.1:{int(server.hear())}"
