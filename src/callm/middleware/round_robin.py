"""Spread calls over several models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from callm.errors import ConfigError
from callm.middleware.fallback import check_models
from callm.middleware.relay import Relay
from callm.policy.rotation import Rotation
from callm.types import Selected
from callm.types.locks import lock_across_forks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callm.types import Events, Model, Request

_LOCK: Final = lock_across_forks()


@dataclass(frozen=True, slots=True)
class RoundRobin:
    """Send each request to the next model. Made by `RoundRobin.of`.

    Attributes:
        models: the models.
        rotation: whose turn it is; two trees that share one take turns together.
    """

    models: tuple[Model, ...]
    rotation: Rotation
    _selected: tuple[Selected, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_selected", tuple(Selected(model.name) for model in self.models))

    @classmethod
    def of(cls, *models: Model, weights: Sequence[float] | None = None, start: int = 0) -> Self:
        """Spread over `models`, evenly or by `weights`, beginning with number `start` of the order.

        Raises:
            ConfigError: there are no models, or as many weights as there are not models.
        """
        check_models(models, "a round-robin")
        if weights is not None and len(weights) != len(models):
            raise ConfigError(f"a round-robin of {len(models)} models needs as many weights, not {len(weights)}")
        if isinstance(start, bool) or start < 0:
            raise ConfigError(f"'start' must be 0 or more, not {start!r}")
        even = [1.0] * len(models)
        return cls(
            models, Rotation(even if weights is None else weights, start % len(models) if weights is None else start)
        )

    @property
    def name(self) -> str:
        """The names of the models."""
        return " / ".join(model.name for model in self.models)

    def stream(self, request: Request) -> Events:
        """See `Model.stream`."""
        if request.stream:
            return Relay(lambda relay: self._stream(request, relay))
        return self._stream(request, None)

    async def _stream(self, request: Request, relay: Relay | None) -> Events:
        with _LOCK:
            turn = self.rotation.next()
        first = True
        batches = self.models[turn].stream(request)
        try:
            async for batch in batches:
                if relay is not None:
                    relay.rest = batches
                yield [self._selected[turn], *batch] if first else batch
                first = False
        finally:
            await batches.aclose()
