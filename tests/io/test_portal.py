import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import AsyncGenerator
from contextvars import ContextVar

import pytest

from callm.errors import ConfigError
from callm.io import portal

NAME: ContextVar[str] = ContextVar("NAME", default="nobody")


async def _count(number: int, closed: list[str] | None = None) -> AsyncGenerator[int, None]:
    try:
        for item in range(number):
            await asyncio.sleep(0)
            yield item
    finally:
        await asyncio.sleep(0.01)
        if closed is not None:
            closed.append("closed")


async def _fail(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


async def _meet(barrier: asyncio.Barrier) -> int:
    return await barrier.wait()


def _python(code: str, *, timeout: float = 20) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def _quiet(code: str) -> str:
    done = _python(code)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_run_returns_the_result() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    assert portal.run(answer()) == 42


def test_an_error_keeps_its_type_and_traceback() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        portal.run(_fail(ZeroDivisionError("no")))
    assert "_fail" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
def test_an_error_that_would_end_a_loop_reaches_the_caller_and_leaves_the_loop_running(
    kind: type[BaseException],
) -> None:
    with pytest.raises(kind):
        portal.run(_fail(kind()))
    assert portal.run(asyncio.sleep(0, "still here")) == "still here"


def test_all_calls_share_one_daemon_thread() -> None:
    async def thread() -> threading.Thread:
        return threading.current_thread()

    threads = {portal.run(thread()) for _ in range(3)}
    assert len(threads) == 1
    assert threads.pop().daemon


def test_threads_can_call_at_the_same_time() -> None:
    barrier = asyncio.Barrier(8)
    places: list[int] = []
    threads = [threading.Thread(target=lambda: places.append(portal.run(_meet(barrier)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert sorted(places) == list(range(8))


def test_context_variables_of_the_caller_are_seen_and_not_changed() -> None:
    async def swap() -> str:
        before = NAME.get()
        NAME.set("changed")
        return before

    token = NAME.set("caller")
    try:
        assert portal.run(swap()) == "caller"
        assert NAME.get() == "caller"
    finally:
        NAME.reset(token)


async def test_run_and_iterate_work_beneath_a_running_loop() -> None:
    assert portal.run(asyncio.sleep(0, 1)) == 1
    assert list(portal.iterate(_count(3))) == [0, 1, 2]


def test_a_call_from_the_portals_own_loop_is_refused_instead_of_waiting_for_ever() -> None:
    async def nested() -> None:
        portal.run(asyncio.sleep(0))

    async def nested_iteration() -> None:
        list(portal.iterate(_count(1)))

    for coroutine in (nested, nested_iteration):
        with pytest.raises(ConfigError, match="own event loop"):
            portal.run(coroutine())


def test_iterate_yields_the_items_in_order() -> None:
    assert list(portal.iterate(_count(100))) == list(range(100))


def test_iterate_reads_no_further_than_was_asked() -> None:
    made: list[int] = []

    async def items() -> AsyncGenerator[int, None]:
        for item in range(5):
            made.append(item)
            yield item

    iterator = portal.iterate(items())
    assert made == []
    assert next(iterator) == 0
    time.sleep(0.02)
    assert made == [0]
    iterator.close()


def test_closing_early_closes_the_async_generator_before_it_returns() -> None:
    closed: list[str] = []
    iterator = portal.iterate(_count(5, closed))
    assert next(iterator) == 0
    iterator.close()
    assert closed == ["closed"]


def test_a_generator_that_was_never_started_costs_nothing() -> None:
    iterator = portal.iterate(_count(5))
    iterator.close()
    del iterator


def test_an_error_in_the_generator_reaches_the_consumer_behind_the_items_before_it() -> None:
    async def items() -> AsyncGenerator[int, None]:
        yield 1
        raise ZeroDivisionError

    got: list[int] = []
    with pytest.raises(ZeroDivisionError):
        got.extend(portal.iterate(items()))
    iterator = portal.iterate(items())
    assert next(iterator) == 1
    with pytest.raises(ZeroDivisionError):
        next(iterator)
    assert list(iterator) == []


def test_an_error_while_closing_reaches_the_one_who_closes() -> None:
    async def items() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            raise ZeroDivisionError

    iterator = portal.iterate(items())
    next(iterator)
    with pytest.raises(ZeroDivisionError):
        iterator.close()


def test_a_whole_iteration_runs_in_one_task_and_one_context() -> None:
    async def items() -> AsyncGenerator[tuple[object, str], None]:
        token = NAME.set("inside")
        async with asyncio.timeout(5):
            for _ in range(3):
                yield asyncio.current_task(), NAME.get()
        NAME.reset(token)

    seen = list(portal.iterate(items()))
    assert len({task for task, _ in seen}) == 1
    assert {name for _, name in seen} == {"inside"}


def test_a_generator_dropped_in_the_portals_thread_does_not_block_it() -> None:
    closed: list[str] = []
    iterator = portal.iterate(_count(5, closed))
    next(iterator)

    async def drop() -> None:
        nonlocal iterator
        del iterator
        await asyncio.sleep(0.05)

    portal.run(drop())
    assert closed == ["closed"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a POSIX signal timer")
def test_ctrl_c_cancels_the_call_and_waits_for_its_clean_up() -> None:
    cleaned: list[str] = []

    async def long() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.05)
            cleaned.append("clean")

    started = time.monotonic()
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            portal.run(long())
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert cleaned == ["clean"]
    assert time.monotonic() - started < 1.5


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a POSIX signal timer")
def test_ctrl_c_cancels_an_iteration_that_waits_for_its_next_item() -> None:
    cleaned: list[str] = []

    async def items() -> AsyncGenerator[int, None]:
        try:
            yield 1
            await asyncio.sleep(30)
        finally:
            cleaned.append("clean")

    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(portal.iterate(items()))
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert cleaned == ["clean"]


def test_importing_the_portal_starts_no_thread_and_loads_no_loop() -> None:
    out = _quiet(
        """
        import callm.io.portal, sys, threading
        print(threading.active_count(), "uvloop" in sys.modules)
        """
    )
    assert out.split() == ["1", "False"]


def test_the_interpreter_exits_in_silence_with_a_call_and_an_iteration_open() -> None:
    out = _quiet(
        """
        import asyncio, os, threading
        from callm.io import portal

        async def items():
            try:
                while True:
                    yield 1
            finally:
                await asyncio.sleep(0)
                os.write(1, b"closed\\n")

        async def forever():
            await asyncio.sleep(100)

        def call():
            try:
                portal.run(forever())
            except BaseException as error:
                os.write(1, type(error).__name__.encode() + b"\\n")

        iterator = portal.iterate(items())
        next(iterator)
        threading.Thread(target=call, daemon=True).start()
        import time; time.sleep(0.1)
        """
    )
    assert "closed" in out.split()  # whether the daemon thread lives long enough to say that it was cancelled is a race


def test_a_call_while_the_interpreter_exits_says_so() -> None:
    out = _quiet(
        """
        import atexit, asyncio
        from callm.io import portal

        def late():
            try:
                portal.run(asyncio.sleep(0))
            except RuntimeError as error:
                print(error)

        atexit.register(late)
        portal.run(asyncio.sleep(0))
        """
    )
    assert "exiting" in out


FORKED = """
    import asyncio, os, sys
    {uvloop}
    from callm.io import portal

    async def items():
        for item in range(3):
            yield item

    iterator = portal.iterate(items())
    assert next(iterator) == 0
    pid = os.fork()
    if pid == 0:
        assert portal.run(asyncio.sleep(0, "child")) == "child"
        assert list(portal.iterate(items())) == [0, 1, 2]
        try:
            next(iterator)
        except RuntimeError as error:
            assert "parent" in str(error)
        else:
            os._exit(9)
        {leave}
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
    assert list(iterator) == [1, 2]
    assert portal.run(asyncio.sleep(0, "parent")) == "parent"
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("leave", ["os._exit(0)", "sys.exit(0)"])
@pytest.mark.parametrize("uvloop", ["", "sys.modules['uvloop'] = None"])
def test_a_forked_child_has_a_portal_of_its_own_and_leaves_the_parents_alone(leave: str, uvloop: str) -> None:
    _quiet(FORKED.format(leave=leave, uvloop=uvloop))
