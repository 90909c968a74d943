import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import ProtocolError, TruncatedStream
from callm.io.inflate import FREE, Inflate
from callm.testing.fault import bomb

TEXT = b'{"text": "' + b"Gr\xc3\xbc\xc3\x9fe " * 50 + b'"}'


def _raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKED = [
    ("gzip", gzip.compress(TEXT)),
    ("x-gzip", gzip.compress(TEXT)),
    ("gzip", gzip.compress(TEXT[:20]) + gzip.compress(TEXT[20:])),
    ("gzip", gzip.compress(TEXT) + bytes(512)),
    ("deflate", zlib.compress(TEXT)),
    ("deflate", _raw(TEXT)),
]


def _inflate(encoding: str, *pieces: bytes, limit: int = 1 << 30, ratio: int = 200) -> bytes:
    inflate = Inflate(encoding, limit=limit, ratio=ratio)
    out = b"".join([inflate.feed(piece) for piece in pieces])
    inflate.close()
    return out


@pytest.mark.parametrize(("encoding", "packed"), PACKED)
def test_any_split_gives_the_same_bytes(encoding: str, packed: bytes) -> None:
    for cut in range(len(packed) + 1):
        assert _inflate(encoding, packed[:cut], packed[cut:]) == TEXT
    assert _inflate(encoding, *(bytes([byte]) for byte in packed)) == TEXT


@pytest.mark.parametrize(("encoding", "packed"), [PACKED[0], PACKED[4], PACKED[5]])
def test_a_body_without_its_end_is_truncated(encoding: str, packed: bytes) -> None:
    for cut in range(1, len(packed)):
        with pytest.raises(TruncatedStream):
            _inflate(encoding, packed[:cut])


def test_an_empty_body_is_an_empty_body() -> None:
    assert _inflate("gzip") == b""


def test_an_encoding_nobody_asked_for_is_refused() -> None:
    with pytest.raises(ProtocolError, match="'br', which was not asked for"):
        Inflate("br", limit=1, ratio=1)


@given(st.binary(min_size=1, max_size=200))
def test_garbage_is_an_error_of_ours_or_unpacks(data: bytes) -> None:
    for encoding in ("gzip", "deflate"):
        try:
            _inflate(encoding, data)
        except (ProtocolError, TruncatedStream):
            continue


def test_a_bomb_is_refused_before_it_unpacks() -> None:
    packed = bomb(64 * 1024 * 1024)
    inflate = Inflate("gzip", limit=1 << 40, ratio=200)
    with pytest.raises(ProtocolError, match="refused"):
        inflate.feed(packed)
    assert inflate._given == 0


def test_a_bomb_fed_slowly_is_refused_when_it_passes_the_ratio() -> None:
    packed, given = bomb(64 * 1024 * 1024), 0
    inflate = Inflate("gzip", limit=1 << 40, ratio=200)
    with pytest.raises(ProtocolError, match="refused"):
        for start in range(0, len(packed), 100):
            given += len(inflate.feed(packed[start : start + 100]))
    assert FREE // 2 < given <= FREE


def test_the_limit_counts_even_where_the_ratio_does_not() -> None:
    assert _inflate("gzip", gzip.compress(bytes(1000)), limit=1000) == bytes(1000)
    with pytest.raises(ProtocolError, match="more than 999"):
        _inflate("gzip", gzip.compress(bytes(1000)), limit=999)


def test_a_short_answer_may_be_very_repetitive() -> None:
    assert len(_inflate("gzip", gzip.compress(bytes(FREE)), ratio=1)) == FREE
