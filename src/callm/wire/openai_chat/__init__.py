"""OpenAI's Chat Completions, and everybody who speaks it (https://platform.openai.com/docs/api-reference/chat)."""

from __future__ import annotations

from collections.abc import Mapping

from callm.errors import APIError
from callm.types import Request
from callm.wire.api_error import api_error
from callm.wire.codec import Decoder, HTTPRequest, StreamDecoder, Target
from callm.wire.framing import BodyFraming, EventFraming
from callm.wire.openai_chat.decode import ChatFrames
from callm.wire.openai_chat.encode import encode
from callm.wire.openai_chat.reasoning import FORMAT

__all__ = ["OpenAIChat"]


class OpenAIChat:
    """The codec. It has no state: one object serves all calls."""

    format: str = FORMAT

    def encode(self, request: Request, target: Target) -> HTTPRequest:
        """See `Codec.encode`."""
        return encode(request, target)

    def decoder(self, target: Target, *, stream: bool) -> Decoder:
        """See `Codec.decoder`."""
        frames = ChatFrames(target)
        return StreamDecoder(EventFraming(), frames) if stream else StreamDecoder(BodyFraming(), frames)

    def frames(self, target: Target) -> ChatFrames:
        """See `Codec.frames`."""
        return ChatFrames(target)

    def error(self, status: int, headers: Mapping[str, str], body: bytes, target: Target) -> APIError:
        """See `Codec.error`."""
        return api_error(status, headers, body, provider=target.provider, secret=target.api_key)
