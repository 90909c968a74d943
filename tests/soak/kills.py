"""Kill processes that write one cache, again and again, in mid-write: no entry is broken, and what was kept is still there.

python -m tests.soak.kills 100
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from callm.config.entries import Caching
from callm.io.sqlite_store import SQLiteStore
from callm.policy.cache_entry import load
from tests.soak.server import ServerProcess
from tests.soak.stack import full_stack

WRITERS = 2


def write(url: str, path: str, name: str) -> None:
    """Make calls until killed."""
    with full_stack(url, cache=Caching(path=path), hedge=False) as client:
        for number in range(1_000_000):
            client.call(f"{name} {number} " + "x" * (number * 37 % 5000)).result()
            if number == 0:
                print("begun", flush=True)


def check(path: Path) -> int:
    """Return how many answers the file has, all of which must be whole."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        keys = connection.execute("SELECT key FROM callm_answers").fetchall()
    with closing(SQLiteStore(path)) as store:
        assert all(load(store.get(key, 0.0) or b"") is not None for (key,) in keys)
    return len(keys)


def main(rounds: int) -> int:
    os.environ["SOAK_KEY"] = "sk-soak"
    dice, kept, began = random.Random(3), 0, time.monotonic()
    with ServerProcess() as server, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cache.db"
        for turn in range(rounds):
            writers = [_start(server.url, path, f"{turn}{letter}") for letter in "ab"[:WRITERS]]
            time.sleep(dice.random() * 0.2)
            for writer in writers:
                writer.send_signal(signal.SIGKILL)
            for writer in writers:
                writer.communicate()
                assert writer.returncode == -signal.SIGKILL, "the writer ended by itself"
            before, kept = kept, check(path)
            assert kept > before, f"after kill {turn} fewer answers are there than before"
        assert [entry.name for entry in Path(folder).iterdir() if "broken" in entry.name] == []
    print(f"{rounds} kills of {WRITERS} writers in {time.monotonic() - began:.0f} s: {kept} answers, all whole")
    return 0


def _start(url: str, path: Path, name: str) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-m", "tests.soak.kills", url, str(path), name]
    writer = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "begun\n"
    return writer


if __name__ == "__main__":
    if len(sys.argv) > 2:
        write(*sys.argv[1:])
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
