"""The codec as the registry and the client see it."""

from __future__ import annotations

from callm.errors import QuotaError, RateLimitError
from callm.types import TextDelta
from callm.wire.codec import Codec
from callm.wire.sse import ServerSentEvent
from tests.wire.anthropic.payloads import CODEC, TARGET


def test_it_is_a_codec_of_its_name() -> None:
    codec: Codec = CODEC
    assert codec.format == "anthropic"


def test_its_frames_can_be_used_alone() -> None:
    frames = CODEC.frames(TARGET)
    out: list[object] = []
    frames.add(
        ServerSentEvent('{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}'),
        out,  # type: ignore[arg-type]  # a list of events
    )
    assert out == [TextDelta("Hi")]


def test_an_http_error_says_what_to_do() -> None:
    spend = b'{"type":"error","error":{"type":"rate_limit_error","message":"spend","details":{"error_code":"enforced_spend_limit_reached"}}}'
    error = CODEC.error(429, {"request-id": "req_1"}, spend, TARGET)
    assert isinstance(error, QuotaError)
    assert not error.retryable
    rate = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"},"request_id":"req_2"}'
    error = CODEC.error(429, {"retry-after": "7"}, rate, TARGET)
    assert isinstance(error, RateLimitError)
    assert (error.retryable, error.retry_after, error.request_id, error.provider) == (True, 7.0, "req_2", "anthropic")
