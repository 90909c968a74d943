"""`make bench`: measure callm and its peers side by side and write `RESULTS.md`.

    python -m bench.run                      everything, about eight minutes
    python -m bench.run --quick              callm, openai and aiohttp, about a minute
    python -m bench.run --only stream-200 --peers callm,aiohttp

Only a full run writes `RESULTS.md`; others print, or write to `--output`.
"""

from __future__ import annotations

import argparse
import platform
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

if __package__ in {None, ""}:  # run as a file: the package's parent is not on the path
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from bench.cases import CASES, COLD, COLD_PEERS, HELP, INSTALL, LONG, Case, Entry
from bench.cold import cold_start, help_start
from bench.environments import HERE, Peers, core_distributions, install
from bench.processes import Worker, WorkerFailed, cores, mock_server
from bench.report import Setting, render
from bench.results import Results

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK: Final = ("callm", "aiohttp", "openai")
ENOUGH: Final = 2.5
"""Seconds of rounds after which no peer reads a text again: some take seconds for one."""

FRESH: Final = 5
"""How many fresh processes are started for each peer's cold start."""


class Run:
    """One run: what to measure, with what, and what was found."""

    def __init__(self, peers: Peers, url: str, *, rounds: int, seconds: float) -> None:
        """Measure `peers` against the server at `url`, in `rounds` rounds of `seconds` each."""
        self.results = Results()
        self._peers = peers
        self._url = url
        self._rounds = rounds
        self._seconds = seconds
        self._core, _ = cores()

    def case(self, case: Case) -> None:
        """Measure one case: one process for each peer, and the rounds go around them."""
        with ExitStack() as stack:
            workers: dict[str, Worker] = {}
            for name in case.peers:
                installed = self._peers.installed.get(Entry.parse(name).peer)
                if installed is not None:
                    arguments = (installed.python, case.name, name, self._url)
                    worker = stack.enter_context(Worker(*arguments, core=self._core, seconds=self._seconds))
                    self._try(case.name, name, lambda: self._start(case.name, name, worker, workers))  # noqa: B023
            for _ in range(self._rounds):
                for name, worker in workers.items():
                    if case.kind not in LONG or worker.spent < ENOUGH:
                        self._try(case.name, name, lambda: self.results.add(case.name, name, worker.round()))  # noqa: B023

    def _start(self, case: str, name: str, worker: Worker, workers: dict[str, Worker]) -> None:
        ready = worker.start()
        if ready["pieces"] is not None:
            self.results.pieces.setdefault(case, {})[name] = ready["pieces"]
        if ready["first"] is not None:
            self.results.add(case, name, ready["first"])
        workers[name] = worker

    def cold(self, times: int) -> None:
        """Measure fresh processes; the first of each peer only compiles."""
        for number in range(times + 1):
            for name in COLD_PEERS:
                installed = self._peers.installed.get(name)
                if installed is None or name in self.results.failed.get(COLD, {}):
                    continue

                def start(name: str = name, number: int = number) -> None:
                    facts = cold_start(name, self._peers.installed[name], self._url, self._core)
                    if number:
                        self.results.add(COLD, name, facts)

                self._try(COLD, name, start)

    def command_line(self, times: int) -> None:
        """Measure `callm --help`; the first only compiles."""
        for number in range(times + 1):
            if "callm" in self.results.failed.get(HELP, {}):
                return

            def start(number: int = number) -> None:
                facts = help_start(self._core)
                if number:
                    self.results.add(HELP, "callm", facts)

            self._try(HELP, "callm", start)

    def distributions(self) -> None:
        """Count what an install brings."""
        try:
            self.results.add(INSTALL, "callm", {"distributions": core_distributions()})
        except Exception as error:  # noqa: BLE001  # the lock file or uv is missing: one figure less
            self.results.fail(INSTALL, "callm", str(error)[:200])

    def _try(self, case: str, name: str, do: Callable[[], None]) -> None:
        try:
            do()
        except WorkerFailed as error:
            self.results.fail(case, name, str(error))
            print(f"  {case} {name}: {error}", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="callm, openai and aiohttp, fewer and shorter rounds")
    parser.add_argument("--only", metavar="CASE", action="append", help="one case; may be repeated")
    parser.add_argument("--peers", type=lambda text: text.split(","), help="comma-separated names")
    parser.add_argument("--rounds", type=int, help="rounds for each case and peer")
    parser.add_argument("--seconds", type=float, help="length of a round")
    parser.add_argument("--output", type=Path, help="where to write the report")
    arguments = parser.parse_args()
    names = [*(case.name for case in CASES), COLD, HELP, INSTALL]
    for name in arguments.only or []:
        if name not in names:
            parser.error(f"unknown case {name!r}: use one of {', '.join(names)}")
    return arguments


def _measure(arguments: argparse.Namespace, peers: Peers) -> Results:
    quick = arguments.quick
    rounds = arguments.rounds or (2 if quick else 5)
    seconds = arguments.seconds or (0.1 if quick else 0.2)
    every = [case.name for case in CASES if case.kind != "growth" or not quick]  # half a minute for callm alone
    wanted = set(arguments.only or [*every, COLD, HELP, INSTALL])
    _, server_core = cores()
    with mock_server(server_core) as url:
        run = Run(peers, url, rounds=rounds, seconds=seconds)
        for case in CASES:
            if case.name in wanted:
                _say(case.title)
                run.case(case)
        if COLD in wanted:
            _say("Cold start")
            run.cold(2 if quick else FRESH)
        if HELP in wanted:
            run.command_line(3 if quick else FRESH)
        if INSTALL in wanted:
            run.distributions()
    return run.results


def _setting(peers: Peers) -> Setting:
    client, server = cores()
    pinned = "not pinned: one core" if client is None else f"client on core {client}, server on core {server}"
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    machine = (processor, f"{platform.system()} {platform.release()}", f"Python {platform.python_version()}", pinned)
    versions = {name: found.versions for name, found in peers.installed.items()}
    return Setting(machine, versions, peers.missing, datetime.now(UTC).strftime("%Y-%m-%d"))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Run the benchmark."""
    arguments = _arguments()
    started = perf_counter()
    names = arguments.peers or (list(QUICK) if arguments.quick else None)
    peers = install(names)
    for name, reason in peers.missing.items():
        _say(f"{name} does not install: {reason}")
    text = render(_measure(arguments, peers), _setting(peers))
    full = not (arguments.quick or arguments.only or arguments.peers)
    output = arguments.output or (HERE / "RESULTS.md" if full else None)
    if output is not None:
        output.write_text(text, encoding="utf-8")
        _say(f"wrote {output}")
    print(text)
    _say(f"{perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
