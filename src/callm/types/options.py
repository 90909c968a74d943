"""What belongs to one call and not to its answer: tags, time limits, cancelling, who wants to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from callm.errors import ConfigError
from callm.types.events import Event
from callm.types.response import Response

OnTick: TypeAlias = Callable[[Sequence[Event]], object]
OnPartial: TypeAlias = Callable[[Any], object]


class Timeouts(msgspec.Struct, frozen=True):
    """How long to wait, in seconds; None waits for ever.

    Attributes:
        connect: for the connection, TLS included.
        pool: for a free connection of the pool.
        first_content: from sending until the first content. Pings and empty deltas are no content.
        between_content: from one piece of content to the next.
        total: for the whole call.
    """

    connect: float | None = 5.0
    pool: float | None = 60.0
    first_content: float | None = 60.0
    between_content: float | None = 60.0
    total: float | None = 600.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and value > 0):
                raise ConfigError(f"timeout {name!r} must be a number of seconds above 0, or None, not {value!r}")


class Cancel:
    """A handle that ends calls from anywhere: another task, another thread, a signal handler.

    Pass it in `CallOptions(cancel=...)`; `cancel()` ends every call that has it with `CallCancelled`, now and later.
    """

    def __init__(self) -> None:
        # No lock: every step is one operation on the dictionary, so a signal handler that interrupts another step is safe.
        self._watchers: dict[object, Callable[[], object]] = {}
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """End the calls. Safe from any thread and signal handler; a second time does nothing."""
        self._cancelled = True
        with ExitStack() as stack:  # which calls every watcher, even if one raises
            while self._watchers:
                with suppress(KeyError):  # it was unwatched just now
                    stack.callback(self._watchers.popitem()[1])

    def watch(self, callback: Callable[[], object]) -> Callable[[], object]:
        """Call `callback` once when cancelled, at once if that has happened; return a function that unwatches."""
        token = object()
        self._watchers[token] = callback
        if self._cancelled and self._watchers.pop(token, None) is not None:
            callback()
        return lambda: self._watchers.pop(token, None)

    def __copy__(self) -> Cancel:
        """Return the handle itself: it ends a copied request, too."""
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Cancel:
        """Return the handle itself: it ends a copied request, too."""
        del memo
        return self


class Collector(Protocol):
    """Anything that wants the response of each finished or failed call."""

    def collect(self, response: Response, options: CallOptions) -> object:
        """Take the response of a call that ended; `response.error` says whether it failed."""


class Collect:
    """A collector that keeps the responses in a list: `collect = callm.Collect()`, then `collect.last.usage`."""

    def __init__(self) -> None:
        self.responses: list[Response] = []

    @property
    def last(self) -> Response:
        """The response of the call that ended last.

        Raises:
            IndexError: no call has ended yet.
        """
        return self.responses[-1]

    def collect(self, response: Response, options: CallOptions) -> None:
        """Keep `response`."""
        del options
        self.responses.append(response)


class CallOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to one call, accepted by every way of calling.

    Attributes:
        tags: names for logs, budgets and collectors.
        timeouts: how long to wait for what.
        cancel: a handle that ends the call.
        collectors: who gets the response when the call ended, failed calls too.
        on_partial: called with each new typed partial value of a stream.
        on_tick: called with each batch of events as it arrives.
        retry_output: how often the model is asked again, with the problem, when its answer is not of the declared
            type. For calls that are not streamed; the total time stays one for all of it.
        min_interval: seconds between two partial values of a stream; the newest wins, and the last is never lost.
        on_break: what happens when a stream breaks after content came: `raise` the error, or `restart`: a `Restarted`
            event says that what came is to be discarded, and the answer begins anew, as often as a retry or fallback allows.
        cache: whether a response cache may answer; `refresh` asks the model and stores its new answer.
        cache_ttl: how many seconds a cache may keep this answer; None leaves it to the cache.
        weight: how many requests this one counts for in a rate limiter.
        deadline: the moment, on the event loop's clock, at which the call must have ended. Set by `Deadline`.
    """

    tags: Mapping[str, str] = {}
    timeouts: Timeouts = Timeouts()
    cancel: Cancel | None = None
    collectors: tuple[Collector, ...] = ()
    on_partial: OnPartial | None = None
    on_tick: OnTick | None = None
    retry_output: int = 0
    min_interval: float = 0.0
    on_break: Literal["raise", "restart"] = "raise"
    cache: bool | Literal["refresh"] = True
    cache_ttl: float | None = None
    weight: float = 1.0
    deadline: float | None = None
