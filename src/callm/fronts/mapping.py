"""One function over many inputs, some of them at a time."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from callm.errors import CallmError, ConfigError, describe_type
from callm.io.call import Dual

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable, Iterator

    _Pairs: TypeAlias = AsyncGenerator[list[tuple[int, "T | CallmError"]], None]

T = TypeVar("T")

_AHEAD = 4
"""How many times the concurrency may be begun or finished before the consumer has taken the first of them."""


class Results(Dual["T | CallmError"], Generic[T]):
    """The results of a function over many inputs, in the order of the inputs. A failed call's result is its error.

    Iterate it with `for` or `async for`; `as_completed()` gives them as they come; `.result()` or `await` gives a list.
    Inputs are taken as they are needed, so they may be a generator without end. They are calls that cost money, so they
    run once: make a new map to run them again.
    """

    def __init__(
        self,
        call: Callable[[Any], Coroutine[Any, Any, T]],
        inputs: Iterable[Any],
        *,
        concurrency: int,
        progress: bool,
    ) -> None:
        """Prepare; nothing runs before the first result is asked for.

        Raises:
            ConfigError: the concurrency is below 1, or the inputs can't be iterated.
        """
        super().__init__()
        if type(concurrency) is not int or concurrency < 1:
            raise ConfigError(f"concurrency must be a whole number of 1 or more, not {concurrency!r}")
        if isinstance(inputs, str | bytes) or not hasattr(inputs, "__iter__"):
            raise ConfigError(f"the inputs of a map must be a list or another iterable, not {describe_type(inputs)}")
        self._begun = False
        self._call = call
        self._inputs = inputs
        self._concurrency = concurrency
        self._progress = progress

    def as_completed(self) -> Dual[tuple[int, T | CallmError]]:
        """Return pairs of the input's number, from 0, and its result, in the order in which they finish."""
        return _Completed(self._begin)

    def result(self) -> list[T | CallmError]:
        """Run all of it from sync code and return the results in order."""
        self._refuse_second()
        return list(self)

    def __await__(self) -> Generator[Any, Any, list[T | CallmError]]:
        return self._all().__await__()

    async def _all(self) -> list[T | CallmError]:
        self._refuse_second()
        return [result async for result in self]

    def batches(self) -> AsyncGenerator[list[T | CallmError], None]:
        """Return the results in order, in lists of those that became ready together."""
        return _in_order(*self._begin())

    def _begin(self) -> tuple[_Pairs[T], asyncio.Semaphore]:
        """Return the generator of results as they come, and what to release for each that the consumer has taken."""
        self._refuse_second()
        self._begun = True
        room = asyncio.Semaphore(self._concurrency * _AHEAD)
        return _run(self._call, self._inputs, self._concurrency, room, progress=self._progress), room

    def _refuse_second(self) -> None:
        if self._begun:
            raise RuntimeError("this map has begun already: make a new one to run it again")


class _Completed(Dual["tuple[int, T | CallmError]"], Generic[T]):
    def __init__(self, begin: Callable[[], tuple[_Pairs[T], asyncio.Semaphore]]) -> None:
        super().__init__()
        self._begin = begin

    def batches(self) -> _Pairs[T]:
        return _as_completed(*self._begin())


async def _in_order(pairs: _Pairs[T], room: asyncio.Semaphore) -> AsyncGenerator[list[T | CallmError], None]:
    waiting: dict[int, T | CallmError] = {}
    following = 0
    async with aclosing(pairs) as batches:
        async for batch in batches:
            waiting.update(batch)
            ready: list[T | CallmError] = []
            while following in waiting:
                ready.append(waiting.pop(following))
                following += 1
            if ready:
                yield ready
                _release(room, len(ready))


async def _as_completed(pairs: _Pairs[T], room: asyncio.Semaphore) -> _Pairs[T]:
    async with aclosing(pairs) as batches:
        async for batch in batches:
            yield batch
            _release(room, len(batch))


def _release(room: asyncio.Semaphore, count: int) -> None:
    for _ in range(count):
        room.release()


async def _run(
    call: Callable[[Any], Coroutine[Any, Any, T]],
    inputs: Iterable[Any],
    concurrency: int,
    room: asyncio.Semaphore,
    *,
    progress: bool,
) -> _Pairs[T]:
    bar = _bar(inputs) if progress else None
    done: asyncio.Queue[tuple[int, T | CallmError] | None] = asyncio.Queue()
    numbered = enumerate(inputs)
    workers = [asyncio.create_task(_work(call, numbered, room, done)) for _ in range(concurrency)]
    running = len(workers)
    try:
        while running:
            batch = [await done.get()]
            while not done.empty():
                batch.append(done.get_nowait())
            if None in batch:
                running -= batch.count(None)
                _raise_what_broke(workers)
            pairs = [pair for pair in batch if pair is not None]
            if bar is not None:
                bar(len(pairs))
            if pairs:
                yield pairs
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        if bar is not None:
            bar(None)


def _raise_what_broke(workers: list[asyncio.Task[None]]) -> None:
    """Raise what is no failed call: an input that could not be had, an argument of the wrong form."""
    for worker in workers:
        if not worker.done():
            continue
        if worker.cancelled():
            raise RuntimeError("a call of the map was cancelled, but not by who reads its results")
        if (error := worker.exception()) is not None:
            raise error


async def _work(
    call: Callable[[Any], Coroutine[Any, Any, T]],
    numbered: Iterator[tuple[int, Any]],
    room: asyncio.Semaphore,
    done: asyncio.Queue[tuple[int, T | CallmError] | None],
) -> None:
    try:
        while True:
            await room.acquire()
            try:
                number, item = next(numbered)
            except StopIteration:
                return
            try:
                done.put_nowait((number, await call(item)))
            except CallmError as error:
                done.put_nowait((number, error))
    finally:
        asyncio.get_running_loop().call_soon(done.put_nowait, None)  # when the task is done, with its exception


def _bar(inputs: Iterable[Any]) -> Callable[[int | None], object]:
    try:
        from rich.console import Console  # noqa: PLC0415  # an extra, and only when asked for
        from rich.progress import Progress  # noqa: PLC0415  # likewise
    except ImportError as error:
        raise ConfigError("progress=True needs rich: pip install 'callm[rich]'") from error
    bar = Progress(console=Console(stderr=True))  # stdout is for results
    total = len(inputs) if hasattr(inputs, "__len__") else None  # type: ignore[arg-type]  # it has, the line says
    task = bar.add_task("calls", total=total)
    bar.start()

    def advance(count: int | None) -> None:
        if count is None:
            bar.stop()
        else:
            bar.advance(task, count)

    return advance
