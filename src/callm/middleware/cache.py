"""Answer again what was answered before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from callm.errors import ConfigError
from callm.middleware.flights import Flight, Flights, Turn
from callm.policy.cache_entry import Entry, Recording, dump, load
from callm.policy.cache_key import Identity, cache_key, identity_of
from callm.types import CacheHit

if TYPE_CHECKING:
    from callm.types import Events, Model, Request


class CacheStore(Protocol):
    """Where answers are kept. Times are seconds since 1970.

    A store never raises: what it can't read is not there, and what it can't write is not stored. It may be used from
    several threads, and is called from event loops: it must be quick.
    """

    def get(self, key: str, now: float) -> bytes | None:
        """Return the value of `key`, or None if there is none or its time is over."""
        ...

    def set(self, key: str, value: bytes, now: float, ttl: float | None) -> None:
        """Keep `value` for `ttl` seconds; None leaves it to the store how long."""
        ...

    def delete(self, key: str) -> None:
        """Forget the value of `key`, if there is one."""
        ...

    def clear(self) -> None:
        """Forget all values."""
        ...

    def close(self) -> None:
        """Let go of files and connections. A closed store has no values and takes none."""
        ...


@dataclass(frozen=True, slots=True)
class Cache:
    """Play an answer again that was given to an equal request; ask once if equal requests come at the same time.

    An answer that is played again begins with a `CacheHit` event. Kept is only what ended well: no answer that was cut,
    refused, withheld, left early, or is not of the declared type.

    Attributes:
        inner: the model.
        store: where the answers are kept.
        salt: what keeps apart those who must not see each other's answers: a tenant's name.
        ttl: how many seconds an answer may be played again; None leaves it to the store.
        timing: whether to play a stream at the pace at which it came.
        clock: the seconds since 1970.
        flights: the questions under way; caches that share them, and a store, ask once together.
    """

    inner: Model
    store: CacheStore
    salt: str = field(default="", repr=False)
    ttl: float | None = None
    timing: bool = False
    clock: Callable[[], float] = field(default=time.time, repr=False, compare=False)
    flights: Flights = field(default_factory=Flights, repr=False, compare=False)
    _identity: Identity = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.ttl is not None and not self.ttl > 0:
            raise ConfigError(f"'ttl' of a cache must be a number of seconds above 0, or None, not {self.ttl!r}")
        object.__setattr__(self, "_identity", identity_of(self.inner))

    @property
    def name(self) -> str:
        """The name of the model inside."""
        return self.inner.name

    def stream(self, request: Request) -> Events:
        """See `Model.stream`."""
        key = self._key(request)
        return self.inner.stream(request) if key is None else self._stream(key, request)

    async def _stream(self, key: str, request: Request) -> Events:
        loop = asyncio.get_running_loop()
        refresh = request.options.cache == "refresh"
        found: Entry | Flight | None = None if refresh else self._stored(key, request)
        if found is None:
            found, leads = (Flight(loop), True) if refresh else self.flights.join(key, loop)
            if not leads:
                found = await self._after(found, loop)
        if isinstance(found, Entry):
            began = loop.time()
            yield [CacheHit(max(0.0, self.clock() - found.created))]
            for offset, batch in found.batches:
                if self.timing and (wait := began + offset - loop.time()) > 0:
                    await asyncio.sleep(wait)
                yield list(batch)  # a copy, for others may play the same entry
            return
        flight, recording, landed = found, Recording(), False
        try:
            began = loop.time()
            batches = self.inner.stream(request)
            try:
                async for batch in batches:
                    flight.paused = now = loop.time()
                    recording.add(now - began, batch)
                    yield batch
                    flight.paused = None
            finally:
                await batches.aclose()
            entry = recording.entry(self.clock(), request.output)
            if entry is not None:
                self._store(key, entry, request)
            landed = True
            flight.land(entry)
        finally:
            if not landed:
                flight.fail()

    def _key(self, request: Request) -> str | None:
        """Return the key, or None if the request has none: the model will say what is wrong with it."""
        if request.options.cache is False:
            return None
        try:
            return cache_key(request, self._identity, self.salt)
        except (TypeError, ValueError, OverflowError, RecursionError, ConfigError):
            return None

    @staticmethod
    async def _after(flight: Flight, loop: asyncio.AbstractEventLoop) -> Entry | Flight:
        """Stand in line; return the answer, or the flight that this call must lead to get one."""
        turn = await flight.wait()
        if isinstance(turn, Entry):
            return turn
        return flight if turn is Turn.LEAD else Flight(loop)

    def _stored(self, key: str, request: Request) -> Entry | None:
        now = self.clock()
        data = self.store.get(key, now)
        if data is None:
            return None
        entry = load(data)
        if entry is None:
            self.store.delete(key)
            return None
        ttl = self._ttl(request)
        return entry if ttl is None or now - entry.created < ttl else None

    def _store(self, key: str, entry: Entry, request: Request) -> None:
        ttl = self._ttl(request)
        if (ttl is None or ttl > 0) and (data := dump(entry)) is not None:
            self.store.set(key, data, self.clock(), ttl)

    def _ttl(self, request: Request) -> float | None:
        return self.ttl if request.options.cache_ttl is None else request.options.cache_ttl
