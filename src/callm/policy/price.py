"""What tokens cost. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from callm.errors import ConfigError
from callm.types import Usage

_MILLION: Final = 1_000_000


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """US dollars for a million tokens of one model.

    Attributes:
        input: of the prompt.
        output: of the answer, reasoning included.
        cache_read: of the part of the prompt that was read from the provider's cache; None: as the rest of it.
        cache_write: of the part that was written to it; None: as the rest of it.
        cache_write_1h: of the part written with the one-hour lifetime; None: as `cache_write`.
    """

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    cache_write_1h: float | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value: Any = getattr(self, name)
            if value is None and name.startswith("cache"):
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise ConfigError(f"the price {name!r} must be dollars for a million tokens, 0 or more, not {value!r}")

    def cost(self, usage: Usage) -> float:
        """Return the dollars for `usage`; what it does not say counts as none."""
        read, write, write_1h = (
            usage.cache_read_tokens or 0,
            usage.cache_write_tokens or 0,
            usage.cache_write_1h_tokens or 0,
        )
        write = max(write, write_1h)
        plain = max(0, (usage.input_tokens or 0) - read - write)
        cache_read = self.input if self.cache_read is None else self.cache_read
        cache_write = self.input if self.cache_write is None else self.cache_write
        cache_write_1h = cache_write if self.cache_write_1h is None else self.cache_write_1h
        prompt = plain * self.input + read * cache_read + (write - write_1h) * cache_write + write_1h * cache_write_1h
        return (prompt + (usage.output_tokens or 0) * self.output) / _MILLION


def price_of(model: str, prices: Mapping[str, Price]) -> Price | None:
    """Return the price of `provider/model`, by its whole name or by the part behind the provider's."""
    return prices.get(model) or prices.get(model.partition("/")[2])
