"""The process of the server: one line of JSON in, one out.

    python -m bench.faults.server

A `Fault` as JSON starts a server that does it to every request, on a new port, and prints the address; `state` prints what the
server has seen; the end of standard input ends the process.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from bench.faults.cases import WHOLE
from callm.testing import Answer, FaultServer, ReceivedRequest, parse_fault
from callm.testing.fault import bomb


def state(requests: list[ReceivedRequest], now: float) -> dict[str, Any]:
    """Return when each request came, in seconds after the first, and how long each was kept waiting by a server that never ended."""
    first = requests[0].time if requests else now
    return {"times": [request.time - first for request in requests], "held": [_held(each, now) for each in requests]}


def _held(request: ReceivedRequest, now: float) -> float:
    if request.finished:
        return 0.0
    return (now if request.closed_at is None else request.closed_at) - request.time


def main() -> None:
    """Serve until the input ends."""
    server = FaultServer()
    for line in sys.stdin:
        if line.strip() == "state":
            print(json.dumps(state(list(server.requests), time.monotonic())), flush=True)
            continue
        server.stop()
        server = FaultServer(Answer(text=WHOLE))
        fault = parse_fault(line)
        if fault.bomb is not None:
            bomb(fault.bomb)  # kept, or the first peer would wait for its making
        server.always(fault)
        print(server.start().url, flush=True)


if __name__ == "__main__":
    main()
