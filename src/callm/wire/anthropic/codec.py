"""The codec itself: what it does is in `encode` and `decode`."""

from __future__ import annotations

from collections.abc import Mapping

from callm.errors import APIError
from callm.types import Request
from callm.wire.anthropic.decode import AnthropicFrames
from callm.wire.anthropic.encode import encode_request
from callm.wire.api_error import api_error
from callm.wire.codec import Decoder, HTTPRequest, StreamDecoder, Target
from callm.wire.framing import BodyFraming, EventFraming


class Anthropic:
    """The Anthropic Messages format. Its API demands `max_tokens`: 4096 is sent where the settings have none."""

    format = "anthropic"

    def encode(self, request: Request, target: Target) -> HTTPRequest:
        """See `Codec.encode`."""
        return encode_request(request, target)

    def decoder(self, target: Target, *, stream: bool) -> Decoder:
        """See `Codec.decoder`."""
        return StreamDecoder(EventFraming() if stream else BodyFraming(), AnthropicFrames(target))

    def frames(self, target: Target) -> AnthropicFrames:
        """See `Codec.frames`."""
        return AnthropicFrames(target)

    def error(self, status: int, headers: Mapping[str, str], body: bytes, target: Target) -> APIError:
        """See `Codec.error`."""
        return api_error(status, headers, body, provider=target.provider, secret=target.api_key)
