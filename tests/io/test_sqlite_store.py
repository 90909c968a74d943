"""What a store in a file keeps, how much of it, and that no kill, no other process and no damage brings out what is wrong."""

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from callm.io.sqlite_store import SQLiteStore
from tests.io.test_stores import value_of


def test_the_folder_and_the_files_are_the_owners_alone(tmp_path):
    before = os.umask(0)
    try:
        store = SQLiteStore(tmp_path / "new" / "cache.db")
        store.set("a", b"1", 0.0, None)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert modes == {"cache.db": 0o600, "cache.db-wal": 0o600, "cache.db-shm": 0o600}
    store.close()


def test_making_a_store_opens_nothing(tmp_path):
    SQLiteStore(tmp_path / "new" / "cache.db").close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_stays_below_its_limit_and_keeps_what_was_wanted_last(tmp_path):
    with closing(SQLiteStore(tmp_path / "cache.db", max_bytes=400_000)) as store:
        for number in range(1000):
            store.set(f"k{number}", value_of(f"k{number}"), 1000.0 * number, None)
            assert store.get("k0", 1000.0 * number) == value_of("k0")  # wanted all the time, so never the oldest
        kept = [number for number in range(1000) if store.get(f"k{number}", 1e6)]
    assert (tmp_path / "cache.db").stat().st_size <= 400_000
    assert kept[0] == 0
    assert kept[1:] == list(range(1000 - len(kept) + 1, 1000))
    assert 100 < len(kept) < 200


def test_the_age_limit_of_a_file_wins_over_a_longer_ttl_and_old_answers_leave_the_file(tmp_path):
    with closing(SQLiteStore(tmp_path / "cache.db", max_age=10)) as store:
        for key, ttl in (("a", None), ("b", 100.0), ("c", 5.0)):
            store.set(key, b"1", 0.0, ttl)
        assert [store.get(key, 6.0) for key in "abc"] == [b"1", b"1", None]
        store.set("d", b"1", 20.0, None)
    assert rows(tmp_path / "cache.db") == ["d"]


def rows(path):
    with closing(sqlite3.connect(path)) as sqlite:
        assert sqlite.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [key for (key,) in sqlite.execute("SELECT key FROM callm_answers")]


@pytest.mark.parametrize(
    "spoil", [lambda data: b"no database at all" * 500, lambda data: data[:100] + b"\xff" * (len(data) - 100)]
)
def test_a_broken_file_is_put_aside_and_a_new_one_begun(tmp_path, spoil):
    path = tmp_path / "cache.db"
    with closing(SQLiteStore(path)) as store:
        store.set("a", value_of("a"), 0.0, None)
    path.write_bytes(spoil(path.read_bytes()))
    with closing(SQLiteStore(path)) as store:
        assert store.get("a", 0.0) is None
        store.set("b", b"1", 0.0, None)
        store.set("b", b"1", 0.0, None)
        assert store.get("b", 0.0) == b"1"
        assert "DatabaseError" in str(store.problem)
    assert rows(path) == ["b"]
    assert path.with_name("cache.db.broken").exists()


def test_no_changed_byte_and_no_cut_of_a_value_in_the_file_comes_out(tmp_path):
    path = tmp_path / "cache.db"
    with closing(SQLiteStore(path)) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        store.set("a", b"an answer", 0.0, None)
        [(data,)] = other.execute("SELECT value FROM callm_answers").fetchall()
        changed = [
            data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] for at in range(len(data)) for bit in range(8)
        ]
        for wrong in (*changed, *(data[:at] for at in range(len(data))), "a text", 5):
            other.execute("INSERT OR REPLACE INTO callm_answers (key, value, used) VALUES ('a', ?, 0.0)", (wrong,))
            assert store.get("a", 0.0) is None, wrong
            assert rows(path) == [], "it is deleted"


def pages(path):
    """Make a file with two answers and return its bytes."""
    with closing(SQLiteStore(path)) as store:
        store.set("key1", b"one", 0.0, 50.0)
        store.set("key2", b"two", 0.0, 50.0)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


def answers(path, data):
    """Return what a store gets of a file, both while the answers are fresh and when they are too old."""
    for end in ("-wal", "-shm", ".broken"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    path.write_bytes(data)
    with closing(SQLiteStore(path)) as store:
        fresh = store.get("key1", 1.0), store.get("key2", 1.0)
        return fresh, (store.get("key1", 51.0), store.get("key2", 51.0))


def test_a_broken_index_does_not_lead_to_the_answer_of_another(tmp_path):
    data = bytearray(pages(tmp_path / "cache.db"))
    data[data.rfind(b"key2\x02") + 4] = 1  # the number of the row
    assert answers(tmp_path / "cache.db", data) == ((b"one", None), (None, None))


def test_a_broken_name_in_the_schema_is_no_error_of_the_call_and_the_file_is_put_aside(tmp_path):
    path = tmp_path / "cache.db"
    data = bytearray(pages(path))
    data[data.find(b"callm_answers_1")] ^= 0x80
    assert answers(path, data) == ((None, None), (None, None))
    assert path.with_name("cache.db.broken").exists()


def test_no_changed_bit_of_a_file_gives_a_wrong_answer_or_an_error(tmp_path):
    path, dice = tmp_path / "cache.db", random.Random(1)
    data = pages(path)
    for at in [at for at, byte in enumerate(data) if byte][::3]:
        changed = bytearray(data)
        changed[at] ^= 1 << dice.randrange(8)
        fresh, old = answers(path, changed)
        assert fresh[0] in {b"one", None}, at
        assert fresh[1] in {b"two", None}, at
        assert old == (None, None), at


def test_a_file_that_another_process_put_aside_is_not_put_aside_again(tmp_path):
    path = tmp_path / "cache.db"
    with closing(SQLiteStore(path)) as store, closing(SQLiteStore(path)) as other:
        store.set("a", b"1", 0.0, None)
        path.replace(tmp_path / "cache.db.broken")
        for end in ("-wal", "-shm"):
            path.with_name(f"cache.db{end}").unlink(missing_ok=True)
        other.set("b", b"1", 0.0, None)
        store._recover(sqlite3.SQLITE_CORRUPT)
        assert store.get("b", 0.0) == b"1"


def test_a_locked_file_is_not_waited_for_and_costs_one_answer(tmp_path):
    with closing(SQLiteStore(tmp_path / "cache.db")) as store:
        store.set("a", b"1", 0.0, None)
        with closing(sqlite3.connect(tmp_path / "cache.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            store.set("b", b"1", 0.0, None)
            assert store.get("a", 0.0) == b"1"
            assert time.monotonic() - began < 2
            other.execute("ROLLBACK")
        assert store.get("b", 0.0) is None
        store.set("b", b"1", 0.0, None)
        assert store.get("b", 0.0) == b"1"


@pytest.mark.parametrize("place", ["file/cache.db", "folder"])
def test_a_place_where_no_file_can_be_is_no_error_of_the_call(tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with closing(SQLiteStore(tmp_path / place)) as store:
        store.set("a", b"1", 0.0, None)
        assert store.get("a", 0.0) is None
        assert store.problem


def python(program, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([".", *sys.path])},
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


FULL = """
import resource, sys
from callm.io.sqlite_store import SQLiteStore
from tests.io.test_stores import value_of
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
store = SQLiteStore(sys.argv[1])
for number in range(200):
    store.set(f"k{number}", value_of(f"k{number}"), 0.0, None)
print(bool(store.problem), store.get("k0", 0.0) == value_of("k0"), store.get("k199", 0.0))
store.close()
"""


def test_a_full_disk_means_not_stored(tmp_path):
    with python(FULL, tmp_path / "cache.db") as process:
        assert process.stdout.read() == "True True None\n"
    with closing(SQLiteStore(tmp_path / "cache.db")) as store:
        store.set("new", b"1", 0.0, None)
        assert store.get("new", 0.0) == b"1"
    assert len(rows(tmp_path / "cache.db")) > 1


WRITER = """
import sys, time
from callm.io.sqlite_store import SQLiteStore
from tests.io.test_stores import value_of
path, name, most, size = sys.argv[1:]
store = SQLiteStore(path, max_bytes=int(size))
for number in range(int(most)):
    key = f"{name}{number}"
    store.set(key, value_of(key, 1 + number * 37 % 9000), time.time(), None)
    print(key, flush=True)
    assert store.get(key, 0.0) in {None, value_of(key, 1 + number * 37 % 9000)}
store.close()
"""


def check(path):
    """Assert that the file is sound and every value is that of its key; return the keys."""
    kept = rows(path)
    with closing(SQLiteStore(path)) as store:
        for key in kept:
            value = store.get(key, 0.0)
            assert value == value_of(key, 1 + int(key[1:]) * 37 % 9000)
    return kept


def test_killing_a_writer_at_any_moment_breaks_no_entry(tmp_path):
    path, dice, last = tmp_path / "cache.db", random.Random(1), ""
    for turn in range(5):
        with python(WRITER, path, "abcdef"[turn], 1_000_000, 2_000_000) as process:
            for _ in range(dice.randrange(1, 200)):
                last = process.stdout.readline().strip()
            time.sleep(dice.random() * 0.003)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert last in check(path)  # what was written before the kill is still there


def test_two_processes_that_write_at_once_break_nothing(tmp_path):
    path = tmp_path / "cache.db"
    writers = [python(WRITER, path, name, 400, 50_000_000) for name in "ab"]
    for writer in writers:
        writer.communicate(timeout=50)
    assert [writer.returncode for writer in writers] == [0, 0]
    names = [key[0] for key in check(path)]
    assert names.count("a") > 300  # a few may have found the file locked for too long
    assert names.count("b") > 300


FORK = """
import os, sys, threading, warnings
from callm.io.sqlite_store import SQLiteStore
from callm.io.stores import MemoryStore
warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
store, memory = SQLiteStore(sys.argv[1]), MemoryStore()
store.set("parent", b"1", 0.0, None)
memory.set("parent", b"1", 0.0, None)
busy = threading.Thread(target=lambda: [memory.set(str(n), b"x", 0.0, None) for n in range(100_000)])
busy.start()  # so that a lock is held in the moment of the fork, more often than not
inherited = store._mine.connection.sqlite
child = os.fork()
if not child:
    store.set("child", b"2", 0.0, None)
    memory.set("child", b"2", 0.0, None)
    found = store.get("parent", 0.0), memory.get("child", 0.0), store._mine.connection.sqlite is inherited
    os._exit(0 if found == (b"1", b"2", False) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
busy.join()
store.set("after", b"3", 0.0, None)
print(store.get("child", 0.0), store.get("after", 0.0), store.problem)
store.close()
"""


def test_a_forked_child_has_connections_and_locks_of_its_own(tmp_path):
    with python(FORK, tmp_path / "cache.db") as process:
        assert process.communicate(timeout=30)[0] == "0\nb'2' b'3' None\n"
    assert sorted(rows(tmp_path / "cache.db")) == ["after", "child", "parent"]


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_threads_that_end_and_stores_that_are_closed_leave_no_descriptor(tmp_path):
    with closing(SQLiteStore(tmp_path / "cache.db")) as store:
        store.set("a", b"1", 0.0, None)
        before = 0
        for turn in range(6):
            thread = threading.Thread(target=store.get, args=("a", 0.0))
            thread.start()
            thread.join()
            if not turn:  # SQLite keeps one that it can't close while the file is locked, and uses it again
                before = descriptors()
        assert descriptors() == before
    assert descriptors() < before
