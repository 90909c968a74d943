"""A fork while another thread holds a lock leaves it free in both processes."""

import os
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from callm.io import sqlite_store, stores
from callm.middleware import breaker, budget, hedge, limit_store, limiter, line, round_robin
from callm.types.locks import lock_across_forks

HOLDERS = (stores, breaker, budget, hedge, limit_store, limiter, line, round_robin)
LOCKS = {module.__name__: module._LOCK for module in HOLDERS}
LOCKS |= {"a new one": lock_across_forks(), "opening": sqlite_store._OPENING}

FORKING = threading.Event()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=FORKING.set)  # what is registered last goes first: before the locks are taken

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_that_another_thread_holds_at_the_fork_is_free_in_both_processes(name: str) -> None:
    lock, held = LOCKS[name], threading.Event()
    FORKING.clear()

    def hold() -> None:
        with lock:
            held.set()
            FORKING.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
        child = os.fork()
    if not child:
        os._exit(0 if lock.acquire(timeout=5) else 1)
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert lock.acquire(timeout=5)
    lock.release()


def test_a_thread_that_holds_it_may_take_it_again_and_fork() -> None:
    """As a signal handler does, or the garbage collector when it closes a call that nobody has any more."""
    lock = lock_across_forks()
    with lock, lock:
        child = os.fork()
    if not child:
        thread = threading.Thread(target=lambda: os._exit(0 if lock.acquire(timeout=5) else 1))
        thread.start()
        thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lock.acquire, timeout=5).result()


HOST = """
import ctypes, os, threading
from callm.types.locks import lock_across_forks
lock, held, go = lock_across_forks(), threading.Event(), threading.Event()
def hold():
    with lock:
        held.set()
        go.wait()
threading.Thread(target=hold).start()
held.wait()
child = ctypes.PyDLL(None).fork()
if not child:
    ctypes.pythonapi.PyOS_AfterFork_Child()
    os._exit(0 if lock.acquire(timeout=2) else 1)
go.set()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_host_that_forks_by_itself_leaves_the_lock_free_too() -> None:
    """As servers written in C do that load Python."""
    run = subprocess.run([sys.executable, "-c", HOST], capture_output=True, text=True, timeout=30, check=False)
    assert (run.stdout, run.stderr) == ("0\n", "")


def test_no_middleware_makes_a_lock_for_each_of_its_objects() -> None:
    """Such a one would stay held in a child process, and can't be copied."""
    for thing in (budget.Cap(tokens=1), limit_store.ProcessStore(), limiter.Limiter(), line.Line()):
        assert not [value for value in vars(thing).values() if hasattr(value, "acquire")]
