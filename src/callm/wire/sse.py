r"""Server-sent events, without I/O: bytes in, finished events out.

The rules are those of the HTML standard, section 9.2 (https://html.spec.whatwg.org/multipage/server-sent-events.html):
lines end with CR LF, LF or CR and with nothing else; one leading byte order mark is dropped; a line that begins with a colon
is a comment; one space after the first colon is dropped; data lines are joined by LF; an empty line dispatches; an event
without data is dropped; what the end of the stream leaves undispatched is dropped.

1. Bytes are kept until a line is whole, and decoded when it is, so a UTF-8 character cut in two is never seen.
2. A CR ends its line at once; the LF that may follow it in the next bytes is dropped there.
3. `data: ` and `event: ` lines, nearly all there are, never leave the loop; everything else goes through `_field`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from callm.errors import ProtocolError

MAX_EVENT: Final = 64 * 1024 * 1024
"""The most bytes an unfinished event may hold."""

_BOM: Final = b"\xef\xbb\xbf"
_MAX_DIGITS: Final = 18  # of a retry time; nobody waits for a number with more


class ServerSentEvent(msgspec.Struct, frozen=True, gc=False):
    """One event.

    Attributes:
        data: the data lines, joined by line feeds.
        event: the type; empty means `message`.
        id: the last event id that the stream had named.
        retry: milliseconds to wait before reconnecting, if this event's block named them.
    """

    data: str
    event: str = ""
    id: str = ""
    retry: int | None = None


class SSEDecoder:
    """Decode one stream: `feed(bytes)` returns the events completed so far, `close()` ends it."""

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        """Refuse a stream whose unfinished event grows beyond `max_event` bytes."""
        self._max = max_event
        self._started = False
        self._careful = True  # the next bytes may begin with a byte order mark or half a CR LF, or an error is due
        self._head = b""  # what may be the beginning of a byte order mark
        self._line = bytearray()  # an unfinished line
        self._size = 0  # bytes in `_data`
        self._data: list[bytes] = []
        self._event = ""
        self._id = ""
        self._retry: int | None = None
        self._error: ProtocolError | None = None

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes and return the events they complete.

        Raises:
            ProtocolError: an event is larger than `max_event` bytes. Events before it are returned first, and the next
                call raises.
        """
        if self._careful:
            data = self._begin(data)
        if b"\r" in data:
            self._careful = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.split(b"\n")
        rest = lines.pop()
        out: list[ServerSentEvent] = []
        if lines:
            if self._line:
                self._line += lines[0]
                lines[0] = bytes(self._line)
                self._line.clear()
            out = self._take(lines)
        if rest or self._size:
            self._line += rest  # in place, so a long line that comes in small pieces costs its length
            if self._size + len(self._line) > self._max:
                self._refuse(out)
        return out

    def close(self) -> list[ServerSentEvent]:
        """Take the end of the stream. An event without its empty line is dropped, as the standard asks."""
        if self._error is not None:
            raise self._error
        return []

    def _begin(self, data: bytes) -> bytes:
        """Return `data` without the byte order mark or the second half of a CR LF at its head."""
        if self._error is not None:
            raise self._error
        if self._started:
            self._careful = not data
            return data.removeprefix(b"\n")
        data = self._head + data
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._head = data
            return b""
        self._started, self._careful = True, False
        return data.removeprefix(_BOM)

    def _take(self, lines: list[bytes]) -> list[ServerSentEvent]:
        out: list[ServerSentEvent] = []
        pending = self._data
        known = len(pending)
        for line in lines:
            if line[:6] == b"data: ":
                pending.append(line[6:])
            elif line:
                if line[:7] == b"event: ":
                    self._event = line[7:].decode("utf-8", "replace")
                else:
                    self._field(line)
            else:
                if pending:
                    data = pending[0] if len(pending) == 1 else b"\n".join(pending)
                    out.append(ServerSentEvent(data.decode("utf-8", "replace"), self._event, self._id, self._retry))
                    pending.clear()
                self._event, self._retry = "", None
        if out:
            known = self._size = 0
        if len(pending) > known:
            self._size += sum(len(piece) + 1 for piece in pending[known:])
        return out

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) <= _MAX_DIGITS:
            self._retry = int(value)

    def _refuse(self, out: list[ServerSentEvent]) -> None:
        """Raise, or see to it that the next call raises when `out` holds events that are good."""
        self._error = ProtocolError(f"a server-sent event is larger than {self._max} bytes")
        self._careful = True
        if not out:
            raise self._error
