"""A model that is slow, and how to play it: what the tests of time limits share."""

import asyncio
from contextlib import aclosing

from callm.errors import CallCancelled, CallTimeout, DeadlineExceeded
from callm.middleware.deadline import Deadline
from callm.middleware.timeout import Timeout
from callm.types import CallOptions, Finish, Message, Request, TextDelta, Timeouts, Usage, UsageReport
from tests.support import run_jumping

TEXT, PING, FINISH = [TextDelta("x")], [UsageReport(Usage(1, 1))], [Finish("stop")]


class Slow:
    """Plays pairs of seconds to wait and a batch to yield; says when it was closed."""

    name = "slow"

    def __init__(self, *script):
        self.script = script
        self.closed = False

    async def stream(self, request):
        try:
            for seconds, batch in self.script:
                await asyncio.sleep(seconds)
                yield batch
        finally:
            self.closed = True


def request(cancel=None, **timeouts):
    none = dict.fromkeys(("first_content", "between_content", "total"))
    return Request((Message.user("hi"),), options=CallOptions(timeouts=Timeouts(**{**none, **timeouts}), cancel=cancel))


def play(model, asked, pause=0.0):
    """Return the batches that came, the error or None, and the seconds it took."""

    async def main():
        loop = asyncio.get_running_loop()
        began, got = loop.time(), []
        try:
            async with aclosing(Deadline(Timeout(model)).stream(asked)) as batches:
                async for batch in batches:
                    got.append(batch)
                    await asyncio.sleep(pause)
        except (CallTimeout, DeadlineExceeded, CallCancelled) as error:
            return got, error, loop.time() - began
        return got, None, loop.time() - began

    return run_jumping(main())
