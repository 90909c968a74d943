"""One function over many inputs, some of them at a time."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from contextlib import aclosing
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from callm.errors import CallmError, ConfigError, describe_type
from callm.io.call import Dual

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable

    _Advance: TypeAlias = Callable[[int | None], object]
    """Takes how many calls have finished, or None at the end."""
    _Pairs: TypeAlias = AsyncGenerator[list[tuple[int, "T | CallmError"]], None]

T = TypeVar("T")

_AHEAD: Final = 4
"""How many times the concurrency may be begun while the first of them keeps the others, which are in order, waiting."""

_SLICE: Final = 0.001
"""For how many seconds inputs are taken before the calls get their turn."""


class Results(Dual["T | CallmError"], Generic[T]):
    """The results of a function over many inputs, in the order of the inputs. A failed call's result is its error.

    Iterate it with `for` or `async for`; `as_completed()` gives them as they come; `.result()` or `await` gives a list.
    Inputs are taken as they are needed, by who reads the results and in their thread, so they may be a generator without
    end, and one that makes calls of its own. Calls cost money, so they run once: make a new map to run them again.
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
        pairs, feed = self._begin()
        self._between = feed.fill
        return _in_order(pairs, feed)

    def _begin(self) -> tuple[_Pairs[T], _Feed]:
        self._refuse_second()
        self._begun = True
        feed = _Feed(self._inputs)
        bar = functools.partial(_bar, self._inputs) if self._progress else _no_bar
        return _run(self._call, feed, self._concurrency, bar), feed

    def _refuse_second(self) -> None:
        if self._begun:
            raise RuntimeError("this map has begun already: make a new one to run it again")


class _Completed(Dual["tuple[int, T | CallmError]"], Generic[T]):
    def __init__(self, begin: Callable[[], tuple[_Pairs[T], _Feed]]) -> None:
        super().__init__()
        self._begin = begin

    def batches(self) -> _Pairs[T]:
        pairs, feed = self._begin()
        self._between = feed.fill
        return pairs


class _Feed:
    """The inputs between who has them, in the reader's thread, and the calls, in the loop."""

    def __init__(self, inputs: Iterable[Any]) -> None:
        self._numbered = enumerate(inputs)
        self.ready: deque[tuple[int, Any]] = deque()
        self.wanted = 0
        self.held = 0  # results that wait for those before them
        self.ended = False

    def want(self, concurrency: int, running: int) -> bool:
        """Ask for as many inputs as calls may begin; return whether any are."""
        room = min(concurrency, concurrency * _AHEAD - self.held) - running
        self.wanted = 0 if self.ended else max(0, room)
        return self.wanted > 0

    def fill(self) -> None:
        """Take the inputs that are wanted: one at least, and no more of slow ones before the calls get their turn."""
        end = monotonic() + _SLICE
        while self.wanted > len(self.ready) and not self.ended:
            item = next(self._numbered, None)
            if item is None:
                self.ended = True
            else:
                self.ready.append(item)
            if monotonic() > end:
                return


async def _in_order(pairs: _Pairs[T], feed: _Feed) -> AsyncGenerator[list[T | CallmError], None]:
    waiting: dict[int, T | CallmError] = {}
    following = 0
    async with aclosing(pairs) as batches:
        async for batch in batches:
            waiting.update(batch)
            ready: list[T | CallmError] = []
            while following in waiting:
                ready.append(waiting.pop(following))
                following += 1
            feed.held = len(waiting)
            yield ready


async def _run(
    call: Callable[[Any], Coroutine[Any, Any, T]], feed: _Feed, concurrency: int, bar: Callable[[], _Advance]
) -> _Pairs[T]:
    """Yield the results as calls finish, and an empty list where the reader is to take inputs."""
    advance = bar()
    running: dict[asyncio.Task[T], int] = {}
    done: asyncio.Queue[asyncio.Task[T]] = asyncio.Queue()
    try:
        while True:
            while feed.ready:
                number, item = feed.ready.popleft()
                task = asyncio.create_task(call(item))
                task.add_done_callback(done.put_nowait)
                running[task] = number
            await asyncio.sleep(0)  # what began may begin
            finished: list[asyncio.Task[T]] = []
            if done.empty() and not feed.want(concurrency, len(running)):
                if not running:
                    return
                finished.append(await done.get())
            while not done.empty():
                finished.append(done.get_nowait())
            feed.want(concurrency, len(running) - len(finished))
            advance(len(finished))
            yield [(running.pop(task), _result(task)) for task in finished]
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        advance(None)


def _result(task: asyncio.Task[T]) -> T | CallmError:
    """Return the result of a call or its failure. What is no failed call ends the map: an argument of the wrong form."""
    if task.cancelled():
        raise RuntimeError("a call of the map was cancelled, but not by who reads its results")
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, CallmError):
        return error
    raise error


def _no_bar() -> _Advance:
    return lambda _: None


def _bar(inputs: Iterable[Any]) -> _Advance:
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
