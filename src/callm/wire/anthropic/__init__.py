"""The Anthropic Messages API (https://docs.anthropic.com/en/api/messages)."""

from callm.wire.anthropic.codec import Anthropic

__all__ = ["Anthropic"]
