"""Packed bytes in, plain bytes out, never more than the caps allow: a few kilobytes can unpack to gigabytes."""

from __future__ import annotations

import zlib
from typing import Final

from callm.errors import ProtocolError, TruncatedStream

FREE: Final = 8 * 1024 * 1024
"""How many bytes may come out before the ratio counts: a short answer may well be very repetitive."""

ENCODINGS: Final = ("gzip", "x-gzip", "deflate")

_GZIP: Final = 16 + zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS


class Inflate:
    """Unpack one body: `feed(bytes)` returns what they unpack to, `close()` says whether the end was there."""

    def __init__(self, encoding: str, *, limit: int, ratio: int) -> None:
        """Unpack `encoding`; refuse more than `limit` bytes, and beyond `FREE` more than `ratio` times what came in.

        Raises:
            ProtocolError: it is an encoding that nobody asked for.
        """
        if encoding not in ENCODINGS:
            raise ProtocolError(f"the server packed its answer as {encoding[:40]!r}, which was not asked for")
        self._encoding = encoding
        self._limit = limit
        self._ratio = ratio
        self._taken = 0
        self._given = 0
        self._stream = zlib.decompressobj(_GZIP)  # replaced at the first byte
        self._between = True

    def feed(self, data: bytes) -> bytes:
        """Take the next packed bytes.

        Raises:
            ProtocolError: they are not of the encoding, or unpack to more than is allowed.
        """
        if self._between and self._taken:
            data = data.lstrip(b"\0")  # gzip files may be padded with zeros
        self._taken += len(data)
        out: list[bytes] = []
        while data:
            if self._between:  # at the start, and behind a gzip member, of which there may be several
                self._stream, self._between = zlib.decompressobj(self._window(data)), False
            out.append(self._unpack(data))
            self._between = self._stream.eof
            data = self._stream.unused_data.lstrip(b"\0")
        return out[0] if len(out) == 1 else b"".join(out)

    def _unpack(self, data: bytes) -> bytes:
        allowed = min(self._limit, max(FREE, self._ratio * self._taken)) - self._given
        try:
            out = self._stream.decompress(data, allowed + 1)
        except zlib.error as error:
            raise ProtocolError(f"the answer says it is {self._encoding}, but can't be unpacked: {error}") from error
        if len(out) > allowed:
            raise ProtocolError(
                f"the answer unpacks from {self._taken} bytes to more than {self._given + allowed}: refused"
            )
        self._given += len(out)
        return out

    def close(self) -> None:
        """Take the end of the body.

        Raises:
            TruncatedStream: the packed data has no end.
        """
        if not self._between:
            raise TruncatedStream(f"the {self._encoding} answer ends in the middle")

    def _window(self, data: bytes) -> int:
        if self._encoding != "deflate":
            return _GZIP
        # "deflate" means zlib (RFC 9110, 8.4.1.2), but some servers send it without the zlib header.
        return zlib.MAX_WBITS if data[0] & 0x0F == zlib.DEFLATED else _RAW
