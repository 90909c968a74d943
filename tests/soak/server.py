"""A server in a process of its own: run as a script it takes orders, a line each, and answers each with a line.

`mix` answers well but for one in ten, `fail` refuses everything with 503, `count` says how many requests came since the last.
"""

import random
import subprocess
import sys
import threading
from types import TracebackType
from typing import Self

from callm.testing import Answer, Fault, FaultServer

ANSWER = Answer(text="The quick brown fox jumps over the lazy dog, and the dog goes on sleeping.")

FAULTS = (
    *[Fault(status=status) for status in (429, 500, 502, 503, 529)],
    Fault(status=400, body='{"error": {"message": "no"}}'),
    Fault(at=-1),
    Fault(at=-1, then="reset"),
    Fault(at=0),
    Fault(at=180),
    Fault(at=400, then="reset"),
    Fault(at=-1, then="stall", seconds=2.0),
    Fault(at=300, then="stall", seconds=2.0),
    Fault(marker=False),
    Fault(body="no JSON"),
    Fault(data=bytes(range(256)) * 40, content_type="application/octet-stream"),
    Fault(error={"message": "busy", "code": "server_is_overloaded"}, error_after=2),
    Fault(answer=Answer(text="The quick brown fox jumps over ", finish_reason="length")),
    Fault(size=3, gzip=True),
    Fault(close_idle=0.0),
)
GOOD = (Fault(), Fault(), Fault(), Fault(size=40, pause=0.0005), Fault(delay=0.004))


class ServerProcess:
    """The server, from the outside."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url = self._line()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=10)

    def tell(self, order: str) -> str:
        """Give an order, and return the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class _Mix:
    """Keeps the plan of a server filled."""

    def __init__(self, server: FaultServer) -> None:
        self._server = server
        self._random = random.Random(7)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._fill)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _fill(self) -> None:
        while not self._stop.wait(0.02):
            while len(self._server._plan) < 1000:
                self._server.plan(self._random.choice(FAULTS if self._random.random() < 0.1 else GOOD))
            if len(self._server.requests) > 10_000 and not self._stop.is_set():
                COUNT[0] += 9_000
                del self._server.requests[:9_000]


COUNT = [0]


def main() -> None:
    with FaultServer(ANSWER) as server:
        print(server.url, flush=True)
        mix: _Mix | None = None
        for line in sys.stdin:
            if mix is not None:
                mix.stop()
                mix = None
            counted = COUNT[0] + len(server.requests)
            COUNT[0] = 0
            server.requests.clear()
            server._plan.clear()
            server.always(Fault(status=503) if line.strip() == "fail" else Fault())
            if line.strip() == "mix":
                mix = _Mix(server)
            print(counted, flush=True)
        if mix is not None:
            mix.stop()


if __name__ == "__main__":
    main()
