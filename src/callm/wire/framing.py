"""What stands around the frames of an answer: a stream of events, or one whole body.

1. `EventFraming` reads server-sent events. A body that is none of them (a page of a proxy, the JSON of a server that
   does not stream) is given as one frame of the event `BODY` at the end, so that it gets its own clear error or is read.
2. `BodyFraming` gives the whole body as one such frame.
"""

from __future__ import annotations

import re
from typing import Final

from callm.errors import ProtocolError
from callm.wire.sse import MAX_EVENT, ServerSentEvent, SSEDecoder

BODY: Final = "\n body"
"""The event of a frame that holds a whole body. No stream can name an event so: a name has no line break."""

_FIELDS: Final = (b":", b"data:", b"event:", b"id:", b"retry:", b"data\n", b"event\n", b"id\n", b"retry\n")
_BREAKS: Final = re.compile(rb"\r\n?")


class BodyFraming:
    """Keep everything until the end, then give it as one frame."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Keep `data`."""
        self._pieces.append(data)
        return []

    def close(self) -> list[ServerSentEvent]:
        """Return the body."""
        return [_body(b"".join(self._pieces))]


class EventFraming:
    """Server-sent events, or what a server sent instead of them."""

    def __init__(self) -> None:
        self._events = SSEDecoder()
        self._seen: list[bytes] | None = []
        """What came before the first event; None from then on."""
        self._size = 0

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Return the events that `data` completes.

        Raises:
            ProtocolError: an event, or a body that is none, is larger than `MAX_EVENT` bytes.
        """
        events = self._events.feed(data)
        if events:
            self._seen = None
        elif self._seen is not None:
            self._seen.append(data)
            self._size += len(data)
            if self._size > MAX_EVENT:
                raise ProtocolError(f"the answer is no stream of events, and larger than {MAX_EVENT} bytes")
        return events

    def close(self) -> list[ServerSentEvent]:
        """Return what the end completes: nothing, for events; the body, if it was no stream of events."""
        events = self._events.close()
        if self._seen is None:
            return events
        body = _BREAKS.sub(b"\n", b"".join(self._seen).removeprefix(b"\xef\xbb\xbf")).lstrip()
        if any(body.startswith(field) or field.startswith(body) for field in _FIELDS):
            return []
        return [_body(body)]


def _body(data: bytes) -> ServerSentEvent:
    return ServerSentEvent(data.decode("utf-8", "replace").removeprefix("\ufeff"), BODY)
