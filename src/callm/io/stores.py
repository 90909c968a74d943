"""Where a response cache keeps its answers: in memory, or in a file (`sqlite_store.py`).

A store never raises over what is in it: what can't be read is not there, and what can't be written is not stored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from callm.errors import ConfigError
from callm.types.locks import lock_across_forks

if TYPE_CHECKING:
    from callm.middleware.cache import CacheStore

_LOCK: Final = lock_across_forks()
_MEGABYTE: Final = 1024 * 1024
_OVERHEAD: Final = 200
"""About how many bytes an entry in memory takes besides its key and value."""


class MemoryStore:
    """Keep answers in this process; those that were not wanted for longest go first."""

    def __init__(self, *, max_entries: int = 10_000, max_bytes: int = 64 * _MEGABYTE) -> None:
        """Keep at most `max_entries` that take at most `max_bytes`."""
        if max_entries < 1 or max_bytes < 1:
            raise ConfigError("'max_entries' and 'max_bytes' of a memory store must be 1 or more")
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, tuple[bytes, float | None]] = OrderedDict()
        self._closed = False
        self.bytes = 0

    def __repr__(self) -> str:
        return f"MemoryStore({len(self._entries)} of at most {self._max_entries} entries, {self.bytes} bytes)"

    def __reduce__(self) -> tuple[Callable[[int, int], MemoryStore], tuple[int, int]]:
        return _memory_store, (self._max_entries, self._max_bytes)

    def __len__(self) -> int:
        return len(self._entries)

    def __bool__(self) -> bool:
        return True  # an empty store is one, too

    def get(self, key: str, now: float) -> bytes | None:
        """See `CacheStore.get`."""
        if key not in self._entries:  # which needs no lock
            return None
        with _LOCK:
            found = self._entries.get(key)
            if found is None:
                return None
            value, expires = found
            if expires is not None and expires <= now:
                self._drop(key)
                return None
            self._entries.move_to_end(key)
            return value

    def set(self, key: str, value: bytes, now: float, ttl: float | None) -> None:
        """See `CacheStore.set`."""
        size = _size(key, value)
        with _LOCK:
            if key in self._entries:
                self._drop(key)
            if self._closed or size > self._max_bytes:
                return
            self._entries[key] = value, None if ttl is None else now + ttl
            self.bytes += size
            while len(self._entries) > self._max_entries or self.bytes > self._max_bytes:
                self._drop(next(iter(self._entries)))

    def delete(self, key: str) -> None:
        """See `CacheStore.delete`."""
        with _LOCK:
            self._drop(key)

    def clear(self) -> None:
        """See `CacheStore.clear`."""
        with _LOCK:
            self._entries.clear()
            self.bytes = 0

    def close(self) -> None:
        """See `CacheStore.close`."""
        self._closed = True
        self.clear()

    def _drop(self, key: str) -> None:
        found = self._entries.pop(key, None)
        if found is not None:
            self.bytes -= _size(key, found[0])


def _memory_store(max_entries: int, max_bytes: int) -> MemoryStore:
    return MemoryStore(max_entries=max_entries, max_bytes=max_bytes)


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value) + _OVERHEAD


def open_store(given: Any, path: str) -> CacheStore:
    """Return the store that a client was `given`, or one for the file at `path`, or in memory if that is empty."""
    if hasattr(given, "get") and hasattr(given, "set"):
        return cast("CacheStore", given)
    if not path:
        return MemoryStore()
    from callm.io.sqlite_store import SQLiteStore  # noqa: PLC0415  # SQLite is imported by who keeps answers in a file

    return SQLiteStore(path)
