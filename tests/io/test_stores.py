"""The stores of a response cache: what they keep, how much of it, and that nothing ever comes out wrong or raises."""

import copy
import os
import pickle
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import ConfigError
from callm.io.stores import MemoryStore, SQLiteStore


def value_of(key, size=2000):
    """A value that its key says: whatever comes out of a store can be checked."""
    return (key.encode() * size)[:size]


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    made = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "folder" / "cache.db")
    with closing(made):
        yield made


def test_what_is_set_is_there_until_it_is_deleted(store):
    assert store.get("a", 0.0) is None
    store.set("a", b"1", 0.0, None)
    store.set("b", b"", 0.0, None)
    store.set("a", b"2", 0.0, None)
    assert (store.get("a", 1e9), store.get("b", 0.0)) == (b"2", b"")
    store.delete("a")
    store.delete("none")
    assert (store.get("a", 0.0), store.get("b", 0.0)) == (None, b"")
    store.clear()
    assert store.get("b", 0.0) is None


def test_what_is_too_old_is_not_there(store):
    store.set("a", b"1", 100.0, 10.0)
    assert (store.get("a", 109.9), store.get("a", 110.0), store.get("a", 105.0)) == (b"1", None, None)


def test_an_empty_store_is_one_too(store):
    assert store


def test_a_closed_store_has_nothing_and_takes_nothing(store):
    store.set("a", b"1", 0.0, None)
    store.close()
    store.set("b", b"1", 0.0, None)
    assert (store.get("a", 0.0), store.get("b", 0.0)) == (None, None)
    store.delete("a")
    store.clear()
    store.close()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda store: pickle.loads(pickle.dumps(store))])
def test_a_store_can_be_copied_with_its_limits(copied, tmp_path):
    assert repr(copied(MemoryStore(max_entries=3))) == "MemoryStore(0 of at most 3 entries, 0 bytes)"
    with closing(SQLiteStore(tmp_path / "cache.db", max_bytes=7)) as one:
        one.set("a", b"1", 0.0, None)
        with closing(copied(one)) as other:
            assert repr(other) == repr(one) == f"SQLiteStore({str(tmp_path / 'cache.db')!r}, max_bytes=7)"
            assert other.get("a", 0.0) == b"1"


@pytest.mark.parametrize(
    "make",
    [
        lambda: MemoryStore(max_entries=0),
        lambda: MemoryStore(max_bytes=0),
        lambda: SQLiteStore("x", max_bytes=0),
        lambda: SQLiteStore("x", max_age=0),
    ],
)
def test_limits_that_keep_nothing_are_refused(make):
    with pytest.raises(ConfigError):
        make()


class NaiveStore:
    """What a memory store is: a list of entries, the one that was wanted last at its end."""

    def __init__(self, entries, size):
        self.most, self.size = entries, size
        self.kept = OrderedDict()

    def get(self, key, now):
        value, expires = self.kept.pop(key, (None, None))
        if value is None or (expires is not None and expires <= now):
            return None
        self.kept[key] = value, expires
        return value

    def set(self, key, value, now, ttl):
        self.kept.pop(key, None)
        if len(key) + len(value) + 200 <= self.size:
            self.kept[key] = value, None if ttl is None else now + ttl
        while len(self.kept) > self.most or sum(len(k) + len(v) + 200 for k, (v, _) in self.kept.items()) > self.size:
            self.kept.popitem(last=False)


keys = st.sampled_from("abcde")
steps = st.one_of(
    st.tuples(st.just("get"), keys),
    st.tuples(
        st.just("set"),
        keys,
        st.sampled_from([b"", b"1" * 100, b"2" * 300, b"3" * 900]),
        st.sampled_from([None, 1.0, 5.0]),
    ),
)


@given(st.lists(steps, max_size=30))
def test_a_memory_store_does_what_a_naive_one_does(script):
    store, naive = MemoryStore(max_entries=3, max_bytes=1000), NaiveStore(3, 1000)
    for now, (name, key, *rest) in enumerate(script):
        if name == "get":
            assert store.get(key, now) == naive.get(key, now)
        else:
            store.set(key, rest[0], now, rest[1])
            naive.set(key, rest[0], now, rest[1])
        assert [*store._entries] == [*naive.kept]
        assert store.bytes == sum(len(key) + len(value) + 200 for key, (value, _) in store._entries.items())


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_eight_threads_at_once_get_only_what_was_set(kind, tmp_path):
    store = MemoryStore(max_entries=50) if kind == "memory" else SQLiteStore(tmp_path / "cache.db")
    wrong = []

    def work(seed):
        dice = random.Random(seed)
        for _ in range(200):
            key = f"k{dice.randrange(100)}"
            if dice.random() < 0.3:
                store.set(key, value_of(key, 300), 0.0, None)
            elif (value := store.get(key, 0.0)) not in {None, value_of(key, 300)}:
                wrong.append((key, value))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert wrong == []
    store.close()


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


def test_an_answer_that_is_larger_than_the_file_may_be_is_not_stored(store, tmp_path):
    with closing(SQLiteStore(tmp_path / "small.db", max_bytes=1000)) as small:
        small.set("a", b"1" * 1001, 0.0, None)
        small.set("b", b"1", 0.0, None)
        assert (small.get("a", 0.0), small.get("b", 0.0)) == (None, b"1")
    memory = MemoryStore(max_bytes=1000)
    memory.set("a", b"1" * 1000, 0.0, None)
    assert len(memory) == 0


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
from callm.io.stores import SQLiteStore
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
from callm.io.stores import SQLiteStore
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
from callm.io.stores import MemoryStore, SQLiteStore
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
