"""Who may use a connection now. First come, first served, in all and for each host; it belongs to one event loop.

1. A free slot is taken without waiting. Nobody overtakes a waiter whose host has room.
2. A slot that becomes free is handed to the waiter that came first among those whose host has room, not thrown into a race.
3. A waiter that gives up after its slot was handed over gives it back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import count

from callm.errors import PoolTimeout


class Slots:
    """Count the requests under way."""

    def __init__(self, size: int, per_host: int) -> None:
        """Allow `size` in all and `per_host` for one host; 0 for a host sets no limit of its own."""
        self._size = size
        self._per_host = per_host or size
        self._used = 0
        self._hosts: dict[str, int] = {}
        self._waiters: dict[str, deque[tuple[int, asyncio.Future[None]]]] = {}
        self._number = count()

    def take(self, host: str) -> bool:
        """Take a slot if one is free for `host`; return whether it was."""
        used = self._hosts.get(host, 0)
        if self._used >= self._size or used >= self._per_host or host in self._waiters:
            return False
        self._used += 1
        self._hosts[host] = used + 1
        return True

    async def wait(self, host: str, seconds: float | None) -> None:
        """Wait for a slot at most `seconds`, and take it.

        Raises:
            PoolTimeout: none became free in time.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(host, deque()).append((next(self._number), future))
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError as error:
            self._leave(host, future)
            raise PoolTimeout(self._message(host, seconds or 0.0), phase="pool", seconds=seconds) from error
        except BaseException:
            self._leave(host, future)
            raise

    def give(self, host: str) -> None:
        """Give a slot back."""
        self._used -= 1
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]
        if self._waiters:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give the free slots to those who came first."""
        while self._used < self._size:
            hosts = [host for host in self._waiters if self._hosts.get(host, 0) < self._per_host]
            if not hosts:
                return
            host = min(hosts, key=lambda host: self._waiters[host][0][0])
            _, future = self._pop(host)
            if not future.done():
                self._used += 1
                self._hosts[host] = self._hosts.get(host, 0) + 1
                future.set_result(None)

    def _pop(self, host: str) -> tuple[int, asyncio.Future[None]]:
        waiters = self._waiters[host]
        first = waiters.popleft()
        if not waiters:
            del self._waiters[host]
        return first

    def _leave(self, host: str, future: asyncio.Future[None]) -> None:
        """Step out of the queue, or give back what was handed over in the moment of giving up."""
        if future.done() and not future.cancelled():
            self.give(host)
            return
        waiters = deque(entry for entry in self._waiters.get(host, ()) if entry[1] is not future)
        if waiters:
            self._waiters[host] = waiters
        else:
            self._waiters.pop(host, None)

    def _message(self, host: str, seconds: float) -> str:
        used = self._hosts.get(host, 0)
        name, size = "pool_size", self._size
        if used >= self._per_host < self._size:
            name, size = "pool_size_per_host", self._per_host
        return (
            f"no connection to {host} became free in {seconds:g} s: all {size} are in use ({used} to this host). "
            f"Raise {name}, send less at once, or raise the pool timeout"
        )
