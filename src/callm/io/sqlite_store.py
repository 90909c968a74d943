"""A response cache's answers in a SQLite file that processes share.

1. Each thread of each process has a connection of its own. One that a fork brought along is never touched again:
   https://www.sqlite.org/howtocorrupt.html, 2.6
2. Write-ahead log, one transaction for each write, no fsync but at checkpoints: a killed process or machine may lose the last
   answers, and breaks nothing. https://www.sqlite.org/pragma.html#pragma_synchronous
3. Sizes are those of the pages in use, which SQLite knows without counting.
4. A file that is no database any more is put aside as `NAME.broken`, and a new one begun. What SQLite does not notice, since its
   pages have no checksums, the one before each value shows, of its key and its time, too.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import local
from typing import Any, Final, TypeVar
from weakref import WeakSet
from zlib import crc32

from callm.errors import ConfigError
from callm.io.forked import keep
from callm.types.locks import lock_across_forks

T = TypeVar("T")

_OPENING: Final = lock_across_forks()
"""Held while a file is opened: of several that open a new one, all but one would find it busy; and what SQLite holds of its own
while it opens would stay held in a child."""

_MEGABYTE: Final = 1024 * 1024

_SETUP: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA journal_size_limit = 4194304",
    "CREATE TABLE IF NOT EXISTS callm_answers (key TEXT PRIMARY KEY, value BLOB NOT NULL, used REAL NOT NULL, expires REAL)",
    "CREATE INDEX IF NOT EXISTS callm_used ON callm_answers (used)",
    "CREATE INDEX IF NOT EXISTS callm_expires ON callm_answers (expires) WHERE expires IS NOT NULL",
)
_GET: Final = "SELECT value, used, expires FROM callm_answers WHERE key = ?"
_SET: Final = "INSERT OR REPLACE INTO callm_answers (key, value, used, expires) VALUES (?, ?, ?, ?)"
_TOUCH: Final = "UPDATE callm_answers SET used = ? WHERE key = ?"
_DELETE: Final = "DELETE FROM callm_answers WHERE key = ?"
_EXPIRE: Final = "DELETE FROM callm_answers WHERE expires <= ?"
_EVICT: Final = (
    "DELETE FROM callm_answers WHERE key IN (SELECT key FROM callm_answers ORDER BY used LIMIT"
    " (SELECT 1 + count(*) / 10 FROM callm_answers))"
)
_CLEAR: Final = "DELETE FROM callm_answers"
_PAGES: Final = (
    "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
)

_BUSY: Final = 0.05
"""How many seconds to wait for another process that writes. The event loop waits with us."""

_SLACK: Final = 16 * 1024
"""How many bytes of pages an answer may take besides its own."""

_CHECKSUM: Final = 4
"""How many bytes stand before a value."""

_COARSE: Final = 600.0
"""How many seconds old the note of an answer's last use may be before reading it writes another."""

_BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PASSING: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})
"""What goes by: the connection is as good as before."""


@dataclass(slots=True, weakref_slot=True, eq=False)
class _Connection:
    """A connection of one thread in one process, which is closed when the thread ends."""

    sqlite: sqlite3.Connection
    process: int
    inode: int

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        if self.process == os.getpid():
            with suppress(sqlite3.Error):
                self.sqlite.close()
        else:
            keep(self.sqlite)


class SQLiteStore:
    """Keep answers in a file, which several processes may use at once; those that were not wanted for longest go first.

    Its folder is made with mode 0700 if there is none, and the file with 0600. `problem` is what went wrong last, or None.
    """

    def __init__(self, path: str | Path, *, max_bytes: int = 1024 * _MEGABYTE, max_age: float | None = None) -> None:
        """Keep at most `max_bytes` in the file at `path`, each answer for at most `max_age` seconds. Opens nothing yet."""
        if max_bytes < 1 or (max_age is not None and not max_age > 0):
            raise ConfigError("'max_bytes' of a SQLite store must be 1 or more, and 'max_age' above 0 or None")
        self._path = Path(path).expanduser()
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._closed = False
        self._mine = local()
        self._all: WeakSet[_Connection] = WeakSet()
        self.problem: str | None = None

    def __repr__(self) -> str:
        return f"SQLiteStore({str(self._path)!r}, max_bytes={self._max_bytes})"

    def __reduce__(self) -> tuple[Callable[[Path, int, float | None], SQLiteStore], tuple[Path, int, float | None]]:
        return _sqlite_store, (self._path, self._max_bytes, self._max_age)

    def get(self, key: str, now: float) -> bytes | None:
        """See `CacheStore.get`."""
        row = self._do(lambda sqlite: sqlite.execute(_GET, (key,)).fetchone())
        if row is None:
            return None
        sealed, used, expires = row
        value = _unseal(sealed, key, expires)
        if value is None or (expires is not None and expires <= now):
            self.delete(key)
            return None
        if not isinstance(used, float) or now - used > _COARSE:
            self._do(lambda sqlite: sqlite.execute(_TOUCH, (now, key)))
        return value

    def set(self, key: str, value: bytes, now: float, ttl: float | None) -> None:
        """See `CacheStore.set`."""
        if len(value) > self._max_bytes:
            return
        ages = [age for age in (ttl, self._max_age) if age is not None]
        expires = float(now + min(ages)) if ages else None
        sealed = _seal(value, key, expires)
        self._do(lambda sqlite: _write(sqlite, (key, sealed, float(now), expires), self._max_bytes))

    def delete(self, key: str) -> None:
        """See `CacheStore.delete`."""
        self._do(lambda sqlite: sqlite.execute(_DELETE, (key,)))

    def clear(self) -> None:
        """See `CacheStore.clear`. The space is given back to the file system."""
        self._do(lambda sqlite: sqlite.execute(_CLEAR))
        self._do(lambda sqlite: sqlite.execute("VACUUM"))

    def close(self) -> None:
        """See `CacheStore.close`."""
        self._closed = True
        for connection in list(self._all):
            connection.close()

    def _do(self, action: Callable[[sqlite3.Connection], T]) -> T | None:
        """Do something with this thread's connection; return None if that can't be done now."""
        if self._closed:
            return None
        try:
            sqlite = self._connection()
            try:
                return action(sqlite)
            finally:
                if sqlite.in_transaction:  # it failed on the way, or Ctrl-C came
                    sqlite.rollback()
        except (sqlite3.Error, OSError) as error:
            self.problem = f"{type(error).__name__}: {error}"
            self._recover(getattr(error, "sqlite_errorcode", 0) & 0xFF)  # the rest of an extended code is detail
            return None
        except UnicodeDecodeError as error:  # of a message that quotes a broken name
            self.problem = f"{type(error).__name__}: {error}"
            self._recover(sqlite3.SQLITE_CORRUPT)
            return None

    def _connection(self) -> sqlite3.Connection:
        connection: _Connection | None = getattr(self._mine, "connection", None)
        if connection is not None and connection.process == os.getpid():
            return connection.sqlite
        with _OPENING:
            connection = _open(self._path)
            self._all.add(connection)
        self._mine.connection = connection
        return connection.sqlite

    def _recover(self, code: int) -> None:
        """Begin with a new connection after an error, and with a new file where the old one is broken."""
        if code in _PASSING:
            return
        connection: _Connection | None = getattr(self._mine, "connection", None)
        self._mine.connection = None
        if connection is not None:
            connection.close()
        if code in _BROKEN:
            with suppress(OSError):
                if connection is None or connection.inode == self._path.stat().st_ino:  # else another was here first
                    _put_aside(self._path)


def _sqlite_store(path: Path, max_bytes: int, max_age: float | None) -> SQLiteStore:
    return SQLiteStore(path, max_bytes=max_bytes, max_age=max_age)


def _seal(value: bytes, key: str, expires: float | None) -> bytes:
    """Return `value` behind a checksum of the whole row: a broken index may lead to another's."""
    return crc32(value, crc32(f"{expires!r} {key}".encode())).to_bytes(_CHECKSUM, "big") + value


def _unseal(data: Any, key: str, expires: Any) -> bytes | None:
    """Return what `_seal` sealed, or None if it is not what was written."""
    if not isinstance(data, bytes):
        return None
    value = data[_CHECKSUM:]
    return value if data == _seal(value, key, expires) else None


def _put_aside(path: Path) -> None:
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    path.replace(path.with_name(path.name + ".broken"))


def _open(path: Path) -> _Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):  # the other files of the database take their modes from this one
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    # Python's check of threads would keep `close` from closing; no connection is used by two threads at once.
    sqlite = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    try:
        for statement in _SETUP:
            sqlite.execute(statement)
    except BaseException:
        sqlite.close()
        raise
    return _Connection(sqlite, os.getpid(), path.stat().st_ino)


def _write(sqlite: sqlite3.Connection, row: tuple[str, bytes, float, float | None], most: int) -> None:
    """Write one answer, and make room for it before."""
    now = row[2]
    sqlite.execute("BEGIN IMMEDIATE")
    sqlite.execute(_EXPIRE, (now,))
    while sqlite.execute(_PAGES).fetchone()[0] + len(row[1]) + _SLACK > most and sqlite.execute(_EVICT).rowcount:
        pass
    sqlite.execute(_SET, row)
    sqlite.execute("COMMIT")
