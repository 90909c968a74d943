"""Locks for what threads share, that a fork does not leave behind held."""

from __future__ import annotations

import os
from threading import Lock


def lock_across_forks() -> Lock:
    """Return a lock for a few steps that wait for nothing. Make one for a module, not for each object: it is kept for ever.

    A child process has a copy of each lock as it was in the moment of the fork, but not the thread that would release it. So a
    fork takes this lock first, and both processes give it back.
    """
    lock = Lock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock
