"""One function over many inputs, some of them at a time."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from callm.errors import CallmError, ConfigError
from callm.io.call import Dual

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable, Iterator

T = TypeVar("T")

_AHEAD = 4
"""How many times the concurrency may be begun or finished before the consumer has taken the first of them."""


class Results(Dual["T | CallmError"], Generic[T]):
    """The results of a function over many inputs, in the order of the inputs. A failed call's result is its error.

    Iterate it with `for` or `async for`; `as_completed()` gives them as they come; `.result()` or `await` gives a list.
    Inputs are taken as they are needed, so they may be a generator without end.
    """

    def __init__(
        self,
        call: Callable[[Any], Coroutine[Any, Any, T]],
        inputs: Iterable[Any],
        *,
        concurrency: int,
        progress: bool,
    ) -> None:
        """Prepare; nothing runs before the first result is asked for."""
        super().__init__()
        if concurrency < 1:
            raise ConfigError(f"concurrency must be 1 or more, not {concurrency}")
        self._call = call
        self._inputs = inputs
        self._concurrency = concurrency
        self._progress = progress

    def as_completed(self) -> Dual[tuple[int, T | CallmError]]:
        """Return pairs of the input's number, from 0, and its result, in the order in which they finish."""
        return _Completed(self._indexed)

    def result(self) -> list[T | CallmError]:
        """Run all of it from sync code and return the results in order."""
        return list(self)

    def __await__(self) -> Generator[Any, Any, list[T | CallmError]]:
        return self._all().__await__()

    async def _all(self) -> list[T | CallmError]:
        return [result async for result in self]

    async def batches(self) -> AsyncGenerator[list[T | CallmError], None]:
        """Return the results in order, in lists of those that became ready together."""
        waiting: dict[int, T | CallmError] = {}
        following = 0
        async with aclosing(self._indexed()) as pairs:
            async for batch in pairs:
                waiting.update(batch)
                ready: list[T | CallmError] = []
                while following in waiting:
                    ready.append(waiting.pop(following))
                    following += 1
                if ready:
                    yield ready

    async def _indexed(self) -> AsyncGenerator[list[tuple[int, T | CallmError]], None]:
        bar = _bar(self._inputs) if self._progress else None
        done: asyncio.Queue[tuple[int, T | CallmError] | None] = asyncio.Queue()
        room = asyncio.Semaphore(self._concurrency * _AHEAD)
        numbered = enumerate(self._inputs)
        workers = [asyncio.create_task(_work(self._call, numbered, room, done)) for _ in range(self._concurrency)]
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
                for _ in pairs:
                    room.release()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            if bar is not None:
                bar(None)


class _Completed(Dual["tuple[int, T | CallmError]"], Generic[T]):
    def __init__(self, source: Callable[[], AsyncGenerator[list[tuple[int, T | CallmError]], None]]) -> None:
        super().__init__()
        self._source = source

    def batches(self) -> AsyncGenerator[list[tuple[int, T | CallmError]], None]:
        return self._source()


def _raise_what_broke(workers: list[asyncio.Task[None]]) -> None:
    """Raise what is no failed call: an input that could not be had, an argument of the wrong form."""
    for worker in workers:
        if worker.done() and not worker.cancelled() and (error := worker.exception()) is not None:
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
        from rich.progress import Progress  # noqa: PLC0415  # an extra, and only when asked for
    except ImportError as error:
        raise ConfigError("progress=True needs rich: pip install 'callm[rich]'") from error
    bar = Progress(transient=False)
    total = len(inputs) if hasattr(inputs, "__len__") else None  # type: ignore[arg-type]  # it has, the line says
    task = bar.add_task("calls", total=total)
    bar.start()

    def advance(count: int | None) -> None:
        if count is None:
            bar.stop()
        else:
            bar.advance(task, count)

    return advance
