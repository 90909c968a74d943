"""The rule that everything that repeats shares: an attempt may be replaced until it has delivered content.

After that only where the caller asked for it (`on_break="restart"`), and then with a `Restarted` event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callm.types import CONTENT, AttemptFailed, Continued, Restarted, Usage, UsageReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callm.errors import CallmError
    from callm.types import Event, Request


_NOTHING: Final = Usage()
_COUNTS: Final = frozenset({UsageReport, Continued, AttemptFailed, Restarted})


class Attempt:
    """What has come of one attempt. `delivered` says whether content has; `usage` what the provider said it cost."""

    __slots__ = ("_before", "_may_restart", "_number", "delivered", "usage")

    def __init__(self, request: Request, number: int = 1) -> None:
        """Begin attempt `number` at a model."""
        self._may_restart = request.options.on_break == "restart"
        self._number = number
        self._before: Usage | None = None  # of the parts of the answer that are complete, once it was continued
        self.delivered = False
        self.usage = _NOTHING

    def see(self, batch: Sequence[Event]) -> bool:
        """Take a batch; return whether nothing of what follows needs to be seen."""
        for event in batch:
            kind = type(event)
            if kind in CONTENT:
                self.delivered = True
                if not self._may_restart:
                    return True  # it can't be replaced any more, so nobody will ask what it has used
            elif kind not in _COUNTS:
                continue
            elif isinstance(event, UsageReport):
                self.usage = event.usage if self._before is None else self._before + event.usage
            elif isinstance(event, Continued):
                self.usage = self._before = (self._before or _NOTHING) + event.usage
            elif isinstance(event, AttemptFailed) and self._before is not None:
                self.usage = self._before  # a part failed before it had content: those before it are out
            elif isinstance(event, AttemptFailed | Restarted):  # of a model inside: what it delivered is discarded
                self.delivered, self.usage, self._before = False, _NOTHING, None
        return self.delivered and not self._may_restart

    @property
    def replaceable(self) -> bool:
        """Whether another attempt may take its place."""
        return self._may_restart or not self.delivered

    def failed(self, error: CallmError, model: str, wait: float = 0.0) -> list[Event]:
        """Return the events that announce that another attempt follows."""
        announcement = AttemptFailed(
            model=error.model or model,
            error=type(error).__name__,
            kind=error.kind,
            message=str(error),
            attempt=max(self._number, error.attempts),
            wait=wait,
            status=getattr(error, "status", None),
            request_id=getattr(error, "request_id", None),
            usage=self.usage,
        )
        return [announcement, Restarted(announcement.model)] if self.delivered else [announcement]
