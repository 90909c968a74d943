"""So many callers at once against a server that refuses everything: a retry budget keeps the storm away.

python -m tests.soak.storm 10
"""

import asyncio
import os
import sys
import time
from collections import Counter

from callm.client import Client
from callm.errors import CallmError
from callm.policy.backoff import Backoff
from tests.soak.server import ServerProcess
from tests.soak.stack import full_stack, held

CALLERS = 1000
FLOOR = 30  # ten at the beginning, and half a retry for each second
MOST_GUARDED = 2 * (64 + 5) + FLOOR  # of each model at most 64 at once, until its circuit opens


async def storm(client: Client) -> Counter[str]:
    """Have everybody call at once, and return what came of it."""
    async with client:
        done = await asyncio.gather(*(client.call(f"{n}") for n in range(CALLERS)), return_exceptions=True)
        assert held(client) == {}
        return Counter(error.kind if isinstance(error, CallmError) else repr(error) for error in done)


def main(rounds: int) -> int:
    os.environ["SOAK_KEY"] = "sk-soak"
    wrong = 0
    with ServerProcess() as server:
        server.tell("fail")
        backoff = Backoff(retries=5, initial=0.05, maximum=0.2)
        for turn in range(rounds):
            began = time.monotonic()
            plain = Client("openai/gpt-x", api_key="sk-soak", base_url=f"{server.url}/v1", retries=backoff)
            alone, asked = asyncio.run(storm(plain)), int(server.tell("fail"))
            guarded = full_stack(server.url, breaker={"failures": 5, "cooldown": 60}, retry=backoff, hedge=False)
            both, asked_both = asyncio.run(storm(guarded)), int(server.tell("fail"))
            took = time.monotonic() - began
            print(f"{turn}: {asked} requests, {dict(alone)}; with everything {asked_both}, {dict(both)}; {took:.1f} s")
            wrong += asked > 1.2 * CALLERS + FLOOR or asked_both > MOST_GUARDED
    return wrong


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
