"""Do the same to callm and its peers, and write `bench/FAULTS.md`.

python -m bench.faults                                          everything, twice: about four minutes
python -m bench.faults --peers callm,openai:helper --only html  prints only
"""

from __future__ import annotations

import argparse
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

from bench.environments import HERE, Peers, install
from bench.faults.asking import PEERS
from bench.faults.cases import CASES
from bench.faults.report import Run, Setting, render
from bench.faults.running import Bench, Found

TOGETHER: Final = 4
"""Peers that are asked at the same time: most of it is waiting."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.faults", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--peers", type=lambda text: text.split(","), help=f"of {', '.join(PEERS)}")
    parser.add_argument("--only", metavar="FAULT", action="append", help="one fault; may be repeated")
    parser.add_argument("--runs", type=int, default=2, help="how often; the report says where they differ")
    arguments = parser.parse_args()
    for name in arguments.peers or []:
        if name not in PEERS:
            parser.error(f"unknown peer {name!r}: use some of {', '.join(PEERS)}")
    for name in arguments.only or []:
        if name not in {case.name for case in CASES}:
            parser.error(f"unknown fault {name!r}: use one of {', '.join(case.name for case in CASES)}")
    return arguments


def _run(names: list[str], peers: Peers, only: list[str] | None) -> Run:
    cases = [case for case in CASES if only is None or case.name in only]

    def ask(name: str) -> Found:
        with Bench(name, peers.installed[_base(name)].python) as bench:
            return bench.run(cases)

    with ThreadPoolExecutor(TOGETHER) as pool:
        return dict(zip(names, pool.map(ask, names), strict=True))


def _base(name: str) -> str:
    return name.partition(":")[0]


def main() -> None:
    """Run, print, and write what was a full run."""
    arguments = _arguments()
    wanted = arguments.peers or list(PEERS)
    peers = install([_base(name) for name in wanted])
    names = [name for name in wanted if _base(name) in peers.installed]
    runs: list[Run] = []
    for number in range(arguments.runs):
        print(f"run {number + 1}", file=sys.stderr, flush=True)
        runs.append(_run(names, peers, arguments.only))
    machine = (f"{platform.system()} {platform.release()}", f"Python {platform.python_version()}")
    versions = {name: found.versions for name, found in peers.installed.items()}
    text = render(runs, Setting(machine, versions, peers.missing, datetime.now(UTC).strftime("%Y-%m-%d")))
    print(text)
    if not (arguments.peers or arguments.only):
        (HERE / "FAULTS.md").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
