"""The only bridge from ordinary code to async code: one event loop in one daemon thread.

1. The thread starts at the first call, and again in a child process after a fork. Importing this module starts nothing.
2. A caller waits on a plain lock, which is cheaper than a `concurrent.futures.Future`, and which Ctrl-C interrupts.
3. A whole iteration runs in one task, so time limits and context variables inside a generator hold across its items.
4. At exit the tasks are cancelled and the generators closed before the loop is, so nothing is left to complain.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import aclosing
from contextvars import copy_context
from typing import Any, Final, Generic, TypeVar

from callm.errors import ConfigError
from callm.io.forked import keep

T = TypeVar("T")

GRACE: Final = 2.0
"""Seconds that an interrupted caller, or the end of the process, waits for the cancelled work to clean up."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` on the portal's loop and return its result. Ctrl-C cancels it.

    Raises:
        ConfigError: called from inside the portal's own loop, which would wait for itself for ever.
    """
    job = _Job(coroutine)
    job.begin()
    try:
        job.wait()
    except BaseException:
        job.call(job.cancel)
        job.wait(GRACE)
        raise
    job.check()
    return job.value


def iterate(items: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """Yield what the async generator yields; closing this one early closes that one, and waits for it.

    Raises:
        ConfigError: called from inside the portal's own loop, which would wait for itself for ever.
    """
    pump = _Pump(items)
    idle = False
    try:
        while pump.advance():
            idle = True
            yield pump.item
            idle = False
    finally:
        pump.stop(None if idle else GRACE)


class _Portal:
    """The loop, its thread, and whether they may still be used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._hooked = False
        self._closed = False
        self.loop: asyncio.AbstractEventLoop | None = None
        self.ident: int | None = None

    def start(self) -> asyncio.AbstractEventLoop:
        """Start the thread, unless another has done it meanwhile, and return its loop."""
        with self._lock:
            if self.loop is not None:
                return self.loop
            if self._closed:
                raise RuntimeError("callm can't be called any more: the interpreter is exiting")
            if not self._hooked:
                self._hooked = True
                atexit.register(self.close)
                if hasattr(os, "register_at_fork"):
                    os.register_at_fork(after_in_child=self._forget)
            loop = _new_loop()
            self._thread = threading.Thread(target=_serve, args=(loop,), name="callm", daemon=True)
            self._thread.start()
            self.ident = self._thread.ident
            self.loop = loop
            return loop

    def _forget(self) -> None:
        """Leave the parent's loop as it is: its thread is not in this process, and its selector is still the parent's."""
        if self.loop is not None:
            keep((self.loop, self._thread, asyncio.all_tasks(self.loop)))
        self._lock = threading.Lock()
        self.loop = self._thread = self.ident = None

    def close(self) -> None:
        """Cancel what runs, close what is open, and end the thread."""
        with self._lock:
            loop, thread = self.loop, self._thread
            self._closed = True
            self.loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(2 * GRACE)


_portal: Final = _Portal()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415  # the extra `fast`
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        loop.run_until_complete(_finish())
    finally:
        loop.close()


async def _finish() -> None:
    await asyncio.sleep(0)  # every task must begin: one cancelled before its first step could not tell its caller
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=GRACE)
    await asyncio.get_running_loop().shutdown_asyncgens()


class _Job(Generic[T]):
    """A coroutine in the loop and the lock on which a thread waits for it: free when there is something to pick up."""

    loop: asyncio.AbstractEventLoop
    value: T

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._context = copy_context()
        self._task: asyncio.Task[None] | None = None
        self._lock = threading.Lock()
        self._lock.acquire()
        self.error: BaseException | None = None
        self.finished = False

    def begin(self) -> None:
        """Have the loop begin; the coroutine is closed if that can't be."""
        try:
            self.loop = _portal.loop or _portal.start()
            self.call(self._start)
        except BaseException:
            self.finished = True
            self._coroutine.close()
            raise

    def call(self, callback: Callable[[], object]) -> None:
        """Have the loop call `callback`."""
        if threading.get_ident() == _portal.ident:
            raise ConfigError(
                "a synchronous call was made on callm's own event loop, from a callback or an async function: "
                "it would wait for itself for ever. Await the async form there"
            )
        if self.loop is not _portal.loop:
            raise RuntimeError("this iteration was begun in the parent process, or the interpreter is exiting")
        self.loop.call_soon_threadsafe(callback)

    def _start(self) -> None:
        self._task = self.loop.create_task(self._work(), context=self._context)

    def cancel(self) -> None:
        """Cancel. In the loop."""
        if self._task is not None:
            self.loop.call_soon(self._task.cancel)  # behind its first step: see `_finish`

    def tell(self) -> None:
        """Wake the waiting thread. In the loop."""
        if self._lock.locked():
            self._lock.release()

    def wait(self, seconds: float = -1) -> bool:
        """Wait to be told; return False if `seconds` passed first."""
        return self._lock.acquire(timeout=seconds)

    def wait_for_end(self, seconds: float | None) -> None:
        """Wait until the coroutine has ended, at most `seconds`."""
        until = None if seconds is None else time.monotonic() + seconds
        while not self.finished and self.wait(-1 if until is None else max(0.0, until - time.monotonic())):
            pass

    def check(self) -> None:
        """Raise the error that ended the coroutine, if one did. It keeps its traceback."""
        error, self.error = self.error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # the traceback holds this frame, so the frame must not hold the error

    async def _work(self) -> None:
        try:
            self.value = await self._coroutine
        except BaseException as error:  # noqa: BLE001  # every error is the caller's, and none may end the loop
            self.error = error
        self.finished = True
        self.tell()


class _Pump(Generic[T]):
    """One async generator, driven an item at a time: it goes on only when the next item is wanted."""

    item: T

    def __init__(self, items: AsyncGenerator[T, None]) -> None:
        self._items = items
        self._job: _Job[None] | None = None
        self._wanted: asyncio.Future[bool] | None = None

    def advance(self) -> bool:
        """Wait for the next item; return False at the end."""
        if self._job is None:
            self._job = _Job(self._work())
            self._job.begin()
        else:
            self._job.call(self._go_on)
        self._job.wait()
        self._job.check()
        return not self._job.finished

    def stop(self, seconds: float | None) -> None:
        """Close the generator and wait for it: `seconds` for one that was interrupted, else as long as it takes."""
        job = self._job
        if job is None or job.finished or job.loop is not _portal.loop:
            return
        if threading.get_ident() == _portal.ident:  # the garbage collector may close us anywhere, in the loop too
            self._halt()
            return
        job.call(self._halt)
        job.wait_for_end(seconds)
        if seconds is None:
            job.check()

    def _go_on(self) -> None:
        self._answer(more=True)

    def _halt(self) -> None:
        """Close a generator that rests between two items; cancel one that works on the next."""
        if not self._answer(more=False) and self._job is not None:
            self._job.cancel()

    def _answer(self, *, more: bool) -> bool:
        if self._wanted is None or self._wanted.done():
            return False
        self._wanted.set_result(more)
        return True

    async def _work(self) -> None:
        job = self._job
        assert job is not None  # noqa: S101  # `advance` sets it before the loop starts this
        async with aclosing(self._items) as items:
            async for self.item in items:
                self._wanted = job.loop.create_future()
                job.tell()
                if not await self._wanted:
                    return
