"""Try several models in turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from callm.errors import AllFailed, CallCancelled, CallmError, ConfigError, DeadlineExceeded, UnsupportedError
from callm.middleware.attempt import Attempt
from callm.middleware.relay import Relay
from callm.types import Selected

if TYPE_CHECKING:
    from callm.types import Events, Model, Request


@dataclass(frozen=True, slots=True)
class Fallback:
    """Ask each model in turn until one answers. Any error leads to the next one, but for those no model can help with.

    `Response.answered_by` says who answered, `Response.attempts` who failed before.

    Attributes:
        models: the models, the preferred one first.
    """

    models: tuple[Model, ...]
    _turns: tuple[tuple[Model, Selected], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_models(self.models, "a fallback")
        object.__setattr__(self, "_turns", tuple((model, Selected(model.name)) for model in self.models))

    @property
    def name(self) -> str:
        """The names of the models."""
        return " | ".join(model.name for model in self.models)

    def stream(self, request: Request) -> Events:
        """See `Model.stream`.

        Raises:
            AllFailed: every model failed.
        """
        if request.stream:
            return Relay(lambda relay: self._stream(request, relay))
        return self._stream(request, None)

    async def _stream(self, request: Request, relay: Relay | None) -> Events:
        errors: list[CallmError] = []
        try:
            for model, selected in self._turns:
                attempt = Attempt(request)
                first = True
                try:
                    batches = model.stream(request)
                    try:
                        async for batch in batches:
                            if attempt.see(batch) and relay is not None:
                                relay.rest = batches
                            yield [selected, *batch] if first else batch
                            first = False
                    finally:
                        await batches.aclose()
                except CallmError as error:
                    error.model = error.model or model.name
                    if not (attempt.replaceable and falls_back(error)):
                        raise
                    errors.append(error)
                else:
                    return
                if model is not self.models[-1]:
                    yield attempt.failed(errors[-1], model.name)
            raise AllFailed(f"all {len(errors)} models of the fallback failed", errors)
        finally:
            del errors  # their tracebacks hold this frame


def falls_back(error: CallmError) -> bool:
    """Return whether another model may do what this one failed to do."""
    if isinstance(error, ConfigError):
        return isinstance(error, UnsupportedError)
    return not isinstance(error, CallCancelled | DeadlineExceeded)


def check_models(models: Any, what: str) -> None:
    """Raise `ConfigError` unless `models` is a tuple of models, with one at least."""
    if not issubclass(type(models), tuple):
        raise ConfigError(f"the models of {what} must be a tuple, not {type(models).__name__}")
    if not models:
        raise ConfigError(f"{what} needs at least one model")
    for model in models:
        if isinstance(model, type) or not hasattr(model, "stream"):
            raise ConfigError(f"the models of {what} must have a stream method, as a Model has, not {model!r:.80}")
