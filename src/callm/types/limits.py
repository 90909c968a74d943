"""What a provider says of its rate limits."""

from __future__ import annotations

import msgspec


class Remaining(msgspec.Struct, frozen=True):
    """What a provider says is left of its limits, and in how many seconds it comes back. None: it does not say."""

    requests: float | None = None
    requests_reset: float | None = None
    tokens: float | None = None
    tokens_reset: float | None = None
