"""Whose turn it is. Pure: the caller keeps two threads from asking at once."""

from __future__ import annotations

from collections.abc import Sequence

from callm.errors import ConfigError


class Rotation:
    """Turns among several, by weight, and as evenly spread as the weights allow ("smooth weighted round-robin").

    Each turn adds its weight to everybody's credit; who has most is next and pays the sum. So weights 3 and 1 give
    a, a, b, a rather than a, a, a, b.
    """

    def __init__(self, weights: Sequence[float], start: int = 0) -> None:
        """Take the weights, at least one of them above 0, and how many turns are over already.

        Raises:
            ConfigError: there are no weights, or they can't be used.
        """
        if not weights:
            raise ConfigError("a rotation needs at least one model")
        if any(not 0 <= weight < float("inf") for weight in weights) or not any(weights):
            raise ConfigError(f"weights must be numbers, 0 or more, and one of them above 0, not {list(weights)!r}")
        self._weights = tuple(weights)
        self._total = sum(weights)
        self._credit = [0.0] * len(weights)
        for _ in range(start):
            self.next()

    def __repr__(self) -> str:
        return f"Rotation({list(self._weights)!r})"

    def next(self) -> int:
        """Return whose turn it is, counted from 0."""
        credit = self._credit
        for number, weight in enumerate(self._weights):
            credit[number] += weight
        chosen = max((number for number, weight in enumerate(self._weights) if weight), key=credit.__getitem__)
        credit[chosen] -= self._total
        return chosen
