"""What a test may leave behind: nothing.

`snapshot` before, `left_behind` after: it looks at once, and waits a little only where it sees something.
"""

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from callm.client import Client
from callm.io import portal
from callm.middleware.budget import Cap
from callm.middleware.limiter import Limiter
from tests.support import busy

MOST_DESCRIPTORS = 16  # connections that are kept alive, and their loops
PATIENCE = 2.0

DESCRIPTORS = Path("/proc/self/fd")

_made: "weakref.WeakSet[Any]" = weakref.WeakSet()


class Snapshot(NamedTuple):
    """What was there before."""

    threads: set[threading.Thread]
    descriptors: int
    tasks: "weakref.WeakSet[Any]"


def watch() -> None:
    """Remember from now on every client, limiter and cap that is made, for as long as somebody holds it."""
    for kind in (Client, Limiter, Cap):
        kind.__init__ = _remembering(kind.__init__)  # type: ignore[method-assign]


def _remembering(make: Callable[..., None]) -> Callable[..., None]:
    def remember(self: Any, *args: Any, **named: Any) -> None:
        make(self, *args, **named)
        _made.add(self)

    remember.__wrapped__ = make  # type: ignore[attr-defined]  # for `inspect.signature`
    remember.__doc__ = make.__doc__
    return remember


def snapshot() -> Snapshot:
    """Return what is there."""
    _made.clear()
    return Snapshot(set(threading.enumerate()), _descriptors(), weakref.WeakSet(_tasks()))


def left_behind(before: Snapshot) -> list[str]:
    """Return what is there now and was not before, in words."""
    until = time.monotonic() + PATIENCE
    while (found := _found(before)) and time.monotonic() < until:
        gc.collect()
        time.sleep(0.01)
    return found


def _found(before: Snapshot) -> list[str]:
    threads = [thread for thread in threading.enumerate() if thread not in before.threads and not thread.daemon]
    found = [f"the thread {thread.name!r}" for thread in threads]
    found += [f"a task on the portal's loop: {task!r}" for task in _tasks() if task not in before.tasks]
    grown = _descriptors() - before.descriptors
    if grown > MOST_DESCRIPTORS:
        found.append(f"{grown} descriptors more than before")
    return [*found, *(line for each in list(_made) for line in _held(each))]


def _held(made: Any) -> list[str]:
    if isinstance(made, Client):
        count = busy(made) if hasattr(made, "_endpoints") else 0
        return [f"{count} connections of {made!r} in use"] if count else []
    if isinstance(made, Limiter):
        held = {"under way": made.busy, "in line": made.waiting}
        return [f"{count} calls {what} at {made.name!r}" for what, count in held.items() if count]
    reserved = sum(account.reserved for account in made._ledger._accounts.values())
    return [f"{reserved:g} reserved of {made!r}"] if reserved else []


def _tasks() -> list[Any]:
    """Return the tasks on the portal's loop. Its set changes in another thread, so a look may have to be repeated."""
    loop = portal._portal.loop
    if loop is None or loop.is_closed():
        return []
    return [task for task in asyncio.all_tasks(loop) if not task.done()]


def _descriptors() -> int:
    return sum(1 for _ in DESCRIPTORS.iterdir()) if DESCRIPTORS.is_dir() else 0
