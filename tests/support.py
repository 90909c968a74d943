"""Doubles of our own tests: a loop whose clock jumps to the next timer instead of waiting for it."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Never wait for a timer: move the loop's clock to it. Waits for sockets and threads only while no timer is set."""

    loop: "JumpingLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is not None and timeout > 0:
            ready = super().select(0)
            if not ready:
                self.loop.now += timeout
            return ready
        return super().select(timeout)


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in which `asyncio.sleep(3600)` takes no time at all."""

    def __init__(self) -> None:
        self.now = 1000.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def run_jumping(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` on a loop whose clock jumps."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(coroutine)
