"""Show where the time of one case goes: `python bench/profiling.py stream-2000 [--peer callm] [--sort tottime]`.

The profiler makes Python functions look dearer than native ones: use it to find candidates, and the benchmark to judge.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

import cProfile  # noqa: E402  # behind the path
import os  # noqa: E402
import pstats  # noqa: E402

from bench.cases import CASES, Entry  # noqa: E402
from bench.processes import cores, mock_server  # noqa: E402
from bench.worker import calibrate, open_work  # noqa: E402


def main() -> None:
    """Profile about a second of the case and print the functions that took most."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=[case.name for case in CASES])
    parser.add_argument("--peer", default="callm", help="a peer of this environment, as `peer` or `peer:variant`")
    parser.add_argument("--sort", default="tottime", choices=["tottime", "cumtime"])
    parser.add_argument("--lines", type=int, default=30)
    arguments = parser.parse_args()
    case = next(case for case in CASES if case.name == arguments.case)
    client_core, server_core = cores()
    with mock_server(server_core) as url:
        if client_core is not None:
            os.sched_setaffinity(0, {client_core})
        work = open_work(case, Entry.parse(arguments.peer), url, seconds=1.0)
        times = calibrate(work, 1.0)
        profile = cProfile.Profile()
        profile.enable()
        work.run(times)
        profile.disable()
        work.close()
    units = times * work.units
    stats = pstats.Stats(profile)
    stats.sort_stats(arguments.sort).print_stats(arguments.lines)
    total = stats.get_stats_profile().total_tt
    print(f"{units} x {case.unit}: {total / units * 1e6:.1f} us each under the profiler, {times} repetitions")


if __name__ == "__main__":
    main()
