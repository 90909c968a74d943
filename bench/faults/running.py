"""The processes of a run: for each peer one that asks and a server that fails, watched by a thread that kills what hangs."""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.faults.asking import PEERS
from bench.faults.cases import MODES, Case, mode_for, wire_of
from bench.faults.verdict import Observation
from bench.processes import PATIENCE, Child, WorkerFailed

ENOUGH: Final = 10.0
"""Seconds one request may be waited for before the peer's process is killed."""

Found = dict[tuple[str, str], Observation]
"""Fault and mode to what was seen."""


class _Asker(Child):
    """The process of a peer, which can be killed while it is being heard."""

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


class Bench:
    """One peer and its server."""

    def __init__(self, peer: str, python: Path) -> None:
        """Start both processes."""
        self._peer = peer
        self._python = python
        self._stack = ExitStack()
        self._server = self._stack.enter_context(Child(Path(sys.executable), "bench.faults.server"))
        self._asker = self._start()

    def __enter__(self) -> Bench:  # noqa: PYI034  # nobody inherits
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, cases: list[Case]) -> Found:
        """Ask under each fault, in each mode that the peer can do."""
        offered = {mode for mode in MODES if getattr(PEERS[self._peer], mode, None) is not None}
        found: Found = {}
        for case in cases:
            for mode in case.modes:
                using = mode_for(mode, offered)
                if using is not None and (case.name, using) not in found:
                    found[case.name, mode] = self._observe(case, using)
        return found

    def _observe(self, case: Case, mode: str) -> Observation:
        url = self._server.ask(msgspec.json.encode(case.on(wire_of(self._peer))).decode()).strip()
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(done,))
        watch.start()
        told: dict[str, Any] | None = None
        try:
            told = json.loads(self._asker.ask(f"{mode} {url}"))
        except WorkerFailed:
            self._asker = self._start()
        finally:
            done.set()
            watch.join()
        state = self._state()
        return Observation(told, state["times"], state["held"])

    def _watch(self, done: threading.Event) -> None:
        end = time.monotonic() + PATIENCE
        while not done.wait(0.25):
            if max(self._state()["held"], default=0.0) > ENOUGH or time.monotonic() > end:
                self._asker.kill()
                return

    def _state(self) -> dict[str, Any]:
        seen: dict[str, Any] = json.loads(self._server.ask("state"))
        return seen

    def _start(self) -> _Asker:
        return self._stack.enter_context(_Asker(self._python, "bench.faults.trial", self._peer))
