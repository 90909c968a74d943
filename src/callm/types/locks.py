"""Locks for what threads share, that a fork does not leave behind held."""

from __future__ import annotations

import os
from contextlib import suppress
from threading import RLock


def lock_across_forks() -> RLock:
    """Return a lock for a few steps that wait for nothing. Make one for a module, not for each object: it is kept for ever.

    1. A child process has a copy of each lock as it was in the moment of the fork, but not the thread that would release it.
       So a fork takes this lock first, and both processes give it back.
    2. The garbage collector and signal handlers run between any two steps, and may close a call that takes the lock again. So
       the same thread may.
    """
    lock = RLock()

    def give_back() -> None:
        with suppress(RuntimeError):  # a host that forks by itself took nothing before
            lock.release()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=give_back)
    return lock
