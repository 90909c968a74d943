"""The stores of a response cache: what they keep, how much of it, and that nothing ever comes out wrong or raises."""

import copy
import pickle
import random
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import ConfigError
from callm.io.sqlite_store import SQLiteStore
from callm.io.stores import MemoryStore


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


def test_an_answer_that_is_larger_than_the_file_may_be_is_not_stored(store, tmp_path):
    with closing(SQLiteStore(tmp_path / "small.db", max_bytes=1000)) as small:
        small.set("a", b"1" * 1001, 0.0, None)
        small.set("b", b"1", 0.0, None)
        assert (small.get("a", 0.0), small.get("b", 0.0)) == (None, b"1")
    memory = MemoryStore(max_bytes=1000)
    memory.set("a", b"1" * 1000, 0.0, None)
    assert len(memory) == 0
