"""The process of a peer: for each line `MODE URL` it opens the peer's client, asks once, and prints what came as JSON.

python -m bench.faults.trial baml-py
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import traceback
import warnings
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from bench.faults.asking import PEERS

_STATUS: Final = Path("/proc/self/status")
_PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")


def ask(kind: Any, mode: str, url: str) -> dict[str, Any]:
    """Ask once and return what came: a value or an error, the seconds, and by how many MB the process grew."""
    peer = kind(url)
    _forget_peak()
    before, started = _peak(), perf_counter()
    try:
        told = {"returned": shown(getattr(peer, mode)())}
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is the result; baml-py has raised panics
        whose = {"own": is_own(error, kind.own), "callers": is_callers(error)}
        told = {"raised": _name(error), **whose, "says": _line(error)}
    return {**told, "seconds": perf_counter() - started, "megabytes": (_peak() - before) / 1e3}


def shown(value: Any) -> Any:
    """Return a value as JSON can hold it: a model as its fields, a text as it is."""
    if value is None or isinstance(value, str):
        return value
    return value.model_dump() if hasattr(value, "model_dump") else repr(value)


def is_own(error: BaseException, modules: tuple[str, ...]) -> bool:
    """Return whether an error is of a class that the library, whose modules begin so, declares as its own."""
    return any(kind.__module__.partition(".")[0] in modules for kind in type(error).__mro__)


def is_callers(error: BaseException) -> bool:
    """Return whether an error arose in our own lines, from what the library had returned, and not inside the library."""
    frames = traceback.extract_tb(error.__traceback__)
    return type(error).__module__ == "builtins" and bool(frames) and Path(frames[-1].filename).name == "asking.py"


def _name(error: BaseException) -> str:
    module = type(error).__module__.partition(".")[0]
    return type(error).__qualname__ if module == "builtins" else f"{module}.{type(error).__qualname__}"


def _line(error: BaseException) -> str:
    return " ".join(str(error)[:1000].split())[:200]


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")


def _peak() -> int:
    found = _PEAK.search(_STATUS.read_text("ascii")) if _STATUS.exists() else None
    return int(found.group(1)) if found else 0


def main(name: str) -> None:
    """Answer until the input ends."""
    warnings.simplefilter("ignore")
    out, sys.stdout = sys.stdout, sys.stderr  # some libraries print
    for line in sys.stdin:
        mode, url = line.split()
        print(json.dumps(ask(PEERS[name], mode, url)), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
