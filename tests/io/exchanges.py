"""What the tests of the transport share: a request, and reading its whole answer."""

import json

from callm.io.transport import Transport
from callm.types import Secret, Timeouts
from callm.wire.codec import HTTPRequest

TIMEOUTS = Timeouts(connect=2.0, pool=2.0)


def chat(url: str, text: str = "Hello there", *, stream: bool = False, **headers: str) -> HTTPRequest:
    """Make the request that a codec would make for the server at `url`."""
    body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]}
    own: dict[str, str | Secret] = {
        "content-type": "application/json",
        "authorization": Secret("sk-canary", "Bearer "),
        "accept": "text/event-stream" if stream else "application/json",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return HTTPRequest(f"{url}/v1/chat/completions", own, json.dumps(body).encode())


async def fetch(transport: Transport, request: HTTPRequest, timeouts: Timeouts = TIMEOUTS) -> tuple[int, bytes]:
    """Return the status and the whole body of the answer."""
    async with transport.send(request, timeouts) as response:
        pieces: list[bytes] = []
        while piece := await response.read():
            pieces.append(piece)
        return response.status, b"".join(pieces)
