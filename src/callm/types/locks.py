"""Locks for what threads share, that a fork does not leave behind held."""

from __future__ import annotations

import os
from threading import RLock
from typing import Any


def lock_across_forks() -> RLock:
    """Return a lock for a few steps that wait for nothing. Make one for a module, not for each object: it is kept for ever.

    1. A child process has a copy of each lock as it was in the moment of the fork, but not the thread that would release it.
       So a fork takes this lock first, and both processes give it back.
    2. The garbage collector and signal handlers run between any two steps, and may close a call that takes the lock again. So
       the same thread may.
    """
    lock = RLock()

    def give_back() -> None:
        state: Any = lock  # two methods that the standard library's own locks use, but does not write down
        if state._is_owned():
            lock.release()
        else:  # a host that forks by itself took nothing before: another thread may have held it
            state._at_fork_reinit()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=give_back)
    return lock
