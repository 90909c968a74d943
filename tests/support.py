"""What our own tests share: a loop whose clock jumps to the next timer instead of waiting for it, clients of a server."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from callm.client import Client
from callm.io.aiohttp_transport import AiohttpTransport
from callm.testing import FaultServer

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


KEY = "sk-canary-0123456789"
"""The key that every client of the tests has, and that must never be seen."""

FORMATS = ("openai_chat", "anthropic")


def client_of(server: FaultServer, wire: str = "openai_chat", **options: Any) -> Client:
    """Make a client that calls `server` in a wire format, without retries unless they are asked for."""
    options.setdefault("retries", 0)
    if wire == "openai_chat":
        return Client("openai/gpt-x", api_key=KEY, base_url=f"{server.url}/v1", **options)
    return Client("anthropic/claude-x", api_key=KEY, base_url=server.url, **options)


def busy(client: Client) -> int:
    """Return how many connections of `client` are in use, in all event loops."""
    transports = client._endpoints.transports._made.values()
    return sum(
        connections.slots._used + len(connections._connector._acquired)
        for transport in transports
        if isinstance(transport, AiohttpTransport)
        for connections in transport._loops.values()
    )
